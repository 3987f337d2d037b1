"""Worms of the chosen component: the time course of each and their mean over the stimuli, and how strongly it takes part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...display.highlights import course_of, selected_worms
from ...model.results import Components
from ..qt import plots
from ..qt.controls import label
from ..qt.table_view import Column, Table

Course = tuple[np.ndarray, np.ndarray]


def own_courses(cohort: Any, components: Components, values: dict[str, Any], progress: Any, cancel: Any) -> Components:
    """Every worm's own time courses: the pair factors stay, each worm is fitted alone on the common clock."""
    from ...affinity.compute import compute_affinity
    from ...factorization.factorize import project_worms

    affinity = compute_affinity(cohort, dict(values.get("affinity", {})), cancel=cancel)
    settings = dict(values.get("factorization", {})) | {"model": "unaligned"}
    return project_worms(affinity, components, settings, progress=progress, cancel=cancel)


def courses_by_worm(components: Components, own: Components | None, component: int) -> dict[str, Course]:
    """Time course of every worm: its own where there is one, else the common one scaled by the worm's loading."""
    source = own if own is not None and components.clock(component) == "common" else components
    found = {}
    for worm in (str(w) for w in source.worm["worm"].values):
        course = source.time_course(component, worm)
        found[worm] = (np.asarray(course["time"].values, float), np.nan_to_num(np.asarray(course.values, float)))
    return found


def mean_course(courses: dict[str, Course]) -> Course | None:
    """Mean over worms at every time at which any worm has a value, on the clock of the finest one."""
    if not courses:
        return None
    start = min(t[0] for t, _ in courses.values())
    stop = max(t[-1] for t, _ in courses.values())
    step = min(float(np.median(np.diff(t))) for t, _ in courses.values() if len(t) > 1)
    grid = np.arange(start, stop + step / 2, step)
    values = np.stack([np.interp(grid, t, v, left=np.nan, right=np.nan) for t, v in courses.values()])
    seen = np.isfinite(values).sum(axis=0)
    mean = np.nansum(values, axis=0) / np.maximum(seen, 1)
    return grid[seen > 0], mean[seen > 0]


class WormsView(QWidget):
    """Plot and table by worm."""

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        self.own: Components | None = None
        self._of: Components | None = None
        self._job: Any = None
        self.note = label("", "secondary", wrap=True)
        self.plot = plots.plot_widget()
        self.plot.setFixedHeight(112)
        self.plot.setMouseEnabled(True, False)
        self.plot.setToolTip("Time course in every worm (thin), in the shown worm (blue), and their mean (thick).")
        self.time_line = pg.InfiniteLine(angle=90)
        self.table = Table(
            [
                Column("worm", lambda r: r["worm"], 0, bold=lambda r: r["current"]),
                Column("loading", lambda r: f"{r['loading']:.2f}", 104, bar=lambda r: r["relative"]),
                Column(
                    "members", lambda r: r["members"], 66, right=True, tip="Members of the chosen community it has."
                ),
            ]
        )
        self.table.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.table.setToolTip("How strongly the component shows in each worm. Double click or Enter shows a worm.")
        self.table.activated.connect(lambda index: self._open(index.row()))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self.plot, self.note, self.table):
            layout.addWidget(widget)
        self.component = 1
        self.colours: Any = None

    def _open(self, place: int) -> None:
        worm = self.table.rows_model.rows[place]["worm"]
        if worm in self.work.session.recordings:
            self.work.session.set_current(worm)

    def wanted(self, components: Components) -> None:
        """Fit the worms alone, once for each fit; a component with a common clock has only the common course."""
        session = self.work.session
        if components is self._of or "common" not in components.clocks or session.cohort is None:
            return
        self._of, self.own = components, None
        cohort, values = session.cohort, dict(session.settings)

        def run(progress: Any, cancel: Any) -> Any:
            return own_courses(cohort, components, values, progress, cancel)

        def done(found: Any) -> None:
            if self._of is components:
                self.own = found
                self.draw(components)

        self._job = self.work.jobs.start("Time course of every worm", run, done)

    def draw(self, components: Components) -> None:
        """Show the chosen component."""
        session, c = self.work.session, self.colours
        common = components.clock(self.component) == "common"
        own = self.own if self._of is components and common else None
        courses = courses_by_worm(components, own, self.component)
        item = self.plot.getPlotItem()
        item.clear()
        plots.paint_axes(item, c)
        self.plot.setBackground(c.background)
        mean = course_of(components, self.component, None) if common and own is None else None
        mean = mean or mean_course(courses)
        current = session.current
        for worm, (time, values) in courses.items():
            if worm != current:
                item.plot(time, values, pen=pg.mkPen(c.hairline if c.dark else c.bar, width=0.8))
        if current in courses:
            item.plot(*courses[current], pen=pg.mkPen(c.accent, width=1.2))
        if mean is not None:
            item.plot(*mean, pen=pg.mkPen(c.text, width=2))
        for band in plots.shade(item, self._spans(components), c.track, 110):
            band.setZValue(-20)
        self.time_line = pg.InfiniteLine(angle=90, pen=pg.mkPen(c.accent, width=1.2))
        item.addItem(self.time_line)
        self.show_time()
        if mean is not None:
            item.setXRange(float(mean[0][0]), float(mean[0][-1]), padding=0)
            top = max(float(v.max()) for _, v in courses.values())
            item.setYRange(0, 1.04 * (top or 1.0), padding=0)
        item.getAxis("left").setWidth(34)
        clock = "common clock" if common else "each worm's own clock"
        clock += ", on the common time axis" if components.model == "mixed" and not common else ""
        alone = "; every worm fitted alone, pairs kept" if own is not None else ""
        self.note.setText(f"thick: mean of {len(courses)} worms, blue: {current or 'no worm'}; {clock}{alone}")
        self._rows(components)

    def _spans(self, components: Components) -> list[tuple[float, float]]:
        table = components.stimuli
        if not components.has_common_clock or "onset" not in table or "offset" not in table:
            recording = self.work.session.recording
            return plots.stimulus_spans(recording) if recording is not None else []
        return [(float(a), float(b)) for a, b in zip(table["onset"], table["offset"], strict=True)]

    def _rows(self, components: Components) -> None:
        session = self.work.session
        column = components.worm.sel(component=self.component)
        top = float(np.nanmax(column.values)) or 1.0
        highlights = {m.worm: f"{m.present} of {m.members}" for m in selected_worms(session)}
        self.table.set_colours(self.colours)
        self.table.rows_model.set_rows(
            [
                {
                    "worm": str(worm),
                    "loading": float(value),
                    "relative": float(value) / top,
                    "members": highlights.get(str(worm), ""),
                    "current": str(worm) == session.current,
                }
                for worm, value in zip(components.worm["worm"].values, column.values, strict=True)
            ]
        )
        self.table.setColumnHidden(2, not highlights)
        self.table.setFixedHeight(min(column.size, 8) * 20 + 28)

    def show_time(self) -> None:
        """Put the cursor at the moment shown, on the clock of the courses; hide it where that moment takes no part."""
        session = self.work.session
        components, current = session.components, session.current
        moment = float("nan")
        if components is not None and current is not None:
            moment = components.clock_time(current, session.selection.time_s)
        self.time_line.setVisible(bool(np.isfinite(moment)))
        if np.isfinite(moment):
            self.time_line.setValue(moment)
