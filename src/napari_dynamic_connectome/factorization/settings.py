"""Settings of the factorization: what the model is, how it is solved, how much memory it may take."""

from __future__ import annotations

from typing import Literal

from ..model.settings import StepSettings, setting


class FactorizationSettings(StepSettings):
    """How affinities are factorized into non-negative components."""

    model: Literal["auto", "mixed", "aligned", "unaligned"] = setting(
        "auto",
        "aligned: every component has one time course for all worms; unaligned: each worm has its own; mixed: chosen for each "
        "component by what predicts worms that are left out; auto: mixed where the worms share a clock, else unaligned.",
    )
    max_sweeps: int = setting(300, "At most this many passes over all factors.", ge=1, le=100_000)
    tolerance: float = setting(
        1e-6,
        "Stop a start when its error falls by less than this per sweep (relative to the norm of the data).",
        ge=0,
        lt=1,
    )
    inner: int = setting(3, "Updates of one factor for each matrix product (accelerated HALS).", ge=1, le=100)
    compression: Literal["auto", "on", "off"] = setting(
        "auto", "Iterate on a few leading time patterns of each worm, then finish with exact sweeps."
    )
    compressed_size: int = setting(
        64, "Time patterns kept for each worm when compressing (at least 3 x rank).", ge=1, le=10_000
    )
    exact_sweeps: int = setting(2, "Exact sweeps after the compressed ones.", ge=1, le=1000)
    storage: Literal["auto", "sparse", "stored", "streamed"] = setting(
        "auto",
        "Keep the affinities in memory without their zeros (sparse) or with them (stored), or make them again tile by tile "
        "(streamed); auto: the quickest that fits into the memory budget.",
    )
    memory_mb: float | None = setting(
        None,
        "Memory that the factorization may take, never more than half of what is free; by default 600 MB, and for larger "
        "cohorts as much as they need, up to a quarter of what is free.",
        unit="MB",
        gt=0,
    )
    threads: int = setting(0, "Threads (0: one a core). The result does not depend on it.", ge=0, le=1024)
    sparsity: float = setting(
        0.0, "Sparsity of the time factor: 0 none, towards 1 only the strongest moments stay.", ge=0, lt=1
    )
    smoothness: float = setting(
        0.0, "Smoothness of the time factor: weight of steps between neighbouring samples.", ge=0
    )
    ridge: float = setting(
        0.01,
        "Shrink the factors of pairs that not every worm observes, where the worms that do hardly show a component; strength "
        "relative to an average worm (0: plain least squares).",
        ge=0,
    )
    min_worms: int = setting(
        0,
        "Leave out pairs that fewer worms than this have observed; 0: two in a run with three worms or more (the notes say how "
        "many pairs that leaves out), else one.",
        ge=0,
    )
    worm_weighting: Literal["entries", "equal"] = setting(
        "entries", "entries: every observed value counts the same; equal: every worm counts the same."
    )
