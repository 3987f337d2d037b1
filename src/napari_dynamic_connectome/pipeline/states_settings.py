"""Settings of the step that looks for switching states: those of the model, and how the states are judged."""

from __future__ import annotations

from typing import Literal

from ..io.choice import Rows
from ..model.settings import setting
from ..states.settings import StatesSettings


class StatesStepSettings(StatesSettings):
    """Switching states: the model, the connectome of its prior, and how the states are judged."""

    fit: bool = setting(False, "Whether `run` looks for states; the States dock and the command `states` always do.")
    connectome: str = setting("", "CSV or GraphML of synapses for the prior of the weights; none by default.")
    weight: str = setting("", "Column of the connectome that holds the weights, where its name does not tell.")
    rows: Literal["", Rows] = setting(
        "",
        "Of a connectome that is a matrix: its rows are presynaptic (pre) or postsynaptic, or of what has no direction.",
    )
    held_out: Literal["blocks", "worms", "no"] = setting(
        "blocks",
        "What is kept from the fits that judge the states: blocks of time, whole worms, or nothing (not judged).",
    )
    folds: int = setting(4, "Parts that are held out in turn (blocks).", ge=2, le=50)
    block_s: float = setting(30.0, "Length of a block of time that is held out.", unit="s", gt=0)
    held_out_starts: int = setting(3, "Random starts of each of these fits.", ge=1, le=1000)

    @property
    def model(self) -> StatesSettings:
        """Settings of the model alone."""
        return StatesSettings(**{name: getattr(self, name) for name in StatesSettings.model_fields})
