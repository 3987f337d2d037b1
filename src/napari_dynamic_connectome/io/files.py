"""Common parts of all readers and writers: paths that exist, first bytes, library errors as ours, writing by rename."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..model.errors import DynamicConnectomeError, FormatError, InputError
from ..model.system import is_reserved
from . import limits
from .atomic import writing
from .format import ZIP
from .once import once

MAX_LINKS = 40
"""So many links may lead one to the next."""


def existing(path: str | Path) -> Path:
    """Return the path, or raise an `InputError` that says it is absent, empty or unreadable."""
    path = Path(path).expanduser()
    where = str(path)
    if "\0" in where:
        raise InputError("a path holds a zero byte", where=repr(where), fix="Correct the path.")
    try:
        there = path.exists()
    except OSError as error:
        raise InputError(
            f"this path cannot be used ({error.strerror})", where=where[:200], fix="Correct the path."
        ) from error
    if not there:
        raise InputError("there is no such file or folder", where=where, fix="Check the spelling and the folder.")
    if not is_plain(path):
        raise InputError(
            "this is neither a file nor a folder (a pipe, a device?)",
            where=where,
            fix="Give a file that can be read twice.",
        )
    if not os.access(path, os.R_OK):
        raise InputError("this cannot be read (no permission)", where=where, fix="Change the permissions of the file.")
    if path.is_file() and path.stat().st_size == 0:
        raise FormatError("the file is empty (0 bytes)", where=where, fix="Copy or export it again.")
    return path


def is_plain(path: str | Path) -> bool:
    """Whether a file or a folder lies there, and no pipe, socket or device, which can block for ever or be endless."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 (one call for both)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)


def is_network(path: str) -> bool:
    """Whether a path leads to another machine by its form: //server/share, and what Windows takes for it."""
    text = path.replace("\\", "/")
    return text.startswith(("//", "/??/")) and re.match(r"/[/?][?.]/[A-Za-z]:/", text) is None


def followed(path: str | Path) -> Path | None:
    """Return where a path leads, its links followed; None where that is another machine, or where links go round.

    Each link is read before it is followed: a place on another machine is not even looked at, because that sends the name of
    the user there.
    """
    if is_network(str(path)) or "\0" in str(path):
        return None
    first, *rest = Path(Path.cwd(), path).parts
    place, todo, links = Path(first), rest[::-1], 0
    while todo:
        part = todo.pop()
        if part == os.pardir:
            place = place.parent
            continue
        try:
            target = os.readlink(place / part)  # noqa: PTH115 (a text: it may name another machine)
        except (OSError, ValueError):  # no link, or nothing there
            place = place / part
            continue
        links += 1
        if links > MAX_LINKS or is_network(target):
            return None
        parts = Path(target).parts
        if Path(target).is_absolute():
            place, parts = Path(parts[0]), parts[1:]
        todo += parts[::-1]
    return place


def files_below(folder: Path) -> Iterator[str]:
    """Yield the paths of all files below a folder, relative to it, in no order; links to folders are not entered.

    Links that lead nowhere are left out: what they stand for is not there.

    Raises
    ------
    FormatError
        There is a pipe, a socket or a device among them, which can block for ever or be endless.
    """
    todo = [""]
    while todo:
        here = todo.pop()
        with os.scandir(folder / here) as entries:
            for entry in entries:
                name = f"{here}{entry.name}"
                if entry.is_file():
                    yield name
                elif entry.is_dir():
                    if not entry.is_symlink():
                        todo.append(f"{name}/")
                elif not entry.is_symlink() or Path(entry.path).exists():
                    raise FormatError(
                        "this is neither a file nor a folder (a pipe, a device?)",
                        where=str(folder / name),
                        fix="Remove it, or copy the folder again.",
                    )


def matching(pattern: str | Path) -> list[Path]:
    """Return the paths that fit a pattern, sorted; only * and ? stand for others, [1] in a name is a name."""
    return sorted(Path(p) for p in glob.glob(str(pattern).replace("[", "[[]")))  # noqa: PTH207 (absolute patterns)


def head(path: Path, n_bytes: int = 1024) -> bytes:
    """Return the first bytes of a file."""
    if n_bytes <= START:
        return _first_look(path)[0][:n_bytes]
    with path.open("rb") as stream:
        return stream.read(n_bytes)


START = 1 << 16
"""Bytes that are enough to tell what a file is."""


@once
def _first_look(path: str | Path) -> tuple[bytes, list[str] | Exception]:
    """Read the first bytes and, of a zip archive, the names of its members (or why they cannot be read)."""
    import zipfile

    with Path(path).open("rb") as stream:
        start = stream.read(START)
        if not start.startswith(ZIP) or not zipfile.is_zipfile(stream):
            return start, []
        try:
            return start, zipfile.ZipFile(stream).namelist()[: limits.MAX_MEMBERS]
        except Exception as error:
            return start, error


def members(path: str | Path) -> list[str]:
    """Return the names of the members of a zip archive, at most `limits.MAX_MEMBERS`; of anything else none.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    FormatError
        The archive is damaged.
    """
    names = _first_look(path)[1]
    if isinstance(names, Exception):
        with reading(path, "zip archive"):
            raise names
    return names


@contextmanager
def reading(where: str | Path, what: str) -> Iterator[None]:
    """Turn whatever a library raises on a damaged file into one `FormatError`.

    Parameters
    ----------
    where : str or Path
        The file.
    what : str
        Its format ("TIFF file").
    """
    try:
        yield
    except (DynamicConnectomeError, KeyboardInterrupt, SystemExit):
        raise
    except MemoryError as error:
        raise FormatError(
            f"this {what} needs more memory than there is",
            where=str(where),
            fix="Close other programs, or use a smaller file.",
        ) from error
    except Exception as error:
        raise FormatError(
            f"this {what} cannot be read ({summary(error)})",
            where=str(where),
            fix="It may be damaged or cut off; copy or export it again.",
        ) from error


def summary(error: BaseException) -> str:
    """Return the first line of an exception's message, shortened."""
    text = str(error).strip().splitlines()
    line = text[0].strip() if text else ""
    return (line[:157] + "...") if len(line) > 160 else (line or type(error).__name__)


@contextmanager
def atomic_file(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes its place only if the block ends well."""
    path = Path(path).expanduser()
    if path.is_dir():
        raise InputError("this is a folder", where=str(path), fix="Give the name of a file.")
    with writing(path) as temporary:
        yield temporary


def output_folder(path: str | Path, *, make: bool = True) -> Path:
    """Return the path of a folder for output, made if it is not there; a file in its place is refused."""
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise InputError("this is a file, not a folder", where=str(path), fix="Choose another output folder.")
    if make:
        path.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def atomic_folder(path: str | Path, *, overwrite: bool = False, marker: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it takes its place only if the block ends well.

    Parameters
    ----------
    path : str or Path
    overwrite : bool
        Replace a folder that holds one of the `marker` files; anything else is never replaced.
    marker : tuple of str
    """
    path = Path(path).expanduser()
    if path.exists() and not (overwrite and any((path / name).is_file() for name in marker)):
        raise InputError("there is something already", where=str(path), fix="Choose another name.")
    with writing(path) as temporary:
        yield temporary


def inside(folder: Path, relative: str, where: str) -> Path:
    """Return `folder / relative`, or raise `FormatError` if that lies outside the folder."""
    if "\0" in relative:
        raise FormatError(
            f"{relative[:100]!r} inside the file is no path",
            where=where,
            fix="It may be damaged or cut off; copy or export it again.",
        )
    target = (folder / relative).resolve()
    if Path(relative).is_absolute() or not target.is_relative_to(folder.resolve()):
        raise FormatError(
            f"the path '{relative[:100]}' inside the file leads out of its folder",
            where=where,
            fix="Such a file can read what it should not; get it from a source you trust.",
        )
    return target


def safe_file_name(name: str) -> str:
    """Return a file name made from any text: letters, digits, dot, dash and underscore only."""
    kept = (
        "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in str(name)).strip(".")[:100]
        or "unnamed"
    )
    return f"_{kept}" if is_reserved(kept) else kept


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Return a safe file name for each of some names, no two alike, also where capitals do not count."""
    found: dict[str, str] = {}
    for name in names:
        stem, number, taken = safe_file_name(name), 2, {one.lower() for one in found.values()}
        unique = stem
        while unique.lower() in taken:
            unique, number = f"{stem}_{number}", number + 1
        found[str(name)] = unique
    return found
