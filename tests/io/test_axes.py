"""Axes in any order."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.io.axes import OrderedArray


@given(st.permutations("tczyx"), st.integers(2, 5), st.data())
@settings(max_examples=80, deadline=None)
def test_reordered_array_equals_numpy(order, n_axes, draw) -> None:
    axes = [a for a in order if a in "yx" or a in "tcz"[: n_axes - 2]]
    stored = np.random.default_rng(0).integers(0, 99, [2 + "tczyx".index(a) for a in axes])
    fixed = {"c": 1} if "c" in axes else {}
    seen = OrderedArray(stored, "".join(axes), "tzyx", fixed)
    kept = [a for a in axes if a != "c"]
    picked = stored[tuple(1 if a == "c" else slice(None) for a in axes)]
    plain = picked.transpose([kept.index(a) for a in "tzyx" if a in kept])
    plain = plain[tuple(slice(None) if a in kept else None for a in "tzyx")]
    assert seen.shape == plain.shape
    box = tuple(
        draw.draw(st.one_of(st.integers(-n, n - 1), st.builds(slice, st.integers(0, n), st.integers(0, n))))
        for n in plain.shape
    )
    np.testing.assert_array_equal(seen[box], plain[box])
    np.testing.assert_array_equal(seen[..., box[-1]], plain[..., box[-1]])
