#!/usr/bin/env bash
# tlviz: a model of one component matches a model of three perfectly
#
# Guess: factor_match_score of models with different numbers of components is an error unless allow_smaller_rank=True (its help
#   says that it raises), or the components without a partner lower the score.
# Seen: in the default call it is 1.0, in either order: the mean is over the pairs that exist, so components without a partner do
#   not count. The error of the help comes only with return_permutation=True, and only when the second model is the smaller.
# Why it matters: the score decides whether components of a tensor factorization are reproducible between halves, seeds or worms.
#   Compared across ranks it rewards the smaller model: rank 1 agrees with everything that contains its component.
# Versions: tlviz 0.1.1, tensorly 0.10.0, numpy 2.4.6, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'tlviz==0.1.1' 'tensorly==0.10.0' 'numpy==2.4.6' 'scipy==1.17.1' 'matplotlib==3.11.2' 'pandas==3.1.1' 'statsmodels==0.15.0' 'xarray==2026.9.0'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from tlviz.factor_tools import factor_match_score

rng = np.random.default_rng(0)
factors = [rng.random((size, 3)) for size in (8, 9, 10)]
three = (np.ones(3), factors)
one = (np.ones(1), [factor[:, :1] for factor in factors])
forth, back = factor_match_score(three, one), factor_match_score(one, three)
wider = factor_match_score(one, three, return_permutation=True)
print(f"three against one {forth:.3f}, one against three {back:.3f}, with the permutation {wider[0]:.3f}")
assert abs(forth - 1) < 1e-9 and abs(back - 1) < 1e-9 and abs(wider[0] - 1) < 1e-9, "missing partners count now"
try:
    factor_match_score(three, one, return_permutation=True)
except ValueError as error:
    print("three against one, with the permutation:", error)
else:
    raise SystemExit("return_permutation no longer refuses the smaller second model")
PY
