"""Python time of one step of the time slider: 300 neurons are coloured anew (without drawing).

Run: xvfb-run -a python tests/benchmarks/bench_viewer.py [--quick]
"""

from __future__ import annotations

import argparse
import time

import numpy as np


def measure(neurons: int, steps: int, color_by: str) -> tuple[float, float, float]:
    """Median and 95th percentile of wall time, and median CPU time, of a step, in ms."""
    import napari

    from napari_dynamic_connectome.model.recording import Recording
    from napari_dynamic_connectome.widgets.state import workspace_of

    rng = np.random.default_rng(0)
    frames = 400
    recording = Recording.from_arrays(
        rng.normal(size=(frames, neurons)).astype(np.float32),
        name="worm",
        rate_hz=4,
        positions_um=rng.random((neurons, 3)) * [30, 40, 160],
    )
    viewer = napari.Viewer(show=True)
    work = workspace_of(viewer)
    work.session.add(recording)
    work.view.set(color_by=color_by)
    viewer.dims.ndisplay = 3
    work.scene.flush()
    wall, cpu = [], []
    for step in range(steps):
        frame = (step * 7) % frames
        start, start_cpu = time.perf_counter(), time.process_time()
        work.session.select(time_s=float(recording.time_s[frame]))
        wall.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.process_time() - start_cpu) * 1e3)
    work.close()
    viewer.close()
    return float(np.median(wall)), float(np.percentile(wall, 95)), float(np.median(cpu))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    steps = 40 if options.quick else 200
    print("| neurons | coloured by | steps | median ms | 95 % ms | median CPU ms |")
    print("|---|---|---|---|---|---|")
    for neurons in (100, 300):
        wall, high, cpu = measure(neurons, steps, "activity")
        print(f"| {neurons} | activity at t | {steps} | {wall:.1f} | {high:.1f} | {cpu:.1f} |")


if __name__ == "__main__":
    main()
