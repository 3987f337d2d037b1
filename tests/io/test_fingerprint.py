"""What a change of files does to their fingerprints, and what does not count as a change."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from napari_dynamic_connectome.io import fingerprint as module
from napari_dynamic_connectome.io.fingerprint import fingerprint, state_of
from napari_dynamic_connectome.model.errors import Cancelled


def put(path: Path, data: bytes, time: float = 1e9) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time, time))
    return path


@pytest.mark.parametrize("size", [0, 1, 4095, 4096, 4097, 16384])
def test_small_files_are_hashed_whole(tmp_path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4096)
    monkeypatch.setattr(module, "WHOLE_FILE_LIMIT", 16384)
    data = os.urandom(size)
    file = put(tmp_path / "a", data)
    expected = {"path": str(file), "bytes": size, "sha256": hashlib.sha256(data).hexdigest(), "sampled": False}
    assert fingerprint(file) == expected
    os.utime(file, (2e9, 2e9))
    assert fingerprint(str(file)) == expected


def test_large_files_are_sampled_at_three_places_and_by_their_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK", 16)
    monkeypatch.setattr(module, "WHOLE_FILE_LIMIT", 100)
    data = bytes(range(101))
    first = fingerprint(put(tmp_path / "a", data))
    assert first["sampled"] and first["bytes"] == 101
    moved = fingerprint(put(tmp_path / "other" / "a", data))
    assert {k for k in first if first[k] != moved[k]} == {"path"}
    seen = []
    for place in range(101):
        changed = bytearray(data)
        changed[place] ^= 255
        found = fingerprint(put(tmp_path / "a", bytes(changed)))
        assert found["changed"] == first["changed"]
        if found["sha256"] != first["sha256"]:
            seen.append(place)
    assert seen == [*range(16), *range(50, 66), *range(85, 101)]
    assert fingerprint(put(tmp_path / "a", data, 1e9 + 1))["changed"] != first["changed"]
    assert fingerprint(put(tmp_path / "a", data + b"x"))["sha256"] != first["sha256"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    put(tmp_path / "v" / ".zattrs", b"{}")
    put(tmp_path / "v" / "zarr.json", b"{1}")
    put(tmp_path / "v" / "0" / "c1", b"voxels")
    put(tmp_path / "v" / "0" / "c2", b"voxel")
    return tmp_path / "v"


def test_a_folder_is_its_names_sizes_and_descriptions(tree: Path) -> None:
    first = fingerprint(tree)
    assert first["path"] == str(tree) and first["files"] == 4 and first["bytes"] == 16 and first["sampled"]

    def differs(*keys: str) -> bool:
        found = fingerprint(tree)
        return {k for k in found if found[k] != first[k]} == set(keys)

    assert differs()
    put(tree / "0" / "c1", b"VOXELS")
    assert differs()  # only sizes and times are looked at here
    put(tree / "0" / "c1", b"VOXELS", 1e9 + 1)
    assert differs("changed")
    put(tree / "0" / "c1", b"voxels")
    for name, data in ((".zattrs", b"[]"), ("zarr.json", b"{2}")):
        was = (tree / name).read_bytes()
        put(tree / name, data)
        assert differs("sha256")
        put(tree / name, was)
    put(tree / "0" / "c1", b"voxelss")
    assert differs("sha256", "bytes")
    put(tree / "0" / "c1", b"voxels")
    (tree / "0" / "c2").rename(tree / "0" / "c3")
    assert differs("sha256", "changed")
    (tree / "0" / "c3").unlink()
    assert differs("sha256", "changed", "bytes", "files")


def test_the_place_of_a_folder_does_not_matter(tree: Path) -> None:
    first = fingerprint(tree)
    tree.rename(tree.with_name("w"))
    second = fingerprint(tree.with_name("w"))
    assert {k for k in first if first[k] != second[k]} == {"path"}


def test_files_of_a_pattern_count_as_one_input(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        put(tmp_path / f"t{number}.tif", b"x" * number)
    put(tmp_path / "notes.txt", b"")
    first = fingerprint(tmp_path / "t*.tif")
    assert first["files"] == 3 and first["bytes"] == 6 and first["sampled"]
    put(tmp_path / "notes.txt", b"other", 2e9)
    assert fingerprint(tmp_path / "t*.tif") == first
    put(tmp_path / "t2.tif", b"yy", 1e9 + 1)
    second = fingerprint(tmp_path / "t*.tif")
    assert {k for k in first if first[k] != second[k]} == {"changed"}


def test_any_write_changes_the_state_of_a_place(tree: Path) -> None:
    for place in (tree, tree / "0" / "c1", tree / "0" / "c*"):
        first = state_of(place)
        assert state_of(str(place)) == first
        put(tree / "0" / "c1", b"voxelS", 1e9 + 1)
        assert state_of(place) != first
        put(tree / "0" / "c1", b"voxels")
        assert state_of(place) == first
        put(tree / "0" / "c1", b"voxel")
        assert state_of(place) != first
        put(tree / "0" / "c1", b"voxels")
    assert state_of(tree / "0" / "c1") != state_of(tree / "0" / "c2")
    calls: list[int] = []
    state_of(tree, cancel=lambda: bool(calls.append(1)))
    assert calls == [1]
    with pytest.raises(Cancelled):
        state_of(tree, cancel=lambda: True)
