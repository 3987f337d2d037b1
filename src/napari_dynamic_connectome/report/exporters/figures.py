"""Figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exporter import Exporter

if TYPE_CHECKING:
    from ...session.session import Session

ORDER = 50
EXPORTER = Exporter(
    title="Write figures",
    flag="figures",
    help="SVG and PNG",
    button="Figures…",
    words="SVG and PNG",
    tip="Components, matrices and traces as SVG and PNG.",
    asks="Folder for the figures",
    needs_results=True,
)


def write(session: Session, folder: Path, **how: Any) -> list[Path]:
    """Write every figure of a session."""
    from ..html import write_figures

    return write_figures(session, folder, **how)
