"""Plain HDF5, whatever it holds: images (`volumes/hdf5`), traces (`hdf5_traces`), or tracks of btrack as centres (`btrack`)."""

from __future__ import annotations

from pathlib import Path

from ..format import About, Format, is_hdf5
from ..once import once
from ..volumes.hdf5 import is_mat, is_nwb
from ..volumes.hdf5 import open_volume as open_volume
from .btrack import is_btrack
from .hdf5_traces import holds_traces
from .hdf5_traces import read_recordings as read_recordings

ORDER = 50


@once
def holds_tracks(path: Path) -> bool:
    """Whether the file holds tracks of btrack."""
    return is_btrack(path)


def about(path: Path) -> About:
    """Say whether the file holds traces, an image or tracks."""
    if holds_tracks(path):
        return "other"
    return "traces" if holds_traces(path) else "image"


FORMAT = Format(
    key="hdf5",
    title="HDF5",
    patterns=("*.h5", "*.hdf5", "*.hdf"),
    holds=("recording", "volume", "labels"),
    note="Images: dataset= chooses one of several; axes from dimension labels, or axes=. Traces: any array of two axes, results of CaImAn, tables of pandas. Tracks of btrack, as centres.",
    knows=lambda path, start: is_hdf5(start) and not (is_mat(path) or is_nwb(path)),
    about=about,
    centres=holds_tracks,
)
