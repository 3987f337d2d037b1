#!/usr/bin/env bash
# scipy.ndimage: the median of a neuron that is not in the frame is a voxel of something else
#
# Guess: median(frame, labels, index=neurons) is NaN for a neuron without a voxel, as mean, and as the same call of dask-image.
# Seen: the value of one voxel of another label (here the darkest of the background); above the largest label, too. minimum and
#   maximum are 0 there.
# Why it matters: labels of tracked neurons come and go. Traces of medians have plausible values in the frames in which a neuron was
#   lost. Known there since 2017 (issue 7706), open; the help does not say it. labeled_comprehension with np.median gives NaN.
# Versions: scipy 1.17.1, dask-image 2026.5.0, numpy 2.4.6, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'scipy==1.17.1' 'dask-image==2026.5.0' 'dask==2026.8.0' 'numpy==2.4.6'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import dask.array
import dask_image.ndmeasure
import numpy as np
from scipy import ndimage

frame = np.random.default_rng(0).normal(100, 5, (20, 20))  # background
labels = np.zeros((20, 20), int)
labels[2:6, 2:6], labels[10:14, 10:14] = 1, 3  # neurons 2 and 4 are not in this frame
frame[labels == 1], frame[labels == 3] = 500, 900
neurons = [1, 2, 3, 4]
median, mean = ndimage.median(frame, labels, neurons), ndimage.mean(frame, labels, neurons)
dask = np.asarray(dask_image.ndmeasure.median(dask.array.from_array(frame), dask.array.from_array(labels), neurons))
print("median", median, "mean", mean, "dask-image", dask)
assert np.isnan(mean[[1, 3]]).all() and np.isnan(dask[[1, 3]]).all()
assert np.isfinite(median[[1, 3]]).all(), "the median of a missing label is NaN now"
assert set(median[[1, 3]]) <= set(frame[labels == 0]), "and no longer a voxel of the background"
PY
