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
from .robustness_settings import RobustnessSettings
from .states_settings import StatesStepSettings
from .toml import merge, read_toml

UP = 2
"""What lies below the folder this many above an output folder is beside it: inputs of `project/results/run1` in `project/data`."""


class VolumeInput(StepSettings):
    """One worm given as images: extract its traces."""

    name: str = setting("", "Name of the worm; the file name by default.")
    volume: str = setting("", "4D image: OME-Zarr, TIFF, HDF5, NWB.")
    labels: str = setting(
        "", "Segmentation: static 3D or one per frame; by default the labels inside the OME-Zarr volume."
    )
    names: str = setting("", "CSV with columns label, name; by default the names stored with the labels.")
    stimuli: str = setting(
        "", "CSV with columns name, onset, offset (s); by default stimuli.csv inside the image's folder."
    )
    behaviour: str = setting(
        "", "CSV with a time column and channels; by default behaviour.csv inside the image's folder."
    )
    channel: str = setting("", "Channel of the image that holds the activity: its name or number from 0.")
    reference: str = setting("", "Reference channel: a name or number of a channel of the image, or another file.")
    axes: str = setting("", "Axes of the image, such as tzyx, if the file does not name them.")
    label_axes: str = setting("", "Axes of the labels, if the file does not name them.")
    dataset: str = setting("", "Which of several images: path in HDF5, number of a TIFF image, image of an OME-Zarr.")
    label_dataset: str = setting("", "The same for the labels; of an OME-Zarr, their name.")
    label_channel: str = setting(
        "", "Channel that holds the labels, where there are several: its name or number from 0."
    )
    radius_um: float | None = setting(None, "Labels given as a table of centres: radius of a neuron.", unit="um", gt=0)
    units: str = setting("", "Labels given as a table of centres: um or voxels.")
    voxel_size_um: tuple[float, float, float] | None = setting(
        None, "Voxel size (z, y, x), if the file does not say.", unit="um"
    )
    frame_rate_hz: float | None = setting(None, "Volumes per second, if the file does not say.", unit="Hz", gt=0)


class CollectionSettings(StepSettings):
    """Which worms of a homogenized collection (Simeon et al. 2024) are analyzed; other files are not concerned."""

    datasets: tuple[str, ...] = setting((), "Source data sets, such as Kato2015; all by default.")
    worms: tuple[str, ...] = setting((), "Worms, such as worm0; all by default.")
    min_named: int = setting(0, "Worms with fewer named neurons are left out.", ge=0)
    min_neurons: int = setting(0, "Worms with fewer neurons are left out.", ge=0)
    min_duration_s: float = setting(0.0, "Shorter recordings are left out.", unit="s", ge=0)
    labeled_only: bool = setting(False, "Leave out neurons without a name.")
    column: str = setting("", "List column of the traces; by default original_calcium_data, on its own clock.")

    @property
    def options(self) -> dict[str, Any]:
        """Options of `read_recordings`."""
        return {
            "dataset": self.datasets or None,
            "worm": self.worms or None,
            "min_named": self.min_named,
            "min_neurons": self.min_neurons,
            "min_duration_s": self.min_duration_s,
            "labeled_only": self.labeled_only,
            "column": self.column or None,
        }


class ReadingSettings(StepSettings):
    """What some files leave open, said once for all of them: the options of `read_recording`."""

    files: str = setting("*", "Which files: a name, or a pattern such as lab_a_*.csv, or the end of a path.")
    rate_hz: float | None = setting(None, "Samples per second, where a file has no times.", unit="Hz", gt=0)
    names: Literal["neurons", "as written"] = setting(
        "neurons", "Headers that name no neuron (1, n12, AVAL?) stay unnamed, or every header is a name."
    )
    time_unit: Literal["", "s", "ms", "us", "min", "h"] = setting(
        "", "Unit of the times, where they would give a rate that no recording has."
    )
    time_column: str = setting("", "Tables: the column that holds the times, where its name does not tell.")
    worm_column: str = setting(
        "",
        "Tables: the column that tells worms or trials apart, where its name does not tell; none: all rows are of one.",
    )
    other_columns: Literal["", "behaviour", "left out", "neurons"] = setting(
        "", "Tables: what becomes of columns that are no neurons and change in the course of a worm."
    )
    signal: str = setting("", "NWB, suite2p, tables with several header rows: which of several sets of traces.")
    dataset: str = setting(
        "", "HDF5: path of the traces in the file; suite2p: plane0, combined, ...; collection: source."
    )
    axes: Literal["", "tn", "nt"] = setting("", "npy, HDF5: time first (tn) or neurons first (nt).")
    fields: dict[str, str] = setting({}, "npz, mat, HDF5: our name of a field (traces, names, t, fs) = its name there.")
    worm: str = setting("", "Only this worm, of a file that holds several.")
    labeled_only: bool = setting(False, "Leave out neurons without a name.")
    column: str = setting("", "Collection: list column of the traces.")
    voxel_size_um: tuple[float, float, float] | None = setting(
        None, "suite2p: voxel size (z, y, x), which makes positions of its pixels.", unit="um"
    )

    def options(self) -> dict[str, Any]:
        """Options that were set, by name."""
        held = {
            k: value for k in type(self).model_fields if k not in ("files", "names") and (value := getattr(self, k))
        }
        return held | ({"names": self.names} if self.names != "neurons" else {})


class InputSettings(StepSettings):
    """What is analyzed; paths are relative to the settings file, and may hold * and ?."""

    recordings: tuple[str, ...] = setting(
        (), "Files with traces: npz, mat, NWB, HDF5, CSV, Parquet; or a folder of CSV files."
    )
    volumes: tuple[VolumeInput, ...] = Field(default=(), description="Worms given as images: [[input.volumes]] tables.")
    reading: tuple[ReadingSettings, ...] = Field(
        default=(), description="How files are read that leave something open: [[input.reading]] tables."
    )
    worms: tuple[str, ...] = setting((), "Use only the worms of these names; all by default.")
    collection: CollectionSettings = Field(
        default_factory=CollectionSettings, description="Which worms of a homogenized collection."
    )
    attributes_file: str = setting(
        "", "CSV about the worms: a column worm, and others such as strain or condition, to compare groups by."
    )
    attributes: dict[str, dict[str, str]] = setting(
        {}, 'The same for single worms: worm1 = { strain = "N2" }; goes before the file.'
    )
    truth: str = setting("", "Folder with the truth of simulated data, to score the recovery against.")


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
