"""Report and tables say what they are older than, and keep the names of the time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from tests.session.session_sample import make_communities, make_components, make_recording

from napari_dynamic_connectome.display.palette import hue_numbers
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.report.community_figures import plot_traces
from napari_dynamic_connectome.report.html import build_report
from napari_dynamic_connectome.report.tables import write_tables
from napari_dynamic_connectome.session.session import Session

TEXT = "Components and communities are older than 2 names of"


def make_session() -> Session:
    session = Session()
    for number in (1, 2):
        session.add(make_recording(f"worm{number}", number), make_current=False)
    cohort = Cohort(session.recordings.values())
    session.set_cohort(cohort)
    session.set_components(make_components(cohort, 2, 0))
    session.set_communities({(1, "core"): make_communities(cohort, 0)})
    return session


def moved(session) -> str:
    """Give the name AVAL to another cell of the current worm."""
    name = session.cohort.recordings[0].name
    session.set_current(name)
    session.edit(name, {1: {"name": ""}})
    session.edit(name, {5: {"name": "AVAL"}})
    return name


def test_the_report_says_it_in_its_head() -> None:
    session = make_session()
    assert "Not up to date" not in build_report(session)
    worm = moved(session)
    text = build_report(session)
    assert f"<b>Not up to date.</b> {TEXT} {worm}" in text
    assert text.index("Not up to date") < text.index("<h2>Recordings</h2>")


def test_tables_say_it_and_no_longer_when_it_is_no_longer_true(tmp_path: Path) -> None:
    session = make_session()
    write_tables(session, tmp_path)
    assert not (tmp_path / "not_up_to_date.csv").exists()
    assert "name_in_results" not in pd.read_csv(tmp_path / "neurons.csv").columns
    worm = moved(session)
    write_tables(session, tmp_path)
    (row,) = pd.read_csv(tmp_path / "not_up_to_date.csv").to_dict("records")
    assert row["result"] == "components and communities" and row["older_than"] == f"2 names of {worm}"
    table = pd.read_csv(tmp_path / "neurons.csv", keep_default_na=False)
    table = table[table["worm"] == worm].set_index("label")
    assert table.loc[1, "name"] == "" and table.loc[1, "name_in_results"] == "AVAL"
    assert table.loc[5, "name"] == "AVAL" and table.loc[5, "name_in_results"] == ""
    session.undo(), session.undo()
    write_tables(session, tmp_path)
    assert not (tmp_path / "not_up_to_date.csv").exists()


def test_the_figure_of_traces_keeps_the_colour_of_the_cell() -> None:
    session = make_session()
    shown = next(iter(session.communities.values()))
    worm = moved(session)
    then, now = session.cohort.recordings[0], session.recordings[worm]
    numbers = hue_numbers(session.communities, shown)

    def drawn(recording, **options) -> np.ndarray:
        return np.asarray(plot_traces(recording, shown, numbers=numbers, **options).axes[1].images[0].get_array())

    np.testing.assert_array_equal(drawn(now, then=then), drawn(then))
    assert not np.array_equal(drawn(now), drawn(then))
