"""Recordings and cohorts: what is accepted, what is refused and with which words, missing neurons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import (
    Recording,
    check_stimuli,
    neuron_ids,
    whole_labels,
    with_names_read,
)  # fmt: skip


def make(name: str = "w", names: list[str] | None = None, n_time: int = 20, **more: object) -> Recording:
    names = ["AVAL", "AVAR", "", "RIML"] if names is None else names
    values = np.random.default_rng(len(name)).normal(size=(n_time, len(names)))
    return Recording.from_arrays(values, name=name, rate_hz=2.0, names=names, **more)  # type: ignore[arg-type]


def test_ids_are_names_or_labels() -> None:
    recording = make()
    assert list(recording.traces["neuron"].values) == ["AVAL", "AVAR", "#3", "RIML"]
    assert recording.named == ["AVAL", "AVAR", "RIML"]
    assert recording.rate_hz == pytest.approx(2.0)
    assert recording.traces["time"].attrs["units"] == "s"


def test_integer_traces_become_float() -> None:
    recording = Recording.from_arrays(np.arange(6).reshape(3, 2), name="w", rate_hz=1)
    assert recording.traces.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"names": ["AVAL", "AVAL"]}, ["AVAL", "twice", "rows 1 and 2"]),
        ({"names": ["AVAL"]}, ["1 names for 2 neurons"]),
        ({"time_s": [0.0, 1.0, 1.0], "rate_hz": None}, ["time does not increase at sample 3"]),
        ({"time_s": [0.0, np.nan, 1.0], "rate_hz": None}, ["not finite"]),
        ({"time_s": [0.0, 1.0], "rate_hz": None}, ["2 times for 3 time points"]),
        ({"rate_hz": None}, ["neither times nor a sampling rate"]),
        ({"rate_hz": -1.0}, ["sampling rate"]),
        ({"traces": np.full((3, 2), np.inf)}, ["infinite value at 0 s"]),
        ({"traces": np.zeros(3)}, ["1 dimensions"]),
        ({"traces": np.zeros((0, 2))}, ["empty"]),
        ({"traces": np.array([["a", "b"]] * 3)}, ["not numbers"]),
        ({"positions_um": np.zeros((3, 3))}, ["positions have shape"]),
        ({"name": "  "}, ["needs a name"]),
        ({"names": ["x" * 300, ""]}, ["300 characters"]),
    ],
)
def test_bad_input_is_one_clear_message(change: dict[str, object], words: list[str]) -> None:
    options: dict[str, object] = {"traces": np.zeros((3, 2)), "name": "worm", "rate_hz": 1.0} | change
    with pytest.raises(InputError) as caught:
        Recording.from_arrays(**options)  # type: ignore[arg-type]
    for word in words:
        assert word in str(caught.value)


def test_stimuli_and_behaviour_are_checked() -> None:
    good = pd.DataFrame({"name": ["b", "a"], "onset": [5.0, 1.0], "offset": [6.0, 2.0]})
    assert list(make(stimuli=good).stimuli["name"]) == ["a", "b"]
    with pytest.raises(InputError, match="ends before it begins"):
        make(stimuli=good.assign(offset=0.0))
    with pytest.raises(InputError, match="lacks offset"):
        make(stimuli=good.drop(columns="offset"))
    beh = xr.Dataset({"reversal": ("time", np.arange(20) % 2), "speed": ("time", np.linspace(0, 3, 20))})
    recording = make(behaviour=beh)
    assert recording.behaviour["reversal"].attrs["kind"] == "binary"
    assert recording.behaviour["speed"].attrs["kind"] == "continuous"
    with pytest.raises(InputError, match="behaviour 'reversal'"):
        make(behaviour=beh.isel(time=slice(5)))


def test_renaming_keeps_traces_and_refuses_duplicates() -> None:
    recording = make()
    renamed = recording.with_names({3: "RIMR", 1: ""})
    assert list(renamed.traces["neuron"].values) == ["#1", "AVAR", "RIMR", "RIML"]
    np.testing.assert_array_equal(renamed.traces.values, recording.traces.values)
    with pytest.raises(InputError, match="given twice"):
        recording.with_names({3: "RIML"})
    with pytest.raises(InputError, match="label 99"):
        recording.with_names({99: "RIML"})


def test_cohort_unites_named_neurons_and_knows_who_is_missing() -> None:
    a, b = make("a"), make("b", ["AVAL", "RIMR", "", ""])
    cohort = Cohort([a, b])
    assert cohort.neurons == ("AVAL", "AVAR", "RIML", "RIMR")
    assert cohort.presence.sel(worm="b", neuron="AVAR").item() is False
    assert cohort.presence.sel(worm="b", neuron="RIMR").item() is True
    assert list(cohort.traces_of("b")["neuron"].values) == ["AVAL", "RIMR"]
    np.testing.assert_array_equal(cohort.traces_of(0).sel(neuron="RIML").values, a.traces.sel(neuron="RIML").values)
    assert cohort.coverage()["AVAL"] == 2


def test_neurons_that_are_rejected_or_all_nan_or_unsure_do_not_take_part() -> None:
    recording = make(confidence=[5, 1, 3, 3])
    table = recording.neurons.copy()
    table.loc["RIML", "rejected"] = True
    values = recording.traces.copy()
    values[:, 1] = np.nan
    with pytest.raises(InputError, match="only 1 neuron is seen"):
        Cohort([recording.replace(neurons=table, traces=values)])
    assert Cohort([recording], min_confidence=2).neurons == ("AVAL", "RIML")


def test_left_and_right_can_be_merged() -> None:
    cohort = Cohort([make()], merge_left_right=True)
    assert cohort.neurons == ("AVA", "RIM")
    z = make().traces.sel(neuron=["AVAL", "AVAR"]).values
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    np.testing.assert_allclose(cohort.traces_of(0).sel(neuron="AVA").values, z.mean(axis=1), atol=1e-6)


def test_unnamed_neurons_of_different_worms_are_never_one() -> None:
    cohort = Cohort([make("a"), make("b")], include_unnamed=True)
    assert "a#3" in cohort.neurons and "b#3" in cohort.neurons
    assert Cohort([make("a")], include_unnamed=True).neurons[-1] == "#3"


def test_cohort_refuses_what_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="at least one recording"):
        Cohort([])
    with pytest.raises(InputError, match="two recordings are called 'a'"):
        Cohort([make("a"), make("a")])
    with pytest.raises(InputError, match="no neuron is seen"):
        Cohort([make("a", ["", "", ""])])
    with pytest.raises(InputError, match="no worm 'x'"):
        Cohort([make("a")]).subset(["x"])


def worm(names, **more):
    return Recording.from_arrays(np.arange(6.0 * len(names)).reshape(6, -1), name="w", rate_hz=2, names=names, **more)


def test_every_way_to_make_a_recording_spells_names_alike():
    made = worm(["VB01", "aval", "hmc"])
    assert list(made.traces["neuron"].values) == list(made.neurons.index) == made.named == ["VB1", "AVAL", "hmc"]
    assert made.neurons["note"].tolist() == ['written "VB01"', 'written "aval"', ""]
    renamed = made.with_names({3: "db02"})
    assert renamed.named == ["VB1", "AVAL", "DB2"]
    table = made.neurons.assign(name=["VB1", "AVAL", "RIML"])
    assert made.replace(neurons=table).named == ["VB1", "AVAL", "RIML"]


def test_two_spellings_of_one_neuron_are_one_name_given_twice():
    with pytest.raises(InputError, match=r"'VB1' is given twice, as 'VB01' and 'vb1'"):
        worm(["VB01", "AVAL", "vb1"])


def test_two_worms_with_other_spellings_share_their_neurons():
    cohort = Cohort([worm(["VB01", "DB02", "AVAL"]), worm(["VB1", "DB2", "AVAL"]).replace(name="v")], min_worms=1)
    assert cohort.neurons == ("AVAL", "DB2", "VB1")


def test_headers_that_name_no_neuron_stay_unnamed_and_are_counted():
    read = with_names_read(worm(["n12", "n7", "AVAL?", "RIML"]))
    assert read.named == ["RIML"]
    assert read.neurons["note"].tolist()[:3] == ['written "n12"', 'written "n7"', 'written "AVAL?" (unsure)']
    assert "2 of 4 headers name no neuron" in read.provenance["names"] and "n12, n7" in read.provenance["names"]
    assert "1 of 4 names are unsure" in read.provenance["names"]
    assert with_names_read(worm(["n12", "RIML"]), as_written=True).named == ["n12", "RIML"]


def test_numbers_of_headers_are_kept_as_labels():
    read = with_names_read(worm(["cell7", "cell3", "cell12"]))
    assert list(read.neurons.index) == ["#7", "#3", "#12"] and read.neurons["label"].tolist() == [7, 3, 12]
    with pytest.raises(InputError, match="named neurons"):
        Cohort([read, read.replace(name="v")])


def test_a_recording_shows_itself_in_a_few_lines() -> None:
    plain = Recording.from_arrays(np.ones((3, 2)), name="w", rate_hz=2)
    assert repr(plain) == (
        "<Recording 'w'>\n  neurons    2, 0 named, 0 with a position\n  time       3 points, 1 s, 2 Hz"
    )
    full = Recording.from_arrays(
        np.ones((40, 2)),
        name="worm 1",
        rate_hz=4,
        names=["AVAL", ""],
        positions_um=np.array([[1.0, 2.0, 3.0], [np.nan, 1.0, 1.0]]),
        stimuli=pd.DataFrame({"name": list("abcabcdef"), "onset": np.arange(9.0), "offset": np.arange(9.0) + 0.5}),
        breaks=(5.0,),
    )
    full = full.replace(quality=pd.DataFrame({"snr": [1.0, 2.0]}, index=full.neurons.index))
    assert repr(full).splitlines() == [
        "<Recording 'worm 1'>",
        "  neurons    2, 1 named, 1 with a position",
        "  time       40 points, 9.75 s, 4 Hz",
        "  stimuli    a, b, c, d, e …",
        "  quality    snr",
        "  breaks     1",
    ]


def test_what_a_recording_says_of_its_time_and_lists() -> None:
    more = {str(i): ("time", np.arange(3.0)) for i in range(6)}
    late = Recording.from_arrays(np.ones((3, 1)), name="w", time_s=[10.0, 10.5, 11.5], behaviour=xr.Dataset(more))
    assert repr(late).splitlines()[2:] == [
        "  time       3 points, 1.5 s, 1.333 Hz",
        "  behaviour  0, 1, 2, 3, 4 …",
    ]
    five = late.replace(behaviour=late.behaviour.drop_vars("5"))
    assert repr(five).splitlines()[-1] == "  behaviour  0, 1, 2, 3, 4"


def test_rows_of_a_table_are_put_in_the_order_of_the_traces() -> None:
    made = worm(["AVAL", "AVAR", ""]).replace(name="x")
    table = made.neurons.assign(confidence=[0.1, 0.2, 0.3], more=[1, 2, 3])
    again = made.replace(neurons=table.iloc[[2, 0, 1]])
    pd.testing.assert_frame_equal(again.neurons, table)
    assert list(again.neurons.columns) == ["label", "name", "confidence", "z", "y", "x", "rejected", "note", "more"]
    with pytest.raises(InputError, match="index is not the traces' neurons"):
        made.replace(neurons=table.set_axis(["AVAL", "AVAR", "#4"]))
    with pytest.raises(InputError, match="has 2 rows for 3 traces"):
        made.replace(neurons=table.iloc[:2])


@pytest.mark.parametrize("nothing", [None, np.nan, ""])
def test_no_name_and_no_note_are_empty_text(nothing: object) -> None:
    made = worm(["AVAL", ""])
    table = made.neurons.assign(name=["AVAL", nothing], note=[nothing, "seen twice"])
    again = made.replace(neurons=table)
    assert again.neurons["name"].tolist() == ["AVAL", ""] and again.neurons["note"].tolist() == ["", "seen twice"]


def test_a_bare_table_gets_columns_that_say_not_known() -> None:
    table = pd.DataFrame({"label": [4], "name": ["vb01"]}, index=["vb01"])
    traces = xr.DataArray(np.ones((2, 1)), dims=("time", "neuron"), coords={"time": [0.0, 1.0], "neuron": ["vb01"]})
    quality = pd.DataFrame({"snr": [3.0]}, index=["vb01"])
    made = Recording("w", traces, table, quality=quality)
    row = made.neurons.loc["VB1"]
    assert row[["label", "name", "rejected", "note"]].tolist() == [4, "VB1", False, 'written "vb01"']
    assert row[["confidence", "z", "y", "x"]].isna().all()
    assert made.quality is not None and list(made.quality.index) == ["VB1"]
    noted = Recording("w", traces, table.assign(note="by hand"))
    assert noted.neurons["note"].tolist() == ["by hand"]


def test_renaming_takes_quality_along_and_knows_only_its_labels() -> None:
    made = worm(["AVAL", "", "RIML"])
    made = made.replace(quality=pd.DataFrame({"snr": [1.0, 2.0, 3.0]}, index=made.neurons.index))
    renamed = made.with_names({2: " AVAR ", 3: ""})
    assert renamed.quality is not None and renamed.quality["snr"].to_dict() == {"AVAL": 1.0, "AVAR": 2.0, "#3": 3.0}
    with pytest.raises(InputError, match="no neuron with label 4"):
        made.with_names({4: "AVAR"})
    with pytest.raises(InputError, match=r"'RIML' is given twice \(rows 1 and 3\)"):
        made.with_names({1: "RIML"})


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ([1, 2.5], "label 2.5 is no whole number"),
        ([1, np.nan], "label nan is no whole number"),
        ([1, np.inf], "label inf is no whole number"),
        ([1, 2.0**53], r"label 9\.0072e\+15 is no whole number"),
        ([-(2.0**53), 1], "is no whole number"),
        ([3, -2], "label -2 is below zero"),
        ([5, 7, 5], "label 5 is there twice"),
        (["a", 1], "a label is not a number"),
        ([object()], "a label is not a number"),
    ],
)
def test_labels_are_whole_numbers_from_zero_each_once(labels: list[object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        whole_labels(labels, "here")


def test_the_largest_and_the_smallest_label_are_kept() -> None:
    read = whole_labels([2**53 - 1, 0, 1.0], "here")
    assert read.dtype == np.int64 and read.tolist() == [2**53 - 1, 0, 1]
    assert whole_labels([], "here").tolist() == []


def test_ids_say_which_rows_and_spellings_collide() -> None:
    assert neuron_ids(["", "AVAL", ""], [3, 4, 5.0]) == ["#3", "AVAL", "#5"]
    with pytest.raises(InputError, match=r"the label 3 is given twice \(rows 1 and 3\)"):
        neuron_ids(["", "A", ""], [3, 4, 3], written=["x", "A", "y"])
    with pytest.raises(InputError, match=r"^(?!.*, as).*the name 'A' is given twice \(rows 2 and 3\)"):
        neuron_ids(["", "A", "A"], [1, 2, 3], written=["", "A", "A"])
    with pytest.raises(InputError, match="the name 'A' is given twice, as 'a' and 'A '"):
        neuron_ids(["A", "A"], [1, 2], written=["a", "A "])


def test_traces_are_refused_where_nothing_could_be_computed() -> None:
    good = worm(["AVAL", "AVAR"])
    traces = good.traces
    for wrong, words in (
        (traces.T, "must be an xarray.DataArray with dims"),
        (traces.isel(neuron=slice(0)), "traces are empty: 6 times, 0 neurons"),
        (traces.isel(time=slice(0)), "traces are empty: 0 times, 2 neurons"),
        (traces.drop_vars("time"), "no coordinate 'time'"),
        (traces.drop_vars("neuron"), "no coordinate 'neuron'"),
        (traces.assign_coords(neuron=["b", "b"]), "neuron id 'b' is given twice"),
        (traces.assign_coords(time=[0.0, 1, 2, 2, 3, 1]), r"at sample 4 \(2 s, then 2 s\)"),
        (traces.assign_coords(neuron=["b", "x" * 201]), "has 201 characters"),
        (traces > 0, "traces are of type bool, not numbers"),
    ):
        with pytest.raises(InputError, match=words):
            good.replace(traces=wrong)
    infinite = traces.copy()
    infinite[2, 1] = -np.inf
    with pytest.raises(InputError, match="infinite value at 1 s, neuron AVAR"):
        good.replace(traces=infinite)
    longest = Recording.from_arrays(np.ones((1, 1)), name="w", rate_hz=1, names=["x" * 200])
    assert len(longest.named[0]) == 200
    assert good.traces.dtype == np.float64


def test_stimuli_are_numbers_in_order() -> None:
    table = pd.DataFrame({"name": ["b", "a", "c"], "onset": ["2", 1, 1], "offset": [2, "3", 1]}, index=[5, 6, 7])
    checked = check_stimuli(table)
    pd.testing.assert_frame_equal(
        checked, pd.DataFrame({"name": ["a", "c", "b"], "onset": [1.0, 1, 2], "offset": [3.0, 1, 2]})
    )
    for change, words in (
        ({"onset": "soon"}, "an onset of a stimulus is not a number"),
        ({"offset": "late"}, "an offset of a stimulus is not a number"),
        ({"offset": np.inf}, "no finite onset and offset"),
        ({"onset": 3.5}, "stimulus 'b' ends before it begins"),
    ):
        with pytest.raises(InputError, match=words):
            check_stimuli(table.assign(**change))
    with pytest.raises(InputError, match="lacks name, onset"):
        check_stimuli(table[["offset"]])


def test_kinds_of_behaviour_are_found_unless_they_are_given() -> None:
    channels = {
        "events": [0.0, 1, 1, 0, np.nan, 0],
        "speed": [0.0, 0.5, 1, 0, 0, 0],
        "nothing": [np.nan] * 6,
        "given": [0.0, 1, 0, 0, 0, 0],
    }
    given = xr.Dataset({k: ("time", v, {"units": "mm/s"}) for k, v in channels.items()})
    given["given"].attrs["kind"] = "continuous"
    made = worm(["AVAL"], behaviour=given)
    assert {k: v.attrs["kind"] for k, v in made.behaviour.data_vars.items()} == {
        "events": "binary", "speed": "continuous", "nothing": "continuous", "given": "continuous",
    }  # fmt: skip
    assert all(v.attrs["units"] == "mm/s" for v in made.behaviour.data_vars.values())
    assert "kind" not in given["events"].attrs
    np.testing.assert_array_equal(made.behaviour["time"], made.time_s)
    assert not worm(["AVAL"]).behaviour.coords
    with pytest.raises(InputError, match=r"'flat' has shape \(6, 1\), not \(6,\)"):
        worm(["AVAL"], behaviour=xr.Dataset({"flat": (("time", "k"), np.ones((6, 1)))}))


def test_what_is_said_of_names_in_a_file() -> None:
    seven = with_names_read(worm([f"n{i}" for i in range(1, 8)]))
    assert seven.provenance["names"] == (
        "7 of 7 headers name no neuron and stay unnamed (n1, n2, n3, n4, n5, n6, ...)"
        "; to treat them as names, choose names = as written"
    )
    six = with_names_read(worm([f"n{i}" for i in range(1, 7)]))
    assert "(n1, n2, n3, n4, n5, n6)" in six.provenance["names"]
    zero = with_names_read(worm(["n0", "n4"]))
    assert zero.neurons["label"].tolist() == [1, 2]
    both = with_names_read(worm(["n4", "AVA", "AVAL?", "n4_b"]))
    assert both.neurons["label"].tolist() == [1, 2, 3, 4]
    sides = with_names_read(worm(["AVA", "RIM", "AVB", "AVD", "AVE", "RME", "SAA"][:6]))
    assert sides.provenance["names"] == "6 names say no side (AVA, RIM, AVB, AVD, AVE, RME)"
    more = with_names_read(worm(["AVA", "RIM", "AVB", "AVD", "AVE", "RIB", "RIV"]))
    assert more.provenance["names"] == "7 names say no side (AVA, RIM, AVB, AVD, AVE, RIB, ...)"
    plain = worm(["AVAL"])
    assert with_names_read(plain) is plain
    decided = plain.replace(provenance={"names_decided": True, "other": 1})
    assert with_names_read(decided).provenance == {"other": 1}


def test_times_and_rates_are_those_given() -> None:
    even = Recording.from_arrays(np.ones((3, 1)), name="w", rate_hz=0.5)
    np.testing.assert_array_equal(even.time_s, [0.0, 2.0, 4.0])
    for rate in (0, None):
        with pytest.raises(InputError, match="neither times nor a sampling rate"):
            Recording.from_arrays(np.ones((3, 1)), name="w", rate_hz=rate)
    full = Recording.from_arrays(
        np.ones((2, 2)),
        name="w",
        rate_hz=1,
        labels=[7, 3],
        confidence=[0.5, np.nan],
        positions_um=np.arange(6.0).reshape(2, 3),
    )
    assert full.neurons["label"].tolist() == [7, 3] and full.neurons["confidence"].tolist()[0] == 0.5
    np.testing.assert_array_equal(full.positions_um, [[0.0, 1, 2], [3, 4, 5]])
    with pytest.raises(InputError, match="1 labels for 2 neurons"):
        Recording.from_arrays(np.ones((2, 2)), name="w", rate_hz=1, labels=[7])
    assert full.replace(provenance={"reading": "a", "names": ""}).remarks == ["a"]
    assert [*full.replace(breaks=(3, 1.5)).breaks] == [1.5, 3.0]
