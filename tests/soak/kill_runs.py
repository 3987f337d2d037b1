"""Whole runs (extract, factorize, find communities, save) that are ended with SIGKILL and started again until they are done.

The result must be that of a run that was left alone, to the last bit; nothing that was finished may be done a second time;
whatever moment it was, the session on disk opens, and nothing half-written stays.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))

STAGES = ["extract", "factorize", "communities"]
IN_EACH = 5
"""Kills in each stage of a run before it may finish."""
STUCK_S = 600.0
"""Longer than any of these small runs takes on a busy machine."""
NAMES = ["AVAL", "AVAR", "RIML", "RIMR", "AIBL", "AIBR", "RIBL", "RIBR", "SMDVL", "SMDVR"]
SETTINGS = """
seed = 3
correct = "none"
[input]
recordings = ["b.npz", "c.npz"]
[[input.volumes]]
name = "a"
volume = "a.ome.zarr"
[extraction]
block_mb = 0.001
[rank]
smallest = 2
largest = 3
starts = 2
folds = 2
[communities]
starts = 2
samples = 40
null_fits = 6
"""

PRELOAD = [
    "napari_dynamic_connectome.pipeline.run",
    "napari_dynamic_connectome.extraction.kernels",
    "napari_dynamic_connectome.factorization.sweep",
    "napari_dynamic_connectome.communities.find",
    "napari_dynamic_connectome.io.registry",
]


def small_run(folder: Path, n_time: int = 300) -> Path:
    """Write two worms as traces and one as images, and the settings that analyze them; return the settings file."""
    from napari_dynamic_connectome.io.registry import write_recording
    from napari_dynamic_connectome.io.volumes.omezarr_write import create_labels, create_volume
    from napari_dynamic_connectome.model.recording import Recording

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    time_s = np.arange(n_time) / 2
    waves = np.stack([np.sin(time_s / 3), np.sin(time_s / 5 + 1)], axis=1)
    for name in "abc":
        noise = rng.normal(scale=0.3, size=(n_time, len(NAMES)))
        traces = waves[:, np.arange(len(NAMES)) // 2 % 2] + noise + 3
        places = np.stack([np.full(10, 5.0), np.arange(10) * 4.0, np.full(10, 9.0)], axis=1)
        if name != "a":
            worm = Recording.from_arrays(traces, name=name, time_s=time_s, names=NAMES, positions_um=places)
            write_recording(worm, folder / f"{name}.npz")
            continue
        labels = np.zeros((4, 44, 20), np.uint16)
        for i in range(len(NAMES)):
            labels[1:3, 1 + 4 * i : 4 + 4 * i, 6:10] = i + 1
        frames = np.concatenate([np.zeros((n_time, 1)), traces * 100], axis=1)[:, labels]
        image = create_volume(
            folder / "a.ome.zarr", frames.shape, voxel_size_um=(2, 1, 1), frame_rate_hz=2, chunks=(1, 4, 44, 20)
        )
        image[...] = np.round(frames + rng.normal(scale=3, size=frames.shape).clip(-9, 9) + 50).astype(np.uint16)
        properties = [{"label-value": i + 1, "name": n} for i, n in enumerate(NAMES)]
        create_labels(folder / "a.ome.zarr", labels.shape, "zyx", voxel_size_um=(2, 1, 1), properties=properties)[
            ...
        ] = labels
    (folder / "settings.toml").write_text(SETTINGS)
    return folder / "settings.toml"


def _work(settings: str, output: str, journal: str) -> None:
    """In the child: run, and note every finished piece and every moment in a file."""
    from napari_dynamic_connectome.extraction.run import Checkpoint
    from napari_dynamic_connectome.factorization.jobs import FitCheckpoint
    from napari_dynamic_connectome.pipeline import run

    descriptor = os.open(journal, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    last = ""

    def note(line: str) -> None:
        os.write(descriptor, f"{line}\n".encode())

    def saving(kind: type, word: str) -> None:
        save = kind.save

        def noted(self: Any, piece: Any, result: Any) -> None:
            save(self, piece, result)
            note(f"{word} {self._path(piece).name}")

        kind.save = noted  # type: ignore[attr-defined]

    saving(Checkpoint, "block")
    saving(FitCheckpoint, "fit")
    run.SAVE_EVERY_S = 0.0

    def progress(fraction: float, message: str = "", /) -> None:
        nonlocal last
        now = STAGES[0 if fraction < 0.25 else 1 if fraction < 0.75 else 2]
        if now != last:
            note(f"stage {now}")
            last = now
        note(f"tick {now}")

    run.run_pipeline(settings, output, progress=progress)
    note("stage done")


def _moments(notes: Path, start: int = 0) -> list[tuple[str, str]]:
    """Stages that were reached ("stage", name) and progress that was told ("tick", name), from a place in the notes on."""
    text = notes.read_text()[start:] if notes.exists() else ""
    lines = [line.split() for line in text.split("\n")[:-1]]  # the last one may be half there
    return [(line[0], line[1]) for line in lines if line[0] in ("stage", "tick")]


def half_written(output: Path) -> int:
    """Temporary files that were left."""
    return len([p for p in output.rglob("*") if p.name.endswith((".partial", ".tmp", ".previous"))])


def check_readable(output: Path, counts: Counter[str]) -> None:
    """Count a session that cannot be opened."""
    from napari_dynamic_connectome.session.save_load import load_session

    target = output / "session.zarr"
    if target.exists():
        try:
            load_session(target)
        except Exception:
            traceback.print_exc()
            counts["unreadable"] += 1


def check_same(output: Path, alone: Any, counts: Counter[str]) -> None:
    """Count results that are not, to the last bit, those of a run that was left alone."""
    from session_sample import same

    from napari_dynamic_connectome.session.save_load import load_session

    try:
        found = load_session(output / "session.zarr")
        for part in ("recordings", "sweep", "components", "communities"):
            same(getattr(found, part), getattr(alone, part), part)
    except Exception:
        traceback.print_exc()
        counts["results that differ"] += 1


def kill_runs(folder: Path, kills: int, seed: int = 0, *, short: bool = False) -> Counter[str]:
    """End runs at random moments, `kills` times in all; begin a new output whenever one is done.

    `short` takes less data, and compiling for part of the first run.
    """
    from napari_dynamic_connectome.session.save_load import load_session

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    settings = str(small_run(folder / "data", 120 if short else 300))
    rng = np.random.default_rng(seed)
    counts: Counter[str] = Counter(
        dict.fromkeys(("kills", "runs", "unreadable", "results that differ", "done twice", "half-written"), 0)
    )

    def start(output: Path, notes: Path, stage: str = "") -> bool:
        """Run; end it in a stage (or in a later one, if that is done), after a random part of its progress. True: it was through.

        Progress, not seconds: a machine that is busy now may not be so in a moment.
        """
        child = context.Process(target=_work, args=(settings, str(output), str(notes)))
        before = len(notes.read_text()) if notes.exists() else 0
        child.start()
        if stage:
            later = STAGES[STAGES.index(stage) + 1 :]
            ticks = int(rng.integers(1, max(lasts[stage] // IN_EACH, 1) + 1))  # what was done before is not done again
            end = time.monotonic() + STUCK_S
            while child.exitcode is None and time.monotonic() < end:
                told = [name for kind, name in _moments(notes, before) if kind == "tick"]
                if told.count(stage) >= ticks or any(name in later for name in told):
                    time.sleep(float(rng.uniform(0.0, 0.02)))  # not always just after a note
                    break
                time.sleep(0.002)
            else:
                counts["stuck"] += child.exitcode is None
        else:
            child.join(STUCK_S)
            counts["stuck"] += child.exitcode is None
        if child.exitcode is None:
            child.kill()
            child.join()
            counts["kills"] += 1
            where = [name for kind, name in _moments(notes, before) if kind == "stage"]
            counts[f"in {where[-1] if where else 'start'}"] += 1
            return False
        if child.exitcode != 0:
            counts["failed"] += 1
        return True

    if not short:
        start(folder / "warm", folder / "warm.txt")  # compiles what is to be compiled
    start(folder / "alone", folder / "alone.txt")
    lasts = Counter(name for kind, name in _moments(folder / "alone.txt") if kind == "tick")
    alone = load_session(folder / "alone" / "session.zarr")
    while counts["kills"] < kills:
        output, notes = folder / f"run{counts['runs']}", folder / f"run{counts['runs']}.txt"
        # some in every stage, then it may finish
        plan = [s for s in STAGES for _ in range(1 if short else IN_EACH)][: kills - counts["kills"]]
        while not start(output, notes, plan.pop(0) if plan else ""):
            check_readable(output, counts)
        counts["runs"] += 1
        lines = [line for line in notes.read_text().splitlines() if line.split()[0] in ("block", "fit")]
        counts["done twice"] += len(lines) - len(set(lines))
        check_same(output, alone, counts)
        counts["half-written"] += half_written(output) + int((output / "checkpoints").exists())
    return counts
