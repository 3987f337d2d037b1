"""What time means across worms: stimulus blocks side by side, onsets at zero, events in the worms' place."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome import Cohort, InputError, Recording, simulate_cohort
from napari_dynamic_connectome.affinity.align import nearest
from napari_dynamic_connectome.affinity.compute import compute_affinity

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
