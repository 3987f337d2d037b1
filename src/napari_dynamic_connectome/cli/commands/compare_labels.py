"""The command `compare-labels`: a segmentation beside a reference."""

from __future__ import annotations

import argparse
from typing import Any

from ..as_json import add_json, print_json, rows_of
from ..progress import progress_bar

ORDER = 200


def add(commands: Any) -> None:
    """Add the command to the parser."""
    compare = commands.add_parser("compare-labels", help="compare labels, or a series of them, with a reference")
    compare.add_argument("labels", help="labels to judge: OME-Zarr, TIFF, HDF5, NWB, npy")
    compare.add_argument("reference", help="labels that are held to be right")
    compare.add_argument("--names", help="CSV with columns label, name, of the reference")
    for what in ("label", "reference"):
        compare.add_argument(f"--{what}-axes", default="", help=f"axes of the {what}s, if the file does not name them")
        compare.add_argument(f"--{what}-dataset", default="", help=f"HDF5: path of the {what}s inside the file")
        compare.add_argument(
            f"--{what}-channel", default="", help=f"channel that holds the {what}s, where there are several"
        )
    compare.add_argument(
        "--match", type=float, help="IoU above which a pair counts as matched, for the list and the tracks"
    )
    compare.add_argument("-o", "--output", help="folder for the tables (default: only the scores on the screen)")
    add_json(compare)
    compare.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...comparison.segmentation import LabelSettings, compare_labels
    from ...io.choice import options_called
    from ...io.files import output_folder
    from ...io.formats.side_tables import read_names
    from ...io.registry import open_labels
    from ...report.label_tables import write_label_tables

    output = output_folder(options.output, make=False) if options.output else None
    settings = LabelSettings.parse(where="--match", match=options.match)
    names = read_names(options.names) if options.names else None
    opened = []
    for what, path in (("label", options.labels), ("reference", options.reference)):
        more = {k: v for k in ("axes", "dataset", "channel") if (v := getattr(options, f"{what}_{k}"))}
        if more.get("channel", "").isdigit():
            more["channel"] = int(more["channel"])
        with options_called({k: f"{what}_{k}" for k in ("axes", "dataset", "channel")}):
            opened.append(open_labels(path, **more))
    with progress_bar("compare") as progress:
        found = compare_labels(opened[0], opened[1], settings, names=names, progress=progress)
    if options.json:
        print_json({"sentence": found.sentence(), "scores": rows_of(found.scores), "objects": rows_of(found.objects)})
    else:
        _say(found)
    if output is None:
        return
    write_label_tables(found, output)
    if not options.json:
        print(f"wrote {output}")


def _say(found: Any) -> None:
    print(found.sentence())
    for row in found.scores.itertuples():
        print(
            f"IoU > {row.threshold:g}: {row.matched} matched, {row.missed} missed, {row.extra} extra, F1 {row.f1:.3f}"
        )
    for row in found.objects.head(5).itertuples():
        called = f" ({row.name})" if row.name else ""
        print(
            f"worst: {row.reference}{called}, mean IoU {row.score:.2f}, frame {row.worst_frame}, "
            f"z {row.z:.0f}, y {row.y:.0f}, x {row.x:.0f}"
        )
