"""Files and folders that no reader knows: what they are, and what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..model.errors import FormatError
from .files import members
from .format import is_binary, is_json
from .markup import root_name


def refuse_office(path: Path) -> None:
    """Name a workbook or document for what it is."""
    try:
        names = set(members(path))
    except FormatError:
        return
    if "[Content_Types].xml" in names or "mimetype" in names:
        sheet = any(m.startswith("xl/") for m in names) or path.suffix.lower() in (".xlsx", ".xlsm", ".ods")
        raise FormatError(
            "this is an Excel workbook or another office document" if sheet else "this is an office document, not data",
            where=str(path),
            fix="Save the sheet as CSV UTF-8 and read that.",
        )


def unknown_folder(path: Path) -> FormatError:
    """Return what is said of a folder that no reader knows."""
    return FormatError(
        "this folder is neither OME-Zarr nor GEFF, suite2p or a collection of Parquet files, and holds no TIFF files",
        where=str(path),
        fix="Choose the .zarr folder itself, or a file.",
    )


def unknown_file(path: Path, start: bytes, readable: Sequence[str]) -> FormatError:
    """Return what is said of a file that no reader knows.

    Parameters
    ----------
    path : Path
    start : bytes
        Its first bytes.
    readable : sequence of str
        Titles of all formats.
    """
    what, fix = _described(path, start, readable)
    return FormatError(what, where=str(path), fix=fix)


def _described(path: Path, start: bytes, readable: Sequence[str]) -> tuple[str, str]:
    root = root_name(start)
    if root == "trackmate":
        return (
            "these are tracks of TrackMate in its own XML",
            "Export them as CSV (track_id, frame, z, y, x) or GEFF, and read that.",
        )
    if root:
        return "this is XML or HTML, not data", "A failed download often looks like this; fetch it again."
    if is_json(path, start):
        return (
            "this is a JSON file, which has no agreed layout for traces",
            "Save the traces as CSV or npz (fields traces, names, t), or build Recording.from_arrays in Python.",
        )
    if not is_binary(start):
        return (
            "this is text, and no table",
            "A table has a line for every sample, with values between commas, semicolons or tabs.",
        )
    expected = EXPECTED.get(path.suffix.lower())
    what = (
        f"this is not a {expected} file, although it is called {path.suffix}"
        if expected
        else "no reader knows this file"
    )
    return what, f"Readable are: {', '.join(readable)}."


EXPECTED = {
    ".nwb": "HDF5",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".mat": "MATLAB",
    ".npz": "zip",
    ".parquet": "Parquet",
}
"""What a file of this name should be, where its name alone does not say it."""
