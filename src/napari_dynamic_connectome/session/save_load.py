"""Sessions on disk: one zarr (version 3) store, as a folder or a .zip, with all text in `session.json`.

The store can be read without this package: `session.json` holds tables, names, settings and provenance, and says for every
array which zarr array below `arrays/` holds its values (docs/pages/session.md). Saving writes a whole new store beside the old
one and swaps them; loading checks the hash of every array. A session that another window has changed is not overwritten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from uuid import uuid4

import xarray as xr

from ..io import limits
from ..io.atomic import recover, writing
from ..io.files import members
from ..model.cohort import Cohort, CohortSettings
from ..model.errors import DynamicConnectomeError, FormatError, InputError
from ..model.evidence import Chance
from ..model.opinions import SignedComparison
from ..model.progress import CancelCallback, check_cancel
from ..model.recording import Recording
from ..model.results import Communities, Components, RankSweep
from ..model.state_results import StatesResult
from .codec import Decoder, Encoder
from .edits import Action, Edit, now
from .fingerprints import checked_print, cohort_prints
from .lock import busy_elsewhere, is_silent
from .named import write_named
from .relink import check_references, decode_reference, encode_reference
from .schema import SCHEMA_VERSION, check_version
from .session import COMMUNITY_SETTINGS, COMPONENT_SETTINGS, Session
from .state import OPINIONS, SessionState, fields_of
from .store import (
    JSON_NAME,
    ArrayPool,
    ArrayReader,
    Put,
    StoreReader,
    folder_writer,
    open_store,
    read_body,
    read_head,
    write_store,
    zip_writer,
)

__all__ = ["SCHEMA_VERSION", "check_references", "is_session", "load_session", "save_session"]

KEPT_REVISIONS = 200


def save_session(
    session: Session, path: str | Path, *, overwrite: bool = False, cancel: CancelCallback | None = None
) -> Path:
    """Write a session; what was at `path` before stays until the new one is complete.

    Parameters
    ----------
    session : Session
    path : path
        Folder (`.zarr` by custom) or a `.zip` file.
    overwrite : bool
        Replace a session that is open in another window, or that another window saved since this one was read.
    cancel : callable, optional
        Asked until the new one is complete; then it takes its place whatever is asked.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If `path` is something else than a session, was changed by another window, or cannot be written. The message says
        which, and what was there is unchanged.
    Cancelled
        What was there is unchanged.
    """
    path = Path(path)
    recover(path)
    _check_target(session, path, overwrite)
    state = session.snapshot()  # edits that are made meanwhile stay in the journal
    pool, revision, saved = ArrayPool(cancel), uuid4().hex, now()
    revisions = (*state.revisions, revision)[-KEPT_REVISIONS:]
    body = encode_session(state, pool, path.parent.resolve()) | {"saved": saved, "revisions": list(revisions)}
    head = {k: body[k] for k in ("schema_version", "uid", "written_by", "saved")} | {"revision": revision}

    def asking(put: Put) -> Put:
        def asked(name: str, data: bytes) -> None:
            check_cancel(cancel)
            put(name, data)

        return asked

    with writing(path, cancel) as temporary:
        if path.suffix.lower() == ".zip":
            with zip_writer(temporary) as put:
                write_store(asking(put), body, pool.arrays, head)
        else:
            temporary.mkdir()
            write_named(asking(folder_writer(temporary)), state)
            write_store(asking(folder_writer(temporary)), body, pool.arrays, head)
    with session.lock:
        session.path, session.revisions, session.stored = str(path), revisions, state.recordings
        tell = getattr(session.journal, "saved", None)
        if tell is not None:
            tell(path, state)
    return path


def load_session(path: str | Path) -> Session:
    """Read a session that `save_session` wrote.

    Parameters
    ----------
    path : path
        Folder or .zip file.

    Returns
    -------
    Session
        With the results that were saved, bit by bit. `check_references(session)` lists images that are not where they were,
        or changed.

    Raises
    ------
    FormatError
        Not a session, damaged, made by a newer version, or unsafe.
    """
    path = Path(path)
    recover(path)
    if not path.exists():
        raise InputError("there is no such file or folder", where=str(path))
    for attempt in range(3):
        revision = read_revision(path)
        try:
            session = _load(path)
            break
        except FormatError:
            # another window may have swapped the store while it was read
            if attempt == 2 or read_revision(path) == revision:
                raise
    session.path, session.stored = str(path), dict(session.recordings)
    return session


def find_session(path: str | Path) -> Path:
    """Return the session in a folder of results, or the path itself."""
    path = Path(path)
    inner = path / "session.zarr"
    return inner if inner.is_dir() else path


def is_session(path: str | Path) -> bool:
    """True for a folder or .zip that says it is a session."""
    return bool(_read_head(Path(path)))


def read_revision(path: Path) -> str:
    """Return which state of a session lies at `path`; "" if there is none."""
    return str(_read_head(path).get("revision", ""))


def _read_head(path: Path) -> dict[str, Any]:
    try:
        if path.is_dir() or (path.is_file() and _may_be_packed(members(path))):
            with open_store(path) as source:
                return read_head(source)
    except (FormatError, OSError, ValueError):
        pass
    return {}


def _may_be_packed(names: list[str]) -> bool:
    """Whether an archive with these members can be a session; of one with more than are listed it is not known."""
    return JSON_NAME in names or len(names) == limits.MAX_MEMBERS


def _check_target(session: Session, path: Path, overwrite: bool) -> None:
    where = str(path)
    if session.revisions and session.path == where and not path.parent.is_dir():
        raise InputError(
            "the session's folder is gone", where=where, fix="Connect the drive, or save to another place."
        )
    if not path.exists() or overwrite:
        return
    head = _read_head(path)
    if not head:
        raise InputError("this is not a session, and is not replaced", where=where, fix="Choose another name.")
    check_version(head.get("schema_version"))
    other = busy_elsewhere(path, session.journal)
    if other:
        raise InputError(
            f"the session is open in another window ({other})",
            where=where,
            fix="If that program is gone, open the session and take it over; else save under another name."
            if is_silent(path)
            else "Save under another name.",
        )
    if head.get("uid") == session.uid and head.get("revision") not in session.revisions:
        raise InputError(
            f"another window saved this session at {head.get('saved', 'an unknown time')}; it is not overwritten",
            where=where,
            fix="Save under another name, or open it again.",
        )


def _load(path: Path) -> Session:
    where = str(path)
    try:
        with open_store(path) as source:
            head = read_head(source)
            check_version(head.get("schema_version"))
            body = read_body(source, head)
            check_version(body.get("schema_version"))
            return decode_session(body, source, path.parent.resolve())
    except InputError as error:
        place = f"{where} ({error.where})" if error.where and where not in error.where else error.where or where
        raise FormatError(error.what, where=place, fix=error.fix) from error
    except DynamicConnectomeError:
        raise
    except MemoryError as error:
        raise FormatError("the session does not fit into memory", where=where) from error
    except OSError as error:
        raise FormatError(f"the session cannot be read ({error.strerror or error})", where=where) from error
    except Exception as error:  # a hostile file can make pandas and xarray raise anything
        raise FormatError(
            f"the session is damaged ({type(error).__name__}: {str(error)[:200]})", where=where, fix="Use a backup."
        ) from error


# --- content ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Place:
    """Where a field is written or read: its session, the codec, the session's folder; the whole JSON while it is read."""

    session: Session
    code: Any
    base: Path
    body: Mapping[str, Any]


def encode_session(session: Session, pool: ArrayPool, base: Path) -> dict[str, Any]:
    """Return the JSON of a session; its arrays go to `pool`, paths become relative to `base`."""
    from .. import __version__

    body = {
        "format": "napari-dynamic-connectome session",
        "schema_version": SCHEMA_VERSION,
        "written_by": f"napari-dynamic-connectome {__version__}",
    }
    at = _Place(session, Encoder(pool), base, body)
    for one in _stored_fields():
        value = getattr(session, one.name)
        body[one.key] = None if value is None else one.encode(value, at)
    return body


def decode_session(body: Mapping[str, Any], source: StoreReader, base: Path) -> Session:
    """Inverse of `encode_session`."""
    session = Session()
    at = _Place(session, Decoder(ArrayReader(source)), base, body)
    for one in _stored_fields():
        data = body.get(one.key, {}) if one.name in OPTIONAL else body[one.key]
        setattr(session, one.name, None if data is None and one.may_be_none else one.decode(data, at))
    return session


def cohort_hash(cohort: Cohort) -> str:
    """SHA-256 of all that a cohort holds, images aside: traces, neurons, stimuli, behaviour, settings."""
    code = Encoder(ArrayPool())
    return _hash([[code.record(r, volume=None, labels=None) for r in cohort.recordings], code.value(cohort.settings)])


def _hash(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()


# --- the fields of a session, in the order of `SessionState` -------------------------------------------------------------

Encode = Callable[[Any, _Place], Any]
Decode = Callable[[Any, _Place], Any]


@dataclass(frozen=True)
class _Stored:
    """A field of a session that is in its file."""

    name: str
    key: str
    encode: Encode
    decode: Decode
    may_be_none: bool


@cache
def _stored_fields() -> tuple[_Stored, ...]:
    """What of a session is in its file: by `SPECIAL`, or by its type."""
    kinds = get_type_hints(SessionState)
    found = []
    for one in fields_of():
        key, kind = one.metadata["stored"], kinds[one.name]
        if key:
            special = SPECIAL.get(one.name)
            encode, decode = special if special is not None else _plain_codec(one.name, kind)
            may_be_none = kind is Any or type(None) in get_args(kind)
            found.append(_Stored(one.name, one.name if key is True else str(key), encode, decode, may_be_none))
    return tuple(found)


def _plain_codec(name: str, kind: Any) -> tuple[Encode, Decode]:
    """How a text, several texts, a mapping, edits or a result are written and read."""
    if kind is str:
        return _value, lambda data, at: _text(data)
    if kind in (tuple[str, ...], frozenset[str]):
        own = get_origin(kind)
        listed = list if own is tuple else sorted
        return lambda texts, at: listed(texts), lambda data, at: own(_text(one) for one in data)
    if get_origin(kind) is dict:
        return _value, lambda data, at: _mapping(at.code.value(data))
    if kind == list[Edit]:
        return _value, lambda data, at: [_decode_edit(at.code, one) for one in data]
    results = [one for one in get_args(kind) or (kind,) if is_dataclass(one)]
    if len(results) != 1:
        raise TypeError(f"the field {name} of a session needs an entry in SPECIAL")
    return _value, lambda data, at: at.code.record(results[0], data)


def _value(value: Any, at: _Place) -> Any:
    return at.code.value(value)


def _encode_recordings(recordings: Mapping[str, Recording], at: _Place) -> list[Any]:
    return [_encode_recording(one, at) for one in recordings.values()]


def _decode_recordings(data: Any, at: _Place) -> dict[str, Recording]:
    found: dict[str, Recording] = {}
    for one in data:
        recording = _decode_recording(one, at)
        if recording.name in found:
            raise FormatError(f"the session holds two recordings called '{recording.name}'")
        found[recording.name] = recording
    return found


def _encode_recording(recording: Recording, at: _Place) -> Any:
    images = {
        which: encode_reference(at.session, recording, which, at.base, at.code.value) for which in ("volume", "labels")
    }
    return at.code.record(recording, **images)


def _decode_recording(data: Mapping[str, Any], at: _Place) -> Recording:
    name = _text(data["name"])
    images = {
        which: decode_reference(at.session, name, which, data.get(which), at.base, at.code.value)
        for which in ("volume", "labels")
    }
    found: Recording = at.code.record(Recording, data, **images)
    return found


def _decode_current(data: Any, at: _Place) -> str | None:
    return data if data in at.session.recordings else next(iter(at.session.recordings), None)


def _encode_cohort(cohort: Cohort, at: _Place) -> dict[str, Any]:
    # a recording may have been edited or closed after the cohort was made; the cohort keeps its own then
    members = [
        {"open": one.name} if at.session.recordings.get(one.name) is one else _encode_recording(one, at)
        for one in cohort.recordings
    ]
    return {"recordings": members, "settings": at.code.value(cohort.settings)}


def _decode_cohort(data: Any, at: _Place) -> Cohort:
    members = [
        at.session.recordings[one["open"]] if set(one) == {"open"} else _decode_recording(one, at)
        for one in data["recordings"]
    ]
    return Cohort(members, CohortSettings.parse(at.code.value(data["settings"]), where="the session's cohort"))


def _encode_sweep(sweep: Any, at: _Place) -> Any:
    if not isinstance(sweep, RankSweep):
        raise InputError(f"a rank sweep of type {type(sweep).__name__} cannot be saved")
    found = [[int(rank), at.code.record(one)] for rank, one in sweep.components.items()]
    return at.code.record(sweep, components=found)


def _decode_sweep(data: Any, at: _Place) -> Any:
    found = {int(rank): at.code.record(Components, one) for rank, one in data["components"]}
    chance = data.get("chance")
    told = None if chance is None else at.code.record(Chance, chance)
    return at.code.record(RankSweep, data, components=found, chance=told)


def _decode_components(data: Any, at: _Place) -> Any:
    # those of the sweep are the same object, as they were: what is known about a rank is known about them
    sweep = at.body["sweep"]
    same = [] if sweep is None else [rank for rank, one in sweep["components"] if one == data]
    return at.session.sweep.components[int(same[0])] if same else at.code.record(Components, data)


def _encode_communities(communities: Mapping[Any, Communities], at: _Place) -> list[Any]:
    return [
        {"component": int(component), "kind": kind, "result": at.code.record(found)}
        for (component, kind), found in communities.items()
    ]


def _decode_communities(data: Any, at: _Place) -> dict[Any, Communities]:
    return {(int(one["component"]), one["kind"]): at.code.record(Communities, one["result"]) for one in data}


def _encode_surrogates(surrogates: Mapping[int, Sequence[Components]], at: _Place) -> list[Any]:
    return [
        {"rank": int(rank), "components": [at.code.record(one) for one in found]} for rank, found in surrogates.items()
    ]


def _decode_surrogates(data: Any, at: _Place) -> dict[int, tuple[Components, ...]]:
    return {int(one["rank"]): tuple(at.code.record(Components, c) for c in one["components"]) for one in data}


def _encode_states(states: StatesResult, at: _Place) -> Any:
    found = [[int(state), at.code.record(one)] for state, one in states.communities.items()]
    return at.code.record(states, communities=found)


def _decode_states(data: Any, at: _Place) -> Any:
    found = {int(state): at.code.record(Communities, one) for state, one in data.get("communities", [])}
    return at.code.record(StatesResult, data, communities=found)


def _decode_signed(data: Any, at: _Place) -> Any:
    both = {name: at.code.record(Components, data[name]) for name in ("signed", "non_negative")}
    return at.code.record(SignedComparison, data, **both)


def _encode_of_open(held: Mapping[str, Any], at: _Place) -> Any:
    """What is known about recordings, without those that are closed."""
    return at.code.value({k: v for k, v in held.items() if k in at.session.recordings})


def _decode_raw(data: Any, at: _Place) -> dict[str, xr.DataArray]:
    return {k: v for k, v in _mapping(at.code.value(data)).items() if isinstance(v, xr.DataArray)}


def _decode_groups(data: Any, at: _Place) -> dict[str, tuple[str, ...]]:
    held = _mapping(at.code.value(data))
    return {_text(name): tuple(_text(m) for m in members) for name, members in held.items()}


def _decode_made(data: Any, at: _Place) -> dict[str, Any]:
    """What results were made from; sessions of earlier versions do not say, but their cohort is as it was then."""
    made, session = _mapping(at.code.value(data)), at.session
    found: dict[str, Any] = {}
    if made:
        found = {k: _mapping(made[k]) for k in ("components", "communities") if k in made}
        found |= {"when": _text(made["when"])} if "when" in made else {}
        if "worms" in made:
            found["worms"] = {_text(k): checked_print(v) for k, v in _mapping(made["worms"]).items()}
        found |= {name: _decode_opinion_made(_mapping(made[name])) for name in OPINIONS if name in made}
    elif session.cohort is not None:
        tables = {"components": COMPONENT_SETTINGS, "communities": COMMUNITY_SETTINGS}
        found = {"worms": cohort_prints(session.cohort)} | {
            result: {t: session.settings[t] for t in names if t in session.settings} for result, names in tables.items()
        }
    return found


def _decode_opinion_made(made: dict[str, Any]) -> dict[str, Any]:
    return {
        "worms": {_text(k): checked_print(v) for k, v in _mapping(made["worms"]).items()},
        "cohort": _mapping(made["cohort"]),
        "settings": _mapping(made["settings"]),
        "components": _text(made["components"]),
        "when": _text(made["when"]),
    }


def _decode_touched(data: Any, at: _Place) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for worm, held in _mapping(at.code.value(data)).items():
        notes = _mapping(held)
        found[_text(worm)] = {
            k: tuple(int(v) for v in notes[k]) if k == "labels" else _text(notes[k])
            for k in ("labels", "voxel size", "rate")
            if k in notes
        }
    return found


def _decode_edit(code: Decoder, data: Mapping[str, Any]) -> Edit:
    edit = code.record(Edit, data)
    for label, column, _, _ in edit.changes:
        int(label), _text(column)
    if edit.action not in get_args(Action):
        raise FormatError(f"an edit is of unknown kind '{str(edit.action)[:40]}'")
    return edit


def _mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise FormatError("settings, provenance, raw traces or view are damaged")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise FormatError(f"a text is expected where the session holds {str(value)[:40]!r}")
    return value


SPECIAL: dict[str, tuple[Encode, Decode]] = {
    "recordings": (_encode_recordings, _decode_recordings),
    "current": (_value, _decode_current),
    "cohort": (_encode_cohort, _decode_cohort),
    "sweep": (_encode_sweep, _decode_sweep),
    "components": (_value, _decode_components),
    "communities": (_encode_communities, _decode_communities),
    "surrogates": (_encode_surrogates, _decode_surrogates),
    "states": (_encode_states, _decode_states),
    "signed": (_value, _decode_signed),
    "raw": (_encode_of_open, _decode_raw),
    "groups": (_value, _decode_groups),
    "made": (_value, _decode_made),
    "touched": (_encode_of_open, _decode_touched),
}
"""Fields of a session whose type alone does not say how they are written and read."""
OPTIONAL = frozenset({"made", "touched"})
"""What a file may lack."""
