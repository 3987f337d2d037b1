"""The import sheet, with real keys: what files are, what they ask, one answer for all, and nothing chosen in silence."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import h5py
import numpy as np
import pytest
import tifffile
from napari.settings import get_settings
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QTimer, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication

from napari_dynamic_connectome.io.answers import Answers, Asked
from napari_dynamic_connectome.io.registry import read_recordings
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.widgets.qt.reading_preview import ReadingPreview, plane_of
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
    assert box.currentText() == "tn" and sheet.current.question.option == "axes"
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert sheet.current.question.option == "rate_hz"
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
    assert "“fields”" in sheet.text.text() and "fields=" not in sheet.text.text()
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


def test_the_sheet_shows_the_traces_as_they_are_read(sheet, qtbot) -> None:
    assert not sheet.preview.isVisible()  # nothing was read yet
    type_rate(qtbot, sheet)
    sheet.choose(sheet.entries[0])
    assert sheet.preview.isVisible() and sheet.preview.curves == ["AVAL", "AVAR", "#3"]
    (first, *_) = sheet.preview.plot.getPlotItem().listDataItems()
    time, values = first.getData()
    assert time[-1] == pytest.approx(11 / 2.5) and len(time) == 12
    np.testing.assert_allclose(values, [0.4 * (i % 3) for i in range(12)])


def test_many_samples_are_thinned_and_few_neurons_shown(qtbot) -> None:
    preview = ReadingPreview()
    qtbot.addWidget(preview)
    names = ["", "AVAL", "", "AVAR", "", "", "", "RIML", ""]
    traces = np.random.default_rng(0).random((20_000, len(names)))
    preview.show_read([Recording.from_arrays(traces, name="w", rate_hz=10.0, names=names)], [])
    assert len(preview.curves) == 6 and {"AVAL", "AVAR", "RIML"} <= set(preview.curves)
    assert all(len(item.getData()[0]) <= 600 for item in preview.plot.getPlotItem().listDataItems())


def test_a_plane_of_an_image_is_shown_unless_reading_it_takes_long(qtbot) -> None:
    preview = ReadingPreview()
    qtbot.addWidget(preview)
    voxels = np.zeros((3, 4, 20, 30), np.uint16)
    voxels[0, 2] = 7
    plane, said = plane_of((voxels, {}, "image"))
    assert plane.shape == (20, 30) and (plane == 7).all() and "plane 2 of 4" in said
    preview.show_read([], [(voxels, {}, "labels")])
    assert preview.picture.pixmap().width() > 0
    heavy = da.zeros((9, 64, 2048, 2048), chunks=(1, 64, 2048, 2048), dtype=np.uint16)
    plane, said = plane_of((heavy, {}, "image"))
    assert plane is None and "537 MB" in said


def test_answers_are_kept_for_files_that_ask_the_same(worms, qtbot, tmp_path) -> None:
    answers = Answers(tmp_path / "kept" / "answers.json")
    first = ImportSheet(worms[:1], read_recordings, answers=answers)
    qtbot.addWidget(first)
    first.show()
    assert not first.kept_fold.isVisible()
    type_rate(qtbot, first)
    assert not len(answers)  # not before it is imported
    qtbot.keyClick(first.import_button, Qt.Key.Key_Return)
    # another day, another window
    again = ImportSheet(worms[1:], read_recordings, answers=Answers(answers.path))
    qtbot.addWidget(again)
    again.show()
    assert [e.rate for e in again.entries] == ["2.5 Hz", "2.5 Hz", "?"]  # the npy asks something else
    assert "rate 2.5, as for a.csv" in again.entries[0].says
    again.choose(again.entries[0])
    qtbot.mouseClick(again.fold.head, Qt.MouseButton.LeftButton)
    line = again.more.controls["rate_hz"].native
    line.selectAll()
    qtbot.keyClicks(line, "5")
    qtbot.keyClick(line, Qt.Key.Key_Return)
    assert again.entries[0].rate == "5 Hz" and "as for" not in again.entries[0].says


def test_kept_answers_are_shown_and_can_be_forgotten(worms, qtbot, tmp_path) -> None:
    answers = Answers(tmp_path / "answers.json")
    answers.keep({Asked("csv", "rate_hz"): 2.5, Asked("npz", "axes", "", ("tn", "nt"), "tn"): "tn"}, "old.csv")
    sheet = ImportSheet(worms, read_recordings, answers=answers)
    qtbot.addWidget(sheet)
    sheet.show()
    assert [e.rate for e in sheet.entries] == ["2.5 Hz"] * 3 + ["?"] and "axes tn" not in sheet.entries[0].says
    assert sheet.kept_fold.summary.text() == "2"
    qtbot.mouseClick(sheet.kept_fold.head, Qt.MouseButton.LeftButton)
    shown = sheet.kept.table.rows_model.rows
    assert [(a.option, b.value, b.file) for a, b in shown] == [("axes", "tn", "old.csv"), ("rate_hz", 2.5, "old.csv")]
    sheet.kept.table.selectRow(1)
    qtbot.mouseClick(sheet.kept.forget, Qt.MouseButton.LeftButton)
    assert [e.rate for e in sheet.entries] == ["?"] * 4 and sheet.entries[0].question.option == "rate_hz"
    assert len(Answers(answers.path)) == 1  # on the disk, too
    qtbot.mouseClick(sheet.kept.forget_all, Qt.MouseButton.LeftButton)
    assert len(Answers(answers.path)) == 0 and not sheet.kept_fold.isVisible()
    assert sheet.entries[3].question.option == "axes"


def test_images_ask_in_the_same_sheet_as_traces(tmp_path, worms, qtbot) -> None:
    voxels = np.random.default_rng(0).integers(0, 99, (5, 8, 10)).astype(np.uint16)
    with tifffile.TiffWriter(tmp_path / "planes.tif") as writer:
        for plane in voxels:
            writer.write(plane)
    channels = np.zeros((3, 2, 8, 10), np.uint16)
    channels[:, 1, 2:4, 2:4] = 7
    tifffile.imwrite(tmp_path / "labels.tif", channels, imagej=True, metadata={"axes": "ZCYX"})
    sheet = ImportSheet([worms[0], tmp_path / "planes.tif", tmp_path / "labels.tif"], open_files.read_items)
    qtbot.addWidget(sheet)
    sheet.show()
    type_rate(qtbot, sheet)
    assert sheet.current.question.option == "axes" and "planes.tif" in sheet.text.text()
    assert sheet.images.isVisibleTo(sheet.fold.content) and not sheet.more.isVisibleTo(sheet.fold.content)
    qtbot.keyClicks(sheet.answer.native, "zyx")
    qtbot.keyClick(sheet.answer.native, Qt.Key.Key_Return)
    assert sheet.current.question.option == "channel"
    box = sheet.answer.native
    qtbot.keyClick(box, Qt.Key.Key_Down)
    qtbot.keyClick(box, Qt.Key.Key_Down)  # keys go through the choices
    assert box.currentText() == "1" and sheet.answer.native is box
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert [e.neurons for e in sheet.entries] == ["3 (2 named)", "5 × 8 × 10", "3 × 8 × 10"]
    sheet.choose(sheet.entries[2])
    assert sheet.entries[2].kind.startswith("labels") and sheet.import_button.text() == "Import"
    (image,) = sheet.entries[1].layers
    np.testing.assert_array_equal(np.asarray(image[0])[0], voxels)
    (labels,) = sheet.entries[2].layers
    assert np.unique(np.asarray(labels[0])).tolist() == [0, 7]


def test_what_is_set_for_an_image_leaves_the_traces_alone(tmp_path, worms, qtbot) -> None:
    np.save(tmp_path / "v.npy", np.zeros((3, 4, 8, 8), np.uint8))
    sheet = ImportSheet([worms[0], tmp_path / "v.npy"], open_files.read_items)
    qtbot.addWidget(sheet)
    sheet.show()
    type_rate(qtbot, sheet)
    qtbot.mouseClick(sheet.fold.head, Qt.MouseButton.LeftButton)
    for name, text in (("axes", "tzyx"), ("voxel_size_um", "2, 1, 1"), ("frame_rate_hz", "4")):
        line = sheet.images.controls[name].native
        line.selectAll()
        qtbot.keyClicks(line, text)
        qtbot.keyClick(line, Qt.Key.Key_Return)
        sheet.choose(sheet.entries[1])
    assert sheet.entries[1].frames == "3" and sheet.entries[1].rate == "4 Hz"
    assert sheet.entries[1].layers[0][1]["scale"] == (0.25, 2.0, 1.0, 1.0)
    assert sheet.entries[0].options == {"rate_hz": 2.5}


def test_a_click_in_the_open_list_is_an_answer(worms, qtbot) -> None:
    sheet = ImportSheet(worms[3:], read_recordings)
    qtbot.addWidget(sheet)
    sheet.show()
    box = sheet.answer.native
    box.showPopup()
    place = box.view().visualRect(box.model().index(2, 0)).center()
    qtbot.mouseClick(box.view().viewport(), Qt.MouseButton.LeftButton, pos=place)
    assert sheet.entries[0].options == {"axes": "nt"} and sheet.current.question.option == "rate_hz"
