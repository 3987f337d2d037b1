"""Names of the columns of a table of connections, in CSV and in GraphML."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ...model.errors import InputError
from ..choice import ChoiceNeeded
from ..wiring import SYNAPSES
from .text_tables import find_column

LISTED = "rows listed"
PRE = ("pre", "source", "from", "pre_cell", "presynaptic", "from_neuron", "neuron 1", "neuron1", "stimulated")
POST = (
    "post",
    "target",
    "to",
    "post_cell",
    "postsynaptic",
    "to_neuron",
    "neuron 2",
    "neuron2",
    "responder",
    "responding",
)
KINDS = ("type", "syntype", "kind", "synapse_type", "connection_type")
# Tables with a column of weights for each type, such as the consensus connectome of Simeon et al. (2024): column, type, quantity.
WIDE = (
    ("mean_chem_weight", "chemical", "mean over connectomes"), ("mean_gap_weight", "electrical", "mean over connectomes"),
    ("functional_weight", "signal propagation", "dF/F of the responder"), ("chem_weight", "chemical", "synapses"),
    ("gap_weight", "electrical", "synapses"), ("chemical", "chemical", "synapses"), ("electrical", "electrical", "synapses"),
)  # fmt: skip
# What a column of weights is called, and what it then is; "" = told by the type of the connection.
WEIGHTS = {
    "synapses": SYNAPSES, "number_of_synapses": SYNAPSES, "number of synapses": SYNAPSES, "n_synapses": SYNAPSES,
    "num_synapses": SYNAPSES, "synapse_count": SYNAPSES, "synapse count": SYNAPSES, "total_synapses": SYNAPSES, "nbr": SYNAPSES,
    "sections": SYNAPSES, "number_of_sections": SYNAPSES, "em_sections": SYNAPSES, "syn": SYNAPSES,
    "contact_area": "contact area", "contact area": "contact area", "area": "contact area", "contact": "contact area",
    "peptides": "ligand-receptor pairs", "peptide_count": "ligand-receptor pairs", "n_peptides": "ligand-receptor pairs",
    "pairs": "ligand-receptor pairs", "dff": "dF/F of the responder", "response": "dF/F of the responder",
    "weight": "", "number": "", "count": "", "n": "", "value": "",
}  # fmt: skip


def choose_weight(columns: Sequence[str], numeric: Sequence[str], asked: str | None, where: str) -> str | None:
    """Say which column holds the weights; None if there are none at all.

    Parameters
    ----------
    columns : sequence of str
        All but the names and the type.
    numeric : sequence of str
        Those that hold numbers.
    asked : str, optional
        What the user says.
    """
    table = pd.DataFrame(columns=pd.Index(columns, dtype=object))
    if asked is not None:
        found = find_column(table, asked.strip().lower())
        if found is None:
            raise InputError(f"there is no column '{asked}'", where=where, fix=f"Known: {', '.join(columns)}.")
        return found
    known = find_column(table, *WEIGHTS)
    if known is None and numeric:
        raise ChoiceNeeded(
            f"no column is known to hold the weights (numbers are in: {', '.join(numeric)})",
            where=where,
            fix="Call it synapses, contact_area, peptides or weight, or say which one it is.",
            option="weight",
            choices=tuple(numeric),
        )
    return known
