"""Every bad input gives one clear message, or a fallback that the result shows."""

from __future__ import annotations

import time

import numpy as np
import pytest

from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.factorization.problem import ArrayAffinity
from napari_dynamic_connectome.factorization.sweep import sweep_ranks
from napari_dynamic_connectome.model.errors import Cancelled, InputError, SettingsError


def simple(rows=((0, 1, 2), (1, 2, 3)), times=20, value=None, **more):
    rng = np.random.default_rng(0)
    blocks = [
        (np.array(r), rng.random((len(r), times)) if value is None else np.full((len(r), times), value), None)
        for r in rows
    ]
    return ArrayAffinity.from_arrays(blocks, **more)


def test_worm_that_shares_no_pair():
    with pytest.raises(InputError, match="worm 3 shares no pair of neurons with any other worm"):
        factorize(simple(rows=((0, 1, 2), (1, 2), (3, 4, 5))), 1)


def test_islands_of_worms():
    with pytest.raises(InputError, match=r"fall into 2 groups .* worm 1, worm 2; worm 3, worm 4"):
        factorize(simple(rows=((0, 1), (1, 2), (3, 4), (4, 5))), 1)


def test_pair_seen_by_none_is_missing_in_the_result():
    components = factorize(simple(rows=((0, 1, 2), (1, 2, 4))), 1, starts=2)
    unseen = components.pair_worms.values == 0
    assert unseen.sum() == components.pair.sizes["pair"] - 4
    assert np.isnan(components.pair.values[unseen]).all()
    assert np.isfinite(components.pair.values[~unseen]).all()


@pytest.mark.parametrize("rank", [0, -1, 1.5, "three", None])
def test_rank_that_is_no_rank(rank):
    with pytest.raises(InputError, match="rank"):
        factorize(simple(), rank)


def test_rank_above_what_the_data_hold():
    with pytest.raises(InputError, match=r"rank 9 is more than the data can hold.*largest rank here is 3"):
        factorize(simple(), 9)


def test_all_zero():
    with pytest.raises(InputError, match="every affinity is zero"):
        factorize(simple(value=0.0), 1)


def test_one_silent_worm_is_noted():
    rng = np.random.default_rng(0)
    blocks = [(np.arange(4), rng.random((4, 20)), None), (np.arange(4), np.zeros((4, 20)), None)]
    components = factorize(ArrayAffinity.from_arrays(blocks), 2, starts=2)
    assert any("all affinities are zero in worm 2" in n for n in components.diagnostics["notes"])
    assert np.allclose(components.worm.sel(worm="worm 2"), 0)
    assert np.isfinite(components.error)


@pytest.mark.parametrize("model", ["aligned", "unaligned"])
def test_one_time_point(model):
    with pytest.raises(InputError, match=r"one (observed )?time point"):
        factorize(simple(times=1, model=model), 1)


@pytest.mark.parametrize(("bad", "word"), [(np.nan, "nan"), (np.inf, "inf"), (-0.5, "-0.5")])
def test_bad_value_inside_observed_data(bad, word):
    affinity = simple()
    affinity.blocks[1].values[0, 1, 7] = bad
    with pytest.raises(InputError, match=f"worm 2: the affinity of N000 and N003 is {word} at 7 s"):
        factorize(affinity, 1)


def test_duplicate_names():
    with pytest.raises(InputError, match="the neuron 'A' is given twice"):
        factorize(simple(neurons=["A", "B", "A", "C"], rows=((0, 1), (1, 2))), 1)


def test_pair_twice_in_a_worm():
    with pytest.raises(InputError, match="worm 1 has a pair twice"):
        factorize(simple(rows=((0, 0, 1), (0, 1))), 1)


def test_memory_budget_too_small():
    with pytest.raises(InputError, match="memory budget of 0 MB is too small: one start needs"):
        factorize(simple(), 1, memory_mb=0.001)


def test_small_memory_budget_means_smaller_batches_not_other_results(planted):
    affinity, _ = planted("unaligned", pairs=300, times=300)
    plenty = factorize(affinity, 2, starts=4, compression="off", storage="streamed")
    little = factorize(affinity, 2, starts=4, compression="off", storage="streamed", memory_mb=0.9)
    assert little.error == pytest.approx(plenty.error, abs=1e-7)
    assert np.allclose(little.diagnostics["start_errors"], plenty.diagnostics["start_errors"], atol=1e-6)


def test_unknown_setting_and_impossible_values():
    with pytest.raises(SettingsError, match="unknown setting 'sparsness'"):
        factorize(simple(), 1, sparsness=1)
    with pytest.raises(SettingsError, match="sparsity"):
        factorize(simple(), 1, sparsity=1.5)


def test_aligned_needs_a_common_clock():
    with pytest.raises(InputError, match="the worms share no clock"):
        factorize(simple(), 1, model="aligned")


def test_too_few_worms_for_every_pair():
    with pytest.raises(InputError, match="no pair of neurons is observed by 3 worm"):
        factorize(simple(), 1, min_worms=3)


def test_unknown_worms():
    with pytest.raises(InputError, match=r"no worm 'Bob'.*worm 1, worm 2"):
        factorize(simple(), 1, worms=["Bob"])
    with pytest.raises(InputError, match="no worm 'Bob' to weigh"):
        factorize(simple(), 1, worm_weights={"Bob": 2})
    with pytest.raises(InputError, match="weight of worm 1 is -1"):
        factorize(simple(), 1, worm_weights={"worm 1": -1})


def test_fixed_factors_need_components():
    with pytest.raises(InputError, match="fixed factors need components"):
        factorize(simple(), 1, fixed=("pair",))
    with pytest.raises(InputError, match="'pears' is no factor"):
        factorize(simple(), 1, fixed=("pears",))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"ranks": []}, "no rank"), ({"folds": 1}, "1 folds"), ({"held_out_share": 0}, "share"), ({"starts": 0}, "start")],
)
def test_sweep_that_makes_no_sense(options, message):
    with pytest.raises(InputError, match=message):
        sweep_ranks(simple(), **({"ranks": [1]} | options))


def test_cancel_stops_a_fit_that_would_not_end_and_progress_rises(planted):
    affinity, _ = planted("unaligned", pairs=400, times=400, noise=0.5)
    begin = []

    def cancel():
        begin.append(time.monotonic())
        return len(begin) > 3

    with pytest.raises(Cancelled):
        factorize(affinity, 8, starts=10, tolerance=0.0, max_sweeps=100_000, cancel=cancel)
    fractions = []
    factorize(affinity, 2, starts=2, progress=lambda f, m="": fractions.append(f))
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) > 4
