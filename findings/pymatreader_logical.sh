#!/usr/bin/env bash
# pymatreader: a logical mask becomes numbers, and picks other neurons
#
# Guess: read_mat gives a logical array of MATLAB as bool, as mat73 does, so `traces[:, keep]` are the neurons that were kept.
# Seen: uint8 in files of v5 and of v7.3. As an index 0 and 1 are then the first and the second neuron: four columns, none of them
#   right, instead of two. scipy.io.loadmat does the same unless mat_dtype=True, which read_mat does not offer.
# Why it matters: masks of accepted neurons and states of behaviour are logical in MATLAB. No error, and as many columns as neurons.
#   Use `keep.astype(bool)`.
# Versions: pymatreader 1.3.2, mat73 0.65, scipy 1.17.1, h5py 3.16.0, numpy 2.4.6, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'pymatreader==1.3.2' 'mat73==0.65' 'scipy==1.17.1' 'h5py==3.16.0' 'numpy==2.4.6' 'xmltodict==1.0.4'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import inspect

import h5py
import mat73
import numpy as np
import scipy.io
from pymatreader import read_mat

traces = np.arange(12.0).reshape(3, 4)  # three frames of four neurons
keep = np.array([[False, True, True, False]])
scipy.io.savemat("v5.mat", {"traces": traces, "keep": keep})
with h5py.File("v73.mat", "w", userblock_size=512) as file:  # as MATLAB lays it out
    for name, kind, value in (("traces", "double", traces.T), ("keep", "logical", keep.T.astype("u1"))):
        file[name] = value
        file[name].attrs["MATLAB_class"] = np.bytes_(kind)
    file["keep"].attrs["MATLAB_int_decode"] = np.int32(1)
with open("v73.mat", "r+b") as file:
    file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Nov 30 12:00:00 2026 HDF5 schema 1.00 .".ljust(124) + b"\x00\x02IM")
assert scipy.io.whosmat("v5.mat")[1] == ("keep", (1, 4), "logical")
assert scipy.io.loadmat("v5.mat", mat_dtype=True)["keep"].dtype == bool and "mat_dtype" not in inspect.signature(read_mat).parameters
right = mat73.loadmat("v73.mat")
assert right["keep"].dtype == bool and np.array_equal(right["traces"][:, right["keep"]], traces[:, 1:3])
for name in ("v5.mat", "v73.mat"):
    found = read_mat(name)
    picked = found["traces"][:, found["keep"]]
    print(name, "keep", found["keep"], found["keep"].dtype, "first frame of traces[:, keep]:", picked[0], "meant:", traces[0, 1:3])
    assert found["keep"].dtype == np.uint8, "a logical array is bool now"
    assert np.array_equal(picked, traces[:, [0, 1, 1, 0]])
PY
