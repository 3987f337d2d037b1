"""The command `export`: files for other programs, from a session."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model.text import counted
from ..outputs import print_older
from ..progress import progress_bar
from ..sessions import opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...session.session import Session

ORDER = 60
KINDS = {
    "tables": "CSV of traces, neurons and results, with a data dictionary",
    "graphml": "a graph for each component",
    "figures": "SVG and PNG",
    "nwb": "an NWB file for each worm (extra nwb)",
    "collection": "all worms as one Parquet file in the layout of the homogenized collection (extra parquet)",
    "labels": "labels with the neurons' names as OME-Zarr",
}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    export = commands.add_parser("export", help="write tables, graphs, figures, NWB or labels of a session")
    export.add_argument("session", help="session.zarr, or the output folder of a run")
    export.add_argument("-o", "--output", metavar="FOLDER", help="(default: the folder that holds the session)")
    for kind, words in KINDS.items():
        export.add_argument(f"--{kind}", action="store_true", help=words)
    export.add_argument(
        "--about",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="with --nwb, of all worms: strain, genotype, sex, age, session_start, experimenter, lab or institution; "
        "repeatable; otherwise the worms' attributes of these names are written",
    )
    export.add_argument("--component", type=int, metavar="N", help="with --graphml: only this component")
    export.set_defaults(action=execute, beside_session=True)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...model.errors import InputError

    chosen = [kind for kind in KINDS if getattr(options, kind)]
    if not chosen:
        raise InputError(
            "nothing was asked for", where="export", fix=f"Give one or more of {', '.join('--' + k for k in KINDS)}."
        )
    if options.component is not None and "graphml" not in chosen:
        raise InputError("--component needs --graphml")
    if "nwb" in chosen:
        from ...io.formats.nwb_write import check_extra

        check_extra()  # said before anything is written
    if "collection" in chosen:
        from ...io.formats.parquet import load_pyarrow

        load_pyarrow()
    about = _about(options.about, "nwb" in chosen)
    session, path = opened(options.session)
    if "graphml" in chosen:
        _components(session, options.component)
    output = Path(options.output) if options.output else path.parent
    writers: dict[str, Callable[[Session, Path, Any], list[Path]]] = {
        "tables": _tables,
        "graphml": lambda s, folder, p: _graphs(s, folder, options.component),
        "figures": _figures,
        "nwb": lambda s, folder, p: _nwb(s, folder, p, about),
        "collection": _collection,
        "labels": _labels,
    }
    for kind in chosen:
        with progress_bar(kind) as progress:
            written = writers[kind](session, output / kind, progress)
        if written:
            print(f"wrote {output / kind}: {counted(len(written), 'file')}")
        else:
            print(f"{kind}: the session holds none")
    print_older(session)


def _components(session: Session, asked: int | None) -> list[int]:
    from ...model.errors import InputError

    held = session.components
    if held is None or not held.rank:
        raise InputError("the session holds no component", fix="Run the analysis first.")
    numbers = [int(n) for n in held.weight["component"].values]
    if asked is not None and asked not in numbers:
        raise InputError(f"there is no component {asked}", where="--component", fix=f"Known: 1 to {held.rank}.")
    return numbers if asked is None else [asked]


def _tables(session: Session, folder: Path, progress: Any) -> list[Path]:
    from ...report.tables import write_tables

    return write_tables(session, folder, progress=progress)


def _graphs(session: Session, folder: Path, component: int | None) -> list[Path]:
    from ...io.ownership import our_files
    from ...report.graphml import write_session_graph

    with our_files(folder, owner=session.uid, part="graphs") as mine:
        return [
            write_session_graph(session, mine.path(f"component{number}.graphml"), number)
            for number in _components(session, component)
        ]


def _figures(session: Session, folder: Path, progress: Any) -> list[Path]:
    from ...report.html import write_figures

    return write_figures(session, folder, progress=progress)


def _about(given: list[str], wanted: bool) -> dict[str, str]:
    """What is said of all worms, checked before anything is read."""
    from ...model.errors import InputError

    if not given:
        return {}
    if not wanted:
        raise InputError("--about needs --nwb")
    from ...io.formats.nwb_about import checked_about

    pairs = [one.partition("=") for one in given]
    wrong = next((one for one, (name, sign, _) in zip(given, pairs, strict=True) if not (name and sign)), None)
    if wrong is not None:
        raise InputError(f"'{wrong}' is not NAME=VALUE", where="--about", fix="For example: --about strain=OH16230.")
    about = {name.strip(): value for name, _, value in pairs}
    checked_about(about, "--about")
    return about


def _nwb(session: Session, folder: Path, progress: Any, about: dict[str, str]) -> list[Path]:
    from ...report.nwb import write_nwb_files

    return write_nwb_files(session, folder, about=about, progress=progress)


def _collection(session: Session, folder: Path, progress: Any) -> list[Path]:
    from ...report.collection import write_session_collection

    return write_session_collection(session, folder, progress=progress)


def _labels(session: Session, folder: Path, progress: Any) -> list[Path]:
    from ...report.labels import write_label_files

    return write_label_files(session, folder, progress=progress)
