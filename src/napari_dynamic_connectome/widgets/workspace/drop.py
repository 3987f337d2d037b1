"""Any file that is dropped on napari or opened in a dock: what it is, what is asked about it, and where it goes.

Images and centres become layers, recordings go into the session, a connectome becomes lines on the worm, and stimuli,
behaviour, names and lists of neurons go to the worm that is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...io.choice import ChoiceNeeded
from ...model.errors import InputError
from ...model.recording import Recording

if TYPE_CHECKING:
    from .workspace import Workspace

Item = tuple[str, Any]
"""("layers", list), ("recording", Recording), ("connectome", (name, edges)), or ("table", (kind, path))."""


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
    from ...io.registry import identify
    from ...io.sniffing import table_kind
    from .open_files import image_layers

    path = Path(path)
    if identify(path).key in ("csv", "parquet", "graphml"):
        kind = table_kind(path)
        if kind == "connectome":
            return [("connectome", (path.name.split(".")[0], read_connectome(path)))]
        if kind not in ("traces", "centres"):
            return [("table", (kind, path))]
    found: list[Item] = []
    for layer in image_layers(path, **options):
        recording = layer[1].get("metadata", {}).get("dynamic_connectome", {}).get("recording")
        found.append(("recording", recording) if isinstance(recording, Recording) else ("layers", [layer]))
    return found


def read_asking(read: Callable[..., list[Item]], path: str | Path, parent: Any = None) -> list[Item]:
    """Read a file, and ask in a dialog for what it leaves open.

    Parameters
    ----------
    read : callable
        `read_items`, or what does the same.
    path : str or Path
    parent : QWidget, optional

    Raises
    ------
    ChoiceNeeded
        If the user does not answer.
    """
    options: dict[str, Any] = {}
    while True:
        try:
            return read(path, **options)
        except ChoiceNeeded as error:
            answer = ask(error, parent) if error.option and error.option not in options else None
            if answer is None:
                raise
            options[error.option] = answer


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
    while True:
        try:
            return layer_array(data, tuple(str(a) for a in layer.axis_labels), layer.name, **kept)
        except ChoiceNeeded as error:
            answer = ask(error, parent) if error.option not in kept else None
            if answer is None:
                kept.clear()
                raise
            kept[error.option] = answer


def ask(error: ChoiceNeeded, parent: Any = None) -> Any | None:
    """Ask for the option that a file needs; None if the user closes the dialog."""
    from qtpy.QtWidgets import QInputDialog

    if error.option == "rate_hz":
        rate, fine = QInputDialog.getDouble(
            parent, "Frames per second", f"{error.what}.\nFrames per second:", 1, 1e-6, 1e6, 3
        )
        return rate if fine else None
    text = f"{error.what[0].upper()}{error.what[1:]}.\n"
    if error.choices:
        chosen, fine = QInputDialog.getItem(parent, Path(error.where).name, text, list(error.choices), 0, False)
    else:
        text += "One letter each: t time, c channel, z, y, x." if error.option == "axes" else f"{error.option}:"
        chosen, fine = QInputDialog.getText(parent, Path(error.where).name, text, text=error.example)
    return (chosen.strip() or None) if fine else None


def place_items(work: Workspace, items: list[Item]) -> list[tuple[Any, dict[str, Any], str]]:
    """Put recordings and tables into the session; return what is left as layer data. On the GUI thread."""
    from ...display.connectome import connectome_layers
    from .recording_names import unique

    layers: list[tuple[Any, dict[str, Any], str]] = []
    for kind, item in items:
        if kind == "layers":
            layers += item
        elif kind == "recording":
            work.session.add(item.replace(name=unique(item.name, work.session.recordings)))
        elif kind == "connectome":
            layers += connectome_layers(item[1], item[0], work.session.recording)
        else:
            _take_table(work, *item)
    return layers


def _take_table(work: Workspace, kind: str, path: Path) -> None:
    """Give stimuli, behaviour or names to the worm that is shown; select the neurons of a list."""
    from ...io.formats.text_tables import read_behaviour, read_names, read_neuron_list, read_stimuli
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
