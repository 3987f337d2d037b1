"""Registry of all formats, recognised by content: the functions that the rest of the package reads and writes files with.

A format is a file of `io/formats` or `io/volumes` (see `format`). Names of files only decide what is written; what is read is
decided by the first bytes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from ..model.errors import FormatError, InputError
from ..model.folders import load_modules
from ..model.recording import Recording, with_names_read
from ..model.system import check_name
from . import formats, volumes
from .clock import in_seconds
from .files import existing, head, summary
from .format import ZIP, Format
from .once import once, opening
from .ownership import OurFiles, our_file
from .unknown import refuse_office, unknown_file, unknown_folder
from .volumes.volume import Volume

if TYPE_CHECKING:
    from .formats.parquet import CollectionPart

log = logging.getLogger("napari_dynamic_connectome")


@cache
def modules() -> dict[str, ModuleType]:
    """Return the module of every format by its key, in the order of the docs."""
    found = [one for part in (formats, volumes) for one in load_modules(part.__name__, part.__path__)]
    return {one.FORMAT.key: one for one in sorted(found, key=lambda one: one.ORDER)}


def all_formats() -> list[Format]:
    """Return every format, in the order of the docs."""
    return [one.FORMAT for one in modules().values()]


@once
def identify(path: str | Path) -> Format:
    """Return the format of a file or folder by its content.

    Parameters
    ----------
    path : str or Path

    Raises
    ------
    FormatError
        If no reader knows it.
    """
    from .volumes.tiff_series import is_pattern, tiff_files

    if is_pattern(path):
        if tiff_files(path):
            return next(form for form in all_formats() if form.key == "tiffs")
        raise InputError("no TIFF file fits this pattern", where=str(path), fix="Check the folder and the pattern.")
    path = existing(path)
    with opening():
        start = b"" if path.is_dir() else head(path, 1024)
        for found in _claims(path, start):
            return found
    raise unknown_folder(path) if path.is_dir() else unknown_file(path, start, [f.title for f in all_formats()])


def _claims(path: Path, start: bytes) -> Iterator[Format]:
    """Formats that know a file or folder, the surest first."""
    known = all_formats()
    yield from (one for one in known if one.knows and not one.asked_last and one.knows(path, start))
    if start.startswith(ZIP):
        refuse_office(path)
    yield from (one for one in known if one.starts and start.startswith(one.starts))
    yield from (one for one in known if one.knows and one.asked_last and one.knows(path, start))


def _function(form: Format, name: str) -> Callable[..., Any] | None:
    return getattr(modules()[form.key], name, None)


@opening()
def read_recordings(
    path: str | Path,
    *,
    names: Literal["neurons", "as written"] = "neurons",
    time_unit: str = "",
    worm: str | Sequence[str] | None = None,
    labeled_only: bool = False,
    **options: Any,
) -> list[Recording]:
    """Read all recordings of a file.

    Parameters
    ----------
    path : str or Path
    names : {"neurons", "as written"}
        "neurons": other spellings of a canonical name become the canonical one, and headers that name no neuron ("1", "n12",
        "AVAL?") leave the neuron unnamed, so that it is not taken for the same cell in another worm. "as written": every
        header is a name.
    time_unit : str
        Unit of the times in the file ("s", "ms", "min"), where they would give a rate that no recording has.
    worm : str or sequence of str, optional
        Only the animals of these names.
    labeled_only : bool
        Leave out neurons without a name.
    **options
        Of the format: `name`, `rate_hz`; `signal`, `dataset`, `axes`, `fields`, `time_column`, `worm_column`,
        `other_columns`, `voxel_size_um`, `column` where there is a choice.

    Returns
    -------
    list of Recording

    Raises
    ------
    FormatError
        The file is damaged, unsafe or of an unknown format.
    InputError
        The content cannot be used as traces.
    """
    how: dict[str, Any] = {"names": names, "time_unit": time_unit, "worm": worm, "labeled_only": labeled_only}
    found = read_quietly(path, **how, **options)
    tell_remarks(found)
    return found


def tell_remarks(recordings: Sequence[Recording]) -> None:
    """Log what was noticed while recordings were read."""
    for recording in recordings:
        for line in recording.remarks:
            log.warning("%s: %s", recording.name, line)


def read_quietly(
    path: str | Path,
    *,
    names: Literal["neurons", "as written"] = "neurons",
    time_unit: str = "",
    worm: str | Sequence[str] | None = None,
    labeled_only: bool = False,
    **options: Any,
) -> list[Recording]:
    """As `read_recordings`, without the remarks in the log: for another process than that of the user."""
    form = identify(path)
    if form.key == "omezarr":
        raise InputError(
            "this is an image, not a recording",
            where=str(path),
            fix="Extract its traces first (dynamic-connectome extract).",
        )
    reader = _function(form, "read_recordings")
    if form.key == "hdf5" and holds_centres(path):
        raise InputError(
            "these are tracks of btrack, not traces", where=str(path), fix="Extract traces with them as labels."
        )
    if "recording" not in form.holds or reader is None:
        raise InputError(
            f"{form.title} files hold no recordings",
            where=str(path),
            fix="Recordings are npz, mat, NWB, HDF5, CSV or Parquet.",
        )
    options = {k: v for k, v in options.items() if v is not None}
    collection = False
    if form.key == "parquet":
        from .formats.parquet import COLLECTION_OPTIONS, is_collection

        collection = is_collection(path)
        wrong = None if collection else next((k for k in COLLECTION_OPTIONS if options.get(k)), None)
        if wrong is not None:
            raise InputError(
                f"the option {wrong}= does not apply: this is no collection", where=str(path), fix="Leave it out."
            )
    if collection:
        options |= {"worm": worm, "labeled_only": labeled_only}
    found: list[Recording] = _call(reader, path, form, options)
    if not found:
        raise InputError("there is no recording in this file", where=str(path), fix="Choose another file.")
    found = _as_asked(found, str(path), names, time_unit, "rate_hz" in options)
    if worm is not None and not collection:
        found = _chosen(found, [worm] if isinstance(worm, str) else list(worm), path)
    if labeled_only and not collection:
        found = [_named_only(r, path) for r in found]
    return found


def read_quietly_part(
    part: CollectionPart, *, names: Literal["neurons", "as written"] = "neurons", time_unit: str = "", **options: Any
) -> list[Recording]:
    """As `read_quietly`, a part of a homogenized collection (`formats.parquet.split_part`)."""
    from .formats.parquet import iterate_part

    return _as_asked(list(iterate_part(part)), part.path, names, time_unit, "rate_hz" in options)


def _as_asked(found: list[Recording], where: str, names: str, time_unit: str, rate_known: bool) -> list[Recording]:
    """Times in seconds and names of neurons, as they were asked for."""
    if names not in ("neurons", "as written"):
        raise InputError(f"names cannot be '{names}'", where=where, fix='Choose "neurons" or "as written".')
    found = [in_seconds(r, time_unit, where, asked=rate_known) for r in found]
    return [with_names_read(r, as_written=names == "as written") for r in found]


def options_of_traces(path: str | Path) -> set[str]:
    """Return the options of `read_recordings` that apply to a file's format.

    Parameters
    ----------
    path : str or Path
    """
    import inspect

    form = identify(path)
    reader = _function(form, "read_recordings")
    own = {"names", "time_unit", "worm", "labeled_only"}
    told = {"path", "progress", "cancel"}
    return own | (set(inspect.signature(reader).parameters) - told if reader is not None else set())


def _chosen(found: list[Recording], worms: list[str], path: str | Path) -> list[Recording]:
    """Return the recordings of these names, each of which must be there once."""
    chosen = []
    for worm in worms:
        named = [r for r in found if r.name == worm or r.name.endswith(f" {worm}")]
        if len(named) != 1:
            raise InputError(
                f"there is no worm '{worm}'", where=str(path), fix=f"Found: {', '.join(r.name for r in found[:20])}."
            )
        chosen += named
    return chosen


def _named_only(recording: Recording, path: str | Path) -> Recording:
    keep = (recording.neurons["name"] != "").to_numpy()
    if keep.all():
        return recording
    if not keep.any():
        raise InputError("no neuron has a name", where=str(path), fix="Leave out labeled_only=, or read the names.")
    said = [str(recording.provenance.get("reading", "")), f"{int((~keep).sum())} neurons without a name left out"]
    return recording.replace(
        traces=recording.traces[:, keep],
        neurons=recording.neurons[keep],
        quality=None if recording.quality is None else recording.quality[keep],
        provenance={**recording.provenance, "reading": "; ".join(s for s in said if s)},
    )


def _call(reader: Callable[..., Any], path: str | Path, form: Format, options: dict[str, Any]) -> Any:
    import inspect

    parameters = inspect.signature(reader).parameters
    if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        unknown = [k for k in options if k not in parameters]
        if unknown:
            known = ", ".join(p for p in parameters if p != "path")
            raise InputError(
                f"the option {unknown[0]}= does not apply to {form.title}", where=str(path), fix=f"Known: {known}."
            )
    return reader(path, **options)


def read_recording(path: str | Path, *, worm: str | None = None, **options: Any) -> Recording:
    """Read the traces and metadata of one animal.

    The format is recognised by the file's content: npz, MATLAB, NWB, CSV or Parquet.

    Parameters
    ----------
    path : str or Path
    worm : str, optional
        Name of the animal in a file that holds several.
    **options
        See `read_recordings`.

    Returns
    -------
    Recording

    Raises
    ------
    InputError
        With what is wrong, where, and what to do; also if the file holds several animals and none was chosen.
    """
    found = read_recordings(path, **options)
    if worm is not None:
        return _chosen(found, [worm], path)[0]
    if len(found) > 1:
        names = ", ".join(r.name for r in found[:20])
        raise InputError(f"the file holds {len(found)} worms", where=str(path), fix=f"Pass worm= one of: {names}.")
    return found[0]


def write_recording(recording: Recording, path: str | Path, *, overwrite: bool = False, **options: Any) -> Path:
    """Write a recording in the format that the file's name says: .npz, .csv, .csv.gz, .parquet or .nwb.

    Parameters
    ----------
    recording : Recording
    path : str or Path
        Replaced only when the new file is complete.
    overwrite : bool
        A file that this program did not write, or that was changed since, may be replaced; also the tables beside a CSV.
    **options
        `layout` ("wide" or "long") for CSV and Parquet.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        There is such a file, which is not ours, and `overwrite` was not said; the name has no ending that is written.
    """
    check_name(Path(path))
    form = _written_as(path)
    writer = _function(form, "write_recording")
    assert writer is not None
    parts = dict(options)
    import inspect

    known = inspect.signature(writer).parameters
    unknown = [k for k in parts if k not in known]
    if unknown:
        raise InputError(
            f"the option {unknown[0]}= does not apply to {form.title}", where=str(path), fix="Leave it out."
        )
    if "overwrite" in known:  # which writes tables beside it
        parts["overwrite"] = overwrite
    with our_file(path, overwrite=overwrite) as place:
        writer(recording, place, **parts)
    return Path(path)


def endings() -> tuple[str, ...]:
    """Return the endings of names under which recordings are written."""
    return tuple(ending for form in all_formats() for ending in form.endings)


def _written_as(path: str | Path) -> Format:
    """Return the format that is written under a name."""
    name = Path(path).name.lower()
    for form in all_formats():
        if form.endings and name.endswith(form.endings):
            return form
    listed = endings()
    raise InputError(
        "no format is written under this name", where=str(path), fix=f"Use {', '.join(listed[:-1])} or {listed[-1]}."
    )


def check_target(path: str | Path, *, overwrite: bool = False) -> Path:
    """Check before a long step that its recording can be written, and return the path.

    Parameters
    ----------
    path : str or Path
        Where the recording is to be written.
    overwrite : bool
        A file that is not ours may be replaced.

    Raises
    ------
    InputError
        No format has this ending, the folder cannot be written, or there is a file that is not ours.
    """
    path = Path(path).expanduser()
    name = path.name.lower()
    _written_as(path)
    check_name(path)
    folder = next(p for p in (path.parent, *path.parent.parents) if p.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError("the folder cannot be written", where=str(folder), fix="Choose another place.")
    if path.is_dir():
        raise InputError("this is a folder", where=str(path), fix="Give the name of a file.")
    mine = OurFiles(path.parent)
    beside = []
    if name.endswith((".csv", ".csv.gz")):
        from .formats.csv import sidecar

        beside = [p for what in ("neurons", "stimuli") if (p := sidecar(path, what)).exists()]
    for one in (path, *beside):
        if not overwrite and not mine.is_ours(one.name):
            raise InputError(
                f"{one.name} is there already, and this program did not write it, or it was changed since",
                where=str(one),
                fix="Choose another name, or pass --overwrite to replace it.",
            )
    return path


@contextmanager
def _paths_of(path: str | Path) -> Iterator[None]:
    """Names inside a file can be such that the system refuses them: that is the file's fault."""
    try:
        yield
    except OSError as error:
        raise FormatError(
            f"something that the file names cannot be opened ({error.strerror or summary(error)})",
            where=str(path),
            fix="It may be damaged or cut off; copy or export it again.",
        ) from error


@opening()
def open_volume(path: str | Path, **options: Any) -> Volume:
    """Open a 4D image lazily, whatever its format.

    Parameters
    ----------
    path : str or Path
    **options
        axes : str, such as "tzyx", where the file does not name its axes; channel : int or str; voxel_size_um : (z, y, x);
        frame_rate_hz : float; dataset : str, where a file holds several images (an HDF5 dataset, an NWB series, an array of
        an npz, the number of a TIFF series, an image of an OME-Zarr plate or collection); level : int (OME-Zarr).

    Returns
    -------
    Volume
        `.data` is a dask array (t, z, y, x) of one channel.
    """
    form = identify(path)
    opener = _function(form, "open_volume")
    if "volume" not in form.holds or opener is None:
        raise InputError(
            f"{form.title} files hold no images", where=str(path), fix="Images are OME-Zarr, TIFF, HDF5, NWB or npy."
        )
    with _paths_of(path):
        volume: Volume = opener(path, **_opening(opener, form, path, options))
    return volume


_COMMON = ("axes", "channel", "voxel_size_um", "frame_rate_hz")


def _opening(opener: Callable[..., Any], form: Format, path: str | Path, options: dict[str, Any]) -> dict[str, Any]:
    """Check the options of an opener, and give `dataset` the name that it has there."""
    import inspect

    options = dict(options)
    name = form.dataset
    parameters = inspect.signature(opener).parameters
    known = [p for p in parameters if p not in ("path", "options", "labels")]
    if any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()):
        known += _COMMON
    if name and name in known and "dataset" in options:
        options[name] = _number(options.pop("dataset"), path) if name == "series" else options.pop("dataset")
    unknown = next((k for k in options if k not in known), None)
    if unknown is not None:
        shown = sorted({"dataset" if k == name else k for k in known})
        raise InputError(
            f"the option {unknown}= does not apply to {form.title}", where=str(path), fix=f"Known: {', '.join(shown)}."
        )
    return options


def _number(value: Any, path: str | Path) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise InputError(
            f"there is no image '{value}'", where=str(path), fix="Images of a TIFF have numbers: 0, 1, ..."
        ) from None


@once
def holds_centres(path: str | Path) -> bool:
    """Whether the labels of a file are centres: a table, GEFF, or tracks of btrack.

    Parameters
    ----------
    path : str or Path
    """
    centres = identify(path).centres
    return centres is not None and centres(Path(path))


@opening()
def open_labels(path: str | Path, **options: Any) -> Volume:
    """Open labels lazily: static (z, y, x) or per frame (t, z, y, x); also tables of centres, with radius_um=.

    Parameters
    ----------
    path : str or Path
    **options
        As in `open_volume`; for tables of centres: `shape`, `radius_um`, `voxel_size_um`, `units`.

    Returns
    -------
    Volume
        `.data` is a dask array; `.names` holds the names the file gives.
    """
    form = identify(path)
    if "labels" not in form.holds:
        raise InputError(
            f"{form.title} files hold no labels",
            where=str(path),
            fix="Labels are OME-Zarr, TIFF, HDF5, NWB, npy, or centres: a table, or GEFF.",
        )
    opener = _function(form, "open_labels")
    if holds_centres(path):
        from .formats import centres

        opener = centres.open_labels
    if opener is not None:
        with _paths_of(path):
            found: Volume = opener(path, **_opening(opener, form, path, options))
        return found
    opener = _function(form, "open_volume")
    assert opener is not None
    with _paths_of(path):
        volume: Volume = opener(path, labels=True, **_opening(opener, form, path, options))
    return volume
