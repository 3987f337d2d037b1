"""A file is looked at once while it is opened, and again when it is opened again."""

from __future__ import annotations

import builtins
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.files import head
from napari_dynamic_connectome.io.layer_data import about, fitting, is_centres, read_layers
from napari_dynamic_connectome.io.once import once, opening
from napari_dynamic_connectome.io.registry import identify, read_recordings
from napari_dynamic_connectome.io.sniffing import table_kind
from napari_dynamic_connectome.model.errors import FormatError


@pytest.fixture
def opened(monkeypatch) -> Iterator[list[str]]:
    """Names of the files that are opened."""
    found: list[str] = []
    real = io.open

    def counting(file: Any, *args: Any, **more: Any) -> Any:
        found.append(Path(str(file)).name)
        return real(file, *args, **more)

    monkeypatch.setattr(io, "open", counting)
    monkeypatch.setattr(builtins, "open", counting)
    return found


@pytest.fixture
def table(tmp_path: Path) -> Path:
    times = np.arange(40) / 2
    pd.DataFrame({"time_s": times, "AVAL": np.sin(times), "AVAR": np.cos(times)}).to_csv(
        tmp_path / "worm.csv", index=False
    )
    return tmp_path / "worm.csv"


def test_a_table_is_opened_to_know_it_and_to_read_it(table: Path, opened: list[str]) -> None:
    (layer,) = read_layers(table)
    assert layer[1]["metadata"]["dynamic_connectome"]["recording"].n_times == 40
    assert opened.count("worm.csv") == 2
    opened.clear()
    with opening():
        assert fitting(table, {"signal": "dff", "axes": "tn"}) is not None
        assert about(table) == "traces" and not is_centres(table) and table_kind(table) == "traces"
        read_recordings(table)
        read_layers(table)
    assert opened.count("worm.csv") == 3  # to know it, and twice to read it


def test_voxels_of_numpy_are_opened_twice(tmp_path: Path, opened: list[str]) -> None:
    np.savez(tmp_path / "v.npz", v=np.zeros((4, 3, 8, 8), "u2"))
    opened.clear()
    read_layers(tmp_path / "v.npz", axes="tzyx", voxel_size_um=(1, 1, 1), frame_rate_hz=2)
    assert opened.count("v.npz") == 2  # first bytes and names of its members, the voxels; it was 28


def test_a_file_that_changed_is_looked_at_again(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("time_s,AVAL\n0,1\n1,2\n")
    assert table_kind(path) == "traces"
    path.write_text("onset,name\n0,odor\n1,odor\n")
    assert table_kind(path) == "stimuli" and head(path, 5) == b"onset"
    path.write_bytes(b"\x93NUMPY and no more")
    assert identify(path).key == "npz"


def test_failures_are_not_remembered_and_blocks_do_not_leak(tmp_path: Path) -> None:
    asked: list[Path] = []

    @once
    def size(path: Path) -> int:
        asked.append(path)
        if not path.exists():
            raise FormatError("not there")
        return path.stat().st_size

    path = tmp_path / "f"
    known: dict[tuple[str, str], Any] = {}
    with opening(known):
        with pytest.raises(FormatError):
            size(path)
        path.write_text("abc")
        with opening():  # the outer one goes on
            assert size(path) == 3
        assert size(path) == 3 and len(asked) == 2
    assert size(path) == 3 and len(asked) == 3
    with opening(known):
        assert size(path) == 3 and len(asked) == 3
