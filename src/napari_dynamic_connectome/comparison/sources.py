"""The networks that settings name: tables, data sets of the package cect, atlases of signal propagation."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..io.choice import ChoiceNeeded
from ..io.formats.cect import PREFIX, read_cect
from ..io.formats.connectome import read_connectome
from ..io.formats.propagation import RESPONDS, read_propagation
from ..io.wiring import networks_of
from ..model.errors import InputError
from ..model.network import Network
from .settings import StructureSettings


def read_networks(settings: StructureSettings) -> list[Network]:
    """Read all networks that the settings name.

    Parameters
    ----------
    settings : StructureSettings
        `connectome` (paths, or cect:NAME), `weight`, `rows`, `propagation`, `kinds`, `largest_q`.

    Returns
    -------
    list of Network
        In the order of the settings, one a type of connection; signal propagation last.

    Raises
    ------
    InputError
        Files that cannot be read, or none of the types that are asked for.
    """
    found: list[Network] = []
    for entry in settings.connectome:
        if entry.startswith(PREFIX):
            name = entry.removeprefix(PREFIX)
            edges = read_cect(name)
        else:
            name = Path(entry).name.split(".")[0]
            edges = read_edges(entry, weight=settings.weight, rows=settings.rows)
        there = list(dict.fromkeys(str(t) for t in edges["type"]))
        wanted = [t for t in there if not settings.kinds or t in settings.kinds]
        try:
            found += networks_of(edges, name, kinds=wanted).values()
        except InputError as error:  # a network is called as its file without ending; a message names the file
            raise InputError(error.what, where=Path(entry).name, fix=error.fix) from error
    if settings.connectome and not found:
        raise InputError(
            f"no connections of type {', '.join(settings.kinds)} in {', '.join(settings.connectome)}",
            where="comparison.kinds",
            fix="Leave kinds empty to compare all types.",
        )
    if settings.propagation:
        atlas = read_propagation(settings.propagation, largest_q=settings.largest_q)
        # who responds comes first: it is what the q values are for
        found += sorted(atlas.values(), key=lambda n: n.kind != RESPONDS)
    return found


def read_edges(path: str, **said: str) -> pd.DataFrame:
    """Read a table of connections; what was said is for the files that ask for it.

    Parameters
    ----------
    path : str
    **said : str
        Options of `read_connectome`; "" where nothing was said.
    """
    try:
        return read_connectome(path)
    except ChoiceNeeded as question:
        answer = said.get(question.option, "")
        if not answer:
            raise
        return read_connectome(path, **{question.option: answer})
