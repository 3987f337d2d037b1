#!/usr/bin/env bash
# elephant: with n_lags the lags of a cross-correlation have wrong times, and their sign is not that of the formula
#
# Guess: cross_correlation_function is the mean of x(t) y(t + lag), as its help says: where y follows x by 3 s the peak is at +3 s. With
#   n_lags=20 the 41 lags lie around 0.
# Seen: the peak is at -3 s. With n_lags the times begin where those of all lags would, at minus half the recording: 41 lags of 400
#   samples run from -100 s to -80 s, and a trace agrees with itself at -90 s.
# The times are known there since August 2026 (pull request 707), open; of the sign nothing was found.
# Why it matters: who leads and who follows is turned round, and a lag read from the result's times depends on how long the
#   recording is. elephant's own cross-correlation histogram of spike trains has the other sign.
# Versions: elephant 1.2.1, neo 0.14.6, quantities 0.16.4, numpy 2.4.6, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'elephant==1.2.1' 'neo==0.14.6' 'quantities==0.16.4' 'numpy==2.4.6' 'scipy==1.17.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import neo
import numpy as np
import quantities as pq
from elephant.conversion import BinnedSpikeTrain
from elephant.signal_processing import cross_correlation_function
from elephant.spike_train_correlation import cross_correlation_histogram

rng = np.random.default_rng(0)
first = rng.normal(size=400)
second = np.r_[np.zeros(6), first[:-6]] + 0.1 * rng.normal(size=400)  # 6 samples, 3 s later
signal = neo.AnalogSignal(np.c_[first, second], units="mV", sampling_rate=2 * pq.Hz)


def peaks(**settings):
    found = cross_correlation_function(signal, [[0, 1], [0, 0]], **settings)
    times = found.times.rescale("s").magnitude
    return [float(times[k]) for k in np.argmax(np.abs(found.magnitude), axis=0)], (float(times[0]), float(times[-1]))


everything, (start, stop) = peaks()
few, window = peaks(n_lags=20)
print(f"all lags ({start} to {stop} s): 3 s later is at {everything[0]} s, itself at {everything[1]} s")
print(f"n_lags=20 ({window[0]} to {window[1]} s): 3 s later is at {few[0]} s, itself at {few[1]} s")
trains = [neo.SpikeTrain(t * pq.s, t_stop=100 * pq.s) for t in ([10, 30, 55, 70], [13, 33, 58, 73])]
counts, bins = cross_correlation_histogram(*(BinnedSpikeTrain(t, bin_size=1 * pq.s) for t in trains))
lag = int(bins[np.argmax(np.ravel(counts.magnitude))])
print(f"spikes 3 s later, cross_correlation_histogram: {lag} s")
assert lag == 3
assert everything == [-3, 0], "the sign is that of the formula now"
assert few == [-93, -90], "times of n_lags are around 0 now"
PY
