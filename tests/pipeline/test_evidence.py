"""The rank that is suggested is one that was tried, and what components are beside each other."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome import simulate_cohort
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.factorization.clocks import worm_shares
from napari_dynamic_connectome.factorization.settings import FactorizationSettings
from napari_dynamic_connectome.factorization.sweep import sweep_ranks
from napari_dynamic_connectome.model.evidence import Chance
from napari_dynamic_connectome.model.results import RankSweep
from napari_dynamic_connectome.pipeline import chance as chance_module
from napari_dynamic_connectome.pipeline.chance import (
    StartGroups,
    Strongest,
    _left_out,
    choices_of_starts,
    settle_rank,
    try_without,
)
from napari_dynamic_connectome.pipeline.evidence import (
    believable,
    carried_by_one,
    choose_rank,
    reason_for,
    standings,
    worm_power,
)
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.pipeline.surrogate_fits import RankFit, SurrogateFits


def test_where_all_move_together_the_smallest_rank_that_was_tried_is_suggested():
    assert choose_rank({1: 0, 2: 0}, 0.01, 0.02, 0.05) == 1
    assert choose_rank({2: 0, 3: 0}, 0.01, 0.02, 0.05) == 2
    assert choose_rank({2: 0, 3: 1}, 0.01, 0.02, 0.05) == 3
    assert choose_rank({2: 0, 3: 0}, 0.01, 0.2, 0.05) == 0
    assert choose_rank({2: 1, 3: 1}, 0.2, 0.02, 0.05) == 0


def test_its_reason_tells_what_all_neurons_together_explain():
    table = pd.DataFrame(
        {"rank": [1, 2], "gain": [0.25, 0.125], "chance_gain": [0.125, 0.0625], "p_gain": [0.03, 0.5], "believable": 0}
    )
    assert reason_for(1, 0, table, 29, 0.03).startswith("1: all neurons together explain 25.0%")
    assert reason_for(2, 0, table, 29, 0.03).startswith(
        "2 is the smallest rank that was tried: all neurons together explain 25.0%"
    )


TOPS = np.array([20.0, 21, 19, 20.5, 19.5, 20.2, 19.8, 20.1, 19.9])
A, B = frozenset(range(10)), frozenset(range(8, 18))


def what(*groups: tuple[float, frozenset[int]], spread: float = 1.0) -> list[tuple[str, tuple[int, ...]]]:
    return [(s.what, s.of) for s in standings(groups, np.full(len(groups), spread), TOPS, 0.05)]


def test_a_component_that_is_others_together_is_none_of_its_own():
    groups = [(40.0, A), (33.0, A | B - {16, 17}), (38.0, B)]
    assert what(*groups) == [("own", ()), ("joint", (0, 2)), ("own", ())]
    assert believable(groups, np.ones(3), TOPS, 0.05) == 2
    # whichever is the strongest, and where a joint one lies inside of another joint one
    assert what((45.0, A | B), (40.0, A), (38.0, B))[0] == ("joint", (1, 2))
    larger = A | B | frozenset(range(18, 24))
    assert what((40.0, A), (38.0, B), (35.0, A | B), (34.0, larger), (33.0, frozenset(range(18, 28))))[3][0] == "joint"


def test_a_motif_that_shares_neurons_with_others_stays_one_of_its_own():
    third = frozenset([0, 1, 2, 15, 16, 17, 20, 21, 22, 23])
    assert [w for w, _ in what((40.0, A), (38.0, B), (36.0, third))] == ["own"] * 3
    # what holds one other group and as many neurons again is a larger motif, not two
    assert what((40.0, A), (36.0, A | frozenset(range(30, 42))))[1] == ("own", ())


def test_chance_and_background_and_the_same_once_more():
    assert what((20.1, A), (40.0, B)) == [("chance", ()), ("own", ())]
    assert what((40.0, A), (39.0, A - {0})) == [("own", ()), ("same", (0,))]
    assert what((40.0, A), spread=0.2) == [("background", ())]


def test_a_rank_that_more_surrogates_do_not_bear_out_makes_room_for_a_smaller_one():
    third = frozenset(range(20, 28))
    groups = {
        1: ([(41.0, A)], np.ones(1)),
        2: ([(40.0, A), (39.0, B)], np.ones(2)),
        3: ([(40.0, A), (39.0, B), (24.0, third)], np.ones(3)),
    }
    data = {r: RankFit(0.2 * r, np.nan, np.nan, np.nan, []) for r in (1, 2, 3)}

    def fitted(ranks: list[int], rows: range, top: float) -> SurrogateFits:
        rng = np.random.default_rng(0)
        table = pd.DataFrame({r: top + rng.normal(0, 0.5, len(rows)) for r in ranks}, index=rows)
        explained = pd.DataFrame({r: 0.1 * r + rng.normal(0, 0.001, len(rows)) for r in ranks}, index=rows)
        return SurrogateFits(explained, explained * np.nan, table, table, data=data)

    asked: list[list[int]] = []

    def fit_more(ranks: list[int]) -> SurrogateFits:
        asked.append(ranks)
        return fitted(ranks, range(9, 29), 23.5)

    few = fitted([1, 2, 3], range(9), 20.0)
    assert settle_rank(few, groups, 0.05, None)[1] == 3
    fits, rank, counts, any_p = settle_rank(few, groups, 0.05, fit_more)
    assert (rank, counts, asked) == (2, {1: 1, 2: 2, 3: 2}, [[1, 2, 3]]) and any_p <= 0.05
    assert len(fits.top[2].dropna()) == 29
    alone = {3: ([(24.0, third)], np.ones(1))}
    assert settle_rank(few, alone, 0.05, fit_more)[1] == 0  # nothing is left at the rank that was suggested


def test_a_component_that_few_random_starts_have_does_not_count_for_a_rank():
    third = frozenset(range(20, 28))
    two, three = ([(40.0, A), (39.0, B)], np.ones(2)), ([(40.0, A), (39.0, B), (38.0, third)], np.ones(3))
    groups = {2: two, 3: three}
    data = {r: RankFit(0.2 * r, np.nan, np.nan, np.nan, []) for r in (2, 3)}
    rng = np.random.default_rng(0)
    table = pd.DataFrame({r: 20 + rng.normal(0, 0.5, 9) for r in (2, 3)})
    explained = pd.DataFrame({r: 0.1 * r + rng.normal(0, 0.001, 9) for r in (2, 3)})
    data[1], explained[1] = RankFit(0.2, np.nan, np.nan, np.nan, []), 0.1 + rng.normal(0, 0.001, 9)
    fits = SurrogateFits(explained, explained * np.nan, table, table, data=data)

    def suggested(*at_three) -> tuple[int, dict[int, int]]:
        starts = {2: [two] * len(at_three), 3: list(at_three)}
        return settle_rank(fits, groups, 0.05, None, starts)[1:3]

    assert settle_rank(fits, groups, 0.05, None)[1] == 3
    assert suggested(three, three, two) == (3, {2: 2, 3: 3})
    assert suggested(three, two, two) == (2, {2: 2, 3: 2})
    assert suggested(three, three, three, three, two, two) == (3, {2: 2, 3: 3})
    assert suggested(three, three, three, two, two, two) == (2, {2: 2, 3: 2})
    assert suggested(three, two) == (2, {2: 2, 3: 2})


def two_and_three() -> tuple[Strongest, Strongest, SurrogateFits]:
    """Groups of ranks 2 and 3, all far beyond those of nine surrogates."""
    third = frozenset(range(20, 28))
    two, three = ([(40.0, A), (39.0, B)], np.ones(2)), ([(40.0, A), (39.0, B), (38.0, third)], np.ones(3))
    rng = np.random.default_rng(0)
    data = {r: RankFit(0.2 * r, np.nan, np.nan, np.nan, []) for r in (1, 2, 3)}
    table = pd.DataFrame({r: 20 + rng.normal(0, 0.5, 9) for r in (1, 2, 3)})
    explained = pd.DataFrame({r: 0.1 * r + rng.normal(0, 0.001, 9) for r in (1, 2, 3)})
    fits = SurrogateFits(explained, explained * np.nan, table, table, data=data)
    return two, three, fits


def test_a_component_that_one_worm_carries_does_not_count_where_others_do():
    two, three, fits = two_and_three()

    def suggested(groups, apart) -> tuple[int, dict[int, int]]:
        return settle_rank(fits, groups, 0.05, None, None, apart)[1:3]

    assert suggested({2: two, 3: three}, {}) == (3, {2: 2, 3: 3})
    assert suggested({2: two, 3: three}, {3: {2}}) == (2, {2: 2, 3: 2})
    assert suggested({2: two, 3: three}, {2: {1}, 3: {1}}) == (3, {2: 1, 3: 2})
    assert suggested({2: two}, {2: {0, 1}}) == (2, {2: 2})  # nothing else is there, so they count
    # the reason says so only where it is so
    assert _left_out(fits, {2: two, 3: three}, 0.05, {2: set(), 3: {2}}, {2: 2, 3: 2})
    assert not _left_out(fits, {2: two}, 0.05, {2: {0, 1}}, {2: 2})
    assert not _left_out(fits, {2: two, 3: three}, 0.05, {2: set(), 3: set()}, {2: 2, 3: 3})


def test_each_start_alone_obeys_the_rule_about_what_one_worm_carries():
    two, three, fits = two_and_three()
    starts = StartGroups()
    starts.found = {2: [two, two, two], 3: [three, three, three]}
    nobody = frozenset[int]()
    starts.carried = {2: [nobody, nobody, frozenset([0, 1])], 3: [nobody, frozenset([2]), frozenset([0, 1, 2])]}
    assert choices_of_starts(fits, starts, 0.05)["rank"].tolist() == [3, 2, 3]


def blocks(*groups: frozenset[int]) -> list[np.ndarray]:
    """Pair factors of components of 40 neurons, each with one strong group."""
    rng = np.random.default_rng(1)
    found = []
    for group in groups:
        inside = np.isin(np.arange(40), list(group))
        weights = rng.uniform(0.5, 1.5, (40, 40)) * (1 + 20 * (inside & inside[:, None]))
        weights = weights + weights.T
        np.fill_diagonal(weights, np.nan)
        found.append(weights)
    return found


@pytest.mark.parametrize(
    ("have_it", "carried", "rank"),
    [(3, False, 3), (2, False, 3), (1, False, 2), (3, True, 2)],
    ids=["all starts", "two of three", "one of three", "one worm carries it"],
)
def test_without_a_worm_the_rules_of_the_suggestion_count(monkeypatch, have_it, carried, rank):
    third = frozenset(range(30, 38))
    cohort, _ = simulate_cohort(n_worms=4, n_neurons=10, duration_s=40, seed=1)
    affinity = compute_affinity(cohort)
    power = np.full((3, 3), 1 / 3)
    power[:, 2] = [0.8, 0.1, 0.1] if carried else power[:, 2]

    def fit_bins(bins, ranks, *, statistics):
        assert [b.worm for b in affinity.blocks if b not in bins.blocks] and not statistics
        more = [third] if bins.seed % 10 < have_it else [A]
        two, three = blocks(A, B), blocks(A, B, *more)
        # the best start is the first one
        fit = RankFit(1.0 - bins.seed, np.nan, np.nan, np.nan, two, power[:, :2])
        return {2: fit, 3: replace(fit, matrices=three, power=power)}

    monkeypatch.setattr(
        chance_module, "Bins", lambda rest, *a, seed, **k: SimpleNamespace(blocks=rest.blocks, seed=seed)
    )
    monkeypatch.setattr(chance_module, "fit_bins", fit_bins)
    tops = pd.DataFrame(dict.fromkeys((2, 3), TOPS))
    known = Chance(top=tops, table=pd.DataFrame({"rank": [2, 3], "believable": [2, 2]}))
    sweep = RankSweep(pd.DataFrame({"rank": [2, 3]}), 2, "", {}, chance=known)
    choices = try_without(affinity, sweep, PipelineSettings()).choices
    assert choices["which"].tolist() == [b.worm for b in affinity.blocks]
    assert choices["rank"].tolist() == [rank] * 4


@pytest.mark.parametrize("model", ["aligned", "unaligned", "mixed"])
def test_who_carries_a_component_of_a_start_is_who_carries_it_when_it_is_labelled(model):
    cohort, _ = simulate_cohort(n_worms=3, n_neurons=16, duration_s=80, seed=1)
    settings = FactorizationSettings(model=model, max_sweeps=15)
    seen = []
    sweep = sweep_ranks(
        compute_affinity(cohort), (3,), settings, starts=2, folds=0, inspect=lambda rank, *what: seen.append(what)
    )
    ((prepared, fits),) = seen
    shares = worm_shares(prepared.problem, fits.factors)
    assert shares.shape == (2, 3, 3)
    np.testing.assert_allclose(
        np.sort(shares[fits.best].T, axis=1), np.sort(worm_power(sweep.components[3]), axis=1), atol=1e-6
    )
    fits.factors.pair[:], fits.factors.time[:], fits.factors.worm[:] = 0.0, 0.0, 0.0
    assert not worm_shares(prepared.problem, fits.factors).any()


def test_who_carries_a_component_is_asked_in_cohorts_of_three_worms_or_more():
    def components(loadings: list[list[float]]) -> SimpleNamespace:
        return SimpleNamespace(worm=xr.DataArray(np.array(loadings), dims=("worm", "component")))

    assert carried_by_one(components([[3.0, 1.0], [1.0, 1.0], [1.0, 1.0]])) == {0}
    assert carried_by_one(components([[1.7, 0.0], [1.0, 1.0], [1.0, 1.0]])) == frozenset()
    assert carried_by_one(components([[3.0], [1.0]])) == frozenset()
