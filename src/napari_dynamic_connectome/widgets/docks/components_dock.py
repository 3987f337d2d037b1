"""Components: how many, and what each one is: time course over the stimuli, worms, strongest pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtWidgets import QComboBox, QGridLayout, QVBoxLayout, QWidget

from ...display.chance import pair_p_value
from ...display.highlights import course_of, selected_worms
from ...model.evidence import background_words
from ...model.results import Components
from ...session.freshness import present_neurons
from ..qt.controls import Fold, label, row
from ..qt.table_view import Column, Table
from ..views.affinity_preview import AffinityPreview
from ..views.chance_view import ChanceView
from ..views.community_table import p_text
from ..views.component_card import Card
from ..views.match_view import MatchView
from ..views.robustness_view import RobustnessView
from ..views.sweep_view import SweepView
from ..views.worms_view import WormsView
from ..workspace.hover import watch_table
from .base import Dock
from .communities_dock import found_nothing, nothing_text
from .opinions_panel import OpinionsPanel

ORDER = 60


class ComponentsDock(Dock):
    """Rank and components."""

    title = "Components"
    shows_results = True
    follows = ("Analyze", "Redo")

    def build(self, layout: QVBoxLayout) -> None:
        self.empty = label("No components yet. Press Analyze in the Cohort dock.", "empty")
        layout.addWidget(self.empty)
        self.rank = QComboBox()
        self.rank.setToolTip("Number of components. Default: the one that the sweep suggests.")
        self.rank.setAccessibleName("number of components")
        self.rank.setMinimumContentsLength(11)
        self.rank.activated.connect(lambda *_: self.choose_rank(self.rank.currentData()))
        self.stats = label("", "secondary")
        head = QWidget()
        head.setLayout(row(label("Rank", "head"), self.rank, self.stats))
        self.grid_box = QWidget()
        self.grid = QGridLayout(self.grid_box)
        self.grid.setContentsMargins(0, 0, 0, 0)
        self.grid.setSpacing(6)
        self.legend = label("", "secondary", wrap=True)
        self.cards: list[Card] = []
        self.sweep_view = SweepView()
        self.sweep_view.chosen.connect(self.choose_rank)
        self.sweep_fold = Fold("Rank sweep", self.sweep_view)
        self.worms_view = WormsView(self.work)
        self.worms_fold = Fold("Worm by worm", self.worms_view)
        self.worms_fold.head.toggled.connect(lambda on: self._show_worms() if on else None)
        self.pairs = Table(
            [
                Column("pair", lambda r: f"{r['a']} – {r['b']}", 0),
                Column("strength", lambda r: f"{r['value']:.3g}", 110, bar=lambda r: r["relative"]),
                Column(
                    "p",
                    lambda r: "" if r["p"] is None else f"{r['p']:.2g}",
                    52,
                    right=True,
                    tip="Surrogate components that have any pair as strong: (1 + as strong) / (1 + all).",
                ),
            ]
        )
        self.pairs.setFixedHeight(150)
        self.pairs.setToolTip(
            "Pairs of neurons with the largest factors. Choose one to see both neurons and their affinity."
        )
        self.pairs.selectionModel().selectionChanged.connect(lambda *_: self._pair_chosen())
        hover = self.work.hover
        watch_table(
            hover, self.pairs, lambda r: (hover.here(r["a"]), hover.here(r["b"]), (f"pair factor {r['value']:.3g}",))
        )
        self.pairs_fold = Fold("Strongest pairs", self.pairs)
        self.chance = ChanceView(self.work)
        self.chance_fold = Fold("Chance", self.chance, summary="not computed")
        self.robustness = RobustnessView(self.work)
        self.robustness.chosen.connect(lambda number: self.session.select(component=number))
        self.robustness_fold = Fold("Robustness", self.robustness, summary="not computed")
        self.opinions = OpinionsPanel(self.work)
        self.opinions_fold = Fold("Other methods", self.opinions, summary="not computed")
        self.preview = AffinityPreview(self.work)
        self.preview.edited.connect(self._affinity_edited)
        self.preview_fold = Fold("Affinity of two neurons", self.preview)
        self.match = MatchView(self.work)
        self.match.chosen.connect(lambda number: self.session.select(component=number))
        self.match_fold = Fold("Match to another fit", self.match)
        self.results = (
            head,
            self.grid_box,
            self.legend,
            self.sweep_fold,
            self.worms_fold,
            self.pairs_fold,
            self.chance_fold,
            self.robustness_fold,
            self.opinions_fold,
            self.match_fold,
        )
        for widget in (*self.results[:9], self.preview_fold, self.match_fold):
            layout.addWidget(widget)
        layout.addStretch(1)
        self._matched: tuple[Any, Any] = (None, None)
        self._pairs_of: tuple[Any, ...] = ()

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        components, recording = self.session.components, self.session.recording
        self.empty.setVisible(components is None)
        for widget in self.results:
            widget.setVisible(components is not None)
        some = recording is not None and recording.n_neurons > 1
        self.preview_fold.setVisible(some)
        self.empty.setText(
            "No components yet. Press Analyze in the Cohort dock; below, see what the affinity makes of two neurons."
            if some
            else "No components yet. Press Analyze in the Cohort dock."
        )
        if topics & {"current", "recordings", "neurons", "theme", "components"}:
            self.preview.colours = self.colours
            self.preview.fill(recording)
            self.preview.later()
        if topics & {"view", "theme"}:
            self._take_affinity()
        if "time" in topics:
            self.preview.set_time(self.session.selection.time_s)
        if found_nothing(self.session):
            self._show_nothing(components)
            return
        if components is None:
            return
        if topics & {"components", "sweep", "current", "theme", "recordings"}:
            self._show_rank(components)
            self._show_cards(components)
            self._show_sweep(components)
        if topics & {"selection", "communities", "components", "time", "current", "theme"}:
            self._mark_cards(components)
        if topics & {"selection", "components", "theme"}:
            self._show_pairs(components)
        if topics & {"selection", "components", "current", "theme", "communities"}:
            self._show_worms()
        if topics & {"components", "theme", "jobs", "freshness"}:
            self.opinions_fold.summary.setText(self.opinions.show_for(self.colours))
        if "time" in topics:
            self.worms_view.show_time()

    def _show_nothing(self, components: Components | None) -> None:
        """No structure beyond chance: say so, and show the curves that say so; there is nothing else."""
        self.empty.setText(nothing_text(self.session.sweep))
        self.empty.setVisible(True)
        while self.cards:
            card = self.cards.pop()
            card.setParent(None)
            card.deleteLater()
        for widget in self.results:
            widget.setVisible(False)
        sweep = self.session.sweep
        self.sweep_fold.setVisible(sweep is not None)
        if sweep is not None:
            self.sweep_fold.summary.setText(f"{len(sweep.table)} ranks, none beyond chance")
            self.sweep_view.show_sweep(sweep, 0, self.colours)

    def _mark_cards(self, components: Components) -> None:
        selected = self.session.selection
        worms = [str(w) for w in components.worm["worm"].values]
        highlights = selected_worms(self.session)
        part = (
            frozenset(worms.index(m.worm) for m in highlights if m.takes_part and m.worm in worms)
            if highlights
            else None
        )
        current = self.session.current
        moment = float("nan") if current is None else components.clock_time(current, selected.time_s)
        for card in self.cards:
            card.is_chosen = card.component == selected.component
            card.time = moment if np.isfinite(moment) else None
            card.marked = part if card.is_chosen else None
            card.update()

    def _show_rank(self, components: Components) -> None:
        sweep = self.session.sweep
        self.rank.blockSignals(True)
        self.rank.clear()
        ranks = sorted(sweep.components) if sweep is not None else [components.rank]
        for one in ranks:
            self.rank.addItem(f"{one} (suggested)" if sweep is not None and one == sweep.suggested else str(one), one)
        self.rank.setCurrentIndex(max(self.rank.findData(components.rank), 0))
        self.rank.blockSignals(False)
        parts = [("error", components.error)]
        if sweep is not None:
            line = sweep.table[sweep.table["rank"] == components.rank]
            if len(line):
                parts += [("held-out", line["held_out"].iloc[0]), ("restarts", line["similarity"].iloc[0])]
        self._stats = [(k, float(v)) for k, v in parts if v is not None and np.isfinite(v)]
        self._fit()

    def _show_cards(self, components: Components) -> None:
        while len(self.cards) < components.rank:
            card = Card()
            card.chosen.connect(lambda number: self.session.select(component=number))
            self.cards.append(card)
        while len(self.cards) > components.rank:
            card = self.cards.pop()
            card.setParent(None)
            card.deleteLater()
        columns = 3 if components.rank > 2 else max(components.rank, 1)
        worms = [str(w) for w in components.worm["worm"].values]
        current = self.session.current
        weight = components.weight.values**2
        total = float(weight.sum()) or 1.0
        bands = {clock: self.chance.band(components, current, clock) for clock in set(components.clocks)}
        self.chance_fold.summary.setText(self.chance.show_for(components))
        self.robustness_fold.summary.setText(self.robustness.show_for(components, self.colours))
        for place, card in enumerate(self.cards):
            number = place + 1
            self.grid.addWidget(card, place // columns, place % columns)
            card.component = number
            card.course = course_of(components, number, current)
            card.band = bands[components.clock(number)]
            card.clock = components.clock(number) if components.model == "mixed" else ""
            card.spans = self.worms_view._spans(components)
            card.worms = np.asarray(components.worm.sel(component=number).values, float)
            card.worm_at = worms.index(current) if current in worms else -1
            card.share = float(weight[place] / total)
            card.pair = _strongest(components, number)
            card.colours = self.colours
            how = {"own": " Every worm has its own course.", "common": " One course for all worms."}.get(card.clock, "")
            card.note, spoken = support_words(components, number)
            card.setToolTip(
                f"Component {number}: {card.share:.0%} of the weight.{how} {spoken} Click to choose.".replace("  ", " ")
            )
            card.setAccessibleName(f"component {number}")
        kinds = ["common clock"] if "common" in components.clocks else []
        kinds += [f"own clock of {current if current in worms else worms[0]}"] if "own" in components.clocks else []
        clock = " or ".join(kinds)
        grey = "  ·  grey: by chance" if any(band is not None for band in bands.values()) else ""
        self.legend.setText(f"time course ({clock}) over stimuli{grey}  ·  bars: {len(worms)} worms")
        self._fit()

    def _fit(self) -> None:
        """Small docks keep only the time courses and short numbers."""
        lines = max((len(self.cards) + 2) // 3, 1)
        height = 84 if self.height() >= 62 + 90 * min(lines, 2) else 56
        for card in self.cards:
            card.setFixedHeight(height)
        stats = getattr(self, "_stats", [])
        self.legend.setVisible(height > 60 and bool(self.cards) and self.session.components is not None)
        shown = stats if self.width() > 420 else stats[1:2] or stats[:1]
        self.stats.setText("  ·  ".join(f"{k} {v:.2f}" for k, v in shown))
        self.stats.setToolTip("  ·  ".join(f"{k} {v:.3f}" for k, v in stats))

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._fit()

    def _show_sweep(self, components: Components) -> None:
        sweep = self.session.sweep
        self.sweep_fold.setVisible(sweep is not None)
        if self._matched[0] is not components or self._matched[1] is not sweep:
            self._matched = (components, sweep)
            self.match.fill(sweep, components.rank)
        self.match.table.set_colours(self.colours)
        if sweep is None:
            return
        self.sweep_fold.summary.setText(f"{len(sweep.table)} ranks, {sweep.suggested} suggested")
        self.sweep_view.show_sweep(sweep, components.rank, self.colours)

    def _show_worms(self) -> None:
        components = self.session.components
        if components is None:
            return
        number = min(self.session.selection.component, components.rank)
        loading = components.worm.sel(component=number)
        best = str(loading["worm"].values[int(np.nanargmax(loading.values))])
        self.worms_fold.summary.setText(f"strongest in {best}")
        self.worms_view.component, self.worms_view.colours = number, self.colours
        if self.worms_fold.head.isChecked():
            self.worms_view.wanted(components)
            self.worms_view.draw(components)

    def _show_pairs(self, components: Components) -> None:
        from ...report.component_figures import strongest_pairs

        number = min(self.session.selection.component, components.rank)
        tops = self.chance.tops(components)
        of, now = self._pairs_of, (number, self.colours)
        if of and of[0] is components and of[1] is tops and of[2:] == now:
            return
        self._pairs_of = (components, tops, *now)
        table = strongest_pairs(components, number, 12)
        names = [c for c in table.columns if table[c].dtype == object or str(table[c].dtype).startswith("str")][:2]
        values = next(c for c in table.columns if c not in names and table[c].dtype.kind == "f")
        top = float(table[values].max()) if len(table) else 1.0
        rows = [
            {
                "a": str(a),
                "b": str(b),
                "value": float(v),
                "relative": float(v) / (top or 1.0),
                "p": pair_p_value(float(v), tops) if len(tops) else None,
            }
            for a, b, v in zip(table[names[0]], table[names[1]], table[values], strict=True)
        ]
        self.pairs.set_colours(self.colours)
        self.pairs.rows_model.set_rows(rows)
        self.pairs.setColumnHidden(2, not len(tops))
        self.pairs_fold.summary.setText(f"{rows[0]['a']} – {rows[0]['b']}" if rows else "none")

    def _pair_chosen(self) -> None:
        rows = self.pairs.chosen()
        if rows and not self.pairs.quiet:
            # names of the results: the cells that had them may be called otherwise by now
            pair = present_neurons(self.session, (rows[0]["a"], rows[0]["b"]))
            self.session.select(neurons=pair)
            self.preview.show_pair(*pair)

    # --- affinity preview -------------------------------------------------------------------------------------------

    def _take_affinity(self) -> None:
        """Show the settings that the next analysis will use."""
        wanted = self.work.view.affinity
        if wanted is not None and wanted != self.preview.form.value():
            self.preview.form.set_value(wanted)
            self.preview.later()
        self.preview_fold.summary.setText(self.preview.form.summary())

    def _affinity_edited(self) -> None:
        from ...model.errors import SettingsError

        try:
            value = self.preview.form.value()
            self.work.view.set(affinity=value)
            self.work.up_to_date.want("affinity", value.model_dump(mode="json"))
        except SettingsError as error:
            self.preview_fold.summary.setText(str(error))

    # --- actions ----------------------------------------------------------------------------------------------------

    def choose_rank(self, rank: int) -> Any | None:
        """Use another rank of the sweep; communities are found for it in the background."""
        sweep, old = self.session.sweep, self.session.components
        if sweep is None or rank not in sweep.components or (old is not None and rank == old.rank):
            return None
        components = self.session.choose_rank(rank)
        known = self.work.by_rank.get(rank)
        values, cohort = self.session.settings, self.session.cohort

        def run(progress: Any, cancel: Any) -> Any:
            from ...pipeline.partition import partition
            from ...pipeline.settings import PipelineSettings

            own = PipelineSettings.parse(values)
            found = known or partition(components, own, progress=progress, cancel=cancel, cohort=cohort)
            return found, self.work.recovery.write_results(lambda s: s.set_communities(found))

        def done(result: Any) -> None:
            found, written = result
            self.work.by_rank[rank] = dict(found)
            if self.session.components is components:
                self.work.recovery.show_results(written, f"communities of rank {rank}")

        return self.work.jobs.start(f"Communities of rank {rank}", run, done, quiet=known is not None)


def support_words(components: Components, number: int) -> tuple[str, str]:
    """What speaks for a component: a word or two for its card, and sentences for its tooltip."""
    support = components.support
    if support is None or number not in support.index:
        return "", ""
    row = support.loc[number]
    background = bool(row["background"])
    parts = [f"Background: {background_words(row)}." if background else ""]
    p = float(row["p_value"])
    if np.isfinite(p):
        parts.append(f"p {p_text(p)} against surrogate cohorts, over all components.")
    if np.isfinite(row["worms"]):
        parts.append(f"Carried by {int(row['worms'])} of {int(row['worms_in_all'])} worms.")
    for key, what in (("bootstrap", "bootstraps over worms"), ("left_out", "left-out worms")):
        if np.isfinite(row[key]):
            parts.append(
                f"Comes back in {row[key]:.0%} of {what} ({row[f'{key}_low']:.0%} to {row[f'{key}_high']:.0%})."
            )
    beware = components.beware(number)
    if beware:
        parts.append(f"{beware[:1].upper()}{beware[1:]}.".replace("..", "."))
    short = "background" if background else f"p {p_text(p)}" if np.isfinite(p) else ""
    return f"{short} !" if beware and short else short, " ".join(x for x in parts if x)


def _strongest(components: Components, number: int) -> str:
    matrix = np.nan_to_num(components.matrix(number).values)
    place = np.unravel_index(int(np.argmax(np.triu(matrix, 1))), matrix.shape)
    return f"{components.neurons[place[0]]}–{components.neurons[place[1]]}"
