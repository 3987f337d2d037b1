#!/usr/bin/env bash
# ome-zarr, ngff-zarr: the transformation that all levels share is read by neither
#
# Guess: OME-Zarr 0.4 and 0.5 allow coordinateTransformations beside the datasets, applied after those of each level (the
#   specification shows it with the interval of a time axis), so readers multiply both.
# Seen: ome_zarr.reader and ngff_zarr.from_ngff_zarr return the scale of the level alone: frames lie 1 s apart instead of 0.6 s.
#   Written again by ngff-zarr, the shared one is gone from the file. No warning from either.
# Why it matters: writers that put the frame interval there give movies whose rate reads as 1 Hz, with "second" as unit beside
#   it, so it looks deliberate. Time constants and frequencies are off by the interval, and a copy has lost the truth.
# Versions: ome-zarr 0.18.0, ngff-zarr 0.50.0, zarr 3.1.6, numpy 2.4.6, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'ome-zarr==0.18.0' 'ngff-zarr==0.50.0' 'zarr==3.1.6' 'numpy==2.4.6' 'dask==2026.8.0'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import ngff_zarr
import numpy as np
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

movie = np.ones((3, 4, 8, 8), "u2")
axes = [{"name": "t", "type": "time", "unit": "second"}]
axes += [{"name": k, "type": "space", "unit": "micrometer"} for k in "zyx"]
block = {
    "name": "worm",
    "axes": axes,
    "datasets": [{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 2.0, 0.5, 0.5]}]}],
    "coordinateTransformations": [{"type": "scale", "scale": [0.6, 1.0, 1.0, 1.0]}],
}
for version in ("0.4", "0.5"):
    path = f"worm_{version}.zarr"
    old = version == "0.4"
    group = zarr.open_group(path, mode="w", zarr_format=2 if old else 3)
    extra = {"chunk_key_encoding": {"name": "v2", "separator": "/"}} if old else {"dimension_names": list("tzyx")}
    group.create_array("0", shape=movie.shape, chunks=(1, 4, 8, 8), dtype=movie.dtype, **extra)[:] = movie
    if old:
        group.attrs["multiscales"] = [block | {"version": version}]
    else:
        group.attrs["ome"] = {"version": version, "multiscales": [block]}
    image = ngff_zarr.from_ngff_zarr(path)
    first = image.images[0]
    node = next(iter(Reader(parse_url(path))()))
    step = node.metadata["coordinateTransformations"][0][0]["scale"]
    ngff_zarr.to_ngff_zarr("copy_" + path, image, version=version)
    attributes = dict(zarr.open_group("copy_" + path, mode="r").attrs)
    copied = attributes.get("ome", attributes)["multiscales"][0]
    print(version, "right 0.6; ome-zarr", step[0], "ngff-zarr", first.scale["t"], "unit", first.axes_units["t"])
    print("   the copy says", copied["datasets"][0]["coordinateTransformations"], copied.get("coordinateTransformations"))
    assert "coordinateTransformations" not in node.metadata or step[0] == 1.0, "ome-zarr applies it now"
    assert 0.6 not in np.ravel([s.get("scale", []) for s in node.metadata["coordinateTransformations"][0]])
    assert first.scale["t"] == 1.0, "ngff-zarr applies it now"
    assert not copied.get("coordinateTransformations") and "0.6" not in str(copied), "the copy keeps it now"
PY
