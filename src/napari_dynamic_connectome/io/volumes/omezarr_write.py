"""OME-Zarr (NGFF 0.4 and 0.5): new images and labels, with axes, scale and units.

In: shapes, or labels. Out: a folder that napari, Fiji and others open as it is; `write_labels` is there whole or not at all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...model.errors import InputError
from ...model.voxels import read_voxels
from ..files import atomic_folder
from .omezarr import MARKERS
from .volume import Volume, check_label_type, check_label_values


@dataclass(frozen=True)
class _Layout:
    version: str
    zarr_format: int


def _layout(version: str) -> _Layout:
    if version not in ("0.4", "0.5"):
        raise InputError(f"OME-Zarr {version} is not written", fix="Choose version='0.4' or '0.5'.")
    return _Layout(version, 2 if version == "0.4" else 3)


def create_volume(
    path: str | Path,
    shape: Sequence[int],
    axes: str = "tzyx",
    *,
    voxel_size_um: Sequence[float] | None = None,
    frame_rate_hz: float | None = None,
    chunks: Sequence[int] | None = None,
    dtype: Any = "uint16",
    channels: Sequence[str] = (),
    version: str = "0.4",
) -> Any:
    """Make an OME-Zarr image of one resolution, filled with zeros.

    Parameters
    ----------
    path : str or Path
        A new folder (make it under a temporary name and rename it when it is complete).
    shape, axes : sequence of int, str
        Axes of "tczyx" in that order.
    voxel_size_um : sequence of float, optional
        (z, y, x).
    frame_rate_hz : float, optional
    chunks : sequence of int, optional
        One frame (and channel) by default.
    dtype : dtype
    channels : sequence of str
    version : str
        "0.4" or "0.5".

    Returns
    -------
    zarr.Array
        To be filled.
    """
    import zarr

    layout = _layout(version)
    _check_axes_order(axes, shape)
    root = zarr.open_group(str(path), mode="w-", zarr_format=layout.zarr_format)
    attrs: dict[str, Any] = {"multiscales": [_multiscale("image", axes, voxel_size_um, frame_rate_hz, layout)]}
    if channels:
        attrs["omero"] = {
            "channels": [
                {
                    "label": c,
                    "color": "FFFFFF",
                    "active": True,
                    "window": {"min": 0, "max": 65535, "start": 0, "end": 65535},
                }
                for c in channels
            ]
        }
    _set_attributes(root, attrs, layout)
    return _create_array(root, shape, axes, chunks, dtype, layout, labels=False)


def create_labels(
    path: str | Path,
    shape: Sequence[int],
    axes: str = "tzyx",
    *,
    name: str = "neurons",
    voxel_size_um: Sequence[float] | None = None,
    frame_rate_hz: float | None = None,
    chunks: Sequence[int] | None = None,
    dtype: Any = "uint16",
    properties: Sequence[Mapping[str, Any]] = (),
    version: str = "0.4",
    image: bool = True,
) -> Any:
    """Make a labels image: the group `labels/<name>` of an image that exists, or (image=False) a store of its own.

    Parameters
    ----------
    path, shape, axes, voxel_size_um, frame_rate_hz, chunks, dtype, version
        As in `create_volume`.
    name : str
    properties : sequence of mappings
        One a label, with "label-value", and "name" for named neurons.
    image : bool
        Whether `path` is an image to which the labels belong.
    """
    import zarr

    layout = _layout(version)
    _check_axes_order(axes, shape)
    check = np.dtype(dtype)
    if check.kind not in "ui":
        raise InputError(
            f"labels are of type {check}, not whole numbers", where=str(path), fix="Pass dtype='uint16' or 'uint32'."
        )
    if image:
        root = zarr.open_group(str(path), mode="r+", zarr_format=layout.zarr_format)
        holder = root.require_group("labels")
        known = dict(holder.attrs)
        listed = (known.get("ome") or {}).get("labels", []) if layout.zarr_format == 3 else known.get("labels", [])
        if name in listed:
            raise InputError(f"there are labels '{name}' already", where=str(path), fix="Choose another name.")
        _set_attributes(holder, {"labels": [*listed, name]}, layout)
        group = holder.create_group(name)
    else:
        group = zarr.open_group(str(path), mode="w-", zarr_format=layout.zarr_format)
    block: dict[str, Any] = {"version": layout.version, "properties": [dict(p) for p in properties]}
    if image:
        block["source"] = {"image": "../../"}
    _set_attributes(
        group,
        {"multiscales": [_multiscale(name, axes, voxel_size_um, frame_rate_hz, layout)], "image-label": block},
        layout,
    )
    return _create_array(group, shape, axes, chunks, dtype, layout, labels=True)


def write_labels(
    path: str | Path,
    labels: Any,
    axes: str | None = None,
    *,
    voxel_size_um: Sequence[float] | None = None,
    frame_rate_hz: float | None = None,
    names: Mapping[int, str] | None = None,
    version: str = "0.4",
    overwrite: bool = False,
) -> Path:
    """Write labels as an OME-Zarr of their own, frame by frame; it appears only when complete.

    Parameters
    ----------
    path : str or Path
    labels : array or Volume
        (z, y, x) or (t, z, y, x), whole numbers.
    axes : str, optional
        "zyx" or "tzyx"; by the number of axes if absent.
    voxel_size_um, frame_rate_hz
        Taken from a `Volume` if absent.
    names : mapping of int to str, optional
    version : str
    overwrite : bool
    """
    if isinstance(labels, Volume):
        reference = labels.reference
        voxel_size_um = reference.voxel_size_um if voxel_size_um is None else voxel_size_um
        frame_rate_hz = reference.frame_rate_hz if frame_rate_hz is None else frame_rate_hz
        names = labels.names if names is None else names
        labels, axes = labels.data, reference.axes
    check_label_type(labels.dtype, str(path))
    axes = axes or {3: "zyx", 4: "tzyx"}.get(labels.ndim, "")
    dtype = np.dtype(labels.dtype)
    dtype = np.dtype(f"uint{dtype.itemsize * 8}")
    found: set[int] = set()
    with atomic_folder(path, overwrite=overwrite, marker=MARKERS) as temporary:
        array = create_labels(
            temporary,
            labels.shape,
            axes,
            voxel_size_um=voxel_size_um,
            frame_rate_hz=frame_rate_hz,
            dtype=dtype,
            version=version,
            image=False,
        )
        for index in range(labels.shape[0]) if axes[0] == "t" else (slice(None),):
            frame = read_voxels(labels[index])
            check_label_values(frame, str(path))
            found.update(int(i) for i in np.unique(frame) if i)
            array[index] = frame
        import zarr

        layout = _layout(version)
        group = zarr.open_group(str(temporary), mode="r+", zarr_format=layout.zarr_format)
        rows = [{"label-value": i, "name": (names or {}).get(i, "")} for i in sorted(found)]
        old = dict(group.attrs.get("ome", {}) if layout.zarr_format == 3 else group.attrs)
        _set_attributes(group, old | {"image-label": {"version": layout.version, "properties": rows}}, layout)
    return Path(path)


def _check_axes_order(axes: str, shape: Sequence[int]) -> None:
    order = [("tczyx").find(a) for a in axes]
    if -1 in order or order != sorted(set(order)) or len(axes) != len(shape) or not axes.endswith("yx"):
        raise InputError(
            f"axes '{axes}' do not fit shape {tuple(shape)}", fix="Axes of 't', 'c', 'z', 'y', 'x', in this order."
        )


def _multiscale(
    name: str, axes: str, voxel_size_um: Sequence[float] | None, rate: float | None, layout: _Layout
) -> dict[str, Any]:
    size = dict(zip("zyx", voxel_size_um, strict=True)) if voxel_size_um is not None else {}
    described: list[dict[str, Any]] = []
    scale: list[float] = []
    for axis in axes:
        value, unit = 1.0, None
        if axis in "zyx" and axis in size and math.isfinite(size[axis]):
            value, unit = float(size[axis]), "micrometer"
        elif axis == "t" and rate and math.isfinite(rate):
            value, unit = 1.0 / float(rate), "second"
        kind = {"t": "time", "c": "channel"}.get(axis, "space")
        described.append({"name": axis, "type": kind} | ({"unit": unit} if unit else {}))
        scale.append(value)
    content: dict[str, Any] = {
        "name": name,
        "axes": described,
        "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": scale}]}],
    }
    return ({"version": layout.version} if layout.zarr_format == 2 else {}) | content


def _set_attributes(group: Any, attrs: dict[str, Any], layout: _Layout) -> None:
    if layout.zarr_format == 2:
        group.attrs.update(attrs)
    else:
        old = dict(group.attrs.get("ome", {}))
        group.attrs["ome"] = old | {"version": layout.version} | attrs


def _create_array(
    group: Any,
    shape: Sequence[int],
    axes: str,
    chunks: Sequence[int] | None,
    dtype: Any,
    layout: _Layout,
    *,
    labels: bool,
) -> Any:
    if chunks is None:
        chunks = [1 if axis in "tc" else int(n) for axis, n in zip(axes, shape, strict=True)]
    common: dict[str, Any] = {
        "shape": tuple(int(n) for n in shape),
        "chunks": tuple(int(n) for n in chunks),
        "dtype": dtype,
        "fill_value": 0,
    }
    if layout.zarr_format == 2:
        from numcodecs import Blosc

        packing = (
            Blosc(cname="zstd", clevel=3, shuffle=Blosc.SHUFFLE)
            if labels
            else Blosc(cname="lz4", clevel=1, shuffle=Blosc.BITSHUFFLE)
        )
        return group.create_array(
            "0", compressors=packing, chunk_key_encoding={"name": "v2", "separator": "/"}, **common
        )
    from zarr.codecs import BloscCodec

    codec = BloscCodec(cname="zstd" if labels else "lz4", clevel=3 if labels else 1)
    return group.create_array("0", compressors=codec, dimension_names=list(axes), **common)
