"""The neuron under the mouse, in whatever view: one card beside the mouse, and the same neuron marked in all other views."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from qtpy.QtWidgets import QWidget

from ...display.neuron_card import neuron_card
from ...session.freshness import present_neurons
from ..qt.hover_card import HoverCard
from ..qt.theme import colours_of
from .preferences import save

if TYPE_CHECKING:
    from ..qt.table_view import Table
    from .workspace import Workspace

SETTING = "hover card"
LEAVES = frozenset(
    {
        QEvent.Type.Leave,
        QEvent.Type.Hide,
        QEvent.Type.Wheel,
        QEvent.Type.MouseButtonPress,
        QEvent.Type.KeyPress,
        QEvent.Type.WindowDeactivate,
    }
)
"""What ends the card: the mouse went elsewhere, or something is done."""

Found = tuple[str, str, tuple[str, ...]]
"""Neuron, the other one of a pair ("": none), and further lines."""


class Hover:
    """Shows the card and tells all views which neuron is under the mouse.

    Signals
    -------
    changed(neuron)
        Another neuron is under the mouse; "": none.
    """

    changed = Signal(str)

    def __init__(self, work: Workspace) -> None:
        self._work = weakref.ref(work)
        self.neuron = ""
        self.card: HoverCard | None = None
        self._wanted: tuple[Found, QPoint] | None = None
        self._call = work.scheduler.later(self._show)
        work.session.recordings_changed.connect(self.out)
        work.session.current_changed.connect(self.out)

    @property
    def on(self) -> bool:
        """Whether cards are shown; kept for the next start."""
        work = self._work()
        return work is not None and bool(work.remembered.get(SETTING, True))

    def switch(self, on: bool) -> None:
        """Show cards from now on, or do not."""
        work = self._work()
        if work is None or on == self.on:
            return
        work.remembered[SETTING] = bool(on)
        save(work.remembered)
        self.out()

    @property
    def shown(self) -> bool:
        """Whether the card is on the screen."""
        return self.card is not None and isalive(self.card) and self.card.isVisible()

    def over(self, found: Found | None, widget: QWidget, at: Any) -> None:
        """Say what is under the mouse, which is at a place (x, y) of a widget."""
        place = widget.mapToGlobal(QPoint(int(at[0]), int(at[1])))
        if found is None or not found[0] or not self.on:
            self.out()
            return
        if self.shown and self._wanted is not None and self._wanted[0] == found:
            self._wanted = (found, place)
            assert self.card is not None
            if self.card.card is not None and self.card.card.neuron == found[0]:
                self.card.show_card(self.card.card, self.card.colours, place)
                return
        self._wanted = (found, place)
        self._call.start()

    def out(self, *_: Any) -> None:
        """Nothing is under the mouse any more."""
        self._wanted = None
        self._call.stop()
        if self.shown:
            assert self.card is not None
            self.card.hide()
        self._tell("")

    def _tell(self, neuron: str) -> None:
        if neuron != self.neuron:
            self.neuron = neuron
            self.changed.emit(neuron)

    def _show(self) -> None:
        """Make and show the card that is wanted."""
        work, wanted = self._work(), self._wanted
        viewer = None if work is None else work.viewer
        if work is None or viewer is None or wanted is None:
            return
        (neuron, other, notes), place = wanted
        colours = colours_of(viewer)
        card = neuron_card(work.session, neuron, drawn=work.scene.drawn, dark=colours.dark, other=other, notes=notes)
        if card is None:
            self.out()
            return
        if self.card is None or not isalive(self.card):
            window = getattr(getattr(viewer, "window", None), "_qt_window", None)
            self.card = HoverCard(window)
        self.card.show_card(card, colours, place)
        self._tell(neuron)

    def close(self) -> None:
        """Take the card away."""
        self._call.stop()
        if self.card is not None and isalive(self.card):
            self.card.hide()
            self.card.deleteLater()
        self.card = None

    def follow(self, widget: QWidget, show: Callable[[Any, str], None]) -> None:
        """Call `show(widget, neuron)` whenever another neuron is under the mouse; the widget is not kept alive."""
        reference, signal = weakref.ref(widget), self.changed

        def slot(neuron: str) -> None:
            found = reference()
            if found is not None and isalive(found):
                show(found, neuron)

        signal.connect(slot)
        widget.destroyed.connect(lambda *_: signal.disconnect(slot, missing_ok=True))

    def watch_leaving(self, widget: QWidget) -> None:
        """Take the card away where the mouse leaves a widget, or something is done there; what is there is said by others."""
        _Watch(self, widget, None)

    def here(self, name: str) -> str:
        """Id in the worm that is shown of a neuron that results call by a name; the name where this worm does not have it."""
        return self.all_here((name,))[0]

    def all_here(self, names: Sequence[str]) -> tuple[str, ...]:
        """Ids of several neurons, as `here`."""
        work = self._work()
        return tuple(names) if work is None else present_neurons(work.session, tuple(names))


class _Watch(QObject):
    """Looks at the mouse over one widget."""

    def __init__(self, hover: Hover, widget: QWidget, find: Callable[[QPointF], Found | None] | None) -> None:
        super().__init__(widget)
        self._hover, self._find = weakref.ref(hover), find
        widget.setMouseTracking(True)
        widget.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        hover, kind = self._hover(), event.type()
        if hover is None or not isinstance(watched, QWidget):
            return False
        if kind == QEvent.Type.MouseMove:
            if self._find is None:
                return False
            pressed = event.buttons() != Qt.MouseButton.NoButton
            found = None if pressed or not hover.on else self._find(event.position())
            hover.over(found, watched, (event.position().x(), event.position().y()))
        elif kind in LEAVES:
            hover.out()
        elif kind == QEvent.Type.ToolTip:
            return hover.shown  # the card says it already
        return False


def watch(hover: Hover, widget: QWidget, find: Callable[[QPointF], Found | None]) -> None:
    """Show cards over a widget.

    Parameters
    ----------
    hover : Hover
    widget : QWidget
        That gets the mouse's events: of scrolling views and plots the viewport.
    find : callable
        Says what is at a place of the widget; it must not keep the widget alive.
    """
    _Watch(hover, widget, find)


def watch_table(hover: Hover, table: Table, find: Callable[[Any], Found | None]) -> None:
    """Show cards over the rows of a table, and mark the row of the neuron that is under the mouse in another view.

    Parameters
    ----------
    hover : Hover
    table : Table
    find : callable
        Says which neuron a row is about.
    """
    reference = weakref.ref(table)

    def at(place: QPointF) -> Found | None:
        one = reference()
        index = None if one is None else one.indexAt(place.toPoint())
        if one is None or index is None or not index.isValid() or index.row() >= len(one.rows_model.rows):
            return None
        return find(one.rows_model.rows[index.row()])

    def light(one: Any, neuron: str) -> None:
        rows = one.rows_model.rows
        one.light({i for i, r in enumerate(rows) if neuron and (f := find(r)) is not None and neuron in f[:2]})

    watch(hover, table.viewport(), at)
    hover.follow(table, light)
