"""What a table of connections says: weights by any name, quantities, GraphML in all its forms, published data sets."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.formats import cect, connectome
from napari_dynamic_connectome.io.formats.connectome import read_connectome
from napari_dynamic_connectome.io.formats.propagation import KIND, RESPONDS, read_propagation
from napari_dynamic_connectome.io.formats.side_tables import read_positions
from napari_dynamic_connectome.io.wiring import connectome_matrix, networks_of
from napari_dynamic_connectome.model.errors import FormatError, InputError, MissingExtraError

HEAD = '<?xml version="1.0"?><graphml xmlns="http://graphml.graphdrawing.org/xmlns">'


NODES = '<node id="AVAL"/><node id="AVAR"/><node id="RIML"/>'


def written(folder: Path, text: str, name: str = "a.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize(
    "column", ["synapses", "number_of_synapses", "Number of synapses", "weight", "Nbr", "sections", "n"]
)
def test_numbers_of_synapses_are_found_under_their_many_names(tmp_path: Path, column: str) -> None:
    edges = read_connectome(written(tmp_path, f"pre,post,type,{column}\nAVAL,AVAR,chemical,12\nAVAL,RIML,chemical,3\n"))
    assert edges["synapses"].tolist() == [12, 3]


@pytest.mark.parametrize(
    ("header", "kind", "quantity"),
    [
        ("contact_area", "chemical", "contact area"),
        ("weight", "contact", "contact area"),
        ("peptide_count", "neuropeptide", "ligand-receptor pairs"),
        ("weight", "extrasynaptic", "ligand-receptor pairs"),
        ("weight", "spatial", "weight"),
    ],
)
def test_what_is_no_number_of_synapses_is_not_called_synapses(
    tmp_path: Path, header: str, kind: str, quantity: str
) -> None:
    edges = read_connectome(written(tmp_path, f"pre,post,type,{header}\nAVAL,AVAR,{kind},2.5\n"))
    assert "synapses" not in edges and edges["weight"].tolist() == [2.5] and edges["quantity"].tolist() == [quantity]


def test_rows_without_weights_are_counted_and_said_to_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="napari_dynamic_connectome"):
        edges = read_connectome(written(tmp_path, "pre,post\nAVAL,AVAR\nAVAL,AVAR\nAVAR,RIML\n"))
    assert edges["quantity"].unique().tolist() == ["rows listed"] and "synapses" not in edges
    assert connectome_matrix(edges, ["AVAL", "AVAR", "RIML"]).tolist() == [[0, 2, 0], [0, 0, 1], [0, 0, 0]]
    assert "each of the 3 rows counts once" in caplog.text


def test_numbers_under_an_unknown_name_are_asked_for_not_replaced_by_one(tmp_path: Path) -> None:
    path = written(tmp_path, "pre,post,strength_au,note\nAVAL,AVAR,12,x\nAVAL,RIML,3,y\n")
    with pytest.raises(ChoiceNeeded, match="strength_au") as caught:
        read_connectome(path)
    assert (caught.value.option, caught.value.choices) == ("weight", ("strength_au",))
    assert read_connectome(path, weight="strength_au")["synapses"].tolist() == [12, 3]
    with pytest.raises(InputError, match="no column 'other'"):
        read_connectome(path, weight="other")


def test_mixed_quantities_do_not_add_up(tmp_path: Path) -> None:
    edges = read_connectome(written(tmp_path, "pre,post,type,weight\nAVAL,AVAR,chemical,2\nAVAL,AVAR,contact,300\n"))
    with pytest.raises(InputError, match="do not add up"):
        connectome_matrix(edges, ["AVAL", "AVAR"])
    assert connectome_matrix(edges, ["AVAL", "AVAR"], kind="contact").tolist() == [[0, 300], [300, 0]]
    assert networks_of(edges, "m")["chemical"].quantity == "synapses"


def test_synapses_that_are_listed_from_both_sides_count_once(tmp_path: Path) -> None:
    rows = "Neuron 1,Neuron 2,Type,Nbr\nAVAL,AVAR,S,4\nAVAR,AVAL,R,4\nAVAL,RIML,EJ,2\nRIML,AVAL,EJ,2\n"
    edges = read_connectome(written(tmp_path, rows))
    assert connectome_matrix(edges, ["AVAL", "AVAR", "RIML"]).tolist() == [[0, 4, 2], [0, 0, 0], [2, 0, 0]]
    only = read_connectome(written(tmp_path, "Neuron 1,Neuron 2,Type,Nbr\nAVAR,AVAL,R,4\n"))
    assert only[["pre", "post", "type", "synapses"]].values.tolist() == [["AVAL", "AVAR", "chemical", 4]]


def test_graphml_defaults_are_the_weights_of_edges_that_say_none(tmp_path: Path) -> None:
    key = '<key id="w" for="edge" attr.name="weight" attr.type="double"><default>7</default></key>'
    edges = '<edge source="AVAL" target="AVAR"/><edge source="AVAL" target="RIML"><data key="w">2</data></edge>'
    text = HEAD + key + f'<graph edgedefault="directed">{NODES}{edges}</graph></graphml>'
    assert read_connectome(written(tmp_path, text, "a.graphml"))["synapses"].tolist() == [7, 2]
    with pytest.raises(InputError, match="AVAL -> AVAR has no weight"):
        read_connectome(written(tmp_path, text.replace("<default>7</default>", ""), "b.graphml"))


def test_graphml_keys_that_are_not_declared_are_names(tmp_path: Path) -> None:
    # as cytoscape-graphml writes it: no key, no namespace, places as data
    nodes = "".join(f'<node xmlns="" id="{n}"><data type="position" key="x">0</data></node>' for n in ("AVAL", "AVAR"))
    edge = '<edge xmlns="" id="e" source="AVAL" target="AVAR"><data key="Synapses">5</data><data key="note">a</data></edge>'
    edges = read_connectome(written(tmp_path, f"{HEAD}<graph>{nodes}{edge}</graph></graphml>", "a.graphml"))
    assert edges[["pre", "post", "synapses"]].values.tolist() == [["AVAL", "AVAR", 5]]


def test_graphml_edges_without_direction_go_both_ways(tmp_path: Path) -> None:
    edge = '<edge source="AVAL" target="AVAR"/><edge directed="true" source="AVAL" target="RIML"/>'
    text = HEAD + f'<graph edgedefault="undirected">{NODES}{edge}</graph></graphml>'
    edges = read_connectome(written(tmp_path, text, "a.graphml"))
    assert connectome_matrix(edges, ["AVAL", "AVAR", "RIML"]).tolist() == [[0, 1, 1], [1, 0, 0], [0, 0, 0]]
    graph = nx.Graph()
    graph.add_edge("AVAL", "AVAR", weight=3.0)
    nx.write_graphml(graph, tmp_path / "b.graphml")
    assert connectome_matrix(read_connectome(tmp_path / "b.graphml"), ["AVAL", "AVAR"]).tolist() == [[0, 3], [3, 0]]


@pytest.mark.parametrize("attribute", ["name", "cell_name", "who"])
def test_graphml_names_may_stand_in_an_attribute(tmp_path: Path, attribute: str) -> None:
    key = f'<key id="v" for="node" attr.name="{attribute}" attr.type="string"/>'
    nodes = '<node id="n0"><data key="v">AVAL</data></node><node id="n1"><data key="v">avar</data></node>'
    text = HEAD + key + f'<graph edgedefault="directed">{nodes}<edge source="n0" target="n1"/></graph></graphml>'
    assert read_connectome(written(tmp_path, text, "a.graphml"))[["pre", "post"]].values.tolist() == [["AVAL", "AVAR"]]


def test_graphml_inside_graphml_is_read_and_hyperedges_are_refused(tmp_path: Path) -> None:
    inner = '<graph edgedefault="undirected"><node id="RIMR"/><edge source="RIMR" target="RIML"/></graph>'
    text = (
        HEAD
        + f'<graph edgedefault="directed">{NODES}<node id="box">{inner}</node><edge source="AVAL" target="AVAR"/></graph></graphml>'
    )
    edges = read_connectome(written(tmp_path, text, "a.graphml"))
    assert sorted(map(tuple, edges[["pre", "post"]].values)) == [("AVAL", "AVAR"), ("RIML", "RIMR"), ("RIMR", "RIML")]
    with pytest.raises(FormatError, match="more than two nodes"):
        read_connectome(
            written(tmp_path, text.replace('<edge source="AVAL" target="AVAR"/>', "<hyperedge/>"), "b.graphml")
        )


def test_propagation_goes_from_the_stimulated_to_the_responding_neuron(tmp_path: Path) -> None:
    names = np.array(["AVAL", "RIML", "RIS"])
    response = np.full((3, 3), np.nan)
    response[1, 0] = 0.8  # RIML responds when AVAL is stimulated
    response[0, 1] = -0.2
    q = np.where(np.isfinite(response), 0.5, np.nan)
    q[1, 0] = 0.01
    np.savez(tmp_path / "atlas.npz", neuron_ids=names, wt_dFF=response, wt_q=q)
    rows = "stimulated,responder,response,q\nAVAL,RIML,0.8,0.01\nRIML,AVAL,-0.2,0.5\nRIS,RIS,1,0.5\n"
    for path in (tmp_path / "atlas.npz", written(tmp_path, rows)):
        found = read_propagation(path)
        weight, responds = found[KIND].weight, found[RESPONDS].weight
        assert float(weight.sel(source="AVAL", target="RIML")) == pytest.approx(0.8)
        assert float(weight.sel(source="RIML", target="AVAL")) == pytest.approx(-0.2)
        assert np.isnan(float(weight.sel(source="AVAL", target="RIS"))), "not measured"
        assert (
            float(responds.sel(source="AVAL", target="RIML")) == 1
            and float(responds.sel(source="RIML", target="AVAL")) == 0
        )
        assert found[KIND].quantity == "dF/F of the responder" and found[KIND].directed
    # the same table read as a connectome keeps direction, sign and quantity
    edges = read_connectome(tmp_path / "a.csv", weight="response")
    assert (
        edges.loc[0, ["pre", "post", "type"]].tolist() == ["AVAL", "RIML", "signal propagation"]
        and edges["weight"].min() == -0.2
    )
    with pytest.raises(InputError, match="no unc31_dFF"):
        read_propagation(tmp_path / "atlas.npz", strain="unc31")
    with pytest.raises(InputError, match="twice"):
        read_propagation(written(tmp_path, rows + "AVAL,RIML,0.9,0.01\n"))
    with pytest.raises(InputError, match="Needed: stimulated"):
        read_propagation(written(tmp_path, "a,b\n1,2\n"))


def test_positions_need_micrometres_in_their_names(tmp_path: Path) -> None:
    assert read_positions(written(tmp_path, "name,x_um,y_um,z_um\navaL,1,2,3\n")).values.tolist() == [["AVAL", 1, 2, 3]]
    with pytest.raises(InputError, match="x_um"):
        read_positions(written(tmp_path, "name,x,y,z\nAVAL,1,2,3\n"))


def test_an_unknown_data_set_is_answered_with_the_nearest_names() -> None:
    pytest.importorskip("cect.readers")
    with pytest.raises(InputError) as caught:
        cect.read_cect("Cook2019")
    assert "Cook2019HermReader" in str(caught.value) and "Bentley" not in str(caught.value)
    with pytest.raises(InputError, match="WitvlietDataReader8"):
        cect.read_cect("witvliet 8")
    with pytest.raises(InputError, match="White_whole"):
        cect.read_cect("White1986whole")
    assert "Cook2019DataReader" not in cect.cect_datasets(), "a base class that reads nothing"


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "dataset"), [("white_1986_whole", "White_whole"), ("witvliet_2020_8", "WitvlietDataReader8")]
)
def test_one_connectome_from_two_sources_has_one_matrix_of_gap_junctions(
    shared_data: Path, file: str, dataset: str
) -> None:
    pytest.importorskip("cect.readers")
    once = networks_of(read_connectome(shared_data / "connectome" / f"{file}.csv"), "once")["electrical"]
    twice = networks_of(cect.read_cect(dataset), "twice")["electrical"]
    shared = [n for n in once.neurons if n in set(twice.neurons)]
    assert len(shared) >= 175
    np.testing.assert_array_equal(once.between(shared).weight.values, twice.between(shared).weight.values)


@pytest.mark.data
def test_the_real_atlas_points_the_way_that_the_package_points(shared_data: Path) -> None:
    found = read_propagation(shared_data / "connectome" / "randi2023_signal_propagation.npz")
    assert len(found[KIND].neurons) == 300
    measured = np.isfinite(found[KIND].weight.values)
    assert 0.2 < measured.mean() < 0.3
    with np.load(shared_data / "connectome" / "randi2023_signal_propagation.npz") as file:
        ids, response = file["neuron_ids"].astype(str).tolist(), file["wt_dFF"]
    i, j = ids.index("AVJR"), ids.index("ADAL")
    here = found[KIND].weight.sel(source="ADAL", target="AVJR")
    np.testing.assert_allclose(float(here), response[i, j])


def test_tables_are_what_pandas_wrote(tmp_path: Path) -> None:
    pd.DataFrame({"source": ["AVAL"], "target": ["AVAR"], "weight": [2.0]}).to_csv(tmp_path / "a.csv", index=False)
    assert read_connectome(tmp_path / "a.csv").values.tolist() == [["AVAL", "AVAR", "chemical", 2.0]]


def graph() -> nx.DiGraph:
    made = nx.DiGraph()
    made.add_edge("AVAL", "AVAR", synapses=4.0, type="chemical")
    made.add_edge("AVAR", "AVBL", synapses=2.0, type="GapJunction")
    return made


def test_graphml_of_networkx(tmp_path) -> None:
    nx.write_graphml(graph(), tmp_path / "a.graphml")
    edges = connectome.read_connectome(tmp_path / "a.graphml")
    assert edges.to_dict("records") == [
        {"pre": "AVAL", "post": "AVAR", "type": "chemical", "synapses": 4.0},
        {"pre": "AVAR", "post": "AVBL", "type": "electrical", "synapses": 2.0},
    ]
    matrix = connectome.connectome_matrix(edges, ["AVAL", "AVAR", "AVBL"])
    # the gap junction is listed once, and has no direction
    np.testing.assert_array_equal(
        matrix, nx.to_numpy_array(graph(), weight="synapses") + [[0, 0, 0], [0, 0, 0], [0, 2, 0]]
    )
    assert connectome.connectome_matrix(edges, ["AVAR", "AVBL"], kind="electrical").tolist() == [[0, 2], [2, 0]]


def test_connectome_csv_of_pandas(tmp_path) -> None:
    nx.to_pandas_edgelist(graph()).rename(columns={"synapses": "weight"}).to_csv(tmp_path / "a.csv", index=False)
    edges = connectome.read_connectome(tmp_path / "a.csv")
    assert edges["synapses"].tolist() == [4, 2] and edges["pre"].tolist() == ["AVAL", "AVAR"]


def test_neurons_that_stand_for_other_cells_are_left_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("cect.readers")
    from cect.ConnectomeDataset import ConnectomeDataset
    from cect.ConnectomeReader import ConnectionInfo
    from cect.readers import WitvlietDataReader8, WormNeuroAtlasReader

    made = ConnectomeDataset()
    for pre, post, n in (("AVAL", "VD9", 900), ("VD9", "DD1", 7), ("AIYL", "AVAL", 3), ("VD8", "AIYL", 1)):
        made.add_connection_info(ConnectionInfo(pre, post, n, "Chemical", "Acetylcholine"))
    for reader in (WormNeuroAtlasReader, WitvlietDataReader8):
        monkeypatch.setattr(reader, "get_instance", lambda: made)
    with caplog.at_level("INFO"):
        edges = cect.read_cect("WormNeuroAtlasReader")
    assert sorted(edges["pre"]) == ["AIYL", "VD8"]
    assert "2 connections of VD9 left out" in caplog.text
    assert len(cect.read_cect("WitvlietDataReader8")) == 4, "there VD9 is the neuron"


def test_connectome_package() -> None:
    pytest.importorskip("cect")
    edges = cect.read_cect("White_whole")
    assert len(edges) > 2000
    assert set(edges["type"]) >= {"chemical", "electrical"}
    with pytest.raises(InputError, match="White_whole"):
        cect.read_cect("Nobody")


def test_connectome_package_absent(monkeypatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "cect.readers", None)
    monkeypatch.setitem(sys.modules, "cect", None)
    with pytest.raises(MissingExtraError, match=r"napari-dynamic-connectome\[connectome\]"):
        cect.read_cect("White_whole")


@pytest.mark.parametrize("version", ["0.2.5", "0.3.1"])
def test_connectome_package_too_old_says_which_release_is_needed(version: str, tmp_path, monkeypatch) -> None:
    import pickle
    import sys

    (tmp_path / "cect").mkdir()
    (tmp_path / "cect" / "__init__.py").touch()  # as in 0.2.5: no folder of readers
    if version == "0.3.1":  # which tells no type of synapse
        (tmp_path / "cect" / "readers").mkdir()
        (tmp_path / "cect" / "readers" / "__init__.py").touch()
    about = tmp_path / f"cect-{version}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: cect\nVersion: {version}\n")
    for name in [n for n in sys.modules if n == "cect" or n.startswith("cect.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    wanted = rf"0\.3\.2 or newer; {re.escape(version)} is installed.*'cect>=0\.3\.2'"
    with pytest.raises(MissingExtraError, match=wanted) as caught:
        cect.cect_datasets()
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    for name in [n for n in sys.modules if n == "cect" or n.startswith("cect.")]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.data
@pytest.mark.parametrize("name", ["white_1986_whole", "witvliet_2020_8", "cook_2019_hermaphrodite"])
def test_real_connectomes(shared_data, name) -> None:
    from napari_dynamic_connectome.model.neurons import CANONICAL

    edges = connectome.read_connectome(shared_data / "connectome" / f"{name}.csv")
    held = pd.read_csv(shared_data / "connectome" / f"{name}.csv")
    assert edges["synapses"].sum() == held["synapses"].sum()
    assert connectome.connectome_matrix(edges, list(CANONICAL)).sum() > 3000
