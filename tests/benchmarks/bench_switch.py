"""What it costs to look at something else: another worm, component, community, level or colour, with all docks open.

Run: xvfb-run -a python tests/benchmarks/bench_switch.py [--quick] [--profile WHAT]

CPU time of the GUI thread from the action until nothing waits to be drawn any more, without drawing the canvas; 300 neurons. Beside it
the part of it that the action itself and the plugin's turns take (Python, and what that calls); the rest is Qt, which puts the window together.
The hover card is measured as well: from the mouse's event to the card.
"""

from __future__ import annotations

import argparse
import cProfile
import os
import pstats
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

TARGET_MS, HOVER_MS = 33.0, 50.0


def measure(neurons: int, times: int, only: str = "") -> dict[str, list[tuple[float, float]]]:
    """Milliseconds of every switch, and of the plugin's own part of it."""
    import napari
    from qtpy.QtCore import QEvent, QPointF, Qt
    from qtpy.QtGui import QMouseEvent
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    sys.path.insert(0, str(Path(__file__).parent))
    from bench_viewer import _large_session

    from napari_dynamic_connectome.widgets.app.arrange import arrange_windows, raise_dock
    from napari_dynamic_connectome.widgets.qt import scheduler
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    viewer = napari.Viewer(show=True)
    viewer.window.resize(1600, 1000)
    work = workspace_of(viewer)
    docks = arrange_windows(viewer)
    session = work.session
    _large_session(session, neurons)
    for found in session.communities.values():  # twelve communities, and a level with half of them
        fine = np.arange(neurons) * 12 // neurons
        found.labels.values[:] = np.stack([fine, fine // 2])
    for title in ("Neurons", "Communities"):
        raise_dock(docks[title])
    viewer.dims.ndisplay = 3
    QTest.qWait(500)
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    drawn = [0.0, 0.0]
    canvas.events.draw.connect(lambda e=None: drawn.__setitem__(1, time.thread_time()), position="first")
    canvas.events.draw.connect(
        lambda e=None: drawn.__setitem__(0, drawn[0] + time.thread_time() - drawn[1]), position="last"
    )

    own = [0.0]

    def counted(call: Any) -> Any:
        def counting(self: Any) -> None:
            begin = time.thread_time()
            call(self)
            own[0] += time.thread_time() - begin

        return counting

    for one in (scheduler.ScheduledCall, scheduler.ScheduledSteps):
        one.call = counted(one.call)  # type: ignore[method-assign]

    def timed(action: Any) -> tuple[float, float]:
        drawn[0], own[0], begin = 0.0, 0.0, time.thread_time()
        action()
        own[0] += time.thread_time() - begin
        while work.scheduler.busy:
            QApplication.processEvents()
        return (time.thread_time() - begin - drawn[0]) * 1e3, own[0] * 1e3

    def other(values: tuple[Any, ...], apply: Any) -> Any:
        place = [0]

        def act() -> None:
            place[0] += 1
            apply(values[place[0] % len(values)])

        return act

    heat, plot = docks["Traces"].heat, docks["Traces"].heat_plot

    def hover(row: int) -> None:
        spot = QPointF(heat.mapFromScene(plot.getViewBox().mapViewToScene(QPointF(30.0, row + 0.5))))
        none = Qt.MouseButton.NoButton
        event = QMouseEvent(
            QEvent.Type.MouseMove, spot, heat.viewport().mapToGlobal(spot), none, none, Qt.KeyboardModifier.NoModifier
        )
        QApplication.sendEvent(heat.viewport(), event)

    actions = {
        "worm": other(("worm B", "worm A"), session.set_current),
        "component": other((2, 1), lambda c: session.select(component=c)),
        "community": other((0, 1, 2), lambda c: session.select(community=c, neurons=())),
        "level": other((1, 0), lambda level: session.select(level=level)),
        "colour": other(("strength", "probability", "naming", "community"), lambda c: work.view.set(color_by=c)),
        "neuron": other(tuple(session.recording.neurons.index[:5]), lambda n: session.select(neurons=(n,))),
        "hover card": other(tuple(range(0, 60, 7)), hover),
    }
    found_ms: dict[str, list[tuple[float, float]]] = {}
    for what, act in actions.items():
        if only and what != only:
            continue
        for _ in range(3):
            timed(act)
        QTest.qWait(300)
        profile = cProfile.Profile(time.thread_time) if only else None
        found_ms[what] = []
        for _ in range(times):
            if profile is not None:
                profile.enable()
            found_ms[what].append(timed(act))
            if profile is not None:
                profile.disable()
            QTest.qWait(120)
        if profile is not None:
            pstats.Stats(profile).sort_stats("cumtime").print_stats(45)
    work.close()
    viewer.close()
    return found_ms


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--profile", default="", metavar="WHAT", help="print where the time of one of them goes")
    options = parser.parse_args()
    os.environ.setdefault("DYNAMIC_CONNECTOME_CONFIG", tempfile.mkdtemp())
    os.environ["DYNAMIC_CONNECTOME_PRELOAD"] = "1"
    found = measure(300, 5 if options.quick else 20, options.profile)
    print("| switch | median CPU ms | 95 % ms | median of the plugin's own ms | target |")
    print("|---|---|---|---|---|")
    for what, used in found.items():
        target = HOVER_MS if what == "hover card" else TARGET_MS
        all_ms, own_ms = np.transpose(used)
        print(
            f"| {what} | {np.median(all_ms):.1f} | {np.percentile(all_ms, 95):.1f} | {np.median(own_ms):.1f} | {target:.0f} |"
        )


if __name__ == "__main__":
    main()
