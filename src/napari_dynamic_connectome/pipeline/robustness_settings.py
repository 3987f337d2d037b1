"""Settings of the robustness command: what is drawn again, left out and varied, and what counts as coming back."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from ..model.settings import StepSettings, setting

Part = Literal["bootstrap", "left-out worms", "seeds", "chance", "settings"]
PARTS: tuple[Part, ...] = ("bootstrap", "left-out worms", "seeds", "chance", "settings")


class RobustnessSettings(StepSettings):
    """What is done again to see what stays."""

    parts: tuple[Part, ...] = setting(
        PARTS,
        "What is done: bootstrap over worms, each worm left out, other seeds, time-shifted cohorts (how well components match by "
        "chance), other settings.",
    )
    match: float = setting(
        0.8, "A component comes back where its match (cosine of the pair factors) is this or more.", gt=0, lt=1
    )
    bootstraps: int = setting(50, "Cohorts drawn from the worms, with replacement.", ge=1, le=10_000)
    rank_bootstraps: int = setting(
        10, "How many of them also choose the number of components; each costs a whole sweep.", ge=0, le=10_000
    )
    seeds: int = setting(5, "Times that the same worms are analysed from other random starts.", ge=1, le=1000)
    chance: int = setting(5, "Time-shifted cohorts, in which neurons know nothing of each other.", ge=1, le=1000)
    starts: int = setting(3, "Random starts of each refit.", ge=1, le=1000)
    confidence: float = setting(0.95, "Of all intervals.", gt=0.5, lt=1)
    interval: Literal["wilson", "clopper-pearson"] = setting(
        "wilson", "Interval of a share: Wilson's score, or Clopper & Pearson's, which is never too short."
    )
    splits: int = setting(
        4, "Halves of a left-out worm's neurons; courses found from one half predict the other.", ge=1
    )
    sigma_s: tuple[float, ...] = setting((0.5, 1.0, 2.0, 4.0), "Widths of the smoothing that are tried.", unit="s")
    kappa: tuple[float, ...] = setting((0.0, 1.0, 2.0), "Noise thresholds that are tried.")
    exponent: tuple[float, ...] = setting((1.0, 1.5, 2.0, 3.0), "Exponents that are tried.")
    min_worms: tuple[int, ...] = setting((1, 2, 3), "Numbers of worms that a neuron must be seen in, that are tried.")
    ranks: tuple[int, ...] = setting((), "Numbers of components that are tried; those of the rank sweep by default.")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if not self.parts:
            raise ValueError("no part is left to do")
        if any(v < 1 for v in (*self.ranks, *self.min_worms)):
            raise ValueError("ranks and min_worms are whole numbers from 1 up")
        return self
