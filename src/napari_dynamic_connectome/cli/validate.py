"""The command `validate`: a check of a settings file or of any input file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    """Add the command to the parser."""
    validate = commands.add_parser("validate", help="check a settings file, or any input file, and say what is in it")
    validate.add_argument("path", help="settings .toml, or a recording")
    validate.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    path = Path(options.path)
    if path.suffix == ".toml":
        from ..pipeline.run import find_inputs
        from ..pipeline.settings import PipelineSettings

        settings = PipelineSettings.from_file(path)
        paths, volumes = find_inputs(settings)
        print(f"{path}: good; {len(paths)} recordings, {len(volumes)} worms given as images")
        return
    from ..io.registry import read_recordings

    for recording in read_recordings(path):
        print(
            f"{recording.name}: {recording.n_neurons} neurons ({len(recording.named)} named), {recording.n_times} time points, "
            f"{recording.rate_hz:.3g} Hz, {len(recording.stimuli)} stimuli, {len(recording.behaviour.data_vars)} behaviour channels"
        )
