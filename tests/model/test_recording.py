"""Recordings and cohorts: what is accepted, what is refused and with which words, missing neurons."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording, with_names_read


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
