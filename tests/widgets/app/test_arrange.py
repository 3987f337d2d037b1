"""A file is a dock, which opens with the others among the tabs it names; an exporter is a button there."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.report.small_exporter import add_exporter

from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.widgets import docks as dock_files
from napari_dynamic_connectome.widgets.app import arrange
from napari_dynamic_connectome.widgets.docks.export_dock import ExportDock

DOCK = """
from napari_dynamic_connectome.widgets.docks.base import Dock
from napari_dynamic_connectome.widgets.qt.controls import button

ORDER = 75


class AddedInATestDock(Dock):
    title = "Added in a test"
    place = "lower"

    def build(self, layout):
        self.count = button("Count", lambda: None, "")
        layout.addWidget(self.count)

    def refresh(self, topics):
        self.count.setText(f"{len(self.session.recordings)} worms")
"""


def test_the_groups_of_tabs_are_those_that_the_docks_name() -> None:
    upper = ("Recording", "Segmentation", "Neurons", "Cohort", "Components")
    assert arrange.groups(1000) == (upper, ("Communities", "States", "Export"))
    assert arrange.groups(500) == (upper[:-1], ("Components", "Communities", "States", "Export"))
    assert [kind.title for kind in arrange.DOCKS if kind.place == "bottom"] == ["Traces"]


def test_one_file_is_a_dock(viewer, work, tmp_path: Path, monkeypatch, qtbot) -> None:
    (tmp_path / "added_in_a_test_dock.py").write_text(DOCK)
    monkeypatch.setattr(dock_files, "__path__", [*dock_files.__path__, str(tmp_path)])
    monkeypatch.setattr(arrange, "DOCKS", arrange.find_docks())
    monkeypatch.delitem(sys.modules, f"{dock_files.__name__}.added_in_a_test_dock")
    assert arrange.groups(1000)[1] == ("Communities", "Added in a test", "States", "Export")
    work.session.add(Recording.from_arrays([[1.0], [2.0]], names=["AVAL"], rate_hz=2.0, name="worm A"))
    opened = arrange.open_docks(viewer)
    arrange.raise_dock(opened["Added in a test"])
    qtbot.waitUntil(lambda: opened["Added in a test"].count.text() == "1 worms")


def test_one_file_is_a_button_of_the_export_dock(viewer, work, tmp_path: Path, monkeypatch, wait_for) -> None:
    work.session.add(Recording.from_arrays([[1.0], [2.0]], names=["AVAL"], rate_hz=2.0, name="worm A"))
    with add_exporter(tmp_path, monkeypatch):
        dock = ExportDock(viewer)
        listed = ["Session…", "Tables…", "NWB…", "Collection…", "Graph…", "Names…", "Figures…", "Report…", "Picture…"]
        assert list(dock.buttons) == listed
        monkeypatch.setattr(ExportDock, "_ask_folder", lambda self, title: tmp_path / title)
        dock.buttons["Names…"].click()
        wait_for(next(iter(work.jobs.running)))
    assert (tmp_path / "Folder for the names" / "worms.txt").read_text() == "worm A"
    dock.deleteLater()
