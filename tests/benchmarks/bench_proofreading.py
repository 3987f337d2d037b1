"""What it costs to correct one label and to see its new trace, in a whole-brain recording.

Run: python tests/benchmarks/bench_proofreading.py [--quick]

A volume of 20 x 512 x 1024 voxels and 1,000 frames lies uncompressed on disk (20 GB; as a sparse file it takes no room); its
first frames are noise. Target: 1 s from the edit to the new trace, corrections and quality included.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

TARGET_S = 1.0
FRAMES, SHAPE, NEURONS = 1000, (20, 512, 1024), 150


def volume(folder: Path, frames: int, layer: bool) -> Any:
    """A TIFF file, of which only a few frames hold numbers: as a memory map, or as the window opens it."""
    import tifffile

    from napari_dynamic_connectome.io.registry import open_volume

    path = folder / "volume.tif"
    if not path.exists():
        made = tifffile.memmap(path, shape=(frames, *SHAPE), dtype=np.uint16, bigtiff=True, metadata={"axes": "TZYX"})
        made[:2] = np.random.default_rng(0).integers(100, 300, (2, *SHAPE))
        made.flush()
    return open_volume(path).data if layer else tifffile.memmap(path, mode="r")


def cells() -> np.ndarray:
    """Labels: balls of the size of neurons on a grid."""
    labels = np.zeros(SHAPE, np.uint16)
    z, y, x = np.ogrid[-2:3, -8:9, -8:9]
    ball = (z / 2.5) ** 2 + (y / 8.5) ** 2 + (x / 8.5) ** 2 <= 1
    for number in range(NEURONS):
        at = (3 + 5 * (number % 3), 30 + 46 * (number // 3 % 10), 30 + 64 * (number // 30))
        box = tuple(slice(c - n // 2, c + n // 2 + 1) for c, n in zip(at, ball.shape, strict=True))
        labels[box][ball] = number + 1
    return labels


def measure(frames: int, layer: bool) -> dict[str, float]:
    """Seconds of every step, wall time."""
    from napari_dynamic_connectome.extraction.again import extract_again
    from napari_dynamic_connectome.extraction.correct import correct_traces
    from napari_dynamic_connectome.extraction.extract import extract_recording
    from napari_dynamic_connectome.extraction.proofread import grow, merge, split
    from napari_dynamic_connectome.extraction.quality import assess_quality
    from napari_dynamic_connectome.extraction.settings import CorrectionSettings, QualitySettings

    options: dict[str, Any] = {"voxel_size_um": (1.5, 0.3, 0.3), "frame_rate_hz": 3.0}
    with tempfile.TemporaryDirectory() as name:
        image, labels = volume(Path(name), frames, layer), cells()
        begin = time.perf_counter()
        before = extract_recording(image[:64], labels, name="w", **options)
        whole = (time.perf_counter() - begin) * frames / 64
        traces = before.traces.isel(time=np.arange(frames) % 64).assign_coords(time=np.arange(frames) / 3.0)
        walk = 200 + np.cumsum(np.random.default_rng(1).normal(size=traces.shape), axis=0)
        before = before.replace(traces=traces.copy(data=walk.astype(np.float32)))
        judged = assess_quality(correct_traces(before, CorrectionSettings()), QualitySettings())
        found: dict[str, float] = {"all neurons (from 64 frames)": whole}
        edits = {
            "grow": lambda: grow(labels, 40, options["voxel_size_um"]),
            "merge": lambda: merge(labels, 41, 42),
        }
        z, y, x = (int(v) for v in np.argwhere(labels == 43).mean(axis=0))
        edits["split"] = lambda: split(labels, 43, (z, y, x - 4), (z, y, x + 4), voxel_size_um=options["voxel_size_um"])
        for what, edit in edits.items():
            begin = time.perf_counter()
            patch = edit()
            patch.apply(labels)
            edited = time.perf_counter()
            again = extract_again(before, image, labels, patch.touched, **options)
            extracted = time.perf_counter()
            corrected = correct_traces(again, CorrectionSettings())
            done = time.perf_counter()
            judged = assess_quality(corrected, QualitySettings(), judged=judged)
            end = time.perf_counter()
            before = again
            found |= {
                f"{what}: edit": edited - begin,
                f"{what}: extract": extracted - edited,
                f"{what}: correct": done - extracted,
                f"{what}: quality": end - done,
                f"{what}: together": end - begin,
            }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the frames")
    quick = parser.parse_args().quick
    frames = FRAMES // 10 if quick else FRAMES
    measure(20, layer=False)  # compiles
    for layer in (False, True):
        print("the layer of an opened TIFF" if layer else "a memory map")
        for what, seconds in measure(frames, layer).items():
            target = f"  (target {TARGET_S:g})" if what.endswith("together") else ""
            print(f"  {what:32s} {seconds:7.3f} s{target}")


if __name__ == "__main__":
    main()
