"""CSV tables of switching states: states, sequences, visits, weights, starts, held-out scores, agreement."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ..io.files import output_folder
from ..io.formats.text_tables import write_csv
from ..states.result import StatesResult


def state_tables(states: StatesResult) -> dict[str, pd.DataFrame]:
    """Every table by file name without ".csv"."""
    sequence = pd.DataFrame(
        {
            "worm": states.sequence["worm"].values,
            "time_s": states.sequence["time"].values,
            "state": states.sequence.values,
        }
    )
    for state in states.posterior["state"].values:
        sequence[f"probability_{state}"] = states.posterior.sel(state=state).values
    long = states.weights.to_dataframe("weight").reset_index()
    found = {
        "states": states.table(),
        "states_sequence": sequence,
        "states_visits": states.visits(),
        "states_weights": long[np.isfinite(long["weight"])],
        "states_starts": states.starts,
    }
    if states.held_out is not None:
        found["states_held_out"] = states.held_out
    if states.agreement is not None:
        found["states_agreement"] = states.agreement
    return found


def write_state_tables(states: StatesResult, folder: str | Path) -> list[Path]:
    """Write every table into `folder` and return the paths."""
    folder = output_folder(folder)
    return [write_csv(table, folder / f"{name}.csv") for name, table in state_tables(states).items()]
