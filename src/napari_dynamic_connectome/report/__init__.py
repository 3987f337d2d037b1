"""Everything that is written for others: tables, figures, HTML, graphs, NWB, text that reproduces a result."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "new_figure": "figure_style",
        "plot_baselines": "baseline_figures",
        "plot_components": "component_figures",
        "plot_correlations": "structure_figures",
        "plot_groups": "contrasts",
        "plot_matrix": "community_figures",
        "plot_neurons": "robustness",
        "plot_onsets": "contrasts",
        "plot_robustness": "robustness",
        "plot_split_matrix": "structure_figures",
        "plot_state_means": "state_figures",
        "plot_states": "state_figures",
        "plot_sweep": "component_figures",
        "shade_stimuli": "figure_style",
        "strongest_neurons": "component_figures",
        "styled": "figure_style",
        "write_graphml": "graphml",
        "write_nwb_files": "nwb",
        "write_report": "html",
        "write_tables": "tables",
    },
)

if TYPE_CHECKING:
    from .baseline_figures import plot_baselines as plot_baselines
    from .community_figures import plot_matrix as plot_matrix
    from .component_figures import plot_components as plot_components
    from .component_figures import plot_sweep as plot_sweep
    from .component_figures import strongest_neurons as strongest_neurons
    from .contrasts import plot_groups as plot_groups
    from .contrasts import plot_onsets as plot_onsets
    from .figure_style import new_figure as new_figure
    from .figure_style import shade_stimuli as shade_stimuli
    from .figure_style import styled as styled
    from .graphml import write_graphml as write_graphml
    from .html import write_report as write_report
    from .nwb import write_nwb_files as write_nwb_files
    from .robustness import plot_neurons as plot_neurons
    from .robustness import plot_robustness as plot_robustness
    from .state_figures import plot_state_means as plot_state_means
    from .state_figures import plot_states as plot_states
    from .structure_figures import plot_correlations as plot_correlations
    from .structure_figures import plot_split_matrix as plot_split_matrix
    from .tables import write_tables as write_tables
