#!/usr/bin/env bash
# mat73: a matrix of names is one text with the letters of all names mixed
#
# Guess: loadmat gives the rows of a char matrix, such as char({'AVAL', 'RIS', 'AVAR'}), as texts, as scipy does for v5 files and
#   pymatreader and hdf5storage for this one.
# Seen: one text, "ARAVIVASAL R": first all first letters, then all second ones. No warning.
# Why it matters: names of neurons were kept like this before MATLAB had strings. The text has the right letters and none of the names.
# Versions: mat73 0.65, pymatreader 1.3.2, h5py 3.16.0, numpy 2.4.6, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'mat73==0.65' 'pymatreader==1.3.2' 'h5py==3.16.0' 'numpy==2.4.6' 'scipy==1.17.1' 'xmltodict==1.0.4'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import h5py
import mat73
import numpy as np
from pymatreader import read_mat

names = ["AVAL", "RIS ", "AVAR"]  # MATLAB fills short ones with spaces
with h5py.File("v73.mat", "w", userblock_size=512) as file:  # as MATLAB lays it out: axes turned
    file["names"] = np.array([[ord(c) for c in name] for name in names], "u2").T
    file["names"].attrs["MATLAB_class"] = np.bytes_("char")
    file["names"].attrs["MATLAB_int_decode"] = np.int32(2)
with open("v73.mat", "r+b") as file:
    file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Nov 30 12:00:00 2026 HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")
found, other = mat73.loadmat("v73.mat")["names"], read_mat("v73.mat")["names"]
print("mat73:", repr(found), "; pymatreader:", other)
assert list(other) == names
assert found == "".join(name[k] for k in range(4) for name in names), "mat73 reads rows now"
PY
