"""TIFF, OME-TIFF and ImageJ hyperstacks: memory-mapped where they are contiguous, otherwise read page by page.

In: a file whose axes are named (OME-XML, ImageJ, tifffile's own), or `axes=`. Out: a `Volume`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...model.errors import FormatError, InputError
from .. import limits
from ..axes import resolve_axes
from ..choice import ChoiceNeeded
from ..files import existing, followed, is_network, is_plain, reading, summary
from ..format import Format
from ..mapping import is_sparse, without_ahead
from ..units import micrometres, seconds
from .volume import Stored, Volume, build_volume

ORDER = 20


def open_tiff(path: str | Path) -> Any:
    """Open a TIFF; refused if its metadata name other files outside of its folder, or pipes, which tifffile would open."""
    import tifffile

    file = tifffile.TiffFile(path)
    try:
        text = file.ome_metadata if file.is_ome else None
        if text and "FileName" in text:
            _check_named(text, Path(path))
    except BaseException:
        file.close()
        raise
    return file


def _check_named(text: str, path: Path) -> None:
    from ..markup import parse

    for name in {e.get("FileName") or "" for e in parse(text.encode("utf-8"), str(path)).iter()}:
        place = followed(path.parent / name) if not is_network(name) else None
        home = followed(path.parent)
        if place is None or home is None or not place.is_relative_to(home):
            raise FormatError(
                f"the image goes on in a file outside of its folder ({name[:80]!r})",
                where=str(path),
                fix="Copy all files of the recording into one folder, or save it as one file.",
            )
        if place.exists() and not is_plain(place):
            raise FormatError(
                "the image goes on in what is neither a file nor a folder (a pipe, a device?)",
                where=str(place),
                fix="Copy all files of the recording again.",
            )


class TiffStack:
    """The pages of a TIFF series as one array that is read page by page; opened again after pickling."""

    def __init__(self, path: str, series: int) -> None:
        self.path, self.series = path, series
        self._open()

    def _open(self) -> None:
        with reading(self.path, "TIFF file"):
            self.file = open_tiff(self.path)
            # threads share one file position: seeking and reading must not be torn apart
            self.file.filehandle.set_lock(True)
            one = self.file.series[self.series]
            level = one.levels[0]
            self.shape = tuple(int(n) for n in level.shape)
            self.dtype = np.dtype(level.dtype)
            self.ndim = len(self.shape)
            keyframe = level.keyframe
            self.page_ndim = keyframe.ndim
            self.page_shape = tuple(int(n) for n in keyframe.shape)
            self.n_pages = math.prod(self.shape) // max(math.prod(self.page_shape), 1)
            self.pages = level.pages
            if len(self.pages) < self.n_pages:
                raise FormatError(
                    f"{len(self.pages)} pages for {self.n_pages} planes",
                    where=self.path,
                    fix="The file is cut off or in several files; copy it again.",
                )
            if (
                math.prod(self.page_shape) * self.n_pages != math.prod(self.shape)
                or self.shape[self.ndim - self.page_ndim :] != self.page_shape
            ):
                raise FormatError(
                    "the planes of this TIFF do not fit its axes", where=self.path, fix="Save it again as OME-TIFF."
                )

    @property
    def chunks(self) -> tuple[int, ...]:
        """One page, or one volume where pages are small, so that the graph stays small."""
        outer = self.shape[: self.ndim - self.page_ndim]
        blocks = [1] * len(outer)
        page = math.prod(self.page_shape) * self.dtype.itemsize
        if outer and page * outer[-1] <= 64e6 and len(outer) > 1:
            blocks[-1] = outer[-1]
        return (*blocks, *self.page_shape)

    def __getitem__(self, box: Any) -> np.ndarray:
        box = box if isinstance(box, tuple) else (box,)
        n_outer = self.ndim - self.page_ndim
        full = [*box, *[slice(None)] * (self.ndim - len(box))]
        outer_shape = self.shape[:n_outer]
        picks = [np.arange(n)[s] for n, s in zip(outer_shape, full[:n_outer], strict=True)]
        kept = tuple(len(p) for p in picks if np.ndim(p))
        numbers = (
            np.ravel_multi_index(np.ix_(*[np.atleast_1d(p) for p in picks]), outer_shape).ravel() if picks else [0]
        )
        inner = tuple(full[n_outer:])
        with reading(self.path, "TIFF page"):
            planes = []
            for number in numbers:
                with self.file.filehandle.lock:
                    page = self.pages[int(number)]
                if page is None:  # planes that an OME-TIFF leaves out hold nothing
                    planes.append(np.zeros(self.page_shape, self.dtype)[inner])
                else:
                    planes.append(page.asarray()[inner])
            stack = np.stack(planes)
            return stack.reshape((*kept, *stack.shape[1:]))

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "series": self.series}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.path, self.series = state["path"], state["series"]
        self._open()


class MappedStack:
    """A contiguous TIFF series as a memory map; opened again after pickling."""

    def __init__(self, path: str, offset: int, dtype: str, shape: tuple[int, ...]) -> None:
        self.path, self.offset, self.dtype, self.shape = path, offset, np.dtype(dtype), shape
        self.ndim = len(shape)

    def __getitem__(self, box: Any) -> np.ndarray:
        with reading(self.path, "TIFF file"):
            array = np.memmap(self.path, dtype=self.dtype, mode="r", offset=self.offset, shape=self.shape)
            if is_sparse(self.shape, box):
                without_ahead(array)
            return np.array(array[box])


class PageStack:
    """Images of one shape that were written one after the other, as one array with a new first axis; opened again after pickling.

    Parameters
    ----------
    path : str
    count : int
        Number of images.
    inner : tuple of int
        Shape of one image.
    dtype : dtype
    """

    def __init__(self, path: str, count: int, inner: tuple[int, ...], dtype: Any) -> None:
        self.path, self.count, self.inner = path, count, inner
        self.shape, self.dtype = (count, *inner), np.dtype(dtype)
        self.ndim = len(self.shape)
        self.chunks = (1, *inner)
        self._open()

    def _open(self) -> None:
        with reading(self.path, "TIFF file"):
            self.file = open_tiff(self.path)
            self.file.filehandle.set_lock(True)
            self.pages = [page for one in self.file.series for page in one.pages]
        if len(self.pages) % self.count:
            raise FormatError(
                f"{len(self.pages)} planes for {self.count} images", where=self.path, fix="Save it again as OME-TIFF."
            )

    def __getitem__(self, box: Any) -> np.ndarray:
        box = box if isinstance(box, tuple) else (box,)
        full = [*box, *[slice(None)] * (self.ndim - len(box))]
        images = np.arange(self.count)[full[0]]
        each = len(self.pages) // self.count
        read = []
        with reading(self.path, "TIFF page"):
            for image in np.atleast_1d(images):
                planes = []
                for page in self.pages[int(image) * each : (int(image) + 1) * each]:
                    with self.file.filehandle.lock:
                        planes.append(page.asarray())
                read.append(np.stack(planes).reshape(self.inner)[tuple(full[1:])])
        return np.stack(read) if np.ndim(images) else read[0]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "count": self.count, "inner": self.inner, "dtype": self.dtype.str}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"], state["count"], state["inner"], state["dtype"])  # type: ignore[misc]


def _joined_images(path: Path, options: dict[str, Any]) -> tuple[Any, list[str] | None] | None:
    """Return the images of a file of several as one array, and the names of its axes; None where there is only one.

    A program that writes a recording frame by frame leaves one image a frame. Which axis they lie along is asked; images
    that differ, or that OME calls images of their own, are to be chosen from.
    """
    where = str(path)
    with reading(where, "TIFF file"), open_tiff(path) as file:
        _check_pages(file, where)
        n = len(file.series)
        if n < 2:
            return None
        levels = [one.levels[0] for one in file.series]
        shapes = [tuple(int(k) for k in level.shape) for level in levels]
        alike = len(set(shapes)) == 1 and len({level.dtype for level in levels}) == 1 and not file.is_ome
        dtype = levels[0].dtype
        limits.check_size(n * math.prod(shapes[0]) * np.dtype(dtype).itemsize, 1 << 62, where)
    if not alike:
        listed = ", ".join(f"{i} {s}" for i, s in list(enumerate(shapes))[:10])
        raise ChoiceNeeded(
            f"this file holds {n} images",
            where=where,
            fix=f"Say which one: dataset= one of {listed}{', ...' if n > 10 else ''}.",
            option="dataset",
            choices=tuple(str(i) for i in range(n)),
        )
    asked = options.get("axes")
    if asked is not None and len(asked) == len(shapes[0]) and "t" not in asked.lower():
        options["axes"] = "t" + asked  # said of one image: the images are frames
    elif asked is None:
        example = {2: "zyx", 3: "tzyx", 4: "tczyx"}.get(len(shapes[0]), "tczyx")
        raise ChoiceNeeded(
            f"this file holds {n} images of shape {shapes[0]}, written one after the other",
            where=where,
            fix=f"Say what the axes of all of them together, {(n, *shapes[0])}, are: for example axes='{example}'; "
            "or dataset= for one of them.",
            option="axes",
            example=example,
        )
    return PageStack(where, n, shapes[0], dtype), None


def open_volume(path: str | Path, *, series: int | None = None, labels: bool = False, **options: Any) -> Volume:
    """Open a TIFF lazily.

    Parameters
    ----------
    path : str or Path
    series : int, optional
        Which image of the file, where it holds several.
    labels : bool
    **options
        axes, channel, voxel_size_um, frame_rate_hz: see `build_volume`.

    Raises
    ------
    ChoiceNeeded
        If the file holds several images and nothing says whether they are frames, planes or images of their own; if its
        labels could be planes or samples of a colour.
    """
    path = existing(path)
    where = str(path)
    joined = _joined_images(path, options) if series is None else None
    array, found, known = open_stored(path, series or 0, options)
    if joined is not None:
        array, found = joined[0], []
    if labels and options.get("axes") is None and "S" in found and array.shape[found.index("S")] > 1:
        raise ChoiceNeeded(
            f"the file calls an axis of {array.shape[found.index('S')]} the samples of a colour, which labels have not",
            where=where,
            fix=f"Say what the axes of shape {tuple(array.shape)} are: for example axes='zyx'.",
            option="axes",
            example="zyx" if array.ndim == 3 else "tzyx",
        )
    letters = resolve_axes(found, array.shape, options.get("axes"), where)
    times = known.pop("time_s")
    if times is not None and ("t" not in letters or array.shape[letters.index("t")] != len(times)):
        times = None  # the description is of another image
    if "z" not in letters:
        known["voxel_size_um"] = flat_size(known["voxel_size_um"])
    volume = build_volume(Stored(array, found, **known), where, labels=labels, time_s=times, **options)
    if labels:
        from .omezarr import check_first_frame

        check_first_frame(volume, where)
    return volume


def flat_size(size: list[float]) -> list[float]:
    """Give a single plane, which has no depth, a depth of 1 um where its size is known: any does."""
    return [1.0, *size[1:]] if math.isfinite(size[1]) else size


def open_stored(path: Path, series: int, asked: Mapping[str, Any]) -> tuple[Any, list[str], dict[str, Any]]:
    """Open one image of a file in the file's own order.

    Parameters
    ----------
    path : Path
    series : int
    asked : mapping
        What the user says about sizes, which settles unknown units.

    Returns
    -------
    array : TiffStack or MappedStack
    found : list of str
        Names of its axes.
    known : dict
        Voxel size, frame rate and channels that the file states.
    """
    where = str(path)
    with reading(where, "TIFF file"), open_tiff(path) as file:
        _check_pages(file, where)
        if not file.series:
            raise FormatError(
                "this TIFF holds no image", where=where, fix="It may be damaged or cut off; copy or export it again."
            )
        if not 0 <= series < len(file.series):
            raise InputError(
                f"there is no image {series}", where=where, fix=f"There are {len(file.series)}; pass dataset=."
            )
        one = file.series[series]
        level = one.levels[0]
        shape = tuple(int(n) for n in level.shape)
        dtype = np.dtype(level.dtype) if level.dtype is not None else None
        if dtype is None or math.prod(shape) == 0:
            raise FormatError(
                f"the image is empty: shape {shape}",
                where=where,
                fix="It may be damaged or cut off; copy or export it again.",
            )
        found = list(level.axes)
        declared = math.prod(shape) * dtype.itemsize
        size = path.stat().st_size
        limits.check_sparse(declared, [size], where)
        page = math.prod(level.keyframe.shape) * dtype.itemsize
        limits.check_size(page, limits.MAX_CHUNK_BYTES, where, "one plane")
        _check_codec(level.keyframe, where)
        if file.is_ome:
            _check_companions(file.ome_metadata, path)
        known = _metadata(file, where, asked)
        offset = level.dataoffset if level.keyframe.compression == 1 else None
        byteorder = file.byteorder
    if offset is not None and offset + declared > size:
        raise FormatError(
            f"the file is cut off: {limits.human(size - offset)} of {limits.human(declared)} are there",
            where=where,
            fix="Copy or export it again.",
        )
    array: TiffStack | MappedStack
    if offset is not None:
        array = MappedStack(where, int(offset), dtype.newbyteorder(byteorder).str, shape)
    else:
        array = TiffStack(where, series)
    return array, found, known


def _check_pages(file: Any, where: str) -> None:
    """Follow the list of pages once: in a damaged file it may lead back to itself, and tifffile would follow it for ever."""
    form, stream = file.tiff, file.filehandle
    offset, seen = int(file.pages.first.offset), set[int]()
    while offset:
        if offset in seen or len(seen) == limits.MAX_PAGES:
            what = "leads back to itself" if offset in seen else f"is longer than {limits.MAX_PAGES}"
            raise FormatError(f"the list of pages {what}", where=where, fix="Copy or export the file again.")
        seen.add(offset)
        stream.seek(offset)
        head = stream.read(form.tagnosize)
        tags = struct.unpack(form.tagnoformat, head)[0] if len(head) == form.tagnosize else 0
        stream.seek(offset + form.tagnosize + tags * form.tagsize)
        tail = stream.read(form.offsetsize)
        offset = struct.unpack(form.offsetformat, tail)[0] if len(tail) == form.offsetsize else 0


def _check_companions(text: str | None, path: Path) -> None:
    """Refuse an image of which other files hold a part that is not there: its planes would be read as zeros."""
    from ..markup import parse

    if not text:
        return
    named = {e.get("FileName") or "" for e in parse(text.encode("utf-8"), str(path)).iter() if e.tag.endswith("}UUID")}
    absent = sorted(n for n in named if n and Path(n).name == n and not (path.parent / n).is_file() and n != path.name)
    if absent and len(named) > 1:
        shown = ", ".join(absent[:5]) + (", ..." if len(absent) > 5 else "")
        raise FormatError(
            f"{len(absent)} of the {len(named)} files of this image are not there: {shown}",
            where=str(path),
            fix="Copy all files of the recording into one folder.",
        )


def _check_codec(page: Any, where: str) -> None:
    """Decode one plane of a compressed file, so that an absent codec is found now and not in the middle of a run."""
    if page.compression == 1:
        return
    try:
        page.asarray()
    except Exception as error:
        name = getattr(page.compression, "name", page.compression)
        raise FormatError(
            f"the first plane cannot be decoded (codec {name}: {summary(error)})",
            where=where,
            fix="The file is damaged, or the codec is not installed: save it uncompressed or with zlib.",
        ) from error


def _metadata(file: Any, where: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return voxel size, frame rate and channel names that the file states."""
    size, rate, channels = [math.nan] * 3, math.nan, []
    times: np.ndarray | None = None
    voxel, clock = asked.get("voxel_size_um"), asked.get("frame_rate_hz")
    if file.is_ome:
        pixels = _ome_pixels(file.ome_metadata, where)
        for index, axis in enumerate("ZYX"):
            value = pixels.get(f"PhysicalSize{axis}")
            if value is not None:
                unit = micrometres(pixels.get(f"PhysicalSize{axis}Unit", "µm"), where, asked=voxel)
                size[index] = _positive(value, where) * unit if unit else math.nan
        if pixels.get("TimeIncrement") is not None:
            unit = seconds(pixels.get("TimeIncrementUnit", "s"), where, asked=clock)
            step = float(pixels["TimeIncrement"])
            rate = 1.0 / (step * unit) if unit and step > 0 else math.nan
        channels = pixels.get("channels", [])
        times = _plane_times(pixels.get("planes", []), where, clock)
        if times is not None and not math.isfinite(rate):
            rate = 1.0 / float(np.median(np.diff(times)))
    elif file.is_imagej:
        info = file.imagej_metadata or {}
        unit = micrometres(info.get("unit"), where, asked=voxel)
        # ImageJ says the units of y and z only where they are not that of x.
        unit_y, unit_z = (micrometres(info[k], where, asked=voxel) if info.get(k) else unit for k in ("yunit", "zunit"))
        tags = file.pages[0].tags
        for index, tag, factor in ((1, "YResolution", unit_y), (2, "XResolution", unit)):
            value = tags[tag].value if tag in tags else None
            if factor and value and value[0]:
                size[index] = value[1] / value[0] * factor
        if unit_z and isinstance(info.get("spacing"), (int, float)) and info["spacing"] > 0:
            size[0] = float(info["spacing"]) * unit_z
        interval = info.get("finterval")
        if isinstance(interval, (int, float)) and interval > 0:
            factor = seconds(info.get("tunit") or "s", where, asked=clock)
            rate = 1.0 / (float(interval) * factor) if factor else math.nan
    elif file.is_shaped:
        info = dict((file.shaped_metadata or ({"axes": ""},))[0])
        spacing = info.get("voxel_size_um")
        if isinstance(spacing, list) and len(spacing) == 3 and all(isinstance(v, (int, float)) for v in spacing):
            size = [float(v) for v in spacing]
    return {"voxel_size_um": size, "frame_rate_hz": rate, "channels": channels, "time_s": times}


def _plane_times(planes: list[dict[str, str]], where: str, asked: object) -> np.ndarray | None:
    """Return when every frame began (s), where all its planes say so and time increases; what is uneven stays uneven."""
    begun: dict[int, float] = {}
    for plane in planes:
        if plane.get("DeltaT") is None:
            return None
        unit = seconds(plane.get("DeltaTUnit", "s"), where, asked=asked)
        if unit is None:
            return None
        frame, at = int(plane.get("TheT", 0)), float(plane["DeltaT"]) * unit
        begun[frame] = min(at, begun.get(frame, at))
    times = np.array([begun[t] for t in sorted(begun)])
    if len(times) < 2 or sorted(begun) != list(range(len(times))) or (np.diff(times) <= 0).any():
        return None
    return times


def _positive(value: str, where: str) -> float:
    number = float(value)
    if not (number > 0 and math.isfinite(number)):
        raise FormatError(f"the pixel size {value} is not positive", where=where, fix="Pass voxel_size_um=(z, y, x).")
    return number


def _ome_pixels(text: str | None, where: str) -> dict[str, Any]:
    """Return the attributes of the first Pixels element; entities are refused."""
    from ..markup import parse

    if not text:
        return {}
    root = parse(text.encode("utf-8"), where)
    pixels = next((e for e in root.iter() if e.tag.rsplit("}", 1)[-1] == "Pixels"), None)
    if pixels is None:
        return {}
    names = [e.get("Name") or f"{i}" for i, e in enumerate(e for e in pixels if e.tag.rsplit("}", 1)[-1] == "Channel")]
    planes = [dict(e.attrib) for e in pixels if e.tag.rsplit("}", 1)[-1] == "Plane"]
    return dict(pixels.attrib) | {"channels": names, "planes": planes}


FORMAT = Format(
    key="tiff",
    title="TIFF, OME-TIFF, ImageJ hyperstack",
    patterns=("*.tif", "*.tiff", "*.btf"),
    holds=("volume", "labels"),
    note="Memory-mapped if contiguous, else read by page.",
    starts=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    dataset="series",
)
