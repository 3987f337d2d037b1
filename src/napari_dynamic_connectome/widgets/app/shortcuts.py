"""Table of keys: it binds them, it is shown under `?`, and it is the table in the docs."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...model.errors import InputError
from ..qt.dialogs import real_viewer
from ..workspace.workspace import workspace_of
from .arrange import arrange_in_steps, open_docks, raise_dock


@dataclass(frozen=True)
class Shortcut:
    """A key of the viewer (`action` is bound) or of a dock (it does it by itself, `action` is None)."""

    keys: str
    where: str
    does: str
    action: Callable[[Any], Any] | None = None


def _undo(viewer: Any) -> None:
    _try(viewer, "Undo", workspace_of(viewer).session.undo)


def _redo(viewer: Any) -> None:
    _try(viewer, "Redo", workspace_of(viewer).session.redo)


def _try(viewer: Any, what: str, change: Callable[[], Any]) -> None:
    try:
        change()
    except InputError as error:
        from ..qt.notify import show_failure

        show_failure(viewer, what, error)


def _home(viewer: Any) -> None:
    workspace_of(viewer).scene.home()


def _fly(viewer: Any) -> None:
    work = workspace_of(viewer)
    if work.session.selection.neurons:
        work.scene.fly_to(work.session.selection.neurons[0])


def _next_colour(viewer: Any) -> None:
    from ...display.scene import COLOR_BY

    view = workspace_of(viewer).view
    place = COLOR_BY.index(view.color_by) if view.color_by in COLOR_BY else -1
    view.set(color_by=COLOR_BY[(place + 1) % len(COLOR_BY)])


def _names(viewer: Any) -> None:
    view = workspace_of(viewer).view
    view.set(names=not view.names)


def _edges(viewer: Any) -> None:
    view = workspace_of(viewer).view
    view.set(edges=not view.edges)


def _next_community(viewer: Any, step: int = 1) -> None:
    session = workspace_of(viewer).session
    found = session.shown_communities
    if found is None:
        return
    groups = [int(g) for g in found.sizes(min(session.selection.level, found.n_levels - 1)).index]
    if groups:
        old = session.selection.community
        place = (groups.index(old) + step) % len(groups) if old in groups else (0 if step > 0 else len(groups) - 1)
        session.select(community=groups[place], neurons=())
        if workspace_of(viewer).view.color_by == "state":
            workspace_of(viewer).view.set(color_by="community")


def _before_community(viewer: Any) -> None:
    _next_community(viewer, -1)


def _next_component(viewer: Any) -> None:
    session = workspace_of(viewer).session
    if session.components is not None:
        session.select(component=session.selection.component % session.components.rank + 1)


def _clear(viewer: Any) -> None:
    workspace_of(viewer).session.select(community=None, neurons=())


def _name_it(viewer: Any) -> None:
    dock = open_docks(viewer)["Neurons"]
    raise_dock(dock)
    dock.flush()
    dock.edit.setFocus()
    dock.edit.selectAll()


def _arrange(viewer: Any) -> None:
    arrange_in_steps(viewer)


def _help(viewer: Any) -> None:
    show_help(viewer)


SHORTCUTS: tuple[Shortcut, ...] = (
    Shortcut("?", "viewer", "show this table", _help),
    Shortcut("Alt+A", "viewer", "arrange windows", _arrange),
    Shortcut("N", "viewer", "name the chosen neuron", _name_it),
    Shortcut("Control+Z", "viewer, Neurons", "take the last change of a name back", _undo),
    Shortcut("Control+Shift+Z", "viewer, Neurons", "do it again", _redo),
    Shortcut("H", "viewer", "home view: fit the worm", _home),
    Shortcut("F", "viewer", "fly to the chosen neuron", _fly),
    Shortcut("C", "viewer", "next way to colour", _next_colour),
    Shortcut("Alt+N", "viewer", "names on and off", _names),
    Shortcut("Alt+E", "viewer", "edges on and off", _edges),
    Shortcut("J", "viewer", "next community", _next_community),
    Shortcut("K", "viewer", "community before", _before_community),
    Shortcut("Alt+J", "viewer", "next component", _next_component),
    Shortcut("Alt+X", "viewer", "choose nothing", _clear),
    Shortcut("any letter", "Neurons table", "begin to type a name"),
    Shortcut("Up, Down", "Neurons name", "choose among the names that fit"),
    Shortcut("1 to 8", "Neurons name", "assign the name with this number and go on"),
    Shortcut("Enter", "Neurons name", "assign and go on to the next neuron"),
    Shortcut("Escape", "Neurons name", "leave the name as it was"),
    Shortcut("Control+B", "Neurons", "swap left and right"),
    Shortcut("Control+K", "Neurons", "mark as not a neuron"),
    Shortcut("Control+Enter", "Recording, Cohort", "extract traces; analyze"),
    Shortcut("Enter", "Cohort list", "show a worm in the viewer"),
    Shortcut("Shift and drag", "Traces heatmap", "choose neurons by their rows"),
    Shortcut("Left, Right", "Colour limits", "move the lower limit, with Shift the upper one; Home puts both back"),
    Shortcut("Escape", "Communities table", "show all communities"),
)


def bind(viewer: Any) -> None:
    """Bind the keys of the viewer; keys that the user or napari has bound already stay as they are."""
    viewer = real_viewer(viewer)
    workspace_of(viewer)
    for shortcut in SHORTCUTS:
        if shortcut.action is None:
            continue
        if shortcut.keys == "?":
            _bind_to_window(viewer, shortcut.keys, shortcut.action)
            continue
        try:
            viewer.bind_key(_key(shortcut.keys), _once(shortcut.action))
        except (ValueError, TypeError):
            continue


def _key(keys: str) -> str:
    return keys.replace("+", "-")


def _bind_to_window(viewer: Any, keys: str, action: Callable[[Any], Any]) -> None:
    """Bind a key that no binding of the viewer can have: the canvas takes the character that Shift makes for an unknown key."""
    from qtpy.QtGui import QKeySequence, QShortcut

    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    if window is None or any(s.key().toString() == keys for s in window.findChildren(QShortcut)):
        return
    reference = weakref.ref(viewer)

    def call() -> None:
        found = reference()
        if found is not None:
            action(found)

    for sequence in (keys, f"Shift+{keys}"):  # as the character comes, with the key that makes it or without
        shortcut = QShortcut(QKeySequence(sequence), window)
        shortcut.activated.connect(call)
        shortcut.activatedAmbiguously.connect(call)  # between these two


def _once(action: Callable[[Any], Any]) -> Callable[[Any], None]:
    def call(viewer: Any) -> None:
        action(viewer)

    return call


def markdown() -> str:
    """Return the table for the docs."""
    lines = ["| keys | where | what |", "|---|---|---|"]
    lines += [f"| {s.keys} | {s.where} | {s.does} |" for s in SHORTCUTS]
    return "\n".join(lines) + "\n"


def show_help(viewer: Any) -> Any:
    """Open a small window with the table."""
    from qtpy.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout

    from ..qt.dialogs import show
    from ..qt.table_view import Column, Table
    from ..qt.theme import NAME, colours_of, style_sheet

    dialog = QDialog()
    dialog.setObjectName(NAME)
    dialog.setWindowTitle("Keys of Dynamic connectome")
    colours = colours_of(real_viewer(viewer))
    dialog.setStyleSheet(style_sheet(colours))
    table = Table(
        [
            Column("keys", lambda s: s.keys, 130),
            Column("where", lambda s: s.where, 130),
            Column("what", lambda s: s.does),
        ]
    )
    table.set_colours(colours)
    table.rows_model.set_rows(list(SHORTCUTS))
    layout = QVBoxLayout(dialog)
    layout.addWidget(table)
    buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
    buttons.rejected.connect(dialog.reject)
    layout.addWidget(buttons)
    dialog.resize(560, 24 * len(SHORTCUTS) + 80)
    return show(dialog)
