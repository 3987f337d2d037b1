"""Copies of traces and results in a session folder under names, for xarray and other programs that read zarr.

Groups `recordings/<worm>`, `components`, `communities/component<N>_<kind>`, `states`, `baselines` and `signed` hold arrays with dimension names and coordinates. They are
written anew with every save and never read by this program, which keeps to `session.json` and the arrays that it names.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..io.files import file_names
from ..model.opinions import BaselinePanel
from ..model.recording import Recording
from ..model.results import Communities, Components
from ..model.state_results import StatesResult
from .session import Session
from .store import ROOT, array_files

Put = Callable[[str, bytes], None]
Variable = tuple[tuple[str, ...], Any, dict[str, Any]]
"""Dimensions, values, attributes."""


def write_named(put: Put, session: Session) -> None:
    """Hand all groups to `put(name, data)`."""
    if session.recordings:
        _group(put, "recordings", {})
        stems = file_names(session.recordings)
        for name, recording in session.recordings.items():
            _dataset(put, f"recordings/{stems[name]}", _recording(recording), {"name": name})
    if session.components is not None and session.components.rank:
        one = session.components
        _dataset(put, "components", _components(one), {"model": one.model, "relative_error": float(one.error)})
    if session.communities:
        _group(put, "communities", {})
    for (number, kind), found in session.communities.items():
        about = {
            "component": int(number),
            "kind": kind,
            "chosen_level": int(found.chosen_level),
            "answer": found.answer,
        }
        _dataset(put, f"communities/component{number}_{kind}", _communities(found), about)
    if session.states is not None:
        states = session.states
        held = {
            "rate_hz": float(states.rate_hz),
            "log_likelihood": float(states.log_likelihood),
            "answer": states.verdict(),
        }
        _dataset(put, "states", _states(states), held)
    if session.baselines is not None:
        _dataset(put, "baselines", _baselines(session.baselines), {"answer": session.baselines.verdict()})
    if session.signed is not None:
        answer = {"model": "signed", "answer": session.signed.line}
        _dataset(put, "signed", _components(session.signed.signed), answer)


def _recording(recording: Recording) -> dict[str, Variable]:
    table = recording.neurons
    unit = str(recording.traces.attrs.get("units", ""))
    return {
        "traces": (("time", "neuron"), recording.traces.values, {"units": unit} if unit else {}),
        "time": (("time",), recording.time_s, {"units": "s"}),
        "neuron": (("neuron",), table.index.tolist(), {}),
        "label": (("neuron",), table["label"].to_numpy(np.int64), {}),
        "name": (("neuron",), table["name"].tolist(), {}),
        **{axis: (("neuron",), table[axis].to_numpy(float), {"units": "um"}) for axis in "zyx"},
    }


def _components(components: Components) -> dict[str, Variable]:
    along = "time" if components.has_common_clock else "sample"
    numbers = components.weight["component"].values
    found: dict[str, Variable] = {
        "weight": (("component",), components.weight.values, {}),
        "time_factor": ((along, "component"), components.time.transpose(along, "component").values, {}),
        "loading": (("worm", "component"), components.worm.transpose("worm", "component").values, {}),
        "pair_factor": (("pair", "component"), components.pair.transpose("pair", "component").values, {}),
        "component": (("component",), numbers.astype(np.int64), {}),
        "clock": (("component",), list(components.clocks), {}),
        "time": ((along,), np.asarray(components.time["time"].values, float), {"units": "s"}),
        "worm": (("worm",), [str(w) for w in components.worm["worm"].values], {}),
        "pair_worms": (("pair",), components.pair_worms.values.astype(np.int64), {}),
    }
    for name in ("neuron_a", "neuron_b", "sign"):
        found[name] = (("pair",), [str(v) for v in components.pair[name].values], {})
    if along == "sample":
        found["worm_of_sample"] = (("sample",), [str(w) for w in components.time["worm"].values], {})
    if components.own_time is not None:
        own = components.own_time.transpose("worm", "time", "component")
        whole = np.full((own.sizes["worm"], own.sizes["time"], len(numbers)), np.nan)
        whole[:, :, np.searchsorted(numbers, own["component"].values)] = own.values
        found["own_time_factor"] = (("worm", "time", "component"), whole, {})
    return found


def _communities(communities: Communities) -> dict[str, Variable]:
    levels = range(communities.n_levels)
    states = [communities.states(level).tolist() for level in levels]
    return {
        "community": (("level", "neuron"), communities.labels.values.astype(np.int64), {}),
        "probability": (("level", "neuron"), communities.probability.values.astype(float), {}),
        "state": (("level", "neuron"), states, {}),
        "level": (("level",), np.array(levels, np.int64), {}),
        "neuron": (("neuron",), list(communities.neurons), {}),
    }


def _states(states: StatesResult) -> dict[str, Variable]:
    neurons = list(states.neurons)
    return {
        "sequence": (("sample",), states.sequence.values.astype(np.int64), {}),
        "posterior": (("sample", "state"), states.posterior.values, {}),
        "transition": (("state", "state_to"), states.transition.values, {}),
        "state_weight": (("state", "neuron", "neuron_from", "lag"), states.weights.values, {}),
        "state_level": (("state", "neuron"), states.level.values, {}),
        "state": (("state",), states.posterior["state"].values.astype(np.int64), {}),
        "state_to": (("state_to",), states.posterior["state"].values.astype(np.int64), {}),
        "neuron": (("neuron",), neurons, {}),
        "neuron_from": (("neuron_from",), neurons, {}),
        "lag": (("lag",), states.weights["lag"].values.astype(np.int64), {"units": "frames"}),
        "time": (("sample",), np.asarray(states.sequence["time"].values, float), {"units": "s"}),
        "worm_of_sample": (("sample",), [str(w) for w in states.sequence["worm"].values], {}),
    }


def _baselines(panel: BaselinePanel) -> dict[str, Variable]:
    names, methods = [str(n) for n in panel.partitions.index], list(panel.similarity)
    places = [one.values.astype(float) for one in panel.similarity.values()]
    return {
        "group": (("neuron", "grouping"), panel.partitions.to_numpy(np.int64), {}),
        "similarity": (("method", "neuron", "neuron_b"), np.array(places).reshape(-1, len(names), len(names)), {}),
        "neuron": (("neuron",), names, {}),
        "neuron_b": (("neuron_b",), names, {}),
        "grouping": (("grouping",), [str(c) for c in panel.partitions.columns], {}),
        "method": (("method",), methods, {}),
    }


_MEASURED = frozenset(
    [
        "group",
        "similarity",
        "traces",
        "weight",
        "time_factor",
        "loading",
        "pair_factor",
        "own_time_factor",
        "community",
        "probability",
        "state",
        "sequence",
        "posterior",
        "transition",
        "state_weight",
        "state_level",
    ]
)


def _dataset(put: Put, path: str, variables: Mapping[str, Variable], attributes: Mapping[str, Any]) -> None:
    for name, (dims, values, about) in variables.items():
        for key, data in _files(values, dims, about):
            put(f"{path}/{name}/{key}", data)
    coordinates = [name for name in variables if name not in _MEASURED]
    _group(put, path, dict(attributes) | {"coordinates": " ".join(coordinates)})


def _group(put: Put, path: str, attributes: Mapping[str, Any]) -> None:
    text = json.dumps({"zarr_format": 3, "node_type": "group", "attributes": dict(attributes)}, indent=1)
    put(f"{path}/{ROOT}", text.encode("utf-8", "replace"))


def _files(values: Any, dims: tuple[str, ...], attributes: dict[str, Any]) -> list[tuple[str, bytes]]:
    if isinstance(values, list):
        return _text_files(values, dims, attributes)
    values = np.asarray(values)
    return list(array_files(np.asarray(values, values.dtype.newbyteorder("<"), order="C"), dims, attributes))


def _text_files(values: list[Any], dims: tuple[str, ...], attributes: dict[str, Any]) -> list[tuple[str, bytes]]:
    """One chunk of texts of any length, each as its number of bytes and UTF-8 (the codec `vlen-utf8`)."""
    shape = list(np.shape(values))[: len(dims)]
    cells = [str(v) for row in values for v in row] if len(dims) == 2 else [str(v) for v in values]
    packed = [struct.pack("<I", len(cells))]
    for cell in cells:
        data = cell.encode("utf-8", "replace")
        packed += [struct.pack("<I", len(data)), data]
    header = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": "string",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [max(n, 1) for n in shape]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "",
        "codecs": [{"name": "vlen-utf8", "configuration": {}}],
        "attributes": attributes,
        "dimension_names": list(dims),
    }
    files = [(ROOT, json.dumps(header, indent=1).encode())]
    return [("/".join(["c", *["0"] * len(dims)]), b"".join(packed)), *files] if cells else files
