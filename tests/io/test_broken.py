"""Bad files end in one clear error and leave nothing behind; odd ones are read."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from napari_dynamic_connectome.model.errors import InputError

_spec = importlib.util.spec_from_file_location("broken_files", Path(__file__).with_name("broken.py"))
assert _spec is not None and _spec.loader is not None
files = importlib.util.module_from_spec(_spec)
sys.modules["broken_files"] = files
_spec.loader.exec_module(files)


def listing(folder: Path) -> set[str]:
    return {str(p.relative_to(folder)) for p in folder.rglob("*")}


def test_there_are_at_least_forty() -> None:
    assert len(files.BROKEN) >= 40
    assert len({c.name for c in files.BROKEN}) == len(files.BROKEN)


@pytest.mark.parametrize("case", files.BROKEN, ids=lambda c: c.name)
def test_broken_file_gives_one_clear_error(case, tmp_path) -> None:
    call = case.build(tmp_path)
    before = listing(tmp_path)
    with pytest.raises(InputError) as caught:
        call()
    message = str(caught.value)
    for word in case.words:
        assert word in message
    assert "\n" not in message
    assert len(message) - len(caught.value.where) < 400
    assert caught.value.where  # it says which file
    assert caught.value.fix  # and what to do
    assert listing(tmp_path) == before


@pytest.mark.parametrize("case", files.ODD, ids=lambda c: c.name)
def test_odd_file_is_read(case, tmp_path) -> None:
    assert case.build(tmp_path)()


def test_the_page_lists_every_file() -> None:
    page = (Path(__file__).parents[2] / "docs" / "pages" / "formats.md").read_text(encoding="utf-8")
    for case in [*files.BROKEN, *files.ODD]:
        assert f"| {case.format} | {case.what} |" in page, "run docs/make_formats.py"
