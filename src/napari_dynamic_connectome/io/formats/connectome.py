"""Connectomes (CSV, GraphML, the package `cect`) as tables of edges between neurons.

In: a file or the name of a dataset. Out: a table pre, post, type, synapses, canonical names where they are known.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...model.errors import FormatError, InputError, MissingExtraError
from .. import limits
from ..files import existing, head, reading
from ..markup import parse
from .text_tables import find_column, plain_cell, read_table, to_numbers

COLUMNS = ("pre", "post", "type", "synapses")


def read_connectome(path: str | Path) -> pd.DataFrame:
    """Read the edges of a connectome.

    Parameters
    ----------
    path : str or Path
        CSV with the columns pre, post (or source, target), synapses (or weight) and type; or GraphML.

    Returns
    -------
    pandas.DataFrame
        pre, post (canonical names; others, such as muscles, as written), type ("chemical", "electrical", ...), synapses.

    Raises
    ------
    InputError
        Missing columns, negative or infinite weights, no edges.
    """
    path = existing(path)
    start = head(path, 512).lstrip(b"\xef\xbb\xbf \t\r\n")
    table = _read_graphml(path) if start.startswith(b"<") else _read_csv(path)
    return _tidy(table, str(path))


def _read_csv(path: Path) -> pd.DataFrame:
    table, where = read_table(path), str(path)
    pre = find_column(table, "pre", "source", "from", "pre_cell", "presynaptic")
    post = find_column(table, "post", "target", "to", "post_cell", "postsynaptic")
    if pre is None or post is None:
        raise InputError(
            f"the columns are {', '.join(map(str, table.columns))[:100]}",
            where=where,
            fix="Needed: pre, post, synapses, type.",
        )
    weight = find_column(table, "synapses", "weight", "number", "count", "n")
    kind = find_column(table, "type", "syntype", "kind")
    return pd.DataFrame(
        {
            "pre": [plain_cell(v.strip()) for v in table[pre]],
            "post": [plain_cell(v.strip()) for v in table[post]],
            "type": table[kind].str.strip().tolist() if kind else "",
            "synapses": to_numbers(table[weight].tolist(), weight, where, missing=False) if weight else 1.0,
        }
    )


def _read_graphml(path: Path) -> pd.DataFrame:
    where = str(path)
    limits.check_size(path.stat().st_size, limits.MAX_TABLE_BYTES, where, "the XML")
    root = parse(path.read_bytes(), where)
    if _local(root.tag) != "graphml":
        raise FormatError(
            f"this is XML of the kind '{_local(root.tag)[:40]}', not GraphML",
            where=where,
            fix="Export the graph as GraphML.",
        )
    keys: dict[str, str] = {
        str(e.get("id")): str(e.get("attr.name") or e.get("id") or "").lower()
        for e in root.iter()
        if _local(e.tag) == "key"
    }
    graph = next((e for e in root.iter() if _local(e.tag) == "graph"), None)
    if graph is None:
        raise FormatError(
            "this GraphML holds no graph", where=where, fix="It may be damaged or cut off; copy or export it again."
        )
    names: dict[str, str] = {}
    rows: list[dict[str, Any]] = []
    for element in graph:
        held = {keys.get(str(d.get("key")), ""): (d.text or "").strip() for d in element if _local(d.tag) == "data"}
        if _local(element.tag) == "node":
            identity = str(element.get("id"))
            names[identity] = held.get("name") or held.get("label") or identity
        elif _local(element.tag) == "edge":
            rows.append({"pre": element.get("source", ""), "post": element.get("target", "")} | held)
    unknown = next((r[k] for r in rows for k in ("pre", "post") if r[k] not in names), None)
    if unknown is not None:
        raise FormatError(
            f"an edge names the node '{unknown[:40]}', which does not exist",
            where=where,
            fix="Add the node, or correct the edge.",
        )
    table = pd.DataFrame({"pre": [names[r["pre"]] for r in rows], "post": [names[r["post"]] for r in rows]})
    weight = next((k for k in ("synapses", "weight", "number") if any(k in r for r in rows)), None)
    table["type"] = [str(r.get("type", "")) for r in rows]
    table["synapses"] = to_numbers(
        [str(r.get(weight or "", "1")) for r in rows], weight or "weight", where, missing=False
    )
    return table


def _local(tag: str) -> str:
    return tag.rsplit("}", 1)[-1]


def _tidy(table: pd.DataFrame, where: str) -> pd.DataFrame:
    from ...model.neurons import normalize

    if not len(table):
        raise InputError("this connectome has no edges", where=where, fix="Give a row a connection.")
    weights = table["synapses"].to_numpy(float)
    if not np.isfinite(weights).all() or (weights < 0).any():
        row = int(np.flatnonzero(~np.isfinite(weights) | (weights < 0))[0])
        raise InputError(
            f"the weight {weights[row]:g} of {table['pre'].iloc[row]} -> {table['post'].iloc[row]} is no number of synapses",
            where=where,
            fix="Give a number of synapses that is 0 or more.",
        )
    for column in ("pre", "post"):
        if (table[column] == "").any():
            raise InputError(
                f"column '{column}' is empty in row {int(np.flatnonzero(table[column] == '')[0]) + 2}",
                where=where,
                fix="Fill in or remove the row.",
            )
        table[column] = [normalize(v) or v for v in table[column]]
    # GapJunction, gap junction, electrical: one word; what is not said is chemical
    kinds = {"": "chemical", "gapjunction": "electrical", "gap": "electrical", "ej": "electrical", "send": "chemical"}
    table["type"] = [
        kinds.get(str(t).strip().lower().replace(" ", "").replace("_", ""), str(t).strip().lower())
        for t in table["type"]
    ]
    return table[list(COLUMNS)].reset_index(drop=True)


def connectome_matrix(
    edges: pd.DataFrame, neurons: list[str] | tuple[str, ...], *, kind: str | None = None
) -> np.ndarray:
    """Return synapses (pre, post) between these neurons; edges to others are left out.

    Parameters
    ----------
    edges : pandas.DataFrame
        From `read_connectome`.
    neurons : sequence of str
    kind : str, optional
        "chemical" or "electrical"; all by default.
    """
    place = {n: i for i, n in enumerate(neurons)}
    chosen = edges if kind is None else edges[edges["type"] == kind]
    keep = chosen["pre"].isin(place) & chosen["post"].isin(place)
    matrix = np.zeros((len(place), len(place)))
    rows, columns = chosen["pre"][keep].map(place).to_numpy(int), chosen["post"][keep].map(place).to_numpy(int)
    np.add.at(matrix, (rows, columns), chosen["synapses"][keep].to_numpy(float))
    return matrix


def cect_datasets() -> list[str]:
    """Return the names of the datasets that the installed package `cect` can read."""
    import pkgutil

    return sorted(m.name for m in pkgutil.iter_modules(_cect().__path__) if not m.name.startswith("Test"))


def _cect() -> Any:
    try:
        import cect.readers as readers
    except ImportError as error:
        from importlib import metadata, util

        # releases before 0.3.1 keep their readers elsewhere
        without = error.name == "cect.readers" and util.find_spec("cect") is not None
        too_old = metadata.version("cect") if without else ""
        raise MissingExtraError("cect", "connectome", "Reading published connectomes", too_old, "0.3.1") from error
    return readers


def read_cect(dataset: str) -> pd.DataFrame:
    """Read a published connectome from the package `cect` (C. elegans Connectome Toolbox).

    Parameters
    ----------
    dataset : str
        Such as "White_whole", "WitvlietDataReader8" or "Cook2019HermReader"; see `cect_datasets`.

    Returns
    -------
    pandas.DataFrame
        As from `read_connectome`.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    """
    import contextlib
    import importlib
    import io

    known = cect_datasets()
    if dataset not in known:
        raise InputError(f"cect has no dataset '{dataset}'", fix=f"Known: {', '.join(known)}.")
    where = f"cect {dataset}"
    with reading(where, "connectome"), contextlib.redirect_stdout(io.StringIO()):
        module = importlib.import_module(f"cect.readers.{dataset}")
        instance = module.get_instance()
        info = instance.get_current_connection_info_list()
    table = pd.DataFrame(
        {
            "pre": [str(c.pre_cell) for c in info],
            "post": [str(c.post_cell) for c in info],
            "type": ["electrical" if "gap" in f"{c.syntype} {c.synclass}".lower() else str(c.syntype) for c in info],
            "synapses": [float(c.number) for c in info],
        }
    )
    return _tidy(table, where)
