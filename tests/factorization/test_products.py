"""Products in pieces beside NumPy's in float64, and buffers that are used again."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import threadpoolctl

from napari_dynamic_connectome.factorization import products
from napari_dynamic_connectome.factorization.products import (
    MOST_ROWS,
    add_left_product,
    right_product,
    takes_small_products,
)
from napari_dynamic_connectome.factorization.scratch import Scratch


@pytest.fixture(params=[True, False], ids=["small products", "as usual"])
def pieces(request, monkeypatch):
    monkeypatch.setattr(products, "takes_small_products", lambda: request.param)
    return request.param


@pytest.mark.parametrize("columns", [1, 3, 40, 130])
@pytest.mark.parametrize("shape", [(0, 5), (1, 1), (130, 64), (5000, 64), (700, 960), (300, 20_000), (4100, 192)])
def test_products_are_those_of_numpy(pieces, columns, shape):
    rng = np.random.default_rng(0)
    values = rng.random(shape, np.float32)
    rows, times = rng.random((columns, shape[0]), np.float32), rng.random((columns, shape[1]), np.float32)
    looks = []
    left, right = np.zeros((columns, shape[1])), right_product(values, times, lambda: None)
    add_left_product(rows, values, lambda: looks.append(1), left)
    np.testing.assert_allclose(left, rows.astype(float) @ values, rtol=2e-6)
    np.testing.assert_allclose(right, values.astype(float) @ times.T, rtol=2e-5)
    assert bool(looks) == (shape[0] > 0)
    pieces_of_rows = np.zeros_like(left)
    for r0 in range(0, shape[0], MOST_ROWS):
        some = slice(r0, r0 + MOST_ROWS)
        add_left_product(np.ascontiguousarray(rows[:, some]), values[some], lambda: None, pieces_of_rows)
    np.testing.assert_allclose(pieces_of_rows, left, rtol=2e-6)
    room = np.full((shape[0], columns), np.nan, np.float32)
    assert right_product(values, times, lambda: None, room) is room
    assert np.array_equal(room, right)


def test_a_product_ends_when_it_is_told_to(pieces):
    def stop():
        raise KeyError

    values = np.ones((10, 4), np.float32)
    with pytest.raises(KeyError):
        add_left_product(np.ones((2, 10), np.float32), values, stop, np.zeros((2, 4)))
    with pytest.raises(KeyError):
        right_product(values, np.ones((2, 4), np.float32), stop)


@pytest.mark.parametrize(
    ("found", "small"),
    [
        ([{"internal_api": "openblas", "architecture": "SkylakeX"}], True),
        ([{"internal_api": "openmp"}, {"internal_api": "openblas", "architecture": "Haswell"}], False),
        ([{"internal_api": "mkl", "architecture": "SkylakeX"}], False),
        ([], False),
    ],
)
def test_small_products_only_where_the_blas_has_kernels_for_them(monkeypatch, found, small):
    monkeypatch.setattr(threadpoolctl, "threadpool_info", lambda: found)
    takes_small_products.cache_clear()
    try:
        assert takes_small_products() is small
    finally:
        takes_small_products.cache_clear()


def test_buffers_are_used_again_and_never_twice_at_a_time():
    scratch = Scratch()
    first = scratch.take((100, 7), np.float32)
    second = scratch.take((100, 7), np.float32)
    assert not np.shares_memory(first, second)
    scratch.give(first)
    scratch.give(np.ones((100, 7), np.float32))  # not from here: left alone
    again = scratch.take((70, 5))
    assert np.shares_memory(again, first)
    assert again.shape == (70, 5)
    assert again.dtype == np.float64
    scratch.give(again[3:, ::2])  # a view is as good as the array itself
    assert np.shares_memory(scratch.take((2800,), np.uint8), first)
    scratch.give(second)
    assert not np.shares_memory(scratch.take((10,)), second)  # far too large for it


def test_buffers_of_threads_do_not_mix():
    scratch, wrong = Scratch(), []

    def work(number):
        for _ in range(300):
            mine = scratch.take((50, 50))
            mine[:] = number
            if not (mine == number).all():
                wrong.append(number)
            scratch.give(mine)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not wrong
    assert len(scratch._free) <= 4
