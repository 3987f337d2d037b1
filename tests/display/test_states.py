"""Colours of states: told apart from each other and from those of the first communities."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from napari_dynamic_connectome.display.palette import category, rgb, to_oklab
from napari_dynamic_connectome.display.states import state_color


def distance(one: str, other: str) -> float:
    return float(np.linalg.norm(to_oklab(rgb(one)) - to_oklab(rgb(other))))


@pytest.mark.parametrize("dark", [True, False])
def test_the_colours_of_eight_states_are_far_apart(dark: bool) -> None:
    shown = [state_color(k, dark) for k in range(1, 9)]
    assert min(distance(a, b) for a, b in combinations(shown, 2)) > 0.16
    assert min(distance(a, b) for a, b in combinations(shown[:4], 2)) > 0.25


@pytest.mark.parametrize("dark", [True, False])
def test_two_dozen_states_have_a_colour_of_their_own_that_no_early_community_has(dark: bool) -> None:
    shown = [state_color(k, dark) for k in range(1, 25)]
    assert len(set(shown)) == 24
    assert not set(shown) & {category(k, dark) for k in range(6)}
