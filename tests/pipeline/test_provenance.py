"""Results say how they were made, in the same words wherever they were made."""

from __future__ import annotations

import json
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from napari_dynamic_connectome import Cohort, Recording, load_session, save_session, write_recording
from napari_dynamic_connectome.affinity import compute_affinity
from napari_dynamic_connectome.baselines.panel import static_baselines
from napari_dynamic_connectome.communities.find import find_communities
from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.factorization.signed import compare_signed
from napari_dynamic_connectome.factorization.sweep import sweep_ranks
from napari_dynamic_connectome.model.provenance import KEYS, PACKAGES, Provenance, fingerprint_of, versions
from napari_dynamic_connectome.pipeline.baselines_settings import BaselinesStepSettings
from napari_dynamic_connectome.pipeline.opinions import find_baselines, find_signed
from napari_dynamic_connectome.pipeline.provenance import provenance_of
from napari_dynamic_connectome.pipeline.run import analyze, run_pipeline
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.pipeline.states import find_states
from napari_dynamic_connectome.pipeline.states_settings import StatesStepSettings
from napari_dynamic_connectome.report import write_graphml, write_tables
from napari_dynamic_connectome.session.session import Session
from napari_dynamic_connectome.states.fit import fit_states

QUICK = {
    "correct": "none",
    "kinds": ["core"],
    "communities": {"null_fits": 0, "samples": 10, "starts": 1},
    "rank": {"rank": 1, "starts": 1},
}


@pytest.fixture(scope="module")
def worms() -> list[Recording]:
    rng = np.random.default_rng(1)
    waves = np.sin(np.arange(120)[:, None] / (3.0 + np.arange(6)[None] // 3)) + 3
    names = ["AVAL", "AVAR", "RIML", "RIMR", "AIBL", "AIBR"]
    return [
        Recording.from_arrays(waves + rng.normal(scale=0.3, size=waves.shape), name=name, rate_hz=2, names=names)
        for name in "ab"
    ]


def test_a_run_and_an_analysis_in_python_say_the_same_about_themselves(worms, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/dynamic-connectome", "run", "x.toml"])
    paths = [str(write_recording(worm, tmp_path / f"{worm.name}.npz")) for worm in worms]
    settings = PipelineSettings.parse({**QUICK, "input": {"recordings": paths}, "seed": 7})
    output = tmp_path / "out"
    session = run_pipeline(settings, output)
    of_run = dict(session.provenance)
    assert of_run["command"] == "dynamic-connectome run x.toml" and [i["bytes"] > 0 for i in of_run["inputs"]]

    other = PipelineSettings.parse({**QUICK, "rank": {"rank": 2, "starts": 1}, "seed": 8})
    cohort = Cohort(list(session.recordings.values()))
    result = analyze(cohort, other, command="napari, Cohort dock: Analyze")
    assert isinstance(result.provenance, Provenance)
    result.put_into(session, cohort)
    made = session.provenance
    for key in ("versions", "settings", "seed", "inputs", "command", "model", "model_reason"):
        assert type(made[key]) is type(of_run[key]), key
    assert set(made["versions"]) == {"python", *PACKAGES} and made["seed"] == 8
    assert made["settings"]["rank"]["rank"] == 2 == session.settings["rank"]["rank"]
    assert made["command"] == "napari, Cohort dock: Analyze"
    assert [one["worm"] for one in made["inputs"]] == ["a", "b"]

    # such results are not taken for those of the run: it makes its own again
    save_session(session, output / "session.zarr")
    assert load_session(output / "session.zarr").provenance == made
    again = run_pipeline(settings, output)
    assert again.components is not None and again.components.rank == 1
    assert again.provenance["seed"] == 7 and again.provenance["inputs"] == of_run["inputs"]


def test_the_inputs_are_known_by_what_is_in_them(worms) -> None:
    settings = PipelineSettings()
    one = provenance_of(settings, Cohort(worms)).inputs
    assert one == provenance_of(settings, Cohort(worms)).inputs
    changed = [worms[0].replace(traces=worms[0].traces * 1.5), worms[1]]
    other = provenance_of(settings, Cohort(changed)).inputs
    assert other[0]["sha256"] != one[0]["sha256"] and other[1] == one[1]
    with pytest.raises(AttributeError):
        provenance_of(settings, []).seed = 3  # type: ignore[misc]


def test_every_single_result_says_how_it_was_made(worms, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["/usr/bin/python", "/home/ada/mine.py"])
    cohort = Cohort(worms)
    affinity = compute_affinity(cohort)
    components = factorize(affinity, 2, starts=1, seed=5)
    graph = np.ones((4, 4)) - np.eye(4)
    signed = compute_affinity(cohort, sign="signed")
    made = {
        "factorize": components,
        "sweep": sweep_ranks(affinity, (1, 2), starts=1, folds=2, fold_starts=1, seed=5).components[2],
        "communities": find_communities(components, component=1, null_fits=0, samples=0, seed=5, null="weights"),
        "of a matrix": find_communities(graph, null_fits=0, samples=0, seed=5),
        "louvain": find_communities(graph, method="louvain", seed=5),
        "states": fit_states(cohort, states=2, starts=1, seed=5),
        "baselines": static_baselines(cohort, groups=2, methods=("leiden",), seed=5),
        "signed": compare_signed(signed, 1, starts=1, seed=5).signed,
    }
    worms_seen = [fingerprint_of(worm) for worm in worms]
    for name, result in made.items():
        said = result.provenance
        assert set(KEYS) <= set(said), name
        assert said["versions"] == versions() and said["seed"] == 5 and said["settings"], name
        assert said["command"] == "python mine.py", name
        json.dumps(dict(said))
        if name not in ("of a matrix", "louvain"):
            assert said["inputs"][:2] == worms_seen, name
    (graph_input,) = made["of a matrix"].provenance["inputs"]
    assert graph_input == made["louvain"].provenance["inputs"][0] and graph_input["links"] == 6
    other = find_communities(2 * graph, null_fits=0, samples=0).provenance["inputs"][0]
    assert other["sha256"] != graph_input["sha256"]


def test_a_session_and_what_is_exported_of_it_say_how_other_methods_were_made(worms, tmp_path: Path) -> None:
    session, cohort = Session(), Cohort(worms)
    settings = PipelineSettings.parse({**QUICK, "seed": 3})
    analyze(cohort, settings).put_into(session, cohort)
    states = StatesStepSettings.parse({"states": 2, "starts": 1, "held_out": "no"})
    session.set_states(find_states(cohort, states, seed=4, command="napari, States dock: Find states"), cohort)
    panel = find_baselines(cohort, BaselinesStepSettings(groups=2, methods=("leiden",)), seed=6, command="napari: mine")
    session.set_baselines(panel, cohort)
    session.set_signed(find_signed(cohort, 1, settings, command="napari: signed"), cohort)
    said = load_session(save_session(session, tmp_path / "s.zarr")).provenance
    assert {k: (said[k]["seed"], said[k]["command"]) for k in ("states", "baselines", "signed")} == {
        "states": (4, "napari, States dock: Find states"),
        "baselines": (6, "napari: mine"),
        "signed": (3, "napari: signed"),
    }
    for one in ("states", "baselines", "signed"):
        assert said[one]["inputs"] == [fingerprint_of(worm) for worm in worms] and said[one]["versions"] == versions()
    assert said["baselines"]["settings"]["groups"] == 2 and set(said["signed"]["settings"]) == {"affinity", "confounds"}
    write_tables(session, tmp_path / "tables")
    package = json.loads((tmp_path / "tables" / "datapackage.json").read_text())
    assert package["provenance"] == json.loads(json.dumps(session.provenance))
    graph = nx.read_graphml(write_graphml(tmp_path / "g.graphml", session.components, 1))
    assert json.loads(graph.graph["provenance"])["components"]["seed"] == 3
    session.set_signed(None)
    assert "signed" not in session.provenance and "states" in session.provenance
