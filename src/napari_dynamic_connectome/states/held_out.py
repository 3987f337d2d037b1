"""Held-out likelihood of states, on frames they never saw, against one state, no prior, and shifted traces.

The score of a frame is its log probability given all earlier frames of the worm and the fitted parameters (nothing of the future, and
no state that was inferred with it), divided by the number of neurons: nats per observed value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..affinity.surrogates import surrogate_cohort
from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.execution import Workers, workers
from ..model.progress import CancelCallback, ProgressCallback, part, report
from .data import StateData, WormFrames, read_frames
from .fit import fit_starts
from .model import predictive
from .settings import StatesSettings
from .structure import structure_matrix

Array = np.ndarray
COLUMNS = ("model", "states", "prior", "score", "score_se", "over_one_state", "over_one_state_se", "folds", "values")


@dataclass(frozen=True, eq=False)
class _Variant:
    """One line of the table: its data, number of states, settings and connectome; `base` names the one-state line it is over."""

    name: str
    k: int
    settings: StatesSettings
    structure: Array | None
    shifted: bool = False


def compare_held_out(
    cohort: Cohort,
    settings: StatesSettings | dict[str, Any] | None = None,
    *,
    structure: Any = None,
    also: Sequence[int] = (),
    hold: Literal["blocks", "worms"] = "blocks",
    folds: int = 4,
    block_s: float = 30.0,
    starts: int = 3,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Score states on frames that were kept from the fit.

    Parameters
    ----------
    cohort : Cohort
    settings : StatesSettings or dict, optional
    structure : optional
        As in `fit_states`.
    also : sequence of int
        Further numbers of states to score.
    hold : {"blocks", "worms"}
        Keep stretches of every worm's time from the fit, or whole worms (one at a time; their noise is then the mean of the other
        worms', and neurons that no other worm has are left out).
    folds : int
        Number of parts (blocks only).
    block_s : float
        Length of a block in seconds.
    starts : int
        Random starts of every fit.
    seed : int
    progress, cancel : callable, optional
    **options
        Fields of `StatesSettings`.

    Returns
    -------
    pandas.DataFrame
        One row a model: "states" (as asked for), "states, no prior", "states, no connectome" and "states, shuffled connectome"
        (where there is one), "one state", and both again for traces shifted in time ("..., shifted traces": every neuron by its own
        amount, so that nothing is shared). `score`: nats per value, mean over folds; `over_one_state`: the same minus that of one
        state with the same prior in the same traces; `_se`: standard errors over folds; values: held-out values in all.
    """
    chosen = StatesSettings.parse(settings, where="states settings", **options)
    if hold not in ("blocks", "worms"):
        raise InputError(f"'{hold}' cannot be held out", where="hold", fix="Known: blocks, worms.")
    matrix = structure_matrix(structure, cohort.neurons, chosen, merged=cohort.settings.merge_left_right)
    real = read_frames(cohort, chosen, cancel)
    shifted = read_frames(surrogate_cohort(cohort, seed=seed), chosen, cancel)
    splits = _by_worm(real) if hold == "worms" else _by_block(real, folds, block_s, seed)
    variants = _variants(chosen, matrix, also, seed)
    rows = np.full((len(variants), len(splits)), np.nan)
    values = 0
    with workers(chosen.threads, cancel) as pool:
        for f, split in enumerate(splits):
            values += sum(int(s.sum()) * len(w.neurons) for s, w in zip(split.scored, real.worms, strict=True))
            for v, variant in enumerate(variants):
                share = (f * len(variants) + v) / (len(variants) * len(splits))
                report(progress, share, f"fold {f + 1} of {len(splits)}: {variant.name}")
                step = part(progress, share, share + 1 / (len(variants) * len(splits)))
                data = shifted if variant.shifted else real
                rows[v, f] = _score(data, split, variant, starts, seed + 1 + f, pool, step)
    report(progress, 1.0, "scored")
    return _table(variants, rows, values)


@dataclass(frozen=True, eq=False)
class _Split:
    """Frames to score and frames hidden from the fit, bool (F,) a worm; `worm` is the one that is left out as a whole."""

    scored: list[Array]
    hidden: list[Array]
    worm: int | None = None


def _by_block(data: StateData, folds: int, block_s: float, seed: int) -> list[_Split]:
    """Blocks of time, dealt to the folds at random; `lags` frames on either side of a block are hidden, but not scored."""
    length = max(1, round(block_s * data.rate_hz))
    shortest = min(-(-w.n_times // length) for w in data.worms)
    if folds < 2 or shortest < folds:
        raise InputError(
            f"{folds} folds of blocks of {block_s:g} s cannot be cut from a worm with {shortest} such blocks",
            where="held out",
            fix="Take 2 folds or more, and shorter blocks.",
        )
    rng = np.random.default_rng(seed)
    dealt = []
    for worm in data.worms:
        count = -(-worm.n_times // length)
        order = np.concatenate([rng.permutation(folds) for _ in range(-(-count // folds))])[:count]
        dealt.append(order[np.arange(worm.n_times) // length])
    splits = []
    for fold in range(folds):
        scored, hidden = [], []
        for worm, fold_of in zip(data.worms, dealt, strict=True):
            mine = fold_of == fold
            wide = mine.copy()
            for lag in range(1, data.lags + 1):
                wide[lag:] |= mine[:-lag]
                wide[:-lag] |= mine[lag:]
            scored.append(mine[worm.frames])
            hidden.append(wide[worm.frames])
        splits.append(_Split(scored, hidden))
    return splits


def _by_worm(data: StateData) -> list[_Split]:
    if len(data.worms) < 2:
        raise InputError("one worm cannot be held out", where="held out", fix="Hold out blocks of time.")
    splits = []
    for out in range(len(data.worms)):
        mask = [np.full(len(w.frames), w_number == out) for w_number, w in enumerate(data.worms)]
        splits.append(_Split(mask, mask, out))
    return splits


def _variants(settings: StatesSettings, matrix: Array | None, also: Sequence[int], seed: int) -> list[_Variant]:
    k = settings.states
    found = [_Variant("one state", 1, settings, matrix), _Variant("states", k, settings, matrix)]
    found += [_Variant(f"{other} states", int(other), settings, matrix) for other in also if other not in (1, k)]
    if settings.prior != "none":
        flat = settings.model_copy(update={"prior": "none"})
        found += [_Variant("one state, no prior", 1, flat, None), _Variant("states, no prior", k, flat, None)]
    if matrix is not None and settings.prior != "none":
        order = np.random.default_rng([seed, 1]).permutation(len(matrix))
        found += [
            _Variant("states, no connectome", k, settings, None),
            _Variant("states, shuffled connectome", k, settings, matrix[np.ix_(order, order)]),
        ]
    return found + [
        _Variant("one state, shifted traces", 1, settings, matrix, True),
        _Variant("states, shifted traces", k, settings, matrix, True),
    ]


def _score(
    data: StateData,
    split: _Split,
    variant: _Variant,
    starts: int,
    seed: int,
    pool: Workers,
    progress: ProgressCallback | None,
) -> float:
    """Nats per value of the frames that are scored."""
    if split.worm is None:
        fits, _ = fit_starts(
            data.hide(split.hidden), variant.k, variant.settings, variant.structure, seed, pool, progress, starts
        )
        best = fits[0].parameters
        pairs = [(n, w, s, best) for n, (w, s) in enumerate(zip(data.worms, split.scored, strict=True))]
    else:
        others = replace(data, worms=tuple(w for n, w in enumerate(data.worms) if n != split.worm))
        fits, _ = fit_starts(others, variant.k, variant.settings, variant.structure, seed, pool, progress, starts)
        known = np.zeros(len(data.neurons), bool)
        for worm in others.worms:
            known[worm.neurons] = True
        new = _only(data.worms[split.worm], known, data.lags)
        pairs = [(0, new, np.ones(len(new.frames), bool), fits[0].parameters.for_new_worms(1))]
    total = sum(float(predictive(w, n, p)[s].sum()) for n, w, s, p in pairs)
    count = sum(int(s.sum()) * len(w.neurons) for _, w, s, _ in pairs)
    return total / count if count else float("nan")


def _only(worm: WormFrames, known: Array, lags: int) -> WormFrames:
    """A worm without the neurons that nobody else has."""
    keep = known[worm.neurons]
    columns = np.concatenate([np.tile(keep, lags), [True]])
    return replace(
        worm,
        neurons=worm.neurons[keep],
        columns=worm.columns[columns],
        present=np.ascontiguousarray(worm.present[:, keep]),
        past=np.ascontiguousarray(worm.past[:, columns]),
    )


def _table(variants: list[_Variant], rows: Array, values: int) -> pd.DataFrame:
    def error(x: Array) -> float:
        return float(np.std(x, ddof=1) / np.sqrt(len(x))) if len(x) > 1 else float("nan")

    base = {(v.settings.prior, v.shifted): rows[n] for n, v in enumerate(variants) if v.k == 1}
    found = []
    for row, variant in zip(rows, variants, strict=True):
        over = row - base[variant.settings.prior, variant.shifted]
        found.append(
            (
                variant.name,
                variant.k,
                variant.settings.prior,
                float(row.mean()),
                error(row),
                float(over.mean()) if variant.k > 1 else 0.0,
                error(over) if variant.k > 1 else 0.0,
                len(row),
                values,
            )
        )
    return pd.DataFrame(found, columns=list(COLUMNS))
