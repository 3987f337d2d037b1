"""Labels, voxel size and rate that are corrected after the extraction: seen, counted, extracted again for what was touched."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt
from tests.widgets.docks.test_recording_dock import CENTRES, add, extract, volume

pytestmark = pytest.mark.gui


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def dock(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.recording_dock import RecordingDock

    made = add_dock(RecordingDock)
    qtbot.wait(20)
    return made


@pytest.fixture
def worm(viewer, dock, qtbot, wait_for):
    image, labels, _ = volume()
    add(viewer, qtbot, image, labels[0], names={1: "AVAL", 2: "AVAR"})
    viewer.layers["cells"].brush_size = 1
    return extract(dock, wait_for, qtbot)


def older(dock, qtbot) -> str:
    qtbot.wait(250)
    dock.flush()
    assert dock.strip.isVisible() is bool(dock.strip.text.text())
    return dock.strip.text.toolTip()


def colour(layer, label: int) -> np.ndarray:
    return np.asarray(layer.colormap.map(np.array([label], layer.dtype)))[0]


def test_a_new_label_is_seen_before_it_is_painted_and_counted_after(viewer, dock, worm, qtbot) -> None:
    layer = viewer.layers["cells"]
    qtbot.wait(200)
    assert colour(layer, 9)[3] == 0.0
    layer.selected_label = 9
    assert colour(layer, 9)[3] == 1.0
    assert older(dock, qtbot) == ""
    layer.paint((1, 14, 36), 9)
    assert older(dock, qtbot) == f"Traces of {worm.name} are older than the labels of 1 neuron."
    assert colour(layer, 9)[3] == 1.0
    layer.fill((1, 4, 5), 0)  # erases one
    assert older(dock, qtbot) == f"Traces of {worm.name} are older than the labels of 2 neurons."
    layer.undo()
    assert older(dock, qtbot) == f"Traces of {worm.name} are older than the labels of 1 neuron."
    layer.undo()
    assert older(dock, qtbot) == ""


def test_redo_extracts_the_touched_labels_and_no_others(viewer, dock, worm, work, qtbot, wait_for) -> None:
    layer, image = viewer.layers["cells"], viewer.layers["worm"]
    work.session.name_neuron(3, "RIS")
    layer.data_setitem(np.nonzero(layer.data == 2), 0)
    layer.paint((1, 14, 36), 9)
    assert older(dock, qtbot) == f"Traces of {worm.name} are older than the labels of 2 neurons."
    image.data[:, layer.data == 3] += 50  # would be seen if it was read again
    before = work.session.recording
    qtbot.mouseClick(dock.strip.redo, Qt.MouseButton.LeftButton)
    wait_for(work.up_to_date.job)
    after = work.session.recording
    assert after.neurons["label"].tolist() == [1, 3, 4, 5, 9]
    assert after.neurons["name"].tolist() == ["AVAL", "RIS", "", "", ""]
    np.testing.assert_array_equal(after.traces.sel(neuron="RIS"), before.traces.sel(neuron="RIS"))
    assert np.isfinite(after.traces.sel(neuron="#9")).all() and after.quality is not None
    assert work.raw[after.name].sizes["neuron"] == 5
    assert [h["operation"] for h in after.provenance["history"]].count("dF/F0") == 1
    assert "extract 2 neurons" in work.session.history[-1].text
    assert older(dock, qtbot) == ""
    layer.paint((1, 14, 36), 4)  # and from here on again
    assert older(dock, qtbot) != ""


def test_voxel_size_and_rate_typed_later_make_the_traces_old(viewer, dock, worm, work, qtbot, wait_for) -> None:
    dock.voxel[0].setValue(3.0)
    assert older(dock, qtbot) == (
        f"Traces of {worm.name} are older than the voxel size (2 × 0.5 × 0.5, now 3 × 0.5 × 0.5 µm)."
    )
    dock.voxel[0].setValue(2.0)
    assert older(dock, qtbot) == ""
    dock.voxel[0].setValue(3.0)
    dock.rate.setValue(4.0)
    assert "the rate (2 Hz, now 4 Hz)" in older(dock, qtbot)
    qtbot.mouseClick(dock.strip.redo, Qt.MouseButton.LeftButton)
    wait_for(work.up_to_date.job)
    after = work.session.recording
    assert after.rate_hz == pytest.approx(4.0)
    np.testing.assert_allclose(after.positions_um[:, 0], CENTRES[:, 0] * 3.0)
    assert older(dock, qtbot) == ""


def test_results_follow_their_traces(viewer, dock, worm, work, qtbot, wait_for) -> None:
    from tests.widgets.docks.test_up_to_date import QUICK

    from napari_dynamic_connectome.model.cohort import Cohort
    from napari_dynamic_connectome.pipeline.run import analyze
    from napari_dynamic_connectome.pipeline.settings import PipelineSettings

    session = work.session
    session.edit(worm.name, {k: {"name": n} for k, n in {3: "RIML", 4: "RIMR", 5: "AIBL"}.items()})
    settings, cohort = PipelineSettings.parse(QUICK), Cohort([session.recording])
    session.settings = settings.model_dump(mode="json")
    analyze(cohort, settings).put_into(session, cohort)
    made = session.components
    viewer.layers["cells"].data_setitem(np.nonzero(viewer.layers["cells"].data == 5), 0)
    assert older(dock, qtbot) != ""
    work.up_to_date.redo()
    qtbot.waitUntil(lambda: not work.up_to_date.state.stale and not work.jobs.running, timeout=60_000)
    assert session.recording.neurons["label"].tolist() == [1, 2, 3, 4]
    assert session.components is not made
    assert "AIBL" not in session.cohort.neurons


def test_redo_knows_from_the_history_how_an_opened_worm_was_extracted(
    viewer, dock, worm, work, qtbot, wait_for
) -> None:
    from napari_dynamic_connectome.model.recording import VolumeReference

    reference = VolumeReference("worm.tif", viewer.layers["worm"].data.shape, "tzyx", (2.0, 0.5, 0.5), 2.0)
    made = work.session.recording.replace(volume=reference)
    work.session.add(made, replace=True, made="open", raw=work.raw[worm.name])
    work.up_to_date.extractors.clear()  # as after a restart: only what the session holds is known
    viewer.layers["cells"].paint((1, 14, 36), 9)
    assert older(dock, qtbot) == f"Traces of {worm.name} are older than the labels of 1 neuron."
    qtbot.mouseClick(dock.strip.redo, Qt.MouseButton.LeftButton)
    wait_for(work.up_to_date.job)
    after = work.session.recording
    assert after.neurons["label"].tolist() == [1, 2, 3, 4, 5, 9]
    np.testing.assert_array_equal(after.traces.sel(neuron="AVAL"), worm.traces.sel(neuron="AVAL"))
    assert [h["operation"] for h in after.provenance["history"]] == [h["operation"] for h in worm.provenance["history"]]
    assert older(dock, qtbot) == ""
