"""Tables of connections (CSV, GraphML) between neurons, with what their weights are: `read_connectome`.

In: a file. Out: a table pre, post, type, and `synapses`, or `weight` with its `quantity`; canonical names where they are known.
Published connectomes are read by `cect.read_cect`; matrices are made by `wiring.networks_of`.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ...model.errors import InputError
from ..files import existing, head
from ..format import Format
from ..markup import root_name
from ..wiring import SYNAPSES, connectome_matrix, weight_column
from .connection_columns import KINDS, LISTED, POST, PRE, WEIGHTS, WIDE, choose_weight
from .connection_matrix import edges_of, is_matrix
from .text_tables import find_column, plain_cell, read_table, to_numbers

ORDER = 120


__all__ = ["connectome_matrix", "read_connectome", "tidy", "weight_column"]

log = logging.getLogger("napari_dynamic_connectome")

# What a weight without a telling name is, by type.
QUANTITY = {
    "chemical": SYNAPSES, "electrical": SYNAPSES, "contact": "contact area", "extrasynaptic": "ligand-receptor pairs",
    "neuropeptide": "ligand-receptor pairs", "monoamine": "ligand-receptor pairs", "signal propagation": "dF/F of the responder",
}  # fmt: skip
TYPES = {
    "": "chemical", "gapjunction": "electrical", "gapjunctions": "electrical", "gap": "electrical", "ej": "electrical",
    "gj": "electrical", "electric": "electrical", "send": "chemical", "s": "chemical", "sp": "chemical", "nmj": "chemical",
    "chem": "chemical", "chemicalsynapse": "chemical", "peptide": "neuropeptide", "peptidergic": "neuropeptide",
    "neuropeptides": "neuropeptide", "functional": "signal propagation", "function": "signal propagation",
    "signalpropagation": "signal propagation", "contactarea": "contact",
}  # fmt: skip
RECEIVING = ("r", "rp", "receive", "receivejoint")
"""Rows of Varshney et al. (2011) and of WormAtlas that list a synapse again, from the side of the receiving neuron."""
SIGNED = ("dF/F of the responder",)


def read_connectome(path: str | Path, *, weight: str | None = None, rows: str | None = None) -> pd.DataFrame:
    """Read the connections of a connectome.

    Parameters
    ----------
    path : str or Path
        CSV with the columns pre, post (or source, target), synapses (or weight, contact_area, ...) and type; or with a column of
        weights for each type (the consensus connectome of Simeon et al. 2024); or a matrix with a row and a column a neuron; or
        GraphML.
    weight : str, optional
        Name of the column, or GraphML attribute, that holds the weights, if its name does not tell.
    rows : {"pre", "post", "gap junctions", "contact"}, optional
        Of a matrix: its rows are presynaptic ("pre") or postsynaptic, or it counts what has no direction. 0 and empty cells are no
        connection.

    Returns
    -------
    pandas.DataFrame
        pre, post (canonical names; others, such as muscles, as written), type ("chemical", "electrical", ...), and `synapses`; where
        the weights are something else (contact areas, ligand-receptor pairs, dF/F), `weight` and `quantity` instead. Without any
        weights every row counts once: `weight` is 1 and `quantity` says "rows listed". Rows without a type are chemical.

    Raises
    ------
    ChoiceNeeded
        There are numbers, but no column whose name tells that they are the weights; what the rows of a matrix are.
    InputError
        Missing columns, missing, negative or infinite weights, no connections.
    """
    path = existing(path)
    start = head(path, 512).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<"):
        from .graphml import read_graphml

        _check_takes("rows", rows, "this is no matrix", str(path))
        table = read_graphml(path, weight=weight)
    else:
        table = _read_csv(path, weight, rows)
    return tidy(table, str(path))


def _read_csv(path: Path, asked: str | None, rows: str | None) -> pd.DataFrame:
    table, where = read_table(path), str(path)
    if is_matrix([str(c) for c in table.columns], [str(c) for c in table.iloc[:, 0]]):
        _check_takes("weight", asked, "this is a matrix", where)
        return edges_of(table, rows, where)
    _check_takes("rows", rows, "this is no matrix", where)
    pre, post, kind = find_column(table, *PRE), find_column(table, *POST), find_column(table, *KINDS)
    if pre is None or post is None:
        raise InputError(
            f"the columns are {', '.join(map(str, table.columns))[:100]}",
            where=where,
            fix="Needed: pre, post, synapses, type; or a matrix with a row and a column a neuron.",
        )
    wide = [(c, k, q) for name, k, q in WIDE if (c := find_column(table, name)) is not None]
    if asked is None and kind is None and wide:
        return _read_wide(table, pre, post, wide, where)
    others = [str(c) for c in table.columns if str(c) not in (pre, post, kind)]
    numeric = [c for c in others if len(table) and pd.to_numeric(table[c], errors="coerce").notna().all()]
    weight = choose_weight(others, numeric, asked, where)
    read = pd.DataFrame(
        {
            "pre": [plain_cell(v.strip()) for v in table[pre]],
            "post": [plain_cell(v.strip()) for v in table[post]],
            "type": table[kind].str.strip().tolist() if kind else "",
            "weight": to_numbers(table[weight].tolist(), weight, where, missing=False) if weight else 1.0,
        }
    )
    read["quantity"] = WEIGHTS.get(weight.strip().lower(), "") if weight else LISTED
    if pre.strip().lower() == "stimulated":
        read["type"] = [t or "signal propagation" for t in read["type"]]
    return read


def _check_takes(option: str, said: str | None, what: str, where: str) -> None:
    """Refuse an option that this file has no use for."""
    if said is not None:
        raise InputError(f"{what}, so {option}= does not apply", where=where, fix="Leave it out.")


def _read_wide(
    table: pd.DataFrame, pre: str, post: str, columns: Sequence[tuple[str, str, str]], where: str
) -> pd.DataFrame:
    """One row a connection from a table with a column of weights for each type; an empty weight is no connection."""
    parts = []
    for column, kind, quantity in columns:
        weight = to_numbers(table[column].tolist(), column, where)
        there = np.isfinite(weight)
        parts.append(
            pd.DataFrame(
                {
                    "pre": [plain_cell(v.strip()) for v in table[pre][there]],
                    "post": [plain_cell(v.strip()) for v in table[post][there]],
                    "type": kind,
                    "weight": weight[there],
                    "quantity": quantity,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def tidy(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Check weights and names, make types and names canonical, and name the column of weights after what they are.

    Parameters
    ----------
    table : pandas.DataFrame
        pre, post, type, weight, quantity ("" = told by the type).
    where : str
        For messages.
    """
    from ...model.neurons import normalize

    if not len(table):
        raise InputError("this connectome has no edges", where=where, fix="Give a row a connection.")
    table = table.copy()
    written = [str(t).strip().lower() for t in table["type"]]
    short = ["".join(c for c in t if c not in " _-") for t in written]
    table["type"] = [TYPES.get(s, t) for s, t in zip(short, written, strict=True)]
    table["quantity"] = [
        str(q) or QUANTITY.get(str(t), "weight") for q, t in zip(table["quantity"], table["type"], strict=True)
    ]
    weights = table["weight"].to_numpy(float)
    signed = table["quantity"].isin(SIGNED).to_numpy(bool)
    wrong = np.flatnonzero(~np.isfinite(weights) | ((weights < 0) & ~signed))
    if len(wrong):
        row = table.iloc[int(wrong[0])]
        raise InputError(
            f"the weight {row['weight']:g} of {row['pre']} -> {row['post']} is no number of {row['quantity']}",
            where=where,
            fix="Give a number that is 0 or more; leave the row out if it was not measured.",
        )
    for column in ("pre", "post"):
        if (table[column] == "").any():
            raise InputError(
                f"column '{column}' is empty in row {int(np.flatnonzero(table[column] == '')[0]) + 2}",
                where=where,
                fix="Fill in or remove the row.",
            )
        canonical = {v: normalize(v) or v for v in table[column].unique()}
        table[column] = table[column].map(canonical)
    table = _without_second_listing(table, pd.Series(short, index=table.index), where)
    if (table["quantity"] == LISTED).all():
        log.info("%s: no weights; each of the %d rows counts once", where, len(table))
    if (table["quantity"] == SYNAPSES).all():
        return table.rename(columns={"weight": SYNAPSES})[["pre", "post", "type", SYNAPSES]].reset_index(drop=True)
    return table[["pre", "post", "type", "weight", "quantity"]].reset_index(drop=True)


def _without_second_listing(table: pd.DataFrame, short: pd.Series, where: str) -> pd.DataFrame:
    """Leave out rows that list a synapse again from the side of the receiving neuron, or turn them if they are the only ones."""
    receiving = short.isin(RECEIVING)
    if not receiving.any():
        return table
    if short.isin(("s", "sp", "send", "sendjoint")).any():
        log.info("%s: %d rows list synapses again from the receiving side; left out", where, int(receiving.sum()))
        return table[~receiving]
    table.loc[receiving, ["pre", "post"]] = table.loc[receiving, ["post", "pre"]].to_numpy()
    table.loc[receiving, "type"] = "chemical"
    table.loc[receiving & (table["quantity"] == "weight"), "quantity"] = SYNAPSES
    log.info("%s: %d rows list synapses from the receiving side; turned", where, int(receiving.sum()))
    return table


FORMAT = Format(
    key="graphml",
    title="GraphML",
    patterns=("*.graphml",),
    holds=("connectome",),
    note="No document types, no entities.",
    knows=lambda path, start: root_name(start) == "graphml",
)
