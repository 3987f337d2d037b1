"""Layer data of any readable file, without napari: what drag and drop shows.

In: a path. Out: a list of (data, keyword arguments, layer type). Images and labels become layers; a recording becomes points
at its positions with names and the recording itself in the metadata; connectomes and small tables are refused with a reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..model.errors import DynamicConnectomeError, FormatError, InputError
from ..model.recording import Recording
from . import limits
from .choice import ChoiceNeeded
from .format import About
from .once import once, opening
from .registry import all_formats, holds_centres, identify, open_labels, open_volume, options_of_traces, read_recordings
from .sniffing import table_kind
from .volumes.volume import Volume

LayerData = tuple[Any, dict[str, Any], str]
METADATA_KEY = "dynamic_connectome"


def patterns() -> tuple[str, ...]:
    """Return the file name patterns of every format, for the manifest's reader."""
    return tuple(dict.fromkeys(p for f in all_formats() for p in f.patterns))


def can_read(path: str | Path | Sequence[str]) -> bool:
    """Whether `read_layers` knows the format of a path (looks at the first bytes only)."""
    items = [path] if isinstance(path, (str, Path)) else list(path)
    try:
        return bool(items) and all(identify(p) is not None for p in items)
    except DynamicConnectomeError:
        return False


def reader(path: str | Path | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Return `read_layers` if it can read the path, else None; the form that npe2 readers have.

    Parameters
    ----------
    path : str or list of str
    """
    return read_layers if can_read(path) else None


IMAGE_OPTIONS = ("axes", "dataset", "channel", "voxel_size_um", "frame_rate_hz")
"""Options of images that a person may give; a rate is `frame_rate_hz` there."""


@once
def about(path: str | Path) -> About:
    """Say whether a file holds an image, traces, both (NWB) or something else (a table, centres, a connectome).

    Parameters
    ----------
    path : str or Path
    """
    path = Path(path)
    form = identify(path)
    if form.about is not None:
        return form.about(path)
    if "table" in form.holds:
        return "traces" if table_kind(path) == "traces" else "other"
    if "recording" in form.holds:
        return "both" if "volume" in form.holds else "traces"
    return "image" if "volume" in form.holds else "other"


@once
def is_centres(path: str | Path) -> bool:
    """Whether a file or folder holds tracked centres of neurons.

    Parameters
    ----------
    path : str or Path
    """
    form = identify(path)
    return holds_centres(path) and ("table" not in form.holds or table_kind(path) == "centres")


@opening()
def fitting(path: str | Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of the options that were given for several files at once which concern this one.

    Parameters
    ----------
    path : str or Path
    options : mapping
        Options of `read_recordings` and `open_volume`; `rate_hz` is the frame rate of an image, `axes` those of traces ("tn",
        "nt") or of an image.
    """
    what = about(path)
    if what == "other" and is_centres(path):
        return {k: v for k, v in options.items() if k in CENTRE_OPTIONS}
    known = options_of_traces(path) - {"axes"}
    of_traces = {k: v for k, v in options.items() if k in known}
    of_images = {k: v for k, v in options.items() if k in IMAGE_OPTIONS and k != "axes"}
    if "rate_hz" in options:
        of_images.setdefault("frame_rate_hz", options["rate_hz"])
    axes = options.get("axes")
    if axes:
        (of_traces if axes in ("tn", "nt") else of_images)["axes"] = axes
    if what == "both":
        return {**of_images, **of_traces} if axes not in ("tn", "nt") else of_traces
    return of_traces if what == "traces" else of_images if what == "image" else {}


@opening()
def read_layers(path: str | Path | Sequence[str], **options: Any) -> list[LayerData]:
    """Read a file (or several) as layer data.

    Parameters
    ----------
    path : str, Path or sequence of them
    **options
        Passed to `open_volume` (axes=, ...).

    Returns
    -------
    list of (data, dict, str)
        "image", "labels" or "points" layers; the metadata of points holds the `Recording`.

    Raises
    ------
    InputError
        With what to do.
    """
    if not isinstance(path, (str, Path)):
        return [layer for item in path for layer in read_layers(item, **options)]
    path = Path(path)
    form = identify(path)
    if form.key == "omezarr":
        return _zarr_layers(path, options)
    what = about(path)
    if what == "image":
        return _image_layers(path, options)
    if what == "both":
        return _nwb_layers(path, options)
    if is_centres(path):
        return [centres_layer(path, **{k: v for k, v in options.items() if k in (*CENTRE_OPTIONS, "asking")})]
    if what == "other":
        raise InputError(
            f"this table holds {_HOLDS[table_kind(path)]}, which is no layer",
            where=str(path),
            fix="Open it in napari with the plugin's docks, or read it with the functions of io.",
        )
    return [recording_layer(r) for r in read_recordings(path, **options)]


_HOLDS = {
    "stimuli": "stimuli",
    "behaviour": "behaviour",
    "names": "names of labels",
    "neurons": "a list of neurons",
    "connectome": "a connectome",
}


def _name(path: Path) -> str:
    return path.name.split(".")[0] or path.name


def _zarr_layers(path: Path, options: dict[str, Any]) -> list[LayerData]:
    from .volumes.omezarr import attributes, has_labels, is_labels, only_image

    group = str(options.pop("dataset", "") or only_image(path) or "")
    title = f"{_name(path)} {group}".strip()
    if is_labels(path, group):
        return [labels_layer(open_labels(path, group=group, **options), title)]
    layers = image_layers(open_volume(path, group=group, **options), title)
    if has_labels(path, group):
        below = f"{group}/labels" if group else "labels"
        for name in attributes(path, below).get("labels", []):
            layers.append(labels_layer(open_labels(path, group=f"{below}/{name}"), f"{title} {name}"))
    return layers


def _image_layers(path: Path, options: dict[str, Any]) -> list[LayerData]:
    called_labels = any(word in path.name.lower() for word in ("label", "mask", "segmentation"))
    if called_labels:
        volume = open_volume(path, **options)
        if volume.dtype.kind in "ui":
            return [labels_layer(open_labels(path, **options), _name(path))]
        return image_layers(volume, _name(path))
    return image_layers(open_volume(path, **options), _name(path))


def _nwb_layers(path: Path, options: dict[str, Any]) -> list[LayerData]:
    from .formats.nwb import image_series
    from .volumes.hdf5 import opened

    layers: list[LayerData] = []
    problems: list[DynamicConnectomeError] = []
    images = ("axes", "channel", "voxel_size_um", "frame_rate_hz")
    about_images = {k: v for k, v in options.items() if k in images}
    about_traces = {k: v for k, v in options.items() if k not in images}
    with opened(path, "NWB file") as file:
        series = [k for k, shape in image_series(file, str(path)).items() if 0 not in shape]
    for dataset in series:
        try:
            layers += image_layers(open_volume(path, dataset=dataset, **about_images), dataset.rsplit("/", 1)[-1])
        except DynamicConnectomeError as error:
            problems.append(error)
    try:
        layers += [recording_layer(r) for r in read_recordings(path, **about_traces)]
    except ChoiceNeeded:
        raise  # a question is not passed over because there are images
    except DynamicConnectomeError as error:
        problems.append(error)
    if not layers:
        raise problems[0]
    return layers


def image_layers(volume: Volume, name: str) -> list[LayerData]:
    """Return an image layer for every channel of a volume.

    Parameters
    ----------
    volume : Volume
    name : str
    """
    if len(volume.channels) > limits.MAX_CHANNELS:
        raise FormatError(
            f"the image has {len(volume.channels)} channels (limit {limits.MAX_CHANNELS})",
            where=name,
            fix="The axes may be mixed up: say what they are, or the file is damaged.",
        )
    layers: list[LayerData] = []
    colours = ("gray",) if len(volume.channels) == 1 else ("green", "red", "cyan", "yellow", "magenta", "blue")
    for index, channel in enumerate(volume.channels):
        data = volume.all_channels[:, index]
        title = name if len(volume.channels) == 1 else f"{name} {channel}"
        keywords: dict[str, Any] = {
            "name": title,
            **_place(volume, data.ndim),
            "colormap": colours[index % len(colours)],
            "blending": "additive" if len(volume.channels) > 1 else "translucent_no_depth",
            "metadata": {METADATA_KEY: _about(volume, name) | {"array": _id(data), "channel": index}},
        }
        layers.append((data, keywords, "image"))
    return layers


def labels_layer(volume: Volume, name: str) -> LayerData:
    """Return a labels layer; the names of the neurons are in its features.

    Parameters
    ----------
    volume : Volume
    name : str
    """
    import pandas as pd

    names = volume.names
    features = pd.DataFrame({"index": [0, *names], "name": ["", *names.values()]})
    data = volume.data
    if data.dtype.itemsize > 2 or data.dtype.kind == "i":
        # 8 and 16 bit labels are drawn several times faster; larger ids keep their type
        kind = np.uint32 if data.dtype.itemsize <= 4 else np.uint64
        data = data.astype(kind)
    keywords: dict[str, Any] = {
        "name": name,
        **_place(volume, data.ndim),
        "features": features,
        "metadata": {METADATA_KEY: _about(volume, name) | {"array": _id(data)}},
    }
    return data, keywords, "labels"


CENTRE_OPTIONS = ("units", "radius_um")
"""Options of tables of centres that a person may give."""


def centres_layer(path: Path, *, units: str = "", radius_um: float | None = None, asking: bool = False) -> LayerData:
    """Return tracked centres as a points layer (t, z, y, x), in frames and in what the table has them in.

    Parameters
    ----------
    path : Path
        See `centres.read_centres`.
    units : {"", "voxels", "um"}
        What z, y, x are given in; by default what the file says, else voxels.
    radius_um : float, optional
        Of a neuron, for labels that are made of the centres.
    asking : bool
        Ask for what neither the file nor the options say.

    Raises
    ------
    ChoiceNeeded
        Units, radius.
    """
    from .formats.centres import UNITS, read_centres

    table = read_centres(path)
    said = str(table.attrs.get("units", ""))
    if asking and not (units or said):
        raise ChoiceNeeded(
            "the table of centres does not say what z, y and x are given in",
            where=str(path),
            fix="Pass units=voxels (of the image) or units=um.",
            option="units",
            choices=("voxels", "um"),
        )
    if asking and radius_um is None:
        raise ChoiceNeeded(
            "a table of centres does not say how large the neurons are",
            where=str(path),
            fix="Pass radius_um=, the radius of a neuron in micrometres.",
            option="radius_um",
        )
    if (units or "voxel").lower() not in UNITS:
        raise InputError(f"units '{units}' are not known", where=str(path), fix="Choose voxels or um.")
    held = UNITS[(units or said or "voxel").lower()]
    in_um = held == "um"
    keywords: dict[str, Any] = {
        "name": _name(path),
        "features": table[["id", "name"]],
        "size": 2 * radius_um if in_um and radius_um else 3.0,
        "units": ("pixel", *("um" if in_um else "pixel",) * 3),
        "metadata": {METADATA_KEY: {"centres": str(path), "units": held, "radius_um": radius_um}},
    }
    return table[["frame", "z", "y", "x"]].to_numpy(float), keywords, "points"


def recording_layer(recording: Recording) -> LayerData:
    """Return a points layer (z, y, x in um) of the neurons of a recording whose position is known.

    Parameters
    ----------
    recording : Recording
    """
    known = np.isfinite(recording.positions_um).all(axis=1)
    keywords: dict[str, Any] = {
        "name": recording.name,
        "features": recording.neurons[known].drop(columns=["z", "y", "x"]).reset_index(),
        "size": 3.0,
        "units": ("um", "um", "um"),
        "metadata": {METADATA_KEY: {"recording": recording}},
    }
    return recording.positions_um[known], keywords, "points"


def _about(volume: Volume, name: str) -> dict[str, Any]:
    """Return what the docks take from a layer: plain values, None where the file does not say."""
    size, rate = volume.voxel_size_um, volume.frame_rate_hz
    return {
        "name": name,
        "path": volume.reference.path,
        "voxel_size_um": size if all(math.isfinite(v) for v in size) else None,
        "frame_rate_hz": rate if math.isfinite(rate) else None,
        "time_s": None if volume.time_s is None else [float(t) for t in volume.time_s],
        "stimuli": volume.stimuli,
        "names": dict(volume.names) or None,
    }


def _id(data: Any) -> str | None:
    """Return the name of a dask array, by which a layer is known to hold what its file holds still."""
    name = getattr(data, "name", None)
    return None if name is None else str(name)


def _place(volume: Volume, n_axes: int) -> dict[str, Any]:
    """Return scale and units of a layer: micrometres and seconds where known, else voxels and frames."""
    known = all(math.isfinite(v) for v in volume.voxel_size_um)
    space = volume.voxel_size_um if known else (1.0, 1.0, 1.0)
    units = ("um" if known else "pixel",) * 3
    if n_axes == 3:
        return {"scale": space, "units": units}
    rate = volume.frame_rate_hz
    timed = math.isfinite(rate)
    return {"scale": (1.0 / rate if timed else 1.0, *space), "units": ("s" if timed else "pixel", *units)}
