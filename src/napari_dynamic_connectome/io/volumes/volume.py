"""An opened image or its labels: lazy voxels in the order t, z, y, x with channels, units and what is embedded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self
from weakref import WeakValueDictionary

import numpy as np
import pandas as pd

from ...model.errors import FormatError, InputError
from ...model.recording import VolumeReference
from .. import limits
from ..axes import OrderedArray, resolve_axes
from ..choice import ChoiceNeeded

UNKNOWN_SIZE = (math.nan, math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class Volume:
    """A 4D image (one channel of it) or labels, opened lazily.

    Parameters
    ----------
    data : dask.array.Array
        (t, z, y, x); labels that hold for all frames are (z, y, x).
    reference : VolumeReference
        Where it lies, in what units. Voxel size and frame rate are NaN where the file does not say.
    channels : tuple of str
        Names of all channels of the file.
    channel : int
        Which of them `data` is.
    channel_asked : bool
        Whether that was said; if not, and there are several, the first one is only good for a look.
    time_s : array of shape (t,), optional
        Times of the frames where the file has them.
    names : dict of int to str
        Labels only: names of the neurons, where the file has them.
    properties : pandas.DataFrame, optional
        Labels only: one row a label ("label" and whatever else the file tells).
    stimuli : pandas.DataFrame, optional
        Embedded stimuli (name, onset, offset in s).
    all_channels : dask.array.Array
        (t, c, z, y, x), for display.
    levels : tuple of dask.array.Array
        Coarser versions of `data`, finest first, without `data` itself.
    array : array-like, optional
        The same voxels as `data` without dask, for loops that read box by box: a graph costs milliseconds a frame.
    remark : str
        What is to be known about it, for people (chunks that are not there); "" as a rule.
    """

    data: Any
    reference: VolumeReference
    channels: tuple[str, ...] = ("0",)
    channel: int = 0
    channel_asked: bool = True
    time_s: np.ndarray | None = None
    names: dict[int, str] = field(default_factory=dict)
    properties: pd.DataFrame | None = None
    stimuli: pd.DataFrame | None = None
    all_channels: Any = None
    levels: tuple[Any, ...] = ()
    array: Any = None
    remark: str = ""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of `data`."""
        return tuple(int(n) for n in self.data.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of a voxel."""
        kind: np.dtype[Any] = np.dtype(self.data.dtype)
        return kind

    @property
    def voxel_size_um(self) -> tuple[float, float, float]:
        """Size of a voxel (z, y, x) in micrometres, NaN where unknown."""
        return self.reference.voxel_size_um

    @property
    def frame_rate_hz(self) -> float:
        """Volumes a second, NaN where unknown."""
        return self.reference.frame_rate_hz

    def replace(self, **changes: Any) -> Self:
        """Copy with some fields changed."""
        return replace(self, **changes)


@dataclass(frozen=True, eq=False)
class Stored:
    """An image as a file holds it, and what the file says of it.

    Parameters
    ----------
    array : array-like
        In the file's order, with shape, dtype and slicing; `chunks` if it is stored in chunks.
    axes : sequence of str or None
        The file's names of the axes.
    voxel_size_um, frame_rate_hz
        NaN where the file is silent.
    channels : sequence of str
        Their names.
    levels : sequence of array-like
        Coarser versions in the file's order.
    """

    array: Any
    axes: Sequence[str] | None = None
    voxel_size_um: Sequence[float] = UNKNOWN_SIZE
    frame_rate_hz: float = math.nan
    channels: Sequence[str] = ()
    levels: Sequence[Any] = ()


def build_volume(
    stored: Stored,
    path: str | Path,
    *,
    axes: str | None = None,
    channel: int | str | None = None,
    voxel_size_um: Sequence[float] | None = None,
    frame_rate_hz: float | None = None,
    labels: bool = False,
    **more: Any,
) -> Volume:
    """Bring a lazily opened array into our order and check it.

    Parameters
    ----------
    stored : Stored
    path : str or Path
    axes, channel, voxel_size_um, frame_rate_hz
        What the user says; wins over the file.
    labels : bool
    **more
        Further fields of `Volume`.
    """
    array, channels = stored.array, stored.channels
    where = str(path)
    if any(n == 0 for n in array.shape) or array.ndim == 0:
        raise FormatError(
            f"the image is empty: shape {tuple(array.shape)}",
            where=where,
            fix="It may be damaged or cut off; copy or export it again.",
        )
    letters = resolve_axes(stored.axes, array.shape, axes, where)
    whole = OrderedArray(array, letters, "tczyx")
    n_channels = whole.shape[1]
    names = tuple(str(c) for c in channels) if len(channels) == n_channels else tuple(str(i) for i in range(n_channels))
    if labels and channel is None and n_channels > 1:
        raise ChoiceNeeded(
            f"these labels have {n_channels} channels ({', '.join(names)})",
            where=where,
            fix="Say which one holds the neurons: channel=; or axes= where it is another axis.",
            option="channel",
            choices=names,
        )
    chosen = _choose_channel(channel, names, where)
    static = labels and "t" not in letters
    order = "zyx" if static else "tzyx"
    one = OrderedArray(array, letters, order, {"c": chosen})
    data = as_dask(one, one.chunks or _blocks(one))
    coarser = []
    for level in stored.levels:
        coarse = OrderedArray(level, letters, order, {"c": chosen})
        coarser.append(as_dask(coarse, coarse.chunks or _blocks(coarse)))
    if labels:
        check_label_type(data.dtype, where)
    elif data.dtype.kind not in "uifb":
        raise InputError(
            f"voxels are of type {data.dtype}, not real numbers", where=where, fix="Save it as whole numbers or floats."
        )
    size = _checked_size(voxel_size_um if voxel_size_um is not None else stored.voxel_size_um, where)
    if frame_rate_hz is not None:
        more["time_s"] = None  # what the user says wins over the times in the file too
    rate = _checked_rate(frame_rate_hz if frame_rate_hz is not None else stored.frame_rate_hz, where)
    shape = tuple(int(n) for n in data.shape)
    reference = VolumeReference(where, shape, order, size, rate)
    channels_data = as_dask(whole, whole.chunks or _blocks(whole))
    return Volume(
        data,
        reference,
        channels=names,
        channel=chosen,
        channel_asked=channel is not None or n_channels == 1,
        all_channels=channels_data,
        levels=tuple(coarser),
        array=one,
        **more,
    )


def _checked_size(given: Sequence[float], where: str) -> tuple[float, float, float]:
    """Voxel size (z, y, x); NaN where it is unknown."""
    size = tuple(float(v) for v in given)
    if len(size) != 3 or any(v <= 0 or math.isinf(v) for v in size):
        raise InputError(
            f"the voxel size {size} is not three positive numbers", where=where, fix="Pass voxel_size_um=(z, y, x)."
        )
    return size[0], size[1], size[2]


def _checked_rate(given: float, where: str) -> float:
    """Frame rate (Hz); NaN where it is unknown."""
    rate = float(given)
    if rate <= 0 or math.isinf(rate):
        raise InputError(f"the frame rate {rate:g} is not positive", where=where, fix="Pass frame_rate_hz=.")
    return rate


def _blocks(array: OrderedArray) -> tuple[int, ...]:
    """Return blocks of one frame of one channel, for arrays that are not stored in chunks."""
    return tuple(1 if axis in "tc" else n for axis, n in zip(array.wanted, array.shape, strict=True))


def _choose_channel(asked: int | str | None, names: tuple[str, ...], where: str) -> int:
    known = ", ".join(f"{i} ({n})" if n != str(i) else n for i, n in enumerate(names))
    if asked is None:
        return 0
    if isinstance(asked, str) and asked in names:
        return names.index(asked)
    try:
        number = int(asked)
    except ValueError:
        number = -1
    if not 0 <= number < len(names):
        raise InputError(f"there is no channel '{asked}'", where=where, fix=f"Channels: {known}.")
    return number


def check_label_type(dtype: Any, where: str) -> None:
    """Raise `InputError` unless voxels of this type can be labels."""
    dtype = np.dtype(dtype)
    if dtype.kind == "b":
        raise InputError(
            "this is a mask, not labels: all neurons have the same value",
            where=where,
            fix="Give every neuron its own number (skimage.measure.label, for example).",
        )
    if dtype.kind not in "ui":
        raise InputError(
            f"labels are of type {dtype}, not whole numbers",
            where=where,
            fix="Labels are 0 for background and one positive whole number a neuron.",
        )


def as_dask(array: Any, chunks: Sequence[int] | None = None) -> Any:
    """Wrap a sliceable array as dask, with blocks that follow the stored chunks.

    Very small stored chunks are joined (x first), so that the graph stays small.

    Parameters
    ----------
    array : array-like
        With shape, dtype and slicing; safe to read from several threads.
    chunks : sequence of int, optional
        Stored chunks; a block a step of the first axis by default.
    """
    import dask.array as da

    shape = tuple(int(n) for n in array.shape)
    blocks = [max(1, min(int(c), n)) for c, n in zip(chunks, shape, strict=True)] if chunks else [1, *shape[1:]]
    itemsize = np.dtype(array.dtype).itemsize
    for axis in reversed(range(len(shape))):
        while (
            math.prod(-(-n // b) for n, b in zip(shape, blocks, strict=True)) > limits.MAX_DASK_CHUNKS
            and blocks[axis] < shape[axis]
            and math.prod(blocks) * itemsize < 32e6
        ):
            blocks[axis] = min(2 * blocks[axis], shape[axis])
    made = da.from_array(array, chunks=tuple(blocks), name=False, asarray=True)
    _sources[made.name] = array
    return made


_sources: WeakValueDictionary[str, Any] = WeakValueDictionary()
"""What dask arrays were made from, by their names, which no other has."""


def source_of(data: Any) -> Any | None:
    """Return what `as_dask` made an array from, which holds the same voxels; None for any other array."""
    found = _sources.get(str(getattr(data, "name", "")))
    same = found is not None and tuple(found.shape) == tuple(data.shape) and found.dtype == data.dtype
    return found if same else None


def check_label_values(block: Any, where: str) -> None:
    """Raise `InputError` for negative labels in a block that was read."""
    block = np.asarray(block)
    if block.dtype.kind == "i" and block.size and int(block.min()) < 0:
        raise InputError(
            f"there are negative labels (down to {int(block.min())})",
            where=where,
            fix="Labels are 0 for background and one positive whole number a neuron.",
        )


def sizes_below(folder: Path) -> Iterable[int]:
    """Yield the sizes of all files below a folder."""
    for item in folder.rglob("*"):
        if item.is_file():
            yield item.stat().st_size
