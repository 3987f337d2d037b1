"""CSV tables of a segmentation beside a reference: scores, neurons, errors, labels without a neuron, tracks."""

from __future__ import annotations

from pathlib import Path

from ..comparison.segmentation import LabelComparison
from ..io.files import output_folder
from ..io.formats.text_tables import write_csv
from ..io.ownership import our_files


def write_label_tables(found: LabelComparison, folder: str | Path) -> list[Path]:
    """Write every table that has rows into `folder` and return the paths; files there that are not ours are not replaced."""
    tables = {
        "scores": found.scores,
        "neurons": found.objects,
        "errors": found.errors,
        "extra": found.extra,
        "tracks": found.tracks,
    }
    with our_files(output_folder(folder), part="labels") as mine:
        paths = {name: mine.path(f"{name}.csv") for name, table in tables.items() if len(table)}
        return [write_csv(tables[name], path) for name, path in paths.items()]
