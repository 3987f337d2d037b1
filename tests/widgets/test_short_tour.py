"""A short tour in other themes and at twice the pixels: nothing is cut or beyond the fold at 1280 x 800, nothing stands on the terminal."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.gui

ROOT = Path(__file__).parents[2]
SENTENCES = ("mixed: ",)
"""Beginnings of texts that say in a sentence what the next analysis does: they end in "…" where a line is too short, with a tooltip."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("theme", "scale"), [("light", 1), ("dark", 2)])
def test_nothing_is_cut_or_out_of_sight_or_printed(theme, scale, tmp_path) -> None:
    command = [sys.executable, "-m", "tests.widgets.short_tour", theme, str(tmp_path), "1280x800"]
    if shutil.which("xvfb-run"):  # a screen of its own, as large as the window needs
        screen = f"-screen 0 {1600 * scale}x{1000 * scale}x24 +extension GLX"
        command = ["xvfb-run", "-a", "-s", screen, *command]
    elif scale > 1:
        pytest.skip("no xvfb-run: the screen may be too small for a window of twice the pixels")
    names = ("DYNAMIC_CONNECTOME_CONFIG", "XDG_CACHE_HOME")  # napari keeps pictures of its theme in the latter
    places = {name: str(tmp_path / name.lower()) for name in names}
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | places | {"QT_SCALE_FACTOR": str(scale)},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and done.stderr == ""
    seen = json.loads((tmp_path / "seen.json").read_text())
    assert seen["ratio"] == scale and set(map(tuple, seen["sizes"].values())) == {(1280, 800)}
    cut = {step: [t for t in texts if not any(f"'{s}" in t for s in SENTENCES)] for step, texts in seen["cut"].items()}
    assert not any(cut.values()), cut
    assert not any(seen["fold"].values()), seen["fold"]
    # it was a tour: one click to a result in 3D, a community, a name
    assert len(seen["pictures"]) == 12 and seen["clicks"] == 1 and seen["shown in 3D"]
    assert seen["community"] is not None and seen["name"]
