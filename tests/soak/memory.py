"""Whole runs of the command in processes with little memory (RLIMIT_AS), from the start or from a stage on.

Each must end with its results or with exit code 2 and one line that says what to do; nothing half-written may stay, the session
must open, and once there is memory, the same command must go on and give what it would have given.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import kill_runs

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))

STAGES = {"extract": "opening", "factorize": "affinities", "communities": "communities of component"}
"""First words of what is reported as a stage begins."""
LACKS = (
    ("start", 0),
    ("start", 1000),
    ("extract", 0),
    ("extract", 400),
    ("factorize", 0),
    ("factorize", 300),
    ("communities", 0),
    ("communities", 650),
    ("communities", 1200),
    ("factorize", 900),
    ("extract", 1500),
)
"""(from when on, MB that are left then)."""


def _limit(megabytes: float) -> None:
    with Path("/proc/self/statm").open() as stream:
        used = int(stream.read().split()[0]) * resource.getpagesize()
    most = used + int(megabytes * 1e6)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _work(settings: str, output: str, stage: str, megabytes: float, log: str) -> None:
    """In the child: run the command; the memory is limited at its start or when a stage begins."""
    from napari_dynamic_connectome import cli
    from napari_dynamic_connectome.extraction import extract
    from napari_dynamic_connectome.pipeline import run

    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    report, limited = run.report, False

    def limiting(progress: Any, fraction: float, message: str = "") -> None:
        nonlocal limited
        if message.startswith(STAGES.get(stage, "nothing")) and not limited:
            limited = True
            _limit(megabytes)
        report(progress, fraction, message)

    run.report = extract.report = limiting
    if stage == "start":
        _limit(megabytes)
    code = cli.main(["run", settings, "-o", output, "--no-screenshot"])
    sys.stdout.flush()
    os._exit(code)


def _image_that_does_not_fit(folder: Path) -> Path:
    """Settings for an image whose only chunk takes 20 GB; as it is all zero, its file holds nothing."""
    from napari_dynamic_connectome.io.volumes.omezarr_write import create_labels, create_volume

    folder.mkdir()
    shape = (5000, 8, 512, 512)
    create_volume(folder / "a.ome.zarr", shape, voxel_size_um=(1, 1, 1), frame_rate_hz=2, chunks=shape)
    create_labels(folder / "a.ome.zarr", shape[1:], "zyx", voxel_size_um=(1, 1, 1))[2:4, 9:15, 9:15] = 1
    (folder / "settings.toml").write_text("[[input.volumes]]\nname = 'a'\nvolume = 'a.ome.zarr'\n")
    return folder / "settings.toml"


def lack_of_memory(folder: Path, *, short: bool = False) -> Counter[str]:
    """Run with too little memory, from the start and from each stage on, and with data that do not fit.

    Returns
    -------
    Counter
        runs, finished, refused (with a message), silent failures (another end, or more than one line), half-written,
        unreadable, results that differ.
    """
    from napari_dynamic_connectome.session.save_load import load_session

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(kill_runs.PRELOAD)
    counts: Counter[str] = Counter(
        dict.fromkeys(
            ("runs", "finished", "refused", "silent failures", "half-written", "unreadable", "results that differ"), 0
        )
    )

    def run(settings: Path, output: Path, stage: str, megabytes: float) -> bool:
        log = folder / "log.txt"
        child = context.Process(target=_work, args=(str(settings), str(output), stage, megabytes, str(log)))
        child.start()
        child.join()
        counts["runs"] += 1
        said = [line for line in log.read_text().splitlines() if not line.lstrip("\r").startswith(("run:", "write:"))]
        if child.exitcode == 0:
            counts["finished"] += 1
        elif child.exitcode == 2 and len(said) == 1 and said[0].startswith("dynamic-connectome: "):
            counts["refused"] += 1
        else:
            print(f"{stage}, {megabytes} MB: exit code {child.exitcode}\n" + log.read_text()[-3000:])
            counts["silent failures"] += 1
        kill_runs.check_readable(output, counts)
        counts["half-written"] += kill_runs.half_written(output)
        return child.exitcode == 0

    large = _image_that_does_not_fit(folder / "large")
    counts["silent failures"] += run(large, folder / "none", "extract", 3000)  # it cannot be done
    counts["half-written"] += (folder / "none" / "session.zarr").exists()
    if short:
        run(large, folder / "none", "start", 500)
        return counts
    settings = kill_runs.small_run(folder / "data", 120)
    run(settings, folder / "alone", "", 0)
    alone = load_session(folder / "alone" / "session.zarr")
    number = 0
    for stage, megabytes in (*LACKS, ("", 0)):
        output = folder / f"out{number}"
        if not run(settings, output, stage, megabytes):
            continue  # the next one goes on in the same place
        number += 1
        kill_runs.check_same(output, alone, counts)
    return counts


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(prefix="memory-") as place:
        print(dict(lack_of_memory(Path(place))))
