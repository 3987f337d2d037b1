"""Synthetic worms with known truth: names, positions, traces, volumes."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "RenderSettings": "settings",
        "SimulationSettings": "settings",
        "render_recording": "render",
        "sample_cohort": "samples",
        "sample_worm": "samples",
        "simulate_cohort": "simulate",
        "simulate_recording": "simulate",
    },
)

if TYPE_CHECKING:
    from .render import render_recording as render_recording
    from .samples import sample_cohort as sample_cohort
    from .samples import sample_worm as sample_worm
    from .settings import RenderSettings as RenderSettings
    from .settings import SimulationSettings as SimulationSettings
    from .simulate import simulate_cohort as simulate_cohort
    from .simulate import simulate_recording as simulate_recording
