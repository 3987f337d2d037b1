"""How much a group of neurons is active together over whole recordings, beside surrogate cohorts: asked of the affinities themselves.

A component that holds what is left where others have taken their neurons out has strong pairs, too, those of everybody else. No surrogate has
such a component, as nobody moves together there. The affinities do not depend on what other components hold.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..communities.tail import student_p_value
from ..model.results import Components

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Together:
    """Mean affinity of every pair over all times and worms, in the data and in surrogate cohorts.

    Parameters
    ----------
    pairs : ndarray of int
        (pair, 2), neurons.
    data : ndarray of float
        (pair,), NaN where no worm observed it.
    chance : ndarray of float
        (surrogate, pair).
    """

    pairs: Array
    data: Array
    chance: Array
    _known: dict[frozenset[int], float] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, components: Components) -> Together | None:
        """What was noted when components were compared with chance; None if they were not, or by an earlier version."""
        known = components.diagnostics.get("chance", {})
        if known.get("together") is None or known.get("together_chance") is None:
            return None
        data = np.asarray(known["together"], float)
        index = {name: k for k, name in enumerate(components.neurons)}
        ends = [components.pair[name].values[: len(data)] for name in ("neuron_a", "neuron_b")]
        pairs = np.array([[index[str(n)] for n in end] for end in ends], int).T
        return cls(pairs, data, np.asarray(known["together_chance"], float))

    def noted(self, surrogates: Array) -> Mapping[str, Any]:
        """What `of` reads, with some of the surrogates (mask)."""
        return {"together": self.data.astype(np.float32), "together_chance": self.chance[surrogates].astype(np.float32)}

    def above_chance(self, count: int) -> Array:
        """Mean affinities less those of surrogates on average, (neuron, neuron); NaN on the diagonal and where not observed.

        `count` neurons or more, as many as the pairs have.
        """
        count = max(int(self.pairs.max(initial=-1)) + 1, count)
        matrix = np.full((count, count), np.nan)
        a, b = self.pairs.T
        matrix[a, b] = matrix[b, a] = self.data - self.chance.mean(axis=0)
        return matrix

    def excess(self, members: Collection[int]) -> tuple[float, Array]:
        """Mean affinity of a group's pairs less that of its members with others; data, and (surrogate,).

        Of a group without observed pairs, or without any to others, the part that is missing is zero.
        """
        count = max(int(self.pairs.max(initial=-1)) + 1, max(members, default=-1) + 1)
        member = np.zeros(count, int)
        member[list(members)] = 1
        ends = member[self.pairs].sum(axis=1)
        known = np.isfinite(self.data)
        both = np.vstack([self.data, self.chance])
        inside, across = (both[:, known & (ends == k)] for k in (2, 1))
        found = np.zeros(len(both))
        if inside.shape[1]:
            found += inside.mean(axis=1)
        if across.shape[1]:
            found -= across.mean(axis=1)
        return float(found[0]), found[1:]

    def p_value(self, members: Collection[int]) -> float:
        """P value of a group's excess; NaN without surrogates."""
        key = frozenset(int(m) for m in members)
        if key not in self._known:
            self._known[key] = student_p_value(*self.excess(key))
        return self._known[key]
