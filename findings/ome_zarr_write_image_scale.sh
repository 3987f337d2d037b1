#!/usr/bin/env bash
# ome-zarr: write_image forgets voxel size, frame interval and units that it is given
#
# Guess: write_image(axes=[{"name", "type", "unit"}, ...], coordinate_transformations=[...]) writes both; the warning says that the
#   second argument "will be removed in a future version", so it still works.
# Seen: every scale in the file is 1.0 (2.0 a level of the pyramid) and no axis has a unit. Only the arguments scale= and
#   axes_units= (dictionaries by axis) arrive. write_multiscale of the same version writes both as given.
# Why it matters: the file is valid and says that voxels are cubes of unknown unit and volumes lie 1 apart. Distances between
#   neurons, matching to an atlas and every rate in Hz are wrong from there on; z is off by the anisotropy (4 here).
# Versions: ome-zarr 0.18.0, zarr 3.1.6, numpy 2.4.6, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'ome-zarr==0.18.0' 'zarr==3.1.6' 'numpy==2.4.6' 'dask==2026.8.0'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import zarr
from ome_zarr.writer import write_image, write_multiscale

movie = np.arange(2 * 4 * 32 * 32, dtype="u2").reshape(2, 4, 32, 32)
units = {"t": "second", "z": "micrometer", "y": "micrometer", "x": "micrometer"}
axes = [{"name": k, "type": "time" if k == "t" else "space", "unit": unit} for k, unit in units.items()]
fine = [{"type": "scale", "scale": [0.6, 2.0, 0.5, 0.5]}]
coarse = [{"type": "scale", "scale": [0.6, 2.0, 1.0, 1.0]}]


def written(name, write, data, **given):
    """Write, then return the scales of the levels and the units of the axes as they are in the file."""
    write(data, zarr.open_group(name, mode="w"), **given)
    block = dict(zarr.open_group(name, mode="r").attrs)["ome"]["multiscales"][0]
    steps = [[s["scale"] for s in d["coordinateTransformations"] if s["type"] == "scale"][0] for d in block["datasets"]]
    found = [axis.get("unit") for axis in block["axes"]]
    print(name, "scales", steps, "units", found)
    return steps, found


old = written("image", write_image, movie, axes=axes, scale_factors=[2], coordinate_transformations=[fine, coarse])
new = written("image_new", write_image, movie, axes="tzyx", scale_factors=[2], scale=dict(zip("tzyx", fine[0]["scale"], strict=True)), axes_units=units)
levels = [movie, movie[:, :, ::2, ::2]]
multi = written("multiscale", write_multiscale, levels, axes=axes, coordinate_transformations=[fine, coarse])
right = [fine[0]["scale"], coarse[0]["scale"]], list(units.values())
assert new == right and multi == right
assert old == ([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 2.0, 2.0]], [None] * 4), "write_image keeps scale or units now"
PY
