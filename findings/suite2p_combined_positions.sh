#!/usr/bin/env bash
# suite2p: in the folder "combined" the place of a cell is that in a picture of all planes side by side
#
# Guess: `combined/stat.npy` holds the cells of all planes as the planes' own files do, with `iplane` beside `med` (y, x): a cell
#   at one place of planes 0 and 1 has the same med and another iplane.
# Seen: med of plane 1 is shifted by the width of a plane. The tables of the planes have no iplane, "combined" has no other record
#   of the place in the plane: the shift (dy, dx) is in the settings of each plane.
# Why it matters: positions of neurons taken from "combined" put the second plane beside the first: distances between neurons, and
#   names suggested by position, are wrong without a word.
# Versions: suite2p 1.1.0, torch 2.14.1, numpy 2.4.6, tifffile 2026.3.3, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'suite2p==1.1.0' 'tifffile==2026.3.3' 'torch==2.14.1' 'numpy==2.4.6'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import contextlib
import io
import logging

import numpy as np
import suite2p
import tifffile

frames, planes, size, cells = 300, 2, 96, 9
rng = np.random.default_rng(0)
movie = rng.normal(300, 5, (frames, size, size)).astype("f4")
y, x = np.mgrid[:size, :size]
for k in range(cells):  # the same cells in every plane: frames alternate between the planes
    bump = np.exp(-((y - 20 - 28 * (k // 3)) ** 2 + (x - 20 - 28 * (k % 3)) ** 2) / 18)
    fire = np.repeat(rng.random(frames // planes) < 0.03, planes) * 1.0
    movie += (np.convolve(fire, np.exp(-np.arange(30) / 8))[:frames] * 600)[:, None, None] * bump
tifffile.imwrite("a.tif", np.clip(movie, 0, 6e4).astype("i2"))
settings, db = suite2p.default_settings(), suite2p.default_db()
settings["fs"], settings["torch_device"], settings["run"]["do_registration"] = 4.0, "cpu", 0
db.update(data_path=["."], save_path0="out", nplanes=planes, input_format="tif")
logging.disable(logging.CRITICAL)
with contextlib.redirect_stdout(io.StringIO()):
    suite2p.run_s2p(db=db, settings=settings)


def places(folder):
    stat = np.load(f"out/suite2p/{folder}/stat.npy", allow_pickle=True)
    return [(s.get("iplane"), *(int(v) for v in s["med"])) for s in stat]


own, both = places("plane1"), [p for p in places("combined") if p[0] == 1]
print("plane 1, its own table (iplane, y, x):", own[:3])
print("plane 1 in combined:                  ", both[:3])
assert len(own) == len(both) > 2 and all(p[0] is None for p in own)
assert [p[1:] for p in own] != [p[1:] for p in both], "combined has places in the plane now"
assert [(yy, xx + size) for _, yy, xx in own] == [p[1:] for p in both], "the planes lie otherwise now"
PY
