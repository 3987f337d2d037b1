"""Graph file of one component, for networkx, Gephi, Cytoscape and igraph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..io.files import atomic_file
from ..io.ownership import our_file
from ..model.errors import InputError
from ..model.neurons import info
from ..model.recording import Recording
from ..model.results import Communities, Components
from ..model.text import clean_text
from ..session.freshness import freshness
from ..session.session import Session
from .data_dictionary import plain_neuron


def write_graphml(
    path: str | Path,
    components: Components,
    component: int,
    communities: Communities | Mapping[str, Communities] | None = None,
    level: int | None = None,
    *,
    recording: Recording | None = None,
    older: str = "",
    overwrite: bool = False,
) -> Path:
    """Write the pairs of a component with weight as GraphML, with all that is known about each neuron.

    Parameters
    ----------
    path : path
    components : Components
    component : int
    communities : Communities or mapping of kind to Communities, optional
        Every kind and level is written; the first one's are also called `community`, `probability` and `state`.
    level : int, optional
        Of these; the chosen level by default.
    recording : Recording, optional
        Positions are those of this worm.
    older : str
        What the components are older than, in words; it becomes an attribute of the graph.
    overwrite : bool
        A file that this program did not write, or that was changed since, may be replaced; it is refused otherwise.

    Notes
    -----
    Attributes of nodes: `label` (what programs show), `name` ("" for unnamed neurons), `class`, `side`, `ganglion`, `strength`,
    `worms` (that show the neuron), `x_um`, `y_um`, `z_um` and `segment` (number in the labels of `recording`), and for every kind
    and level `<kind>_<level>` (community, -1 for none), `<kind>_<level>_probability`, `<kind>_<level>_state` (member, overlapping,
    unsure, background, not observed). Of edges: `weight`, `worms`, and `weight_same`, `weight_opposite` for signed affinities. What
    is not known is left out.
    """
    import networkx as nx

    kinds: dict[str, Communities]
    kinds = {communities.kind: communities} if isinstance(communities, Communities) else dict(communities or {})
    ids = _ids(components.neurons)
    graph = nx.Graph(
        component=int(component), weight=float(components.weight.sel(component=component)), model=components.model
    )
    if older:
        graph.graph["not_up_to_date"] = clean_text(older)
    made = {"components": components.provenance} | {kind: found.provenance for kind, found in kinds.items()}
    graph.graph["provenance"] = clean_text(json.dumps(made, default=str))
    for kind, found in kinds.items():
        graph.graph[f"{kind}_levels"] = int(found.n_levels)
        graph.graph[f"{kind}_chosen_level"] = int(found.chosen_level)
    leading = components.leading(component)
    belongs = _memberships(kinds, level)
    places = _places(recording)
    for neuron, node in ids.items():
        known: dict[str, Any] = {"label": node} | _identity(neuron)
        if neuron in leading.index:
            known |= {
                "strength": float(leading.loc[neuron, "strength"]),
                "worms": int(leading.loc[neuron, "worms"]),
            }
        known |= places.get(neuron, {}) | belongs.get(neuron, {})
        graph.add_node(node, **known)
    matrices = {"weight": components.matrix(component).values}
    if len(components.signs) > 1:
        matrices |= {f"weight_{s}": components.matrix(component, s).values for s in components.signs}
    names = list(ids.values())
    shown = _worms_of_pairs(components)
    for i, j in zip(*np.nonzero(np.triu(np.nan_to_num(matrices["weight"]), 1)), strict=True):
        values = {key: float(matrix[i, j]) for key, matrix in matrices.items() if np.isfinite(matrix[i, j])}
        graph.add_edge(names[i], names[j], **values, worms=int(shown[i, j]))
    with our_file(path, overwrite=overwrite) as place, atomic_file(place) as temporary:
        nx.write_graphml(graph, temporary)
    return Path(path)


def write_session_graph(
    session: Session, path: str | Path, component: int | None = None, *, overwrite: bool = False
) -> Path:
    """Write a component of a session: communities of both kinds, what is chosen first, positions of the worm that is shown.

    Parameters
    ----------
    session : Session
    path : path
    component : int, optional
        The chosen one by default.
    overwrite : bool
        As in `write_graphml`.
    """
    components, selection = session.components, session.selection
    if components is None or not components.rank:
        raise InputError("the session holds no component", fix="Run the analysis first.")
    number = min(selection.component, components.rank) if component is None else component
    kinds = {kind: found for (one, kind), found in session.communities.items() if one == number}
    order = sorted(kinds, key=lambda kind: kind != selection.kind)
    level = selection.level if component is None else None
    return write_graphml(
        path, components, number, {kind: kinds[kind] for kind in order}, level, recording=session.recording,
        older=freshness(session).text, overwrite=overwrite,
    )  # fmt: skip


def _ids(neurons: tuple[str, ...]) -> dict[str, str]:
    """Identity of every neuron as XML can hold it, no two alike."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for neuron in neurons:
        node = text = plain_neuron(clean_text(str(neuron)))
        number = 2
        while node in taken:
            node, number = f"{text} ({number})", number + 1
        taken.add(node)
        found[neuron] = node
    return found


def _identity(neuron: str) -> dict[str, Any]:
    named = plain_neuron(neuron) == neuron
    known: dict[str, Any] = {"name": clean_text(neuron) if named else ""}
    entry = info(neuron)
    if entry is not None:
        known |= {"class": entry.neuron_class, "side": entry.side, "ganglion": entry.ganglion}
    return known


def _places(recording: Recording | None) -> dict[str, dict[str, Any]]:
    """Position and label by identity in the cohort."""
    if recording is None:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for row in recording.neurons.itertuples():
        here = {f"{axis}_um": float(getattr(row, axis)) for axis in "xyz" if np.isfinite(getattr(row, axis))}
        here["segment"] = int(row.label)
        keys = [str(row.name)] if row.name else [f"#{row.label}", f"{recording.name}#{row.label}"]
        found |= dict.fromkeys(keys, here)
    return found


def _memberships(kinds: Mapping[str, Communities], level: int | None) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for number, (kind, communities) in enumerate(kinds.items()):
        shown = communities.chosen_level if level is None else min(level, communities.n_levels - 1)
        for at in range(communities.n_levels):
            labels, sure = communities.labels.values[at], communities.probability.values[at]
            states = communities.states(at).to_list()
            for neuron, label, probability, state in zip(communities.neurons, labels, sure, states, strict=True):
                known = found.setdefault(neuron, {})
                names = [(f"{kind}_{at}", f"{kind}_{at}_probability", f"{kind}_{at}_state")]
                if number == 0 and at == shown:
                    names.append(("community", "probability", "state"))
                for community_name, probability_name, state_name in names:
                    known |= {community_name: int(label), state_name: state}
                    if np.isfinite(probability):
                        known[probability_name] = float(probability)
    return found


def _worms_of_pairs(components: Components) -> np.ndarray:
    """(neuron, neuron), how many worms show the pair."""
    index = {n: i for i, n in enumerate(components.neurons)}
    count = np.zeros((len(index), len(index)), int)
    rows = [index[str(n)] for n in components.pair["neuron_a"].values]
    columns = [index[str(n)] for n in components.pair["neuron_b"].values]
    np.maximum.at(count, (rows, columns), components.pair_worms.values.astype(int))
    both: np.ndarray = np.maximum(count, count.T)
    return both
