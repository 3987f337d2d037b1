"""Every control of every dock says what it is, its unit and its default, and can be reached from the keyboard."""

from __future__ import annotations

import itertools
import re

import pytest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractSlider,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QLineEdit,
    QPlainTextEdit,
    QScrollBar,
    QWidget,
)
from tests.widgets.helpers import fill

from napari_dynamic_connectome.widgets.qt.forms import SettingsForm

pytestmark = pytest.mark.gui

KINDS = (QAbstractButton, QAbstractItemView, QAbstractSlider, QAbstractSpinBox, QComboBox, QLineEdit, QPlainTextEdit)
VALUES = (QAbstractSlider, QAbstractSpinBox, QComboBox, QCheckBox, QLineEdit)


@pytest.fixture(scope="module")
def arranged(module_viewer):
    from napari_dynamic_connectome.widgets.app.arrange import arrange_windows
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    found = arrange_windows(module_viewer)
    fill(workspace_of(module_viewer).session)
    workspace_of(module_viewer).session.select(neurons=("AVAL",))
    QTest.qWait(50)
    for dock in found.values():
        dock.flush()
    return found


@pytest.fixture
def docks(arranged, qtbot):
    """The docks as they were arranged: what a test has opened is closed again."""
    from napari_dynamic_connectome.widgets.app.arrange import raise_dock

    fold = arranged["Recording"].correction_fold.head
    was_open = fold.isChecked()
    yield arranged
    fold.setChecked(was_open)
    raise_dock(arranged["Recording"])
    qtbot.wait(20)


def inner(widget: QWidget) -> bool:
    """A part of another control: the line of a spin box, the list of a combo box, a scroll bar, a table's corner."""
    if isinstance(widget, QScrollBar) or widget.objectName().startswith("qt_"):
        return True
    parent = widget.parent()
    while parent is not None:
        if isinstance(parent, (QAbstractSpinBox, QComboBox, QLineEdit, QAbstractItemView)):
            return True
        parent = parent.parent()
    return False


def controls(dock: QWidget) -> list[QWidget]:
    for form in dock.findChildren(SettingsForm):
        assert form.controls  # made now, if they were not
    return [w for w in dock.findChildren(QWidget) if isinstance(w, KINDS) and not inner(w)]


def said(widget: QWidget) -> str:
    return f"{type(widget).__name__} {widget.objectName()!r} {getattr(widget, 'text', lambda: '')()!r}"


def test_every_control_has_a_tooltip_and_values_say_their_default(docks) -> None:
    silent, no_default, no_unit = [], [], []
    for title, dock in docks.items():
        found = controls(dock)
        assert len(found) > 5, title
        for widget in found:
            tip = widget.toolTip()
            if not tip:
                silent.append((title, said(widget)))
            elif isinstance(widget, VALUES) and "efault" not in tip:
                no_default.append((title, said(widget), tip))
            if isinstance(widget, QAbstractSpinBox):
                suffix = re.sub(r"[\d\s]", "", widget.suffix()) if hasattr(widget, "suffix") else ""
                words = {
                    "µm": ("µm", "um", "micromet"),
                    "s": (" s", "second"),
                    "Hz": ("Hz", "per second"),
                    "fps": ("a second",),
                }
                if suffix and tip and not any(w in tip for w in words.get(suffix, (suffix,))):
                    no_unit.append((title, said(widget), tip))
    assert not silent, silent
    assert not no_default, no_default
    assert not no_unit, no_unit


def test_every_control_is_reached_by_the_keyboard(docks) -> None:
    """Tab reaches it, or it is a list that is steered from the field above it."""
    unreachable = []
    for title, dock in docks.items():
        for widget in controls(dock):
            by_tab = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus)
            if not by_tab and widget.accessibleName() != "names that fit":
                unreachable.append((title, said(widget)))
    assert not unreachable, unreachable


def test_tab_goes_through_a_dock_from_top_to_bottom(docks, qtbot) -> None:
    """The order of Tab is the order on the screen, row by row (a row is 12 pixels high at least); the foot comes last.

    Where the dock is lower than its page, the page scrolls and goes on behind the foot: places count from the top of the page there.
    """
    from napari_dynamic_connectome.widgets.app.arrange import raise_dock

    for title in ("Recording", "Neurons", "Cohort"):
        dock = docks[title]
        raise_dock(dock)
        qtbot.wait(20)
        places = []
        page = dock.findChild(QWidget, "page")
        widget = dock.nextInFocusChain()
        while widget is not dock:
            if dock.isAncestorOf(widget) and widget in controls(dock) and widget.isVisible():
                inside = page.isAncestorOf(widget)
                y = widget.mapTo(page if inside else dock, widget.rect().topLeft()).y()
                places.append((y if inside else y + 100_000, said(widget)))
            widget = widget.nextInFocusChain()
        back = [(a, b) for a, b in itertools.pairwise(places) if b[0] < a[0] - 40]
        assert len(places) > 5 and not back, (title, back)


def test_scrolling_a_dock_changes_no_value(docks, qtbot) -> None:
    from qtpy.QtCore import QPoint, QPointF
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    def wheel(widget: QWidget) -> None:
        at = QPointF(widget.rect().center())
        steps = (QPoint(0, 0), QPoint(0, -120), Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier)
        event = QWheelEvent(at, widget.mapToGlobal(at), *steps, Qt.ScrollPhase.NoScrollPhase, False)
        QApplication.sendEvent(widget, event)

    from napari_dynamic_connectome.widgets.app.arrange import raise_dock

    dock = docks["Recording"]
    raise_dock(dock)
    dock.correction_fold.head.setChecked(True)
    qtbot.wait(20)
    for control in dock.correction.controls.values():
        control.native.clearFocus()
    before = dock.correction.value()
    for control in dock.correction.controls.values():
        wheel(control.native)
    assert dock.correction.value() == before
