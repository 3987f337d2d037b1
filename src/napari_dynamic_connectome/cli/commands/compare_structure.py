"""The command `compare-structure`: a session beside connectomes, signal propagation and other networks."""

from __future__ import annotations

import argparse
from typing import Any

from ..numbers import seed_of
from ..progress import progress_bar
from ..sessions import add_networks, comparison_of, opened

ORDER = 170


def add(commands: Any) -> None:
    """Add the command to the parser."""
    compare = commands.add_parser("compare-structure", help="compare components and communities with connectomes")
    compare.add_argument("session", help="session.zarr, or the output folder of a run")
    add_networks(compare)
    compare.add_argument("-o", "--output", help="folder for tables and figures (default: only sentences on the screen)")
    compare.add_argument("--seed", type=seed_of, default=0)
    compare.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.files import output_folder
    from ...io.formats.text_tables import write_csv
    from ...model.errors import InputError
    from ...pipeline.structure import compare_session
    from ...report.named_suggestions import name_connections
    from ..outputs import PROVENANCE, second_opinions, write_provenance

    output = output_folder(options.output, make=False) if options.output else None
    session, _ = opened(options.session)
    settings = comparison_of(options, session)
    if not settings.wanted:
        raise InputError("there is nothing to compare with", where="compare-structure", fix="Give --connectome FILE.")
    with progress_bar("compare") as progress:
        found = name_connections(compare_session(session, settings, seed=options.seed, progress=progress), session)
    for line in found.comparison.sentences():
        print(line)
    if output is None:
        return
    from ...io.files import atomic_file
    from ...io.ownership import beside_others
    from ...report.figure_style import save_figure
    from ...report.structure_section import split_figures

    tables = {f"{name}.csv": table for name, table in second_opinions(found, None).items() if len(table)}
    figures = {f"{name}.png": draw for name, draw in split_figures(session, found).items()}
    with beside_others(output, [*tables, *figures, PROVENANCE]) as mine:
        for name, table in tables.items():
            write_csv(table, mine.path(name))
        for name, draw in figures.items():
            with atomic_file(mine.path(name)) as temporary:
                save_figure(draw(), temporary, "png")
        write_provenance(mine, found.comparison.provenance)
    print(f"wrote {output}")
