#!/usr/bin/env bash
# dcor: distance correlations of uint8 and uint16 traces are above 1
#
# Guess: a distance correlation is between 0 and 1, whatever the type of the numbers; one that is not supported is refused.
# Seen: 397,070 for uint8 and 1.51 for uint16, where the same numbers as floats give 0.73; int16 raises OverflowError. Sums run over
#   in the type of the input. The only warning says that it falls back to something that is not compiled. method="naive" is right.
# Why it matters: mean intensities and states stored as small integers are what cameras and behaviour tables hold, and pairs are ranked
#   by this number. Convert to float before. The like with int64 was reported there in 2023 (issue 59) and is mended.
# Versions: dcor 0.7, numpy 2.4.6, numba 0.68.1, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'dcor==0.7' 'numpy==2.4.6' 'numba==0.68.1' 'scipy==1.17.1' 'joblib==1.6.0'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import dcor
import numpy as np

first = np.tile([0, 60, 120, 180], 50)
second = np.tile([60, 120, 180, 0], 50)
right = dcor.distance_correlation(first.astype(float), second.astype(float))
got = {kind: dcor.distance_correlation(first.astype(kind), second.astype(kind)) for kind in ("uint8", "uint16", "int32")}
naive = dcor.distance_correlation(first.astype("uint8"), second.astype("uint8"), method="naive")
print(f"float {right:.3f}; " + ", ".join(f"{kind} {value:.3f}" for kind, value in got.items()) + f"; uint8 naive {naive:.3f}")
assert 0.7 < right < 0.8 and abs(got["int32"] - right) < 1e-9 and abs(naive - right) < 1e-6
assert got["uint8"] > 1 and got["uint16"] > 1, "small integers are added up in a wider type now"
PY
