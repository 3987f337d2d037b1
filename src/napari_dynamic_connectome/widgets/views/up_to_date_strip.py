"""One line above the results: what is older than what, and a button that does only that again."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QRect, Qt
from qtpy.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout

from ...session.freshness import Freshness
from ..qt.controls import JobBar, button, label

LINES = 2
"""Of text, at most."""
TIP = "Do again what is older, and nothing else. Results keep the names of their time until then."


class UpToDateStrip(QFrame):
    """Hidden while everything is up to date.

    Parameters
    ----------
    work : Workspace
    only_traces : bool
        Say nothing of components and communities.
    """

    def __init__(self, work: Any, *, only_traces: bool = False) -> None:
        super().__init__()
        self.only_traces = only_traces
        self.setObjectName("strip")
        self.work = work
        self.text = label("", "warning", wrap=True)
        self.text.setAccessibleName("what is not up to date")
        self.redo = button("Redo", lambda: work.up_to_date.redo(), TIP)
        self.redo.setObjectName("tight")
        self.bar = JobBar()
        line = QHBoxLayout()
        line.setContentsMargins(0, 0, 0, 0)
        line.setSpacing(6)
        line.addWidget(self.text, 1)
        line.addWidget(self.redo)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 3, 8, 3)
        layout.setSpacing(2)
        layout.addLayout(line)
        layout.addWidget(self.bar)
        self._whole = ""
        self.hide()

    def refresh(self) -> None:
        """Say what is older than what now."""
        state, job = self.work.up_to_date.state, self.work.up_to_date.job
        if self.only_traces:
            state = Freshness(traces=state.traces)
        running = job is not None and job.running
        if running and self.bar.job is not job:
            self.bar.watch(job)
        self._whole = state.summary
        self.text.setToolTip("\n".join(state.lines))
        self._fit()
        self.redo.setEnabled(not self.work.jobs.running)
        self.redo.setVisible(not running)
        self.setVisible(bool(state.stale))

    def _fit(self) -> None:
        """Show as much as two lines hold; the tooltip has all of it."""
        metrics, width = self.text.fontMetrics(), max(self.text.width(), 60)

        def lines(text: str) -> float:
            box = metrics.boundingRect(QRect(0, 0, width, 10_000), int(Qt.TextFlag.TextWordWrap), text)
            return float(box.height() / metrics.lineSpacing())

        words, text = self._whole.split(" "), self._whole
        while len(words) > 1 and lines(text) > LINES + 0.5:
            words.pop()
            text = f"{' '.join(words)} …"
        self.text.setText(text)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._fit()
