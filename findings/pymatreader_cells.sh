#!/usr/bin/env bash
# pymatreader: a table of cells is a list of rows from one file format, and one long list of columns from the other
#
# Guess: the same cell array (worms x conditions) is read the same from v5 and v7.3.
# Seen: from v5 rows of a list, from v7.3 one flat list, column after column; which shape it had is gone. mat73 gives rows.
# Why it matters: saved with '-v7.3', which MATLAB needs above 2 GB, the second entry is the second worm and no longer the second
#   condition of the first.
# Versions: pymatreader 1.3.2, mat73 0.65, scipy 1.17.1, h5py 3.16.0, numpy 2.4.6, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'pymatreader==1.3.2' 'mat73==0.65' 'scipy==1.17.1' 'h5py==3.16.0' 'numpy==2.4.6' 'xmltodict==1.0.4'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import h5py
import mat73
import numpy as np
import scipy.io
from pymatreader import read_mat

rows = [["worm1 off", "worm1 on", "worm1 salt"], ["worm2 off", "worm2 on", "worm2 salt"]]
cells = np.empty((2, 3), object)
cells[:] = rows
scipy.io.savemat("v5.mat", {"cells": cells})
with h5py.File("v73.mat", "w", userblock_size=512) as file:  # as MATLAB lays it out: axes turned, references to texts
    references = np.empty((3, 2), h5py.ref_dtype)
    for i, row in enumerate(rows):
        for k, text in enumerate(row):
            entry = file.create_dataset(f"#refs#/{i}{k}", data=np.array([[ord(c)] for c in text], "u2"))
            entry.attrs["MATLAB_class"] = np.bytes_("char")
            entry.attrs["MATLAB_int_decode"] = np.int32(2)
            references[k, i] = entry.ref
    file.create_dataset("cells", data=references, dtype=h5py.ref_dtype).attrs["MATLAB_class"] = np.bytes_("cell")
with open("v73.mat", "r+b") as file:
    file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Nov 30 12:00:00 2026 HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")
old, new, other = read_mat("v5.mat")["cells"], read_mat("v73.mat")["cells"], mat73.loadmat("v73.mat")["cells"]
print("v5:  ", old)
print("v7.3:", new)
assert old == rows == other
assert new == [rows[i][k] for k in range(3) for i in range(2)], "the shape of cells of v7.3 is kept now"
PY
