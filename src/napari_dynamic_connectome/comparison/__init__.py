"""Components and communities against truth, behaviour, connectome and nulls."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "ConfoundSettings": "settings",
        "ContrastSettings": "settings",
        "StructureSettings": "settings",
        "average_onsets": "onsets",
        "behaviour_correlations": "behaviour",
        "compare_groups": "groups",
        "compare_labels": "segmentation",
        "compare_results": "runs",
        "compare_structure": "structure",
        "confound_report": "confounds",
        "functional_matrices": "functional",
        "left_right_report": "leftright",
        "mantel_test": "permutation",
        "matrix_regression": "regression",
        "partial_out": "confounds",
        "partial_out_cohort": "confounds",
        "read_networks": "sources",
        "recovery_scores": "recovery",
        "suggest_tests": "next_tests",
    },
)

if TYPE_CHECKING:
    from .behaviour import behaviour_correlations as behaviour_correlations
    from .confounds import confound_report as confound_report
    from .confounds import partial_out as partial_out
    from .confounds import partial_out_cohort as partial_out_cohort
    from .functional import functional_matrices as functional_matrices
    from .groups import compare_groups as compare_groups
    from .leftright import left_right_report as left_right_report
    from .next_tests import suggest_tests as suggest_tests
    from .onsets import average_onsets as average_onsets
    from .permutation import mantel_test as mantel_test
    from .recovery import recovery_scores as recovery_scores
    from .regression import matrix_regression as matrix_regression
    from .runs import compare_results as compare_results
    from .segmentation import compare_labels as compare_labels
    from .settings import ConfoundSettings as ConfoundSettings
    from .settings import ContrastSettings as ContrastSettings
    from .settings import StructureSettings as StructureSettings
    from .sources import read_networks as read_networks
    from .structure import compare_structure as compare_structure
