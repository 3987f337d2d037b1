"""Static baselines: other ways to one partition of the neurons, beside the dynamic components."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "BaselineSettings": "settings",
        "static_baselines": "panel",
    },
)

if TYPE_CHECKING:
    from .panel import static_baselines as static_baselines
    from .settings import BaselineSettings as BaselineSettings
