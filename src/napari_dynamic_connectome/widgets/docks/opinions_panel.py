"""Other methods beside the components: static groupings with their agreement, and what non-negative loadings lose."""

from __future__ import annotations

from typing import Any

from ...session.freshness import joined
from ..qt.controls import Panel, button, label, row
from ..qt.theme import Colours
from ..views.agreement_matrix import AgreementMatrix
from ..workspace.opinions import start_baselines, start_signed

ASK = "Group the same neurons by methods without time, or ask what signed loadings would explain."


class OpinionsPanel(Panel):
    """Computes on demand, in the background; what was found is in the session.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Any) -> None:
        super().__init__(work)
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
        self.stack(
            row(self.baselines_button, self.signed_button, None), self.bar, self.answer, self.matrix, self.signed
        )

    def compare(self) -> Any | None:
        """Group the neurons by static methods and compare with the session's result."""
        return self._start(start_baselines)

    def compare_signed(self) -> Any | None:
        """Fit signed and non-negative loadings of the rank that is shown."""
        return self._start(start_signed)

    def _start(self, start: Any) -> Any | None:
        if self.work.session.components is None or self.bar.job is not None:
            return None
        job = start(self.work, self.work.up_to_date.settings())
        if job is not None:
            self.asked()
            self.bar.watch(job)
        return job

    def show_for(self, colours: Colours) -> str:
        """Show what the session knows; return it in short."""
        panel, signed = self.work.session.baselines, self.work.session.signed
        older = self.work.up_to_date.state
        self.matrix.setVisible(panel is not None)
        self.signed.setVisible(signed is not None)
        if self.bar.job is None and (panel is not None or signed is not None):
            self.answered()
        if signed is not None:
            self.signed.setText(" ".join([signed.line, *_older(older.signed)]))
        if panel is None:
            self.answer.setText(ASK)
            return "not computed" if signed is None else "signed loadings"
        self.matrix.show_table(panel.agreement("ari"), colours)
        self.answer.setText("\n".join([panel.verdict(), *_older(older.baselines), *panel.notes]))
        return f"{len(panel.partitions.columns)} groupings" + (", not up to date" if older.baselines else "")


def _older(changes: Any) -> list[str]:
    """What a result is older than, as a sentence; nothing where it is up to date."""
    return [f"Older than {joined(c.text for c in changes)}."] if changes else []
