"""Result of the switching-state model: `StatesResult`, labelled with xarray; states are numbered from 1 by their share of time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from .errors import InputError
from .results import Communities
from .summary import Summary

Part = Literal["absolute", "positive", "negative"]


@dataclass(frozen=True, eq=False, repr=False)
class StatesResult(Summary):
    """States of several worms, and the network of each.

    Parameters
    ----------
    sequence : xarray.DataArray of int
        (sample,), the most probable path of every worm, the worms one after the other, with coordinates `worm` and `time` (s)
        along `sample`. States are numbered from 1.
    posterior : xarray.DataArray
        (sample, state), probability of every state given the worm's whole recording.
    transition : xarray.DataArray
        (state, state_to), probability from one frame to the next.
    weights : xarray.DataArray
        (state, neuron, neuron_from, lag): weight with which `neuron_from`, `lag` frames ago, predicts `neuron`; traces have
        standard deviation 1. NaN where no worm has both.
    shared : xarray.DataArray
        (neuron, neuron_from, lag), the weights that the states have in common.
    level : xarray.DataArray
        (state, neuron), the constants.
    noise : xarray.DataArray
        (state, worm, neuron), standard deviations; NaN for neurons that the worm lacks.
    rate_hz : float
        Frames per second.
    log_likelihood : float
        Per observed value (frame and neuron), in nats.
    starts : pandas.DataFrame
        One row a start: start, log_posterior, iterations, converged, agreement (adjusted Rand index of its sequence with
        that of the best one).
    types : xarray.DataArray, optional
        (neuron, neuron_from, lag, type) one-hot prior only: probability that a weight is negative, none or positive in all states.
    held_out : pandas.DataFrame, optional
        What `compare_held_out` found.
    agreement : pandas.DataFrame, optional
        What `state_agreement` found.
    communities : dict of int to Communities
        Communities of the network of every state (`state_communities`), where they were looked for.
    notes : tuple of str
        What was left out and why.
    provenance : dict
    """

    sequence: xr.DataArray
    posterior: xr.DataArray
    transition: xr.DataArray
    weights: xr.DataArray
    shared: xr.DataArray
    level: xr.DataArray
    noise: xr.DataArray
    rate_hz: float
    log_likelihood: float
    starts: pd.DataFrame
    types: xr.DataArray | None = None
    held_out: pd.DataFrame | None = None
    agreement: pd.DataFrame | None = None
    communities: Mapping[int, Communities] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def _head(self) -> str:
        return f": {self.n_states}"

    @property
    def n_states(self) -> int:
        """Number of states that were fitted."""
        return int(self.posterior.sizes["state"])

    @property
    def worms(self) -> tuple[str, ...]:
        """Names of the worms."""
        return tuple(dict.fromkeys(str(w) for w in self.sequence["worm"].values))

    @property
    def neurons(self) -> tuple[str, ...]:
        """Names of the neurons."""
        return tuple(str(n) for n in self.weights["neuron"].values)

    def of_worm(self, worm: str) -> xr.DataArray:
        """Sequence (time,) of one worm."""
        here = self.sequence["worm"].values == worm
        if not here.any():
            raise InputError(f"there is no worm '{worm}'", where="states", fix=f"Known: {', '.join(self.worms)}.")
        return xr.DataArray(
            self.sequence.values[here],
            dims=("time",),
            coords={"time": self.sequence["time"].values[here]},
            name="state",
        )

    def probability(self, worm: str) -> xr.DataArray:
        """Posterior (time, state) of one worm."""
        time = self.of_worm(worm)["time"].values
        here = self.sequence["worm"].values == worm
        return xr.DataArray(
            self.posterior.values[here],
            dims=("time", "state"),
            coords={"time": time, "state": self.posterior["state"].values},
        )

    def visits(self) -> pd.DataFrame:
        """One row a visit: worm, state, start_s, stop_s, seconds, cut (it touches an end of the recording, so it lasted longer)."""
        rows = []
        step = 1 / self.rate_hz
        for worm in self.worms:
            one = self.of_worm(worm)
            time, states = one["time"].values, one.values
            edges = np.concatenate([[0], np.flatnonzero(np.diff(states)) + 1, [len(states)]])
            for first, last in pairwise(edges):
                start, stop = float(time[first]), float(time[last - 1]) + step
                cut = first == 0 or last == len(states)
                rows.append((worm, int(states[first]), start, stop, stop - start, bool(cut)))
        return pd.DataFrame(rows, columns=["worm", "state", "start_s", "stop_s", "seconds", "cut"])

    def network(self, state: int, part: Part = "absolute") -> xr.DataArray:
        """Network of one state as a symmetric matrix.

        Weights are summed over lags; of each pair the mean of both directions is taken.

        Parameters
        ----------
        state : int
        part : {"absolute", "positive", "negative"}
            Size of all weights, or of those of one sign only.

        Returns
        -------
        xarray.DataArray
            (neuron, neuron_b), non-negative, zero diagonal, NaN where no worm has both.
        """
        if state not in self.weights["state"].values:
            raise InputError(f"there is no state {state}", where="states", fix=f"Known: 1 to {self.n_states}.")
        values = self.weights.sel(state=state).values.sum(axis=-1)
        signs = {"absolute": np.abs(values), "positive": np.maximum(values, 0), "negative": np.maximum(-values, 0)}
        if part not in signs:
            raise InputError(f"there is no part '{part}'", where="states", fix=f"Known: {', '.join(signs)}.")
        matrix = (signs[part] + signs[part].T) / 2
        np.fill_diagonal(matrix, 0.0)
        names = np.asarray(self.neurons, dtype=object)
        return xr.DataArray(
            matrix,
            dims=("neuron", "neuron_b"),
            coords={"neuron": names, "neuron_b": names},
            name=f"network of state {state}",
            attrs={"state": state, "part": part},
        )

    def distinctive(self, state: int, count: int = 8) -> list[str]:
        """Neurons whose incoming and outgoing weights differ most from the shared ones in this state."""
        off = np.nan_to_num((self.weights.sel(state=state) - self.shared).values).sum(axis=-1)
        np.fill_diagonal(off, 0.0)
        size = np.sqrt((off**2).sum(axis=0) + (off**2).sum(axis=1))
        return [self.neurons[i] for i in np.argsort(-size, kind="stable")[:count]]

    def verdict(self) -> str:
        """Say in one or two sentences whether starts agree and whether the states predict held-out frames."""
        others = self.starts["agreement"].iloc[1:]
        said = f"{self.n_states} states; " + (
            f"{int((others > 0.9).sum())} of {len(others)} other starts found the same sequence."
            if len(others)
            else "one start."
        )
        if self.held_out is None:
            return said + " Whether they predict frames that were not fitted was not tested."
        row = self.held_out[self.held_out["model"] == "states"].iloc[0]
        gain, error = float(row["over_one_state"]), float(row["over_one_state_se"])
        amount = f"{gain:+.4f} nats a value against one state (standard error {error:.4f})"
        if gain > 2 * error:
            return f"{said} They predict held-out frames better: {amount}."
        if gain < -2 * error:
            return (
                f"{said} They predict held-out frames worse than one state does: {amount}; do not read them as states."
            )
        return f"{said} They predict held-out frames no better: {amount}."

    def table(self) -> pd.DataFrame:
        """One row a state.

        Columns: state, share of time, visits, worms that visit it, dwell_median_s and dwell_mean_s of whole visits (NaN without
        one), dwell_expected_s (from the transition matrix), certainty (mean posterior while in it), neurons (most distinctive).
        """
        visits = self.visits()
        rows = []
        for number, state in enumerate(self.posterior["state"].values):
            mine = visits[visits["state"] == state]
            whole = mine.loc[~mine["cut"], "seconds"]
            inside = self.sequence.values == state
            stay = float(self.transition.values[number, number])
            rows.append(
                {
                    "state": int(state),
                    "share": float(inside.mean()),
                    "visits": len(mine),
                    "worms": int(mine["worm"].nunique()),
                    "dwell_median_s": float(whole.median()) if len(whole) else float("nan"),
                    "dwell_mean_s": float(whole.mean()) if len(whole) else float("nan"),
                    "dwell_expected_s": 1 / max(1 - stay, 1e-12) / self.rate_hz,
                    "certainty": float(self.posterior.values[inside, number].mean()) if inside.any() else float("nan"),
                    "neurons": " ".join(self.distinctive(int(state), 6)),
                }
            )
        return pd.DataFrame(rows)
