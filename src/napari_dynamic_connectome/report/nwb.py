"""NWB files of a session, one for every recording, named after the worm."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..io.files import file_names, output_folder
from ..io.formats.nwb_about import checked_about
from ..io.formats.nwb_write import check_extra, write_recording
from ..io.ownership import our_files
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..session.freshness import freshness, joined
from ..session.session import Session


def write_nwb_files(
    session: Session,
    folder: str | Path,
    *,
    about: Mapping[str, str] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Path]:
    """Write every recording of a session as `<worm>.nwb` and return the paths.

    Parameters
    ----------
    session : Session
    folder : path
        Created if absent. NWB files of these names are replaced only if this program wrote them and nobody changed them.
    about : mapping of str to str, optional
        What is known of all worms and sessions (strain, session_start, ...; see `io.formats.nwb_about.ABOUT`); where it is not
        said, the attributes of each worm are taken.
    progress, cancel : callable, optional
        Files that were written before a cancel stay; each is complete.

    Raises
    ------
    MissingExtraError
        The extra `nwb` is not installed.
    InputError
        `folder` is a file, or a file of one of these names is not ours.
    """
    check_extra()
    checked_about(about or {}, "NWB")
    folder = output_folder(folder)
    recordings = list(session.recordings.items())
    stems = file_names(session.recordings)
    paths = []
    older = freshness(session).traces
    with our_files(folder, owner=session.uid, part="nwb") as mine:
        targets = [
            mine.path(f"{stems[name]}.nwb") for name, _ in recordings
        ]  # all are looked at before the first is written
        for number, ((name, recording), target) in enumerate(zip(recordings, targets, strict=True)):
            check_cancel(cancel)
            report(progress, number / len(recordings), f"{name} as NWB")
            changes = [c.text for c in older if c.worm == name]
            notes = f"Not up to date: traces are older than {joined(changes)}." if changes else ""
            paths.append(write_recording(recording, target, notes=notes, about=about))
    return paths
