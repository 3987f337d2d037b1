"""Match of the components of two fits, and how alike they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from ..model.errors import InputError
from ..model.results import Components
from ..model.summary import Summary

Array = np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class ComponentMatch(Summary):
    """A one-to-one matching of the components of two fits.

    Parameters
    ----------
    table : pandas.DataFrame
        component_a, component_b, similarity (product of the cosines), pair, time, worm (cosines; NaN where not comparable).
    score : float
        Factor match score: mean similarity over the components of the smaller fit.
    modes : tuple of str
        Factors that could be compared.
    n_pairs : int
        Neuron pairs that both fits observed.
    """

    table: pd.DataFrame
    score: float
    modes: tuple[str, ...]
    n_pairs: int

    def renumber(self) -> dict[int, int]:
        """Component of the second fit -> its partner in the first."""
        return {int(b): int(a) for a, b in zip(self.table["component_a"], self.table["component_b"], strict=True)}


def cosines(a: Array, b: Array) -> Array:
    """Cosine of every row of `a` (component, entry) with every row of `b`; 0 with an all-zero row."""
    norms = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)[None, :]
    return np.asarray(np.where(norms > 0, (a @ b.T) / np.where(norms > 0, norms, 1.0), 0.0))


def factor_match(first: list[Array], second: list[Array]) -> tuple[float, Array, Array]:
    """Factor match score of two lists of factors (component, entry), without a penalty for weights.

    The similarity of two components is the product of their cosines over the modes; the assignment that maximises the sum is
    Hungarian (Acar et al. 2011; the convention of tensortools and TLViz). TensorLy's congruence coefficient is the same number,
    but refuses components that are all zero and fits of different rank.

    Returns
    -------
    score : float
    rows, columns : int arrays
        Matched components.
    """
    product = np.ones((len(first[0]), len(second[0])))
    for a, b in zip(first, second, strict=True):
        product = product * cosines(a, b)
    rows, columns = linear_sum_assignment(-product)
    return float(product[rows, columns].mean()), rows, columns


def match_components(a: Components, b: Components, *, modes: tuple[str, ...] | None = None) -> ComponentMatch:
    """Match the components of two fits by everything that both describe.

    Pair factors are compared over the pairs that both observed, found by neuron names and sign; time factors where both have
    the same time axis (and worms); worm factors where at least two worms are in both.

    Parameters
    ----------
    a, b : Components
    modes : tuple of {"pair", "time", "worm"}, optional
        Compare only these.

    Raises
    ------
    InputError
        No pair in common, or a mode that cannot be compared.
    """
    factors: dict[str, tuple[Array, Array]] = {}
    pair = _common_pairs(a, b)
    if pair is None:
        raise InputError(
            "the two fits have no pair of neurons in common", where="components", fix="Compare other fits."
        )
    factors["pair"] = pair
    time = _common_times(a, b)
    if time is not None:
        factors["time"] = time
    both = [w for w in a.worm["worm"].values if w in set(b.worm["worm"].values)]
    if a.model == b.model == "aligned" and len(both) > 1:
        factors["worm"] = (a.worm.sel(worm=both).values.T, b.worm.sel(worm=both).values.T)
    missing = [m for m in modes or () if m not in factors]
    if missing:
        raise InputError(f"the {missing[0]} factors of the two fits cannot be compared", where="components")
    used = tuple(modes or factors)
    score, rows, columns = factor_match([factors[m][0] for m in used], [factors[m][1] for m in used])
    table = pd.DataFrame(
        {"component_a": a.weight["component"].values[rows], "component_b": b.weight["component"].values[columns]}
    )
    similarity = np.ones(len(rows))
    for mode in ("pair", "time", "worm"):
        values = cosines(*factors[mode])[rows, columns] if mode in factors else np.full(len(rows), np.nan)
        table[mode] = values
        if mode in used:
            similarity = similarity * values
    table.insert(2, "similarity", similarity)
    return ComponentMatch(table, score, used, factors["pair"][0].shape[1])


def pair_keys(components: Components) -> list[tuple[str, str, str]]:
    """Return (neuron, neuron, sign) of every row of the pair factor, the two names sorted."""
    pair = components.pair
    keys = []
    for a, b, sign in zip(pair["neuron_a"].values, pair["neuron_b"].values, pair["sign"].values, strict=True):
        first, second = sorted((str(a), str(b)))
        keys.append((first, second, str(sign)))
    return keys


def _common_pairs(a: Components, b: Components) -> tuple[Array, Array] | None:
    seen_a, seen_b = (np.isfinite(c.pair.values).all(axis=1) for c in (a, b))
    index = {key: i for i, key in enumerate(pair_keys(b)) if seen_b[i]}
    found = [(i, index[key]) for i, key in enumerate(pair_keys(a)) if seen_a[i] and key in index]
    if not found:
        return None
    left, right = np.array(found).T
    return a.pair.values[left].T, b.pair.values[right].T


def _common_times(a: Components, b: Components) -> tuple[Array, Array] | None:
    if a.has_common_clock != b.has_common_clock or a.time.shape[0] != b.time.shape[0]:
        return None
    if not np.allclose(a.time["time"].values, b.time["time"].values):
        return None
    if a.model == "unaligned" and list(a.time["worm"].values) != list(b.time["worm"].values):
        return None
    first, second = a.time.values, b.time.values
    if "mixed" in (a.model, b.model):
        # worm by worm, so that a common course can be compared with the worms' own
        both = [str(w) for w in a.worm["worm"].values if w in set(b.worm["worm"].values)]
        if not both:
            return None
        first, second = (_worm_by_worm(c, both) for c in (a, b))
    seen = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    return first[seen].T, second[seen].T


def _worm_by_worm(components: Components, worms: list[str]) -> Array:
    """Courses in some worms, one worm after the other: (worm x time, component)."""
    numbers = [int(c) for c in components.weight["component"].values]
    courses = [np.concatenate([components.time_course(c, w).values for w in worms]) for c in numbers]
    return np.stack(courses, axis=1)
