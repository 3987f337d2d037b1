"""Evidence for a result: the same steps done on surrogate cohorts, in which neurons know nothing of each other's timing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

NOTHING = "no structure beyond chance"
SECOND_QUESTION = "whether the neurons are more active together than in shifted cohorts"
"""What components and communities are asked besides; see `pipeline.together`."""
LATER_QUESTIONS = "whether groups were seen together, are one and are more than pairs"
QUESTIONS = 3
"""What is asked of components and communities beside surrogates: 1 the strongest group, 2 the second question, 3 the later ones, too."""
EVENLY = 1 / 3
"""Coefficient of variation of the neurons' strengths up to which a component takes in nearly everyone (nine in ten, effectively:
1 / (1 + variation squared))."""
SUPPORT = (
    "background",
    "p_value",
    "q_value",
    "statistic",
    "spread",
    "worms",
    "worms_in_all",
    "worms_low",
    "worms_high",
    "largest_worm_share",
    "bootstrap",
    "bootstrap_low",
    "bootstrap_high",
    "left_out",
    "left_out_low",
    "left_out_high",
    "warning",
)
"""Columns of `Components.support`; shares of bootstraps and of left-out worms are NaN until they were computed."""


def background_words(row: pd.Series) -> str:
    """Why a component is background, from its row of `Components.support`."""
    if float(row["spread"]) <= EVENLY:
        return "nearly everyone, evenly"
    return "those whom other components leave, no more active together than in shifted cohorts"


@dataclass(frozen=True, eq=False)
class Chance:
    """What surrogate cohorts gave for every rank that was tried; all later steps compare with these.

    Parameters
    ----------
    method : str
        How the surrogates were made ("circular shift", "phase randomisation").
    gain : pandas.DataFrame
        (surrogate, rank), share of the squared norm that a rank explains beyond the rank before; NaN where it was not fitted.
    held_out : pandas.DataFrame
        (surrogate, rank), relative error on held-out fibres.
    top : pandas.DataFrame
        (surrogate, rank), largest statistic of any group of any component (`core`).
    top_modules : pandas.DataFrame
        The same after the neurons' strengths were taken out (`modules`).
    table : pandas.DataFrame
        One row a rank: rank; gain of the data; chance_gain (mean) and chance_gain_high (95 %); p_gain; held_out of the data and
        chance_held_out (mean), chance_held_out_low, chance_held_out_high; believable (components beyond chance that are no
        background, and not others once more, alone or together).
    note : str
        Why no surrogate could be made, in words; empty if they could.
    settings : dict
        Number of surrogates, least shift, length of the time bins, seed.
    """

    method: str = "circular shift"
    gain: pd.DataFrame = field(default_factory=pd.DataFrame)
    held_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    top: pd.DataFrame = field(default_factory=pd.DataFrame)
    top_modules: pd.DataFrame = field(default_factory=pd.DataFrame)
    table: pd.DataFrame = field(default_factory=pd.DataFrame)
    note: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tested(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(len(self.top))
