"""A network of neurons that was measured by other means: a connectome, contacts, neuropeptides, signal propagation.

One weight for every ordered pair. Who is source and who is target, whether the direction means anything, what the weight
counts and which pairs were never measured is part of the data, since tables of the field differ in all four.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import xarray as xr

from .errors import InputError
from .summary import Summary

Symmetrize = Literal["sum", "mean", "larger"]


@dataclass(frozen=True, eq=False, repr=False)
class Network(Summary):
    """Weights between neurons, one kind of connection of one source.

    Parameters
    ----------
    name : str
        Where it comes from ("White 1986").
    kind : str
        "chemical", "electrical", "neuropeptide", "contact", "signal propagation", ...
    weight : xarray.DataArray
        (source, target), the same neurons in both; `weight[i, j]` is the weight from i to j: from the presynaptic, releasing or
        stimulated neuron to the postsynaptic, receiving or responding one. NaN = not measured, 0 = measured and absent. The
        diagonal plays no part and is NaN.
    directed : bool
        False: `weight` is symmetric.
    quantity : str
        What the weight is ("synapses", "contact area", "dF/F of the responder").
    notes : tuple of str
        What was decided when the table was read.

    Raises
    ------
    InputError
        Weights that are not square, names that repeat or differ between the two dimensions, an asymmetric matrix that is
        called undirected, infinite weights.
    """

    name: str
    kind: str
    weight: xr.DataArray
    directed: bool = True
    quantity: str = "weight"
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        """Check the matrix and empty its diagonal."""
        if self.weight.dims != ("source", "target"):
            raise InputError(
                f"the dimensions are {self.weight.dims}, not (source, target)", where=self.title, fix="Name them so."
            )
        values = np.array(self.weight.values, dtype=float)
        sources = [str(n) for n in self.weight["source"].values]
        if values.shape[0] != values.shape[1] or sources != [str(n) for n in self.weight["target"].values]:
            raise InputError(
                "rows and columns are not the same neurons",
                where=self.title,
                fix="Give one row and one column to every neuron, in the same order.",
            )
        if len(set(sources)) < len(sources):
            twice = next(n for n in sources if sources.count(n) > 1)
            raise InputError(f"the neuron '{twice}' is there twice", where=self.title, fix="Keep one of them.")
        if np.isinf(values).any():
            raise InputError("a weight is infinite", where=self.title, fix="Give numbers, or leave the pair out.")
        np.fill_diagonal(values, np.nan)
        if not self.directed and not np.allclose(values, values.T, equal_nan=True):
            raise InputError(
                "this matrix is called undirected but is not symmetric",
                where=self.title,
                fix="Say directed=True, or make it symmetric.",
            )
        object.__setattr__(self, "weight", self.weight.copy(data=values))

    @property
    def title(self) -> str:
        """Kind and source, for tables and sentences."""
        return f"{self.kind}, {self.name}"

    @property
    def neurons(self) -> tuple[str, ...]:
        """Names, in the order of the matrix."""
        return tuple(str(n) for n in self.weight["source"].values)

    @property
    def n_connections(self) -> int:
        """Number of pairs with a weight other than zero; unordered pairs where the network is undirected."""
        found = int((np.nan_to_num(self.weight.values) != 0).sum())
        return found if self.directed else found // 2

    def between(self, neurons: list[str] | tuple[str, ...]) -> Network:
        """Keep these neurons, in this order; those that the network does not hold are left out."""
        held = set(self.neurons)
        kept = np.asarray([n for n in neurons if n in held], dtype=object)
        return replace(self, weight=self.weight.sel(source=kept, target=kept))

    def symmetric(self, how: Symmetrize = "sum") -> Network:
        """Forget the direction.

        Parameters
        ----------
        how : {"sum", "mean", "larger"}
            What becomes of the two weights of a pair: their sum (numbers of synapses), their mean, or the one that is larger in
            magnitude. A pair that was measured in one direction only has the weight of that direction.
        """
        if not self.directed:
            return self
        one = self.weight.values
        both = np.stack([one, one.T])
        known = np.isfinite(both)
        filled = np.where(known, both, 0.0)
        if how == "sum":
            joined = filled.sum(axis=0)
        elif how == "mean":
            joined = filled.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        else:
            # ties in magnitude with opposite signs: the positive one, whichever way the pair is looked at
            high, low = filled.max(axis=0), filled.min(axis=0)
            joined = np.where(high >= -low, high, low)
        joined = np.where(known.any(axis=0), joined, np.nan)
        return replace(
            self,
            weight=self.weight.copy(data=joined),
            directed=False,
            notes=(*self.notes, f"direction left out: {how} of the two weights of a pair"),
        )


def network(
    name: str,
    kind: str,
    neurons: list[str] | tuple[str, ...],
    weight: Any,
    *,
    directed: bool = True,
    quantity: str = "weight",
    notes: tuple[str, ...] = (),
) -> Network:
    """Make a `Network` from an array (source, target).

    Parameters
    ----------
    name, kind : str
    neurons : sequence of str
    weight : array (neuron, neuron)
        Row: source, column: target.
    directed, quantity, notes
        See `Network`.
    """
    names = np.asarray(list(neurons), dtype=object)
    values = np.asarray(weight, float)
    if values.shape != (len(names), len(names)):
        raise InputError(
            f"{len(names)} neurons, but a matrix of shape {values.shape}",
            where=f"{kind}, {name}",
            fix="Give one row and one column to every neuron.",
        )
    labelled = xr.DataArray(values, dims=("source", "target"), coords={"source": names, "target": names})
    return Network(name, kind, labelled, directed, quantity, notes)
