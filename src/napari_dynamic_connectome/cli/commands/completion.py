"""The command `completion`: a script that lets a shell complete commands, options and their values."""

from __future__ import annotations

import argparse
from typing import Any

ORDER = 230
SHELLS = ("bash", "zsh", "tcsh")


def add(commands: Any) -> None:
    """Add the command to the parser."""
    completion = commands.add_parser("completion", help="print a script that completes commands and options in a shell")
    completion.add_argument("shell", choices=SHELLS)
    completion.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    import shtab

    parser = options.whole
    for one in [parser, *_subparsers(parser)]:
        for action in one._actions:
            if _takes_files(action):
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    print(shtab.complete(parser, options.shell))


def _subparsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += list(action.choices.values())
    return found


def _takes_files(action: argparse.Action) -> bool:
    """Whether a value is a path: every positional, and options that say so."""
    if isinstance(action, argparse._SubParsersAction) or action.choices is not None or action.nargs == 0:
        return False
    return not action.option_strings or action.metavar in ("FILE", "FOLDER", "CSV") or action.dest == "output"
