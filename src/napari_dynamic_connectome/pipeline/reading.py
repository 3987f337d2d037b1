"""Reading of the recordings that the settings name, and judging of their neurons: in this process, or on a dask cluster.

On a cluster the pieces are files, or the worms of some row groups of a collection, read where a worker sees the same file; then
single worms, whose quality is measured. A worm of 100 neurons and 1,000 samples (0.4 MB) costs whoever asks for it 3 ms when a worker
reads it (13 ms here), and 12 ms when a worker judges it (100 to 300 ms here).
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..io.choice import ChoiceNeeded
from ..model.cluster import on_cluster
from ..model.execution import one_blas_thread, stream
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.recording import Recording
from .settings import PipelineSettings, ReadingSettings

if TYPE_CHECKING:
    import pandas as pd

    from ..extraction.settings import QualitySettings
    from ..io.formats.parquet import CollectionPart

WORMS_OF_A_PIECE = 16
"""At most, of a collection; fewer where every worker would not get a few pieces."""
PIECES_OF_A_WORKER = 4


def reading_options(path: Path, settings: PipelineSettings) -> dict[str, Any]:
    """Options for reading one file, from all `[[input.reading]]` tables that fit it; later ones win."""
    found: dict[str, Any] = {}
    for one in settings.input.reading:
        if fnmatch.fnmatch(path.name, one.files) or fnmatch.fnmatch(path.as_posix(), f"*{one.files}"):
            found |= one.options()
    return found


def read_as_said(path: Path, settings: PipelineSettings, *, quietly: bool = False, **more: Any) -> list[Recording]:
    """Read the recordings of a file as the settings say; what is still open is asked in the words of the settings file.

    `quietly`: without remarks in the log.
    """
    from ..io.registry import read_quietly, read_recordings

    try:
        return (read_quietly if quietly else read_recordings)(path, **{**more, **reading_options(path, settings)})
    except ChoiceNeeded as error:
        value = {"rate_hz": "2.5", "fields": '{ names = "..." }'}.get(error.option, f'"{error.example or "..."}"')
        how = f'In the settings file: [[input.reading]] files = "{path.name}", {error.option} = {value}.'
        known = error.option in ReadingSettings.model_fields
        raise ChoiceNeeded(
            error.what,
            where=error.where,
            fix=f"{error.fix} {how}" if known else error.fix,
            option=error.option,
            choices=error.choices,
            example=error.example,
        ) from error


def read_files(
    paths: Sequence[Path],
    settings: PipelineSettings,
    *,
    client: Any = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Recording]:
    """Read recordings, and correct them if the settings say so for all.

    Parameters
    ----------
    paths : sequence of Path
    settings : PipelineSettings
    client : dask.distributed.Client, optional
        Files that its workers see are read there; the result is the same.
    progress, cancel : callable, optional

    Returns
    -------
    list of Recording
        In the order of the files.
    """
    away = {} if client is None or not paths else _read_there(paths, settings, client, part(progress, 0, 0.9), cancel)
    recordings: list[Recording] = []
    rest = [number for number in range(len(paths)) if number not in away]
    rest_progress = progress if client is None else part(progress, 0.9, 1)
    for number, path in enumerate(paths):
        check_cancel(cancel)
        if number in away:
            recordings += away.pop(number)
            continue
        done = rest.index(number) / len(rest)
        report(rest_progress, done, f"reading {path.name}")
        options = _collection_options(path, settings, part(rest_progress, done, done + 1 / len(rest)), cancel)
        recordings += [_corrected(r, settings, cancel) for r in read_as_said(path, settings, **options)]
    return recordings


def _corrected(recording: Recording, settings: PipelineSettings, cancel: CancelCallback | None = None) -> Recording:
    from ..extraction.correct import correct_traces

    return correct_traces(recording, settings.correction, cancel=cancel) if settings.correct == "all" else recording


@dataclass(frozen=True, eq=False)
class _Piece:
    """A file, or some worms of a collection, and what whoever reads it must see: size and time of the file, or of all in the folder."""

    number: int
    place: int
    path: Path
    state: tuple[tuple[str, int, int], ...]
    worms: CollectionPart | None = None


def _read_there(
    paths: Sequence[Path],
    settings: PipelineSettings,
    client: Any,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> dict[int, list[Recording]]:
    """Recordings by the number of their file, without files that a worker does not see."""
    from ..io.registry import tell_remarks

    report(progress, 0.0, "reading")
    threads = max(sum(client.nthreads().values()), 1)
    pieces: list[_Piece] = []
    for number, path in enumerate(paths):
        check_cancel(cancel)
        state = _state(path)
        for place, worms in enumerate(_parts(path, settings, threads)):
            pieces.append(_Piece(number, place, path, state, worms))
    total = sum(1 if piece.worms is None else len(piece.worms.counts) for piece in pieces)
    found: dict[int, dict[int, list[Recording]]] = {}
    unseen: set[int] = set()
    done = 0
    with closing(on_cluster(client, _read_alone, settings, pieces, cancel=cancel)) as elsewhere:
        for piece, recordings in elsewhere:
            if recordings is None:
                unseen.add(piece.number)
                continue
            found.setdefault(piece.number, {})[piece.place] = recordings
            done += 1 if piece.worms is None else len(piece.worms.counts)
            report(progress, done / total, f"reading {piece.path.name}, {done} of {total} worms or files")
    there = {
        number: [one for place in sorted(places) for one in places[place]]
        for number, places in found.items()
        if number not in unseen
    }
    for number in sorted(there):
        tell_remarks(there[number])
    return there


def _parts(path: Path, settings: PipelineSettings, threads: int) -> list[CollectionPart] | list[None]:
    """Parts of a collection that are read on their own; a single None for what is read in one piece."""
    from ..io.formats.parquet import choose_part, split_part

    options = _options(path, settings)
    if not options:
        return [None]
    whole = choose_part(path, **options)
    worms = min(max(len(whole.counts) // (PIECES_OF_A_WORKER * threads), 1), WORMS_OF_A_PIECE)
    return split_part(whole, worms)


def _options(path: Path, settings: PipelineSettings) -> dict[str, Any]:
    """Options that choose the worms of a collection; none where the file is none, or where reading it says what is wrong."""
    import inspect

    from ..io.formats.parquet import choose_part

    options = _collection_options(path, settings)
    if not options:
        return {}
    told = set(_spelling(settings, path))
    options = {k: v for k, v in {**options, **reading_options(path, settings)}.items() if k not in told}
    options = {k: v for k, v in options.items() if v is not None and k not in ("progress", "cancel")}
    return options if set(options) <= set(inspect.signature(choose_part).parameters) else {}


def _spelling(settings: PipelineSettings, path: Path) -> dict[str, Any]:
    """Options of `reading_options` that concern what was read, whatever the format is."""
    return {k: v for k, v in reading_options(path, settings).items() if k in ("names", "time_unit", "rate_hz")}


def _state(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Name, size in bytes and time of change in ns of a file, or of all files of a folder."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    return tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files)


def _read_alone(settings: PipelineSettings, piece: _Piece) -> list[Recording] | None:
    """Read one piece in a process of its own; None where that does not see the same file."""
    from ..io.registry import read_quietly_part

    try:
        if _state(piece.path) != piece.state:
            return None
    except OSError:
        return None
    with one_blas_thread():
        if piece.worms is not None:
            found = read_quietly_part(piece.worms, **_spelling(settings, piece.path))
        else:
            options = _collection_options(piece.path, settings)
            found = read_as_said(piece.path, settings, quietly=True, **options)
        return [_corrected(recording, settings) for recording in found]


def judge_all(
    recordings: Sequence[Recording],
    settings: QualitySettings,
    *,
    client: Any = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Recording]:
    """Measure the quality of all recordings that were not judged before, on all cores or on a cluster.

    Parameters
    ----------
    recordings : sequence of Recording
    settings : QualitySettings
    client : dask.distributed.Client, optional
        They are judged there; the result is the same.
    progress, cancel : callable, optional
        Told after every worm.
    """
    from ..extraction.quality import assess_quality

    def judged(recording: Recording) -> Recording:
        known = recording.quality is not None
        return recording if known else assess_quality(recording, settings, cancel=cancel)

    found: list[Recording] = []
    if client is None:
        for recording, result in stream(judged, recordings, cancel=cancel):
            found.append(result)
            report(progress, len(found) / len(recordings), f"quality of {recording.name}")
        return found
    found = list(recordings)
    items = [(number, one) for number, one in enumerate(recordings) if one.quality is None]
    done = len(found) - len(items)
    with closing(on_cluster(client, _judge_alone, settings, items, cancel=cancel, heavy=True)) as elsewhere:
        for (number, recording), (table, provenance) in elsewhere:
            found[number] = recording.replace(quality=table, provenance=dict(provenance))
            done += 1
            report(progress, done / len(found), f"quality of {recording.name}, {done} of {len(found)} worms")
    return found


def _judge_alone(
    settings: QualitySettings, item: tuple[int, Recording]
) -> tuple[pd.DataFrame | None, Mapping[str, Any]]:
    """Quality of one worm in a process of its own."""
    from ..extraction.quality import assess_quality

    with one_blas_thread():
        judged = assess_quality(item[1], settings)
    return judged.quality, judged.provenance


def _collection_options(
    path: Path,
    settings: PipelineSettings,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> dict[str, Any]:
    """Options that choose worms, for the files that are a homogenized collection, and who is told about each worm."""
    from ..io.formats.parquet import is_collection

    if not (path.is_dir() or path.suffix.lower() in (".parquet", ".pq")) or not is_collection(path):
        return {}
    return {**settings.input.collection.options, "progress": progress, "cancel": cancel}
