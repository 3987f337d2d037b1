"""Settings of the comparison with chance."""

from __future__ import annotations

from typing import Literal

from ..model.settings import StepSettings, setting


class ChanceSettings(StepSettings):
    """What components and communities are compared with, and from when on they count."""

    method: Literal["circular shift", "phase randomisation", "none"] = setting(
        "circular shift",
        "What chance means: cohorts in which every neuron is shifted in time by its own amount within every block, or gets "
        "random phases; none: nothing is tested, and nothing is claimed.",
    )
    surrogates: int = setting(
        29, "Surrogate cohorts at the suggested rank; they are factorized like the data.", ge=9, le=10_000
    )
    sweep_surrogates: int = setting(
        9, "Surrogate cohorts of which every rank of the sweep is fitted (the first of the others).", ge=3, le=10_000
    )
    held_out_surrogates: int = setting(
        3,
        "Surrogate cohorts of which held-out fibres are predicted, for the curve beside that of the data.",
        ge=0,
        le=1000,
    )
    without_each_worm: bool = setting(
        False,
        "Also say which rank is suggested without each worm (every rank is fitted from three starts for each of them).",
    )
    min_shift_s: float = setting(5.0, "Neurons are shifted by at least this much.", unit="s", gt=0, le=3600)
    alpha: float = setting(
        0.05, "Components and communities count as beyond chance up to this (corrected) p value.", gt=0, le=0.5
    )
