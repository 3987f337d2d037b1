#!/usr/bin/env bash
# hdf5storage: an array of neuron names becomes one long row of letters in MATLAB
#
# Guess: savemat of a numpy array of strings (names of neurons) gives MATLAB 7.3 one string per entry, or rows of a char matrix as
#   scipy.io.savemat does.
# Seen: one char vector, "AVALRIS\0VB02": the entries are glued together, short ones filled with NUL. hdf5storage itself gets them
#   back by a private attribute, so a test of the round trip passes; mat73 and MATLAB see one string. With oned_as="column" its
#   own loadmat raises ValueError on the file. A list of str is stored as a cell array and is fine.
# Why it matters: traces whose n columns are named by one string of letters cannot be told apart, and a reader that takes the
#   length of "names" finds the letters (12), not the neurons (3).
# Versions: hdf5storage 0.2.2, mat73 0.65, h5py 3.16.0, numpy 2.4.6, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'hdf5storage==0.2.2' 'mat73==0.65' 'h5py==3.16.0' 'numpy==2.4.6'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import hdf5storage
import mat73
import numpy as np

names = ["AVAL", "RIS", "VB02"]
hdf5storage.savemat("row.mat", {"names": np.array(names), "listed": names}, format="7.3")
theirs = mat73.loadmat("row.mat")
own = hdf5storage.loadmat("row.mat")["names"].tolist()
listed = np.ravel(theirs["listed"]).tolist()
print("mat73 sees", repr(theirs["names"]), "; the list as", listed, "; hdf5storage itself", own)
assert own == names and listed == names
assert theirs["names"] == "AVALRIS\0VB02", "names stay apart now"
hdf5storage.savemat("column.mat", {"names": np.array(names)}, format="7.3", oned_as="column")
try:
    back = hdf5storage.loadmat("column.mat")["names"].tolist()
except ValueError as error:
    print("as a column, its own loadmat:", error)
else:
    raise SystemExit(f"loadmat reads its own column now: {back}")
PY
