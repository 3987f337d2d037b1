import itertools
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from napari_dynamic_connectome.display.palette import (
    DARK,
    LIGHT,
    NEAR,
    hex_color,
    hue_level,
    hue_numbers,
    letters,
    near_colours,
    rgb,
    shades,
    styles,
    to_oklab,
)
from napari_dynamic_connectome.model.results import Communities

# Machado et al. 2009, severity 1: what two kinds of colour-blind readers see (linear RGB).
VIEWS = {
    "normal": np.eye(3),
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}


def seen(colours: tuple[str, ...], view: str) -> np.ndarray:
    values = np.array([rgb(c) for c in colours])
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(VIEWS[view]).T, 0, 1)
    return to_oklab(np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055))


def least_distance(colours: tuple[str, ...], view: str) -> float:
    lab = seen(colours, view)
    gap = np.linalg.norm(lab[:, None] - lab[None], axis=2)
    return float(gap[np.triu_indices(len(lab), 1)].min())


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("dark", [True, False])
def test_thirty_colours_stay_apart_for_colour_blind_readers(view: str, dark: bool) -> None:
    table = DARK if dark else LIGHT
    assert len(set(table)) == 30
    # About 0.02 is the smallest OKLab difference that is seen side by side.
    assert least_distance(table, view) > 0.03


def test_shades_have_one_hue_and_fall_in_lightness() -> None:
    for colour in DARK[:12]:
        lab = np.array([to_oklab(rgb(c)) for c in shades(colour, 3)])
        assert (np.diff(lab[:, 0]) < -0.05).all()
        own = to_oklab(rgb(colour))
        for one in lab:
            if np.hypot(*one[1:]) > 0.03:
                turn = np.angle(complex(*one[1:]) / complex(*own[1:]))
                assert abs(turn) < 0.2


def test_hex_and_back() -> None:
    assert hex_color(rgb("#56b4e9")) == "#56b4e9"


def test_letters_go_on_after_z() -> None:
    assert [letters(i) for i in (0, 25, 26)] == ["a", "z", "aa"]


@pytest.fixture
def nested() -> Communities:
    labels = np.array([[0, 0, 1, 1, 2, 2, 3, -1], [0, 0, 0, 0, 1, 1, 1, -1]])
    names = np.array(list("abcdefgh"), dtype=object)
    array = xr.DataArray(labels, dims=("level", "neuron"), coords={"neuron": names})
    return Communities(labels=array, chosen_level=0, probability=array.astype(float) * 0 + 1)


def test_one_community_has_one_colour_in_all_components(nested: Communities) -> None:
    turned = (nested.labels + 1) % 2  # the same two groups at the coarse level, under each other's number
    fine = nested.labels.isel(level=0).copy(data=np.array([2, 2, 3, 3, 0, 0, 1, -1]))
    labels = turned.where(nested.labels >= 0, -1)
    labels[0] = fine
    other = replace(nested, labels=labels)
    every = {(1, "modules"): nested, (2, "modules"): other, (2, "core"): nested}
    for level in (0, 1):
        looks = [styles(one, level, numbers=hue_numbers(every, one)) for one in (nested, other)]
        for neuron in range(7):
            first, second = (look[int(one.labels[level, neuron])] for one, look in zip((nested, other), looks))
            assert first == second
    assert styles(other, 1)[1] != styles(other, 1, numbers=hue_numbers(every, other))[1]
    assert hue_numbers({}, nested) is None


def test_groups_of_communities_are_named_by_their_numbers(nested: Communities) -> None:
    top = xr.concat([nested.labels, nested.labels[1:2] * 0], "level")
    found = styles(replace(nested, labels=top), 2, numbers={0: 4, 1: 1})
    assert found[0].label == "2+5"


def test_children_are_shades_of_their_parent(nested: Communities) -> None:
    assert hue_level(nested) == 1
    coarse, fine = styles(nested, 1), styles(nested, 0)
    assert [coarse[c].label for c in (0, 1)] == ["1", "2"]
    assert [fine[c].label for c in range(4)] == ["1a", "1b", "2a", "2b"]
    assert len({s.color for s in fine.values()}) == 4
    assert fine[0].color == shades(coarse[0].color, 2)[0]


def test_close_colours_are_known_and_none_of_the_first_eight():
    close = near_colours()
    assert all(a < b and b >= 8 for a, b in close)
    for a, b in itertools.combinations(range(len(DARK)), 2):
        gaps = [np.linalg.norm(to_oklab(rgb(one[a])) - to_oklab(rgb(one[b]))) for one in (DARK, LIGHT)]
        assert ((a, b) in close) == (min(gaps) < NEAR)
    # whatever a component has, most of the palette is left to it
    for own in itertools.combinations(range(8), 4):
        assert sum(not any((o, k) in close for o in own) for k in range(8, 30)) >= 10
