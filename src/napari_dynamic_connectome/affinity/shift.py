"""Affinities of a cohort in which every neuron was shifted in time by its own amount: who moves with whom is chance, all else stays.

The slopes are shifted, not the traces, so that a shift makes no step where a block's end meets its beginning. Near the ends of a
recording, breaks and gaps, slopes are less certain and larger for all neurons at once; there nothing is shifted, so that this
stays the same in surrogates and data.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.recording import Recording
from ..model.twins import twins
from .compute import compute_affinity
from .features import ProductFeatures, RunFeatures
from .spec import AffinitySpec, WormBlock
from .surrogates import Method, surrogate_cohort

Array = np.ndarray
EDGE = 2.0
"""Slopes stay in place within this many smoothing widths of an end."""
ENOUGH = 0.5
"""Share of the time that must lie in blocks of twice the least shift."""


class _Places:
    """Shifts by neuron, the same in all recordings of one worm, whichever neurons they have."""

    def __init__(self, seed: int, number: int, count: int, neurons: Array) -> None:
        self._rng = np.random.default_rng([seed, number])
        self._count, self._neurons = count, np.asarray(neurons, int)

    def integers(self, low: int, high: int, size: int) -> Array:
        """As those of a random generator: of one value for all, or of one a neuron."""
        share = self._rng.random(self._count)
        share = share[:1] if size == 1 else share[self._neurons]
        return np.asarray(low + np.minimum((share * (high - low)).astype(int), high - low - 1))


@dataclass(frozen=True, eq=False)
class Shifter:
    """Makes surrogates of one affinity.

    Parameters
    ----------
    affinity : AffinitySpec
    cohort : Cohort
        That it was made from.
    method : {"circular shift", "phase randomisation"}
    min_shift_s : float
        Least shift in either direction.
    """

    affinity: AffinitySpec
    cohort: Cohort
    method: Method = "circular shift"
    min_shift_s: float = 5.0

    def why_not(self) -> str:
        """Why no surrogate can be made, in words; empty if they can."""
        if self.method != "circular shift":
            return ""
        enough = total = 0.0
        recordings = {r.name: r for r in self.cohort.recordings}
        for block in self.affinity.blocks:
            ids = self._blocks(block, recordings)
            sizes = np.unique(ids[ids >= 0], return_counts=True)[1] / self.affinity.rate_hz
            total += float(block.observed.sum()) / self.affinity.rate_hz
            enough += float(sizes[sizes >= 2 * self.min_shift_s].sum())
        if enough >= ENOUGH * total:
            return ""
        return (
            f"only {enough:.0f} of {total:.0f} s lie in blocks of {2 * self.min_shift_s:g} s or more between stimuli, breaks and "
            "gaps, so neurons cannot be shifted against each other and nothing can be tested against chance"
        )

    @property
    def simple(self) -> bool:
        """Whether features are shifted as they are, instead of being made anew from shifted traces."""
        affinity = self.affinity
        known = all(isinstance(b.features, RunFeatures | ProductFeatures) for b in affinity.blocks)
        return self.method == "circular shift" and known and affinity.settings.missing == "leave out"

    def make(self, seed: int, *, as_one: Collection[int] | None = None) -> AffinitySpec:
        """Return the affinities of one surrogate cohort; same seed, same surrogate.

        Parameters
        ----------
        seed : int
        as_one : collection of int, optional
            Only these neurons are shifted, all of a worm by the same amount; only where `simple`.
        """
        affinity = self.affinity
        if not self.simple:
            if as_one is not None:
                raise InputError("these affinities cannot be shifted as they are", where="surrogates")
            other = surrogate_cohort(self.cohort, self.method, seed=seed, min_shift_s=self.min_shift_s)
            return compute_affinity(other, affinity.settings)
        recordings = {r.name: r for r in self.cohort.recordings}
        streams = np.random.default_rng(seed).spawn(len(affinity.blocks))
        made = []
        for number, (block, rng) in enumerate(zip(affinity.blocks, streams, strict=True)):
            alike = self._alike(number)
            places = rng if alike is None else _Places(seed, alike, len(affinity.neurons), block.neurons)
            made.append(replace(block, features=self._shifted(block, recordings, places, as_one)))
        return replace(affinity, blocks=tuple(made))

    def _alike(self, number: int) -> int | None:
        """Number that a block has in common with those of the same worm; None where there is no other recording of it."""
        once_more = twins(self.cohort)
        if not once_more:
            return None
        sources = [block.source for block in self.affinity.blocks]
        own = once_more.get(sources[number], sources[number])
        if own not in {*once_more.values()}:
            return None
        before = sources[:number].count(sources[number])
        return next(k for k, one in enumerate(sources) if once_more.get(one, one) == own) + before

    def of_neurons(self, neurons: Collection[int]) -> Shifter:
        """Return the same of some neurons (indices of the cohort's) and their pairs alone; only where `simple`."""
        blocks = []
        for block in self.affinity.blocks:
            keep = np.isin(block.neurons, list(neurons))
            pairs = keep[block.columns].all(axis=1)
            features = block.features
            if isinstance(features, RunFeatures):
                some: RunFeatures | ProductFeatures = RunFeatures(
                    features.size[keep], features.code[keep], features.min_run
                )
            elif isinstance(features, ProductFeatures):
                some = ProductFeatures(features.value[keep])
            else:
                raise InputError("these affinities cannot be shifted as they are", where="surrogates")
            place = np.cumsum(keep) - 1
            columns = np.ascontiguousarray(place[block.columns[pairs]], dtype=np.int32)
            mine = np.asarray(block.neurons)[keep]
            rows = np.asarray(block.rows)[pairs]
            blocks.append(replace(block, neurons=mine, rows=rows, columns=columns, features=some))
        return replace(self, affinity=replace(self.affinity, blocks=tuple(blocks)))

    def _blocks(self, block: WormBlock, recordings: Mapping[str, Recording]) -> Array:
        """Number of the block that each column lies in, -1 where it stays in place."""
        recording = recordings[block.source]
        time = recording.time_s
        cuts = np.sort(
            np.concatenate([np.asarray(recording.breaks, float), recording.stimuli["onset"].to_numpy(float)])
        )
        steps = np.diff(time)
        gaps = np.flatnonzero(steps > max(self.affinity.settings.gap_s, 2.5 * float(np.median(steps))) * (1 + 1e-9))
        ends = np.concatenate([time[[0, -1]], np.asarray(recording.breaks, float), time[gaps], time[gaps + 1]])
        known = np.isfinite(block.source_time_s) & block.observed
        at = np.where(known, block.source_time_s, time[0])
        ids = np.searchsorted(np.sort(np.concatenate([cuts, time[gaps + 1]])), at + 1e-9, side="right")
        near = np.abs(at[:, None] - ends[None, :]).min(axis=1) <= EDGE * self.affinity.settings.sigma_s
        return np.where(known & ~near, ids, -1)

    def _shifted(
        self,
        block: WormBlock,
        recordings: Mapping[str, Recording],
        rng: np.random.Generator | _Places,
        as_one: Collection[int] | None = None,
    ) -> RunFeatures | ProductFeatures:
        ids = self._blocks(block, recordings)
        index = np.tile(np.arange(block.n_times), (len(block.neurons), 1))
        for one in np.unique(ids[ids >= 0]):
            columns = np.flatnonzero(ids == one)
            count = len(columns)
            if count < 2:
                continue
            least = min(max(1, round(self.min_shift_s * self.affinity.rate_hz)), count // 4)
            many = len(block.neurons) if as_one is None else 1
            shift = rng.integers(least, count - least + 1, size=many)
            if as_one is not None:
                shift = np.where(np.isin(block.neurons, list(as_one)), shift, 0)
            index[:, columns] = columns[(np.arange(count)[None, :] - shift[:, None]) % count]
        features = block.features
        if isinstance(features, RunFeatures):
            size, code = (np.take_along_axis(f, index, axis=1) for f in (features.size, features.code))
            return RunFeatures(size, code, features.min_run)
        if isinstance(features, ProductFeatures):
            return ProductFeatures(np.take_along_axis(features.value, index, axis=1))
        raise InputError(f"features of type {type(features).__name__} cannot be shifted", where="surrogates")
