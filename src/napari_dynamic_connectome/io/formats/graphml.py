"""GraphML as a table of connections: defaults, undirected graphs and edges, names in attributes, graphs inside graphs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from ...model.errors import FormatError, InputError
from .. import limits
from ..markup import parse
from .connection_columns import KINDS, LISTED, WEIGHTS, choose_weight
from .text_tables import to_numbers

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

NAMES = ("name", "label", "neuron", "neuron_name", "cell", "cell_name", "cellname", "neuron name", "cell name")


def read_graphml(path: Path, *, weight: str | None = None) -> pd.DataFrame:
    """Read the edges of a GraphML file.

    Parameters
    ----------
    path : Path
    weight : str, optional
        Attribute of the edges that holds the weights.

    Returns
    -------
    pandas.DataFrame
        pre, post, type, weight, quantity; an undirected edge of a type with direction gives a row each way.
    """
    where = str(path)
    limits.check_size(path.stat().st_size, limits.MAX_TABLE_BYTES, where, "the XML")
    root = parse(path.read_bytes(), where)
    if _local(root.tag) != "graphml":
        raise FormatError(
            f"this is XML of the kind '{_local(root.tag)[:40]}', not GraphML",
            where=where,
            fix="Export the graph as GraphML.",
        )
    graphs = [e for e in root.iter() if _local(e.tag) == "graph"]
    if not graphs:
        raise FormatError(
            "this GraphML holds no graph", where=where, fix="It may be damaged or cut off; copy or export it again."
        )
    if any(_local(e.tag) == "hyperedge" for e in root.iter()):
        raise FormatError(
            "this GraphML holds edges between more than two nodes",
            where=where,
            fix="Export each connection as an edge between two neurons.",
        )
    keys, defaults = _keys(root)
    names = _names(root, keys, defaults)
    rows = [row for graph in graphs for row in _edges(graph, keys, defaults)]
    unknown = next((r[k] for r in rows for k in ("pre", "post") if r[k] not in names), None)
    if unknown is not None:
        raise FormatError(
            f"an edge names the node '{unknown[:40]}', which does not exist",
            where=where,
            fix="Add the node, or correct the edge.",
        )
    return _table(rows, names, weight, where)


def _table(rows: list[dict[str, Any]], names: dict[str, str], asked: str | None, where: str) -> pd.DataFrame:
    held = list(dict.fromkeys(k for r in rows for k in r if k not in ("pre", "post", "both", *KINDS)))
    numeric = [k for k in held if all(_is_number(r.get(k, "")) for r in rows)]
    weight = choose_weight(held, numeric, asked, where)
    if weight is not None:
        bare = next((r for r in rows if weight not in r), None)
        if bare is not None:
            raise InputError(
                f"the edge {names[bare['pre']]} -> {names[bare['post']]} has no {weight}, others have",
                where=where,
                fix="Give every edge a weight, or its key a default.",
            )
    table = pd.DataFrame(
        {
            "pre": [names[r["pre"]] for r in rows],
            "post": [names[r["post"]] for r in rows],
            "type": [str(next((r[k] for k in KINDS if r.get(k)), "")) for r in rows],
            "weight": to_numbers([str(r[weight]) for r in rows], weight, where, missing=False) if weight else 1.0,
            "quantity": WEIGHTS.get(weight, "") if weight else LISTED,
        }
    )
    both = pd.Series([bool(r["both"]) and r["pre"] != r["post"] for r in rows], dtype=bool)
    turned = table[both].rename(columns={"pre": "post", "post": "pre"})
    return pd.concat([table, turned[table.columns]], ignore_index=True)


def _keys(root: Element) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """Id of a key -> name of the attribute; and defaults by what they are for ("node", "edge") and name."""
    keys: dict[str, str] = {}
    defaults: dict[str, dict[str, str]] = {"node": {}, "edge": {}}
    for element in root.iter():
        if _local(element.tag) != "key":
            continue
        name = str(element.get("attr.name") or element.get("id") or "").strip().lower()
        keys[str(element.get("id"))] = name
        for child in element:
            if _local(child.tag) == "default":
                for kind in ("node", "edge"):
                    if element.get("for", "all") in (kind, "all"):
                        defaults[kind][name] = (child.text or "").strip()
    return keys, defaults


def _names(root: Element, keys: dict[str, str], defaults: dict[str, dict[str, str]]) -> dict[str, str]:
    """Id of a node -> name: an attribute that is called like a name, else one that holds names of neurons, else the id."""
    from ...model.neurons import normalize

    held = {str(e.get("id")): defaults["node"] | _data(e, keys) for e in root.iter() if _local(e.tag) == "node"}
    chosen = next((n for n in NAMES if any(n in h for h in held.values())), None)
    if chosen is None and not any(normalize(i) for i in held):
        columns = dict.fromkeys(k for h in held.values() for k in h)
        known = {c: sum(normalize(h.get(c, "")) is not None for h in held.values()) for c in columns}
        chosen = max(known, key=lambda c: known[c], default=None)
        if chosen is not None and known[chosen] < len(held) / 2:
            chosen = None
    return {i: (h.get(chosen, "") if chosen else "") or i for i, h in held.items()}


def _edges(graph: Element, keys: dict[str, str], defaults: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """Edges of one graph, those of graphs inside it not among them."""
    rows = []
    for element in graph:
        if _local(element.tag) != "edge":
            continue
        said = element.get("directed")
        directed = said.strip().lower() in ("true", "1") if said else graph.get("edgedefault") != "undirected"
        row: dict[str, Any] = dict(defaults["edge"]) | _data(element, keys)
        rows.append(row | {"pre": element.get("source", ""), "post": element.get("target", ""), "both": not directed})
    return rows


def _data(element: Element, keys: dict[str, str]) -> dict[str, str]:
    """Values of a node or edge by attribute; a key that the file does not declare is its own name (Cytoscape.js writes such)."""
    held = ((str(d.get("key")), (d.text or "").strip()) for d in element if _local(d.tag) == "data")
    return {keys.get(key, key.strip().lower()): text for key, text in held}


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
