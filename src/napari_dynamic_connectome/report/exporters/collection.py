"""All worms as one Parquet file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exporter import Exporter

if TYPE_CHECKING:
    from ...session.session import Session

ORDER = 30
EXPORTER = Exporter(
    title="Write collection",
    flag="collection",
    help="all worms as one Parquet file in the layout of the homogenized collection (extra parquet)",
    button="Collection…",
    words="Parquet, all worms",
    tip="All worms that take part as one Parquet file, a row a neuron, in the layout of the homogenized collection (Simeon "
    "et al. 2024). Needs the extra “parquet”.",
    asks="Folder for worms.parquet",
)


def check() -> None:
    """Raise if the extra is missing."""
    from ...io.formats.parquet import load_pyarrow

    load_pyarrow()


def write(session: Session, folder: Path, **how: Any) -> list[Path]:
    """Write the worms that take part."""
    from ..collection import write_session_collection

    return write_session_collection(session, folder, **how)
