"""Every example runs as a user would run it and makes its own figure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.image import imread

EXAMPLES = Path(__file__).parents[2] / "examples"
WITHOUT_SCREEN = {
    "one_recording": ["one_recording.png", "worm.npz", "worm.ome.zarr"],
    "cohort": ["cohort_components.png", "cohort_matrix.png", "recovery.csv"],
    "own_data_from_csv": ["own_data.png", "own_data_matrix.csv"],
    "spontaneous_behaviour": ["spontaneous_behaviour.png", "behaviour.csv"],
}


def run(name: str, folder: Path, **environment: str) -> str:
    """Run an example in a process of its own, in a folder that holds none of our files; return what it prints."""
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), str(folder)],
        capture_output=True,
        text=True,
        timeout=500,
        cwd=folder.parent,
        env=os.environ | {"MPLBACKEND": "agg"} | environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def test_every_example_is_tested() -> None:
    assert {p.stem for p in EXAMPLES.glob("*.py")} == {*WITHOUT_SCREEN, "scripting_napari"}


@pytest.mark.parametrize("name", WITHOUT_SCREEN)
def test_example(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    text = run(name, folder)
    assert text.strip()
    for made in WITHOUT_SCREEN[name]:
        assert (folder / made).exists(), made
        if made.endswith(".png"):
            assert imread(folder / made)[..., :3].std() > 0.02
    if name == "cohort":
        assert pd.read_csv(folder / "recovery.csv")["average_precision"].mean() > 0.8
    if name == "own_data_from_csv":
        matrix = pd.read_csv(folder / "own_data_matrix.csv", index_col=0)
        assert matrix.loc["AVAL", "RIML"] > 3 * matrix.loc["ASEL", "ALA"]


def test_napari_example_without_a_screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if sys.platform in ("win32", "darwin"):
        pytest.skip("there is always a screen here")
    monkeypatch.delenv("DISPLAY", raising=False)
    text = run("scripting_napari", tmp_path / "out")
    assert "neurons" in text and not (tmp_path / "out" / "scripting_napari.png").exists()


@pytest.mark.gui
def test_napari_example(tmp_path: Path) -> None:
    if not os.environ.get("DISPLAY") and sys.platform not in ("win32", "darwin"):
        pytest.skip("needs an X server")
    run("scripting_napari", tmp_path / "out")
    picture = imread(tmp_path / "out" / "scripting_napari.png")[..., :3]
    # Neurons of several colours on a dark ground.
    bright = picture.max(axis=-1) > 0.25
    assert 0.002 < bright.mean() < 0.6
    assert len(np.unique((picture[bright] * 4).round(), axis=0)) > 5
