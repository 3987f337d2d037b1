#!/usr/bin/env bash
# antropy: one missing sample makes the sample entropy 0
#
# Guess: sample_entropy of a trace with a NaN is NaN or an error, as for the other entropies of the package.
# Seen: 0 (printed -0.0), which is a trace that repeats itself perfectly; white noise has 2.19. app_entropy raises, perm_entropy,
#   detrended_fluctuation and higuchi_fd give NaN.
# Why it matters: neurons with a gap are the most regular of the worm, in a table in which nothing is missing.
# Versions: antropy 0.2.3, numpy 2.4.6, numba 0.68.1, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'antropy==0.2.3' 'numpy==2.4.6' 'numba==0.68.1' 'scipy==1.17.1' 'scikit-learn==1.9.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import antropy
import numpy as np

trace = np.random.default_rng(1).normal(size=600)
gap = trace.copy()
gap[100] = np.nan
whole, missing = antropy.sample_entropy(trace), antropy.sample_entropy(gap)
print(f"whole {whole:.2f}, with one NaN {missing}; permutation entropy {antropy.perm_entropy(gap)}")
assert whole > 2 and np.isnan(antropy.perm_entropy(gap)) and np.isnan(antropy.detrended_fluctuation(gap))
try:
    raise SystemExit(f"app_entropy gives {antropy.app_entropy(gap)}")
except ValueError as error:
    print("approximate entropy:", error)
assert missing == 0, "a NaN is no longer taken for regularity"
PY
