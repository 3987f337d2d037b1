"""The command `project`: new worms on the components of a run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ..as_json import add_json, print_json, rows_of
from ..numbers import seed_of
from ..progress import progress_bar
from ..reading import add_reading, reading_of
from ..saved import open_run

ORDER = 110


def add(commands: Any) -> None:
    """Add the command to the parser."""
    project = commands.add_parser("project", help="courses and loadings of new worms for the components of a run")
    project.add_argument("session", help="session.zarr, or the output folder of a run")
    project.add_argument("recordings", nargs="+", metavar="FILE", help="traces of worms that took no part in the run")
    project.add_argument("-o", "--output", help="folder (default: the folder that holds the session)")
    project.add_argument(
        "--splits",
        type=int,
        default=4,
        help="random halves of a worm's neurons for the error on neurons not looked at (default: %(default)s)",
    )
    project.add_argument("--seed", type=seed_of, default=0)
    add_json(project)
    add_reading(project)
    project.set_defaults(action=execute, beside_session=True)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.formats.text_tables import write_csv
    from ...io.ownership import OurFiles
    from ...io.registry import read_recordings
    from ...model.errors import InputError
    from ...model.provenance import record_of
    from ...pipeline.project import project_recordings, projection_tables
    from ..outputs import write_provenance

    session, cohort, output = open_run(options.session, options.output)
    components = session.components
    if components is None:
        raise InputError("the session holds no components", where=options.session, fix="Run the pipeline first.")
    mine = OurFiles(output / "tables", part="projection")
    for name in ("projection.csv", "projection_time.csv", "projection.json"):
        mine.path(name)  # what cannot be written is said before the work
    given = reading_of(options)
    recordings = [one for path in options.recordings for one in read_recordings(Path(path), **given)]
    with progress_bar("project") as progress:
        found = project_recordings(
            recordings, components, cohort=cohort, splits=options.splits, seed=options.seed, progress=progress
        )
    folder = output / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    tables = projection_tables(found, components)
    for name, table in tables.items():
        write_csv(table, mine.path(f"{name}.csv"))
    asked = {"splits": options.splits}
    made = record_of(asked, options.seed, [*components.provenance.get("inputs", ()), *recordings], step="project")
    write_provenance(mine, made, "projection.json")
    mine.finish()
    if options.json:
        print_json({"folder": folder, "worms": rows_of(tables["projection"])})
        return
    for one in found:
        strongest = int(one.loading["component"].values[int(one.loading.values.argmax())])
        left = f"; {'; '.join(one.notes)}" if one.notes else ""
        print(
            f"  {one.worm}: error {one.error:.3f} over {one.n_pairs} pairs, {one.cross_error:.3f} on neurons not looked at; "
            f"strongest component {strongest}{left}"
        )
    print(f"tables: {folder / 'projection.csv'}, {folder / 'projection_time.csv'}")
