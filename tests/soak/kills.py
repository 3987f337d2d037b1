"""Processes that are really ended while they edit and save, and disks that are really full; what was lost is counted."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.session.journal import Journal
from napari_dynamic_connectome.session.save_load import is_session, load_session, save_session
from napari_dynamic_connectome.session.session import Session

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from session_sample import make_session


def kill_while_editing(folder: Path, rounds: int, seed: int = 0, *, longest_s: float = 0.5) -> Counter[str]:
    """End a child that edits and saves, `rounds` times, at random moments; reopen each time and look what is there.

    Returns
    -------
    Counter
        kills, edits acknowledged, saves acknowledged, edits lost, sessions unreadable, files left half-written.
    """
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter(
        dict.fromkeys(("kills", "edits", "saves", "edits lost", "unreadable", "half-written"), 0)
    )
    session = make_session(seed)
    path = save_session(session, folder / ("s.zip" if seed % 2 else "s.zarr"))
    begin = time.monotonic()
    save_session(session, path)
    longest_s = max(longest_s, 5 * (time.monotonic() - begin))  # some saves over what is there are to be completed
    expected: list[str] = []
    for round_ in range(rounds):
        said = _run_and_kill(
            lambda pipe, r=round_: _edit_forever(path, pipe, seed * 100_003 + r),
            rng.uniform(0, longest_s),
            # mostly among edits and saves, however busy the machine is; sometimes while it opens and recovers
            from_first_line=bool(rng.random() < 0.8),
        )
        counts["kills"] += 1
        edits = [s[5:] for s in said if s.startswith("edit ")]
        expected += edits
        counts["edits"] += len(edits)
        counts["saves"] += said.count("saved")
        try:
            session = load_session(path)
            journal = Journal.attach(session)
            refused = journal.recover()
        except Exception:
            traceback.print_exc()
            counts["unreadable"] += 1
            break
        notes = {e.text for e in session.history}
        counts["edits lost"] += len([e for e in expected if e not in notes]) + len(refused)
        if rng.random() < 0.5:
            save_session(session, path)
            left = [p.name for p in folder.iterdir() if p.name not in (path.name, f"{path.name}.journal")]
            counts["half-written"] += len(left)
            expected = [] if counts["edits lost"] == 0 else expected
        journal.close()
    return counts


def _edit_forever(path: Path, pipe: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    session = load_session(path)
    journal = Journal.attach(session)
    journal.recover()
    for number in range(10_000):
        worm = f"worm {rng.integers(1, 3)}"
        text = f"{seed}/{number}"
        session.edit(worm, {int(rng.integers(1, 9)): {"note": text, "confidence": float(rng.random())}}, text=text)
        os.write(pipe, f"edit {text}\n".encode())
        if rng.random() < 0.1:
            session.undo()
        if rng.random() < 0.3:
            save_session(session, path)
            os.write(pipe, b"saved\n")


def _run_and_kill(work: Callable[[int], None], after_s: float, *, from_first_line: bool = False) -> list[str]:
    """Fork, let the child work, end it with SIGKILL; return the lines it wrote before."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(reader)
            work(writer)
        except BaseException:
            traceback.print_exc()
            os.write(writer, b"failed\n")
        finally:
            os._exit(code)
    os.close(writer)
    said = b""
    if from_first_line:
        select.select([reader], [], [], 60)
    until = time.monotonic() + after_s
    while (left := until - time.monotonic()) > 0 and select.select([reader], [], [], left)[0]:
        block = os.read(reader, 1 << 16)
        if not block:
            break
        said += block
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    while block := os.read(reader, 1 << 16):
        said += block
    os.close(reader)
    return said.decode().splitlines()


def _edit_until_refused(session: Session, path: Path, most: int) -> int:
    """Make large edits and saves until one is refused; return how many edits were acknowledged."""
    for number in range(most):
        try:
            session.edit("worm 1", {1: {"note": f"{number} " + "x" * 9_900}}, text=f"big {number}")
        except InputError:
            return number
        with contextlib.suppress(InputError):
            if number % 7 == 3:
                save_session(session, path)
    return most


def full_disk(folder: Path) -> Counter[str] | str:
    """Edit and save on a disk of 3 MB, most of it taken, until nothing fits; then make room and look. A text says why it was not tried."""
    disk = folder / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode != 0:
        return "a small disk can be mounted only by root"
    try:
        path = save_session(make_session(0, results=False), disk / "s.zarr")
        session = load_session(path)
        Journal.attach(session)
        (disk / "ballast").write_bytes(bytes(2_000_000))
        done = _edit_until_refused(session, path, 400)
        notes = session.recordings["worm 1"].neurons["note"].tolist()
        (disk / "ballast").unlink()
        counts = _reopened(path, [e.text for e in session.history], done)
        counts["shown but not kept"] = int(not notes[0].startswith(f"{done - 1} "))
        return counts
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def no_permission(folder: Path) -> Counter[str] | str:
    """Edit and save a session in a folder that became read-only. Root may write everywhere, so it takes another user's place."""
    home = folder / "fixed"
    home.mkdir()
    path = save_session(make_session(0, results=False), home / "s.zarr")
    folder.chmod(0o755)
    home.chmod(0o555)

    def work(pipe: int) -> None:
        if os.getuid() == 0:
            os.setuid(65534)
        session = load_session(path)
        journal = Journal.attach(session)
        session.edit("worm 1", {1: {"note": "kept at home"}}, text="home")
        try:
            save_session(session, path)
            os.write(pipe, b"saved\n")
        except InputError:
            os.write(pipe, b"refused\n" if not str(journal.folder).startswith(str(home)) else b"odd\n")
        time.sleep(60)

    state = folder / "state"
    state.mkdir(mode=0o777)
    state.chmod(0o777)
    reachable = all(p.stat().st_mode & 0o001 for p in folder.parents)
    if os.getuid() == 0 and not reachable:
        return "the test folder cannot be entered by another user"
    old = os.environ.get("DYNAMIC_CONNECTOME_CACHE")
    os.environ["DYNAMIC_CONNECTOME_CACHE"] = str(state)
    try:
        said = _run_and_kill(work, 10)
    finally:
        os.environ.pop("DYNAMIC_CONNECTOME_CACHE") if old is None else os.environ.update(DYNAMIC_CONNECTOME_CACHE=old)
        home.chmod(0o755)
    counts = _reopened(path, [], 0)
    counts["silent failures"] = int(said != ["refused"])
    return counts


def folder_renamed(folder: Path) -> Counter[str]:
    """Rename the session's folder while it is open, as when a network drive goes away and comes back."""
    home = folder / "drive"
    home.mkdir()
    path = save_session(make_session(0, results=False), home / "s.zarr")
    session = load_session(path)
    journal = Journal.attach(session)
    session.edit("worm 1", {1: {"note": "before"}}, text="before")
    home.rename(folder / "away")
    refused = 0
    texts = ["before"]
    for attempt in range(3):
        try:
            session.edit("worm 1", {2: {"note": f"during {attempt}"}}, text=f"during {attempt}")
            texts.append(f"during {attempt}")
        except InputError:
            refused += 1
    try:
        save_session(session, path)
    except InputError:
        refused += 1
    half = int(home.exists())
    (folder / "away").rename(home)
    journal.close()
    counts = _reopened(path, texts, len(texts))
    counts["half-written"] += half
    counts["refused"] = refused
    return counts


def out_of_memory(folder: Path) -> Counter[str]:
    """Save and load with less and less address space (RLIMIT_AS): refused, or right, never half."""
    path = save_session(make_session(0), folder / "m.zarr")
    texts = [e.text for e in load_session(path).history]
    total: Counter[str] = Counter()
    with Path("/proc/self/statm").open() as stream:
        base = int(stream.read().split()[0]) * resource.getpagesize()
    for more in (1 << 18, 1 << 20, 1 << 22, 1 << 24, 1 << 26):

        def work(pipe: int, more: int = more) -> None:
            resource.setrlimit(resource.RLIMIT_AS, (base + more, base + more))
            session = load_session(path)
            session.provenance["big"] = np.arange(200_000.0)
            save_session(session, path)
            os.write(pipe, b"saved\n")

        said = _run_and_kill_quiet(work)
        total["saved" if "saved" in said else "refused"] += 1
        total += _reopened(path, texts, len(texts))
    return total


def _run_and_kill_quiet(work: Callable[[int], None]) -> list[str]:
    def quiet(pipe: int) -> None:
        with contextlib.suppress(MemoryError, InputError, RuntimeError):
            work(pipe)

    return _run_and_kill(quiet, 20)


def torn_journals(folder: Path, rounds: int, seed: int = 0) -> Counter[str]:
    """Cut, or write noise over, the end of a journal: what was complete before stays, nothing wrong is added."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter(dict.fromkeys(("rounds", "edits lost", "unreadable", "edits invented"), 0))
    path = save_session(make_session(0, results=False), folder / "t.zarr")
    session = load_session(path)
    journal = Journal.attach(session)
    for number in range(20):
        session.edit("worm 1", {1 + number % 8: {"note": f"torn {number}"}}, text=f"torn {number}")
    assert journal._file is not None
    log = journal._file.path
    journal.close()
    data = log.read_bytes()
    ends = np.cumsum([len(line) + 1 for line in data.split(b"\n")[:-1]])
    for _ in range(rounds):
        cut = int(rng.integers(0, len(data)))
        log.parent.mkdir(exist_ok=True)  # a journal without edits removes itself
        log.write_bytes(data[:cut] + (rng.bytes(int(rng.integers(1, 200))) if rng.random() < 0.7 else b""))
        whole = max(int((ends <= cut).sum()) - 1, 0)
        counts["rounds"] += 1
        try:
            again = load_session(path)
            reopened = Journal.attach(again)
            found = [lost.edit.text for lost in reopened.pending]
        except Exception:
            traceback.print_exc()
            counts["unreadable"] += 1
            continue
        counts["edits lost"] += len([i for i in range(whole) if f"torn {i}" not in found])
        counts["edits invented"] += len([t for t in found if not t.startswith("torn ")])
        reopened.close()
        for other in log.parent.glob("edits-*"):
            if other != log:
                other.unlink()
    return counts


def _reopened(path: Path, texts: list[str], acknowledged: int) -> Counter[str]:
    counts: Counter[str] = Counter({"edits": acknowledged, "edits lost": 0, "unreadable": 0, "half-written": 0})
    try:
        with contextlib.suppress(FileNotFoundError):
            lock = path.with_name(path.name + ".journal") / "lock"
            owner = json.loads(lock.read_text())
            owner["token"] = "dead"
            lock.write_text(json.dumps(owner))
        session = load_session(path)
        journal = Journal.attach(session)
        for lost, why in journal.recover():
            print(f"refused: {lost.edit.text[:40]}: {why[:200]}")
        found = {e.text for e in session.history}
        lost_texts = [t for t in texts if t not in found]
        counts["edits lost"] += len(lost_texts)
        journal.close()
    except Exception:
        traceback.print_exc()
        counts["unreadable"] += 1
    counts["half-written"] += sum(
        is_session(p) or p.name.endswith(".zip") for p in path.parent.glob(".*") if p.is_file()
    )
    return counts
