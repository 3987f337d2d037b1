"""The tutorial, driven through the docks with the real steps, at a small size."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import Qt

pytestmark = pytest.mark.gui


@pytest.fixture(scope="module")
def volume(tmp_path_factory):
    from napari_dynamic_connectome.simulation.render import render_recording
    from napari_dynamic_connectome.simulation.simulate import simulate_recording

    worm, _ = simulate_recording(n_neurons=24, duration_s=40, rate_hz=2, missing=0, unnamed=0, n_motifs=2, motif_size=8)
    path = tmp_path_factory.mktemp("tour") / "worm.ome.zarr"
    return render_recording(worm, path, n_z=12, n_y=64, n_x=160, voxel_z_um=3, voxel_y_um=0.9, voxel_x_um=0.9)


def test_from_volume_to_communities_and_back_from_the_session(viewer, qtbot, volume, wait_for, tmp_path) -> None:
    from napari_dynamic_connectome.communities.settings import CommunitySettings
    from napari_dynamic_connectome.io.session import load_session
    from napari_dynamic_connectome.pipeline.settings import RankSettings
    from napari_dynamic_connectome.widgets.arrange import arrange_windows, raise_dock, show_overlay
    from napari_dynamic_connectome.widgets.opening import add_layers, image_layers
    from napari_dynamic_connectome.widgets.state import workspace_of

    docks = arrange_windows(viewer)
    add_layers(viewer, image_layers(volume.path))
    qtbot.wait(30)
    work = workspace_of(viewer)
    session = work.session

    wait_for(docks["Recording"].extract())
    worm = session.recording
    assert worm.n_neurons == 24
    assert worm.volume is not None
    true = volume.recording.neurons.set_index("label")
    np.testing.assert_allclose(
        worm.neurons.set_index("label").loc[true.index, ["z", "y", "x"]].to_numpy(),
        true[["z", "y", "x"]].to_numpy(),
        atol=2.0,
    )

    neurons = docks["Neurons"]
    raise_dock(neurons)
    qtbot.wait(30)
    label = int(worm.neurons["label"].iloc[0])
    old = str(worm.neurons["name"].iloc[0])
    session.select(neurons=(str(worm.neurons.index[0]),))
    neurons.flush()
    neurons.edit.clear()
    qtbot.keyClicks(neurons.edit, "pvr")
    qtbot.keyClick(neurons.edit, Qt.Key.Key_Return)
    table = session.recording.neurons.set_index("label")
    assert table.loc[label, "name"] == "PVR"
    neurons.undo_button.click()
    assert session.recording.neurons.set_index("label").loc[label, "name"] == old

    dock = docks["Cohort"]
    raise_dock(dock)
    dock.forms["rank"].set_value(RankSettings(smallest=1, largest=2, starts=2, folds=2))
    dock.forms["communities"].set_value(CommunitySettings(samples=10, null_fits=0, starts=1, rounds=2))
    wait_for(dock.analyze(), 120)
    assert session.components is not None
    assert session.shown_communities is not None

    show_overlay(viewer)
    raise_dock(docks["Communities"])
    docks["Communities"].flush()
    docks["Communities"].table.selectRow(0)
    work.scene.flush()
    layer = work.scene.labels[session.current]
    drawn = work.scene.drawn
    lit = int(np.flatnonzero(drawn.lit)[0])
    np.testing.assert_allclose(layer.colormap.color_dict[int(drawn.labels[lit])][:3], drawn.base[lit], atol=0.02)
    work.view.set(color_by="strength")
    work.scene.flush()
    colours = []
    for step in (0, worm.n_times // 2, worm.n_times - 1):
        viewer.dims.set_current_step(0, step)
        colours.append(np.asarray(work.scene.layers["neurons"].face_color).copy())
    assert any(not np.allclose(colours[0], c) for c in colours[1:])

    wait_for(docks["Export"].save_session(tmp_path / "session.zarr"))
    again = load_session(tmp_path / "session.zarr")
    assert again.components.rank == session.components.rank
    code = docks["Export"].copy_python()
    compile(code, "copied", "exec")
