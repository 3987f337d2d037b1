"""Identity of cells: completion of names, suggestions from an atlas of positions, confidence."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "assign_names": "candidates",
        "candidates_for": "candidates",
        "completions": "name_completion",
        "read_atlas": "atlas",
        "suggest": "atlas",
    },
)

if TYPE_CHECKING:
    from .atlas import read_atlas as read_atlas
    from .atlas import suggest as suggest
    from .candidates import assign_names as assign_names
    from .candidates import candidates_for as candidates_for
    from .name_completion import completions as completions
