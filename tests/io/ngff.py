"""The ome-zarr library as writer of test images: one call that means the same in each of its versions."""

from __future__ import annotations

import inspect
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
