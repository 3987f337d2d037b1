"""HDF5: one dataset of voxels, opened lazily; and the safe look into files that NWB and MATLAB v7.3 readers share.

External links are as if they were not there; external raw storage and virtual datasets, which can read other files too, are refused.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...model.errors import FormatError, InputError
from .. import limits
from ..axes import resolve_axes
from ..choice import ChoiceNeeded
from ..files import existing, head, reading
from ..once import once
from ..units import micrometres
from .hdf5_chunks import ChunkReader
from .volume import Stored, Volume, build_volume


def open_file(path: str | Path) -> Any:
    """Open an HDF5 file for reading, without locks (network folders often have none).

    HDF5 refuses to open a file twice in one process with different settings of its locks, so a file that a script, a notebook or
    another plugin holds open is opened as they did.
    """
    from .hdf5_local import LocalFile

    try:
        return LocalFile(path, "r", locking=False)
    except OSError as error:
        if "flag values don't match" not in str(error):
            raise
    for locking in (None, True, "best-effort"):
        try:
            return LocalFile(path, "r", locking=locking)
        except OSError as error:
            if "flag values don't match" not in str(error):
                raise
    raise InputError("the file is open elsewhere in this program", where=str(path), fix="Close it there first.")


@contextmanager
def opened(path: str | Path, what: str = "HDF5 file") -> Iterator[Any]:
    """Open an HDF5 file for reading; library errors become `FormatError`."""
    with reading(path, what), open_file(path) as file:
        yield file


@once
def is_nwb(path: Path) -> bool:
    """Whether an HDF5 file calls itself NWB."""
    with opened(path) as file:
        kind = file.attrs.get("neurodata_type", b"")
        return "nwb_version" in file.attrs or kind in ("NWBFile", b"NWBFile")


@once
def is_mat(path: Path) -> bool:
    """Whether an HDF5 file was written by MATLAB."""
    if head(path, 10) == b"MATLAB 7.3":
        return True
    with opened(path) as file:
        return any("MATLAB_class" in file[k].attrs for k in file if is_local(file, k))


def is_local(group: Any, name: str) -> bool:
    """Whether a member is in this file, not a link to another."""
    import h5py

    link = group.get(name, getlink=True)
    if isinstance(link, h5py.ExternalLink):
        return False
    return not (isinstance(link, h5py.SoftLink) and group.get(name) is None)


def member(group: Any, path: str, where: str) -> Any:
    """Return the member of a group at a path, or None; a link to another file is refused on the way."""
    import h5py

    node = group
    for part in [p for p in path.split("/") if p]:
        if not isinstance(node, h5py.Group):
            return None
        link = node.get(part, getlink=True)
        if link is None:
            return None
        if isinstance(link, h5py.ExternalLink):
            raise FormatError(
                f"'{part}' is a link to another file ({str(link.filename)[:80]})",
                where=where,
                fix="Export a file that holds its data itself.",
            )
        node = node.get(part)
    return node


def check_dataset(dataset: Any, where: str) -> None:
    """Refuse data that lie in other files, unknown filters, and sizes that the file cannot hold."""
    import h5py

    name = f"{where}:{dataset.name}"
    if dataset.external:
        raise FormatError(
            "the voxels lie in another file (external storage)",
            where=name,
            fix="Export a file that holds its data itself.",
        )
    if dataset.is_virtual:
        raise FormatError(
            "this is a virtual dataset: its voxels lie in other files",
            where=name,
            fix="Open these files, or merge them.",
        )
    plist = dataset.id.get_create_plist()
    for index in range(plist.get_nfilters()):
        code, _, _, title = plist.get_filter(index)
        if not h5py.h5z.filter_avail(code):
            label = title.decode(errors="replace") if isinstance(title, bytes) else str(title)
            raise FormatError(
                f"the codec {label or code} is not available",
                where=name,
                fix="Save it with gzip, or install hdf5plugin and import it.",
            )
    itemsize = dataset.dtype.itemsize
    if dataset.chunks:
        limits.check_size(math.prod(dataset.chunks) * itemsize, limits.MAX_CHUNK_BYTES, name, "one chunk")
    limits.check_sparse(math.prod(dataset.shape) * itemsize, [dataset.id.get_storage_size()], name)


def read_all(dataset: Any, where: str) -> np.ndarray:
    """Load a small dataset after checking it."""
    check_dataset(dataset, where)
    limits.check_size(
        math.prod(dataset.shape) * dataset.dtype.itemsize, limits.MAX_RECORDING_BYTES, f"{where}:{dataset.name}"
    )
    stored = dataset.id.get_storage_size()
    if dataset.dtype.kind != "O":
        limits.check_expansion(stored, math.prod(dataset.shape) * dataset.dtype.itemsize, f"{where}:{dataset.name}")
    return np.asarray(dataset[()])


class Hdf5Array:
    """A dataset of an HDF5 file, opened again after pickling."""

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name
        self._open()

    def _open(self) -> None:
        with reading(self.path, "HDF5 file"):
            self.file = open_file(self.path)
            self.dataset = self.file[self.name]
            self.shape = tuple(int(n) for n in self.dataset.shape)
            self.dtype = np.dtype(self.dataset.dtype)
            self.ndim = len(self.shape)
            self.chunks = self.dataset.chunks
            reader = ChunkReader(self.dataset)
            self.reader = reader if reader.usable else None

    def __getitem__(self, box: Any) -> np.ndarray:
        with reading(f"{self.path}:{self.name}", "HDF5 dataset"):
            if self.reader is not None and isinstance(box, tuple) and len(box) == self.ndim:
                spans = [s.indices(n) if isinstance(s, slice) else None for s, n in zip(box, self.shape, strict=True)]
                if all(span is not None and span[2] == 1 and span[1] >= span[0] for span in spans):
                    return self.reader.read(tuple(slice(span[0], span[1]) for span in spans if span is not None))
            return np.asarray(self.dataset[box])

    def __getstate__(self) -> dict[str, str]:
        return {"path": self.path, "name": self.name}

    def __setstate__(self, state: dict[str, str]) -> None:
        self.path, self.name = state["path"], state["name"]
        self._open()


def image_datasets(file: Any) -> dict[str, tuple[int, ...]]:
    """Return name and shape of the numeric datasets of three or more axes, without following links."""
    import h5py

    found: dict[str, tuple[int, ...]] = {}
    seen = 0
    stack: list[tuple[str, Any, int]] = [("", file, 0)]
    while stack and seen < limits.MAX_MEMBERS:
        prefix, group, depth = stack.pop()
        for name in group:
            seen += 1
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            node = group[name]
            if isinstance(node, h5py.Group) and depth < limits.MAX_NESTING:
                stack.append((f"{prefix}{name}/", node, depth + 1))
            elif isinstance(node, h5py.Dataset) and node.dtype.kind in "uifb" and len(node.shape or ()) >= 3:
                found[f"{prefix}{name}"] = tuple(int(n) for n in node.shape)
    return dict(sorted(found.items()))


def open_volume(path: str | Path, *, dataset: str | None = None, labels: bool = False, **options: Any) -> Volume:
    """Open one dataset lazily.

    Parameters
    ----------
    path : str or Path
    dataset : str, optional
        Its path in the file; found by itself if there is only one of three or more axes.
    labels : bool
    **options
        axes, channel, voxel_size_um, frame_rate_hz: see `build_volume`. Axes are read from HDF5 dimension labels or an
        attribute `axes` or `axistags`, voxel sizes from `element_size_um` (z, y, x).
    """
    path = existing(path)
    where = str(path)
    with opened(path) as file:
        known = image_datasets(file)
        if dataset is None:
            if len(known) != 1:
                listed = ", ".join(f"{k} {v}" for k, v in list(known.items())[:10])
                if not known:
                    raise InputError(
                        "this file has 0 datasets of 3 or more axes", where=where, fix="Choose a file with an image."
                    )
                raise ChoiceNeeded(
                    f"this file has {len(known)} datasets of 3 or more axes",
                    where=where,
                    fix=f"Pass dataset= one of: {listed}.",
                    option="dataset",
                    choices=tuple(known),
                )
            dataset = next(iter(known))
        node = member(file, dataset, where)
        if node is None or not hasattr(node, "shape"):
            raise InputError(
                f"there is no dataset '{dataset}'", where=where, fix=f"Found: {', '.join(list(known)[:10])}."
            )
        if node.dtype.kind not in "uifb" or not node.shape:
            raise InputError(
                f"'{dataset}' is of type {node.dtype}, not voxels", where=where, fix="Pass dataset= of an image."
            )
        check_dataset(node, where)
        found = _axes(node)
        size = _element_size(node, where, options.get("voxel_size_um"))
        shape = tuple(int(n) for n in node.shape)
    full = f"{where}:{dataset}"
    resolve_axes(found, shape, options.get("axes"), full)
    array = Hdf5Array(where, dataset)
    volume = build_volume(Stored(array, found, size), where, labels=labels, **options)
    if labels:
        from .omezarr import check_first_frame

        check_first_frame(volume, full)
    return volume


def _axes(node: Any) -> list[str] | None:
    # the labels of the dimensions come first, read as an attribute: h5py's own way to ask for them can end the process
    for key in ("DIMENSION_LABELS", "axes", "axis_order"):
        value = node.attrs.get(key)
        if value is None:
            continue
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        items = [v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in np.atleast_1d(value)]
        if any(items):
            return list(items[0]) if len(items) == 1 else [item or "?" for item in items]
    tags = node.attrs.get("axistags")
    if isinstance(tags, (str, bytes)):
        import json

        try:
            return [str(a["key"]) for a in json.loads(tags)["axes"]]
        except (ValueError, KeyError, TypeError):
            return None
    return None


def _element_size(node: Any, where: str, asked: object) -> list[float]:
    value = node.attrs.get("element_size_um")
    if value is not None and np.size(value) == 3:
        return [float(v) for v in np.ravel(value)]
    value, unit = node.attrs.get("voxel_size"), node.attrs.get("unit")
    if value is not None and np.size(value) == 3 and unit is not None:
        factor = micrometres(unit.decode() if isinstance(unit, bytes) else str(unit), where, asked=asked)
        if factor:
            return [float(v) * factor for v in np.ravel(value)]
    return [math.nan] * 3
