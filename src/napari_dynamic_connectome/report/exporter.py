"""Exporter: what a file of `report/exporters` says about itself, as a button or an option.

Each of these files has `ORDER` (its place in the list), `EXPORTER`, and of these functions those that apply:

* write(session, folder, *, progress, cancel, **options) -> list of Path: what the command and a button with a folder do;
* write_one(session, path, *, progress, cancel): what a button does where `EXPORTER.file` names one file;
* check(): raises before anything is asked or written where an extra is missing;
* checked(name, given) -> value: an option as the command gets it, as `write` takes it;
* refuse(session, **options): raises before anything is written where the command cannot do what is asked;
* nothing(session) -> str: what is said in place of writing where there is nothing to write.

What takes long to load is imported in functions: the command line loads every file of the folder to list its options.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Option:
    """An option of the command `export`.

    Parameters
    ----------
    name : str
    metavar, help : str
    kind : type
        What the text is turned into.
    many : bool
        It can be given several times.
    """

    name: str
    metavar: str
    help: str
    kind: type = str
    many: bool = False


@dataclass(frozen=True)
class Exporter:
    """One thing that is written for others.

    Parameters
    ----------
    title : str
        What is done ("Write tables"), over its progress.
    flag, help : str
        Option of the command `export`, and the folder it writes; "" if it has none.
    options : tuple of Option
        Further options of the command that need the flag.
    button, words, tip : str
        Button of the Export dock, what stands beside it, and what is shown over it; "" if it has none.
    asks : str
        Title of the dialog for the place.
    file, filters : str
        Name that the dialog offers, and what it shows, where one file is written and no folder.
    needs_results : bool
        There is nothing to write before the analysis.
    asks_about : bool
        The dock asks about the worms first (strain, age, session).
    """

    title: str
    flag: str = ""
    help: str = ""
    options: tuple[Option, ...] = ()
    button: str = ""
    words: str = ""
    tip: str = ""
    asks: str = ""
    file: str = ""
    filters: str = ""
    needs_results: bool = False
    asks_about: bool = False


def check(exporter: ModuleType) -> None:
    """Raise `MissingExtraError` where an exporter cannot work."""
    if hasattr(exporter, "check"):
        exporter.check()


def nothing(exporter: ModuleType, session: Any) -> str:
    """Return what is said in place of writing; "" where there is something to write."""
    return str(exporter.nothing(session)) if hasattr(exporter, "nothing") else ""
