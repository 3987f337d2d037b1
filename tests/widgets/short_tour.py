"""A short tour in a process of its own: `python -m tests.widgets.short_tour THEME FOLDER [WIDTHxHEIGHT]`; what it saw goes to FOLDER/seen.json.

The sample from the start card, a name, a community, colours, time, every dock, all by mouse and keyboard. At every stop texts that are cut are
noted, and controls of the task at hand that would have to be scrolled to. Nothing is printed: what stands on the terminal is a fault.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QRadioButton,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QWidget,
)

from .tour import Tour, quick_settings, small_samples

SLACK = 2
"""Pixels by which a measured text may exceed its room: widths of letters are rounded."""


def room_of(widget: QWidget) -> tuple[str, int, int] | None:
    """Text of a widget, the width that it needs and the width there is; None where it has none, or takes several lines."""
    metrics = widget.fontMetrics()
    if isinstance(widget, QLabel):
        text = widget.text()
        if widget.wordWrap() or "\n" in text or widget.textFormat() == Qt.TextFormat.RichText:
            return None
        return text, metrics.horizontalAdvance(text), widget.contentsRect().width() - 2 * widget.margin()
    if isinstance(widget, QComboBox):
        option = QStyleOptionComboBox()
        widget.initStyleOption(option)
        field = widget.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, widget
        )
        return widget.currentText(), metrics.horizontalAdvance(widget.currentText()), field.width()
    if isinstance(widget, QAbstractButton):
        text = widget.text().replace("&", "")
        mark = 0
        if isinstance(widget, QCheckBox | QRadioButton):
            mark = widget.style().pixelMetric(QStyle.PixelMetric.PM_IndicatorWidth, None, widget)
        return text, metrics.horizontalAdvance(text) + mark, widget.width()
    if isinstance(widget, QLineEdit):
        text = widget.text() or widget.placeholderText()
        return text, metrics.horizontalAdvance(text), widget.contentsRect().width()
    if isinstance(widget, QAbstractSpinBox):
        return widget.text(), metrics.horizontalAdvance(widget.text()), widget.width() - 16
    return None


def cut_texts(window: QWidget) -> list[str]:
    """Texts below a widget that can be seen, and have less room than they need."""
    found = []
    for one in [window, *window.findChildren(QWidget)]:
        if not one.isVisible() or one.visibleRegion().isEmpty():
            continue
        where = f"{type(one).__name__} {one.accessibleName() or one.objectName()}"
        if isinstance(one, QTabBar):
            wide = sum(one.tabRect(i).width() for i in range(one.count()))
            texts = [one.tabText(i) for i in range(one.count())]
            if wide > one.width() + SLACK or any("…" in t for t in texts):
                found.append(f"tabs {texts}: {wide} of {one.width()}")
        elif (
            isinstance(one, QHeaderView) and one.orientation() == Qt.Orientation.Horizontal and one.model() is not None
        ):
            for place in range(one.count()):
                text = str(one.model().headerData(place, Qt.Orientation.Horizontal) or "")
                need = one.fontMetrics().horizontalAdvance(text)
                if not one.isSectionHidden(place) and need > one.sectionSize(place) + SLACK:
                    found.append(f"head '{text}': {need} of {one.sectionSize(place)}")
        elif isinstance(one, QLabel) and one.wordWrap() and one.hasHeightForWidth():
            if one.heightForWidth(one.width()) > one.height() + SLACK:
                found.append(f"{where} '{one.text()[:40]}': {one.heightForWidth(one.width())} high, {one.height()}")
        elif (measured := room_of(one)) is not None:
            text, need, room = measured
            if text.strip() and need > room + SLACK:
                found.append(f"{where} '{text[:60]}': {need} of {room}")
    return found


def beyond_the_fold(controls: dict[str, QWidget]) -> list[str]:
    """Which of some controls are not wholly in sight."""
    found = []
    for name, one in controls.items():
        seen = one.visibleRegion().boundingRect() if one.isVisible() else None
        if seen is None or seen.height() < one.height() - SLACK or seen.width() < one.width() - SLACK:
            found.append(name)
    return found


def needed(docks: dict[str, Any]) -> dict[str, dict[str, QWidget]]:
    """What has to be in sight of every dock as it comes to the front."""
    neurons, communities = docks["Neurons"], docks["Communities"]
    return {
        "Recording": {"Extract traces": docks["Recording"].extract_button},
        "Segmentation": dict(docks["Segmentation"].proofread.buttons),
        "Neurons": {
            "name": neurons.edit,
            "Assign": neurons.assign_button,
            "Undo": neurons.undo_button,
            "table": neurons.table,
        },
        "Cohort": {"Analyze": docks["Cohort"].run_button},
        "Components": {"first component": docks["Components"].cards[0]},
        "Communities": {"answer": communities.answer, "table": communities.table, "level": communities.level},
        "States": {"Find states": docks["States"].run_button},
        "Export": {"Session…": docks["Export"].buttons["Session…"], "Report…": docks["Export"].buttons["Report…"]},
    }


def main(theme: str, folder: Path, size: tuple[int, int]) -> None:
    """Go through the tour; what was seen goes to `seen.json`, pictures beside it."""
    import napari
    from napari.settings import get_settings

    small_samples(SimpleNamespace(setattr=setattr))
    get_settings().appearance.theme = theme
    viewer = napari.Viewer(title="tour")
    viewer.theme = theme
    window = viewer.window._qt_window
    viewer.window.resize(*size)
    tour = Tour(viewer)
    seen: dict[str, Any] = {"cut": {}, "fold": {}, "pictures": []}

    def look(step: str, controls: dict[str, QWidget] | None = None) -> None:
        tour.rest(0.3)
        seen["cut"][step] = cut_texts(window)
        seen["fold"][step] = beyond_the_fold(controls or {})
        path = folder / f"{len(seen['pictures']):02d}_{step.replace(' ', '_')}.png"
        window.grab().save(str(path))
        seen["pictures"].append(path.name)
        seen.setdefault("sizes", {})[step] = [window.width(), window.height()]

    tour.arrange()
    tour.rest(0.5)
    card = tour.docks["Recording"].start
    look("start", {"sample": card.sample})
    quick_settings(tour.docks)
    for key in tour.docks["Cohort"].forms:
        tour.docks["Cohort"]._edited(key)
    tour.click(card.sample, "try the sample")
    tour.until(lambda: tour.session.components is not None and not tour.work.jobs.running, 300)
    tour.rest(0.5)
    docks = tour.docks
    controls = needed(docks)
    look("result", controls["Communities"])
    seen["shown in 3D"] = viewer.dims.ndisplay == 3
    seen["clicks"] = tour.clicks

    tour.session.select(community=None)
    tour.rest()
    seen["community"] = tour.pick_community(0)
    look("community", controls["Communities"])
    for title in ("Neurons", "Recording", "Segmentation", "Cohort", "Components", "States", "Export"):
        tour.tab(title)
        look(title, controls[title])
        if title == "Neurons":
            seen["named"] = tour.name_neurons(["pvr"])
            look("named", controls["Neurons"])
    seen["name"] = "PVR" in set(tour.session.recording.neurons["name"])
    tour.scrub((0.5,))
    look("time")
    seen["ratio"] = window.devicePixelRatio()
    seen["size"] = [window.width(), window.height()]
    seen["cpu"] = time.process_time()
    (folder / "seen.json").write_text(json.dumps(seen, indent=1))
    tour.close()
    tour.work.close()
    viewer.close()


if __name__ == "__main__":
    width, _, height = (sys.argv[3] if len(sys.argv) > 3 else "1280x800").partition("x")
    main(sys.argv[1], Path(sys.argv[2]), (int(width), int(height)))
