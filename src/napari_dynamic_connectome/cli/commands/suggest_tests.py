"""The command `suggest-tests`: which neurons and pairs an experiment should silence, ranked, with reasons."""

from __future__ import annotations

import argparse
from typing import Any

from ..as_json import add_json, print_json, rows_of
from ..sessions import add_networks, comparison_of, opened

ORDER = 190


def add(commands: Any) -> None:
    """Add the command to the parser."""
    suggest = commands.add_parser("suggest-tests", help="rank neurons and pairs to silence, with reasons")
    suggest.add_argument("session", help="session.zarr, or the output folder of a run")
    suggest.add_argument(
        "--access", metavar="FILE", help="CSV with neuron, access (0 to 1, or yes, partial, no) and how"
    )
    suggest.add_argument("--each-side", action="store_true", help="silence left and right neurons one by one")
    add_json(suggest)
    add_networks(suggest)
    suggest.add_argument("-o", "--output", help="folder for the tables (default: the first ten on the screen)")
    suggest.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...comparison.next_tests import NextTestSettings
    from ...comparison.sources import read_networks
    from ...io.files import output_folder
    from ...io.formats.side_tables import read_access
    from ...io.formats.text_tables import write_csv
    from ...io.ownership import beside_others
    from ...pipeline.structure import suggest_for_session
    from ...report.named_suggestions import name_suggestions
    from ..outputs import PROVENANCE, second_opinions, write_provenance

    output = output_folder(options.output, make=False) if options.output else None
    access = read_access(options.access) if options.access else None
    session, _ = opened(options.session)
    settings = comparison_of(options, session)
    found = suggest_for_session(
        session,
        networks=read_networks(settings) if settings.wanted else (),
        access=access,
        settings=NextTestSettings(sides_together=not options.each_side),
    )
    found = name_suggestions(found, session)
    if options.json:
        held = {"neurons": rows_of(found.neurons), "pairs": rows_of(found.pairs)}
        print_json({"sentence": found.sentence(), **held, "notes": found.notes})
    else:
        print(found.sentence())
        for row in found.neurons.head(10).itertuples():
            print(f"{row.rank}. {row.target} (component {row.component}, {row.purpose}): {row.reasons}")
        for note in found.notes:
            print(f"note: {note}")
    if output is not None:
        tables = second_opinions(None, found)
        with beside_others(output, [*(f"{name}.csv" for name in tables), PROVENANCE]) as mine:
            for name, table in tables.items():
                write_csv(table, mine.path(f"{name}.csv"))
            write_provenance(mine, found.provenance)
        if not options.json:
            print(f"wrote {output}")
