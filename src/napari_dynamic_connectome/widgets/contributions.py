"""What the manifest names: widgets, readers, writers and sample data. Imports little until it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Reader for npe2: recordings, images, labels, tables, connectomes, sessions."""
    from pathlib import Path

    from ..io.layers import can_read
    from ..io.session import is_session

    paths = [path] if isinstance(path, str) else list(path)
    if all(is_session(Path(p)) for p in paths):
        return _read_session
    return _read if can_read(path) else None


def _read(path: Any) -> list[LayerData]:
    """Return the layers of files; what is no layer goes into the session of the current viewer."""
    import napari

    from .drop import place_items, read_asking, read_items
    from .opening import recording_layers
    from .state import workspace_of

    viewer = napari.current_viewer()
    paths = [path] if isinstance(path, str) else list(path)
    items = [item for one in paths for item in read_asking(read_items, one)]
    if viewer is None:
        found = [recording_layers(item) if kind == "recording" else item for kind, item in items if kind in _SHOWN]
        return [layer for layers in found for layer in layers]
    return place_items(workspace_of(viewer), items) or [(None,)]  # type: ignore[list-item]


_SHOWN = ("layers", "recording")


def _read_session(path: Any) -> list[LayerData]:
    """Open a session in the current viewer; the overlay's layers are made from it."""
    from pathlib import Path

    import napari

    from .opening import open_paths
    from .state import workspace_of

    viewer = napari.current_viewer()
    paths = [path] if isinstance(path, str) else list(path)
    if viewer is None:
        return []
    open_paths(workspace_of(viewer), [Path(p) for p in paths])
    return [(None,)]  # type: ignore[list-item]


def sample_worm() -> list[LayerData]:
    """File > Open Sample > Simulated worm: rendered in the background when it is opened for the first time."""
    import napari

    from ..simulation.samples import sample_worm as make
    from .opening import add_layers, image_layers
    from .state import workspace_of

    viewer = napari.current_viewer()
    if viewer is None:
        return image_layers(make())

    def run(progress: Any, cancel: Any) -> list[LayerData]:
        return image_layers(make(progress=progress, cancel=cancel))

    workspace_of(viewer).jobs.start("Sample worm", run, lambda layers: add_layers(viewer, layers))
    return []


def sample_cohort() -> list[LayerData]:
    """File > Open Sample > Simulated cohort: goes into the session, the overlay shows the first worm."""
    import napari

    from ..simulation.samples import sample_cohort as make
    from .cohort_dock import add_cohort
    from .state import workspace_of

    viewer = napari.current_viewer()
    if viewer is not None:
        work = workspace_of(viewer)

        def run(progress: Any, cancel: Any) -> Any:
            return make(progress=progress, cancel=cancel)

        work.jobs.start("Sample cohort", run, lambda made: add_cohort(work, *made))
        return []
    from .opening import recording_layers

    return [layer for recording in make()[0].recordings[:1] for layer in recording_layers(recording)]


def arrange(viewer: Any = None) -> None:
    """Plugins > Dynamic connectome > Arrange windows."""
    import napari

    from .arrange import arrange_windows

    arrange_windows(viewer or napari.current_viewer())


def write_recording(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save a Points layer that came from a recording as a recording."""
    from ..io.registry import write_recording as write
    from ..model.errors import InputError

    recording = attributes.get("metadata", {}).get("dynamic_connectome", {}).get("recording")
    if recording is None:
        raise InputError("this layer does not come from a recording", fix="Use the Export dock.")
    return [str(write(recording, path))]
