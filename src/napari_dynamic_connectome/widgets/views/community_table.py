"""The table of communities: members, size, probability, p value, left/right pairs that are together.

Members that do not fit beside the numbers stand below them, over the whole width of the table: three lines of them, all of the chosen one.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from qtpy.QtCore import QModelIndex, QRect, Qt
from qtpy.QtGui import QFont, QFontMetrics, QPainter
from qtpy.QtWidgets import QStyle

from ...display.palette import UNASSIGNED, Style
from ...model.neurons import info, left_right_pairs
from ...model.results import Communities
from ..qt.table_view import BarDelegate, Column, Table
from ..qt.theme import swatch

NARROW = 390
"""Width in pixels up to which a dock shows less."""
ROW = 20
"""Height in pixels of what stands beside the numbers."""
INDENT = 20
"""Of the lines of members, so that they stand under the name of their community."""
FEWEST_LINES = 3
"""Lines of members of a community that is not chosen."""
_MEMBERS = 1
CELL_PAD, ICON = 10, 22
"""Pixels of a cell around its text, and those of an icon."""


class CommunityTable(Table):
    """Communities of one level."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("id", lambda r: r["label"], 84, icon=lambda r: r["icon"], bold=lambda r: r["chosen"]),
                Column("", lambda r: _joined(r["members"]), 0, muted=True),
                Column("n", lambda r: str(r["size"]), 30, right=True, tip="Neurons."),
                Column(
                    "probability",
                    lambda r: "" if r["probability"] != r["probability"] else f"{r['probability']:.2f}",
                    96,
                    bar=lambda r: r["probability"],
                    tip="Mean probability that the members belong here.",
                ),
                Column(
                    "p",
                    lambda r: p_text(r["p"]),
                    52,
                    right=True,
                    tip="Corrected p value: that surrogate cohorts hold a group as strong, over all components, kinds and communities. "
                    "For graphs of their own, that of being separate from the community that suits it best.",
                ),
                Column(
                    "L/R",
                    lambda r: r["lr"],
                    54,
                    right=True,
                    tip="Left/right pairs together, of those that touch the community.",
                ),
            ]
        )
        self.delegate = MembersDelegate(self)
        self.setItemDelegate(self.delegate)
        self._least: dict[int, int] = {}
        """Widths of columns, where the texts need no more."""
        self.below: dict[int, list[str]] = {}
        """Lines of members below the numbers, by row; none for rows in which the members fit."""
        self.setMinimumHeight(90)
        self.rows_model.row_tip = lambda r: f"Community {r['label']}\n{r['all']}{r['tip']}"
        self.setToolTip("Choose a community: it lights up in 3D, its traces come first. Escape shows all.")

    def fit(self, width: int) -> None:
        """Fit the columns into a dock; `width` in pixels."""
        narrow = width <= NARROW
        self._least = {
            column: less if narrow else wide
            for column, wide, less in ((0, 84, 46), (2, 30, 30), (3, 96, 78), (4, 52, 40), (5, 54, 54))
        }
        self.setColumnHidden(5, width < 340)
        self._arrange()

    def set_rows(self, rows: Sequence[Any]) -> None:
        """Show these rows (see `community_rows`)."""
        self.rows_model.set_rows(rows)
        self._arrange()

    @property
    def wanted_height(self) -> int:
        """Height in pixels in which all rows are seen."""
        return 26 + sum(int(self.rowHeight(i)) for i in range(len(self.rows_model.rows)))

    def _arrange(self) -> None:
        """Break the members into lines, and give every row its height."""
        metrics = self.fontMetrics()
        self._widen()
        beside, whole = self.columnWidth(_MEMBERS) - 8, self.viewport().width() - INDENT - 4
        self.below = {}
        for place, line in enumerate(self.rows_model.rows):
            names = line["members"]
            if metrics.horizontalAdvance(_joined(names)) > beside:
                words = [f"{n}," for n in names[:-1]] + names[-1:] if _spaced(names) else names
                most = None if line["chosen"] else FEWEST_LINES
                self.below[place] = broken(words, metrics.horizontalAdvance, whole, most)
            height = ROW + len(self.below.get(place, ())) * _line_height(metrics)
            if self.rowHeight(place) != height:
                self.setRowHeight(place, height)
        self.viewport().update()

    def _widen(self) -> None:
        """Give numbers and labels the room that they need: a count of three digits is wider than one of two."""
        bold = QFont(self.font())
        bold.setBold(True)
        metrics = QFontMetrics(bold)
        for column, least in self._least.items():
            look = self.rows_model.columns[column]
            if look.bar is None:
                texts = (metrics.horizontalAdvance(look.text(line)) for line in self.rows_model.rows)
                least = max(least, max(texts, default=0) + CELL_PAD + (ICON if look.icon else 0))
            if self.columnWidth(column) != least:
                self.setColumnWidth(column, least)
        # Qt does not always give the column of the members what the others leave
        others = sum(self.columnWidth(i) for i in range(len(self.rows_model.columns)) if i != _MEMBERS)
        self.horizontalHeader().resizeSection(_MEMBERS, max(self.viewport().width() - others, 16))

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._arrange()

    def paintEvent(self, event: Any) -> None:
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        painter.setFont(self.font())
        chosen = {i.row() for i in self.selectionModel().selectedRows()}
        step, width = _line_height(self.fontMetrics()), self.viewport().width()
        for place, lines in self.below.items():
            top = self.rowViewportPosition(place) + ROW
            painter.setPen(self.delegate.text if place in chosen else self.rows_model.muted)
            for number, line in enumerate(lines):
                area = QRect(INDENT, top + number * step - 2, width - INDENT, step)
                painter.drawText(area, int(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter), line)
        painter.end()


class MembersDelegate(BarDelegate):
    """Paints numbers in the uppermost 20 pixels of a row, and no members where these stand below."""

    def paint(self, painter: QPainter, option: Any, index: QModelIndex) -> None:
        below = self.parent().below
        if index.row() in below:
            if option.state & QStyle.StateFlag.State_Selected:
                painter.fillRect(option.rect, self.chosen)
            elif index.row() in self.lit:
                painter.fillRect(option.rect, self.track)
            if index.column() == _MEMBERS:
                return
            option.rect = QRect(option.rect.left(), option.rect.top(), option.rect.width(), ROW)
        super().paint(painter, option, index)


def _line_height(metrics: QFontMetrics) -> int:
    return int(metrics.height()) + 1


def broken(words: Sequence[str], width: Callable[[str], float], room: float, most: int | None = None) -> list[str]:
    """Break words into lines; a word that is longer than a line is broken inside.

    Parameters
    ----------
    words : sequence of str
    width : callable
        Width of a text.
    room : float
        Width of a line.
    most : int, optional
        Most lines; the last one says how many words are not there.

    Examples
    --------
    >>> broken("AVA AVE RIM".split(), len, 7), broken("AVA AVE RIM RIB".split(), len, 7, 1), broken(["abcdefgh"], len, 5)
    (['AVA AVE', 'RIM'], ['AVA +3'], ['abcde', 'fgh'])
    """
    lines: list[str] = []
    ends: list[int] = []
    """How many words are whole at the end of every line."""
    now = ""
    for number, word in enumerate(words):
        while word:
            longer = f"{now} {word}" if now else word
            if width(longer) <= room:
                now, word = longer, ""
                continue
            if not now:
                cut = max(next((k for k in range(len(word), 0, -1) if width(word[:k]) <= room), 1), 1)
                now, word = word[:cut], word[cut:]
            lines.append(now)
            ends.append(number)
            now = ""
    if now:
        lines.append(now)
        ends.append(len(words))
    if most is None or len(lines) <= most:
        return lines
    kept, whole = lines[:most], ends[most - 1]
    while True:
        last = f"{kept[-1]} +{len(words) - whole}".lstrip()
        if width(last) <= room or not kept[-1]:
            return [*kept[:-1], last]
        kept[-1], _, left = kept[-1].rpartition(" ")
        whole -= whole > 0 and words[whole - 1].endswith(left)


def community_rows(
    communities: Communities, level: int, styles: Mapping[int, Style], chosen: int | None, dark: bool
) -> list[dict[str, Any]]:
    """Return the rows of the table: the communities of a level, and what belongs to none."""
    rows: list[dict[str, Any]] = []
    kept = _tables.setdefault(communities, {})
    if level not in kept:
        kept[level] = _known(communities, level)
    for line in kept[level]:
        style, side = styles[line["community"]], line["side"]
        other = "" if side is None else line["side_in"] if line["side_in"] != communities.kind else styles[side].label
        label = f"{style.label} ⇄ {other}" if other else style.label
        what = other if other != line["side_in"] else f"a group of {other}"
        tip = f"\nOne group with {what}: when the one rises, the other falls." if other else ""
        if line["opposed"]:
            label = f"{label} ⇅{len(line['opposed'].split())}"
            tip += f"\n{line['opposed']}: these move against it; when it rises, they fall."
        look = {"label": label, "icon": swatch(style.color, dark), "chosen": line["community"] == chosen, "tip": tip}
        rows.append(line | look)
    none = int((communities.labels.isel(level=level).values < 0).sum())
    if none:
        rows.append(
            {
                "community": None,
                "label": "–",
                "icon": swatch(UNASSIGNED[dark], dark),
                "members": [_rest(communities, level)],
                "all": "",
                "size": none,
                "probability": float("nan"),
                "p": float("nan"),
                "lr": "",
                "chosen": False,
                "side": None,
                "opposed": "",
                "tip": "",
            }
        )
    return rows


def _known(communities: Communities, level: int) -> list[dict[str, Any]]:
    """What does not depend on how communities are shown."""
    pairs = left_right_pairs(communities.neurons)
    rows = []
    for line in communities.table(level).to_dict("records"):
        number = int(line["community"])
        members = communities.members(number, level)
        rows.append(
            {
                "community": number,
                "members": _classes(members),
                "all": " ".join(members),
                "size": line["size"],
                "probability": float(line["probability"]),
                "p": _corrected(communities, number, level, float(line["p_value"])),
                "lr": _pairs_together(members, pairs),
                "side": None if np.isnan(line.get("side_of", np.nan)) else int(line["side_of"]),
                "side_in": line.get("side_in", ""),
                "opposed": line.get("opposed", ""),
            }
        )
    return rows


_tables: weakref.WeakKeyDictionary[Communities, dict[int, list[dict[str, Any]]]] = weakref.WeakKeyDictionary()


def _corrected(communities: Communities, number: int, level: int, plain: float) -> float:
    """P of a claim corrected over all that was tested; the plain one where nothing was corrected."""
    claims = communities.claims
    if claims is None or level != communities.chosen_level or number not in claims.index:
        return plain
    return float(claims.loc[number, "q_value"])


def _rest(communities: Communities, level: int) -> str:
    """What the neurons in no community are, with their numbers."""
    if communities.state is None:
        return "not assigned"
    state = communities.state.isel(level=level).values
    none = communities.labels.isel(level=level).values < 0
    parts = []
    for word in ("background", "unsure", "not observed"):
        count = int((none & (state == word)).sum())
        if count:
            parts.append(word if count == int(none.sum()) else f"{count} {word}")
    return ", ".join(parts) or "background"


def p_text(value: float) -> str:
    """A p value in three digits; nothing for nan."""
    if value != value:
        return ""
    if value >= 0.9995:
        return "1"
    return "<.001" if value < 0.001 else f"{value:.3f}".lstrip("0")


def _classes(members: Sequence[str]) -> list[str]:
    """Classes of the members, the surest first: AVA, RIM, AVE."""
    return list(dict.fromkeys((e.neuron_class if (e := info(m)) else m) for m in members))


def _spaced(names: Sequence[str]) -> bool:
    return any(" " in n for n in names)


def _joined(names: Sequence[str]) -> str:
    return (", " if _spaced(names) else " ").join(names)


def _pairs_together(members: Sequence[str], pairs: Sequence[tuple[str, str]]) -> str:
    inside = set(members)
    touching = [(a, b) for a, b in pairs if a in inside or b in inside]
    return f"{sum(a in inside and b in inside for a, b in touching)}/{len(touching)}" if touching else "–"
