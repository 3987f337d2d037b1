"""Nothing is lost in the real viewer: journal, crash, second window, moved images, the same picture, problem reports."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import zipfile

import numpy as np
import pytest
from tests.widgets.helpers import fill, recording

from napari_dynamic_connectome.session.journal_file import read_records
from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session

pytestmark = pytest.mark.gui

watching: list = [None]
sys.addaudithook(lambda event, given: watching[0](event, given[0]) if watching[0] and given else None)


@pytest.fixture(autouse=True)
def _own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path / "state"))


@pytest.fixture
def second(make_napari_viewer):
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    made = workspace_of(make_napari_viewer(show=True))
    yield made
    made.close()


@pytest.fixture
def unseen(make_napari_viewer):
    """A second window that is not shown: of two canvases that draw images, vispy may hand what one has to draw to the other."""
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    made = workspace_of(make_napari_viewer(show=False))
    yield made
    made.close()


def crash(work) -> None:
    """End a window without any of the goodbyes."""
    from napari_dynamic_connectome.session import lock

    journal = work.recovery.journal
    journal._file.close()
    lock._held.pop(journal.lock.token, None)
    journal.lock.held = False
    work.session.journal = None
    work.recovery.journal = None
    work.recovery._closed = True


def edits_on_disk(folder) -> list[str]:
    logs = sorted(folder.glob("edits-*.log"))
    return [r["edit"]["text"] for log in logs for r in read_records(log)[0] if "edit" in r]


def saved(tmp_path, session=None):
    if session is None:
        session = Session()
        fill(session)
    return save_session(session, tmp_path / "work" / "s.zarr")


def opened(work, path, qtbot):
    from napari_dynamic_connectome.widgets.workspace.open_files import adopt

    adopt(work, load_session(path))
    rest(work, qtbot)


def rest(work, qtbot) -> None:
    """Until the images of the session are there."""
    job = work.scene.opening
    qtbot.waitUntil(lambda: job is work.scene.opening and (job is None or not job.running), timeout=60_000)
    qtbot.wait(20)


def with_docks(viewer, *kinds) -> dict:
    """Add docks of these kinds, one below the other."""
    made = {kind.title: kind(viewer) for kind in kinds}
    for title, one in made.items():
        viewer.window.add_dock_widget(one, name=title, area="right", add_vertical_stretch=False)
    return made


def test_every_edit_is_on_disk_before_it_shows(work) -> None:
    seen = []
    work.session.add(recording())
    folder = work.recovery.journal.folder
    work.session.neurons_changed.connect(lambda name: seen.append(edits_on_disk(folder)[-1]))
    work.session.name_neuron(14, "RID")
    work.session.edit("worm A", {2: {"rejected": True}})
    work.session.leave_out("worm A")
    work.session.undo()
    assert seen == ["name neuron 14 RID", "reject neuron 2", "leave out worm A", "undo: leave out worm A"]
    corrected = work.session.recording.replace(traces=work.session.recording.traces * 2)
    work.session.add(corrected, replace=True, made="correct traces of worm A", raw=work.session.recording.traces)
    assert edits_on_disk(folder)[-1] == "correct traces of worm A"


def test_work_that_was_never_saved_is_offered_and_comes_back(work, second, qtbot) -> None:
    work.session.add(recording())
    work.session.name_neuron(14, "RID")
    work.session.leave_out("worm A")
    crash(work)
    dialog = second.recovery.look_for_lost_work()
    assert [(f.edits, f.recordings, f.session) for f in dialog.list.rows_model.rows] == [(2, ("worm A",), "")]
    dialog.open_button.click()
    qtbot.wait(20)
    assert "RID" in second.session.recordings["worm A"].named
    assert second.session.left_out == {"worm A"}
    second.session.undo(), second.session.undo()  # the undo history survived
    assert "RID" not in second.session.recordings["worm A"].named and not second.session.left_out
    assert second.recovery.look_for_lost_work() is None  # it is open here now
    # a second crash, after the first recovery, loses nothing either
    second.session.name_neuron(15, "ALA")
    texts = [e.text for e in second.session.history]
    folder = second.recovery.journal.folder
    crash(second)
    assert edits_on_disk(folder) == texts


def test_edits_that_were_not_saved_are_offered_when_the_session_is_opened(work, second, tmp_path, qtbot) -> None:
    from napari_dynamic_connectome.widgets.qt.dialogs import open_dialogs

    path = saved(tmp_path)
    opened(work, path, qtbot)
    work.session.name_neuron(13, "RID", recording="worm A")
    crash(work)
    opened(second, path, qtbot)
    assert "RID" not in second.session.recordings["worm A"].named
    (dialog,) = [d for d in open_dialogs if type(d).__name__ == "PendingDialog"]
    assert [p.edit.text for p in dialog.list.rows_model.rows] == ["name neuron 13 RID"]
    dialog.back.click()
    assert "RID" in second.session.recordings["worm A"].named
    assert second.recovery.journal.pending == []


def test_a_second_window_is_read_only_says_so_and_cannot_save_over_the_first(
    viewer, work, second, tmp_path, qtbot, wait_for
) -> None:
    from napari_dynamic_connectome.widgets.app.shortcuts import _undo
    from napari_dynamic_connectome.widgets.docks.export_dock import ExportDock
    from napari_dynamic_connectome.widgets.docks.neurons_dock import NeuronsDock

    path = saved(tmp_path)
    opened(work, path, qtbot)
    opened(second, path, qtbot)
    docks = with_docks(second.viewer, NeuronsDock, ExportDock)
    qtbot.wait(20)
    docks["Neurons"].flush()
    assert "Read-only" in docks["Neurons"].banner.text() and docks["Neurons"].banner.isVisible()
    second.session.select(neurons=("AVAL",))
    docks["Neurons"].flush()
    docks["Neurons"].reject()
    assert not second.session.recording.neurons["rejected"].any()
    _undo(second.viewer)
    job = wait_for(docks["Export"].save_session(path))
    assert "another window" in str(job.error)
    work.session.name_neuron(13, "RID", recording="worm A")
    job = wait_for(docks["Export"].save_session(tmp_path / "work" / "mine.zarr"))
    assert job.error is None
    docks["Neurons"].flush()
    assert not docks["Neurons"].banner.isVisible()
    docks["Neurons"].reject()
    assert second.session.recording.neurons["rejected"].sum() == 1
    job = wait_for(with_docks(viewer, ExportDock)["Export"].save_session(path))
    assert job.error is None and "RID" in load_session(path).recordings["worm A"].named


def test_a_session_of_a_silent_machine_is_taken_over_by_a_button(work, second, tmp_path, qtbot) -> None:
    import os

    from napari_dynamic_connectome.widgets.docks.neurons_dock import NeuronsDock

    path = saved(tmp_path)
    opened(work, path, qtbot)
    work.session.name_neuron(13, "RID", recording="worm A")
    lock = work.recovery.journal.lock.file
    crash(work)
    lock.write_text(json.dumps({"pid": 12, "host": "node-17", "place": "b pid:[1]", "token": "theirs", "user": "ada"}))
    opened(second, path, qtbot)
    dock = with_docks(second.viewer, NeuronsDock)["Neurons"]
    qtbot.wait(20)
    dock.flush()
    assert "ada, process 12 on node-17" in dock.banner.text() and dock.take_over.isHidden()
    os.utime(lock, (1e9, 1e9))
    second.recovery.changed.emit()
    qtbot.wait(20)
    assert "no sign of life" in dock.banner.text() and dock.take_over.isVisible()
    dock.take_over.click()
    qtbot.wait(20)
    assert dock.take_over.isHidden() and dock.banner.isHidden()
    second.recovery.bring_back()
    assert "RID" in second.session.recordings["worm A"].named
    second.session.undo()


def test_opening_another_session_gives_the_lock_back(work, second, tmp_path, qtbot) -> None:
    path = saved(tmp_path)
    opened(work, path, qtbot)
    opened(work, saved(tmp_path / "other"), qtbot)
    opened(second, path, qtbot)
    assert not second.recovery.journal.read_only
    work.close(), second.close()
    assert not list(tmp_path.glob("**/*.journal"))  # nothing stays where nothing was edited


def test_an_unwritable_journal_is_told_and_does_not_stop_the_work(work, tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("a file where the folder should be")
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path / "file"))
    work.session.add(recording())
    assert "not kept on disk" in work.recovery.banner
    work.session.name_neuron(14, "RID")
    assert "RID" in work.session.recording.named


def test_results_that_cannot_be_kept_show_with_a_warning_and_their_fits_stay(
    viewer, work, qtbot, wait_for, monkeypatch
):
    from napari_dynamic_connectome.model.errors import InputError
    from napari_dynamic_connectome.pipeline import run
    from napari_dynamic_connectome.pipeline.provenance import provenance_of
    from napari_dynamic_connectome.pipeline.settings import PipelineSettings
    from napari_dynamic_connectome.session.journal_file import JournalFile
    from napari_dynamic_connectome.widgets.docks.cohort_dock import CohortDock
    from napari_dynamic_connectome.widgets.workspace import recovery

    fill(work.session)
    worms, parts = work.session.cohort, work.session.components
    dock, said = CohortDock(viewer), []
    kept: list = []

    def analyzed(*_, checkpoint, **__):
        kept.append(checkpoint)
        (checkpoint / "fit").write_text("hours of work")
        return run.AnalysisResult(None, None, parts, {}, provenance_of(PipelineSettings(), worms))

    monkeypatch.setattr(run, "analyze", analyzed)
    monkeypatch.setattr(recovery, "show_warning", said.append)
    append = JournalFile.append
    monkeypatch.setattr(JournalFile, "append", lambda *_: (_ for _ in ()).throw(InputError("no space left")))
    work.session.set_cohort(None)
    wait_for(dock.analyze())
    assert work.session.components is parts
    assert any("not kept on disk" in text and "no space left" in text for text in said)
    assert (kept[0] / "fit").is_file()
    monkeypatch.setattr(JournalFile, "append", append)
    wait_for(dock.analyze())
    qtbot.waitUntil(lambda: not kept[1].exists())
    assert edits_on_disk(work.recovery.journal.folder)[-1] == f"analyze {len(worms.worms)} worms: 2 components"


def test_worms_that_are_left_out_stay_so(work, tmp_path, qtbot, viewer) -> None:
    from qtpy.QtCore import Qt

    from napari_dynamic_connectome.widgets.docks.cohort_dock import CohortDock

    fill(work.session)
    dock = with_docks(viewer, CohortDock)["Cohort"]
    qtbot.wait(20)
    dock.flush()
    dock.list.item(1).setCheckState(Qt.CheckState.Unchecked)
    assert work.session.left_out == {"worm B"} and [r.name for r in dock.chosen()] == ["worm A"]
    save_session(work.session, tmp_path / "s.zarr")
    assert load_session(tmp_path / "s.zarr").left_out == {"worm B"}
    work.session.undo()
    dock.flush()
    assert dock.list.item(1).checkState() == Qt.CheckState.Checked


def write_image(path, volume, labels=None) -> None:
    from napari_dynamic_connectome.io.volumes.omezarr_write import create_labels, create_volume

    path.parent.mkdir(parents=True, exist_ok=True)
    create_volume(path, volume.shape, voxel_size_um=(2, 1, 1), frame_rate_hz=2)[...] = volume
    if labels is not None:
        create_labels(path, labels.shape, "zyx", voxel_size_um=(2, 1, 1))[...] = labels


def image_session(tmp_path):
    """A worm with its images in a file."""
    from napari_dynamic_connectome.extraction.extract import extract_recording

    rng = np.random.default_rng(0)
    labels = np.zeros((6, 24, 24), np.uint16)
    for i, (z, y, x) in enumerate(rng.integers(1, [5, 20, 20], (6, 3)), 1):
        labels[z - 1 : z + 1, y : y + 3, x : x + 3] = i
    volume = (rng.random((5, 6, 24, 24)) * 50 + 400 * (labels > 0)).astype(np.uint16)
    folder = tmp_path / "images"
    write_image(folder / "worm.ome.zarr", volume, labels)
    found = extract_recording(folder / "worm.ome.zarr", folder / "worm.ome.zarr", name="imaged")
    session = Session()
    session.add(found)
    return session


def test_images_outside_of_a_session_are_opened_only_if_the_user_says_so(work, unseen, tmp_path, qtbot) -> None:
    from napari.utils.notifications import notification_manager

    path = saved(tmp_path, image_session(tmp_path))
    opened(work, path, qtbot)
    assert "imaged" in work.session.recordings and "imaged" not in work.scene.images
    asked = [n for n in notification_manager.records if "outside of its folder" in n.message][-1]
    assert "worm.ome.zarr" in asked.message
    asked.actions[0][1]()
    rest(work, qtbot)
    assert len(work.scene.images["imaged"]) == 1
    work.recovery.close()
    count = len([n for n in notification_manager.records if "outside of its folder" in n.message])
    unseen.remembered.update(work.remembered)
    opened(unseen, path, qtbot)  # the next time nothing is asked
    assert len(unseen.scene.images["imaged"]) == 1
    assert len([n for n in notification_manager.records if "outside of its folder" in n.message]) == count


def test_images_are_opened_beside_the_gui_thread_and_what_never_answers_is_not_waited_for(
    work, tmp_path, qtbot
) -> None:
    session = image_session(tmp_path / "work")
    path = saved(tmp_path, session)
    main, seen = threading.get_ident(), []
    watching[0] = lambda event, name: (
        seen.append((threading.get_ident(), event, str(name))) if "worm.ome.zarr" in str(name) else None
    )
    try:
        opened(work, path, qtbot)
        assert len(work.scene.images["imaged"]) == 1 and work.scene.labels["imaged"] is not None
    finally:
        watching[0] = None
    # the voxels that napari draws are read where it draws them, and nothing else is
    about = [(event, name) for thread, event, name in seen if thread == main]
    assert seen and [e for e, _ in about if e in ("os.listdir", "os.scandir")] == []
    assert [name for _, name in about if name.endswith((".zattrs", ".zgroup", ".zarray", "zarr.json"))] == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_session_that_names_pipes_and_links_opens_without_them(work, tmp_path, qtbot) -> None:
    from napari.utils.notifications import notification_manager

    session = image_session(tmp_path / "work")
    path = saved(tmp_path, session)
    image = tmp_path / "work" / "images" / "worm.ome.zarr"
    chunk = next(p for p in sorted((image / "0").rglob("*")) if p.is_file() and not p.name.startswith("."))
    inside = chunk.read_bytes()
    chunk.unlink()
    os.mkfifo(chunk)
    start = time.monotonic()
    opened(work, path, qtbot)
    assert time.monotonic() - start < 30
    assert "imaged" in work.session.recordings and not work.scene.images.get("imaged")
    chunk.unlink()
    (tmp_path / "elsewhere").write_bytes(inside)
    chunk.symlink_to(tmp_path / "elsewhere")  # a file, but one that the session's folder does not hold
    opened(work, path, qtbot)
    assert "imaged" not in work.scene.images
    asked = [n for n in notification_manager.records if "outside of its folder" in n.message][-1]
    asked.actions[0][1]()
    rest(work, qtbot)
    assert len(work.scene.images["imaged"]) == 1


def test_moved_images_are_noticed_and_found_again(work, tmp_path, qtbot) -> None:
    from napari.utils.notifications import notification_manager

    path = saved(tmp_path, image_session(tmp_path))
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    opened(work, path, qtbot)
    qtbot.waitUntil(lambda: len(work.recovery.problems) == 2, timeout=20_000)
    last = notification_manager.records[-1]
    assert "is not there" in str(last.message) and last.actions[0][0] == "Find images…"
    assert work.scene.images.get("imaged", []) == []
    dialog = work.recovery.find_images()
    assert [p.which for p in dialog.list.rows_model.rows] == ["volume", "labels"]
    job = dialog.look(tmp_path)
    qtbot.waitUntil(lambda: not job.running, timeout=20_000)
    assert work.recovery.problems == [] and "All images" in dialog.text.text()
    rest(work, qtbot)
    assert len(work.scene.images["imaged"]) == 1
    save_session(work.session, path)
    assert str(tmp_path / "elsewhere") in load_session(path).recordings["imaged"].volume.path
    dialog.close()


def test_another_image_under_the_same_name_is_not_taken_by_mistake(work, tmp_path, qtbot, monkeypatch) -> None:
    from napari_dynamic_connectome.session import relink

    path = saved(tmp_path, image_session(tmp_path))
    (tmp_path / "images").rename(tmp_path / "elsewhere")
    other = tmp_path / "images" / "worm.ome.zarr"
    write_image(other, np.ones((4, 6, 24, 24), np.uint16), np.ones((6, 24, 24), np.uint16))
    opened(work, path, qtbot)
    work.recovery.allow_images()
    work.recovery.check_images()
    qtbot.waitUntil(lambda: len(work.recovery.problems) == 2, timeout=20_000)
    dialog = work.recovery.find_images()
    assert {p.problem for p in dialog.list.rows_model.rows} == {"changed"}
    threads, real = set(), relink.fingerprint
    monkeypatch.setattr(relink, "fingerprint", lambda place: threads.add(threading.current_thread()) or real(place))
    job = dialog.take(other)
    qtbot.waitUntil(lambda: not job.running, timeout=20_000)
    assert len(work.recovery.problems) == 2
    assert dialog.accept_button.isEnabled()
    dialog.accept_button.click()
    qtbot.waitUntil(lambda: len(work.recovery.problems) == 1, timeout=20_000)
    assert threads and threading.main_thread() not in threads  # reading an image keeps no window waiting
    dialog.close()


def test_reopening_a_session_gives_the_same_picture(make_napari_viewer, tmp_path, qtbot, wait_for) -> None:
    from napari_dynamic_connectome.widgets.app.arrange import open_docks
    from napari_dynamic_connectome.widgets.docks.export_dock import ExportDock
    from napari_dynamic_connectome.widgets.workspace.open_files import adopt
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    def picture(viewer):
        qtbot.wait(200)
        workspace_of(viewer).scene.flush()
        qtbot.wait(100)
        return viewer.screenshot(canvas_only=True, flash=False, size=(500, 700))

    first = make_napari_viewer(show=True)
    first.window.resize(1100, 800)
    work = workspace_of(first)
    session = image_session(tmp_path)
    fill(session)
    adopt(work, session)
    rest(work, qtbot)
    work.session.set_current("worm A")
    first.dims.ndisplay = 3
    work.view.set(color_by="strength", edge_count=9)
    work.session.select(community=1, time_s=14.0)
    work.scene.flush()
    first.camera.angles = (20.0, -35.0, 70.0)
    first.camera.zoom *= 1.3
    before = picture(first)
    assert np.unique(before.reshape(-1, 4), axis=0).shape[0] > 50  # there is something to see
    wait_for(with_docks(first, ExportDock)["Export"].save_session(tmp_path / "s.zarr"))
    work.close()
    first.close()
    again = make_napari_viewer(show=True)
    again.window.resize(1100, 800)
    open_docks(again)
    adopt(workspace_of(again), load_session(tmp_path / "s.zarr"))
    rest(workspace_of(again), qtbot)
    after = picture(again)
    assert after.shape == before.shape
    assert np.mean(np.abs(after.astype(int) - before.astype(int)).max(axis=2) > 8) < 0.001
    workspace_of(again).close()


def test_a_dialog_that_went_with_its_window_does_not_keep_the_viewer_from_closing(work, viewer, qtbot) -> None:
    from qtpy.QtWidgets import QMainWindow

    from napari_dynamic_connectome.widgets.qt.dialogs import open_dialogs, show
    from napari_dynamic_connectome.widgets.qt.notify import ProblemDialog

    window = QMainWindow()
    dialog = ProblemDialog(viewer, "")
    dialog.recovery = work.recovery
    show(dialog).setParent(window)
    window.deleteLater()
    qtbot.waitUntil(lambda: dialog not in open_dialogs)
    work.close()
    assert work.scene.closed


def test_a_problem_report_is_written_without_private_paths(work, tmp_path, viewer, qtbot) -> None:
    import getpass

    from qtpy.QtWidgets import QPushButton

    from napari_dynamic_connectome.model.errors import InputError
    from napari_dynamic_connectome.widgets.qt.dialogs import open_dialogs
    from napari_dynamic_connectome.widgets.qt.notify import show_details, show_failure

    show_failure(
        viewer, "Open", InputError("cannot be read", where=f"/home/{getpass.getuser()}/secret/worm.nwb"), "trace"
    )
    work.session.settings = {"title": "my worms", "input": {"recordings": ["/home/ada/lab/worm1.nwb"]}}
    details = show_details(viewer, "it went wrong", "trace")
    next(b for b in details.findChildren(QPushButton) if b.text().startswith("Report a problem")).click()
    details.close()
    dialog = open_dialogs[-1]
    path = dialog.save(tmp_path / "problem.zip")
    with zipfile.ZipFile(path) as archive:
        report = json.loads(archive.read("report.json"))
        everything = b"".join(archive.read(n) for n in archive.namelist()).decode()
        assert "dynamic-connectome.log" in archive.namelist()
    assert report["text"] == "it went wrong" and report["versions"]["napari"]
    assert report["settings"]["session"]["title"] == "my worms"
    assert "worm.nwb" in everything and "worm1.nwb" in everything
    for private in ("secret", "/home", "ada/lab"):
        assert private not in everything
