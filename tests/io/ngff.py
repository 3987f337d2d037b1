"""The ome-zarr library as writer of test images: one call that means the same in each of its versions."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import zarr


def write_multiscale(
    pyramid: list[np.ndarray], group: zarr.Group, *, fmt: Any, axes: list[dict[str, str]], scales: list[list[float]]
) -> None:
    """Write a pyramid with its axes, units and scales.

    Newer releases (0.21) take the units as an argument of their own and leave out, without a word, those in `axes`; older
    ones (0.18) know no such argument.
    """
    from ome_zarr import writer

    units = {axis["name"]: axis["unit"] for axis in axes if "unit" in axis}
    known = inspect.signature(writer.write_multiscale).parameters
    more = {"axes_units": units} if units and "axes_units" in known else {}
    scaled = [[{"type": "scale", "scale": scale}] for scale in scales]
    writer.write_multiscale(pyramid, group, fmt=fmt, axes=axes, coordinate_transformations=scaled, **more)
    attributes = dict(group.attrs)
    held = attributes.get("ome", attributes)["multiscales"][0]["axes"]
    assert {axis["name"]: axis["unit"] for axis in held if "unit" in axis} == units, (
        "the library did not write the units"
    )


def ome_writer(path: Path, data: np.ndarray, axes: str, version: str, levels: int = 2, units: bool = True) -> None:
    """Write with the ome-zarr library."""
    from ome_zarr.format import FormatV04, FormatV05

    form = FormatV04() if version == "0.4" else FormatV05()
    kinds = {
        "t": ("time", "second"),
        "c": ("channel", None),
        "z": ("space", "micrometer"),
        "y": ("space", "micrometer"),
        "x": ("space", "micrometer"),
    }
    described = []
    for axis in axes:
        kind, unit = kinds[axis]
        described.append({"name": axis, "type": kind} | ({"unit": unit} if unit and units else {}))
    size = {"t": 0.25, "c": 1.0, "z": 2.0, "y": 0.5, "x": 0.5}
    pyramid, scales = [data], [[size[a] for a in axes]]
    for level in range(1, levels):
        step = 2**level
        pyramid.append(data[..., ::step, ::step])
        scales.append([size[a] * (step if a in "yx" else 1) for a in axes])
    group = zarr.open_group(str(path), mode="w", zarr_format=2 if version == "0.4" else 3)
    write_multiscale(pyramid, group, fmt=form, axes=described, scales=scales)
