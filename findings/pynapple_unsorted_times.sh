#!/usr/bin/env bash
# pynapple: times out of order are sorted, the values are not sorted with them
#
# Guess: Tsd and TsdFrame either refuse times that are out of order or sort samples, each value staying with its time.
# Seen: the times are sorted alone. Every value keeps its place, so it belongs to another time from there on. The warning says
#   "timestamps are not sorted" and not that values moved. A pandas Series with its index behaves the same.
# Why it matters: volumes whose clocks were merged from two files, or a table sorted by neuron, are valid and out of order.
#   A step in activity then lies at another moment; correlation with behaviour is wrong while plots look like plots.
# Versions: pynapple 0.11.4, numpy 2.4.6, pandas 3.1.1, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'pynapple==0.11.4' 'numpy==2.4.6' 'pandas==3.1.1' 'xarray==2026.9.0' 'numba==0.68.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
import pandas as pd
import pynapple as nap

times = np.array([10.0, 11.0, 12.0, 0.0, 1.0, 2.0])  # the second file was appended first
values = times * 100  # each value tells its time
course = nap.Tsd(t=times, d=values)
frame = nap.TsdFrame(t=times, d=np.c_[values, -values], columns=["AVAL", "AVAR"])
series = nap.Tsd(pd.Series(values, index=times))
print("times ", course.t)
print("values", course.d, "(each should be its time * 100)")
assert course.t.tolist() == sorted(times.tolist())
for seen in (course.d, frame.d[:, 0], series.d):
    assert not np.allclose(seen, course.t * 100), "values follow their times now"
    assert np.array_equal(seen, values), "values are rearranged in some way now"
PY
