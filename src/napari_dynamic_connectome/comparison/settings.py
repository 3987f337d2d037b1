"""Settings of the comparisons: with connectomes and other networks, confounds, events, groups of worms."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from ..io.choice import Rows
from ..model.settings import StepSettings, setting


class StructureSettings(StepSettings):
    """How functional matrices are compared with connectomes, neuropeptides, contacts and signal propagation."""

    connectome: tuple[str, ...] = setting(
        (),
        "Tables of connections (CSV or GraphML: pre, post, type, synapses) or cect:NAME for one of the package cect; "
        "several adults are shown side by side.",
    )
    weight: str = setting(
        "",
        "Column, or attribute of GraphML, that holds the weights of connectomes whose names do not tell which it is.",
    )
    rows: Literal["", Rows] = setting(
        "",
        "Of connectomes that are matrices: their rows are presynaptic (pre) or postsynaptic (post), or they count what has no "
        "direction.",
    )
    propagation: str = setting(
        "", "Signal propagation: an npz of Randi et al. (2023), or a CSV with stimulated, responder, response, q."
    )
    positions: str = setting(
        "",
        "CSV with name and x_um, y_um, z_um of cell bodies, for the distances; by default those measured in the worms, "
        "else the schematic places of the package.",
    )
    kinds: tuple[str, ...] = setting((), "Types of connections to compare (chemical, electrical, ...); all by default.")
    measure: Literal["spearman", "pearson"] = setting("spearman", "Correlation of ranks, or of the values.")
    permutations: int = setting(10_000, "Permutations of the neurons.", ge=1, le=10_000_000)
    rewired: int = setting(
        1000, "Rewired networks in which every neuron keeps its number of links (0: none).", ge=0, le=1_000_000
    )
    pairs_together: bool = setting(
        True,
        "Permutations move the left and right neuron of a pair together: both sides are alike in wiring and in activity, and "
        "moved one by one they make chance look narrower than it is.",
    )
    distance: bool = setting(True, "Also test what distance between cell bodies does not explain.")
    left_right: bool = setting(True, "Also test what being a left/right pair does not explain.")
    largest_q: float = setting(0.05, "Signal propagation: a pair responds if its q value is at most this.", gt=0, le=1)

    @property
    def wanted(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(self.connectome or self.propagation)


class ConfoundSettings(StepSettings):
    """What is partialled out of the traces before affinities are computed."""

    channels: tuple[str, ...] = setting((), "Behaviour channels whose linear effect is taken out of every trace.")
    motion: bool = setting(
        False, "Also take out each neuron's own movement and reference channel, where the extraction kept them."
    )
    first_lag_s: float = setting(
        0.0, "Earliest lag: the trace follows the behaviour by this much (below zero: precedes it).", unit="s"
    )
    last_lag_s: float = setting(4.0, "Latest lag.", unit="s")
    lag_step_s: float = setting(1.0, "Distance between lags.", unit="s", gt=0)
    gap_s: float = setting(
        1.0, "Longer stretches without a sample are gaps that no lag reaches across.", unit="s", ge=0
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.last_lag_s < self.first_lag_s:
            raise ValueError(f"last_lag_s ({self.last_lag_s:g}) is below first_lag_s ({self.first_lag_s:g})")
        if (self.last_lag_s - self.first_lag_s) / self.lag_step_s > 200:
            raise ValueError("these are more than 200 lags")
        return self

    @property
    def active(self) -> bool:
        """Whether anything is partialled out."""
        return bool(self.channels) or self.motion


class ContrastSettings(StepSettings):
    """Which events are averaged around, and which groups of worms are compared."""

    events: tuple[str, ...] = setting((), "Stimuli and binary behaviour channels whose onsets are averaged around.")
    edge: Literal["onset", "offset"] = setting(
        "onset", "Where the stimulus or channel turns on, or where it turns off."
    )
    before_s: float = setting(10.0, "Seconds before the event.", unit="s", gt=0, le=3600)
    after_s: float = setting(20.0, "Seconds after the event.", unit="s", gt=0, le=3600)
    rest_s: float = setting(
        2.0, "A channel must have been still for this long before; flicker is no event.", unit="s", ge=0
    )
    baseline: bool = setting(True, "Subtract the mean before the event from each event.")
    bootstraps: int = setting(1000, "Draws of worms (of events with one worm) for intervals.", ge=10, le=100_000)
    surrogates: int = setting(
        500, "Shifts of all events of a worm together, for what is due to chance.", ge=19, le=100_000
    )
    column: str = setting(
        "", "Column of the worms' attributes that says which group a worm is in, or 'received STIMULUS'."
    )
    groups: tuple[str, ...] = setting(
        (), "The two values of the column that are compared; if not set, there must be two."
    )
    permutations: int = setting(
        9999,
        "All exchanges of worms between the groups are tried if there are no more than this, else as many random ones.",
        ge=99,
        le=1_000_000,
    )
    group_worms: int = setting(2, "Pairs are compared that at least this many worms of each group have.", ge=2)
    confidence: float = setting(0.95, "Of all intervals.", gt=0.5, lt=1)
