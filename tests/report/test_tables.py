"""CSV tables: complete, readable by pandas, harmless in a spreadsheet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.widgets.helpers import cohort, mixed_components

from napari_dynamic_connectome.io.formats.text_tables import write_csv
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.report.tables import file_names, neuron_table, safe_file_name, write_tables
from napari_dynamic_connectome.session.session import Session


def test_formulas_are_neutralised(tmp_path: Path) -> None:
    path = write_csv(pd.DataFrame({"=a": ["=1+1", "@x", "plain"], "b": [-1.5, 2, 3]}), tmp_path / "t.csv")
    read = pd.read_csv(path)
    assert list(read.columns) == ["'=a", "b"]
    assert list(read["'=a"]) == ["'=1+1", "'@x", "plain"]
    assert list(read["b"]) == [-1.5, 2, 3]


def test_traces_come_back_exactly(tmp_path: Path) -> None:
    session = Session()
    values = np.random.default_rng(0).normal(size=(7, 2))
    session.add(Recording.from_arrays(values, name="a/b: ü", rate_hz=3, names=["AVAL", ""]))
    write_tables(session, tmp_path)
    read = pd.read_csv(tmp_path / "traces" / f"{safe_file_name('a/b: ü')}.csv", index_col=0)
    np.testing.assert_array_equal(read.to_numpy(), values)
    assert list(read.columns) == ["AVAL", "#2"]
    assert list(neuron_table(session)["label"]) == [1, 2]


def test_a_failing_write_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_csv(pd.DataFrame({"a": [1]}), tmp_path / "t.csv")

    def broken(*args: object, **options: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", broken)
    with pytest.raises(InputError, match="disk full"):
        write_csv(pd.DataFrame({"a": [2]}), path)
    monkeypatch.undo()
    assert pd.read_csv(path)["a"].tolist() == [1]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="not a folder"):
        write_tables(Session(), tmp_path / "x")


@pytest.mark.parametrize("name", ["../../etc/passwd", "CON/..", "", ".", "ü" * 300])
def test_file_names_stay_in_their_folder(name: str) -> None:
    safe = safe_file_name(name)
    assert safe and "/" not in safe and not safe.startswith(".") and len(safe) <= 100


def test_worms_whose_names_look_alike_as_files_are_all_written(tmp_path: Path) -> None:
    session = Session()
    for number, name in enumerate(("a/b", "a:b", "A_B", "α", "β")):
        session.add(Recording.from_arrays(np.full((3, 1), float(number)), name=name, rate_hz=1, names=["AVAL"]))
    write_tables(session, tmp_path)
    stems = file_names(session.recordings)
    assert list(stems.values()) == ["a_b", "a_b_2", "A_B_3", "_", "__2"]
    for number, stem in enumerate(stems.values()):
        read = pd.read_csv(tmp_path / "traces" / f"{stem}.csv", index_col=0)
        assert (read.to_numpy() == number).all()


def test_courses_of_both_clocks_are_written(tmp_path: Path) -> None:
    session, worms = Session(), cohort()
    session.set_components(mixed_components(worms))
    write_tables(session, tmp_path)
    about = pd.read_csv(tmp_path / "components.csv")
    assert about["clock"].tolist() == ["common", "own"]
    common = pd.read_csv(tmp_path / "components_time.csv")
    assert list(common.columns) == ["time_s", "component_1"]
    own = pd.read_csv(tmp_path / "components_own_time.csv")
    assert list(own.columns) == ["worm", "time_s", "component_2"]
    for worm in worms.worms:
        expected = session.components.time_course(2, worm)
        mine = own[own["worm"] == worm]
        np.testing.assert_allclose(mine["time_s"], expected["time"].values)
        np.testing.assert_allclose(mine["component_2"], expected.values)
