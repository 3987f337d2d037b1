"""Finished pieces of the comparison with chance in a folder, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np

from ..io.checkpoint import keep_arrays, load_arrays

Array = np.ndarray
log = logging.getLogger("napari_dynamic_connectome")


class KeptPieces:
    """One file of arrays a piece.

    Parameters
    ----------
    folder : path, optional
        Made when the first piece is kept; None: nothing is kept. The caller sees to it that it belongs to this cohort.
    about : object
        All else that the pieces depend on; pieces of something else are not found. Told apart by its `repr`.
    """

    def __init__(self, folder: Path | None, about: object = None) -> None:
        self.folder, self.about = folder, repr(about)

    def _path(self, folder: Path, piece: str) -> Path:
        digest = hashlib.sha256(f"{self.about} {piece}".encode()).hexdigest()[:20]
        return folder / f"{piece.split(' ')[0]}-{digest}.npz"

    def load(self, piece: str) -> dict[str, Array] | None:
        """Return the arrays of a piece, or None if it has to be done."""
        return None if self.folder is None else load_arrays(self._path(self.folder, piece))

    def save(self, piece: str, **arrays: Array) -> None:
        """Write the arrays of a piece; they appear together or not at all."""
        if self.folder is not None:
            keep_arrays(self._path(self.folder, piece), **arrays)
