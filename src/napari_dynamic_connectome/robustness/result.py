"""Result of a robustness run: how often each component comes back, how sure its neurons are, how the rank varies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..model.summary import Summary
from ..pipeline.robustness_settings import RobustnessSettings


@dataclass(frozen=True, eq=False, repr=False)
class Robustness(Summary):
    """How much of an analysis stays when worms, seeds and settings change.

    Parameters
    ----------
    support : pandas.DataFrame
        One row a component: component; loading_worms (effective number of worms that carry it), largest_worm and largest_worm_share (of its
        power); for each of bootstrap, left_out and seeds the share in which it came back, with `_low`, `_high` (interval) and `_of`
        (number of refits); match (median over the bootstraps, else over all refits); foretold, foretold_low, foretold_high,
        foretold_of (share of left-out worms in which it predicts neurons that were not looked at); chance_match (largest match with
        a component of a time-shifted cohort); specific (whether that is below the stated match).
    neurons : pandas.DataFrame
        One row a component and neuron: component, neuron, worms, strength, low, high (percentile interval over the bootstraps in which
        the component came back), leading (share of those in which the neuron is among the ten strongest), bootstraps.
    ranks : pandas.DataFrame
        source ("bootstrap", "left-out worms", "seeds"), rank, count, of, share, low, high.
    held_out : pandas.DataFrame
        worm, rank, error (after projection), cross_error (on neurons that were not looked at); of worms that were not fitted.
    refits : pandas.DataFrame
        One row a refit and component: part, name, field, value, component, match, back, error, course_r, done, note.
    settings : RobustnessSettings
    notes : tuple of str
        What was left out, and why.
    provenance : dict
    """

    support: pd.DataFrame
    neurons: pd.DataFrame
    ranks: pd.DataFrame
    held_out: pd.DataFrame
    refits: pd.DataFrame
    settings: RobustnessSettings
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """One row a component: `support`."""
        return self.support.copy()

    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name."""
        return {
            "robustness_components": self.support,
            "robustness_neurons": self.neurons,
            "robustness_ranks": self.ranks,
            "robustness_held_out_worms": self.held_out,
            "robustness_refits": self.refits,
        }

    def sentences(self) -> list[str]:
        """What was found, one sentence a component, for people."""
        found = []
        for row in self.support.itertuples():
            said = []
            for name, what in (("bootstrap", "bootstraps"), ("left_out", "left-out worms"), ("seeds", "seeds")):
                of = int(getattr(row, f"{name}_of"))
                if of:
                    said.append(
                        f"{100 * getattr(row, name):.0f} % of {of} {what} "
                        f"({100 * getattr(row, f'{name}_low'):.0f}-{100 * getattr(row, f'{name}_high'):.0f} %)"
                    )
            text = (
                f"Component {row.component} comes back in {', '.join(said)}" if said else f"Component {row.component}"
            )
            if row.foretold_of:
                hits = round(row.foretold * row.foretold_of)
                text += f"; it foretells unseen neurons in {hits} of {int(row.foretold_of)} worms that were not fitted"
            if row.specific is False or row.specific == 0:
                text += f"; but time-shifted cohorts have one like it (match {row.chance_match:.2f}), so coming back says little"
            if row.largest_worm_share > 0.5:
                text += f"; {100 * row.largest_worm_share:.0f} % of it is in one worm ({row.largest_worm})"
            found.append(text + ".")
        return found
