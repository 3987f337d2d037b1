"""Switching brain states: a hidden Markov model over Gaussian GLMs with a connectome prior."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "StatesSettings": "settings",
        "compare_held_out": "held_out",
        "fit_states": "fit",
        "state_agreement": "agreement",
    },
)

if TYPE_CHECKING:
    from .agreement import state_agreement as state_agreement
    from .fit import fit_states as fit_states
    from .held_out import compare_held_out as compare_held_out
    from .settings import StatesSettings as StatesSettings
