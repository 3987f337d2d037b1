"""What `session.named` writes: a session folder opens in xarray, in a process that knows nothing of this project."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.report.test_tables import MODELS
from tests.session.session_sample import make_baselines, make_signed, make_states
from tests.widgets.helpers import cohort, fill

from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session

READ = """
import json, sys, warnings
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] == 'napari_dynamic_connectome':
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Block())
warnings.simplefilter('ignore')
import xarray as xr
path = sys.argv[1]
tree = xr.open_datatree(path, engine='zarr', consolidated=False)
components = xr.open_zarr(path, group='components', consolidated=False).load()
print(json.dumps({
    'groups': sorted(g for g in tree.groups),
    'dims': {k: list(v.dims) for k, v in components.data_vars.items()},
    'coords': sorted(components.coords),
    'values': {k: v.values.tolist() for k, v in components.variables.items()},
    'units': components['time'].attrs['units'],
    'attrs': components.attrs,
    'recordings': {g.split('/')[-1]: tree[g].to_dataset().to_dict() for g in tree.groups if g.startswith('/recordings/')},
    **{g: tree[g].to_dataset().to_dict() for g in ('baselines', 'signed') if '/' + g in tree.groups},
    'states': tree['states'].to_dataset().to_dict() if '/states' in tree.groups else None,
    'communities': {g.split('/')[-1]: tree[g].to_dataset().to_dict() for g in tree.groups if g.startswith('/communities/')},
}, default=str))
"""


def read(path: Path) -> dict:
    done = subprocess.run([sys.executable, "-c", READ, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", MODELS)
def test_components_have_names_dimensions_and_coordinates(name: str, tmp_path: Path) -> None:
    session, worms = Session(), cohort()
    parts = MODELS[name](worms)
    session.set_components(parts)
    found = read(save_session(session, tmp_path / "s.zarr"))
    along = "sample" if name == "unaligned" else "time"
    dims = {"weight": ["component"], "time_factor": [along, "component"], "loading": ["worm", "component"]}
    dims |= {"pair_factor": ["pair", "component"]}
    dims |= {"own_time_factor": ["worm", "time", "component"]} if name == "mixed" else {}
    assert found["dims"] == dims and found["units"] == "s" and found["attrs"]["model"] == parts.model
    assert {"component", "clock", "time", "worm", "neuron_a", "neuron_b", "sign", "pair_worms"} <= set(found["coords"])
    held = found["values"]
    for key, values in (("weight", parts.weight), ("pair_factor", parts.pair), ("time_factor", parts.time)):
        np.testing.assert_array_equal(np.array(held[key], float), values.values)
    assert held["neuron_a"] == list(parts.pair["neuron_a"].values) and held["worm"] == list(worms.worms)
    assert held["clock"] == list(parts.clocks)
    if name == "mixed":
        own = np.array(held["own_time_factor"], float)
        np.testing.assert_array_equal(own[:, :, 1], parts.own_time.values[:, :, 0])
        assert np.isnan(own[:, :, 0]).all()
    if name == "unaligned":
        assert held["worm_of_sample"] == list(parts.time["worm"].values)


def test_traces_and_communities_have_names(tmp_path: Path) -> None:
    session = Session()
    fill(session)
    odd = Recording.from_arrays(np.ones((3, 1)), name="worm a", rate_hz=1, names=["AVAL"])
    session.add(odd, make_current=False)
    path = save_session(session, tmp_path / "s.zarr")
    found = read(path)
    assert set(found["recordings"]) == {"worm_A", "worm_B", "worm_a_2"}
    one, worm = found["recordings"]["worm_A"], session.recordings["worm A"]
    assert one["data_vars"]["traces"]["dims"] == ["time", "neuron"] and one["attrs"]["name"] == "worm A"
    np.testing.assert_array_equal(one["data_vars"]["traces"]["data"], worm.traces.values)
    assert one["coords"]["neuron"]["data"] == worm.neurons.index.tolist()
    assert one["coords"]["name"]["data"] == worm.neurons["name"].tolist()
    assert one["coords"]["label"]["data"] == worm.neurons["label"].tolist()
    np.testing.assert_array_equal(one["coords"]["z"]["data"], worm.neurons["z"])
    assert set(found["communities"]) == {f"component{c}_{k}" for c in (1, 2) for k in ("core", "modules")}
    core, held = found["communities"]["component1_core"], session.communities[(1, "core")]
    assert core["data_vars"]["community"]["data"] == held.labels.values.tolist()
    assert core["data_vars"]["state"]["data"] == [held.states(level).tolist() for level in range(held.n_levels)]
    assert core["coords"]["neuron"]["data"] == list(held.neurons) and core["attrs"]["chosen_level"] == 0


def test_what_is_named_follows_every_save_and_changes_nothing_here(tmp_path: Path) -> None:
    session = Session()
    fill(session)
    path = save_session(session, tmp_path / "s.zarr")
    session.name_neuron(13, "ASEL", recording="worm A")
    session.set_components(replace(session.components, weight=session.components.weight * 2))
    save_session(session, path)
    found = read(path)
    assert "ASEL" in found["recordings"]["worm_A"]["coords"]["neuron"]["data"]
    assert found["values"]["weight"] == [18, 8]
    for file in [p for p in path.rglob("*") if p.is_file() and p.relative_to(path).parts[0] == "components"]:
        file.unlink()  # copies only
    assert load_session(path).components.weight.values.tolist() == [18, 8]


def test_states_have_names(tmp_path: Path) -> None:
    session = Session()
    fill(session)
    states = make_states(session.cohort, 3)
    session.set_states(states, session.cohort)
    found = read(save_session(session, tmp_path / "s.zarr"))["states"]
    held = found["data_vars"]
    assert held["sequence"]["data"] == states.sequence.values.tolist()
    assert held["posterior"]["dims"] == ["sample", "state"]
    weights = np.array(held["state_weight"]["data"], float)
    np.testing.assert_array_equal(weights, states.weights.values)
    assert found["coords"]["worm_of_sample"]["data"] == states.sequence["worm"].values.tolist()
    assert found["attrs"]["answer"] == states.verdict()


def test_other_methods_have_names(tmp_path: Path) -> None:
    session = Session()
    fill(session)
    panel, signed = make_baselines(session.cohort, 3), make_signed(session.cohort, 3)
    session.set_baselines(panel, session.cohort)
    session.set_signed(signed, session.cohort)
    found = read(save_session(session, tmp_path / "s.zarr"))
    held = found["baselines"]
    assert held["data_vars"]["group"]["data"] == panel.partitions.to_numpy().tolist()
    assert held["coords"]["grouping"]["data"] == list(panel.partitions.columns)
    assert held["data_vars"]["similarity"]["dims"] == ["method", "neuron", "neuron_b"]
    alike = np.array(held["data_vars"]["similarity"]["data"], float)[0]
    np.testing.assert_array_equal(alike, panel.similarity["edge time series"].values)
    assert held["attrs"]["answer"] == panel.verdict()
    pairs = np.array(found["signed"]["data_vars"]["pair_factor"]["data"], float)
    np.testing.assert_array_equal(pairs, signed.signed.pair.transpose("pair", "component").values)
    assert found["signed"]["attrs"]["answer"] == signed.line
