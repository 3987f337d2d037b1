"""The commands `states` and `baselines` on a saved session."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.session.freshness import freshness
from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session

NAMES = ["AVAL", "AVAR", "RIBL", "RIBR", "AIYL", "AIYR"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    rng = np.random.default_rng(0)
    session = Session()
    for name in ("a", "b"):
        z = np.arange(240) // 40 % 2
        x = np.zeros((240, 6))
        for t in range(1, 240):
            x[t] = (0.8 if z[t] else -0.8) * x[t - 1][::-1] + rng.standard_normal(6)
        session.add(Recording.from_arrays(x, name=name, rate_hz=2, names=NAMES))
    folder = tmp_path_factory.mktemp("saved")
    save_session(session, folder / "session.zarr")
    return folder


WIDE = ["--set", "states=2", "--set", "state_sd=0.5", "--set", "weight_sd=0.5", "--set", "starts=3"]


def test_states_writes_tables_a_figure_and_a_section_of_the_report(saved, tmp_path, capsys):
    connectome = tmp_path / "wires.csv"
    pd.DataFrame({"pre": NAMES, "post": NAMES[::-1], "type": "chemical", "synapses": 3}).to_csv(connectome, index=False)
    command = [
        "states",
        str(saved),
        "-o",
        str(tmp_path / "out"),
        *WIDE,
        "--folds",
        "2",
        "--connectome",
        str(connectome),
    ]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "2 states; " in said
    held = pd.read_csv(tmp_path / "out" / "tables" / "states_held_out.csv").set_index("model")
    assert {"one state", "states", "states, no connectome", "states, shifted traces"} <= set(held.index)
    assert held.loc["states", "over_one_state"] > 0.05
    assert len(pd.read_csv(tmp_path / "out" / "tables" / "states_sequence.csv")) == 480
    assert (tmp_path / "out" / "figures" / "states.png").stat().st_size > 5000
    assert "Switching states" in (tmp_path / "out" / "report.html").read_text()
    package = json.loads((tmp_path / "out" / "tables" / "datapackage.json").read_text())
    states = [r for r in package["resources"] if r["name"].startswith("states")]
    fields = [f for r in states for f in r["schema"]["fields"] if not f["name"].startswith("probability_")]
    assert len(states) >= 7 and all("description" in f for f in fields)
    kept = load_session(tmp_path / "out" / "session.zarr")
    assert kept.states is not None and kept.states.n_states == 2 and set(kept.states.communities) == {1, 2}
    assert not freshness(kept).lines
    kept.name_neuron(1, "ASEL", recording="a")
    assert freshness(kept).lines == ["States are older than 1 name of a."]


def test_baselines_writes_the_agreement_matrix(saved, tmp_path, capsys):
    command = [
        "baselines",
        str(saved / "session.zarr"),
        "-o",
        str(tmp_path),
        "--set",
        "groups=2",
        "--set",
        "nmf_rank=2",
    ]
    assert main(command) == 0
    table = pd.read_csv(tmp_path / "tables" / "baselines_ari.csv", index_col=0)
    assert list(table.index) == list(table.columns)
    np.testing.assert_allclose(np.diag(table), 1.0)
    assert "shape distance" in capsys.readouterr().out
    assert (tmp_path / "figures" / "baselines.png").is_file()
    kept = load_session(tmp_path / "session.zarr")
    assert kept.baselines is not None and set(table.columns) == set(kept.baselines.partitions.columns)
    assert kept.baselines.provenance["settings"]["nmf_rank"] == 2
    assert "Other methods" in (tmp_path / "report.html").read_text()
    package = json.loads((tmp_path / "tables" / "datapackage.json").read_text())
    told = {r["name"]: r["title"] for r in package["resources"] if r["name"].startswith("baselines")}
    assert set(told) == {"baselines", "baselines_partitions", "baselines_ari", "baselines_ami"} and all(told.values())
    assert not freshness(kept).lines
    kept.name_neuron(1, "ASEL", recording="a")
    assert freshness(kept).lines == ["Static methods are older than 1 name of a."]
    before = (tmp_path / "session.zarr" / "zarr.json").read_bytes()
    assert main(["baselines", str(tmp_path), "--signed", "--set", "groups=2"]) == 2
    assert "no components" in capsys.readouterr().err
    assert (tmp_path / "session.zarr" / "zarr.json").read_bytes() == before


def test_states_ask_which_way_a_matrix_points_and_name_their_flag(saved, tmp_path, capsys):
    path = tmp_path / "m.csv"
    path.write_text(",AVAL,AVAR\nAVAL,0,1\nAVAR,2,0\n")
    command = ["states", str(saved), "--connectome", str(path), "-o", str(tmp_path / "out"), "--held-out", "no"]
    assert main(command) == 2
    assert "Pass --rows one of: pre" in capsys.readouterr().err
    assert main([*command, "--rows", "gap junctions"]) == 2
    assert "not symmetric, and gap junctions have no direction" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["states", "{}", "--set", "states=1"], "one state never switches"),
        (["states", "{}", "--connectome", "absent.csv"], "absent.csv"),
        (["baselines", "{}", "--set", "groups=50"], "50 groups of 6 neurons"),
        (["baselines", "absent"], "absent"),
    ],
)
def test_bad_input_ends_with_one_line_and_code_2(saved, tmp_path, capsys, command, words):
    filled = [str(saved) if part == "{}" else part for part in command]
    assert main([*filled, "-o", str(tmp_path)]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert words in error[-1]
    assert not (tmp_path / "report.html").exists()
