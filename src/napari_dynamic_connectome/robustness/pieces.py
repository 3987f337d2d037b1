"""The pieces of work of a robustness run, and what each of them finds.

A piece is a pure function of the cohort, the settings, the reference components and its own description: it can run anywhere, in any
order, and be kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..model.cohort import Cohort
from ..model.errors import Cancelled, InputError
from ..model.progress import CancelCallback
from ..model.results import Components, RankSweep
from ..pipeline.settings import PipelineSettings

Array = np.ndarray
TOP = 10
"""Neurons that count as leading."""


@dataclass(frozen=True)
class Piece:
    """One thing that is done again.

    Parameters
    ----------
    part : str
        One of `pipeline.robustness_settings.PARTS`.
    name : str
        Number of the draw or seed, name of the worm, or "sigma_s=2.0".
    field, value : str, float
        Of part "settings": what is changed, and to what.
    choose_rank : bool
        Also choose the number of components.
    """

    part: str
    name: str
    field: str = ""
    value: float = float("nan")
    choose_rank: bool = False

    @property
    def key(self) -> str:
        """Text that tells this piece from all others of a run."""
        return f"{self.part}/{self.name}" + ("/rank" if self.choose_rank else "")


@dataclass(frozen=True, eq=False)
class Context:
    """What all pieces share.

    Parameters
    ----------
    cohort : Cohort
    settings : PipelineSettings
    components : Components
        The reference, made from this cohort with these settings.
    affinity : AffinitySpec
        Of the whole cohort with these settings.
    threads : int
        Of each factorization (0: one a core).
    """

    cohort: Cohort
    settings: PipelineSettings
    components: Components
    affinity: Any
    threads: int = 0


@dataclass(frozen=True, eq=False)
class PieceResult:
    """What a piece found.

    Parameters
    ----------
    match : float array (component,)
        Match of every reference component with its partner (Hungarian, no component twice); NaN without partner.
    strength : float array (component, neuron)
        Strength of the partner, on the scale of the reference; NaN for neurons that took no part.
    leading : bool array (component, neuron)
        Whether the neuron is one of the partner's ten strongest.
    error : float
        Relative error of the fit.
    rank : int
        Number of components of the fit.
    chosen : int
        Number of components that the sweep chose; -1 where none was asked for.
    held_out : dict of str to float array
        Of a left-out worm: "ranks", "error", "cross_error" by rank; "cross_without", "loading", "course_r" by component.
    notes : tuple of str
        Why the piece could not be done, if it could not.
    """

    match: Array
    strength: Array
    leading: Array
    error: float = float("nan")
    rank: int = 0
    chosen: int = -1
    held_out: Mapping[str, Array] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        """Whether there is a fit."""
        return self.rank > 0


def plan(cohort: Cohort, settings: PipelineSettings, components: Components) -> tuple[list[Piece], list[str]]:
    """All pieces of a run, the quickest kinds first, and what cannot be done, in words."""
    own = settings.robustness
    pieces: list[Piece] = []
    notes: list[str] = []
    worms = len(cohort.worms)
    events = any(w not in cohort.worms for w in components.worm["worm"].values.tolist())
    wanted = list(own.parts)
    for part in ("bootstrap", "left-out worms"):
        if part in wanted and (worms < 2 or events):
            why = "windows around events take the worms' place" if events else "there is one worm"
            notes.append(f"{part} is left out: {why}")
            wanted.remove(part)  # type: ignore[arg-type]
    if 1 < worms < 5 and "bootstrap" in wanted:
        from math import comb

        notes.append(f"{worms} worms can be drawn in {comb(2 * worms - 1, worms)} ways only: intervals are coarse")
    if "bootstrap" in wanted:
        pieces += [Piece("bootstrap", str(n)) for n in range(own.bootstraps)]
    if "chance" in wanted:
        pieces += [Piece("chance", str(n)) for n in range(own.chance)]
    if "settings" in wanted:
        pieces += _setting_pieces(cohort, settings, components)
    free = settings.rank.rank is None
    if "seeds" in wanted:
        pieces += [Piece("seeds", str(n), choose_rank=free) for n in range(1, own.seeds + 1)]
    if "left-out worms" in wanted:
        pieces += [Piece("left-out worms", worm, choose_rank=free) for worm in cohort.worms]
    if "bootstrap" in wanted and free:
        count = min(own.rank_bootstraps, own.bootstraps)
        pieces += [Piece("bootstrap", str(n), choose_rank=True) for n in range(count)]
    return pieces, notes


def _setting_pieces(cohort: Cohort, settings: PipelineSettings, components: Components) -> list[Piece]:
    own = settings.robustness
    ranks = own.ranks or tuple(range(settings.rank.smallest, settings.rank.largest + 1))
    values: dict[str, tuple[float, ...]] = {
        "min_worms": tuple(v for v in own.min_worms if v <= len(cohort.worms)),
        "rank": tuple(ranks),
    }
    if settings.affinity.kind == "differential":
        values |= {"sigma_s": own.sigma_s, "kappa": own.kappa, "exponent": own.exponent}
    order = ("sigma_s", "kappa", "exponent", "min_worms", "rank")
    return [
        Piece("settings", f"{name}={value:g}", field=name, value=float(value))
        for name in order
        for value in dict.fromkeys(values.get(name, ()))
    ]


def run_piece(context: Context, piece: Piece, cancel: CancelCallback | None = None) -> PieceResult:
    """Do one piece; what cannot be done with these worms or settings is a result too, with the reason in its notes."""
    try:
        return _DOERS[piece.part](context, piece, cancel)
    except Cancelled:
        raise
    except InputError as error:
        return _nothing(context, str(error))


def drawn_worms(worms: tuple[str, ...], number: int, seed: int) -> dict[str, int]:
    """Worms of a bootstrap cohort and how often each was drawn; as many as there are, with replacement."""
    draw = np.random.default_rng([seed, 11, number]).integers(len(worms), size=len(worms))
    return {worms[i]: int(n) for i, n in zip(*np.unique(draw, return_counts=True), strict=True)}


def _bootstrap(context: Context, piece: Piece, cancel: CancelCallback | None) -> PieceResult:
    drawn = drawn_worms(context.cohort.worms, int(piece.name), context.settings.seed)
    if piece.choose_rank:
        # copies of a worm would foretell its held-out pairs, so the rank is chosen from the different worms of the draw
        return _chosen(context, _sweep(context, int(piece.name) + 1, cancel, list(drawn)))
    # A worm that was drawn twice is a worm whose squared errors count twice: same minimum, no second copy.
    how: dict[str, Any] = {"worms": list(drawn), "worm_weights": {w: float(n) for w, n in drawn.items()}}
    return _compared(context, _fit(context, context.affinity, int(piece.name) + 1, cancel, **how))


def _leave_out(context: Context, piece: Piece, cancel: CancelCallback | None) -> PieceResult:
    from ..factorization.project import project_worm

    rest = [w for w in context.cohort.worms if w != piece.name]
    rank, chosen = context.components.rank, -1
    if piece.choose_rank:
        sweep = _sweep(context, 0, cancel, rest)
        fits, chosen = dict(sweep.components), int(sweep.suggested)
    else:
        fits = {}
    if rank not in fits:
        fits[rank] = _fit(context, context.affinity, 0, cancel, worms=rest)
    own, seed = context.settings.robustness, context.settings.seed
    errors = {}
    for number, fit in sorted(fits.items()):
        projected = project_worm(context.affinity, fit, piece.name, splits=own.splits, seed=seed, cancel=cancel)
        errors[number] = (projected.error, projected.cross_error)
        if number == rank:
            shown = projected
    partner, _ = _partners(context.components, fits[rank])
    held_out = {
        "ranks": np.array(list(errors), float),
        "error": np.array([e[0] for e in errors.values()]),
        "cross_error": np.array([e[1] for e in errors.values()]),
        "cross_without": _taken(shown.cross_without.values, partner),
        "own_cross_error": np.array([shown.cross_error]),
        "loading": _taken(shown.loading.values, partner),
        "course_r": _course_r(context.components, piece.name, shown, partner),
    }
    return _compared(context, fits[rank], chosen=chosen, held_out=held_out)


def _seed(context: Context, piece: Piece, cancel: CancelCallback | None) -> PieceResult:
    number = 1000 + int(piece.name)
    if not piece.choose_rank:
        return _compared(context, _fit(context, context.affinity, number, cancel))
    sweep = _sweep(context, number, cancel)
    fit = sweep.components.get(context.components.rank) or _fit(context, context.affinity, number, cancel)
    return _compared(context, fit, chosen=int(sweep.suggested))


def _chance(context: Context, piece: Piece, cancel: CancelCallback | None) -> PieceResult:
    from ..affinity.compute import compute_affinity
    from ..affinity.surrogates import surrogate_cohort

    shifted = surrogate_cohort(context.cohort, seed=context.settings.seed + 7919 * (int(piece.name) + 1))
    affinity = compute_affinity(shifted, context.settings.affinity, cancel=cancel)
    return _compared(context, _fit(context, affinity, int(piece.name), cancel))


def _setting(context: Context, piece: Piece, cancel: CancelCallback | None) -> PieceResult:
    from ..affinity.compute import compute_affinity

    settings, cohort, rank = context.settings, context.cohort, context.components.rank
    if piece.field == "rank":
        return _compared(context, _fit(context, context.affinity, 0, cancel, rank=int(piece.value)))
    changed = settings.affinity
    if piece.field == "min_worms":
        cohort = Cohort(cohort.recordings, cohort.settings, min_worms=int(piece.value))
    else:
        changed = type(changed).parse(changed, where="robustness", **{piece.field: piece.value})
    affinity = compute_affinity(cohort, changed, cancel=cancel)
    return _compared(context, _fit(context, affinity, 0, cancel, rank=rank))


_DOERS = {
    "bootstrap": _bootstrap,
    "left-out worms": _leave_out,
    "seeds": _seed,
    "chance": _chance,
    "settings": _setting,
}


def _fit(
    context: Context, affinity: Any, number: int, cancel: CancelCallback | None, *, rank: int | None = None, **more: Any
) -> Components:
    from ..factorization.factorize import factorize

    settings = context.settings
    return factorize(
        affinity,
        rank or context.components.rank,
        _threads(context),
        starts=settings.robustness.starts,
        seed=settings.seed + number,
        cancel=cancel,
        **more,
    )


def _sweep(
    context: Context,
    number: int,
    cancel: CancelCallback | None,
    worms: Sequence[str] | None = None,
) -> RankSweep:
    """Choose the number of components anew for some worms, by the rule of the analysis: what exceeds time-shifted cohorts."""
    from ..factorization.sweep import sweep_ranks
    from ..pipeline.chance import StartGroups, judge_sweep

    settings, affinity, cohort = context.settings, context.affinity, context.cohort
    settings = settings.model_copy(update={"seed": settings.seed + number, "factorization": _threads(context)})
    if worms is not None:
        blocks = tuple(b for b in affinity.blocks if b.worm in worms)
        affinity, cohort = replace(affinity, blocks=blocks), cohort.subset(worms)
    rank, starts = settings.rank, StartGroups(cancel=cancel)
    sweep = sweep_ranks(
        affinity,
        range(rank.smallest, rank.largest + 1),
        settings.factorization,
        starts=rank.starts,
        folds=rank.folds,
        seed=settings.seed,
        cancel=cancel,
        inspect=starts,
    )
    return judge_sweep(affinity, cohort, sweep, settings, starts=starts, cancel=cancel)


def _threads(context: Context) -> Any:
    chosen = context.settings.factorization
    return chosen if not context.threads else chosen.model_copy(update={"threads": context.threads})


def _partners(reference: Components, fit: Components) -> tuple[Array, Array]:
    """Row of each reference component's partner in `fit` (-1: none) and their match, by the pair factors alone."""
    from ..factorization.match import match_components

    partner, match = np.full(reference.rank, -1), np.full(reference.rank, np.nan)
    table = match_components(reference, fit, modes=("pair",)).table
    at = table["component_a"].to_numpy(int) - 1
    partner[at] = table["component_b"].to_numpy(int) - 1
    match[at] = table["similarity"].to_numpy(float)
    return partner, match


def _compared(context: Context, fit: Components, **more: Any) -> PieceResult:
    """The partner of every reference component in another fit: match, strengths on the reference's scale, leading neurons."""
    reference = context.components
    partner, match = _partners(reference, fit)
    index = {n: i for i, n in enumerate(fit.neurons)}
    columns = np.array([index.get(n, -1) for n in reference.neurons])
    strength = np.full((reference.rank, len(columns)), np.nan)
    leading = np.zeros(strength.shape, bool)
    for r in np.flatnonzero(partner >= 0):
        values = fit.strength(int(partner[r]) + 1).values
        values = np.where(columns >= 0, values[columns], np.nan)
        ours = reference.strength(int(r) + 1).values
        both = np.isfinite(values) & np.isfinite(ours)
        size = np.linalg.norm(values[both])
        # Factors have no scale of their own (other worms, other norms): give both the same norm over what both have.
        strength[r] = values * (np.linalg.norm(ours[both]) / size if size > 0 else 1.0)
        order = np.argsort(-np.nan_to_num(values, nan=-1.0), kind="stable")[:TOP]
        leading[r, order] = values[order] > 0
    return PieceResult(match, strength, leading, fit.error, fit.rank, **more)


def _chosen(context: Context, sweep: RankSweep) -> PieceResult:
    fit = sweep.components.get(context.components.rank)
    if fit is None:
        fit = sweep.components[sweep.suggested or min(sweep.components)]
    return _compared(context, fit, chosen=int(sweep.suggested))


def _nothing(context: Context, why: str) -> PieceResult:
    shape = (context.components.rank, len(context.components.neurons))
    return PieceResult(np.full(shape[0], np.nan), np.full(shape, np.nan), np.zeros(shape, bool), notes=(why,))


def _taken(values: Array, partner: Array) -> Array:
    return np.where(partner >= 0, np.asarray(values, float)[partner], np.nan)


def _course_r(reference: Components, worm: str, projected: Any, partner: Array) -> Array:
    """Pearson correlation of a left-out worm's projected courses with those of the fit that knew the worm."""
    found = np.full(reference.rank, np.nan)
    if worm not in reference.worm["worm"].values:
        return found
    own = np.array([clock == "own" for clock in reference.clocks])
    for r in np.flatnonzero((partner >= 0) & own):
        ours = reference.time_course(int(r) + 1, worm)
        theirs = projected.courses.isel(component=int(partner[r]))
        _, a, b = np.intersect1d(
            np.asarray(ours["time"].values), np.asarray(theirs["time"].values), return_indices=True
        )
        x, y = ours.values[a], theirs.values[b]
        keep = np.isfinite(x) & np.isfinite(y)
        if keep.sum() > 2 and np.ptp(x[keep]) > 0 and np.ptp(y[keep]) > 0:
            found[r] = float(np.corrcoef(x[keep], y[keep])[0, 1])
    return found
