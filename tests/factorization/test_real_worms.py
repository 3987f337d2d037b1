"""The positive control: four real worms, default settings."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.factorization.sweep import sweep_ranks
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.recording import Recording

WORMS = ("2022-07-26-31", "2022-07-26-38", "2022-07-27-31", "2022-08-02-31")


def cohort(folder):
    recordings = []
    for uid in WORMS:
        with np.load(folder / "traces" / f"dag2023_{uid}.npz", allow_pickle=False) as data:
            names = [str(n) if c >= 3 else "" for n, c in zip(data["names"], data["label_confidence"], strict=True)]
            behaviour = xr.Dataset(
                {"reversal": ("time", data["beh_reversal"].astype(float))}, coords={"time": data["t"]}
            )
            recordings.append(
                Recording.from_arrays(data["traces"], name=uid, time_s=data["t"], names=names, behaviour=behaviour)
            )
    return Cohort(recordings)


@pytest.mark.data
def test_reversal_circuit_is_a_component_of_the_real_worms(shared_data):
    worms = cohort(shared_data)
    affinity = compute_affinity(worms)
    assert affinity.model == "unaligned"
    sweep = sweep_ranks(affinity, range(2, 6), starts=8, folds=3)
    assert sweep.suggested >= 3, sweep.reason
    components = sweep.components[sweep.suggested]
    assert min(components.diagnostics["restart_similarity"]) > 0.95
    correlations = []
    for number in components.weight["component"].values:
        each = []
        for worm in worms.recordings:
            course = components.time_course(int(number), worm.name)
            reversal = np.interp(course["time"].values, worm.time_s, worm.behaviour["reversal"].values)
            each.append(np.corrcoef(course.values, reversal)[0, 1])
        correlations.append(np.mean(each))
    assert max(correlations) >= 0.35
    strength = components.strength(int(np.argmax(correlations)) + 1).fillna(0)
    leading = [str(n) for n in strength["neuron"].values[np.argsort(-strength.values)][:12]]
    assert {"AVAL", "AVAR", "AVEL", "AVER"} <= set(leading)
    assert {"AIBL", "AIBR"} & set(leading)
