"""The command `settings`: a settings file with all defaults and their meaning."""

from __future__ import annotations

import argparse
from typing import Any

ORDER = 150


def add(commands: Any) -> None:
    """Add the command to the parser."""
    settings = commands.add_parser("settings", help="print a settings file with all defaults and their meaning")
    settings.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...pipeline.settings import PipelineSettings
    from ...pipeline.toml import to_toml

    print("# Settings of dynamic-connectome; every line shows its default.\n" + to_toml(PipelineSettings()), end="")
