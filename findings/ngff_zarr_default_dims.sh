#!/usr/bin/env bash
# ngff-zarr: an array of four axes without dims= is taken for (z, y, x, channel), never for (time, z, y, x)
#
# Guess: to_ngff_image(movie) refuses or warns where the axes of an array are not said, or takes the order of its own metadata, in
#   which time comes first; its help says no more than that dims is optional.
# Seen: (time, z, y, x) becomes (z, y, x, c): volumes are planes, planes are rows, and every column of pixels is a channel of its own.
#   The file that is written has the channels first (20 of them, 4 planes of 6 x 16 pixels here), is valid and says so; nothing is printed.
# Why it matters: a recording of 4 volumes of 6 planes is opened elsewhere as one volume of 4 planes with 20 channels. dims= settles it.
# Versions: ngff-zarr 0.50.0, zarr 3.1.6, numpy 2.4.6, Python 3.11. Date: 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'ngff-zarr==0.50.0' 'zarr==3.1.6' 'numpy==2.4.6'
cd "$work"
"$work/venv/bin/python" - <<'PY'
import json
import warnings
from importlib.metadata import version
from pathlib import Path

import ngff_zarr
import numpy as np

print("ngff-zarr", version("ngff-zarr"))
movie = np.zeros((4, 6, 16, 20), np.uint16)  # time, z, y, x


def written(name, **said):
    """Return the axes that the file has, and how many warnings there were."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        image = ngff_zarr.to_ngff_image(movie, **said)
        ngff_zarr.to_ngff_zarr(name, ngff_zarr.to_multiscales(image, scale_factors=[]), version="0.5")
    attributes = json.loads((Path(name) / "zarr.json").read_text())["attributes"]
    axes = [axis["name"] for axis in attributes["ome"]["multiscales"][0]["axes"]]
    about_axes = [str(w.message) for w in caught if "dim" in str(w.message).lower() or "ax" in str(w.message).lower()]
    print(name, "axes", axes, "shape", movie.shape, "warnings about axes", about_axes)
    return axes, about_axes


assert written("said.zarr", dims=("t", "z", "y", "x"))[0] == list("tzyx")
assert written("unsaid.zarr") == (list("czyx"), []), "the axes are asked for, or taken in another order, now"
PY
