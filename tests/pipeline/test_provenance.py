"""Results say how they were made, in the same words wherever they were made."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome import Cohort, Recording, load_session, save_session, write_recording
from napari_dynamic_connectome.pipeline.provenance import PACKAGES, Provenance, provenance_of
from napari_dynamic_connectome.pipeline.run import analyze, run_pipeline
from napari_dynamic_connectome.pipeline.settings import PipelineSettings

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
