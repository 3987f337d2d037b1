"""Palette of communities: categorical, safe for colour-blind readers, with shades for the children of a community.

The first six colours are those of Okabe & Ito; the others were found by greedily maximising the least perceptual distance
(OKLab; Ottosson 2020) over normal sight and simulated deuteranopia, protanopia and tritanopia (Machado, Oliveira & Fernandes,
IEEE TVCG 15, 1291-1298, 2009), away from the grey of unassigned neurons. Hue belongs to communities: nothing else is coloured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..communities.levels import shared_numbers
from ..model.results import Communities, CommunityKind

DARK: tuple[str, ...] = tuple(
    f"#{c}"
    for c in [
        "56b4e9",
        "e69f00",
        "cc79a7",
        "009e73",
        "f0e442",
        "d55e00",
        "5a56fa",
        "a9bd7d",
        "916bba",
        "35797a",
        "91d6c4",
        "587642",
        "8400a8",
        "b4fcc0",
        "480ce4",
        "78fcfc",
        "c0d884",
        "3c6048",
        "8490fc",
        "6c4884",
        "9c2400",
        "f0c000",
        "9c3cc0",
        "cc9ca8",
        "7878e4",
        "c03c0c",
        "e4783c",
        "9ca878",
        "c04890",
        "3ccce4",
    ]
)
"""Thirty colours for dark backgrounds."""
NEAR = 0.09
"""Distance in OKLab below which two colours are not both given to communities of one component, if others are free."""

LIGHT: tuple[str, ...] = tuple(
    f"#{c}"
    for c in [
        "3397cb",
        "c48200",
        "b0618e",
        "00875e",
        "c6ba14",
        "b94900",
        "4d40ea",
        "8b9e61",
        "7c57a5",
        "206869",
        "6eb3a2",
        "486433",
        "6b0388",
        "8ad197",
        "390cb9",
        "47d1d2",
        "9bb25f",
        "2b4e37",
        "6872db",
        "593670",
        "7e1c02",
        "c49d0a",
        "841fa7",
        "ab7d88",
        "605dc6",
        "9c300a",
        "c35a17",
        "7e8a5b",
        "a42d77",
        "08a8be",
    ]
)
"""The same hues for light backgrounds, darker by one factor."""

UNASSIGNED = {True: "#8a8f98", False: "#a4a3a2"}
"""Grey of neurons without a community, by dark theme."""

_TO_LMS = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_FROM_LMS = np.linalg.inv(_TO_LMS)
_FROM_LAB = np.linalg.inv(_TO_LAB)


def rgb(color: str) -> np.ndarray:
    """Return "#rrggbb" as three floats from 0 to 1."""
    text = color.lstrip("#")
    return np.array([int(text[i : i + 2], 16) for i in (0, 2, 4)]) / 255.0


def painted_by(numbers: np.ndarray, styles: Mapping[int, Style], other: np.ndarray) -> np.ndarray:
    """Colours (number, 3) of communities by their numbers; what has no style gets the colour `other`."""
    present, place = np.unique(np.asarray(numbers), return_inverse=True)
    table = [rgb(styles[n].color) if n in styles else other for n in present.tolist()]
    return np.array(table, float).reshape(-1, 3)[place]


def hex_color(color: np.ndarray) -> str:
    """Return three floats as "#rrggbb"."""
    values = np.clip(np.round(np.asarray(color, float)[:3] * 255), 0, 255).astype(int)
    return "#" + "".join(f"{v:02x}" for v in values)


def to_oklab(color: np.ndarray) -> np.ndarray:
    """Return sRGB (..., 3) as OKLab (..., 3)."""
    color = np.asarray(color, float)
    linear = np.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055) ** 2.4)
    return np.asarray(np.cbrt(np.clip(linear @ _TO_LMS.T, 0, None)) @ _TO_LAB.T)


def from_oklab(lab: np.ndarray) -> np.ndarray:
    """Return OKLab (..., 3) as sRGB (..., 3); chroma is reduced until the colour can be shown."""
    lab = np.asarray(lab, float)
    linear = lab
    for scale in np.linspace(1, 0, 26):
        linear = ((lab * [1, scale, scale]) @ _FROM_LAB.T) ** 3 @ _FROM_LMS.T
        if linear.min() > -0.002 and linear.max() < 1.002:
            break
    linear = np.clip(linear, 0, 1)
    return np.asarray(np.clip(np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055), 0, 1))


def mix(first: np.ndarray, second: np.ndarray, share: float | np.ndarray) -> np.ndarray:
    """Mix two colours (sRGB): 0 gives the first, 1 the second."""
    weight = np.asarray(share, float)[..., None]
    return np.asarray(np.asarray(first, float) * (1 - weight) + np.asarray(second, float) * weight)


def category(index: int, dark: bool = True) -> str:
    """Return the colour of community `index` (from 0); after thirty the palette begins again."""
    table = DARK if dark else LIGHT
    return table[index % len(table)]


@lru_cache(maxsize=4096)
def shades(color: str, count: int) -> tuple[str, ...]:
    """Return `count` shades of one hue, light to dark; one shade is the colour itself."""
    if count <= 1:
        return (color,)
    steps = {2: (0.09, -0.13), 3: (0.15, 0.0, -0.16)}.get(count, tuple(np.linspace(0.17, -0.18, count)))
    lab = to_oklab(rgb(color))
    # Light and dark colours have no room on one side: slide the ladder so that its steps keep their size.
    room_up, room_down = 0.97 - lab[0], lab[0] - 0.25
    slide = min(0.0, room_up - max(steps)) + max(0.0, -min(steps) - room_down)
    return tuple(hex_color(from_oklab(np.array([np.clip(lab[0] + s + slide, 0.2, 0.98), *lab[1:]]))) for s in steps)


@dataclass(frozen=True)
class Style:
    """How one community is shown: its short name ("2a") and its colour."""

    label: str
    color: str


def hue_level(communities: Communities, most: int = 3) -> int:
    """Level whose communities get a hue each: the coarsest of which no community has more than `most` children at the chosen level.

    Finer levels are shades of these hues; coarser levels take the hue of their first child.
    """
    chosen = communities.chosen_level
    fine = communities.labels.isel(level=chosen).values
    for level in range(communities.n_levels - 1, chosen, -1):
        coarse = communities.labels.isel(level=level).values
        groups = np.unique(coarse[coarse >= 0])
        if len(groups) > 1 and max(len(np.unique(fine[(coarse == g) & (fine >= 0)])) for g in groups) <= most:
            return level
    return chosen


@lru_cache(maxsize=1)
def near_colours() -> frozenset[tuple[int, int]]:
    """Pairs of categories (from 0) whose colours are closer than `NEAR` in one of the two palettes."""
    found: set[tuple[int, int]] = set()
    for palette in (DARK, LIGHT):
        lab = np.array([to_oklab(rgb(color)) for color in palette])
        gap = np.linalg.norm(lab[:, None] - lab[None], axis=2)
        found |= {(int(a), int(b)) for a, b in np.argwhere(gap < NEAR) if a < b}
    return frozenset(found)


def hue_numbers(
    every: Mapping[tuple[int, CommunityKind], Communities], communities: Communities | None
) -> dict[int, int] | None:
    """Return the numbers (from 0) of the communities of the hue level, the same in every component for the same neurons.

    Components are taken in order, each kind by itself; None if `communities` is not among them.
    """
    numbered = _numbered(tuple(sorted(every.items(), key=lambda item: item[0])))
    return next((numbers for one, numbers in numbered if one is communities), None)


@lru_cache(maxsize=2)
def _numbered(
    every: tuple[tuple[tuple[int, CommunityKind], Communities], ...],
) -> list[tuple[Communities, dict[int, int]]]:
    result: list[tuple[Communities, dict[int, int]]] = []
    for kind in dict.fromkeys(kind for (_, kind), _ in every):
        mine = [one for (_, own), one in every if own == kind]
        rows = [(one.neurons, one.labels.isel(level=hue_level(one)).values) for one in mine]
        result += zip(mine, shared_numbers(rows, len(DARK), near_colours()), strict=True)
    return result


def _spans(numbers: Iterable[int]) -> str:
    """Numbers in words: 1, 2, 3 and 6 are "1–3+6"."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return "+".join(str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs)


def styles(
    communities: Communities, level: int, dark: bool = True, numbers: Mapping[int, int] | None = None
) -> dict[int, Style]:
    """Return the name and colour of every community at a level.

    Communities of the hue level are 1, 2, 3 ...; their children 1a, 1b ...; groups of them 1-3, 4 ... `numbers` (see
    `hue_numbers`) makes the names and colours of several components agree.
    """
    hue = hue_level(communities)
    top = communities.labels.isel(level=hue).values
    here = communities.labels.isel(level=level).values
    order = {int(c): i for i, c in enumerate(np.unique(top[top >= 0]))} if numbers is None else dict(numbers)
    spare = max(order.values(), default=-1) + 1
    groups = [int(c) for c in np.unique(here[here >= 0])]
    result: dict[int, Style] = {}
    if level >= hue:
        for group in groups:
            inside = np.unique(top[(here == group) & (top >= 0)])
            own = [order[int(c)] for c in inside] or [spare]
            result[group] = Style(_spans(k + 1 for k in own), category(min(own), dark))
        return result
    children: dict[int, list[int]] = {}
    for group in groups:
        inside = top[(here == group) & (top >= 0)]
        parent = int(np.bincount(inside).argmax()) if len(inside) else -1
        children.setdefault(parent, []).append(group)
    for parent, members in children.items():
        number = order.get(parent, spare)
        ramp = shades(category(number, dark), len(members))
        for place, group in enumerate(members):
            label = str(number + 1) if len(members) == 1 else f"{number + 1}{letters(place)}"
            result[group] = Style(label, ramp[place])
    return result


def letters(place: int) -> str:
    """Return a, b, ... z, aa, ab ..."""
    text = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        text = chr(ord("a") + rest) + text
    return text
