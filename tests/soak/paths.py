"""Every other path on which something could be lost: sessions that were never saved, analyses, copies made while files are written,
runs over edited sessions, exports on a full disk, folders that hold other things, two processes at one place.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import resource
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from kills import _run_and_kill

from napari_dynamic_connectome.session.journal import Journal, find_recoverable, reopen, throw_away
from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from session_sample import make_recording, make_session

EXPORTS = ("tables", "graphml", "figures", "nwb", "labels")
RECORDINGS = ("worm.csv", "worm.npz", "worm.parquet", "worm.nwb")


@contextlib.contextmanager
def _state(folder: Path) -> Iterator[None]:
    before = os.environ.get("DYNAMIC_CONNECTOME_CACHE")
    os.environ["DYNAMIC_CONNECTOME_CACHE"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("DYNAMIC_CONNECTOME_CACHE")
        if before is not None:
            os.environ["DYNAMIC_CONNECTOME_CACHE"] = before


# --- never saved, analyses ----------------------------------------------------------------------------------------------


def kill_never_saved(folder: Path, rounds: int, seed: int = 0, *, longest_s: float = 0.5) -> Counter[str]:
    """End a child that opens, extracts, edits and analyzes in a session that was never saved; reopen what it left behind."""
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter(dict.fromkeys(("kills", "edits", "analyses", "edits lost", "unreadable"), 0))
    sample = make_session(seed)
    with _state(folder / "state"):
        for round_ in range(rounds):
            said = _run_and_kill(
                lambda pipe, r=round_: _never_saved(sample, pipe, seed * 100_003 + r),
                float(rng.uniform(0, longest_s)),
                from_first_line=bool(rng.random() < 0.8),
            )
            counts["kills"] += 1
            expected = [s[5:] for s in said if s.startswith("edit ")]
            counts["edits"] += len(expected)
            counts["analyses"] += sum(t.startswith("analyze") for t in expected)
            counts["failed"] += "failed" in said
            found = find_recoverable()
            if not found:
                counts["edits lost"] += len(expected)
                continue
            try:
                session, journal, refused = reopen(found[0])
            except Exception:
                traceback.print_exc()
                counts["unreadable"] += 1
                break
            known = {e.text for e in session.history}
            counts["edits lost"] += len([t for t in expected if t not in known]) + len(refused)
            if any(t.startswith("analyze") for t in expected):
                counts["edits lost"] += session.components is None or not session.communities
            traces = {n: r.traces.values.tobytes() for n, r in session.recordings.items()}
            last = next((t for t in reversed(expected) if t.startswith("extract ")), "")
            if last and int(last.split("/")[1]) == max(int(t.split("/")[1]) for t in known if t.startswith("extract ")):
                counts["edits lost"] += traces["worm 1"] != _traces_of(last).tobytes()
            journal.close()
            for one in find_recoverable():
                throw_away(one)
            shutil.rmtree(folder / "state" / "journals", ignore_errors=True)
    return counts


def _traces_of(text: str) -> np.ndarray:
    return make_recording("worm 1", 2 + 2 * (int(text.split("/")[1]) % 5)).traces.values


def _never_saved(sample: Session, pipe: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    session = Session()
    Journal.attach(session)

    def acknowledge(text: str) -> None:
        os.write(pipe, f"edit {text}\n".encode())

    for name, one in sample.recordings.items():
        text = f"open {seed}/{name}"
        session.add(one, made=text, action="open")
        acknowledge(text)
    for number in range(10_000):
        kind = rng.integers(0, 8)
        if kind == 0:
            text = f"extract {seed}/{number}"
            worm = session.recordings["worm 1"]
            changed = worm.replace(traces=worm.traces.copy(data=_traces_of(text)))
            session.add(changed, replace=True, made=text, raw=worm.traces)
        elif kind == 1:
            text = f"analyze {seed}/{number}"
            results = sample.results()
            session.keep_results(results, text, kept=session.journal.write_results(results))
            session.take_results(results)
        else:
            text = f"{seed}/{number}"
            session.edit("worm 2", {int(rng.integers(1, 9)): {"note": text}}, text=text)
        acknowledge(text)
        if rng.random() < 0.1:
            session.undo()


# --- copies made while files are written --------------------------------------------------------------------------------


def snapshots(folder: Path, rounds: int, seed: int = 0) -> Counter[str]:
    """Copy journal and session, as a backup does, while a child edits and saves; every copy holds what was acknowledged before."""
    from kills import _edit_forever

    counts: Counter[str] = Counter(dict.fromkeys(("copies", "edits", "edits lost", "unreadable"), 0))
    home = folder / "home"
    home.mkdir()
    path = save_session(make_session(seed), home / "s.zip")
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            _edit_forever(path, writer, seed)
        finally:
            os._exit(1)
    os.close(writer)
    os.set_blocking(reader, False)
    said = b""
    try:
        for number in range(rounds):
            time.sleep(0.05)
            with contextlib.suppress(BlockingIOError):
                said += os.read(reader, 1 << 20)
            expected = [s[5:] for s in said.decode().splitlines()[:-1] if s.startswith("edit ")]
            copy = folder / f"copy{number}"
            copy.mkdir()
            (copy / "s.zip.journal").mkdir()
            for one in sorted((home / "s.zip.journal").glob("*")):  # first the journal: a save takes edits out of it
                with contextlib.suppress(FileNotFoundError):
                    shutil.copyfile(one, copy / "s.zip.journal" / one.name)
            shutil.copyfile(path, copy / "s.zip")
            counts["copies"] += 1
            counts["edits"] = len(expected)
            lock = copy / "s.zip.journal" / "lock"
            if lock.exists():
                with contextlib.suppress(ValueError):
                    lock.write_text(json.dumps(json.loads(lock.read_text()) | {"pid": 2**22 + 9}))
            try:
                session = load_session(copy / "s.zip")
                journal = Journal.attach(session)
                journal.recover()
                known = {e.text for e in session.history}
                counts["edits lost"] += len([t for t in expected if t not in known])
                journal.close()
            except Exception:
                traceback.print_exc()
                counts["unreadable"] += 1
            shutil.rmtree(copy)
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(reader)
    return counts


# --- runs over edited sessions ------------------------------------------------------------------------------------------


def kill_edited_runs(folder: Path, kills: int, seed: int = 0) -> Counter[str]:
    """Edit the session of a run, run again with another setting, end that at random moments; the edits must be there at the end."""
    import multiprocessing

    from kill_runs import PRELOAD, small_run

    counts: Counter[str] = Counter(dict.fromkeys(("kills", "runs", "edits", "edits lost", "unreadable", "failed"), 0))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    rng = np.random.default_rng(seed)
    settings = small_run(folder / "data", 120)
    text = settings.read_text().replace('[[input.volumes]]\nname = "a"\nvolume = "a.ome.zarr"\n', "")
    settings.write_text(text.replace("largest = 3", "largest = 2"))
    output = folder / "out"

    def run() -> multiprocessing.Process:
        child = context.Process(target=_run_quietly, args=(str(settings), str(output)))
        child.start()
        return child

    first = run()
    first.join(600)
    counts["failed"] += first.exitcode != 0
    whole_s = 3.0
    while counts["kills"] < kills:
        session = load_session(output / "session.zarr")
        journal = Journal.attach(session)
        stamp = f"{seed}/{counts['runs']}"
        session.edit("b", {1: {"note": stamp}, 3: {"rejected": counts["runs"] % 2 == 0}}, text=f"note {stamp}")
        session.name_neuron(2, f"AV{'AD'[counts['runs'] % 2]}R", recording="c")
        session.leave_out("c", counts["runs"] % 2 == 1)
        counts["edits"] += 4
        if rng.random() < 0.5:
            save_session(session, output / "session.zarr")
        journal.close()  # half of the time, the edits are in the journal alone
        expected = _edited(session)
        settings.write_text(settings.read_text().replace("seed = 3", f"seed = 3{counts['runs']}", 1))
        for _ in range(3):
            child, start = run(), time.monotonic()
            child.join(float(rng.uniform(0, whole_s)))
            if child.exitcode is None:
                child.kill()
                child.join()
                counts["kills"] += 1
            else:
                whole_s = max(time.monotonic() - start, 1.0)
        child, start = run(), time.monotonic()
        child.join(600)
        whole_s = max(time.monotonic() - start, 1.0)
        counts["failed"] += child.exitcode != 0
        counts["runs"] += 1
        try:
            found = _edited(load_session(output / "session.zarr"))
            counts["edits lost"] += sum(found[k] != v for k, v in expected.items())
        except Exception:
            traceback.print_exc()
            counts["unreadable"] += 1
            break
    return counts


def _edited(session: Session) -> dict[str, object]:
    found: dict[str, object] = {"left out": sorted(session.left_out)}
    for name, one in session.recordings.items():
        for column in ("note", "name", "rejected"):
            found[f"{name} {column}"] = one.neurons[column].tolist()
    return found


def _run_quietly(settings: str, output: str) -> None:
    from napari_dynamic_connectome.cli import main

    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    code = main(["run", settings, "-o", output, "--no-screenshot", "-q"])
    os._exit(code)


# --- exports ------------------------------------------------------------------------------------------------------------


def _exporters(session: Path, out: Path) -> dict[str, Callable[[], int]]:
    """What writes files, each as a command or as its own function; they return the exit code."""
    from napari_dynamic_connectome.cli import main
    from napari_dynamic_connectome.io.registry import write_recording
    from napari_dynamic_connectome.model.errors import DynamicConnectomeError

    def command(*words: str) -> Callable[[], int]:
        return lambda: main([*words, "-q"])

    def recording(name: str) -> Callable[[], int]:
        def write() -> int:
            (out / name.replace(".", "_")).mkdir(parents=True, exist_ok=True)
            try:
                worm = load_session(session).recordings["worm 1"]
                write_recording(worm, out / name.replace(".", "_") / name)
            except (DynamicConnectomeError, OSError):
                return 2
            return 0

        return write

    _imported()
    found = {kind: command("export", str(session), "-o", str(out / kind), f"--{kind}") for kind in EXPORTS}
    found["report"] = command("report", str(session), "-o", str(out / "report"), "--no-screenshot")
    found |= {name: recording(name) for name in RECORDINGS}
    return found


def _imported() -> None:
    """Import once what every child process needs."""
    for name in (
        "cli",
        "cli.commands.export",
        "report.html",
        "report.tables",
        "report.graphml",
        "io.registry",
        "pipeline.run",
        "pipeline.structure",
    ):
        importlib.import_module(f"napari_dynamic_connectome.{name}")
    for name in ("networkx", "lxml.etree"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _in_child(work: Callable[[], int], limit_bytes: int = 0) -> int:
    """Do something in a child process whose files may have so many bytes; the exit code, negative for a signal."""
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            if limit_bytes:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
            code = work()
        except BaseException:
            code = 98
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _done_once(name: str, work: Callable[[], int], place: Path, counts: Counter[str]) -> bool:
    """Whether an export can be done at all; what ends otherwise than with a message counts as crashed."""
    code = _in_child(work)
    if code == 2 or (code == 0 and not _digests(place)):
        counts["not tried"] += 1  # an extra is not installed, or the session holds nothing of the kind
        return False
    if code != 0:
        counts["crashed"] += 1
        print(f"{name}: ended with {code}")
    return code == 0


def _digests(folder: Path) -> dict[str, str]:
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != ".dynamic-connectome.json"
    }


def _half_written(folder: Path) -> int:
    return len([p for p in folder.rglob("*") if p.name.endswith((".partial", ".tmp", ".previous", ".writing"))])


def full_disk_exports(folder: Path, sizes: tuple[float, ...] = (0.0, 0.6), only: tuple[str, ...] = ()) -> Counter[str]:
    """Export where no file may grow beyond a part of its size: refused, in one piece, and the older files as they were."""
    counts: Counter[str] = Counter(
        dict.fromkeys(("exports", "refused", "written", "crashed", "half-written", "silent failures"), 0)
    )
    with _state(folder / "state"):
        session = save_session(make_session(0), folder / "s.zip")
        out, alone = folder / "out", folder / "alone"
        for name, work in _exporters(session, out).items():
            if only and name not in only:
                continue
            place = out / name.replace(".", "_")
            if not _done_once(name, work, place, counts):
                continue
            before = _digests(place)
            largest = max(p.stat().st_size for p in place.rglob("*") if p.is_file())
            shutil.copytree(place, alone / place.name)
            for share in sizes:
                counts["exports"] += 1
                code = _in_child(work, max(int(share * largest), 1))
                counts["refused" if code == 2 else "written" if code == 0 else "crashed"] += 1
                if code not in (0, 2):
                    print(f"{name}: ended with {code}")
                counts["half-written"] += _half_written(out)
                after = _digests(place)
                changed = [n for n in before if after.get(n) != before[n]]
                if code == 2 and share == 0.0:  # nothing can be written, so nothing may be gone
                    counts["half-written"] += len([n for n in changed if n not in after])
                if code == 0 and set(after) != set(before):
                    counts["silent failures"] += 1
                shutil.rmtree(place)
                shutil.copytree(alone / place.name, place)
    return counts


def foreign_folders(folder: Path, only: tuple[str, ...] = ()) -> Counter[str]:
    """Put other things under every name that an export writes: refused, and each as it was."""
    counts: Counter[str] = Counter(dict.fromkeys(("exports", "files", "refused", "overwritten", "crashed"), 0))
    with _state(folder / "state"):
        session = save_session(make_session(0), folder / "s.zip")
        out = folder / "out"
        for name, work in _exporters(session, out).items():
            if only and name not in only:
                continue
            place = out / name.replace(".", "_")
            if not _done_once(name, work, place, counts):
                continue
            names = list(_digests(place))
            for marker in out.rglob(".dynamic-connectome.json"):
                marker.unlink()
            for one in names:  # of all of them at once, and with a file beside
                (place / one).write_bytes(b"mine " + one.encode())
            (place / "notes.txt").write_bytes(b"mine, too")
            before = _digests(place)
            counts["exports"] += 1
            counts["files"] += len(before)
            code = _in_child(work)
            counts["refused"] += code == 2
            counts["crashed"] += code not in (0, 2)
            after = _digests(place)
            if name not in RECORDINGS:  # a single file that the caller named is written by the function it was given to
                counts["overwritten"] += len([n for n in before if after.get(n) != before[n]])
            else:
                counts["overwritten"] += after.get("notes.txt") != before["notes.txt"]
    return counts


def two_at_once(folder: Path, rounds: int = 2, only: tuple[str, ...] = ()) -> Counter[str]:
    """Export the same thing in two processes at the same time: each is done or refused, and what is there is whole."""
    counts: Counter[str] = Counter(
        dict.fromkeys(("pairs", "written", "refused", "crashed", "half-written", "results that differ"), 0)
    )
    with _state(folder / "state"):
        session = save_session(make_session(0), folder / "s.zip")
        out = folder / "out"
        for name, work in _exporters(session, out).items():
            if only and name not in only:
                continue
            place = out / name.replace(".", "_")
            if not _done_once(name, work, place, counts):
                continue
            names = set(_digests(place))
            for _ in range(rounds):
                counts["pairs"] += 1
                pids = []
                for _ in range(2):
                    pid = os.fork()
                    if pid == 0:
                        os._exit(_in_child(work) % 256)
                    pids.append(pid)
                codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
                counts["written"] += codes.count(0)
                counts["refused"] += codes.count(2)
                counts["crashed"] += len([c for c in codes if c not in (0, 2)])
                counts["results that differ"] += 0 not in codes or set(_digests(place)) != names
                counts["half-written"] += _half_written(out)
                counts["results that differ"] += _in_child(work) != 0  # and it can be written again
    return counts
