"""Provenance of a whole analysis, the same from docks, command line and Python."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.provenance import Provenance, fingerprint_of, versions, without_folder

if TYPE_CHECKING:
    from ..model.cohort import Cohort
    from .settings import PipelineSettings


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
        inputs = [fingerprint_of(r) for r in inputs.recordings]
    line = " ".join([Path(sys.argv[0]).name, *map(seen_from or without_folder, sys.argv[1:])])
    return Provenance(versions(), settings.model_dump(mode="json"), settings.seed, tuple(inputs), command or line)


def settings_hash(*parts: Any) -> str:
    """SHA-256 of JSON-able values; equal values, equal hash."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
