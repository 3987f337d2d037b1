"""Robustness of components: other worms, worms left out, other seeds, other settings."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "Robustness": "result",
        "assess_robustness": "run",
    },
)

if TYPE_CHECKING:
    from .result import Robustness as Robustness
    from .run import assess_robustness as assess_robustness
