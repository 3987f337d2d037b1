"""One rule for every writer that names files itself: what is not ours, or was changed, is neither replaced nor removed."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome import InputError, Recording, Session, read_recording, write_recording, write_tables
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.io.ownership import OurFiles, claim_folder, our_files, read_marker, remove_folder


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
