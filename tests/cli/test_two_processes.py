"""Two programs at one place, in processes of their own: each is done or refused, and what is there is that of one of them."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome import InputError, read_recording, save_session, write_recording
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.io.ownership import MARKER, OurFiles, read_marker
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.report.tables import write_tables
from napari_dynamic_connectome.session.journal import Journal
from napari_dynamic_connectome.session.save_load import load_session

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from session_sample import make_session

sys.path.append(str(Path(__file__).parents[2]))  # where the children find this module

if "forkserver" not in multiprocessing.get_all_start_methods():
    pytest.skip("needs a server of processes", allow_module_level=True)

NAMES = ["AVAL", "AVAR", "RIML", "RIMR", "AIBL", "AIBR"]
SETTINGS = """
correct = "none"
kinds = ["core"]
[input]
recordings = ["a.npz", "b.npz"]
[rank]
rank = 1
starts = 1
[communities]
null_fits = 0
samples = 10
starts = 1
[robustness]
parts = ["seeds"]
seeds = 1
starts = 1
[contrasts]
events = ["salt"]
"""


PROCESSES = multiprocessing.get_context("forkserver")
"""Children of a process that has done nothing but imports: a fork of this one would take over what tests of the window left in it."""
PROCESSES.set_forkserver_preload(
    ["napari_dynamic_connectome.cli.commands.run", "napari_dynamic_connectome.pipeline.run"]
)


class Child:
    """A function in a process of its own; it can be stopped where it calls one of the package's functions."""

    def __init__(self, work: Callable[[], Any], stop: str = "") -> None:
        self._said, said = PROCESSES.Pipe(duplex=False)
        go, self._go = PROCESSES.Pipe(duplex=False)
        given = (cloudpickle.dumps(work), stop, said, go, dict(os.environ))
        self.process = PROCESSES.Process(target=in_child, args=given, daemon=True)
        self.process.start()
        said.close()
        go.close()

    def wait_until_there(self) -> None:
        assert self._said.recv() == "there", "it ended before it came there"

    def go_on(self) -> int:
        """Let it go; return its exit code. What it raised that no command may raise is shown."""
        self._go.close()
        end = None
        with suppress(EOFError):
            while end is None or end == "there":
                end = self._said.recv()
        self.process.join()
        assert isinstance(end, int), end
        return end


def in_child(work: bytes, stop: str, said: Any, go: Any, environment: dict[str, str]) -> None:
    """Run a function and tell what it returned, or the traceback of what it raised."""
    os.environ.clear()
    os.environ.update(environment)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)

    def wait() -> None:
        said.send("there")
        with suppress(EOFError):
            go.recv()

    try:
        if stop:
            _stop_in(stop, wait)
        said.send(int(cloudpickle.loads(work)() or 0))
    except BaseException:
        said.send(traceback.format_exc())


def _stop_in(name: str, pause: Callable[[], Any]) -> None:
    module, _, function = name.rpartition(".")
    __import__(module)
    original = getattr(sys.modules[module], function)

    def stopped(*args: Any, **more: Any) -> Any:
        setattr(sys.modules[module], function, original)
        pause()
        return original(*args, **more)

    setattr(sys.modules[module], function, stopped)


def at_once(*works: Callable[[], Any]) -> list[int]:
    """Do things at the same moment; return their exit codes."""
    start = time.time() + 0.2

    def begin(work: Callable[[], Any]) -> Any:
        time.sleep(max(start - time.time(), 0))
        return work()

    return [child.go_on() for child in [Child(lambda w=work: begin(w)) for work in works]]


def command(*words: object) -> Callable[[], int]:
    return lambda: main([*map(str, words), "-q"])


def state_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def check_whole(folder: Path) -> None:
    """Nothing is half-written, and every file that the markers list is as its writer left it."""
    assert [p for p in folder.rglob("*") if (p.match(".*") and p.name != MARKER) or p.match("*.journal")] == []
    for marker in folder.rglob(MARKER):
        ours = OurFiles(marker.parent)
        assert [name for name in ours.known if not ours.is_ours(name)] == []


def write_worms(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    time_s = np.arange(120) / 2
    for name in "abw":
        waves = np.sin(time_s[:, None] / (2.0 + np.arange(6)[None] // 3))
        worm = Recording.from_arrays(
            waves + rng.normal(scale=0.3, size=waves.shape) + 3,
            name=name,
            time_s=time_s,
            names=NAMES,
            stimuli=pd.DataFrame({"name": ["salt"] * 2, "onset": [15.0, 35.0], "offset": [17.0, 37.0]}),
        )
        write_recording(worm, folder / f"{name}.npz")
    (folder / "s.toml").write_text(SETTINGS)
    return folder / "s.toml"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of worms and settings, and `out` of their run."""
    folder = tmp_path_factory.mktemp("two")
    settings = write_worms(folder)
    assert command("run", settings, "-o", folder / "out", "--no-screenshot")() == 0
    return folder


@pytest.fixture
def copy(ran: Path, tmp_path: Path) -> Iterator[Path]:
    import shutil

    shutil.copytree(ran, tmp_path / "copy")
    yield tmp_path / "copy"
    check_whole(tmp_path)


# --- a run that is at work ----------------------------------------------------------------------------------------------


def test_while_a_run_writes_nobody_else_writes_there(copy: Path) -> None:
    out, settings = copy / "out", copy / "s.toml"
    run = Child(
        command("run", settings, "-o", out, "--no-screenshot"), "napari_dynamic_connectome.cli.outputs.write_outputs"
    )
    run.wait_until_there()
    (copy / "link").symlink_to(out)
    before = state_of(out)
    for words in (
        ("run", settings, "-o", out),
        ("run", settings, "-o", copy / "link"),
        ("run", settings, "-o", copy / "other" / ".." / "out"),
        ("export", out, "--tables"),
        ("report", out),
        ("project", out, copy / "w.npz"),
        ("states", out),
        ("baselines", out),
        ("robustness", settings, "-o", out),
        ("contrasts", settings, "-o", out),
        ("compare", out, out, "-o", out),
        ("movie", out / "session.zarr"),
        ("demo", "-o", out),
    ):
        assert command(*words)() == 2, words
    # a window, and Python, which ask no command
    window = load_session(out / "session.zarr")
    journal = Journal.attach(window)
    assert journal.read_only and f"process {run.process.pid} on" in journal.owner
    with pytest.raises(InputError, match="open in another window"):
        window.edit("a", {1: {"note": "x"}})
    for path in (out / "session.zarr", copy / "link" / "session.zarr"):
        with pytest.raises(InputError, match="open in another window"):
            save_session(make_session(0), path)
    journal.close()
    assert {k: v for k, v in state_of(out).items() if k in before} == before
    (copy / "link").unlink()
    assert run.go_on() == 0
    assert load_session(out / "session.zarr").components is not None


def test_while_a_folder_of_results_is_written_nobody_else_writes_it(copy: Path) -> None:
    out = copy / "out"
    export = Child(command("export", out, "--tables"), "napari_dynamic_connectome.report.tables.write_csv")
    export.wait_until_there()
    session = load_session(out / "session.zarr")  # may be read
    before = state_of(out / "tables")
    for folder in (out / "tables", out / "other" / ".." / "tables"):
        with pytest.raises(InputError, match="another program is writing here"):
            write_tables(session, folder)  # as a window does
    assert state_of(out / "tables") == before
    assert export.go_on() == 0
    write_tables(session, out / "tables")


def test_a_session_in_a_window_is_changed_by_no_command(copy: Path) -> None:
    out = copy / "out"
    window = load_session(out / "session.zarr")
    journal = Journal.attach(window)
    window.edit("a", {1: {"note": "mine"}})
    before = state_of(out)
    for words in (("run", copy / "s.toml", "-o", out), ("states", out), ("baselines", out)):
        assert Child(command(*words)).go_on() == 2
    assert state_of(out) == before
    assert Child(command("export", out, "--graphml", "-o", copy / "free")).go_on() == 0  # which only reads it
    save_session(window, out / "session.zarr")
    journal.close()
    assert load_session(out / "session.zarr").recordings["a"].neurons["note"].tolist()[0] == "mine"


# --- both at the same moment ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["run", "run and save", "project", "robustness", "contrasts", "report"])
def test_of_two_at_the_same_moment_none_mixes_with_the_other(copy: Path, kind: str) -> None:
    out, settings = copy / "out", copy / "s.toml"
    run = command("run", settings, "-o", out, "--no-screenshot", "--fresh")
    tables = command("export", out, "--tables")
    one, other = {
        "run": (run, command("run", settings, "-o", out, "--no-screenshot", "--set", "seed=5")),
        "run and save": (run, lambda: edit_and_save(out / "session.zarr")),
        "project": (command("project", out, copy / "w.npz"), command("project", out, copy / "w.npz", "--splits", 2)),
        "robustness": (command("robustness", settings, "-o", out), tables),
        "contrasts": (command("contrasts", settings, "-o", out), tables),
        "report": (command("report", out, "--no-screenshot"), tables),
    }[kind]
    codes = at_once(one, other)
    assert set(codes) <= {0, 2} and 0 in codes
    check_whole(copy)  # no lock stays, either
    assert load_session(out / "session.zarr").components is not None


def edit_and_save(path: Path) -> int:
    """As a window does: 2 where it is read-only."""
    session = load_session(path)
    journal = Journal.attach(session)
    try:
        session.edit("a", {1: {"note": "mine"}})
        time.sleep(0.05)
        save_session(session, path)
    except InputError:
        return 2
    finally:
        journal.close()
    return 0


def test_two_recordings_that_are_written_into_one_folder_are_both_ours(tmp_path: Path) -> None:
    (write_worms(tmp_path)).unlink()
    worm = read_recording(tmp_path / "a.npz")
    out = tmp_path / "out"

    def write(name: str) -> Callable[[], Any]:
        return lambda: [write_recording(worm, out / f"{name}{i}.csv") for i in range(6)] and 0

    assert at_once(write("x"), write("y"), write("z")) == [0, 0, 0]
    check_whole(tmp_path)
    assert len([n for n in read_marker(out)["files"] if n.endswith(".csv")]) == 3 * 6 * 3
