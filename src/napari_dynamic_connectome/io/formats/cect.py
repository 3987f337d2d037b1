"""Published connectomes from the package `cect` (C. elegans Connectome Toolbox): `read_cect`."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import pkgutil
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from ...model.errors import InputError, MissingExtraError
from ..files import reading
from .connectome import tidy

log = logging.getLogger(__name__)

PREFIX = "cect:"
# Neurons whose weights belong to other cells: wormneuroatlas 0.0.7.3 adds all partners that it does not know to its last neuron.
WRONG_NEURONS = {"WormNeuroAtlasReader": frozenset({"VD9"})}
# Data sets whose weights are not what their type suggests.
QUANTITY = {
    "Yim2024DataReader": "synapse size", "Yim2024NonNormDataReader": "synapse size", "NeuroMLDataReader": "model weight",
    "OlivaresModelReader": "model weight", "GleesonModelReader": "model weight", "Wang2024Reader": "rows listed",
    "Wang2024HermReader": "rows listed", "Wang2024MaleReader": "rows listed",
}  # fmt: skip


def cect_datasets() -> list[str]:
    """Return the names of the data sets that the installed package `cect` can read."""
    return list(_datasets(tuple(_cect().__path__)))


@lru_cache(maxsize=4)
def _datasets(folders: tuple[str, ...]) -> tuple[str, ...]:
    # Modules without get_instance are base classes of readers. They are looked at as text, since importing one can take a minute.
    found = []
    for module in pkgutil.iter_modules(list(folders)):
        text = Path(str(getattr(module.module_finder, "path", ""))) / f"{module.name}.py"
        if module.name.startswith("Test") or (text.is_file() and "def get_instance" not in text.read_text("utf-8")):
            continue
        found.append(module.name)
    return tuple(sorted(found))


OLDEST = "0.3.2"
"""Releases before 0.3.1 keep their readers elsewhere; those of 0.3.1 tell no type of synapse."""


def _cect() -> Any:
    from importlib import metadata, util

    try:
        import cect.readers as readers
    except ImportError as error:
        without = error.name == "cect.readers" and util.find_spec("cect") is not None
        too_old = metadata.version("cect") if without else ""
        raise MissingExtraError("cect", "connectome", "Reading published connectomes", too_old, OLDEST) from error
    version = metadata.version("cect")
    if _numbers(version) < _numbers(OLDEST):
        raise MissingExtraError("cect", "connectome", "Reading published connectomes", version, OLDEST)
    return readers


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def nearest(dataset: str, known: list[str], limit: int = 4) -> list[str]:
    """Names that are most like a text: those that hold all of it first, then by similarity."""
    from difflib import SequenceMatcher

    asked = dataset.lower().replace(" ", "").replace("_", "")

    def likeness(name: str) -> tuple[bool, float]:
        plain = name.lower().replace("_", "")
        short = plain.replace("datareader", "").replace("reader", "")
        return asked in plain or short in asked, SequenceMatcher(None, asked, short).ratio()

    ranked = sorted(known, key=lambda n: (*(-float(v) for v in likeness(n)), n))
    return [n for n in ranked[:limit] if likeness(n)[0] or likeness(n)[1] >= 0.5]


def read_cect(dataset: str) -> pd.DataFrame:
    """Read a published connectome from the package `cect` (C. elegans Connectome Toolbox).

    Parameters
    ----------
    dataset : str
        Such as "White_whole", "WitvlietDataReader8" or "Cook2019HermReader"; see `cect_datasets`.

    Returns
    -------
    pandas.DataFrame
        As from `read_connectome`. Signal propagation: pre is the stimulated, post the responding neuron. VD9 is left out of
        "WormNeuroAtlasReader", where it stands for every cell that is not a neuron of that atlas.

    Raises
    ------
    MissingExtraError
        If the package is not installed.
    InputError
        There is no such data set; the message names those that are most like it.
    """
    known = cect_datasets()
    if dataset not in known:
        near = nearest(dataset, known)
        offer = f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}."
        raise InputError(f"cect has no dataset '{dataset}'", fix=offer)
    where = f"cect {dataset}"
    with reading(where, "connectome"), contextlib.redirect_stdout(io.StringIO()):
        module = importlib.import_module(f"cect.readers.{dataset}")
        info = module.get_instance().get_current_connection_info_list()
    wrong = WRONG_NEURONS.get(dataset, frozenset())
    kept = [c for c in info if not {str(c.pre_cell), str(c.post_cell)} & wrong]
    if len(kept) < len(info):
        log.info(
            "%s: %d connections of %s left out, which stand for other cells", where, len(info) - len(kept), min(wrong)
        )
    info = kept
    table = pd.DataFrame(
        {
            "pre": [str(c.pre_cell) for c in info],
            "post": [str(c.post_cell) for c in info],
            "type": ["electrical" if "gap" in f"{c.syntype} {c.synclass}".lower() else str(c.syntype) for c in info],
            "weight": [float(c.number) for c in info],
            "quantity": QUANTITY.get(dataset, ""),
        }
    )
    return tidy(table, where)
