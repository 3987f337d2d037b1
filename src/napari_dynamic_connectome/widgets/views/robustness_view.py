"""What stays of the components when worms, seeds and settings change: run in the background, on demand, as a table and a page."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import Signal
from qtpy.QtWidgets import QFileDialog, QSpinBox, QVBoxLayout, QWidget

from ...model.results import Components
from ..qt.controls import JobBar, button, label, row
from ..qt.notify import show_info
from ..qt.table_view import Column, Table
from ..workspace.checkpoints import robustness_checkpoint

NONE = (
    "Not computed. Worms are drawn again and left out, random starts and settings changed, and the share in which each component "
    "comes back is shown here; what was finished before a cancel is kept."
)


class RobustnessView(QWidget):
    """Runs the robustness of the session's components and shows what comes back.

    Signals
    -------
    chosen(component)
        A row was chosen.
    """

    chosen = Signal(int)

    def __init__(self, work: Any) -> None:
        super().__init__()
        self.work = work
        self.result: Any = None
        self._of: Components | None = None
        self.count = QSpinBox()
        self.count.setRange(2, 10_000)
        self.count.setValue(50)
        self.count.setSuffix(" bootstraps")
        self.count.setToolTip(
            "Number of bootstraps: cohorts that are drawn from the worms, with replacement. Default: 50."
        )
        self.count.setAccessibleName("bootstraps")
        self.run_button = button(
            "What stays?",
            self.run,
            "Analyse again with worms drawn with replacement, each worm left out, other seeds and other settings, in the background.",
        )
        self.page_button = button("Save page…", self.save, "Write the tables, figures and the page into a folder.")
        self.note = label(NONE, "secondary", wrap=True)
        self.bar = JobBar()
        self.table = Table(
            [
                Column("component", lambda r: str(r["component"]), 76, right=True),
                *(
                    Column(title, partial(_share, key=key), width, right=True, tip=tip)
                    for title, key, width, tip in (
                        (
                            "bootstraps",
                            "bootstrap",
                            96,
                            "Share of bootstraps in which it comes back, with its interval.",
                        ),
                        ("left out", "left_out", 96, "Share of left-out worms without which it comes back."),
                        ("seeds", "seeds", 80, "Share of other random starts from which it comes back."),
                        (
                            "foretold",
                            "foretold",
                            80,
                            "Share of worms that were not fitted in which it predicts unseen neurons.",
                        ),
                    )
                ),
                Column(
                    "by chance",
                    lambda r: "" if not np.isfinite(r["chance_match"]) else f"{r['chance_match']:.2f}",
                    70,
                    right=True,
                    tip="Largest match with a component of cohorts whose neurons were shifted in time.",
                ),
            ]
        )
        self.table.setFixedHeight(120)
        self.table.setToolTip(
            "Shares in which each component comes back, with intervals. Choosing a row shows the component."
        )
        self.table.setVisible(False)
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._picked())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(row(self.count, self.run_button, self.page_button, None))
        layout.addWidget(self.table)
        layout.addWidget(self.note)
        layout.addWidget(self.bar)

    def run(self) -> Any | None:
        """Analyse the session's cohort again and again."""
        session = self.work.session
        components, cohort, values, count = session.components, session.cohort, session.settings, self.count.value()
        if components is None or cohort is None or self.bar.job is not None:
            return None

        def run(progress: Any, cancel: Any) -> Any:
            from ...pipeline.settings import PipelineSettings
            from ...robustness.run import assess_robustness

            settings = PipelineSettings.parse(values)
            own = settings.robustness.model_copy(update={"bootstraps": count})
            return assess_robustness(
                cohort,
                settings.model_copy(update={"robustness": own}),
                components=components,
                progress=progress,
                cancel=cancel,
                checkpoint=robustness_checkpoint().folder(),
            )

        def done(found: Any) -> None:
            from ...robustness.run import with_support

            support = with_support(components, found).support
            told = None
            if session.results().set_support(components, support) is not None:
                keep = self.work.recovery

                def put_into(one: Any) -> None:
                    nonlocal told
                    told = one.set_support(components, support)

                keep.show_results(keep.write_results(put_into), "what stays of the components")
            if told is None:
                show_info("The components were replaced meanwhile; what was found about the old ones is not shown.")
                return
            self.result, self._of = found, told
            session.components_changed.emit()

        job = self.work.jobs.start("What stays of the components", run, done)
        self.bar.watch(job)
        return job

    def show_for(self, components: Components, colours: Any) -> str:
        """Show what there is for these components; return it in short."""
        self.table.set_colours(colours)
        self.run_button.setEnabled(self.work.session.cohort is not None)
        known = self.result if self._of is components else None
        self.page_button.setVisible(known is not None)
        rows = known.support.to_dict(orient="records") if known is not None else _kept_rows(components)
        self.table.setVisible(bool(rows))
        self.table.rows_model.set_rows(rows)
        if known is not None:
            self.note.setText("\n".join([*known.sentences(), *known.notes]))
        elif rows:
            self.note.setText("As it was computed before this session was saved; compute it again for the page.")
        else:
            self.note.setText(
                NONE if self.work.session.cohort is not None else "Needs the cohort: open its recordings."
            )
        if not rows:
            return "not computed"
        sure = sum(r["bootstrap"] >= 0.8 for r in rows)
        return f"{sure} of {len(rows)} come back in 80 % of bootstraps"

    def save(self) -> None:
        """Ask for a folder and write tables, figures and page there."""
        folder = QFileDialog.getExistingDirectory(self, "Folder for the robustness page")
        if folder:
            self.write(Path(folder))

    def write(self, folder: Path) -> Any | None:
        """Write tables, figures and page into a folder, in the background."""
        result = self.result
        if result is None:
            return None

        def run(progress: Any, cancel: Any) -> Any:
            from ...report.robustness import write_robustness

            return write_robustness(result, folder)

        return self.work.jobs.start("Save the robustness page", run, lambda paths: show_info(f"Wrote {paths[-1]}."))

    def _picked(self) -> None:
        rows = self.table.chosen()
        if rows and not self.table.quiet:
            self.chosen.emit(int(rows[0]["component"]))


def _kept_rows(components: Components) -> list[dict[str, Any]]:
    """Rows from what the components themselves carry, of an earlier run."""
    support = components.support
    if support is None or "bootstrap" not in support or not np.isfinite(support["bootstrap"].astype(float)).any():
        return []
    keep = [f"{c}{end}" for c in ("bootstrap", "left_out") for end in ("", "_low", "_high")]
    rows = support[keep].astype(float).to_dict(orient="records")
    return [r | {"component": int(n), "chance_match": float("nan")} for n, r in zip(support.index, rows, strict=True)]


def _share(values: dict[str, Any], key: str) -> str:
    share = values.get(key, float("nan"))
    if not np.isfinite(share):
        return ""
    return f"{100 * share:.0f} ({100 * values[f'{key}_low']:.0f}–{100 * values[f'{key}_high']:.0f}) %"
