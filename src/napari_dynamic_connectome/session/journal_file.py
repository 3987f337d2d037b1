"""An append-only file of checksummed lines: what was acknowledged is on disk, a torn end is recognised and left out.

Each line is the CRC-32 of the rest in eight hexadecimal digits, a space, and one JSON object. A line counts only if its checksum
fits and it ends with a newline; reading stops at the first one that does not, because what follows was never acknowledged.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from pathlib import Path
from typing import Any

from ..model.errors import InputError
from ..model.system import flush

MAX_LINE_BYTES = 64 << 20


class JournalFile:
    """Writes records; each is on disk when `append` returns.

    Parameters
    ----------
    path : path
        Must not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            # O_BINARY: Windows would write another end of line than the checksum and the size count
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(path, flags, 0o644)
            with contextlib.suppress(OSError):
                flush(path.parent)
        except OSError as error:
            raise _not_written(path, error) from error
        self._size = 0
        self._broken = False
        self.failed = False
        """The last record could not be written."""

    def append(self, record: dict[str, Any]) -> None:
        """Write a record and wait until it is on disk.

        Raises
        ------
        InputError
            It could not be written (full disk, removed folder); the file is as it was before.
        """
        self.failed = True
        if self._broken:
            raise InputError("the journal is damaged", where=str(self.path), fix="Save the session to another place.")
        data = encode_line(record)
        if len(data) > MAX_LINE_BYTES:  # it could not be read back
            raise InputError(f"the edit has {len(data)} bytes", where=str(self.path), fix="Make it smaller.")
        try:
            if os.fstat(self._descriptor).st_nlink == 0:
                raise InputError(
                    "the journal was deleted, so edits would not be safe",
                    where=str(self.path),
                    fix="Save the session to another place.",
                )
            _write_all(self._descriptor, data)
            os.fsync(self._descriptor)
        except OSError as error:
            try:
                os.ftruncate(self._descriptor, self._size)
            except OSError:
                self._broken = True  # the next line would follow a torn one and not be read
            raise _not_written(self.path, error) from error
        self._size += len(data)
        self.failed = False

    def close(self) -> None:
        """Close the file; what was appended stays."""
        if self._descriptor >= 0:
            with contextlib.suppress(OSError):
                os.close(self._descriptor)
            self._descriptor = -1


def encode_line(record: dict[str, Any]) -> bytes:
    """Return a record as a line."""
    text = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def read_records(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Return the records of a journal file and how many bytes at its end do not count.

    Parameters
    ----------
    path : path

    Returns
    -------
    records : list of dict
    left_out : int
    """
    records: list[dict[str, Any]] = []
    good = 0
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            while line := stream.readline(MAX_LINE_BYTES):
                record = _decode_line(line)
                if record is None:
                    break
                records.append(record)
                good += len(line)
    except OSError as error:
        raise InputError(f"the journal cannot be read ({error.strerror})", where=str(path)) from error
    return records, size - good


def _decode_line(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n") or line[8:9] != b" ":
        return None
    try:
        if int(line[:8], 16) != zlib.crc32(line[9:-1]):
            return None
        record = json.loads(line[9:-1])
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _not_written(path: Path, error: OSError) -> InputError:
    return InputError(
        f"the edit could not be put on disk ({error.strerror or error}), so it was not made",
        where=str(path),
        fix="Make room on the disk, or save the session to another place.",
    )
