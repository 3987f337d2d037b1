"""Small tables beside a recording: names, stimuli, behaviour, lists of neurons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.formats import side_tables


def test_names(tmp_path) -> None:
    (tmp_path / "n.csv").write_text("Label,Name\n3,AVAL\n4,\n5,'=1+1\n")
    assert side_tables.read_names(tmp_path / "n.csv") == {3: "AVAL", 5: "=1+1"}
    pd.DataFrame({"label": [3, 4], "name": ["AVAL", None]}).to_parquet(tmp_path / "n.parquet")
    assert side_tables.read_names(tmp_path / "n.parquet") == {3: "AVAL"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name,onset,offset\nb,5,6\na,1,2\n", [("a", 1, 2), ("b", 5, 6)]),
        ("stimulus;start_ms;stop_ms\na;1000;2000\n", [("a", 1, 2)]),
        ("name\tt_on\na\t3\n", [("a", 3, 3)]),
        ("name,onset,duration\na,1,0.5\n", [("a", 1, 1.5)]),
        ("name,onset,offset\na,1,\n", [("a", 1, 1)]),
    ],
)
def test_stimuli(tmp_path, text, expected) -> None:
    (tmp_path / "s.csv").write_text(text)
    found = side_tables.read_stimuli(tmp_path / "s.csv")
    assert list(found[["name", "onset", "offset"]].itertuples(index=False, name=None)) == expected


def test_behaviour_is_put_on_the_clock_of_the_traces(tmp_path) -> None:
    own = np.arange(0, 10, 0.25)
    pd.DataFrame({"time_s": own, "speed": 3 * own, "turn": (own > 5).astype(int)}).to_csv(
        tmp_path / "b.csv", index=False
    )
    clock = np.array([-1.0, 0.0, 1.1, 5.3, 9.75, 11.0])
    found = side_tables.read_behaviour(tmp_path / "b.csv", clock)
    np.testing.assert_allclose(found["speed"].values, [np.nan, 0, 3.3, 15.9, 29.25, np.nan])
    np.testing.assert_array_equal(found["turn"].values, [np.nan, 0, 0, 1, 1, np.nan])
    assert (found["speed"].attrs["kind"], found["turn"].attrs["kind"]) == ("continuous", "binary")


def test_gaps_in_behaviour_stay_gaps(tmp_path) -> None:
    (tmp_path / "b.csv").write_text("time_s,speed\n0,0.5\n1,\n2,2.5\n3,3.5\n")
    found = side_tables.read_behaviour(tmp_path / "b.csv", np.array([0.0, 0.5, 1.5, 2.0, 2.5]))
    np.testing.assert_array_equal(np.isnan(found["speed"].values), [False, True, True, False, False])


def test_neuron_lists(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("name,note\navaL,x\nRIM R,\n")
    assert side_tables.read_neuron_list(tmp_path / "a.csv") == ["AVAL", "RIMR"]
    (tmp_path / "b.txt").write_text("AVAL\nAVAR\nglia7\n")
    assert side_tables.read_neuron_list(tmp_path / "b.txt") == ["AVAL", "AVAR", "glia7"]


@pytest.mark.parametrize("n", [1, 2, 3, 7])
@pytest.mark.parametrize("binary", [False, True])
def test_a_channel_on_another_clock_is_interpolated_or_the_nearest_sample(n: int, binary: bool) -> None:
    from napari_dynamic_connectome.io.formats.side_tables import onto_clock

    own = np.array([0.5, 1.0, 2.5, 3.0, 3.5, 6.0, 6.5])[:n]
    values = np.array([0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0])[:n]
    clock = np.linspace(0, 7, 57)
    nearest = values[
        np.abs(clock[:, None] - own[None, ::-1]).argmin(axis=1) * -1 + n - 1
    ]  # the later one of two as near
    wanted = nearest if binary else np.interp(clock, own, values)
    outside = (clock < own[0]) | (clock > own[-1])
    np.testing.assert_allclose(onto_clock(clock, own, values, binary), np.where(outside, np.nan, wanted))
    values[0] = np.nan
    at_ends = onto_clock(own[[0, -1]], own, values, False)
    assert np.isnan(at_ends[0]) and (n == 1 or at_ends[1] == values[-1])
