"""Layer data and colours made from results; no Qt."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "colors_at": "scene",
        "label_colors": "scene",
        "resolve": "scene",
    },
)

if TYPE_CHECKING:
    from .scene import colors_at as colors_at
    from .scene import label_colors as label_colors
    from .scene import resolve as resolve
