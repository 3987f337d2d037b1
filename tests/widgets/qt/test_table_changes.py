"""Tables say which cells changed, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from napari_dynamic_connectome.widgets.qt.table_view import FEW, Column, Table
from napari_dynamic_connectome.widgets.qt.theme import swatch

pytestmark = pytest.mark.gui
NONE = float("nan")


@pytest.fixture
def table(qtbot) -> Table:
    made = Table(
        [
            Column("name", lambda r: r["name"], 40, icon=lambda r: r["icon"], bold=lambda r: r["chosen"]),
            Column("value", lambda r: f"{r['value']:.1f}", 40, bar=lambda r: r["value"]),
        ]
    )
    qtbot.addWidget(made)
    return made


def rows(count: int = 4, **changed: Any) -> list[dict[str, Any]]:
    base = {"name": "a", "value": NONE, "icon": swatch("#ff0000", True), "chosen": False, "hidden": 0}
    return [base | {"name": f"n{i}"} | (changed if i == 2 else {}) for i in range(count)]


@pytest.mark.parametrize(
    ("changed", "cells"),
    [
        ({}, []),
        ({"hidden": 1}, []),
        ({"value": 0.5}, [(2, 2, 1, 1)]),
        ({"name": "x"}, [(2, 2, 0, 0)]),
        ({"chosen": True}, [(2, 2, 0, 0)]),
        ({"icon": "#00ff00"}, [(2, 2, 0, 0)]),
        ({"name": "x", "value": 0.5}, [(2, 2, 0, 1)]),
    ],
)
def test_only_cells_that_look_otherwise_are_said_to_be_changed(table, changed, cells, qtbot) -> None:
    if "icon" in changed:
        changed = {"icon": swatch(changed["icon"], True)}
    table.rows_model.set_rows(rows())
    said: list[tuple[int, ...]] = []
    table.rows_model.dataChanged.connect(lambda a, b: said.append((a.row(), b.row(), a.column(), b.column())))
    table.rows_model.set_rows(rows(**changed))
    assert said == cells
    assert table.rows_model.rows == rows(**changed) or changed  # what is held is the new one
    assert table.rows_model.index(2, 0).data() == changed.get("name", "n2")


def test_a_row_that_was_changed_in_place_is_said_to_be_changed(table) -> None:
    held = rows()
    table.rows_model.set_rows(held)
    said: list[int] = []
    table.rows_model.dataChanged.connect(lambda a, b: said.append(a.row()))
    held[1]["name"] = "other"
    table.rows_model.set_rows(held)
    assert 1 in said


def test_many_changed_rows_are_said_at_once(table) -> None:
    table.rows_model.set_rows(rows(FEW * 2))
    said: list[tuple[int, int]] = []
    table.rows_model.dataChanged.connect(lambda a, b: said.append((a.row(), b.row())))
    table.rows_model.set_rows([r | {"value": 1.0} for r in rows(FEW * 2)])
    assert said == [(0, FEW * 2 - 1)]


def test_swatches_of_one_colour_are_one(qapp) -> None:
    assert swatch("#123456", True) is swatch("#123456", True)
    assert swatch("#123456", True) is not swatch("#123456", False)
