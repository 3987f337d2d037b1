"""Ranked names of another program, given to the neurons of a worm, and names for those that are sure enough, each once.

In: what `io.formats.candidates.read_candidates` returns. Out: suggestions as the atlas makes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..model.errors import InputError
from ..model.recording import Recording
from .atlas import Suggestion


def candidates_for(recording: Recording, found: Mapping[str, Sequence[Suggestion]]) -> dict[str, list[Suggestion]]:
    """Return the suggestions for the neurons of a worm, by their ids.

    Parameters
    ----------
    recording : Recording
    found : mapping
        As `read_candidates` returns it: by label, or by id.

    Returns
    -------
    dict
        Neuron id -> suggestions. Names that other neurons have already are left out, as are rejected neurons.

    Raises
    ------
    InputError
        No neuron of this worm is in the table.
    """
    table = recording.neurons
    by_label = {str(int(label)): str(neuron) for neuron, label in zip(table.index, table["label"], strict=True)}
    ids = {key: by_label.get(key.lstrip("#"), key if key in table.index else "") for key in found}
    known = {ids[key]: list(one) for key, one in found.items() if ids[key]}
    if not known:
        listed = ", ".join(list(found)[:4])
        raise InputError(
            f"none of the {len(found)} neurons of the table ({listed}, ...) is in this worm",
            where=f"recording '{recording.name}'",
            fix="The first column holds the labels of its segmentation, or the ids of its traces.",
        )
    holders = {str(n): str(i) for i, n in zip(table.index, table["name"], strict=True) if n}
    rejected = set(map(str, table.index[table["rejected"].astype(bool)]))
    return {
        neuron: [s for s in one if holders.get(s.name, neuron) == neuron]
        for neuron, one in known.items()
        if neuron not in rejected
    }


def assign_names(suggestions: Mapping[str, Sequence[Suggestion]], *, least: float = 0.5) -> dict[str, Suggestion]:
    """Choose one name for every neuron, each name once, so that the product of the probabilities is largest.

    Parameters
    ----------
    suggestions : mapping
        Neuron id -> suggestions.
    least : float
        Names that are less probable are not given.

    Returns
    -------
    dict
        Neuron id -> its name and probability.
    """
    from scipy.optimize import linear_sum_assignment

    neurons = [n for n, one in suggestions.items() if one]
    names = sorted({s.name for n in neurons for s in suggestions[n]})
    if not neurons:
        return {}
    column = {n: j for j, n in enumerate(names)}
    chance = np.zeros((len(neurons), len(names) + len(neurons)))
    chance[:, len(names) :] = 1e-6  # no name at all
    for i, neuron in enumerate(neurons):
        for one in suggestions[neuron]:
            chance[i, column[one.name]] = one.probability
    rows, columns = linear_sum_assignment(-np.log(np.clip(chance, 1e-9, 1.0)))
    return {
        neurons[i]: Suggestion(names[j], float(chance[i, j]))
        for i, j in zip(rows, columns, strict=True)
        if j < len(names) and chance[i, j] >= least
    }
