"""What the viewer costs: a step of the time slider, opening a dock, and the tutorial on a large recording of a real worm.

Run: xvfb-run -a python tests/benchmarks/bench_viewer.py [--quick] [--large]

CPU time of the GUI thread, without drawing: on a machine without a graphics card drawing is the software renderer's.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

TARGETS = {"slider": 16.0, "dock": 1000.0, "turn": 100.0}


def measure(neurons: int, steps: int, color_by: str, *, whole: bool = False) -> tuple[float, float, float]:
    """Median and 95th percentile of wall time, and median CPU time, of a step of the time slider, in ms.

    `whole`: an analyzed session with names, edges and rings drawn, and the Traces dock following the time.
    """
    import napari
    from qtpy.QtTest import QTest

    from napari_dynamic_connectome.model.recording import Recording
    from napari_dynamic_connectome.widgets.docks.traces_dock import TracesDock
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

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
    dock = None
    if whole:
        _large_session(work.session, neurons)
        recording = work.session.recording
        frames = recording.n_times
        work.session.select(community=0, neurons=recording.neurons.index[:1])
        dock = TracesDock(viewer)
        viewer.window.add_dock_widget(dock, name=dock.title, area="right", add_vertical_stretch=False)
    else:
        work.session.add(recording)
    work.view.set(color_by=color_by)
    viewer.dims.ndisplay = 3
    QTest.qWait(300)
    work.scene.flush()
    wall, cpu = [], []
    for step in range(steps):
        frame = (step * 7) % frames
        start, start_cpu = time.perf_counter(), time.thread_time()
        work.session.select(time_s=float(recording.time_s[frame]))
        if dock is not None:
            dock.flush()
        wall.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.thread_time() - start_cpu) * 1e3)
    work.close()
    viewer.close()
    return float(np.median(wall)), float(np.percentile(wall, 95)), float(np.median(cpu))


def opening() -> dict[str, float]:
    """CPU time (ms) to open every dock: to make it, add it, and show an analyzed session of 190 neurons in it."""
    import napari
    from qtpy.QtTest import QTest

    from napari_dynamic_connectome.widgets.app.arrange import DOCKS
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    viewer = napari.Viewer(show=True)
    work = workspace_of(viewer)
    _large_session(work.session, 190)
    work.scene.flush()
    QTest.qWait(200)
    used = {}
    for kind in DOCKS:
        start = time.thread_time()
        dock = kind(viewer)
        viewer.window.add_dock_widget(dock, name=kind.title, area="right", tabify=True, add_vertical_stretch=False)
        dock.window().show()
        dock.show()
        dock.flush()
        used[kind.title] = (time.thread_time() - start) * 1e3
        QTest.qWait(50)
    work.close()
    viewer.close()
    return used


def _large_session(session: Any, neurons: int) -> None:
    """Worms of one simulation with components and communities made from its motifs, so that nothing has to be fitted."""
    helpers = _load("helpers", Path(__file__).parents[1] / "widgets" / "helpers.py")
    from napari_dynamic_connectome.model.neurons import CANONICAL

    helpers.NAMES = list(CANONICAL)[:neurons]
    helpers.fill(session)
    session.set_current("worm A")


def _load(name: str, path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def real_worm(folder: Path, frames: int) -> Path | None:
    """A recording rendered from a real worm's traces and atlas positions at 20 x 512 x 1024 voxels; None without the data."""
    data = Path(os.environ.get("DYNAMIC_CONNECTOME_DATA", Path(__file__).parents[3] / "shared" / "data"))
    found = sorted((data / "traces").glob("dag2023_*-31.npz"))
    if not found:
        return None
    import napari_dynamic_connectome as ndc
    from napari_dynamic_connectome.simulation.render import render_recording

    worm = ndc.read_recording(found[0])
    short = worm.replace(
        traces=worm.traces.isel(time=slice(0, frames)),
        behaviour=worm.behaviour.isel(time=slice(0, frames)),
        quality=None,
    )
    path = folder / "real.ome.zarr"
    render_recording(short, path, n_z=20, n_y=512, n_x=1024, voxel_z_um=1.5, voxel_y_um=0.33, voxel_x_um=0.33)
    return path


def large(frames: int) -> None:
    """The tutorial on the large recording: opened, extracted, named, analyzed, looked at; the longest turn of each step."""
    from qtpy.QtTest import QTest

    sys.path.insert(0, str(Path(__file__).parents[1] / "widgets"))
    tours = _load("tour", Path(__file__).parents[1] / "widgets" / "tour.py")
    with tempfile.TemporaryDirectory() as name:
        path = real_worm(Path(name), frames)
        if path is None:
            print("\nThe development data is not there: the large recording is left out.")
            return
        import napari

        from napari_dynamic_connectome.widgets.app.arrange import show_overlay
        from napari_dynamic_connectome.widgets.workspace.open_files import open_paths

        viewer = napari.Viewer(show=True)
        viewer.window.resize(1600, 1000)
        tour = tours.Tour(viewer)
        tour.arrange()
        with tour.watch.act("open the sample"):
            open_paths(tour.work, [path])
        tour.finish()
        QTest.qWait(500)
        start = time.perf_counter()
        recording = tour.extract()
        seconds = time.perf_counter() - start
        tour.name_neurons(["pvr", "dva", "pvt"])
        tour.undo()
        tours.quick_settings(tour.docks)
        tour.analyze()
        tour.pick_component(1)
        with tour.watch.act("show in 3D"):
            show_overlay(viewer)
        tour.rest(1.0)
        tour.pick_community(0)
        tour.change_level()
        tour.work.view.set(color_by="strength")
        tour.scrub()
        print(
            f"\n{recording.n_neurons} neurons, {recording.n_times} frames of 20 x 512 x 1024: extracted in {seconds:.1f} s\n"
        )
        print("| step | longest turn of the event loop, ms |")
        print("|---|---|")
        for step, used in sorted(tour.watch.worst().items(), key=lambda item: -item[1]):
            print(f"| {step} | {used:.0f} |")
        drawing = np.percentile(tour.watch.drawing, [50, 95])
        print(f"\nDrawing the canvas: median {drawing[0]:.0f} ms, 95 % {drawing[1]:.0f} ms")
        tour.close()
        tour.work.close()
        viewer.close()


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--large", action="store_true", help="also the tutorial on a large recording (minutes)")
    options = parser.parse_args()
    os.environ.setdefault("DYNAMIC_CONNECTOME_CONFIG", tempfile.mkdtemp())
    os.environ["DYNAMIC_CONNECTOME_PRELOAD"] = "1"
    steps = 40 if options.quick else 200
    print(f"A step of the time slider (target: {TARGETS['slider']:.0f} ms, median of CPU time)\n")
    print("| neurons | coloured by | steps | median ms | 95 % ms | median CPU ms |")
    print("|---|---|---|---|---|---|")
    for neurons in (100, 300):
        wall, high, cpu = measure(neurons, steps, "activity")
        print(f"| {neurons} | activity at t | {steps} | {wall:.1f} | {high:.1f} | {cpu:.1f} |")
    wall, high, cpu = measure(300, steps, "strength", whole=True)
    print(f"| 300 | strength at t; names, edges, Traces dock | {steps} | {wall:.1f} | {high:.1f} | {cpu:.1f} |")
    print(f"\nOpening a dock on an analyzed session of 190 neurons (target: {TARGETS['dock']:.0f} ms)\n")
    print("| dock | CPU ms |")
    print("|---|---|")
    for title, used in opening().items():
        print(f"| {title} | {used:.0f} |")
    if options.large and not options.quick:
        large(40)


if __name__ == "__main__":
    main()
