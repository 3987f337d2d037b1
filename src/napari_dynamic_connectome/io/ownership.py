"""Which files are ours to replace or remove: those that a marker beside them lists, unchanged since we wrote them.

The one rule for every writer, of folders of results and of single files that the caller names: a file that is there and is not
listed, or was changed since, belongs to the user; it is neither replaced (unless he says overwrite) nor removed. Of two that write
the same part of a folder at the same time, the second is refused.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..model.errors import InputError
from ..model.system import WINDOWS, lock_file, remove_file, unlock_file
from .atomic import writing

MARKER = ".dynamic-connectome.json"
LOCK = ".dynamic-connectome-{}.lock"


class OurFiles:
    """The files of a folder that this program wrote.

    Parameters
    ----------
    folder : str or Path
    owner : str
        Whose files they are (the identity of a session); a folder with files of another owner is refused.
    part : str
        Which of our writers this is ("tables", "figures"): several may write into one folder, and none removes what another one
        wrote.
    """

    def __init__(self, folder: str | Path, *, owner: str = "", part: str = "") -> None:
        self.folder = Path(folder)
        self.part = part
        held = read_marker(self.folder)
        self.about: dict[str, Any] = {k: v for k, v in held.items() if k not in ("files", "parts")}
        self.known, self.parts = _entries(held, "files"), _entries(held, "parts")
        self.handed: dict[str, Path] = {}
        self.gone: set[str] = set()
        before = str(self.about.get("owner", ""))
        if owner and before and before != owner and self.known:
            raise InputError(
                "the folder holds the results of another session",
                where=str(self.folder),
                fix="Choose another folder.",
            )
        if owner:
            self.about["owner"] = owner

    def path(self, name: str, *, overwrite: bool = False) -> Path:
        """Return the path of a file that is about to be written.

        Parameters
        ----------
        name : str
            Below the folder.
        overwrite : bool
            The user said that a file of his may be replaced.

        Raises
        ------
        InputError
            There is a file of this name that is not ours.
        """
        path = self.folder / name
        if not overwrite and not self.is_ours(name):
            why = "was changed since this program wrote it" if name in self.known else "was not written by this program"
            raise InputError(
                f"{name} is there already and {why}",
                where=str(path),
                fix="Move it away, or choose another place; it is not replaced.",
            )
        self.handed[name] = path
        return path

    def is_ours(self, name: str) -> bool:
        """True where nothing of the user's would be lost: there is no such file or folder, or it is just as we wrote it."""
        path = self.folder / name
        if not path.exists() and not path.is_symlink():
            return True
        return not path.is_symlink() and name in self.known and self.known[name] == _digest(path)

    def remove(self, name: str) -> bool:
        """Remove a file or folder if it is ours; return whether it is gone."""
        path = self.folder / name
        if not self.is_ours(name):
            return False
        if path.is_dir():
            shutil.rmtree(path)
        elif path.exists():
            remove_file(path)
        self.known.pop(name, None)
        self.gone.add(name)
        return True

    def remove_all(self) -> list[str]:
        """Remove all of our files and note that; return those that the user changed, which stay."""
        stay = [name for name in list(self.known) if not self.remove(name)]
        if self.folder.is_dir():
            self._note()
        return stay

    def finish(self, *, stale: bool = True) -> list[str]:
        """Note what was written, and remove older files of this part that were not written again.

        Parameters
        ----------
        stale : bool
            Whether files that were not written again are removed; False where only some of them were to be written.

        Returns
        -------
        list of str
            Files of an earlier time that were changed by the user and so stay.
        """
        stay = []
        for name in list(self.known):
            mine = self.parts.get(name, "") == self.part
            if stale and mine and name not in self.handed and not self.remove(name):
                stay.append(name)
        self._note()
        return stay

    def _note(self) -> None:
        """Write the marker; what another writer noted meanwhile stays."""
        written = {name: _digest(path) for name, path in self.handed.items() if path.exists()}
        with _alone(self.folder, "marker", wait=True):
            held = read_marker(self.folder)
            files, parts = _entries(held, "files"), _entries(held, "parts")
            for name in self.gone - set(self.handed):
                files.pop(name, None)
                parts.pop(name, None)
            files |= written
            parts |= dict.fromkeys(written, self.part)
            self.known, self.parts = files, parts
            named = {n: p for n, p in parts.items() if p}
            write_marker(self.folder, {**held, **self.about, "files": files, "parts": named})


@contextmanager
def our_files(folder: str | Path, *, owner: str = "", part: str = "") -> Iterator[OurFiles]:
    """Write files of a folder by the rule; what was finished before an error is noted, and nothing is removed then.

    Raises
    ------
    InputError
        The folder holds files of another owner, or another program, window or thread writes the same part of it now.
    """
    with _alone(Path(folder), part or "files") as free:
        if not free:
            raise InputError("another program is writing here", where=str(folder), fix="Wait until it is done.")
        mine = OurFiles(folder, owner=owner, part=part)
        try:
            yield mine
        except BaseException:
            if mine.handed and mine.folder.is_dir():
                with suppress(InputError, OSError):  # on a full disk: what is to be said is the first error
                    mine.finish(stale=False)
            raise
        mine.finish()


@contextmanager
def beside_others(folder: str | Path, names: Iterable[str], *, part: str = "") -> Iterator[OurFiles]:
    """Write some files into a folder that may hold others, by the rule; all are asked for before the first is written.

    What was finished before an error is noted, and nothing is removed.

    Parameters
    ----------
    folder : str or Path
    names : iterable of str
        Every file that will be written.
    part : str
        As in `OurFiles`.

    Raises
    ------
    InputError
        One of them is there and not ours.
    """
    mine = OurFiles(folder, part=part)
    for name in names:
        mine.path(name)
    try:
        yield mine
    finally:
        if mine.folder.is_dir():
            mine.finish(stale=False)


@contextmanager
def our_file(path: str | Path, *, overwrite: bool = False, part: str = "") -> Iterator[Path]:
    """Write one file that the caller named, by the rule; it is noted as ours when the block ends well.

    Parameters
    ----------
    path : str or Path
    overwrite : bool
        A file that this program did not write, or that was changed since, may be replaced.
    part : str
        As in `OurFiles`.

    Raises
    ------
    InputError
        There is such a file, and `overwrite` was not said.
    """
    path = Path(path)
    mine = OurFiles(path.parent, part=part)
    try:
        place = mine.path(path.name, overwrite=overwrite)
    except InputError as error:
        raise InputError(
            error.what,
            where=error.where,
            fix="Move it away, choose another place, or pass overwrite=True to replace it.",
        ) from error
    yield place
    mine.finish(stale=False)


@contextmanager
def _alone(folder: Path, what: str, *, wait: bool = False) -> Iterator[bool]:
    """Let one writer at a time do something with a folder; yields False where another one does it and is not waited for.

    The lock goes with its process. A folder that cannot be written, or a disk without locks, is for the writer to judge.
    """
    made = [p for p in (folder, *folder.parents) if not p.exists()]
    name, descriptor, free = folder / LOCK.format(what), -1, True
    with suppress(OSError, ValueError):
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(name, os.O_RDWR | os.O_CREAT, 0o644)
            with suppress(OSError):  # no locks on this disk
                free = lock_file(descriptor, wait=wait)
            with suppress(OSError):
                if not free or name.stat().st_ino == os.fstat(descriptor).st_ino:
                    break
            os.close(descriptor)  # the last one removed it while we waited
            descriptor = -1
    try:
        yield free
    finally:
        if descriptor >= 0:
            if free:
                with suppress(OSError):
                    name.unlink()
                with suppress(OSError):
                    unlock_file(descriptor)
            os.close(descriptor)
            if free and WINDOWS:  # there, what is open is not removed
                with suppress(OSError):
                    name.unlink()
        with suppress(OSError):  # nothing was written
            for one in made:
                one.rmdir()


def read_marker(folder: Path) -> dict[str, Any]:
    """Return what the marker of a folder says; empty if there is none."""
    try:
        held = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) and held.get("program") == "napari-dynamic-connectome" else {}


def write_marker(folder: Path, about: Mapping[str, Any]) -> None:
    """Mark a folder as one in which this program writes; made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"program": "napari-dynamic-connectome", **about}, indent=1, default=str)
    with writing(folder / MARKER) as temporary:
        temporary.write_text(text, encoding="utf-8")


def claim_folder(folder: str | Path, *, make: bool = True) -> Path:
    """Return a folder that is ours as a whole: new, empty, made by an earlier use, or holding nothing but files of ours.

    Parameters
    ----------
    folder : str or Path
    make : bool
        Make and mark it now; otherwise it is only checked.

    Raises
    ------
    InputError
        It is a file, or it holds things of others.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError("this is a file, not a folder", where=str(folder), fix="Choose another output folder.")
    locks = LOCK.format("*")
    held = sorted(p.name for p in folder.iterdir() if not p.match(locks)) if folder.is_dir() else []
    if held and not read_marker(folder).get("made"):
        ours = OurFiles(folder)
        held = [name for name in held if name != MARKER and not ours.is_ours(name)]
    else:
        held = []
    if held:
        shown = ", ".join(held[:3]) + (", ..." if len(held) > 3 else "")
        raise InputError(
            f"the folder is not empty, and no earlier run made it (it holds {shown})",
            where=str(folder),
            fix="Choose another output folder.",
        )
    if make:
        with _alone(folder, "marker", wait=True):
            marked = read_marker(folder)
            if not marked.get("made"):
                write_marker(folder, {**marked, "made": True})
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder if we made it as a whole; anything else stays."""
    if folder.is_dir() and not folder.is_symlink() and read_marker(folder).get("made"):
        shutil.rmtree(folder, ignore_errors=True)


def _entries(held: Mapping[str, Any], key: str) -> dict[str, str]:
    found = held.get(key)
    return {str(k): str(v) for k, v in found.items()} if isinstance(found, Mapping) else {}


def _digest(path: Path) -> str:
    """Of a file's content; of a folder's: the names of all files in it and their contents."""
    digest = hashlib.sha256()
    for one in sorted(p for p in path.rglob("*") if not p.is_dir()) if path.is_dir() else [path]:
        if path.is_dir():
            digest.update(
                f"{one.relative_to(path).as_posix()}\0{one.lstat().st_size}\0".encode("utf-8", "surrogateescape")
            )
        with one.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()
