"""One face for everything that holds voxels: numpy, memory maps, dask, zarr, HDF5, a `Volume`, or a path.

In: an array-like (or a path, opened by the registry in io). Out: a `VoxelSource` that tells shape, dtype and chunk borders and
reads one box. Sources can be pickled and sent to another machine; in-memory arrays send only the box that is needed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..io.choice import ChoiceNeeded
from ..io.mapping import own_map
from ..io.volumes.volume import source_of
from ..model.errors import InputError
from ..model.recording import VolumeReference
from ..model.voxels import read_voxels

Box = tuple[slice, ...]


class VoxelSource:
    """Voxels that are read box by box.

    Parameters
    ----------
    array : array-like
        Anything with `shape`, `dtype` and slicing.
    name : str
        For messages.
    about : VolumeReference, optional
        Where the voxels come from and in what units.
    time_s, names, stimuli : optional
        What else the file tells.
    """

    def __init__(self, array: Any, name: str, about: VolumeReference | None = None) -> None:
        self.array = array
        self.name = name
        self.about = about
        self.time_s: np.ndarray | None = None
        self.names: dict[int, str] = {}
        self.stimuli: Any = None
        self.shape = tuple(int(n) for n in array.shape)
        self.dtype = np.dtype(array.dtype)
        self.is_dask = hasattr(array, "dask") and hasattr(array, "compute")

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def edges(self, axis: int) -> np.ndarray | None:
        """Chunk borders along an axis, from 0 to its length; None where any box can be read at no extra cost."""
        n = self.shape[axis]
        if self.is_dask:
            return np.concatenate([[0], np.cumsum(self.array.chunks[axis])]).astype(np.int64)
        chunks = _stored_chunks(self.array)
        if chunks is None:
            return None
        return np.append(np.arange(0, n, max(int(chunks[axis]), 1)), n).astype(np.int64)

    def read(self, box: Box) -> np.ndarray:
        """Read a box as a C-contiguous array in native byte order that compiled code can take."""
        return native(self._part(box))

    def read_rows(self, box: Box) -> tuple[np.ndarray, tuple[int, ...]]:
        """Read a box as rows (t, voxel), the voxels as they are stored, and say in which order of z, y, x that is.

        Files that hold x before y before z (NWB) need not be turned, which would take longer than reading them.
        """
        part = self._part(box)
        order = memory_order(part)
        part = native(part.transpose(0, *[1 + axis for axis in order]))
        return part.reshape(len(part), -1), order

    def _part(self, box: Box) -> np.ndarray:
        part = self.array[box]
        return np.asarray(_compute(part) if self.is_dask else part)

    def cut(self, box: Box) -> VoxelSource:
        """A source of one box (z, y, x) of every frame, of which nothing else is read."""
        array = own_map(self.array) if self._mapped and self.array.mode in ("r", "r+") else self.array
        plain = self.is_dask or isinstance(array, np.ndarray)
        part = array[(slice(None), *box)] if plain else _Cut(self, box)
        made = VoxelSource(part, self.name, self.about)
        made.time_s, made.names, made.stimuli = self.time_s, self.names, self.stimuli
        return made

    @property
    def in_memory(self) -> bool:
        """Whether pickling the source would copy all its voxels."""
        return isinstance(self.array, np.ndarray) and not self._mapped

    @property
    def _mapped(self) -> bool:
        array = self.array
        return (
            isinstance(array, np.memmap) and array.filename is not None and array.base is not None and _is_whole(array)
        )

    def fingerprint(self) -> str:
        """Short hash of shape, type and a few frames, by which a checkpoint knows its input again."""
        digest = hashlib.sha256(f"{self.shape} {self.dtype.str}".encode())
        edges = [self.edges(axis) for axis in range(4)]
        for frame in np.unique(np.linspace(0, self.shape[0] - 1, 3).astype(int)).tolist():
            # a whole chunk of space costs no more than a corner of it; labels are mostly background, so the middle may be empty
            for place in (0.5, 0.25):
                box = tuple(_around(e, n, place) for e, n in zip(edges[1:], self.shape[1:], strict=True))
                digest.update(self.read((slice(frame, frame + 1), *box)).tobytes())
                if all(part == slice(0, n) for part, n in zip(box, self.shape[1:], strict=True)):
                    break
        return digest.hexdigest()[:16]

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        array = self.array
        if self._mapped:
            # pickling a memory map would copy the whole file into the message
            state["array"] = None
            state["_map"] = (os.fspath(array.filename), array.dtype.str, array.offset, array.shape)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        mapped = state.pop("_map", None)
        self.__dict__.update(state)
        if mapped is not None:
            path, dtype, offset, shape = mapped
            self.array = np.memmap(path, dtype=np.dtype(dtype), mode="r", offset=offset, shape=shape)


class _Cut:
    """A box of every frame of stored voxels, read when it is needed; frames are the only chunks."""

    def __init__(self, source: VoxelSource, box: Box) -> None:
        self._array, self._corner = source.array, [s.start for s in box]
        self.shape = (source.shape[0], *(s.stop - s.start for s in box))
        self.dtype = source.dtype
        chunks = _stored_chunks(source.array)
        if chunks is not None:  # a chunk holds several frames: they are read together
            self.chunks = (int(chunks[0]), *self.shape[1:])

    def __getitem__(self, box: Box) -> Any:
        frames, *space = box
        place = [slice(s.start + c, s.stop + c) for s, c in zip(space, self._corner, strict=True)]
        return self._array[(frames, *place)]


def _around(edges: np.ndarray | None, n: int, place: float) -> slice:
    """Return the chunk that holds the voxel at a share of an axis; all of it where there are no chunks."""
    if edges is None:
        return slice(0, n)
    index = int(np.searchsorted(edges, int(place * n), side="right")) - 1
    return slice(int(edges[index]), int(edges[index + 1]))


def _compute(part: Any) -> Any:
    """Compute a piece of a dask array in this thread.

    The blocks are what runs in parallel; a second pool inside each would only compete for the cores. A piece that is one
    chunk is taken from the graph as it is: `compute` would copy it.
    """
    import dask

    key: Any = part.__dask_keys__()
    while isinstance(key, list) and len(key) == 1:
        key = key[0]
    if isinstance(key, list):
        return read_voxels(part, scheduler="synchronous")
    return dask.get(part.__dask_optimize__(part.dask, part.__dask_keys__()), key, callbacks=())  # see `read_voxels`


def _is_whole(array: np.memmap) -> bool:
    """Whether a memory map is the mapping itself; a slice of it keeps the offset of the whole."""
    import mmap

    return isinstance(array.base, mmap.mmap) and bool(array.flags.c_contiguous)


def _stored_chunks(array: Any) -> tuple[int, ...] | None:
    if isinstance(array, np.ndarray):
        return None
    chunks = getattr(array, "chunks", None)
    if not chunks or not all(isinstance(c, (int, np.integer)) for c in chunks):
        return None
    shards = getattr(array, "shards", None)
    if shards and np.prod(shards, dtype=float) * np.dtype(array.dtype).itemsize <= 64e6:
        # a shard is one file: read it whole and its index once
        return tuple(int(s) for s in shards)
    return tuple(int(c) for c in chunks)


def memory_order(array: np.ndarray) -> tuple[int, ...]:
    """Order of the axes z, y, x (0, 1, 2) of an array (t, z, y, x) in memory, slowest first; (0, 1, 2) where it has holes."""
    if not array.flags.c_contiguous:
        order = tuple(sorted(range(3), key=lambda axis: -abs(array.strides[1 + axis])))
        if array.transpose(0, *[1 + axis for axis in order]).flags.c_contiguous:
            return order
    return 0, 1, 2


def native(array: np.ndarray) -> np.ndarray:
    """Return the array C-contiguous, in native byte order, and of a type that numba knows."""
    dtype = array.dtype
    if dtype.kind == "b":
        dtype = np.dtype(np.uint8)
    elif dtype == np.float16:
        dtype = np.dtype(np.float32)
    elif dtype.kind == "f" and dtype.itemsize > 8:
        dtype = np.dtype(np.float64)
    dtype = dtype.newbyteorder("=")
    if array.ndim == 4 and array.dtype == dtype and array.size > 1 << 16 and memory_order(array) == (2, 1, 0):
        from .kernels import turn

        return np.asarray(turn(array.transpose(0, 3, 2, 1)))
    return np.ascontiguousarray(array, dtype=dtype)


def open_source(given: Any, what: str, *, labels: bool = False) -> VoxelSource:
    """Wrap an array, a `Volume` or a path.

    Parameters
    ----------
    given : array-like, Volume, VoxelSource, str or Path
    what : str
        "volume", "labels" or "reference", for messages.
    labels : bool
        Open a path as labels.

    Returns
    -------
    VoxelSource
    """
    if isinstance(given, VoxelSource):
        return given
    name = what
    if isinstance(given, (str, Path)):
        from ..io import registry

        name = f"{what} {given}"
        given = registry.open_labels(given) if labels else registry.open_volume(given)
    holder = given
    reference = getattr(given, "reference", None)
    if reference is not None and hasattr(given, "data"):
        if not getattr(given, "channel_asked", True):
            listed = ", ".join(f"{i} ({c})" if c != str(i) else c for i, c in enumerate(given.channels))
            raise ChoiceNeeded(
                f"the image has {len(given.channels)} channels, and it is not said which one is meant",
                where=f"{what} {reference.path}",
                fix=f"Open it with channel= one of: {listed}; another may be the reference.",
                option="channel",
                choices=tuple(given.channels),
            )
        name = f"{what} {reference.path}" if reference.path else name
        # without dask where that can be had: a task graph costs milliseconds a frame
        given = given.data if getattr(given, "array", None) is None else given.array
    elif hasattr(given, "dims") and hasattr(given, "data"):  # xarray: by name, not by position
        order = [d for d in ("t", "time", "z", "y", "x") if d in [str(x).lower() for x in given.dims]]
        lower = {str(d).lower(): d for d in given.dims}
        if len(order) != len(given.dims):
            raise InputError(f"the axes are {given.dims}", where=name, fix="Name them t (or time), z, y, x.")
        given = given.transpose(*[lower[d] for d in order]).data
    direct = source_of(given) if hasattr(given, "dask") else None
    given = given if direct is None else direct
    if not (hasattr(given, "shape") and hasattr(given, "dtype") and hasattr(given, "__getitem__")):
        try:
            given = np.asarray(given)
        except (ValueError, TypeError) as error:
            raise InputError("this is not an array", where=name) from error
    if 0 in tuple(given.shape):
        raise InputError(f"the array is empty: shape {tuple(given.shape)}", where=name)
    if not isinstance(reference, VolumeReference):
        return VoxelSource(given, name)
    source = VoxelSource(given, name, reference)
    source.time_s = getattr(holder, "time_s", None)
    source.names = dict(getattr(holder, "names", None) or {})
    source.stimuli = getattr(holder, "stimuli", None)
    return source


def check_volume(source: VoxelSource) -> None:
    """Raise unless this is a 4D array (t, z, y, x) of real numbers."""
    if source.ndim != 4:
        hint = (
            "Give a single plane as array[:, None]."
            if source.ndim == 3
            else "Choose one channel; the order is t, z, y, x."
        )
        raise InputError(f"the array has {source.ndim} axes, not 4 (t, z, y, x)", where=source.name, fix=hint)
    if source.dtype.kind not in "uifb":
        raise InputError(f"voxels are of type {source.dtype}, not real numbers", where=source.name)


def check_labels(source: VoxelSource, volume: VoxelSource) -> bool:
    """Check the labels against the volume; return True if they are static (one set for all frames)."""
    if source.dtype.kind == "f":
        raise InputError(
            f"labels are of type {source.dtype}, not whole numbers",
            where=source.name,
            fix="Labels are 0 for background and one positive whole number a neuron; convert with .astype('uint16') if they are.",
        )
    if source.dtype.kind == "b":
        raise InputError(
            "this is a mask, not labels: all neurons have the same value",
            where=source.name,
            fix="Give every neuron its own number (skimage.measure.label, for example).",
        )
    if source.dtype.kind not in "ui":
        raise InputError(f"labels are of type {source.dtype}, not whole numbers", where=source.name)
    if source.ndim == 3 and source.shape == volume.shape[1:]:
        return True
    if source.ndim == 4 and source.shape == (1, *volume.shape[1:]):
        return True
    if source.ndim == 4 and source.shape == volume.shape:
        return False
    raise InputError(
        f"labels have shape {source.shape}, the volume {volume.shape}",
        where=source.name,
        fix=f"Give {volume.shape[1:]} for labels that hold for all frames, or {volume.shape} for labels of every frame.",
    )
