#!/usr/bin/env bash
# napari: a label colour map of 65,536 colours is taken for 8 and 16 bit labels and raises for wider ones; 65,535 are taken for all
#
# Guess: CyclicLabelColormap, which repeats its colours, takes any number of them, whatever type the labels have.
# Seen: its own `map` does; a Labels layer of int32 or int64 that is given it raises ValueError (Invalid integer data type 'f') as soon
#   as a viewer draws it. Up to 65,535 colours the labels are folded into 16 bits; with more they shall become floats, and numpy is
#   asked for the largest integer of float32.
# Why it matters: a colour for each of the 65,536 values of 16 bits is the natural table, and works until somebody's labels are int64, as
#   numpy makes them. Give 65,535 colours at most to wider labels.
# Versions: napari 0.9.2, PyQt6 6.11.0, numpy 2.3.5, Python 3.11. Date: 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'napari==0.9.2' 'PyQt6==6.11.0' 'numpy==2.3.5'
cd "$work"
HOME="$work" QT_QPA_PLATFORM=offscreen "$work/venv/bin/python" -W ignore - <<'PY'
import napari
import numpy as np
from napari.utils.colormaps import CyclicLabelColormap

viewer = napari.Viewer(show=False)


def shown(dtype, colours):
    labels = np.zeros((4, 8, 8), dtype)
    labels[1:3, 2:5, 2:5] = 7
    table = CyclicLabelColormap(colors=np.random.default_rng(0).random((colours, 4)))
    assert table.map(labels).shape == (4, 8, 8, 4)
    viewer.layers.clear()
    layer = viewer.add_labels(labels)
    try:
        layer.colormap = table
    except ValueError as error:
        return str(error)
    return "shown"


seen = {(np.dtype(t).name, n): shown(t, n) for t in (np.uint8, np.uint16, np.int32, np.int64) for n in (65_535, 65_536)}
for (name, colours), said in seen.items():
    print(f"{name}, {colours} colours: {said}")
wrong = {key for key, said in seen.items() if said != "shown"}
assert wrong == {("int32", 65_536), ("int64", 65_536)}, "wide labels take more colours now, or fewer"
PY
