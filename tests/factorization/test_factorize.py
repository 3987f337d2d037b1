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


def test_same_seed_same_result_whatever_the_threads(planted):
    affinity, _ = planted("unaligned", worms=5)
    one, two = (factorize(affinity, 3, starts=4, threads=n) for n in (1, 3))
    assert np.array_equal(one.pair.values, two.pair.values)
    assert np.array_equal(one.time.values, two.time.values)
    other = factorize(affinity, 3, starts=4, seed=1)
    assert not np.array_equal(one.pair.values, other.pair.values)
