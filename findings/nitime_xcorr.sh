#!/usr/bin/env bash
# nitime: cross-correlations lie one sample too early, are scaled by the wrong lag, and both directions of a pair are the same
#
# Guess: CorrelationAnalyzer.xcorr has its zero lag at time 0, as its help says, [0, 1] and [1, 0] are mirror images, and xcorr_norm
#   is the correlation coefficient at lag 0, so 1 for a trace with itself.
# Seen: the zero lag stands at minus one sample: a trace that follows another by 5 s is found at 6 s, and a trace agrees best with
#   itself at -1 s. [1, 0] is a copy of [0, 1]. xcorr_norm divides by the value of lag 1: white noise with itself has its peak
#   at 54, and the sign of the whole curve is that of lag 1.
# Why it matters: lags of neurons behind a command neuron are off by a volume, which leads in a pair cannot be told from [1, 0],
#   and strengths of pairs cannot be compared.
# Versions: nitime 0.12.1, numpy 2.4.6, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'nitime==0.12.1' 'numpy==2.4.6' 'scipy==1.17.1' 'matplotlib==3.11.2'
cd "$work"
MPLBACKEND=agg "$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from nitime.analysis import CorrelationAnalyzer
from nitime.timeseries import TimeSeries

rng = np.random.default_rng(0)
first = rng.normal(size=400)
second = np.r_[np.zeros(5), first[:-5]] + 0.1 * rng.normal(size=400)  # 5 s later
found = CorrelationAnalyzer(TimeSeries(np.array([first, second]), sampling_interval=1.0))
raw, norm = np.asarray(found.xcorr.data), np.asarray(found.xcorr_norm.data)
lags = np.asarray(found.xcorr.time) / 1e12  # s


def peak(course):
    return lags[np.argmax(np.abs(course))]


print(f"a trace with itself: peak at {peak(raw[0, 0]):.0f} s, xcorr_norm there {norm[0, 0].max():.1f}")
print(f"5 s apart: [0, 1] at {peak(raw[0, 1]):.0f} s, [1, 0] at {peak(raw[1, 0]):.0f} s, xcorr_norm {norm[0, 1].max():.1f}")
assert peak(raw[0, 0]) == -1, "the zero lag is at time 0 now"
assert peak(raw[0, 1]) == -6 and np.array_equal(raw[0, 1], raw[1, 0]), "directions differ now"
assert norm[0, 0].max() > 10 and norm[0, 1].max() > 10, "xcorr_norm is scaled by lag 0 now"
PY
