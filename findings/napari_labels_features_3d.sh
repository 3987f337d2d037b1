#!/usr/bin/env bash
# napari: a Labels layer with features that is added in 3D raises until the mouse has moved over the canvas
#
# Guess: whatever a layer carries, adding it or making it active while the viewer shows 3D never fails.
# Seen: with the pointer over the canvas, the status line asks a Labels layer with features for the value under the cursor along the
#   direction of view. The cursor knows no direction before the first move of the mouse in 3D; the layer takes None for a vector:
#   TypeError, raised out of `add_labels`. The same layer without features, in 2D, or with the pointer elsewhere is added.
# Why it matters: plugins that give cells a table of features and switch to 3D by themselves meet it as soon as a file is dropped or a
#   layer is chosen. Switch to 3D after the layers are there, or let the features follow later.
# Versions: napari 0.9.2, numpy 2.3.5, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'napari==0.9.2' 'numpy==2.3.5'
cd "$work"
HOME="$work" "$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from napari.components import ViewerModel

cells = np.pad(np.arange(1, 5).reshape(1, 2, 2), 2)
table = {"index": [1, 2, 3, 4], "name": ["AVAL", "AVAR", "RIML", "RIMR"]}


def add(features, ndisplay, over):
    viewer = ViewerModel()
    viewer.mouse_over_canvas = over
    viewer.dims.ndisplay = ndisplay
    try:
        viewer.add_labels(cells, features=features)
    except TypeError as error:
        return f"TypeError: {error}"
    return "added"


seen = {}
for features, ndisplay, over in ((None, 3, True), (table, 2, True), (table, 3, False), (table, 3, True)):
    seen[features is not None, ndisplay, over] = found = add(features, ndisplay, over)
    words = f"{'features' if features else 'no features'}, {ndisplay}D, pointer {'over' if over else 'not over'} the canvas"
    print(f"{words}: {found}")
failed = seen.pop((True, 3, True))
assert set(seen.values()) == {"added"} and failed.startswith("TypeError"), "it is added now"
PY
