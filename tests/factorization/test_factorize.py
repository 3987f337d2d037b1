"""The solver against brute force and against what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.factorization.match import factor_match
from napari_dynamic_connectome.factorization.problem import ArrayAffinity


@pytest.mark.parametrize("model", ["aligned", "unaligned"])
@pytest.mark.parametrize("signs", [("any",), ("same", "opposite")])
@pytest.mark.parametrize("compression", ["off", "on"])
def test_error_is_that_of_a_dense_computation(planted, dense_error, model, signs, compression):
    affinity, _ = planted(model, signs=signs)
    components = factorize(affinity, 3, starts=3, compression=compression, compressed_size=12)
    assert components.error == pytest.approx(dense_error(affinity, components), abs=1e-6)
    # errors of starts come from float32 products, which are exact to float32's digits of the data's squared norm
    own = components.diagnostics["start_errors"][components.diagnostics["best_start"]]
    assert own**2 == pytest.approx(components.error**2, abs=1e-7)


@pytest.mark.parametrize("model", ["aligned", "unaligned"])
def test_missing_times_and_pairs_do_not_count(planted, dense_error, model):
    affinity, _ = planted(model)
    gaps = []
    for number, block in enumerate(affinity.blocks):
        observed = np.ones(len(block.observed), bool)
        observed[5 * number : 5 * number + 9] = False
        values = block.values.copy()
        values[:, :, ~observed] = np.nan
        gaps.append((block.rows, values, observed))
    holed = ArrayAffinity.from_arrays(gaps, model=model, n_pairs=45)
    components = factorize(holed, 3, starts=3)
    assert components.error == pytest.approx(dense_error(holed, components), abs=1e-6)
    assert components.error < 0.2


@pytest.mark.parametrize("model", ["aligned", "unaligned"])
def test_planted_components_are_found(planted, model):
    affinity, truth = planted(model, noise=0.01)
    components = factorize(affinity, 3, starts=5)
    score, _, _ = factor_match([truth], [components.pair.values.T])
    assert score > 0.98
    assert min(components.diagnostics["restart_similarity"]) > 0.98


def test_components_are_normalised_sorted_and_labelled(planted):
    affinity, _ = planted("unaligned", signs=("same", "opposite"))
    components = factorize(affinity, 3, starts=2)
    assert np.allclose(np.linalg.norm(components.pair.values, axis=0), 1)
    assert np.allclose(np.linalg.norm(components.time.values, axis=0), 1)
    assert np.all(np.diff(components.weight.values) <= 0)
    assert components.signs == ("same", "opposite")
    assert components.time["time"].attrs["units"] == "s"
    norms = components.time.groupby("worm").map(lambda part: np.sqrt((part**2).sum("sample")))
    for worm in affinity.worms:
        assert np.allclose(norms.sel(worm=worm), components.worm.sel(worm=worm))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"storage": "streamed", "compression": "off"},
        {"storage": "sparse", "compression": "off"},
        {"compression": "on", "compressed_size": 16},
        {"memory_mb": 1.0, "storage": "streamed", "compression": "off"},
    ],
    ids=["default", "streamed", "sparse", "compressed", "tight memory"],
)
def test_same_seed_same_result_whatever_the_threads(planted, options):
    affinity, _ = planted("unaligned", worms=5, pairs=120, times=120, noise=0.2)
    one, two, many = (factorize(affinity, 3, starts=4, threads=n, **options) for n in (1, 2, 9))
    for other in (two, many):
        assert np.array_equal(one.pair.values, other.pair.values, equal_nan=True)
        assert np.array_equal(one.time.values, other.time.values)
        assert one.diagnostics["start_errors"] == other.diagnostics["start_errors"]
    other = factorize(affinity, 3, starts=4, seed=1, **options)
    assert not np.array_equal(one.pair.values, other.pair.values, equal_nan=True)


def test_threads_of_the_linear_algebra_do_not_matter(planted):
    from threadpoolctl import threadpool_limits

    affinity, _ = planted("aligned", worms=3, pairs=120, times=150)
    found = []
    for limit in (1, 4):
        with threadpool_limits(limits=limit, user_api="blas"):
            found.append(factorize(affinity, 3, starts=4, compression="on", compressed_size=16))
    assert np.array_equal(found[0].pair.values, found[1].pair.values, equal_nan=True)
