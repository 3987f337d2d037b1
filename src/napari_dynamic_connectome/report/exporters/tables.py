"""Tables of traces, neurons and results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exporter import Exporter

if TYPE_CHECKING:
    from ...session.session import Session

ORDER = 10
EXPORTER = Exporter(
    title="Write tables",
    flag="tables",
    help="CSV of traces, neurons and results, with a data dictionary",
    button="Tables…",
    words="CSV of traces, neurons, results",
    tip="CSV: traces, neurons, components, communities.",
    asks="Folder for the tables",
)


def write(session: Session, folder: Path, **how: Any) -> list[Path]:
    """Write the tables of a session."""
    from ..tables import write_tables

    return write_tables(session, folder, **how)
