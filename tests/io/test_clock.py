"""Which times cannot be seconds, what is proposed instead, and what a unit does to a recording."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome import InputError, Recording
from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.clock import UNIT_SAID, in_seconds, with_unit_said, without_unit_said


def worm(n: int, step: float, begin: float = 0.0, onset: float | None = None, said: bool = False) -> Recording:
    stimuli = pd.DataFrame({"name": ["a"], "onset": [onset or 0.0], "offset": [onset or 0.0]})
    made = Recording.from_arrays(
        np.zeros((n, 1)),
        name="w",
        time_s=begin + step * np.arange(n),
        **({} if onset is None else {"stimuli": stimuli}),
    )
    return with_unit_said(made) if said else made


@pytest.mark.parametrize(
    ("given", "likely"),
    [
        ((200, 1.0), ""),
        ((3, 50.0), ""), ((3, 50.1), "ms"), ((3, 1 / 200), ""), ((3, 1 / 201), "min"),  # .02 to 200 Hz
        ((2, 1000.0), ""),  # too few to tell
        ((3, 1000.0), "ms"), ((3, 2e5), "us"), ((3, 1e9), "s"), ((3, 1e-5), "h"), ((3, 1e-9), "s"),
        # minutes: 3 Hz over ten minutes are 180 Hz over ten seconds
        ((1800, 1 / 180), "min"), ((1800, 1 / 180, 0.0, None, True), ""),
        ((100, 0.1), "min"), ((99, 0.1), ""),  # too few to say how long it takes
        ((101, 1 / 5.9), ""), ((101, 1 / 6.1), "min"),  # a tenth of a volume a second
        ((594, 0.1), "min"), ((596, 0.1), ""),  # just a minute, in seconds
        ((2200, 1 / 30.2), ""), ((2200, 1 / 30.4), "min"),
        ((140, 1 / 150), ""), ((152, 1 / 150), "min"),  # a minute, in minutes
        ((28801, 1 / 120), "min"), ((28803, 1 / 120), ""),  # four hours
        # a stimulus after the end of the times, but not after the end in minutes
        ((1001, 0.1, 0.0, 100.5), "min"), ((1001, 0.1, 0.0, 100.0), ""), ((1001, 0.1, 0.0, 6000.0), "min"),
        ((1001, 0.1, 0.0, 6000.5), ""), ((1001, 0.1, 50.0, 140.0), ""), ((1001, 0.1, 50.0, 151.0), "min"),
        # milliseconds: 30 Hz over days
        ((5000, 33.0), "ms"), ((2600, 33.0), ""), ((20000, 4.9), ""), ((20000, 5.1), "ms"),
    ],
)  # fmt: skip
def test_what_the_times_are_probably_in(given: tuple, likely: str) -> None:
    recording = worm(*given)
    if not likely:
        same = in_seconds(recording, "", "here")
        np.testing.assert_array_equal(same.time_s, recording.time_s)
        assert UNIT_SAID not in same.provenance
        return
    with pytest.raises(ChoiceNeeded) as asked:
        in_seconds(recording, "", "here")
    assert asked.value.choices[0] == asked.value.example == likely and asked.value.option == "time_unit"
    assert sorted(asked.value.choices) == sorted(["s", "ms", "min", "us", "h"])
    assert ("what are they in?" if likely == "s" else f"are they in {likely}?") in str(asked.value)
    assert in_seconds(recording, "", "here", asked=True).n_times == recording.n_times


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((1800, 1 / 180), "180 samples a second are over after 9.99 s"),
        ((1001, 0.1, 0.0, 121.0), "the times end at 100 s, and a stimulus begins at 121 s"),
        ((5000, 33.0), "the recording takes 1.9 days"),
        ((3, 1000.0), "the times give 0.001 samples a second, which no recording has"),
        ((3, 1e-9), 'what are they in? Pass time_unit= one of: ms, min, us, h; or "s" if it is true'),
    ],
)
def test_why_they_cannot_be_seconds_is_said(given: tuple, words: str) -> None:
    with pytest.raises(ChoiceNeeded, match=re.escape(words)):
        in_seconds(worm(*given), "", "here")


@pytest.mark.parametrize(("unit", "factor"), [("s", 1.0), ("ms", 1e-3), ("min", 60.0), (" Hours ", 3600.0)])
def test_everything_that_holds_times_is_scaled(unit: str, factor: float) -> None:
    behaviour = xr.Dataset({"speed": ("time", np.arange(4.0))})
    stimuli = pd.DataFrame({"name": ["a", "b"], "onset": [1.0, 9.0], "offset": [2.0, 9.5]})
    recording = Recording.from_arrays(
        np.zeros((4, 1)), name="w", time_s=[2.0, 4, 6, 8], behaviour=behaviour, stimuli=stimuli, breaks=(5.0,),
        provenance={"reading": "odd"},
    )  # fmt: skip
    made = in_seconds(recording, unit, "here")
    times = np.array([2.0, 4, 6, 8]) * factor
    np.testing.assert_allclose(made.time_s, times)
    np.testing.assert_allclose(made.behaviour["time"], times)
    late = times[-1] < 9.0
    scale = factor if late else 1.0
    np.testing.assert_allclose(made.stimuli[["onset", "offset"]], np.array([[1, 2], [9, 9.5]]) * scale)
    np.testing.assert_allclose(made.breaks, [5 * factor])
    more = ", stimuli too" if late else ", stimuli were taken as seconds"
    assert made.provenance["reading"] == ("odd" if factor == 1 else f"odd; times were in {unit}{more}")


def test_a_recording_without_stimuli_and_behaviour_says_only_its_unit() -> None:
    made = in_seconds(worm(4, 1.0), "min", "here")
    assert made.provenance["reading"] == "times were in min" and not made.behaviour.coords
    at_end = in_seconds(worm(4, 1.0, 0.0, 180.0), "min", "here")
    assert at_end.stimuli["onset"].tolist() == [180.0]
    with pytest.raises(InputError, match=r"'mil{1}es' is no unit of time\. Known: s, ms, min, us, h"):
        in_seconds(worm(4, 1.0), "miles", "here")
    with pytest.raises(InputError, match=f"'{'x' * 40}' is no unit"):
        in_seconds(worm(4, 1.0), "x" * 50, "here")
    plain = worm(4, 1.0)
    assert without_unit_said(plain) is plain and without_unit_said(with_unit_said(plain)).provenance == {}
    assert in_seconds(with_unit_said(plain), "s", "here").provenance == {}
