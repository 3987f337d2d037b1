"""The components beside chance: surrogate cohorts are factorized in the background, on demand; nothing is shown before."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QSpinBox, QVBoxLayout, QWidget

from ..model.results import Components
from ..overlay.chance import Band, chance_band, strongest_by_chance
from .base import JobBar, button, label, row

NONE = (
    "Not computed. Neurons are shifted in time against each other, each shift by itself, and the components of such cohorts are "
    "drawn as a grey band behind the time courses."
)


class ChanceView(QWidget):
    """Runs the surrogates of one fit and holds them."""

    computed = Signal()

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        self._of: Components | None = None
        self._nulls: list[Components] = []
        self._tops = np.zeros(0)
        self.count = QSpinBox()
        self.count.setRange(1, 1000)
        self.count.setValue(10)
        self.count.setSuffix(" cohorts")
        self.count.setToolTip("Surrogate cohorts; each gives as many components as there are. Default: 10.")
        self.count.setAccessibleName("surrogate cohorts")
        self.run_button = button(
            "Compare with chance",
            self.run,
            "Factorize surrogate cohorts, in the background: every neuron shifted in time by itself, so that only its own "
            "rhythm is left.",
        )
        self.note = label(NONE, "secondary", wrap=True)
        self.bar = JobBar()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.count, self.run_button, None))
        layout.addWidget(self.note)
        layout.addWidget(self.bar)

    def run(self) -> Any | None:
        """Factorize surrogates of the session's components."""
        session = self.work.session
        components, cohort, values, count = session.components, session.cohort, session.settings, self.count.value()
        if components is None or self.bar.job is not None:
            return None

        def run(progress: Any, cancel: Any) -> Any:
            from ..pipeline.settings import PipelineSettings
            from ..pipeline.surrogates import surrogate_components

            nulls = surrogate_components(
                cohort, components, PipelineSettings.parse(values), count=count, progress=progress, cancel=cancel
            )
            return nulls, strongest_by_chance(nulls)

        def done(found: Any) -> None:
            self._of = components
            self._nulls, self._tops = found
            self.computed.emit()

        job = self.work.jobs.start("Compare with chance", run, done)
        self.bar.watch(job)
        return job

    def show_for(self, components: Components) -> str:
        """Say what there is for these components; return it in short."""
        session = self.work.session
        self.run_button.setEnabled(session.cohort is not None)
        if not self._holds(components):
            self.note.setText(NONE if session.cohort is not None else "Needs the cohort: open its recordings.")
            return "not computed"
        self.note.setText(
            f"Grey band: 5 to 95 % of the {len(self._tops)} components of {len(self._nulls)} cohorts whose neurons were shifted "
            "in time. p in the table of pairs: how many of these have any pair as strong, (1 + as strong) / (1 + all)."
        )
        return f"{len(self._nulls)} surrogate cohorts"

    def band(self, components: Components, worm: str | None) -> Band | None:
        """Band for these components; None if it was not computed for them."""
        return chance_band(self._nulls, worm) if self._holds(components) else None

    def tops(self, components: Components) -> np.ndarray:
        """Strongest pair of every surrogate component; empty if not computed for these components."""
        return self._tops if self._holds(components) else np.zeros(0)

    def _holds(self, components: Components) -> bool:
        return components is self._of and bool(self._nulls)
