"""Nested communities of a weighted graph or of a component."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "CommunitySettings": "settings",
        "find_communities": "find",
    },
)

if TYPE_CHECKING:
    from .find import find_communities as find_communities
    from .settings import CommunitySettings as CommunitySettings
