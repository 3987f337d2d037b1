"""The store below a session: one JSON text and checked arrays in a zarr (version 3) hierarchy, as a folder or a .zip.

Only a small, safe part of zarr is written and read: little-endian numbers, plain or gzip, named after the hash of their
content. Reading needs no codec plug-in, follows no link, and allocates nothing before the stored bytes were counted, so that
a damaged or hostile store costs no more memory than its size explains. Every zarr library can open what is written here.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ..model.errors import FormatError
from ..model.memory import free_mb
from ..model.progress import CancelCallback, check_cancel

FORMAT = "napari-dynamic-connectome session"
JSON_NAME = "session.json"
ROOT = "zarr.json"

CHUNK_BYTES = 16 << 20
"""Arrays are cut along their first axis into pieces of about this size."""
GZIP_BYTES = 64 << 20
"""Only arrays up to this size are stored compressed: no small file can unpack to more than that."""
MAX_JSON_BYTES = 256 << 20
MAX_ARRAYS = 200_000
MAX_TOTAL_BYTES = 64 << 30
MAX_HEADER_BYTES = 1 << 20
PACKING = 1040
"""Bytes that one packed byte may hold, and a little more than deflate reaches."""

DTYPES = {
    np.dtype(name).str: name
    for name in (
        [
            "float16",
            "float32",
            "float64",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "bool",
            "complex64",
            "complex128",
        ]
    )
}
_NAME = re.compile(r"[0-9a-f]{32}")
_GZIP = {"name": "gzip", "configuration": {"level": 1}}


class ArrayPool:
    """Arrays that go into a store, each content once; hashing them may be cancelled."""

    def __init__(self, cancel: CancelCallback | None = None) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.cancel = cancel

    def put(self, values: np.ndarray) -> dict[str, Any]:
        """Keep an array; return what the JSON says about it."""
        check_cancel(self.cancel)
        values = np.asarray(values)
        if values.dtype.newbyteorder("<").str not in DTYPES:
            raise FormatError(f"an array of type {values.dtype} cannot be saved")
        # not ascontiguousarray: it turns an array without dimensions into one with one
        values = np.asarray(values, dtype=values.dtype.newbyteorder("<"), order="C")
        name = content_hash(values)
        self.arrays[name] = values
        return {"array": name, "dtype": DTYPES[values.dtype.str], "shape": list(values.shape)}


def content_hash(values: np.ndarray) -> str:
    """First 32 hexadecimal digits of the SHA-256 of type, shape and bytes."""
    digest = hashlib.sha256(f"{DTYPES[values.dtype.str]}{list(values.shape)}".encode())
    digest.update(np.ascontiguousarray(values).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()[:32]


# --- writing ----------------------------------------------------------------------------------------------------------

Put = Callable[[str, bytes], None]


def write_store(put: Put, body: Mapping[str, Any], arrays: Mapping[str, np.ndarray], head: Mapping[str, Any]) -> None:
    """Hand every file of a store to `put(name, data)`; the file that makes it a session comes last."""
    for name, values in arrays.items():
        for key, data in array_files(values, tuple(f"{name[:12]}_{i}" for i in range(values.ndim))):
            put(f"arrays/{name}/{key}", data)
    put(f"arrays/{ROOT}", _dump({"zarr_format": 3, "node_type": "group", "attributes": {}}))
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
    if len(text) > MAX_JSON_BYTES:
        raise FormatError(f"the session's text would take {len(text) >> 20} MiB (limit {MAX_JSON_BYTES >> 20})")
    put(JSON_NAME, text)
    attributes = {"format": FORMAT, **head, "json": JSON_NAME, "json_sha256": hashlib.sha256(text).hexdigest()}
    put(ROOT, _dump({"zarr_format": 3, "node_type": "group", "attributes": attributes}))


def folder_writer(folder: Path) -> Put:
    """Return a `put` that writes files below a folder."""
    made: set[Path] = set()

    def put(name: str, data: bytes) -> None:
        target = folder / name
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        with target.open("xb") as stream:
            stream.write(data)

    return put


@contextmanager
def zip_writer(path: Path) -> Iterator[Put]:
    """Give a `put` that writes the members of a zip file, uncompressed (the arrays are compressed already)."""
    with zipfile.ZipFile(path, "x", zipfile.ZIP_STORED) as archive:

        def put(name: str, data: bytes) -> None:
            kind = zipfile.ZIP_DEFLATED if name == JSON_NAME else zipfile.ZIP_STORED
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data, kind)

        yield put


def _dump(data: Any) -> bytes:
    return json.dumps(data, indent=1).encode()


def array_files(
    values: np.ndarray, dims: tuple[str, ...], attributes: Mapping[str, Any] | None = None
) -> Iterator[tuple[str, bytes]]:
    """Files of one zarr array, by name; `dims` are the names of its dimensions."""
    rows = _rows_per_chunk(values.shape, values.dtype.itemsize)
    packed = values.nbytes <= GZIP_BYTES and _compresses(values)
    for number, block in enumerate(_blocks(values, rows)):
        data = zlib.compress(block, 1, 31) if packed else block
        yield _chunk_key(values.ndim, number), data
    chunks = [rows, *(max(n, 1) for n in values.shape[1:])] if values.ndim else []
    kind = DTYPES[values.dtype.str]
    fill: Any = False if kind == "bool" else 0 if values.dtype.kind in "iu" else 0.0
    yield (
        ROOT,
        _dump(
            {
                "zarr_format": 3,
                "node_type": "array",
                "shape": list(values.shape),
                "data_type": kind,
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
                "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                "fill_value": [0.0, 0.0] if values.dtype.kind == "c" else fill,
                "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, *([_GZIP] if packed else [])],
                "attributes": dict(attributes or {}),
                "dimension_names": list(dims),
            }
        ),
    )


def _rows_per_chunk(shape: tuple[int, ...], itemsize: int) -> int:
    if not shape:
        return 1
    per_row = itemsize
    for n in shape[1:]:
        per_row *= max(n, 1)
    return max(1, min(max(shape[0], 1), CHUNK_BYTES // per_row))


def _blocks(values: np.ndarray, rows: int) -> Iterator[bytes]:
    if values.size == 0:
        return
    if values.ndim == 0:
        yield values.tobytes()
        return
    for start in range(0, values.shape[0], rows):
        data = values[start : start + rows].tobytes()
        yield data + bytes(rows * (values.nbytes // values.shape[0]) - len(data))  # zarr's edge chunks are full size


def _chunk_key(ndim: int, number: int) -> str:
    return "/".join(["c", str(number), *["0"] * (ndim - 1)]) if ndim else "c"


def _compresses(values: np.ndarray) -> bool:
    sample = values.reshape(-1)[: 65536 // values.dtype.itemsize].tobytes()
    return len(sample) > 256 and len(zlib.compress(sample, 1)) < 0.7 * len(sample)


# --- reading ----------------------------------------------------------------------------------------------------------


class StoreReader(Protocol):
    """Files of a store, by name."""

    def size(self, name: str) -> int:
        """Bytes of a file as it will be read; raises `FormatError` if there is none."""

    def read(self, name: str, limit: int) -> bytes:
        """Return a whole file; raises `FormatError` if it is larger than `limit`."""


class FolderSource:
    """Files below a folder: ordinary files only, no links."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.realpath(folder))

    def _open(self, name: str) -> int:
        path = self.folder / name
        if os.path.realpath(path) != str(path):
            raise FormatError(f"'{name}' is a link", fix="A session holds no links; copy it again.")
        try:
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        except OSError as error:
            raise FormatError(f"'{name}' cannot be read ({error.strerror})", fix="Use a backup.") from error
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise FormatError(f"'{name}' is not an ordinary file")
        return descriptor

    def size(self, name: str) -> int:
        """Bytes of a file."""
        descriptor = self._open(name)
        try:
            return os.fstat(descriptor).st_size
        finally:
            os.close(descriptor)

    def read(self, name: str, limit: int) -> bytes:
        """Return a whole file."""
        with os.fdopen(self._open(name), "rb") as stream:
            return _bounded(stream.read(limit + 1), name, limit)


def unpacked_at_most(packed: int) -> int:
    """Bytes that so many packed ones may hold, the header included."""
    return PACKING * packed + 64


class ZipSource:
    """Members of a zip file; nothing is unpacked to disk."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.members = {m.filename: m for m in archive.infolist()}
        # someone may have packed the folder by hand, with its name in front
        tops = [
            n for n in self.members if n.count("/") == 1 and n.endswith("/" + ROOT) and not n.startswith("__MACOSX")
        ]
        self.prefix = tops[0][: -len(ROOT)] if ROOT not in self.members and len(tops) == 1 else ""

    def _member(self, name: str) -> zipfile.ZipInfo:
        member = self.members.get(self.prefix + name)
        if member is None:
            raise FormatError(f"'{name}' is missing", fix="Use a backup.")
        return member

    def size(self, name: str) -> int:
        """Bytes of a member, unpacked, as far as they can be true of its packed size."""
        member = self._member(name)
        return min(member.file_size, unpacked_at_most(member.compress_size))

    def read(self, name: str, limit: int) -> bytes:
        """Return a whole member."""
        member = self._member(name)
        if member.file_size > limit:
            raise FormatError(f"'{name}' is larger than {limit} bytes")
        with self.archive.open(member) as stream:
            return _bounded(stream.read(limit + 1), name, limit)


def _bounded(data: bytes, name: str, limit: int) -> bytes:
    if len(data) > limit:
        raise FormatError(f"'{name}' is larger than {limit} bytes")
    return data


@contextmanager
def open_store(path: Path) -> Iterator[StoreReader]:
    """Give the files of a session folder or .zip."""
    if path.is_dir():
        yield FolderSource(path)
        return
    try:
        with zipfile.ZipFile(path) as archive:
            yield ZipSource(archive)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error) as error:
        raise FormatError(f"this is not a readable zip file ({error})", fix="Choose a session.") from error


def read_head(source: StoreReader) -> dict[str, Any]:
    """Return the attributes of the root group of a session; anything else is a `FormatError`."""
    head = parse_json(source.read(ROOT, MAX_HEADER_BYTES), ROOT)
    attributes = head.get("attributes") if isinstance(head, dict) else None
    if not isinstance(attributes, dict) or attributes.get("format") != FORMAT:
        raise FormatError("this is not a session", fix="Choose a session folder or .zip.")
    return attributes


def read_body(source: StoreReader, head: Mapping[str, Any]) -> dict[str, Any]:
    """Return the session's JSON after checking its hash."""
    data = source.read(JSON_NAME, MAX_JSON_BYTES)
    if hashlib.sha256(data).hexdigest() != head.get("json_sha256"):
        raise FormatError(f"{JSON_NAME} is not what was saved: damaged, or edited by hand", fix="Use a backup.")
    body = parse_json(data, JSON_NAME)
    if not isinstance(body, dict):
        raise FormatError(f"{JSON_NAME} does not hold a session")
    return body


def parse_json(data: bytes, name: str) -> Any:
    """Parse JSON; NaN and other things that JSON does not have are refused."""

    def refuse(text: str) -> Any:
        raise ValueError(f"{text} is not JSON")

    try:
        return json.loads(data, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"{name} cannot be read ({error})", fix="Use a backup.") from error


class ArrayReader:
    """Read arrays of a store by what the JSON says about them, each once, and check them."""

    def __init__(self, source: StoreReader) -> None:
        self.source = source
        self.total = 0
        self.known: dict[str, np.ndarray] = {}

    def get(self, entry: Mapping[str, Any]) -> np.ndarray:
        """Return an array (read-only is never promised; each call gives its own copy)."""
        name, kind, shape = entry["array"], entry["dtype"], tuple(entry["shape"])
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise FormatError(f"'{str(name)[:60]}' is not the name of an array")
        if kind not in DTYPES.values() or not all(type(n) is int and 0 <= n < 2**48 for n in shape) or len(shape) > 8:
            raise FormatError(f"an array of type {str(kind)[:40]} and shape {str(shape)[:60]} is not known")
        if name not in self.known:
            if len(self.known) >= MAX_ARRAYS:
                raise FormatError(f"the session has more than {MAX_ARRAYS} arrays")
            self.known[name] = self._read(name, np.dtype(kind).newbyteorder("<"), shape)
        values = self.known[name]
        if values.shape != shape or DTYPES[values.dtype.str] != kind:
            raise FormatError(f"the array {name} has shape {list(values.shape)}, not {list(shape)}")
        return values.copy()

    def _read(self, name: str, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
        n_bytes = dtype.itemsize
        for n in shape:
            n_bytes *= n
        rows = _rows_per_chunk(shape, dtype.itemsize)
        packed = self._check_header(name, dtype, shape, rows)
        count = 0 if n_bytes == 0 else -(-shape[0] // rows) if shape else 1
        keys = [f"arrays/{name}/{_chunk_key(len(shape), i)}" for i in range(min(count, MAX_TOTAL_BYTES // CHUNK_BYTES))]
        chunk_bytes = n_bytes if count <= 1 and not shape else (rows * n_bytes // shape[0] if n_bytes else 0)
        self.total += n_bytes
        check_memory(self.total)
        if packed and n_bytes > GZIP_BYTES:
            raise FormatError(f"the packed array {name} would unpack to {n_bytes} bytes: refused")
        for key in keys:
            size = self.source.size(key)
            if size != chunk_bytes if not packed else unpacked_at_most(size) < chunk_bytes:
                raise FormatError(
                    f"{size} bytes are stored where {chunk_bytes} are declared", where=key, fix="Use a backup."
                )
        values = np.empty(shape, dtype)
        flat = values.reshape(-1)
        at = 0
        for key in keys:
            data = self.source.read(key, chunk_bytes + (1 << 16))
            if packed:
                data = _gunzip(data, chunk_bytes, key)
            if len(data) != chunk_bytes:
                raise FormatError(f"{len(data)} bytes where {chunk_bytes} are declared", where=key, fix="Use a backup.")
            part = np.frombuffer(data, dtype)[: values.size - at]
            flat[at : at + part.size] = part
            at += part.size
        if content_hash(values) != name:
            raise FormatError(f"the array {name} is not what was saved", fix="The disk may be failing; use a backup.")
        return values

    def _check_header(self, name: str, dtype: np.dtype, shape: tuple[int, ...], rows: int) -> bool:
        key = f"arrays/{name}/{ROOT}"
        header = parse_json(self.source.read(key, MAX_HEADER_BYTES), key)
        chunks = [rows, *(max(n, 1) for n in shape[1:])] if shape else []
        try:
            plain = (
                header["shape"] == list(shape)
                and header["data_type"] == DTYPES[dtype.str]
                and header["chunk_grid"] == {"name": "regular", "configuration": {"chunk_shape": chunks}}
                and header["chunk_key_encoding"]["configuration"] == {"separator": "/"}
            )
            codecs = [c["name"] for c in header["codecs"]]
        except (KeyError, TypeError, IndexError) as error:
            raise FormatError("the header of an array is damaged", where=key) from error
        if not plain or codecs not in (["bytes"], ["bytes", "gzip"]):
            raise FormatError(
                f"the header of an array is not as it was saved (codecs {str(codecs)[:60]})",
                where=key,
                fix="Stores that another program wrote again cannot be opened as a session.",
            )
        return len(codecs) > 1


def _gunzip(data: bytes, expected: int, where: str) -> bytes:
    unpacker = zlib.decompressobj(31)
    try:
        return unpacker.decompress(data, expected + 1)
    except zlib.error as error:
        raise FormatError(f"a packed array is damaged ({error})", where=where, fix="Use a backup.") from error


def check_memory(n_bytes: int) -> None:
    """Refuse what cannot fit into memory before it is tried."""
    if n_bytes > MAX_TOTAL_BYTES:
        raise FormatError(f"the arrays would take {n_bytes / 1e9:.3g} GB (limit {MAX_TOTAL_BYTES >> 30} GiB)")
    free = 1e6 * free_mb()
    if n_bytes > 1 << 30 and n_bytes > free:
        raise FormatError(f"the arrays would take {n_bytes / 1e9:.3g} GB; {free / 1e9:.3g} GB of memory are free")
