"""Text tables: what a spreadsheet would run stays text."""

from __future__ import annotations

import pandas as pd

from napari_dynamic_connectome.io.formats import text_tables


def test_formulas_are_neutralised_and_come_back(tmp_path) -> None:
    cells = ["=cmd|' /C calc'!A0", "+A1", "-A1", "@SUM(A1)", "AVAL", "-3.5", "'quoted"]
    path = text_tables.write_csv(pd.DataFrame({"=name": cells, "n": range(7)}), tmp_path / "a.csv")
    held = pd.read_csv(path, dtype=str)
    assert held.columns[0] == "'=name"
    assert held.iloc[:, 0].tolist() == ["'=cmd|' /C calc'!A0", "'+A1", "'-A1", "'@SUM(A1)", "AVAL", "-3.5", "'quoted"]
    assert [text_tables.plain_cell(c) for c in held.iloc[:, 0]] == cells
