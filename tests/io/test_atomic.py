"""Files and folders are there whole or not at all, whatever ends the writing, and nothing else is left beside them."""

from __future__ import annotations

import errno
import itertools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_dynamic_connectome.io import atomic
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.progress import Cancelled

KINDS = ["file", "folder"]
BEFORE = ["nothing", "file", "folder"]


def fill(place: Path, kind: str, text: str) -> None:
    if kind == "folder":
        (place / "inner").mkdir(parents=True)
        place = place / "inner" / "data"
    if kind != "nothing":
        place.write_text(text)


def tree(place: Path) -> dict[str, str]:
    """Everything below a folder: files with their text."""
    return {p.relative_to(place).as_posix(): p.read_text() if p.is_file() else "" for p in place.rglob("*")}


def written(kind: str, text: str) -> dict[str, str]:
    return {"out": text} if kind == "file" else {"out": "", "out/inner": "", "out/inner/data": text}


@pytest.fixture(params=["exchange", "two renames"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Systems that swap two names in one step, and those that do not."""
    if request.param == "two renames":
        monkeypatch.setattr(atomic, "exchange", lambda first, second: False)
    return request.param


@pytest.mark.parametrize(
    ("kind", "before"),
    [pair for pair in itertools.product(KINDS, BEFORE) if pair != ("file", "folder")],  # which no system does
)
def test_what_was_written_takes_the_place_of_what_was_there(
    tmp_path: Path, kind: str, before: str, system: str
) -> None:
    fill(tmp_path / "out", before, "old")
    with atomic.writing(tmp_path / "out") as place:
        assert place.parent == tmp_path and not place.exists()
        fill(place, kind, "new")
    assert tree(tmp_path) == written(kind, "new")


def test_folders_on_the_way_are_made_and_a_file_on_the_way_is_named(tmp_path: Path) -> None:
    with atomic.writing(tmp_path / "a" / "b" / "out") as place:
        place.write_text("new")
    assert (tmp_path / "a" / "b" / "out").read_text() == "new"
    before = tree(tmp_path)
    for below in ("a/b/out", "a/b/out/c"):
        with pytest.raises(InputError, match=r"a/b/out"), atomic.writing(tmp_path / below / "x") as place:
            pytest.fail("there is a file on the way")
    assert tree(tmp_path) == before


def no_utf8() -> None:
    "worm\udcff".encode()


def full() -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def interrupted() -> None:
    raise KeyboardInterrupt


def wrong() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("kind", ["nothing", *KINDS])
@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize(
    ("fault", "raised", "said"),
    [
        (no_utf8, InputError, r"no UTF-8.*worm\\udcff.*Rename"),
        (full, InputError, "No space left.*What was there before is unchanged"),
        (interrupted, KeyboardInterrupt, ""),
        (wrong, ZeroDivisionError, ""),
    ],
    ids=["no UTF-8", "full", "interrupted", "wrong"],
)
def test_whatever_ends_the_writing_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, kind: str, before: str, fault, raised, said: str
) -> None:
    fill(tmp_path / "out", before, "old")
    with pytest.raises(raised, match=f"(?s){said}"), atomic.writing(tmp_path / "out") as place:
        fill(place, kind, "half")
        fault()
    assert tree(tmp_path) == ({} if before == "nothing" else written(before, "old"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancelled_write_leaves_what_was_there_whenever_it_is_asked(tmp_path: Path, kind: str) -> None:
    fill(tmp_path / "out", kind, "old")
    asked = 0
    for last in (
        1,
        2,
        3,
        4,
    ):  # a folder is asked about before each of its three entries, then once before it gets its name
        calls = []
        try:
            with atomic.writing(tmp_path / "out", lambda: calls.append(1) or len(calls) == last) as place:  # noqa: B023
                fill(place, kind, "new")
        except Cancelled:
            asked = last
        assert tree(tmp_path) == written(kind, "old" if asked == last else "new")
    assert asked == (1 if kind == "file" else 4)


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_and_folder_is_on_the_disk_before_it_gets_its_name(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[tuple[str, str]] = []
    flushed, renamed = atomic.flush, atomic.replace

    def flush(path: Path) -> None:
        done.append(("flush", "" if path == tmp_path else path.name.partition(".partial")[0].partition("-")[0]))
        flushed(path)

    def replace(source: Path, target: Path) -> None:
        done.append(("rename", target.name))
        renamed(source, target)

    monkeypatch.setattr(atomic, "flush", flush)
    monkeypatch.setattr(atomic, "replace", replace)
    with atomic.writing(tmp_path / "out") as place:
        fill(place, kind, "new")
        own = place.name.partition("-")[0]
    expected = {own} if kind == "file" else {own, "inner", "data"}
    at = done.index(("rename", "out"))
    assert {name for what, name in done[:at] if what == "flush"} == expected
    assert done[at + 1 :] == [("flush", "")]  # the folder that holds the new name


def test_without_room_for_threads_everything_is_flushed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "folder", "new")

    class NoThreads:
        def __init__(self, number: int) -> None:
            raise RuntimeError("can't start new thread")

    done: list[Path] = []
    monkeypatch.setattr(atomic, "ThreadPoolExecutor", NoThreads)
    monkeypatch.setattr(atomic, "flush", done.append)
    atomic.fsync_tree(tmp_path)
    assert set(done) == {tmp_path, tmp_path / "inner", tmp_path / "inner" / "data"}


def test_a_folder_that_cannot_be_put_in_place_leaves_the_earlier_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "out", "folder", "old")
    renamed = atomic.replace

    def replace(source: Path, target: Path) -> None:
        if target.name == "out":
            raise OSError(errno.EACCES, "Permission denied")
        renamed(source, target)

    monkeypatch.setattr(atomic, "exchange", lambda first, second: False)
    monkeypatch.setattr(atomic, "replace", replace)
    with pytest.raises(InputError, match="Permission denied"), atomic.writing(tmp_path / "out") as place:
        fill(place, "folder", "new")
    assert tree(tmp_path) == written("folder", "old")


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    machine = atomic._machine()
    dead, other_machine = 2**22 + 1, "abcdef" if machine != "abcdef" else "fedcba"
    stays = {
        f".out.{machine}-{os.getpid()}-1.partial",
        f".out.{machine}-{child.pid}-1.partial",
        f".out.{machine}-x-1.partial",
        f".out.{other_machine}-{dead}-1.partial",
        f".other.{machine}-{dead}-1.partial",
        f".out.{machine}-{dead}-1.txt",
    }
    for name in stays:
        (tmp_path / name).write_text("")
    (tmp_path / f".out.{machine}-{dead}-1.partial").write_text("")
    fill(tmp_path / f".out.{machine}-{dead}-2.partial", "folder", "half")
    atomic.remove_leftovers(tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == stays
    child.communicate(b"\n")
    atomic.remove_leftovers(tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} == stays - {f".out.{machine}-{child.pid}-1.partial"}


@pytest.mark.parametrize("new", [True, False])
def test_a_replacement_that_was_cut_off_is_undone_where_there_is_no_new_one(tmp_path: Path, new: bool) -> None:
    fill(tmp_path / ".out.previous", "folder", "old")
    if new:
        fill(tmp_path / "out", "folder", "new")
    atomic.recover(tmp_path / "out")
    found = tree(tmp_path / "out")
    assert found == {"inner": "", "inner/data": "new" if new else "old"}
    assert (tmp_path / ".out.previous").exists() is new


def test_files_folders_links_and_nothing_are_removed(tmp_path: Path) -> None:
    fill(tmp_path / "kept", "folder", "theirs")
    fill(tmp_path / "file", "file", "x")
    fill(tmp_path / "folder", "folder", "x")
    (tmp_path / "link").symlink_to(tmp_path / "kept", target_is_directory=True)
    for name in ("file", "folder", "link", "nothing"):
        atomic.remove(tmp_path / name)
    assert tree(tmp_path) == {"kept": "", "kept/inner": "", "kept/inner/data": "theirs"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a system call of Linux")
def test_two_names_change_places_in_one_step_and_nothing_happens_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    if not atomic.exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("not on this file system")
    assert tree(tmp_path) == {"a": "b", "b": "a"}
    assert not atomic.exchange(tmp_path / "a", tmp_path / "none")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not atomic.exchange(tmp_path / "a", tmp_path / "b")
    assert tree(tmp_path) == {"a": "b", "b": "a"}
