"""The affinity of a cohort: which pair is observed in which worm and when, and tiles of its values on demand.

Goes in: what `compute_affinity` found. Comes out: float32 tiles (pair, time). The full tensor is never held.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.errors import InputError
from ..model.recording import empty_stimuli
from ..model.results import Model
from ..model.summary import Summary, listed
from .features import Features
from .settings import AffinitySettings

Array = np.ndarray
ROW_TILE, TIME_TILE = 256, 1024


@dataclass(frozen=True, eq=False, repr=False)
class WormBlock(Summary):
    """The affinities of one worm (or of one event).

    Parameters
    ----------
    worm : str
        Name of the worm, or of the event that takes a worm's place.
    neurons : int array (n_w,)
        Neurons of this worm, as indices into the cohort's neurons.
    rows : int array (p_w,)
        Pairs observed here, as indices into the cohort's pairs; increasing.
    columns : int32 array (p_w, 2)
        The same pairs, as indices into `neurons`.
    time_s : float array (T_w,)
        The common clock (aligned) or the worm's own time (unaligned).
    observed : bool array (T_w,)
        False where nothing was measured; the affinity there is zero and must not be used.
    features : Features
        Per-neuron arrays that the tiles are made of.
    layers : tuple of int
        What each sign layer keeps; see `kernels`.
    source : str
        Name of the recording.
    source_time_s : float array (T_w,)
        Time in that recording; NaN where there is none.
    """

    worm: str
    neurons: Array
    rows: Array
    columns: Array
    time_s: Array
    observed: Array
    features: Features
    layers: tuple[int, ...]
    source: str
    source_time_s: Array

    @property
    def n_rows(self) -> int:
        """Number of pairs."""
        return len(self.rows)

    @property
    def n_times(self) -> int:
        """Number of time points."""
        return len(self.time_s)

    def tile(self, row0: int, row1: int, t0: int, t1: int, sign: int = 0, out: Array | None = None) -> Array:
        """Affinities of some pairs at some times.

        Parameters
        ----------
        row0, row1 : int
            Range of rows of this block.
        t0, t1 : int
            Range of time points.
        sign : int
            Sign layer (index into the spec's `signs`).
        out : float32 array (row1 - row0, t1 - t0), optional
            Filled and returned.

        Returns
        -------
        float32 array (row1 - row0, t1 - t0)
            Between 0 and 1, never NaN.
        """
        if not (0 <= row0 <= row1 <= self.n_rows and 0 <= t0 <= t1 <= self.n_times):
            raise IndexError(f"tile [{row0}:{row1}, {t0}:{t1}] of a block of {self.n_rows} x {self.n_times}")
        if out is None:
            out = np.empty((row1 - row0, t1 - t0), np.float32)
        self.features.fill(out, self.columns[row0:row1], t0, self.layers[sign])
        return out

    def tiles(self, sign: int = 0) -> Iterator[tuple[int, int, int, int, Array]]:
        """Row and time bounds with the tile, over the whole block; a tile is valid until the next one."""
        buffer = np.empty((ROW_TILE, TIME_TILE), np.float32)
        for row0 in range(0, self.n_rows, ROW_TILE):
            row1 = min(row0 + ROW_TILE, self.n_rows)
            for t0 in range(0, self.n_times, TIME_TILE):
                t1 = min(t0 + TIME_TILE, self.n_times)
                yield row0, row1, t0, t1, self.tile(row0, row1, t0, t1, sign, buffer[: row1 - row0, : t1 - t0])

    def dense(self) -> Array:
        """All values, float32 (n_signs, p_w, T_w); only for small data and for tests."""
        return np.stack([self.tile(0, self.n_rows, 0, self.n_times, s) for s in range(len(self.layers))])


@dataclass(frozen=True, eq=False, repr=False)
class AffinitySpec(Summary):
    """Time-varying affinities of a cohort, evaluated on demand.

    Parameters
    ----------
    kind : str
        "differential", "edge time series" or "sliding correlation".
    settings : AffinitySettings
    model : {"aligned", "unaligned"}
        Whether the worms share a clock.
    model_reason : str
        Why, in words for the user.
    signs : tuple of str
        ("any",), or ("same", "opposite") for signed affinities.
    neurons : tuple of str
        All neurons of the cohort.
    pairs : int32 array (P, 2)
        Pairs i < j that enough worms observe, sorted.
    blocks : tuple of WormBlock
    rate_hz : float
        Common sampling rate.
    time_s : float array, optional
        Common clock; None if unaligned.
    stimuli : pandas.DataFrame
        Stimuli on the common clock.
    breaks_s : tuple of float
        Times of the common clock at which neighbouring samples do not follow each other.
    notes : tuple of str
        What was left out and why.
    provenance : dict
    """

    kind: str
    settings: AffinitySettings
    model: Model
    model_reason: str
    signs: tuple[str, ...]
    neurons: tuple[str, ...]
    pairs: Array
    blocks: tuple[WormBlock, ...]
    rate_hz: float
    time_s: Array | None = None
    stimuli: pd.DataFrame = field(default_factory=empty_stimuli)
    breaks_s: tuple[float, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def _head(self) -> str:
        return f" {self.kind}, {self.model}"

    def _lines(self) -> list[str]:
        clock = f"{len(self.time_s)} times of one clock" if self.time_s is not None else "every worm its own"
        return [
            f"worms    {listed(self.worms)}",
            f"neurons  {listed(self.neurons)}; {len(self.pairs)} pairs, signs: {', '.join(self.signs)}",
            f"time     {clock}, {self.rate_hz:.4g} Hz ({self.model_reason})",
            *(f"note     {note}" for note in self.notes),
        ]

    @property
    def worms(self) -> tuple[str, ...]:
        """Names of the worms (or events), in the order of `blocks`."""
        return tuple(b.worm for b in self.blocks)

    @property
    def n_entries(self) -> int:
        """Number of observed entries of the tensor."""
        return sum(b.n_rows * int(b.observed.sum()) for b in self.blocks) * len(self.signs)

    @property
    def nbytes(self) -> int:
        """Bytes of memory that all features take."""
        return sum(b.features.nbytes for b in self.blocks)

    def block(self, worm: str) -> WormBlock:
        """Block of one worm by name."""
        for item in self.blocks:
            if item.worm == worm:
                return item
        raise InputError(f"there is no worm '{worm}'", where="affinity", fix=f"Known: {', '.join(self.worms)}.")

    def pair_worms(self) -> Array:
        """Number of worms (or events) that observe each pair, int (P,)."""
        count = np.zeros(len(self.pairs), np.int64)
        for item in self.blocks:
            if item.observed.any():
                count[item.rows] += 1
        return count

    def pair_affinity(self, neuron_a: str, neuron_b: str, worm: str) -> xr.DataArray:
        """Affinity of one pair over time in one worm: (sign, time), NaN where not observed."""
        item = self.block(worm)
        index = {n: i for i, n in enumerate(self.neurons)}
        for name in (neuron_a, neuron_b):
            if name not in index:
                raise InputError(f"there is no neuron '{name}'", where="affinity")
        wanted = sorted((index[neuron_a], index[neuron_b]))
        found = np.flatnonzero((self.pairs[item.rows] == wanted).all(axis=1))
        if not len(found):
            raise InputError(f"{neuron_a} and {neuron_b} are not both observed", where=worm)
        row = int(found[0])
        values = np.stack([item.tile(row, row + 1, 0, item.n_times, s)[0] for s in range(len(self.signs))])
        return xr.DataArray(
            np.where(item.observed, values, np.nan),
            dims=("sign", "time"),
            coords={"sign": list(self.signs), "time": item.time_s},
            name=f"affinity of {neuron_a} and {neuron_b}",
        )

    def mean_affinity(self, worms: tuple[str, ...] | None = None, sign: str | None = None) -> xr.DataArray:
        """Affinity averaged over all observed times of all worms.

        Parameters
        ----------
        worms : tuple of str, optional
            Only these worms.
        sign : str, optional
            One layer of signed affinities; their sum by default.

        Returns
        -------
        xarray.DataArray
            (neuron, neuron_b), symmetric, diagonal 0, NaN for pairs that are not observed.
        """
        if sign is not None and sign not in self.signs:
            raise InputError(f"there is no sign '{sign}'", where="affinity", fix=f"Known: {', '.join(self.signs)}.")
        chosen = self.blocks if worms is None else tuple(self.block(w) for w in worms)
        total, seconds = np.zeros(len(self.pairs)), np.zeros(len(self.pairs))
        for item in chosen:
            for layer, name in enumerate(self.signs):
                if sign in (None, name):
                    # Unobserved times hold zeros, so that they add nothing to the sum.
                    for row0, row1, _, _, tile in item.tiles(layer):
                        total[item.rows[row0:row1]] += tile.sum(axis=1, dtype=np.float64)
            seconds[item.rows] += item.observed.sum()
        mean = np.where(seconds > 0, total / np.maximum(seconds, 1), np.nan)
        n = len(self.neurons)
        matrix = np.full((n, n), np.nan)
        matrix[self.pairs[:, 0], self.pairs[:, 1]] = mean
        matrix[self.pairs[:, 1], self.pairs[:, 0]] = mean
        np.fill_diagonal(matrix, 0.0)
        names = np.asarray(self.neurons, dtype=object)
        return xr.DataArray(
            matrix,
            dims=("neuron", "neuron_b"),
            coords={"neuron": names, "neuron_b": names},
            name="mean affinity",
            attrs={"kind": self.kind, "sign": sign or self.settings.sign},
        )
