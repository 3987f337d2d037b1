"""A folder with worms and results can be moved or sent as a whole: nothing in it says where it was."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_dynamic_connectome import load_session
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.model.results import Components
from napari_dynamic_connectome.pipeline import run
from napari_dynamic_connectome.pipeline.settings import UP, PipelineSettings, nearby

SMALL = ["n_neurons=16", "duration_s=60", "rate_hz=2", "n_motifs=1", "motif_size=6"]
QUICK = ["--set", "rank.rank=1", "--set", "rank.starts=2", "--set", "chance.surrogates=9", "--no-screenshot"]


def texts(folder: Path) -> dict[str, str]:
    names = ("*.toml", "*.html", "*.csv", "*.json", "*.txt")
    return {str(p): p.read_text(encoding="utf-8") for pattern in names for p in folder.rglob(pattern)}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab") / "project"
    worms = folder / "data" / "worms"
    overrides = [part for item in SMALL for part in ("--set", item)]
    assert main(["simulate", str(worms), "--worms", "2", "--render", "0", *overrides]) == 0
    (folder / "wiring.csv").write_text("pre,post,type,synapses\nAVAL,AVAR,chemical,3\n", encoding="utf-8")
    command = ["run", str(worms / "settings.toml"), "-o", str(folder / "results" / "one"), *QUICK]
    assert main(command) == 0
    return folder


def test_nothing_in_the_results_says_where_they_lie(project: Path) -> None:
    settings = PipelineSettings.from_file(project / "results" / "one" / "settings.toml")
    assert Path(settings.input.recordings[0]).resolve() == project / "data" / "worms" / "worm01.npz"
    found = [name for name, text in texts(project).items() if str(project) in text]
    assert not found


def test_a_moved_folder_runs_again_and_does_nothing_twice(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load_session(project / "results" / "one" / "session.zarr").components
    moved = project.rename(tmp_path / "elsewhere")
    try:
        work = []
        monkeypatch.setattr(run, "decompose", lambda *a, **o: work.append(a))
        one = moved / "results" / "one"
        assert main(["run", str(one / "settings.toml"), "-o", str(one), *QUICK]) == 0
        assert not work  # the components are those of before
        monkeypatch.undo()
        assert main(["run", str(one / "settings.toml"), "-o", str(moved / "results" / "two"), *QUICK]) == 0
        again = load_session(moved / "results" / "two" / "session.zarr").components
        assert isinstance(again, Components) and again.pair.equals(before.pair)
        assert str(project) not in "".join(texts(moved).values())
    finally:
        moved.rename(project)


def test_a_connectome_of_the_run_is_found_after_a_move(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    session = load_session(project / "results" / "one" / "session.zarr")
    assert session.settings["input"]["recordings"][0] == "../../data/worms/worm01.npz"
    from napari_dynamic_connectome.cli.sessions import comparison_of

    session.settings["comparison"] = {"connectome": ["../../wiring.csv", "cect:White_whole"]}
    options = type(
        "Options",
        (),
        {"set": [], "connectome": None, "weight": None, "rows": None, "propagation": None, "positions": None},
    )()
    assert comparison_of(options, session).connectome == (
        str(project / "results" / "one" / "../../wiring.csv"),
        "cect:White_whole",
    )


def test_paths_far_away_stay_as_they_are(tmp_path: Path) -> None:
    output = tmp_path / "a" / "b" / "out"
    assert nearby(str(tmp_path / "a" / "b" / "x.npz"), output) == "../x.npz"
    assert nearby(str(output / "data" / "x*.npz"), output) == "data/x*.npz"
    assert nearby(str(tmp_path / "a" / "x.npz"), output) == "../../x.npz" and UP == 2
    assert nearby(str(tmp_path / "x.npz"), output) == str(tmp_path / "x.npz")
    for text in ("", "x.npz", "s3://bucket/x", "--set", "a=b"):
        assert nearby(text, output) == text
    assert nearby("/x.npz", Path("/out")) == "/x.npz"
