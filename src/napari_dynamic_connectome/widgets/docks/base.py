"""Base of all docks: a scrolling page with progress below it, the viewer's workspace, one refresh for many signals."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, ClassVar, Literal

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QFrame, QMainWindow, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from ...model.errors import InputError
from ..qt.controls import JobBar, button, guard_wheel, label
from ..qt.dialogs import real_viewer
from ..qt.forms import SettingsForm
from ..qt.notify import show_failure
from ..qt.theme import NAME, Colours, colours_of, style_sheet
from ..views.up_to_date_strip import UpToDateStrip
from ..workspace.preferences import save
from ..workspace.workspace import workspace_of

ALL = frozenset(
    {
        "recordings",
        "current",
        "neurons",
        "cohort",
        "sweep",
        "components",
        "communities",
        "states",
        "selection",
        "history",
        "theme",
        "view",
        "jobs",
        "time",
        "freshness",
    }
)


SWITCHES = frozenset({"current", "selection", "chosen", "time", "view", "freshness"})
"""What is only looked at in another way: a dock behind a tab waits with it until it comes to the front."""


class PageArea(QScrollArea):
    """A scroll area that takes its bar away when the page has room.

    Qt leaves a bar that is needed no more where it was if the area grows at once by more than the page lacked, and the page, as wide as
    without it, behind it.
    """

    def __init__(self) -> None:
        super().__init__()
        self._settle = QTimer(self)
        self._settle.setSingleShot(True)
        self._settle.setInterval(0)
        self._settle.timeout.connect(self._without_bar)
        self.verticalScrollBar().rangeChanged.connect(lambda *_: self._settle.start())

    def _without_bar(self) -> None:
        bar = self.verticalScrollBar()
        if bar.isVisible() and bar.maximum() <= bar.minimum():
            self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAsNeeded)


class Dock(QWidget):
    """Base of the docks.

    A subclass has `title`, builds its widgets in `build(layout)`, and shows the session in `refresh(topics)`; it is called once
    for any number of signals. A dock that is closed waits until it is opened; one behind a tab shows what is new (worms, names, results),
    but waits with what is only looked at in another way (`SWITCHES`) until it comes to the front.
    """

    title: ClassVar[str] = ""
    place: ClassVar[Literal["upper", "lower", "bottom"]] = "upper"
    """Group of tabs on the right of the window, or the room below the canvas; the group lists its docks by `ORDER` of their files."""
    scrolls: ClassVar[bool] = True
    edits: ClassVar[bool] = False
    """It changes recordings: it says so if that is not possible now."""
    shows_results: ClassVar[bool] = False
    """It says above its page what is not up to date."""
    follows: ClassVar[tuple[str, ...]] = ()
    """Beginnings of the titles of jobs whose progress it shows, wherever they were started."""
    only_traces: ClassVar[bool] = False
    """Of that only what concerns traces."""

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
        self._holder: weakref.ref[QObject] | None = None
        self.colours: Colours = colours_of(self.viewer)
        self._paint_style()
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
        self.take_over = button(
            "Take over", self.work.recovery.take_over, "Edit this session here. Do it only if the other window is gone."
        )
        self.take_over.hide()
        outer.addWidget(self.take_over)
        self.strip = UpToDateStrip(self.work, only_traces=self.only_traces)
        outer.addWidget(self.strip)
        if self.scrolls:
            area = PageArea()
            area.setFrameShape(QFrame.Shape.NoFrame)
            area.setWidgetResizable(True)
            area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            area.setWidget(page)
            area.setMinimumSize(120, 60)
            outer.addWidget(area)
        else:
            outer.addWidget(page)
        self.foot = QVBoxLayout()
        self.foot.setSpacing(4)
        self.bar = JobBar()
        outer.addLayout(self.foot)
        self._flush_call = self.work.scheduler.later(self._flush_if_seen)
        self.build(layout)
        self.foot.addWidget(self.bar)
        self.foot.setContentsMargins(8, 0, 8, 4)
        self._tab_to_foot(page)
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
            (session.states_changed, "states"),
            (session.history_changed, "history"),
            (session.groups_changed, "history"),
            (self.work.view.changed, "view"),
            (self.work.jobs.changed, "jobs"),
            (self.work.recovery.changed, "jobs"),
            (self.work.up_to_date.changed, "freshness"),
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
        self._flush_call.start()

    def _tab_to_foot(self, page: QWidget) -> None:
        """Let Tab reach what stands at the foot after the page, whatever was made first."""

        def takes_focus(one: QWidget) -> bool:
            return bool(one.focusPolicy() != Qt.FocusPolicy.NoFocus)

        chain: list[QWidget] = []
        widget = self.nextInFocusChain()
        while widget is not None and widget is not self:
            if self.isAncestorOf(widget) and takes_focus(widget):
                chain.append(widget)
            widget = widget.nextInFocusChain()
        inside = [one for one in chain if page.isAncestorOf(one)]
        before = inside[-1] if inside else None
        places = [self.foot.itemAt(i) for i in range(self.foot.count())]
        held = [item.widget() or item.layout() for item in places]
        for one in [w for part in held for w in _widgets(part) if w in chain]:
            if before is not None:
                QWidget.setTabOrder(before, one)
            before = one

    def _paint_style(self) -> None:
        """Give all widgets the colours; Qt goes through all of them each time."""
        sheet = style_sheet(self.colours)
        if sheet != self.styleSheet():
            self.setStyleSheet(sheet)

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

    def restore(self, form: SettingsForm, key: str) -> None:
        """Put what was remembered into a form; what cannot be used any more, of an earlier version, gives way to the defaults."""
        try:
            form.set_value(form.model.parse(self.remembered(key, {})))
        except InputError:
            form.set_value(form.model())

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
                if "neurons" in changed:
                    dock.mark("chosen")
                if changed - {"time_s"}:
                    dock.mark("selection")

        self.session.selection_changed.connect(slot)
        self._connections.append((self.session.selection_changed, slot))

    def mark(self, topic: str) -> None:
        """Refresh soon."""
        self._dirty.add(topic)
        if isalive(self):  # a job may end after its dock was closed
            self._flush_call.start()

    @property
    def is_seen(self) -> bool:
        """Whether it is in front: Qt moves the docks behind a tab out of the window, but calls them visible."""
        return bool(self.isVisible() and not self.visibleRegion().isEmpty())

    def _flush_if_seen(self) -> None:
        # What is new builds a dock up, and its size with it: that is there when it comes to the front.
        if self._dirty and (self._dirty - SWITCHES or self.is_seen):
            self.flush()

    def flush(self) -> None:
        """Refresh now what is out of date, also behind a tab; a dock that is closed waits until it is opened."""
        if not self._dirty or not self.isVisible() or self.viewer is None:
            return
        topics, self._dirty = self._dirty, set()
        if "theme" in topics:
            self.colours = colours_of(self.viewer)
            self._paint_style()
        if self.edits:
            self.banner.setText(self.work.recovery.banner)
            self.banner.setVisible(bool(self.work.recovery.banner))
            journal = self.work.recovery.journal
            self.take_over.setVisible(journal is not None and journal.can_take_over)
        if self.shows_results and topics & {"freshness", "jobs"}:
            self.strip.refresh()
        if "jobs" in topics:
            self._follow_job()
        self.work.scene.catch_up()
        if topics - {"freshness"}:
            self.refresh(topics - {"freshness"})

    def _follow_job(self) -> None:
        """Show the progress of what runs, if it is for this dock."""
        for job in self.work.jobs.running:
            if self.bar.job is None and not job.quiet and job.title.startswith(self.follows or ("\0",)):
                self.bar.watch(job)

    def is_running(self, *titles: str) -> bool:
        """Whether a job runs whose title begins with one of these."""
        return any(job.title.startswith(titles) for job in self.work.jobs.running)

    def failed(self, doing: str, error: BaseException) -> None:
        """Say what went wrong: in the window's corner, and beside the dock's buttons until the next try."""
        self.bar.fail(show_failure(self.viewer, doing, error))

    def showEvent(self, event: Any) -> None:
        super().showEvent(event)
        if self.sizePolicy().verticalPolicy() == QSizePolicy.Policy.Maximum:
            # napari 0.9.0 lets no dock be higher than it asks for
            self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
        self._watch_window()
        self._watch_holder()
        self._flush_call.start()

    def paintEvent(self, event: Any) -> None:
        if self._dirty:  # it came to the front in a way that nobody said
            self._flush_call.start()
        super().paintEvent(event)

    def _watch_holder(self) -> None:
        """Show what is new when a click on its tab brings the dock to the front."""
        holder = self.parentWidget()
        while holder is not None and not isinstance(holder, QDockWidget):
            holder = holder.parentWidget()
        if holder is not None and (self._holder is None or self._holder() is not holder):
            self._holder = weakref.ref(holder)
            holder.visibilityChanged.connect(self._raised)

    def _raised(self, visible: bool) -> None:
        if visible and self._dirty and isalive(self):
            self._flush_call.start()

    def _watch_window(self) -> None:
        window = self.window()
        if isinstance(window, QMainWindow) and (self._filtered is None or self._filtered() is not window):
            window.installEventFilter(self)
            self._filtered = weakref.ref(window)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Close and self._filtered is not None and watched is self._filtered():
            # Threads must not outlive the viewer, and what they found must not reach a window that is going.
            self.work.jobs.closing = self.work.scheduler.paused = True
            QTimer.singleShot(0, _closer(self.work, watched))
        return False


def _widgets(part: Any) -> list[QWidget]:
    """Widgets of a layout, or a widget and those in it, from left to right."""
    if isinstance(part, QWidget):
        return [part, *part.findChildren(QWidget)]
    found = []
    for place in range(part.count()):
        item = part.itemAt(place)
        inner = item.widget() or item.layout()
        found += _widgets(inner) if inner is not None else []
    return found


def _closer(work: Any, window: QObject) -> Callable[[], None]:
    window_ref = weakref.ref(window)

    def close() -> None:
        work.jobs.closing = False
        found = window_ref()
        if found is None or not isalive(found) or not found.isVisible():
            work.close()
        else:
            work.scheduler.resume()

    return close


def _theme_callback(dock: Dock) -> Callable[..., None]:
    me = weakref.ref(dock)

    def changed(event: Any = None) -> None:
        found = me()
        if found is not None and isalive(found):
            found.mark("theme")

    return changed
