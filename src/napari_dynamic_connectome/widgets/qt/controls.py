"""Small building blocks of docks: labels, buttons, rows, parts that fold away, the progress of a running step."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QEvent, QObject, QPoint, QRect, Qt, QTimer
from qtpy.QtGui import QHelpEvent, QKeySequence, QPainter, QPaintEvent, QShortcut
from qtpy.QtWidgets import (
    QAbstractSpinBox,
    QComboBox,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionComboBox,
    QStylePainter,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

FIELD_PAD = 2
"""Pixels of a box's field that its text leaves free."""
WIDEST_LIST = 480
"""Pixels of the widest list of a box."""


class Choice(QComboBox):
    """A box of names that may be long: cut in the middle where there is no room, and whole in its list and its tooltip."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)

    def _option(self) -> tuple[QStyleOptionComboBox, int]:
        """How it is drawn, and the width of the room for its text."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        field = QStyle.SubControl.SC_ComboBoxEditField
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field, self)
        return option, int(room.width()) - FIELD_PAD

    @property
    def elided(self) -> str:
        """What is drawn of the text."""
        return str(self.fontMetrics().elidedText(self.currentText(), Qt.TextElideMode.ElideMiddle, self._option()[1]))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw as much of the text as there is room for."""
        if self.currentIndex() < 0:  # what it says instead of a name
            super().paintEvent(event)
            return
        painter = QStylePainter(self)
        option, _ = self._option()
        option.currentText = self.elided
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)
        painter.end()

    def showPopup(self) -> None:
        """Open a list that is wide enough for its names."""
        view = self.view()
        bar = self.style().pixelMetric(QStyle.PixelMetric.PM_ScrollBarExtent)
        wide = view.sizeHintForColumn(0) + bar + 8 if self.count() else 0
        view.setMinimumWidth(max(min(wide, WIDEST_LIST), self.width()))
        view.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        super().showPopup()

    def event(self, event: QEvent) -> bool:
        """Show the whole text where it is cut, above what the box is for."""
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent) and self.elided != self.currentText():
            QToolTip.showText(event.globalPos(), f"{self.currentText()}\n{self.toolTip()}".strip(), self)
            return True
        return bool(super().event(event))


class ElidedLabel(QLabel):
    """A label whose text ends in "…" where a line of plain text has no room; the whole text is its tooltip then."""

    @property
    def elided(self) -> str:
        """What is drawn of the text."""
        text = str(self.text())
        if self.wordWrap() or "\n" in text or self.textFormat() != Qt.TextFormat.PlainText:
            return text
        return str(self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, self._room().width()))

    def _room(self) -> QRect:
        margin = self.margin()
        return self.contentsRect().adjusted(margin, margin, -margin, -margin)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw as much of the text as there is room for."""
        shown = self.elided
        if shown == self.text():
            super().paintEvent(event)
            return
        painter = QPainter(self)
        self.drawFrame(painter)
        style = self.style()
        if style is not None:
            style.drawItemText(
                painter,
                self._room(),
                int(self.alignment().value),
                self.palette(),
                self.isEnabled(),
                shown,
                self.foregroundRole(),
            )
        painter.end()

    def event(self, event: QEvent) -> bool:
        """Show the whole text where it is cut and there is no tooltip of its own."""
        if (
            event.type() == QEvent.Type.ToolTip
            and isinstance(event, QHelpEvent)
            and not self.toolTip()
            and self.elided != self.text()
        ):
            QToolTip.showText(event.globalPos(), self.text(), self)
            return True
        return bool(super().event(event))


def label(text: str = "", kind: str = "", *, wrap: bool = False) -> QLabel:
    """Label that never sets the width of its dock; `kind`: "", "secondary", "head", "warning", "empty"."""
    widget = ElidedLabel(text)
    widget.setObjectName(kind)
    widget.setWordWrap(wrap)
    widget.setTextFormat(Qt.TextFormat.PlainText if "<" not in text else Qt.TextFormat.RichText)
    if kind != "head":
        widget.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    if kind == "empty":
        widget.setAlignment(Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop)
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


def part_of(layout: QVBoxLayout) -> tuple[QWidget, QVBoxLayout]:
    """Add a part to a dock that is shown or hidden as a whole; return it and its layout."""
    body = QWidget()
    layout.addWidget(body, 1)
    inner = QVBoxLayout(body)
    inner.setContentsMargins(0, 0, 0, 0)
    inner.setSpacing(6)
    return body, inner


GROWN_MS = 120


class Panel(QWidget):
    """A part of a dock that computes on demand, in the background.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        self.bar = JobBar()
        self._asked = False

    def asked(self) -> None:
        """Note that a person waits for an answer."""
        self._asked = True

    def answered(self) -> None:
        """Scroll the dock to the answer, where a person waits for it."""
        fold = self.parentWidget()
        if self._asked and isinstance(fold, Fold) and fold.head.isChecked():
            weak = weakref.ref(fold)
            for ms in (0, GROWN_MS):  # when the answer has its place, and again when a long text has grown to its lines
                QTimer.singleShot(ms, lambda: _into_view(weak()))
        self._asked = False

    def stack(self, *parts: Any) -> None:
        """Put widgets and rows below each other."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for one in parts:
            if isinstance(one, QWidget):
                layout.addWidget(one)
            else:
                layout.addLayout(one)


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
        self.head.clicked.connect(self._clicked)
        self._toggle(is_open)

    def _toggle(self, is_open: bool) -> None:
        self.head.setArrowType(Qt.ArrowType.DownArrow if is_open else Qt.ArrowType.RightArrow)
        self.content.setVisible(is_open)

    def _clicked(self, is_open: bool) -> None:
        if is_open:
            weak = weakref.ref(self)
            QTimer.singleShot(0, lambda: _into_view(weak()))  # when the content has its place

    def into_view(self) -> None:
        """Scroll the dock so far that the content is seen, or as much of it as fits below the title."""
        area = self.parentWidget()
        while area is not None and not isinstance(area, QScrollArea):
            area = area.parentWidget()
        if area is None or area.widget() is None:
            return
        area.widget().layout().activate()
        top = self.mapTo(area.widget(), QPoint(0, 0)).y()
        bar, room = area.verticalScrollBar(), area.viewport().height()
        below = top + self.height() - room
        if below > bar.value():
            bar.setValue(min(below, top))


def _into_view(fold: Fold | None) -> None:
    if fold is not None and isalive(fold):
        fold.into_view()


class JobBar(QWidget):
    """Progress and cancel of one job, inside a dock; after a failure its message, until the next try."""

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
        self.failure = label("", "warning", wrap=True)
        self.failure.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.MinimumExpanding)
        self.failure.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        layout.addWidget(self.failure)
        layout.addWidget(self.bar)
        layout.addLayout(row(self.text, self.cancel))
        self.job: Any = None
        self.clear()

    def watch(self, job: Any) -> None:
        """Show a job until it ends."""
        self.job = job
        self.bar.setValue(0)
        self.text.setText(job.title)
        self.cancel.setEnabled(True)
        self._show_parts(running=True)
        job.progressed.connect(self._progressed)
        job.ended.connect(self._ended)

    def _progressed(self, fraction: float, text: str) -> None:
        if self.sender() not in (None, self.job):
            return  # an earlier one that still runs
        self.bar.setValue(round(fraction * 1000))
        self.text.setText(f"{text or self.job.title}  ·  {fraction:.0%}" if self.job else text)

    def _cancel(self) -> None:
        if self.job is not None:
            self.cancel.setEnabled(False)
            self.text.setText("stopping ...")
            self.job.cancel()

    def fail(self, message: str) -> None:
        """Say what failed, until the next try."""
        self.failure.setText(message)
        self._show_parts(running=self.job is not None)

    def clear(self) -> None:
        """Forget what failed."""
        self.failure.setText("")
        self._show_parts(running=self.job is not None)

    def _show_parts(self, *, running: bool) -> None:
        if running:
            self.failure.setText("")
        self.failure.setVisible(bool(self.failure.text()))
        for one in (self.bar, self.text, self.cancel):
            one.setVisible(running)
        self.setVisible(running or bool(self.failure.text()))

    def _ended(self) -> None:
        if self.sender() not in (None, self.job):
            return
        message, self.job = str(getattr(self.job, "failure", "")), None
        self.fail(message)
