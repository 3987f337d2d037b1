"""On complete data, the solver against TensorLy's and scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.factorization import sources
from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.factorization.kernels import thin_grams, update_grouped, update_own, update_shared
from napari_dynamic_connectome.factorization.match import factor_match
from napari_dynamic_connectome.factorization.prepare import prepare
from napari_dynamic_connectome.factorization.problem import build_problem
from napari_dynamic_connectome.factorization.settings import FactorizationSettings
from napari_dynamic_connectome.factorization.solver import Factors, Solver, random_factors
from napari_dynamic_connectome.factorization.sources import left_product
from napari_dynamic_connectome.model.execution import workers


def test_best_start_is_at_most_tensorly_hals(planted):
    from tensorly.cp_tensor import CPTensor
    from tensorly.decomposition import non_negative_parafac_hals

    affinity, _ = planted("aligned", rank=4, seen=1.0, noise=0.3, pairs=36, times=40, worms=5)
    tensor = np.stack([b.values[0] for b in affinity.blocks]).transpose(0, 2, 1).astype(float)
    settings = FactorizationSettings(model="aligned", max_sweeps=150, tolerance=1e-7)
    problem = build_problem(affinity, settings)
    starts = random_factors(problem, 4, range(10), 0)
    theirs = []
    for k in range(10):
        factors = [starts.worm[k].T.copy(), starts.time[k].T.copy(), starts.pair[k].T.copy()]
        cp = non_negative_parafac_hals(tensor, 4, n_iter_max=150, init=CPTensor((np.ones(4), factors)), tol=1e-7)
        theirs.append(float(np.linalg.norm(tensor - cp.to_tensor()) / np.linalg.norm(tensor)))
    ours = factorize(affinity, 4, settings, starts=10, seed=0)
    assert ours.error <= min(theirs) + 1e-6


def test_unaligned_is_at_most_scikit_learns_nmf(planted):
    from sklearn.decomposition import NMF

    affinity, _ = planted("unaligned", rank=4, seen=1.0, noise=0.3)
    joined = np.concatenate([b.values[0] for b in affinity.blocks], axis=1).astype(float)
    errors = [
        NMF(4, init="random", random_state=k, tol=1e-7, max_iter=2000).fit(joined).reconstruction_err_
        for k in range(10)
    ]
    ours = factorize(affinity, 4, starts=10, tolerance=1e-8, max_sweeps=2000)
    assert ours.error <= min(errors) / np.linalg.norm(joined) + 1e-6


@pytest.mark.parametrize("model", ["aligned", "unaligned"])
def test_random_starts_find_what_a_start_at_the_truth_finds(planted, model):
    affinity, truth = planted(model, noise=0.15, pairs=66, seed=3)
    components = factorize(affinity, 3, starts=6)
    settings = FactorizationSettings()
    with workers(1) as pool:
        prepared = prepare(affinity, 3, settings, pool, starts=1, seed=0)
        factors = random_factors(prepared.problem, 3, [0], 0)
        factors.pair[0] = truth
        solver = Solver(prepared.problem, prepared.exact, settings, pool)
        at_truth = solver.run(factors, max_sweeps=300, tolerance=1e-6, rescale=True).factors.pair[0]
    best, _, _ = factor_match([truth], [at_truth])
    score, _, _ = factor_match([truth], [components.pair.values.T])
    assert score >= best - 0.01


@pytest.mark.parametrize("model", ["aligned", "unaligned"])
def test_compressed_then_exact_is_exact(planted, model):
    affinity, _ = planted(model, rank=4, noise=0.1, times=220, pairs=91, seed=2)
    exact = factorize(affinity, 4, starts=4, compression="off", tolerance=1e-8, max_sweeps=1000)
    compressed = factorize(
        affinity, 4, starts=4, compression="on", compressed_size=64, tolerance=1e-8, max_sweeps=1000, exact_sweeps=3
    )
    assert compressed.diagnostics["compressed_size"] == 64
    assert compressed.error == pytest.approx(exact.error, abs=5e-6)


@pytest.mark.parametrize("storage", ["sparse", "stored", "streamed"])
def test_every_storage_gives_the_same_products(planted, storage):
    affinity, _ = planted("unaligned", noise=0.1, times=600, pairs=300, worms=2)
    settings = FactorizationSettings(storage=storage, compression="off")
    rng = np.random.default_rng(0)
    with workers(2) as pool:
        source = prepare(affinity, 2, settings, pool, starts=1, seed=0).exact
        for w, block in enumerate(affinity.blocks):
            dense = block.values[0].astype(float)
            rows = rng.random((5, dense.shape[0]), dtype=np.float32)
            times = rng.random((5, dense.shape[1]), dtype=np.float32)
            assert np.allclose(left_product(source, w, rows), rows @ dense, rtol=3e-6)
            assert np.allclose(source.right(w, times), dense @ times.T, rtol=3e-6)
            assert np.allclose(source.row_norms[w], (dense**2).sum(axis=1), rtol=1e-6)
            difference = dense - rows.T.astype(float) @ times
            assert source.residual(w, rows, times) == pytest.approx((difference**2).sum(), rel=1e-6)


@pytest.mark.parametrize("compression", ["on", "off"])
def test_products_in_pieces_are_those_of_all_rows(planted, monkeypatch, compression):
    affinity, _ = planted("unaligned", noise=0.1, times=600, pairs=300, worms=3, seen=0.8)
    settings = FactorizationSettings(storage="stored", compression=compression, compressed_size=32)
    rng = np.random.default_rng(0)
    found = []
    for rows in (sources.PIECE_ROWS, 64):  # all at once, in four or five pieces
        monkeypatch.setattr(sources, "PIECE_ROWS", rows)
        with workers(2) as pool:
            prepared = prepare(affinity, 3, settings, pool, starts=2, seed=0)
            source = prepared.compressed or prepared.exact
            assert (len(source.row_pieces(0)) > 3) == (rows == 64)
            if compression == "off":
                for w, block in enumerate(affinity.blocks):
                    factor = rng.random((5, len(block.values[0])), dtype=np.float32)
                    product = factor @ block.values[0].astype(float)
                    assert np.allclose(left_product(source, w, factor), product, rtol=3e-6)
            factors = random_factors(prepared.problem, 3, [0, 1], 0)
            Solver(prepared.problem, source, settings, pool).sweep(factors, rescale=True)
            found.append(factors)
    for one, two in zip(*((f.time, f.pair) for f in found), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-5 * one.max())


def test_coordinate_updates_reach_the_non_negative_least_squares_solution():
    from scipy.optimize import nnls

    rng = np.random.default_rng(1)
    design = rng.standard_normal((30, 5))
    data = rng.standard_normal((30, 70))
    gram, numerator = design.T @ design, design.T @ data
    wanted = np.stack([nnls(design, column)[0] for column in data.T], axis=1)
    shared = np.ones((1, 5, 70))
    update_shared(shared, numerator[None], gram[None], 500, 0.0)
    assert np.allclose(shared[0], wanted, atol=1e-8)
    own = np.ones((5, 70))
    triangle = gram[np.triu_indices(5)]
    cross, square = update_own(own, numerator, np.repeat(triangle[:, None], 70, axis=1), 0, 500, True)
    assert np.allclose(own, wanted, atol=1e-8)
    assert cross == pytest.approx((numerator * own).sum())
    assert square == pytest.approx(((design @ own) ** 2).sum())
    grouped = np.ones((5, 70))
    order = rng.permutation(70)
    sums = update_grouped(grouped, numerator, np.stack([gram, gram]), np.array([0, 30, 70]), order, 500, True)
    assert np.allclose(grouped, wanted, atol=1e-8)
    assert sums == pytest.approx((cross, square))


def test_grams_of_pairs_are_sums_over_the_worms_that_observe_them():
    from scipy.sparse import csr_array

    rng = np.random.default_rng(3)
    table = (rng.random((200, 90)) < 0.1) * rng.uniform(0.5, 2, 90)
    table[17] = 0.0  # a pair that no worm observes
    triangle, thin = rng.random((90, 6)), csr_array(table)
    found = np.full((6, 150), np.nan)
    thin_grams(thin.indptr, thin.indices, thin.data, triangle, 10, found)
    np.testing.assert_allclose(found, (table[10:160] @ triangle).T, atol=1e-12)


def test_masked_sweep_is_the_sweep_of_the_weighted_problem(planted):
    """One pass over the pair factor equals a dense weighted least-squares pass that knows the mask as an array."""
    affinity, _ = planted("unaligned", noise=0.2)
    settings = FactorizationSettings(inner=100, ridge=0.0, compression="off")
    with workers(1) as pool:
        prepared = prepare(affinity, 3, settings, pool, starts=1, seed=0)
        problem = prepared.problem
        factors = random_factors(problem, 3, [0], 0)
        time = factors.time[0].copy()
        solver = Solver(problem, prepared.exact, settings, pool, fixed=("time",))
        solver.sweep(Factors(factors.time, factors.worm, factors.pair))
    from scipy.optimize import nnls

    data = np.full((problem.n_slots, problem.n_times), np.nan)
    for worm, block in zip(problem.worms, affinity.blocks, strict=True):
        data[np.ix_(worm.slots, worm.times)] = block.values[0]
    for pair in range(0, problem.n_slots, 5):
        seen = np.isfinite(data[pair])
        wanted, _ = nnls(time[:, seen].T, data[pair, seen])
        assert np.allclose(factors.pair[0][:, pair], wanted, atol=1e-5)
