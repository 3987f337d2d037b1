"""Settings of the step that compares with other methods: those of the static baselines, and what `run` does of it."""

from __future__ import annotations

from ..baselines.settings import BaselineSettings
from ..model.settings import setting


class BaselinesStepSettings(BaselineSettings):
    """Other methods beside the components: static groupings of the same neurons, and signed loadings."""

    fit: bool = setting(
        False, "Whether `run` groups the neurons by static methods, too; *Other methods* and `baselines` always do."
    )
    signed: bool = setting(False, "Whether `run` fits signed loadings of the same rank, too.")

    @property
    def model(self) -> BaselineSettings:
        """Settings of the static methods alone."""
        return BaselineSettings(**{name: getattr(self, name) for name in BaselineSettings.model_fields})
