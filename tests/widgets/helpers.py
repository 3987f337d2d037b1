"""A small session made from model classes, so that GUI tests need no analysis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import xarray as xr

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.model.results import Communities, Components

NAMES = ["AVAL", "AVAR", "RIML", "RIMR", "AIBL", "AIBR", "RIBL", "RIBR", "SMDVL", "SMDVR", "OLQDL", "OLQDR"]


def recording(name: str = "worm A", seed: int = 0, *, unnamed: int = 3) -> Recording:
    rng = np.random.default_rng(seed)
    time = np.arange(120) / 2.0
    wave = np.stack([np.sin(time / 3), np.cos(time / 4), np.sin(time / 7)], axis=1)
    n = len(NAMES) + unnamed
    traces = np.stack([wave[:, (i // 4) % 3] for i in range(n)], axis=1) + rng.normal(scale=0.2, size=(120, n))
    places = np.stack([rng.uniform(0, 20, n), rng.uniform(5, 35, n), np.linspace(5, 95, n)], axis=1)
    stimuli = pd.DataFrame({"name": ["NaCl", "butanone"], "onset": [10.0, 35.0], "offset": [18.0, 43.0]})
    return Recording.from_arrays(
        traces, name=name, time_s=time, names=[*NAMES, *[""] * unnamed], positions_um=places, stimuli=stimuli
    )


def cohort() -> Cohort:
    return Cohort([recording("worm A", 0), recording("worm B", 1)])


def components(worms: Cohort, rank: int = 2) -> Components:
    neurons = worms.neurons
    first, second = np.triu_indices(len(neurons), 1)
    rng = np.random.default_rng(3)
    group = {n: NAMES.index(n) // 4 for n in neurons}
    same = np.array([group[neurons[a]] == group[neurons[b]] for a, b in zip(first, second, strict=True)])
    pair = np.stack([same * (1.0 + r) + rng.random(len(first)) * 0.1 for r in range(rank)], axis=1)
    pair /= np.linalg.norm(pair, axis=0)
    time = worms.recordings[0].time_s
    course = np.stack([np.exp(-((time - 12 - 25 * r) ** 2) / 30) for r in range(rank)], axis=1)
    course /= np.linalg.norm(course, axis=0)
    numbers = np.arange(1, rank + 1)
    names = np.asarray(neurons, dtype=object)
    return Components(
        model="aligned",
        time=xr.DataArray(course, dims=("time", "component"), coords={"time": time, "component": numbers}),
        worm=xr.DataArray(
            np.full((2, rank), 0.7),
            dims=("worm", "component"),
            coords={"worm": list(worms.worms), "component": numbers},
        ),
        pair=xr.DataArray(
            pair,
            dims=("pair", "component"),
            coords={
                "component": numbers,
                "neuron_a": ("pair", names[first]),
                "neuron_b": ("pair", names[second]),
                "sign": ("pair", np.array(["any"] * len(first), dtype=object)),
            },
        ),
        weight=xr.DataArray(np.array([9.0, 4.0, 2.0])[:rank], dims=("component",), coords={"component": numbers}),
        neurons=neurons,
        pair_worms=xr.DataArray(np.full(len(first), 2), dims=("pair",)),
        error=0.2,
        stimuli=worms.recordings[0].stimuli,
    )


def mixed_components(worms: Cohort) -> Components:
    """Component 1 with a common course, component 2 with a course of its own in every worm: later in worm B than in worm A."""
    one = components(worms)
    clock = one.time["time"].values
    own = np.stack([np.exp(-((clock - at) ** 2) / 30) for at in (20.0, 45.0)])[:, :, None]
    own /= np.linalg.norm(own)
    time = one.time.copy()
    time[:, 1] = np.nan
    coords = {"worm": list(worms.worms), "time": clock, "component": [2]}
    courses = xr.DataArray(own, dims=("worm", "time", "component"), coords=coords)
    return replace(one, model="mixed", time=time, own_time=courses)


def communities(worms: Cohort) -> Communities:
    fine = np.array([NAMES.index(n) // 4 for n in worms.neurons])
    labels = np.stack([fine, np.minimum(fine, 1)])
    array = xr.DataArray(
        labels, dims=("level", "neuron"), coords={"neuron": np.asarray(worms.neurons, dtype=object), "level": [0, 1]}
    )
    return Communities(labels=array, chosen_level=0, probability=array * 0.0 + 0.9, rule="test")


def fill(session) -> None:
    """Give a session everything that an analysis gives."""
    worms = cohort()
    for one in worms.recordings:
        session.add(one, make_current=False)
    session.set_cohort(worms)
    parts = components(worms)
    session.set_components(parts)
    session.set_communities({(c, k): communities(worms) for c in (1, 2) for k in ("modules", "core")})
