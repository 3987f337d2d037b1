"""The table of communities: members, size, probability, p value, left/right pairs that are together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...display.palette import UNASSIGNED, Style
from ...model.neurons import info, left_right_pairs
from ...model.results import Communities
from ..qt.table_view import Column, Table
from ..qt.theme import swatch

NARROW = 390
"""Width in pixels up to which a dock shows less."""


class CommunityTable(Table):
    """Communities of one level."""

    def __init__(self) -> None:
        super().__init__(
            [
                Column("id", lambda r: r["label"], 84, icon=lambda r: r["icon"], bold=lambda r: r["chosen"]),
                Column("", lambda r: r["members"], 0, muted=True),
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
        self.setMinimumHeight(90)
        self.rows_model.row_tip = lambda r: f"Community {r['label']}\n{r['all']}"
        self.setToolTip("Choose a community: it lights up in 3D, its traces come first. Escape shows all.")

    def fit(self, width: int) -> None:
        """Fit the columns into a dock; `width` in pixels."""
        narrow = width <= NARROW
        for column, wide, less in ((0, 84, 46), (3, 96, 78), (4, 52, 40), (5, 54, 46)):
            self.setColumnWidth(column, less if narrow else wide)
        self.setColumnHidden(5, width < 340)


def community_rows(
    communities: Communities, level: int, styles: Mapping[int, Style], chosen: int | None, dark: bool
) -> list[dict[str, Any]]:
    """Return the rows of the table: the communities of a level, and what belongs to none."""
    rows: list[dict[str, Any]] = []
    for line in communities.table(level).to_dict("records"):
        number = int(line["community"])
        members = str(line["members"]).split()
        rows.append(
            {
                "community": number,
                "label": styles[number].label,
                "icon": swatch(styles[number].color, dark),
                "members": _classes(members),
                "all": " ".join(members),
                "size": line["size"],
                "probability": float(line["probability"]),
                "p": _corrected(communities, number, level, float(line["p_value"])),
                "lr": _pairs_together(members, communities.neurons),
                "chosen": number == chosen,
            }
        )
    none = int((communities.labels.isel(level=level).values < 0).sum())
    if none:
        rows.append(
            {
                "community": None,
                "label": "–",
                "icon": swatch(UNASSIGNED[dark], dark),
                "members": _rest(communities, level),
                "all": "",
                "size": none,
                "probability": float("nan"),
                "p": float("nan"),
                "lr": "",
                "chosen": False,
            }
        )
    return rows


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


def _classes(members: list[str]) -> str:
    """Classes of the members, the surest first: "AVA RIM AVE"."""
    return " ".join(dict.fromkeys((e.neuron_class if (e := info(m)) else m) for m in members))


def _pairs_together(members: list[str], everyone: tuple[str, ...]) -> str:
    inside = set(members)
    touching = [(a, b) for a, b in left_right_pairs(everyone) if a in inside or b in inside]
    return f"{sum(a in inside and b in inside for a, b in touching)}/{len(touching)}" if touching else "–"
