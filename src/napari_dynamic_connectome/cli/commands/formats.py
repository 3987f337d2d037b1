"""The command `formats`: what is read and written."""

from __future__ import annotations

import argparse
import importlib.util
import json
from typing import Any

ORDER = 220
PROBES = {"nwb": "pynwb", "parquet": "pyarrow", "connectome": "cect"}


def add(commands: Any) -> None:
    """Add the command to the parser."""
    formats = commands.add_parser("formats", help="list the formats of files that are read and written")
    formats.add_argument("--json", action="store_true", help="as JSON")
    formats.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.registry import all_formats

    rows: list[dict[str, Any]] = [
        {
            "format": one.title,
            "files": list(one.patterns),
            "reads": list(one.holds),
            "writes": list(one.writes),
            "extra": one.extra,
            "installed": _installed(one.extra),
            "note": one.note,
        }
        for one in all_formats()
    ]
    if options.json:
        print(json.dumps(rows, indent=1, ensure_ascii=False))
        return
    for row in rows:
        need = "" if row["installed"] else f"  (pip install 'napari-dynamic-connectome[{row['extra']}]')"
        print(f"{row['format']}: {' '.join(row['files'])}{need}")
        writes = f"; writes {', '.join(row['writes'])}" if row["writes"] else ""
        print(f"    reads {', '.join(row['reads'])}{writes}")


def _installed(extra: str) -> bool:
    return not extra or importlib.util.find_spec(PROBES.get(extra, extra)) is not None
