"""What reproduces a result: versions, fingerprints of the input files, and hashes of settings."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

PACKAGES = (
    "napari-dynamic-connectome",
    "numpy",
    "scipy",
    "numba",
    "tensorly",
    "xarray",
    "pandas",
    "scikit-learn",
    "zarr",
)
CHUNK = 1 << 20
WHOLE_FILE_LIMIT = 64 << 20


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the libraries that results depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def fingerprint(path: str | Path) -> dict[str, Any]:
    """Size and SHA-256 of a file, or of a folder's names, sizes and small files.

    Files up to 64 MiB are hashed whole, larger ones by their size, first, middle and last MiB (marked `sampled`).
    """
    path = Path(path)
    if path.is_dir():
        digest, total, count = hashlib.sha256(), 0, 0
        for item in sorted(p for p in path.rglob("*") if p.is_file()):
            size = item.stat().st_size
            digest.update(f"{item.relative_to(path).as_posix()}\0{size}\0".encode())
            if item.suffix == ".json" or item.name.startswith(".z"):
                digest.update(item.read_bytes())
            total, count = total + size, count + 1
        return {"path": str(path), "files": count, "bytes": total, "sha256": digest.hexdigest(), "sampled": True}
    size = path.stat().st_size
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as stream:
        if size <= WHOLE_FILE_LIMIT:
            digest = hashlib.sha256()
            for block in iter(lambda: stream.read(CHUNK), b""):
                digest.update(block)
        else:
            for start in (0, size // 2, size - CHUNK):
                stream.seek(start)
                digest.update(stream.read(CHUNK))
    return {"path": str(path), "bytes": size, "sha256": digest.hexdigest(), "sampled": size > WHOLE_FILE_LIMIT}


def settings_hash(*parts: Any) -> str:
    """SHA-256 of JSON-able values; equal values, equal hash."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
