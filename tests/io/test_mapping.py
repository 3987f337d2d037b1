"""Boxes of few voxels against counting them, and maps of a part of a file."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_dynamic_connectome.io.mapping import FEW, is_sparse, own_map

SLICES = [
    slice(None),
    slice(1, 2),
    slice(0, 3),
    slice(None, None, 2),
    slice(3, 1),
    slice(-2, None),
    slice(None, None, -1),
]


@pytest.mark.parametrize("shape", [(6,), (4, 5), (3, 4, 5), (2, 9, 1, 8)])
def test_a_box_is_sparse_where_it_holds_a_quarter_or_less_of_what_lies_between_its_ends(shape: tuple[int, ...]) -> None:
    numbers = np.arange(np.prod(shape)).reshape(shape)
    said = set()
    for box in itertools.product(SLICES, repeat=len(shape)):
        inside = numbers[box].ravel()
        forward = all(s.step != -1 for s in box)
        if len(inside) and forward:
            sparse = bool(len(inside) <= FEW * (inside.max() - inside.min() + 1))
            assert is_sparse(shape, box) is sparse
            said.add(sparse)
        elif not len(inside):
            assert is_sparse(shape, box) is False
    assert said == ({False} if len(shape) == 1 else {True, False})


@pytest.mark.parametrize(
    "box", [slice(0, 1), (slice(0, 1),), (slice(0, 1), 3), (slice(0, 1), ...), None, ([1], slice(0, 1))]
)
def test_what_is_no_box_is_not_sparse(box: object) -> None:
    assert is_sparse((100, 100), box) is False
    assert is_sparse((100, 100), (slice(0, 100, 99), slice(0, 1))) is True


def test_a_second_map_is_of_the_same_part_of_the_file_and_only_read(tmp_path) -> None:
    np.arange(60, dtype=">i2").tofile(tmp_path / "a")
    first = np.memmap(tmp_path / "a", dtype=">i2", mode="r+", offset=20, shape=(5, 10))
    second = own_map(first)
    assert (second.dtype, second.shape, second.offset) == (first.dtype, first.shape, 20)
    np.testing.assert_array_equal(second, np.arange(10, 60).reshape(5, 10))
    assert not second.flags.writeable
