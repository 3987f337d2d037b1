"""Sizes of the arranged docks: the task at hand gets the room, until separators are moved by hand."""

from __future__ import annotations

import weakref
from typing import Any
from uuid import uuid4

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QDockWidget, QLabel, QMainWindow, QTabBar

LOW = 900
"""A window that is lower than this shows one of the two groups of docks, the other one as its tabs only."""
SHARE = {
    "Recording": 0.68,
    "Neurons": 0.66,
    "Segmentation": 0.66,
    "Cohort": 0.68,
    "Components": 0.34,
    "Communities": 0.66,
    "States": 0.66,
    "Export": 0.5,
}
"""Share of the column that the group of a dock gets when this dock is brought to the front."""
ALONE = 0.9
CONTROLS = 160
"""Least height of napari's layer controls in a low window."""
WATCHED = "dynamicConnectomeLayout"
BY_HAND = 24
"""Pixels by which a separator has to be dragged to have been moved by hand."""
REST_MS = 120
NEAR = 4


def lower_controls(window: QMainWindow) -> None:
    """Let napari's layer controls be lower than they ask for: those of a Labels layer push a window beyond a low screen."""
    for one in window.findChildren(QDockWidget):
        if one.windowTitle().lower() == "layer controls" and one.widget() is not None:
            one.widget().setMinimumHeight(CONTROLS)
            one.setMinimumHeight(CONTROLS)


class Layout(QObject):
    """Keeps the two groups of docks on the right, the traces below and napari's layer list at useful sizes.

    Parameters
    ----------
    window : QMainWindow
    holders : dict
        Dock widgets by title.
    upper, lower : tuple of str
        Titles of the two groups; the first of each stands for its group.
    work : Workspace
    """

    def __init__(
        self,
        window: QMainWindow,
        holders: dict[str, QDockWidget],
        upper: tuple[str, ...],
        lower: tuple[str, ...],
        work: Any,
    ) -> None:
        super().__init__(window)
        self._holders = {title: weakref.ref(one) for title, one in holders.items()}
        self.upper, self.lower, self.session = upper, lower, work.session
        self.front = upper[0]
        self.by_hand = False
        self._name = (
            uuid4().hex
        )  # Qt keeps tab bars for later, and Python gives the address of a layout that is gone to the next one
        self._dragged: dict[str, int] | None = None
        """Sizes when a separator was taken; None while none is."""
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(REST_MS)
        self._timer.timeout.connect(self.fit)
        self._let_go = QTimer(self)
        self._let_go.setSingleShot(True)
        self._let_go.setInterval(REST_MS)
        self._let_go.timeout.connect(self._after_drag)
        window.installEventFilter(self)
        self._signals = ((work.session.recordings_changed, self.first_worm), (work.wanted, self.show))
        for signal, slot in self._signals:
            signal.connect(slot)
        window.tabifiedDockWidgetActivated.connect(self._activated)
        self._widen = QTimer(self)
        self._widen.setSingleShot(True)
        self._widen.setInterval(REST_MS)
        self._widen.timeout.connect(self.widen_numbers)
        for event in (work.viewer.dims.events.range, work.viewer.dims.events.ndisplay):
            event.connect(self._widen_soon)
        self.watch_tabs()

    def watch_tabs(self) -> None:
        """Notice clicks on the tabs; Qt makes tab bars late, and new ones when docks are arranged anew."""
        for bar in self._window().findChildren(QTabBar):
            ours = {bar.tabText(i) for i in range(bar.count())} & {*self.upper, *self.lower}
            if ours and bar.property(WATCHED) != self._name:
                bar.setProperty(WATCHED, self._name)
                # no function that holds the bar: Python would collect both, and the click would reach nobody
                bar.tabBarClicked.connect(self._tab_clicked)

    def hide_left_over_tabs(self) -> None:
        """Hide tab bars of groups that are no more: Qt leaves them where they were, seen through gaps, when docks are taken apart."""
        window = self._window()
        docks = {one.windowTitle(): one for one in window.findChildren(QDockWidget)}
        bars = window.findChildren(QTabBar, options=Qt.FindChildOption.FindDirectChildrenOnly)
        shown = {bar: [bar.tabText(i) for i in range(bar.count())] for bar in bars if not bar.isHidden()}
        in_use = [bar for bar, titles in shown.items() if any(_above(bar, docks.get(title)) for title in titles)]
        placed = {title for bar in in_use for title in shown[bar]}
        for bar, titles in shown.items():
            if bar not in in_use and placed.issuperset(titles):
                bar.hide()

    def _tab_clicked(self, place: int) -> None:
        bar = self.sender()
        if isinstance(bar, QTabBar):
            self.bring(bar.tabText(place))

    def bring(self, title: str) -> None:
        """Give the room to the group of a dock."""
        if title not in self.upper and title not in self.lower:
            return
        self.front = title
        self.later()

    def _activated(self, holder: QDockWidget) -> None:
        title = next((t for t in self._holders if self._holder(t) is holder), "")
        if title != self.front:
            self.bring(title)

    def first_worm(self) -> None:
        """Give the traces their room once there are some."""
        if isalive(self) and len(self.session.recordings) == 1:
            self.later()

    def end(self) -> None:
        """Leave the sizes to the user, or to another layout."""
        self.by_hand = True
        for timer in (self._timer, self._let_go, self._widen):
            timer.stop()
        self._window().removeEventFilter(self)
        self._window().tabifiedDockWidgetActivated.disconnect(self._activated)
        for signal, slot in self._signals:
            signal.disconnect(slot, missing_ok=True)
        self.setParent(None)
        self.deleteLater()

    def later(self) -> None:
        """Fit when the event loop rests."""
        if not self.by_hand:
            self._timer.start()

    def fit(self) -> None:
        """Set the sizes."""
        window = self._window()
        found = {title: holder for title in self._holders if (holder := self._holder(title)) is not None}
        first, second = self._group(self.upper), self._group(self.lower)
        if self.by_hand or first is None or second is None:
            return
        width, height = window.width(), window.height()
        low = height < LOW
        share = ALONE if low else SHARE.get(self.front, 0.5)
        upper = share if self.front in self.upper else 1 - share
        right = 380 if width < 1500 else 470
        window.resizeDocks([first, second], [right, right], Qt.Orientation.Horizontal)
        window.resizeDocks([first, second], [int(height * upper), int(height * (1 - upper))], Qt.Orientation.Vertical)
        traces = found.get("Traces")
        if traces is not None:
            part = 0.12 if not self.session.recordings else 0.32 if low else 0.36
            window.resizeDocks([traces], [int(height * part)], Qt.Orientation.Vertical)
        self.widen_numbers()
        self.watch_tabs()
        self.hide_left_over_tabs()

    def show(self, title: str) -> None:
        """Bring a dock to the front."""
        holder = self._holder(title) if isalive(self) else None
        if holder is not None and holder.isVisible():
            holder.raise_()
            self.bring(title)

    def _widen_soon(self, event: Any = None) -> None:
        if isalive(self):
            self._widen.start()

    def widen_numbers(self) -> None:
        """Give napari's numbers beside the sliders the width of their text: four digits are cut without it."""
        window = self.parent() if isalive(self) else None
        if not isinstance(window, QMainWindow):  # the window is going, and what was to be done there with it
            return
        for one in window.findChildren(QLabel, "slice_label"):
            one.setFixedWidth(max(one.width(), one.sizeHint().width() + 2))

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Fit with the window; a separator that is dragged (the window itself has the mouse then) stays where it was put.

        Sizes alone do not tell: a strip or a message makes a dock higher, too.
        """
        if event.type() == QEvent.Type.Resize and not self.by_hand:
            self._timer.start()
        elif event.type() == QEvent.Type.MouseButtonPress and isinstance(event, QMouseEvent):
            # presses that a dock did not want arrive here, too
            between = self._window().childAt(event.position().toPoint()) is None
            self._dragged = self._heights() if between else None
        elif event.type() == QEvent.Type.MouseButtonRelease and self._dragged is not None:
            self._let_go.start()
        return False

    def _after_drag(self) -> None:
        before, self._dragged = self._dragged, None
        now = self._heights()
        if before is not None and any(abs(now[k] - before[k]) > BY_HAND for k in now.keys() & before.keys()):
            self.by_hand = True

    def _heights(self) -> dict[str, int]:
        groups = (self._group(self.upper), self._group(self.lower))
        return {str(i): one.height() for i, one in enumerate(groups) if one is not None}

    def _group(self, titles: tuple[str, ...]) -> QDockWidget | None:
        """The dock of a group that is in front."""
        held = [one for title in titles if (one := self._holder(title)) is not None and not one.isFloating()]
        return next((one for one in held if one.isVisible() and not one.visibleRegion().isEmpty()), None)

    def _holder(self, title: str) -> QDockWidget | None:
        one = self._holders[title]() if title in self._holders else None
        return one if one is not None and isalive(one) else None

    def _window(self) -> QMainWindow:
        window = self.parent()
        assert isinstance(window, QMainWindow)
        return window


def _above(bar: QTabBar, dock: QDockWidget | None) -> bool:
    """Whether a tab bar lies on the upper border of a dock that is seen."""
    if dock is None or dock.isHidden() or dock.isFloating():
        return False
    beside = abs(bar.x() - dock.x()) <= NEAR and abs(bar.y() + bar.height() - dock.y()) <= NEAR
    return bool(beside)
