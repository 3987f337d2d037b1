"""Settings of the switching-state model: how many states, what each explains, how the connectome enters, how it is fitted."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from ..model.settings import StepSettings, setting

PriorName = Literal["gaussian", "one-hot", "none"]


class StatesSettings(StepSettings):
    """How recordings are explained by a few switching states, each with its own functional network."""

    states: int = setting(4, "Number of states (2 or more).", ge=1, le=50)
    lags: int = setting(1, "Past frames that predict the present one.", ge=1, le=20)
    rate_hz: float | None = setting(
        None, "Common sampling rate; by default that of the slowest worm.", unit="Hz", gt=0, le=1000
    )
    gap_s: float = setting(
        1.0, "Longer stretches without a sample are gaps: nothing is predicted across them.", unit="s", ge=0
    )
    prior: PriorName = setting(
        "gaussian",
        "Prior of the weights: near one network that the states share and learn (gaussian), of one type for all states: "
        "negative, none or positive (one-hot), or nearly flat (none).",
    )
    weight_sd: float = setting(
        0.05, "Size of a weight that the states share (traces have standard deviation 1).", gt=0, le=100
    )
    state_sd: float = setting(0.002, "How far the weight of one state lies from the shared one.", gt=0, le=100)
    level_sd: float = setting(
        0.1, "How far the constant of a state (the level that its neurons are drawn to) lies from zero.", gt=0, le=100
    )
    structure_as: Literal["scale", "centre"] = setting(
        "scale",
        "How a connectome enters the gaussian prior: connected pairs may have larger weights (scale), or weights are drawn "
        "towards a multiple of the synapse numbers, learned from the data (centre).",
    )
    contrast: float = setting(
        3.0,
        "Connected pairs against others: ratio of the weights' standard deviations (gaussian, scale), or of the odds of "
        "being linked (one-hot).",
        ge=1,
        le=1000,
    )
    direction: Literal["directed", "undirected"] = setting(
        "directed", "Take the connectome as it is (pre to post), or the same both ways."
    )
    synapses: str = setting(
        "all", "Which connections of a connectome count: all, or one of its types, such as chemical or electrical."
    )
    link_share: float = setting(0.2, "One-hot: share of pairs that are linked, before the data are seen.", gt=0, lt=1)
    noise: Literal["neuron", "worm", "state"] = setting(
        "worm", "Noise variance of its own for every neuron, every neuron and worm, or every neuron and state."
    )
    dwell_s: float = setting(10.0, "Expected time in a state, before the data are seen.", unit="s", gt=0)
    dwell_weight: float = setting(1000.0, "How many frames' worth of evidence that expectation is.", ge=0)
    starts: int = setting(10, "Random starts; the most probable fit is kept.", ge=1, le=10_000)
    iterations: int = setting(150, "At most this many EM iterations a start.", ge=1, le=100_000)
    tolerance: float = setting(
        1e-5, "Stop when the log posterior rises by less than this per observed value and iteration.", gt=0, lt=1
    )
    threads: int = setting(0, "Threads (0: one a core). The result does not depend on it.", ge=0, le=1024)

    @model_validator(mode="after")
    def _switches(self) -> Self:
        if self.states == 1:
            raise ValueError(
                "one state never switches; ask for 2 or more (one state is what `compare_held_out` compares with)"
            )
        return self
