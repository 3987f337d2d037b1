#!/usr/bin/env bash
# nemos: a frame in which one neuron is missing is dropped for all neurons
#
# Guess: PopulationGLM fits each neuron by itself (its coefficients do not interact), so NaN in one neuron's activity leaves out
#   those frames for that neuron alone.
# Seen: every row that has a NaN anywhere is dropped for the whole population, without a warning. The coefficients of a neuron that is
#   complete change when another has gaps, and equal those of a fit to the frames in which all are there.
# Why it matters: with 100 tracked neurons, each missing 3 % of frames at times of its own, 5 % of frames are left; the frames lost
#   are those of fast movement, where tracking fails. Fit neurons one at a time, or fill on purpose.
# Versions: nemos 0.2.8, jax 0.10.2, numpy 2.4.6, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'nemos==0.2.8' 'jax==0.10.2' 'jaxlib==0.10.2' 'pynapple==0.11.4' 'numpy==2.4.6'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import jax
import nemos
import numpy as np

jax.config.update("jax_enable_x64", True)
rng = np.random.default_rng(0)
speed = rng.normal(size=(2000, 2))
rates = np.exp(speed @ np.array([[0.3, -0.2], [-0.5, 0.4]]) + 0.1)
counts = rng.poisson(rates).astype(float)
gaps = counts.copy()
gaps[:1000, 0] = np.nan  # the first neuron is missing for half of the recording


def second(activity, rows=slice(None)):
    """Return the coefficients of the second neuron, which has no gap."""
    return np.asarray(nemos.glm.PopulationGLM().fit(speed[rows], activity[rows]).coef_)[:, 1]


whole, beside, half = second(counts), second(gaps), second(counts, slice(1000, None))
alone = np.asarray(nemos.glm.GLM().fit(speed, gaps[:, 1]).coef_)
print("complete", whole, "\nbeside a neuron with gaps", beside, "\nlast half only", half, "\nalone", alone)
assert np.allclose(alone, whole, atol=1e-3)
assert not np.allclose(beside, whole, atol=1e-3), "gaps of one neuron leave the others alone now"
assert np.allclose(beside, half, atol=1e-3)
PY
