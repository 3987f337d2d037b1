"""Picture of the viewer with a session: `python -m napari_dynamic_connectome.widgets.app.screenshot SESSION OUT.png`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ...io.files import atomic_file
from ...model.errors import DynamicConnectomeError, InputError
from ..viewer.first_look import choose_telling
from ..workspace.workspace import workspace_of


def settle(viewer: Any, rounds: int = 6) -> None:
    """Let timers and drawing finish."""
    import time

    from qtpy.QtWidgets import QApplication

    work = workspace_of(viewer)
    for _ in range(rounds):
        begin = time.monotonic()
        # Docks wait for each other, and images are opened beside the window: none is pictured half-way.
        while time.monotonic() < begin + 0.12 or (
            (work.scheduler.busy or work.jobs.running) and time.monotonic() < begin + 30
        ):
            QApplication.processEvents()
        work.scene.flush()


def prepare(viewer: Any, *, select: bool = True) -> None:
    """Choose what shows most (see `display.highlights.telling`), at the time when its component is strongest."""
    if select:
        choose_telling(workspace_of(viewer))


def take(viewer: Any, path: str | Path, *, canvas_only: bool = False) -> Path:
    """Write a PNG of the window (or of the canvas); the file appears when it is complete."""
    import imageio.v3 as imageio

    settle(viewer)
    picture = viewer.screenshot(canvas_only=canvas_only, flash=False)
    path = Path(path)
    with atomic_file(path) as temporary:
        imageio.imwrite(temporary, picture, extension=".png")
    return path


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="napari_dynamic_connectome.widgets.app.screenshot", description=__doc__)
    parser.add_argument("session", help="saved session, or folder with results")
    parser.add_argument("picture", help="PNG to write")
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--size", default="1600x1000", help="WIDTHxHEIGHT")
    parser.add_argument("--canvas", action="store_true", help="only the worm, without docks")
    options = parser.parse_args(arguments)
    try:
        try:
            width, height = (int(v) for v in options.size.lower().split("x"))
        except ValueError:
            raise InputError(f"'{options.size}' is not a size", where="--size", fix="For example 1600x1000.") from None
        from ...session.save_load import find_session
        from .start import open_viewer

        if not find_session(options.session).exists():
            raise InputError("there is no such session", where=options.session)
        viewer = open_viewer(options.session, theme=options.theme, size=(width, height), journal=False)
        try:
            settle(viewer, 2)
            prepare(viewer)
            from .arrange import arrange_windows, show_overlay

            arrange_windows(viewer)
            settle(viewer, 3)
            show_overlay(viewer)
            take(viewer, options.picture, canvas_only=options.canvas)
        finally:
            viewer.close()
    except DynamicConnectomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
