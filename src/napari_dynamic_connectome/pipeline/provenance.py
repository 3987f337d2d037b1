"""Provenance of a result: versions, and hashes of settings."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
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


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the libraries that results depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return found


def settings_hash(*parts: Any) -> str:
    """SHA-256 of JSON-able values; equal values, equal hash."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
