"""Non-negative components of affinities."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "FactorizationSettings": "settings",
        "compare_signed": "signed",
        "factorize_signed": "signed",
        "from_cp_tensor": "convert",
        "match_components": "match",
        "project_worm": "project",
        "project_worms": "factorize",
        "sweep_ranks": "sweep",
        "to_cp_tensor": "convert",
    },
)

if TYPE_CHECKING:
    from .convert import from_cp_tensor as from_cp_tensor
    from .convert import to_cp_tensor as to_cp_tensor
    from .factorize import project_worms as project_worms
    from .match import match_components as match_components
    from .project import project_worm as project_worm
    from .settings import FactorizationSettings as FactorizationSettings
    from .signed import compare_signed as compare_signed
    from .signed import factorize_signed as factorize_signed
    from .sweep import sweep_ranks as sweep_ranks
