"""Fixtures shared by all tests: where the development data lies, no network, small caches in temporary folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("NAPARI_ASYNC", "0")
os.environ.setdefault("DYNAMIC_CONNECTOME_PRELOAD", "0")


def data_folder() -> Path | None:
    """Folder of the development data, or None."""
    asked = os.environ.get("DYNAMIC_CONNECTOME_DATA")
    places = [Path(asked)] if asked else [Path(__file__).parents[2] / "shared" / "data"]
    return next((p for p in places if (p / "traces").is_dir()), None)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real recordings; tests that need it skip where it is absent."""
    folder = data_folder()
    if folder is None:
        pytest.skip("development data not found (set DYNAMIC_CONNECTOME_DATA to its folder)")
    return folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
