#!/usr/bin/env bash
# hmmlearn: the states depend on the unit of the traces
#
# Guess: a Gaussian HMM is fitted by likelihood, so the same traces in other units (dF/F or percent, V or mV) give the same states
#   and widths that scale along.
# Seen: the covariance has a prior of fixed size (covars_prior 1e-2, min_covar 1e-3) in the units of the data. Traces of which the
#   noise is 0.006: two states that anyone sees become one with covariance_type="full", and the widths of "diag" come out 1.4
#   times too wide. At 0.0006 "diag" finds one state too. In units 100 times larger all is well. No warning.
# Why it matters: dF/F or derivatives of it, and positions in mm, have variances near or below these constants. Brain states then
#   vanish, or their number depends on whether somebody multiplied by 100. Standardise, or set covars_prior and min_covar.
# Versions: hmmlearn 0.3.3, numpy 2.4.6, scikit-learn 1.9.1, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'hmmlearn==0.3.3' 'numpy==2.4.6' 'scipy==1.17.1' 'scikit-learn==1.9.1'
cd "$work"
export OMP_NUM_THREADS=1 # on shared machines threads wait for one another
"$work/venv/bin/python" -W ignore - <<'PY'
import logging

import numpy as np
from hmmlearn.hmm import GaussianHMM

logging.disable(logging.CRITICAL)
rng = np.random.default_rng(0)
state = np.repeat([0, 1, 0, 1, 0, 1], 100)
traces = 2.0 * state[:, None] * np.array([1.0, 0.5, -1.0]) + rng.normal(size=(600, 3)) * 0.6
right, width = {}, {}
for kind in ("diag", "full"):
    for unit in (100.0, 1.0, 0.01, 0.001):
        model = GaussianHMM(2, covariance_type=kind, random_state=0, n_iter=50).fit(traces * unit)
        found = model.predict(traces * unit)
        right[kind, unit] = max((found == state).mean(), (found != state).mean())
        width[kind, unit] = float(np.sqrt(np.ravel(model.covars_[0])[0])) / unit
        print(f"{kind}, traces * {unit:g}: frames in the right state {right[kind, unit]:.2f}, width / unit {width[kind, unit]:.2f}")
for kind in ("diag", "full"):
    assert right[kind, 100.0] > 0.99 and right[kind, 1.0] > 0.99 and abs(width[kind, 1.0] - 0.6) < 0.03
assert right["full", 0.01] < 0.6 and right["diag", 0.001] < 0.6, "the states no longer depend on the unit"
assert width["diag", 0.01] > 0.75, "the widths no longer depend on the unit"
PY
