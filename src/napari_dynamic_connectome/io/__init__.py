"""Readers and writers, one file a format; a registry chooses by content."""

from typing import TYPE_CHECKING

from .._public import public

__getattr__, __dir__, __all__ = public(
    __name__,
    {
        "ChoiceNeeded": "choice",
        "connectome_matrix": "formats.connectome",
        "list_worms": "formats.parquet",
        "networks_of": "wiring",
        "open_labels": "registry",
        "open_volume": "registry",
        "read_candidates": "formats.candidates",
        "read_cect": "formats.cect",
        "read_centres": "formats.centres",
        "read_connectome": "formats.connectome",
        "read_neuron_list": "formats.side_tables",
        "read_positions": "formats.side_tables",
        "read_propagation": "formats.propagation",
        "read_recording": "registry",
        "read_recordings": "registry",
        "to_pynapple": "pynapple_objects",
        "write_collection": "formats.collection_write",
        "write_recording": "registry",
    },
)

if TYPE_CHECKING:
    from .choice import ChoiceNeeded as ChoiceNeeded
    from .formats.candidates import read_candidates as read_candidates
    from .formats.cect import read_cect as read_cect
    from .formats.centres import read_centres as read_centres
    from .formats.collection_write import write_collection as write_collection
    from .formats.connectome import connectome_matrix as connectome_matrix
    from .formats.connectome import read_connectome as read_connectome
    from .formats.parquet import list_worms as list_worms
    from .formats.propagation import read_propagation as read_propagation
    from .formats.side_tables import read_neuron_list as read_neuron_list
    from .formats.side_tables import read_positions as read_positions
    from .pynapple_objects import to_pynapple as to_pynapple
    from .registry import open_labels as open_labels
    from .registry import open_volume as open_volume
    from .registry import read_recording as read_recording
    from .registry import read_recordings as read_recordings
    from .registry import write_recording as write_recording
    from .wiring import networks_of as networks_of
