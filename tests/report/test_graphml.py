"""The graph of a component: everything about each neuron, read again by networkx and by our own reader."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import xarray as xr
from tests.report.test_tables import signed_components
from tests.widgets.helpers import NAMES, cohort, communities, components, fill, recording

from napari_dynamic_connectome.display.palette import UNASSIGNED, styles
from napari_dynamic_connectome.io.formats.connectome import read_connectome
from napari_dynamic_connectome.io.formats.graphml import read_graphml
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.report.graphml import write_graphml, write_session_graph
from napari_dynamic_connectome.session.session import Session


@pytest.fixture
def session() -> Session:
    made = Session()
    fill(made)
    core = made.communities[(1, "core")]
    state = np.full(core.labels.shape, "member", dtype=object)
    state[0, :4] = ["background", "unsure", "overlapping", "not observed"]
    labels = core.labels.copy()
    labels.values[0, 0] = -1
    sure = core.probability.copy()
    sure.values[0, 3] = np.nan
    states = xr.DataArray(state, dims=core.labels.dims, coords=core.labels.coords)
    made.communities[(1, "core")] = replace(core, labels=labels, probability=sure, state=states, kind="core")
    return made


def test_nodes_hold_all_that_is_known(session: Session, tmp_path: Path) -> None:
    session.select(component=1, kind="core", level=1)
    graph = nx.read_graphml(write_session_graph(session, tmp_path / "g.graphml"))
    place = session.recording.neurons.set_index("name")
    found = {k: v for (c, k), v in session.communities.items() if c == 1}
    strength = session.components.strength(1).to_series()
    assert set(graph) == set(NAMES)
    for name, node in graph.nodes.items():
        assert node["label"] == node["name"] == name and node["side"] == name[-1] and node["ganglion"]
        assert name.startswith(node["class"]) and node["worms"] == 2
        assert node["strength"] == pytest.approx(strength[name])
        assert [node[f"{a}_um"] for a in "zyx"] == pytest.approx(place.loc[name, list("zyx")].tolist())
        assert node["segment"] == place.loc[name, "label"]
        for kind, one in found.items():
            at = one.neurons.index(name)
            for level in range(one.n_levels):
                assert node[f"{kind}_{level}"] == one.labels.values[level, at]
                assert node[f"{kind}_{level}_state"] == one.states(level)[name]
                sure = one.probability.values[level, at]
                assert node.get(f"{kind}_{level}_probability", np.nan) == pytest.approx(sure, nan_ok=True)
        assert node["community"] == node["core_1"] and node["state"] == node["core_1_state"]
    assert {n["core_0_state"] for n in graph.nodes.values()} == {
        "member",
        "background",
        "unsure",
        "overlapping",
        "not observed",
    }
    assert graph.graph["core_levels"] == 2 and graph.graph["component"] == 1


def test_edges_are_the_matrix_for_networkx_and_for_our_reader(session: Session, tmp_path: Path) -> None:
    path = write_session_graph(session, tmp_path / "g.graphml", 2)
    matrix = session.components.matrix(2).to_pandas()
    graph = nx.read_graphml(path)
    back = nx.to_pandas_adjacency(graph, nodelist=list(matrix.index), weight="weight")
    np.testing.assert_allclose(back, matrix)
    assert all(edge["worms"] == 2 for *_, edge in graph.edges(data=True))
    assert set(read_connectome(path)["pre"]) == set(matrix.index)
    table = read_graphml(path)
    for row in table.itertuples():
        assert row.weight == pytest.approx(matrix.loc[row.pre, row.post])
    assert len(table) == 2 * graph.number_of_edges() and set(table["pre"]) == set(matrix.index)


def test_signs_of_edges_are_kept_apart(tmp_path: Path) -> None:
    parts = signed_components(cohort())
    graph = nx.read_graphml(write_graphml(tmp_path / "g.graphml", parts, 1))
    same, opposite = (parts.matrix(1, sign).to_pandas() for sign in ("same", "opposite"))
    assert graph.number_of_edges() > 20
    for one, two, edge in graph.edges(data=True):
        for key, held in (("weight_same", same), ("weight_opposite", opposite)):
            assert edge.get(key, np.nan) == pytest.approx(held.loc[one, two], nan_ok=True)


def test_unnamed_neurons_have_a_name_of_their_own(tmp_path: Path) -> None:
    worm, parts = recording("worm A"), components(cohort())
    other = {"OLQDL": "worm A#14", "OLQDR": "worm A#15", "SMDVL": "worm B#14"}
    names = {k: np.array([other.get(n, n) for n in parts.pair[k].values], object) for k in ("neuron_a", "neuron_b")}
    pair = parts.pair.assign_coords({k: ("pair", v) for k, v in names.items()})
    parts = replace(parts, neurons=tuple(other.get(n, n) for n in parts.neurons), pair=pair)
    path = write_graphml(tmp_path / "g.graphml", parts, 1, recording=worm)
    graph = nx.read_graphml(path)
    unnamed = {n: d for n, d in graph.nodes.items() if "unnamed" in n}
    assert all(
        d["name"] == d["label"] and n == d["name"].replace(" ", "_") for n, d in graph.nodes.items()
    )  # igraph and Cytoscape look neurons up by it
    assert {d["name"] for d in unnamed.values()} == {"worm A_unnamed_14", "worm A_unnamed_15", "worm B_unnamed_14"}
    assert "#" not in path.read_text(encoding="utf-8")
    assert unnamed["worm_A_unnamed_14"]["segment"] == 14 and "class" not in unnamed["worm_A_unnamed_14"]
    assert unnamed["worm_A_unnamed_15"]["x_um"] == pytest.approx(worm.neurons.loc["#15", "x"])
    assert "x_um" not in unnamed["worm_B_unnamed_14"]
    assert set(read_connectome(path)["pre"]) == {d["name"] for d in graph.nodes.values()}


def test_ids_are_plain_and_names_stay_as_they_are(tmp_path: Path) -> None:
    parts = components(cohort())
    odd = {"AVAL": "cell (left) [a]", "AVAR": "cell_left_a", "RIML": "größe/3 & <x>", "RIMR": "7", "OLQDL": "神経"}
    names = {k: np.array([odd.get(n, n) for n in parts.pair[k].values], object) for k in ("neuron_a", "neuron_b")}
    pair = parts.pair.assign_coords({k: ("pair", v) for k, v in names.items()})
    parts = replace(parts, neurons=tuple(odd.get(n, n) for n in parts.neurons), pair=pair)
    found = replace(communities(cohort()), kind="core of 2 (all)")
    held = {k: v for k in ("labels", "probability", "state") if (v := getattr(found, k)) is not None}
    found = replace(found, **{k: v.assign_coords(neuron=list(parts.neurons)) for k, v in held.items()})
    path = write_graphml(tmp_path / "g.graphml", parts, 1, {"core of 2 (all)": found, "core_of_2_all": found})
    root = ET.parse(path).getroot()
    local = [(e.tag.rsplit("}", 1)[-1], e) for e in root.iter()]
    ids = [e.get("id") for tag, e in local if tag in ("node", "key")]
    assert all(re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", i) for i in ids)
    nodes, keys = ([e.get("id") for t, e in local if t == kind] for kind in ("node", "key"))
    assert len(set(nodes)) == len(nodes) == len(parts.neurons) and len(set(keys)) == len(keys)
    assert {"cell_left_a", "cell_left_a_2", "grosse_3_x", "_7", "_"} <= set(nodes)
    called = {e.get("attr.name") for tag, e in local if tag == "key"}
    assert {"core of 2 (all)_0", "core of 2 (all)_1_probability", "core_of_2_all_0"} <= called
    graph = nx.read_graphml(path)
    assert [d["name"] for d in graph.nodes.values()] == list(parts.neurons)
    assert graph.nodes["cell_left_a_2"]["core of 2 (all)_0"] == found.labels.values[0, parts.neurons.index(odd["AVAL"])]
    table = read_graphml(path)
    matrix = parts.matrix(1).to_pandas()
    assert set(table["pre"]) | set(table["post"]) <= set(parts.neurons) and odd["RIML"] in set(table["pre"])
    for row in table.itertuples():
        assert row.weight == pytest.approx(matrix.loc[row.pre, row.post])


def test_a_single_partition_and_level_are_written(tmp_path: Path) -> None:
    worms = cohort()
    found = communities(worms)
    graph = nx.read_graphml(write_graphml(tmp_path / "g.graphml", components(worms), 1, found, 1))
    assert all(d["community"] == d["modules_1"] for d in graph.nodes.values())


def test_a_session_without_components_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no component"):
        write_session_graph(Session(), tmp_path / "g.graphml")


def test_a_graph_that_is_older_than_the_names_says_so(session: Session, tmp_path: Path) -> None:
    from napari_dynamic_connectome.session.fingerprints import recording_print

    session.made = {"worms": {n: recording_print(r) for n, r in session.recordings.items()}, "components": {}}
    path = tmp_path / "g.graphml"
    assert "not_up_to_date" not in nx.read_graphml(write_session_graph(session, path)).graph
    first = next(iter(session.recordings))
    session.edit(first, {int(session.recordings[first].neurons["label"].iloc[0]): {"name": "RIS"}})
    said = nx.read_graphml(write_session_graph(session, path)).graph["not_up_to_date"]
    assert said == f"Components and communities are older than 1 name of {first}."


def test_an_nwb_file_whose_traces_are_older_than_the_labels_says_so(session: Session, tmp_path: Path) -> None:
    pytest.importorskip("pynwb")
    import h5py

    from napari_dynamic_connectome.report.nwb import write_nwb_files

    first = next(iter(session.recordings))
    session.touched[first] = {"labels": (1, 2)}
    for worm, path in zip(session.recordings, write_nwb_files(session, tmp_path), strict=True):
        with h5py.File(path) as file:
            notes = file["general/notes"][()].decode() if "notes" in file["general"] else ""
        assert notes == ("Not up to date: traces are older than the labels of 2 neurons." if worm == first else "")


def test_keys_can_be_read_and_begin_with_the_name(session: Session, tmp_path: Path) -> None:
    root = ET.parse(write_session_graph(session, tmp_path / "g.graphml", 2)).getroot()
    keys = [(k.get("for"), k.get("id"), k.get("attr.name")) for k in root if k.tag.endswith("key")]
    assert keys[0] == ("node", "name", "name") and len({i for _, i, _ in keys}) == len(keys)
    assert all(i == name for scope, i, name in keys if scope == "node")
    assert ("edge", "weight", "weight") in keys and ("edge", "edge_worms", "worms") in keys
    assert ("graph", "graph_weight", "weight") in keys
    graph = root[-1]
    kinds = [child.tag.rsplit("}")[-1] for child in graph]
    assert kinds == sorted(kinds, key=("data", "node", "edge").index) and kinds[0] == "data"
    assert {d.get("key") for d in graph.iter() if d.tag.endswith("data")} <= {i for _, i, _ in keys}


def test_nodes_can_be_drawn_where_they_are_in_the_colours_of_the_window(session: Session, tmp_path: Path) -> None:
    worm = session.recording
    lost = worm.neurons.copy()
    lost.loc[lost["name"].isin(NAMES[:2]), ["x", "y", "z"]] = np.nan
    worm = replace(worm, neurons=lost)
    found = session.communities[(1, "core")]
    numbers = {int(c): 3 - int(c) for c in range(2)}
    path = write_graphml(tmp_path / "g.graphml", session.components, 1, found, recording=worm, numbers=numbers)
    graph = nx.read_graphml(path)
    shown = {n: style.color for n, style in styles(found, found.chosen_level, False, numbers).items()}
    for name, node in graph.nodes.items():
        assert node["color"] == shown.get(node["community"], UNASSIGNED[False])
        assert f"#{node['r']:02x}{node['g']:02x}{node['b']:02x}" == node["color"]
        if name not in NAMES[:2]:
            assert (node["x"], node["y"]) == pytest.approx((10 * node["x_um"], -10 * node["y_um"]))
    assert len({node["color"] for node in graph.nodes.values()}) > 1
    assert "x_um" not in graph.nodes[NAMES[0]] and graph.nodes[NAMES[0]]["x"] < graph.nodes[NAMES[1]]["x"]
    assert all(graph.nodes[n]["y"] < min(graph.nodes[m]["y"] for m in NAMES[2:]) for n in NAMES[:2])
    bare = nx.read_graphml(write_graphml(tmp_path / "bare.graphml", session.components, 1))
    assert not {"x", "y", "color", "r"} & {key for node in bare.nodes.values() for key in node}
