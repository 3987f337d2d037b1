"""Fixtures shared by all tests: where the development data lies, no network, small caches in temporary folders."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# A machine with other work makes examples slowly, which says nothing of the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")

# where the environment says otherwise, every process of a test would translate all modules again, and every run all tests
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("NAPARI_ASYNC", "0")
os.environ.setdefault("DYNAMIC_CONNECTOME_PRELOAD", "0")


LONGEST = (
    "widgets/test_tour.py", "widgets/workspace/test_recovery.py", "cli/test_command_line.py", "soak/test_short.py",
    "widgets/workspace/test_on_disk_when.py", "robustness/test_robustness.py", "communities/test_find.py", "widgets/test_leaks.py",
    "widgets/app/test_layout.py", "widgets/docks/test_recording_dock.py", "widgets/workspace/test_open_files.py",
    "integration/test_examples.py", "cli/test_two_processes.py", "widgets/docks/test_docks.py", "factorization/test_sweep.py",
    "widgets/app/test_keys.py", "pipeline/test_earlier.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest files: processes side by side take whole files, and the last one would be alone with them."""
    tests = Path(__file__).parent
    places = {tests / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


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
