"""The worms of a session in the layout of the homogenized collection."""

from __future__ import annotations

from pathlib import Path

from ..io.files import output_folder
from ..io.formats.collection_write import write_collection
from ..io.ownership import our_files
from ..model.progress import CancelCallback, ProgressCallback
from ..session.session import Session

NAME = "worms.parquet"


def write_session_collection(
    session: Session,
    folder: str | Path,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Path]:
    """Write the worms that take part as `worms.parquet` and return its path.

    Parameters
    ----------
    session : Session
    folder : path
        Created if absent. The file is replaced only if this program wrote it and nobody changed it.
    progress, cancel : callable, optional

    Raises
    ------
    MissingExtraError
        The extra `parquet` is not installed.
    InputError
        As `write_collection`; or the file is not ours.
    """
    worms = [one for name, one in session.recordings.items() if name not in session.left_out]
    if not worms:
        return []
    with our_files(output_folder(folder), owner=session.uid, part="collection") as mine:
        return [write_collection(worms, mine.path(NAME), progress=progress, cancel=cancel)]
