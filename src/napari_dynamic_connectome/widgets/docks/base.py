"""What every dock is built on: a scrolling page, the viewer's workspace, and one refresh for many signals."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, ClassVar

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..qt import garbage
from ..qt.theme import NAME, Colours, colours_of, style_sheet
from ..workspace.preferences import save
from ..workspace.workspace import real_viewer, workspace_of

ALL = frozenset(
    {
        "recordings",
        "current",
        "neurons",
        "cohort",
        "sweep",
        "components",
        "communities",
        "selection",
        "history",
        "theme",
        "view",
        "jobs",
        "time",
    }
)


class Dock(QWidget):
    """Base of the docks.

    A subclass has `title`, builds its widgets in `build(layout)`, and shows the session in `refresh(topics)`; it is called once
    for any number of signals, and only while the dock can be seen.
    """

    title: ClassVar[str] = ""
    scrolls: ClassVar[bool] = True
    edits: ClassVar[bool] = False
    """It changes recordings: it says so if that is not possible now."""

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(NAME)
        self.setWindowTitle(self.title)
        self._viewer = weakref.ref(real_viewer(napari_viewer))
        self.work = workspace_of(napari_viewer)
        self.session = self.work.session
        self._dirty: set[str] = set(ALL)
        self._connections: list[tuple[Any, Callable[..., None]]] = []
        self._filtered: weakref.ref[QObject] | None = None  # the window must not be kept alive
        self.colours: Colours = colours_of(self.viewer)
        self.setStyleSheet(style_sheet(self.colours))
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        page = QWidget()
        page.setObjectName("page")
        layout = QVBoxLayout(page)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(6)
        self.banner = label("", "warning", wrap=True)
        self.banner.hide()
        outer.addWidget(self.banner)
        if self.scrolls:
            area = QScrollArea()
            area.setFrameShape(QFrame.Shape.NoFrame)
            area.setWidgetResizable(True)
            area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            area.setWidget(page)
            area.setMinimumSize(120, 60)
            outer.addWidget(area)
        else:
            outer.addWidget(page)
        self._turn = self.work.turns.turn(self, "flush")
        self.build(layout)
        if self.scrolls:
            guard_wheel(page)
        session = self.session
        for signal, topic in (
            (session.recordings_changed, "recordings"),
            (session.current_changed, "current"),
            (session.neurons_changed, "neurons"),
            (session.cohort_changed, "cohort"),
            (session.sweep_changed, "sweep"),
            (session.components_changed, "components"),
            (session.communities_changed, "communities"),
            (session.surrogates_changed, "components"),
            (session.history_changed, "history"),
            (self.work.view.changed, "view"),
            (self.work.jobs.changed, "jobs"),
            (self.work.keeper.changed, "jobs"),
        ):
            self._listen(signal, topic)
        self._listen_selection()
        self._theme_callback = _theme_callback(self)
        self.viewer.events.theme.connect(self._theme_callback)
        connections, theme_callback, viewer_ref = self._connections, self._theme_callback, self._viewer

        def gone() -> None:
            for signal, slot in connections:
                signal.disconnect(slot, missing_ok=True)
            viewer = viewer_ref()
            if viewer is not None:
                viewer.events.theme.disconnect(theme_callback)

        self.destroyed.connect(gone)
        self._turn.start()

    # --- for subclasses ---------------------------------------------------------------------------------------------

    def build(self, layout: QVBoxLayout) -> None:
        raise NotImplementedError

    def refresh(self, topics: set[str]) -> None:
        raise NotImplementedError

    @property
    def viewer(self) -> Any:
        """The napari viewer."""
        return self._viewer()

    def remembered(self, key: str, default: Any = None) -> Any:
        """Value that this dock remembered."""
        return self.work.remembered.get(self.title, {}).get(key, default)

    def remember(self, key: str, value: Any) -> None:
        """Keep a value for the next start."""
        self.work.remembered.setdefault(self.title, {})[key] = value
        save(self.work.remembered)

    # --- signals ----------------------------------------------------------------------------------------------------

    def _listen(self, signal: Any, topic: str) -> None:
        me = weakref.ref(self)

        def slot(*_: Any) -> None:
            dock = me()
            if dock is not None and isalive(dock):
                dock.mark(topic)

        signal.connect(slot)
        self._connections.append((signal, slot))

    def _listen_selection(self) -> None:
        me = weakref.ref(self)

        def slot(selection: Any, changed: frozenset[str]) -> None:
            dock = me()
            if dock is not None and isalive(dock):
                if "time_s" in changed:
                    dock.mark("time")
                if changed - {"time_s"}:
                    dock.mark("selection")

        self.session.selection_changed.connect(slot)
        self._connections.append((self.session.selection_changed, slot))

    def mark(self, topic: str) -> None:
        """Refresh soon."""
        self._dirty.add(topic)
        if isalive(self):  # a job may end after its dock was closed
            self._turn.start()

    def flush(self) -> None:
        """Refresh now what is out of date, if the dock can be seen."""
        if not self._dirty or not self.isVisible() or self.viewer is None:
            return
        topics, self._dirty = self._dirty, set()
        if "theme" in topics:
            self.colours = colours_of(self.viewer)
            self.setStyleSheet(style_sheet(self.colours))
        if self.edits:
            self.banner.setText(self.work.keeper.banner)
            self.banner.setVisible(bool(self.work.keeper.banner))
        self.work.scene.catch_up()
        self.refresh(topics)

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        self._watch_window()
        self._turn.start()

    def _watch_window(self) -> None:
        window = self.window()
        if isinstance(window, QMainWindow) and (self._filtered is None or self._filtered() is not window):
            garbage.set_aside(self.work)  # from here on the closing of the window is noticed, and takes it back
            window.installEventFilter(self)
            self._filtered = weakref.ref(window)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Close and self._filtered is not None and watched is self._filtered():
            # Threads must not outlive the viewer, and what they found must not reach a window that is going.
            self.work.jobs.closing = self.work.turns.paused = True
            QTimer.singleShot(0, _closer(self.work, watched))
        return False


def _closer(work: Any, window: QObject) -> Callable[[], None]:
    window_ref = weakref.ref(window)

    def close() -> None:
        work.jobs.closing = False
        found = window_ref()
        if found is None or not isalive(found) or not found.isVisible():
            work.close()
        else:
            work.turns.go_on()

    return close


def _theme_callback(dock: Dock) -> Callable[..., None]:
    me = weakref.ref(dock)

    def changed(event: Any = None) -> None:
        found = me()
        if found is not None and isalive(found):
            found.mark("theme")

    return changed


# --- small building blocks ------------------------------------------------------------------------------------------


def label(text: str = "", kind: str = "", *, wrap: bool = False) -> QLabel:
    """Label that never sets the width of its dock; `kind`: "", "secondary", "head", "warning", "empty"."""
    widget = QLabel(text)
    widget.setObjectName(kind)
    widget.setWordWrap(wrap)
    widget.setTextFormat(Qt.TextFormat.PlainText if "<" not in text else Qt.TextFormat.RichText)
    if kind != "head":
        widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    if kind == "empty":
        widget.setAlignment(Qt.AlignmentFlag.AlignCenter)
        widget.setWordWrap(True)
    return widget


def button(text: str, slot: Callable[[], Any], tip: str, *, main: bool = False, checkable: bool = False) -> QPushButton:
    """Push button with a tooltip; `main` is the one that the dock is about."""
    widget = QPushButton(text)
    widget.setToolTip(tip)
    widget.setObjectName("main" if main else "")
    widget.setCheckable(checkable)
    widget.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    widget.clicked.connect(lambda *_: slot())
    return widget


class _WheelGuard(QObject):
    """Lets the wheel scroll the page; it changes a value only in the control that has the focus."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Wheel and isinstance(watched, QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


def guard_wheel(page: QWidget) -> None:
    """Keep the wheel from changing values while a page is scrolled."""
    guard = _WheelGuard(page)
    for kind in (QComboBox, QAbstractSpinBox, QSlider):
        for control in page.findChildren(kind):
            control.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
            control.installEventFilter(guard)


def run_key(dock: QWidget, widget: QPushButton) -> None:
    """Press a dock's main button with Ctrl+Enter from anywhere inside the dock."""
    for key in ("Ctrl+Return", "Ctrl+Enter"):
        shortcut = QShortcut(QKeySequence(key), dock)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(widget.click)


def row(*widgets: Any, spacing: int = 6) -> QHBoxLayout:
    """Widgets side by side; None is a stretch."""
    layout = QHBoxLayout()
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(spacing)
    for widget in widgets:
        if widget is None:
            layout.addStretch(1)
        elif isinstance(widget, QWidget):
            layout.addWidget(widget, 1 if isinstance(widget, QLabel) and widget.objectName() != "head" else 0)
        else:
            layout.addLayout(widget)
    return layout


class Fold(QWidget):
    """A part that is folded away; its present values stand beside its title, so that nothing is hidden."""

    def __init__(self, title: str, content: QWidget, *, summary: str = "", is_open: bool = False) -> None:
        super().__init__()
        self.head = QToolButton()
        self.head.setObjectName("fold")
        self.head.setText(title)
        self.head.setCheckable(True)
        self.head.setChecked(is_open)
        self.head.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.head.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.head.setToolTip(f"Show or hide: {title} (Space). Default: {'shown' if is_open else 'hidden'}.")
        self.summary = label(summary, "secondary")
        self.content = content
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.head, self.summary))
        layout.addWidget(content)
        self.head.toggled.connect(self._toggle)
        self._toggle(is_open)

    def _toggle(self, is_open: bool) -> None:
        self.head.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.content.setVisible(is_open)


class JobBar(QWidget):
    """Progress and cancel of one job, inside a dock."""

    def __init__(self) -> None:
        super().__init__()
        self.bar = QProgressBar()
        self.bar.setRange(0, 1000)
        self.bar.setTextVisible(False)
        self.text = label("", "secondary")
        self.cancel = button("Cancel", self._cancel, "Stop the running step; nothing half-done is kept.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.bar)
        layout.addLayout(row(self.text, self.cancel))
        self.job: Any = None
        self.hide()

    def watch(self, job: Any) -> None:
        """Show a job until it ends."""
        self.job = job
        self.bar.setValue(0)
        self.text.setText(job.title)
        self.cancel.setEnabled(True)
        self.show()
        job.progressed.connect(self._progressed)
        job.ended.connect(self._ended)

    def _progressed(self, fraction: float, text: str) -> None:
        self.bar.setValue(round(fraction * 1000))
        self.text.setText(f"{text or self.job.title}  ·  {fraction:.0%}" if self.job else text)

    def _cancel(self) -> None:
        if self.job is not None:
            self.cancel.setEnabled(False)
            self.text.setText("stopping ...")
            self.job.cancel()

    def _ended(self) -> None:
        self.job = None
        self.hide()
