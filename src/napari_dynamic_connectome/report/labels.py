"""Labels of a session with the names that its neurons have now, as OME-Zarr."""

from __future__ import annotations

from pathlib import Path

from ..io.files import file_names, output_folder
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
        Created if absent. A folder of labels of these names is replaced, anything else is not.
    progress, cancel : callable, optional
        Labels that were written before a cancel stay; each is complete.
    """
    folder = output_folder(folder)
    with_labels = [r for r in session.recordings.values() if r.labels is not None]
    stems = file_names(session.recordings)
    paths = []
    for number, recording in enumerate(with_labels):
        check_cancel(cancel)
        report(progress, number / len(with_labels), f"labels of {recording.name}")
        reference, table = recording.labels, recording.neurons
        assert reference is not None
        names = dict(zip(table["label"].astype(int).tolist(), table["name"].astype(str).tolist(), strict=True))
        target = folder / f"{stems[recording.name]}_labels.zarr"
        held = open_labels(reference.path)
        paths.append(
            write_labels(
                target, held, voxel_size_um=reference.voxel_size_um, names=names, version="0.5", overwrite=True
            )
        )
    return paths
