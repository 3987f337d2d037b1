"""Sniffing of tables by their columns: traces, centres, stimuli, behaviour, names, a list of neurons or a connectome.

In: a CSV, Parquet, GraphML or HDF5 file. Out: one word. Only the header is read.
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd

from .choice import ChoiceNeeded
from .files import existing, head
from .formats.btrack import is_btrack
from .formats.centres import is_napari_points
from .formats.connection_columns import POST, PRE
from .formats.connection_matrix import is_matrix
from .formats.fields import BEHAVIOUR_PREFIX
from .formats.pandas_hdf5 import stored_pose
from .formats.table_shape import SAMPLE, Shape, shape_of
from .formats.text_tables import find_column, find_time, header_levels, header_of
from .formats.trace_tables import is_long
from .formats.turned_tables import turned_columns
from .once import once

TableKind = Literal["traces", "centres", "stimuli", "behaviour", "names", "neurons", "connectome"]


@once
def table_kind(path: str | Path) -> TableKind:
    """Return what a table is about; "traces" where nothing else fits.

    Parameters
    ----------
    path : str or Path
        CSV, Parquet, GraphML, or HDF5 that holds tables of pandas.
    """
    path = existing(path)
    start = b"" if path.is_dir() else head(path, 4096)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        return "connectome"
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return "centres" if is_btrack(path) else "behaviour" if stored_pose(path) else "traces"
    text = not path.is_dir() and not start.startswith(b"PAR1")
    if text and is_pose(path):
        return "behaviour"
    rows = _first_rows(path) if text else []
    columns = rows[0] if rows else [] if text else _parquet_columns(path)
    second = rows[1] if len(rows) > 1 else []
    table = pd.DataFrame(columns=pd.Index(columns, dtype=object))
    if text and turned_columns(columns, second):
        return "traces"
    if text and is_matrix(columns, second[:1]):
        return "connectome"
    if find_column(table, *PRE) and find_column(table, *POST):
        return "connectome"
    if is_long(table) or {"source_dataset", "worm", "neuron"} <= {c.lower() for c in columns}:
        return "traces"
    if is_napari_points(columns):
        return "centres"
    places = all(find_column(table, axis) for axis in "zyx")
    if places and find_column(table, "frame", "t", "timepoint", "time_index") and _id_column(table):
        return "centres"
    if find_column(table, "name", "stimulus", "stim", "odor", "odour") and any(
        re.fullmatch(r"(onset|t_on|start|start_time)([ _].*)?", c.strip().lower()) for c in columns
    ):
        return "stimuli"
    try:
        clock = find_time(table)
    except ChoiceNeeded:  # several: which one is asked when they are read
        return "traces"
    if clock is not None:
        others = [c.strip().lower() for c in columns if c != clock[0]]
        called = re.search(r"(^|[_\-. ])behaviou?r", path.name.lower()) is not None
        return "behaviour" if called or (others and all(c.startswith(BEHAVIOUR_PREFIX) for c in others)) else "traces"
    alone = len(columns) == 1 and re.match(r"[A-Za-z]", columns[0]) is not None
    if alone or find_column(table, "name", "neuron", "neuron_name"):
        return "names" if _id_column(table) else "neurons"
    return "traces"


def is_pose(path: str | Path) -> bool:
    """Whether a CSV holds tracked points of the body, or lines between them, in the layout of DeepLabCut.

    Parameters
    ----------
    path : str or Path
    """
    shape = _shape(Path(path))
    if shape is None:
        return False
    if re.match(r'"?scorer"?[,;\t]', shape.lines[0]):
        return True
    levels = header_levels(shape.lines, shape.separator)
    return levels is not None and levels.is_pose


def _id_column(table: pd.DataFrame) -> str | None:
    return find_column(table, "id", "label", "label-value", "track_id", "particle", "neuron_id", "roi")


def _first_rows(path: Path) -> list[list[str]]:
    """Return the cells of the header and the row below."""
    shape = _shape(path)
    if shape is None:
        return []
    return [header_of(shape if at == 0 else replace(shape, corner=""), line) for at, line in enumerate(shape.lines[:2])]


@once
def _shape(path: Path) -> Shape | None:
    lines = _first_lines(path, SAMPLE)
    return shape_of(lines) if lines else None


def _first_lines(path: Path, count: int) -> list[str]:
    """Return the first lines that are not empty; one that was cut off counts as it is."""
    return [line for line in re.split(r"\r\n|\n|\r", _beginning(path)) if line.strip()][:count]


@once
def _beginning(path: Path) -> str:
    """Return the first 64 KiB of a text, which may be packed or UTF-16."""
    start = head(path, 1 << 16)
    if start.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path, "rb") as stream:
                start = stream.read(1 << 16)
        except (OSError, EOFError, zlib.error):
            return ""
    encoding = "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    return start.decode(encoding, errors="replace")


def _parquet_columns(path: Path) -> list[str]:
    from .formats.parquet import column_names

    return column_names(path)
