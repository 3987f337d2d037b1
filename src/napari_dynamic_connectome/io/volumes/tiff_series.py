"""Series of TIFF files that are one recording: a frame (or some frames) a file, or a plane a file, in a folder or by a pattern.

In: a folder of TIFF files, or a pattern such as "worm7/vol_*.tif". Out: a `Volume`, read file by file. Numbers in names that
are marked t, z or c say what a file is; without them, files are frames in the order of their numbers.
"""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from ...model.errors import FormatError, InputError
from .. import limits
from ..axes import resolve_axes
from ..choice import ChoiceNeeded
from ..files import existing, matching, reading
from ..format import Format
from .tiff import flat_size, open_stored, open_tiff
from .tiff import open_volume as open_one
from .volume import Stored, Volume, build_volume

ORDER = 30


ENDINGS = (".tif", ".tiff", ".btf")
OPEN_FILES = 64
"""Compressed files that are held open at a time."""
MAX_CHANNELS = 6
"""More numbers of channels in the names of files are hardly channels."""
_MARK = re.compile(r"(?<![a-z])(t|time|frame|z|plane|slice|c|ch|channel)[-_ ]?(\d+)(?!\d)", re.IGNORECASE)
_LETTER = {"time": "t", "frame": "t", "plane": "z", "slice": "z", "ch": "c", "channel": "c"}


def is_pattern(path: str | Path) -> bool:
    """Whether this is a pattern with * or ?, and not a file of that name."""
    return any(c in str(path) for c in "*?") and not Path(path).exists()


def tiff_files(path: str | Path) -> list[Path]:
    """Return the TIFF files of a folder or pattern, numbers in names in their order.

    Parameters
    ----------
    path : str or Path
    """
    if is_pattern(path):
        path = Path(path).expanduser()
        found = matching(path)
    else:
        found = list(Path(path).expanduser().iterdir())
    files = [p for p in found if p.is_file() and p.suffix.lower() in ENDINGS and not p.name.startswith(".")]
    return sorted(files, key=lambda p: [(int(s), "") if s.isdigit() else (-1, s) for s in re.split(r"(\d+)", str(p))])


class TiffFiles:
    """Files of one shape as one array, new axes first; each file is opened when it is read.

    Parameters
    ----------
    paths : sequence of str
        In C order of the new axes.
    outer : tuple of int
        Lengths of the new axes.
    inner : tuple of int
        Shape of a file.
    dtype : dtype
    """

    def __init__(self, paths: Sequence[str], outer: tuple[int, ...], inner: tuple[int, ...], dtype: Any) -> None:
        self.paths, self.outer, self.inner = list(paths), outer, inner
        self.shape, self.dtype = (*outer, *inner), np.dtype(dtype)
        self.ndim = len(self.shape)
        self.chunks = (*[1] * len(outer), *inner)
        self._open: OrderedDict[int, Any] = OrderedDict()
        self._lock = Lock()

    def _file(self, number: int) -> Any:
        with self._lock:
            if number in self._open:
                self._open.move_to_end(number)
                return self._open[number]
        array = _stored(self.paths[number])
        if tuple(array.shape) != self.inner or array.dtype != self.dtype:
            raise FormatError(
                f"this file holds {array.dtype} of shape {tuple(array.shape)}, the first {self.dtype} of shape {self.inner}",
                where=self.paths[number],
                fix="All files of a recording must be alike; move this one away.",
            )
        with self._lock:
            self._open[number] = array
            while len(self._open) > OPEN_FILES:
                self._open.popitem(last=False)
        return array

    def __getitem__(self, box: Any) -> np.ndarray:
        box = box if isinstance(box, tuple) else (box,)
        full = [*box, *[slice(None)] * (self.ndim - len(box))]
        n = len(self.outer)
        picks = [np.arange(length)[part] for length, part in zip(self.outer, full[:n], strict=True)]
        kept = tuple(len(p) for p in picks if np.ndim(p))
        numbers = np.ravel_multi_index(np.ix_(*[np.atleast_1d(p) for p in picks]), self.outer).ravel()
        stack = np.stack([self._file(int(i))[tuple(full[n:])] for i in numbers])
        return stack.reshape((*kept, *stack.shape[1:]))

    def __getstate__(self) -> dict[str, Any]:
        return {"paths": self.paths, "outer": self.outer, "inner": self.inner, "dtype": self.dtype.str}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["paths"], state["outer"], state["inner"], state["dtype"])  # type: ignore[misc]


class JoinedFiles:
    """Files of several frames each, one behind the other along the first axis.

    Parameters
    ----------
    arrays : sequence of array-like
        (t, z, y, x, ...) alike but for the first axis.
    """

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.arrays = list(arrays)
        self.starts = np.concatenate([[0], np.cumsum([a.shape[0] for a in arrays])])
        self.shape, self.dtype = (int(self.starts[-1]), *arrays[0].shape[1:]), np.dtype(arrays[0].dtype)
        self.ndim = len(self.shape)
        held = getattr(arrays[0], "chunks", None)
        self.chunks = (1, *(held[1:] if held else self.shape[1:]))

    def __getitem__(self, box: Any) -> np.ndarray:
        box = box if isinstance(box, tuple) else (box,)
        frames = np.arange(self.shape[0])[box[0]]
        if np.ndim(frames) == 0:
            return np.asarray(self._frames(np.array([frames]), box[1:])[0])
        if not len(frames):
            return np.asarray(self.arrays[0][(slice(0, 0), *box[1:])])
        return self._frames(frames, box[1:])

    def _frames(self, frames: np.ndarray, rest: tuple[Any, ...]) -> np.ndarray:
        owner = np.searchsorted(self.starts, frames, side="right") - 1
        parts, at = [], 0
        while at < len(frames):
            stop = at + 1
            while stop < len(frames) and owner[stop] == owner[at] and frames[stop] == frames[stop - 1] + 1:
                stop += 1
            first = int(frames[at] - self.starts[owner[at]])
            parts.append(self.arrays[owner[at]][(slice(first, first + stop - at), *rest)])
            at = stop
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _stored(path: str) -> Any:
    """Open the voxels of one file in the file's own order."""
    # a unit that is not known does not matter here: the first file was asked for it
    return open_stored(existing(path), 0, {"voxel_size_um": (), "frame_rate_hz": 0})[0]


def open_volume(path: str | Path, *, labels: bool = False, **options: Any) -> Volume:
    """Open the TIFF files of a folder or pattern as one recording, lazily.

    Parameters
    ----------
    path : str or Path
        A folder, or a pattern with * and ?.
    labels : bool
    **options
        axes, channel, voxel_size_um, frame_rate_hz: see `build_volume`. `axes` begins with the axis along which the files
        lie ("tzyx"), or names the axes of one file if it has a time axis of its own.
    """
    where = str(path)
    files = tiff_files(path)
    if not files:
        raise InputError("there is no TIFF file here", where=where, fix="Check the folder or the pattern.")
    if len(files) > limits.MAX_DASK_CHUNKS:
        raise InputError(f"there are {len(files)} files", where=where, fix="Join them into larger ones.")
    if _spread(files[0]):  # one OME-TIFF in several files: the first knows the others
        return open_one(files[0], labels=labels, **options)
    first, found, known = open_stored(existing(files[0]), 0, options)
    known.pop("time_s")  # of the first file only
    asked = options.pop("axes", None)
    array, axes = _arrange(files, first, found, asked, where)
    if "z" not in axes:
        known["voxel_size_um"] = flat_size(known["voxel_size_um"])
    volume = build_volume(Stored(array, list(axes), **known), where, labels=labels, **options)
    if labels:
        from .omezarr import check_first_frame

        check_first_frame(volume, where)
    return volume


def _spread(path: Path) -> bool:
    """Whether the image of this file goes on in others."""
    with reading(path, "TIFF file"), open_tiff(path) as file:
        return bool(file.series) and bool(file.series[0].is_multifile)


def _arrange(files: list[Path], first: Any, found: list[str], asked: str | None, where: str) -> tuple[Any, str]:
    """Put the files together; return the array and its axes."""
    names = [str(f) for f in files]
    shape = tuple(int(n) for n in first.shape)
    if asked is not None and len(asked) == len(shape) + 1:
        own = resolve_axes(None, shape, asked[1:], where)
        return TiffFiles(names, (len(files),), shape, first.dtype), asked[0].lower() + own
    try:
        own = resolve_axes(found, shape, asked, str(files[0]))
    except ChoiceNeeded as error:
        example = "t" + error.example
        raise ChoiceNeeded(
            error.what,
            where=str(files[0]),
            fix=f"Say what the axes of the whole are, the files' first: for example axes='{example}'.",
            option="axes",
            example=example,
        ) from error
    marks, ordered = _marks(files, own, where)
    if marks:
        outer = tuple(len(numbers) for _, numbers in marks)
        return TiffFiles(ordered, outer, shape, first.dtype), "".join(letter for letter, _ in marks) + own
    if "t" in own:
        if own[0] != "t":
            raise InputError(
                f"the axes of the files are {own}: time does not come first",
                where=where,
                fix="Join them into one file.",
            )
        arrays = [first, *(_stored(name) for name in names[1:])]
        odd = next((i for i, a in enumerate(arrays) if a.shape[1:] != first.shape[1:] or a.dtype != first.dtype), None)
        if odd is not None:
            raise FormatError(
                f"this file holds {arrays[odd].dtype} of shape {arrays[odd].shape}, the first {first.dtype} of shape {shape}",
                where=names[odd],
                fix="All files of a recording must be alike; move this one away.",
            )
        return JoinedFiles(arrays), own
    if "z" not in own:
        raise ChoiceNeeded(
            f"it is not clear whether the {len(files)} files are planes or frames",
            where=where,
            fix="Say what their axis is: axes='zyx' or axes='tyx'; or mark the names (t001_z05.tif).",
            option="axes",
            example="t" + own,
        )
    return TiffFiles(names, (len(files),), shape, first.dtype), "t" + own


def _marks(files: list[Path], own: str, where: str) -> tuple[list[tuple[str, list[int]]], list[str]]:
    """Return the axes that marked numbers in the names count, and the files in their order; nothing if there are none."""
    table = []
    for file in files:
        held = {_LETTER.get(w.lower(), w.lower()): int(n) for w, n in _MARK.findall(file.stem)}
        table.append({a: n for a, n in held.items() if a not in own})
    letters = [a for a in "tcz" if all(a in row for row in table) and len({row[a] for row in table}) > 1]
    places = {tuple(row[a] for a in letters): str(file) for row, file in zip(table, files, strict=True)}
    if not letters or len(places) != len(files):
        return [], []
    axes = [(a, sorted({row[a] for row in table})) for a in letters]
    many = next((numbers for a, numbers in axes if a == "c" and len(numbers) > MAX_CHANNELS), None)
    if many is not None:
        raise ChoiceNeeded(
            f"the names of the files count {len(many)} channels, which are hardly channels",
            where=where,
            fix="Say what the files are, their axis first: axes='zyx' for planes, axes='tyx' or 'tzyx' for frames.",
            option="axes",
            example=("z" if "z" not in own else "t") + own,
        )
    if math.prod(len(numbers) for _, numbers in axes) != len(files):
        grid = np.stack(np.meshgrid(*[n for _, n in axes], indexing="ij"), axis=-1).reshape(-1, len(axes))
        absent = next(tuple(int(v) for v in place) for place in grid if tuple(place) not in places)
        named = ", ".join(f"{a} = {v}" for a, v in zip(letters, absent, strict=True))
        raise FormatError(f"the file of {named} is not there", where=where, fix="Copy all files of the recording.")
    grid = np.stack(np.meshgrid(*[n for _, n in axes], indexing="ij"), axis=-1).reshape(-1, len(axes))
    return axes, [places[tuple(int(v) for v in place)] for place in grid]


FORMAT = Format(
    key="tiffs",
    title="TIFF files, a frame or plane each",
    patterns=("*.tif", "*.tiff"),
    holds=("volume", "labels"),
    note="A folder, or a pattern such as vol_*.tif; t, z and c marked in the names are axes.",
    knows=lambda path, start: path.is_dir() and bool(tiff_files(path)),
    asked_last=True,
)
