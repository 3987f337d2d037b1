"""From segmented whole-brain calcium imaging of C. elegans to a dynamic functional connectome.

The names below are the public API. They are imported on first use, so that importing the package is quick and loads
neither napari nor Qt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._public import public

try:
    from ._version import __version__  # type: ignore[import-not-found]
except ImportError:  # the sources alone, never built: what is installed, if anything is
    from importlib import metadata as _metadata

    try:
        __version__ = _metadata.version("napari-dynamic-connectome")
    except _metadata.PackageNotFoundError:
        __version__ = "0+unknown"

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "BaselinePanel": "model.opinions",
        "Cancelled": "model.errors",
        "ChoiceNeeded": "io.choice",
        "Cohort": "model.cohort",
        "Communities": "model.results",
        "Components": "model.results",
        "DynamicConnectomeError": "model.errors",
        "FormatError": "model.errors",
        "InputError": "model.errors",
        "MissingExtraError": "model.errors",
        "Network": "model.network",
        "PipelineSettings": "pipeline.settings",
        "Recording": "model.recording",
        "Session": "session.session",
        "SettingsError": "model.errors",
        "SignedComparison": "model.opinions",
        "StatesResult": "model.state_results",
        "analyze": "pipeline.run",
        "assess_robustness": "robustness.run",
        "average_onsets": "comparison.onsets",
        "compare_groups": "comparison.groups",
        "compare_held_out": "states.held_out",
        "compare_labels": "comparison.segmentation",
        "compare_results": "comparison.runs",
        "compare_signed": "factorization.signed",
        "compare_structure": "comparison.structure",
        "compute_affinity": "affinity.compute",
        "connectome_matrix": "io.formats.connectome",
        "decompose": "pipeline.run",
        "enrich_groups": "pipeline.groups",
        "extract_traces": "extraction.extract",
        "factorize": "factorization.factorize",
        "factorize_signed": "factorization.signed",
        "find_communities": "communities.find",
        "fit_states": "states.fit",
        "freshness": "session.freshness",
        "from_cp_tensor": "factorization.convert",
        "functional_matrices": "comparison.functional",
        "list_worms": "io.formats.parquet",
        "load_session": "session.save_load",
        "mantel_test": "comparison.permutation",
        "match_components": "factorization.match",
        "matrix_regression": "comparison.regression",
        "networks_of": "io.wiring",
        "open_labels": "io.registry",
        "open_volume": "io.registry",
        "partial_out": "comparison.confounds",
        "partition": "pipeline.partition",
        "project_recordings": "pipeline.project",
        "project_worm": "factorization.project",
        "project_worms": "factorization.factorize",
        "read_candidates": "io.formats.candidates",
        "read_cect": "io.formats.cect",
        "read_centres": "io.formats.centres",
        "read_connectome": "io.formats.connectome",
        "read_neuron_list": "io.formats.side_tables",
        "read_propagation": "io.formats.propagation",
        "read_recording": "io.registry",
        "read_recordings": "io.registry",
        "render_recording": "simulation.render",
        "run_pipeline": "pipeline.run",
        "save_session": "session.save_load",
        "simulate_cohort": "simulation.simulate",
        "simulate_recording": "simulation.simulate",
        "state_agreement": "states.agreement",
        "static_baselines": "baselines.panel",
        "suggest_tests": "comparison.next_tests",
        "surrogate_components": "pipeline.surrogates",
        "sweep_ranks": "factorization.sweep",
        "to_cp_tensor": "factorization.convert",
        "to_pynapple": "io.pynapple_objects",
        "with_attributes": "model.attributes",
        "worm_table": "model.attributes",
        "write_collection": "io.formats.collection_write",
        "write_recording": "io.registry",
        "write_report": "report.html",
        "write_tables": "report.tables",
    },
)
__all__ += ["__version__"]

if TYPE_CHECKING:
    from .affinity.compute import compute_affinity as compute_affinity
    from .baselines.panel import static_baselines as static_baselines
    from .communities.find import find_communities as find_communities
    from .comparison.confounds import partial_out as partial_out
    from .comparison.functional import functional_matrices as functional_matrices
    from .comparison.groups import compare_groups as compare_groups
    from .comparison.next_tests import suggest_tests as suggest_tests
    from .comparison.onsets import average_onsets as average_onsets
    from .comparison.permutation import mantel_test as mantel_test
    from .comparison.regression import matrix_regression as matrix_regression
    from .comparison.runs import compare_results as compare_results
    from .comparison.segmentation import compare_labels as compare_labels
    from .comparison.structure import compare_structure as compare_structure
    from .extraction.extract import extract_traces as extract_traces
    from .factorization.convert import from_cp_tensor as from_cp_tensor
    from .factorization.convert import to_cp_tensor as to_cp_tensor
    from .factorization.factorize import factorize as factorize
    from .factorization.factorize import project_worms as project_worms
    from .factorization.match import match_components as match_components
    from .factorization.project import project_worm as project_worm
    from .factorization.signed import compare_signed as compare_signed
    from .factorization.signed import factorize_signed as factorize_signed
    from .factorization.sweep import sweep_ranks as sweep_ranks
    from .io.choice import ChoiceNeeded as ChoiceNeeded
    from .io.formats.candidates import read_candidates as read_candidates
    from .io.formats.cect import read_cect as read_cect
    from .io.formats.centres import read_centres as read_centres
    from .io.formats.collection_write import write_collection as write_collection
    from .io.formats.connectome import connectome_matrix as connectome_matrix
    from .io.formats.connectome import read_connectome as read_connectome
    from .io.formats.parquet import list_worms as list_worms
    from .io.formats.propagation import read_propagation as read_propagation
    from .io.formats.side_tables import read_neuron_list as read_neuron_list
    from .io.pynapple_objects import to_pynapple as to_pynapple
    from .io.registry import open_labels as open_labels
    from .io.registry import open_volume as open_volume
    from .io.registry import read_recording as read_recording
    from .io.registry import read_recordings as read_recordings
    from .io.registry import write_recording as write_recording
    from .io.wiring import networks_of as networks_of
    from .model.attributes import with_attributes as with_attributes
    from .model.attributes import worm_table as worm_table
    from .model.cohort import Cohort as Cohort
    from .model.errors import Cancelled as Cancelled
    from .model.errors import DynamicConnectomeError as DynamicConnectomeError
    from .model.errors import FormatError as FormatError
    from .model.errors import InputError as InputError
    from .model.errors import MissingExtraError as MissingExtraError
    from .model.errors import SettingsError as SettingsError
    from .model.network import Network as Network
    from .model.opinions import BaselinePanel as BaselinePanel
    from .model.opinions import SignedComparison as SignedComparison
    from .model.recording import Recording as Recording
    from .model.results import Communities as Communities
    from .model.results import Components as Components
    from .model.state_results import StatesResult as StatesResult
    from .pipeline.groups import enrich_groups as enrich_groups
    from .pipeline.partition import partition as partition
    from .pipeline.project import project_recordings as project_recordings
    from .pipeline.run import analyze as analyze
    from .pipeline.run import decompose as decompose
    from .pipeline.run import run_pipeline as run_pipeline
    from .pipeline.settings import PipelineSettings as PipelineSettings
    from .pipeline.surrogates import surrogate_components as surrogate_components
    from .report.html import write_report as write_report
    from .report.tables import write_tables as write_tables
    from .robustness.run import assess_robustness as assess_robustness
    from .session.freshness import freshness as freshness
    from .session.save_load import load_session as load_session
    from .session.save_load import save_session as save_session
    from .session.session import Session as Session
    from .simulation.render import render_recording as render_recording
    from .simulation.simulate import simulate_cohort as simulate_cohort
    from .simulation.simulate import simulate_recording as simulate_recording
    from .states.agreement import state_agreement as state_agreement
    from .states.fit import fit_states as fit_states
    from .states.held_out import compare_held_out as compare_held_out
