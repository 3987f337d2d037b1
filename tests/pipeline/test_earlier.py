"""A run over the results of an earlier one: what a person corrected there stays, whatever else changed."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_dynamic_connectome import InputError, Recording, load_session, read_recording, save_session, write_recording
from napari_dynamic_connectome.pipeline.run import find_inputs, input_prints, run_pipeline
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.session.journal import Journal
from napari_dynamic_connectome.session.session import Session

NAMES = ["AVAL", "AVAR", "RIML", "RIMR", "", "AIBR", "RIBL", "RIBR"]


def write_worm(folder: Path, name: str, seed: int) -> Path:
    rng = np.random.default_rng(seed)
    waves = np.sin(np.arange(120)[:, None] / (3.0 + np.arange(8)[None] // 4))
    worm = Recording.from_arrays(waves + rng.normal(scale=0.3, size=(120, 8)) + 3, name=name, rate_hz=2, names=NAMES)
    return write_recording(worm, folder / f"{name}.npz")


def settings_of(paths: list[Path], **more: object) -> PipelineSettings:
    return PipelineSettings.parse(
        {
            "input": {"recordings": [str(p) for p in paths]},
            "correct": "none",
            "kinds": ["core"],
            "rank": {"rank": 1, "starts": 1},
            "communities": {"null_fits": 0, "samples": 10, "starts": 1},
            **more,
        }
    )


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files of three worms, which no test changes."""
    folder = tmp_path_factory.mktemp("worms")
    return [write_worm(folder, name, seed) for seed, name in enumerate("abc")]


@pytest.fixture(scope="module")
def first(paths: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a first run over them, which no test changes."""
    folder = tmp_path_factory.mktemp("first") / "out"
    run_pipeline(settings_of(paths), folder)
    return folder


@pytest.fixture
def output(first: Path, tmp_path: Path) -> Path:
    """A copy of the first run."""
    return shutil.copytree(first, tmp_path / "out")


def correct(output: Path) -> None:
    """Do in a session what a person does in napari, and save it."""
    session = load_session(output / "session.zarr")
    session.edit("a", {5: {"name": "AVEL", "note": "sure now", "confidence": 4.0}}, who="ada")
    session.edit("b", {2: {"rejected": True}}, who="ada")
    session.leave_out("c", who="ada")
    save_session(session, output / "session.zarr")


def check_corrected(session: Session) -> None:
    a = session.recordings["a"].neurons.set_index("label")
    assert a.loc[5, ["name", "note", "confidence"]].tolist() == ["AVEL", "sure now", 4.0]
    assert bool(session.recordings["b"].neurons.set_index("label").loc[2, "rejected"])
    assert session.left_out == {"c"}


@pytest.mark.parametrize("change", ["one more file", "another setting", "another version of numpy", "fresh"])
def test_corrections_survive_a_run_that_reads_everything_again(paths, output, tmp_path, monkeypatch, change) -> None:
    before = load_session(output / "session.zarr")
    correct(output)
    settings, resume = settings_of(paths), True
    if change == "one more file":
        settings = settings_of([*paths, write_worm(tmp_path, "d", 9)])
    elif change == "another setting":
        settings = settings_of(paths, correct="all")
    elif change == "fresh":
        resume = False
    else:
        import napari_dynamic_connectome.pipeline.run as run

        monkeypatch.setattr(run, "versions", lambda: {"numpy": "99"})
    session = run_pipeline(settings, output, resume=resume)
    check_corrected(session)
    check_corrected(load_session(output / "session.zarr"))
    assert session.uid == before.uid
    assert session.cohort is not None
    assert "c" not in session.cohort.worms and "AVEL" in session.cohort.neurons
    assert not session.provenance.get("not carried over")
    assert {e.who for e in session.history if e.recording == "a"} == {"ada"}


def test_the_analysis_is_done_again_with_corrected_names_and_only_then(paths, output, monkeypatch) -> None:
    import napari_dynamic_connectome.pipeline.run as run

    monkeypatch.setattr(run, "load_recordings", lambda *a, **k: pytest.fail("the recordings are as they were"))
    correct(output)
    session = run_pipeline(settings_of(paths), output)
    check_corrected(session)
    assert session.components is not None and "AVEL" in session.components.neurons
    monkeypatch.setattr(run, "decompose", lambda *a, **k: pytest.fail("nothing changed"))
    run_pipeline(settings_of(paths), output)


def test_what_cannot_be_carried_over_is_listed_and_kept_in_a_backup(paths, output) -> None:
    correct(output)
    session = run_pipeline(settings_of(paths[1:]), output)
    assert session.provenance["not carried over"] == ["worm 'a' is no longer among the inputs: 1 corrected neurons"]
    (backup,) = output.glob("session-backup-*.zarr")
    assert load_session(backup).recordings["a"].neurons.set_index("label").loc[5, "name"] == "AVEL"
    assert session.left_out == {"c"}


def test_a_name_that_the_file_gives_to_another_neuron_now_is_listed(tmp_path) -> None:
    paths = [write_worm(tmp_path, name, seed) for seed, name in enumerate("abc")]
    output = tmp_path / "out"
    run_pipeline(settings_of(paths), output)
    correct(output)
    worm = load_session(output / "session.zarr").recordings["a"]
    names = dict(zip(worm.neurons["label"], worm.neurons["name"], strict=True)) | {1: "AVEL", 5: ""}
    values = worm.traces.values
    write_recording(
        Recording.from_arrays(values, name="a", time_s=worm.time_s, names=[names[k] for k in range(1, 9)]), paths[0]
    )
    session = run_pipeline(settings_of(paths), output)
    (line,) = session.provenance["not carried over"]
    assert "neuron 5 of worm 'a'" in line and "AVEL" in line


def test_a_session_that_no_run_made_is_not_replaced_unasked(paths, output) -> None:
    mine = Session()
    mine.add(load_session(output / "session.zarr").recordings["a"])
    save_session(mine, output / "session.zarr", overwrite=True)
    with pytest.raises(InputError, match="no run made"):
        run_pipeline(settings_of(paths), output)
    assert load_session(output / "session.zarr").uid == mine.uid
    run_pipeline(settings_of(paths), output, replace=True)
    (backup,) = output.glob("session-backup-*.zarr")
    assert load_session(backup).uid == mine.uid


def test_a_damaged_session_is_not_replaced_unasked(paths, output) -> None:
    (output / "session.zarr" / "session.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        run_pipeline(settings_of(paths), output)
    run_pipeline(settings_of(paths), output, replace=True)
    assert list(output.glob("session-backup-*.zarr"))


def test_a_session_that_is_open_elsewhere_is_refused_before_anything_is_computed(paths, output, monkeypatch) -> None:
    import napari_dynamic_connectome.pipeline.run as run

    window = load_session(output / "session.zarr")
    journal = Journal.attach(window)
    monkeypatch.setattr(run, "load_recordings", lambda *a, **k: pytest.fail("computed"))
    try:
        with pytest.raises(InputError, match="open in another window or run"):
            run_pipeline(settings_of(paths, seed=5, correct="all"), output)
    finally:
        journal.close()


def test_a_lock_of_a_silent_machine_is_taken_only_if_the_user_says_so(paths, output) -> None:
    import json
    import os

    lock = output / "session.zarr.journal" / "lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(json.dumps({"pid": 12, "host": "node-17", "place": "b pid:[1]", "token": "theirs", "user": "ada"}))
    with pytest.raises(InputError, match="ada, process 12 on node-17"):
        run_pipeline(settings_of(paths), output, take_over=True)  # touched a moment ago
    os.utime(lock, (1e9, 1e9))
    with pytest.raises(InputError, match=r"no sign of life for .* days.*--take-over"):
        run_pipeline(settings_of(paths), output)
    assert run_pipeline(settings_of(paths), output, take_over=True).components is not None
    assert not lock.exists()


def test_a_second_run_is_refused_until_the_first_has_written_everything(paths, tmp_path, monkeypatch) -> None:
    from napari_dynamic_connectome.cli import outputs

    output = tmp_path / "out"
    refused: list[str] = []

    def write(*args: object, **more: object) -> None:
        with pytest.raises(InputError) as caught:
            run_pipeline(settings_of(paths, seed=3), output)
        refused.append(str(caught.value))

    monkeypatch.setattr(outputs, "write_outputs", write)
    outputs.run_and_write(settings_of(paths), output, screenshot=False)
    assert len(refused) == 1 and "open in another window or run" in refused[0]
    assert run_pipeline(settings_of(paths), output).components is not None


def test_a_session_that_was_saved_while_its_lock_was_taken_is_not_overwritten(paths, output, monkeypatch) -> None:
    from napari_dynamic_connectome.pipeline import earlier

    attach = Journal.attach

    def late(session: Session, **more: object) -> Journal:
        correct(output)  # another one saves after it was read here, and gives the lock back
        return attach(session, **more)

    monkeypatch.setattr(earlier.Journal, "attach", late)
    with pytest.raises(InputError, match="saved the session in this moment"):
        run_pipeline(settings_of(paths), output)
    monkeypatch.setattr(earlier.Journal, "attach", attach)
    check_corrected(run_pipeline(settings_of(paths), output))


def test_edits_of_a_window_that_crashed_are_taken_in(paths, output) -> None:
    window = load_session(output / "session.zarr")
    journal = Journal.attach(window)
    window.edit("a", {5: {"name": "AVEL"}}, who="ada")
    # the window is gone: nothing is saved, its lock is of no living process
    journal._file.close()  # type: ignore[union-attr]
    journal.lock.release()
    session = run_pipeline(settings_of(paths), output)
    assert session.recordings["a"].neurons.set_index("label").loc[5, "name"] == "AVEL"
    assert "AVEL" in load_session(output / "session.zarr").recordings["a"].named


def test_voxels_that_changed_in_place_are_seen(tmp_path) -> None:
    from napari_dynamic_connectome.io.fingerprint import fingerprint

    folder = tmp_path / "image.zarr"
    (folder / "c").mkdir(parents=True)
    (folder / "zarr.json").write_text("{}")
    (folder / "c" / "0").write_bytes(b"1234")
    before = fingerprint(folder)
    assert fingerprint(folder) == before
    (folder / "c" / "0").write_bytes(b"4321")
    os.utime(folder / "c" / "0", ns=(1, 2))
    after = fingerprint(folder)
    assert after["sha256"] == before["sha256"] and after != before


def test_stimuli_that_are_put_beside_traces_later_are_seen(tmp_path) -> None:
    paths = []
    for seed, name in enumerate("ab"):
        write_recording(read_recording(write_worm(tmp_path, name, seed)), tmp_path / f"{name}.csv")
        paths.append(tmp_path / f"{name}.csv")
    settings, output = settings_of(paths), tmp_path / "out"
    assert len(run_pipeline(settings, output).recordings["a"].stimuli) == 0
    correct_name(output)
    for onset in (20, 25):  # put there, then corrected
        (tmp_path / "a_stimuli.csv").write_text(f"name,onset,offset\nNaCl,{onset},30\n")
        again = run_pipeline(settings, output)
        assert again.recordings["a"].stimuli["onset"].tolist() == [onset]
        assert again.recordings["a"].neurons.set_index("label").loc[5, "name"] == "AVEL"


def correct_name(output: Path) -> None:
    session = load_session(output / "session.zarr")
    session.edit("a", {5: {"name": "AVEL"}}, who="ada")
    save_session(session, output / "session.zarr")


def test_a_volume_in_files_of_a_pattern_is_an_input_and_its_changes_are_seen(tmp_path) -> None:
    for t in range(4):
        tifffile.imwrite(tmp_path / f"v_{t}.tif", np.full((3, 8, 8), t, np.uint16), photometric="minisblack")
    np.save(tmp_path / "l.npy", np.ones((3, 8, 8), np.uint8))
    given = {
        "volume": str(tmp_path / "v_*.tif"),
        "labels": str(tmp_path / "l.npy"),
        "axes": "tzyx",
        "label_axes": "zyx",
    }
    settings = PipelineSettings.parse({"input": {"volumes": [given]}})
    before = input_prints(*find_inputs(settings))
    assert [p["bytes"] > 0 for p in before] == [True, True] and before == input_prints(*find_inputs(settings))
    tifffile.imwrite(tmp_path / "v_2.tif", np.full((3, 8, 8), 9, np.uint16), photometric="minisblack")
    os.utime(tmp_path / "v_2.tif", ns=(1, 2))
    assert input_prints(*find_inputs(settings)) != before
    gone = PipelineSettings.parse({"input": {"volumes": [{**given, "volume": str(tmp_path / "w_*.tif")}]}})
    with pytest.raises(InputError, match="no such file"):
        find_inputs(gone)
