"""The Recording dock with small volumes: static labels, labels of every frame, tracked centres, colours, corrections, stimuli."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt
from tests.widgets.helpers import recording

pytestmark = pytest.mark.gui

SHAPE = (60, 4, 16, 40)
SIZE = (2.0, 0.5, 0.5)
CENTRES = np.array([[1, 4, 5], [2, 10, 12], [1, 8, 20], [2, 5, 28], [2, 11, 34]])


def tracks(moving: bool) -> np.ndarray:
    """Centres (time, neuron, 3) in voxels."""
    shift = np.round(2 * np.sin(np.arange(SHAPE[0]) / 9)).astype(int) if moving else np.zeros(SHAPE[0], int)
    return CENTRES[None] + shift[:, None, None] * [0, 1, 1]


def volume(moving: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, labels of every frame, and the true course (time, neuron)."""
    rng = np.random.default_rng(0)
    course = 100 + 60 * np.abs(np.sin(np.arange(SHAPE[0])[:, None] / (4 + np.arange(len(CENTRES)))))
    image = rng.normal(10, 1, SHAPE)
    labels = np.zeros(SHAPE, np.uint16)
    for t, places in enumerate(tracks(moving)):
        for i, (z, y, x) in enumerate(places):
            box = (t, slice(z - 1, z + 2), slice(y - 1, y + 2), slice(x - 1, x + 2))
            image[box] = course[t, i] + rng.normal(0, 1, image[box].shape)
            labels[box] = i + 1
    return image.astype(np.float32), labels, course


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def dock(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.recording_dock import RecordingDock

    made = add_dock(RecordingDock)
    qtbot.wait(20)
    return made


def add(viewer, qtbot, image, labels=None, **about):
    scale = (0.5, *SIZE)
    viewer.add_image(
        image, name="worm", scale=scale, units=("s", "um", "um", "um"), metadata={"dynamic_connectome": about}
    )
    if labels is not None:
        viewer.add_labels(labels, name="cells", scale=scale[-labels.ndim :])
    qtbot.wait(20)


def extract(dock, wait_for, qtbot):
    wait_for(dock.extract())
    qtbot.wait(20)
    dock.flush()
    return dock.session.recording


def test_extraction_with_correction_keeps_the_quality_table(viewer, dock, qtbot, wait_for) -> None:
    image, labels, _ = volume()
    add(viewer, qtbot, image, labels[0])
    assert dock.rate.value() == pytest.approx(2.0)
    assert [s.value() for s in dock.voxel] == pytest.approx(SIZE)
    assert dock.correct_check.isChecked()
    worm = extract(dock, wait_for, qtbot)
    assert worm.quality is not None and dock.quality.rows_model.rowCount() == len(CENTRES)
    ranks = worm.quality["rank"]
    assert [ranks[r["id"]] for r in dock.quality.rows_model.rows] == sorted(ranks)
    viewer.scene.camera.center = (0.0, 0.0, 0.0)
    index = dock.quality.rows_model.index(1, 0)
    dock.quality.scrollTo(index)
    qtbot.mouseClick(dock.quality.viewport(), Qt.MouseButton.LeftButton, pos=dock.quality.visualRect(index).center())
    chosen = dock.quality.rows_model.rows[1]["id"]
    assert dock.session.selection.neurons == (chosen,)
    dock.flush()
    assert dock.measure_button.isHidden()  # it was measured
    np.testing.assert_allclose(
        np.asarray(viewer.scene.camera.center)[-2:], worm.neurons.loc[chosen, ["y", "x"]].to_numpy(float)
    )


def test_a_second_extraction_keeps_what_was_typed(viewer, dock, qtbot, wait_for) -> None:
    image, labels, _ = volume()
    add(viewer, qtbot, image, labels[0], names={1: "AVAL"})
    worm = extract(dock, wait_for, qtbot)
    dock.session.edit(worm.name, {2: {"name": "RIS", "confidence": 0.4, "note": "faint"}, 1: {"name": ""}})
    dock.extraction.controls["statistic"].value = "median"
    table = extract(dock, wait_for, qtbot).neurons.set_index("label")
    assert (table.loc[2, "name"], table.loc[2, "confidence"], table.loc[2, "note"]) == ("RIS", 0.4, "faint")
    assert table.loc[1, "name"] == ""
    dock.session.undo()
    assert "AVAL" in dock.session.recording.neurons.index


def test_corrections_are_previewed_at_once_and_applied_when_asked(viewer, dock, qtbot, wait_for) -> None:
    image, labels, _ = volume()
    add(viewer, qtbot, image, labels[0])
    worm = extract(dock, wait_for, qtbot)
    dock.session.select(neurons=(str(worm.neurons.index[2]),))
    dock.flush()
    before = dock.preview.after.copy()
    np.testing.assert_allclose(before, worm.traces.values[:, 2], rtol=1e-5)
    dock.correction.controls["smoothing"].value = "gaussian"
    dock.correction.controls["smoothing_s"].value = 3.0
    qtbot.waitUntil(lambda: not np.allclose(dock.preview.after, before), timeout=3000)
    assert np.abs(np.diff(dock.preview.after)).mean() < np.abs(np.diff(before)).mean()
    assert "not applied" in dock.preview.text.text()
    np.testing.assert_allclose(dock.session.recording.traces.values[:, 2], before, rtol=1e-5)
    shown = dock.preview.after.copy()
    job = dock.correct_again()
    dock.session.name_neuron(1, "RIS")  # while it runs
    wait_for(job)
    qtbot.wait(20)
    dock.flush()
    new = dock.session.recording
    np.testing.assert_allclose(new.traces.values[:, 2], shown, rtol=1e-4, atol=1e-5)
    assert "RIS" in new.neurons.index and new.quality is not None and list(new.quality.index) == list(new.neurons.index)
    assert "not applied" not in dock.preview.text.text()


def test_stimuli_are_edited_and_loaded(viewer, dock, qtbot, tmp_path) -> None:
    dock.session.add(recording())
    qtbot.wait(20)
    dock.flush()
    dock.stimuli_fold.head.setChecked(True)
    assert dock.stimuli.table.rowCount() == 2
    dock.stimuli.table.item(0, 1).setText("12.5")
    assert dock.session.recording.stimuli["onset"].tolist() == [12.5, 35.0]
    dock.stimuli.table.item(0, 2).setText("soon")
    assert not dock.stimuli.trouble.isHidden()
    assert dock.session.recording.stimuli["offset"].tolist() == [18.0, 43.0]
    dock.stimuli.table.item(0, 2).setText("18")
    dock.stimuli.add_button.click()
    assert len(dock.session.recording.stimuli) == 3
    dock.stimuli.table.selectRow(0)
    dock.stimuli.remove_button.click()
    assert dock.session.recording.stimuli["name"].tolist() == ["butanone", "stimulus 3"]
    pd.DataFrame({"name": ["salt"], "onset": [3], "offset": [9]}).to_csv(tmp_path / "s.csv", index=False)
    dock.load_table("stimuli", tmp_path / "s.csv")
    assert dock.session.recording.stimuli["name"].tolist() == ["salt"]
    beh = pd.DataFrame({"time_s": np.arange(60.0), "reversal": (np.arange(60) % 20 < 5).astype(int)})
    beh.to_csv(tmp_path / "b.csv", index=False)
    dock.load_table("behaviour", tmp_path / "b.csv")
    assert dock.session.recording.behaviour["reversal"].attrs["kind"] == "binary"


@pytest.mark.parametrize("how", ["labels of every frame", "centres"])
def test_a_moving_worm(viewer, dock, qtbot, wait_for, tmp_path, how) -> None:
    image, labels, course = volume(moving=True)
    add(viewer, qtbot, image, labels if how != "centres" else None)
    if how == "centres":
        rows = [
            {"frame": t, "id": i + 1, "z": z, "y": y, "x": x, "name": "RIS" if i == 1 else ""}
            for t, places in enumerate(tracks(True))
            for i, (z, y, x) in enumerate(places)
        ]
        pd.DataFrame(rows).to_csv(tmp_path / "tracks.csv", index=False)
        dock.radius.setValue(0.6)
        wait_for(dock.open_centres(tmp_path / "tracks.csv"))
        qtbot.wait(20)
        assert dock.labels.currentText() == "tracks centres"
    dock.correct_check.setChecked(False)
    worm = extract(dock, wait_for, qtbot)
    assert worm.n_neurons == len(CENTRES)
    got = worm.traces.values[:, np.argsort(worm.neurons["label"].to_numpy())]
    for i in range(len(CENTRES)):
        assert np.corrcoef(got[:, i], course[:, i])[0, 1] > 0.99
    if how == "centres":
        assert worm.neurons.set_index("label").loc[2, "name"] == "RIS"


def test_colour_channels_become_swatches(viewer, dock, qtbot, wait_for) -> None:
    image, labels, _ = volume()
    add(viewer, qtbot, image, labels[0])
    for place, colour in enumerate(("red", "green", "blue")):
        channel = np.full(SHAPE[1:], 5.0)
        channel[labels[0] == place + 1] = 200.0
        viewer.add_image(channel, name=colour, scale=SIZE)
    qtbot.wait(20)
    for colour, box in dock.colour_boxes.items():
        box.setCurrentText(colour)
    worm = extract(dock, wait_for, qtbot)
    table = worm.neurons.set_index("label")
    assert table.loc[1, ["red", "green", "blue"]].tolist() == pytest.approx([200, 5, 5])
    from napari_dynamic_connectome.widgets.docks.neurons_dock import NeuronsDock

    neurons = NeuronsDock(viewer)
    viewer.window.add_dock_widget(neurons, name="Neurons", area="right", add_vertical_stretch=False)
    qtbot.wait(20)
    neurons.flush()
    icons = {r["label"]: r["icon"].pixmap(11, 11).toImage().pixelColor(5, 5) for r in neurons.table.rows_model.rows}
    assert icons[1].red() > 200 > 60 > icons[1].green()
    assert icons[3].blue() > 200 > 60 > icons[3].red()


def test_another_worm_of_the_same_name_is_not_written_over(viewer, dock, qtbot, wait_for) -> None:
    from napari_dynamic_connectome.model.recording import VolumeReference

    image, labels, _ = volume()
    old = recording("worm").replace(volume=VolumeReference("/elsewhere/worm.tif", SHAPE, "tzyx", SIZE, 2.0))
    dock.session.add(old)
    add(viewer, qtbot, image, labels[0], path="/here/worm.tif", name="worm")
    extract(dock, wait_for, qtbot)
    assert list(dock.session.recordings) == ["worm", "worm (2)"]
    assert dock.session.recordings["worm"] is old


@pytest.fixture
def counted(dock, monkeypatch):
    """Numbers of the blocks that are reduced; ask `counted.stop_after` for a cancel."""
    from napari_dynamic_connectome.extraction import run

    class Counted(list):
        stop_after = 0

    done = Counted()
    reduce = run.run_block

    def noted(job, block, stop=None):
        result = reduce(job, block, stop)
        done.append(block.number)
        if done.stop_after and len(done) >= done.stop_after:
            for running in dock.work.jobs.running:
                running.cancelled.set()
        return result

    monkeypatch.setattr(run, "run_block", noted)
    return done


def test_a_cancelled_extraction_goes_on_where_it_was(viewer, dock, qtbot, wait_for, tmp_path, counted) -> None:
    from napari_dynamic_connectome.extraction.extract import extract_traces
    from napari_dynamic_connectome.io.layer_data import read_layers
    from napari_dynamic_connectome.io.volumes.omezarr_write import create_labels, create_volume
    from napari_dynamic_connectome.model.places import cache_folder

    image, labels, _ = volume()
    path, kept = tmp_path / "worm.ome.zarr", cache_folder() / "checkpoints"
    n = 20
    stored = create_volume(path, (n, *SHAPE[1:]), voxel_size_um=SIZE, frame_rate_hz=2, chunks=(1, *SHAPE[1:]))
    stored[...] = image[:n].clip(0).astype(np.uint16)
    create_labels(path, SHAPE[1:], "zyx", voxel_size_um=SIZE)[...] = labels[0]

    def load() -> None:
        viewer.layers.clear()
        for data, keywords, kind in read_layers(path):
            getattr(viewer, f"add_{kind}")(data, **keywords)
        qtbot.wait(20)

    def stop_after(blocks: int) -> None:
        counted.stop_after = blocks
        wait_for(dock.extract())
        counted.stop_after = 0

    load()
    dock.extraction.set_value(dock.extraction.model(block_mb=1e-6, threads=1))
    dock.correct_check.setChecked(False)
    stop_after(6)
    assert dock.session.recording is None
    (folder,) = kept.glob("extract-*")
    before = set(counted)
    assert 6 <= len(before) < n - 5
    # opened again, as after a crash
    counted.clear()
    load()
    found = extract(dock, wait_for, qtbot)
    assert len(before & set(counted)) <= 2  # those that ran while it was cancelled
    assert len(counted) <= n - len(before) + 2
    alone = extract_traces(path, path, block_mb=1e-6)
    np.testing.assert_array_equal(found.traces.values, alone.values)
    for name in ("saturated", "voxels"):
        np.testing.assert_array_equal(found.traces[name].values, alone[name].values)
    qtbot.waitUntil(lambda: not folder.exists())


def test_what_was_kept_is_found_by_the_very_same_voxels_and_settings_only(tmp_path) -> None:
    from napari.layers import Image, Labels

    from napari_dynamic_connectome.io.layer_data import read_layers
    from napari_dynamic_connectome.io.volumes.omezarr_write import create_labels, create_volume
    from napari_dynamic_connectome.widgets.workspace.checkpoints import extraction_checkpoint, extraction_inputs

    path = tmp_path / "worm.ome.zarr"
    stored = create_volume(path, (9, *SHAPE[1:]), voxel_size_um=SIZE, frame_rate_hz=2, chunks=(1, *SHAPE[1:]))
    stored[...] = 1
    create_labels(path, SHAPE[1:], "zyx", voxel_size_um=SIZE)[...] = 1

    def load():
        (image, about, _), (labels, more, _) = read_layers(path)
        return Image(image, metadata=about["metadata"]), Labels(labels, metadata=more["metadata"])

    def place(**plan):
        return extraction_checkpoint(extraction_inputs(*load(), None), lambda: False).folder(plan)

    first = place(statistic="mean")
    assert first == place(statistic="mean") and first.parent.name == "checkpoints"
    assert first != place(statistic="median")
    stored[7, 0, 0, 0] = 2  # a frame of which the extraction takes no sample
    second = place(statistic="mean")
    assert first != second
    file = max(path.rglob("*"), key=lambda p: p.is_file() and p.stat().st_size)
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))  # written to, as long as before
    assert second != place(statistic="mean")
    image, labels = load()
    assert extraction_inputs(image, labels, None) is not None
    assert extraction_inputs(image, labels, Image(np.ones((9, *SHAPE[1:])))) is None
    moving = Labels(np.ones((9, *SHAPE[1:]), np.uint16), metadata=labels.metadata)
    assert extraction_inputs(image, moving, None) is None  # may have been painted on
    image.data = image.data + 1
    assert extraction_inputs(image, labels, None) is None  # computed, not what the file holds


def test_control_enter_extracts_and_the_button_cancels(viewer, dock, qtbot) -> None:
    image, labels, _ = volume()
    add(viewer, qtbot, image, labels[0])
    dock.flush()
    dock.window().activateWindow()
    dock.name.setFocus()
    qtbot.waitUntil(dock.name.hasFocus, timeout=3000)
    qtbot.keyClick(dock.name, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    job = dock.bar.job
    assert job is not None and dock.bar.isVisible()
    dock.bar.cancel.click()
    qtbot.waitUntil(lambda: not job.running, timeout=5000)
    assert dock.bar.job is None


def test_a_closed_dock_goes_and_follows_the_layers_no_longer(viewer, qtbot) -> None:
    import gc
    import weakref

    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    from napari_dynamic_connectome.widgets.docks.recording_dock import RecordingDock
    from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

    workspace_of(viewer)  # it listens, too
    before = len(viewer.layers.events.inserted.callbacks)
    made = RecordingDock(viewer)
    holder = viewer.window.add_dock_widget(made, name="Recording", area="right", add_vertical_stretch=False)
    qtbot.wait(30)
    assert len(viewer.layers.events.inserted.callbacks) > before
    gone = weakref.ref(made)
    viewer.window.remove_dock_widget(holder)
    made.deleteLater()
    del made, holder
    for _ in range(3):
        QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
        qtbot.wait(30)
        gc.collect()
    assert gone() is None
    assert len(viewer.layers.events.inserted.callbacks) == before
    viewer.add_points(np.zeros((1, 3)))  # nobody listens who is gone
