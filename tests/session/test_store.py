"""Files of a session folder or zip: their true sizes, what is missing or too large, and folders packed by hand."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import pytest

from napari_dynamic_connectome.model.errors import FormatError
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
