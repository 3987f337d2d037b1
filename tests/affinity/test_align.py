"""What time means across worms: stimulus blocks side by side, onsets at zero, events in the worms' place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome import Cohort, InputError, Recording, simulate_cohort
from napari_dynamic_connectome.affinity import align
from napari_dynamic_connectome.affinity.align import nearest
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.settings import AffinitySettings

RATE = 2.0
NAMES = ["AVAL", "AVAR", "RIBL"]


def record(name, onsets=(), *, duration_s=100.0, start_s=0.0, seed=0, reversal=None, rate_hz=RATE, breaks=()):
    """One worm; `onsets` is ((stimulus, onset), ...), each 5 s long."""
    n = round(duration_s * rate_hz)
    time = start_s + np.arange(n) / rate_hz
    x = np.random.default_rng(seed).standard_normal((n, 3)).cumsum(axis=0)
    stimuli = pd.DataFrame(
        [{"name": s, "onset": a, "offset": a + 5.0} for s, a in onsets], columns=["name", "onset", "offset"]
    )
    more = {"stimuli": stimuli, "breaks": breaks}
    if reversal is not None:
        more["behaviour"] = xr.Dataset({"reversal": (("time",), np.asarray(reversal, float))})
    return Recording.from_arrays(x, name=name, time_s=time, names=NAMES, **more)


def own_values(recording, **options):
    """Affinities of a worm alone in its own time, (pair, time)."""
    return compute_affinity(Cohort([recording]), alignment="none", **options).blocks[0].dense()[0]


def test_auto_takes_stimulus_identity_where_every_worm_shares_a_stimulus():
    a, b = record("a", [("NaCl", 20.0)]), record("b", [("NaCl", 30.0)])
    spec = compute_affinity(Cohort([a, b]))
    assert spec.model == "aligned"
    assert "share the stimuli NaCl" in spec.model_reason
    for others, why in (
        ([], "one worm"),
        ([record("c")], "no stimulus"),
        ([record("c", [("butanone", 9.0)])], "no stimulus"),
    ):
        spec = compute_affinity(Cohort([a, *others]))
        assert spec.model == "unaligned"
        assert spec.time_s is None
        assert why in spec.model_reason
    spec = compute_affinity(Cohort([a, b, record("c")]))
    assert spec.model == "unaligned"
    assert "1 of 3 worms" in spec.model_reason


@pytest.mark.parametrize("kind", ["differential", "edge time series", "sliding correlation"])
def test_stimulus_identity_moves_columns_and_changes_no_value(kind):
    # Both worms get A and B, in different orders.
    first = record("first", [("A", 20.0), ("B", 60.0)], seed=1)
    second = record("second", [("B", 20.0), ("A", 60.0)], seed=2)
    spec = compute_affinity(Cohort([first, second]), kind=kind)
    assert spec.stimuli["name"].tolist() == ["A", "B"]
    assert spec.stimuli["onset"].tolist() == [20.0, 60.0]
    assert spec.stimuli["offset"].tolist() == [25.0, 65.0]
    assert spec.breaks_s == (20.0, 60.0)
    np.testing.assert_allclose(spec.time_s, np.arange(200) / RATE)
    whole = own_values(second, kind=kind)
    expected = np.concatenate([whole[:, :40], whole[:, 120:200], whole[:, 40:120]], axis=1)
    np.testing.assert_allclose(spec.block("second").dense()[0], expected, atol=1e-6)
    np.testing.assert_allclose(spec.block("first").dense()[0], own_values(first, kind=kind), atol=1e-6)
    assert all(b.observed.all() for b in spec.blocks)
    np.testing.assert_allclose(spec.block("second").source_time_s[40:120], np.arange(120, 200) / RATE)


def test_a_worm_without_one_of_the_stimuli_is_not_observed_there():
    both = record("both", [("A", 20.0), ("B", 60.0)])
    only = record("only", [("A", 30.0)], duration_s=70.0)
    spec = compute_affinity(Cohort([both, record("too", [("A", 20.0), ("B", 60.0)]), only]))
    start = round(float(spec.stimuli.set_index("name").loc["B", "onset"]) * RATE)
    block = spec.block("only")
    assert not block.observed[start:].any()
    assert block.observed[:start].all()
    assert np.isnan(block.source_time_s[start:]).all()
    assert not block.dense()[:, :, start:].any()


def test_repeats_of_a_stimulus_have_a_block_each():
    worms = [record(n, [("A", 10.0), ("A", 40.0), ("B", 70.0)]) for n in ("a", "b")]
    spec = compute_affinity(Cohort(worms))
    assert spec.stimuli["name"].tolist() == ["A", "A", "B"]


def test_the_baseline_ends_at_the_first_onset():
    short, long = record("short", [("A", 10.0)]), record("long", [("A", 30.0)], duration_s=120.0)
    spec = compute_affinity(Cohort([short, long]))
    baseline = round(float(spec.stimuli["onset"][0]) * RATE)
    assert baseline == 40
    np.testing.assert_array_equal(spec.block("short").observed[:baseline], [False] * 20 + [True] * 20)
    assert spec.block("long").source_time_s[0] == 10.0
    for name, onset in (("short", 10.0), ("long", 30.0)):
        assert spec.block(name).source_time_s[baseline] == onset


def test_stimulus_onset_puts_the_first_onset_at_zero():
    a, b = record("a", [("A", 20.0), ("B", 50.0)]), record("b", [("B", 10.0), ("A", 40.0)], seed=3)
    spec = compute_affinity(Cohort([a, b, record("c")]), alignment="stimulus onset")
    zero = int(np.argmin(np.abs(spec.time_s)))
    assert spec.block("a").source_time_s[zero] == 20.0
    assert spec.block("b").source_time_s[zero] == 10.0
    assert not spec.block("c").observed.any()
    assert any("c is not observed" in n for n in spec.notes)
    named = compute_affinity(Cohort([a, b]), alignment="stimulus onset", stimulus="A")
    zero = int(np.argmin(np.abs(named.time_s)))
    assert [named.block(n).source_time_s[zero] for n in "ab"] == [20.0, 40.0]
    assert "'A'" in named.model_reason


def test_absolute_keeps_every_worms_own_times():
    early, late = record("early", duration_s=60.0), record("late", duration_s=60.0, start_s=20.0, seed=4)
    spec = compute_affinity(Cohort([early, late]), alignment="absolute")
    assert spec.time_s[0] == 0.0
    assert spec.time_s[-1] == 79.5
    for block in spec.blocks:
        np.testing.assert_allclose(block.source_time_s[block.observed], spec.time_s[block.observed])
    assert spec.block("early").observed.sum() == spec.block("late").observed.sum() == 120
    np.testing.assert_allclose(spec.block("late").dense()[0][:, 40:], own_values(late), atol=1e-6)


def test_clocks_that_never_meet_are_refused():
    with pytest.raises(InputError, match="do not overlap"):
        compute_affinity(Cohort([record("a"), record("b", start_s=1e6)]), alignment="absolute")


def test_events_take_the_worms_place():
    on = np.zeros(200)
    on[[60, 61, 62, 120, 121, 123, 124, 196]] = 1
    a, b = record("a", reversal=on, seed=5), record("b", seed=6)
    spec = compute_affinity(Cohort([a, b]), alignment="events", before_s=10.0, after_s=10.0)
    # The flicker at sample 123 follows too soon; sample 196 lies too near the end for half a window... but 12 of 20 s are seen.
    assert spec.worms == ("a reversal 1", "a reversal 2", "a reversal 3")
    np.testing.assert_allclose(spec.time_s, np.arange(-20, 21) / RATE)
    whole = own_values(a)
    np.testing.assert_allclose(spec.blocks[0].dense()[0], whole[:, 40:81], atol=1e-6)
    np.testing.assert_allclose(spec.blocks[1].dense()[0], whole[:, 100:141], atol=1e-6)
    assert {block.source for block in spec.blocks} == {"a"}
    np.testing.assert_array_equal(spec.blocks[2].observed, np.arange(176, 217) < 200)
    assert any("b has no 'reversal'" in n for n in spec.notes)
    ends = compute_affinity(
        Cohort([a, b]), alignment="events", event_edge="offset", before_s=10.0, after_s=10.0, rest_s=1.0
    )
    assert ends.blocks[0].source_time_s[20] == 63 / RATE


def test_events_may_be_stimuli():
    worms = [record(n, [("A", 30.0), ("A", 60.0)], seed=i) for i, n in enumerate("ab")]
    spec = compute_affinity(Cohort(worms), alignment="events", event="A")
    assert len(spec.blocks) == 4
    zero = int(np.argmin(np.abs(spec.time_s)))
    assert [b.source_time_s[zero] for b in spec.blocks] == [30.0, 60.0, 30.0, 60.0]


def test_an_event_is_not_seen_across_a_break_or_after_unknown_behaviour():
    on = np.zeros(200)
    on[80:90] = 1
    on[140:150] = 1
    on[136:140] = np.nan
    with pytest.raises(InputError, match="no event"):
        compute_affinity(Cohort([record("a", reversal=on, breaks=(40.0,))]), alignment="events")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alignment": "events"}, "which events"),
        ({"alignment": "events", "event": "pumping"}, "called 'pumping'"),
        ({"alignment": "stimulus identity"}, "no worm has a stimulus"),
        ({"alignment": "stimulus onset"}, "no worm has a stimulus"),
    ],
)
def test_alignments_that_the_cohort_does_not_allow(options, message):
    with pytest.raises(InputError, match=message):
        compute_affinity(Cohort([record("a"), record("b")]), **options)


def test_continuous_behaviour_has_no_events():
    with pytest.raises(InputError, match="not binary"):
        compute_affinity(Cohort([record("a", reversal=np.linspace(0, 1, 200))]), alignment="events", event="reversal")


def test_blocks_lie_on_the_common_clock_even_with_different_rates():
    worms = [record("slow", [("A", 20.0)], rate_hz=1.5), record("fast", [("A", 40.0)], rate_hz=5.0, duration_s=120)]
    spec = compute_affinity(Cohort(worms))
    for block in spec.blocks:
        assert len(block.time_s) == len(spec.time_s) == block.features.n_times
    onset = round(float(spec.stimuli["onset"][0]) * spec.rate_hz)
    for name, at in (("slow", 20.0), ("fast", 40.0)):
        assert abs(spec.block(name).source_time_s[onset] - at) <= 0.5 / 1.5


def test_aligned_worms_share_their_stimulus_responses():
    """The point of it all: a motif locked to a stimulus comes at the same common time in every worm."""
    cohort, truth = simulate_cohort(n_worms=4, n_neurons=30, duration_s=200, missing=0.0, unnamed=0.0, seed=2)
    spec = compute_affinity(cohort)
    motif = truth.motifs[truth.motifs["kind"] == "stimulus"].iloc[0]
    members = truth.members[(truth.members["motif"] == motif["motif"]) & (truth.members["sign"] > 0)]["neuron"].tolist()
    inside = [r for r, (i, j) in enumerate(spec.pairs) if spec.neurons[i] in members and spec.neurons[j] in members]
    stimulus = spec.stimuli.set_index("name").loc[motif["stimulus"]]
    during = (spec.time_s >= stimulus["onset"]) & (spec.time_s < stimulus["offset"])
    for block in spec.blocks:
        course = block.dense()[0][inside].mean(axis=0)
        assert course[during & block.observed].mean() > 1.5 * course[~during & block.observed].mean()


def test_onsets_halfway_between_samples_take_every_sample_once():
    clock = np.arange(600) / 2.5
    for onset in 15.0 + 28.0 * np.arange(8):  # 37.5 samples and so on
        taken = nearest(clock, onset + np.arange(60) / 2.5, 2.5)
        assert (np.diff(taken) == 1).all()


def test_the_nearest_sample_is_within_half_an_interval_and_the_earlier_one_of_two() -> None:
    clock = np.array([1.0, 2.0, 3.0, 5.0, 5.5])
    for rate in (1.0, 2.0):
        wanted = np.round(np.arange(0.0, 7.0, 0.05), 2)
        got = nearest(clock, wanted, rate)
        for t, index in zip(wanted, got, strict=True):
            far = np.abs(clock - t)
            best = int(np.argmin(np.round(far, 9)))  # the first of those that are as near
            assert index == (best if far[best] <= 0.5 / rate + 1e-9 else -1), t
    np.testing.assert_array_equal(nearest(np.array([3.0]), np.array([2.4, 2.5, 3.0, 3.5, 3.6]), 1.0), [-1, 0, 0, 0, -1])
    np.testing.assert_array_equal(nearest(clock, np.array([1.5 + 1e-9, 1.5 - 1e-9, 0.5 - 1e-9]), 1.0), [0, 0, 0])


def worms(*stimuli: tuple, **more) -> tuple[Recording, ...]:
    return tuple(record(f"w{i}", s, **more) for i, s in enumerate(stimuli))


@pytest.mark.parametrize(
    ("stimuli", "kind", "words"),
    [
        ([(("a", 1.0),)], "none", "auto: there is one worm"),
        ([(("a", 1.0),), (("b", 1.0),)], "none", "auto: the worms share no stimulus"),
        ([(("a", 1.0), ("a", 9.0)), (("b", 1.0),)], "none", "auto: the worms share no stimulus"),
        ([(("a", 1.0),), (("a", 1.0),), ()], "none", "auto: 1 of 3 worms have no stimulus in common with another worm"),
        (
            [(("b", 1.0),), (("b", 1.0), ("a", 3.0)), (("a", 1.0),)],
            "stimulus identity",
            "auto: the worms share the stimuli a, b",
        ),
    ],
)
def test_what_auto_chooses_and_why(stimuli, kind, words) -> None:
    assert align.choose(worms(*stimuli)) == (kind, words)


def test_stimuli_that_half_of_the_worms_have_at_one_time_are_common() -> None:
    def common(*tables: list[tuple[str, float, float]], n: int = 0) -> list[list[object]]:
        held = [pd.DataFrame(t, columns=["name", "onset", "offset"]) for t in tables]
        return align._common_stimuli(held, n or len(held)).to_numpy().tolist()

    assert common([], []) == []
    assert common([("a", 1.0, 2.0)], [("a", 3.0, 5.0)]) == [["a", 2.0, 3.5]]
    assert common([("a", 0.0, 1.0)], [("a", 4.0, 5.0)]) == [["a", 2.0, 3.0]]
    assert common([("a", 0.0, 1.0)], [("a", 4.1, 5.0)]) == []  # more than two seconds from the middle
    assert common([("a", 1.0, 2.0)], []) == [["a", 1.0, 2.0]] and common([("a", 1.0, 2.0)], [], n=3) == []
    twice = [("b", 5.0, 6.0), ("a", 1.0, 2.0), ("a", 9.0, 9.5)]
    assert common(twice, twice) == [["a", 1.0, 2.0], ["b", 5.0, 6.0], ["a", 9.0, 9.5]]


def timeline(recordings: tuple[Recording, ...], **options) -> align.Timeline:
    settings = AffinitySettings(**options)
    return align.align(recordings, [r.time_s for r in recordings], RATE, settings)


def test_every_worm_is_moved_as_a_whole_to_its_first_onset() -> None:
    recordings = (
        record("a", [("x", 10.0), ("y", 20.0)], duration_s=30), record("b", [("y", 4.0)], duration_s=20, start_s=2.0), record("c", duration_s=9),
    )  # fmt: skip
    for stimulus, zeros in (("", (10.0, 4.0, np.nan)), ("y", (20.0, 4.0, np.nan)), ("x", (10.0, np.nan, np.nan))):
        got = timeline(recordings, alignment="stimulus onset", stimulus=stimulus)
        spans = [(r.time_s[0] - z, r.time_s[-1] - z) for r, z in zip(recordings, zeros, strict=True) if z == z]
        first, last = min(a for a, _ in spans), max(b for _, b in spans)
        np.testing.assert_allclose(got.time_s, np.arange(first, last + 0.1, 0.5))
        for one, recording, zero in zip(got.segments, recordings, zeros, strict=True):
            expected = (
                np.rint((got.time_s + zero - recording.time_s[0]) * RATE)
                if zero == zero
                else np.full(len(got.time_s), -1)
            )
            outside = (expected < 0) | (expected >= recording.n_times)
            np.testing.assert_array_equal(one.samples, np.where(outside, -1, expected))
        what = f" '{stimulus}'" if stimulus else ""
        missing = [r.name for r, z in zip(recordings, zeros, strict=True) if z != z]
        assert got.notes == tuple(f"{n} is not observed: it has no stimulus{what}" for n in missing)
        assert (f"the first onset of '{stimulus}'" if stimulus else "each worm's first stimulus") in got.reason
    for wrong, words in (
        ({"stimulus": "z"}, "no worm has the stimulus 'z'.*Known: x, y"),
        ({}, "no worm has a stimulus. Load"),
    ):
        with pytest.raises(InputError, match=words):
            timeline(recordings if wrong else recordings[2:], alignment="stimulus onset", **wrong)


def test_clocks_may_be_apart_as_long_as_all_of_them_together() -> None:
    first = record("a", duration_s=10)
    fits = record("b", duration_s=10, start_s=30.0 - 0.5)
    assert len(timeline((first, fits), alignment="absolute").time_s) == 79
    assert len(timeline((first, record("b", duration_s=10, start_s=30.0)), alignment="absolute").time_s) == 80
    with pytest.raises(InputError, match=r"do not overlap \(from 0 to 40 s\)"):
        timeline((first, record("b", duration_s=10, start_s=30.5)), alignment="absolute")


def test_blocks_of_every_stimulus_stand_side_by_side() -> None:
    recordings = (
        record("a", [("x", 5.0), ("y", 15.0), ("x", 21.0)], duration_s=30),
        record("b", [("y", 3.0), ("x", 11.0)], duration_s=20),
        record("c", [("x", 40.0)], duration_s=20),
    )
    got = timeline(recordings, alignment="stimulus identity")
    # baseline 5 and 3 s, y 6 and 8, x 10 and 9, second x 9 (from the median on): in the order of their onsets
    blocks = [
        ("", 4.0, 0.0, 5.0, 0.0, 3.0),
        ("x", 9.5, 5.0, 15.0, 11.0, 20.0),
        ("y", 7.0, 15.0, 21.0, 3.0, 11.0),
        ("x", 9.0, 21.0, 30.0, None, None),
    ]
    expected, at, rows = [[], []], 0.0, []
    order = sorted(blocks[1:3], key=lambda b: (b[2] + b[4]) / 2)
    for name, length, a0, a1, b0, b1 in [blocks[0], *order, blocks[3]]:
        for worm, (start, end) in enumerate(((a0, a1), (b0, b1))):
            for k in range(int(length * RATE)):
                t = None if start is None else (end - length + k / RATE if name == "" else start + k / RATE)
                expected[worm].append(-1 if t is None or t < start or t >= end else round(t * RATE))
        if name:
            rows.append([name, at, min(at + 5.0, at + length)])
        at += length
    for worm in (0, 1):
        np.testing.assert_array_equal(got.segments[worm].samples, expected[worm])
    assert (got.segments[2].samples == -1).all() and got.notes == ("c is not observed: it has no stimulus",)
    assert got.stimuli.to_numpy().tolist() == rows
    lengths = [4.0, *(b[1] for b in order), 9.0]
    np.testing.assert_allclose(got.breaks_s, np.cumsum(lengths)[:-1])
    np.testing.assert_allclose(got.time_s, np.arange(sum(lengths) * RATE) / RATE)


def test_stimuli_at_the_ends_of_a_clock_count_and_those_beyond_do_not() -> None:
    for onset, seen in ((0.0, True), (9.5, True), (9.6, False), (-0.1, False)):
        recordings = (record("a", [("x", onset)], duration_s=10), record("b", [("x", 5.0)], duration_s=10))
        got = timeline(recordings, alignment="stimulus identity")
        assert bool((got.segments[0].samples >= 0).any()) == seen
    with pytest.raises(InputError, match="no worm has a stimulus"):
        timeline((record("a", [("x", 50.0)], duration_s=10),), alignment="stimulus identity")
    short = (record("a", [("x", 2.0), ("y", 2.2)], duration_s=10),) * 2
    assert timeline(short, alignment="stimulus identity").stimuli["name"].tolist() == [
        "y"
    ]  # x has no sample of its own


def found_onsets(time, on, known, breaks, rest, limit) -> list[float]:
    """A channel turns on at k if it was known to be off at every sample for at least `rest` before, without an interruption."""
    found = []
    for k in range(1, len(time)):
        if not (known[k] and on[k]):
            continue
        first = k
        while first > 0:
            before = first - 1
            broken = any(time[before] < b <= time[first] for b in breaks) or time[first] - time[before] > limit
            if broken or not known[before] or on[before]:
                break
            first = before
        if first < k and time[k] - time[first] >= rest:
            found.append(float(time[k]))
    return found


@pytest.mark.parametrize("seed", range(15))
def test_events_are_onsets_after_a_known_rest(seed: int) -> None:
    rng = np.random.default_rng(seed)
    time = np.arange(60) / RATE + np.where(np.arange(60) > 30, 4.0 * (seed % 2), 0.0)
    values = np.repeat(rng.integers(0, 2, 20), 3).astype(float)
    values[rng.random(60) < 0.1] = np.nan
    breaks = ((), (10.0,), (10.25, 20.0))[seed % 3]
    made = Recording.from_arrays(
        np.zeros((60, 1)),
        name="w",
        time_s=time,
        breaks=breaks,
        behaviour=xr.Dataset({"turn": ("time", values, {"kind": "binary"})}),
    )
    for edge, gap, rest in (("onset", 1.0, 1.5), ("offset", 1.0, 1.0), ("onset", 9.0, 3.0), ("onset", 0.0, 0.0)):
        settings = AffinitySettings(alignment="events", event="turn", event_edge=edge, gap_s=gap, rest_s=rest)
        on = np.where(np.isfinite(values), values == (edge == "onset"), False)
        expected = found_onsets(time, on, np.isfinite(values), breaks, rest, max(gap, 2.5 / RATE))
        np.testing.assert_allclose(align.event_times(made, "turn", settings), expected)


def test_windows_around_events_of_all_worms() -> None:
    on = np.zeros(80)
    on[[20, 21, 50, 78]] = 1
    recordings = (
        record("a", [("x", 12.0)], duration_s=40, reversal=on), record("b", duration_s=40, reversal=np.zeros(80)), record("c", duration_s=20),
    )  # fmt: skip
    got = timeline(recordings, alignment="events", before_s=3.0, after_s=2.2, rest_s=1.0)
    np.testing.assert_allclose(got.time_s, np.arange(-6, 5) / RATE)
    assert [(s.name, s.worm) for s in got.segments] == [("a reversal 1", 0), ("a reversal 2", 0), ("a reversal 3", 0)]
    np.testing.assert_array_equal(got.segments[0].samples, np.arange(14, 25))
    np.testing.assert_array_equal(got.segments[2].samples, [*range(72, 80), -1, -1, -1])
    assert (
        got.notes == ("c has no 'reversal'",)
        and got.reason == "3 events in 1 worm, time zero is the onset of 'reversal'"
    )
    late = timeline(
        recordings, alignment="events", before_s=0.5, after_s=3.0, rest_s=1.0
    )  # 2 of 8 samples of the last one
    assert len(late.segments) == 2 and late.notes[0] == "a: 1 of 3 events lie too near the recording's ends"
    half = timeline(recordings, alignment="events", before_s=0.0, after_s=1.5, rest_s=1.0)  # 2 of 4 samples
    assert len(half.segments) == 3
    ends = timeline(recordings, alignment="events", event_edge="offset", before_s=1.0, after_s=1.0, rest_s=0.5)
    assert ends.segments[0].samples.tolist() == [20, 21, 22, 23, 24] and ends.reason.endswith("the end of 'reversal'")
    stimulus = timeline(recordings, alignment="events", event="x", event_edge="offset", before_s=1.0, after_s=1.0)
    assert stimulus.segments[0].samples.tolist() == [32, 33, 34, 35, 36]
    for options, words in (
        (
            {"event": "z"},
            "no worm has a behaviour channel or a stimulus called 'z'. Binary channels: reversal; stimuli: x",
        ),
        ({"rest_s": 60.0}, "'reversal' has no event"),
    ):
        with pytest.raises(InputError, match=words):
            timeline(recordings, alignment="events", **options)
    with pytest.raises(InputError, match=r"which events\?.*Binary channels: none; stimuli: none"):
        timeline(recordings[2:], alignment="events")
