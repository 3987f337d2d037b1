"""A file of report/exporters is an option of the command `export`, and a button of the dock."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.report.small_exporter import add_exporter

from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.report.exporters import all_exporters
from napari_dynamic_connectome.session.save_load import save_session
from napari_dynamic_connectome.session.session import Session


def test_every_exporter_says_what_it_does_and_has_the_function_for_it() -> None:
    assert list(all_exporters()) == ["tables", "nwb", "collection", "graph", "figures", "report", "labels"]
    for one in all_exporters().values():
        says = one.EXPORTER
        assert says.title and (says.flag or says.button)
        assert bool(says.flag) == bool(says.help) == (hasattr(one, "write"))
        assert bool(says.button) == bool(says.words) == bool(says.tip) == bool(says.asks)
        assert bool(says.file) == hasattr(one, "write_one")
    orders = [one.ORDER for one in all_exporters().values()]
    assert len(set(orders)) == len(orders)


def test_one_file_is_an_option_of_the_command(tmp_path: Path, monkeypatch, capsys) -> None:
    session = Session()
    session.add(Recording.from_arrays([[1.0, 2.0], [2.0, 1.0]], names=["AVAL", "AVAR"], rate_hz=2.0, name="worm A"))
    path = save_session(session, tmp_path / "session.zarr")
    with pytest.raises(SystemExit):
        main(["export", str(path), "--names"])
    capsys.readouterr()
    with add_exporter(tmp_path, monkeypatch):
        assert main(["export", str(path), "--prefix", "x", "--tables"]) == 2
        assert "--prefix needs --names" in capsys.readouterr().err
        assert main(["export", str(path), "--names", "--prefix", "animal "]) == 0
    assert "names: 1 file" in capsys.readouterr().out
    assert (tmp_path / "names" / "worms.txt").read_text() == "animal worm A"
    assert "names" not in all_exporters() and not any(name.endswith("exporters.names") for name in sys.modules)
