"""What other systems do differently, emulated one difference at a time."""

from __future__ import annotations

import errno
import io
import os
import subprocess
import sys
import threading
import types
from pathlib import Path

import psutil
import pytest

from napari_dynamic_connectome.model import system
from napari_dynamic_connectome.model.errors import InputError

IMPORT_ALL = """
import importlib, pkgutil, sys
for absent in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[absent] = None
import napari_dynamic_connectome as package
names = [m.name for m in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
         if ".widgets" not in m.name and not m.name.endswith("__main__")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""


def test_every_module_is_imported_where_the_modules_of_unix_are_absent() -> None:
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 150


def test_a_folder_that_cannot_be_opened_is_not_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def windows(path, *args):
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(path, *args)

    monkeypatch.setattr(os, "open", windows)
    system.flush(tmp_path)
    (tmp_path / "a").write_text("x")
    system.flush(tmp_path / "a")


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("x")

    def refuse(*args):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError):
        system.flush(tmp_path / "a")


def test_a_disk_that_fails_is_an_error_for_folders_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(descriptor):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="Input/output"):
        system.flush(tmp_path)


def test_files_are_flushed_through_a_descriptor_that_can_write_on_windows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl")
    modes = []
    monkeypatch.setattr(system, "WINDOWS", True)
    monkeypatch.setattr(os, "fsync", lambda d: modes.append(fcntl.fcntl(d, fcntl.F_GETFL) & os.O_ACCMODE))
    (tmp_path / "a").write_text("x")
    system.flush(tmp_path / "a")
    assert modes == [os.O_RDWR]


def busy(times: int):
    left = [times]

    def refuse(source, target):
        if left[0]:
            left[0] -= 1
            raise PermissionError(errno.EACCES, "The process cannot access the file")
        return Path(source).rename(target)

    return refuse


def test_a_file_that_is_held_for_a_moment_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new").write_text("new")
    (tmp_path / "old").write_text("old")
    monkeypatch.setattr(system, "WINDOWS", True)
    monkeypatch.setattr(os, "replace", busy(3))
    system.replace(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old").read_text() == "new"


def test_a_file_that_stays_open_elsewhere_is_named_in_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(system, "WINDOWS", True)
    monkeypatch.setattr(system, "RETRY_S", 0.05)
    monkeypatch.setattr(os, "replace", busy(10**6))
    (tmp_path / "old").write_text("old")
    with pytest.raises(InputError, match="another program holds this open") as found:
        system.replace(tmp_path / "new", tmp_path / "old")
    assert str(tmp_path / "old") in str(found.value) and (tmp_path / "old").read_text() == "old"


def test_no_permission_elsewhere_is_said_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(source, target):
        asked.append(target)
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(system, "WINDOWS", False)
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError):
        system.replace(tmp_path / "new", tmp_path / "old")
    assert len(asked) == 1


@pytest.mark.parametrize(
    "name", ["CON", "con.csv", "Aux.tar.gz", "nul", "COM1.zarr", "lpt9", "a:b", "a?", 'a"b', "a\tb", "end.", "end "]
)
def test_names_that_windows_cannot_have(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert system.unusable_name(name)
    monkeypatch.setattr(system, "WINDOWS", True)
    with pytest.raises(InputError, match="Windows"):
        system.check_name(tmp_path / name)
    monkeypatch.setattr(system, "WINDOWS", False)
    system.check_name(tmp_path / name)


@pytest.mark.parametrize("name", ["console", "com", "com10", "worm 1.csv", "aux_1", "a.con", ".hidden"])
def test_names_that_windows_can_have(name: str) -> None:
    assert not system.unusable_name(name)


@pytest.mark.parametrize("windows", [True, False])
def test_whether_a_process_runs_is_only_asked(windows: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    monkeypatch.setattr(system, "WINDOWS", windows)
    if windows:
        monkeypatch.setattr(psutil, "pid_exists", lambda pid: pid in psutil.pids())
        monkeypatch.delattr(os, "kill")
    assert system.is_running(os.getpid()) and system.is_running(child.pid)
    child.communicate(b"\n")
    assert not system.is_running(child.pid)
    assert not system.is_running(0) and not system.is_running(-1)


def test_systems_are_told_apart_in_one_module() -> None:
    source = Path(system.__file__).parents[1]
    for path in source.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        apart = {
            "system.py": ("os.kill(", "os.fsync", "os.replace"),
            "memory.py": ("import resource",),
            "journal_file.py": ("os.fsync",),
        }
        for word in ("os.kill(", "import fcntl", "import resource", "import msvcrt", "os.fsync", "os.replace"):
            assert word not in text or word in apart.get(path.name, ()), (path, word)


@pytest.mark.parametrize("proc", [True, False])
def test_the_start_of_a_process_is_the_same_each_time(proc: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not proc:
        monkeypatch.setattr(system, "PROC", Path("/nowhere"))
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    mine, other = system.start_of(os.getpid()), system.start_of(child.pid)
    assert mine and mine == system.start_of(os.getpid()) and other and other != mine
    child.communicate(b"\n")
    assert system.start_of(child.pid) == ""


def test_peak_memory_is_told_with_and_without_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    here = system.peak_memory_mb()
    assert 10 < here < 1e6
    fake = types.SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda who: types.SimpleNamespace(ru_maxrss=300 * 2**20))
    monkeypatch.setitem(sys.modules, "resource", fake)
    monkeypatch.setattr(sys, "platform", "darwin")  # counts in bytes
    assert system.peak_memory_mb() == 300
    monkeypatch.setitem(sys.modules, "resource", None)
    monkeypatch.setattr(psutil.Process, "memory_info", lambda self: types.SimpleNamespace(peak_wset=200 * 2**20))
    assert system.peak_memory_mb() == 200
    monkeypatch.setattr(psutil.Process, "memory_info", lambda self: types.SimpleNamespace(rss=1))
    assert system.peak_memory_mb() != system.peak_memory_mb()  # not told


def fake_msvcrt():
    fcntl = pytest.importorskip("fcntl")

    def locking(descriptor, mode, n_bytes):
        assert os.lseek(descriptor, 0, os.SEEK_CUR) == 0 and n_bytes == 1
        try:
            fcntl.flock(descriptor, fcntl.LOCK_UN if mode == 0 else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PermissionError(errno.EACCES, "Permission denied") from error

    return types.SimpleNamespace(LK_NBLCK=2, LK_UNLCK=0, locking=locking)


@pytest.mark.parametrize("kind", ["flock", "msvcrt"])
def test_one_holds_a_locked_file_at_a_time(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "msvcrt":
        fake = fake_msvcrt()
        monkeypatch.setitem(sys.modules, "fcntl", None)
        monkeypatch.setitem(sys.modules, "msvcrt", fake)
    inside, most = [0], [0]
    guard = threading.Lock()

    def work() -> None:
        for _ in range(20):
            descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
            system.lock_file(descriptor)
            with guard:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            threading.Event().wait(0.0005)
            with guard:
                inside[0] -= 1
            system.unlock_file(descriptor)
            os.close(descriptor)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1]


@pytest.mark.parametrize("kind", ["flock", "msvcrt", "neither"])
def test_who_does_not_wait_is_told_whether_it_holds_the_file(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind != "flock":
        fake = fake_msvcrt() if kind == "msvcrt" else None
        monkeypatch.setitem(sys.modules, "fcntl", None)
        monkeypatch.setitem(sys.modules, "msvcrt", fake)
    first, second = (os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT) for _ in range(2))
    assert system.lock_file(first, wait=False) is True
    assert system.lock_file(second, wait=False) is (kind == "neither")  # which has nothing to hold it with
    system.unlock_file(first)
    assert system.lock_file(second) is True
    assert system.lock_file(first, wait=False) is (kind == "neither")
    system.unlock_file(second)
    os.close(first)
    os.close(second)


def test_a_lock_that_fails_for_another_reason_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    fake = types.SimpleNamespace(LK_NBLCK=2, LK_UNLCK=0, locking=fail)
    monkeypatch.setitem(sys.modules, "fcntl", None)
    monkeypatch.setitem(sys.modules, "msvcrt", fake)
    with (tmp_path / "lock").open("wb") as stream, pytest.raises(OSError, match="Input/output"):
        system.lock_file(stream.fileno())


def test_output_takes_characters_that_the_console_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252"))
    system.can_print_anything()
    print("µ ≥ β")
    sys.stdout.flush()
    assert raw.getvalue() == "µ \\u2265 \\u03b2\n".encode("cp1252")


@pytest.mark.parametrize(
    ("error", "runs"), [(None, True), (ProcessLookupError, False), (PermissionError, True), (OverflowError, True)]
)
def test_a_process_that_may_not_be_asked_about_counts_as_running(monkeypatch, error, runs: bool) -> None:
    def kill(pid: int, number: int) -> None:
        assert (pid, number) == (7, 0)
        if error is not None:
            raise error

    monkeypatch.setattr(os, "kill", kill)
    assert system.is_running(7) is runs
    assert not system.is_running(0) and not system.is_running(-7)
