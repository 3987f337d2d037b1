"""Every verdict at its limit, in its words; what is taken over from an earlier judgement; which traces are relative."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.extraction import quality
from napari_dynamic_connectome.extraction.bleaching import fit_bleaching
from napari_dynamic_connectome.extraction.quality import assess_quality, recording_quality
from napari_dynamic_connectome.extraction.settings import QualitySettings
from napari_dynamic_connectome.model.recording import Recording

NAN = float("nan")


def worm(values: np.ndarray, units: str | None = None, **more: Any) -> Recording:
    planes = more.pop("planes", {})
    made = Recording.from_arrays(np.asarray(values, float), name="w", **({"rate_hz": 2.0} | more))
    made = made.replace(traces=made.traces.assign_coords({k: (("time", "neuron"), v) for k, v in planes.items()}))
    if units is not None:
        made.traces.attrs["units"] = units
    return made


def judged(row: dict[str, Any], same: float = NAN, **limits: Any) -> pd.Series:
    plain = {
        "snr": 5.0, "bleaching": 0.0, "saturated": 0.0, "missing": 0.0, "contamination": NAN, "neighbour": "", "motion": NAN,
        "jumps": 0, "duplicate_of": "",
    }  # fmt: skip
    table = pd.DataFrame([plain | row], index=["#1"])
    return quality._judge(table, np.array([same]), QualitySettings(**limits)).loc["#1"]


@pytest.mark.parametrize(
    ("column", "limit", "value", "score", "words"),
    [
        ("bleaching", "max_bleaching", 0.25, 2.0, "bleaches by 50% (at most 25%)"),
        ("saturated", "max_saturated", 0.125, 2.0, "25.0% of its voxels are saturated (at most 12.5%)"),
        ("missing", "max_missing", 0.25, 2.0, "missing in 50% of the frames (at most 25%)"),
        ("contamination", "max_contamination", 0.25, 2.0, "moves with its neighbour B, r = 0.50 (at most 0.25)"),
        ("motion", "max_motion", 0.25, 2.0, "follows its own movement or the reference channel, r = 0.50 (at most 0.25)"),
        ("jumps", "max_jumps", 3, 2.0, "6 sudden jumps, as if it were mixed up with another neuron (at most 3)"),
    ],
)  # fmt: skip
def test_a_limit_may_be_reached_and_not_passed(column: str, limit: str, value: float, score: float, words: str) -> None:
    at = judged({column: value, "neighbour": "B"}, **{limit: value})
    assert (at["score"], at["flagged"], at["reason"]) == (1.0, False, "")
    beyond = judged({column: 2 * value, "neighbour": "B"}, **{limit: value})
    assert (beyond["score"], beyond["flagged"], beyond["reason"]) == (score, True, words)
    # a limit of 0 is passed by anything above 0
    assert judged({column: 0}, **{limit: 0})["score"] == 0.0
    none = judged({column: 2 * value, "neighbour": "B"}, **{limit: 0})
    assert none["score"] == 1 + 2 * value and none["flagged"]
    assert judged({column: NAN}, **{limit: 0})["score"] == judged({column: NAN}, **{limit: value})["score"] == 0.0


def test_signal_to_noise_is_flagged_below_its_limit() -> None:
    at = judged({"snr": 2.0}, min_snr=2.0)
    assert (at["score"], at["flagged"]) == (0.0, False)
    below = judged({"snr": 0.5}, min_snr=2.0)
    assert (below["score"], below["flagged"], below["reason"]) == (4.0, True, "signal to noise 0.5 (at least 2)")
    assert judged({"snr": 1e-3}, min_snr=0.5)["score"] == 500.0
    assert judged({"snr": 0.0}, min_snr=0.5)["score"] == 500.0  # as a thousandth
    assert judged({"snr": 0.0}, min_snr=2.0)["score"] == 1000.0  # at most
    for unknown in (NAN, np.inf):
        assert judged({"snr": unknown})["score"] == 0.0
    assert judged({"snr": 0.0}, min_snr=0.0)["score"] == 0.0


def test_duplicates_and_several_faults_are_told_the_worst_first() -> None:
    twice = judged({"duplicate_of": "#7"}, same=0.96)
    assert (twice["score"], twice["flagged"], twice["reason"]) == (1.96, True, "seems to be the same neuron as #7")
    assert judged({}, same=0.99)["score"] == 0.0
    row = {"bleaching": 0.9, "missing": 0.6, "jumps": 3, "saturated": 0.01}
    found = judged(row, max_bleaching=0.6, max_missing=0.2, max_saturated=0.01)["reason"].split("; ")
    assert [f.split(" ")[0] for f in found] == ["3", "missing", "bleaches"]  # 4, 3 and 1.5 times
    tie = judged({"bleaching": 0.4, "missing": 0.4}, max_bleaching=0.2, max_missing=0.2)["reason"]
    assert tie == "bleaches by 40% (at most 20%); missing in 40% of the frames (at most 20%)"


def test_ranks_follow_the_score_and_then_the_order() -> None:
    missing = [0.0, 0.4, 0.8, 0.4, 0.0]
    table = pd.DataFrame(
        {
            "snr": 5.0, "bleaching": 0.0, "saturated": 0.0, "missing": missing, "contamination": NAN, "neighbour": "",
            "motion": NAN, "jumps": 0, "duplicate_of": "",
        },
        index=list("abcde"),
    )  # fmt: skip
    got = quality._judge(table, np.full(5, NAN), QualitySettings())
    assert got["rank"].tolist() == [4, 2, 1, 3, 5]
    assert got["flagged"].tolist() == [False, True, True, True, False]
    assert list(quality.worst_first(got).index) == ["c", "b", "d", "a", "e"]


def test_the_closest_is_the_most_alike_of_those_nearby() -> None:
    alike = np.array([[1.0, 0.9, 0.3, NAN], [0.9, 1.0, 0.9, -0.5], [0.3, 0.9, 1.0, NAN], [NAN, -0.5, NAN, 1.0]])
    near = np.array([[0, 0, 1, 1], [1, 0, 1, 0], [1, 1, 0, 0], [0, 1, 1, 0]], bool)
    best, which = quality._closest(alike, near)
    assert which.tolist() == [2, 0, 1, 1]  # of two that are equally alike, the first
    np.testing.assert_array_equal(best, [0.3, 0.9, 0.9, -0.5])
    best, which = quality._closest(alike, np.zeros((4, 4), bool))
    assert which.tolist() == [-1] * 4 and np.isnan(best).all()


@pytest.mark.parametrize(
    ("units", "values", "relative"),
    [
        ("dF/F0", [1, 2], True), ("ΔF/F", [1, 2], True), ("DFF", [1, 2], True), ("z-score", [1, 2], True), ("counts", [1, 2], False),
        ("", [0, 2], False), ("", [-1e-9, 2], True), ("counts", [NAN, -1], True), ("counts", [NAN, NAN], True), ("F/dF", [1, 2], False),
    ],
)  # fmt: skip
def test_traces_are_relative_by_their_units_or_where_they_are_below_zero(
    units: str, values: list[float], relative: bool
) -> None:
    assert quality._is_relative(worm(np.array(values, float)[:, None], units)) is relative


def test_shares_are_means_over_the_frames_that_know_them() -> None:
    share = np.array([[0.1, NAN, 0.0], [0.3, NAN, NAN], [NAN, NAN, 0.5]])
    held = worm(np.ones((3, 3)), planes={"saturated": share})
    np.testing.assert_allclose(quality._share(held, "saturated"), [0.2, NAN, 0.25])
    assert np.isnan(quality._share(held, "missing")).all()


def test_a_track_takes_all_three_axes() -> None:
    planes = {f"track_{a}": np.full((2, 3), i, float) for i, a in enumerate("zyx")}
    track = quality._track(worm(np.ones((2, 3)), planes=planes))
    assert track.shape == (2, 3, 3) and (track == [0, 1, 2]).all()
    for absent in planes:
        assert quality._track(worm(np.ones((2, 3)), planes={k: v for k, v in planes.items() if k != absent})) is None


@pytest.mark.parametrize("plane", ["track_z", "track_y", "track_x", "reference"])
def test_motion_is_the_likeness_to_any_axis_or_to_the_reference(plane: str) -> None:
    rng = np.random.default_rng(1)
    other = {name: rng.normal(0, 1, (400, 3)) for name in ("track_z", "track_y", "track_x", "reference")}
    values = rng.normal(100, 1, (400, 3))
    values[:, 1] = 100 - 2 * other[plane][:, 1]  # the other way counts, too
    table = assess_quality(worm(values, planes=other)).quality
    assert table["motion"].iloc[1] == pytest.approx(1.0, abs=0.02) and (table["motion"].iloc[[0, 2]] < 0.3).all()
    assert ["follows" in reason for reason in table["reason"]] == [False, True, False]
    unknown = assess_quality(worm(values, planes={plane: np.full((400, 3), NAN)})).quality
    assert unknown["motion"].isna().all()


def test_neighbours_and_duplicates_are_nearer_than_their_distances() -> None:
    rng = np.random.default_rng(2)
    common = rng.normal(0, 1, 600)
    values = 100 + np.column_stack([common + rng.normal(0, 0.1, 600) for _ in range(4)])
    where = np.array([[0, 0, 0.0], [0, 0, 2.0], [0, 0, 7.0], [0, 0, 9.5]])
    table = assess_quality(worm(values, positions_um=where), neighbour_um=5.0, duplicate_um=2.5).quality
    assert table["neighbour"].tolist() == ["#2", "#1", "#4", "#3"]  # 5 um is not nearer than 5 um
    assert table["duplicate_of"].tolist() == ["#2", "#1", "", ""]  # 2.5 is not nearer than 2.5
    assert (table["contamination"] > 0.97).all()
    exact = table["contamination"].iloc[0]
    for limit, twin in ((exact, "#2"), (exact + 1e-9, "")):
        again = assess_quality(worm(values, positions_um=where), duplicate_um=2.5, duplicate_correlation=limit).quality
        assert again["duplicate_of"].iloc[0] == twin


def bleached(seed: int = 3, n: int = 4) -> np.ndarray:
    rng = np.random.default_rng(seed)
    t = np.arange(500) / 2
    return (200 * (0.3 + 0.7 * np.exp(-t / 60)))[:, None] * (1 + 0.1 * rng.normal(size=(500, n)))


def test_bleaching_is_fitted_to_raw_traces_and_taken_out_of_the_signal() -> None:
    values = bleached()
    fit = fit_bleaching(values, np.arange(500) / 2)
    table = assess_quality(worm(values)).quality
    np.testing.assert_allclose(table["bleaching"], fit.lost)
    np.testing.assert_allclose(table["bleaching_tau_s"], fit.tau_s)
    signal = values / (fit.curve / fit.curve[0])
    second = np.diff(signal, n=2, axis=0)
    noise = 1.4826 / np.sqrt(6) * np.median(np.abs(second - np.median(second, axis=0)), axis=0)
    snr = np.sqrt(np.maximum(signal.var(axis=0) - noise**2, 0)) / noise
    np.testing.assert_allclose(table["snr"], snr)
    # relative traces: only where the raw ones are kept
    relative = values / 100 - 1
    assert assess_quality(worm(relative, "dF/F0")).quality[["bleaching", "bleaching_tau_s"]].isna().all(axis=None)
    kept = assess_quality(worm(relative, "dF/F0", planes={"raw": values})).quality
    np.testing.assert_allclose(kept["bleaching"], fit.lost)
    plain = np.diff(relative, n=2, axis=0)
    noise = 1.4826 / np.sqrt(6) * np.median(np.abs(plain - np.median(plain, axis=0)), axis=0)
    np.testing.assert_allclose(kept["snr"], np.sqrt(np.maximum(relative.var(axis=0) - noise**2, 0)) / noise)


def marked(recording: Recording) -> Recording:
    """The recording judged, with numbers that nobody would fit."""
    done = assess_quality(recording)
    table = done.quality.copy()
    table["snr"], table["bleaching_tau_s"], table["bleaching"] = (
        [11.0, 12, 13, 14],
        [21.0, 22, 23, 24],
        [0.31, 0.32, 0.33, 0.34],
    )
    return done.replace(quality=table)


def test_only_neurons_that_are_the_same_keep_what_was_fitted() -> None:
    values = bleached()
    before = marked(worm(values))
    fresh = assess_quality(worm(values)).quality
    columns = ["snr", "bleaching_tau_s", "bleaching"]
    same = assess_quality(worm(values), judged=before).quality
    np.testing.assert_array_equal(same[columns], before.quality[columns])
    changed = values.copy()
    changed[250, 2] += 1e-6
    some = assess_quality(worm(changed), judged=before).quality
    np.testing.assert_array_equal(some[columns].iloc[[0, 1, 3]], before.quality[columns].iloc[[0, 1, 3]])
    np.testing.assert_allclose(some[columns].iloc[2], fresh[columns].iloc[2], rtol=1e-3)
    # by label, not by place
    turned = worm(values[:, ::-1], labels=[4, 3, 2, 1])
    np.testing.assert_array_equal(assess_quality(turned, judged=before).quality[columns], before.quality[columns][::-1])
    others = worm(values, labels=[5, 6, 7, 8])
    np.testing.assert_allclose(assess_quality(others, judged=before).quality[columns], fresh[columns])
    bare = before.replace(quality=before.quality[columns])  # nothing else has to be known
    np.testing.assert_array_equal(assess_quality(worm(values), judged=bare).quality[columns], before.quality[columns])


@pytest.mark.parametrize("what", ["time", "breaks", "raw", "other raw", "not judged", "an older table"])
def test_nothing_is_kept_where_the_worm_is_another(what: str) -> None:
    values = bleached()
    planes = {"raw": values} if "raw" in what else {}
    before, now = marked(worm(values, planes=planes)), worm(values, planes=planes)
    if what == "time":
        now = worm(values, rate_hz=4.0)
    elif what == "breaks":
        now = worm(values, breaks=(50.0,))
    elif what == "raw":
        now = worm(values)
    elif what == "other raw":
        now = worm(values, planes={"raw": values + 1.0})
    elif what == "not judged":
        before = before.replace(quality=None)
    else:
        before = before.replace(quality=before.quality.drop(columns="snr"))
    assert quality._known_bleaching(now, before) == {}
    assert quality._known_bleaching(now, None) == {}


def test_missing_samples_of_the_same_trace_are_the_same() -> None:
    values = bleached()
    values[10, 1] = NAN
    kept = quality._known_bleaching(worm(values, planes={"raw": values}), marked(worm(values, planes={"raw": values})))
    assert kept == {i: [11.0 + i, 21.0 + i, pytest.approx(0.31 + i / 100)] for i in range(4)}


def test_the_recording_is_judged_by_four_measures_the_worst_first() -> None:
    values = np.ones((100, 4))
    values[:25] = NAN
    values[25:50, 1:] = NAN  # one neuron is enough
    track = np.zeros((100, 4))
    planes = {"track_z": track, "track_y": track, "track_x": np.where(np.arange(100) < 50, 0.0, 8.0)[:, None] + track}
    whole = recording_quality(worm(values, planes=planes), max_drift_um=2.0, max_missing=0.125)
    assert whole["measure"].tolist() == ["drift", "empty frames", "dropped frames", "uneven times"]
    assert list(whole.columns) == ["measure", "value", "limit", "reason", "score", "flagged"]
    assert list(whole.index) == [0, 1, 2, 3]
    assert whole["score"].tolist() == [4.0, 2.0, 0.0, 0.0]
    assert whole["flagged"].tolist() == [True, True, False, False]
    assert whole["reason"].tolist() == [
        "the neurons drift by 8.0 um (at most 2)", "25.0% of the frames hold no value (at most 12.5%)", "", "",
    ]  # fmt: skip
    assert not recording_quality(worm(values, planes=planes), max_drift_um=8.0, max_missing=0.25)["flagged"].any()
    kept = assess_quality(worm(values, planes=planes), max_drift_um=2.0).provenance
    assert kept["quality_settings"]["max_drift_um"] == 2.0 and kept["quality"][0]["value"] == 8.0
    times = np.r_[np.arange(50), np.arange(60, 110)].astype(float)
    gap = recording_quality(worm(np.ones((100, 2)), rate_hz=None, time_s=times)).iloc[0]
    assert gap["reason"] == "9.1% of the frames were dropped (at most 2.0%)" and gap["value"] == 10 / 110
    uneven = np.cumsum(np.tile([0.8, 1.2], 50))
    row = recording_quality(worm(np.ones((100, 2)), rate_hz=None, time_s=uneven)).iloc[0]
    assert row["reason"].startswith("the sampling interval varies by ") and row["reason"].endswith("% (at most 10%)")
