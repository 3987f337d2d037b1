"""Checkpoints of long steps in the cache folder, from which the next try goes on where this one was stopped.

A folder's name is the hash of all that the result depends on: what was kept for other files, settings or versions is not found.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
