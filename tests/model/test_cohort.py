"""Which neurons of which worms take part: names, confidence, sides, unnamed neurons, and their traces."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording

NAMES = (["AVAL", "AVAR", "RIML", "", "DB2"], ["RIML", "AVAL", "RIMR", "", "VB1"], ["AVAR", "RIML", "DB2", "VB1", ""])


def worms(count: int = 3) -> list[Recording]:
    rng = np.random.default_rng(0)
    made = []
    for number, names in enumerate(NAMES[:count]):
        values = rng.normal(size=(9, 5)) + 10 * number
        values[:, 4] = np.nan if number == 1 else values[:, 4]  # VB1 of the second worm was never measured
        values[:3, 0] = np.nan
        one = Recording.from_arrays(
            values,
            name=f"w{number}",
            rate_hz=1.0,
            names=names,
            confidence=[0.9, 0.5, np.nan, 0.1, 0.4],
            labels=[3, 11, 5, 20, 9],
        )
        one = one.replace(neurons=one.neurons.assign(rejected=[False, False, number == 2, False, False]))
        made.append(one)
    return made


def taking_part(
    recordings: list[Recording], confidence: float, merge: bool, unnamed: bool
) -> list[dict[str, list[str]]]:
    """Name in the cohort -> ids of the traces, worm by worm."""
    found = []
    for one in recordings:
        held: dict[str, list[str]] = {}
        for trace, row in one.neurons.iterrows():
            if row["rejected"] or not np.isfinite(one.traces.sel(neuron=trace)).any():
                continue
            name = row["name"] if not row["confidence"] < confidence else ""
            if not name and unnamed:
                name = f"#{row['label']}" if len(recordings) == 1 else f"{one.name}#{row['label']}"
            if merge and name in ("AVAL", "AVAR", "RIML", "RIMR"):
                name = name[:3]
            if name:
                held.setdefault(name, []).append(str(trace))
        found.append(held)
    return found


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize(
    ("confidence", "merge", "unnamed"), itertools.product([0.0, 0.4, 0.5, 0.51], [True, False], [True, False])
)
def test_who_takes_part_and_with_which_traces(count: int, confidence: float, merge: bool, unnamed: bool) -> None:
    recordings = worms(count)
    for least in (1, 2, 3):
        held = taking_part(recordings, confidence, merge, unnamed)
        names = {n for one in held for n in one}
        union = {n for n in names if sum(n in one for one in held) >= min(least, count)}
        options = {
            "min_confidence": confidence,
            "merge_left_right": merge,
            "include_unnamed": unnamed,
            "min_worms": least,
        }
        if len(union) < 2:
            with pytest.raises(InputError, match="neuron is seen in"):
                Cohort(recordings, options)
            continue
        made = Cohort(recordings, options)
        assert set(made.neurons) == union and made.worms == tuple(r.name for r in recordings)
        plain = [n for n in made.neurons if "#" not in n]
        assert plain == sorted(plain) and list(made.neurons[: len(plain)]) == plain
        numbers = [(n.split("#")[0], int(n.split("#")[1])) for n in made.neurons[len(plain) :]]
        assert numbers == sorted(numbers)
        np.testing.assert_array_equal(made.presence, [[n in one for n in made.neurons] for one in held])
        assert made.coverage().to_dict() == {n: sum(n in one for one in held) for n in made.neurons}
        for number, one in enumerate(recordings):
            got = made.traces_of(number)
            chosen = [n for n in made.neurons if n in held[number]]
            assert got["neuron"].values.tolist() == chosen and got["time"].values.tolist() == one.time_s.tolist()
            for name in chosen:
                values = np.stack([one.traces.sel(neuron=i).values for i in held[number][name]], axis=1)
                if values.shape[1] > 1:
                    values = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
                    with np.errstate(invalid="ignore"):
                        values = np.array([np.nan if np.isnan(v).all() else np.nanmean(v) for v in values])[:, None]
                np.testing.assert_allclose(got.sel(neuron=name), values[:, 0])
            np.testing.assert_array_equal(made.traces_of(one.name), got)


def test_fewer_worms_than_asked_for_are_told() -> None:
    for count, words in (
        (1, "it take part"),
        (2, "those that are seen in both take part"),
        (3, "seen in all 3 take part"),
    ):
        made = Cohort(worms(count), min_worms=4, merge_left_right=True)
        assert made.least_worms == count and len(made.notes) == 1 and words in made.notes[0]
        assert f"in 4 worms, but there are only {count}" in made.notes[0]
    assert Cohort(worms(3), min_worms=3, merge_left_right=True).notes == ()


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([["", ""], ["", ""]], r"no neuron is seen in 1 worm or more \(0 of 2 worms have named neurons\)"), ([["AVAL", ""], ["", ""]], r"only 1 neuron is seen in 1 worm or more \(1 of 2 worms have"),
        ([["", ""]], r"no neuron is seen in 1 worm or more \(0 of 1 worm has named neurons\)"),
    ],
)  # fmt: skip
def test_cohorts_without_two_neurons_say_what_there_is(names, words) -> None:
    made = [Recording.from_arrays(np.ones((3, 2)), name=f"w{i}", rate_hz=1, names=n) for i, n in enumerate(names)]
    with pytest.raises(InputError, match=words):
        Cohort(made)


def test_stimuli_of_every_worm_and_what_a_cohort_says_of_itself() -> None:
    made = worms(2)
    tables = [pd.DataFrame({"name": n, "onset": 1.0, "offset": 2.0}) for n in (["b", "a", "c"], ["a", "b"])]
    cohort = Cohort([one.replace(stimuli=t) for one, t in zip(made, tables, strict=True)])
    assert cohort.common_stimuli == ("a", "b")
    text = repr(cohort)
    assert " of 2 worms" in text and "2 in every worm" in text and "times    9 to 9 a worm" in text
    assert cohort.subset(["w1"]).worms == ("w1",) and cohort.subset(["w1"]).settings == cohort.settings
    with pytest.raises(InputError, match=r"there is no worm 'q'.*Known: w0, w1"):
        cohort.subset(["w1", "q"])
    with pytest.raises(InputError, match="two recordings are called 'w0'"):
        Cohort([made[0], made[0]])
    with pytest.raises(InputError, match="needs at least one recording"):
        Cohort([])
