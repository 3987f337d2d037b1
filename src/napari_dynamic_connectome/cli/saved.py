"""A saved run as input of a further command: its session, its cohort, and where output goes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..model.errors import InputError

if TYPE_CHECKING:
    from ..model.cohort import Cohort
    from ..session.session import Session


def open_run(session: str, output: str | None) -> tuple[Session, Cohort, Path]:
    """Load a session (or the output folder of a run).

    Returns
    -------
    session, cohort
    output : Path
        Created; the folder that holds the session by default.
    """
    from ..io.files import output_folder
    from ..model.cohort import Cohort
    from ..pipeline.run import SESSION_NAME
    from ..session.save_load import load_session

    path = Path(session)
    if path.is_dir() and (path / SESSION_NAME).exists():
        path = path / SESSION_NAME
    loaded = load_session(path)
    if not loaded.recordings:
        raise InputError("the session holds no recording", where=str(path), fix="Run the pipeline first.")
    cohort = loaded.cohort or Cohort(loaded.recordings.values())
    return loaded, cohort, output_folder(Path(output) if output else path.parent)
