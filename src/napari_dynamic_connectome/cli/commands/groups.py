"""The command `groups`: named groups of neurons beside communities, classes, ganglia, sides and each other."""

from __future__ import annotations

import argparse
from typing import Any

from ..as_json import add_json, print_json, rows_of
from ..numbers import seed_of
from ..progress import progress_bar
from ..sessions import opened

ORDER = 195


def add(commands: Any) -> None:
    """Add the command to the parser."""
    groups = commands.add_parser("groups", help="what named groups share with communities, classes, ganglia and sides")
    groups.add_argument("session", help="session.zarr, or the output folder of a run")
    groups.add_argument("--group", action="append", metavar="NAME", help="a group; repeatable (default: all)")
    groups.add_argument(
        "--members",
        action="append",
        default=[],
        metavar="NAME=NEURONS",
        help="a group of this name for this time, such as command=AVAL,AVAR,RIML; repeatable",
    )
    groups.add_argument(
        "--permutations",
        type=_permutations,
        default=10_000,
        metavar="N",
        help="orders of the neurons that are drawn (default: 10,000)",
    )
    groups.add_argument("--seed", type=seed_of, default=0)
    add_json(groups)
    groups.add_argument("-o", "--output", help="folder for the table (default: only sentences on the screen)")
    groups.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.files import output_folder
    from ...io.formats.text_tables import write_csv
    from ...io.ownership import beside_others
    from ...model.neurons import normalize
    from ...pipeline.groups import enrich_groups, enrichment_lines
    from ...report.named_suggestions import name_groups
    from ..outputs import PROVENANCE, write_provenance

    output = output_folder(options.output, make=False) if options.output else None
    session, _ = opened(options.session)
    for text in options.members:
        name, neurons = _named(text)
        session.set_group(name, [normalize(n) or n for n in neurons])
    how = {"permutations": options.permutations, "seed": options.seed}
    with progress_bar("groups") as progress:
        table = name_groups(enrich_groups(session, options.group, progress=progress, **how), session)
    if options.json:
        print_json({"sentences": enrichment_lines(table), "groups": rows_of(table)})
    else:
        print("\n".join(enrichment_lines(table)))
    if output is None:
        return
    from ...model.provenance import record_of

    groups = {name: list(members) for name, members in session.groups.items()}
    made = record_of(how | {"groups": groups}, options.seed, session.recordings.values(), step="groups")
    with beside_others(output, ["groups_shared.csv", PROVENANCE]) as mine:
        write_csv(table, mine.path("groups_shared.csv"))
        write_provenance(mine, made)
    if not options.json:
        print(f"wrote {output}")


def _named(text: str) -> tuple[str, list[str]]:
    from ...model.errors import InputError

    name, equals, neurons = text.partition("=")
    found = [n.strip() for n in neurons.split(",") if n.strip()]
    if not equals or not found:
        raise InputError(f"'{text[:60]}' names no group", where="--members", fix="Give NAME=NEURON,NEURON,...")
    return name, found


def _permutations(text: str) -> int:
    value = seed_of(text)
    if not 1 <= value <= 10_000_000:
        raise argparse.ArgumentTypeError(f"{text} permutations; give 1 to 10 million")
    return value
