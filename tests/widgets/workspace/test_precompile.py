"""Compiling in the background: one process, at most once, ended with the program, off where it is not wanted."""

from __future__ import annotations

import pytest

from napari_dynamic_connectome.widgets.workspace import precompile


def test_it_starts_once_and_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precompile, "_process", None)
    assert precompile.start() is None  # the tests turn it off
    monkeypatch.setenv("DYNAMIC_CONNECTOME_PRECOMPILE", "1")
    monkeypatch.setattr(precompile, "CODE", "import time; time.sleep(60)")
    process = precompile.start()
    assert process is not None and process.poll() is None
    assert precompile.start() is process
    precompile.stop()
    assert process.poll() is not None


def test_what_it_runs_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precompile, "_process", None)
    monkeypatch.setenv("DYNAMIC_CONNECTOME_PRECOMPILE", "1")
    process = precompile.start()
    assert process is not None and process.wait(timeout=300) == 0
