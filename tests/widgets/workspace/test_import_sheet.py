"""The import sheet, with real keys: what files are, what they ask, one answer for all, and nothing chosen in silence."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from napari.settings import get_settings
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication

from napari_dynamic_connectome.io.registry import read_recordings
from napari_dynamic_connectome.widgets.workspace import open_files
from napari_dynamic_connectome.widgets.workspace.import_sheet import ImportSheet, in_words
from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

PLUGIN = "napari-dynamic-connectome"
HEADER = "frame,AVAL,AVAR,n12"
ROWS = "".join(f"{i},{i % 3},{i % 4},{i % 5}\n" for i in range(12))


@pytest.fixture
def worms(tmp_path) -> list[Path]:
    found = []
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.csv").write_text(f"{HEADER}\n{ROWS}")
        found.append(tmp_path / f"{name}.csv")
    np.save(tmp_path / "d.npy", np.random.default_rng(0).random((30, 4)))
    return [*found, tmp_path / "d.npy"]


@pytest.fixture
def sheet(worms, qtbot):
    made = ImportSheet(worms, read_recordings)
    qtbot.addWidget(made)
    made.show()
    qtbot.waitExposed(made)
    return made


def type_rate(qtbot, sheet, text: str = "2.5") -> None:
    qtbot.keyClicks(sheet.answer.native, text)
    qtbot.keyClick(sheet.answer.native, Qt.Key.Key_Return)


def test_one_answer_is_taken_for_all_that_ask_the_same(sheet, qtbot) -> None:
    assert not sheet.import_button.isEnabled() and sheet.current.path.name == "a.csv"
    assert [e.neurons for e in sheet.entries] == ["?"] * 4
    type_rate(qtbot, sheet)
    assert sheet.isVisible()  # Enter in a field imports nothing
    assert [e.rate for e in sheet.entries] == ["2.5 Hz"] * 3 + ["?"]
    assert sheet.entries[0].neurons == "3 (2 named)" and sheet.entries[0].frames == "12"
    assert "n12" in sheet.entries[0].says  # which headers are no neurons
    assert sheet.current.path.name == "d.npy" and sheet.import_button.text() == "Import 3 of 4"
    box = sheet.answer.native  # nothing is chosen beforehand
    assert box.currentText() == "choose…"
    qtbot.keyClick(box, Qt.Key.Key_Down)
    assert box.currentText() == "tn" and sheet.current.question.option == "rate_hz"
    assert not sheet.current.recordings
    type_rate(qtbot, sheet, "4")
    assert sheet.import_button.text() == "Import"
    assert [e.options for e in sheet.entries] == [{"rate_hz": 2.5}] * 3 + [{"axes": "tn", "rate_hz": 4.0}]


def test_an_answer_for_one_file_leaves_the_others_asking(sheet, qtbot) -> None:
    qtbot.mouseClick(sheet.same, Qt.MouseButton.LeftButton, pos=QPoint(8, sheet.same.height() // 2))
    assert not sheet.same.isChecked()
    type_rate(qtbot, sheet)
    assert [e.question is None for e in sheet.entries] == [True, False, False, False]
    assert sheet.current.path.name == "b.csv"


def test_the_sheet_can_be_gone_through_by_keyboard(sheet, qtbot) -> None:
    at, chain = sheet.table, []
    while (at := at.nextInFocusChain()) is not sheet.table:
        if at.focusPolicy() & Qt.FocusPolicy.TabFocus and at.isVisible():
            chain.append(at)
    asked = [chain.index(w) for w in (sheet.answer.native, sheet.same, sheet.fold.head)]
    assert asked and sheet.table.focusPolicy() & Qt.FocusPolicy.TabFocus
    type_rate(qtbot, sheet)
    assert sheet.import_button.isEnabled() and sheet.import_button.focusPolicy() & Qt.FocusPolicy.TabFocus
    qtbot.keyClick(sheet.import_button, Qt.Key.Key_Return)
    assert sheet.result() == sheet.DialogCode.Accepted


def test_what_is_set_below_is_tried_at_once(sheet, qtbot) -> None:
    type_rate(qtbot, sheet)
    sheet.choose(sheet.entries[0])
    qtbot.mouseClick(sheet.fold.head, Qt.MouseButton.LeftButton)
    box = sheet.more.controls["names"].native
    box.setFocus()
    qtbot.keyClick(box, Qt.Key.Key_Down)
    assert box.currentText() == "as written"
    assert [e.neurons for e in sheet.entries[:3]] == ["3 (3 named)"] * 3


def test_fields_of_a_file_are_mapped_in_the_sheet(tmp_path, qtbot) -> None:
    np.savez(tmp_path / "x.npz", F=np.random.default_rng(0).random((20, 3)), fs=2.0)
    sheet = ImportSheet([tmp_path / "x.npz"], read_recordings)
    qtbot.addWidget(sheet)
    sheet.show()
    assert "“fields”" in sheet.entries[0].says and "fields=" not in sheet.text.text()
    qtbot.mouseClick(sheet.fold.head, Qt.MouseButton.LeftButton)
    qtbot.keyClicks(sheet.fields.native, "traces=F")
    qtbot.keyClick(sheet.fields.native, Qt.Key.Key_Return)
    assert sheet.entries[0].frames == "20" and sheet.import_button.isEnabled()


def test_messages_name_the_fields_of_the_sheet() -> None:
    said = in_words('Pass axes="tn" (time, neuron), and rate_hz=; overwrite= stays.')
    assert said == "Give “axes” tn (time, neuron), and “rate”; overwrite= stays."


def answered(monkeypatch, do) -> list[ImportSheet]:
    """Let `do(sheet)` run while a sheet waits, as a person would; return the sheets that were shown."""
    seen: list[ImportSheet] = []
    run = ImportSheet.exec

    def shown(self):
        seen.append(self)
        QTimer.singleShot(0, lambda: do(self))
        return run(self)

    monkeypatch.setattr(ImportSheet, "exec", shown)
    return seen


def test_a_file_that_asks_opens_the_sheet_and_goes_into_the_session(viewer, worms, qtbot, monkeypatch) -> None:
    def do(sheet) -> None:
        type_rate(qtbot, sheet)
        qtbot.keyClick(sheet.import_button, Qt.Key.Key_Return)

    seen = answered(monkeypatch, do)
    viewer.open(str(worms[0]), plugin=PLUGIN)
    qtbot.waitUntil(lambda: bool(workspace_of(viewer).session.recordings), timeout=40_000)
    assert workspace_of(viewer).session.recording.rate_hz == pytest.approx(2.5) and len(seen) == 1


def test_giving_up_opens_nothing(viewer, worms, qtbot, monkeypatch) -> None:
    seen = answered(monkeypatch, lambda sheet: qtbot.keyClick(sheet, Qt.Key.Key_Escape))
    viewer.open(str(worms[0]), plugin=PLUGIN)
    qtbot.waitUntil(lambda: bool(seen) and not seen[0].isVisible(), timeout=40_000)
    assert not workspace_of(viewer).session.recordings


def test_files_that_are_dropped_together_share_one_sheet(viewer, worms, qtbot, monkeypatch) -> None:
    work = workspace_of(viewer)

    def do(sheet) -> None:
        type_rate(qtbot, sheet)
        qtbot.keyClick(sheet.import_button, Qt.Key.Key_Return)

    seen = answered(monkeypatch, do)
    monkeypatch.setitem(get_settings().plugins.extension2reader, "*.csv", PLUGIN)  # as chosen once in napari
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(p)) for p in worms[:3]])
    widget = viewer.window._qt_viewer
    about = (Qt.DropAction.CopyAction, mime, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, QDragEnterEvent(QPoint(5, 5), *about))
    QApplication.sendEvent(widget, QDropEvent(QPointF(5, 5), *about))
    qtbot.waitUntil(lambda: len(work.session.recordings) == 3, timeout=40_000)
    assert len(seen) == 1 and [e.path for e in seen[0].entries] == worms[:3]
    assert sorted(work.session.recordings) == ["a", "b", "c"]


def test_files_that_are_chosen_together_share_one_sheet(viewer, worms, qtbot, monkeypatch, wait_for) -> None:
    work = workspace_of(viewer)

    def do(sheet) -> None:
        type_rate(qtbot, sheet)
        qtbot.keyClick(sheet.import_button, Qt.Key.Key_Return)  # the npy is left out

    seen = answered(monkeypatch, do)
    wait_for(open_files.open_paths(work, worms))
    qtbot.waitUntil(lambda: sorted(work.session.recordings) == ["a", "b", "c"], timeout=40_000)
    assert len(seen) == 1 and len(seen[0].entries) == 4


def test_traces_in_hdf5_and_npy_open_in_the_window_and_images_still_do(viewer, tmp_path) -> None:
    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["traces"], file["time_s"] = np.random.default_rng(0).random((40, 5)), np.arange(40) * 0.5
    viewer.open(str(tmp_path / "t.h5"), plugin=PLUGIN)
    assert workspace_of(viewer).session.recording.traces.shape == (40, 5)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file.create_dataset("v", data=np.zeros((4, 3, 8, 8), np.uint8)).attrs["axes"] = "tzyx"
        file["table"] = np.zeros((4, 2))
    viewer.open(str(tmp_path / "v.h5"), plugin=PLUGIN)
    assert viewer.layers[-1].data.shape == (4, 3, 8, 8)
