"""Settings of the static baselines."""

from __future__ import annotations

from typing import Literal

from ..model.settings import StepSettings, setting

Method = Literal["shape distance", "louvain", "leiden", "edge time series", "nmf", "sorting"]
METHODS: tuple[Method, ...] = ("shape distance", "louvain", "leiden", "edge time series", "nmf", "sorting")


class BaselineSettings(StepSettings):
    """Which static methods group the neurons, and into how many groups."""

    methods: tuple[Method, ...] = setting(METHODS, "Methods to run.", min_length=1)
    groups: int = setting(
        0, "Groups of the methods that need a number (0: as many as the main result has, else 6).", ge=0, le=1000
    )
    max_lag_s: float | None = setting(
        None, "Shape distance: longest time shift (by default as long as the recording).", unit="s", ge=0
    )
    resolution: float = setting(1.0, "Resolution of Louvain and Leiden.", gt=0, le=100)
    edge_clusters: int = setting(10, "Edge time series: clusters of edges.", ge=2, le=1000)
    nmf_rank: int = setting(6, "Components of the NMF of every worm's traces.", ge=1, le=1000)
    min_worms: int = setting(1, "A neuron takes part if at least this many worms have it.", ge=1)
    rate_hz: float | None = setting(
        None, "Common sampling rate; by default that of the slowest worm.", unit="Hz", gt=0, le=1000
    )
    gap_s: float = setting(1.0, "Longer stretches without a sample are gaps.", unit="s", ge=0)
