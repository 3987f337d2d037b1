"""A rank sweep beside chance: the same for surrogate cohorts, the suggestion that follows, and what speaks for each component."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..affinity.shift import Shifter
from ..communities.tail import tail_p_value
from ..factorization.clocks import worm_shares
from ..factorization.prepare import Prepared
from ..factorization.starts import Starts
from ..model.cohort import Cohort
from ..model.errors import DynamicConnectomeError
from ..model.evidence import QUESTIONS, Chance
from ..model.execution import one_blas_thread, workers
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.results import Components, RankSweep
from ..model.twins import twins_named, twins_said
from .evidence import (
    believable,
    carried,
    carried_by_one,
    choose_rank,
    component_groups,
    component_support,
    reason_for,
    spreads,
    strongest_of,
)
from .kept import KeptPieces
from .surrogate_fits import Bins, RankFit, SurrogateFits, fit_bins, fit_surrogates, pair_matrices
from .together import Together

if TYPE_CHECKING:
    from ..affinity.spec import AffinitySpec
    from .settings import PipelineSettings

HIGH = 0.95
SOME_STARTS = 3
"""Starts that are looked at together; not so many a thread, because the last digits of a product depend on how many share it."""
STARTS_WITHOUT = 3
"""Random starts of a cohort without a worm."""
Strongest = tuple[list[tuple[float, frozenset[int]]], np.ndarray]
"""Strongest group (statistic, members) of every component of a fit, and the spreads of their strengths."""


class StartGroups:
    """Looks at every random start of a rank sweep while it runs: its components' strongest groups, and who carries them.

    Parameters
    ----------
    kept : KeptPieces, optional
        What an interrupted run found is taken from here.
    cancel : callable, optional

    Attributes
    ----------
    found : dict
        Rank -> strongest groups of every start.
    carried : dict
        Rank -> components (from 0) of every start that one worm carries, see `evidence.carried`.
    """

    def __init__(self, kept: KeptPieces | None = None, cancel: CancelCallback | None = None) -> None:
        self.found: dict[int, list[Strongest]] = {}
        self.carried: dict[int, list[frozenset[int]]] = {}
        self._bins: Bins | None = None
        self._kept, self._cancel = kept or KeptPieces(None), cancel

    def __call__(self, rank: int, prepared: Prepared, fits: Starts) -> None:
        """Note the groups of all starts of one rank, as they are on the bins on which surrogates are fitted."""
        self.carried[rank] = [carried(power.T) for power in worm_shares(prepared.problem, fits.factors)]
        piece, count = f"starts{rank} of {len(fits.errors)}", len(prepared.problem.affinity.neurons)
        known = self._kept.load(piece)
        if known is not None:
            self.found[rank] = [
                _as_groups(*parts) for parts in zip(known["top"], known["members"], known["spread"], strict=True)
            ]
            return
        with workers(prepared.settings.threads, self._cancel) as pool:
            if self._bins is None:
                self._bins = Bins(prepared.problem.affinity, 1, prepared.settings, seed=0, stop=Event())
            bins, factors = self._bins, fits.factors
            bins.bind(pool)

            def groups_of(some: slice) -> list[Strongest]:
                pairs = bins.refit(factors.pair[some], factors.own[some])
                return [start_groups(pair_matrices(prepared.problem, factor)) for factor in pairs]

            pieces = [slice(a, a + SOME_STARTS) for a in range(0, len(fits.errors), SOME_STARTS)]
            found = [one for some in pool.map(groups_of, pieces) for one in some]
        self.found[rank] = found
        tops = np.array([[top for top, _ in groups] for groups, _ in found])
        members = np.array([[[k in group for k in range(count)] for _, group in groups] for groups, _ in found])
        self._kept.save(piece, top=tops, members=members, spread=np.array([spread for _, spread in found]))


def _as_groups(tops: np.ndarray, members: np.ndarray, spread: np.ndarray) -> Strongest:
    groups = [frozenset(np.flatnonzero(mask).tolist()) for mask in members]
    return list(zip(tops.tolist(), groups, strict=True)), spread


def no_components(components: Components, reason: str) -> Components:
    """Components of rank 0: what is left where nothing is beyond chance."""
    none = slice(0, 0)
    own = components.own_time
    return replace(
        components,
        time=components.time.isel(component=none),
        worm=components.worm.isel(component=none),
        pair=components.pair.isel(component=none),
        weight=components.weight.isel(component=none),
        own_time=None if own is None else own.isel(component=none),
        error=1.0,
        support=None if components.support is None else components.support.iloc[:0],
        diagnostics={"notes": list(components.diagnostics.get("notes", [])), "explained": [], "reason": reason},
    )


def _judged(components: Components, chance: Chance, alpha: float, together: Together | None = None) -> Components:
    """Components with their support and what the surrogates of their rank gave, for their communities.

    together: of the surrogates of `chance.top`, in the same order.
    """
    rank = components.rank
    known = {"method": chance.method, "note": chance.note, "surrogates": 0}
    tops = np.empty(0)
    if chance.tested and rank in chance.top:
        fitted = chance.top[rank].notna().to_numpy()
        tops = chance.top[rank].to_numpy(float)[fitted]
        modules = chance.top_modules[rank].dropna().to_numpy(float)
        known |= {
            "questions": QUESTIONS,
            "surrogates": len(tops),
            "top": tops.tolist(),
            "top_modules": modules.tolist(),
        }
        known["pair"] = components.diagnostics["chance"]["pair"]
        known |= {} if together is None else together.noted(fitted)
    components = replace(components, diagnostics={**components.diagnostics, "chance": known})
    return replace(
        components,
        support=component_support(components, tops, alpha),
    )


def refitted(
    affinity: AffinitySpec,
    found: Mapping[int, Components],
    settings: PipelineSettings,
    kept: KeptPieces | None = None,
    cancel: CancelCallback | None = None,
) -> dict[int, Components]:
    """Components of some ranks with what is compared with surrogates: their pair factors, fitted to the surrogates' bins.

    They are in diagnostics["chance"]["pair"], (pair, component) float32, weights included.
    """
    kept = kept or KeptPieces(None)
    known = {rank: kept.load(f"bins{rank}") for rank in found}
    pairs = {rank: arrays["pair"] for rank, arrays in known.items() if arrays is not None}
    missing = sorted((r for r in found if r not in pairs), reverse=True)
    if missing:
        with workers(settings.factorization.threads, cancel) as pool:
            bins = Bins(affinity, 1, settings.factorization, seed=settings.seed, stop=pool.stop)
            for rank, pair in pool.stream(lambda r: _on_bins(bins, found[r]), missing):
                pairs[rank] = pair
                kept.save(f"bins{rank}", pair=pair)
    return {
        rank: replace(components, diagnostics={**components.diagnostics, "chance": {"pair": pairs[rank]}})
        for rank, components in found.items()
    }


def _on_bins(bins: Bins, components: Components) -> np.ndarray:
    pair = np.nan_to_num(components.pair.values.T) * components.weight.values[:, None]
    own = np.array([clock == "own" for clock in components.clocks])
    fitted = bins.refit(pair[None], own[None])[0].T
    return np.where(np.isfinite(components.pair.values), fitted, np.nan).astype(np.float32)


def judge_components(
    affinity: AffinitySpec,
    cohort: Cohort,
    components: Components,
    settings: PipelineSettings,
    *,
    kept: KeptPieces | None = None,
    client: Any = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Components:
    """Compare components of a rank that the user chose with surrogate cohorts of the same rank.

    Parameters
    ----------
    affinity : AffinitySpec
    cohort : Cohort
    components : Components
    settings : PipelineSettings
    kept, client, progress, cancel
        As in `judge_sweep`.

    Returns
    -------
    Components
        With `support`, and in diagnostics["chance"] what the surrogates gave, or why nothing could be tested.
    """
    shifter, note = _shifter(affinity, cohort, settings)
    own = settings.chance
    if note:
        return _judged(components, Chance(own.method, note=note), own.alpha)
    ranks = [r for r in (components.rank - 1, components.rank) if r > 0]
    fits = fit_surrogates(
        shifter,
        ranks,
        range(own.surrogates),
        settings.factorization,
        seed=settings.seed,
        data=True,
        kept=kept,
        client=client,
        progress=part(progress, 0, 0.95),
        cancel=cancel,
    )
    (components,) = refitted(affinity, {components.rank: components}, settings, kept, cancel).values()
    together = _together(affinity, fits)
    judged = _judged(components, _chance(fits, {}, settings), own.alpha, together)
    return _warned(judged, twins_named(cohort))


def _warned(components: Components, said: str) -> Components:
    """Components with one more warning each, the background's aside."""
    if not said or components.support is None:
        return components
    support = components.support.copy()
    for number in support.index[~support["background"].astype(bool)]:
        before = str(support.loc[number, "warning"])
        support.loc[number, "warning"] = f"{before}; {said}" if before else said
    return replace(components, support=support)


def judge_sweep(
    affinity: AffinitySpec,
    cohort: Cohort,
    sweep: RankSweep,
    settings: PipelineSettings,
    *,
    starts: StartGroups | None = None,
    kept: KeptPieces | None = None,
    client: Any = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> RankSweep:
    """Suggest a rank by what exceeds surrogate cohorts, and say what speaks for the components of every rank.

    Parameters
    ----------
    affinity : AffinitySpec
    cohort : Cohort
        That it was made from.
    sweep : RankSweep
    settings : PipelineSettings
    starts : StartGroups, optional
        What it found in every random start, to see which components most of them have, and how often each rank is suggested.
    kept : KeptPieces, optional
        What an interrupted run finished is taken from here, and what is finished now is kept.
    client : dask.distributed.Client, optional
        Surrogates are fitted there; the result is the same.
    progress, cancel : callable, optional

    Returns
    -------
    RankSweep
        With `chance`, `choices`, the new suggestion (0: no structure beyond chance) and components that have `support`. Where no
        surrogate can be made, the suggestion stays and the reason says so.
    """
    own = settings.chance
    shifter, note = _shifter(affinity, cohort, settings)
    if note:
        unknown = Chance(own.method, note=note)
        found = {r: _judged(c, unknown, own.alpha) for r, c in sweep.components.items()}
        reason = f"{sweep.reason} Not compared with chance: {note}."
        return replace(sweep, components=found, chance=unknown, reason=reason)
    ranks = sorted({1, *sweep.components})
    few = min(own.sweep_surrogates, own.surrogates)
    how: dict[str, Any] = {"seed": settings.seed, "kept": kept, "client": client, "cancel": cancel}
    fits = fit_surrogates(
        shifter,
        ranks,
        range(few),
        settings.factorization,
        held_out=own.held_out_surrogates,
        data=True,
        progress=part(progress, 0.0, 0.7),
        **how,
    )
    check_cancel(cancel)
    compared = refitted(affinity, sweep.components, settings, kept, cancel)
    groups = {r: (component_groups(c), spreads(c)) for r, c in compared.items()}
    rounds = 0

    def fit_more(more: list[int]) -> SurrogateFits:
        nonlocal rounds
        rounds += 1
        step = part(progress, 1 - 0.3 / 2 ** (rounds - 1), 1 - 0.3 / 2**rounds)
        return fit_surrogates(shifter, more, range(few, own.surrogates), settings.factorization, progress=step, **how)

    enough = own.surrogates <= few
    apart = {r: carried_by_one(c) for r, c in compared.items()}
    more = None if enough else fit_more

    def beside(some: SurrogateFits) -> Together | None:
        return _together(affinity, some)

    alone = {} if starts is None else starts.found
    fits, rank, counts, any_p = settle_rank(fits, groups, own.alpha, more, alone, apart, beside)
    chance, together = _chance(fits, counts, settings), beside(fits)
    again = twins_named(cohort)
    found = {r: _warned(_judged(c, chance, own.alpha, together), again) for r, c in compared.items()}
    reason = reason_for(
        rank,
        counts.get(rank, 0),
        chance.table,
        few if rank == 0 else own.surrogates,
        any_p,
        set_apart=_left_out(fits, groups, own.alpha, apart, counts, together),
    )
    said = twins_said(cohort)
    reason = f"{reason} {said}" if said else reason
    chosen = choices_of_starts(fits, starts or StartGroups(), own.alpha, together)
    return replace(sweep, components=found, suggested=rank, reason=reason, chance=chance, choices=chosen)


def _shifter(affinity: AffinitySpec, cohort: Cohort, settings: PipelineSettings) -> tuple[Shifter, str]:
    """Maker of surrogates, and why it can make none (empty if it can)."""
    own = settings.chance
    if own.method == "none":
        return Shifter(affinity, cohort), "it was not asked for"
    shifter = Shifter(affinity, cohort, own.method, own.min_shift_s)
    return shifter, shifter.why_not()


def _together(affinity: AffinitySpec, fits: SurrogateFits) -> Together | None:
    """Mean affinities of the data (pair,) beside those of surrogates, which are in the order of the rows of the tables."""
    if not fits.together:
        return None
    return Together(np.asarray(affinity.pairs, int), fits.means, np.stack([fits.together[n] for n in fits.top.index]))


def _own_fits(
    affinity: AffinitySpec, ranks: Sequence[int], settings: PipelineSettings, *, held_out: bool
) -> tuple[dict[int, RankFit], np.ndarray]:
    """The cohort itself, fitted exactly as its surrogates are, and the mean affinity of every pair."""
    with one_blas_thread():  # as surrogates are: more threads would only wait for each other on such small products
        bins = Bins(affinity, min(ranks), settings.factorization, seed=settings.seed, stop=Event())
        return fit_bins(bins, ranks, held_out=held_out, statistics=False), bins.together()


def gains(explained: Mapping[int, Any]) -> dict[int, Any]:
    """What each rank explains beyond the rank before (0 for rank 0); ranks without a predecessor are left out."""
    return {r: explained[r] - (explained[r - 1] if r > 1 else 0.0) for r in explained if r == 1 or r - 1 in explained}


def _gain_p(fits: SurrogateFits, rank: int) -> float:
    """P value of what a rank explains beyond the rank before."""
    own = gains({r: f.explained for r, f in fits.data.items()})
    nulls = gains({r: fits.explained[r] for r in fits.explained})
    if rank not in own or rank not in nulls:
        return float("nan")
    return tail_p_value(own[rank], nulls[rank].dropna().to_numpy(float))


def _suggest(
    fits: SurrogateFits,
    groups: Mapping[int, Strongest],
    alpha: float,
    starts: Mapping[int, Sequence[Strongest]] | None = None,
    apart: Mapping[int, Collection[int]] | None = None,
    together: Together | None = None,
) -> tuple[int, dict[int, int], float]:
    """Rank, believable components of every rank, and p of 'the first ranks explain more than chance'."""
    counts = _counts(fits.top, groups, alpha, starts or {}, apart or {}, together)
    first = [_gain_p(fits, r) for r in (1, 2)]
    known = [p for p in first if np.isfinite(p)]
    any_p = min(1.0, len(known) * min(known)) if known else 1.0
    return choose_rank(counts, any_p, len(known) * first[0] if np.isfinite(first[0]) else 1.0, alpha), counts, any_p


def _counts(
    top: pd.DataFrame,
    groups: Mapping[int, Strongest],
    alpha: float,
    starts: Mapping[int, Sequence[Strongest]],
    apart: Mapping[int, Collection[int]],
    together: Together | None,
) -> dict[int, int]:
    """Believable components of every rank; those that are set apart count only if no others are there.

    Where there are random starts, a rank counts for as many components as two thirds of them have at least. (On small planted cohorts
    with three motifs, seeds 0 to 22 and three seeds each, the best start alone had one too many in 5 of 68 analyses, with this rule in
    1; none was missing.)
    """
    counts = {}
    for rank, (found, spread) in groups.items():
        tops = top[rank].dropna().to_numpy(float) if rank in top else np.empty(0)
        if not len(tops):
            counts[rank] = 0
            continue
        others = sorted(believable(*one, tops, alpha, (), together) for one in starts.get(rank, ()))
        least = others[len(others) // 3 :][:1]
        counts[rank] = min([believable(found, spread, tops, alpha, apart.get(rank, ()), together), *least])
    if apart and not any(counts.values()):
        return _counts(top, groups, alpha, starts, {}, together)
    return counts


def _left_out(
    fits: SurrogateFits,
    groups: Mapping[int, Strongest],
    alpha: float,
    apart: Mapping[int, Collection[int]],
    counts: Mapping[int, int],
    together: Together | None = None,
) -> bool:
    """Whether components beyond chance were set apart; not if they were counted after all, because nothing else was there."""
    some = False
    for rank, group in groups.items():
        tops = fits.top[rank].dropna().to_numpy(float) if rank in fits.top else np.empty(0)
        if len(tops):
            rest = believable(*group, tops, alpha, apart[rank], together)
            if counts[rank] > rest:
                return False
            some = some or believable(*group, tops, alpha, (), together) > rest
    return some


def settle_rank(
    fits: SurrogateFits,
    groups: Mapping[int, Strongest],
    alpha: float,
    fit_more: Callable[[list[int]], SurrogateFits] | None,
    starts: Mapping[int, Sequence[Strongest]] | None = None,
    apart: Mapping[int, Collection[int]] | None = None,
    beside: Callable[[SurrogateFits], Together | None] | None = None,
) -> tuple[SurrogateFits, int, dict[int, int], float]:
    """Suggest a rank that holds with all surrogates, of which only a few are fitted at every rank.

    With more surrogates fewer components may be beyond chance than with the first ones; then a smaller rank shows as many. A rank
    at which none is left is no structure.

    Parameters
    ----------
    fits : SurrogateFits
        Of the first surrogates and the cohort itself, at all ranks.
    groups : mapping
    alpha : float
    fit_more : callable, optional
        Fits the other surrogates at some ranks.
    starts : mapping, optional
        The groups of every random start: a component that few of them have does not count for the rank.
    apart : mapping, optional
        Components of every rank that do not count, if others do.
    beside : callable, optional
        How much neurons are active together beside these surrogates.

    Returns
    -------
    fits : SurrogateFits
    rank : int
    counts : dict
        Rank -> believable components.
    any_p : float
        Of 'the first ranks explain more than chance'.
    """

    def suggest(some: SurrogateFits) -> tuple[int, dict[int, int], float]:
        return _suggest(some, groups, alpha, starts, apart, None if beside is None else beside(some))

    rank, counts, any_p = suggest(fits)
    done: set[int] = set()
    while rank and rank not in done and fit_more is not None:
        tried, expected = rank, counts[rank]
        more = sorted(({1, 2, rank} & set(fits.top.columns)) - done)
        fits = fits.joined(fit_more(more))
        done |= set(more)
        rank, counts, any_p = suggest(fits)
        if counts[tried] == 0 < expected:
            rank = 0
    return fits, rank, counts, any_p


def choices_of_starts(
    fits: SurrogateFits,
    starts: StartGroups,
    alpha: float,
    together: Together | None = None,
) -> pd.DataFrame:
    """Rank that each random start alone would suggest, columns varied, which, rank.

    By the rules of the suggestion, that about what one worm carries among them, but one: a start alone cannot say which components
    most starts have.
    """
    count = min((len(s) for s in starts.found.values()), default=0)
    rows = []
    for k in range(count):
        groups = {r: s[k] for r, s in starts.found.items()}
        apart = {r: s[k] for r, s in starts.carried.items()}
        rank, _, _ = _suggest(fits, groups, alpha, apart=apart, together=together)
        rows.append({"varied": "start", "which": str(k + 1), "rank": rank})
    return pd.DataFrame(rows, columns=["varied", "which", "rank"])


def start_groups(components: Sequence[np.ndarray]) -> Strongest:
    """Strongest group and spread of components given as matrices (N, N), NaN where not observed."""
    found, spread = [], []
    for weights in components:
        found.append(strongest_of(weights))
        seen = weights.copy()
        np.fill_diagonal(seen, np.nan)
        count = np.isfinite(seen).sum(axis=1)
        strength = np.nansum(seen, axis=1)[count > 0] / count[count > 0]
        spread.append(float(strength.std() / strength.mean()) if len(strength) and strength.mean() > 0 else 0.0)
    return found, np.array(spread)


def _chance(fits: SurrogateFits, counts: Mapping[int, int], settings: PipelineSettings) -> Chance:
    own = settings.chance
    gain = pd.DataFrame(gains({r: fits.explained[r] for r in fits.explained}))
    mine = gains({r: f.explained for r, f in fits.data.items()})
    rows = []
    for rank in fits.explained:
        nulls = gain[rank].dropna() if rank in gain else pd.Series(dtype=float)
        held = fits.held_out[rank].dropna()
        rows.append(
            {
                "rank": int(rank),
                "gain": mine.get(rank, float("nan")),
                "chance_gain": float(nulls.mean()),
                "chance_gain_high": float(nulls.quantile(HIGH)) if len(nulls) else float("nan"),
                "p_gain": _gain_p(fits, rank),
                "held_out": fits.data[rank].held_out if rank in fits.data else float("nan"),
                "chance_held_out": float(held.mean()),
                "chance_held_out_low": float(held.min()),
                "chance_held_out_high": float(held.max()),
                "believable": counts.get(rank, 0),
            }
        )
    return Chance(
        own.method,
        gain,
        fits.held_out,
        fits.top,
        fits.top_modules,
        pd.DataFrame(rows),
        settings={**own.model_dump(), "seed": settings.seed},
    )


def _some_starts(affinity: AffinitySpec, ranks: Sequence[int], settings: PipelineSettings) -> dict[int, list[RankFit]]:
    """Fits of every rank from some random starts, on bins as surrogates are fitted."""
    with one_blas_thread():
        bins = Bins(affinity, min(ranks), settings.factorization, seed=settings.seed, stop=Event())
        found = []
        for start in range(STARTS_WITHOUT):
            bins.seed = settings.seed + start
            found.append(fit_bins(bins, ranks, statistics=False))
    return {rank: [fits[rank] for fits in found] for rank in found[0]}


def try_without(
    affinity: AffinitySpec,
    sweep: RankSweep,
    settings: PipelineSettings,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> RankSweep:
    """Add to `choices` the rank that is suggested without each worm; the surrogates of the whole cohort serve for all.

    The cohort without a worm is fitted on bins as surrogates are, from `STARTS_WITHOUT` random starts, and counted by the rules of the
    suggestion: what two of three starts have, and what one of the worms that are left carries only where nothing else is. Whether
    the first ranks explain more than chance is not asked again: fewer worms are explained better, by chance too, than the whole
    cohort's surrogates; how much neurons are active together is that of all worms. So nothing is added where there is no structure
    beyond chance, and no row for a worm without which no component stands out, if none does with it. Cohorts of two worms or fewer
    are left as they are.
    """
    chance = sweep.chance
    blocks = affinity.blocks
    if chance is None or not chance.tested or len(blocks) < 3 or sweep.nothing:
        return sweep
    ranks = [int(r) for r in chance.table["rank"]]
    known = [one for one in map(Together.of, sweep.components.values()) if one is not None]
    together = max(known, key=lambda one: len(one.chance), default=None)
    stands_out = bool(chance.table["believable"].any())
    rows = []
    for number, block in enumerate(blocks):
        check_cancel(cancel)
        report(progress, number / len(blocks), f"without {block.worm}")
        rest = replace(affinity, blocks=tuple(b for b in blocks if b is not block))
        try:
            fits = _some_starts(rest, ranks, settings)
        except DynamicConnectomeError:
            continue  # the rest cannot be fitted without this worm: it has no say in the rank
        starts = {rank: [start_groups(fit.matrices) for fit in some] for rank, some in fits.items()}
        best = {rank: max(range(len(some)), key=lambda k: some[k].explained) for rank, some in fits.items()}
        groups = {rank: starts[rank][k] for rank, k in best.items()}
        apart = {rank: carried(fits[rank][k].power) for rank, k in best.items()}
        counts = _counts(chance.top, groups, settings.chance.alpha, starts, apart, together)
        if any(counts.values()) or stands_out:
            rank = choose_rank(counts, 0.0, 1.0, settings.chance.alpha)
            rows.append({"varied": "worm left out", "which": str(block.worm), "rank": rank})
    return replace(sweep, choices=pd.concat([sweep.choices, pd.DataFrame(rows)], ignore_index=True))
