"""Tables of switching states: states, sequences, visits, weights, starts, held-out scores, agreement, communities."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..model.state_results import StatesResult


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
    groups = state_groups(states)
    if len(groups):
        found["states_communities"] = groups
    return found


def state_groups(states: StatesResult) -> pd.DataFrame:
    """One row a community of a state's network, at the level that the rule picks: state, community, size, members, p_value."""
    parts = []
    for state, found in sorted(states.communities.items()):
        table = found.table()[["community", "size", "members", "probability", "p_value"]]
        table.insert(0, "state", state)
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
