"""Results as JSON on standard output, for programs that call the commands."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..model.text import clean_text

if TYPE_CHECKING:
    import argparse

    import pandas as pd

    from ..model.recording import Recording
    from ..session.session import Session


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add the option `--json`."""
    parser.add_argument("--json", action="store_true", help="the result as JSON on standard output")


def print_json(value: Any) -> None:
    """Print a value: what is not finite, and what a table lacks, is null."""
    print(clean_text(json.dumps(_plain(value), indent=1, ensure_ascii=False)))


def rows_of(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table, each with the columns' names."""
    return [{str(k): v for k, v in row.items()} for row in table.to_dict(orient="records")]


def run_of(session: Session, output: Path) -> dict[str, Any]:
    """What a run found and where it lies."""
    from ..report.component_figures import strongest_neurons
    from ..session.freshness import freshness

    components, sweep = session.components, session.sweep
    found: dict[str, Any] = {
        "output": output,
        "report": output / "report.html",
        "session": output / "session.zarr",
        "worms": list(session.recordings),
        "not_up_to_date": list(freshness(session).lines),
        "rank": None if components is None else components.rank,
        "reason": None if sweep is None else str(sweep.reason),
        "components": [],
    }
    for number in range(1, (components.rank if components is not None else 0) + 1):
        assert components is not None
        about: dict[str, Any] = {"component": number, "neurons": strongest_neurons(components, number, 6)}
        if components.support is not None:
            held = components.support.loc[number]
            about |= {k: held[k] for k in ("p_value", "background") if k in held.index}
            about["warning"] = components.beware(number)
        about["communities"] = {
            kind: {"answer": one.with_unasked(one.answer, components), "sizes": [int(n) for n in one.sizes()]}
            for (of, kind), one in session.communities.items()
            if of == number
        }
        found["components"].append(about)
    return found


def recording_of(recording: Recording) -> dict[str, Any]:
    """What a recording holds."""
    return {
        "name": recording.name,
        "neurons": recording.n_neurons,
        "named": recording.named,
        "time_points": recording.n_times,
        "rate_hz": recording.rate_hz,
        "duration_s": float(recording.time_s[-1] - recording.time_s[0]),
        "stimuli": len(recording.stimuli),
        "behaviour": list(recording.behaviour.data_vars),
        "remarks": recording.remarks,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v) for v in value]
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    return str(value)
