"""NWB files of a session, one for every recording, named after the worm."""

from __future__ import annotations

from pathlib import Path

from ..io.files import file_names, output_folder
from ..io.formats.nwb_write import check_extra, write_recording
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..session.session import Session


def write_nwb_files(
    session: Session,
    folder: str | Path,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Path]:
    """Write every recording of a session as `<worm>.nwb` and return the paths.

    Parameters
    ----------
    session : Session
    folder : path
        Created if absent.
    progress, cancel : callable, optional
        Files that were written before a cancel stay; each is complete.

    Raises
    ------
    MissingExtraError
        The extra `nwb` is not installed.
    InputError
        `folder` is a file.
    """
    check_extra()
    folder = output_folder(folder)
    recordings = list(session.recordings.items())
    stems = file_names(session.recordings)
    paths = []
    for number, (name, recording) in enumerate(recordings):
        check_cancel(cancel)
        report(progress, number / len(recordings), f"{name} as NWB")
        paths.append(write_recording(recording, folder / f"{stems[name]}.nwb"))
    return paths
