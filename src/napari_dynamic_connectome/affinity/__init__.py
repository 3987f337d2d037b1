"""Time-varying affinities of neuron pairs, made from traces."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "AffinitySettings": "settings",
        "AffinitySpec": "spec",
        "compute_affinity": "compute",
        "surrogate_cohort": "surrogates",
    },
)

if TYPE_CHECKING:
    from .compute import compute_affinity as compute_affinity
    from .settings import AffinitySettings as AffinitySettings
    from .spec import AffinitySpec as AffinitySpec
    from .surrogates import surrogate_cohort as surrogate_cohort
