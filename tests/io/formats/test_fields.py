"""A recording in fields of a file: what is written, what is read, asked about and refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome import FormatError, InputError, Recording
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.clock import UNIT_SAID
from napari_dynamic_connectome.io.formats.fields import (
    ALIASES,
    _check_rate,
    _say_the_same,
    _with_details,
    mapped,
    numbers,
    recording_fields,
    recording_from_fields,
    texts,
)
from napari_dynamic_connectome.model.attributes import KEY
from napari_dynamic_connectome.model.recording import VolumeReference

NAMES = ["AVAL", "AVAR", "RIML"]
QUALITY = {"columns": ["snr", "flags"], "data": [[1.5, "a"], [2.5, ""], [None, "b"]]}


def plain() -> Recording:
    return Recording.from_arrays(np.zeros((5, 3)), name="w", rate_hz=1.0, names=NAMES)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_quality_and_units_are_one_text_in_whatever_shape(shape: tuple[int, ...]) -> None:
    fields = {"quality": np.full(shape, json.dumps(QUALITY)), "units": np.full(shape, "dF/F")}
    got = _with_details(plain(), fields, "here")
    assert got.traces.attrs["units"] == "dF/F"
    expected = pd.DataFrame(QUALITY["data"], columns=QUALITY["columns"])
    pd.testing.assert_frame_equal(got.quality.reset_index(drop=True), expected)
    assert got.quality.index.tolist() == NAMES


@pytest.mark.parametrize(
    "nothing", [{}, {"quality": "", "units": ""}, {"quality": np.array([""]), "units": np.array([])}]
)
def test_a_file_without_them_has_none(nothing: dict) -> None:
    got = _with_details(plain(), nothing, "here")
    assert got.quality is None and "units" not in got.traces.attrs
    assert not got.neurons["rejected"].any() and got.neurons["note"].tolist() == ["", "", ""]


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", '{"data": [[1]]}', '{"columns": ["a"], "data": [[1], [2]]}', '{"columns": ["a"], "data": [[1]]}', "3"],
)
def test_a_damaged_table_of_quality_is_named(text: str) -> None:
    with pytest.raises(FormatError, match=r"here: the quality table cannot be read"):
        _with_details(plain(), {"quality": text}, "here")


def test_notes_and_rejected_neurons_go_by_place() -> None:
    fields = {"rejected": np.array([[0, 1, 0]]), "note": np.array(["", "dim", "x"])}
    table = _with_details(plain(), fields, "here").neurons
    assert table["rejected"].tolist() == [False, True, False] and table["note"].tolist() == ["", "dim", "x"]
    for field in ("rejected", "note"):
        with pytest.raises(Exception, match="here"):
            _with_details(plain(), {field: fields[field].ravel()[:2]}, "here")


def base(**change: object) -> dict[str, object]:
    fields: dict[str, object] = {
        "traces": np.arange(15.0).reshape(5, 3),
        "fs": 2.0,
        "names": np.array(NAMES),
        "worm": "w",
    }
    return {k: v for k, v in (fields | change).items() if v is not None}


def read(**change: object) -> Recording:
    return recording_from_fields(base(**change), "here")


def test_all_of_a_recording_is_in_its_fields_and_comes_back() -> None:
    full = Recording.from_arrays(
        np.random.default_rng(0).normal(size=(6, 3)),
        name="w1",
        time_s=np.array([0.0, 1, 2, 4, 5, 6]),
        names=["AVAL", "", "RIML"],
        positions_um=np.arange(9.0).reshape(3, 3),
        confidence=[0.5, np.nan, 1.0],
        stimuli=pd.DataFrame({"name": ["a", "b"], "onset": [1.0, 2], "offset": [1.5, 3]}),
        behaviour=xr.Dataset(
            {"speed": ("time", np.linspace(0, 2, 6), {"units": "mm/s"}), "reversal": ("time", [0.0, 1, 0, 0, 1, 0])}
        ),
        breaks=(3.0,),
        provenance={"history": ["made"], "n": 3},
        volume=VolumeReference("a.tif", (6, 2, 3, 4), "tzyx", (2.0, 1, 0.5), 1.5),
    )
    table = full.neurons.assign(rejected=[False, True, False], note=["", "dim", ""])
    quality = pd.DataFrame({"snr": [1.5, np.nan, 0.25]}, index=table.index)
    full = full.replace(
        neurons=table, quality=quality, labels=VolumeReference("l.tif", (2, 3, 4), "zyx", (2.0, 1, 0.5))
    )
    full.traces.attrs["units"] = "dF/F"
    fields = recording_fields(full)
    assert all(np.asarray(v).dtype.kind in "fiubU" for v in fields.values())
    back = recording_from_fields(fields, "here")
    np.testing.assert_array_equal(back.traces.values, full.traces.values)
    assert back.traces.attrs["units"] == "dF/F" and back.name == "w1" and back.breaks == (3.0,)
    pd.testing.assert_frame_equal(back.neurons, full.neurons)
    pd.testing.assert_frame_equal(back.stimuli, full.stimuli)
    pd.testing.assert_frame_equal(back.quality, quality, check_index_type=False)
    np.testing.assert_array_equal(back.time_s, full.time_s)
    for channel in ("speed", "reversal"):
        np.testing.assert_array_equal(back.behaviour[channel], full.behaviour[channel])
        assert back.behaviour[channel].attrs == full.behaviour[channel].attrs
    assert back.volume == full.volume
    assert back.labels is not None and back.labels.path == "l.tif" and np.isnan(back.labels.frame_rate_hz)
    assert back.provenance == {"history": ["made"], "n": 3, "names_decided": True, UNIT_SAID: True}
    assert fields["names"].dtype == "<U4" and fields["units"] == "dF/F"
    empty = recording_fields(Recording.from_arrays(np.ones((2, 1)), name="w", rate_hz=1))
    assert empty["names"].dtype == empty["stim_name"].dtype == "<U1"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"traces": None}, "there is no field 'traces'"),
        ({"traces": np.ones(3)}, "traces have 1 dimensions, not 2"),
        ({"traces": np.ones((0, 3))}, r"traces are empty: shape \(0, 3\)"),
        ({"traces": np.ones((5, 3)) * 1j}, "'traces' holds complex numbers"),
        ({"traces": np.full((5, 3), "a")}, "'traces' is of type <U1, not numbers"),
        ({"names": np.array(["A", "B"])}, "2 names for 3 neurons"),
        ({"label_confidence": [1.0, 1]}, "2 confidences for 3 neurons"),
        ({"fs": 0.0}, "the sampling rate 0 Hz is not positive"),
        ({"fs": np.inf}, "the sampling rate inf Hz is not positive"),
        ({"fs": [1.0, 2.0]}, "the file has 2 rates that differ"),
        ({"t": np.arange(4.0)}, r"4 times for traces of shape \(5, 3\)"),
        ({"t": np.arange(5.0)}, "the times say 1 Hz, and the rate in the file is 2"),
        ({"beh_speed": np.ones(4)}, "behaviour 'speed' has 4 values for 5 times"),
        ({"positions": np.ones((3, 2))}, r"'positions' has shape \(3, 2\), not \(3, 3\)"),
        ({"stim_name": ["a"], "stim_onset": [1.0, 2.0]}, "1 stimulus names, 2 onsets and 2 offsets"),
        (
            {"stim_name": ["a"], "stim_onset": [1.0], "stim_offset": [1.0, 2]},
            "1 stimulus names, 1 onsets and 2 offsets",
        ),
        ({"stimuli": np.ones(2)}, "'stimuli' is not a table"),
        ({"stimuli": np.ones(2, dtype=[("name", "U1"), ("when", "f8")])}, "'stimuli' has the columns name, when"),
        ({"stimuli": np.ones(2, dtype=[("onset", "f8")])}, "'stimuli' has the columns onset"),
        ({"idx_splits": [[1, 7], [5, 9]]}, r"segment starts 7\.\.7 lie outside the 5 samples"),
        ({"idx_splits": [[1, 1], [5, 9]]}, r"segment starts 1\.\.1 lie outside the 5 samples"),
        ({"volume_reference": '{"path": "a"}'}, "a reference to an image cannot be read"),
    ],
)
def test_fields_that_do_not_fit_are_named(change: dict, words: str) -> None:
    with pytest.raises((InputError, FormatError), match=words):
        read(**change)


def test_the_file_is_said_where_many_fields_could_be_meant() -> None:
    with pytest.raises(ChoiceNeeded, match="of two axes is F") as one:
        read(traces=None, F=np.ones((4, 2)), row=np.ones((1, 4)), text=np.full((4, 2), "a"))
    assert one.value.choices == ("F",) and one.value.option == "fields"
    with pytest.raises(ChoiceNeeded, match="of two axes are F, G"):
        read(traces=None, F=np.ones((4, 2)), G=np.ones((4, 2), int))
    many = {f"F{i:02}": np.ones((4, 2)) for i in range(13)}
    with pytest.raises(ChoiceNeeded, match=r"F10, F11\. Pass"):
        read(traces=None, **many)
    rest = {f"F{i:02}": np.ones(4) for i in range(13)}
    with pytest.raises(FormatError, match=r"The file has: F00, .*F10, F11\. Pass"):
        recording_from_fields(rest, "here")
    with pytest.raises(FormatError, match="The file has: nothing"):
        recording_from_fields({}, "here")
    with pytest.raises(ChoiceNeeded, match="neither times nor a sampling rate"):
        read(fs=None)
    with pytest.raises(ChoiceNeeded, match="neither times nor"):
        read(fs=np.zeros(0))


def test_one_text_a_neuron_without_names_is_asked_about_and_the_rest_is_noted() -> None:
    with pytest.raises(ChoiceNeeded, match="'who' holds a text for each of the 3 neurons") as asked:
        read(names=None, who=np.array(["a", "b", "c"]), x=1.0)
    assert asked.value.choices == ("who",)
    held = read(names=None, who=np.array(["a", "b"]), zeta=1.0, strain="N2", beh_speed=np.ones(5), Fs=1)
    assert held.provenance["reading"] == "fields that are not read: Fs, who, zeta"
    assert held.provenance[KEY] == {"strain": "N2"}
    named = read(who=np.array(["a", "b", "c"]))
    assert named.provenance["reading"] == "fields that are not read: who" and named.named == NAMES
    assert "reading" not in read(who="x", format_version=1).provenance
    assert "reading" not in read().provenance
    single = read(traces=np.ones((5, 1)), names=None, who="x")
    assert single.n_neurons == 1


@pytest.mark.parametrize("times", [True, False])
def test_traces_saved_as_neuron_and_time_are_turned_by_their_names_and_times(times: bool) -> None:
    traces = np.arange(15.0).reshape(3, 5)
    clock = {"t": np.arange(5) / 2} if times else {}
    np.testing.assert_array_equal(read(traces=traces, **clock).traces.values, traces.T)
    square = np.arange(9.0).reshape(3, 3)
    np.testing.assert_array_equal(read(traces=square).traces.values, square)
    with pytest.raises(InputError, match="3 names for 5 neurons"):
        read(traces=traces, t=np.arange(3) / 2)


def test_times_may_be_more_than_samples_where_segments_say_which_are_meant() -> None:
    held = read(t=np.arange(8) / 2, idx_splits=[[1, 4], [3, 5]])
    np.testing.assert_array_equal(held.time_s, np.arange(5) / 2)
    assert held.provenance["reading"] == "8 times for 5 samples; the segments say that the first 5 are meant"
    assert held.breaks == (1.5,)
    for splits in ([[2, 4], [3, 5]], [[1, 4], [3, 6]], [[1, 4], [3, 4]]):
        with pytest.raises(InputError, match="8 times for traces"):
            read(t=np.arange(8) / 2, idx_splits=splits)


def test_segments_are_breaks() -> None:
    assert read(idx_splits=[[1, 3, 5], [2, 4, 5]]).breaks == (1.0, 2.0)
    assert read(idx_splits=[[5, 1], [5, 4]]).breaks == (2.0,)
    assert read(idx_splits=[[1, 2], [1, 2]]).breaks == ()  # a list of frames
    assert read(idx_splits=[1, 3, 2, 5]).breaks == (1.0,)
    assert read(idx_splits=[[1], [5]]).breaks == () and read(idx_splits=[]).breaks == ()
    assert read(idx_splits=["a", "b"]).breaks == ()
    assert read(idx_splits=[[1, 3], [2, 5]], breaks_s=[0.25]).breaks == (0.25,)
    assert read(idx_splits=[[1, 2], [1, 5]]).breaks == (0.5,)
    # a row a segment, which is told by their number, or by segments that would overlap otherwise
    assert read(idx_splits=[[1, 1], [2, 3], [4, 5]]).breaks == (0.5, 1.5)
    assert read(idx_splits=[[1, 3], [4, 5]]).breaks == (1.5,)
    for splits, end, start in (
        ([[1, 3, 4], [2, 4, 5]], 4, 4),
        ([[1, 2, 4], [2, 3, 5]], 2, 2),
        ([[1, 4], [4, 5]], 4, 4),
    ):
        with pytest.raises(InputError, match=f"a segment ends at sample {end}, the next begins at {start}"):
            read(idx_splits=splits)
    with pytest.raises(InputError, match="'idx_splits' has 3 numbers"):
        read(idx_splits=[1, 2, 3])


def test_names_are_read_in_the_encoding_that_their_bytes_have() -> None:
    for encoding in ("utf-8", "utf-16", "cp1252"):
        assert texts(np.array([name.encode(encoding) for name in ("AVAL", "Größe", "I1")])) == ["AVAL", "Größe", "I1"]


def test_positions_and_stimuli_are_read_in_every_way_they_are_written() -> None:
    where = np.arange(9.0).reshape(3, 3)
    np.testing.assert_array_equal(read(positions_um=where).positions_um, where)
    np.testing.assert_array_equal(read(positions=where).positions_um, where[:, ::-1])
    np.testing.assert_array_equal(read(positions=where, positions_um=where).positions_um, where)
    assert np.isnan(read().positions_um).all()
    for on, off in (("t_on", "t_off"), ("onset", "offset"), ("start", "stop")):
        rows = np.array([("a", 1.0, 2.0), ("b", 2.0, np.nan)], dtype=[("name", "U4"), (on, "f8"), (off, "f8")])
        assert read(stimuli=rows).stimuli.to_numpy().tolist() == [["a", 1, 2], ["b", 2, 2]]
        assert read(stimuli=rows[["name", on]][:, None]).stimuli["offset"].tolist() == [1, 2]
    assert read(stimuli=np.zeros(0)).stimuli.empty and read(stimuli=rows[:0]).stimuli.empty
    both = read(stim_name=np.array(["a"]), stim_onset=[1.0], stimuli=rows).stimuli
    assert both.to_numpy().tolist() == [["a", 1, 1]]
    assert read(stim_name=np.zeros(0, "U1"), stim_onset=[]).stimuli.empty and read(
        stim_name="a", stim_onset=1.0
    ).stimuli["onset"].tolist() == [1]


@pytest.mark.parametrize(
    ("key", "one", "other", "same"),
    [
        ("dff", np.arange(15.0).reshape(5, 3), None, True),
        ("dff", np.arange(15.0).reshape(5, 3).T, None, True),
        ("dff", np.arange(15.0).reshape(5, 3) + 1, None, False),
        ("dff", np.ones(3), None, True),
        ("dff", "text", None, True),
        ("rate_hz", 2.0005, None, True),
        ("rate_hz", 2.1, None, False),
        ("time", np.arange(5) / 2, np.arange(5) / 2 + 9, True),
        ("time", np.arange(5) / 2, np.arange(5) * 0.6, False),
    ],
)
def test_two_fields_of_one_meaning_must_say_the_same(key, one, other, same) -> None:
    change = {key: one} | ({} if other is None else {"t": other})
    if same:
        assert read(**change).n_times == 5
        return
    with pytest.raises(ChoiceNeeded, match=f"and '{key}' do not say the same") as asked:
        read(**change)
    assert asked.value.option == "fields" and key in asked.value.choices
    mine = next(k for k in ("traces", "t", "fs") if key in ALIASES[k])
    if mine != "traces":
        assert recording_from_fields(base(**change), "here", rate_hz=2.0).rate_hz == pytest.approx(2.0)
        return
    held = recording_from_fields(base(**change), "here", mapping={mine: key})
    np.testing.assert_array_equal(held.traces.values, one)


def test_a_square_matrix_that_is_turned_says_something_else() -> None:
    square = np.arange(9.0).reshape(3, 3)
    assert _say_the_same(square, square, clock=False) and not _say_the_same(square, square.T, clock=False)
    assert _say_the_same(np.arange(4.0), np.arange(4) + 7, clock=True)
    assert not _say_the_same(np.arange(4.0), np.arange(4) + 7, clock=False)
    assert _say_the_same(np.array([np.nan, 1]), np.array([np.nan, 1]), clock=False)
    assert _say_the_same(np.array(["a"]), np.array([1.0]), clock=False)
    assert _say_the_same(np.array([1.0]), np.array(["a"]), clock=False)


@pytest.mark.parametrize(
    ("times", "rate", "fine"),
    [
        (np.arange(5.0), 1.05, True), (np.arange(5.0), 0.95, True), (np.arange(5.0), 1.2, False), (np.arange(5.0), 0.89, False),
        (np.arange(5.0) * 1000, 1.0, True), (np.arange(5.0) / 1000, 1.0, True), (np.arange(5.0), -1.0, True),
        (np.arange(5.0) / 200, 20.0, False), (np.arange(5.0) * 50, 1.0, False), (np.array([0.0, 0, np.nan, 1, 2]), 1.0, True),
        (np.zeros(5), 1.0, True), (np.arange(5.0) * 10, 1 / 9, True), (np.arange(5.0) * 10, 0.0909, False),
    ],
)  # fmt: skip
def test_times_that_may_be_seconds_agree_with_the_rate_up_to_a_tenth(times, rate, fine) -> None:
    if fine:
        _check_rate(times, {"fs": rate}, "here")
    else:
        with pytest.raises(InputError, match="the rate in the file is"):
            _check_rate(times, {"fs": rate}, "here")


def test_fields_are_called_as_the_user_says() -> None:
    fields = {"traces": 1, "dff": 2, "F": 3, "time": 4}
    assert mapped(fields, None, "here") == fields
    assert mapped(fields, {"traces": "F"}, "here") == {"traces": 3, "F": 3, "time": 4}
    assert mapped(fields, {"traces": "dff", "t": "F"}, "here") == {"traces": 2, "F": 3, "t": 3}
    with pytest.raises(InputError, match="no field 'speed' to map"):
        mapped(fields, {"speed": "F"}, "here")
    with pytest.raises(InputError, match=r"no field 'G'. The file has: traces, dff, F, time"):
        mapped(fields, {"traces": "G"}, "here")


def test_texts_and_numbers_of_any_kind_of_array() -> None:
    assert texts(None) is None and texts(np.ones(3)) is None
    odd = np.empty(7, object)
    odd[:] = [
        b"\xffA",
        None,
        np.nan,
        np.array(["x"]),
        np.array(["x", "y"]),
        np.array([[np.array([" z\0 "])]], object),
        5,
    ]
    assert texts(odd) == ["ÿA", "", "", "x", "", "z", "5"]
    assert texts("NaN") == [""] and texts(np.array(["None", "[]", "nano"])) == ["", "", "nano"]
    assert numbers(np.ones(2, ">f4"), "a", "here").dtype == np.dtype("=f4")
    assert numbers(np.ones(2, np.float16), "a", "here").dtype == np.float64
    assert numbers(np.ones(2, np.longdouble), "a", "here").dtype == np.float64
    assert (
        numbers(np.ones(2, bool), "a", "here").dtype == bool
        and numbers(np.ones(2, np.int8), "a", "here").dtype == np.int8
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [({"t": np.arange(5) / 2, "fs": None}, False), ({"time_s": np.arange(5) / 2, "fs": None}, True), ({}, True),
     ({"t": np.arange(5) / 2}, True), ({"t": np.arange(5) / 2, "fs": None, "format_version": 1}, True)],
)  # fmt: skip
def test_whether_the_times_are_known_to_be_seconds(change, said) -> None:
    text = json.dumps({UNIT_SAID: True, "kept": 1})
    held = read(**change, provenance=text)
    assert (UNIT_SAID in held.provenance) == said and held.provenance["kept"] == 1
    assert ("names_decided" in held.provenance) == ("format_version" in change)


def test_what_is_said_twice_about_a_worm_and_what_is_damaged() -> None:
    held = read(
        strain=" N2 ", sex=np.array(["a", "b"]), stage="", genotype=3.0, provenance=json.dumps({KEY: {"strain": "X"}})
    )
    assert held.provenance[KEY] == {"strain": "X"}
    assert read(strain=" N2 ").provenance[KEY] == {"strain": "N2"}
    assert KEY not in read().provenance
    for damaged in ("{", "[1]", "3", ""):
        assert read(provenance=damaged, behaviour_about=damaged, beh_speed=np.ones(5)).behaviour["speed"].attrs == {
            "kind": "binary"
        }
    about = json.dumps({"speed": {"units": "mm/s", "kind": ""}, "x": 1, "turn": "no"})
    held = read(behaviour_about=about, beh_speed=np.arange(5.0), beh_turn=np.arange(5.0))
    assert held.behaviour["speed"].attrs == {"units": "mm/s", "kind": "continuous"}
    assert held.behaviour["turn"].attrs == {"kind": "continuous"}
    assert recording_from_fields(base(worm=None), "here", name="given").name == "given"
    assert recording_from_fields(base(), "here", name="given").name == "given"
    assert read(labels=[[5], [7], [2]], names=None).neurons["label"].tolist() == [5, 7, 2]


def test_more_neurons_than_any_recording_has_are_refused(monkeypatch) -> None:
    monkeypatch.setattr("napari_dynamic_connectome.io.limits.MAX_NEURONS", 3)
    assert read().n_neurons == 3
    monkeypatch.setattr("napari_dynamic_connectome.io.limits.MAX_NEURONS", 2)
    with pytest.raises(InputError, match="3 neurons"):
        read()
