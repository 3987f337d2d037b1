"""Labels with the names of their neurons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..exporter import Exporter

if TYPE_CHECKING:
    from ...session.session import Session

ORDER = 70
EXPORTER = Exporter(title="Write labels", flag="labels", help="labels with the neurons' names as OME-Zarr")


def write(session: Session, folder: Path, **how: Any) -> list[Path]:
    """Write the labels of every worm that has some."""
    from ..labels import write_label_files

    return write_label_files(session, folder, **how)
