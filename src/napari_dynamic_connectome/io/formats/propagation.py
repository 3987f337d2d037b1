"""Measured signal propagation: who responds when one neuron is stimulated (Randi et al. 2023).

Publications store it the other way round than a connectome: the row is the neuron that responds, the column the one that was
stimulated. A `Network` always goes from the source (stimulated) to the target (responding).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...model.errors import FormatError, InputError
from ...model.network import Network, network
from ..files import existing, head, reading
from .text_tables import find_column, read_table, to_numbers

KIND = "signal propagation"
RESPONDS = "signal propagation, responding pairs"
NOTE = "row: responder, column: stimulated in the file; turned"


def read_propagation(path: str | Path, *, strain: str = "wt", largest_q: float = 0.05) -> dict[str, Network]:
    """Read a signal-propagation atlas.

    Parameters
    ----------
    path : str or Path
        npz with `neuron_ids` and `wt_dFF`, `wt_q` (responder, stimulated), as exported from the atlas of Randi et al.; or CSV with
        stimulated, responder, response and, where known, q.
    strain : str
        npz: "wt", or "unc31" (no dense-core vesicles).
    largest_q : float
        A pair responds if q is at most this.

    Returns
    -------
    dict of str -> Network
        "signal propagation": response (dF/F) from the stimulated to the responding neuron, NaN where not measured. "signal
        propagation, responding pairs" (where there are q values): 1 = responds, 0 = measured and does not.

    Raises
    ------
    InputError
        Missing fields or columns, names that repeat.

    References
    ----------
    Randi, F., Sharma, A. K., Dvali, S. & Leifer, A. M. Nature 623, 406-414 (2023).
    """
    from ...model.neurons import normalize

    path = existing(path)
    name = path.name.split(".")[0]
    if head(path, 2) == b"PK":
        names, response, q = _read_npz(path, strain)
    else:
        names, response, q = _read_csv(path)
    names = [normalize(n) or n for n in names]
    found = {KIND: network(name, KIND, names, response, quantity="dF/F of the responder", notes=(NOTE,))}
    if q is not None:
        known = np.isfinite(q) & np.isfinite(response)
        responds = np.where(known, (np.nan_to_num(q, nan=1.0) <= largest_q).astype(float), np.nan)
        said = f"responds: q at most {largest_q:g}"
        found[RESPONDS] = network(name, RESPONDS, names, responds, quantity="responds", notes=(NOTE, said))
    return found


def _read_npz(path: Path, strain: str) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    where = str(path)
    with reading(where, "npz file"), np.load(path, allow_pickle=False) as file:
        held = {k: np.asarray(file[k]) for k in file.files}
    names = next((held[k] for k in ("neuron_ids", "names", "neurons") if k in held), None)
    response = held.get(f"{strain}_dFF", held.get("dFF"))
    if names is None or response is None:
        strains = sorted(k[:-4] for k in held if k.endswith("_dFF"))
        raise InputError(
            f"there is no neuron_ids or no {strain}_dFF among {', '.join(held)[:100]}",
            where=where,
            fix=f"Known strains: {', '.join(strains)}." if strains else "Needed: neuron_ids, wt_dFF, wt_q.",
        )
    size = (len(names), len(names))
    q = held.get(f"{strain}_q", held.get("q"))
    for what, matrix in (("dFF", response), ("q", q)):
        if matrix is not None and matrix.shape != size:
            raise FormatError(
                f"{what} has the shape {matrix.shape} for {len(names)} neurons",
                where=where,
                fix="Give (responder, stimulated), the same neurons in both.",
            )
    turned = np.asarray(response, float).T
    return [str(n) for n in names], turned, None if q is None else np.asarray(q, float).T


def _read_csv(path: Path) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    table, where = read_table(path), str(path)
    source = find_column(table, "stimulated", "source", "pre")
    target = find_column(table, "responder", "responding", "target", "post")
    value = find_column(table, "response", "dff", "amplitude", "weight", "value")
    chance = find_column(table, "q", "q_value", "qvalue")
    if source is None or target is None or value is None:
        raise InputError(
            f"the columns are {', '.join(map(str, table.columns))[:100]}",
            where=where,
            fix="Needed: stimulated, responder, response and, where known, q.",
        )
    if table.duplicated([source, target]).any():
        row = table[table.duplicated([source, target])].iloc[0]
        raise InputError(
            f"{row[source]} -> {row[target]} is there twice", where=where, fix="Keep one row of each pair."
        )
    names = list(dict.fromkeys([*table[source].str.strip(), *table[target].str.strip()]))
    place = {n: i for i, n in enumerate(names)}
    rows = [place[n.strip()] for n in table[source]]
    columns = [place[n.strip()] for n in table[target]]
    response = np.full((len(names), len(names)), np.nan)
    response[rows, columns] = to_numbers(table[value].tolist(), value, where)
    q = None
    if chance is not None:
        q = np.full(response.shape, np.nan)
        q[rows, columns] = to_numbers(table[chance].tolist(), chance, where)
    return names, response, q
