"""Components and communities made by hand, so that every score is known beforehand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.model.results import Communities, Components
from napari_dynamic_connectome.model.truth import Truth

NEURONS = ("AVAL", "AVAR", "AVBL", "AVBR", "AVDL", "AVDR", "AVEL", "AVER", "RIBL", "RIBR", "RIS", "ALA")


@pytest.fixture
def make_components() -> Callable[..., Components]:
    def make(pair_columns: list[np.ndarray], time: np.ndarray, **more) -> Components:
        """Aligned components of two worms; `pair_columns` are symmetric matrices over NEURONS."""
        rank = len(pair_columns)
        a, b = np.triu_indices(len(NEURONS), 1)
        names = np.asarray(NEURONS, dtype=object)
        factor = np.stack([m[a, b] for m in pair_columns], axis=1)
        number = np.arange(1, rank + 1)
        worms = more.pop("worm", np.full((2, rank), np.sqrt(0.5)))
        unaligned = more.get("model") == "unaligned"
        if unaligned:
            coords = {
                "worm": ("sample", np.repeat(["w1", "w2"], len(time) // 2)),
                "time": ("sample", np.tile(np.arange(len(time) // 2) * 0.5, 2)),
                "component": number,
            }
            course = xr.DataArray(time, dims=("sample", "component"), coords=coords)
        else:
            course = xr.DataArray(
                time, dims=("time", "component"), coords={"time": np.arange(len(time)) * 0.5, "component": number}
            )
        fields = {
            "model": "aligned",
            "time": course,
            "worm": xr.DataArray(worms, dims=("worm", "component"), coords={"worm": ["w1", "w2"], "component": number}),
            "pair": xr.DataArray(
                factor,
                dims=("pair", "component"),
                coords={
                    "component": number,
                    "neuron_a": ("pair", names[a]),
                    "neuron_b": ("pair", names[b]),
                    "sign": ("pair", np.full(len(a), "any", dtype=object)),
                },
            ),
            "weight": xr.DataArray(np.ones(rank), dims=("component",), coords={"component": number}),
            "neurons": NEURONS,
            "pair_worms": xr.DataArray(np.full(len(a), 2), dims=("pair",)),
            "error": 0.5,
        }
        return Components(**(fields | more))

    return make


@pytest.fixture
def make_communities() -> Callable[..., Communities]:
    def make(labels: list[int]) -> Communities:
        coords = {"level": [0], "neuron": np.asarray(NEURONS, dtype=object)}
        row = xr.DataArray([labels], dims=("level", "neuron"), coords=coords)
        return Communities(row, 0, row * 0.0 + 1.0)

    return make


@pytest.fixture
def truth() -> Truth:
    """Motif 1: AVA, AVB together and RIS against them, in w1 and w2; motif 2: AVD, AVE in w1 only, locked to salt."""
    members = [(1, n, 1, 0.9) for n in NEURONS[:4]] + [(1, "RIS", -1, 0.8)] + [(2, n, 1, 0.7) for n in NEURONS[4:8]]
    return Truth(
        motifs=pd.DataFrame({"motif": [1, 2], "kind": ["spontaneous", "stimulus"], "stimulus": ["", "salt"]}),
        members=pd.DataFrame(members, columns=["motif", "neuron", "sign", "loading"]),
        windows=pd.DataFrame(
            [(1, "w1", 2.0, 4.0), (1, "w2", 10.0, 12.0), (2, "w1", 5.0, 8.0)],
            columns=["motif", "worm", "onset", "offset"],
        ),
    )


def block(members: tuple[str, ...], value: float = 1.0) -> np.ndarray:
    """Symmetric matrix over NEURONS with a value between all members."""
    inside = np.array([n in members for n in NEURONS], float)
    matrix = np.outer(inside, inside) * value
    np.fill_diagonal(matrix, 0.0)
    return matrix
