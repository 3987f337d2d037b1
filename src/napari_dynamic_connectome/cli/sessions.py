"""What commands on a finished session share: opening it, and the options that name connectomes."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..comparison.settings import StructureSettings
    from ..model.cohort import Cohort
    from ..session.session import Session


def opened(text: str) -> tuple[Session, Path]:
    """Open a session, or that of the output folder of a run; return it and its path."""
    from ..pipeline.run import SESSION_NAME
    from ..session.save_load import load_session

    path = Path(text)
    if path.is_dir() and (path / SESSION_NAME).exists():
        path = path / SESSION_NAME
    return load_session(path), path


def place_for(session: Session, path: Path, output: str | None) -> Path:
    """Return the folder that output goes to: that of the session, or another one, which then holds a copy of the session.

    Nothing is written; a folder that is not ours, or that holds another session, is refused.
    """
    from ..io.ownership import claim_folder
    from ..model.errors import InputError
    from ..pipeline.run import SESSION_NAME
    from ..session.save_load import load_session

    if not output:
        return path.parent
    folder = Path(output)
    claim_folder(folder, make=False)
    held = folder / SESSION_NAME
    if held.exists() and held.resolve() != path.resolve() and load_session(held).uid != session.uid:
        raise InputError(
            "the folder holds another session", where=str(folder), fix="Choose another folder for this report."
        )
    return folder


@contextmanager
def kept_in_session(text: str, output: str | None, *, take_over: bool = False) -> Iterator[tuple[Session, Cohort]]:
    """Open a session to which a command adds a result; when the block ends, session, tables, figures and report are written.

    Refused before any work: a session without recordings, one that is open in another window, a folder that is not ours. The
    session stays locked until everything is written; edits of a crashed window are taken in.

    Parameters
    ----------
    text : str
        The session, or the folder that holds it.
    output : str or None
        Folder of a copy to which the result is added instead.
    take_over : bool
        Take the lock of a machine that shows no sign of life.

    Yields
    ------
    session : Session
    cohort : Cohort
        That of its analysis, else of the worms that take part.
    """
    from ..comparison.sources import read_networks
    from ..io.ownership import OurFiles, claim_folder
    from ..model.cohort import Cohort
    from ..model.errors import InputError
    from ..pipeline.earlier import held_by_us
    from ..pipeline.run import SESSION_NAME
    from ..session.lock import busy_elsewhere, is_silent
    from ..session.save_load import read_revision, save_session
    from .outputs import write_outputs

    session, path = opened(text)
    if not session.recordings:
        raise InputError("the session holds no recording", where=str(path), fix="Run the pipeline first.")
    folder = place_for(session, path, output)
    target = folder / SESSION_NAME if output else path
    revision = session.revisions[-1] if session.revisions else read_revision(path)
    OurFiles(folder).path("report.html")
    copy = OurFiles(folder, part="session") if target.resolve() != path.resolve() else None
    with ExitStack() as held:
        if copy is None:
            held.enter_context(held_by_us(session, target, revision, take_over=take_over))
        else:
            other = busy_elsewhere(target) if target.exists() else ""
            if other and not (take_over and is_silent(target)):
                raise InputError(
                    f"the session is open in another window or run ({other})",
                    where=str(target),
                    fix="If that program is gone, take its lock over (--take-over); else choose another output folder."
                    if is_silent(target)
                    else "Close it there, or choose another output folder.",
                )
            copy.path(SESSION_NAME)
        comparison = comparison_of_run(session)
        networks = read_networks(comparison) if comparison.wanted else []
        worms = [r for name, r in session.recordings.items() if name not in session.left_out]
        yield session, session.cohort or Cohort(worms)
        if output:
            claim_folder(folder)
        # a copy that an earlier command made here and nobody changed since may be replaced
        unsaved = target.with_name(f"{target.name}.journal").exists()
        save_session(session, target, overwrite=copy is not None and not unsaved)
        if copy is not None:
            copy.finish(stale=False)
        title = str(session.settings.get("title", "Dynamic functional connectome"))
        write_outputs(session, folder, screenshot=False, title=title, comparison=comparison, networks=networks)


def report_of(session: Session, output: str | None) -> Path:
    """Return where the report of a session lies, or that of its copy in another folder."""
    return (Path(output) if output else Path(str(session.path)).parent) / "report.html"


def add_layout(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what columns and rows of a connectome are."""
    from ..io.choice import ROWS

    parser.add_argument(
        "--weight", metavar="COLUMN", help="that holds the weights of connectomes whose columns do not tell which it is"
    )
    parser.add_argument(
        "--rows",
        choices=ROWS,
        help="of connectomes that are matrices: rows are presynaptic, postsynaptic, or of what has no direction",
    )


def add_networks(parser: argparse.ArgumentParser) -> None:
    """Add the options that name connectomes and other networks."""
    parser.add_argument(
        "--connectome",
        action="append",
        metavar="FILE",
        help="CSV or GraphML with pre, post, type, synapses, or cect:NAME (package cect); repeatable, for several adults",
    )
    add_layout(parser)
    parser.add_argument(
        "--propagation",
        metavar="FILE",
        help="atlas of signal propagation: npz, or CSV (stimulated, responder, response, q)",
    )
    parser.add_argument("--positions", metavar="FILE", help="CSV with name, x_um, y_um, z_um of cell bodies")
    parser.add_argument(
        "--set", action="append", default=[], metavar="comparison.FIELD=VALUE", help="a setting; repeatable"
    )


def comparison_of_run(session: Session) -> StructureSettings:
    """Settings of the comparison in the session's run."""
    from ..comparison.settings import StructureSettings
    from ..pipeline.settings import absolute, with_paths

    held: Any = session.settings.get("comparison")
    known = StructureSettings.parse(held if isinstance(held, dict) else {}, where="comparison")
    if not session.path:
        return known
    folder = Path(session.path).resolve().parent  # paths of a run are relative to its output folder
    return with_paths(known, lambda text: absolute(text, folder))


def comparison_of(options: argparse.Namespace, session: Session) -> StructureSettings:
    """Settings of the comparison: those of the session's run, and what the command line says instead."""
    from ..comparison.settings import StructureSettings
    from ..model.errors import InputError
    from ..pipeline.toml import parse_overrides

    values = comparison_of_run(session).model_dump()
    overrides = parse_overrides(options.set)
    unknown = set(overrides) - {"comparison"}
    if unknown:
        raise InputError(
            f"'{sorted(unknown)[0]}' is not a table here", where="--set", fix="Use comparison.FIELD=VALUE."
        )
    values |= dict(overrides.get("comparison", {}))
    for name in ("connectome", "weight", "rows", "propagation", "positions"):
        if getattr(options, name):
            given = getattr(options, name)
            values[name] = tuple(given) if name == "connectome" else given
    return StructureSettings.parse(values, where="comparison")
