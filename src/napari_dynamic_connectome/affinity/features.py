"""Features of one worm from which the affinity of any pair at any time is made in an instant: arrays of neuron x time.

One class a kind of affinity, all with the same three methods, so that nothing else needs to know the kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

Array = np.ndarray
CODED = 32
"""Longest run, in samples, that fits twice into the bits of an integer."""


class Features(Protocol):
    """Per-neuron arrays of one worm and how to make a tile of pair affinities from them."""

    @property
    def n_times(self) -> int:
        """Number of columns."""
        ...

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        ...

    def fill(self, out: Array, columns: Array, t0: int, signs: int) -> None:
        """Write affinities into `out` (pairs, times) float32; `columns` (pairs, 2) int32; see `kernels` for `signs`."""
        ...

    def take(self, samples: Array) -> Features:
        """Return the features at these columns; -1 gives a column without affinity."""
        ...


@dataclass(frozen=True, eq=False)
class RunFeatures:
    """Differential affinity, for joint runs of up to `CODED` samples.

    Parameters
    ----------
    size : float32 array (n, T)
        Strength of change, 0 to 1.
    code : unsigned integer array (n, T)
        Direction of change, and how the run of that direction lies around each time; see `kernels.run_codes`.
    min_run : int
        Samples that a joint run must last.
    """

    size: Array
    code: Array
    min_run: int

    @property
    def n_times(self) -> int:
        """Number of columns."""
        return int(self.size.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return int(self.size.nbytes + self.code.nbytes)

    def fill(self, out: Array, columns: Array, t0: int, signs: int) -> None:
        """See `Features`."""
        from .kernels import fill_coded_runs

        fill_coded_runs(out, self.size, self.code, columns, t0, self.min_run, signs)

    def take(self, samples: Array) -> RunFeatures:
        """See `Features`; runs stay those of the worm's own time."""
        return RunFeatures(_columns(self.size, samples), _columns(self.code, samples), self.min_run)


@dataclass(frozen=True, eq=False)
class LongRunFeatures:
    """Differential affinity, for joint runs of any length.

    Parameters
    ----------
    value : float32 array (n, T)
        Strength of change with its sign, -1 to 1.
    ahead, behind : unsigned integer arrays (n, T)
        Samples of the same sign from here on and before, cut at `min_run`.
    min_run : int
        Samples that a joint run must last.
    """

    value: Array
    ahead: Array
    behind: Array
    min_run: int

    @property
    def n_times(self) -> int:
        """Number of columns."""
        return int(self.value.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return int(self.value.nbytes + self.ahead.nbytes + self.behind.nbytes)

    def fill(self, out: Array, columns: Array, t0: int, signs: int) -> None:
        """See `Features`."""
        from .kernels import fill_long_runs

        fill_long_runs(out, self.value, self.ahead, self.behind, columns, t0, self.min_run, signs)

    def take(self, samples: Array) -> LongRunFeatures:
        """See `Features`; run lengths stay those of the worm's own time."""
        return LongRunFeatures(
            _columns(self.value, samples), _columns(self.ahead, samples), _columns(self.behind, samples), self.min_run
        )


@dataclass(frozen=True, eq=False)
class ProductFeatures:
    """Edge time series.

    Parameters
    ----------
    value : float32 array (n, T)
        z-scored derivative, cut at the limit and divided by it: -1 to 1.
    """

    value: Array

    @property
    def n_times(self) -> int:
        """Number of columns."""
        return int(self.value.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return int(self.value.nbytes)

    def fill(self, out: Array, columns: Array, t0: int, signs: int) -> None:
        """See `Features`."""
        from .kernels import fill_products

        fill_products(out, self.value, columns, t0, signs)

    def take(self, samples: Array) -> ProductFeatures:
        """See `Features`."""
        return ProductFeatures(_columns(self.value, samples))


@dataclass(frozen=True, eq=False)
class WindowFeatures:
    """Sliding correlation.

    Parameters
    ----------
    trace : float32 array (n, samples)
        Centred and scaled, on the worm's own time.
    mean, inverse : float64 arrays (n, T)
        Mean in the window, and one over the root of the window's sum of squares (0: no affinity).
    lo, hi : int32 arrays (T,)
        Window [lo, hi) of each column, in samples of `trace`.
    """

    trace: Array
    mean: Array
    inverse: Array
    lo: Array
    hi: Array

    @property
    def n_times(self) -> int:
        """Number of columns."""
        return int(self.mean.shape[1])

    @property
    def nbytes(self) -> int:
        """Bytes of memory."""
        return int(self.trace.nbytes + self.mean.nbytes + self.inverse.nbytes + self.lo.nbytes + self.hi.nbytes)

    def fill(self, out: Array, columns: Array, t0: int, signs: int) -> None:
        """See `Features`."""
        from .kernels import fill_correlations

        fill_correlations(out, self.trace, self.mean, self.inverse, self.lo, self.hi, columns, t0, signs)

    def take(self, samples: Array) -> WindowFeatures:
        """See `Features`; windows stay those of the worm's own time."""
        return WindowFeatures(
            self.trace,
            _columns(self.mean, samples),
            _columns(self.inverse, samples),
            np.where(samples >= 0, self.lo[samples], 0).astype(np.int32),
            np.where(samples >= 0, self.hi[samples], 0).astype(np.int32),
        )


def _columns(array: Array, samples: Array) -> Array:
    taken = np.ascontiguousarray(array[:, samples])
    taken[:, samples < 0] = 0
    return taken
