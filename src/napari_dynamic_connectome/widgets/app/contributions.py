"""Contributions that the manifest names: readers, writers, sample data, commands. Imports little until it is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

LayerData = tuple[Any, dict[str, Any], str]


def get_reader(path: str | Sequence[str]) -> Callable[[Any], list[LayerData]] | None:
    """Reader for npe2: recordings, images, labels, tables, connectomes, sessions."""
    from pathlib import Path

    from ...io.layer_data import can_read
    from ...io.once import opening
    from ...session.save_load import is_session

    paths = [path] if isinstance(path, str) else list(path)
    known: dict[tuple[str, str], Any] = {}
    with opening(known):
        if all(is_session(Path(p)) for p in paths):
            return _read_session
        return partial(_read, known=known) if can_read(path) else None


def _read(path: Any, known: dict[tuple[str, str], Any]) -> list[LayerData]:
    """Return the layers of files; what is no layer goes into the session of the current viewer.

    `known`: what was found out about them when the reader was asked for.
    """
    from pathlib import Path

    import napari

    from ...io.choice import ChoiceNeeded
    from ...io.once import opening
    from ..workspace.open_files import ask_soon, options_given, place_items, read_asking, read_items, recording_layers
    from ..workspace.workspace import workspace_of

    viewer = napari.current_viewer()
    paths = [path] if isinstance(path, str) else list(path)
    items = []
    for one in map(Path, paths):
        if viewer is None:
            items += read_asking(one)
            continue
        work = workspace_of(viewer)
        try:
            with opening(known):
                items += read_items(one, **options_given(work, one))
        except ChoiceNeeded:
            ask_soon(work, one)
    if viewer is None:
        found = [recording_layers(item) if kind == "recording" else item for kind, item in items if kind in _SHOWN]
        return [layer for layers in found for layer in layers]
    return place_items(workspace_of(viewer), items) or [(None,)]  # type: ignore[list-item]


_SHOWN = ("layers", "recording")


def _read_session(path: Any) -> list[LayerData]:
    """Open a session in the current viewer; the overlay's layers are made from it."""
    from pathlib import Path

    import napari

    from ..workspace.open_files import open_paths
    from ..workspace.workspace import workspace_of

    viewer = napari.current_viewer()
    paths = [path] if isinstance(path, str) else list(path)
    if viewer is None:
        return [(None,)]  # type: ignore[list-item]
    open_paths(workspace_of(viewer), [Path(p) for p in paths])
    return [(None,)]  # type: ignore[list-item]


def sample_worm() -> list[LayerData]:
    """File > Open Sample > Simulated worm: rendered in the background when it is opened for the first time."""
    from ...simulation.samples import sample_worm as make
    from ..workspace.open_files import image_layers

    def read(**steps: Any) -> list[LayerData]:
        return image_layers(make(**steps))

    return list(_made("Sample worm", read))


def sample_cohort() -> list[LayerData]:
    """File > Open Sample > Simulated cohort: goes into the session, the overlay shows the first worm."""
    import napari

    from ...simulation.samples import sample_cohort as make
    from ..workspace.open_files import recording_layers

    cohort, truth = _made("Sample cohort", make)
    viewer = napari.current_viewer()
    if viewer is None:
        return [layer for recording in cohort.recordings[:1] for layer in recording_layers(recording)]
    from ..viewer.time_axis import time_layer
    from ..workspace.analysis import add_cohort
    from ..workspace.workspace import workspace_of

    work = workspace_of(viewer)
    add_cohort(work, cohort, truth)
    # napari wants a layer of every sample; the overlay takes this one for its time axis and draws the rest itself.
    return [time_layer(work.session.recording)]


def _made(title: str, make: Callable[..., Any]) -> Any:
    """Call `make(progress=, cancel=)` in a worker if there is a viewer, while the window stays alive."""
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return make()
    from qtpy.QtCore import QEventLoop

    from ...model.errors import Cancelled
    from ..workspace.workspace import workspace_of

    found: list[Any] = []
    job = workspace_of(viewer).jobs.start(title, make, found.append)
    loop = QEventLoop()
    job.ended.connect(loop.quit)
    if job.running:
        loop.exec()
    if not found:
        raise job.error or Cancelled(f"{title}: stopped")
    return found[0]


def arrange(viewer: Any = None) -> None:
    """Plugins > Dynamic connectome > Arrange windows."""
    import napari

    from .arrange import arrange_in_steps
    from .shortcuts import bind

    viewer = viewer or napari.current_viewer()
    bind(viewer)
    arrange_in_steps(viewer)


def write_recording(path: str, data: Any, attributes: dict[str, Any]) -> list[str]:
    """Save a Points layer that came from a recording as a recording."""
    from ...io.registry import write_recording as write
    from ...model.errors import InputError

    recording = attributes.get("metadata", {}).get("dynamic_connectome", {}).get("recording")
    if recording is None:
        raise InputError("this layer does not come from a recording", fix="Use the Export dock.")
    return [str(write(recording, path))]
