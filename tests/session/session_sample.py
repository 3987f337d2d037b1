"""Sessions with a bit of everything, made in a moment, and an exact comparison of two sessions."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.opinions import BaselinePanel, SignedComparison
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.model.results import Communities, Components, RankSweep
from napari_dynamic_connectome.model.state_results import StatesResult
from napari_dynamic_connectome.model.truth import Truth
from napari_dynamic_connectome.session.session import Session

NAMES = ("AVAL", "AVAR", "RIML", "RIMR", "", "AIBL", "AIBR", "")


def make_recording(name: str, seed: int, n_time: int = 60) -> Recording:
    rng = np.random.default_rng(seed)
    traces = rng.normal(size=(n_time, len(NAMES))).astype(np.float32 if seed % 2 else np.float64)
    traces[3:5, 2] = np.nan
    recording = Recording.from_arrays(
        traces,
        name=name,
        time_s=np.cumsum(rng.uniform(0.2, 0.4, n_time)),
        names=NAMES,
        positions_um=rng.normal(size=(len(NAMES), 3)),
        confidence=[1, 2, np.nan, 4, 5, 0.1, 1e-300, 3],
        stimuli=pd.DataFrame(
            {"name": ["salt", "light"], "onset": [1.5, 3], "offset": [2.5, 3.25], "note": ["é", "=1+1"]}
        ),
        breaks=(4.25,),
        provenance={"seed": np.int64(seed), "history": [{"op": "made", "when": ("now", None)}], "nan": float("nan")},
    )
    quality = pd.DataFrame(
        {"snr": rng.normal(size=len(NAMES)).astype(np.float32), "flags": ["a,b", "", None, "x", "", "", "", ""]},
        index=recording.neurons.index,
    )
    quality.attrs["rule"] = {"least": 0.5}
    behaviour = xr.Dataset({"reversal": ("time", (rng.random(n_time) > 0.5).astype(float), {"kind": "binary"})})
    neurons = recording.neurons.assign(cell_class=["A"] * len(NAMES), area=rng.integers(1, 9, len(NAMES)))
    return recording.replace(quality=quality, behaviour=behaviour, neurons=neurons)


def make_components(cohort: Cohort, rank: int, seed: int) -> Components:
    rng = np.random.default_rng(seed)
    neurons = cohort.neurons
    a, b = np.triu_indices(len(neurons), 1)
    names = np.asarray(neurons, object)
    number = np.arange(1, rank + 1)
    pair = xr.DataArray(
        rng.random((len(a), rank)),
        dims=("pair", "component"),
        coords={
            "component": number,
            "neuron_a": ("pair", names[a]),
            "neuron_b": ("pair", names[b]),
            "sign": ("pair", np.full(len(a), "any", object)),
        },
    )
    pair.values[2] = np.nan
    return Components(
        model="aligned",
        time=xr.DataArray(
            rng.random((20, rank)), dims=("time", "component"), coords={"time": np.arange(20) / 3, "component": number}
        ),
        worm=xr.DataArray(
            rng.random((len(cohort.worms), rank)),
            dims=("worm", "component"),
            coords={"worm": list(cohort.worms), "component": number},
        ),
        pair=pair,
        weight=xr.DataArray(np.sort(rng.random(rank))[::-1].copy(), dims=("component",), coords={"component": number}),
        neurons=neurons,
        pair_worms=xr.DataArray(rng.integers(0, 3, len(a)), dims=("pair",)),
        error=0.1 + 0.2,
        diagnostics={
            "errors": rng.random((3, 5)),
            "starts": (1, 2, 3),
            1: "a number as key",
            "inf": -np.inf,
            "table": pd.DataFrame({"x": [1, 2]}, index=[5, 7]),
        },
        stimuli=cohort.recordings[0].stimuli,
        provenance={"settings": {"tolerance": 1e-7}, "seed": seed},
    )


def make_communities(cohort: Cohort, seed: int) -> Communities:
    rng = np.random.default_rng(seed)
    n = len(cohort.neurons)
    names = np.asarray(cohort.neurons, object)
    labels = np.stack([np.sort(rng.integers(-1, 3, n)), np.zeros(n, int)])
    return Communities(
        labels=xr.DataArray(labels, dims=("level", "neuron"), coords={"level": [0, 1], "neuron": names}),
        chosen_level=0,
        probability=xr.DataArray(
            rng.random((2, n)).astype(np.float32), dims=("level", "neuron"), coords={"level": [0, 1], "neuron": names}
        ),
        description_length=-12.345678901234567,
        co_membership=xr.DataArray(
            rng.random((n, n)), dims=("neuron", "neuron_b"), coords={"neuron": names, "neuron_b": names}
        ),
        n_groups=pd.Series([0.25, 0.75], index=pd.Index([2, 3], name="groups"), name="probability"),
        significance=pd.DataFrame({"gain": [1.5, np.nan], "p_value": [0.01, np.inf]}, index=[0, 1]),
        rule="the finest level",
    )


def make_states(cohort: Cohort, seed: int, n_time: int = 30) -> StatesResult:
    rng = np.random.default_rng(seed)
    names, worms, states = np.asarray(cohort.neurons, object), list(cohort.worms), [1, 2]
    n, samples = len(names), n_time * len(worms)
    sample = {
        "worm": ("sample", np.repeat(np.asarray(worms, object), n_time)),
        "time": ("sample", np.tile(np.arange(n_time) / 2.0, len(worms))),
    }
    pairs = {"neuron": names, "neuron_from": names, "lag": [1]}
    weights = rng.normal(size=(2, n, n, 1))
    weights[:, 0, 1] = np.nan
    return StatesResult(
        sequence=xr.DataArray(np.arange(samples) // 7 % 2 + 1, dims=("sample",), coords=sample, name="state"),
        posterior=xr.DataArray(
            np.eye(2)[np.arange(samples) // 7 % 2], dims=("sample", "state"), coords={**sample, "state": states}
        ),
        transition=xr.DataArray(
            [[0.9, 0.1], [0.2, 0.8]], dims=("state", "state_to"), coords={"state": states, "state_to": states}
        ),
        weights=xr.DataArray(weights, dims=("state", *pairs), coords={"state": states, **pairs}, name="weight"),
        shared=xr.DataArray(weights[0], dims=tuple(pairs), coords=pairs, name="shared weight"),
        level=xr.DataArray(
            rng.normal(size=(2, n)), dims=("state", "neuron"), coords={"state": states, "neuron": names}
        ),
        noise=xr.DataArray(
            rng.random((2, len(worms), n)),
            dims=("state", "worm", "neuron"),
            coords={"state": states, "worm": worms, "neuron": names},
        ),
        rate_hz=2.0,
        log_likelihood=-1.25,
        starts=pd.DataFrame(
            {
                "start": [1, 0],
                "log_posterior": [-1.0, -2.0],
                "iterations": [5, 6],
                "converged": [True, False],
                "agreement": [1.0, 0.95],
            }
        ),
        held_out=pd.DataFrame(
            {
                "model": ["one state", "states", "states, no prior", "states, shifted traces"],
                "states": [1, 2, 2, 2],
                "prior": ["gaussian", "gaussian", "none", "gaussian"],
                "score": [-1.0, -0.9, -0.95, -1.1],
                "score_se": [0.01] * 4,
                "over_one_state": [0.0, 0.1, 0.05, -0.01],
                "over_one_state_se": [0.0, 0.02, 0.02, 0.01],
                "folds": [4] * 4,
                "values": [900] * 4,
            }
        ),
        agreement=pd.DataFrame(
            {
                "kind": ["behaviour", "component"],
                "name": ["reversal", "1"],
                "state": [1, 2],
                "worm": ["all", "all"],
                "r": [0.6, -0.2],
                "p_value": [0.001, 0.4],
                "seconds": [30.0, 30.0],
                "q_value": [0.002, 0.4],
            }
        ),
        communities={1: make_communities(cohort, seed + 1), 2: make_communities(cohort, seed + 2)},
        notes=("a note",),
        provenance={"settings": {"states": 2, "prior": "gaussian"}, "seed": seed},
    )


def make_baselines(cohort: Cohort, seed: int) -> BaselinePanel:
    rng = np.random.default_rng(seed)
    names = np.asarray(cohort.neurons, object)
    partitions = pd.DataFrame(
        {"component 1 modules": 0, "edge time series": rng.integers(-1, 2, len(names))},
        index=pd.Index([str(n) for n in names], name="neuron"),
    )
    matrix = rng.random((len(names), len(names)))
    matrix[0, 1] = np.nan
    alike = xr.DataArray(matrix, dims=("neuron", "neuron_b"), coords={"neuron": names, "neuron_b": names})
    settings = {"settings": {"groups": 2, "methods": ("edge time series",)}, "seed": seed}
    return BaselinePanel(
        partitions, ("component 1 modules",), {"edge time series": alike}, tuple(names[::-1]), ("a note",), settings
    )


def make_signed(cohort: Cohort, seed: int) -> SignedComparison:
    of = {"affinity": {"sigma_s": 1.5, "sign": "signed"}, "confounds": {}}
    made = {"settings": of, "seed": seed}
    return SignedComparison(make_components(cohort, 3, seed), make_components(cohort, 3, seed + 1), 0.5, 0.25, made)


def make_session(seed: int = 0, *, results: bool = True, n_worms: int = 2) -> Session:
    session = Session()
    for i in range(n_worms):
        session.add(make_recording(f"worm {i + 1}", seed + i))
    session.name_neuron(5, "ava l2" if seed % 2 else "RMDVL")
    session.edit("worm 1", {1: {"rejected": True, "note": "out of focus — «µ»"}, 3: {"confidence": ""}}, text="look")
    session.undo()
    if results:
        cohort = Cohort(session.recordings.values(), min_worms=1)
        session.set_cohort(cohort)
        components = {r: make_components(cohort, r, seed + r) for r in (2, 3)}
        table = pd.DataFrame({"rank": [2, 3], "error": [0.5, 0.4], "held_out": [np.nan, 0.6]})
        session.set_sweep(RankSweep(table, 3, "restarts agree", components, pd.DataFrame([[0.1, 0.2]], index=[2])))
        session.set_components(components[3])
        session.set_communities(
            {(1, "modules"): make_communities(cohort, seed), (2, "modules"): make_communities(cohort, 9)}
        )
        session.set_surrogates(components[3], [make_components(cohort, 3, seed + 20 + k) for k in range(2)])
        session.set_states(make_states(cohort, seed), cohort)
        session.set_baselines(make_baselines(cohort, seed), cohort)
        session.set_signed(make_signed(cohort, seed), cohort)
        session.truth = Truth(
            motifs=pd.DataFrame({"motif": [1], "kind": ["spontaneous"], "stimulus": [""]}),
            members=pd.DataFrame({"motif": [1, 1], "neuron": ["AVAL", "AVAR"], "sign": [1, -1], "loading": [0.5, 1.0]}),
            windows=pd.DataFrame({"motif": [1], "worm": ["worm 1"], "onset": [0.0], "offset": [3.5]}),
            extra={"activity": {"worm 1": np.arange(6.0).reshape(2, 3)}},
        )
        # an edit after the cohort was made: the cohort keeps the recording as it was
        session.edit("worm 2", {6: {"note": "later"}})
    session.settings = {"affinity": {"sigma_s": 1.5, "kind": "joint"}, "range": (2, 10)}
    session.provenance = {"command": "dynamic-connectome run x.toml", "versions": {"numpy": np.__version__}}
    session.select(neurons=("AVAR", "RIML"), time_s=1.25)
    session.leave_out("worm 2", who="ada")
    first = session.recordings["worm 1"]
    session.add(first, replace=True, make_current=False, made="correct traces again", raw=first.traces * 2)
    session.view = {"camera": {"angles": (10.0, -20.5, 90.0), "zoom": 7.25}, "color_by": "community"}
    return session


def same(a: Any, b: Any, where: str = "session") -> None:
    """Assert that two values are the same to the last bit, types of arrays and tables included."""
    assert type(a) is type(b) or (np.isscalar(a) and np.isscalar(b)), f"{where}: {type(a)} {type(b)}"
    if is_dataclass(a) and not isinstance(a, type):
        for f in fields(a):
            same(getattr(a, f.name), getattr(b, f.name), f"{where}.{f.name}")
    elif isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_exact=True)
        assert a.attrs == b.attrs
    elif isinstance(a, pd.Series):
        pd.testing.assert_series_equal(a, b, check_exact=True)
    elif isinstance(a, np.ndarray):
        assert a.dtype == b.dtype and a.shape == b.shape, where
        assert a.tolist() == b.tolist() if a.dtype == object else a.tobytes() == b.tobytes(), where
    elif isinstance(a, xr.DataArray):
        assert a.dims == b.dims and a.name == b.name and dict(a.attrs) == dict(b.attrs), where
        same(a.values, b.values, where)
        assert set(a.coords) == set(b.coords), where
        for name in a.coords:
            assert a.coords[name].dims == b.coords[name].dims
            same(a.coords[name].values, b.coords[name].values, f"{where}.{name}")
    elif isinstance(a, xr.Dataset):
        assert list(a.data_vars) == list(b.data_vars), where
        for name in a.data_vars:
            same(a[name], b[name], f"{where}.{name}")
    elif isinstance(a, dict):
        assert list(a) == list(b), where
        for key in a:
            same(a[key], b[key], f"{where}[{key!r}]")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), where
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            same(x, y, f"{where}[{i}]")
    elif isinstance(a, (float, np.floating)):
        # JSON has one NaN; arrays keep the bits of theirs
        assert (a != a and b != b) or np.float64(a).tobytes() == np.float64(b).tobytes(), where
    else:
        assert a == b, f"{where}: {a!r} {b!r}"


def same_session(a: Session, b: Session) -> None:
    """Assert that two sessions hold the same, to the last bit."""
    parts = (
        "recordings",
        "current",
        "sweep",
        "components",
        "communities",
        "surrogates",
        "states",
        "baselines",
        "signed",
        "settings",
        "truth",
        "selection",
        "left_out",
    )
    for part in (*parts, "raw", "view", "history", "done", "undone", "uid", "revisions", "references", "provenance"):
        same(getattr(a, part), getattr(b, part), part)
    assert (a.cohort is None) == (b.cohort is None)
    if a.cohort is not None and b.cohort is not None:
        assert a.cohort.settings == b.cohort.settings
        same(a.cohort.recordings, b.cohort.recordings, "cohort")
        same(a.cohort.presence, b.cohort.presence, "cohort")
