"""Sessions on disk: one zarr (version 3) store, as a folder or a .zip, with all text in `session.json`.

The store can be read without this package: `session.json` holds tables, names, settings and provenance, and says for every
labelled array which zarr array below `arrays/` holds its values. Saving writes a whole new store beside the old one and swaps
them; loading checks the hash of every array.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.cohort import Cohort, CohortSettings
from ..model.errors import DynamicConnectomeError, FormatError, InputError
from ..model.recording import Recording, VolumeReference
from ..model.results import Communities, Components, RankSweep
from ..model.session import Edit, Selection, Session, now
from ..model.truth import Truth
from .atomic import recover, writing
from .fingerprint import fingerprint
from .session_codec import Arrays, decode_array, decode_table, encode_array, encode_table, plain, unplain

FORMAT = "napari-dynamic-connectome session"
SCHEMA_VERSION = 1
JSON_NAME = "session.json"
MAX_JSON_BYTES = 512 << 20
MAX_ARRAY_BYTES = 64 << 30
MAX_ZIP_RATIO = 200
MAX_MEMBERS = 200_000

Migration = Callable[[dict[str, Any]], dict[str, Any]]
MIGRATIONS: dict[int, Migration] = {}
"""Schema version -> function that turns its JSON into that of the next version."""


def save_session(session: Session, path: str | Path) -> Path:
    """Write a session; what was at `path` before stays until the new one is complete.

    Parameters
    ----------
    session : Session
    path : path
        Folder (`.zarr` by custom) or a `.zip` file.

    Returns
    -------
    pathlib.Path

    Raises
    ------
    InputError
        If `path` is something else than a session, or cannot be written.
    """
    path = Path(path)
    if path.exists() and not is_session(path):
        raise InputError("this is not a session, and is not replaced", where=str(path), fix="Choose another name.")
    arrays: Arrays = {}
    body = _encode(session, arrays, path.parent.resolve())
    with writing(path) as temporary:
        if path.suffix == ".zip":
            with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
                _write_store(Path(folder) / "s", body, arrays)
                _zip(Path(folder) / "s", temporary)
        else:
            _write_store(temporary, body, arrays)
    session.path = str(path)
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
        `provenance["moved"]` lists images that are not where they were, or changed.

    Raises
    ------
    FormatError
        Not a session, damaged, made by a newer version, or unsafe.
    """
    path = Path(path)
    recover(path)
    if not path.exists():
        raise InputError("there is no such file or folder", where=str(path))
    try:
        if path.is_dir():
            body, arrays = _read_store(path)
        else:
            with tempfile.TemporaryDirectory() as folder:
                _unzip(path, Path(folder))
                body, arrays = _read_store(Path(folder))
        session = _decode(_migrate(body, path), arrays, path.parent.resolve())
    except DynamicConnectomeError as error:
        if isinstance(error, InputError) and not error.where:
            raise type(error)(error.what, where=str(path), fix=error.fix) from error
        raise
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OSError, RecursionError) as error:
        raise FormatError(
            f"the session is damaged ({type(error).__name__}: {error})", where=str(path), fix="Use a backup."
        ) from error
    session.path = str(path)
    return session


def is_session(path: str | Path) -> bool:
    """True for a folder or .zip that says it is a session."""
    path = Path(path)
    try:
        if path.is_dir():
            head = (path / "zarr.json").read_text(encoding="utf-8")[:4096]
            return FORMAT in head
        if path.is_file() and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open("zarr.json") as stream:
                return FORMAT in stream.read(4096).decode("utf-8", "replace")
    except (OSError, KeyError, UnicodeDecodeError, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return False
    return False


# --- store ------------------------------------------------------------------------------------------------------------


def _write_store(folder: Path, body: dict[str, Any], arrays: Arrays) -> None:
    import zarr

    root = zarr.open_group(str(folder), mode="w", zarr_format=3)
    group = root.create_group("arrays")
    index = {}
    for number, (key, values) in enumerate(arrays.items()):
        values = np.ascontiguousarray(values)
        name = f"a{number:05d}"
        stored = group.create_array(
            name, shape=values.shape, dtype=values.dtype, chunks=_chunks(values), attributes={"key": key}
        )
        if values.size:
            stored[...] = values
        index[key] = {
            "path": f"arrays/{name}",
            "shape": list(values.shape),
            "dtype": values.dtype.str,
            "sha256": _digest(values),
        }
    text = json.dumps(body | {"arrays": index}, ensure_ascii=False, allow_nan=False, indent=1)
    data = text.encode("utf-8", "surrogatepass")
    (folder / JSON_NAME).write_bytes(data)
    root.attrs.update(
        {
            "format": FORMAT,
            "schema_version": SCHEMA_VERSION,
            "json": JSON_NAME,
            "json_sha256": hashlib.sha256(data).hexdigest(),
        }
    )


def _chunks(values: np.ndarray) -> tuple[int, ...]:
    if values.ndim == 0 or values.nbytes <= 32 << 20:
        return tuple(max(n, 1) for n in values.shape)
    rest = max(1, values.nbytes // values.shape[0])
    return (max(1, (32 << 20) // rest), *(max(n, 1) for n in values.shape[1:]))


def _digest(values: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(values).tobytes()).hexdigest()


def _read_store(folder: Path) -> tuple[dict[str, Any], Arrays]:
    import zarr

    try:
        attrs = json.loads((folder / "zarr.json").read_bytes()).get("attributes", {})
    except (OSError, ValueError, AttributeError) as error:
        raise FormatError(
            "this is not a session (no readable zarr.json)", fix="Choose a session folder or .zip."
        ) from error
    if not isinstance(attrs, dict) or attrs.get("format") != FORMAT:
        raise FormatError("this is a zarr store but not a session", fix="Choose a session folder or .zip.")
    file = folder / JSON_NAME
    if not file.is_file() or file.stat().st_size > MAX_JSON_BYTES:
        raise FormatError(f"{JSON_NAME} is missing or larger than {MAX_JSON_BYTES >> 20} MiB")
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != attrs.get("json_sha256"):
        raise FormatError(f"{JSON_NAME} is not what was saved: damaged or edited by hand", fix="Use a backup.")
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{JSON_NAME} cannot be read ({error})") from error
    arrays: Arrays = {}
    for key, entry in body.get("arrays", {}).items():
        name = str(entry["path"])
        if not name.startswith("arrays/") or ".." in name or "\\" in name or name.count("/") != 1:
            raise FormatError(f"the array path '{name}' leaves the session")
        dtype, shape = np.dtype(str(entry["dtype"])), tuple(int(n) for n in entry["shape"])
        if dtype.kind not in "fiub" or any(n < 0 for n in shape):
            raise FormatError(f"the array '{key}' is of kind {dtype}")
        if int(np.prod(shape, dtype=object)) * dtype.itemsize > MAX_ARRAY_BYTES:
            raise FormatError(f"the array '{key}' is larger than {MAX_ARRAY_BYTES >> 30} GiB")
        where = folder / name
        if not where.is_dir() or where.is_symlink():
            raise FormatError(f"the array '{key}' is missing")
        header = json.loads((where / "zarr.json").read_bytes())
        if tuple(header.get("shape", ())) != shape:
            raise FormatError(f"the array '{key}' has shape {header.get('shape')}, not {list(shape)}")
        try:
            values = np.asarray(zarr.open_array(str(where), mode="r")[...], dtype=dtype)
        except Exception as error:  # zarr and its codecs raise many types
            raise FormatError(f"the array '{key}' cannot be read ({error})") from error
        if _digest(values) != entry["sha256"]:
            raise FormatError(f"the array '{key}' is not what was saved", fix="Use a backup.")
        arrays[key] = values
    return body, arrays


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for item in sorted(folder.rglob("*")):
            if item.is_file():
                archive.write(item, item.relative_to(folder).as_posix())


def _unzip(path: Path, folder: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MAX_MEMBERS:
                raise FormatError(f"the zip file has {len(members)} members (limit {MAX_MEMBERS})")
            total = sum(m.file_size for m in members)
            if total > max(64 << 20, MAX_ZIP_RATIO * path.stat().st_size):
                raise FormatError(f"the zip file would unpack to {total >> 20} MiB: refused as a decompression bomb")
            for member in members:
                name = member.filename
                parts = name.replace("\\", "/").split("/")
                if name.startswith("/") or ".." in parts or (parts and ":" in parts[0]):
                    raise FormatError(f"the member '{name}' would leave the session")
                if member.is_dir():
                    continue
                target = folder.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, target.open("wb") as sink:
                    left = member.file_size
                    while block := source.read(1 << 20):
                        left -= len(block)
                        if left < 0:
                            raise FormatError(f"the member '{name}' is larger than it says")
                        sink.write(block)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise FormatError(f"this is not a readable zip file ({error})") from error


def _migrate(body: dict[str, Any], path: Path) -> dict[str, Any]:
    version = body.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        raise FormatError("the session does not say its schema version", where=str(path))
    if version > SCHEMA_VERSION:
        raise FormatError(
            f"the session has schema version {version}; this program knows up to {SCHEMA_VERSION}",
            where=str(path),
            fix="Update napari-dynamic-connectome.",
        )
    while version < SCHEMA_VERSION:
        if version not in MIGRATIONS:
            raise FormatError(f"schema version {version} was never released", where=str(path))
        body = MIGRATIONS[version](body)
        version += 1
    return body


# --- encoding -----------------------------------------------------------------------------------------------------------


def _encode(session: Session, arrays: Arrays, base: Path) -> dict[str, Any]:
    from .. import __version__

    return {
        "format": FORMAT,
        "schema_version": SCHEMA_VERSION,
        "written_by": f"napari-dynamic-connectome {__version__}",
        "written_at": now(),
        "current": session.current,
        "recordings": [
            _encode_recording(r, f"recordings/{i}", arrays, base) for i, r in enumerate(session.recordings.values())
        ],
        "cohort": None
        if session.cohort is None
        else {"worms": list(session.cohort.worms), "settings": plain(session.cohort.settings.model_dump(mode="json"))},
        "sweep": None if session.sweep is None else _encode_sweep(session.sweep, arrays),
        "components": None
        if session.components is None
        else _encode_components(session.components, "components", arrays),
        "communities": [
            {"component": component, "kind": kind, **_encode_communities(c, f"communities/{component}/{kind}", arrays)}
            for (component, kind), c in session.communities.items()
        ],
        "selection": plain(asdict(session.selection)),
        "settings": plain(session.settings),
        "provenance": plain(session.provenance),
        "truth": None
        if session.truth is None
        else {k: encode_table(getattr(session.truth, k)) for k in ("motifs", "members", "windows")},
        "trail": [_encode_edit(e) for e in session.trail],
        "done": [_encode_edit(e) for e in session.done],
        "undone": [_encode_edit(e) for e in session.undone],
    }


def _encode_edit(edit: Edit) -> dict[str, Any]:
    return {
        "recording": edit.recording,
        "changes": [[label, column, plain(old), plain(new)] for label, column, old, new in edit.changes],
        "who": edit.who,
        "when": edit.when,
        "text": edit.text,
    }


def _decode_edit(data: Mapping[str, Any]) -> Edit:
    changes = tuple(
        (int(label), str(column), unplain(old), unplain(new)) for label, column, old, new in data["changes"]
    )
    return Edit(data["recording"], changes, data["who"], data["when"], data["text"])


def _encode_recording(recording: Recording, key: str, arrays: Arrays, base: Path) -> dict[str, Any]:
    return {
        "name": recording.name,
        "traces": encode_array(recording.traces, f"{key}/traces", arrays),
        "neurons": encode_table(recording.neurons),
        "stimuli": encode_table(recording.stimuli),
        "behaviour": {
            str(c): encode_array(v, f"{key}/behaviour/{i}", arrays)
            for i, (c, v) in enumerate(recording.behaviour.data_vars.items())
        },
        "seams": list(recording.seams),
        "volume": _encode_reference(recording.volume, base),
        "labels": _encode_reference(recording.labels, base),
        "quality": None
        if recording.quality is None
        else {"table": encode_table(recording.quality), "attrs": plain(dict(recording.quality.attrs))},
        "provenance": plain(dict(recording.provenance)),
    }


def _encode_reference(reference: VolumeReference | None, base: Path) -> dict[str, Any] | None:
    if reference is None:
        return None
    data: dict[str, Any] = plain(asdict(reference))
    path = Path(reference.path)
    absolute = path if path.is_absolute() else base / path
    if absolute.exists():
        data["fingerprint"] = {k: v for k, v in fingerprint(absolute).items() if k != "path"}
    if path.is_absolute():
        try:
            data["path"] = os.path.relpath(path, base).replace(os.sep, "/")
            data["absolute"] = str(path)
        except ValueError:  # another drive
            data["path"] = str(path)
    return data


def _encode_components(components: Components, key: str, arrays: Arrays) -> dict[str, Any]:
    return {
        "model": components.model,
        **{
            f: encode_array(getattr(components, f), f"{key}/{f}", arrays)
            for f in ("time", "worm", "pair", "weight", "pair_worms")
        },
        "neurons": list(components.neurons),
        "error": plain(components.error),
        "diagnostics": plain(dict(components.diagnostics)),
        "stimuli": encode_table(components.stimuli),
        "provenance": plain(dict(components.provenance)),
    }


def _decode_components(data: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Components:
    return Components(
        model=data["model"],
        **{f: decode_array(data[f], arrays) for f in ("time", "worm", "pair", "weight", "pair_worms")},
        neurons=tuple(data["neurons"]),
        error=unplain(data["error"]),
        diagnostics=unplain(data["diagnostics"]),
        stimuli=decode_table(data["stimuli"]),
        provenance=unplain(data["provenance"]),
    )


def _encode_sweep(sweep: RankSweep, arrays: Arrays) -> dict[str, Any]:
    return {
        "table": encode_table(sweep.table),
        "suggested": int(sweep.suggested),
        "reason": sweep.reason,
        "components": [[int(r), _encode_components(c, f"sweep/{r}", arrays)] for r, c in sweep.components.items()],
        "held_out": encode_table(sweep.held_out),
        "notes": list(sweep.notes),
        "provenance": plain(dict(sweep.provenance)),
    }


def _encode_communities(communities: Communities, key: str, arrays: Arrays) -> dict[str, Any]:
    optional = {
        f: None if getattr(communities, f) is None else encode_array(getattr(communities, f), f"{key}/{f}", arrays)
        for f in ("membership", "co_membership")
    }
    groups = communities.n_groups
    tests = communities.significance
    return {
        "labels": encode_array(communities.labels, f"{key}/labels", arrays),
        "probability": encode_array(communities.probability, f"{key}/probability", arrays),
        "chosen_level": int(communities.chosen_level),
        "method": communities.method,
        "description_length": plain(communities.description_length),
        **optional,
        "n_groups": None if groups is None else encode_table(groups.to_frame("probability")),
        "n_groups_name": None if groups is None or groups.name is None else str(groups.name),
        "significance": None if tests is None else {"table": encode_table(tests), "attrs": plain(dict(tests.attrs))},
        "rule": communities.rule,
        "diagnostics": plain(dict(communities.diagnostics)),
        "provenance": plain(dict(communities.provenance)),
    }


def _decode_communities(data: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Communities:
    groups = None
    if data["n_groups"] is not None:
        groups = decode_table(data["n_groups"])["probability"]
        groups.name = data["n_groups_name"]
    return Communities(
        labels=decode_array(data["labels"], arrays),
        chosen_level=int(data["chosen_level"]),
        probability=decode_array(data["probability"], arrays),
        kind=data["kind"],
        method=data["method"],
        description_length=unplain(data["description_length"]),
        membership=None if data["membership"] is None else decode_array(data["membership"], arrays),
        co_membership=None if data["co_membership"] is None else decode_array(data["co_membership"], arrays),
        n_groups=groups,
        significance=_table_with_attrs(data["significance"]),
        rule=data["rule"],
        diagnostics=unplain(data["diagnostics"]),
        provenance=unplain(data["provenance"]),
    )


def _table_with_attrs(data: Mapping[str, Any] | None) -> pd.DataFrame | None:
    if data is None:
        return None
    table = decode_table(data["table"])
    table.attrs.update(unplain(data["attrs"]))
    return table


def _decode(body: Mapping[str, Any], arrays: Mapping[str, np.ndarray], base: Path) -> Session:
    session = Session()
    moved: list[dict[str, str]] = []
    for data in body["recordings"]:
        recording = _decode_recording(data, arrays, base, moved)
        session.add(recording, make_current=False)
    if body["current"] in session.recordings:
        session.set_current(body["current"])
    if body["cohort"] is not None:
        worms = body["cohort"]["worms"]
        settings = CohortSettings.parse(unplain(body["cohort"]["settings"]), where="the session's cohort")
        session.cohort = Cohort([session.recordings[w] for w in worms], settings)
    if body["sweep"] is not None:
        sweep = body["sweep"]
        session.sweep = RankSweep(
            table=decode_table(sweep["table"]),
            suggested=int(sweep["suggested"]),
            reason=sweep["reason"],
            components={int(r): _decode_components(c, arrays) for r, c in sweep["components"]},
            held_out=decode_table(sweep["held_out"]),
            notes=tuple(sweep["notes"]),
            provenance=unplain(sweep["provenance"]),
        )
    if body["components"] is not None:
        session.components = _decode_components(body["components"], arrays)
    session.communities = {
        (int(c["component"]), c["kind"]): _decode_communities(c, arrays) for c in body["communities"]
    }
    selection = unplain(body["selection"])
    session.selection = Selection(**(selection | {"neurons": tuple(selection["neurons"])}))
    session.settings = unplain(body["settings"])
    session.provenance = unplain(body["provenance"])
    session.provenance.pop("moved", None)
    if moved:
        session.provenance["moved"] = moved
    if body["truth"] is not None:
        session.truth = Truth(**{k: decode_table(body["truth"][k]) for k in ("motifs", "members", "windows")})
    session.trail = [_decode_edit(e) for e in body["trail"]]
    session.done = [_decode_edit(e) for e in body["done"]]
    session.undone = [_decode_edit(e) for e in body["undone"]]
    return session


def _decode_recording(
    data: Mapping[str, Any], arrays: Mapping[str, np.ndarray], base: Path, moved: list[dict[str, str]]
) -> Recording:
    traces = decode_array(data["traces"], arrays)
    return Recording(
        name=data["name"],
        traces=traces,
        neurons=decode_table(data["neurons"]),
        stimuli=decode_table(data["stimuli"]),
        behaviour=xr.Dataset({c: decode_array(v, arrays) for c, v in data["behaviour"].items()}),
        seams=tuple(data["seams"]),
        volume=_decode_reference(data["volume"], base, data["name"], moved),
        labels=_decode_reference(data["labels"], base, data["name"], moved),
        quality=_table_with_attrs(data["quality"]),
        provenance=unplain(data["provenance"]),
    )


def _decode_reference(
    data: Mapping[str, Any] | None, base: Path, worm: str, moved: list[dict[str, str]]
) -> VolumeReference | None:
    if data is None:
        return None
    values = unplain(dict(data))
    expected, absolute = values.pop("fingerprint", None), values.pop("absolute", None)
    path = Path(values["path"])
    found = path if path.is_absolute() else Path(os.path.normpath(base / path))
    if not found.exists() and absolute and Path(absolute).exists():
        found = Path(absolute)
    if not found.exists():
        moved.append({"recording": worm, "path": str(found), "problem": "it is not there"})
    elif expected is not None and {k: v for k, v in fingerprint(found).items() if k != "path"} != expected:
        moved.append({"recording": worm, "path": str(found), "problem": "it changed since the session was saved"})
    return VolumeReference(
        path=str(found),
        shape=tuple(values["shape"]),
        axes=values["axes"],
        voxel_size_um=tuple(values["voxel_size_um"]),
        frame_rate_hz=values["frame_rate_hz"],
    )
