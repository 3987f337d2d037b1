"""Everything is written, replaced and read again on a system that behaves as Windows does."""

from __future__ import annotations

import errno
import os
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from napari_dynamic_connectome.io.registry import read_recordings, write_recording
from napari_dynamic_connectome.model import system
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.report.tables import write_tables
from napari_dynamic_connectome.session.journal import Journal
from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session

fcntl = pytest.importorskip("fcntl")
SHARING = "The process cannot access the file because it is being used by another process"


def open_below(path: str | Path) -> bool:
    """Whether this process holds the file, or one below the folder, open."""
    wanted = Path(os.path.realpath(path))
    for item in Path("/proc/self/fd").iterdir():
        try:
            held = item.readlink()
        except OSError:
            continue
        if held == wanted or wanted in held.parents:
            return True
    return False


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Emulate: folders cannot be opened or flushed, open files neither replaced nor removed, no modules of Unix."""
    if not Path("/proc/self/fd").is_dir():
        pytest.skip("open files are looked up in /proc")
    real = {name: getattr(os, name) for name in ("open", "fsync", "replace", "rename", "unlink", "kill")}

    def open_(path, flags, *args, **options):
        if not options and Path(os.fsdecode(path)).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied")
        return real["open"](path, flags, *args, **options)

    def fsync(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        real["fsync"](descriptor)

    def replace(source, target):
        if Path(target).is_dir() or open_below(source) or open_below(target):
            raise PermissionError(errno.EACCES, SHARING)
        real["replace"](source, target)

    def rename(source, target):
        if Path(target).exists():
            raise FileExistsError(errno.EEXIST, "Cannot create a file when that file already exists")
        replace(source, target)

    def unlink(path, **options):
        if not options and open_below(path):
            raise PermissionError(errno.EACCES, SHARING)
        real["unlink"](path, **options)

    def kill(pid, number):
        raise AssertionError("a signal was sent")

    def locking(descriptor, mode, n_bytes):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PermissionError(errno.EACCES, "Permission denied") from error

    for name, function in {
        "open": open_,
        "fsync": fsync,
        "replace": replace,
        "rename": rename,
        "unlink": unlink,
        "kill": kill,
    }.items():
        monkeypatch.setattr(os, name, function)
    monkeypatch.setattr(psutil, "pid_exists", lambda pid: pid in psutil.pids())
    monkeypatch.setattr(system, "WINDOWS", True)
    monkeypatch.setattr(system, "RETRY_S", 0.1)
    monkeypatch.setattr("napari_dynamic_connectome.io.atomic.exchange", lambda first, second: False)
    monkeypatch.setitem(sys.modules, "msvcrt", types.SimpleNamespace(LK_NBLCK=2, LK_UNLCK=0, locking=locking))
    for name in ("fcntl", "resource", "pwd"):
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("sysconf", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    yield


def recording(name: str = "worm 1", value: float = 0.0) -> Recording:
    values = np.random.default_rng(0).normal(size=(12, 3)) + value
    return Recording.from_arrays(values, name=name, rate_hz=2, names=["AVAL", "AVAR", ""])


@pytest.mark.parametrize("ending", ["npz", "csv", "csv.gz", "parquet", "nwb"])
def test_a_recording_is_written_and_replaced(ending: str, tmp_path: Path, windows: None) -> None:
    path = tmp_path / f"worm.{ending}"
    write_recording(recording(), path)
    (read,) = read_recordings(path)
    np.testing.assert_allclose(read.traces.values, recording().traces.values)
    write_recording(recording(value=5), path)
    (read,) = read_recordings(path)
    np.testing.assert_allclose(read.traces.values, recording(value=5).traces.values)
    assert not [p for p in tmp_path.iterdir() if p.name.endswith((".partial", ".previous"))]


@pytest.mark.parametrize("name", ["s.zarr", "s.zip"])
def test_a_session_is_saved_edited_recovered_and_saved_again(name: str, tmp_path: Path, windows: None) -> None:
    session = Session()
    session.add(recording())
    path = save_session(session, tmp_path / name)
    session = load_session(path)
    journal = Journal.attach(session)
    session.name_neuron(3, "ASEL")
    text = journal._file.path.read_bytes()
    assert b"\r" not in text and text.endswith(b"\n")
    save_session(session, path)
    journal.close()
    again = load_session(path)
    assert "ASEL" in again.recordings["worm 1"].neurons["name"].tolist()
    assert not [p for p in tmp_path.iterdir() if p.name.endswith((".partial", ".previous"))]


def test_a_session_that_another_program_holds_open_stays_whole(tmp_path: Path, windows: None) -> None:
    session = Session()
    session.add(recording())
    path = save_session(session, tmp_path / "s.zarr")
    session.add(recording("worm 2"))
    with (path / "session.json").open("rb"), pytest.raises(InputError, match="another program holds this open"):
        save_session(session, path)
    assert list(load_session(path).recordings) == ["worm 1"]
    assert [p.name for p in tmp_path.iterdir() if not p.name.endswith(".journal")] == ["s.zarr"]
    save_session(session, path)
    assert list(load_session(path).recordings) == ["worm 1", "worm 2"]


def test_a_folder_whose_second_rename_fails_is_put_back(
    tmp_path: Path, windows: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    session.add(recording())
    path = save_session(session, tmp_path / "s.zarr")
    replace = os.replace

    def second(source, target):
        if str(source).endswith(".partial"):
            raise OSError(errno.EIO, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(os, "replace", second)
    session.add(recording("worm 2"))
    with pytest.raises(InputError, match="writing failed"):
        save_session(session, path)
    assert list(load_session(path).recordings) == ["worm 1"]


def test_names_of_files_are_possible_everywhere(tmp_path: Path, windows: None) -> None:
    session = Session()
    for number, name in enumerate(("A", "a", "con", "NUL", "a:b", "x.", "β?")):
        session.add(recording(name, float(number)))
    write_tables(session, tmp_path / "tables")
    save_session(session, tmp_path / "s.zarr")
    paths = [p.relative_to(tmp_path) for p in tmp_path.rglob("*")]
    assert len({str(p).lower() for p in paths}) == len(paths) > 10
    assert not [w for p in paths for part in p.parts if (w := system.unusable_name(part))]
    assert len(list((tmp_path / "tables" / "traces").iterdir())) == 7
    read = load_session(tmp_path / "s.zarr")
    assert [float(r.traces.mean()) for r in read.recordings.values()] == pytest.approx(
        [float(r.traces.mean()) for r in session.recordings.values()]
    )


def test_a_device_is_no_file(tmp_path: Path, windows: None) -> None:
    with pytest.raises(InputError, match="device"):
        write_recording(recording(), tmp_path / "aux.csv")
    assert not list(tmp_path.iterdir())
