"""Every format can be dropped on napari: through npe2's reader, in a real viewer, with files of other libraries."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import networkx as nx
import numpy as np
import pandas as pd
import pytest
import scipy.io
import tifffile
import zarr
from npe2 import PluginManager, PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_dynamic_connectome.io.layer_data import patterns
from napari_dynamic_connectome.io.registry import all_formats
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.widgets.app.contributions import get_reader
from napari_dynamic_connectome.widgets.workspace import open_files
from napari_dynamic_connectome.widgets.workspace.import_sheet import ImportSheet
from napari_dynamic_connectome.widgets.workspace.workspace import workspace_of

pytestmark = pytest.mark.gui
PLUGIN = "napari-dynamic-connectome"
SHAPE = (4, 3, 16, 20)
VOXELS = np.random.default_rng(0).integers(0, 4000, SHAPE, dtype=np.uint16)
TRACES = pd.DataFrame({"time_s": np.arange(5) / 2, "AVAL": 1.0, "AVAR": 2.0})
MAKERS: dict[str, tuple[str, Callable[[Path], object]]] = {}


def maker(*names: str) -> Callable[[Callable[[Path], object]], Callable[[Path], object]]:
    def keep(function: Callable[[Path], object]) -> Callable[[Path], object]:
        for name in names:
            MAKERS[name] = (name, function)
        return function

    return keep


@maker("a.tif", "a.tiff", "a.btf")
def _(path: Path) -> None:
    tifffile.imwrite(path, VOXELS, photometric="minisblack", metadata={"axes": "TZYX"}, bigtiff=path.suffix == ".btf")


@maker("frames")
def _(path: Path) -> None:
    path.mkdir()
    for t in range(4):
        tifffile.imwrite(path / f"{t}.tif", VOXELS[t], photometric="minisblack", metadata={"axes": "ZYX"})


@maker("a.zarr", "a.ome.zarr")
def _(path: Path) -> None:
    zarr.create_array(str(path), data=VOXELS, dimension_names=list("tzyx"))


@maker("a.zarr.zip", "a.zip", "a.ozx")
def _(path: Path) -> None:
    with zarr.storage.ZipStore(path, mode="w") as store:
        zarr.create_array(store, data=VOXELS, dimension_names=list("tzyx"))


@maker("a.h5", "a.hdf5", "a.hdf")
def _(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=VOXELS).attrs["axes"] = "tzyx"


@maker("a.npy")
def _(path: Path) -> None:
    np.save(path, VOXELS)


@maker("a.npz")
def _(path: Path) -> None:
    np.savez(path, traces=np.ones((5, 2)), fs=2.0, names=np.array(["AVAL", "AVAR"]))


@maker("a.mat")
def _(path: Path) -> None:
    scipy.io.savemat(path, {"traces": np.ones((5, 2)), "fs": 2.0})


@maker("a.csv", "a.csv.gz", "a.txt")
def _(path: Path) -> None:
    TRACES.to_csv(path, index=False)


@maker("a.tsv")
def _(path: Path) -> None:
    TRACES.to_csv(path, index=False, sep="\t")


@maker("a.parquet", "a.pq")
def _(path: Path) -> None:
    TRACES.to_parquet(path)


@maker("collection")
def _(path: Path) -> None:
    path.mkdir()
    rows = {
        "source_dataset": "K",
        "worm": "w1",
        "neuron": ["AVAL", "AVAR"],
        "calcium_data": [[1.0, 2.0]] * 2,
        "median_dt": 1.0,
    }
    pd.DataFrame(rows).to_parquet(path / "part.parquet")


@maker("suite2p", "plane0")
def _(path: Path) -> None:
    plane = path / "plane0" if path.name == "suite2p" else path
    plane.mkdir(parents=True)
    np.save(plane / "F.npy", np.ones((2, 5), np.float32))
    np.save(plane / "ops.npy", np.array({"fs": 2.0}, dtype=object))


@maker("a.geff")
def _(path: Path) -> None:
    root = zarr.open_group(path, mode="w")
    root.attrs["geff"] = {"axes": [{"name": n, "type": "time" if n == "t" else "space"} for n in "tyx"]}
    columns = {"ids": [1, 2], "props/t/values": [0, 1], "props/y/values": [3, 4], "props/x/values": [3, 4]}
    for name, values in columns.items():
        root.create_array(f"nodes/{name}", data=np.array(values))
    root.create_array("edges/ids", data=np.array([[1, 2]]))


@maker("a.graphml")
def _(path: Path) -> None:
    nx.write_graphml(nx.DiGraph([("AVAL", "AVAR")]), path)


@maker("a.nwb")
def _(path: Path) -> None:
    pynwb = pytest.importorskip("pynwb")
    from datetime import UTC, datetime

    file = pynwb.NWBFile("s", "i", datetime(2022, 1, 2, tzinfo=UTC))
    device = file.create_device(name="d")
    channel = pynwb.ophys.OpticalChannel(name="c", description="d", emission_lambda=500.0)
    plane = file.create_imaging_plane(
        name="p", optical_channel=channel, description="d", device=device, excitation_lambda=488.0, indicator="i", location="head"
    )  # fmt: skip
    file.add_acquisition(
        pynwb.ophys.TwoPhotonSeries(
            name="v", data=VOXELS.transpose(0, 3, 2, 1), imaging_plane=plane, rate=2.0, unit="n.a."
        )
    )
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(file)


@pytest.fixture
def answers(monkeypatch) -> list[tuple[str, object]]:
    """Answer sheets as a person would: the first choice, the example of a text, 4 Hz; return what was asked."""
    asked: list[tuple[str, object]] = []

    def run(sheet: ImportSheet) -> Any:
        while sheet.answer is not None:
            question = sheet.current.question
            asked.append((question.option, question.choices or question.fix))
            native = sheet.answer.native
            if question.choices:
                QTest.keyClick(native, Qt.Key.Key_Down)
            else:
                QTest.keyClicks(native, question.example or "4")
            QTest.keyClick(native, Qt.Key.Key_Return)
        QTest.keyClick(sheet.import_button, Qt.Key.Key_Return)
        return sheet.result()

    monkeypatch.setattr(ImportSheet, "exec", run)
    return asked


def test_the_manifest_names_every_pattern_and_the_files_below_have_them_all() -> None:
    readers = PluginManifest.from_file(Path(__file__).parents[3] / "napari.yaml").contributions.readers
    named = set(readers[0].filename_patterns)
    assert set(patterns()) <= named
    assert readers[0].accepts_directories
    for pattern in named:
        assert any(Path(name).match(pattern) for name in MAKERS), pattern


def test_every_file_that_is_dropped_opens(viewer, answers, tmp_path, qtbot) -> None:
    work = workspace_of(viewer)
    assert {f.key for f in all_formats()} == {_format(name) for name in MAKERS}
    opened: set[str] = set()
    seen = 0
    for name, (_, make) in MAKERS.items():
        path = tmp_path / name
        make(path)
        offered = [reader.plugin_name for reader in PluginManager.instance().iter_compatible_readers([str(path)])]
        assert PLUGIN in offered, name
        opened.add(_format(name))
        if len(opened) == seen:
            assert get_reader(str(path)) is not None, name
            continue  # another spelling of a format that was opened before
        seen = len(opened)
        layers, recordings = list(viewer.layers), set(work.session.recordings)
        viewer.open(str(path), plugin=PLUGIN)
        if open_files._waiting.get(work):  # it asks: the sheet comes when napari is done
            qtbot.waitUntil(lambda: not open_files._waiting.get(work), timeout=40_000)
        new = [layer for layer in viewer.layers if layer not in layers]
        added = [r for n, r in work.session.recordings.items() if n not in recordings]
        if added:
            work.scene.flush()
            assert [r.n_neurons for r in added] == [2], name
            if added[0].named:
                assert len(viewer.layers["neurons"].data) == 2, name  # drawn at schematic places
        elif name == "a.graphml":
            assert [type(layer).__name__ for layer in new] == ["Vectors", "Points"]
        elif name == "a.geff":
            assert [layer.data.tolist() for layer in new] == [[[0, 0, 3, 3], [1, 0, 4, 4]]]  # places of tracks
        else:
            assert [layer.data.shape for layer in new] == [SHAPE], name
            np.testing.assert_array_equal(np.asarray(new[0].data[2]), VOXELS[2])


@pytest.mark.parametrize("name", ["a.csv", "a.npz"])
def test_a_file_that_is_dropped_is_opened_to_know_it_and_to_read_it(viewer, tmp_path, monkeypatch, name) -> None:
    path = tmp_path / name
    MAKERS[name][1](path)
    opened, real = [], io.open

    def counting(file: Any, *args: Any, **more: Any) -> Any:
        opened.append(str(file))
        return real(file, *args, **more)

    monkeypatch.setattr(io, "open", counting)
    monkeypatch.setattr("builtins.open", counting)
    viewer.open(str(path), plugin=PLUGIN)
    assert opened.count(str(path)) == 2


def _format(name: str) -> str:
    known = {"frames": "tiffs", "collection": "parquet", "a.zip": "omezarr", "a.zarr.zip": "omezarr", "a.txt": "csv"}
    return known.get(name) or next(f.key for f in all_formats() if any(Path(name).match(p) for p in f.patterns))


def test_what_a_file_leaves_open_is_asked_for(viewer, answers, tmp_path, qtbot) -> None:
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file["raw"], file["mask"] = VOXELS, VOXELS[0]
    viewer.open(str(tmp_path / "two.h5"), plugin=PLUGIN)
    qtbot.waitUntil(lambda: len(viewer.layers) > 0, timeout=40_000)
    assert [option for option, _ in answers] == ["dataset", "axes"] and answers[0][1] == ("mask", "raw")
    assert viewer.layers[-1].data.shape == (1, 3, 16, 20)
    viewer.open(str(tmp_path / "two.h5"), plugin=PLUGIN)  # the same again: answers are kept, and shown
    qtbot.waitUntil(lambda: len(viewer.layers) > 1, timeout=40_000)
    assert len(answers) == 2


def test_a_question_that_is_not_answered_opens_nothing(viewer, monkeypatch, tmp_path, qtbot) -> None:
    np.save(tmp_path / "a.npy", VOXELS)
    seen: list[str] = []

    def give_up(sheet: ImportSheet) -> Any:
        seen.append(sheet.text.text())
        QTest.keyClick(sheet, Qt.Key.Key_Escape)
        return sheet.result()

    monkeypatch.setattr(ImportSheet, "exec", give_up)
    viewer.open(str(tmp_path / "a.npy"), plugin=PLUGIN)
    qtbot.waitUntil(lambda: bool(seen), timeout=40_000)
    assert "axes" in seen[0] and len(viewer.layers) == 0


def test_tables_go_to_the_worm_that_is_shown(viewer, answers, tmp_path) -> None:
    (tmp_path / "stimuli.csv").write_text("name,onset,offset\nNaCl,1,2\n")
    with pytest.raises(InputError, match="no worm is open"):
        viewer.open(str(tmp_path / "stimuli.csv"), plugin=PLUGIN)
    session = workspace_of(viewer).session
    session.add(Recording.from_arrays(np.ones((6, 3)), name="w", rate_hz=2, names=["", "", "RIML"], labels=[4, 7, 9]))
    (tmp_path / "names.csv").write_text("label,name\n4,AVAL\n7,AVAR\n99,AVBL\n")
    (tmp_path / "w_behaviour.csv").write_text("time_s,speed\n0,0\n2.5,5\n")
    (tmp_path / "list.txt").write_text("AVAL\nRIML\nAVBL\n")
    for name in ("stimuli.csv", "names.csv", "w_behaviour.csv", "list.txt"):
        viewer.open(str(tmp_path / name), plugin=PLUGIN)
    worm = session.recording
    assert worm.stimuli["name"].tolist() == ["NaCl"]
    assert worm.neurons["name"].tolist() == ["AVAL", "AVAR", "RIML"]
    np.testing.assert_allclose(worm.behaviour["speed"].values, 2 * worm.time_s)
    assert set(session.selection.neurons) == {"AVAL", "RIML"}
    session.undo()
    assert session.recording.neurons["name"].tolist() == ["", "", "RIML"]


def test_units_and_radius_of_centres_are_asked_for_and_used(viewer, tmp_path, monkeypatch, qtbot, wait_for) -> None:
    from magicgui import widgets

    from napari_dynamic_connectome.widgets.docks.recording_dock import RecordingDock

    (tmp_path / "c.csv").write_text("frame,id,z,y,x,name\n0,3,2,2,4,AVAL\n1,3,2,2,5,AVAL\n")
    asked: list[str] = []

    def run(sheet: ImportSheet) -> Any:
        sheet.show()
        while sheet.current.question is not None:
            option = sheet.current.question.option
            asked.append(option)
            assert sheet.centres.isVisibleTo(sheet.fold.content) and not sheet.images.isVisibleTo(sheet.fold.content)
            native = sheet.answer.native
            if option == "units":
                qtbot.keyClicks(native, "um")  # goes to the choice
            else:
                qtbot.keyClicks(native, "1.5")
            qtbot.keyClick(native, Qt.Key.Key_Return)
        assert sheet.current.kind == "centres, CSV" and sheet.current.neurons == "1" and sheet.current.frames == "2"
        sheet.accept()
        return ImportSheet.DialogCode.Accepted

    monkeypatch.setattr(ImportSheet, "exec", run)
    viewer.open(str(tmp_path / "c.csv"), plugin=PLUGIN)
    qtbot.waitUntil(lambda: len(viewer.layers) == 1)
    (layer,) = viewer.layers
    assert asked == ["units", "radius_um"]
    assert layer.data.tolist() == [[0, 2, 2, 4], [1, 2, 2, 5]] and layer.features["name"].tolist() == ["AVAL", "AVAL"]
    assert layer.size[0] == 3.0 and str(layer.units[-1]) == "micrometer"
    dock = RecordingDock(viewer)
    viewer.add_image(np.zeros((2, 4, 8, 10)), name="image", scale=(1, 1, 0.5, 0.5))
    dock.flush()
    for spin, size in zip(dock.voxel, (1.0, 0.5, 0.5), strict=True):
        spin.setValue(size)
    monkeypatch.setattr(widgets, "request_values", lambda **_: {"source": "c"})
    wait_for(dock.open_centres())
    assert dock.radius.value() == 1.5 and dock.centre_unit.currentData() == "um"
    labels = np.asarray(viewer.layers["c centres"].data[0])
    assert labels[2, 4, 8] == 3 and labels[2, 4, 5] == 3 and labels[2, 4, 4] == 0  # 2 um, 4 um; radius 3 voxels


def test_axes_and_channel_of_a_foreign_layer_are_asked_for_once(viewer, monkeypatch, wait_for) -> None:
    from napari_dynamic_connectome.widgets.docks.recording_dock import RecordingDock

    dock = RecordingDock(viewer)
    labels = np.zeros(SHAPE[1:], np.uint16)
    labels[1, 2:6, 3:9], labels[1, 9:12, 3:9] = 1, 2
    viewer.add_image(np.stack([VOXELS // 2, VOXELS], axis=2), name="both")  # t, z, c, y, x, as ImageJ has it
    viewer.add_labels(labels, name="cells")
    dock.flush()
    for spin in (*dock.voxel, dock.rate):
        spin.setValue(1.0)
    questions: list[str] = []

    def run(sheet: ImportSheet) -> Any:
        assert sheet.entries[0].kind == "layer"
        while sheet.answer is not None:
            option, native = sheet.current.question.option, sheet.answer.native
            questions.append(option)
            if option == "axes":
                QTest.keyClicks(native, "tzcyx")
            else:
                QTest.keyClicks(native, "1")
            QTest.keyClick(native, Qt.Key.Key_Return)
        QTest.keyClick(sheet.import_button, Qt.Key.Key_Return)
        return sheet.result()

    monkeypatch.setattr(ImportSheet, "exec", run)
    for _ in range(2):
        wait_for(dock.extract())
        raw = dock.session.raw[dock.session.current]
        np.testing.assert_allclose(raw.values[:, 0], VOXELS[:, 1, 2:6, 3:9].mean(axis=(1, 2)), rtol=1e-6)
    assert questions == ["axes", "channel"]


def test_the_open_button_takes_the_same_files(viewer, answers, wait_for, tmp_path) -> None:
    work = workspace_of(viewer)
    names = ("a.h5", "a.npy", "a.csv", "a.graphml")
    for name in names:
        MAKERS[name][1](tmp_path / name)
    open_files.open_paths(work, [tmp_path / name for name in names])
    wait_for(next(iter(work.jobs.running)))
    assert list(work.session.recordings) == ["a"]
    shapes = [layer.data.shape for layer in viewer.layers if type(layer).__name__ in ("Image", "Vectors")]
    assert shapes == [SHAPE, (1, 2, 3), SHAPE]  # what asks comes last


def test_files_named_on_the_command_line_open_and_bad_ones_are_shown(
    viewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dynamic_connectome.widgets.app.start import open_files as open_all
    from napari_dynamic_connectome.widgets.qt import notify

    TRACES.to_csv(tmp_path / "worm.csv", index=False)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no zip")
    shown = []
    monkeypatch.setattr(notify, "show_failure", lambda *args: shown.append(args))
    TRACES.rename(columns={"time_s": "frame"}).assign(frame=range(5)).to_csv(tmp_path / "frames.csv", index=False)
    np.save(tmp_path / "v.npy", VOXELS)
    files = [str(tmp_path / name) for name in ("bad.npz", "worm.csv", "frames.csv", "v.npy")]
    open_all(viewer, files, {"rate_hz": 2.0, "axes": "tzyx"})
    held = workspace_of(viewer).session.recordings
    assert list(held) == ["worm", "frames"] and held["frames"].rate_hz == pytest.approx(2.0)
    assert any(layer.name == "v" and layer.data.shape == SHAPE for layer in viewer.layers)
    assert len(shown) == 1
