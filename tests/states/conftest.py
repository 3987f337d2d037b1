"""Worms with planted states: each state has its own network."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.recording import Recording


def plant(*, neurons=16, frames=500, worms=3, k=2, seed=0, seen=1.0, dwell=40, behaviour=True, rate_hz=2.0):
    """A cohort that switches, its sequences (from 0), and the networks (state, to, from)."""
    rng = np.random.default_rng(seed)
    networks = np.empty((k, neurons, neurons))
    for z in range(k):
        links = (rng.random((neurons, neurons)) < 0.15) * rng.choice([-1, 1], (neurons, neurons)) * 0.5
        np.fill_diagonal(links, 0.6)
        networks[z] = links * min(1, 0.95 / np.abs(np.linalg.eigvals(links)).max())
    recordings, sequences = [], []
    for worm in range(worms):
        z = np.empty(frames, int)
        z[0] = rng.integers(k)
        for t in range(1, frames):
            z[t] = z[t - 1] if rng.random() > 1 / dwell else rng.integers(k)
        x = np.zeros((frames, neurons))
        for t in range(1, frames):
            x[t] = networks[z[t]] @ x[t - 1] + 0.5 * rng.standard_normal(neurons)
        mine = np.sort(rng.permutation(neurons)[: round(seen * neurons)])
        told = (
            xr.Dataset({"doing": ("time", (z == 0).astype(float)), "other": ("time", rng.standard_normal(frames))})
            if behaviour
            else xr.Dataset()
        )
        recordings.append(
            Recording.from_arrays(
                x[:, mine], name=f"worm {worm}", rate_hz=rate_hz, names=[f"N{i:02d}" for i in mine], behaviour=told
            )
        )
        sequences.append(z)
    return Cohort(recordings), sequences, networks


@pytest.fixture
def planted():
    """See `plant`."""
    return plant


@pytest.fixture(scope="module")
def simple():
    """Three worms of 16 neurons, two states, a few neurons missing."""
    return plant(seen=0.8, seed=5)
