"""Labels of a session with the names that its neurons have now, as OME-Zarr."""

from __future__ import annotations

from pathlib import Path

from ..io.files import file_names, output_folder
from ..io.ownership import our_files
from ..io.registry import open_labels
from ..io.volumes.omezarr_write import write_labels
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..session.session import Session


def write_label_files(
    session: Session,
    folder: str | Path,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Path]:
    """Write the labels of every recording that has some as `<worm>_labels.zarr`, and return the paths.

    Parameters
    ----------
    session : Session
    folder : path
        Created if absent. Labels of these names are replaced only if this program wrote them and nobody changed them.
    progress, cancel : callable, optional
        Labels that were written before a cancel stay; each is complete.
    """
    folder = output_folder(folder)
    with_labels = [r for r in session.recordings.values() if r.labels is not None]
    stems = file_names(session.recordings)
    paths = []
    with our_files(folder, owner=session.uid, part="labels") as mine:
        targets = [mine.path(f"{stems[r.name]}_labels.zarr") for r in with_labels]
        for number, (recording, target) in enumerate(zip(with_labels, targets, strict=True)):
            check_cancel(cancel)
            report(progress, number / len(with_labels), f"labels of {recording.name}")
            reference, table = recording.labels, recording.neurons
            assert reference is not None
            names = dict(zip(table["label"].astype(int).tolist(), table["name"].astype(str).tolist(), strict=True))
            held, size = open_labels(reference.path), reference.voxel_size_um
            paths.append(write_labels(target, held, voxel_size_um=size, names=names, version="0.5", overwrite=True))
    return paths
