"""The commands that compare: structure against function, what to test next, labels beside a reference; and the report's sections."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import xarray as xr

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.comparison import read_networks
from napari_dynamic_connectome.display.community_names import community_names
from napari_dynamic_connectome.model.neurons import CANONICAL
from napari_dynamic_connectome.model.provenance import KEYS
from napari_dynamic_connectome.model.results import Communities, Components
from napari_dynamic_connectome.pipeline.settings import PipelineSettings

NAMES = [n for n in CANONICAL if n[-1] in "LR"][:24]
LABELS = [0] * 8 + [1] * 8 + [-1] * 8
FAST = ["--set", "comparison.permutations=99", "--set", "comparison.rewired=19"]


def components() -> Components:
    """One component in which two groups of neurons are together."""
    rng = np.random.default_rng(0)
    labels = np.array(LABELS)
    matrix = rng.random((24, 24)) + 3 * ((labels[:, None] == labels[None]) & (labels[:, None] >= 0))
    matrix = matrix + matrix.T
    a, b = np.triu_indices(24, 1)
    names = np.asarray(NAMES, dtype=object)
    one = {"component": [1]}
    return Components(
        model="aligned",
        time=xr.DataArray(np.ones((5, 1)), dims=("time", "component"), coords=one | {"time": np.arange(5.0)}),
        worm=xr.DataArray(np.ones((2, 1)), dims=("worm", "component"), coords=one | {"worm": ["w1", "w2"]}),
        pair=xr.DataArray(
            matrix[a, b][:, None],
            dims=("pair", "component"),
            coords=one
            | {
                "neuron_a": ("pair", names[a]),
                "neuron_b": ("pair", names[b]),
                "sign": ("pair", np.full(len(a), "any", dtype=object)),
            },
        ),
        weight=xr.DataArray(np.ones(1), dims=("component",), coords=one),
        neurons=tuple(NAMES),
        pair_worms=xr.DataArray(np.full(len(a), 2), dims=("pair",)),
        error=0.5,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session and a connectome in which the same two groups are wired."""
    where = tmp_path_factory.mktemp("opinions")
    coords = {"level": [0], "neuron": np.asarray(NAMES, dtype=object)}
    row = xr.DataArray([LABELS], dims=("level", "neuron"), coords=coords)
    session = ndc.Session()
    rng = np.random.default_rng(1)
    session.add(ndc.Recording.from_arrays(rng.random((5, 24)), name="w1", rate_hz=1, names=NAMES))
    session.set_components(components())
    session.set_communities({(1, "core"): Communities(row, 0, row * 0.0 + 1.0, kind="core")})
    ndc.save_session(session, where / "session.zarr")
    labels = np.array(LABELS)
    rows = ["pre,post,type,synapses"]
    for i in range(24):
        for j in range(24):
            near = labels[i] == labels[j] and labels[i] >= 0
            if i != j and rng.random() < (0.6 if near else 0.1):
                rows.append(f"{NAMES[i]},{NAMES[j]},chemical,{rng.integers(1, 9)}")
    (where / "wiring.csv").write_text("\n".join(rows) + "\n")
    return where


def test_compare_structure_says_sentences_and_writes_tables(folder: Path, tmp_path: Path, capsys) -> None:
    command = [
        "compare-structure",
        str(folder),
        "--connectome",
        str(folder / "wiring.csv"),
        "-o",
        str(tmp_path / "out"),
        *FAST,
    ]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "Component 1 agrees with the chemical network of wiring" in said and "24 neurons, 276 pairs" in said
    assert "odds ratio" in said
    tests = pd.read_csv(tmp_path / "out" / "structure_tests.csv")
    assert tests["p_value"].tolist() == [0.01] and tests["r"][0] > 0.2
    assert (tmp_path / "out" / "structure_component1.png").stat().st_size > 5000
    made = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert set(KEYS) <= set(made) and made["settings"]["connectome"]
    worms, network = made["inputs"][:-1], made["inputs"][-1]
    assert len(worms) and all("worm" in one for one in worms) and network["links"] > 100


def test_a_connectome_that_does_not_tell_its_weights_asks_and_is_told(folder: Path, tmp_path: Path, capsys) -> None:
    path = tmp_path / "own.csv"
    table = pd.read_csv(folder / "wiring.csv")
    table.rename(columns={"synapses": "strength_au"}).to_csv(path, index=False)
    command = ["compare-structure", str(folder), "--connectome", str(path), "-o", str(tmp_path / "out"), *FAST]
    assert main(command) == 2
    assert "strength_au" in capsys.readouterr().err
    assert main([*command, "--weight", "strength_au"]) == 0
    settings = PipelineSettings.parse(
        {"comparison": {"connectome": [str(path)], "weight": "strength_au"}}, where="file"
    )
    (network,) = read_networks(settings.comparison)
    assert float(network.weight.max()) == table["synapses"].max()


def test_suggest_tests_ranks_and_respects_access(folder: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "access.csv").write_text("neuron,access,how\n" + "".join(f"{n},no,\n" for n in NAMES[:8]))
    command = ["suggest-tests", str(folder), "--access", str(tmp_path / "access.csv"), "-o", str(tmp_path / "out")]
    assert main([*command, "--connectome", str(folder / "wiring.csv")]) == 0
    said = capsys.readouterr().out
    assert "predicts" in said and "caus" not in said.lower()
    table = pd.read_csv(tmp_path / "out" / "what_to_test_neurons.csv")
    assert (table.loc[table["community"] == 0, "score"] == 0).all() and table["community"][0] == 1
    assert "chemical connections with" in table["reasons"][0]


def test_the_report_has_the_split_matrix_where_a_connectome_is_given(folder: Path, tmp_path: Path) -> None:
    bare = ["report", str(folder), "-o", str(tmp_path / "bare"), "--no-screenshot"]
    assert main(bare) == 0
    text = (tmp_path / "bare" / "report.html").read_text(encoding="utf-8")
    assert "Structure and function" not in text and "What to test next" in text
    given = [
        "report",
        str(folder),
        "-o",
        str(tmp_path / "full"),
        "--no-screenshot",
        "--connectome",
        str(folder / "wiring.csv"),
        *FAST,
    ]
    assert main(given) == 0
    text = (tmp_path / "full" / "report.html").read_text(encoding="utf-8")
    assert "Structure and function" in text and 'alt="structure_component1"' in text
    assert "agrees with the chemical network of wiring" in text
    table = pd.read_csv(tmp_path / "full" / "tables" / "structure_communities.csv", dtype=str)
    each = table[table["community"] != "all"]
    session = ndc.load_session(folder / "session.zarr")
    for (name, community), rows in each.groupby(["communities", "community"]):
        kind = "core" if (int(name[-1]), "core") in session.communities else "modules"
        expected = community_names(session.communities, int(name[-1]), kind)[int(community)]
        assert set(rows["community_name"]) == {expected} and expected != community
    assert len(each) and (table.loc[table["community"] == "all", "community_name"] == "all").all()
    assert (tmp_path / "full" / "figures" / "structure_component1.svg").is_file()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "Give --connectome FILE"),
        (["--connectome", "nowhere.csv"], "nowhere.csv: there is no such file"),
        (["--connectome", "foreign.csv"], "foreign.csv: no row connects two neurons with canonical names"),
        (
            ["--connectome", "wiring.csv", "--set", "comparison.kinds=['electrical']"],
            "no connections of type electrical",
        ),
        (["--connectome", "wiring.csv", "--set", "rank.rank=2"], "'rank' is not a table here"),
    ],
)
def test_wrong_input_gives_one_line(folder: Path, more: list[str], said: str, capsys, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "foreign.csv").write_text("pre,post,type,synapses\nfoo,bar,chemical,3\nbar,baz,chemical,1\n")
    assert main(["compare-structure", str(folder), *more]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_wrong_connectome_is_found_out_before_the_work(folder: Path, tmp_path: Path, capsys) -> None:
    np.savez(tmp_path / "w.npz", traces=np.random.default_rng(0).random((9, 3)), names=["AVAL", "AVAR", "RIS"], fs=1.0)
    (tmp_path / "s.toml").write_text('[input]\nrecordings = ["w.npz"]\n[comparison]\nconnectome = ["absent.csv"]\n')
    assert main(["run", str(tmp_path / "s.toml"), "-o", str(tmp_path / "out"), "--no-screenshot"]) == 2
    assert "absent.csv" in capsys.readouterr().err and not (tmp_path / "out" / "session.zarr").exists()


def test_paths_of_the_settings_are_relative_to_their_file(tmp_path: Path) -> None:
    text = '[input]\nrecordings = ["w.npz"]\n[comparison]\nconnectome = ["a.csv", "cect:White_whole"]\npropagation = "f.npz"\n'
    (tmp_path / "s.toml").write_text(text)
    found = PipelineSettings.from_file(tmp_path / "s.toml").comparison
    assert found.connectome == (str(tmp_path / "a.csv"), "cect:White_whole") and found.propagation == str(
        tmp_path / "f.npz"
    )


def test_compare_labels_prints_scores_and_writes_tables(tmp_path: Path, capsys) -> None:
    reference = np.zeros((2, 3, 20, 20), np.uint16)
    reference[:, :, 2:8, 2:8], reference[:, :, 12:18, 12:18] = 3, 4
    labels = reference.copy()
    labels[1][labels[1] == 3] = 9
    for name, data in (("reference", reference), ("labels", labels)):
        tifffile.imwrite(tmp_path / f"{name}.ome.tif", data, metadata={"axes": "TZYX"}, photometric="minisblack")
    (tmp_path / "names.csv").write_text("label,name\n3,AVAL\n")
    command = ["compare-labels", str(tmp_path / "labels.ome.tif"), str(tmp_path / "reference.ome.tif")]
    assert main([*command, "--names", str(tmp_path / "names.csv"), "-o", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    assert "average F1 1.00" in said and "1 identity switches" in said and "(AVAL)" in said
    tracks = pd.read_csv(tmp_path / "out" / "tracks.csv")
    assert tracks.loc[0, ["reference", "name", "switches", "first_switch"]].tolist() == [3, "AVAL", 1, 1]
    assert {p.name for p in (tmp_path / "out").iterdir()} >= {"scores.csv", "neurons.csv", "tracks.csv"}
    tifffile.imwrite(tmp_path / "other.tif", reference[0, :, :10], metadata={"axes": "ZYX"}, imagej=True)
    assert main([*command[:2], str(tmp_path / "other.tif")]) == 2
    assert "is a series of 2 frames" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["suggest-tests", "compare-structure"])
def test_where_one_table_cannot_be_written_none_is(folder: Path, tmp_path: Path, capsys, command: str) -> None:
    (tmp_path / "provenance.json").write_text("mine")
    more = ["--connectome", str(folder / "wiring.csv"), *FAST] if command == "compare-structure" else []
    assert main([command, str(folder), "-o", str(tmp_path), *more]) == 2
    assert "provenance.json is there already" in capsys.readouterr().err
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("provenance.json", "mine")]
