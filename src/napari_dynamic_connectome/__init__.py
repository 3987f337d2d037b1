"""From segmented whole-brain calcium imaging of C. elegans to a dynamic functional connectome.

The names below are the public API. They are imported on first use, so that importing the package is quick and loads
neither napari nor Qt.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_API = {
    "Recording": "model.recording",
    "Cohort": "model.cohort",
    "Components": "model.results",
    "Communities": "model.results",
    "read_recording": "io.registry",
    "write_recording": "io.registry",
    "extract_traces": "extraction.extract",
    "compute_affinity": "affinity.compute",
    "factorize": "factorization.factorize",
    "sweep_ranks": "factorization.sweep",
    "find_communities": "communities.find",
    "simulate_recording": "simulation.simulate",
    "simulate_cohort": "simulation.simulate",
    "render_recording": "simulation.render",
    "Session": "session.session",
    "save_session": "session.save_load",
    "load_session": "session.save_load",
    "run_pipeline": "pipeline.run",
    "DynamicConnectomeError": "model.errors",
    "InputError": "model.errors",
    "Cancelled": "model.errors",
}
__all__ = sorted([*_API, "__version__"])

if TYPE_CHECKING:
    from .affinity.compute import compute_affinity as compute_affinity
    from .communities.find import find_communities as find_communities
    from .extraction.extract import extract_traces as extract_traces
    from .factorization.factorize import factorize as factorize
    from .factorization.sweep import sweep_ranks as sweep_ranks
    from .io.registry import read_recording as read_recording
    from .io.registry import write_recording as write_recording
    from .model.cohort import Cohort as Cohort
    from .model.errors import Cancelled as Cancelled
    from .model.errors import DynamicConnectomeError as DynamicConnectomeError
    from .model.errors import InputError as InputError
    from .model.recording import Recording as Recording
    from .model.results import Communities as Communities
    from .model.results import Components as Components
    from .pipeline.run import run_pipeline as run_pipeline
    from .session.save_load import load_session as load_session
    from .session.save_load import save_session as save_session
    from .session.session import Session as Session
    from .simulation.render import render_recording as render_recording
    from .simulation.simulate import simulate_cohort as simulate_cohort
    from .simulation.simulate import simulate_recording as simulate_recording


def __getattr__(name: str) -> Any:
    if name not in _API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_API[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
