"""Folders of finished parts are found again for the same question alone, and old ones go."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome.io import checkpoint
from napari_dynamic_connectome.io.checkpoint import CheckpointFolder, keep_arrays, load_arrays, tidy


def test_a_folder_is_found_again_for_the_same_question_alone(tmp_path: Path) -> None:
    questions = itertools.product(
        ("extract", "analyze"), ({"version": 1}, {"version": 2}), (None, {}, {"frames": 3}, {"frames": 4})
    )
    places = {}
    for kind, about, plan in questions:
        one = CheckpointFolder(tmp_path, kind, about)
        places[str((kind, about, plan))] = one.folder(plan)
        assert one.folder(plan) == CheckpointFolder(str(tmp_path), kind, about).folder(plan) == one.path
        assert one.path is not None and one.path.is_dir() and one.path.parent == tmp_path
        assert one.path.name.startswith(f"{kind}-")
    assert len(set(places.values())) == 16
    turned = CheckpointFolder(tmp_path, "extract", {"b": 1, "a": Path("x")})
    assert turned.folder() == CheckpointFolder(tmp_path, "extract", {"a": Path("x"), "b": 1}).folder()


def test_what_was_kept_is_removed_with_its_folder_and_nothing_before_it_was_asked_for(tmp_path: Path) -> None:
    one, other = (CheckpointFolder(tmp_path, "extract", {"version": v}) for v in (1, 2))
    one.remove()
    place, stays = one.folder(), other.folder()
    assert place is not None and stays is not None
    (place / "part").write_text("x")
    one.remove()
    one.remove()
    assert not place.exists() and stays.is_dir()


def test_where_no_folder_can_be_made_the_step_runs_without(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert CheckpointFolder(tmp_path / "file", "extract", {}).folder() is None


def test_the_newest_ten_of_the_last_month_are_kept_and_the_present_one_whatever_its_age(tmp_path: Path) -> None:
    now = time.time()
    for number in range(14):
        place = tmp_path / f"extract-{number:02d}"
        place.mkdir()
        (place / "part").write_text("x")
        os.utime(place, (now - 60 * number, now - 60 * number))
    (tmp_path / "notes.txt").write_text("theirs")
    keep = tmp_path / "extract-13"
    tidy(tmp_path, keep=keep)
    kept = {p.name for p in tmp_path.iterdir()}
    assert kept == {f"extract-{n:02d}" for n in (*range(checkpoint.MOST - 1), 13)} | {"notes.txt"}
    for name, days in (("extract-00", 31), ("extract-01", 29), ("extract-13", 99)):
        os.utime(tmp_path / name, (now - 86400 * days, now - 86400 * days))
    tidy(tmp_path, keep=keep)
    assert {p.name for p in tmp_path.iterdir()} == kept - {"extract-00"}
    tidy(tmp_path / "none", keep=keep)


@pytest.mark.parametrize("count", [9, 10])
def test_there_is_room_for_as_many_as_are_said(tmp_path: Path, count: int) -> None:
    for number in range(count):
        CheckpointFolder(tmp_path, "extract", {"n": number}).folder()
    assert len(list(tmp_path.iterdir())) == count <= checkpoint.MOST
    for number in range(3):
        CheckpointFolder(tmp_path, "analyze", {"n": number}).folder()
    assert len(list(tmp_path.iterdir())) == checkpoint.MOST


def test_arrays_of_a_piece_come_back_and_damaged_ones_are_made_again(tmp_path: Path, caplog) -> None:
    place = tmp_path / "new" / "piece.npz"
    assert load_arrays(place) is None
    keep_arrays(place, values=np.arange(3.0), text=np.asarray("a"))
    found = load_arrays(place)
    assert found is not None and found["values"].tolist() == [0, 1, 2] and str(found["text"]) == "a"
    place.write_bytes(place.read_bytes()[:-9])
    assert load_arrays(place) is None
    (tmp_path / "file").write_text("")
    keep_arrays(tmp_path / "file" / "piece.npz", values=np.arange(3.0))  # no folder can be made there
    assert "a finished piece is not kept" in caplog.text
