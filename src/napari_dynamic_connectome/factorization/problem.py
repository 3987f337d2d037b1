"""The least-squares problem: which (pair, worm) rows exist, where their samples lie on the time axis, what they weigh.

In: an affinity (or plain arrays of the same form). Out: a `Problem`, in which signed layers are stacked along the pairs and
`aligned`, `unaligned` and `mixed` differ only in which columns of the time factor a worm uses: those of the common clock, its
own, or both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.memory import check_room
from ..model.text import counted
from .settings import FactorizationSettings

Array = np.ndarray
LONG_STEP = 1.5
"""Steps longer than this many usual ones are gaps, across which nothing is smoothed."""


class AffinityBlock(Protocol):
    """What the solver needs of one worm; `WormBlock` of the affinity has it, and so has `ArrayBlock`."""

    worm: str
    rows: Array
    observed: Array
    time_s: Array

    def tile(self, row0: int, row1: int, t0: int, t1: int, sign: int = 0) -> Array:
        """Affinities (row1 - row0, t1 - t0) of one sign layer, float32."""
        ...


class Affinity(Protocol):
    """What the solver needs of a cohort's affinity."""

    signs: tuple[str, ...]
    neurons: tuple[str, ...]
    pairs: Array
    time_s: Array | None
    model: str
    blocks: Sequence[Any]


@dataclass(frozen=True, eq=False)
class ArrayBlock:
    """One worm's affinities as an array (n_signs, pair, time)."""

    worm: str
    rows: Array
    values: Array
    observed: Array
    time_s: Array

    def tile(self, row0: int, row1: int, t0: int, t1: int, sign: int = 0) -> Array:
        """Return a view of the values."""
        return self.values[sign, row0:row1, t0:t1]


@dataclass(frozen=True, eq=False)
class ArrayAffinity:
    """Affinities given as plain arrays: for data that were not made from traces, and for tests.

    Parameters
    ----------
    neurons : tuple of str
    pairs : int array of shape (pair, 2)
    blocks : sequence of ArrayBlock
    model : {"aligned", "unaligned"}
    signs : tuple of str
    time_s : array, optional
        Common clock of `aligned`.
    stimuli : pandas.DataFrame
    """

    neurons: tuple[str, ...]
    pairs: Array
    blocks: Sequence[ArrayBlock]
    model: str = "unaligned"
    signs: tuple[str, ...] = ("any",)
    time_s: Array | None = None
    stimuli: pd.DataFrame = field(default_factory=pd.DataFrame)
    model_reason: str = ""
    kind: str = "array"

    @property
    def worms(self) -> tuple[str, ...]:
        """Names of the worms."""
        return tuple(b.worm for b in self.blocks)

    @classmethod
    def from_arrays(
        cls,
        worms: Sequence[tuple[Array, Array, Array | None]],
        *,
        n_pairs: int | None = None,
        model: str = "unaligned",
        signs: tuple[str, ...] = ("any",),
        pairs: Array | None = None,
        neurons: Sequence[str] | None = None,
        rate_hz: float = 1.0,
    ) -> ArrayAffinity:
        """Build from one (rows, values (n_signs x pair, time), observed or None) a worm.

        Without `pairs`, pairs are numbered through the upper triangle of the smallest number of neurons that holds them.
        """
        n_pairs = n_pairs or max(int(np.max(rows)) for rows, _, _ in worms if len(rows)) + 1
        if pairs is None:
            n = int(np.ceil((1 + np.sqrt(1 + 8 * n_pairs)) / 2))
            pairs = np.stack(np.triu_indices(n, 1), axis=1)[:n_pairs].astype(np.int32)
        n_neurons = int(np.max(pairs)) + 1
        blocks = []
        for index, (rows, values, observed) in enumerate(worms):
            layers = np.ascontiguousarray(values, np.float32).reshape(len(signs), len(rows), -1)
            n_times = layers.shape[2]
            seen = np.ones(n_times, bool) if observed is None else np.asarray(observed, bool)
            blocks.append(ArrayBlock(f"worm {index + 1}", np.asarray(rows), layers, seen, np.arange(n_times) / rate_hz))
        common = blocks[0].time_s if model == "aligned" else None
        names = tuple(neurons) if neurons is not None else tuple(f"N{i:03d}" for i in range(n_neurons))
        return cls(names, pairs, tuple(blocks), model, signs, common)


@dataclass(frozen=True, eq=False)
class Worm:
    """One worm of the problem.

    Parameters
    ----------
    name : str
    block : AffinityBlock
    kept : int array (p,)
        Rows of the block that take part.
    slots : int array (n_signs * p,)
        Row of the stacked pair factor that each row belongs to.
    samples : int array (t,)
        Time indices of the block that were observed.
    times : int array (t,)
        Where they lie on the problem's time axis.
    weight : float
        Weight of the worm's squared errors.
    own : int array (t,)
        `mixed`: columns of the time factor that belong to this worm alone, behind those of the common clock; else empty.
    """

    name: str
    block: Any
    kept: Array
    slots: Array
    samples: Array
    times: Array
    weight: float
    own: Array = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def fills(self) -> bool:
        """Whether the block can write a tile into an array that it is given."""
        return not isinstance(self.block, ArrayBlock)

    @property
    def n_rows(self) -> int:
        """Rows of all sign layers."""
        return len(self.slots)

    @property
    def n_times(self) -> int:
        """Observed samples."""
        return len(self.samples)


@dataclass(frozen=True, eq=False)
class Problem:
    """Everything the solver has to know about the data except the values themselves.

    Parameters
    ----------
    model : {"aligned", "unaligned", "mixed"}
    worms : tuple of Worm
    n_slots : int
        Rows of the stacked pair factor (number of pairs x number of sign layers).
    n_times : int
        Length of the time axis: the common clock, or all worms one after the other; `mixed`: both, in this order.
    sees : bool array (n_slots, worm)
        Which worm observes which pair.
    groups : tuple of (int array, int array)
        Time indices that are seen by the same worms, and those worms; `mixed`: of the common clock.
    linked : bool array (n_times,)
        Whether a sample follows its predecessor on the time axis without a gap (used by the smoothness penalty).
    notes : tuple of str
        What was left out, in words.
    """

    model: str
    affinity: Any
    worms: tuple[Worm, ...]
    n_slots: int
    n_times: int
    sees: Array
    groups: tuple[tuple[Array, Array], ...]
    linked: Array
    sample_worm: Array
    sample_time_s: Array
    notes: tuple[str, ...] = ()

    @property
    def seen_slots(self) -> Array:
        """Bool (n_slots,): rows of the pair factor that some worm observes."""
        return np.asarray(self.sees.any(axis=1))

    @property
    def seen_times(self) -> Array:
        """Bool (n_times,): samples that some worm observes."""
        seen = np.zeros(self.n_times, bool)
        for times, _ in self.groups:
            seen[times] = True
        for worm in self.worms:
            seen[worm.own] = True
        return seen

    @property
    def n_common(self) -> int:
        """Columns of the time factor that belong to the common clock; the worms' own follow."""
        if self.model == "unaligned":
            return 0
        return self.n_times - sum(len(w.own) for w in self.worms)

    @property
    def n_entries(self) -> int:
        """Number of observed entries."""
        return sum(w.n_rows * w.n_times for w in self.worms)


def build_problem(
    affinity: Any,
    settings: FactorizationSettings,
    *,
    worms: Sequence[str] | None = None,
    worm_weights: Mapping[str, float] | None = None,
    pairs_wanted: Array | None = None,
) -> Problem:
    """Choose rows, samples and weights, and refuse what cannot be factorized.

    Parameters
    ----------
    affinity : AffinitySpec or ArrayAffinity
    settings : FactorizationSettings
    worms : sequence of str, optional
        Fit only these.
    worm_weights : mapping, optional
        Weight of a worm's squared errors by name, 1 where not given.
    pairs_wanted : bool array (pair,), optional
        Pairs that may take part.

    Raises
    ------
    InputError
        Duplicate names, unknown worms, a single time point, nothing to fit, or a worm that cannot be tied to the others.
    """
    check_room("a factorization")
    _check_names(affinity)
    model = _choose_model(affinity, settings)
    chosen = [b for b in affinity.blocks if worms is None or b.worm in set(worms)]
    known = [b.worm for b in affinity.blocks]
    unknown = [w for w in worms or () if w not in known]
    if unknown:
        raise InputError(f"there is no worm '{unknown[0]}'", where="affinity", fix=f"Known: {', '.join(known)}.")
    weights = _weights(chosen, worm_weights)
    n_pairs, n_signs = len(affinity.pairs), len(affinity.signs)
    count = np.zeros(n_pairs, np.int64)
    for block in chosen:
        count[np.asarray(block.rows)] += 1
    least = max(settings.min_worms, 1)
    keep_pair = count >= least
    if pairs_wanted is not None:
        keep_pair &= pairs_wanted
    notes: list[str] = []
    dropped = int(((count > 0) & ~keep_pair).sum())
    if dropped:
        notes.append(f"{dropped} pairs left out (observed by fewer than {least} worms, or not asked for)")
    if not keep_pair.any():
        raise InputError(
            f"no pair of neurons is observed by {counted(least, 'worm')}", where="affinity", fix="Lower min_worms."
        )
    built: list[Worm] = []
    offset = 0
    for block in chosen:
        kept = np.flatnonzero(keep_pair[np.asarray(block.rows)])
        samples = np.flatnonzero(np.asarray(block.observed, bool))
        if len(kept) == 0 or len(samples) == 0:
            why = "no pair that takes part" if len(kept) == 0 else "no observed time point"
            notes.append(f"{block.worm} left out: it has {why}")
            continue
        if model == "unaligned" and len(samples) < 2:
            raise InputError(
                f"{block.worm} has one observed time point", where="affinity", fix="A time course needs two or more."
            )
        rows = np.asarray(block.rows, np.int64)[kept]
        slots = np.concatenate([rows + s * n_pairs for s in range(n_signs)])
        times = offset + np.arange(len(samples)) if model == "unaligned" else samples
        offset += len(samples)
        built.append(Worm(block.worm, block, kept, slots, samples, times, weights[block.worm]))
    if not built:
        raise InputError("no worm has an observed pair", where="affinity", fix="; ".join(notes))
    model, why = _settle_model(model, settings, affinity, built, n_pairs * n_signs)
    notes += [why] if why else []
    problem = _finish(affinity, model, built, offset, n_pairs * n_signs, notes)
    if model != "aligned":
        _check_linked(problem)
    if problem.seen_times[: problem.n_common or problem.n_times].sum() < 2:
        raise InputError("the affinity has one time point", where="affinity", fix="A time course needs two or more.")
    return problem


def _finish(affinity: Any, model: str, worms: list[Worm], total: int, n_slots: int, notes: list[str]) -> Problem:
    sees = _seen_slots(worms, n_slots)
    if model == "unaligned":
        n_times, groups = total, tuple((w.times, np.array([i])) for i, w in enumerate(worms))
        linked = np.ones(n_times, bool)
        sample_worm = np.empty(n_times, dtype=object)
        sample_time = np.empty(n_times)
        for worm in worms:
            seconds = np.asarray(worm.block.time_s, float)[worm.samples]
            steps = np.diff(seconds)
            linked[worm.times[1:]] = (np.diff(worm.samples) == 1) & (steps < LONG_STEP * np.median(steps))
            linked[worm.times[0]] = False
            sample_worm[worm.times] = worm.name
            sample_time[worm.times] = seconds
    else:
        n_times = len(affinity.time_s)
        seen_at = np.zeros((n_times, len(worms)), bool)
        for index, worm in enumerate(worms):
            seen_at[worm.times, index] = True
        patterns, which = np.unique(seen_at, axis=0, return_inverse=True)
        which = which.ravel()
        groups = tuple((np.flatnonzero(which == g), np.flatnonzero(p)) for g, p in enumerate(patterns) if p.any())
        linked = np.ones(n_times, bool)
        linked[0] = False
        after_break = np.searchsorted(np.asarray(affinity.time_s, float), list(getattr(affinity, "breaks_s", ())))
        linked[after_break[after_break < n_times]] = False
        sample_worm = np.full(n_times, "", dtype=object)
        sample_time = np.asarray(affinity.time_s, float)
    if model == "mixed":
        starts = n_times + np.cumsum([0, *(w.n_times for w in worms)])
        worms = [replace(w, own=np.arange(a, a + w.n_times)) for w, a in zip(worms, starts[:-1], strict=True)]
        begins = [linked[w.times] & np.r_[False, np.diff(w.times) == 1] for w in worms]
        linked = np.concatenate([linked, *begins])
        sample_worm = np.concatenate([sample_worm, *(np.full(w.n_times, w.name, dtype=object) for w in worms)])
        sample_time = np.concatenate([sample_time, *(sample_time[w.times] for w in worms)])
        n_times = int(starts[-1])
    return Problem(
        model, affinity, tuple(worms), n_slots, n_times, sees, groups, linked, sample_worm, sample_time, tuple(notes)
    )


def _seen_slots(worms: Sequence[Worm], n_slots: int) -> Array:
    sees = np.zeros((n_slots, len(worms)), bool)
    for index, worm in enumerate(worms):
        sees[worm.slots, index] = True
    return sees


def _check_names(affinity: Any) -> None:
    for what, names in (("neuron", list(affinity.neurons)), ("worm", [b.worm for b in affinity.blocks])):
        if len(set(names)) != len(names):
            twice = next(n for n in names if names.count(n) > 1)
            raise InputError(f"the {what} '{twice}' is given twice", where="affinity", fix="Rename one of them.")
    for block in affinity.blocks:
        rows = np.asarray(block.rows)
        if len(np.unique(rows)) != len(rows):
            raise InputError(f"{block.worm} has a pair twice", where="affinity")
        if len(rows) and (rows.min() < 0 or rows.max() >= len(affinity.pairs)):
            raise InputError(f"{block.worm} has a pair that is not in the list of pairs", where="affinity")


def _choose_model(affinity: Any, settings: FactorizationSettings) -> str:
    """Whether the worms have a common clock (`aligned`, `mixed`) or not; `auto` is settled when the worms are known."""
    model = str(affinity.model) if settings.model == "auto" else settings.model
    if model != "unaligned":
        if affinity.time_s is None:
            raise InputError(
                "the worms share no clock, so one time course for all has no meaning",
                where="affinity",
                fix="Use model='unaligned', or align the cohort by its stimuli first.",
            )
        lengths = {len(b.observed) for b in affinity.blocks}
        if lengths != {len(affinity.time_s)}:
            raise InputError(
                "the worms' time axes are not the common clock", where="affinity", fix="Align the cohort first."
            )
    return model


def _settle_model(
    model: str, settings: FactorizationSettings, affinity: Any, worms: Sequence[Worm], n_slots: int
) -> tuple[str, str]:
    """The model that is fitted, and a note where it is not the one that `auto` or `mixed` would try.

    A clock of one's own can only be told from a common one with two worms or more, tied together by shared pairs. Windows around
    events are cut to see what they have in common, so `auto` leaves their clock common.
    """
    if settings.model == "mixed" and len(worms) == 1:
        return "aligned", "one worm: its own clock and the common one are the same"
    about = getattr(affinity, "provenance", None) or {}
    if settings.model != "auto" or model != "aligned" or len(worms) == 1 or about.get("alignment") == "events":
        return model, ""
    if len(_linked_groups(_seen_slots(worms, n_slots))) > 1:
        return "aligned", "some worms share no pair of neurons, so no component can have a clock of its own"
    return "mixed", ""


def _weights(blocks: Sequence[Any], given: Mapping[str, float] | None) -> dict[str, float]:
    given = dict(given or {})
    names = [b.worm for b in blocks]
    unknown = [w for w in given if w not in names]
    if unknown:
        raise InputError(
            f"there is no worm '{unknown[0]}' to weigh", where="worm_weights", fix=f"Known: {', '.join(names)}."
        )
    for name, value in given.items():
        if not (np.isfinite(value) and value > 0):
            raise InputError(
                f"the weight of {name} is {value}", where="worm_weights", fix="Weights are positive numbers."
            )
    return {name: float(given.get(name, 1.0)) for name in names}


def _linked_groups(sees: Array) -> list[Array]:
    """Groups of worms (their indices) that are tied together by shared pairs."""
    from scipy.sparse.csgraph import connected_components

    seen = sees.astype(np.float32)
    count, group = connected_components((seen.T @ seen) > 0, directed=False)
    return [np.flatnonzero(group == g) for g in range(count)]


def _check_linked(problem: Problem) -> None:
    """Every worm must be tied to the others by shared pairs; otherwise its components could be numbered in any order."""
    names = [w.name for w in problem.worms]
    if len(names) == 1:
        return
    found = _linked_groups(problem.sees)
    if len(found) == 1:
        return
    alone = [names[int(g[0])] for g in found if len(g) == 1]
    if alone:
        raise InputError(
            f"{alone[0]} shares no pair of neurons with any other worm, so its components cannot be compared",
            where="affinity",
            fix="Leave it out with worms=[...], fit it alone, or name more of its neurons.",
        )
    groups = "; ".join(", ".join(names[i] for i in g) for g in found)
    raise InputError(
        f"the worms fall into {len(found)} groups that share no pair of neurons: {groups}",
        where="affinity",
        fix="Fit each group alone with worms=[...], or name more neurons.",
    )
