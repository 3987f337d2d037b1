"""Opened and dropped files: what each is, what is asked about it, and where it goes.

Images and centres become layers, recordings go into the session, a connectome becomes lines on the worm, and stimuli,
behaviour, names and lists of neurons go to the worm that is shown. A saved session replaces the one that is open.
"""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QTimer

from ...io.choice import ChoiceNeeded
from ...io.once import opening
from ...model.errors import InputError
from ...model.recording import Recording
from ..viewer.first_look import fade_images
from ..viewer.grey_levels import with_levels
from ..viewer.view_state import restore, restore_images
from .import_sheet import import_files
from .preferences import note_session

if TYPE_CHECKING:
    from .recovery import Foreign
    from .workspace import Workspace

log = logging.getLogger("napari_dynamic_connectome")
Item = tuple[str, Any]
"""("layers", list), ("recording", Recording), ("connectome", (name, edges)), or ("table", (kind, path))."""


@opening()
def read_items(path: str | Path, **options: Any) -> list[Item]:
    """Read a file; images lazily. Safe in a worker thread.

    Parameters
    ----------
    path : str or Path
    **options
        Answers: axes=, dataset=, rate_hz=.

    Raises
    ------
    ChoiceNeeded
        If something has to be asked; see `read_asking`.
    """
    from ...io.formats.connectome import read_connectome
    from ...io.layer_data import is_centres
    from ...io.registry import identify
    from ...io.sniffing import table_kind

    path = Path(path)
    form = identify(path)
    if "table" in form.holds or form.key in ("graphml", "hdf5"):
        kind = table_kind(path)
        if kind == "connectome":
            return [("connectome", (path.name.split(".")[0], read_connectome(path, **options)))]
        if kind not in ("traces", "centres"):
            return [("table", (kind, path))]
    found: list[Item] = []
    asking = {"asking": True} if is_centres(path) else {}
    for layer in image_layers(path, **options, **asking):
        recording = layer[1].get("metadata", {}).get("dynamic_connectome", {}).get("recording")
        found.append(("recording", recording) if isinstance(recording, Recording) else ("layers", [layer]))
    return found


def options_given(work: Workspace | None, path: Path) -> dict[str, Any]:
    """Return what was said on the command line about how files are read, as far as it concerns this one."""
    from ...io.layer_data import fitting

    return fitting(path, work.reading) if work is not None and work.reading else {}


def read_asking(path: str | Path, parent: Any = None) -> list[Item]:
    """Read a file outside of a window of ours, and ask in the import sheet for what it leaves open.

    Parameters
    ----------
    path : str or Path
    parent : QWidget, optional

    Raises
    ------
    ChoiceNeeded
        If the user does not answer.
    """
    try:
        return read_items(path)
    except ChoiceNeeded:
        found = import_files([Path(path)], read_items, parent=parent)
        if found is None:
            raise
    return [item for entry in found for item in entry.items]


def import_asking(work: Workspace, paths: list[Path]) -> list[Item]:
    """Show the import sheet for files that ask; return what was read, nothing if the user gave up."""
    given = {path: options_given(work, path) for path in paths}
    found = import_files(paths, read_items, viewer=work.viewer, answers=work.answers, given=given)
    return [item for entry in found or [] for item in entry.items]


_waiting: weakref.WeakKeyDictionary[Any, list[Path]] = weakref.WeakKeyDictionary()
"""Files that ask something, by workspace, until their sheet opens."""


def ask_soon(work: Workspace, path: Path) -> None:
    """Open the import sheet when napari has done with what it opens now, for all files that ask.

    Not before: napari opens files that are dropped together one by one, and a dialog inside of that would draw half of a window.

    Parameters
    ----------
    work : Workspace
    path : Path
    """
    waiting = _waiting.setdefault(work, [])
    if not waiting:
        me = weakref.ref(work)
        QTimer.singleShot(ASK_MS, lambda: _ask_now(me))
    if path not in waiting:
        waiting.append(path)


ASK_MS = 50


def _napari_opens() -> bool:
    """Whether this is called from inside of napari's opening, whose progress bar takes turns of the event loop."""
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "open" and frame.f_globals.get("__name__") == "napari.components.viewer_model":
            return True
        frame = frame.f_back
    return False


def _ask_now(work_ref: Any) -> None:
    work = work_ref()
    viewer = None if work is None else work.viewer
    if viewer is None:
        return
    if _napari_opens():
        QTimer.singleShot(ASK_MS, lambda: _ask_now(work_ref))
        return
    add_layers(viewer, place_items(work, import_asking(work, _waiting.pop(work, []))))


def layer_voxels(layer: Any, parent: Any = None) -> Any:
    """Return the voxels of an image or labels layer in the order (t,) z, y, x; what its axes do not say is asked.

    An answer is kept in the layer, so that it is asked once.

    Raises
    ------
    ChoiceNeeded
        If the user does not answer.
    """
    from ...io.axes import layer_array

    data = layer.data[0] if getattr(layer, "multiscale", False) else layer.data
    kept = layer.metadata.setdefault("dynamic_connectome", {}).setdefault("axes", {})
    named = tuple(str(a) for a in layer.axis_labels)

    def read(_: Path, **options: Any) -> list[Item]:
        held = layer_array(data, named, layer.name, **options)
        return [("layers", [(held, {}, "labels" if type(layer).__name__ == "Labels" else "image")])]

    try:
        return layer_array(data, named, layer.name, **kept)
    except ChoiceNeeded:
        found = import_files(
            [Path(layer.name)], read, parent=parent, title="layer", given={Path(layer.name): dict(kept)}
        )
        if not found:
            kept.clear()
            raise
    kept.update(found[0].options)
    return found[0].layers[0][0]


def place_items(work: Workspace, items: list[Item]) -> list[tuple[Any, dict[str, Any], str]]:
    """Put recordings and tables into the session; return what is left as layer data. On the GUI thread."""
    from ...display.connectome import connectome_layers
    from .recording_names import unique

    layers: list[tuple[Any, dict[str, Any], str]] = []
    for kind, item in items:
        if kind == "layers":
            layers += item
        elif kind == "recording":
            name = unique(item.name, work.session.recordings)
            work.session.add(item.replace(name=name), made=f"open {name}", action="open")
        elif kind == "connectome":
            layers += connectome_layers(item[1], item[0], work.session.recording)
        else:
            _take_table(work, *item)
    return layers


def _take_table(work: Workspace, kind: str, path: Path) -> None:
    """Give stimuli, behaviour or names to the worm that is shown; select the neurons of a list."""
    from ...io.formats.side_tables import read_behaviour, read_names, read_neuron_list, read_stimuli
    from ..qt.notify import show_info

    recording = work.session.recording
    what = {"names": "names of labels", "neurons": "a list of neurons"}.get(kind, kind)
    if recording is None:
        raise InputError(
            f"this table holds {what}, but no worm is open", where=str(path), fix="Open the recording first."
        )
    if kind == "names":
        labels = set(recording.neurons["label"].astype(int))
        names = {label: name for label, name in read_names(path).items() if label in labels}
        work.session.edit(
            recording.name, {k: {"name": v} for k, v in names.items()}, text=f"names from {path.name}"
        )  # fmt: skip
        show_info(f"{recording.name}: {len(names)} names from {path.name}.")
    elif kind == "neurons":
        wanted = set(read_neuron_list(path))
        chosen = recording.neurons.index[recording.neurons["name"].isin(wanted)]
        work.session.select(neurons=tuple(str(n) for n in chosen))
        show_info(f"{len(chosen)} of {len(wanted)} neurons of {path.name} are in {recording.name}.")
    else:
        if kind == "stimuli":
            new = recording.replace(stimuli=read_stimuli(path))
        else:
            found = read_behaviour(path, np.asarray(recording.time_s))
            new = recording.replace(behaviour=recording.behaviour.assign(dict(found.data_vars)))
        work.session.add(new, replace=True, made=f"{kind} from {path.name}")
        show_info(f"{recording.name}: {kind} from {path.name}.")


def is_session(path: Path) -> bool:
    """Whether this is a saved session (folder or .zip), or a folder of results that holds one."""
    from ...session.save_load import is_session as says_session

    return (path.is_dir() and (path / "session.zarr").is_dir()) or says_session(path)


def open_paths(work: Workspace, paths: list[Path]) -> Any:
    """Open files in a worker, and return the job; recordings are added, a session replaces what is open, images become layers."""
    viewer = work.viewer

    def run(progress: Any, cancel: Any) -> list[tuple[str, Any]]:
        from ...model.progress import check_cancel, report
        from ...session.save_load import load_session

        found: list[tuple[str, Any]] = []
        asking: list[Path] = []
        for place, path in enumerate(paths):
            check_cancel(cancel)
            report(progress, place / len(paths), path.name)
            if is_session(path):
                target = path / "session.zarr" if (path / "session.zarr").is_dir() else path
                found.append(("session", load_session(target)))
            else:
                try:
                    found.extend(_with_levels(read_items(path, **options_given(work, path))))
                except ChoiceNeeded:  # dialogs belong to the GUI thread
                    asking.append(path)
        return [*found, ("ask", asking)] if asking else found

    def done(found: list[tuple[str, Any]]) -> Iterator[None]:
        for kind, item in found:
            if kind == "session":
                adopt(work, item)
                if work.session.path:
                    note_session(work.remembered, work.session.path)
                continue
            items = import_asking(work, item) if kind == "ask" else [(kind, item)]
            for layer in place_items(work, items):
                yield  # adding one takes napari long
                add_layers(viewer, [layer])

    return work.jobs.start("Open " + (paths[0].name if len(paths) == 1 else f"{len(paths)} files"), run, done)


def _with_levels(items: list[Item]) -> list[Item]:
    return [(kind, [with_levels(one) for one in item] if kind == "layers" else item) for kind, item in items]


def adopt(work: Workspace, loaded: Any, folder: Path | None = None) -> None:
    """Make a loaded session the one of this viewer; the object that docks listen to stays the same.

    `folder` is the journal of a crashed program whose edits belong on top.
    """
    work.recovery.before_open()
    try:
        _replace(work, loaded)
    finally:
        work.recovery.after_open(folder)  # whatever happened: edits go to a journal again
    show_images(work)
    restore(work, work.session.view)
    work.session.select(time_s=loaded.selection.time_s)  # images bring a slider that begins elsewhere


def _replace(work: Workspace, loaded: Any) -> None:
    session = work.session
    for name in list(session.recordings):
        session.remove(name)
    work.by_rank.clear()
    close_images(work)
    session.adopt(loaded)


def close_images(work: Workspace) -> None:
    """Remove the layers of images that belong to the recordings of the session that closes."""
    attached = [layer for layers in work.scene.images.values() for layer in layers] + list(work.scene.labels.values())
    if work.scene.opening is not None:
        work.scene.opening.cancel()
    work.scene.images.clear()
    work.scene.labels.clear()
    work.up_to_date.extractors.clear()
    viewer = work.viewer
    if viewer is None:
        return
    for layer in attached:
        if layer in viewer.layers:
            viewer.layers.remove(layer)


def show_images(work: Workspace) -> Any:
    """Open in a worker the images that the recordings came from, where the files are still there and may be opened.

    None of them, nor any link on the way to them, is touched on the GUI thread: a session can name what does not answer.
    """
    session, viewer = work.session, work.viewer
    state = session.snapshot()
    for name in [n for n, r in state.recordings.items() if r.volume is None or n in work.scene.images]:
        del state.recordings[name]
    if viewer is None or not state.recordings:
        return None
    if work.scene.opening is not None:
        work.scene.opening.cancel()
    wanted = {name: (one.volume, one.labels) for name, one in state.recordings.items()}
    may_be_opened = work.recovery.sorter()

    def run(progress: Any, cancel: Any) -> tuple[Foreign, dict[str, list[Any]]]:
        from ...model.progress import check_cancel, report

        foreign, found = may_be_opened(state), {}
        for number, recording in enumerate(state.recordings.values()):
            check_cancel(cancel)
            report(progress, number / len(wanted), recording.name)
            if not set(foreign.all) & {
                str(one.path) for one in (recording.volume, recording.labels) if one is not None
            }:
                found[recording.name] = _images_of(recording, state.path)
        return foreign, found

    def done(opened: tuple[Foreign, dict[str, list[Any]]]) -> Iterator[None]:
        foreign, found = opened
        for name, items in found.items():
            recording = session.recordings.get(name)
            if recording is None or (recording.volume, recording.labels) != wanted[name] or name in work.scene.images:
                continue  # closed, or taken from elsewhere, meanwhile
            layers = []
            for item in items:
                layers += add_layers(viewer, [item])
                yield
            images = [one for one in layers if type(one).__name__ == "Image"]
            labels = next((one for one in layers if type(one).__name__ == "Labels"), None)
            work.scene.attach(name, images, labels)
            if viewer.dims.ndisplay == 3:
                fade_images(work, name)
            restore_images(work, session.view, [name])
            yield
        work.recovery.ask_for_images(foreign)

    work.scene.opening = work.jobs.start("Open images", run, done)
    return work.scene.opening


def _images_of(recording: Recording, session_path: str | None) -> list[tuple[Any, dict[str, Any], str]]:
    """Layer data of the images of a recording; nothing where they are not there, or cannot be read. Safe in a worker."""
    from ...io.files import is_plain

    assert recording.volume is not None
    path = Path(recording.volume.path)
    if session_path and not path.is_absolute():
        path = Path(session_path).parent / path
    if not is_plain(path):
        return []
    try:
        items = image_layers(path)
        labels_path = Path(recording.labels.path) if recording.labels is not None else None
        if labels_path is not None and is_plain(labels_path) and not any(kind == "labels" for _, _, kind in items):
            items += [item for item in image_layers(labels_path) if item[2] == "labels"]
        return [with_levels(one) for one in items]
    except Exception as error:  # the session is of use without its images; opening them by hand tells why they fail
        log.info("%s: its images cannot be opened: %s", recording.name, error)
        return []


def image_layers(path: str | Path, **options: Any) -> list[tuple[Any, dict[str, Any], str]]:
    """Volume and labels of a file as napari layer data, in micrometres and seconds, with what the file says about them."""
    from ...io.layer_data import read_layers

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
