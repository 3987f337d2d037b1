"""Other methods beside the components: static groupings with their agreement, and what non-negative loadings lose."""

from __future__ import annotations

from typing import Any

from qtpy.QtWidgets import QVBoxLayout, QWidget

from ..qt.controls import JobBar, button, label, row
from ..qt.theme import Colours
from ..views.agreement_matrix import AgreementMatrix

ASK = "Group the same neurons by methods without time, or ask what signed loadings would explain."


class OpinionsPanel(QWidget):
    """Computes on demand, in the background.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        self.panel: Any = None
        self.of: Any = None
        """The components that the panel was compared with."""
        self.signed_of: Any = None
        self.baselines_button = button(
            "Static methods",
            self.compare,
            "Shape-based distance, Louvain, Leiden, edge time series, NMF and sorting of the traces, and how far they agree.",
        )
        self.signed_button = button(
            "Signed loadings",
            self.compare_signed,
            "Semi-NMF of the same rank beside the non-negative model of the signed affinity: what non-negativity loses.",
        )
        self.answer = label(ASK, "secondary", wrap=True)
        self.matrix = AgreementMatrix()
        self.matrix.setToolTip("Adjusted Rand index of every two groupings: 1 is the same, 0 as by chance.")
        self.signed = label("", "", wrap=True)
        self.signed.hide()
        self.bar = JobBar()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.baselines_button, self.signed_button, None))
        layout.addWidget(self.bar)
        layout.addWidget(self.answer)
        layout.addWidget(self.matrix)
        layout.addWidget(self.signed)

    def compare(self) -> Any | None:
        """Group the neurons by static methods and compare with the session's result."""
        session = self.work.session
        components, cohort = session.components, session.cohort
        if components is None or cohort is None or self.bar.job is not None:
            return None
        communities, seed = dict(session.communities), int(session.settings.get("seed", 0))

        def run(progress: Any, cancel: Any) -> Any:
            from ...baselines.panel import main_results, static_baselines

            main = main_results(components, communities)
            return static_baselines(cohort, main, seed=seed, progress=progress, cancel=cancel)

        def done(panel: Any) -> None:
            if session.components is components:
                self.panel, self.of = panel, components
                self.work.view.changed.emit("opinions")

        job = self.work.jobs.start("Static methods", run, done)
        self.bar.watch(job)
        return job

    def compare_signed(self) -> Any | None:
        """Fit signed and non-negative loadings of the rank that is shown."""
        session = self.work.session
        components, cohort, settings = session.components, session.cohort, dict(session.settings.get("affinity", {}))
        if components is None or not components.rank or cohort is None or self.bar.job is not None:
            return None
        seed = int(session.settings.get("seed", 0))

        def run(progress: Any, cancel: Any) -> str:
            from ...affinity.compute import compute_affinity
            from ...affinity.settings import AffinitySettings
            from ...factorization.signed import compare_signed

            signed = AffinitySettings.parse(settings | {"sign": "signed"}, where="affinity")
            found = compare_signed(
                compute_affinity(cohort, signed), components.rank, seed=seed, progress=progress, cancel=cancel
            )
            return found.line

        def done(line: str) -> None:
            if session.components is components:
                self.signed_of = components
                self.signed.setText(line)
                self.work.view.changed.emit("opinions")

        job = self.work.jobs.start("Signed loadings", run, done)
        self.bar.watch(job)
        return job

    def show_for(self, components: Any, colours: Colours) -> str:
        """Show what is known of these components; return it in short."""
        current = self.panel is not None and self.of is components
        self.matrix.setVisible(current)
        self.signed.setVisible(self.signed_of is not None and self.signed_of is components)
        if not current:
            self.answer.setText(ASK)
            return "not computed"
        self.matrix.show_table(self.panel.agreement("ari"), colours)
        line = best_agreement(self.panel)
        self.answer.setText("\n".join([line, *self.panel.notes]))
        return f"{len(self.panel.partitions.columns)} groupings"


def best_agreement(panel: Any) -> str:
    """Say which static method agrees most with the session's result."""
    table = panel.agreement("ari")
    others = [c for c in table.columns if c not in panel.main]
    if not panel.main or not others:
        return "There is no result to compare with."
    part = table.loc[others, list(panel.main)]
    if part.notna().to_numpy().sum() == 0:
        return "No method places the same neurons."
    method, main = part.stack().idxmax()
    return f"Most alike: {method} and {main}, adjusted Rand index {part.loc[method, main]:.2f}."
