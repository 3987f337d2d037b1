"""Folders for output: made where they are not there, refused where a file is."""

from __future__ import annotations

from pathlib import Path

import pytest

from napari_dynamic_connectome.io.files import output_folder
from napari_dynamic_connectome.model.errors import InputError


def test_a_folder_for_output_is_made_or_there_and_never_a_file(tmp_path: Path) -> None:
    assert output_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b" and (tmp_path / "a/b").is_dir()
    (tmp_path / "a/b/mine.txt").write_text("mine")
    assert output_folder(str(tmp_path / "a" / "b")) == tmp_path / "a" / "b"
    assert (tmp_path / "a/b/mine.txt").read_text() == "mine"
    assert output_folder(tmp_path / "c", make=False) == tmp_path / "c" and not (tmp_path / "c").exists()
    for make in (True, False):
        with pytest.raises(InputError, match="this is a file, not a folder"):
            output_folder(tmp_path / "a/b/mine.txt", make=make)
