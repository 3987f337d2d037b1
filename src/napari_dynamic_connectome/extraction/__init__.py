"""Raw and corrected traces from a volume and labels, with quality measures."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "CorrectionSettings": "settings",
        "ExtractionSettings": "settings",
        "QualitySettings": "settings",
        "assess_quality": "quality",
        "correct_traces": "correct",
        "extract_recording": "extract",
        "extract_traces": "extract",
        "worst_first": "quality",
    },
)

if TYPE_CHECKING:
    from .correct import correct_traces as correct_traces
    from .extract import extract_recording as extract_recording
    from .extract import extract_traces as extract_traces
    from .quality import assess_quality as assess_quality
    from .quality import worst_first as worst_first
    from .settings import CorrectionSettings as CorrectionSettings
    from .settings import ExtractionSettings as ExtractionSettings
    from .settings import QualitySettings as QualitySettings
