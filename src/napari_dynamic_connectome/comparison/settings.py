"""Settings of the comparison with connectomes and other networks."""

from __future__ import annotations

from typing import Literal

from ..model.settings import StepSettings, setting


class StructureSettings(StepSettings):
    """How functional matrices are compared with connectomes, neuropeptides, contacts and signal propagation."""

    connectome: tuple[str, ...] = setting(
        (),
        "Tables of connections (CSV or GraphML: pre, post, type, synapses) or cect:NAME for one of the package cect; "
        "several adults are shown side by side.",
    )
    propagation: str = setting(
        "", "Signal propagation: an npz of Randi et al. (2023), or a CSV with stimulated, responder, response, q."
    )
    positions: str = setting(
        "",
        "CSV with name and x_um, y_um, z_um of cell bodies, for the distances; by default those measured in the worms, "
        "else the schematic places of the package.",
    )
    kinds: tuple[str, ...] = setting((), "Types of connections to compare (chemical, electrical, ...); all by default.")
    measure: Literal["spearman", "pearson"] = setting("spearman", "Correlation of ranks, or of the values.")
    permutations: int = setting(10_000, "Permutations of the neurons.", ge=1, le=10_000_000)
    rewired: int = setting(
        1000, "Rewired networks in which every neuron keeps its number of links (0: none).", ge=0, le=1_000_000
    )
    distance: bool = setting(True, "Also test what distance between cell bodies does not explain.")
    left_right: bool = setting(True, "Also test what being a left/right pair does not explain.")
    largest_q: float = setting(0.05, "Signal propagation: a pair responds if its q value is at most this.", gt=0, le=1)
