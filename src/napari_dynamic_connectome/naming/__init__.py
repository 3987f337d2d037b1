"""Identity of cells: completion of names, suggestions from an atlas of positions, confidence."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "completions": "name_completion",
        "read_atlas": "atlas",
        "suggest": "atlas",
    },
)

if TYPE_CHECKING:
    from .atlas import read_atlas as read_atlas
    from .atlas import suggest as suggest
    from .name_completion import completions as completions
