"""Results of other methods: groupings of the neurons by static methods, and signed loadings beside non-negative ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from .errors import InputError
from .results import Components
from .summary import Summary


@dataclass(frozen=True, eq=False, repr=False)
class BaselinePanel(Summary):
    """What the static methods found.

    Parameters
    ----------
    partitions : pandas.DataFrame of int
        Neurons (rows) x methods and main results (columns): labels from 0, -1 where a neuron takes no part.
    main : tuple of str
        Columns that are the main results.
    similarity : dict of str to xarray.DataArray
        Consensus (neuron, neuron_b) of every method: larger is more alike (1 - distance for the shape distance); NaN where no
        worm has both.
    order : tuple of str
        Neurons sorted so that neighbours are alike ("sorting"); empty if that was not run.
    notes : tuple of str
    provenance : dict
    """

    partitions: pd.DataFrame
    main: tuple[str, ...]
    similarity: Mapping[str, xr.DataArray]
    order: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def agreement(self, measure: Literal["ari", "ami"] = "ari") -> pd.DataFrame:
        """Agreement of every two columns over the neurons that both place.

        Parameters
        ----------
        measure : {"ari", "ami"}
            Adjusted Rand index or adjusted mutual information: 1 = the same, 0 = as by chance.

        Returns
        -------
        pandas.DataFrame
            Square, NaN where fewer than two neurons are placed by both.
        """
        from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

        if measure not in ("ari", "ami"):
            raise InputError(f"there is no measure '{measure}'", where="baselines", fix="Known: ari, ami.")
        score = adjusted_rand_score if measure == "ari" else adjusted_mutual_info_score
        columns = list(self.partitions.columns)
        found = pd.DataFrame(np.nan, index=columns, columns=columns)
        for a in columns:
            for b in columns:
                one, two = self.partitions[a].to_numpy(), self.partitions[b].to_numpy()
                both = (one >= 0) & (two >= 0)
                if both.sum() >= 2:
                    found.loc[a, b] = float(score(one[both], two[both]))
        return found

    def verdict(self) -> str:
        """Say which static method agrees most with the main result."""
        table = self.agreement("ari")
        others = [c for c in table.columns if c not in self.main]
        if not self.main or not others:
            return "There is no result to compare with."
        part = table.loc[others, list(self.main)]
        if part.notna().to_numpy().sum() == 0:
            return "No method places the same neurons."
        method, main = part.stack().idxmax()
        return f"Most alike: {method} and {main}, adjusted Rand index {part.loc[method, main]:.2f}."

    def table(self) -> pd.DataFrame:
        """One row a method: method, groups, neurons placed, and its agreement (ARI, AMI) with each main result."""
        rows = []
        tables = {m: self.agreement(m) for m in ("ari", "ami")}  # type: ignore[arg-type]
        for name in self.partitions.columns:
            if name in self.main:
                continue
            labels = self.partitions[name].to_numpy()
            row: dict[str, Any] = {
                "method": name,
                "groups": len(np.unique(labels[labels >= 0])),
                "neurons": int((labels >= 0).sum()),
            }
            for other in self.main:
                row |= {f"{m.upper()} with {other}": float(tables[m].loc[name, other]) for m in tables}
            rows.append(row)
        return pd.DataFrame(rows)


@dataclass(frozen=True, eq=False, repr=False)
class SignedComparison(Summary):
    """Signed loadings beside non-negative ones of the same rank.

    Parameters
    ----------
    signed : Components
        Semi-NMF of the net affinity.
    non_negative : Components
        The non-negative model of the `signed` affinity, same and opposite kept apart.
    explained_signed, explained_non_negative : float
        Share of the squared net affinity (same - opposite) that each explains.
    provenance : dict
        Settings of affinity and confounds, starts, seed.
    """

    signed: Components
    non_negative: Components
    explained_signed: float
    explained_non_negative: float
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """Say in one line what non-negativity loses."""
        lost = self.explained_signed - self.explained_non_negative
        return (
            f"At rank {self.signed.rank}, signed loadings explain {self.explained_signed:.1%} of the net affinity (same minus opposite), "
            f"non-negative ones {self.explained_non_negative:.1%}: non-negativity loses {100 * lost:.1f} points."
        )
