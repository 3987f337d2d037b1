"""Schema of session files: its number. Before the first release there is one; others are refused, with what to do."""

from __future__ import annotations

from typing import Any

from ..model.errors import FormatError

SCHEMA_VERSION = 8


def check_version(version: Any) -> int:
    """Return a schema version that can be read, or raise `FormatError`."""
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise FormatError("the session does not say a schema version", fix="Use a backup.")
    if version > SCHEMA_VERSION:
        raise FormatError(
            f"the session has schema version {version}; this program knows up to {SCHEMA_VERSION}",
            fix="Update napari-dynamic-connectome.",
        )
    if version < SCHEMA_VERSION:
        raise FormatError(
            f"the session has schema version {version}, of a time before the first release",
            fix="Make it again from its recordings.",
        )
    return version
