"""Graph file of one component, for networkx, Gephi, Cytoscape and igraph."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..display.palette import UNASSIGNED, hue_numbers, rgb, styles
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

UNITS_PER_UM = 10.0
"""Of a picture, a micrometre: programs draw a node some ten units wide."""


def write_graphml(
    path: str | Path,
    components: Components,
    component: int,
    communities: Communities | Mapping[str, Communities] | None = None,
    level: int | None = None,
    *,
    recording: Recording | None = None,
    numbers: Mapping[int, int] | None = None,
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
    numbers : mapping, optional
        Numbers of the communities, as `display.palette.hue_numbers` gives them, for colours that agree over components.
    older : str
        What the components are older than, in words; it becomes an attribute of the graph.
    overwrite : bool
        A file that this program did not write, or that was changed since, may be replaced; it is refused otherwise.

    Notes
    -----
    Attributes of nodes: `name` and `label` (what programs show; "unnamed_7" for an unnamed neuron), `class`, `side`, `ganglion`,
    `strength`, `worms` (that show the neuron), `x_um`, `y_um`, `z_um` and `segment` (number in the labels of `recording`), and for
    every kind and level `<kind>_<level>` (community, -1 for none), `<kind>_<level>_probability`, `<kind>_<level>_state` (member,
    overlapping, unsure, background, not observed). Of edges: `weight`, `worms`, and `weight_same`, `weight_opposite` for signed
    affinities. What is not known is left out.

    For a picture: `x` and `y` (ten units a micrometre, y upwards; neurons without a place stand in a row below), `color` and its
    parts `r`, `g`, `b` by `community`. The ids of keys are the attributes' names where these are of one kind, because some programs
    read nothing else. Ids of nodes and keys are plain: letters, digits, `_`, `-` and `.`; what else a name holds stands in `name`,
    `label` and `attr.name`.
    """
    import networkx as nx

    kinds: dict[str, Communities]
    kinds = {communities.kind: communities} if isinstance(communities, Communities) else dict(communities or {})
    called = _called(components.neurons)
    ids = dict(zip(called, plain_ids(list(called.values())), strict=True))
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
    spots = _spots(places, list(ids))
    colours = _colours(next(iter(kinds.values()), None), level, numbers)
    for neuron, node in ids.items():
        known: dict[str, Any] = {"name": called[neuron], "label": called[neuron]} | _identity(neuron)
        if neuron in leading.index:
            known |= {
                "strength": float(leading.loc[neuron, "strength"]),
                "worms": int(leading.loc[neuron, "worms"]),
            }
        known |= places.get(neuron, {}) | belongs.get(neuron, {}) | spots.get(neuron, {}) | colours.get(neuron, {})
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
        _write(graph, temporary)
    return Path(path)


def _write(graph: Any, path: Path) -> None:
    """Write a networkx graph with plain ids of keys that can be read, and keys in the order in which attributes were given.

    cytoscape-graphml knows attributes by the ids of their keys, data frames of R's igraph begin with the name only if it is the first
    one, and graphology-graphml finds attributes of the graph only before its nodes.
    """
    from networkx.readwrite.graphml import GraphMLWriter

    writer = GraphMLWriter(graph=graph, encoding="utf-8", prettyprint=True)
    keys = [element for element in writer.xml if element.tag == "key"]
    for element in keys:
        writer.xml.remove(element)
    keys.sort(key=lambda e: (("node", "edge", "graph").index(str(e.get("for"))), int(str(e.get("id"))[1:])))
    ids: dict[str, str] = {}
    for place, element in enumerate(keys):
        name, scope, old = (str(element.get(a)) for a in ("attr.name", "for", "id"))
        plain = plain_id(name)
        new, number = plain if plain not in ids.values() else f"{scope}_{plain}", 2
        while new in ids.values():
            new, number = f"{scope}_{plain}_{number}", number + 1
        ids[old] = new
        element.set("id", new)
        writer.xml.insert(place, element)
    for element in writer.xml.iter("data"):
        element.set("key", ids[str(element.get("key"))])
    for whole in writer.xml.findall("graph"):
        about = whole.findall("data")
        for place, element in enumerate(about):
            whole.remove(element)
            whole.insert(place, element)
    with path.open("wb") as stream:
        writer.dump(stream)


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
        numbers=hue_numbers(session.communities, kinds[order[0]]) if order else None, older=freshness(session).text,
        overwrite=overwrite,
    )  # fmt: skip


def plain_id(text: str) -> str:
    """Return a text as an id that every program takes: ASCII letters, digits, `_`, `-` and `.`, a letter or `_` first.

    Parameters
    ----------
    text : str

    Examples
    --------
    >>> plain_id("AVAL"), plain_id("worm 1 (left)"), plain_id("7"), plain_id("größe")
    ('AVAL', 'worm_1_left', '_7', 'grosse')
    """
    ascii_text = unicodedata.normalize("NFKD", text.replace("ß", "ss")).encode("ascii", "ignore").decode()
    found = re.sub(r"[^A-Za-z0-9_.-]+", "_", ascii_text).strip("_" if ascii_text[:1] != "_" else "") or "_"
    return found if found[0].isalpha() or found[0] == "_" else f"_{found}"


def plain_ids(texts: Sequence[str]) -> list[str]:
    """Return plain ids (see `plain_id`), no two alike; texts that are plain keep theirs.

    Parameters
    ----------
    texts : sequence of str
        No two alike.

    Examples
    --------
    >>> plain_ids(["cell (a)", "cell_a", "cell a"])
    ['cell_a_2', 'cell_a', 'cell_a_3']
    """
    taken = {t for t in texts if plain_id(t) == t}
    found = []
    for text in texts:
        new = plain = plain_id(text)
        number = 2
        while new != text and new in taken:
            new, number = f"{plain}_{number}", number + 1
        taken.add(new)
        found.append(new)
    return found


def _called(neurons: tuple[str, ...]) -> dict[str, str]:
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
    entry = info(neuron)
    return {} if entry is None else {"class": entry.neuron_class, "side": entry.side, "ganglion": entry.ganglion}


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


def _spots(places: Mapping[str, Mapping[str, Any]], neurons: list[str]) -> dict[str, dict[str, float]]:
    """Where each neuron is drawn; nothing if no place is known."""
    found = {
        n: {"x": UNITS_PER_UM * places[n]["x_um"], "y": -UNITS_PER_UM * places[n]["y_um"]}
        for n in neurons
        if {"x_um", "y_um"} <= set(places.get(n, {}))
    }
    if not found:
        return {}
    left, right = (pick(spot["x"] for spot in found.values()) for pick in (min, max))
    lost = [n for n in neurons if n not in found]
    row = np.linspace(left, right, len(lost) + 2)[1:-1].tolist()
    below = min(spot["y"] for spot in found.values()) - 5 * UNITS_PER_UM
    return found | {n: {"x": x, "y": below} for n, x in zip(lost, row, strict=True)}


def _colours(
    communities: Communities | None, level: int | None, numbers: Mapping[int, int] | None
) -> dict[str, dict[str, Any]]:
    """Colour of every neuron by the community it is shown in, as on paper."""
    if communities is None:
        return {}
    shown = communities.chosen_level if level is None else min(level, communities.n_levels - 1)
    known = {number: style.color for number, style in styles(communities, shown, False, numbers).items()}
    found = {}
    for neuron, label in zip(communities.neurons, communities.labels.values[shown].tolist(), strict=True):
        color = known.get(int(label), UNASSIGNED[False])
        red, green, blue = (round(255 * part) for part in rgb(color).tolist())
        found[neuron] = {"color": color, "r": red, "g": green, "b": blue}
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
