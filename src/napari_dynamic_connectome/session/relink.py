"""Images that a session refers to: kept by relative path, size and hash; noticed when moved or changed; found again.

A session holds no voxels. It says where the volume and the labels of each recording are, seen from the session's own folder, so
that both can be moved or copied together; and how large they were and what a sample of them hashed to when they were first
used.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeGuard

from ..io.files import followed, is_plain
from ..io.fingerprint import fingerprint
from ..model.errors import FormatError, InputError
from ..model.progress import CancelCallback, check_cancel
from ..model.recording import Recording, VolumeReference
from .session import Session

Which = Literal["volume", "labels"]
MAX_SEARCHED = 200_000
MAX_ENTRIES = 2_000_000


@dataclass(frozen=True)
class ReferenceProblem:
    """An image that is not as the session knows it.

    Parameters
    ----------
    recording : str
    which : {"volume", "labels"}
    path : str
        Where it should be.
    problem : {"missing", "changed"}
    """

    recording: str
    which: Which
    path: str
    problem: Literal["missing", "changed"]

    def __str__(self) -> str:
        words = "is not there" if self.problem == "missing" else "changed since it was used"
        return f"{self.recording}: the {self.which} {self.path} {words}"


def check_references(session: Session, *, cancel: CancelCallback | None = None) -> list[ReferenceProblem]:
    """Return which images are missing or changed; empty if all are as they were.

    Parameters
    ----------
    session : Session
    cancel : callable, optional

    Returns
    -------
    list of ReferenceProblem
    """
    problems = []
    for name, recording in session.recordings.items():
        for which in _kinds():
            reference: VolumeReference | None = getattr(recording, which)
            if reference is None:
                continue
            check_cancel(cancel)
            known = session.references.get(f"{name}/{which}")
            if not is_plain(reference.path):
                problems.append(ReferenceProblem(name, which, reference.path, "missing"))
            elif known and _stamp(reference.path) != _without_path(known):
                problems.append(ReferenceProblem(name, which, reference.path, "changed"))
    return problems


def checked_place(
    session: Session, recording: str, which: Which, path: str | Path, *, accept_changed: bool = False
) -> dict[str, Any]:
    """Look at an image that is to take the place of a recording's, without changing anything; this reads from the disk.

    Parameters
    ----------
    session : Session
    recording : str
    which : {"volume", "labels"}
    path : path
    accept_changed : bool
        Take it although its size or hash differ from the one the traces came from.

    Returns
    -------
    dict
        What `relink` needs: path, size and hash.

    Raises
    ------
    InputError
        No such recording, no image there, or another image than the one that was used.
    """
    _reference(session, recording, which)
    place = Path(path).absolute()
    if not is_plain(place):
        raise InputError("there is no such file or folder", where=str(place))
    stamp = _stamp(place)
    known = session.references.get(f"{recording}/{which}")
    if known and stamp != _without_path(known) and not accept_changed:
        raise InputError(
            "this is another image than the one that was used (its size or hash differ)",
            where=str(place),
            fix="Choose the right one, or accept the change.",
        )
    return stamp | {"path": str(place)}


def relink(
    session: Session,
    recording: str,
    which: Which,
    path: str | Path,
    *,
    accept_changed: bool = False,
    checked: Mapping[str, Any] | None = None,
) -> None:
    """Say where an image is now.

    Parameters
    ----------
    session : Session
    recording : str
    which : {"volume", "labels"}
    path : path
    accept_changed : bool
        Take it although its size or hash differ from the one the traces came from.
    checked : mapping, optional
        What `checked_place` found there (in another thread, say): the image is not read again.

    Raises
    ------
    InputError
        No such recording, no image there, or another image than the one that was used.
    """
    stamp = dict(checked or checked_place(session, recording, which, path, accept_changed=accept_changed))
    current, reference = _reference(session, recording, which)
    session.add(
        current.replace(**{which: replace(reference, path=stamp["path"])}),
        replace=True,
        make_current=False,
    )
    session.references[f"{recording}/{which}"] = stamp


def _reference(session: Session, recording: str, which: Which) -> tuple[Recording, VolumeReference]:
    current = session.recordings.get(recording)
    reference: VolumeReference | None = getattr(current, which, None)
    if current is None or reference is None:
        raise InputError(f"there is no {which} of '{recording}' to find again")
    return current, reference


def find_moved(
    problem: ReferenceProblem, session: Session, folder: str | Path, *, cancel: CancelCallback | None = None
) -> Path | None:
    """Look for a missing image below a folder: same name, same size and hash.

    Parameters
    ----------
    problem : ReferenceProblem
    session : Session
    folder : path
    cancel : callable, optional

    Returns
    -------
    pathlib.Path or None
        None if it is not there, or more than 200,000 entries would have to be looked at.
    """
    known = session.references.get(f"{problem.recording}/{problem.which}")
    place = Path(problem.path)
    # labels may lie inside an image's folder: that is what was moved
    outer = next((p for p in reversed(place.parents) if p.suffix == ".zarr"), place)
    name, inner, seen = outer.name, place.relative_to(outer), 0
    for here, folders, files in os.walk(folder):
        check_cancel(cancel)
        seen += len(folders) + len(files)
        if seen > MAX_SEARCHED:
            return None
        if name in folders or name in files:
            place = Path(here) / name / inner
            if place.exists() and (not known or _stamp(place) == _without_path(known)):
                return place
        # the chunks inside a zarr image are no images
        folders[:] = [f for f in folders if not f.endswith(".zarr")]
    return None


def encode_reference(
    session: Session, recording: Recording, which: str, base: Path, encode: Callable[[Any], Any]
) -> dict[str, Any] | None:
    """Return the JSON of a reference: path relative to `base`, absolute path as a hint, size and hash."""
    reference: VolumeReference | None = getattr(recording, which)
    if reference is None:
        return None
    key, place = f"{recording.name}/{which}", Path(reference.path).absolute()
    known = session.references.get(key)
    if known is None or (known.get("path") != str(place) and place.exists()):
        known = _stamp(place) | {"path": str(place)} if place.exists() else None
        if known is not None:
            session.references[key] = known
    try:
        path = Path(os.path.relpath(place, base)).as_posix()
    except ValueError:  # another drive
        path = place.as_posix()
    stamp = None if known is None else _without_path(known)
    data: dict[str, Any] = encode(asdict(reference)) | {
        "path": path,
        "absolute": place.as_posix(),
        "fingerprint": encode(stamp),
    }
    return data


def decode_reference(
    session: Session, recording: str, which: str, data: Any, base: Path, decode: Callable[[Any], Any]
) -> VolumeReference | None:
    """Inverse of `encode_reference`; the path is absolute and exists, unless the image is missing."""
    if data is None:
        return None
    values = decode(data)
    if not isinstance(values, dict) or not _is_path(values.get("path")):
        raise FormatError(f"the reference to the {which} of '{recording}' is damaged")
    stamp, absolute = values.pop("fingerprint", None), values.pop("absolute", None)
    place = Path(os.path.normpath(base / values["path"]))
    if not is_there(place) and _is_path(absolute) and is_there(Path(absolute)):
        place = Path(absolute)
    if isinstance(stamp, dict):
        session.references[f"{recording}/{which}"] = stamp | {"path": str(place)}
    return VolumeReference(
        path=str(place),
        shape=tuple(int(n) for n in values["shape"]),
        axes=str(values["axes"]),
        voxel_size_um=(
            float(values["voxel_size_um"][0]),
            float(values["voxel_size_um"][1]),
            float(values["voxel_size_um"][2]),
        ),
        frame_rate_hz=float(values["frame_rate_hz"]),
    )


def _is_path(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) < 4096 and "\0" not in value


def _kinds() -> tuple[Which, Which]:
    return ("volume", "labels")


def foreign_images(session: Session) -> list[str]:
    """Return the images that a session names outside of its own folder.

    A session from somebody else can name any file of this machine. None for a session that was never saved: its images were
    opened here. A link that leads out of the folder counts as outside, and so does every network path, which is not touched.

    Parameters
    ----------
    session : Session
    """
    if not session.path:
        return []
    folder = Path(session.path).parent
    found = [
        str(reference.path)
        for recording in session.recordings.values()
        for reference in (recording.volume, recording.labels)
        if reference is not None and not _is_below(str(reference.path), folder)
    ]
    return list(dict.fromkeys(found))


def _is_below(path: str, folder: Path) -> bool:
    place, home = followed(folder / path), followed(folder)
    if place is None or home is None or not place.is_relative_to(home):
        return False
    return not place.is_dir() or not _leads_out(place, home)


def _leads_out(image: Path, home: Path) -> bool:
    """Whether a link inside of a folder that is an image (OME-Zarr, TIFF files) leads out of the session's folder."""
    for number, (here, folders, files) in enumerate(os.walk(image)):
        if number > MAX_ENTRIES:
            return True
        for name in (*folders, *files):
            place = Path(here, name)
            if place.is_symlink() and ((to := followed(place)) is None or not to.is_relative_to(home)):
                return True
    return False


def is_there(path: Path) -> bool:
    """Whether an image lies there; a network path is not asked, because asking sends the user's name there."""
    return followed(path) is not None and is_plain(path)


def _stamp(path: str | Path) -> dict[str, Any]:
    # a hostile session may name a device, or the root of the disk, as its image
    place = Path(path)
    if place.is_file():
        return _without_path(fingerprint(place))
    seen = 0
    for _, folders, files in os.walk(place):
        seen += len(folders) + len(files)
        if seen > MAX_ENTRIES:
            return {"entries": f"more than {MAX_ENTRIES}"}
    return _without_path(fingerprint(place)) if place.is_dir() else {"entries": "not a file or folder"}


def _without_path(stamp: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in stamp.items() if k not in ("path", "changed")}
