"""The command `suggest-names`: names for the neurons of a worm, from an atlas of positions or from another program's table."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ..reading import add_reading, reading_of

ORDER = 180


def add(commands: Any) -> None:
    """Add the command to the parser."""
    suggest = commands.add_parser("suggest-names", help="ranked names for the neurons of a worm, with probabilities")
    suggest.add_argument("recording", metavar="FILE", help="traces of the worm")
    source = suggest.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--candidates",
        metavar="CSV",
        help="of another program: label, name, probability; or label, name_1, probability_1, ...; or a column a name",
    )
    source.add_argument("--atlas", metavar="CSV", help="positions: name, x, y, z in micrometres")
    suggest.add_argument(
        "--least",
        type=float,
        default=0.5,
        metavar="P",
        help="least probability of a name that is written (default: %(default)s)",
    )
    suggest.add_argument(
        "-o", "--output", metavar="CSV", help="write label, name, confidence of the sure ones; each name once"
    )
    add_reading(suggest)
    suggest.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.files import output_folder
    from ...io.formats.candidates import read_candidates
    from ...io.ownership import OurFiles
    from ...io.registry import read_recording
    from ...naming.atlas import read_atlas, suggest
    from ...naming.candidates import assign_names, candidates_for

    if not 0 <= options.least <= 1:
        raise InputError(f"{options.least:g} is no probability", where="--least", fix="Give 0 to 1.")
    target = None
    if options.output:
        target = Path(options.output)
        output_folder(target.parent, make=False)
    recording = read_recording(options.recording, **reading_of(options))
    if options.candidates:
        found = candidates_for(recording, read_candidates(options.candidates))
    else:
        found = suggest(recording, read_atlas(options.atlas))
    for neuron, one in found.items():
        print(f"{neuron}: {_ranked(one)}")
    chosen = assign_names(found, least=options.least)
    print(f"{len(chosen)} of {recording.n_neurons} neurons have a name that is at least {options.least:g} probable")
    if target is not None:
        import pandas as pd

        from ...io.formats.text_tables import write_csv

        labels = recording.neurons["label"]
        rows = [(int(labels[n]), s.name, s.probability) for n, s in chosen.items()]
        mine = OurFiles(target.parent)
        write_csv(pd.DataFrame(rows, columns=["label", "name", "confidence"]), mine.path(target.name))
        mine.finish(stale=False)
        print(f"wrote {target}")


def _ranked(one: Sequence[Any]) -> str:
    return ", ".join(f"{s.name} {s.probability:.2f}" for s in one[:6]) or "none"
