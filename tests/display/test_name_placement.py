"""Names beside neurons: inside the canvas, one for each."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.display.name_placement import place_names


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10_000))
def test_names_stay_inside_and_every_pair_or_neuron_is_named_once(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.random((count, 2)) * [500, 300] + 100
    names = [f"N{i}X" for i in range(count)]
    placed = place_names(points, names, points, size=(800, 500))
    assert sorted(p.text for p in placed) == sorted(names)
    assert all(0 <= p.x <= 800 and 0 <= p.y <= 500 for p in placed)


def test_a_close_pair_shares_one_name() -> None:
    placed = place_names(np.array([[100.0, 100.0], [110.0, 100.0]]), ["AVAL", "AVAR"], np.zeros((0, 2)))
    assert [p.text for p in placed] == ["AVAL/R"]
