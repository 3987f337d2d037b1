"""Components as graphs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model.errors import InputError
from ..exporter import Exporter, Option

if TYPE_CHECKING:
    from ...session.session import Session

ORDER = 40
EXPORTER = Exporter(
    title="Write graph",
    flag="graphml",
    help="a graph for each component",
    options=(Option("component", "N", "with --graphml: only this component", kind=int),),
    button="Graph…",
    words="GraphML of the component",
    tip="GraphML: the chosen component's pairs, with names, classes, positions, and communities of every kind and level.",
    asks="Save the graph",
    file="component.graphml",
    filters="GraphML (*.graphml)",
    needs_results=True,
)


def nothing(session: Session) -> str:
    """Say that there is no component."""
    found = session.components
    return (
        "" if found is None or found.rank else "There is no component to write: no structure beyond chance was found."
    )


def refuse(session: Session, *, component: int | None = None) -> None:
    """Raise if there is no component, or not this one."""
    _components(session, component)


def write(session: Session, folder: Path, *, component: int | None = None, **how: Any) -> list[Path]:
    """Write a graph for each component, or for one."""
    from ...io.ownership import our_files
    from ..graphml import write_session_graph

    numbers = _components(session, component)
    with our_files(folder, owner=session.uid, part="graphs") as mine:
        return [write_session_graph(session, mine.path(f"component{n}.graphml"), n) for n in numbers]


def write_one(session: Session, path: Path, **how: Any) -> None:
    """Write the chosen component."""
    from ..graphml import write_session_graph

    write_session_graph(session, path, overwrite=True)  # the dialog has asked


def _components(session: Session, asked: int | None) -> list[int]:
    held = session.components
    if held is None or not held.rank:
        raise InputError("the session holds no component", fix="Run the analysis first.")
    numbers = [int(n) for n in held.weight["component"].values]
    if asked is not None and asked not in numbers:
        raise InputError(f"there is no component {asked}", where="--component", fix=f"Known: 1 to {held.rank}.")
    return numbers if asked is None else [asked]
