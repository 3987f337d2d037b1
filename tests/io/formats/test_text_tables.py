"""Names, stimuli, behaviour, neuron lists and connectomes."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.formats import cect, connectome, side_tables, text_tables
from napari_dynamic_connectome.model.errors import InputError, MissingExtraError


def test_names(tmp_path) -> None:
    (tmp_path / "n.csv").write_text("Label,Name\n3,AVAL\n4,\n5,'=1+1\n")
    assert side_tables.read_names(tmp_path / "n.csv") == {3: "AVAL", 5: "=1+1"}
    pd.DataFrame({"label": [3, 4], "name": ["AVAL", None]}).to_parquet(tmp_path / "n.parquet")
    assert side_tables.read_names(tmp_path / "n.parquet") == {3: "AVAL"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,onset,offset\nb,5,6\na,1,2\n", [("a", 1, 2), ("b", 5, 6)]),
        ("stimulus;start_ms;stop_ms\na;1000;2000\n", [("a", 1, 2)]),
        ("name\tt_on\na\t3\n", [("a", 3, 3)]),
        ("name,onset,duration\na,1,0.5\n", [("a", 1, 1.5)]),
        ("name,onset,offset\na,1,\n", [("a", 1, 1)]),
    ],
)
def test_stimuli(tmp_path, text, expected) -> None:
    (tmp_path / "s.csv").write_text(text)
    found = side_tables.read_stimuli(tmp_path / "s.csv")
    assert list(found[["name", "onset", "offset"]].itertuples(index=False, name=None)) == expected


def test_behaviour_is_put_on_the_clock_of_the_traces(tmp_path) -> None:
    own = np.arange(0, 10, 0.25)
    pd.DataFrame({"time_s": own, "speed": 3 * own, "turn": (own > 5).astype(int)}).to_csv(
        tmp_path / "b.csv", index=False
    )
    clock = np.array([-1.0, 0.0, 1.1, 5.3, 9.75, 11.0])
    found = side_tables.read_behaviour(tmp_path / "b.csv", clock)
    np.testing.assert_allclose(found["speed"].values, [np.nan, 0, 3.3, 15.9, 29.25, np.nan])
    np.testing.assert_array_equal(found["turn"].values, [np.nan, 0, 0, 1, 1, np.nan])
    assert (found["speed"].attrs["kind"], found["turn"].attrs["kind"]) == ("continuous", "binary")


def test_gaps_in_behaviour_stay_gaps(tmp_path) -> None:
    (tmp_path / "b.csv").write_text("time_s,speed\n0,0.5\n1,\n2,2.5\n3,3.5\n")
    found = side_tables.read_behaviour(tmp_path / "b.csv", np.array([0.0, 0.5, 1.5, 2.0, 2.5]))
    np.testing.assert_array_equal(np.isnan(found["speed"].values), [False, True, True, False, False])


def test_formulas_are_neutralised_and_come_back(tmp_path) -> None:
    cells = ["=cmd|' /C calc'!A0", "+A1", "-A1", "@SUM(A1)", "AVAL", "-3.5", "'quoted"]
    path = text_tables.write_csv(pd.DataFrame({"=name": cells, "n": range(7)}), tmp_path / "a.csv")
    held = pd.read_csv(path, dtype=str)
    assert held.columns[0] == "'=name"
    assert held.iloc[:, 0].tolist() == ["'=cmd|' /C calc'!A0", "'+A1", "'-A1", "'@SUM(A1)", "AVAL", "-3.5", "'quoted"]
    assert [text_tables.plain_cell(c) for c in held.iloc[:, 0]] == cells


def test_neuron_lists(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("name,note\navaL,x\nRIM R,\n")
    assert side_tables.read_neuron_list(tmp_path / "a.csv") == ["AVAL", "RIMR"]
    (tmp_path / "b.txt").write_text("AVAL\nAVAR\nglia7\n")
    assert side_tables.read_neuron_list(tmp_path / "b.txt") == ["AVAL", "AVAR", "glia7"]


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


def test_connectome_package_too_old_says_which_release_is_needed(tmp_path, monkeypatch) -> None:
    import pickle
    import sys

    (tmp_path / "cect").mkdir()
    (tmp_path / "cect" / "__init__.py").touch()  # as in 0.2.5: no folder of readers
    (tmp_path / "cect-0.2.5.dist-info").mkdir()
    (tmp_path / "cect-0.2.5.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: cect\nVersion: 0.2.5\n")
    for name in [n for n in sys.modules if n == "cect" or n.startswith("cect.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match=r"0\.3\.1 or newer; 0\.2\.5 is installed.*'cect>=0\.3\.1'") as caught:
        cect.cect_datasets()
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    monkeypatch.delitem(sys.modules, "cect")


@pytest.mark.data
@pytest.mark.parametrize("name", ["white_1986_whole", "witvliet_2020_8", "cook_2019_hermaphrodite"])
def test_real_connectomes(shared_data, name) -> None:
    from napari_dynamic_connectome.model.neurons import CANONICAL

    edges = connectome.read_connectome(shared_data / "connectome" / f"{name}.csv")
    held = pd.read_csv(shared_data / "connectome" / f"{name}.csv")
    assert edges["synapses"].sum() == held["synapses"].sum()
    assert connectome.connectome_matrix(edges, list(CANONICAL)).sum() > 3000
