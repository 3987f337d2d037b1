"""All steps' settings as one file; run and resume."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "PipelineSettings": "settings",
        "analyze": "run",
        "decompose": "run",
        "project_recordings": "project",
        "run_pipeline": "run",
        "surrogate_components": "surrogates",
    },
)

if TYPE_CHECKING:
    from .project import project_recordings as project_recordings
    from .run import analyze as analyze
    from .run import decompose as decompose
    from .run import run_pipeline as run_pipeline
    from .settings import PipelineSettings as PipelineSettings
    from .surrogates import surrogate_components as surrogate_components
