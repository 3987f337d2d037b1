"""All steps' settings as one model: the file that `dynamic-connectome run` reads, and the record of what was run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from ..affinity.settings import AffinitySettings
from ..communities.settings import CommunitySettings
from ..comparison.settings import ConfoundSettings, ContrastSettings, StructureSettings
from ..extraction.settings import CorrectionSettings, ExtractionSettings, QualitySettings
from ..factorization.settings import FactorizationSettings
from ..model.cohort import CohortSettings
from ..model.results import CommunityKind
from ..model.settings import StepSettings, setting
from .baselines_settings import BaselinesStepSettings
from .chance_settings import ChanceSettings
from .input_settings import CollectionSettings as CollectionSettings
from .input_settings import InputSettings as InputSettings
from .input_settings import ReadingSettings as ReadingSettings
from .input_settings import VolumeInput as VolumeInput
from .robustness_settings import RobustnessSettings
from .states_settings import StatesStepSettings
from .toml import merge, read_toml

UP = 2
"""What lies below the folder this many above an output folder is beside it: inputs of `project/results/run1` in `project/data`."""


class RankSettings(StepSettings):
    """Number of components."""

    rank: int | None = setting(None, "Number of components; suggested by a sweep if not set.", ge=1, le=200)
    smallest: int = setting(1, "First rank of the sweep.", ge=1, le=200)
    largest: int = setting(8, "Last rank of the sweep.", ge=1, le=200)
    starts: int = setting(6, "Random starts a rank.", ge=1, le=1000)
    folds: int = setting(3, "Folds of (pair, worm) fibres held out.", ge=0, le=20)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.largest < self.smallest:
            raise ValueError(f"largest ({self.largest}) is below smallest ({self.smallest})")
        return self


class PipelineSettings(StepSettings):
    """Everything a run needs; a run with equal settings and equal input gives equal results."""

    title: str = setting("Dynamic functional connectome", "Heading of the report.")
    seed: int = setting(0, "Seed of every random step.", ge=0)
    correct: Literal["extracted", "all", "none"] = setting(
        "extracted", "Which traces are corrected: those extracted from images, all, or none."
    )
    kinds: tuple[CommunityKind, ...] = setting(
        ("core", "modules"), "Communities to find: core (who takes part), modules (structure beyond strength), or both."
    )
    input: InputSettings = Field(default_factory=InputSettings, description="What is analyzed.")
    extraction: ExtractionSettings = Field(default_factory=ExtractionSettings, description="Traces from images.")
    correction: CorrectionSettings = Field(
        default_factory=CorrectionSettings, description="Bleaching, dF/F0 and so on."
    )
    quality: QualitySettings = Field(default_factory=QualitySettings, description="Measures of every neuron.")
    cohort: CohortSettings = Field(default_factory=CohortSettings, description="Which neurons take part.")
    confounds: ConfoundSettings = Field(
        default_factory=ConfoundSettings, description="Behaviour or movement that is taken out of the traces before."
    )
    affinity: AffinitySettings = Field(default_factory=AffinitySettings, description="Time-varying affinity of pairs.")
    rank: RankSettings = Field(default_factory=RankSettings, description="Number of components.")
    factorization: FactorizationSettings = Field(
        default_factory=FactorizationSettings, description="The tensor's factors."
    )
    chance: ChanceSettings = Field(
        default_factory=ChanceSettings, description="Surrogate cohorts, with which everything is compared."
    )
    communities: CommunitySettings = Field(default_factory=CommunitySettings, description="The block model.")
    states: StatesStepSettings = Field(default_factory=StatesStepSettings, description="Switching states.")
    baselines: BaselinesStepSettings = Field(
        default_factory=BaselinesStepSettings, description="Static methods and signed loadings beside the components."
    )
    comparison: StructureSettings = Field(
        default_factory=StructureSettings, description="Connectomes and other networks to compare with."
    )
    contrasts: ContrastSettings = Field(
        default_factory=ContrastSettings, description="Averages around events, and differences between groups of worms."
    )
    robustness: RobustnessSettings = Field(
        default_factory=RobustnessSettings, description="What `dynamic-connectome robustness` does again."
    )

    @classmethod
    def from_file(cls, path: str | Path, overrides: dict[str, Any] | None = None) -> Self:
        """Read a TOML file and resolve its paths against the file's folder."""
        path = Path(path)
        settings = cls.parse(merge(read_toml(path), overrides or {}), where=str(path))
        return settings.resolve(path.resolve().parent)

    def resolve(self, folder: Path) -> Self:
        """Copy with the input's paths made absolute against `folder`."""
        return self._with_paths(lambda text: absolute(text, folder))

    def relative(self, folder: Path) -> Self:
        """Copy with the paths of what lies beside or below `folder` relative to it, so that both can be moved together."""
        return self._with_paths(lambda text: nearby(text, folder))

    def _with_paths(self, change: Callable[[str], str]) -> Self:
        volumes = tuple(
            v.model_copy(
                update={f: change(getattr(v, f)) for f in ("volume", "labels", "names", "stimuli", "behaviour")}
            )
            for v in self.input.volumes
        )
        new = self.input.model_copy(
            update={
                "recordings": tuple(change(r) for r in self.input.recordings),
                "volumes": volumes,
                "truth": change(self.input.truth),
                "attributes_file": change(self.input.attributes_file),
            }
        )
        compared = with_paths(self.comparison, change)
        states = self.states.model_copy(update={"connectome": change(self.states.connectome)})
        return self.model_copy(update={"input": new, "comparison": compared, "states": states})


def with_paths(settings: StructureSettings, change: Callable[[str], str]) -> StructureSettings:
    """Copy with `change` done to every path."""
    return settings.model_copy(
        update={
            "connectome": tuple(c if c.startswith("cect:") else change(c) for c in settings.connectome),
            "propagation": change(settings.propagation),
            "positions": change(settings.positions),
        }
    )


def absolute(text: str, folder: Path) -> str:
    """Return a path against a folder; addresses, absolute paths and "" stay."""
    return text if not text or Path(text).is_absolute() or "://" in text else str(folder / text)


def nearby(text: str, folder: Path) -> str:
    """Return the path relative to `folder`, with `/`, if it lies below it or at most `UP` folders above; else as it is."""
    path, base = Path(text), Path(folder).resolve()
    if not text or not path.is_absolute():
        return text
    for place in (path, path.resolve()):
        for up, above in enumerate((base, *base.parents)[: UP + 1]):
            if above != Path(above.anchor) and place.is_relative_to(above):
                return "/".join([*[".."] * up, *place.relative_to(above).parts]) or "."
    return text
