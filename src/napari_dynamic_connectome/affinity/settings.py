"""Settings of the affinity step; everything that is a time is in seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import model_validator

from ..model.cohort import Alignment
from ..model.settings import StepSettings, setting
from .measures import KINDS

if TYPE_CHECKING:
    AffinityKind = str
else:
    AffinityKind = Literal[KINDS]
SignMode = Literal["same", "absolute", "opposite", "signed"]


class AffinitySettings(StepSettings):
    """How the time-varying affinity of two neurons is measured, and on which clock the worms are compared."""

    kind: AffinityKind = setting(
        "differential",
        "Measure: common rises and falls (differential), product of z-scored derivatives (edge time series), or "
        "correlation in a sliding window.",
    )
    sign: SignMode = setting(
        "same",
        "Which pairs count: moving the same way, either way (absolute, as in Dyballa et al. 2024), opposite ways, or "
        "same and opposite kept apart (signed).",
    )
    sigma_s: float = setting(1.0, "Width of the smoothing of the derivative.", unit="s", gt=0, le=600)
    kappa: float = setting(
        0.0,
        "Slopes below this many standard deviations of their noise count as no change: 0 keeps weak signals, 1 to 2 "
        "silences noise.",
        ge=0,
        le=20,
    )
    scale: Literal["mean", "peak"] = setting(
        "mean",
        "What counts as a strong change of a neuron: three times its mean slope, or the 99th percentile of its slopes.",
    )
    exponent: float = setting(
        1.5, "Strengths are raised to this power: above 1, weak chance agreement counts less.", ge=0.25, le=8
    )
    min_run_s: float = setting(
        0.75, "Both neurons must keep their direction together for at least this long.", unit="s", ge=0, le=600
    )
    z_limit: float = setting(
        3.0, "Edge time series: z-scores are cut here, so that affinities stay between 0 and 1.", gt=0, le=100
    )
    window_s: float = setting(20.0, "Sliding correlation: length of the window.", unit="s", gt=0, le=36_000)
    rate_hz: float | None = setting(
        None, "Common sampling rate; by default that of the slowest worm.", unit="Hz", gt=0, le=1000
    )
    gap_s: float = setting(
        1.0,
        "Longer stretches without a sample are gaps: nothing is smoothed across them (at least 2.5 sampling intervals).",
        unit="s",
        ge=0,
    )
    missing: Literal["leave out", "zero"] = setting(
        "leave out",
        "Neurons with gaps: leave out those neurons or times, whichever loses less, or count the gap as zero affinity.",
    )
    alignment: Alignment = setting(
        "auto",
        "What time means across worms: absolute, stimulus onset, stimulus identity, events, none (every worm its own), "
        "or auto: stimulus identity if the worms share stimuli, else none.",
    )
    stimulus: str = setting("", "Stimulus onset: which stimulus is time zero; by default each worm's first.")
    event: str = setting("", "Events: binary behaviour channel or stimulus whose onsets are the events.")
    event_edge: Literal["onset", "offset"] = setting(
        "onset", "Events: where the channel turns on, or where it turns off."
    )
    before_s: float = setting(20.0, "Events: seconds before the event.", unit="s", ge=0, le=36_000)
    after_s: float = setting(20.0, "Events: seconds after the event.", unit="s", ge=0, le=36_000)
    rest_s: float = setting(
        2.0, "Events: the channel must have been still for this long before; flicker is no event.", unit="s", ge=0
    )
    min_worms: int = setting(1, "A pair takes part if at least this many worms observe it.", ge=1)

    @model_validator(mode="after")
    def _window(self) -> Self:
        if self.before_s + self.after_s <= 0:
            raise ValueError("before_s and after_s are both zero")
        return self
