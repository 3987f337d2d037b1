"""Files of a session folder or zip: their true sizes, what is missing or too large, and folders packed by hand."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import zarr

from napari_dynamic_connectome.model.errors import Cancelled, FormatError
from napari_dynamic_connectome.session import store
from napari_dynamic_connectome.session.store import ROOT, ZipSource, open_store, unpacked_at_most


def packed(path: Path, files: dict[str, bytes], how: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", how) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def as_folder(path: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


FILES = {ROOT: b"{}", "arrays/a/c/0": b"\0" * 3_000_000, "arrays/a/c/1": bytes(range(256)), "empty": b""}


@pytest.mark.parametrize("kind", ["folder", "stored", "deflated", "by hand"])
def test_sizes_are_true_and_files_are_read_whole_up_to_a_limit(tmp_path: Path, kind: str) -> None:
    if kind == "folder":
        path = as_folder(tmp_path / "s", FILES)
    else:
        front = "my session/" if kind == "by hand" else ""
        files = {front + name: data for name, data in FILES.items()} | {"__MACOSX/" + ROOT: b""}
        how = zipfile.ZIP_STORED if kind == "stored" else zipfile.ZIP_DEFLATED
        path = packed(tmp_path / "s.zip", files, how)
    with open_store(path) as source:
        for name, data in FILES.items():
            assert source.size(name) == len(data)
            assert source.read(name, len(data)) == source.read(name, len(data) + 1) == data
            if data:
                with pytest.raises(FormatError, match=f"'{name}' is larger than {len(data) - 1} bytes"):
                    source.read(name, len(data) - 1)
        for ask in (source.size, lambda name: source.read(name, 9)):
            with pytest.raises(FormatError, match=r"'arrays/none' (is missing|cannot be read)"):
                ask("arrays/none")


def test_what_a_zip_says_of_a_size_counts_as_far_as_it_can_be_true(tmp_path: Path) -> None:
    with zipfile.ZipFile(packed(tmp_path / "a.zip", {"x": b"\0" * 1000})) as archive:
        member = archive.getinfo("x")
        member.file_size = 10**12
        source = ZipSource(archive)
        assert source.size("x") == unpacked_at_most(member.compress_size) < 100_000
        member.file_size = 10**12
        with pytest.raises(FormatError, match="larger than 5000 bytes"):
            source.read("x", 5000)


@pytest.mark.parametrize("n_bytes", [0, 1, 100, 10_000_000])
def test_no_true_file_is_larger_than_its_packed_size_allows(n_bytes: int) -> None:
    least = len(zlib.compress(b"\0" * n_bytes, 9))
    assert n_bytes <= unpacked_at_most(least)
    assert n_bytes == 0 or unpacked_at_most(n_bytes // 1100 - 1) < n_bytes  # and not much more is allowed


@pytest.mark.parametrize("tops", [("a/", "b/"), ()])
def test_two_sessions_in_one_zip_are_none(tmp_path: Path, tops: tuple[str, ...]) -> None:
    path = packed(tmp_path / "a.zip", {top + ROOT: b"{}" for top in tops} | {"notes.txt": b""})
    with open_store(path) as source, pytest.raises(FormatError, match="is missing"):
        source.read(ROOT, 9)


def test_what_is_no_zip_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\3\4" + b"x" * 100)
    with pytest.raises(FormatError, match="not a readable zip file"), open_store(tmp_path / "a.zip"):
        pytest.fail("it is none")


class Memory:
    """A store in memory: what `write_store` puts, and what readers ask for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def put(self, name: str, data: bytes) -> None:
        assert name not in self.files
        self.files[name] = data

    def size(self, name: str) -> int:
        return len(self.read(name, 1 << 40))

    def read(self, name: str, limit: int) -> bytes:
        if name not in self.files:
            raise FormatError(f"'{name}' is missing")
        return self.files[name]


def kept(*arrays: np.ndarray) -> tuple[Memory, list[dict]]:
    memory, pool = Memory(), store.ArrayPool()
    entries = [pool.put(values) for values in arrays]
    store.write_store(memory.put, {"kept": entries}, pool.arrays, {"uid": "u"})
    return memory, entries


def samples() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [
        np.float64(3.5), np.zeros(0), np.zeros((3, 0, 2), np.int16), np.arange(5, dtype=">i4"), rng.normal(size=(7, 3)).astype("f4"),
        rng.normal(size=(40, 6)), np.zeros((100, 30)), np.tile([True, False], 500), rng.normal(size=9) * (1 + 2j), np.arange(12.0).reshape(3, 4).T,
        np.zeros((1, 1, 1), np.uint8), np.arange(3000, dtype=np.uint16).reshape(5, 20, 30), np.float16([1, 2]),
    ]  # fmt: skip


@pytest.mark.parametrize("chunk", [64, 1000, 16 << 20])
def test_arrays_come_back_and_zarr_reads_them_too(tmp_path: Path, monkeypatch, chunk: int) -> None:
    monkeypatch.setattr(store, "CHUNK_BYTES", chunk)
    memory, entries = kept(*samples())
    reader = store.ArrayReader(memory)
    names = list(memory.files)
    assert names[-2:] == [store.JSON_NAME, ROOT] and names[-3] == f"arrays/{ROOT}"
    as_folder(tmp_path / "s.zarr", memory.files)
    for entry, given in zip(entries, samples(), strict=True):
        got = reader.get(entry)
        np.testing.assert_array_equal(got, given)
        assert got.dtype == np.asarray(given).dtype.newbyteorder("<") and got.shape == np.shape(given)
        other = zarr.open_array(tmp_path / "s.zarr" / "arrays" / entry["array"], mode="r")
        np.testing.assert_array_equal(np.asarray(other[...]), given)
        header = json.loads(memory.files[f"arrays/{entry['array']}/{ROOT}"])
        chunks = header["chunk_grid"]["configuration"]["chunk_shape"]
        if np.ndim(given):
            row = max(int(np.prod([max(n, 1) for n in np.shape(given)[1:]])) * got.itemsize, 1)
            assert chunks == [max(1, min(max(len(given), 1), chunk // row)), *[max(n, 1) for n in np.shape(given)[1:]]]
        else:
            assert chunks == []
        assert header["dimension_names"] == [f"{entry['array'][:12]}_{i}" for i in range(np.ndim(given))]
        fill = {"b": False, "c": [0.0, 0.0], "f": 0.0}.get(got.dtype.kind, 0)
        assert header["fill_value"] == fill and type(header["fill_value"]) is type(fill)
    assert reader.total == sum(np.asarray(v).nbytes for v in samples())
    got[...] = 9
    np.testing.assert_array_equal(reader.get(entries[-1]), samples()[-1])  # a copy each time
    assert reader.total == sum(np.asarray(v).nbytes for v in samples())  # and read once


def test_only_what_becomes_smaller_and_is_not_too_large_is_packed(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    half = np.where(rng.random(4000) < 0.5, 0, rng.integers(0, 255, 4000)).astype(np.uint8)
    cases = {
        "zeros": (np.zeros(100), True),
        "noise": (rng.integers(0, 255, 4000).astype(np.uint8), False),
        "small": (np.zeros(32), False),
    }
    cases |= {"one more": (np.zeros(33), True), "half": (half, len(zlib.compress(half.tobytes(), 1)) < 0.7 * 4000)}

    def codecs(values: np.ndarray) -> list[str]:
        memory, (entry,) = kept(values)
        np.testing.assert_array_equal(store.ArrayReader(memory).get(entry), values)
        return [c["name"] for c in json.loads(memory.files[f"arrays/{entry['array']}/{ROOT}"])["codecs"]]

    for values, packed_too in cases.values():
        assert codecs(values) == (["bytes", "gzip"] if packed_too else ["bytes"])
    first = np.zeros(200_000, np.uint8)
    first[65536:] = rng.integers(0, 255, 200_000 - 65536)
    assert codecs(first) == ["bytes", "gzip"]  # judged by its beginning
    monkeypatch.setattr(store, "GZIP_BYTES", 800)
    assert codecs(np.zeros(100)) == ["bytes", "gzip"] and codecs(np.zeros(101)) == ["bytes"]


def test_equal_arrays_are_kept_once_and_odd_types_not_at_all() -> None:
    pool = store.ArrayPool()
    one, other = pool.put(np.arange(4.0)), pool.put(np.arange(4.0, dtype=">f8"))
    assert one == other and len(pool.arrays) == 1
    assert pool.put(np.arange(4.0).reshape(2, 2))["array"] != one["array"] != pool.put(np.arange(4))["array"]
    assert one["array"] == hashlib.sha256(b"float64[4]" + np.arange(4.0).tobytes()).hexdigest()[:32]
    for odd in (np.array(["a"]), np.array([object()]), np.zeros(2, "M8[s]")):
        with pytest.raises(FormatError, match="cannot be saved"):
            pool.put(odd)
    with pytest.raises(Cancelled):
        store.ArrayPool(lambda: True).put(np.zeros(1))


def test_what_makes_it_a_session_is_checked() -> None:
    memory, _ = kept(np.zeros(3))
    head = store.read_head(memory)
    assert head["uid"] == "u" and head["format"] == store.FORMAT
    assert set(store.read_body(memory, head)) == {"kept"}
    memory.files[store.JSON_NAME] += b" "
    with pytest.raises(FormatError, match="is not what was saved"):
        store.read_body(memory, head)
    memory.files[store.JSON_NAME] = b"[1]"
    with pytest.raises(FormatError, match="does not hold a session"):
        store.read_body(memory, {"json_sha256": hashlib.sha256(b"[1]").hexdigest()})
    for wrong in (b"[]", b"{}", b'{"attributes": 3}', b'{"attributes": {"format": "other"}}'):
        memory.files[ROOT] = wrong
        with pytest.raises(FormatError, match="this is not a session"):
            store.read_head(memory)
    for wrong in (b'{"a": NaN}', b"{", b"[-Infinity]", b"\xff", b"[" * 100_000):
        memory.files[ROOT] = wrong
        with pytest.raises(FormatError, match=r"zarr\.json cannot be read"):
            store.read_head(memory)
    with pytest.raises(ValueError):
        store.write_store(Memory().put, {"x": float("nan")}, {}, {})


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"array": "x"}, "'x' is not the name of an array"), ({"array": 3}, "'3' is not the name"), ({"array": "A" * 32}, "is not the name"),
        ({"dtype": "float128"}, "an array of type float128"), ({"shape": [-1]}, "is not known"), ({"shape": [2.0]}, "is not known"),
        ({"shape": [True]}, "is not known"), ({"shape": [2**48]}, "is not known"), ({"shape": [1] * 9}, "is not known"),
    ],
)  # fmt: skip
def test_entries_that_no_array_has_are_refused(change: dict, words: str) -> None:
    memory, (entry,) = kept(np.arange(4.0))
    with pytest.raises(FormatError, match=words):
        store.ArrayReader(memory).get(entry | change)
    eight = np.zeros((1,) * 8)
    memory, (entry,) = kept(eight)
    assert store.ArrayReader(memory).get(entry).shape == eight.shape


def damaged(values: np.ndarray, change) -> str:
    """What is said of an array whose header is changed."""
    memory, (entry,) = kept(values)
    key = f"arrays/{entry['array']}/{ROOT}"
    header = json.loads(memory.files[key])
    change(header)
    memory.files[key] = json.dumps(header).encode()
    with pytest.raises(FormatError) as error:
        store.ArrayReader(memory).get(entry)
    return str(error.value)


def test_every_part_of_the_header_of_an_array_is_checked() -> None:
    values = np.arange(40.0)
    for key, wrong in (
        ("shape", [4]), ("data_type", "int64"), ("chunk_grid", {"name": "other"}), ("codecs", []), ("codecs", [{"name": "gzip"}]),
        ("codecs", [{"name": "bytes"}, {"name": "zstd"}]), ("chunk_key_encoding", {"configuration": {"separator": "."}}),
    ):  # fmt: skip
        assert "is not as it was saved" in damaged(values, lambda h, k=key, w=wrong: h.__setitem__(k, w))
    for key in ("shape", "codecs", "chunk_key_encoding", "data_type"):
        assert "header of an array is damaged" in damaged(values, lambda h, k=key: h.pop(k))
    assert "header of an array is damaged" in damaged(values, lambda h: h.__setitem__("codecs", 3))


@pytest.mark.parametrize("values", [np.arange(4.0), np.zeros(500), np.float64(2.0)])
def test_data_that_are_too_short_too_long_or_others_are_refused(values: np.ndarray) -> None:
    memory, (entry,) = kept(values)
    (key,) = [k for k in memory.files if k.startswith(f"arrays/{entry['array']}/c")]
    whole = memory.files[key]
    for wrong in (whole[:-9], whole[:-1] + bytes([whole[-1] ^ 1]), b"", whole + b"\0" * 70_000, b"x" * len(whole)):
        memory.files[key] = wrong
        if wrong[: len(whole)] == whole and np.size(values) == 500:
            continue  # what stands after a packed block is not read
        with pytest.raises(FormatError, match=r"are declared|is not what was saved|is damaged"):
            store.ArrayReader(memory).get(entry)
    del memory.files[key]
    with pytest.raises(FormatError, match="is missing"):
        store.ArrayReader(memory).get(entry)
    memory.files[key] = whole
    swapped = dict(entry, shape=[*reversed(entry["shape"]), 1])
    reader = store.ArrayReader(memory)
    reader.get(entry)
    with pytest.raises(FormatError, match="has shape"):
        reader.get(swapped)
    with pytest.raises(FormatError, match="has shape"):
        reader.get(dict(entry, dtype="int64"))


def test_limits_of_arrays_are_checked_before_they_are_read(monkeypatch) -> None:
    memory, entries = kept(np.arange(4.0), np.arange(5.0))
    monkeypatch.setattr(store, "MAX_ARRAYS", 1)
    reader = store.ArrayReader(memory)
    reader.get(entries[0])
    reader.get(entries[0])
    with pytest.raises(FormatError, match="more than 1 arrays"):
        reader.get(entries[1])
    monkeypatch.setattr(store, "MAX_ARRAYS", 9)
    monkeypatch.setattr(store, "CHUNK_BYTES", 32)
    monkeypatch.setattr(store, "MAX_TOTAL_BYTES", 72)
    memory, entries = kept(np.arange(4.0), np.arange(5.0), np.arange(1.0))
    reader = store.ArrayReader(memory)
    reader.get(entries[0])
    reader.get(entries[1])  # 72 bytes in all
    reader = store.ArrayReader(memory)
    reader.get(entries[0])
    monkeypatch.setattr(store, "MAX_TOTAL_BYTES", 71)
    with pytest.raises(FormatError, match=r"the arrays would take 7\.2e-08 GB"):
        reader.get(entries[1])
    monkeypatch.setattr(store, "MAX_TOTAL_BYTES", 64 << 30)
    monkeypatch.setattr(store, "free_mb", lambda: 1000.0)
    store.check_memory(1 << 30)
    with pytest.raises(FormatError, match="1 GB of memory are free"):
        store.check_memory((1 << 30) + 1)
    monkeypatch.setattr(store, "free_mb", lambda: 2000.0)
    store.check_memory((1 << 30) + 1)
    zeros = np.zeros(1000)
    memory, (entry,) = kept(zeros)
    monkeypatch.setattr(store, "GZIP_BYTES", 8000)
    store.ArrayReader(memory).get(entry)
    monkeypatch.setattr(store, "GZIP_BYTES", 7999)
    with pytest.raises(FormatError, match="would unpack to 8000 bytes"):
        store.ArrayReader(memory).get(entry)
    monkeypatch.setattr(store, "MAX_JSON_BYTES", 10)
    store.write_store(Memory().put, {"a": 1234}, {}, {})
    with pytest.raises(FormatError, match="the session's text would take 0 MiB"):
        store.write_store(Memory().put, {"a": 12345}, {}, {})


def test_folders_and_zips_are_written_file_by_file(tmp_path: Path) -> None:
    put = store.folder_writer(tmp_path / "s")
    put("a/b/c", b"1")
    put("a/b/d", b"2")
    with pytest.raises(FileExistsError):
        put("a/b/c", b"3")
    assert (tmp_path / "s/a/b/c").read_bytes() == b"1" and (tmp_path / "s/a/b/d").read_bytes() == b"2"
    for name in ("one.zip", "two.zip"):
        with store.zip_writer(tmp_path / name) as put:
            put(store.JSON_NAME, b"text" * 100)
            put("arrays/x", b"data" * 100)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()  # no times
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        kinds = {m.filename: m.compress_type for m in archive.infolist()}
        assert kinds == {store.JSON_NAME: zipfile.ZIP_DEFLATED, "arrays/x": zipfile.ZIP_STORED}
        assert archive.infolist()[0].date_time == (1980, 1, 1, 0, 0, 0)
    with pytest.raises(FileExistsError), store.zip_writer(tmp_path / "one.zip"):
        pass


def test_a_folder_holds_ordinary_files_alone(tmp_path: Path) -> None:
    folder = as_folder(tmp_path / "s", {"plain": b"x"})
    (folder / "link").symlink_to(folder / "plain")
    (folder / "sub").mkdir()
    os.mkfifo(folder / "pipe")
    source = store.FolderSource(folder)
    assert source.size("plain") == 1 and source.read("plain", 1) == b"x"
    for name, words in (
        ("link", "is a link"),
        ("pipe", "not an ordinary file"),
        ("sub", "not an ordinary file|cannot be read"),
        ("gone", "cannot be read"),
    ):
        for ask in (source.size, lambda n: source.read(n, 9)):
            with pytest.raises(FormatError, match=words):
                ask(name)
    with pytest.raises(FormatError, match="larger than 0 bytes"):
        source.read("plain", 0)
