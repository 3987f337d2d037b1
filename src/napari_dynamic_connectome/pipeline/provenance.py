"""Provenance of results: versions, settings, seed, inputs and command, the same from docks, command line and Python."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..session.save_load import recording_hash

if TYPE_CHECKING:
    from ..model.cohort import Cohort
    from .settings import PipelineSettings

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


@dataclass(frozen=True)
class Provenance:
    """How results were made.

    Parameters
    ----------
    versions : mapping
        Of this package, of Python and of the libraries that results depend on.
    settings : mapping
        All of them, as JSON has them.
    seed : int
    inputs : tuple of mapping
        Files (`path`, `bytes`, `sha256`), or worms that were open (`worm`, `sha256` of traces, neurons, stimuli and behaviour).
    command : str
        What was called.
    """

    versions: Mapping[str, str]
    settings: Mapping[str, Any]
    seed: int
    inputs: tuple[Mapping[str, Any], ...]
    command: str

    def record(self) -> dict[str, Any]:
        """Return it as plain values: what sessions, reports and tables hold."""
        return asdict(self) | {"inputs": [dict(one) for one in self.inputs]}


def provenance_of(
    settings: PipelineSettings,
    inputs: Cohort | list[dict[str, Any]],
    *,
    command: str = "",
    seen_from: Callable[[str], str] | None = None,
) -> Provenance:
    """Say how results are made that are made now.

    Parameters
    ----------
    settings : PipelineSettings
    inputs : Cohort or list of dict
        Worms that are open, or fingerprints of files.
    command : str
        What was called; the command line of this program by default.
    seen_from : callable, optional
        What a path in the command is called in the record; the name alone by default, as reports are given to others.
    """
    if not isinstance(inputs, list):
        inputs = [{"worm": r.name, "sha256": recording_hash(r)} for r in inputs.recordings]
    line = " ".join([Path(sys.argv[0]).name, *map(seen_from or _name, sys.argv[1:])])
    return Provenance(versions(), settings.model_dump(mode="json"), settings.seed, tuple(inputs), command or line)


def _name(word: str) -> str:
    return Path(word).name if Path(word).is_absolute() else word


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
