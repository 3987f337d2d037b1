"""Trace extraction against reading alone and against other libraries: time per frame, and peak memory.

    python tests/benchmarks/bench_extraction.py [--quick] [--output table.md]

A series of 20 x 512 x 1024 voxels (uint16, 21 MB a frame, 190 neurons) is made in a temporary folder, as OME-Zarr users store
it: one chunk a frame, and chunks that cut across frames; lz4 and zstd. Eight different frames are repeated by hard links, so that
8.4 GB of voxels take 0.4 GB of disk; everything is deleted at the end. The files stay in the page cache: "reading" is
decompression, the fastest that it can be, which is the hardest comparison for what is added to it. Both sides run alternately in
one process with the same number of threads; the numbers are medians.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import zarr
from zarr.codecs import BloscCodec

from napari_dynamic_connectome.extraction.extract import extract_traces

SHAPE = (20, 512, 1024)
N_NEURONS = 190
DISTINCT = 8
UNITS = {"voxel_size_um": (1.5, 0.3, 0.3), "frame_rate_hz": 3.0}
WHOLE = (1, *SHAPE)
ACROSS = (DISTINCT, 20, 128, 256)


def make_labels() -> np.ndarray:
    """Ellipsoids of about 300 voxels at random places."""
    rng = np.random.default_rng(0)
    labels = np.zeros(SHAPE, np.uint16)
    z, y, x = np.mgrid[-3:4, -7:8, -7:8]
    ball = (z / 2.2) ** 2 + (y / 6) ** 2 + (x / 6) ** 2 < 1
    for label in range(1, N_NEURONS + 1):
        at = [int(rng.integers(m, n - m)) for n, m in zip(SHAPE, (4, 40, 60))]
        part = labels[at[0] - 3 : at[0] + 4, at[1] - 7 : at[1] + 8, at[2] - 7 : at[2] + 8]
        part[ball & (part == 0)] = label
    return labels


def make_series(folder: Path, name: str, codec: str, chunks: tuple[int, ...], frames: np.ndarray, n: int) -> zarr.Array:
    """Store eight frames and repeat them by hard links until there are `n`."""
    path = folder / f"{name}-{codec}.zarr"
    array = zarr.create_array(
        path,
        shape=frames.shape,
        chunks=chunks,
        dtype=frames.dtype,
        compressors=BloscCodec(cname=codec, clevel=5 if codec == "lz4" else 3, shuffle="shuffle"),
    )
    array[:] = frames
    about = json.loads((path / "zarr.json").read_text())
    about["shape"][0] = n
    (path / "zarr.json").write_text(json.dumps(about))
    distinct = len(frames) // chunks[0]
    for t in range(distinct, n // chunks[0]):
        source = path / "c" / str(t % distinct)
        for file in [f for f in source.rglob("*") if f.is_file()]:
            target = path / "c" / str(t) / file.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(file, target)
    return zarr.open_array(path, mode="r")


def read_all(arrays: list[zarr.Array], n: int, threads: int) -> None:
    """Read the first `n` frames of all arrays, chunk by chunk, on threads."""
    chunks = arrays[0].chunks
    starts = [range(0, m, c) for m, c in zip((n, *SHAPE), chunks)]
    boxes = [
        tuple(slice(a, a + c) for a, c in zip((t, z, y, x), chunks))
        for t in starts[0] for z in starts[1] for y in starts[2] for x in starts[3]
    ]  # fmt: skip

    def read(box: tuple[slice, ...]) -> None:
        for array in arrays:
            array[box]

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(read, boxes))


class First:
    """The first frames of an array; slicing a zarr array would read it."""

    def __init__(self, array: zarr.Array, n: int) -> None:
        self.array, self.chunks, self.dtype, self.shape = array, array.chunks, array.dtype, (n, *array.shape[1:])

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        return self.array[key]


def alternate(sides: dict[str, Callable[[], object]], repeats: int, n: int) -> dict[str, list[tuple[float, float]]]:
    """(wall, CPU) in ms a frame of each side in each turn; the sides take turns."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
    for turn in range(repeats + 1):
        for name, run in sides.items():
            wall, cpu = time.perf_counter(), time.process_time()
            run()
            if turn:  # the first turn fills caches and compiles
                found[name].append(((time.perf_counter() - wall) * 1e3 / n, (time.process_time() - cpu) * 1e3 / n))
    return found


def median(turns: list[tuple[float, float]]) -> tuple[float, float]:
    """Median (wall, CPU)."""
    return statistics.median(w for w, _ in turns), statistics.median(c for _, c in turns)


def ratio(mine: list[tuple[float, float]], other: list[tuple[float, float]]) -> tuple[float, float]:
    """Median over the turns of the ratio within a turn, in which other users of the machine disturb both sides alike."""
    return median([(a[0] / b[0], a[1] / b[1]) for a, b in zip(mine, other, strict=True)])


def others(volume: np.ndarray, labels: np.ndarray) -> dict[str, tuple[Callable[[], object], int]]:
    """What other libraries do with one frame in memory, and how often it is worth repeating."""
    import dask.array as da
    from scipy import ndimage
    from skimage.measure import regionprops_table

    ids = np.arange(1, N_NEURONS + 1)
    sides: dict[str, tuple[Callable[[], object], int]] = {
        "skimage regionprops_table": (lambda: regionprops_table(labels, volume, properties=("intensity_mean",)), 5),
        "scipy.ndimage.mean": (lambda: ndimage.mean(volume, labels, ids), 5),
        "numpy.bincount": (lambda: np.bincount(labels.ravel(), weights=volume.ravel()), 5),
    }
    try:
        from dask_image import ndmeasure
    except ImportError:
        return sides
    image, lab = da.from_array(volume, chunks=SHAPE), da.from_array(labels, chunks=SHAPE)
    sides["dask-image mean"] = (lambda: ndmeasure.mean(image, lab, ids).compute(scheduler="synchronous"), 1)
    return sides


CHILD = """
import sys, zarr
sys.path.insert(0, {here!r})
from bench_extraction import First, UNITS
from napari_dynamic_connectome.extraction.extract import extract_traces
volume = First(zarr.open_array({volume!r}, mode="r"), {n})
labels = zarr.open_array({labels!r}, mode="r")
extract_traces(volume, labels if labels.ndim == 3 else First(labels, {n}), **{options!r}, **UNITS)
# not ru_maxrss: that also counts the parent, whose memory a new process shares before it starts its own program
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def peak_mb(volume: Path, labels: Path, n: int, **options: object) -> float:
    """Peak memory of a process of its own that extracts the first `n` frames."""
    script = CHILD.format(here=str(Path(__file__).parent), volume=str(volume), labels=str(labels), n=n, options=options)
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1]) / 1024


def run(folder: Path, quick: bool) -> str:
    """Make the series, measure, and return the tables."""
    n_long, n, repeats = (80, 16, 2) if quick else (400, 64, 3)
    threads = len(os.sched_getaffinity(0))
    rng = np.random.default_rng(1)
    labels = make_labels()
    base = rng.poisson(100, SHAPE).astype(np.uint16) + ((labels > 0) * rng.poisson(400, SHAPE)).astype(np.uint16)
    frames = np.stack([np.roll(base, 997 * t) for t in range(DISTINCT)])
    moving = np.stack([np.roll(labels, t % 3, axis=2) for t in range(DISTINCT)])
    static = zarr.create_array(folder / "static.zarr", shape=SHAPE, chunks=SHAPE, dtype="uint16")
    static[:] = labels
    lines = [
        f"Series of {SHAPE[0]} x {SHAPE[1]} x {SHAPE[2]} uint16 voxels, {N_NEURONS} neurons, {threads} threads; milliseconds a frame.",
        "",
        "| chunks (t, z, y, x) | codec | labels | reading alone: wall / CPU | extraction: wall / CPU | ratio wall / CPU |",
        "|---|---|---|---|---|---|",
    ]
    stores = {}
    for chunks in (WHOLE, ACROSS):
        for codec in ("lz4", "zstd"):
            tag = f"{chunks[0]}x{chunks[1]}x{chunks[2]}x{chunks[3]}"
            volume = make_series(folder, f"volume-{tag}", codec, chunks, frames, n_long)
            label_series = make_series(folder, f"labels-{tag}", codec, chunks, moving, n_long)
            stores[tag, codec] = (volume, label_series)
            part, label_part = First(volume, n), First(label_series, n)
            sides = {
                "read": lambda part=part: read_all([part], n, threads),
                "static": lambda part=part: extract_traces(part, labels, **UNITS),
                "read both": lambda part=part, label_part=label_part: read_all([part, label_part], n, threads),
                "moving": lambda part=part, label_part=label_part: extract_traces(part, label_part, **UNITS),
            }
            found = alternate(sides, repeats, n)
            for name, raw, mine in (("static", "read", "static"), ("every frame", "read both", "moving")):
                (w0, c0), (w1, c1) = median(found[raw]), median(found[mine])
                w, c = ratio(found[mine], found[raw])
                lines.append(
                    f"| {chunks} | {codec} | {name} | {w0:.1f} / {c0:.1f} | {w1:.1f} / {c1:.1f} | {w:.2f} / {c:.2f} |"
                )
    lines += ["", "| one frame in memory, no reading | CPU ms |", "|---|---|"]
    for name, (call, times) in others(frames[0], labels).items():
        call()
        begin = time.process_time()
        for _ in range(times):
            call()
        lines.append(f"| {name} | {(time.process_time() - begin) * 1e3 / times:.0f} |")
    memory = np.stack([frames[0]] * 8)
    for name, given in (
        ("this package, static labels", labels),
        ("this package, labels of every frame", np.stack([labels] * 8)),
    ):
        found = alternate({"": lambda given=given: extract_traces(memory, given, threads=1, **UNITS)}, repeats, 8)
        lines.append(f"| {name} | {median(found[''])[1]:.1f} |")
    volume, _ = stores["1x20x512x1024", "zstd"]
    threads_ms = {
        k: median(
            alternate({"": lambda k=k: extract_traces(First(volume, n), labels, threads=k, **UNITS)}, repeats, n)[""]
        )[0]
        for k in (1, threads)
    }
    lines += [
        "",
        "zstd, static labels, wall ms a frame: " + ", ".join(f"{k} thread(s) {v:.1f}" for k, v in threads_ms.items()),
    ]
    lines += [
        "",
        "| peak memory of the process, MB | "
        + " | ".join(f"{m} frames ({m * 0.021:.1f} GB)" for m in (n_long // 4, n_long))
        + " |",
    ]
    lines.append("|---|---|---|")
    kinds = [
        ("static labels, a chunk a frame", "1x20x512x1024", True, {}),
        ("labels of every frame, a chunk a frame", "1x20x512x1024", False, {}),
    ]
    kinds += [("static labels, chunks across frames", "8x20x128x256", True, {}), ("static labels, chunks across frames, median, annulus", "8x20x128x256", True, {"statistic": "median", "background": "annulus"})]  # fmt: skip
    for name, tag, is_static, options in kinds:
        where = folder / "static.zarr" if is_static else folder / f"labels-{tag}-lz4.zarr"
        peaks = [peak_mb(folder / f"volume-{tag}-lz4.zarr", where, m, **options) for m in (n_long // 4, n_long)]
        lines.append(f"| {name} | {peaks[0]:.0f} | {peaks[1]:.0f} |")
    return "\n".join(lines)


def main() -> None:
    """Run the benchmark and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer frames and repeats")
    parser.add_argument("--output", type=Path, help="also write the tables to this file")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-extraction-"))
    try:
        text = run(folder, options.quick)
    finally:
        shutil.rmtree(folder)
    print(text)
    if options.output:
        options.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
