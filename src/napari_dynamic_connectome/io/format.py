"""Format of files: what a module of `io/formats` or `io/volumes` says about itself.

A module with `ORDER` (a number, its place in the list) and `FORMAT` is a format. Of these functions it has those that apply:

* read_recordings(path, **options) -> list of `Recording`;
* write_recording(recording, path, **options), under names that end in one of `FORMAT.endings`;
* open_volume(path, *, labels=False, **options) -> `Volume`, and open_labels(path, **options) where labels need more.

Every module is loaded before the first file is opened, so what takes long to load (h5py, zarr, pyarrow) is imported in functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

About = Literal["image", "traces", "both", "other"]
Knows = Callable[[Path, bytes], bool]
HDF5 = b"\x89HDF\r\n\x1a\n"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True)
class Format:
    """One format of files.

    Parameters
    ----------
    key : str
        Short name.
    title : str
        For people.
    patterns : tuple of str
        Names of such files, for file dialogs and the manifest.
    holds : tuple of str
        Of "recording", "volume", "labels", "connectome", "table".
    writes : tuple of str
        What can be written.
    endings : tuple of str
        Names under which recordings are written.
    extra : str
        Optional dependency, if one is needed to read or write.
    note : str
        One sentence for the table in the docs.
    starts : tuple of bytes
        First bytes of such a file, if they alone say it.
    knows : callable, optional
        `(path, first bytes) -> bool`, asked of every format before first bytes alone count; a folder has none.
    asked_last : bool
        `knows` is asked after all others: of text that may be a table, of a folder with TIFF files.
    about : callable, optional
        `(path) -> "image", "traces", "both" or "other"`, where files of the format differ in what they hold.
    centres : callable, optional
        `(path) -> bool`, whether labels in the file are tracked centres.
    dataset : str
        What the option `dataset` of images is called by `open_volume`, if it has another name there.
    labels_inside : bool
        Whether an image can lie with its labels in one file.
    """

    key: str
    title: str
    patterns: tuple[str, ...]
    holds: tuple[str, ...]
    writes: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    extra: str = ""
    note: str = ""
    starts: tuple[bytes, ...] = ()
    knows: Knows | None = None
    asked_last: bool = False
    about: Callable[[Path], About] | None = None
    centres: Callable[[Path], bool] | None = None
    dataset: str = ""
    labels_inside: bool = False


def is_hdf5(start: bytes) -> bool:
    """Whether first bytes are those of HDF5, also behind a header of 512 bytes, as MATLAB writes it."""
    return start.startswith(HDF5) or start[512:].startswith(HDF5)


def is_json(path: Path, start: bytes) -> bool:
    """Whether first bytes look like JSON, in a file that is not called something else."""
    named = path.suffix.lower() in (".json", ".geojson", ".jsonl", ".txt", "")
    return named and without_mark(start)[:1] in (b"{", b"[")


def is_binary(start: bytes) -> bool:
    """Whether first bytes are no text, in UTF-8 or UTF-16."""
    text = as_text(start)
    return b"\0" in text or sum(c < 9 or 13 < c < 32 for c in text) > 0.02 * len(text)


def as_text(start: bytes) -> bytes:
    """First bytes of a text as UTF-8."""
    return start.decode("utf-16", errors="ignore").encode() if start[:2] in (b"\xff\xfe", b"\xfe\xff") else start


def without_mark(start: bytes) -> bytes:
    """First bytes without the mark of their encoding and without white space."""
    return start.lstrip(b"\xef\xbb\xbf \t\r\n")
