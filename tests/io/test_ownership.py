"""One rule for every writer that names files itself: what is not ours, or was changed, is neither replaced nor removed."""

from __future__ import annotations

import errno
import itertools
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome import (
    InputError,
    Recording,
    Session,
    read_recording,
    write_collection,
    write_recording,
    write_tables,
)
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.io import ownership
from napari_dynamic_connectome.io.ownership import (
    MARKER,
    OurFiles,
    beside_others,
    claim_folder,
    our_files,
    read_marker,
    remove_folder,
    write_marker,
)
from napari_dynamic_connectome.io.registry import open_labels
from napari_dynamic_connectome.io.volumes.omezarr_write import write_labels
from napari_dynamic_connectome.report.graphml import write_session_graph
from napari_dynamic_connectome.report.html import write_figures, write_report
from napari_dynamic_connectome.report.labels import write_label_files
from napari_dynamic_connectome.report.nwb import write_nwb_files
from napari_dynamic_connectome.report.reproduce import write_run_files
from napari_dynamic_connectome.session.save_load import save_session


def test_a_file_of_the_user_is_refused_and_ours_is_replaced(tmp_path) -> None:
    (tmp_path / "out").mkdir()
    with our_files(tmp_path / "out") as mine:
        mine.path("a.csv").write_text("1")
    with our_files(tmp_path / "out") as mine:
        mine.path("a.csv").write_text("2")
    (tmp_path / "out" / "a.csv").write_text("edited")
    (tmp_path / "out" / "b.csv").write_text("theirs")
    for name, word in (("a.csv", "was changed since"), ("b.csv", "was not written by this program")):
        with pytest.raises(InputError, match=word):
            OurFiles(tmp_path / "out").path(name)
    assert OurFiles(tmp_path / "out").path("b.csv", overwrite=True).read_text() == "theirs"


def test_files_of_an_earlier_time_go_unless_they_were_edited(tmp_path) -> None:
    with our_files(tmp_path) as mine:
        for name in ("old.csv", "edited.csv", "again.csv"):
            mine.path(name).write_text(name)
    (tmp_path / "edited.csv").write_text("mine now")
    (tmp_path / "foreign.csv").write_text("theirs")
    with our_files(tmp_path) as mine:
        mine.path("again.csv").write_text("new")
    assert {p.name for p in tmp_path.iterdir()} >= {"edited.csv", "again.csv", "foreign.csv"}
    assert not (tmp_path / "old.csv").exists()


def test_after_an_error_nothing_is_removed(tmp_path) -> None:
    with our_files(tmp_path) as mine:
        mine.path("a.csv").write_text("1")
    with pytest.raises(RuntimeError), our_files(tmp_path) as mine:
        mine.path("b.csv").write_text("2")
        raise RuntimeError
    assert (tmp_path / "a.csv").exists() and OurFiles(tmp_path).is_ours("b.csv")


def test_only_marked_folders_are_claimed_or_removed(tmp_path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match=r"holds thesis\.txt"):
        claim_folder(theirs)
    remove_folder(theirs)
    assert (theirs / "thesis.txt").read_text() == "x"
    ours = claim_folder(tmp_path / "ours")
    assert read_marker(ours)
    remove_folder(ours)
    assert not ours.exists()


def test_a_folder_that_also_holds_things_of_others_is_not_ours_as_a_whole(tmp_path, capsys) -> None:
    worm = Recording.from_arrays(np.random.default_rng(0).random((6, 2)), name="w", rate_hz=1, names=["AVAL", "AVAR"])
    data = tmp_path / "data"
    data.mkdir()
    write_recording(worm, data / "w.npz")
    assert claim_folder(data) == data and read_marker(data)["made"]  # nothing but ours
    assert "w.npz" in read_marker(data)["files"]
    other = tmp_path / "mine" / "data"
    other.mkdir(parents=True)
    write_recording(worm, other / "w.npz")
    (other / "thesis.txt").write_text("x")
    with pytest.raises(InputError, match=r"holds thesis\.txt\)"):
        claim_folder(other)
    assert main(["demo", "-o", str(tmp_path / "mine"), "--no-viewer"]) == 2
    remove_folder(other)
    assert (other / "thesis.txt").exists() and (other / "w.npz").exists()


@pytest.mark.parametrize(
    "name", ["w.npz", "w.csv", "w.csv.gz", "w.parquet", "w.nwb", "w.graphml", "c.parquet", "w.html"]
)
def test_a_file_that_the_caller_names_is_replaced_only_if_it_is_ours_or_if_it_is_said(tmp_path, name) -> None:
    pytest.importorskip("pynwb" if name == "w.nwb" else "pyarrow" if name.endswith("parquet") else "numpy")
    session = sample()
    path = tmp_path / name

    def write(**more: bool) -> Path:
        if name == "c.parquet":
            return write_collection([session.recordings["worm 1"]], path, **more)
        if name == "w.html":
            return write_report(session, path, **more)
        if name == "w.graphml":
            return write_session_graph(session, path, **more)
        return write_recording(session.recordings["worm 1"], path, **more)

    path.write_bytes(b"precious")
    with pytest.raises(
        InputError, match=rf"{name} is there already and was not written by this program.*overwrite=True"
    ):
        write()
    assert path.read_bytes() == b"precious" and [p.name for p in tmp_path.iterdir()] == [name]
    assert write(overwrite=True) == path
    written = path.stat().st_size
    assert written != 8 and write() == path  # ours now
    with path.open("ab") as stream:
        stream.write(b" ")
    with pytest.raises(InputError, match="was changed since this program wrote it"):
        write()
    assert path.stat().st_size > 8
    path.unlink()
    assert write() == path  # given up


def sample() -> Session:
    from tests.session.session_sample import make_session

    return make_session(0)


def test_two_sessions_do_not_mix_in_one_folder(tmp_path) -> None:
    one, other = Session(), Session()
    for session in (one, other):
        session.add(Recording.from_arrays(np.ones((4, 2)), name="w", rate_hz=1, names=["AVAL", "AVAR"]))
    write_tables(one, tmp_path / "t")
    write_tables(one, tmp_path / "t")
    with pytest.raises(InputError, match="another session"):
        write_tables(other, tmp_path / "t")


def test_tables_made_by_hand_beside_a_csv_are_not_touched(tmp_path) -> None:
    worm = Recording.from_arrays(np.random.default_rng(0).random((6, 2)), name="w", rate_hz=1, names=["AVAL", "AVAR"])
    (tmp_path / "w_stimuli.csv").write_text("name,onset,offset\nodour,1,2\n")
    with pytest.raises(InputError, match=r"w_stimuli\.csv is there already"):
        write_recording(worm, tmp_path / "w.csv")
    assert not (tmp_path / "w.csv").exists() and not (tmp_path / "w_neurons.csv").exists()
    assert "odour" in (tmp_path / "w_stimuli.csv").read_text()
    write_recording(worm, tmp_path / "v.csv")
    write_recording(worm, tmp_path / "v.csv")  # ours, unchanged
    assert read_recording(tmp_path / "v.csv").named == ["AVAL", "AVAR"]
    (tmp_path / "v_neurons.csv").write_text("neuron,name\nAVAL,AVAL\nAVAR,AVAR\n")
    with pytest.raises(InputError, match="was changed since"):
        write_recording(worm, tmp_path / "v.csv")
    write_recording(worm, tmp_path / "v.csv", overwrite=True)


@pytest.mark.parametrize(
    "command",
    [
        ["demo", "-o", "FOLDER", "--no-viewer", "--worms", "2"],
        ["run", "SETTINGS", "-o", "FOLDER"],
        ["simulate", "FOLDER", "--worms", "1", "--render", "0"],
    ],
    ids=lambda c: c[0],
)
@pytest.mark.parametrize("held", [["notes.txt"], ["data/precious.csv"], ["checkpoints/model.ckpt"], ["settings.toml"]])
def test_no_command_writes_into_a_folder_of_the_user(tmp_path, capsys, command, held) -> None:
    folder = tmp_path / "mine"
    for name in held:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("precious")
    np.savez(
        tmp_path / "w.npz", traces=np.random.default_rng(0).random((60, 3)), fs=2.0, names=["AVAL", "AVAR", "RIML"]
    )
    (tmp_path / "s.toml").write_text('[input]\nrecordings = ["w.npz"]\n')
    before = sorted(folder.rglob("*"))
    values = {"FOLDER": str(folder), "SETTINGS": str(tmp_path / "s.toml")}
    assert main([values.get(part, part) for part in command]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert sorted(folder.rglob("*")) == before
    assert all((folder / name).read_text() == "precious" for name in held)


def test_run_into_the_folder_of_its_settings_leaves_them_as_they_are(tmp_path, capsys) -> None:
    text = '# my comments\n[input]\nrecordings = ["w.npz"]\n'
    (tmp_path / "settings.toml").write_text(text)
    np.savez(
        tmp_path / "w.npz", traces=np.random.default_rng(0).random((60, 3)), fs=2.0, names=["AVAL", "AVAR", "RIML"]
    )
    assert main(["run", str(tmp_path / "settings.toml"), "-o", str(tmp_path)]) == 2
    assert "not empty" in capsys.readouterr().err
    assert (tmp_path / "settings.toml").read_text() == text


def test_extract_checks_its_output_before_the_work(tmp_path, capsys, monkeypatch) -> None:
    import napari_dynamic_connectome.pipeline.images as images

    monkeypatch.setattr(images, "extract_files", lambda *a, **k: pytest.fail("worked before it looked"))
    (tmp_path / "worm1_stimuli.csv").write_text("name,onset,offset\n")
    for output, word in (
        ("worm1.csv", "worm1_stimuli.csv is there"),
        ("a.xyz", "no format"),
        ("worm1_stimuli.csv", "is there"),
    ):
        assert main(["extract", "v.tif", "l.tif", "-o", str(tmp_path / output)]) == 2
        assert word in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    assert main(["extract", "v.tif", "l.tif", "-o", str(tmp_path / "file" / "a.csv")]) == 2


def labelled_session(folder) -> Session:
    """A worm with labels on disk, and a name."""
    volume = np.zeros((3, 8, 8), np.uint16)
    volume[1, 2:5, 2:5], volume[1, 5:7, 5:7] = 1, 2
    source = write_labels(folder / "segmented.zarr", volume, voxel_size_um=(2.0, 1.0, 1.0))
    worm = Recording.from_arrays(
        np.random.default_rng(0).random((20, 2)), name="worm1", rate_hz=2, names=["AVAL", "AVAR"], labels=[1, 2]
    )
    session = Session()
    session.add(replace(worm, labels=open_labels(source).reference))
    return session


WRITERS = {
    "tables": (write_tables, "worm1/neurons.csv"),
    "figures": (write_figures, "traces.svg"),
    "labels": (write_label_files, "worm1_labels.zarr"),
    "settings and recordings of a run": (write_run_files, "worm1.npz"),
    "settings of a run": (write_run_files, "settings.toml"),
    "nwb": (write_nwb_files, "worm1.nwb"),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_no_export_replaces_what_is_not_ours_or_was_edited(tmp_path, kind) -> None:
    if kind == "nwb":
        pytest.importorskip("pynwb")
    write, _ = WRITERS[kind]
    session, folder = labelled_session(tmp_path), tmp_path / "out"
    write(session, folder)
    written = sorted(p for p in folder.iterdir() if not p.name.startswith("."))
    assert written
    write(session, folder)  # ours and unchanged: again
    name = WRITERS[kind][1]
    name = name if (folder / name).exists() else str(written[0].relative_to(folder))
    target = folder / name
    edited = next(p for p in target.rglob("*") if p.is_file()) if target.is_dir() else target
    edited.write_bytes(b"edited by hand")
    with pytest.raises(InputError, match="was changed since this program wrote it"):
        write(session, folder)
    assert edited.read_bytes() == b"edited by hand"
    other = tmp_path / "theirs"
    if target.is_dir():
        shutil.copytree(target, other / name)
    else:
        (other / name).parent.mkdir(parents=True)
        (other / name).write_bytes(b"precious")
    before = {p: p.read_bytes() for p in other.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match="was not written by this program"):
        write(session, other)
    assert {p: p.read_bytes() for p in other.rglob("*") if p in before} == before


def test_writers_that_share_a_folder_do_not_remove_each_other_s_files(tmp_path) -> None:
    session = labelled_session(tmp_path)
    folder = tmp_path / "all"
    write_tables(session, folder)
    tables = set(folder.rglob("*.csv"))
    with our_files(folder, owner=session.uid, part="figures") as figures:
        figures.path("old.svg").write_text("1")
    write_figures(session, folder)
    assert tables and all(path.exists() for path in tables)
    assert not (folder / "old.svg").exists()  # a figure of an earlier time
    write_tables(session, folder)
    assert (folder / "traces.svg").exists()


def test_two_writers_at_the_same_time_both_note_what_they_wrote(tmp_path) -> None:
    with our_files(tmp_path, part="tables") as one:
        one.path("a.csv").write_text("1")
        with our_files(tmp_path, part="figures") as other:
            other.path("b.svg").write_text("2")
        write_marker(tmp_path, {**read_marker(tmp_path), "made": True})
    held = OurFiles(tmp_path)
    assert held.is_ours("a.csv") and held.is_ours("b.svg") and read_marker(tmp_path)["made"]
    with our_files(tmp_path, part="tables") as one:
        one.path("c.csv").write_text("3")
    assert not (tmp_path / "a.csv").exists() and (tmp_path / "b.svg").exists()


def commands_on(folder: Path) -> dict[str, list[str]]:
    """Commands that write into OUT, on a session and a recording in a folder."""
    from tests.session.session_sample import make_session

    session = make_session(0)
    names = session.components.neurons
    save_session(session, folder / "s.zip")
    save_session(make_session(2), folder / "other.zip")
    write_recording(session.recordings["worm 1"].replace(name="another"), folder / "w.npz")
    (folder / "names.csv").write_text("label,name,probability\n1,AVAL,0.9\n2,AVAR,0.8\n")
    (folder / "wires.csv").write_text(
        "pre,post,type,synapses\n"
        + "".join(f"{a},{b},chemical,{2 + i}\n" for i, (a, b) in enumerate(itertools.permutations(names[:6], 2)))
    )
    s, w = str(folder / "s.zip"), str(folder / "w.npz")
    return {
        "compare": ["compare", s, str(folder / "other.zip"), "-o", "OUT"],
        "compare-structure": ["compare-structure", s, "--connectome", str(folder / "wires.csv"), "-o", "OUT"],
        "suggest-names": ["suggest-names", w, "--candidates", str(folder / "names.csv"), "-o", "OUT/x.csv"],
        "suggest-tests": ["suggest-tests", s, "-o", "OUT"],
        "export": ["export", s, "-o", "OUT", "--graphml"],
    }


@pytest.mark.parametrize("name", ["compare", "compare-structure", "suggest-names", "suggest-tests", "export"])
def test_a_command_replaces_its_own_files_and_none_of_the_user(tmp_path, capsys, name) -> None:
    out = tmp_path / "out"
    out.mkdir()
    command = [part.replace("OUT", str(out)) for part in (*commands_on(tmp_path)[name], "-q")]
    assert main(command) == 0, capsys.readouterr().err
    written = [p for p in out.rglob("*") if p.is_file() and p.name != MARKER]
    assert written and main(command) == 0  # ours, unchanged
    for path in written:
        path.write_bytes(b"mine " + path.name.encode())
    capsys.readouterr()
    assert main(command) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert all(p.read_bytes() == b"mine " + p.name.encode() for p in written)


def test_a_copy_of_a_session_in_another_folder_is_made_again_unless_it_was_changed(tmp_path, monkeypatch) -> None:
    from tests.session.session_sample import make_session

    from napari_dynamic_connectome.cli import outputs
    from napari_dynamic_connectome.cli.sessions import kept_in_session
    from napari_dynamic_connectome.session.save_load import load_session

    monkeypatch.setattr(outputs, "write_outputs", lambda *_, **__: None)
    path, copy = save_session(make_session(0), tmp_path / "s.zip"), tmp_path / "out" / "session.zarr"
    for note in ("one", "two"):
        with kept_in_session(str(path), str(tmp_path / "out")) as (session, _):
            session.edit("worm 1", {2: {"note": note}}, text="note")
        assert "out" in str(session.path) and note in load_session(copy).recordings["worm 1"].neurons["note"].tolist()
    edited = load_session(copy)
    edited.edit("worm 1", {4: {"note": "by hand"}}, text="note")
    save_session(edited, copy)
    refused = pytest.raises(InputError, match=r"session\.zarr is there already and was changed since")
    with refused, kept_in_session(str(path), str(tmp_path / "out")):
        pytest.fail("worked before it looked")
    assert "by hand" in load_session(copy).recordings["worm 1"].neurons["note"].tolist()
    with kept_in_session(str(copy), str(tmp_path / "out")) as (session, _):  # its own place
        session.edit("worm 1", {5: {"note": "three"}}, text="note")
    assert {"by hand", "three"} <= set(load_session(copy).recordings["worm 1"].neurons["note"])


@pytest.mark.parametrize("fault", ["no locks", "no folder"])
def test_where_nothing_can_be_locked_the_writer_goes_on(tmp_path, monkeypatch, fault: str) -> None:
    def refuse(*_: object, **__: object) -> bool:
        raise OSError(errno.ENOLCK, "no locks available")

    folder = tmp_path / "out"
    if fault == "no locks":
        monkeypatch.setattr(ownership, "lock_file", refuse)
    else:
        folder.write_text("")
    for wait in (True, False):
        with ownership._alone(folder, "marker", wait=wait) as free:
            assert free
    assert folder.exists() is (fault == "no folder")  # nothing is left of the lock
    if fault == "no locks":
        ours = ownership.OurFiles(folder, part="x")
        place = ours.path("a.txt")
        folder.mkdir(exist_ok=True)
        place.write_text("a")
        ours.finish()
        assert ownership.read_marker(folder)["files"]


def test_one_at_a_time_works_in_a_folder_and_leaves_nothing_of_its_lock(tmp_path) -> None:
    folder = tmp_path / "new" / "out"
    with ownership._alone(folder, "marker") as free:
        assert free and folder.is_dir()
        with ownership._alone(folder, "marker") as other, ownership._alone(folder, "another") as third:
            assert not other and third
        with ownership._alone(folder, "marker") as other:
            assert not other
    assert list(tmp_path.iterdir()) == []
    with ownership._alone(folder, "marker", wait=True) as free:
        (folder / "a.txt").write_text("kept")
        assert free
    assert [p.name for p in folder.iterdir()] == ["a.txt"]


def test_all_files_are_asked_for_before_the_first_is_written(tmp_path) -> None:
    (tmp_path / "b.csv").write_text("mine")
    with (
        pytest.raises(InputError, match=r"b\.csv is there already"),
        beside_others(tmp_path, ["a.csv", "b.csv"]) as mine,
    ):
        mine.path("a.csv").write_text("ours")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["b.csv"]
    with pytest.raises(OSError, match="full"), beside_others(tmp_path, ["a.csv", "c.csv"]) as mine:
        mine.path("a.csv").write_text("ours")
        raise OSError("the disk is full")
    assert set(read_marker(tmp_path)["files"]) == {"a.csv"}
    with beside_others(tmp_path, ["a.csv"]) as mine:  # what was finished then is ours
        mine.path("a.csv").write_text("again")
    assert (tmp_path / "b.csv").read_text() == "mine"
