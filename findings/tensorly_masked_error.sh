#!/usr/bin/env bash
# tensorly: with a mask, the returned error counts the missing entries as fitted
#
# Guess: parafac(..., mask=..., return_errors=True) returns the error over the entries that the mask keeps, relative to them.
# Seen: missing entries are filled with the model of the step before and then compared with the model, where they fit by
#   themselves; they are in the denominator too. Pure noise with 80 % missing: the returned error is about 0.3 where the error
#   over observed entries is about 0.8. non_negative_parafac does the same. Without missing entries the numbers agree.
#   The more is missing, the better the fit looks.
# Why it matters: neurons seen in some worms only make cohort tensors with most entries missing. A rank or a cohort chosen by this
#   number favours whatever has more gaps. Compute the error over the observed entries from the factors.
# Versions: tensorly 0.10.0, numpy 2.4.6, scipy 1.17.1, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'tensorly==0.10.0' 'numpy==2.4.6' 'scipy==1.17.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import numpy as np
from tensorly.cp_tensor import cp_to_tensor
from tensorly.decomposition import non_negative_parafac, parafac

rng = np.random.default_rng(1)
noise = np.abs(rng.normal(size=(12, 20, 15)))
noise -= noise.mean()
share = {}
for fit, data in ((parafac, noise), (non_negative_parafac, noise - noise.min())):
    for missing in (0.0, 0.3, 0.8):
        seen = rng.random(data.shape) >= missing
        model, errors = fit(
            np.where(seen, data, 0.0), 3, mask=seen, init="random", random_state=0, n_iter_max=200, return_errors=True
        )
        own = np.linalg.norm((cp_to_tensor(model) - data)[seen]) / np.linalg.norm(data[seen])
        share[fit.__name__, missing] = float(errors[-1]) / own
        print(f"{fit.__name__}, missing {missing:.0%}: returned {float(errors[-1]):.3f}, over observed entries {own:.3f}")
for name in ("parafac", "non_negative_parafac"):
    assert abs(share[name, 0.0] - 1) < 0.02
    assert share[name, 0.8] < share[name, 0.3] < 0.99 and share[name, 0.8] < 0.6, "the error is over observed entries now"
PY
