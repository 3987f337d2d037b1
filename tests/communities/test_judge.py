"""Who stays in a group: those who hold together in the weights themselves."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.communities.judge import (
    ACROSS,
    HALF,
    LEAST,
    Candidate,
    Tested,
    _bystanders,
    _membership,
    _overlaps,
    _second_side,
    _unsure,
    candidates,
    claim,
    effect,
    judged_matrix,
    pulls,
    sentence,
    statistic_of,
    stronger_inside,
    taking_turns,
    tighten,
    untested,
)
from napari_dynamic_connectome.communities.scan import beyond_strength, standardise
from napari_dynamic_connectome.model.results import Communities


def graded(n: int, strengths: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Weights around 1, plus the product of the strengths of the first nodes."""
    weights = rng.gamma(8, 1 / 8, (n, n))
    own = np.zeros(n)
    own[: len(strengths)] = strengths
    weights = np.triu(weights * (1 + np.outer(own, own)), 1)
    return weights + weights.T


@pytest.mark.parametrize("seed", range(5))
def test_nodes_without_weight_leave_and_the_others_stay(seed):
    rng = np.random.default_rng(seed)
    weights = graded(60, np.full(12, 2.0), rng)
    labels = np.full(60, -1)
    labels[:20] = 3  # twelve that hold together, eight bystanders
    np.testing.assert_array_equal(np.flatnonzero(tighten(weights, labels) == 3), np.arange(12))


@pytest.mark.parametrize("seed", range(5))
def test_a_set_that_is_only_linked_to_the_rest_leaves(seed):
    rng = np.random.default_rng(seed)
    weights = graded(60, np.full(10, 2.0), rng)
    weights[:10, 10:20] *= 6.0
    weights[10:20, :10] = weights[:10, 10:20].T
    labels = np.full(60, -1)
    labels[:20] = 0
    left = np.flatnonzero(tighten(weights, labels) == 0)
    assert left.max() < 10 and len(left) >= 9


@pytest.mark.parametrize("seed", range(5))
def test_alike_members_stay_whatever_is_missing_and_whatever_the_unit(seed):
    rng = np.random.default_rng(seed)
    weights = graded(50, np.full(14, 2.5), rng) * 1e-6
    hidden = np.triu(rng.random(weights.shape) < 0.3, 1)
    weights[hidden | hidden.T] = np.nan
    labels = np.full(50, -1)
    labels[:14] = 1
    np.testing.assert_array_equal(tighten(weights, labels), labels)


@pytest.mark.parametrize("seed", range(5))
def test_strong_and_less_strong_members_stay_together(seed):
    rng = np.random.default_rng(seed)
    weights = graded(60, np.r_[np.full(8, 3.5), np.full(7, 2.6)], rng)
    labels = np.full(60, -1)
    labels[:15] = 0
    np.testing.assert_array_equal(tighten(weights, labels), labels)


def test_a_group_of_everyone_and_groups_too_small_have_documented_results():
    everyone = np.zeros(6, dtype=int)
    alike = np.ones((6, 6))
    np.testing.assert_array_equal(tighten(alike, everyone), everyone)
    np.testing.assert_array_equal(tighten(alike, np.array([0, 0, -1, -1, -1, -1])), np.full(6, -1))
    np.testing.assert_array_equal(tighten(np.full((6, 6), np.nan), everyone), everyone)


def test_groups_too_small_or_larger_than_half_are_no_candidates() -> None:
    from types import SimpleNamespace

    rng = np.random.default_rng(0)
    values = rng.normal(size=(12, 12))
    values = np.triu(values, 1) + np.triu(values, 1).T
    seen = np.ones((12, 12), bool) & ~np.eye(12, dtype=bool)
    seen[10:], seen[:, 10:] = False, False  # two neurons that nothing is known about
    matrix = standardise(np.where(seen, values, np.nan))
    for sizes in itertools.product(range(1, 8), repeat=2):
        if sum(sizes) > 10:
            continue
        labels = np.full(12, -1)
        labels[: sizes[0]], labels[sizes[0] : sum(sizes)] = 0, 5
        found = SimpleNamespace(labels=SimpleNamespace(values=np.stack([labels * 0, labels])), chosen_level=1)
        found.labels.values[0] = 7
        listed = [c.community for c in candidates(found, matrix, [0.0])]
        assert listed == [name for name, size in zip((0, 5), sizes, strict=True) if LEAST <= size <= 5]


@pytest.mark.parametrize("renamed", [{}, {4: 0}, {2: 1, 7: 0}, {7: 2, 2: 0, 4: 1}])
def test_shares_go_to_the_communities_that_are_claimed_and_the_rest_to_the_background(renamed: dict[int, int]) -> None:
    shares = np.array([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0], [0.2, 0.1, 0.3], [0.0, 0.0, 0.0], [0.4, 0.4, 0.2 + 1e-9]])
    names = list("ABCDE")
    given = xr.DataArray(
        shares, dims=("neuron", "community"), coords={"neuron": names, "community": [2, 4, 7]}, name="membership"
    )
    got = _membership(given, renamed)
    assert got is not None and got.dims == ("neuron", "community") and got.neuron.values.tolist() == names
    assert got.community.values.tolist() == [*range(len(renamed)), -1]
    for row, neuron in enumerate(names):
        kept = {new: shares[row, [2, 4, 7].index(old)] for old, new in renamed.items()}
        for community, share in kept.items():
            assert got.sel(neuron=neuron, community=community) == share
        assert got.sel(neuron=neuron, community=-1) == pytest.approx(1 - sum(kept.values()), abs=1e-8)
    assert ((got >= 0) & (got <= 1)).all()
    assert _membership(None, renamed) is None


def gappy(n: int, seed: int) -> np.ndarray:
    weights = graded(n, np.full(n // 3, 1.5), np.random.default_rng(seed))
    hidden = np.triu(np.random.default_rng(seed + 1).random((n, n)) < 0.2, 1)
    weights[hidden | hidden.T] = np.nan
    np.fill_diagonal(weights, 7.0)  # which says nothing
    return weights


def mean_of(weights: np.ndarray, rows: list[int], columns: list[int]) -> float:
    """Mean of the observed pairs of one set with another one."""
    found = [weights[i, j] for i in rows for j in columns if i != j and np.isfinite(weights[i, j])]
    return float(np.mean(found)) if found else np.nan


@pytest.mark.parametrize("seed", range(3))
def test_how_much_stronger_a_group_is_with_an_interval_around_it(seed: int) -> None:
    weights = gappy(24, seed)
    inside = np.arange(24) < 8
    members, others = list(range(8)), list(range(8, 24))
    got = effect(weights, inside)
    assert got["inside"] == pytest.approx(mean_of(weights, members, members))
    assert got["outside"] == pytest.approx(mean_of(weights, members, others))
    assert got["ratio"] == pytest.approx(got["inside"] / got["outside"])
    assert got["ratio_low"] < got["ratio"] < got["ratio_high"]
    width = np.log(got["ratio_high"] / got["ratio_low"])
    assert 0.05 < width < 1.0
    assert effect(weights, inside) == got  # the same interval each time
    scaled = effect(1e-6 * weights, inside)
    for key in ("ratio", "ratio_low", "ratio_high"):
        assert scaled[key] == pytest.approx(got[key])
    one = Candidate(3, 0.0, 1.0)
    labels = np.where(inside, 3, -1)
    assert stronger_inside(weights, labels, one) and not stronger_inside(-weights, labels, one)
    assert not stronger_inside(np.ones((24, 24)), labels, one)


def test_members_that_are_all_alike_have_a_narrow_interval_and_none_outside_makes_it_infinite() -> None:
    weights = np.ones((9, 9))
    weights[:4, :4] = 3.0
    got = effect(weights, np.arange(9) < 4)
    assert (got["ratio"], got["ratio_high"]) == (3.0, 3.0)
    weights[:4, 4:] = weights[4:, :4] = 0.0
    got = effect(weights, np.arange(9) < 4)
    assert got["ratio"] == np.inf and np.isnan(got["ratio_low"]) and np.isnan(got["ratio_high"])


def test_pulls_are_0_at_the_mean_outside_and_1_at_the_mean_inside() -> None:
    weights = gappy(20, 5)
    weights[3, :6] = weights[:6, 3] = np.nan  # nothing is known about it and the first group
    weights[19, :6] = weights[:6, 19] = np.nan
    weights[19, 2] = weights[2, 19] = 2.5  # one pair is
    labels = np.r_[np.zeros(6, int), np.ones(5, int), np.full(9, -1)]
    table = pd.DataFrame({"inside": [3.0, 2.0, 1.0], "outside": [1.0, 2.0, 0.5]}, index=[0, 1, 2])
    got = pulls(weights, labels, table)
    for node in range(20):
        expected = (mean_of(weights, [node], list(range(6))) - 1.0) / 2.0
        np.testing.assert_allclose(got.loc[node, 0], expected)
    assert got.loc[19, 0] == 0.75
    assert np.isnan(got.loc[3, 0]) and got[1].isna().all()  # not stronger inside than outside
    assert got[2].isna().all()  # no members
    own = effect(weights, labels == 0)
    exact = pulls(weights, labels, pd.DataFrame([own], index=[0]))[0]
    known = np.isfinite(exact[:6])
    count = np.array([sum(np.isfinite(weights[i, j]) for j in range(6) if j != i) for i in range(6)])
    assert np.average(exact[:6][known], weights=count[known]) == pytest.approx(1.0)


def test_members_with_half_a_pull_towards_another_community_overlap() -> None:
    towards = pd.DataFrame({0: [1.0, 0.5, 0.49, 0.9], 1: [0.5, 1.0, 0.7, 0.8], 4: [np.nan, 0.6, 0.0, 0.9]})
    got = _overlaps(list("ABCD"), np.array([0, 1, 1, -1]), towards)
    assert got.to_numpy().tolist() == [["A", 0, 1, 0.5], ["B", 1, 0, 0.5], ["B", 1, 4, 0.6]]
    assert got.columns.tolist() == ["neuron", "community", "other", "pull"]
    assert _overlaps(["A"], np.array([-1]), towards[:1]).empty


@pytest.mark.parametrize(
    ("q_values", "text"),
    [
        ({}, "No neurons act together in X beyond chance; all 11 are background."),
        ({0: 0.01}, "4 neurons act together in X; the other 7 are background."),
        ({0: 0.01, 1: 0.05}, "2 groups of 4 and 3 neurons act together in X; the other 4 are background."),
        ({0: 0.01, 1: 0.06}, "4 neurons act together in X; 3 neurons are unsure, the other 4 are background."),
        ({0: 0.2}, "Neurons act together in X, but no single group is sure: 4 neurons are unsure, 7 are background."),
        (
            {0: 0.01, 1: 0.02, 2: 0.03},
            "3 groups of 4, 3 and 2 neurons act together in X; the other 2 are background.",
        ),
    ],
)
def test_what_was_found_is_said_with_the_numbers_of_neurons(q_values: dict[int, float], text: str) -> None:
    row = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2, -1, -1, -1])
    row = np.where(np.isin(row, list(q_values)), row, -1)
    states = np.array(["member"] * 11 + ["not observed"], dtype=object)
    table = pd.DataFrame({"q_value": list(q_values.values())}, index=list(q_values))
    assert sentence("core", row, table, states, "X", 0.05) == text
    other = text.replace("act together", "hold together beyond their strengths")
    assert sentence("modules", row, table, states, "X", 0.05) == other


@pytest.mark.parametrize(
    ("between", "observed", "said"),
    [
        (0.0, 12, True),
        (0.09, 12, True),
        (0.11, 12, False),
        (1.0, 12, False),
        (0.0, 3, True),
        (0.0, 2, False),
        (-0.1, 12, False),
    ],
)
def test_two_groups_that_are_never_active_together_are_called_sides_that_take_turns(between, observed, said) -> None:
    weights = np.ones((12, 12))  # with all others 1 on average
    labels = np.repeat([0, 1, 2, -1], [4, 3, 2, 3])
    halves = np.ix_(labels == 0, labels == 1)
    block = np.full(12, between)
    block[observed:] = np.nan
    weights[halves] = block.reshape(4, 3)
    weights[np.ix_(labels == 1, labels == 0)] = weights[halves].T
    table = pd.DataFrame({"outside": [1.0, 1.5, 1.0], "q_value": 0.01}, index=[0, 1, 2])
    text = "The groups of 4 and 3 neurons are hardly ever active together"
    assert [one.startswith(text) for one in taking_turns(weights, labels, table)] == ([True] if said else [])
    assert taking_turns(weights, labels, table.loc[[0, 2]]) == []  # only among those that count


def test_groups_are_judged_on_the_weights_or_on_what_is_beyond_strengths() -> None:
    weights = gappy(18, 2)
    np.testing.assert_array_equal(judged_matrix(weights, "core").values, standardise(weights).values)
    np.testing.assert_array_equal(judged_matrix(weights, "modules").values, beyond_strength(weights).values)


@pytest.mark.parametrize("seed", range(3))
def test_the_core_of_a_graded_group_counts_with_the_group_around_it_and_others_with_themselves(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.normal(0.0, 0.3, (40, 40)), 1)
    weights += weights.T
    weights[:12, :12] += 2.0
    weights[:5, :5] += 1.0  # the core
    np.fill_diagonal(weights, np.nan)
    matrix = standardise(weights)
    group, core = matrix.statistic(range(12)), matrix.statistic(range(5))
    assert statistic_of(matrix, np.arange(5)) == pytest.approx(group) and group > core
    assert statistic_of(matrix, np.arange(12)) == pytest.approx(group)
    edge = np.arange(6, 12)  # of the group, but less dense than all of it
    assert statistic_of(matrix, edge) == pytest.approx(matrix.statistic(edge))
    mixed = np.r_[0:3, 30:34]  # most are not held by the group around them
    assert statistic_of(matrix, mixed) == pytest.approx(matrix.statistic(mixed))


@pytest.mark.parametrize("co_activity", [True, False])
def test_only_where_weights_are_co_activity_it_is_said_who_takes_turns(co_activity) -> None:
    labels = np.repeat([0, 1, -1], [4, 4, 4])
    weights = np.full((12, 12), 1.0)
    for one, other, value in ((0, 0, 9.0), (1, 1, 9.0), (0, 1, 0.0), (1, 0, 0.0)):
        weights[np.ix_(labels == one, labels == other)] = value
    coords = {"level": [0], "neuron": [f"N{i:02d}" for i in range(12)]}
    row = xr.DataArray(labels[None], dims=("level", "neuron"), coords=coords, name="community")
    found = Communities(row, 0, row.astype(float).rename("probability"), "modules", "nested sbm")
    listed = [Candidate(0, 5.0, 0.01), Candidate(1, 5.0, 0.01)]
    made = claim(
        found, weights, Tested(listed, {0: 0.01, 1: 0.05}, 0.05, "nothing"), where="X", co_activity=co_activity
    )
    assert ("hardly ever active together" in made.answer) == co_activity and made.rule.startswith(made.answer)


def whole_numbers(n: int, seed: int, most: int = 4) -> np.ndarray:
    """Symmetric weights of a few whole numbers, so that ties are frequent, with gaps."""
    rng = np.random.default_rng(seed)
    weights = np.triu(rng.integers(0, most + 1, (n, n)).astype(float), 1)
    weights[np.triu(rng.random((n, n)) < 0.35, 1)] = np.nan
    weights = weights + weights.T
    np.fill_diagonal(weights, np.nan)
    return weights


def test_who_is_nearer_to_the_outside_than_to_the_inside_is_a_bystander() -> None:
    ties = 0
    for seed in range(300):
        weights = whole_numbers(8, seed, 2 + seed % 3)
        members, others = list(range(4)), list(range(4, 8)) if seed % 5 else []
        inside = np.arange(8) < 4
        if not others:
            weights, inside = weights[:4, :4], inside[:4]
        low, high = mean_of(weights, members, others), mean_of(weights, members, members)
        low = 0.0 if np.isnan(low) else low
        expected = np.zeros(len(inside), bool)
        for node in members if high > low else []:
            mean = mean_of(weights, [node], members)
            ties += mean - low == HALF * (high - low)
            expected[node] = mean - low < HALF * (high - low)  # not of a node that nothing is known about
        np.testing.assert_array_equal(_bystanders(weights, inside), expected)
    assert ties > 5


def test_the_weaker_side_leaves_where_links_across_are_strong_and_it_is_hardly_more_linked_inside_than_outside() -> (
    None
):
    left, stayed = 0, 0
    for first, second, between, out in itertools.product(range(4), range(4), range(1, 7), range(3)):
        values = np.full((9, 9), float(out))
        values[:3, :3], values[3:6, 3:6] = first, second
        values[:3, 3:6] = values[3:6, :3] = between
        values[6:, 6:] = 1.0
        np.fill_diagonal(values, np.nan)
        for inside in (np.arange(9) < 6, np.arange(6) < 6):
            own = values[: len(inside), : len(inside)]
            got = _second_side(own, inside)
            outside = float(out) if len(inside) == 9 else 0.0
            mean = (first * 6 + second * 6 + between * 18) / 30
            vector = np.linalg.eigh(np.where(np.eye(6) > 0, mean, own[:6, :6]))[1][:, 0]
            if len({*(vector[:3] < 0)}) > 1 or len({*(vector[3:] < 0)}) > 1 or (vector[0] < 0) == (vector[3] < 0):
                continue  # split in another way
            apart = between**2 > ACROSS * first * second
            goes = apart and min(first, second) - outside < HALF / 2 * (mean - outside)
            assert got.sum() == 3 * goes
            if goes and first != second:
                assert got[:3].all() == (first < second)
            left, stayed = left + goes, stayed + (not goes)
    assert left > 20 and stayed > 20


def test_tightening_ignores_what_stands_on_the_diagonal_and_keeps_a_group_of_the_least_size() -> None:
    weights = np.full((8, 8), 0.5)
    weights[:3, :3] = 2.0
    labels = np.r_[np.zeros(3, int), np.full(5, -1)]
    for diagonal in (0.0, 100.0):
        np.fill_diagonal(weights, diagonal)
        np.testing.assert_array_equal(tighten(weights, labels), labels)
    weights[:4, :4] = 2.0
    weights[3, :3] = weights[:3, 3] = 0.5
    np.fill_diagonal(weights, 1000.0)
    four = np.r_[np.zeros(4, int), np.full(4, -1)]
    np.testing.assert_array_equal(tighten(weights, four), labels)  # the fourth leaves, whatever it has with itself


def test_the_interval_of_a_ratio_is_that_of_members_drawn_anew() -> None:
    weights = whole_numbers(14, 3, 9)
    inside = np.arange(14) < 6
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(200):
        drawn = rng.integers(6, size=6)
        own = [weights[i, j] for i in drawn for j in drawn if i != j]
        across = [weights[i, j] for i in drawn for j in range(6, 14)]
        if np.isfinite(own).any() and np.nansum(across) > 0:
            ratios.append(np.nanmean(own) / np.nanmean(across))
    got = effect(weights, inside)
    np.testing.assert_allclose([got["ratio_low"], got["ratio_high"]], np.percentile(ratios, [2.5, 97.5]))
    weights[:6, 6:] *= -1
    weights[6:, :6] *= -1
    got = effect(weights, inside)
    assert got["ratio"] == np.inf and np.isnan(got["ratio_low"])  # less than nothing outside


def two_levels(rows: list[list[int]], chosen: int, probability: np.ndarray) -> Communities:
    coords = {"level": range(len(rows)), "neuron": [f"N{i:02d}" for i in range(len(rows[0]))]}
    labels = xr.DataArray(np.array(rows), dims=("level", "neuron"), coords=coords, name="community")
    return Communities(labels, chosen, labels.copy(data=probability).rename("probability"), "core", "nested sbm")


def test_a_claim_says_of_everyone_what_they_are() -> None:
    coarse = [0] * 6 + [1] * 6 + [-1] * 4
    fine = [5] * 3 + [2] * 3 + [0] * 3 + [4] * 3 + [-1] * 4
    probability = np.ones((2, 16))
    probability[1, 1], probability[1, 4] = 0.5, 0.49  # a half is enough
    found = two_levels([coarse, fine], 1, probability)
    weights = np.ones((16, 16))
    for first in (0, 3, 6, 9):
        weights[first : first + 3, first : first + 3] = 9.0
    weights[9:12, 9:12] = 1.0  # not stronger inside
    for node, group, value in ((0, 3, 7.0), (13, 3, 9.0), (12, 0, 4.0)):
        weights[node, group : group + 3] = weights[group : group + 3, node] = value
    weights[15], weights[:, 15] = np.nan, np.nan
    np.fill_diagonal(weights, 50.0)
    listed = [Candidate(5, 7.0, 0.001), Candidate(2, 6.0, 0.002), Candidate(0, 5.0, 0.4), Candidate(4, 4.0, 0.003)]
    q_values = {5: 0.004, 2: 0.05, 0: 0.5, 4: 0.006}
    made = claim(found, weights, Tested(listed, q_values, 0.05, "chance"), where="X")
    row = made.labels.values[1]
    assert (row[6:] == -1).all() and len({*row[:3]}) == 1 and len({*row[3:6]}) == 1 and row[0] != row[3]
    assert {*row[:6]} == {0, 1} and (made.labels.values[0][6:] == -1).all()
    assert made.claims.index.tolist() == [0, 1]
    for community, one, members in ((row[0], listed[0], range(3)), (row[3], listed[1], range(3, 6))):
        line = made.claims.loc[community]
        assert line[["p_value", "q_value", "statistic"]].tolist() == [
            one.p_value,
            q_values[one.community],
            one.statistic,
        ]
        own = effect(weights, np.isin(np.arange(16), list(members)))
        assert line[list(own)].to_dict() == own
    states = made.state.values
    towards = pulls(weights, row, made.claims)
    for node in range(15):
        pull = towards.loc[node]
        if node < 6:
            mine, other = pull[row[node]], pull[1 - row[node]]
            kind = "overlapping" if other >= 0.5 else "member"
            kind = "unsure" if mine < 0.5 or node == 4 else kind
        else:
            kind = "unsure" if pull.max() >= 0.5 else "background"
        assert states[1, node] == kind, node
    assert (states[:, 15] == "not observed").all()
    assert states[1, 0] == "overlapping" and states[1, 13] == "unsure" and states[0, 1] == "member"
    assert made.significance["gain"].tolist() == made.claims["statistic"].tolist()
    assert made.significance.attrs["p_more_than_one"] == 0.001
    np.testing.assert_array_equal(np.isnan(made.probability.values), made.labels.values < 0)
    twice = claim(found, weights, Tested(listed, q_values, 0.05, "chance"), where="X", second=found)
    np.testing.assert_array_equal(twice.state.values, states)  # groups of the second run that nobody claims say nothing
    moved = two_levels([coarse, [*fine[:2], 2, *fine[3:12], 5, -1, -1, -1]], 1, probability)
    other = claim(found, weights, Tested(listed, q_values, 0.05, "chance"), where="X", second=moved)
    changed = np.isin(np.arange(16), [2, 12])  # one went over, one came in
    np.testing.assert_array_equal(other.state.values[1] == "unsure", (states[1] == "unsure") | changed)
    loose = claim(found, weights, Tested(listed, q_values, 0.01, "chance"), where="X", undecided=[2])
    assert (loose.state.values[1, 3:6] == "unsure").all() and loose.labels.values[1, 3] >= 0
    none = claim(found, weights, Tested(listed, {}, 0.05, "chance"), where="X")
    assert (none.labels.values == -1).all() and none.claims.empty


def test_without_a_comparison_every_member_is_unsure() -> None:
    found = two_levels([[0, 0, 0, 1, 1, -1, 0]], 0, np.ones((1, 7)))
    weights = np.full((7, 7), 0.5)
    weights[6] = weights[:, 6] = np.nan
    weights[6, 6] = 3.0
    made = untested(found, weights, "too few")
    assert made.state.values.tolist() == [["unsure"] * 5 + ["background", "not observed"]]
    assert made.answer == "Not compared with chance: too few."


@pytest.mark.parametrize(
    "second", [[0, 0, 0, 1, 1, -1], [1, 1, 1, 0, 0, -1], [0, 0, 1, 1, 1, -1], [-1] * 6, [0, 0, 0, 1, 1, 1]]
)
def test_who_changes_sides_in_a_second_run_is_unsure(second: list[int]) -> None:
    row = np.array([0, 0, 0, 1, 1, -1])
    found = two_levels([row.tolist()], 0, np.ones((1, 6)))
    other = two_levels([second, [0] * 6], 0, np.ones((2, 6)))
    towards = pd.DataFrame({0: [1.0, 1, 0.5, 0, 0, 0.49], 1: [0, np.nan, 0, 1, 1, np.nan]})
    got = _unsure(found, 0, row, towards, other, row < 0)
    changed = {(1, 1, 1, 0, 0, -1): [], (0, 0, 1, 1, 1, -1): [2], (-1,) * 6: [0, 1, 2, 3, 4], (0, 0, 0, 1, 1, 1): [5]}
    np.testing.assert_array_equal(np.flatnonzero(got), changed.get(tuple(second), []))
    pulled = towards.assign(**{"0": 0})[[0, 1]]
    pulled.loc[5, 1], pulled.loc[4, 1], pulled.loc[2, 0] = 0.5, 0.49, 0.5
    np.testing.assert_array_equal(np.flatnonzero(_unsure(found, 0, row, pulled, None, row < 0)), [4, 5])
