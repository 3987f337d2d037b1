"""Settings of what is analyzed: files, worms given as images, and what files leave open; loads nothing of the steps."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ..model.settings import StepSettings, setting


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
