"""Make the pictures of the docs from a real run: `python docs/make_screenshots.py [--session SESSION]` (on a screen or under xvfb-run)."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

OUT = Path(__file__).parent / "images"
SIZES = {"": (1600, 1000), "_1280": (1280, 800)}


def wait(job: object) -> None:
    """Run the event loop until a job ends."""
    from qtpy.QtWidgets import QApplication

    while job.running:
        QApplication.processEvents()
        time.sleep(0.01)
    if job.error is not None:
        raise job.error


def make_session(folder: Path) -> Path:
    """Analyze a small simulated cohort of which the first worm is rendered and extracted."""
    from napari_dynamic_connectome.cli.commands.simulate import write_simulation
    from napari_dynamic_connectome.io.ownership import claim_folder
    from napari_dynamic_connectome.pipeline import run_pipeline

    out = claim_folder(folder / "out")
    settings = write_simulation(out / "data", worms=10, render=1, seed=0)  # below the session: its images are opened
    run_pipeline(settings, out)
    return out


def pictures(session: Path, theme: str, suffix: str, size: tuple[int, int]) -> None:
    """Take all pictures of one theme and size."""
    from napari_dynamic_connectome.widgets.app.arrange import arrange_windows, raise_dock, show_overlay
    from napari_dynamic_connectome.widgets.app.screenshot import prepare, settle, take
    from napari_dynamic_connectome.widgets.app.start import open_viewer
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    empty = open_viewer(theme=theme, size=size, journal=False)
    settle(empty, 2)
    arrange_windows(empty)
    take(empty, OUT / f"empty_{theme}{suffix}.png")
    workspace_of(empty).close()
    empty.close()

    viewer = open_viewer(session, theme=theme, size=size, journal=False)
    work = workspace_of(viewer)
    settle(viewer, 2)
    prepare(viewer)
    docks = arrange_windows(viewer)
    settle(viewer, 2)
    show_overlay(viewer)
    take(viewer, OUT / f"communities_{theme}{suffix}.png")
    if not suffix:
        take(viewer, OUT / f"main_{theme}.png")
        take(viewer, OUT / f"overlay_{theme}.png", canvas_only=True)
    for color_by in ("strength", "activity"):
        work.view.set(color_by=color_by)
        if not suffix:
            take(viewer, OUT / f"overlay_{color_by}_{theme}.png", canvas_only=True)
    work.view.set(color_by="community")
    for title in ("Recording", "Neurons", "Cohort"):
        raise_dock(docks[title])
        if title == "Neurons":
            work.session.select(community=None, neurons=(work.session.recording.named[10],))
            work.view.set(color_by="naming")
        settle(viewer, 3)
        take(viewer, OUT / f"{title.lower()}_{theme}{suffix}.png")
    raise_dock(docks["Components"])
    work.session.select(neurons=())
    work.view.set(color_by="community")
    docks["Components"].preview_fold.head.setChecked(True)
    docks["Components"].sweep_fold.head.setChecked(True)
    settle(viewer, 3)
    take(viewer, OUT / f"components_{theme}{suffix}.png")
    work.session.select(neurons=(work.session.recording.named[10],))
    docks["Traces"].stack_mode.setCurrentText("Around events")
    settle(viewer, 3)
    take(viewer, OUT / f"events_{theme}{suffix}.png")
    docks["Traces"].stack_mode.setCurrentText("Stacked")
    raise_dock(docks["Export"])
    settle(viewer, 3)
    take(viewer, OUT / f"export_{theme}{suffix}.png")
    work.close()
    viewer.close()


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--session", help="use this session instead of a new run")
    parser.add_argument("--theme", choices=("dark", "light"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DYNAMIC_CONNECTOME_CONFIG"] = folder
        session = Path(options.session) if options.session else make_session(Path(folder))
        for theme in (options.theme,) if options.theme else ("dark", "light"):
            for suffix, size in SIZES.items():
                pictures(session, theme, suffix, size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
