"""Random clicks for minutes: start, cancel, open, close, switch and edit in a real viewer, in random order and haste.

A child process drives the viewer; this one watches it. No deadlock: the child's event loop must turn at least every few
seconds. No crash: it must end with 0, and no exception may reach Qt or napari. No stale colours: whenever nothing runs, what
is drawn must be what a fresh resolution of the session gives.

python tests/soak/stress.py [--seconds 60] [--seed 0]
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import subprocess
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

STUCK_S = 60.0
"""The longest that the event loop may stand still on a busy machine."""


def stress(folder: Path, seconds: float, seed: int = 0) -> Counter[str] | str:
    """Run the child and watch it; a text says why that was not possible."""
    if sys.platform.startswith("linux") and not os.environ.get("DISPLAY"):
        return "no X display"
    beat, out = folder / "beat", folder / "counts.json"
    environment = os.environ | {
        "DYNAMIC_CONNECTOME_CACHE": str(folder / "cache"),
        "DYNAMIC_CONNECTOME_CONFIG": str(folder / "config"),
        "DYNAMIC_CONNECTOME_PRELOAD": "0",
        "NAPARI_CONFIG": str(folder / "napari.yaml"),
    }
    command = [sys.executable, __file__, "--child", str(folder), "--seconds", str(seconds), "--seed", str(seed)]
    with (folder / "log.txt").open("w") as log:
        child = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        counts: Counter[str] = Counter({"stuck": 0, "crashed": 0})
        started, last = time.monotonic(), time.monotonic()
        turned = 0.0
        while child.poll() is None:
            time.sleep(0.2)
            with_beat = beat.stat().st_mtime if beat.exists() else 0.0
            if with_beat != turned:
                turned, last = with_beat, time.monotonic()
            if time.monotonic() - last > STUCK_S + (120 if not turned else 0):
                counts["stuck"] += 1
                child.kill()
                child.wait()
        if child.returncode != 0 and not counts["stuck"]:
            counts["crashed"] += 1
    counts["seconds"] = round(time.monotonic() - started)
    if out.exists():
        counts.update(json.loads(out.read_text()))
    if counts["stuck"] or counts["crashed"] or counts["errors"]:
        print((folder / "log.txt").read_text()[-40_000:])
    return counts


# --- the child ----------------------------------------------------------------------------------------------------------


def _errors() -> logging.Handler:
    """Write failures of steps with their tracebacks."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setLevel(logging.ERROR)
    return handler


class Monkey:
    """Does random things with one viewer after the other."""

    def __init__(self, folder: Path, seconds: float, seed: int) -> None:
        self.folder, self.rng = folder, np.random.default_rng(seed)
        self.seconds, self.until = seconds, 0.0
        self.counts: Counter[str] = Counter({"errors": 0, "stale": 0, "checked": 0})
        self.viewer: Any = None
        self.jobs: list[Any] = []
        self.told: set[str] = set()

    def run(self) -> None:
        """Open viewers, do things, close them with whatever is running."""
        from qtpy.QtCore import QTimer
        from qtpy.QtWidgets import QApplication

        self.app = QApplication.instance() or QApplication([])
        sys.excepthook = self._failed
        logging.getLogger("napari_dynamic_connectome").addHandler(_errors())
        self.beat = QTimer()
        self.beat.timeout.connect(lambda: (self.folder / "beat").write_text(str(time.monotonic())))
        self.beat.start(200)
        self.open_viewer()
        self.until = time.monotonic() + self.seconds  # the first window takes a while, imports included
        while time.monotonic() < self.until:
            if self.viewer is None:
                self.open_viewer()
            end = min(self.until, time.monotonic() + float(self.rng.uniform(4, 30)))
            while time.monotonic() < end:
                name = str(self.rng.choice(list(ACTIONS), p=WEIGHTS))
                try:
                    getattr(self, name)()
                except Exception:
                    self._failed(*sys.exc_info())
                self.counts["actions"] += 1
                self.pause(float(self.rng.exponential(0.06)))
                if self.rng.random() < 0.08:
                    self.check()
            self.settle()
            self.check()
            self.close_viewer()
        self.pause(0.3)
        (self.folder / "counts.json").write_text(json.dumps(self.counts))

    def pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self.app.processEvents()
            if time.monotonic() >= end:
                return
            time.sleep(0.002)

    def _failed(self, kind: Any, error: Any, trace: Any) -> None:
        from napari_dynamic_connectome.model.errors import DynamicConnectomeError

        if isinstance(error, DynamicConnectomeError):
            self.counts["refused"] += 1
            return
        self.counts["errors"] += 1
        text = "".join(traceback.format_exception(kind, error, trace))
        if text not in self.told:  # each once
            self.told.add(text)
            print(f"at {time.monotonic():.1f} s, action {self.counts['actions']}:\n{text}", flush=True)

    def open_viewer(self) -> None:
        import napari
        from napari.utils.notifications import notification_manager

        from napari_dynamic_connectome.widgets.app.arrange import arrange_windows
        from napari_dynamic_connectome.widgets.workspace.analysis import add_cohort
        from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

        notification_manager.records.clear()
        self.viewer = napari.Viewer(show=True)
        self.viewer.window.resize(1200, 800)
        self.work = workspace_of(self.viewer)
        self.docks = arrange_windows(self.viewer)
        self.counts["viewers"] += 1
        add_cohort(self.work, small_cohort())
        self.pause(0.05)

    def close_viewer(self) -> None:
        from napari.utils.notifications import notification_manager

        running = len(self.work.jobs.running)
        self.viewer.close()
        self.pause(0.3)
        self.counts["closed while running"] += bool(running)
        for record in notification_manager.records:
            if str(record.severity) in ("NotificationSeverity.ERROR", "error"):
                print("notification:", record.message, getattr(record, "exception", ""))
                self.counts["errors"] += 1
        self.jobs.clear()
        self.work = self.docks = self.viewer = None

    def settle(self, seconds: float = 20.0) -> None:
        """Sometimes wait until all is done, sometimes not."""
        if self.rng.random() < 0.5:
            return
        for job in list(self.work.jobs.running):
            if self.rng.random() < 0.5:
                job.cancel()
        end = time.monotonic() + seconds
        while self.work.jobs.running and time.monotonic() < end:
            self.pause(0.05)

    def check(self) -> None:
        """What is drawn must be what the session says now; a failure to draw counts as one."""
        try:
            self._compare()
        except Exception:
            self._failed(*sys.exc_info())

    def _compare(self) -> None:
        from napari_dynamic_connectome.display import scene as resolve

        work = self.work
        work.scene.flush()
        fresh = resolve.resolve(work.session, color_by=work.view.color_by, dark=work.scene.colours.dark)
        self.counts["checked"] += 1
        drawn, layer = work.scene.drawn, work.scene.layers.get("neurons")
        if fresh is None or layer is None or layer not in self.viewer.layers:
            return
        colours = resolve.colors_at(fresh, work.session.selection.time_s)[fresh.shown]
        same = drawn is not None and list(drawn.ids) == list(fresh.ids) and layer.data.shape[0] == len(colours)
        if not (same and np.allclose(np.asarray(layer.face_color), colours, atol=1e-5)):
            self.counts["stale"] += 1
            print("stale:", work.view.color_by, work.session.selection)
        for dock in self.docks.values():
            if dock.isVisible():
                dock.flush()

    # --- what it does ---------------------------------------------------------------------------------------------------

    def analyze(self) -> None:
        """Start the analysis of all worms (or refuse while one runs)."""
        dock = self.docks["Cohort"]
        forms = dock.forms
        forms["rank"].set_value(forms["rank"].model(smallest=2, largest=3, starts=2, folds=2))
        forms["communities"].set_value(forms["communities"].model(samples=20, null_fits=0, starts=1))
        if len(self.work.jobs.running) < 3:
            self.jobs.append(dock.analyze())

    def cancel(self) -> None:
        """Cancel any running job, and see how long it takes to stop."""
        running = list(self.work.jobs.running)
        if not running:
            return
        job = running[int(self.rng.integers(len(running)))]
        begin = time.monotonic()
        job.cancel()
        while job.running and time.monotonic() - begin < 30:
            self.pause(0.01)
        took = time.monotonic() - begin
        self.counts["cancelled"] += 1
        self.counts["cancels over 1 s"] += took > 1
        self.counts["slowest cancel ms"] = max(self.counts["slowest cancel ms"], round(took * 1000))

    def switch_worm(self) -> None:
        names = list(self.work.session.recordings)
        if names:
            self.work.session.set_current(names[int(self.rng.integers(len(names)))])

    def select(self) -> None:
        recording = self.work.session.recording
        if recording is not None:
            some = self.rng.choice(np.asarray(recording.neurons.index, str), size=int(self.rng.integers(0, 3)))
            self.work.session.select(neurons=tuple(str(n) for n in some), time_s=float(self.rng.uniform(0, 70)))

    def component(self) -> None:
        session = self.work.session
        if session.components is not None:
            session.select(component=int(self.rng.integers(1, session.components.rank + 1)))
            session.select(kind=str(self.rng.choice(["core", "modules"])))
            found = session.shown_communities
            if found is not None:
                session.select(level=int(self.rng.integers(found.n_levels)))
                groups = [*found.sizes(session.selection.level).index, None]
                chosen = groups[int(self.rng.integers(len(groups)))]
                session.select(community=None if chosen is None else int(chosen))

    def edit(self) -> None:
        recording = self.work.session.recording
        if recording is None:
            return
        label = int(self.rng.choice(recording.neurons["label"]))
        name = str(self.rng.choice(["AVAL", "RID", "", "ALA", "DVA"]))
        self.work.session.edit(recording.name, {label: {"name": name, "note": str(self.rng.integers(99))}})

    def history(self) -> None:
        for _ in range(int(self.rng.integers(1, 4))):
            self.work.session.undo() if self.rng.random() < 0.6 else self.work.session.redo()

    def leave_out(self) -> None:
        names = list(self.work.session.recordings)
        if len(names) > 1:
            self.work.session.leave_out(names[-1], bool(self.rng.random() < 0.5))

    def colour(self) -> None:
        from napari_dynamic_connectome.display.scene import COLOR_BY

        self.work.view.set(color_by=str(self.rng.choice(list(COLOR_BY))), edges=bool(self.rng.random() < 0.7))

    def dims(self) -> None:
        self.viewer.dims.ndisplay = int(self.rng.integers(2, 4))
        if self.viewer.dims.ndim == 4:
            self.viewer.dims.set_current_step(0, int(self.rng.integers(0, 140)))

    def theme(self) -> None:
        self.viewer.theme = str(self.rng.choice(["dark", "light"]))

    def dock(self) -> None:
        from napari_dynamic_connectome.widgets.app.arrange import raise_dock

        raise_dock(self.docks[str(self.rng.choice(list(self.docks)))])

    def remove_layer(self) -> None:
        if len(self.viewer.layers) and self.rng.random() < 0.3:
            self.viewer.layers.pop(int(self.rng.integers(len(self.viewer.layers))))
            self.work.scene.show_again()

    def save(self) -> None:
        if len(self.work.jobs.running) < 3:
            self.jobs.append(self.docks["Export"].save_session(self.folder / f"s{self.rng.integers(2)}.zarr"))

    def load(self) -> None:
        from napari_dynamic_connectome.widgets.workspace.open_files import open_paths

        path = self.folder / f"s{self.rng.integers(2)}.zarr"
        if path.exists() and len(self.work.jobs.running) < 3:
            open_paths(self.work, [path])

    def more_worms(self) -> None:
        from napari_dynamic_connectome.widgets.workspace.analysis import add_cohort

        if len(self.work.session.recordings) < 5:
            add_cohort(self.work, small_cohort(int(self.rng.integers(9))))

    def close_worm(self) -> None:
        names = list(self.work.session.recordings)
        if len(names) > 1:
            self.work.session.remove(names[int(self.rng.integers(len(names)))])


ACTIONS = {
    "analyze": 4,
    "cancel": 6,
    "switch_worm": 10,
    "select": 14,
    "component": 14,
    "edit": 10,
    "history": 8,
    "leave_out": 2,
    "colour": 6,
    "dims": 6,
    "theme": 2,
    "dock": 6,
    "remove_layer": 2,
    "save": 3,
    "load": 2,
    "more_worms": 2,
    "close_worm": 2,
}
WEIGHTS = np.array(list(ACTIONS.values())) / sum(ACTIONS.values())


def small_cohort(seed: int = 0) -> Any:
    """Two worms with a dozen neurons, quick to analyze."""
    from napari_dynamic_connectome.model.cohort import Cohort
    from napari_dynamic_connectome.model.recording import Recording

    names = ["AVAL", "AVAR", "RIML", "RIMR", "AIBL", "AIBR", "RIBL", "RIBR", "SMDVL", "SMDVR", "", ""]
    time_s = np.arange(140) / 2
    worms = []
    for number in range(2):
        rng = np.random.default_rng([seed, number])
        wave = np.stack([np.sin(time_s / 3), np.cos(time_s / 4), np.sin(time_s / 7)], axis=1)
        traces = wave[:, np.arange(12) // 4] + rng.normal(scale=0.2, size=(140, 12))
        places = np.stack([rng.uniform(0, 20, 12), rng.uniform(5, 35, 12), np.linspace(5, 95, 12)], axis=1)
        worms.append(
            Recording.from_arrays(
                traces, name=f"worm {seed}{'AB'[number]}", time_s=time_s, names=names, positions_um=places
            )
        )
    return Cohort(worms)


def main() -> int:
    """Run the child, or both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child")
    asked = parser.parse_args()
    if asked.child:
        faulthandler.enable()
        faulthandler.dump_traceback_later(asked.seconds + 300, exit=True)
        Monkey(Path(asked.child), asked.seconds, asked.seed).run()
        return 0
    import tempfile

    with tempfile.TemporaryDirectory(prefix="stress-") as folder:
        counts = stress(Path(folder), asked.seconds, asked.seed)
    print(counts)
    return int(isinstance(counts, Counter) and bool(sum(counts[k] for k in ("stuck", "crashed", "errors", "stale"))))


if __name__ == "__main__":
    sys.exit(main())
