"""Projection of worms that took no part in a fit, against scipy's NNLS on dense matrices."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import nnls

from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.factorization.project import nnls_columns, project_worm
from napari_dynamic_connectome.model.errors import Cancelled, InputError


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_every_column_is_scipys_solution(rank) -> None:
    rng = np.random.default_rng(rank)
    a, x = rng.random((40, rank)), rng.standard_normal((40, 300))
    found = nnls_columns(a.T @ a, a.T @ x)
    expected = np.stack([nnls(a, column)[0] for column in x.T], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert (found == 0).any() and (found >= 0).all()


def test_columns_that_say_nothing_and_twins_do_no_harm() -> None:
    rng = np.random.default_rng(0)
    a = rng.random((30, 4))
    a[:, 1] = 0
    a[:, 3] = a[:, 0]
    x = rng.random((30, 50))
    found = nnls_columns(a.T @ a, a.T @ x)
    rest = np.linalg.norm(x - a @ found, axis=0)
    best = [nnls(a[:, [0, 2]], column)[1] for column in x.T]
    np.testing.assert_allclose(rest, best, rtol=1e-9)
    assert (found[1] == 0).all()
    assert (nnls_columns(np.zeros((2, 2)), np.zeros((2, 3))) == 0).all()


@pytest.mark.parametrize("signs", [("any",), ("same", "opposite")])
def test_unaligned_courses_are_nnls_over_the_observed_pairs(planted, signs) -> None:
    affinity, _ = planted("unaligned", signs=signs, worms=5)
    known = factorize(affinity, 3, starts=2, worms=["worm 1", "worm 2", "worm 3", "worm 4"])
    found = project_worm(affinity, known, "worm 5", splits=0)
    block = affinity.blocks[4]
    pairs = len(affinity.pairs)
    slots = np.concatenate([np.asarray(block.rows) + s * pairs for s in range(len(signs))])
    a = known.pair.values[slots] * known.weight.values
    data = np.concatenate([block.values[s] for s in range(len(signs))]).astype(float)
    expected = np.stack([nnls(a, column)[0] for column in data.T])
    np.testing.assert_allclose(found.courses.values, expected * known.weight.values, atol=1e-6)
    assert found.error == pytest.approx(np.linalg.norm(data - a @ expected.T) / np.linalg.norm(data))
    assert found.n_pairs == len(slots) and np.isnan(found.cross_error)


def test_aligned_loadings_are_nnls_on_the_common_course(planted) -> None:
    affinity, _ = planted("aligned", worms=5)
    known = factorize(affinity, 3, starts=2, model="aligned", worms=["worm 1", "worm 2", "worm 3", "worm 4"])
    found = project_worm(affinity, known, "worm 5", splits=0)
    block = affinity.blocks[4]
    a, t = known.pair.values[block.rows] * known.weight.values, known.time.values
    design = np.stack([np.outer(a[:, r], t[:, r]).ravel() for r in range(3)], axis=1)
    expected, rest = nnls(design, block.values[0].astype(float).ravel())
    np.testing.assert_allclose(found.loading.values, expected, rtol=1e-6)
    # a worm that took part gets the loading that it has
    again = project_worm(affinity, known, "worm 2", splits=0)
    np.testing.assert_allclose(again.loading.values, known.worm.sel(worm="worm 2").values, rtol=0.02)
    assert found.error == pytest.approx(rest / np.linalg.norm(block.values), rel=1e-6)


def test_components_with_both_clocks_are_solved_together(planted) -> None:
    """One common course and free courses beside it, against scipy's NNLS of the whole design."""
    affinity, _ = planted("aligned", worms=4, pairs=15, times=20)
    known = factorize(affinity, 3, starts=2, model="aligned", worms=["worm 1", "worm 2", "worm 3"])
    own = xr.DataArray(
        np.ones((3, 20, 1)),
        dims=("worm", "time", "component"),
        coords={"worm": known.worm["worm"].values, "time": known.time["time"].values, "component": [2]},
    )
    mixed = replace(known, model="mixed", own_time=own)
    found = project_worm(affinity, mixed, "worm 4", splits=0)
    block = affinity.blocks[3]
    a, t = known.pair.values[block.rows] * known.weight.values, known.time.values
    columns = [np.outer(a[:, r], t[:, r]).ravel() for r in (0, 2)]
    for sample in range(20):
        column = np.zeros((len(a), 20))
        column[:, sample] = a[:, 1]
        columns.append(column.ravel())
    expected, rest = nnls(np.stack(columns, axis=1), block.values[0].astype(float).ravel())
    assert found.error == pytest.approx(rest / np.linalg.norm(block.values), rel=1e-6)
    weight = known.weight.values
    np.testing.assert_allclose(found.courses.values[:, 1], expected[2:] * weight[1], atol=1e-3)
    np.testing.assert_allclose(found.courses.values[:, 0], expected[0] * t[:, 0] * weight[0], atol=1e-3)


def test_error_on_other_neurons_is_that_of_brute_force(planted) -> None:
    affinity, _ = planted("unaligned", worms=4, seen=0.8)
    known = factorize(affinity, 3, starts=2, worms=["worm 1", "worm 2", "worm 3"])
    found = project_worm(affinity, known, "worm 4", splits=3, seed=5)
    block = affinity.blocks[3]
    pairs = affinity.pairs[block.rows]
    a, x = known.pair.values[block.rows] * known.weight.values, block.values[0].astype(float)

    def brute(use):
        rng, rest, norm = np.random.default_rng([5, 7]), 0.0, 0.0
        neurons = np.unique(pairs)
        for _ in range(3):
            first = np.isin(pairs, rng.permutation(neurons)[: len(neurons) // 2])
            one, two = first.all(axis=1), (~first).all(axis=1)
            for fitted, judged in ((one, two), (two, one)):
                course = np.stack([nnls(a[fitted][:, use], c)[0] for c in x[fitted].T], axis=1)
                rest += np.linalg.norm(x[judged] - a[judged][:, use] @ course) ** 2
                norm += np.linalg.norm(x[judged]) ** 2
        return np.sqrt(rest / norm)

    assert found.cross_error == pytest.approx(brute([0, 1, 2]), rel=1e-6)
    np.testing.assert_allclose(found.cross_without.values, [brute([1, 2]), brute([0, 2]), brute([0, 1])], rtol=1e-6)
    # planted components foretell neurons that were not looked at
    assert (found.cross_without > found.cross_error).all()


def test_bad_input_is_said_in_words(planted) -> None:
    affinity, _ = planted("aligned", worms=3)
    known = factorize(affinity, 2, starts=1, worms=["worm 1", "worm 2"])
    with pytest.raises(InputError, match="no worm 'worm 9'"):
        project_worm(affinity, known, "worm 9")
    other, _ = planted("aligned", worms=3, times=50)
    with pytest.raises(InputError, match="not on the clock"):
        project_worm(other, known, "worm 3")
    with pytest.raises(Cancelled):
        project_worm(affinity, known, "worm 3", cancel=lambda: True)
