"""Viewer with all docks arranged: `python -m napari_dynamic_connectome.widgets.app [SESSION]`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ...model.errors import DynamicConnectomeError
from ..qt.present import require_qt, require_screen


def open_viewer(
    session: str | Path | None = None,
    *,
    show: bool = True,
    theme: str | None = None,
    size: tuple[int, int] | None = None,
    journal: bool = True,
) -> Any:
    """Open a viewer with the docks and, if one is given, a session.

    Parameters
    ----------
    session : path, optional
        A saved session, or a folder of results that holds one.
    show : bool
    theme : {"dark", "light"}, optional
    size : (width, height), optional
    journal : bool
        Keep edits on disk and lock the session; False to look only.

    Returns
    -------
    napari.Viewer
    """
    import napari

    from ..viewer.view_state import restore
    from ..workspace.open_files import adopt
    from ..workspace.workspace import workspace_of
    from .arrange import arrange_windows, show_overlay
    from .shortcuts import bind

    loaded = None
    if session is not None:
        from ...session.save_load import find_session, load_session

        loaded = load_session(find_session(session))
    viewer = napari.Viewer(show=show, title="Dynamic connectome")
    if theme is not None:
        viewer.theme = theme
    if size is not None:
        viewer.window.resize(*size)
    work = workspace_of(viewer)
    work.recovery.enabled = journal
    if loaded is not None:
        adopt(work, loaded)
    bind(viewer)
    arrange_windows(viewer)
    if loaded is not None:
        show_overlay(viewer)
        restore(work, work.session.view)
    return viewer


def open_files(viewer: Any, files: list[str], reading: dict[str, Any] | None = None) -> None:
    """Open recordings, images and tables as if they had been dropped onto the window; a failure is shown there.

    Parameters
    ----------
    viewer : napari.Viewer
    files : list of str
    reading : dict, optional
        How they are read: options of `read_recordings` and `open_volume`.
    """
    from ..qt.notify import show_failure
    from ..workspace.workspace import workspace_of

    workspace_of(viewer).reading = dict(reading or {})
    for file in files:
        try:
            viewer.open(file, plugin="napari-dynamic-connectome")
        except Exception as error:  # readers of all formats, and napari's own messages
            show_failure(viewer, "Open", error)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="napari_dynamic_connectome.widgets.app", description=__doc__)
    parser.add_argument("files", nargs="*", help="saved session or folder with results; recordings, images, tables")
    parser.add_argument("--theme", choices=("dark", "light"))
    parser.add_argument("--reading", default="{}", help="how files are read: options of the readers, as JSON")
    options = parser.parse_args(arguments)
    try:
        require_qt()
        require_screen()
        import napari

        from ...session.save_load import find_session, is_session

        session = next((f for f in options.files if is_session(find_session(f))), None)
        if session is None and len(options.files) == 1 and options.files[0].rstrip("/").endswith("session.zarr"):
            session = options.files[0]  # damaged or absent: say so instead of opening it as an image
        viewer = open_viewer(session, theme=options.theme)
        open_files(viewer, [f for f in options.files if f != session], json.loads(options.reading))
        napari.run()
    except DynamicConnectomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
