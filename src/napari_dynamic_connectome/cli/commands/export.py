"""The command `export`: files for other programs, from a session."""

from __future__ import annotations

import argparse
from pathlib import Path
from types import ModuleType
from typing import Any

from ...model.errors import InputError
from ...model.text import counted
from ..outputs import print_older
from ..progress import progress_bar
from ..sessions import opened

ORDER = 60


def _exporters() -> dict[str, ModuleType]:
    """Exporters that are options, by the option."""
    from ...report.exporters import all_exporters

    return {one.EXPORTER.flag: one for one in all_exporters().values() if one.EXPORTER.flag}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    export = commands.add_parser("export", help="write tables, graphs, figures, NWB or labels of a session")
    export.add_argument("session", help="session.zarr, or the output folder of a run")
    export.add_argument("-o", "--output", metavar="FOLDER", help="(default: the folder that holds the session)")
    known = _exporters()
    for flag, one in known.items():
        export.add_argument(f"--{flag}", action="store_true", help=one.EXPORTER.help)
    for option in (option for one in known.values() for option in one.EXPORTER.options):
        how: dict[str, Any] = {"action": "append", "default": []} if option.many else {}
        export.add_argument(
            f"--{option.name}", dest=option.name, type=option.kind, metavar=option.metavar, help=option.help, **how
        )
    export.set_defaults(action=execute, beside_session=True)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...report.exporter import check

    known = _exporters()
    chosen = {flag: one for flag, one in known.items() if getattr(options, flag)}
    if not chosen:
        raise InputError(
            "nothing was asked for", where="export", fix=f"Give one or more of {', '.join('--' + k for k in known)}."
        )
    for flag, one in known.items():
        for option in one.EXPORTER.options:
            if getattr(options, option.name) not in (None, []) and flag not in chosen:
                raise InputError(f"--{option.name} needs --{flag}")
    for one in chosen.values():
        check(one)  # said before anything is written
    given = {flag: _given(one, options) for flag, one in chosen.items()}
    session, path = opened(options.session)
    for flag, one in chosen.items():
        if hasattr(one, "refuse"):
            one.refuse(session, **given[flag])
    output = Path(options.output) if options.output else path.parent
    for flag, one in chosen.items():
        with progress_bar(flag) as progress:
            written = one.write(session, output / flag, progress=progress, **given[flag])
        if written:
            print(f"wrote {output / flag}: {counted(len(written), 'file')}")
        else:
            print(f"{flag}: the session holds none")
    print_older(session)


def _given(exporter: ModuleType, options: argparse.Namespace) -> dict[str, Any]:
    """Options that were given, as the exporter takes them, checked before anything is read."""
    found = {option.name: getattr(options, option.name) for option in exporter.EXPORTER.options}
    found = {name: value for name, value in found.items() if value not in (None, [])}
    return {name: exporter.checked(name, v) if hasattr(exporter, "checked") else v for name, v in found.items()}
