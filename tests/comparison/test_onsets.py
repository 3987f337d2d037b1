"""Averages around onsets: the mean over worms of means over events, against loops; what follows the events stands out, nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.comparison.onsets import average_onsets
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.model.recording import Recording

from .conftest import NEURONS, block

RATE = 2.0


def slow(rng, n: int) -> np.ndarray:
    return np.convolve(rng.standard_normal(n + 12), np.ones(12) / 12, mode="valid")[:n]


def turning_cohort(seed: int = 0, worms: int = 6, n: int = 900, response: float = 0.0, **more) -> Cohort:
    """Worms that turn now and then; N0 and N1 respond 2 s after a turn, the others have slow activity of their own."""
    made = []
    for k in range(worms):
        rng = np.random.default_rng([seed, k])
        on = np.zeros(n)
        for start in np.cumsum(rng.integers(40, 80, size=12)):
            on[start : start + 6] = 1
        traces = np.stack([slow(rng, n) for _ in range(6)], axis=1)
        driven = np.convolve(np.r_[np.zeros(4), on[:-4]], np.exp(-np.arange(12) / 4))[:n]
        traces[:, :2] += response * driven[:, None]
        channel = xr.Dataset({"turn": ("time", on, {"kind": "binary"})})
        made.append(
            Recording.from_arrays(
                traces, name=f"w{k}", rate_hz=RATE, names=[f"N{i}" for i in range(6)], behaviour=channel, **more
            )
        )
    return Cohort(made)


def test_the_average_is_that_of_two_loops() -> None:
    cohort = turning_cohort(worms=3, response=0.5)
    found = average_onsets(cohort, "turn", before_s=3, after_s=5, rest_s=2, surrogates=19, bootstraps=10)
    by_worm = []
    for recording in cohort.recordings:
        on, z = recording.behaviour["turn"].values, recording.traces.values
        z = (z - z.mean(axis=0)) / z.std(axis=0)
        cuts = []
        for t in range(4, len(on)):
            if on[t] and not on[t - 4 : t].any():
                cut = z[t - 6 : t + 11]
                cuts.append(cut - cut[:6].mean(axis=0))
        by_worm.append(np.mean(cuts, axis=0))
    np.testing.assert_allclose(found.mean.values.T, np.mean(by_worm, axis=0), atol=1e-9)
    np.testing.assert_allclose(found.mean["time"].values, np.arange(-6, 11) / RATE)
    assert (found.low <= found.mean + 1e-9).all() and (found.mean <= found.high + 1e-9).all()


def test_single_events_average_to_the_mean_and_only_the_neurons_asked_for_are_there() -> None:
    cohort = turning_cohort(worms=3, response=0.5)
    options = {"before_s": 3, "after_s": 5, "surrogates": 19, "bootstraps": 10}
    every = average_onsets(cohort, "turn", **options)
    found = average_onsets(cohort, "turn", neurons=["N1", "not there"], trials=True, **options)
    assert found.mean["signal"].values.tolist() == ["N1"] and not every.trials
    np.testing.assert_allclose(found.mean.values[0], every.mean.sel(signal="N1").values)
    assert list(found.trials) == ["w0", "w1", "w2"]
    each = [one.sel(signal="N1").mean("event").values for one in found.trials.values()]
    np.testing.assert_allclose(np.mean(each, axis=0), found.mean.values[0], atol=1e-9)
    assert sum(one.sizes["event"] for one in found.trials.values()) == int(found.table()["events"].iloc[0])


def test_what_follows_the_events_is_found_and_nothing_else() -> None:
    table = average_onsets(turning_cohort(1, response=0.5), "turn", surrogates=199).table().set_index("signal")
    assert (table.loc[["N0", "N1"], "q_value"] < 0.05).all()
    assert (table.loc[["N0", "N1"], "low"] > 0).all() and table.loc["N0", "peak_s"] >= 2
    assert (table.loc[["N2", "N3", "N4", "N5"], "q_value"] > 0.05).all()
    assert (table["events"] == 72).all() and (table["worms"] == 6).all()


def test_p_values_are_uniform_where_nothing_follows() -> None:
    p = np.concatenate(
        [
            average_onsets(turning_cohort(100 + s, worms=3, n=500), "turn", surrogates=99, bootstraps=10)
            .signals["p_value"]
            .to_numpy()
            for s in range(25)
        ]
    )
    # 150 p values: about 7.5 at .05
    assert 1 <= (p <= 0.05).sum() <= 18 and 0.4 < p.mean() < 0.6


def test_windows_never_reach_across_a_break() -> None:
    cohort = turning_cohort(2, worms=2)
    broken = []
    for recording in cohort.recordings:
        on = recording.behaviour["turn"].values
        first = int(np.flatnonzero(on)[0])
        break_s = recording.time_s[first + 4]
        traces = recording.traces.copy(deep=True)
        traces[first + 4 :] += 1000.0
        broken.append(recording.replace(traces=traces, breaks=(break_s,)))
    found = average_onsets(Cohort(broken), "turn", before_s=3, after_s=3, surrogates=19, bootstraps=10)
    assert (
        np.nanmax(np.abs(found.mean.values)) < 10
    )  # the jump of 1000, z-scored, would stand out of a window across it


def test_components_and_communities_are_averaged_too(make_components, make_communities) -> None:
    rng = np.random.default_rng(3)
    n, made = 600, []
    for k in range(2):
        on = np.zeros(n)
        on[50 + 7 * k :: 60] = 1
        traces = np.stack([slow(rng, n) for _ in NEURONS], axis=1)
        channel = xr.Dataset({"turn": ("time", on, {"kind": "binary"})})
        made.append(Recording.from_arrays(traces, name=f"w{k + 1}", rate_hz=2, names=NEURONS, behaviour=channel))
    cohort = Cohort(made)
    course = np.concatenate([np.roll(r.behaviour["turn"].values, 3) for r in made])[:, None] + 0.01
    components = make_components([block(NEURONS[:4])], course, model="unaligned")
    communities = {(1, "core"): make_communities([0, 0, 1, 1, -1, -1, -1, -1, -1, -1, -1, -1])}
    found = average_onsets(
        cohort,
        "turn",
        components=components,
        communities=communities,
        neurons=False,
        before_s=4,
        after_s=4,
        surrogates=99,
    )
    assert found.signals["signal"].tolist() == ["component 1", "component 1 core 0", "component 1 core 1"]
    best = found.table().iloc[0]
    assert best["signal"] == "component 1" and best["peak_s"] == pytest.approx(1.5) and best["p_value"] <= 0.02
    z = [(r.traces.values - r.traces.values.mean(axis=0)) / r.traces.values.std(axis=0) for r in made]
    other = average_onsets(
        Cohort(
            [
                r.replace(traces=r.traces.copy(data=np.tile(v[:, [0, 1]].mean(axis=1)[:, None], 12)))
                for r, v in zip(made, z, strict=True)
            ]
        ),
        "turn",
        before_s=4,
        after_s=4,
        surrogates=19,
        baseline=False,
        bootstraps=10,
    )
    mine = average_onsets(
        cohort, "turn", communities=communities, neurons=False, before_s=4, after_s=4, surrogates=19, baseline=False
    )
    shape = np.corrcoef(mine.mean.sel(signal="component 1 core 0"), other.mean.sel(signal=NEURONS[0]))[0, 1]
    assert shape > 0.98


def test_stimuli_are_events_and_one_worm_says_so() -> None:
    cohort = turning_cohort(4, worms=1)
    stimuli = pd.DataFrame({"name": "salt", "onset": [50.0, 120.0, 449.0], "offset": [60.0, 130.0, 449.5]})
    worm = cohort.recordings[0].replace(stimuli=stimuli)
    found = average_onsets(Cohort([worm]), "salt", surrogates=19, bootstraps=10)
    assert (found.signals["events"] == 2).all()
    assert any("1 of 3 events lie too near" in n for n in found.notes)
    assert any("one worm" in n and "nothing about other worms" in n for n in found.notes)


def test_bad_input_in_words() -> None:
    cohort = turning_cohort(5, worms=2)
    bare = cohort.recordings[1].replace(behaviour=xr.Dataset())
    some = average_onsets(Cohort([cohort.recordings[0], bare]), "turn", surrogates=19, bootstraps=10)
    assert "w1 has no 'turn'" in some.notes
    with pytest.raises(
        InputError, match=r"no worm has a stimulus or a behaviour channel called 'nose'.*binary channels: turn"
    ):
        average_onsets(cohort, "nose")
    with pytest.raises(InputError, match="leaves room for 600 s before"):
        average_onsets(cohort, "turn", before_s=600, after_s=600)
    with pytest.raises(InputError, match="nothing to average"):
        average_onsets(cohort, "turn", neurons=False)
    speed = cohort.recordings[0].replace(
        behaviour=xr.Dataset({"speed": ("time", np.random.default_rng(0).random(900), {"kind": "continuous"})})
    )
    with pytest.raises(InputError, match="continuous, not binary"):
        average_onsets(Cohort([speed]), "speed")
    with pytest.raises(Cancelled):
        average_onsets(cohort, "turn", cancel=lambda: True)


def test_the_seed_decides() -> None:
    cohort = turning_cohort(6, worms=2)
    one, two = (average_onsets(cohort, "turn", surrogates=29, bootstraps=20, seed=1) for _ in range(2))
    pd.testing.assert_frame_equal(one.signals, two.signals)
    xr.testing.assert_equal(one.low, two.low)
