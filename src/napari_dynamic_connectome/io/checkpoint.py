"""Checkpoints of long steps in the cache folder, from which the next try goes on where this one was stopped.

A folder's name is the hash of all that the result depends on: what was kept for other files, settings or versions is not found.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import shutil
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..model.errors import InputError
from .atomic import writing

log = logging.getLogger("napari_dynamic_connectome")
MOST = 10
"""Folders that are kept; the oldest go first."""
OLD_S = 30 * 86400.0


class CheckpointFolder:
    """A place for what one step has finished.

    Parameters
    ----------
    root : path
        Folder of all of them.
    kind : str
        Of the step: "extract", "analyze".
    about : mapping
        All that the result depends on and the step does not see itself; of plain values.
    """

    def __init__(self, root: str | Path, kind: str, about: Mapping[str, Any]) -> None:
        self.root, self.kind, self.about = Path(root), kind, dict(about)
        self.path: Path | None = None

    def folder(self, plan: Mapping[str, Any] | None = None) -> Path | None:
        """Return the folder for this plan (what the step itself depends on), made or found again; tidy up the others.

        None where it cannot be made: the step runs all the same, and nothing of it is kept.
        """
        text = json.dumps([self.kind, self.about, plan], sort_keys=True, default=str)
        self.path = self.root / f"{self.kind}-{hashlib.sha256(text.encode()).hexdigest()[:32]}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            log.warning("what a step has finished cannot be kept in %s (%s)", self.path, error)
            return None
        tidy(self.root, keep=self.path)
        return self.path

    def remove(self) -> None:
        """Delete what was kept: the result is in safety."""
        if self.path is not None:
            shutil.rmtree(self.path, ignore_errors=True)


def tidy(root: Path, *, keep: Path) -> None:
    """Remove folders that nobody came back to for a month, and the oldest ones where there are many."""
    found = []
    with contextlib.suppress(OSError):
        for item in root.iterdir():
            if item != keep and item.is_dir():
                found.append((item.stat().st_mtime, item))
    found.sort(reverse=True)
    for place, (changed, item) in enumerate(found):
        if place >= MOST - 1 or time.time() - changed > OLD_S:
            shutil.rmtree(item, ignore_errors=True)


def load_arrays(path: str | Path) -> dict[str, np.ndarray] | None:
    """Return the arrays of a finished piece, or None if it has to be done: its file is absent or damaged.

    Parameters
    ----------
    path : str or Path
    """
    try:
        with np.load(io.BytesIO(Path(path).read_bytes()), allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def keep_arrays(path: str | Path, **arrays: Any) -> None:
    """Write the arrays of a finished piece; they appear together, or not at all where they cannot be written.

    Parameters
    ----------
    path : str or Path
        Its folder is made if need be.
    **arrays
        As of `numpy.savez`.
    """
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with writing(Path(path)) as temporary:
            temporary.write_bytes(buffer.getvalue())
    except (InputError, OSError) as error:  # it is done again after a stop
        log.warning("a finished piece is not kept: %s", error)
