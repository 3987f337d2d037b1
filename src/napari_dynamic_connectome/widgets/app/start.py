"""Viewer with all docks arranged: `python -m napari_dynamic_connectome.widgets.app [SESSION]`."""

from __future__ import annotations

import argparse
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


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="napari_dynamic_connectome.widgets.app", description=__doc__)
    parser.add_argument("session", nargs="?", help="saved session, or folder with results")
    parser.add_argument("--theme", choices=("dark", "light"))
    options = parser.parse_args(arguments)
    try:
        require_qt()
        require_screen()
        import napari

        open_viewer(options.session, theme=options.theme)
        napari.run()
    except DynamicConnectomeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0
