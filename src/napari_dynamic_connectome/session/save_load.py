"""Sessions on disk: one zarr (version 3) store, as a folder or a .zip, with all text in `session.json`.

The store can be read without this package: `session.json` holds tables, names, settings and provenance, and says for every
array which zarr array below `arrays/` holds its values (docs/pages/session.md). Saving writes a whole new store beside the old
one and swaps them; loading checks the hash of every array. A session that another window has changed is not overwritten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import xarray as xr

from ..io.atomic import recover, writing
from ..model.cohort import Cohort, CohortSettings
from ..model.errors import DynamicConnectomeError, FormatError, InputError
from ..model.evidence import Chance
from ..model.opinions import BaselinePanel, SignedComparison
from ..model.progress import CancelCallback, check_cancel
from ..model.recording import Recording
from ..model.results import Communities, Components, RankSweep
from ..model.state_results import StatesResult
from ..model.truth import Truth
from .codec import Decoder, Encoder
from .fingerprints import checked_print, cohort_prints
from .lock import busy_elsewhere, is_silent
from .migrate import SCHEMA_VERSION, check_version, migrate
from .named import write_named
from .relink import check_references, decode_reference, encode_reference
from .session import COMMUNITY_SETTINGS, COMPONENT_SETTINGS, OPINIONS, Action, Edit, Selection, Session, now
from .store import (
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
        if path.exists():
            with open_store(path) as source:
                return read_head(source)
    except (FormatError, OSError, ValueError):
        pass
    return {}


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
            body = migrate(read_body(source, head))
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


def encode_session(session: Session, pool: ArrayPool, base: Path) -> dict[str, Any]:
    """Return the JSON of a session; its arrays go to `pool`, paths become relative to `base`."""
    from .. import __version__

    code = Encoder(pool)
    sweep = session.sweep
    if sweep is not None and not isinstance(sweep, RankSweep):
        raise InputError(f"a rank sweep of type {type(sweep).__name__} cannot be saved")
    return {
        "format": "napari-dynamic-connectome session",
        "schema_version": SCHEMA_VERSION,
        "written_by": f"napari-dynamic-connectome {__version__}",
        "uid": session.uid,
        "current": session.current,
        "recordings": [_encode_recording(r, session, code, base) for r in session.recordings.values()],
        "cohort": _encode_cohort(session, code, base),
        "sweep": None if sweep is None else _encode_sweep(sweep, code),
        "components": None if session.components is None else code.record(session.components),
        "communities": [
            {"component": int(component), "kind": kind, "result": code.record(found)}
            for (component, kind), found in session.communities.items()
        ],
        "surrogates": [
            {"rank": int(rank), "components": [code.record(one) for one in found]}
            for rank, found in session.surrogates.items()
        ],
        "states": None if session.states is None else _encode_states(session.states, code),
        "baselines": None if session.baselines is None else code.record(session.baselines),
        "signed": None if session.signed is None else code.record(session.signed),
        "left_out": sorted(session.left_out),
        "made_from": code.value(session.made),
        "touched": code.value({k: v for k, v in session.touched.items() if k in session.recordings}),
        "groups": code.value(session.groups),
        "raw": code.value({k: v for k, v in session.raw.items() if k in session.recordings}),
        "view": code.value(session.view),
        "selection": code.value(asdict(session.selection)),
        "settings": code.value(session.settings),
        "provenance": code.value(session.provenance),
        "truth": None if session.truth is None else code.record(session.truth),
        "history": [code.record(e) for e in session.history],
        "done": [code.record(e) for e in session.done],
        "undone": [code.record(e) for e in session.undone],
    }


def cohort_hash(cohort: Cohort) -> str:
    """SHA-256 of all that a cohort holds, images aside: traces, neurons, stimuli, behaviour, settings."""
    code = Encoder(ArrayPool())
    body = [code.record(r, volume=None, labels=None) for r in cohort.recordings]
    text = json.dumps([body, code.value(cohort.settings)], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _encode_recording(recording: Recording, session: Session, code: Encoder, base: Path) -> dict[str, Any]:
    images = {which: encode_reference(session, recording, which, base, code.value) for which in ("volume", "labels")}
    return code.record(recording, **images)


def _encode_cohort(session: Session, code: Encoder, base: Path) -> dict[str, Any] | None:
    cohort = session.cohort
    if cohort is None:
        return None
    members = []
    for recording in cohort.recordings:
        # a recording may have been edited or closed after the cohort was made; the cohort keeps its own then
        if session.recordings.get(recording.name) is recording:
            members.append({"open": recording.name})
        else:
            members.append(_encode_recording(recording, session, code, base))
    return {"recordings": members, "settings": code.value(cohort.settings)}


def _encode_sweep(sweep: RankSweep, code: Encoder) -> dict[str, Any]:
    return code.record(sweep, components=[[int(rank), code.record(c)] for rank, c in sweep.components.items()])


def _encode_states(states: StatesResult, code: Encoder) -> dict[str, Any]:
    found = [[int(state), code.record(one)] for state, one in states.communities.items()]
    return code.record(states, communities=found)


def _decode_states(data: Mapping[str, Any], code: Decoder) -> StatesResult:
    found = {int(state): code.record(Communities, one) for state, one in data.get("communities", [])}
    return code.record(StatesResult, data, communities=found)


def _decode_signed(data: Mapping[str, Any], code: Decoder) -> SignedComparison:
    both = {name: code.record(Components, data[name]) for name in ("signed", "non_negative")}
    return code.record(SignedComparison, data, **both)


def decode_session(body: Mapping[str, Any], source: StoreReader, base: Path) -> Session:
    """Inverse of `encode_session`."""
    code = Decoder(ArrayReader(source))
    session = Session()
    session.uid = _text(body["uid"])
    session.revisions = tuple(_text(r) for r in body["revisions"])
    for data in body["recordings"]:
        session.add(_decode_recording(data, session, code, base), make_current=False)
    if body["current"] in session.recordings:
        session.set_current(body["current"])
    if body["cohort"] is not None:
        session.cohort = Cohort(
            [
                session.recordings[m["open"]] if set(m) == {"open"} else _decode_recording(m, session, code, base)
                for m in body["cohort"]["recordings"]
            ],
            CohortSettings.parse(code.value(body["cohort"]["settings"]), where="the session's cohort"),
        )
    if body["sweep"] is not None:
        found = {int(rank): code.record(Components, c) for rank, c in body["sweep"]["components"]}
        chance = body["sweep"].get("chance")
        session.sweep = code.record(
            RankSweep,
            body["sweep"],
            components=found,
            chance=None if chance is None else code.record(Chance, chance),
        )
    if body["components"] is not None:
        # those of the sweep are the same object, as they were: what is known about a rank is known about them
        same = [] if body["sweep"] is None else [r for r, c in body["sweep"]["components"] if c == body["components"]]
        session.components = (
            session.sweep.components[int(same[0])] if same else code.record(Components, body["components"])
        )
    session.communities = {
        (int(c["component"]), c["kind"]): code.record(Communities, c["result"]) for c in body["communities"]
    }
    session.surrogates = {
        int(one["rank"]): tuple(code.record(Components, c) for c in one["components"]) for one in body["surrogates"]
    }
    session.states = None if body["states"] is None else _decode_states(body["states"], code)
    session.baselines = None if body["baselines"] is None else code.record(BaselinePanel, body["baselines"])
    session.signed = None if body["signed"] is None else _decode_signed(body["signed"], code)
    session.left_out = frozenset(_text(name) for name in body["left_out"])
    session.raw = {k: v for k, v in _mapping(code.value(body["raw"])).items() if isinstance(v, xr.DataArray)}
    session.groups = {
        _text(name): tuple(_text(m) for m in held) for name, held in _mapping(code.value(body["groups"])).items()
    }
    session.view = _mapping(code.value(body["view"]))
    session.selection = code.record(Selection, body["selection"])
    session.settings = _mapping(code.value(body["settings"]))
    _decode_made(
        session, _mapping(code.value(body.get("made_from", {}))), _mapping(code.value(body.get("touched", {})))
    )
    session.provenance = _mapping(code.value(body["provenance"]))
    if body["truth"] is not None:
        session.truth = code.record(Truth, body["truth"])
    for kind in ("history", "done", "undone"):
        setattr(session, kind, [_decode_edit(code, e) for e in body[kind]])
    return session


def _decode_made(session: Session, made: dict[str, Any], touched: dict[str, Any]) -> None:
    """What results and traces were made from; sessions of earlier versions do not say, but their cohort is as it was then."""
    if made:
        session.made = {k: _mapping(made[k]) for k in ("components", "communities") if k in made}
        session.made |= {"when": _text(made["when"])} if "when" in made else {}
        if "worms" in made:
            session.made["worms"] = {_text(k): checked_print(v) for k, v in _mapping(made["worms"]).items()}
        for name in OPINIONS:
            if name in made:
                session.made[name] = _decode_opinion_made(_mapping(made[name]))
    elif session.cohort is not None:
        tables = {"components": COMPONENT_SETTINGS, "communities": COMMUNITY_SETTINGS}
        session.made = {"worms": cohort_prints(session.cohort)} | {
            result: {t: session.settings[t] for t in names if t in session.settings} for result, names in tables.items()
        }
    for worm, held in touched.items():
        notes = _mapping(held)
        session.touched[_text(worm)] = {
            k: tuple(int(v) for v in notes[k]) if k == "labels" else _text(notes[k])
            for k in ("labels", "voxel size", "rate")
            if k in notes
        }


def _decode_opinion_made(made: dict[str, Any]) -> dict[str, Any]:
    return {
        "worms": {_text(k): checked_print(v) for k, v in _mapping(made["worms"]).items()},
        "cohort": _mapping(made["cohort"]),
        "settings": _mapping(made["settings"]),
        "components": _text(made["components"]),
        "when": _text(made["when"]),
    }


def _decode_recording(data: Mapping[str, Any], session: Session, code: Decoder, base: Path) -> Recording:
    name = _text(data["name"])
    images = {
        which: decode_reference(session, name, which, data.get(which), base, code.value)
        for which in ("volume", "labels")
    }
    return code.record(Recording, data, **images)


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
