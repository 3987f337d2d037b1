"""The report, one HTML file; the command `report` writes it, too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exporter import Exporter

if TYPE_CHECKING:
    from ...session.session import Session

ORDER = 60
EXPORTER = Exporter(
    title="Write report",
    button="Report…",
    words="one HTML file",
    tip="One HTML file with everything in it.",
    asks="Save the report",
    file="report.html",
    filters="HTML (*.html)",
    needs_results=True,
)


def write_one(session: Session, path: Path, **how: Any) -> None:
    """Write the report."""
    from ..html import write_report

    write_report(session, path, overwrite=True, **how)  # the dialog has asked
