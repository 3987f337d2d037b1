"""Provenance of results: versions, settings, seed, inputs and command, the same for a single result and for a whole analysis."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from .recording import Recording
from .settings import StepSettings

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
        Files (`path`, `bytes`, `sha256`), worms that were open (`worm`, `sha256` of traces, times, neurons, stimuli and behaviour),
        or a graph (`nodes`, `links`, `sha256`).
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


KEYS = ("versions", "settings", "seed", "inputs", "command")
"""What every result says about itself."""


def record_of(
    settings: StepSettings | Mapping[str, Any],
    seed: int,
    inputs: Iterable[Recording | Mapping[str, Any]],
    *,
    command: str = "",
    **more: Any,
) -> dict[str, Any]:
    """Say how a result is made that is made now, as plain values.

    Parameters
    ----------
    settings : StepSettings or mapping
    seed : int
    inputs : iterable of Recording or mapping
        Worms, or what is known already.
    command : str
        What was called; the command line of this program by default.
    **more
        What this kind of result says besides.
    """
    said = settings.model_dump(mode="json") if isinstance(settings, StepSettings) else dict(settings)
    known = tuple(fingerprint_of(one) if isinstance(one, Recording) else dict(one) for one in inputs)
    return Provenance(versions(), said, seed, known, command or command_line()).record() | more


def fingerprint_of(recording: Recording) -> dict[str, Any]:
    """Name of a worm and SHA-256 of its traces, times, neurons, stimuli and behaviour.

    Parameters
    ----------
    recording : Recording
    """
    digest = hashlib.sha256()
    digest.update(np.ascontiguousarray(recording.traces.values, float).data)
    digest.update(np.ascontiguousarray(recording.time_s, float).data)
    for table in (recording.neurons, recording.stimuli):
        digest.update(table.to_csv().encode("utf-8", "surrogatepass"))
    if recording.behaviour is not None:
        digest.update(recording.behaviour.to_pandas().to_csv().encode("utf-8", "surrogatepass"))
    return {"worm": recording.name, "sha256": digest.hexdigest()}


def graph_of(names: Sequence[str], edges: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """Size of a graph and SHA-256 of its nodes, links and weights, as an input.

    Parameters
    ----------
    names : sequence of str
    edges : ndarray of int
        (E, 2).
    weights : ndarray
        (E,).
    """
    digest = hashlib.sha256("\0".join(map(str, names)).encode("utf-8", "surrogatepass"))
    digest.update(np.ascontiguousarray(edges, np.int64).data)
    digest.update(np.ascontiguousarray(weights, float).data)
    return {"nodes": len(names), "links": len(weights), "sha256": digest.hexdigest()}


def command_line() -> str:
    """What this process was called as, folders left out: records are given to others."""
    return " ".join([Path(sys.argv[0]).name, *map(without_folder, sys.argv[1:])])


def without_folder(word: str) -> str:
    """Name of an absolute path; any other word as it is."""
    return Path(word).name if Path(word).is_absolute() else word


@cache
def _versions() -> tuple[tuple[str, str], ...]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "unknown"
    return tuple(found.items())


def versions() -> dict[str, str]:
    """Versions of this package, of Python and of the libraries that results depend on."""
    return dict(_versions())
