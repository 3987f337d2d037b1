"""Chance beside the components: surrogate cohorts are factorized in the background, on demand; nothing is shown before."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QSpinBox, QVBoxLayout, QWidget

from ...display.chance import Band, chance_band, strongest_by_chance
from ...model.results import Clock, Components
from ..qt.controls import JobBar, button, label, row

NONE = (
    "Not computed. Neurons are shifted in time against each other, each shift by itself, and the components of such cohorts are "
    "drawn as a grey band behind the time courses."
)


class ChanceView(QWidget):
    """Runs the surrogates of the session's components and says what they show."""

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        self._tops: tuple[Any, np.ndarray] = (None, np.zeros(0))
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
            from ...pipeline.settings import PipelineSettings
            from ...pipeline.surrogates import surrogate_components

            found = surrogate_components(
                cohort, components, PipelineSettings.parse(values), count=count, progress=progress, cancel=cancel
            )
            return self.work.recovery.write_results(lambda s: s.set_surrogates(components, found))

        def done(written: Any) -> None:
            self.work.recovery.show_results(written, f"compare with {count} chance cohorts")

        job = self.work.jobs.start("Compare with chance", run, done)
        self.bar.watch(job)
        return job

    def show_for(self, components: Components) -> str:
        """Say what there is for these components; return it in short."""
        session = self.work.session
        self.run_button.setEnabled(session.cohort is not None)
        nulls = self._nulls(components)
        if not nulls:
            self.note.setText(NONE if session.cohort is not None else "Needs the cohort: open its recordings.")
            return "not computed"
        self.note.setText(
            f"Grey band: 5 to 95 % of the {len(nulls) * components.rank} components of {len(nulls)} cohorts whose neurons were "
            "shifted in time. p in the table of pairs: how many of these have any pair as strong, (1 + as strong) / (1 + all)."
        )
        return f"{len(nulls)} surrogate cohorts"

    def band(self, components: Components, worm: str | None, clock: Clock | None = None) -> Band | None:
        """Band for these components, beside courses of a clock; None if it was not computed for them."""
        return chance_band(self._nulls(components), worm, clock)

    def tops(self, components: Components) -> np.ndarray:
        """Strongest pair of every surrogate component; empty if not computed for these components."""
        nulls = self._nulls(components)
        if self._tops[0] is not nulls:
            self._tops = (nulls, strongest_by_chance(nulls))
        return self._tops[1]

    def _nulls(self, components: Components) -> tuple[Components, ...]:
        nulls: tuple[Components, ...] = self.work.session.surrogates.get(components.rank, ())
        return nulls
