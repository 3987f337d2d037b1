"""Opening files: which become layers, which go into the session. Also what napari's reader and sample data do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...io.choice import ChoiceNeeded
from ...model.recording import Recording
from ..viewer.grey_levels import with_levels
from ..viewer.view_state import restore
from .drop import Item, place_items, read_asking, read_items

if TYPE_CHECKING:
    from .workspace import Workspace


def is_session(path: Path) -> bool:
    """Whether this is a saved session (folder or .zip), or a folder of results that holds one."""
    from ...session.save_load import is_session as says_session

    return (path.is_dir() and (path / "session.zarr").is_dir()) or says_session(path)


def open_paths(work: Workspace, paths: list[Path]) -> None:
    """Open files in a worker; recordings are added, a session replaces what is open, images become layers."""
    viewer = work.viewer

    def run(progress: Any, cancel: Any) -> list[tuple[str, Any]]:
        from ...model.progress import check_cancel, report
        from ...session.save_load import load_session

        found: list[tuple[str, Any]] = []
        for place, path in enumerate(paths):
            check_cancel(cancel)
            report(progress, place / len(paths), path.name)
            if is_session(path):
                target = path / "session.zarr" if (path / "session.zarr").is_dir() else path
                found.append(("session", load_session(target)))
            else:
                try:
                    found.extend(_with_levels(read_items(path)))
                except ChoiceNeeded:
                    found.append(("ask", path))  # dialogs belong to the GUI thread
        return found

    def done(found: list[tuple[str, Any]]) -> Iterator[None]:
        for kind, item in found:
            if kind == "session":
                adopt(work, item)
                continue
            items = read_asking(read_items, item) if kind == "ask" else [(kind, item)]
            for layer in place_items(work, items):
                yield  # adding one takes napari long
                add_layers(viewer, [layer])

    work.jobs.start("Open " + (paths[0].name if len(paths) == 1 else f"{len(paths)} files"), run, done)


def _with_levels(items: list[Item]) -> list[Item]:
    return [(kind, [with_levels(one) for one in item] if kind == "layers" else item) for kind, item in items]


def adopt(work: Workspace, loaded: Any, folder: Path | None = None) -> None:
    """Make a loaded session the one of this viewer; the object that docks listen to stays the same.

    `folder` is the journal of a crashed program whose edits belong on top.
    """
    work.keeper.opening()
    try:
        _replace(work, loaded)
    finally:
        work.keeper.opened(folder)  # whatever happened: edits go to a journal again
    show_images(work)
    restore(work, work.session.view)
    work.session.select(time_s=loaded.selection.time_s)  # images bring a slider that begins elsewhere


def _replace(work: Workspace, loaded: Any) -> None:
    session = work.session
    for name in list(session.recordings):
        session.remove(name)
    work.by_rank.clear()
    close_images(work)
    for recording in loaded.recordings.values():
        session.add(recording, make_current=False)
    if loaded.cohort is not None:
        session.set_cohort(loaded.cohort)
    session.set_sweep(loaded.sweep)
    session.set_components(loaded.components)
    if loaded.communities:
        session.set_communities(loaded.communities)
    session.surrogates = dict(loaded.surrogates)
    session.surrogates_changed.emit()
    session.truth = loaded.truth
    session.settings, session.provenance = dict(loaded.settings), dict(loaded.provenance)
    session.path, session.uid, session.revisions = loaded.path, loaded.uid, loaded.revisions
    session.stored, session.references = dict(loaded.stored), dict(loaded.references)
    session.left_out, session.view = loaded.left_out, dict(loaded.view)
    session.raw.clear()
    session.raw.update(loaded.raw)
    session.trail = list(loaded.trail)
    session.done, session.undone = list(loaded.done), list(loaded.undone)
    session.history_changed.emit()
    if loaded.current in session.recordings:
        session.set_current(loaded.current)
    wanted = loaded.selection
    session.select(component=wanted.component, kind=wanted.kind)
    session.select(level=wanted.level, community=wanted.community, time_s=wanted.time_s, neurons=wanted.neurons)


def close_images(work: Workspace) -> None:
    """Remove the layers of images that belong to the recordings of the session that closes."""
    attached = [layer for layers in work.scene.images.values() for layer in layers] + list(work.scene.labels.values())
    work.scene.images.clear()
    work.scene.labels.clear()
    for layer in attached:
        if layer in work.viewer.layers:
            work.viewer.layers.remove(layer)


def show_images(work: Workspace) -> None:
    """Open the images that the recordings came from, where the files are still there."""
    viewer, session = work.viewer, work.session
    for recording in session.recordings.values():
        if recording.name in work.scene.images or recording.volume is None:
            continue
        path = Path(recording.volume.path)
        if session.path and not path.is_absolute():
            path = Path(session.path).parent / path
        if not path.exists():
            continue
        try:
            items = image_layers(path)
            labels_path = Path(recording.labels.path) if recording.labels is not None else None
            if labels_path is not None and labels_path.exists() and not any(kind == "labels" for _, _, kind in items):
                items += [item for item in image_layers(labels_path) if item[2] == "labels"]
            layers = add_layers(viewer, items)
        except Exception:  # the session is of use without its images; opening them by hand tells why they fail
            continue
        images = [one for one in layers if type(one).__name__ == "Image"]
        labels = next((one for one in layers if type(one).__name__ == "Labels"), None)
        work.scene.attach(recording.name, images, labels)


def image_layers(path: str | Path, **options: Any) -> list[tuple[Any, dict[str, Any], str]]:
    """Volume and labels of a file as napari layer data, in micrometres and seconds, with what the file says about them."""
    from ...io.registry import read_layers

    return [_small_labels(item) for item in read_layers(path, **options)]


def _small_labels(item: tuple[Any, dict[str, Any], str]) -> tuple[Any, dict[str, Any], str]:
    """Labels as uint16 where they fit: int32 labels draw eight times slower in 3D."""
    data, options, kind = item
    if kind == "labels" and hasattr(data, "dtype") and data.dtype.itemsize > 2 and data.ndim <= 3:
        array = np.asarray(data)
        if array.size and array.min() >= 0 and array.max() < 65536:
            return array.astype(np.uint16), options, kind
    return item


def add_layers(viewer: Any, items: list[tuple[Any, dict[str, Any], str]]) -> list[Any]:
    """Add layer data to a viewer."""
    return [getattr(viewer, f"add_{kind}")(data, **options) for data, options, kind in items]


def recording_layers(recording: Recording) -> list[tuple[Any, dict[str, Any], str]]:
    """Neurons of a recording as napari layer data, for napari's own reader."""
    from ...display.scene import positions

    places, schematic = positions(recording)
    known = np.isfinite(places).all(axis=1)
    options = {
        "name": recording.name,
        "size": 2.8,
        "shading": "spherical",
        "border_width": 0,
        "units": ("um", "um", "um"),
        "features": recording.neurons[known].drop(columns=["z", "y", "x"]).reset_index(),
        "metadata": {"dynamic_connectome": {"recording": recording, "schematic": schematic}},
    }
    return [(places[known], options, "points")]
