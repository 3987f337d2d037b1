"""Movie of a saved session, for `dynamic-connectome movie`: `python -m napari_dynamic_connectome.widgets.app.movie SESSION OUT`.

Progress goes to standard output, a line a frame: the part that is done, a space, what is done.
"""

from __future__ import annotations

import argparse
import signal
import sys
from typing import Any

from ...display.movie_frames import Movement
from ...model.errors import Cancelled, DynamicConnectomeError, InputError
from ..viewer.movie import Movie
from ..workspace.workspace import workspace_of
from .screenshot import prepare, settle


def show_as_asked(
    viewer: Any, *, worm: str = "", component: int | None = None, kind: str = "", view: str = "saved"
) -> None:
    """Choose worm, component and kind; what is not said is as it was saved (or shows most, with `view="telling"`).

    Raises
    ------
    InputError
        There is no such worm, component or kind.
    """
    work = workspace_of(viewer)
    session = work.session
    if worm:
        if worm not in session.recordings:
            known = ", ".join(session.recordings)
            raise InputError(f"there is no worm '{worm}'", where="--worm", fix=f"Known: {known}.")
        session.set_current(worm)
    if component is not None or kind:
        number = session.selection.component if component is None else component
        chosen: Any = kind or session.selection.kind
        if (number, chosen) not in session.communities:
            known = ", ".join(f"{n} {k}" for n, k in sorted(session.communities)) or "none"
            raise InputError(
                f"there are no communities '{chosen}' of component {number}",
                where="--component and --kind",
                fix=f"Known: {known}.",
            )
        session.select(component=number, kind=chosen)
        session.select(level=session.communities[number, chosen].chosen_level)
    elif view == "telling" or not session.view:
        prepare(viewer)


def write(viewer: Any, path: Any, movement: Movement, seconds: float, fps: int) -> None:
    """Write the movie; return when it is complete.

    Raises
    ------
    InputError
        It could not be written; what was there is unchanged.
    Cancelled
        A signal asked for it.
    """
    from qtpy.QtWidgets import QApplication

    movie = Movie(workspace_of(viewer), path, movement, seconds, fps)
    movie.progressed.connect(lambda done, words: print(f"{done:.4f} {words}", flush=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: movie.cancel())
    movie.start()
    while movie.running:
        QApplication.processEvents()
    if movie.error is not None:
        raise movie.error
    if movie.stopped:
        raise Cancelled("the movie was stopped; nothing was written")


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    from pathlib import Path

    from ...session.save_load import find_session
    from .start import open_viewer

    parser = argparse.ArgumentParser(prog="napari_dynamic_connectome.widgets.app.movie", description=__doc__)
    parser.add_argument("session")
    parser.add_argument("movie")
    parser.add_argument("--movement", choices=("time", "turn", "both"), default="time")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--fps", type=int, default=20)
    parser.add_argument("--theme", choices=("dark", "light"), default="dark")
    parser.add_argument("--width", type=int, default=1600)
    parser.add_argument("--height", type=int, default=1000)
    parser.add_argument("--worm", default="")
    parser.add_argument("--component", type=int)
    parser.add_argument("--kind", default="")
    parser.add_argument("--view", choices=("saved", "telling"), default="saved")
    options = parser.parse_args(arguments)
    try:
        size = (options.width, options.height)
        viewer = open_viewer(find_session(options.session), theme=options.theme, size=size, journal=False)
        try:
            settle(viewer, 2)
            show_as_asked(viewer, worm=options.worm, component=options.component, kind=options.kind, view=options.view)
            settle(viewer, 3)
            write(viewer, Path(options.movie), options.movement, options.seconds, options.fps)
        finally:
            viewer.close()
    except DynamicConnectomeError as error:
        print(str(error), file=sys.stderr)
        return 130 if isinstance(error, Cancelled) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
