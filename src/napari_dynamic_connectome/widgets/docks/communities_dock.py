"""Communities of a component: level, table, matrix, and what the selected one is."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QCheckBox, QComboBox, QSlider, QSpinBox, QSplitter, QVBoxLayout, QWidget

from ...display.highlights import component_windows, selected_worms
from ...display.palette import Style
from ...display.scene import COLOR_BY, ColorBy, pair_factors, shown_styles
from ...model.results import Communities, Components
from ..qt.controls import Fold, button, label, row
from ..qt.theme import swatch
from ..views.colour_by import WORDS, ColourBy
from ..views.column_limits import ColumnLimits
from ..views.community_table import NARROW, CommunityTable, community_rows, p_text
from ..views.matrix_view import MatrixView
from ..workspace.hover import watch
from .base import Dock
from .connectome_panel import ConnectomePanel
from .tests_panel import TestsPanel

ORDER = 70
JOIN = "\u2060"
NAMED = 8
"""Neurons that are named in one line of facts."""
"""Keeps what stands beside it on one line."""
TIPS = {
    "community": "Every community in its colour.",
    "strength": "How strongly the component is active at the shown time, neuron by neuron.",
    "probability": "Opacity: probability that the neuron belongs to its community.",
    "activity": "The neuron's own trace at the shown time.",
    "naming": "Named, doubtful (amber) and unnamed neurons.",
}


class CommunitiesDock(Dock):
    """Communities of the chosen component."""

    title = "Communities"
    place = "lower"
    shows_results = True
    follows = ("Analyze", "Find communities", "Redo")

    def build(self, layout: QVBoxLayout) -> None:
        self.empty = label("No communities yet. Press Analyze in the Cohort dock.", "empty")
        layout.addWidget(self.empty, 1)
        self.find_button = button(
            "Find communities", self.find_communities, "Find the communities of these components, in the background."
        )
        layout.addWidget(self.find_button)
        self.body = QWidget()
        layout.addWidget(self.body, 1)
        inner = QVBoxLayout(self.body)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(6)
        self._build_choice(inner)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setChildrenCollapsible(False)
        inner.addWidget(self.split, 1)
        self.table = CommunityTable()
        self.table.selectionModel().selectionChanged.connect(lambda *_: self._chosen())
        # also of the one that is chosen: its neurons come first again
        self.table.clicked.connect(lambda *_: self._chosen())
        self.table.installEventFilter(self)
        self.split.addWidget(self.table)
        self.split.addWidget(self._build_matrix())
        self.split.setStretchFactor(0, 2)
        self.split.setStretchFactor(1, 3)
        self.split.splitterMoved.connect(lambda *_: setattr(self, "_split_by_hand", True))
        self._split_by_hand = False
        self._state: tuple[Any, ...] = ()
        self._narrow = False
        self.display_fold = Fold("3D display", self._build_display())
        inner.addWidget(self.display_fold)
        self.connectome = ConnectomePanel(self.work)
        self.connectome_fold = Fold("Connectome", self.connectome)
        inner.addWidget(self.connectome_fold)
        self.tests = TestsPanel(self.work, lambda: self.connectome.networks)
        self.tests_fold = Fold("What to test next", self.tests)
        inner.addWidget(self.tests_fold)
        self.significance = label("", "secondary", wrap=True)
        self.significance_fold = Fold("Significance", self.significance)
        inner.addWidget(self.significance_fold)
        self._rows: list[dict[str, Any]] = []

    def _build_choice(self, inner: QVBoxLayout) -> None:
        """What was found, and which of it is shown: colours, kind, level."""
        self.answer = label("", "head", wrap=True)
        self.answer.setToolTip("What was found in this component; the other kind of communities is one click away.")
        inner.addWidget(self.answer)
        self.color_buttons = {
            key: button(
                WORDS[key],
                partial(self._color_by, key),
                f"{TIPS[key]} Default: community.",
                checkable=True,
            )
            for key in COLOR_BY
        }
        for one in self.color_buttons.values():
            one.setObjectName("tight")
        inner.addLayout(row(*self.color_buttons.values(), None, spacing=2))
        self.kind = QComboBox()
        self.kind.addItem("core", "core")
        self.kind.addItem("modules", "modules")
        self.kind.setToolTip(
            "core: who takes part, and how strongly. modules: structure beyond strength. Default: core."
        )
        self.kind.activated.connect(lambda *_: self.session.select(kind=self.kind.currentData()))
        self.level = QSlider(Qt.Orientation.Horizontal)
        self.level.setToolTip(
            "From few large communities to many small ones; children are shades of their parent. Default: the level that the rule picks."
        )
        self.level.setAccessibleName("level")
        self.level.setPageStep(1)
        self.level.valueChanged.connect(self._level_moved)
        self.fewest, self.most = label("", "secondary"), label("", "secondary")
        self.fewest.setFixedWidth(18)
        self.most.setFixedWidth(18)
        self.level_head, self.level_text = label("Level", "head"), label("", "head")
        level_row = row(self.kind, self.level_head, self.fewest, self.most, self.level_text)
        level_row.insertWidget(3, self.level, 1)
        inner.addLayout(level_row)

    def _build_matrix(self) -> QWidget:
        """The matrix, and beside it who is chosen."""
        lower = QWidget()
        below = QVBoxLayout(lower)
        below.setContentsMargins(0, 0, 0, 0)
        below.setSpacing(4)
        self.matrix = MatrixView()
        self.matrix.clicked.connect(lambda group: self.session.select(community=group, neurons=()))
        self._watch_matrix()
        below.addLayout(self.matrix.heading)
        self.inspector = QWidget()
        self.inspector.setFixedWidth(164)
        side = QVBoxLayout(self.inspector)
        side.setContentsMargins(6, 0, 0, 0)
        side.setSpacing(3)
        self.who_icon, self.who = label(""), label("", "head")
        self.who_icon.setFixedWidth(14)
        side.addLayout(row(self.who_icon, self.who, None))
        self.facts = label("", "", wrap=True)
        self.facts.setTextFormat(Qt.TextFormat.RichText)
        side.addWidget(self.facts)
        side.addStretch(1)
        self.copy_names = button("Copy names", self._copy, "Copy the members' names to the clipboard.")
        self.show_all = button(
            "Show all", lambda: self.session.select(community=None), "Light all communities again (Escape)."
        )
        side.addWidget(self.copy_names)
        side.addWidget(self.show_all)
        side_by_side = row(spacing=4)
        side_by_side.addWidget(self.matrix, 1)
        side_by_side.addWidget(self.inspector)
        below.addLayout(side_by_side, 1)
        return lower

    def _build_display(self) -> QWidget:
        """What the 3D view shows of the communities."""
        self.names_check, self.edges_check, self.edge_count = QCheckBox("names"), QCheckBox("edges"), QSpinBox()
        self.legend_check = QCheckBox("legend")
        self.legend_check.setToolTip("Key of the colours in the canvas. Default: yes.")
        self.legend_check.setChecked(True)
        self.legend_check.toggled.connect(lambda on: self.work.view.set(legend=on))
        self.names_check.setToolTip("Names of the selected community in 3D. Default: yes.")
        self.edges_check.setToolTip("Strongest pairs of the selected community as lines in 3D. Default: yes.")
        self.edge_count.setRange(1, 500)
        self.edge_count.setValue(self.work.view.edge_count)
        self.edge_count.setToolTip("Number of lines. Default: 24.")
        self.names_check.setChecked(True)
        self.edges_check.setChecked(True)
        self.names_check.toggled.connect(lambda on: self.work.view.set(names=on))
        self.edges_check.toggled.connect(lambda on: self.work.view.set(edges=on))
        self.edge_count.valueChanged.connect(lambda n: self.work.view.set(edge_count=n))
        self.again = button(
            "Show layers again",
            lambda: self.work.scene.show_again(),
            "Bring back layers of the overlay that were removed.",
        )
        self.compare = button(
            "Compare worms…", self._compare, "Two worms or two components side by side, cameras linked."
        )
        display = QWidget()
        lines = QVBoxLayout(display)
        lines.setContentsMargins(0, 0, 0, 0)
        lines.setSpacing(4)
        lines.addLayout(row(self.names_check, self.edges_check, self.edge_count, self.legend_check, None))
        self.colour_by = ColourBy(self.work)
        lines.addLayout(row(label("Colour", "head"), self.colour_by))
        self.limits = ColumnLimits(self.work)
        lines.addWidget(self.limits)
        lines.addLayout(row(self.again, self.compare, None))
        return display

    def _watch_matrix(self) -> None:
        """Card of the neuron whose row is under the mouse, beside that of the column."""
        reference, hover = weakref.ref(self.matrix), self.work.hover

        def find(place: Any) -> Any:
            matrix = reference()
            cell = None if matrix is None else matrix.cell_at(place)
            if matrix is None or cell is None:
                return None
            one, other = (matrix.names[i] for i in cell)
            value = matrix.values[cell]
            said = "not observed together" if value != value else f"pair factor {value:.3g}"
            notes = (f"{one} – {other}: {said}",) if one != other else ()
            return hover.here(one), hover.here(other) if one != other else "", notes

        def light(matrix: Any, neuron: str) -> None:
            here = hover.all_here(matrix.names) if neuron else ()
            matrix.mark([i for i, n in enumerate(here) if n == neuron])

        watch(hover, self.matrix.plot.viewport(), find)
        hover.follow(self.matrix, light)

    # --- showing ----------------------------------------------------------------------------------------------------

    def refresh(self, topics: set[str]) -> None:
        communities, components = self.session.shown_communities, self.session.components
        missing = communities is None or components is None
        self.empty.setVisible(missing)
        self.body.setVisible(not missing)
        running = bool(self.work.jobs.running)
        nothing = found_nothing(self.session)
        self.empty.setText(
            nothing_text(self.session.sweep)
            if nothing
            else "No communities yet. Press Analyze in the Cohort dock."
            if components is None
            else "Finding the communities of these components …"
            if running
            else "These components have no communities yet."
        )
        self.find_button.setVisible(components is not None and not nothing and communities is None and not running)
        for key, one in self.color_buttons.items():
            one.setChecked(self.work.view.color_by == key)
        if topics - {"time", "history", "jobs"}:
            self.colour_by.fill()
            self.limits.show_column(self.colours)
        if communities is None or components is None:
            return
        if topics - {"time", "history", "jobs", "neurons"}:
            chosen = self.session.selection
            view = self.work.view
            state = (
                *(
                    communities,
                    components,
                    self.session.cohort,
                    self.session.current,
                    *self.session.communities.values(),
                ),
                *(chosen.component, chosen.kind, chosen.level, chosen.community),
                *(self.colours, self._narrow, view.names, view.edges, view.edge_count),
                *(view.network, self.connectome.found, self.tests.found),
            )
            # Choosing a neuron, for example, changes nothing here.
            if len(state) != len(self._state) or any(
                a is not b and a != b for a, b in zip(state, self._state, strict=True)
            ):
                self._state = state
                self._show(communities, components)

    def _show(self, communities: Communities, components: Components) -> None:
        selection = self.session.selection
        level = min(selection.level, communities.n_levels - 1)
        counts = [len(communities.sizes(i)) for i in range(communities.n_levels)]
        self.level.blockSignals(True)
        # Left is coarse: the slider runs against the numbers of the levels.
        self.level.setRange(0, communities.n_levels - 1)
        self.level.setValue(communities.n_levels - 1 - level)
        self.level.setEnabled(communities.n_levels > 1)
        self.level.blockSignals(False)
        self.fewest.setText(str(counts[-1]))
        self.most.setText(str(counts[0]))
        unit = "" if self._narrow else " community" if counts[level] == 1 else " communities"
        self.level_text.setText(f"{counts[level]}{unit}")
        self.level_text.setToolTip(f"{counts[level]} communities at this level")
        self.kind.setCurrentIndex(max(self.kind.findData(selection.kind), 0))
        self.answer.setText(communities.with_unasked(communities.answer, components))
        self.answer.setVisible(bool(communities.answer))
        look = shown_styles(self.session, self.colours.dark)
        self._show_table(communities, level, look)
        number = min(selection.component, components.rank)
        view = self.work.view
        self.matrix.show_component(
            components, number, communities, level, look, selection.community, self.colours, view.network
        )
        self.connectome_fold.summary.setText(self.connectome.show_for(components, number))
        self._show_facts(communities, components, level, look)
        self.display_fold.summary.setText(
            f"{'names' if view.names else 'no names'}, {view.edge_count if view.edges else 'no'} edges"
        )
        self.tests_fold.summary.setText(self.tests.show_for(components, self.colours))
        self._show_significance(communities)
        self._share_height()

    def _share_height(self) -> None:
        """Show all rows of the table if the matrix keeps enough room, unless the user has moved the splitter."""
        room = sum(self.split.sizes())
        if self._split_by_hand or room <= 0:
            return
        wanted = max(self.table.wanted_height, 26 + 20 * 3)
        table = int(np.clip(wanted, 90, max(room - (250 if room > 420 else 170), 90)))
        if abs(self.split.sizes()[0] - table) > 2:
            self.split.setSizes([table, room - table])

    def _show_table(self, communities: Communities, level: int, look: dict[int, Style]) -> None:
        self._rows = community_rows(communities, level, look, self.session.selection.community, self.colours.dark)
        self.table.set_colours(self.colours)
        self.table.set_rows(self._rows)
        self.table.choose([i for i, r in enumerate(self._rows) if r["chosen"]])

    def _show_facts(self, communities: Communities, components: Components, level: int, look: dict[int, Style]) -> None:
        chosen = self.session.selection.community
        self.copy_names.setEnabled(chosen is not None)
        self.show_all.setEnabled(chosen is not None)
        muted = self.colours.secondary
        if chosen is None or chosen not in look:
            self.who_icon.clear()
            self.who.setText("None chosen")
            self.facts.setText(
                f'<span style="color:{muted}">Choose one in the table, in the matrix, or with the keys Up and Down.</span>'
            )
            return
        style = look[chosen]
        self.who_icon.setPixmap(swatch(style.color, self.colours.dark).pixmap(11, 11))
        self.who.setText(style.label)
        members = communities.members(chosen, level)
        number = min(self.session.selection.component, components.rank)
        place = {n: i for i, n in enumerate(components.neurons)}
        inside = np.array([place[m] for m in members if m in place], int)
        values = pair_factors(components, number)
        others = np.setdiff1d(np.arange(len(values)), inside)
        upper = np.triu_indices(len(inside), 1)
        within = _mean(values[np.ix_(inside, inside)][upper])
        without = _mean(values[np.ix_(inside, others)])
        lines = [
            ("neurons", str(len(members))),
            ("worms", self._worms_with()),
            ("active", self._active(components, number)),
            ("in / out", f"{_short(within)} / {_short(without)}"),
            *_claim_lines(communities, chosen, level),
        ]
        pairs = _strongest(components.neurons, values, inside)
        body = "".join(f'<tr><td style="color:{muted}">{k}&nbsp;&nbsp;</td><td>{v}</td></tr>' for k, v in lines)
        body += "".join(
            f'<tr><td>{a}{JOIN}–{JOIN}{b}&nbsp;</td><td align="right">{v:.3g}</td></tr>' for v, a, b in pairs
        )
        self.facts.setText(f'<table cellspacing="1">{body}</table>')

    def _worms_with(self) -> str:
        """How many worms have at least half of the members; their names are in the tooltip."""
        highlights = selected_worms(self.session)
        part = [m for m in highlights if m.takes_part]
        self.facts.setToolTip("\n".join(f"{m.worm}: {m.present} of {m.members} neurons" for m in highlights))
        return f"{len(part)} of {len(highlights)}" if highlights else "–"

    def _active(self, components: Components, number: int) -> str:
        """Time window in which the component is above half of its peak."""
        windows = component_windows(self.session, number)
        if not windows:
            return "–"
        more = f" +{len(windows) - 1}" if len(windows) > 1 else ""
        return f"{windows[0][0]:.0f}–{windows[0][1]:.0f} s{more}"

    def _show_significance(self, communities: Communities) -> None:
        table = communities.significance
        lines = [communities.rule] if communities.rule else []
        if table is None:
            self.significance_fold.summary.setText("not tested")
        else:
            one = table.attrs.get("p_more_than_one")
            # One community may depart from chance, too: the rule below says how.
            claim = "more than one community" if communities.n_levels > 1 else "departs from chance"
            claim = "smallest" if communities.claims is not None else claim
            self.significance_fold.summary.setText(f"{claim}: p = {one:.3f}" if one is not None else "tested")
        lines.append(f"method: {communities.method}, description length {communities.description_length:.0f} nats")
        self.significance.setText("\n".join(lines))

    # --- actions ----------------------------------------------------------------------------------------------------

    def _level_moved(self, value: int) -> None:
        communities = self.session.shown_communities
        if communities is None:
            return
        level, old = communities.n_levels - 1 - value, self.session.selection
        # The selected community stays selected as the one that holds (or continues) it.
        community = None
        if old.community is not None:
            before = communities.labels.isel(level=min(old.level, communities.n_levels - 1)).values
            after = communities.labels.isel(level=level).values[before == old.community]
            after = after[after >= 0]
            community = int(np.bincount(after).argmax()) if len(after) else None
        self.session.select(level=level, community=community)

    def _chosen(self) -> None:
        if self.table.quiet:
            return
        rows = self.table.chosen()
        if rows:
            self.session.select(community=rows[0]["community"], neurons=())
            if self.work.view.color_by in ("naming", "state"):
                self.work.view.set(color_by="community")

    def eventFilter(self, watched: Any, event: Any) -> bool:
        if watched is self.table and event.type() == event.Type.KeyPress and event.key() == Qt.Key.Key_Escape:
            self.table.choose([])
            self.session.select(community=None)
            return True
        return super().eventFilter(watched, event)

    def _copy(self) -> None:
        rows = [r for r in self._rows if r["chosen"]]
        if rows:
            QApplication.clipboard().setText(rows[0]["all"])

    def _color_by(self, key: ColorBy) -> None:
        self.work.view.set(color_by=key)

    def find_communities(self) -> Any | None:
        """Find the communities of the components of the session, for example of one that was saved before they were found."""
        components, values = self.session.components, dict(self.session.settings)
        if components is None:
            return None
        cohort = self.session.cohort

        def run(progress: Any, cancel: Any) -> Any:
            from ...pipeline.partition import partition
            from ...pipeline.settings import PipelineSettings

            own = PipelineSettings.parse(values)
            found = partition(components, own, progress=progress, cancel=cancel, cohort=cohort)
            return found, self.work.recovery.write_results(lambda s: s.set_communities(found))

        def done(result: Any) -> None:
            found, written = result
            if self.session.components is components:
                self.work.by_rank[components.rank] = dict(found)
                self.work.recovery.show_results(written, "find communities")

        job = self.work.jobs.start("Find communities", run, done)
        self.bar.watch(job)
        return job

    def _compare(self) -> None:
        from ..workspace.compare import open_compare

        open_compare(self.work)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._narrow = narrow = self.width() <= NARROW
        self.inspector.setVisible(not narrow)
        self.table.fit(self.width())
        self.matrix.text.setVisible(not narrow)
        self.kind.setMaximumWidth(76 if narrow else 90)
        self.level_head.setVisible(not narrow)
        self.level.setMinimumWidth(60)
        self.mark("view")


def found_nothing(session: Any) -> bool:
    """Whether an analysis was made that found no component beyond chance."""
    components, sweep = session.components, session.sweep
    if components is not None:
        return bool(components.rank == 0)
    return sweep is not None and sweep.suggested == 0


def nothing_text(sweep: Any) -> str:
    """What is said where no component exceeds chance."""
    reason = sweep.reason if sweep is not None else ""
    if reason.lower().startswith("no structure beyond chance"):
        return str(reason)
    return f"No structure beyond chance. {reason}".strip()


def _claim_lines(communities: Communities, chosen: int, level: int) -> list[tuple[str, str]]:
    """Lines of the claimed community: corrected p, and how much stronger its inside is."""
    claims = communities.claims
    if claims is None or chosen not in claims.index or level != communities.chosen_level:
        return []
    row = claims.loc[chosen]
    interval = f" ({row['ratio_low']:.1f} to {row['ratio_high']:.1f})" if row["ratio_low"] == row["ratio_low"] else ""
    lines = [("corrected p", p_text(float(row["q_value"]))), ("inside", f"{row['ratio']:.1f} x outside{interval}")]
    if np.isfinite(row.get("side_of", np.nan)):
        lines.append(("two sides of one group", f"p {p_text(float(row['p_sides']))}"))
    if row.get("opposed", ""):
        names = row["opposed"].split()
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        lines.append(("move against it", f"{' '.join(names[:NAMED])}{more} (p {p_text(float(row['p_opposed']))})"))
    return lines


def _short(value: float) -> str:
    return "–" if value != value else f"{value:.2g}"


def _strongest(
    names: Sequence[str], values: np.ndarray, inside: np.ndarray, most: int = 5
) -> list[tuple[float, str, str]]:
    """Largest of the finite values (N, N) between neurons (their places): value and both names, the largest first."""
    rows, columns = inside[np.triu_indices(len(inside), 1)[0]], inside[np.triu_indices(len(inside), 1)[1]]
    found = values[rows, columns]
    rows, columns, found = (one[np.isfinite(found)] for one in (rows, columns, found))
    if len(found) > most:  # equal values are told apart by names
        large = found >= np.partition(found, -most)[-most]
        rows, columns, found = rows[large], columns[large], found[large]
    pairs = zip(found.tolist(), rows.tolist(), columns.tolist(), strict=True)
    return sorted(((v, names[a], names[b]) for v, a, b in pairs), reverse=True)[:most]


def _mean(values: np.ndarray) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
