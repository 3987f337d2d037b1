#!/usr/bin/env bash
# pynapple: one missing sample turns a whole bin of a tuning curve into 0
#
# Guess: compute_tuning_curves on traces leaves missing samples (NaN) out of the mean, or the bin is NaN.
# Seen: a bin in which the neuron has a single NaN among many samples is exactly 0, as if the neuron were silent there; a neuron
#   that was never seen has a curve of zeros. No warning. Only bins that no sample visits are NaN.
# Why it matters: in whole-brain recordings of C. elegans neurons are lost for some frames (tracking). Their mean activity for a
#   behaviour then reads 0, and which behaviour depends on when tracking failed: a tuning that is not there.
#   Restrict to the neuron's own samples (dropna) before, neuron by neuron.
# Versions: pynapple 0.11.4, numpy 2.4.6, xarray 2026.9.0, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'pynapple==0.11.4' 'numpy==2.4.6' 'pandas==3.1.1' 'xarray==2026.9.0' 'numba==0.68.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import pynapple as nap

times = np.arange(40) * 0.5
reversing = nap.Tsd(t=times, d=np.repeat([0.0, 1.0], 20))
traces = np.full((40, 3), 2.0)  # three neurons that are at 2 throughout
traces[3, 1] = np.nan  # one frame of the second is missing
traces[:, 2] = np.nan  # the third was never seen
worm = nap.TsdFrame(t=times, d=traces, columns=["AVAL", "AVAR", "RIS"])
curves = np.asarray(nap.compute_tuning_curves(worm, reversing, bins=2))
for name, row in zip(worm.columns, curves, strict=True):
    print(name, "forward", row[0], "reversing", row[1])
assert curves[0].tolist() == [2.0, 2.0]
assert curves[1].tolist() == [0.0, 2.0], "a missing sample no longer zeroes its bin"
assert curves[2].tolist() == [0.0, 0.0], "a neuron that is never seen is no longer 0"
alone = worm.loc["AVAR"].dropna()
right = np.ravel(nap.compute_tuning_curves(alone, reversing, bins=2))
print("AVAR without its missing sample", right)
assert right.tolist() == [2.0, 2.0]
PY
