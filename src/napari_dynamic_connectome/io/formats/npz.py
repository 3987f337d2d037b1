"""NumPy files: recordings as npz (never with pickle), arrays of voxels as npy or npz.

In: a file. Out: a `Recording` or a `Volume`. What a member declares is compared with its bytes before it is loaded.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from ...model.errors import FormatError, InputError
from ...model.recording import Recording
from .. import limits
from ..choice import ChoiceNeeded
from ..files import atomic_file, existing, head, reading, summary
from ..format import ZIP, About, Format
from ..once import once
from ..volumes.volume import Stored, Volume, build_volume
from .fields import ALIASES, recording_fields, recording_from_fields

ORDER = 60


@once
def load_fields(path: Path) -> dict[str, np.ndarray]:
    """Return all arrays of an npz after checking every header.

    Raises
    ------
    FormatError
        If a member holds pickled objects, declares more than it stores, expands beyond reason or has an odd path.
    """
    where = str(path)
    fields: dict[str, np.ndarray] = {}
    total = 0
    with reading(where, "npz file"), zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        if len(members) > limits.MAX_MEMBERS:
            raise FormatError(f"the archive has {len(members)} members", where=where, fix="Save one worm a file.")
        for item in members:
            parts = PurePosixPath(item.filename.replace("\\", "/")).parts
            if item.filename.startswith(("/", "\\")) or ".." in parts:
                raise FormatError(
                    f"the member '{item.filename[:100]}' leads out of the archive",
                    where=where,
                    fix="Get the file from a source you trust.",
                )
            if not item.filename.endswith(".npy"):
                raise FormatError(
                    f"the member '{item.filename[:100]}' is not an array", where=where, fix="Save with numpy.savez."
                )
            total += item.file_size
            limits.check_size(total, limits.MAX_RECORDING_BYTES, where)
            limits.check_expansion(item.compress_size, item.file_size, where)
            key = item.filename.removesuffix(".npy")
            with archive.open(item) as stream:
                shape, fortran, dtype = _header(stream, f"{where}:{key}", item.file_size)
                raw = stream.read()
            count = math.prod(shape)
            if len(raw) != count * dtype.itemsize:
                raise FormatError(
                    f"'{key}' declares {limits.human(count * dtype.itemsize)} but holds {limits.human(len(raw))}",
                    where=where,
                    fix="It may be damaged or cut off; copy or export it again.",
                )
            array = np.frombuffer(raw, dtype=dtype, count=count) if count else np.empty(0, dtype)
            fields[key] = array.reshape(shape[::-1]).T if fortran else array.reshape(shape)
    return fields


def _header(stream: IO[bytes], where: str, size: int | None) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    from numpy.lib import format as module

    npy: Any = module

    try:
        version = npy.read_magic(stream)
        reader = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, fortran, dtype = reader(stream)
    except Exception as error:
        raise FormatError(
            f"the header of this array cannot be read ({summary(error)})",
            where=where,
            fix="It may be damaged or cut off; copy or export it again.",
        ) from error
    if dtype.hasobject:
        raise FormatError(
            "this array holds pickled Python objects, which can run programs when they are loaded",
            where=where,
            fix="Save plain arrays (numpy.savez without objects).",
        )
    if any(n < 0 for n in shape):
        raise FormatError(
            f"the shape {shape} is negative", where=where, fix="It may be damaged or cut off; copy or export it again."
        )
    declared = math.prod(shape) * dtype.itemsize
    if size is not None and declared > size:
        raise FormatError(
            f"the header declares {limits.human(declared)}, the file holds {limits.human(size)}",
            where=where,
            fix="It is damaged or cut off.",
        )
    return tuple(int(n) for n in shape), bool(fortran), dtype


def read_recordings(
    path: str | Path,
    *,
    name: str = "",
    rate_hz: float | None = None,
    fields: Mapping[str, str] | None = None,
    axes: str | None = None,
) -> list[Recording]:
    """Read the recording of an npz, or traces without names from an npy of two axes.

    Parameters
    ----------
    path : str or Path
    name : str
        Instead of the name in the file.
    rate_hz : float, optional
        Instead of the times in the file; needed for an npy.
    fields : mapping of str to str, optional
        Our name of a field ("traces", "names", "t", "fs") -> its name in the file.
    axes : {"tn", "nt"}, optional
        Of an npy: time first, or neurons first.

    Raises
    ------
    ChoiceNeeded
        An npy says neither which of its axes is time nor how fast it was sampled.
    """
    path = existing(path)
    if head(path, 6) == b"\x93NUMPY":
        return [_bare_traces(path, name or path.name.split(".")[0], rate_hz, axes)]
    held = load_fields(path)
    if not name and not any(k in held for k in ("worm", "name", "uid")):
        name = path.name.split(".")[0]
    return [recording_from_fields(held, str(path), name=name, rate_hz=rate_hz, mapping=fields)]


def _bare_traces(path: Path, name: str, rate_hz: float | None, axes: str | None) -> Recording:
    """Read an npy of two axes; all its neurons are unnamed."""
    where = str(path)
    values = plain_array(path)
    shape = values.shape
    if values.ndim != 2:
        raise InputError(
            f"this array has {values.ndim} axes; traces have 2",
            where=where,
            fix="Save the traces as (time, neuron); if these are voxels, open the file as an image.",
        )
    if axes is None:
        raise ChoiceNeeded(
            f"this array of shape {shape} does not say which axis is time",
            where=where,
            fix='Pass axes="tn" (time, neuron) or axes="nt" (neuron, time); an npz with names and t says it by itself.',
            option="axes",
            choices=("tn", "nt"),
            example="tn" if shape[0] >= shape[1] else "nt",
        )
    if axes not in ("tn", "nt"):
        raise InputError(f"axes cannot be '{axes}'", where=where, fix='Choose "tn" or "nt".')
    traces = values if axes == "tn" else values.T
    return recording_from_fields({"traces": traces}, where, name=name, rate_hz=rate_hz)


def plain_axes(path: str | Path) -> int:
    """Return how many axes the array of an npy has; its values are not read.

    Parameters
    ----------
    path : str or Path
    """
    return len(plain_shape(path))


def plain_shape(path: str | Path) -> tuple[int, ...]:
    """Return the shape of the array of an npy; its values are not read.

    Parameters
    ----------
    path : str or Path
    """
    path = existing(path)
    with reading(str(path), "npy file"), path.open("rb") as stream:
        return _header(stream, str(path), path.stat().st_size)[0]


def plain_array(path: str | Path) -> np.ndarray:
    """Return the array of an npy; one of objects is refused.

    Parameters
    ----------
    path : str or Path
    """
    path = existing(path)
    where = str(path)
    with reading(where, "npy file"), path.open("rb") as stream:
        shape, fortran, dtype = _header(stream, where, path.stat().st_size)
        limits.check_size(math.prod(shape) * dtype.itemsize, limits.MAX_RECORDING_BYTES, where)
        values = np.frombuffer(stream.read(), dtype, count=math.prod(shape))
    return values.reshape(shape[::-1]).T if fortran else values.reshape(shape)


def write_recording(recording: Recording, path: str | Path) -> Path:
    """Write a recording as npz; it appears only when complete.

    Parameters
    ----------
    recording : Recording
    path : str or Path
    """
    fields = recording_fields(recording)
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **fields)
    return Path(path)


class MappedArray:
    """An npy file as a memory map; opened again after pickling."""

    def __init__(self, path: str, shape: tuple[int, ...], dtype: str, offset: int, order: str) -> None:
        self.path, self.shape, self.dtype, self.offset, self.order = path, shape, np.dtype(dtype), offset, order
        self.ndim = len(shape)

    def __getitem__(self, box: Any) -> np.ndarray:
        with reading(self.path, "npy file"):
            array = np.memmap(
                self.path, dtype=self.dtype, mode="r", offset=self.offset, shape=self.shape, order=self.order
            )  # type: ignore[call-overload]
            return np.array(array[box])


def open_volume(path: str | Path, *, labels: bool = False, array: str | None = None, **options: Any) -> Volume:
    """Open voxels in an npy (memory-mapped) or npz (loaded); NumPy files name no axes, so axes= is needed.

    Parameters
    ----------
    path : str or Path
    labels : bool
    array : str, optional
        Which array of an npz.
    **options
        axes, channel, voxel_size_um, frame_rate_hz: see `build_volume`.
    """
    path = existing(path)
    where = str(path)
    if head(path, 4).startswith(ZIP):
        fields = load_fields(path)
        pictures = {k: v for k, v in fields.items() if v.ndim >= 3 and v.dtype.kind in "uifb"}
        if array is None and len(pictures) != 1:
            if not pictures:
                raise InputError(
                    "this npz has no array of 3 or more axes",
                    where=where,
                    fix=f"It holds: {', '.join(fields)[:200]}. Pass dataset= of an image, or choose another file.",
                )
            raise ChoiceNeeded(
                f"this npz has {len(pictures)} arrays of 3 or more axes",
                where=where,
                fix=f"Pass dataset= one of: {', '.join(pictures)[:200]}.",
                option="dataset",
                choices=tuple(pictures),
            )
        key = array if array is not None else next(iter(pictures))
        if key not in fields:
            raise InputError(f"there is no array '{key}'", where=where, fix=f"Found: {', '.join(fields)[:200]}.")
        from .fields import texts

        held = texts(fields.get("axes"))
        found = list(held[0]) if held and held[0] else None
        volume = build_volume(Stored(fields[key], found), where, labels=labels, **options)
    else:
        with reading(where, "npy file"), path.open("rb") as stream:
            shape, fortran, dtype = _header(stream, where, path.stat().st_size)
            offset = stream.tell()
            if math.prod(shape) * dtype.itemsize > path.stat().st_size - offset:
                raise FormatError("the file is cut off", where=where, fix="Copy or export it again.")
        mapped = MappedArray(where, shape, dtype.str, offset, "F" if fortran else "C")
        volume = build_volume(Stored(mapped), where, labels=labels, **options)
    if labels:
        from ..volumes.omezarr import check_first_frame

        check_first_frame(volume, where)
    return volume


def about(path: Path) -> About:
    """Say whether the file holds traces or an image."""
    if path.suffix == ".npy":
        return "traces" if plain_axes(path) == 2 else "image"
    fields = load_fields(path)
    if any(key in fields for key in ALIASES["traces"]):
        return "traces"
    axes = [v.ndim for v in fields.values() if v.dtype.kind in "fiu" and min(v.shape, default=0) > 1]
    return "traces" if 2 in axes and max(axes) == 2 else "image"  # under another name, which is asked


FORMAT = Format(
    key="npz",
    title="NumPy",
    patterns=("*.npz", "*.npy"),
    holds=("recording", "volume", "labels"),
    writes=("recording",),
    endings=(".npz",),
    note="Recordings by field names, never with pickle; arrays of voxels need axes=.",
    starts=(b"\x93NUMPY", *ZIP),
    about=about,
    dataset="array",
)
