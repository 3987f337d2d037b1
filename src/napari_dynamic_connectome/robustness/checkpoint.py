"""Finished pieces of a robustness run on disk, so that an interrupted run goes on where it was."""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np

from ..io.checkpoint import keep_arrays, load_arrays
from ..model.cohort import Cohort
from ..model.provenance import versions
from ..model.results import Components
from ..pipeline.provenance import settings_hash
from ..pipeline.settings import PipelineSettings
from .pieces import Piece, PieceResult

log = logging.getLogger("napari_dynamic_connectome")


def fingerprint(cohort: Cohort, settings: PipelineSettings, components: Components) -> str:
    """SHA-256 of everything that a piece depends on: worms, settings of the steps up to the components, reference, versions."""
    digest = hashlib.sha256()
    for recording, name in zip(cohort.recordings, cohort.worms, strict=True):
        traces = np.ascontiguousarray(recording.traces.values)
        digest.update(f"{name}|{traces.shape}|{traces.dtype}|{recording.breaks}".encode())
        digest.update(traces.tobytes())
        digest.update(np.ascontiguousarray(recording.time_s).tobytes())
        digest.update(json.dumps(recording.traces["neuron"].values.tolist(), default=str).encode())
        kept = recording.neurons[["label", "name", "confidence", "rejected"]]
        digest.update(kept.to_csv().encode())
        digest.update(recording.stimuli.to_csv().encode())
        for channel in sorted(map(str, recording.behaviour.data_vars)):
            digest.update(channel.encode())
            digest.update(np.ascontiguousarray(recording.behaviour[channel].values).tobytes())
    courses = () if components.own_time is None else (components.own_time.values,)
    for values in (components.pair.values, components.time.values, components.weight.values, *courses):
        digest.update(np.ascontiguousarray(values).tobytes())
    own = settings.robustness
    chosen = settings.model_dump(mode="json")
    factorization = {k: v for k, v in chosen["factorization"].items() if k not in ("threads", "memory_mb")}
    return settings_hash(
        digest.hexdigest(),
        cohort.settings.model_dump(mode="json"),
        factorization,
        *(chosen[k] for k in ("seed", "affinity", "rank", "chance")),
        own.starts,
        own.splits,
        versions(),
    )


class PieceCheckpoint:
    """A folder with one file a finished piece.

    Parameters
    ----------
    folder : path
        Made when the first piece is kept.
    mark : str
        `fingerprint` of the run; pieces of others are never taken.
    """

    def __init__(self, folder: Path, mark: str) -> None:
        self.folder = Path(folder) / mark[:24]

    def _path(self, piece: Piece) -> Path:
        return self.folder / f"{hashlib.sha256(piece.key.encode()).hexdigest()[:24]}.npz"

    def load(self, piece: Piece) -> PieceResult | None:
        """Return what a piece found, or None if it has to be done."""
        data = load_arrays(self._path(piece))
        if data is None:
            return None
        try:
            about = json.loads(str(data["about"]))
            if about["key"] != piece.key:
                return None
            return PieceResult(
                match=data["match"],
                strength=data["strength"],
                leading=data["leading"],
                error=float(data["error"]),
                rank=int(about["rank"]),
                chosen=int(about["chosen"]),
                held_out={name: data[f"held_out_{name}"] for name in about["held_out"]},
                notes=tuple(about["notes"]),
            )
        except (ValueError, KeyError):
            return None  # of another make: doing it again is safe

    def save(self, piece: Piece, result: PieceResult) -> None:
        """Write what a piece found; it appears in one piece or not at all."""
        about: dict[str, Any] = {
            "key": piece.key,
            "rank": result.rank,
            "chosen": result.chosen,
            "held_out": list(result.held_out),
            "notes": list(result.notes),
        }
        keep_arrays(
            self._path(piece),
            about=np.asarray(json.dumps(about)),
            match=result.match,
            strength=result.strength,
            leading=result.leading,
            error=result.error,
            **{f"held_out_{name}": values for name, values in result.held_out.items()},
        )
