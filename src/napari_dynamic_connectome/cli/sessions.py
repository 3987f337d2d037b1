"""What commands on a finished session share: opening it, and the options that name connectomes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..comparison.settings import StructureSettings
    from ..session.session import Session


def opened(text: str) -> tuple[Session, Path]:
    """Open a session, or that of the output folder of a run; return it and its path."""
    from ..pipeline.run import SESSION_NAME
    from ..session.save_load import load_session

    path = Path(text)
    if path.is_dir() and (path / SESSION_NAME).exists():
        path = path / SESSION_NAME
    return load_session(path), path


def add_networks(parser: argparse.ArgumentParser) -> None:
    """Add the options that name connectomes and other networks."""
    parser.add_argument(
        "--connectome",
        action="append",
        metavar="FILE",
        help="CSV or GraphML with pre, post, type, synapses, or cect:NAME (package cect); repeatable, for several adults",
    )
    parser.add_argument(
        "--propagation",
        metavar="FILE",
        help="atlas of signal propagation: npz, or CSV (stimulated, responder, response, q)",
    )
    parser.add_argument("--positions", metavar="FILE", help="CSV with name, x_um, y_um, z_um of cell bodies")
    parser.add_argument(
        "--set", action="append", default=[], metavar="comparison.FIELD=VALUE", help="a setting; repeatable"
    )


def comparison_of(options: argparse.Namespace, session: Session) -> StructureSettings:
    """Settings of the comparison: those of the session's run, and what the command line says instead."""
    from ..comparison.settings import StructureSettings
    from ..model.errors import InputError
    from ..pipeline.settings import absolute, with_paths
    from ..pipeline.toml import parse_overrides

    held: Any = session.settings.get("comparison")
    values = dict(held) if isinstance(held, dict) else {}
    if session.path and values:  # paths of a run are relative to its output folder
        folder = Path(session.path).resolve().parent
        known = StructureSettings.parse(values, where="comparison")
        values = with_paths(known, lambda text: absolute(text, folder)).model_dump()
    overrides = parse_overrides(options.set)
    unknown = set(overrides) - {"comparison"}
    if unknown:
        raise InputError(
            f"'{sorted(unknown)[0]}' is not a table here", where="--set", fix="Use comparison.FIELD=VALUE."
        )
    values |= dict(overrides.get("comparison", {}))
    for name in ("connectome", "propagation", "positions"):
        if getattr(options, name):
            given = getattr(options, name)
            values[name] = tuple(given) if name == "connectome" else given
    return StructureSettings.parse(values, where="comparison")
