"""Data model: recordings, cohorts, results, settings, errors. No input or output, no Qt."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "Cancelled": "errors",
        "Cohort": "cohort",
        "CohortSettings": "cohort",
        "Communities": "results",
        "Components": "results",
        "DynamicConnectomeError": "errors",
        "FormatError": "errors",
        "InputError": "errors",
        "MissingExtraError": "errors",
        "Network": "network",
        "Recording": "recording",
        "SettingsError": "errors",
        "Truth": "truth",
        "is_canonical": "neurons",
        "left_right_pairs": "neurons",
        "with_attributes": "attributes",
        "worm_table": "attributes",
    },
)

if TYPE_CHECKING:
    from .attributes import with_attributes as with_attributes
    from .attributes import worm_table as worm_table
    from .cohort import Cohort as Cohort
    from .cohort import CohortSettings as CohortSettings
    from .errors import Cancelled as Cancelled
    from .errors import DynamicConnectomeError as DynamicConnectomeError
    from .errors import FormatError as FormatError
    from .errors import InputError as InputError
    from .errors import MissingExtraError as MissingExtraError
    from .errors import SettingsError as SettingsError
    from .network import Network as Network
    from .neurons import is_canonical as is_canonical
    from .neurons import left_right_pairs as left_right_pairs
    from .recording import Recording as Recording
    from .results import Communities as Communities
    from .results import Components as Components
    from .truth import Truth as Truth
