"""Fingerprints of input files: noticed when a file moved or changed since it was used."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from ..model.progress import CancelCallback, check_cancel
from .files import matching

BLOCK = 1 << 20
WHOLE_FILE_LIMIT = 64 << 20


def state_of(path: str | Path, *, cancel: CancelCallback | None = None) -> str:
    """SHA-256 of the names, sizes and times of change of all files at a path (a file, a folder, a pattern); nothing is read.

    Any write to one of them changes it, which a fingerprint of some of their bytes does not promise.
    """
    digest = hashlib.sha256()
    places = [Path(path)] if Path(path).exists() else matching(path)
    for place in places:
        for number, file in enumerate(sorted(place.rglob("*")) if place.is_dir() else [place]):
            if number % 1000 == 0:
                check_cancel(cancel)
            known = file.stat()
            digest.update(f"{file}\0{known.st_size}\0{known.st_mtime_ns}\0".encode())
    return digest.hexdigest()


def fingerprint(path: str | Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, or of a folder's names, sizes and metadata files.

    Files up to 64 MiB are hashed whole, larger ones by their size, first, middle and last MiB (marked `sampled`). What is only
    sampled also has `changed`, a hash of the times of change of all its files: voxels that were corrected in place leave names,
    sizes and samples as they were.

    Returns
    -------
    dict
        path, bytes, sha256, sampled; for a folder also files; where sampled also changed.
    """
    found = _content(path)
    return found | {"changed": _times_of(Path(path))} if found["sampled"] else found


def _times_of(path: Path) -> str:
    """SHA-256 of names below a path and times of change; the place of the path itself does not matter."""
    digest = hashlib.sha256()
    for file in _files_of(path):
        name = file.name if file.parent == path.parent and file != path else file.relative_to(path).as_posix()
        digest.update(f"{name}\0{file.stat().st_mtime_ns}\0".encode())
    return digest.hexdigest()


def _files_of(path: Path) -> list[Path]:
    """Return the files at a path: a file, those below a folder, those that fit a pattern."""
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file())
    return [path] if path.exists() else sorted(matching(path))


def _content(path: str | Path) -> dict[str, Any]:
    path = Path(path)
    digest = hashlib.sha256()
    if path.is_dir() or (not path.exists() and matching(path)):
        total, count = 0, 0
        base = path if path.is_dir() else path.parent
        for item in _files_of(path):
            size = item.stat().st_size
            digest.update(f"{item.relative_to(base).as_posix()}\0{size}\0".encode())
            if item.suffix == ".json" or item.name.startswith(".z"):
                digest.update(item.read_bytes())
            total, count = total + size, count + 1
        return {"path": str(path), "files": count, "bytes": total, "sha256": digest.hexdigest(), "sampled": True}
    size = path.stat().st_size
    with path.open("rb") as stream:
        if size <= WHOLE_FILE_LIMIT:
            for block in iter(lambda: stream.read(BLOCK), b""):
                digest.update(block)
        else:
            digest.update(str(size).encode())
            for start in (0, size // 2, size - BLOCK):
                stream.seek(start)
                digest.update(stream.read(BLOCK))
    return {"path": str(path), "bytes": size, "sha256": digest.hexdigest(), "sampled": size > WHOLE_FILE_LIMIT}
