"""Permutation tests of matrices against brute force: every order, every rewired network, ordinary least squares."""

from __future__ import annotations

from itertools import combinations, permutations, product

import numpy as np
import pytest
from scipy.stats import chi2, pearsonr, spearmanr

from napari_dynamic_connectome.comparison.pairs import dyadic_error, side_pairs
from napari_dynamic_connectome.comparison.permutation import degree_test, mantel_test
from napari_dynamic_connectome.comparison.regression import matrix_regression
from napari_dynamic_connectome.model.errors import Cancelled, InputError


def symmetric(n: int, seed: int) -> np.ndarray:
    matrix = np.random.default_rng(seed).normal(size=(n, n))
    return matrix + matrix.T


def off(matrix: np.ndarray, directed: bool = False) -> np.ndarray:
    return matrix[~np.eye(len(matrix), dtype=bool)] if directed else matrix[np.triu_indices(len(matrix), 1)]


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize(("measure", "correlation"), [("pearson", pearsonr), ("spearman", spearmanr)])
def test_every_order_of_six_neurons_gives_the_exact_p(measure: str, correlation, directed: bool) -> None:
    rng = np.random.default_rng(1)
    x, y = (rng.normal(size=(6, 6)), rng.poisson(1.0, (6, 6)).astype(float))
    y += np.round(x, 0)
    if not directed:
        x, y = x + x.T, y + y.T
    observed = correlation(off(x, directed), off(y, directed)).statistic
    brute = [
        correlation(off(x, directed), off(y[np.ix_(order, order)], directed)).statistic
        for order in permutations(range(6))
    ]
    test = mantel_test(x, y, measure=measure, permutations=720)
    assert test.exact and test.directed is directed
    assert test.r == pytest.approx(observed)
    np.testing.assert_allclose(np.sort(test.null), np.sort(brute), atol=1e-12)
    assert test.p_value == pytest.approx(np.mean(np.abs(brute) >= abs(observed) - 1e-9))


def test_pairs_that_were_not_measured_take_no_part_wherever_a_permutation_brings_them() -> None:
    x, y = symmetric(6, 2), symmetric(6, 3)
    x[0, 1] = x[1, 0] = y[2, 4] = y[4, 2] = np.nan
    brute = []
    for order in permutations(range(6)):
        a, b = off(x), off(y[np.ix_(order, order)])
        known = np.isfinite(a) & np.isfinite(b)
        brute.append(pearsonr(a[known], b[known]).statistic)
    test = mantel_test(x, y, measure="pearson", permutations=1000)
    np.testing.assert_allclose(np.sort(test.null), np.sort(brute), atol=1e-12)
    assert test.n_pairs == 13 and test.r == pytest.approx(brute[0])


def test_drawn_permutations_come_close_to_all_of_them() -> None:
    x, y = symmetric(7, 4), symmetric(7, 5)
    every = mantel_test(x, y, permutations=5040)
    drawn = mantel_test(x, y, permutations=4000, seed=3)
    assert every.exact and not drawn.exact
    assert drawn.p_value == pytest.approx(every.p_value, abs=0.04)
    again = mantel_test(x, y, permutations=4000, seed=3)
    np.testing.assert_array_equal(drawn.null, again.null)
    assert not np.array_equal(drawn.null, mantel_test(x, y, permutations=4000, seed=4).null)


def test_agreement_does_not_depend_on_the_order_of_the_neurons_or_on_the_scale() -> None:
    x = symmetric(12, 6)
    y = x + 2 * symmetric(12, 7)
    order = np.random.default_rng(0).permutation(12)
    one = mantel_test(x, y, permutations=99)
    two = mantel_test(x[np.ix_(order, order)], np.exp(y[np.ix_(order, order)]), permutations=99)
    assert one.r == pytest.approx(two.r)
    assert (one.low, one.high) == pytest.approx((two.low, two.high))
    assert one.low < one.r < one.high


def test_a_symmetric_matrix_is_compared_without_direction() -> None:
    x = symmetric(8, 8)
    arrows = np.random.default_rng(9).normal(size=(8, 8))
    test = mantel_test(x, arrows, measure="pearson", permutations=99)
    assert not test.directed and test.n_pairs == 28
    assert test.r == pytest.approx(pearsonr(off(x), off((arrows + arrows.T) / 2)).statistic)


def test_direction_matters_between_two_matrices_that_have_one() -> None:
    arrows = np.random.default_rng(10).normal(size=(8, 8))
    assert mantel_test(arrows, arrows, permutations=99).r == pytest.approx(1.0)
    assert abs(mantel_test(arrows, arrows.T, permutations=99).r) < 0.6


@pytest.mark.parametrize("missing", [False, True])
def test_regression_under_every_order_is_that_of_least_squares(missing: bool) -> None:
    y, x, z = symmetric(5, 11), symmetric(5, 12), symmetric(5, 13)
    x = x + 0.8 * z
    y = y + x
    if missing:
        y[0, 3] = y[3, 0] = np.nan
    known = np.isfinite(off(y))

    def standard(values: np.ndarray) -> np.ndarray:
        return (values - values[known].mean()) / values[known].std()

    response, own, other = (standard(off(m)) for m in (y, x, z))
    design = np.column_stack([np.ones(10), other])
    # fitted where all is known, and taken off wherever the predictors are
    rest = own - design @ np.linalg.lstsq(design[known], own[known], rcond=None)[0]
    square = np.full((5, 5), np.nan)
    square[np.triu_indices(5, 1)] = rest
    square.T[np.triu_indices(5, 1)] = rest

    def t_value(moved: np.ndarray) -> float:
        use = np.isfinite(moved) & known
        table = np.column_stack([design[use], moved[use]])
        inverse = np.linalg.inv(table.T @ table)
        b = inverse @ table.T @ response[use]
        error = response[use] - table @ b
        return b[2] / np.sqrt(error @ error / (use.sum() - 3) * inverse[2, 2])

    brute = np.array([t_value(off(square[np.ix_(o, o)])) for o in permutations(range(5))])
    table = matrix_regression(y, {"x": x, "z": z}, tested=("x",), measure="pearson", permutations=120)
    row = table.set_index("predictor").loc["x"]
    assert row["t"] == pytest.approx(t_value(rest))
    full = np.column_stack([np.ones(known.sum()), own[known], other[known]])
    assert row["coefficient"] == pytest.approx(np.linalg.lstsq(full, response[known], rcond=None)[0][1])
    assert row["p_value"] == pytest.approx(np.mean(np.abs(brute) >= abs(t_value(rest)) - 1e-9))
    assert np.isnan(table.set_index("predictor").loc["z", "p_value"])


def test_what_distance_explains_is_not_credited_to_the_wiring() -> None:
    rng = np.random.default_rng(14)
    places = rng.random((40, 2))
    near = -np.sqrt(((places[:, None] - places[None]) ** 2).sum(axis=2))
    wiring = near + 0.3 * symmetric(40, 15) / 2
    function = near + 0.3 * symmetric(40, 16) / 2
    assert mantel_test(function, wiring, permutations=999).p_value <= 0.001
    beside = matrix_regression(function, {"wiring": wiring, "distance": -near}, permutations=999)
    assert beside.loc[0, "p_value"] > 0.05 and abs(beside.loc[0, "partial_r"]) < 0.1
    assert beside.loc[1, "p_value"] <= 0.001


def test_p_is_uniform_where_matrices_only_share_that_some_neurons_are_strong() -> None:
    """Row and column effects make pairs dependent; the permutation of neurons must keep its size (2000 would do better than 150)."""
    small = 0
    for seed in range(150):
        rng = np.random.default_rng(seed)
        a, b = rng.normal(size=12), rng.normal(size=12)
        x = a[:, None] + a[None] + symmetric(12, seed + 1000) / 2
        y = b[:, None] + b[None] + symmetric(12, seed + 2000) / 2
        small += mantel_test(x, y, permutations=199, seed=seed).p_value <= 0.05
    assert 1 <= small <= 16  # 7.5 expected; binomial, 99.9 % are within


def test_the_error_adds_the_products_of_all_pairs_that_share_a_neuron() -> None:
    rng = np.random.default_rng(30)
    pairs = [(i, j) for i in range(11) for j in range(11) if i != j and rng.random() < 0.6]
    rows, columns = np.array(pairs).T
    strong = rng.normal(size=11)
    influence = strong[rows] + strong[columns] + rng.normal(size=len(pairs))
    brute = sum(
        influence[p] * influence[q]
        for p in range(len(pairs))
        for q in range(len(pairs))
        if set(pairs[p]) & set(pairs[q])
    )
    own = np.bincount(rows, influence, 11) + np.bincount(columns, influence, 11)
    small_sample = (own**2).sum() * (11 / 9 - 1)
    assert dyadic_error(rows, columns, influence, 11) == pytest.approx(np.sqrt(brute + small_sample))
    assert np.isnan(dyadic_error(rows[:3], columns[:3], influence[:3], 11)), "too few neurons"


def test_the_interval_holds_the_truth_although_some_neurons_are_strong() -> None:
    held = 0
    for seed in range(100):
        rng = np.random.default_rng(seed + 5000)
        a, b = rng.normal(size=(2, 60))
        e, f = (np.triu(m, 1) + np.triu(m, 1).T for m in rng.normal(size=(2, 60, 60)))
        b, f = 0.3 * a + np.sqrt(1 - 0.09) * b, 0.3 * e + np.sqrt(1 - 0.09) * f
        x, y = 0.5 * (a[:, None] + a) + e, 0.5 * (b[:, None] + b) + f
        test = mantel_test(x, y, measure="pearson", permutations=1)
        held += test.low <= 0.3 <= test.high
    assert 85 <= held <= 99


def ring(n: int) -> np.ndarray:
    matrix = np.zeros((n, n))
    for i in range(n):
        matrix[i, (i + 1) % n] = matrix[(i + 1) % n, i] = 1.0
    return matrix


def test_rewired_networks_keep_the_number_of_links_of_every_neuron() -> None:
    rng = np.random.default_rng(17)
    link = np.triu(rng.random((15, 15)) < 0.25, 1).astype(float)
    link = link + link.T
    strength = rng.normal(size=15)
    # a sum over links of (s_i + s_j) is a sum over neurons of degree x s: no rewiring may change it
    x = strength[:, None] + strength[None]
    test = degree_test(x, link, measure="pearson", networks=50)
    np.testing.assert_allclose(test.null, test.r, atol=1e-10)
    arrows = (rng.random((15, 15)) < 0.2).astype(float)
    x = strength[:, None] + 2 * np.roll(strength, 3)[None]
    test = degree_test(x, arrows, measure="pearson", networks=50, directed=True)
    np.testing.assert_allclose(test.null, test.r, atol=1e-10)


def test_rewiring_reaches_every_network_of_the_same_degrees_equally_often() -> None:
    link, x = ring(6), symmetric(6, 18)
    pairs = list(combinations(range(6), 2))
    sums = []
    for chosen in combinations(pairs, 6):
        degree = np.zeros(6, int)
        for a, b in chosen:
            degree[a] += 1
            degree[b] += 1
        if (degree == 2).all():
            matrix = np.zeros((6, 6))
            for a, b in chosen:
                matrix[a, b] = matrix[b, a] = 1.0
            sums.append(pearsonr(off(x), off(matrix)).statistic)
    test = degree_test(x, link, measure="pearson", networks=7000, rounds=20)
    values, counts = np.unique(np.round(test.null, 9), return_counts=True)
    expected = np.unique(np.round(sums, 9))
    assert len(sums) == 70 and len(expected) == 70  # 60 rings of six and 10 pairs of triangles
    np.testing.assert_allclose(values, expected, atol=1e-8)
    assert ((counts - 100.0) ** 2 / 100.0).sum() < 125  # chi-square with 69 degrees of freedom: 99.99 %


def test_hubs_alone_convince_permutations_but_not_rewired_networks() -> None:
    rng = np.random.default_rng(19)
    hub = rng.random(40) ** 3
    link = (rng.random((40, 40)) < hub[:, None] + hub[None] - 0.2).astype(float)
    link = np.triu(link, 1) + np.triu(link, 1).T
    x = hub[:, None] + hub[None] + 0.05 * symmetric(40, 20)
    assert mantel_test(x, link, permutations=999).p_value <= 0.001
    assert degree_test(x, link, networks=499).p_value > 0.05
    both = x + 0.5 * link
    assert degree_test(both, link, networks=499).p_value <= 0.01


def sided_network(seed: int, n: int = 14) -> np.ndarray:
    """Pairs (0, 5), (1, 6), ... (4, 9) and four neurons without a partner; most links are there on both sides."""
    rng = np.random.default_rng(seed)
    mirror = np.r_[5:10, 0:5, 10:n]
    link = np.triu(rng.random((n, n)) < 0.2, 1)
    link |= link.T
    link |= link[np.ix_(mirror, mirror)]
    link[0, 12] = link[12, 0] = True
    return link.astype(float)


PAIRED = np.column_stack([np.arange(5), np.arange(5, 10)])


@pytest.mark.parametrize("directed", [False, True])
def test_rewired_blocks_of_both_sides_keep_links_of_every_neuron_and_symmetry(directed: bool) -> None:
    link, rng = sided_network(3), np.random.default_rng(4)
    if directed:
        link = np.where(np.triu(rng.random((14, 14)) < 0.3), 0.0, link)
    out, back = rng.normal(size=14), rng.normal(size=14)
    # a sum over links of (s_i + t_j) depends on the neurons' numbers of links alone
    x = out[:, None] + (back if directed else out)[None]
    test = degree_test(x, link, measure="pearson", networks=40, directed=directed, sides=PAIRED)
    np.testing.assert_allclose(test.null, test.r, atol=1e-10)
    free = degree_test(symmetric(14, 5), link, measure="pearson", networks=40, directed=directed, sides=PAIRED)
    assert len(np.unique(np.round(free.null, 9))) > 20
    # links within pairs stay: a value at those alone never changes
    own = np.zeros((14, 14))
    own[PAIRED[:, 0], PAIRED[:, 1]] = own[PAIRED[:, 1], PAIRED[:, 0]] = rng.normal(size=5)
    link[0, 5] = link[5, 0] = 1.0
    test = degree_test(own, link, measure="pearson", networks=20, directed=directed, sides=PAIRED)
    np.testing.assert_allclose(test.null, test.r, atol=1e-10)


def test_a_network_that_is_the_same_on_both_sides_stays_so() -> None:
    link = sided_network(3)
    link[0, 12] = link[12, 0] = link[5, 12] = link[12, 5] = 0.0
    mirror = np.r_[5:10, 0:5, 10:14]
    np.testing.assert_array_equal(link, link[np.ix_(mirror, mirror)])
    x = symmetric(14, 6)
    odd = x - x[np.ix_(mirror, mirror)]  # its sum over a symmetric network is zero
    test = degree_test(odd, link, measure="pearson", networks=40, sides=PAIRED)
    np.testing.assert_allclose(test.null, test.r, atol=1e-10)
    assert degree_test(odd, link, measure="pearson", networks=40).null.std() > 0.01


def test_blocks_of_single_neurons_reach_every_network_of_the_same_degrees_equally_often() -> None:
    link, x = np.zeros((8, 8)), symmetric(8, 18)
    link[:6, :6] = ring(6)
    alone = degree_test(x, link, measure="pearson", networks=7000, rounds=30)
    blocks = degree_test(x, link, measure="pearson", networks=7000, rounds=60, sides=[[6, 7]])
    values, counts = np.unique(np.round(blocks.null, 9), return_counts=True)
    np.testing.assert_allclose(values, np.unique(np.round(alone.null, 9)), atol=1e-8)
    assert len(values) == 70 and ((counts - 100.0) ** 2 / 100.0).sum() < 125  # as in the test of single links


def exchanges(state: frozenset[tuple[int, int]], units: list[list[int]]) -> list[frozenset[tuple[int, int]]]:
    """Every network that one exchange of blocks makes of an undirected one, by the definition alone."""

    def block(one: list[int], other: list[int]) -> np.ndarray:
        return np.array([[(min(a, b), max(a, b)) in state for b in other] for a in one])

    found = []
    for a, b, c, d in permutations(units, 4):
        if len(b) != len(d):
            continue
        before = {id(b): (block(a, b), block(c, b)), id(d): (block(a, d), block(c, d))}
        degrees = [sum(one.sum(axis=0) for one in blocks) for blocks in before.values()]
        if not np.array_equal(*degrees):
            continue
        links = set(state)
        for mine, theirs in ((b, d), (d, b)):
            for row, new in zip((a, c), before[id(theirs)], strict=True):
                for i, j in product(range(len(row)), range(len(mine))):
                    pair = (min(row[i], mine[j]), max(row[i], mine[j]))
                    (links.add if new[i, j] else links.discard)(pair)
        found.append(frozenset(links))
    return found


def test_rewired_blocks_reach_every_network_that_exchanges_make_equally_often() -> None:
    units = [[0, 4], [1, 5], [2, 6], [3, 7], [8], [9]]
    sides = np.array([u for u in units if len(u) == 2])
    mirror = np.r_[4:8, 0:4, 8, 9]
    link = np.triu(np.random.default_rng(8).random((10, 10)) < 0.25, 1)
    link |= link.T
    link |= link[np.ix_(mirror, mirror)]
    first = frozenset((int(a), int(b)) for a, b in zip(*np.nonzero(np.triu(link)), strict=True))
    known, edge = {first}, [first]
    while edge:
        edge = [n for state in edge for n in exchanges(state, units) if n not in known and not known.add(n)]
    assert len(known) == 144
    x = symmetric(10, 31)

    def matrix(state: frozenset[tuple[int, int]]) -> np.ndarray:
        link = np.zeros((10, 10))
        for a, b in state:
            link[a, b] = link[b, a] = 1.0
        return link

    expected = np.sort([pearsonr(off(x), off(matrix(state))).statistic for state in known])
    networks = 60 * len(known)
    test = degree_test(x, matrix(first), measure="pearson", networks=networks, rounds=30, sides=sides)
    values, counts = np.unique(np.round(test.null, 9), return_counts=True)
    np.testing.assert_allclose(values, np.unique(np.round(expected, 9)), atol=1e-8)
    each = networks / len(known)
    assert chi2.sf(((counts - each) ** 2 / each).sum(), len(known) - 1) > 1e-4


def test_unrelated_networks_with_left_right_symmetry_are_not_taken_for_related_by_rewiring() -> None:
    from tests.benchmarks.bench_pairs import SIDES as BOTH
    from tests.benchmarks.bench_pairs import matrix, network

    rng, rounds = np.random.default_rng(7), 80
    held, apart = [], []
    for seed in range(rounds):
        x, y = matrix(rng, 0.9), network(rng, 0.9)
        held.append(degree_test(x, y, networks=49, seed=seed, sides=BOTH).p_value)
        apart.append(degree_test(x, y, networks=49, seed=seed).p_value)
    # of 80, 9 or fewer at .05 in 99 of 100 such tests; rewired link by link, a quarter
    assert np.sum(np.array(held) <= 0.05) <= 9
    assert np.sum(np.array(apart) <= 0.05) >= 12
    y = network(rng, 0.9)
    assert degree_test(matrix(rng, 0.9) + 2 * y, y, networks=199, sides=BOTH).p_value <= 0.01


def test_unmeasured_pairs_are_never_linked_by_rewiring() -> None:
    rng = np.random.default_rng(21)
    link = np.triu(rng.random((12, 12)) < 0.4, 1).astype(float)
    link = link + link.T
    hidden = np.triu(rng.random((12, 12)) < 0.3, 1)
    link[hidden | hidden.T] = np.nan
    x = symmetric(12, 22)
    known = np.isfinite(off(link))
    test = degree_test(x, link, measure="pearson", networks=20)
    assert test.n_pairs == known.sum()
    # a value that is huge at the hidden pairs would show in the sums
    loud = np.where(np.isfinite(link), x, 1e9)
    np.testing.assert_allclose(degree_test(loud, link, measure="pearson", networks=20).null, test.null)
    sides = [[0, 1], [2, 3], [4, 5]]
    test = degree_test(x, link, measure="pearson", networks=20, sides=sides)
    np.testing.assert_allclose(degree_test(loud, link, measure="pearson", networks=20, sides=sides).null, test.null)
    np.testing.assert_array_equal(
        degree_test(x, link, networks=9, sides=[]).null, degree_test(x, link, networks=9).null
    )
    with pytest.raises(InputError, match="one neuron twice"):
        degree_test(x, link, sides=[[0, 1], [1, 2]])


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (symmetric(5, 0), symmetric(6, 0), "has 6 neurons"),
        (symmetric(5, 0), np.ones((5, 5)), "the same for all pairs"),
        (symmetric(3, 0), symmetric(3, 1), "only 3 of 3 neurons"),
        (np.full((5, 5), np.nan), symmetric(5, 1), "only 0 of 5 neurons"),
        (np.zeros((5, 4)), symmetric(5, 1), "shape"),
        (np.full((5, 5), np.inf), symmetric(5, 1), "infinite"),
    ],
)
def test_matrices_that_cannot_be_compared_are_refused(x: np.ndarray, y: np.ndarray, said: str) -> None:
    with pytest.raises(InputError, match=said):
        mantel_test(x, y, permutations=9)


def test_regression_and_rewiring_refuse_what_has_no_answer() -> None:
    x = symmetric(6, 23)
    with pytest.raises(InputError, match="combination"):
        matrix_regression(x, {"a": symmetric(6, 24), "b": 2 * symmetric(6, 24)}, measure="pearson", permutations=9)
    with pytest.raises(InputError, match="no predictor 'c'"):
        matrix_regression(x, {"a": symmetric(6, 24)}, tested=("c",))
    with pytest.raises(InputError, match="no predictor"):
        matrix_regression(x, {})
    with pytest.raises(InputError, match="every pair"):
        degree_test(x, np.abs(symmetric(6, 25)) + 1)
    with pytest.raises(InputError, match="no link"):
        degree_test(x, np.zeros((6, 6)) + 0.0 * x)
    with pytest.raises(InputError, match="permutations"):
        mantel_test(x, x, permutations=0)
    with pytest.raises(InputError, match="measure"):
        mantel_test(x, x, measure="kendall")


def test_a_long_test_can_be_stopped() -> None:
    with pytest.raises(Cancelled):
        mantel_test(symmetric(12, 26), symmetric(12, 27), cancel=lambda: True)


def test_the_sentence_holds_effect_p_and_n() -> None:
    x = symmetric(20, 28)
    text = mantel_test(x, x + 0.5 * symmetric(20, 29), permutations=199).sentence()
    assert "agree" in text and "p = 0.005" in text and "20 neurons, 190 pairs" in text and "95 % interval" in text


SIDES = np.array([[0, 3], [1, 4], [2, 5]])
"""Three pairs (left, right); neurons 6 and 7 have no partner."""


@pytest.mark.parametrize("permutations_", [12, 500])
def test_sides_of_a_pair_move_together_left_with_left(permutations_: int) -> None:
    x, y = symmetric(8, 20), symmetric(8, 21)
    brute = []
    for pairs in permutations(range(3)):
        for rest in permutations((6, 7)):
            order = np.array([*SIDES[list(pairs), 0], *SIDES[list(pairs), 1], *rest])
            brute.append(pearsonr(off(x), off(y[np.ix_(order, order)])).statistic)
    test = mantel_test(x, y, measure="pearson", permutations=permutations_, sides=SIDES)
    assert test.exact
    np.testing.assert_allclose(np.sort(test.null), np.sort(brute), atol=1e-12)
    with pytest.raises(InputError, match="one neuron twice"):
        mantel_test(x, y, sides=[[0, 1], [1, 2]])
    for wrong in ([[0, 9]], [[0, 1, 2]], [0, 1], [[0.5, 1.0]]):
        with pytest.raises(InputError, match="sides"):
            mantel_test(x, y, sides=wrong)
    np.testing.assert_array_equal(
        mantel_test(x, y, permutations=9, sides=[]).null, mantel_test(x, y, permutations=9).null
    )


def test_pairs_are_found_by_name() -> None:
    names = ["AVAR", "RIS", "AVAL", "RIML", "RIMR", "AIBL"]
    assert sorted(map(tuple, side_pairs(names).tolist())) == [(2, 0), (3, 4)]


def alike(rng: np.random.Generator, n: int) -> np.ndarray:
    """A matrix in which the two sides of a pair (2i, 2i + 1) are alike, as in wiring and in activity."""
    pair = np.arange(n) // 2
    return symmetric(n // 2, int(rng.integers(1 << 30)))[np.ix_(pair, pair)] + 0.3 * symmetric(
        n, int(rng.integers(1 << 30))
    )


def test_unrelated_matrices_with_left_right_symmetry_are_not_taken_for_related() -> None:
    rng, n, rounds = np.random.default_rng(5), 30, 120
    sides = np.arange(n).reshape(-1, 2)
    held, apart = [], []
    for seed in range(rounds):
        x, y = alike(rng, n), alike(rng, n)
        held.append(mantel_test(x, y, permutations=99, seed=seed, sides=sides).p_value)
        apart.append(mantel_test(x, y, permutations=99, seed=seed).p_value)
    # of 120, 12 or fewer at .05 in 99 of 100 such tests; moved one by one, a quarter and more
    assert np.sum(np.array(held) <= 0.05) <= 12
    assert np.sum(np.array(apart) <= 0.05) >= 20
