"""OME-Zarr (NGFF 0.4, 0.5, and of 0.6 images that are scaled and moved): volumes and labels, read lazily with axes, scale and units.

In: a folder (or a zip of one) with `multiscales` metadata. Out: a `Volume`. Labels are found in `labels/` below an image.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from ...model.errors import FormatError, InputError
from ...model.voxels import read_voxels
from .. import limits
from ..axes import resolve_axes
from ..choice import ChoiceNeeded
from ..files import existing, files_below, inside, is_plain, members, reading, summary
from ..format import ZIP, Format
from ..once import once
from ..units import micrometres, seconds
from .volume import Stored, Volume, build_volume, check_label_values, sizes_below

ORDER = 10


log = logging.getLogger("napari_dynamic_connectome")
OUR_ATTRIBUTE = "dynamic_connectome"
MARKERS = (".zgroup", ".zattrs", "zarr.json", ".zarray")
METADATA = (*MARKERS, ".zmetadata")


class ZarrArray:
    """A zarr array below a folder or zip, opened again after pickling.

    Parameters
    ----------
    root, name : str
    holes : array of int, shape (n, ndim), optional
        Chunks that are not there (see `missing_chunks`). Their voxels are NaN, and all are floating-point numbers then.
    """

    def __init__(self, root: str, name: str, holes: np.ndarray | None = None) -> None:
        self.root, self.name, self.holes = root, name, holes
        self._open()

    def _open(self) -> None:
        import zarr

        with reading(self.root, "zarr array"):
            try:
                array = zarr.open_array(_store(Path(self.root)), path=self.name, mode="r")
            except Exception as error:
                if "codec" not in str(error).lower():
                    raise
                raise FormatError(
                    f"a codec of this zarr array is not available ({summary(error)})",
                    where=self.root,
                    fix="Install the package that holds it, or write the array again with zstd or gzip.",
                ) from error
        self.array = array
        self.shape = tuple(int(n) for n in array.shape)
        self.dtype = np.dtype(array.dtype)
        self.ndim = len(self.shape)
        shards = getattr(array, "shards", None)
        self.chunks = tuple(int(n) for n in array.chunks)
        if shards and math.prod(shards) * self.dtype.itemsize <= 64e6:
            self.chunks = tuple(int(n) for n in shards)
        self.stored = tuple(int(n) for n in (shards or array.chunks))
        if self.holes is not None:
            self.dtype = np.dtype(np.float32 if self.dtype.itemsize <= 2 else np.float64)

    def __getitem__(self, box: Any) -> np.ndarray:
        with reading(f"{self.root}/{self.name}", "zarr chunk"):
            values = np.asarray(self.array[box])
        return values if self.holes is None else self._with_holes(values.astype(self.dtype), box)

    def _with_holes(self, values: np.ndarray, box: Any) -> np.ndarray:
        """Put NaN where the chunks of a box are not there."""
        assert self.holes is not None
        box = box if isinstance(box, tuple) else (box,)
        if Ellipsis in box:
            at = box.index(Ellipsis)
            box = (*box[:at], *[slice(None)] * (self.ndim - len(box) + 1), *box[at + 1 :])
        box = (*box, *[slice(None)] * (self.ndim - len(box)))
        wanted = [np.atleast_1d(np.arange(n)[b]) for n, b in zip(self.shape, box, strict=True)]
        size = np.asarray(self.stored)
        low = np.array([w.min(initial=n) for w, n in zip(wanted, self.shape, strict=True)])
        high = np.array([w.max(initial=-1) for w in wanted])
        touched = ((self.holes * size <= high) & ((self.holes + 1) * size > low)).all(axis=1)
        whole = values.reshape([len(w) for w in wanted])
        for hole in self.holes[touched]:
            parts = [(w // s) == h for w, s, h in zip(wanted, self.stored, hole, strict=True)]
            whole[np.ix_(*parts)] = np.nan
        return whole.reshape(values.shape)

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "name": self.name, "holes": self.holes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.root, self.name, self.holes = state["root"], state["name"], state["holes"]
        self._open()


def missing_chunks(path: Path, array: ZarrArray) -> np.ndarray:
    """Return the chunks of an array that are not there, as places in the grid of chunks, shape (n, ndim).

    A chunk that was lost cannot be told from one of nothing but the fill value that its writer left out.
    """
    folder = f"{array.name}/" if array.name else ""
    if path.is_dir():
        there = set(files_below(path / array.name))
    else:
        import zipfile

        with reading(path, "zip archive"), zipfile.ZipFile(path) as archive:
            there = {n.removeprefix(folder) for n in archive.namelist() if n.startswith(folder)}
    grid = [-(-n // size) for n, size in zip(array.shape, array.stored, strict=True)]
    key = array.array.metadata.encode_chunk_key
    found = [place for place in np.ndindex(*grid) if key(place) not in there]
    return np.array(found, dtype=np.int64).reshape(len(found), array.ndim)


def _with_chunks_that_are_there(path: Path, array: ZarrArray, where: str, labels: bool) -> tuple[ZarrArray, str]:
    """Return an image whose missing chunks are NaN, and what there is to say; labels keep 0, the background."""
    if labels or array.dtype.kind not in "iuf" or 0 in array.shape:
        return array, ""
    holes = missing_chunks(path, array)
    if not len(holes):
        return array, ""
    of = math.prod(-(-n // size) for n, size in zip(array.shape, array.stored, strict=True))
    remark = f"{len(holes)} of {of} chunks are not there: their voxels are missing (NaN), not 0"
    log.warning("%s: %s", where, remark)
    return ZarrArray(array.root, array.name, holes), remark


@once
def is_zarr(path: Path) -> bool:
    """Whether a folder (or a zip) is a zarr hierarchy."""
    if path.is_dir():
        return any((path / name).is_file() for name in MARKERS)
    return any(name in MARKERS for name in members(path))


def attributes(path: Path, group: str = "") -> dict[str, Any]:
    """Return the attributes of a group, of zarr format 2 or 3; the "ome" block of 0.5 is merged in."""
    found: dict[str, Any] = {}
    for name in ("zarr.json", ".zattrs"):
        text = _read_text(path, str(PurePosixPath(group) / name) if group else name)
        if text is None:
            continue
        with reading(path, f"metadata file {name}"):
            content = json.loads(text)
        if not isinstance(content, dict):
            raise FormatError(
                f"{name} does not hold an object",
                where=str(path),
                fix="It may be damaged or cut off; copy or export it again.",
            )
        found = content.get("attributes", {}) if name == "zarr.json" else content
        break
    if not isinstance(found, dict):
        raise FormatError(
            "the attributes are not an object",
            where=str(path),
            fix="It may be damaged or cut off; copy or export it again.",
        )
    ome = found.get("ome")
    return {**found, **ome} if isinstance(ome, dict) else found


def open_volume(path: str | Path, *, group: str = "", level: int = 0, labels: bool = False, **options: Any) -> Volume:
    """Open one image of an OME-Zarr lazily.

    Parameters
    ----------
    path : str or Path
        The `.zarr` folder or a zip of one.
    group : str
        Image below it. The root by default; in a plate or a collection of several images it has to be named.
    level : int
        Resolution, 0 the finest.
    labels : bool
        Treat it as labels.
    **options
        axes, channel, voxel_size_um, frame_rate_hz: see `build_volume`.
    """
    path = existing(path)
    where = f"{path}/{group}" if group else str(path)
    _check_zip(path)
    _check_members(path, group, where)
    attrs = attributes(path, group)
    scales = attrs.get("multiscales")
    if not scales:
        inner = only_image(path, group)
        if inner is not None:
            return open_volume(path, group=inner, level=level, labels=labels, **options)
        return _plain_array(path, group, attrs, where, labels=labels, **options)
    scale = scales[0] if isinstance(scales, list) and scales else None
    if not isinstance(scale, dict) or not isinstance(scale.get("datasets"), list) or not scale["datasets"]:
        raise FormatError("the multiscales metadata lists no datasets", where=where, fix="Export the image again.")
    scale = _with_axes(scale, where)
    datasets = scale["datasets"]
    if not 0 <= level < len(datasets):
        raise InputError(f"there is no resolution level {level}", where=where, fix=f"There are {len(datasets)}.")
    names = [_array_name(path, group, item, where) for item in datasets]
    main = ZarrArray(str(path), names[level])
    _check_array(path, main, where)
    found = [a.get("name", "") if isinstance(a, dict) else str(a) for a in _listed(scale, "axes", where)]
    letters = resolve_axes(found or None, main.shape, options.get("axes"), where)
    size, rate = _scales(scale, datasets[level], letters, where, options)
    coarser = []
    for name in names[level + 1 :]:
        array = ZarrArray(str(path), name)
        if array.ndim == main.ndim:
            coarser.append(array)
    ours = attrs.get(OUR_ATTRIBUTE) if isinstance(attrs.get(OUR_ATTRIBUTE), dict) else {}
    assert isinstance(ours, dict)
    main, remark = _with_chunks_that_are_there(path, main, where, labels)
    return build_volume(
        Stored(main, found or None, size, rate, _channel_names(attrs), coarser),
        where,
        labels=labels,
        time_s=_times(ours, main.shape, letters, where),
        stimuli=_stimuli(ours, where),
        remark=remark,
        **_label_properties(attrs, where, math.prod(main.shape)),
        **options,
    )


def open_labels(path: str | Path, *, group: str | None = None, name: str | None = None, **options: Any) -> Volume:
    """Open labels: the group `labels/<name>` of an image, or an OME-Zarr that is itself labels.

    Parameters
    ----------
    path : str or Path
    group : str, optional
        Where the labels lie ("." for the image itself), their name below the image, or the image that they lie below; found by itself if there is only one.
    name : str, optional
        Which of several labels of an image.
    **options
        See `build_volume`.
    """
    path = existing(path)
    _check_zip(path)
    if group == ".":
        group = only_image(path) or ""
    elif (
        group and name is None and not has_labels(path, group) and group in _listed_labels(path, only_image(path) or "")
    ):
        group = _find_labels(path, group, None)
    elif group is None or (group and "image-label" not in attributes(path, group) and has_labels(path, group)):
        group = _find_labels(path, name, group)
    volume = open_volume(path, group=group, labels=True, **options)
    check_first_frame(volume, f"{path}/{group}" if group else str(path))
    return volume


def check_first_frame(volume: Volume, where: str) -> None:
    """Check labels for negative values: all of static ones, the first frame of others."""
    part = volume.data if volume.data.ndim == 3 else volume.data[0]
    if part.nbytes <= limits.GIB:
        check_label_values(read_voxels(part, scheduler="synchronous"), where)


def _listed_labels(path: Path, base: str) -> list[str]:
    """Return the names of the labels below an image, each once."""
    listed = attributes(path, f"{base}/labels" if base else "labels").get("labels")
    if not isinstance(listed, list):
        listed = attributes(path, base).get("labels")
    return list(dict.fromkeys(str(item) for item in listed)) if isinstance(listed, list) else []


def _find_labels(path: Path, name: str | None, image: str | None) -> str:
    base = image if image is not None else (only_image(path) or "")
    attrs = attributes(path, base)
    if "image-label" in attrs:
        return base
    below = f"{base}/labels" if base else "labels"
    listed = _listed_labels(path, base)
    if not listed:
        called_labels = any(word in path.name.lower() for word in ("label", "mask", "seg"))
        if name is None and (called_labels or not attrs.get("multiscales")):
            return base  # labels that some other program wrote as a plain image; their type is checked
        raise InputError(
            "there are no labels in this OME-Zarr",
            where=str(path),
            fix='Give the labels\' own file; if the voxels of this image are labels, pass dataset=".".',
        )
    if name is not None:
        if name not in listed:
            raise InputError(f"there are no labels '{name}'", where=str(path), fix=f"Found: {', '.join(listed)}.")
        return f"{below}/{name}"
    if len(listed) > 1:
        raise ChoiceNeeded(
            "there are several labels",
            where=str(path),
            fix=f"Pass dataset= one of: {', '.join(listed)}.",
            option="dataset",
            choices=listed,
        )
    return f"{below}/{listed[0]}"


def only_image(path: Path, group: str = "") -> str | None:
    """Return the group of the one image of a collection; None where the group is itself an image, or holds none.

    Raises
    ------
    ChoiceNeeded
        If the collection (a plate, a well, several series of one file) holds several.
    """
    attrs = attributes(path, group)
    if attrs.get("multiscales"):
        return None
    found = _images_below(path, group, attrs)
    if len(found) > 1:
        raise ChoiceNeeded(
            f"this OME-Zarr holds {len(found)} images",
            where=f"{path}/{group}" if group else str(path),
            fix=f"Pass dataset= one of: {', '.join(found[:10])}{', ...' if len(found) > 10 else ''}.",
            option="dataset",
            choices=found,
        )
    return found[0] if found else None


def _images_below(path: Path, group: str, attrs: Mapping[str, Any]) -> list[str]:
    """Return the groups of all images of a plate, a well, or a collection of series."""

    def join(*parts: str) -> str:
        return "/".join(p for p in parts if p)

    def paths(block: Any, key: str) -> list[str]:
        items = block.get(key) if isinstance(block, dict) else None
        return [str(i["path"]) for i in items or () if isinstance(i, dict) and isinstance(i.get("path"), str)]

    if "plate" in attrs:
        wells = [join(group, w) for w in paths(attrs["plate"], "wells")]
        return [join(w, i) for w in wells for i in paths(attributes(path, w).get("well"), "images")]
    if "well" in attrs:
        return [join(group, i) for i in paths(attrs["well"], "images")]
    listed = attributes(path, join(group, "OME")).get("series")
    names = [str(s) for s in listed] if isinstance(listed, list) else _group_names(path, group)
    return [join(group, n) for n in names if attributes(path, join(group, n)).get("multiscales")]


def _group_names(path: Path, group: str) -> list[str]:
    """Return the names of the groups in a group, numbers in their order."""
    if path.is_dir():
        folder = inside(path, group, str(path)) if group else path
        names = [p.name for p in folder.iterdir() if p.is_dir() and any((p / m).is_file() for m in MARKERS)]
    else:
        import zipfile

        start = f"{group}/" if group else ""
        with reading(path, "zip archive"), zipfile.ZipFile(path) as archive:
            inner = {n.removeprefix(start) for n in archive.namelist()[: limits.MAX_MEMBERS] if n.startswith(start)}
        names = list({n.split("/")[0] for n in inner if n.count("/") == 1 and n.split("/")[1] in MARKERS})
    return sorted(names, key=lambda n: (not n.isdigit(), int(n) if n.isdigit() else 0, n))[: limits.MAX_MEMBERS]


def has_labels(path: str | Path, group: str = "") -> bool:
    """Whether an OME-Zarr image has labels below it."""
    listed = attributes(Path(path), f"{group}/labels" if group else "labels").get("labels")
    return isinstance(listed, list) and len(listed) > 0


def is_labels(path: str | Path, group: str = "") -> bool:
    """Whether an OME-Zarr (or a group of one) is itself labels."""
    return "image-label" in attributes(Path(path), group)


def _plain_array(path: Path, group: str, attrs: dict[str, Any], where: str, *, labels: bool, **options: Any) -> Volume:
    """Open a zarr array without multiscales metadata: its axes come from dimension names or the user."""
    import zarr

    with reading(where, "zarr"):
        node = zarr.open(_store(path), path=group or None, mode="r")
    if isinstance(node, zarr.Group):
        with reading(where, "zarr"):
            arrays = sorted(name for name, _ in node.arrays())
        if not arrays:
            raise FormatError(
                "this zarr group holds no image",
                where=where,
                fix="Choose the folder with .zattrs or zarr.json of the image.",
            )
        if len(arrays) > 1:
            raise ChoiceNeeded(
                "this zarr group has several arrays and no multiscales metadata",
                where=where,
                fix=f"Pass dataset= one of: {', '.join(arrays[:10])}.",
                option="dataset",
                choices=[f"{group}/{name}" if group else name for name in arrays],
            )
        group = f"{group}/{arrays[0]}" if group else arrays[0]
    array = ZarrArray(str(path), group)
    _check_array(path, array, where)
    array, remark = _with_chunks_that_are_there(path, array, where, labels)
    names = attrs.get("_ARRAY_DIMENSIONS") or getattr(array.array.metadata, "dimension_names", None)
    found = [str(n or "") for n in names] if names else None
    return build_volume(Stored(array, found), where, labels=labels, remark=remark, **options)


def _store(path: Path) -> Any:
    if path.is_dir():
        return str(path)
    from zarr.storage import ZipStore

    return ZipStore(path, mode="r")


def _check_zip(path: Path) -> None:
    if path.is_dir():
        return
    import zipfile

    with reading(path, "zip archive"), zipfile.ZipFile(path) as archive:
        for item in archive.infolist():
            parts = PurePosixPath(item.filename.replace("\\", "/")).parts
            if item.filename.startswith(("/", "\\")) or ".." in parts:
                raise FormatError(
                    f"the archive member '{item.filename[:100]}' leads out of the archive",
                    where=str(path),
                    fix="Get the file from a source you trust.",
                )
            limits.check_expansion(item.compress_size, item.file_size, str(path))


def _check_members(path: Path, group: str, where: str) -> None:
    """Refuse a folder with a pipe or a device in the place of a chunk or of metadata: reading it could go on for ever."""
    if not path.is_dir():
        return
    top = inside(path, group, where)
    outer = [parent / name for parent in top.parents if parent.is_relative_to(path.resolve()) for name in METADATA]
    for file in outer:
        if file.exists() and not is_plain(file):
            raise FormatError(
                "this is neither a file nor a folder (a pipe, a device?)", where=str(file), fix="Copy the folder again."
            )
    if top.is_dir():
        for _ in files_below(top):
            pass


def _read_text(path: Path, name: str) -> str | None:
    if path.is_dir():
        file = inside(path, name, str(path))
        try:
            there = file.is_file()
        except (OSError, ValueError):  # a name that no file can have
            there = False
        if not there:
            return None
        limits.check_size(file.stat().st_size, limits.MAX_JSON_BYTES, str(file), "the metadata")
        with reading(file, "metadata file"):
            return file.read_text(encoding="utf-8")
    import zipfile

    with reading(path, "zip archive"), zipfile.ZipFile(path) as archive:
        try:
            item = archive.getinfo(name)
        except KeyError:
            return None
        limits.check_size(item.file_size, limits.MAX_JSON_BYTES, str(path), "the metadata")
        return archive.read(item).decode("utf-8")


def _array_name(path: Path, group: str, item: Any, where: str) -> str:
    name = item.get("path") if isinstance(item, dict) else None
    if not isinstance(name, str) or not name:
        raise FormatError(
            "a dataset of the multiscales metadata has no path",
            where=where,
            fix="It may be damaged or cut off; copy or export it again.",
        )
    full = str(PurePosixPath(group) / name) if group else name
    if path.is_dir():
        inside(path, full, where)
        if ".." in PurePosixPath(full).parts:
            _check_members(path, full, where)
        if not (path / full).is_dir():
            raise FormatError(
                f"the array '{name}' that the metadata names is not there",
                where=where,
                fix="Copy the whole folder again.",
            )
    elif ".." in PurePosixPath(full).parts or full.startswith("/"):
        raise FormatError(
            f"the path '{name[:100]}' leads out of the archive",
            where=where,
            fix="Get the file from a source you trust.",
        )
    return full


def _with_axes(scale: dict[str, Any], where: str) -> dict[str, Any]:
    """Return multiscales of NGFF 0.6 as those of 0.5: axes of the coordinate system that the datasets lead to, plain steps."""
    systems = [s for s in _listed(scale, "coordinateSystems", where) if isinstance(s, dict)]
    if not systems or "axes" in scale:
        return scale
    datasets = [d for d in scale["datasets"] if isinstance(d, dict)]
    plain, goals = [], []
    for dataset in datasets:
        steps: list[Any] = []
        for step in _listed(dataset, "coordinateTransformations", where):
            held = step if isinstance(step, dict) else {}
            output = held.get("output")
            goals.append(output.get("name") if isinstance(output, dict) else output)
            steps += _listed(held, "transformations", where) if held.get("type") == "sequence" else [held]
        other = next((str(s.get("type")) for s in steps if isinstance(s, dict) and s.get("type") not in _STEPS), None)
        if other is not None:
            raise FormatError(
                f"the image is placed by a transformation of the type '{other[:30]}'",
                where=where,
                fix="Only scale and translation are read: export the image again without it.",
            )
        plain.append({**dataset, "coordinateTransformations": steps})
    system = next((s for s in systems if s.get("name") in goals), systems[0])
    return {**scale, "axes": _listed(system, "axes", where), "datasets": plain, "coordinateTransformations": []}


_STEPS = ("scale", "translation", "identity")


def _check_array(path: Path, array: ZarrArray, where: str) -> None:
    chunk = math.prod(array.chunks) * array.dtype.itemsize
    limits.check_size(chunk, limits.MAX_CHUNK_BYTES, where, "one chunk")
    if path.is_dir():
        limits.check_sparse(math.prod(array.shape) * array.dtype.itemsize, sizes_below(path / array.name), where)


def _scales(
    scale: dict[str, Any], dataset: dict[str, Any], letters: str, where: str, asked: Mapping[str, Any]
) -> tuple[list[float], float]:
    """Return voxel size (z, y, x) in um and frames a second, NaN where the file is silent."""
    factors = np.ones(len(letters))
    given = False
    for holder in (scale, dataset):
        for step in _listed(holder, "coordinateTransformations", where):
            if not isinstance(step, dict) or step.get("type") != "scale":
                continue
            values = step.get("scale")
            if not isinstance(values, list):
                values = []
            numbers = all(_is_finite(v) for v in values)
            if not numbers or len(values) != len(letters) or min(values) <= 0:
                raise FormatError(
                    f"the scale {str(values)[:80]} does not fit {len(letters)} axes",
                    where=where,
                    fix="Correct the metadata, or export again.",
                )
            factors *= np.asarray(values, float)
            given = True
    size, rate = [math.nan] * 3, math.nan
    if not given:
        return size, rate
    axes = [a if isinstance(a, dict) else {} for a in _listed(scale, "axes", where)]
    axes = axes if len(axes) == len(letters) else [{}] * len(letters)
    for letter, axis, factor in zip(letters, axes, factors, strict=True):
        if letter in "zyx":
            unit = micrometres(axis.get("unit"), where, asked=asked.get("voxel_size_um"))
            size["zyx".index(letter)] = float(factor * unit) if unit else math.nan
        elif letter == "t":
            unit = seconds(axis.get("unit"), where, asked=asked.get("frame_rate_hz"))
            rate = float(1.0 / (factor * unit)) if unit else math.nan
    if "z" not in letters and math.isfinite(size[1]):
        size[0] = 1.0  # a single plane has no depth; any size does
    return size, rate


def _channel_names(attrs: Mapping[str, Any]) -> list[str]:
    omero = attrs.get("omero")
    channels = omero.get("channels") if isinstance(omero, dict) else None
    if not isinstance(channels, list):
        return []
    return [str(c.get("label", i)) if isinstance(c, dict) else str(i) for i, c in enumerate(channels)]


def _listed(block: Mapping[str, Any], key: str, where: str) -> list[Any]:
    """Return the list under a key of the metadata; empty where there is none."""
    found = block.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise FormatError(
            f"{key} in the metadata is {str(found)[:40]!r}, not a list",
            where=where,
            fix="Correct the metadata, or export the image again.",
        )
    return found


def _is_finite(value: Any) -> TypeGuard[float]:
    """Whether a value of JSON is a number that a float can hold."""
    try:
        return isinstance(value, (int, float)) and math.isfinite(value)
    except OverflowError:
        return False


def _times(ours: Mapping[str, Any], shape: Sequence[int], letters: str, where: str) -> np.ndarray | None:
    if "t" not in letters:
        return None
    n = shape[letters.index("t")]
    listed = ours.get("time_s")
    if isinstance(listed, list) and len(listed) == n:
        odd = [v for v in listed if not _is_finite(v)]
        if odd:
            raise FormatError(
                f"the time {str(odd[0])[:40]!r} of a frame is not a number",
                where=where,
                fix="Correct time_s in the metadata, or write the image again.",
            )
        return np.asarray(listed, float)
    start, rate = ours.get("time_start_s"), ours.get("frame_rate_hz")
    if _is_finite(start) and _is_finite(rate) and rate > 0 and start != 0:
        return np.asarray(start + np.arange(n) / rate, float)
    return None


def _stimuli(ours: Mapping[str, Any], where: str) -> pd.DataFrame | None:
    rows = ours.get("stimuli")
    if not isinstance(rows, list) or not rows or not all(isinstance(r, dict) for r in rows):
        return None
    from ...model.recording import check_stimuli

    return check_stimuli(pd.DataFrame(rows), where)


def _label_properties(attrs: Mapping[str, Any], where: str, n_voxels: int) -> dict[str, Any]:
    block = attrs.get("image-label")
    rows = block.get("properties") if isinstance(block, dict) else None
    if not isinstance(rows, list) or not rows:
        return {}
    rows = [r for r in rows if isinstance(r, dict) and isinstance(r.get("label-value"), int)]
    if not rows:
        return {}
    if len(rows) > n_voxels:
        raise FormatError(
            f"{len(rows)} labels are described for {n_voxels} voxels",
            where=where,
            fix="The metadata belongs to another image.",
        )
    table = pd.DataFrame(rows).rename(columns={"label-value": "label"})
    if table["label"].duplicated().any():
        raise FormatError(
            f"label {table['label'][table['label'].duplicated()].iloc[0]} is described twice",
            where=where,
            fix="Correct image-label.properties.",
        )
    names: dict[int, str] = {}
    if "name" in table:
        names = {int(i): str(n) for i, n in zip(table["label"], table["name"], strict=True) if isinstance(n, str) and n}
    return {"properties": table, "names": names}


def _knows(path: Path, start: bytes) -> bool:
    if path.is_dir():
        return is_zarr(path) and not isinstance(attributes(path).get("geff"), dict)
    return start.startswith(ZIP) and is_zarr(path)


FORMAT = Format(
    key="omezarr",
    title="OME-Zarr 0.4 to 0.6",
    patterns=("*.zarr", "*.zarr.zip", "*.ozx"),
    holds=("volume", "labels"),
    writes=("labels",),
    note="Multiscale, several channels, labels below the image; axes, scale and units from the metadata.",
    knows=_knows,
    dataset="group",
    labels_inside=True,
)
