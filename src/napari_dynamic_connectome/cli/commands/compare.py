"""The command `compare`: the results of two sessions beside each other."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..as_json import add_json, print_json, rows_of
from ..sessions import opened

if TYPE_CHECKING:
    import pandas as pd

    from ...model.results import Communities, CommunityKind, Components

ORDER = 120


def add(commands: Any) -> None:
    """Add the command to the parser."""
    compare = commands.add_parser("compare", help="match the components and communities of two sessions")
    compare.add_argument("session", help="session.zarr, or the output folder of a run")
    compare.add_argument("other", help="the session to compare it with")
    compare.add_argument("-o", "--output", help="folder for the tables (default: only on the screen)")
    add_json(compare)
    compare.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...comparison.runs import compare_results
    from ...io.files import output_folder
    from ...io.formats.text_tables import write_csv
    from ...io.ownership import beside_others

    output = output_folder(options.output, make=False) if options.output else None
    first, second = _held(options.session), _held(options.other)
    found = compare_results(*first, *second)
    tables = {
        "compared_components": found.match.table,
        "compared_partitions": found.partitions,
        "compared_communities": _named(found.communities, first[1], second[1]),
    }
    if options.json:
        rows = {name.removeprefix("compared_"): rows_of(table) for name, table in tables.items()}
        print_json({"score": found.match.score, "modes": found.match.modes, "pairs": found.match.n_pairs, **rows})
    else:
        print("\n".join(found.lines))
    if output is None:
        return
    with beside_others(output, [f"{name}.csv" for name in tables]) as mine:
        for name, table in tables.items():
            write_csv(table, mine.path(f"{name}.csv"))
    if not options.json:
        print(f"wrote {Path(output)}")


def _named(
    table: pd.DataFrame,
    first: Mapping[tuple[int, CommunityKind], Communities],
    second: Mapping[tuple[int, CommunityKind], Communities],
) -> pd.DataFrame:
    """Add the names of the communities as either session shows them; "" where there is no partner."""
    import pandas as pd

    from ...display.community_names import community_names

    table = table.copy()
    for place, (side, every) in enumerate((("a", first), ("b", second))):
        names = [
            "" if pd.isna(number) else community_names(every, int(component), kind).get(int(number), "")
            for component, kind, number in zip(
                table[f"component_{side}"], table["kind"], table[f"community_{side}"], strict=True
            )
        ]
        table.insert(5 + place, f"community_name_{side}", names)
    return table


def _held(text: str) -> tuple[Components, Mapping[tuple[int, CommunityKind], Communities]]:
    """Components and communities of a session."""
    from ...model.errors import InputError

    session, path = opened(text)
    if session.components is None or not session.components.rank:
        raise InputError("the session holds no component", where=str(path), fix="Run the analysis first.")
    return session.components, session.communities
