"""The session that an earlier run left in an output folder: taken on with what was corrected in it, never wiped.

A run works on the session that lies there: it takes its lock, does the edits of a crashed window, keeps identity and history, and
puts corrections onto recordings that it reads again. A session that no run made is not replaced unless the user says so, and then
a copy of it stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from ..io.ownership import MARKER, OurFiles
from ..model.errors import DynamicConnectomeError, InputError
from ..session.journal import Journal
from ..session.save_load import load_session, read_revision
from ..session.session import Session


@contextmanager
def held_session(target: Path, *, replace: bool = False, take_over: bool = False) -> Iterator[Session]:
    """Give the session at `target`, or a new one, locked for this run.

    Parameters
    ----------
    target : Path
        Where the session lies or will lie.
    replace : bool
        The user said that a session which no run made may be replaced; a backup is made.
    take_over : bool
        The user said that the lock of a machine that shows no sign of life may be taken.

    Raises
    ------
    InputError
        Another window or run has it open; it cannot be read; it was not made by a run. Nothing has been computed yet.
    """
    before = read_revision(target)
    session = _found(target, replace)
    with held_by_us(session, target, before, take_over=take_over):
        yield session


@contextmanager
def held_by_us(session: Session, target: Path, revision: str, *, take_over: bool = False) -> Iterator[None]:
    """Lock a session that was read, and do again what a crashed window edited in it.

    Parameters
    ----------
    session : Session
    target : Path
        Where it lies or will lie.
    revision : str
        What lay there when it was read.
    take_over : bool
        As in `held_session`.

    Raises
    ------
    InputError
        Another window or run has it open, or saved it since.
    """
    journal = Journal.attach(session, take_over=take_over)
    try:
        if journal.read_only:
            fix = "Close it there, or choose another output folder."
            if journal.can_take_over:
                fix = "If that program is gone, take its lock over (--take-over); else choose another output folder."
            raise InputError(
                f"the session is open in another window or run ({journal.owner})", where=str(target), fix=fix
            )
        if read_revision(target) != revision:
            raise InputError(
                "another run saved the session in this moment",
                where=str(target),
                fix="Run the same command again: it goes on from there.",
            )
        if journal.pending:
            refused = journal.recover()
            if refused:
                back_up(target)
        yield
    finally:
        journal.close()


def _found(target: Path, replace: bool) -> Session:
    """Return the session that lies at a path, or a new one; what may not be replaced is refused."""
    session = Session()
    if target.exists():
        try:
            session = load_session(target)
        except DynamicConnectomeError as error:
            if not replace:
                raise InputError(
                    f"the session of an earlier run cannot be read ({error})",
                    where=str(target),
                    fix="Repair or move it away, or replace it (--replace): a backup is made.",
                ) from error
            back_up(target)
        else:
            if "stages" not in session.provenance:
                if not replace:
                    raise InputError(
                        "a session lies here that no run made; it is not replaced",
                        where=str(target),
                        fix="Choose another output folder, or replace it (--replace): a backup is made.",
                    )
                back_up(target)
                session = Session()
    if not session.path:
        session.path = str(target)  # its lock and journal lie there from the beginning
    return session


RESULTS = ("tables", "figures", "screenshots")
"""Folders of what is written about a session, in the folder that holds it."""
REPORT = "report.html"


def withdraw(output: Path) -> list[str]:
    """Remove what an earlier run wrote about results that are about to be made again.

    Parameters
    ----------
    output : Path
        Folder of the results.

    Returns
    -------
    list of str
        Files that were changed since and so stay.
    """
    stay = [
        f"{folder}/{name}"
        for folder in RESULTS
        if (output / folder / MARKER).is_file()
        for name in OurFiles(output / folder).remove_all()
    ]
    mine = OurFiles(output)
    if REPORT in mine.known:
        if mine.remove(REPORT):
            mine.finish(stale=False)
        else:
            stay.append(REPORT)
    return stay


def older_files(output: Path, session: Session) -> list[str]:
    """Return files of the results' folder that are older than the results of a session, and that no run writes again.

    Those of other commands (baselines, states) and those that were changed by hand; nothing is removed.
    """
    made = session.made.get("when")
    if not made:
        return []
    when = datetime.fromisoformat(str(made)).timestamp()
    return sorted(
        path.relative_to(output).as_posix()
        for folder in RESULTS
        for path in (output / folder).rglob("*")
        if path.is_file() and path.name != MARKER and path.stat().st_mtime < when
    )


def back_up(target: Path) -> Path:
    """Copy what lies at a path to a new name beside it, and return that name."""
    when = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for number in range(1000):
        copy = target.with_name(f"{target.stem}-backup-{when}{f'-{number}' if number else ''}{target.suffix}")
        if not copy.exists():
            break
    if target.is_dir():
        shutil.copytree(target, copy)
    else:
        shutil.copy2(target, copy)
    return copy
