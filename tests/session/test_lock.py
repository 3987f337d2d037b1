"""Locks say who has a session; those of dead processes do not count, those of silent machines can be taken over."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.session import lock
from napari_dynamic_connectome.session.journal import Journal, find_recoverable, reopen
from napari_dynamic_connectome.session.lock import SessionLock, journal_folder, read_owner
from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session

sys.path.insert(0, str(Path(__file__).parent))
from session_sample import make_recording, make_session

ELSEWHERE = {"host": "node-17", "place": "other-boot pid:[4026531836]", "machine": "other"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save_session(make_session(results=False), tmp_path / "s.zarr")


def write_lock(folder: Path, *, silent_s: float = 0.0, **owner: object) -> Path:
    """Write the lock of a process that this machine knows nothing about, touched some time ago."""
    folder.mkdir(exist_ok=True)
    said = {"pid": 2**22 + 3, "token": "theirs", "user": "ada", "since": "2026-11-20T08:15:00+00:00", **ELSEWHERE}
    file = folder / "lock"
    file.write_text(json.dumps({**said, **owner}))
    then = time.time() - silent_s
    os.utime(file, (then, then))
    return file


def edited_elsewhere(path: Path, silent_s: float) -> None:
    """Leave an edit of a window on another machine in the journal."""
    session = load_session(path)
    journal = Journal.attach(session)
    session.name_neuron(8, "ASEL", recording="worm 1")
    assert journal._file is not None
    journal._file.close()
    session.journal = None
    write_lock(journal.folder, silent_s=silent_s)


def test_another_machine_has_it_as_long_as_its_lock_is_touched(path: Path) -> None:
    edited_elsewhere(path, silent_s=60)
    journal = Journal.attach(load_session(path), take_over=True)
    assert journal.read_only and not journal.can_take_over
    assert journal.owner == f"ada, process {2**22 + 3} on node-17 since 2026-11-20 08:15 UTC"
    with pytest.raises(InputError, match=r"ada, process.*Save under another name\."):
        save_session(make_session(results=False), path)


def test_a_silent_machine_is_named_and_can_be_taken_over_with_its_edits(path: Path) -> None:
    edited_elsewhere(path, silent_s=4 * 3600)
    with pytest.raises(InputError, match=r"no sign of life for 4 hours.*take it over"):
        save_session(make_session(results=False), path)
    session = load_session(path)
    journal = Journal.attach(session)
    assert journal.read_only and journal.can_take_over and journal.pending == []
    assert journal.owner.endswith("no sign of life for 4 hours")
    assert journal.take_over() == "" and not journal.read_only
    assert [lost.edit.text for lost in journal.pending] == ["name neuron 8 ASEL"]
    assert journal.recover() == []
    save_session(session, path)
    journal.close()
    assert "ASEL" in load_session(path).recordings["worm 1"].named
    assert not journal_folder(path).exists()


def test_what_a_machine_with_another_name_left_in_the_state_folder_is_offered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path))
    session = Session()
    session.add(make_recording("worm 1", 0))
    journal = Journal.attach(session)
    session.name_neuron(8, "ASEL")
    assert journal._file is not None
    journal._file.close()
    write_lock(journal.folder, silent_s=lock.STALE_S + 5)
    (found,) = find_recoverable()
    again, journal, refused = reopen(found)
    assert refused == [] and not journal.read_only and "ASEL" in again.recordings["worm 1"].named
    journal.close()


def test_nothing_is_taken_over_that_was_saved_meanwhile(path: Path) -> None:
    edited_elsewhere(path, silent_s=4 * 3600)
    session = load_session(path)
    journal = Journal.attach(session)
    save_session(load_session(path), path, overwrite=True)
    with pytest.raises(InputError, match="saved by another window since"):
        journal.take_over()


def test_a_machine_that_got_another_name_knows_its_own_processes(path: Path) -> None:
    mine = lock._me()
    if not mine["place"]:
        pytest.skip("this system does not tell one start of the machine from another")
    write_lock(journal_folder(path), host="old-name", place=mine["place"])  # that process is gone
    assert not Journal.attach(load_session(path)).read_only
    write_lock(journal_folder(path), host="old-name", place=mine["place"], pid=os.getppid(), started="")
    assert Journal.attach(load_session(path)).read_only  # this one lives


def test_a_machine_that_was_started_again_has_none_of_its_processes(path: Path) -> None:
    mine = lock._me()
    if not mine["place"] or not mine["machine"]:
        pytest.skip("this system does not tell one start of the machine from another")
    place = f"earlier-boot {mine['place'].split()[-1]}"
    write_lock(journal_folder(path), host=mine["host"], machine=mine["machine"], place=place, pid=os.getppid())
    assert not Journal.attach(load_session(path)).read_only


def test_a_container_of_the_same_name_counts_processes_differently(path: Path) -> None:
    mine = lock._me()
    if not mine["place"]:
        pytest.skip("this system has no containers of this kind")
    place = f"{mine['place'].split()[0]} pid:[1]"
    write_lock(journal_folder(path), host=mine["host"], machine=mine["machine"], place=place)
    assert Journal.attach(load_session(path)).read_only  # no such process here says nothing


def test_locks_of_older_versions_count(path: Path) -> None:
    file = journal_folder(path) / "lock"
    write_lock(file.parent)
    for host, silent_s, read_only in (("node-17", 5, True), (lock._me()["host"], 5, False)):
        file.write_text(json.dumps({"pid": 2**22 + 3, "host": host, "started": "1", "token": "theirs"}))
        then = time.time() - silent_s
        os.utime(file, (then, then))
        journal = Journal.attach(load_session(path))
        assert journal.read_only == read_only
        journal.close()


def test_a_held_lock_is_touched_and_says_who_and_since_when(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "BEAT_S", 0.02)
    held = SessionLock(journal_folder(path))
    assert held.acquire() == "" and held.state == "held"
    owner = read_owner(held.file)
    assert owner["pid"] == os.getpid() and owner["since"][:2] == "20" and owner["user"]
    os.utime(held.file, (1, 1))
    end = time.monotonic() + 60
    while held.file.stat().st_mtime < 2 and time.monotonic() < end:
        time.sleep(0.02)
    assert held.file.stat().st_mtime > 2
    held.release()
    assert held.state == "free" and not held.file.exists()


RACE = """
import errno, fcntl, os, sys, time
from pathlib import Path
from napari_dynamic_connectome.session import lock
def refuse(*_):
    raise OSError(errno.ENOLCK, "no locks available")
fcntl.flock = refuse
if sys.argv[2] == "no links":
    os.link = refuse
while time.time() < float(sys.argv[3]):
    pass
mine = lock.SessionLock(Path(sys.argv[1]))
print("held" if mine.acquire() == "" else "refused", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("links", ["links", "no links"])
@pytest.mark.parametrize("before", ["nothing", "a dead lock"])
def test_one_of_many_gets_the_lock_where_files_cannot_be_locked(tmp_path: Path, links: str, before: str) -> None:
    folder = tmp_path / "s.zarr.journal"
    folder.mkdir()
    if before != "nothing":
        write_lock(folder, **{k: lock._me()[k] for k in ("host", "place", "machine")})
    start = str(time.time() + 3)
    command = [sys.executable, "-c", RACE, str(folder), links, start]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    racers = [subprocess.Popen(command, **pipes) for _ in range(5)]
    said = [r.stdout.readline().strip() for r in racers if r.stdout is not None]
    for racer in racers:
        racer.communicate("")
    assert sorted(said) == ["held", *["refused"] * 4]


def test_who_was_ended_while_it_removed_a_dead_lock_is_not_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = journal_folder(path)
    write_lock(folder, **{k: lock._me()[k] for k in ("host", "place", "machine")})  # a dead process of this machine
    mark = folder / ".lock.removing"
    mark.touch()
    monkeypatch.setattr(lock, "TRIES", 2)
    assert lock.SessionLock(folder).acquire() != ""  # somebody else removes it at this moment
    then = time.time() - 2 * lock.REMOVING_S
    os.utime(mark, (then, then))
    mine = lock.SessionLock(folder)
    assert mine.acquire() == "" and not mark.exists()
    mine.release()


@pytest.mark.parametrize("ends", ["well", "badly", "removed by another"])
def test_one_at_a_time_removes_a_dead_lock_and_says_when_it_is_done(tmp_path: Path, ends: str) -> None:
    mark = tmp_path / ".lock.removing"
    with contextlib.suppress(ZeroDivisionError), lock._removing(tmp_path) as allowed:
        assert allowed and mark.exists()
        with lock._removing(tmp_path) as also:
            assert not also
        assert mark.exists()
        if ends == "badly":
            raise ZeroDivisionError
        if ends == "removed by another":  # that took it for one of a process that was ended
            mark.unlink()
    assert not mark.exists()
    with lock._removing(tmp_path) as allowed:
        assert allowed


@pytest.mark.parametrize("before", ["nothing", "dead", "damaged"])
def test_nothing_but_the_lock_is_left_when_it_is_taken_and_nothing_when_it_is_given_back(
    tmp_path: Path, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "TRIES", 1)
    for _ in range(2):
        if before == "dead":
            write_lock(tmp_path, **{k: lock._me()[k] for k in ("host", "place", "machine")})
        elif before == "damaged":
            (tmp_path / "lock").write_text("{")
        held = SessionLock(tmp_path)
        assert held.acquire() == "" and held.held and held.still_mine()
        assert sorted(p.name for p in tmp_path.iterdir()) == [".lock.guard", "lock"]
        other = SessionLock(tmp_path)
        assert f"process {os.getpid()}" in other.acquire() and not other.held and not other.still_mine()
        other.release()
        assert held.still_mine()
        held.release()
        held.release()
        assert [p.name for p in tmp_path.iterdir()] == [".lock.guard"] and not held.still_mine()


def test_a_lock_that_somebody_else_took_meanwhile_is_not_given_back(tmp_path: Path) -> None:
    held = SessionLock(tmp_path)
    assert held.acquire() == ""
    file = write_lock(tmp_path)
    assert not held.still_mine()
    held.release()
    assert read_owner(file)["token"] == "theirs"


def test_a_journal_is_kept_where_files_cannot_be_locked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    session = load_session(path)
    journal = Journal.attach(session)
    assert journal.folder == journal_folder(path) and not journal.read_only
    assert Journal.attach(load_session(path)).read_only
    journal.close()


# --- what commands write ------------------------------------------------------------------------------------------------


def test_one_process_at_a_time_writes_a_place(tmp_path: Path) -> None:
    place = tmp_path / "new" / "out"
    hold = "import sys; from napari_dynamic_connectome.session.lock import writing_alone\nwith writing_alone(sys.argv[1]):\n"
    other = subprocess.Popen(
        [sys.executable, "-c", hold + "    print('in', flush=True); sys.stdin.read()", str(place)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert other.stdin is not None and other.stdout is not None
    assert other.stdout.readline() == "in\n"
    with (
        pytest.raises(InputError, match=rf"another program is writing here \(.*process {other.pid}"),
        lock.writing_alone(place),
    ):
        pass
    with lock.writing_alone(tmp_path / "new" / "other"):
        pass
    other.kill()
    other.wait()
    other.stdin.close()
    other.stdout.close()
    assert [p.name for p in place.parent.iterdir()] == [".out.writing"]  # of a process that was ended
    with lock.writing_alone(place):
        assert not place.exists()
    assert list(place.parent.iterdir()) == []


def test_the_lock_of_a_place_is_taken_from_a_silent_machine_only_if_it_is_said(tmp_path: Path) -> None:
    place, folder = tmp_path / "out", tmp_path / ".out.writing"
    write_lock(folder, silent_s=5)
    with (
        pytest.raises(InputError, match=r"ada, process .*Wait until it is done"),
        lock.writing_alone(place, take_over=True),
    ):
        pytest.fail("it was touched a moment ago")
    write_lock(folder, silent_s=lock.STALE_S + 5)
    with pytest.raises(InputError, match=r"no sign of life for 3 minutes.*--take-over"), lock.writing_alone(place):
        pytest.fail("nobody said so")
    with lock.writing_alone(place, take_over=True):
        assert read_owner(folder / "lock")["pid"] == os.getpid()
    assert not folder.exists()


def test_a_place_that_cannot_be_locked_is_for_its_writer_to_judge(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("theirs")
    for place in (tmp_path / "file" / "out", Path("a\0b"), tmp_path / ("x" * 300)):
        with lock.writing_alone(place):
            pass
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
    with pytest.raises(ValueError, match="inside"), lock.writing_alone(tmp_path / "out"):
        raise ValueError("inside")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_lock_folder_that_holds_other_things_stays(tmp_path: Path) -> None:
    (tmp_path / ".out.writing").mkdir()
    (tmp_path / ".out.writing" / "notes.txt").write_text("theirs")
    with lock.writing_alone(tmp_path / "out"):
        pass
    assert (tmp_path / ".out.writing" / "notes.txt").read_text() == "theirs"


@pytest.mark.parametrize("silent", [0.0, lock.STALE_S - 30, lock.STALE_S + 30])
@pytest.mark.parametrize("here", [True, False])
@pytest.mark.parametrize("known", [True, False])
def test_silence_is_told_of_locks_of_other_machines_alone(
    tmp_path: Path, silent: float, here: bool, known: bool
) -> None:
    file = tmp_path / "lock"
    file.write_text("{}")
    then = time.time() - silent
    os.utime(file, (then, then))
    owner = lock._me() | ({} if here else {"place": "another boot pid:[1]", "host": "elsewhere", "machine": "other"})
    text = lock.describe(owner | {"user": "", "since": "2026-11-30T12:34:56+00:00"}, file if known else None)
    assert text.startswith(f"process {os.getpid()} on {owner['host']} since 2026-11-30 12:34 UTC")
    assert ("no sign of life for" in text) == (known and not here and silent > lock.STALE_S)
    gone = lock.describe(owner, tmp_path / "gone")
    assert "no sign of life" not in gone
    named = lock.describe({"user": "me\n", "pid": 3, "host": "h" * 200})
    assert named == f"me, process 3 on {'h' * 100}"
