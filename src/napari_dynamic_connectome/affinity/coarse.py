"""An affinity averaged over short bins of time: what is compared with many surrogates is fitted on these, in a tenth of the time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .kernels import bin_means
from .spec import AffinitySpec, WormBlock

Array = np.ndarray
WIDTHS = 2.0
"""Length of a bin in smoothing widths: the slopes of the traces hardly change within it."""


@dataclass(frozen=True, eq=False)
class CoarseBlock:
    """One worm's affinities, averaged over bins; has what the solver needs of a `WormBlock`.

    Parameters
    ----------
    block : WormBlock
    edges : int array (bins + 1,)
        Columns of the block at which bins begin, and the end.
    observed : bool array (bins,)
    time_s, source_time_s : float array (bins,)
        Of the first column of each bin.
    """

    block: WormBlock
    edges: Array
    observed: Array
    time_s: Array
    source_time_s: Array

    @property
    def worm(self) -> str:
        """Name of the worm."""
        return self.block.worm

    @property
    def source(self) -> str:
        """Name of the recording."""
        return self.block.source

    @property
    def rows(self) -> Array:
        """Pairs observed here."""
        return self.block.rows

    def tile(self, row0: int, row1: int, t0: int, t1: int, sign: int = 0, out: Array | None = None) -> Array:
        """Means (row1 - row0, t1 - t0) of some pairs in some bins, float32."""
        edges = self.edges[t0 : t1 + 1]
        fine = self.block.tile(row0, row1, int(edges[0]), int(edges[-1]), sign)
        means = np.empty((row1 - row0, t1 - t0), np.float32) if out is None else out
        bin_means(fine, edges - edges[0], means)
        return means


def coarse_affinity(affinity: AffinitySpec, bin_s: float | None = None) -> Any:
    """Average an affinity over bins of time, made tile by tile on demand.

    Parameters
    ----------
    affinity : AffinitySpec
    bin_s : float, optional
        Length of a bin in seconds; twice the smoothing width by default. No bin reaches across a break of the common clock or from
        observed times into others.

    Returns
    -------
    AffinitySpec
        Its blocks are `CoarseBlock`.
    """
    wanted = WIDTHS * affinity.settings.sigma_s if bin_s is None else bin_s
    step = max(1, round(wanted * affinity.rate_hz))
    common = affinity.time_s is not None
    at_breaks: list[int] = []
    if affinity.time_s is not None:
        at_breaks = [int(k) for k in np.searchsorted(affinity.time_s, affinity.breaks_s)]
    blocks, clock = [], None
    shared = None
    for block in affinity.blocks:
        if shared is None or not common:
            changes = [] if common else (np.flatnonzero(np.diff(block.observed.astype(int))) + 1).tolist()
            shared = _edges(block.n_times, step, [*at_breaks, *changes])
        starts = shared[:-1]
        clock = block.time_s[starts]
        observed = np.logical_and.reduceat(block.observed, starts)
        blocks.append(CoarseBlock(block, shared, observed, clock, block.source_time_s[starts]))
    more: dict[str, Any] = {"blocks": tuple(blocks), "rate_hz": affinity.rate_hz / step}
    return replace(affinity, **more, time_s=clock if common else None)


def _edges(count: int, step: int, cuts: list[int]) -> Array:
    """Edges of bins of about `step` columns that respect the cuts; a rest shorter than half a bin joins the one before."""
    edges = [0]
    for end in [*sorted({c for c in cuts if 0 < c < count}), count]:
        inner = list(range(edges[-1] + step, end, step))
        if inner and end - inner[-1] < step / 2:
            inner.pop()
        edges += [*inner, end]
    return np.asarray(edges, int)
