"""The command `worms`: what is in a homogenized collection of recordings, filtered."""

from __future__ import annotations

import argparse
from typing import Any

from ...model.text import counted

ORDER = 210


def add(commands: Any) -> None:
    """Add the command to the parser."""
    worms = commands.add_parser("worms", help="list the worms of a homogenized collection (Simeon et al. 2024)")
    worms.add_argument("collection", help="Parquet file, or folder of Parquet files")
    worms.add_argument("--dataset", action="append", help="only this source, such as Kato2015; repeatable")
    worms.add_argument("--worm", action="append", help="only this worm, such as worm0; repeatable")
    worms.add_argument("--min-named", type=int, default=0, metavar="N", help="at least so many named neurons")
    worms.add_argument("--min-neurons", type=int, default=0, metavar="N", help="at least so many neurons")
    worms.add_argument("--min-duration", type=float, default=0.0, metavar="S", help="recorded at least so long")
    worms.add_argument("-o", "--output", metavar="FILE", help="CSV to write instead of the list on the screen")
    worms.add_argument("--json", action="store_true", help="as JSON, on standard output")
    worms.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.formats.parquet import is_collection, list_worms
    from ...io.formats.text_tables import write_csv
    from ...model.errors import InputError

    if not is_collection(options.collection):
        raise InputError(
            "this is no homogenized collection",
            where=str(options.collection),
            fix="Give its Parquet file or folder (source_dataset, worm, neuron and traces as columns).",
        )
    table = list_worms(
        options.collection,
        dataset=options.dataset,
        worm=options.worm,
        min_named=options.min_named,
        min_neurons=options.min_neurons,
        min_duration_s=options.min_duration,
        lengths=True,
    )
    if options.output:
        write_csv(table, options.output)
        print(f"wrote {options.output}: {len(table)} worms")
        return
    if options.json:
        print(table.to_json(orient="records", indent=1, force_ascii=False))
        return
    for row in table.itertuples():
        print(f"{row.source_dataset} {row.worm}: {row.neurons} neurons ({row.named} named), {row.duration_s:.0f} s")
    sources = table["source_dataset"].nunique()
    print(f"{counted(len(table), 'worm')} of {counted(sources, 'source')}")
