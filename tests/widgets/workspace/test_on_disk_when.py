"""What is on disk when: each step is done in the real window, the disk is copied in that moment, and opened anew."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tests.widgets.docks.test_recording_dock import add, volume
from tests.widgets.docks.test_states_dock import QUICK
from tests.widgets.helpers import cohort, communities, recording
from tests.widgets.qt.test_forms import type_into

from napari_dynamic_connectome.model.places import VARIABLE, cache_folder, state_folder
from napari_dynamic_connectome.session.edits import EDITABLE
from napari_dynamic_connectome.session.journal import Journal, find_recoverable, reopen
from napari_dynamic_connectome.session.save_load import load_session
from napari_dynamic_connectome.session.session import Session
from napari_dynamic_connectome.widgets.workspace import preferences

pytestmark = pytest.mark.gui
PAGE = Path(__file__).parents[3] / "docs" / "pages" / "promises.md"


def hold(session: Session) -> dict[str, Any]:
    """All that must come back, as plain values."""
    found: dict[str, Any] = {"left out": sorted(session.left_out), "current": session.current}
    for name, one in session.recordings.items():
        found[f"{name}: traces"] = one.traces.values.tobytes()
        found[f"{name}: table"] = repr(one.neurons[["label", *EDITABLE]].to_numpy().tolist())
        found[f"{name}: stimuli"] = repr(one.stimuli.to_numpy().tolist())
        found[f"{name}: behaviour"] = sorted(one.behaviour.data_vars)
        found[f"{name}: files"] = repr(
            [r and (Path(r.path).name, r.shape, r.frame_rate_hz) for r in (one.volume, one.labels)]
        )
        found[f"{name}: quality"] = None if one.quality is None else sorted(one.quality.columns)
    found["components"] = None if session.components is None else session.components.pair.values.tobytes()
    found["support"] = session.components is not None and str(
        session.components.support is None or session.components.support.to_csv()
    )
    found["sweep"] = None if session.sweep is None else sorted(session.sweep.components)
    found["communities"] = {k: v.labels.values.tobytes() for k, v in session.communities.items()}
    states = session.states
    found["states"] = None if states is None else (states.weights.values.tobytes(), states.sequence.values.tobytes())
    found["chance"] = {rank: len(some) for rank, some in session.surrogates.items()}
    found["touched"] = {k: dict(v) for k, v in session.touched.items()}
    found["cohort"] = None if session.cohort is None else list(session.cohort.worms)
    found["done"], found["undone"] = [e.text for e in session.done], [e.text for e in session.undone]
    found["settings"] = json.dumps(session.settings, sort_keys=True)
    chosen = session.selection
    if session.components is not None:
        found["shown"] = (chosen.component, chosen.kind, chosen.level, chosen.community)
    return found


def typed(window: Any) -> dict[str, Any]:
    """What stands in the forms of the docks, and what was answered to files."""
    forms = {**window.docks["Cohort"].forms, "labels": window.docks["Segmentation"].form}
    return {key: form.value().model_dump() for key, form in forms.items()} | {"answers": dict(window.work.answers.held)}


def remembered() -> dict[str, Any]:
    """What a window that is opened now would write into them."""
    from napari_dynamic_connectome.comparison.segmentation import LabelSettings
    from napari_dynamic_connectome.io.answers import Answers, answers_path
    from napari_dynamic_connectome.widgets.docks.cohort_dock import FORMS

    held, labels = preferences.load().get("Cohort", {}), preferences.load().get("Segmentation", {})
    forms = {key: model.parse(held.get(key, {})).model_dump() for key, _, model in FORMS}
    return {
        **forms,
        "labels": LabelSettings.parse(labels.get("labels", {})).model_dump(),
        "answers": dict(Answers(answers_path()).held),
    }


def looks(view: dict[str, Any]) -> Any:
    """What the viewer showed, in comparable values."""
    return json.loads(json.dumps({k: view.get(k) for k in ("docks", "camera", "ndisplay")}))


def killed(folder: Path, number: int, saved: Path | None, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Copy what is on disk now, let its window be dead, open it anew, and return what it holds."""
    copy = folder / f"copy-{number}"
    shutil.copytree(state_folder() / "journals", copy / "journals", dirs_exist_ok=True)
    if saved is not None:
        shutil.copytree(saved.parent, copy / "work")
    for lock in copy.rglob("lock"):
        lock.write_text(json.dumps(json.loads(lock.read_text()) | {"pid": 2**22 + 7}))
    before = cache_folder()
    monkeypatch.setenv(VARIABLE, str(copy))
    try:
        if saved is None:
            (found,) = find_recoverable()
            session, journal, refused = reopen(found)
        else:
            session = load_session(copy / "work" / saved.name)
            journal = Journal.attach(session)
            refused = journal.recover()
        assert refused == []
        held = hold(session) | {"looks": looks(journal.view or session.view)}
        journal.close()
        return held
    finally:
        monkeypatch.setenv(VARIABLE, str(before))
        shutil.rmtree(copy)


class Stays:
    """What stays of components, without refitting them."""

    support = pd.DataFrame()
    notes = ()

    def sentences(self) -> list[str]:
        return []


class Window:
    """The window, and one method a step; `steps` gives them in order with what the page says."""

    def __init__(self, viewer: Any, work: Any, qtbot: Any, wait_for: Any, folder: Path) -> None:
        from napari_dynamic_connectome.widgets.app.arrange import arrange_windows

        self.viewer, self.work, self.qtbot, self.wait_for, self.folder = viewer, work, qtbot, wait_for, folder
        self.session = work.session
        self.docks = arrange_windows(viewer)
        self.saved: Path | None = None
        qtbot.wait(20)

    def dock(self, name: str) -> Any:
        from napari_dynamic_connectome.widgets.app.arrange import raise_dock

        raise_dock(self.docks[name])
        self.qtbot.wait(30)
        self.docks[name].flush()
        return self.docks[name]

    def wait(self) -> None:
        self.qtbot.waitUntil(lambda: not self.work.jobs.running, timeout=120_000)
        self.qtbot.wait(30)

    # --- the steps --------------------------------------------------------------------------------------------------

    def extract(self) -> None:
        image, labels, _ = volume()
        add(self.viewer, self.qtbot, image, labels[0], names={1: "AVAL", 2: "AVAR"})
        self.wait_for(self.dock("Recording").extract())

    def correct(self) -> None:
        dock = self.dock("Recording")
        dock.correction.set_value(dock.correction.value().model_copy(update={"baseline": "first seconds"}))
        self.wait_for(dock.correct_again())

    def measure(self) -> None:
        self.wait_for(self.dock("Recording").measure_quality())

    def table(self, what: str, table: pd.DataFrame) -> None:
        path = self.folder / f"{what}.csv"
        table.to_csv(path, index=False)
        if what == "names":
            from napari_dynamic_connectome.widgets.workspace.open_files import open_paths

            open_paths(self.work, [path])
            self.wait()
        else:
            self.dock("Recording").load_table(what, path)

    def stimuli(self) -> None:
        self.table("stimuli", pd.DataFrame({"name": ["NaCl"], "onset_s": [4.0], "offset_s": [8.0]}))

    def behaviour(self) -> None:
        time = np.asarray(self.session.recording.time_s)
        self.table("behaviour", pd.DataFrame({"time_s": time, "speed": np.sin(time)}))

    def names(self) -> None:
        self.table("names", pd.DataFrame({"label": [4], "name": ["RIS"]}))

    def neurons(self, label: int) -> Any:
        table = self.session.recording.neurons
        self.session.select(neurons=(table.index[table["label"] == label][0],))
        return self.dock("Neurons")

    def name(self) -> None:
        self.neurons(3).assign("RID")

    def swap(self) -> None:
        self.neurons(1).swap()

    def note(self) -> None:
        dock = self.neurons(2)
        dock.note.setText("faint")
        dock.note.editingFinished.emit()

    def sure(self) -> None:
        dock = self.neurons(2)
        dock.confidence.setValue(0.4)
        dock.confidence.editingFinished.emit()

    def reject(self) -> None:
        self.neurons(5).reject()

    def undo(self) -> None:
        self.dock("Neurons").undo()

    def redo(self) -> None:
        self.dock("Neurons").redo()

    def open(self) -> None:
        from napari_dynamic_connectome.io.registry import write_recording
        from napari_dynamic_connectome.widgets.workspace.open_files import open_paths

        name = f"opened {len(self.session.recordings)}"
        path = write_recording(recording(name, 5), self.folder / f"{name}.npz")
        open_paths(self.work, [Path(path)])
        self.wait()
        assert self.session.current == name

    def answer(self) -> None:
        """Open traces that do not say how fast they were sampled, and say it in the sheet."""
        from qtpy.QtCore import Qt, QTimer

        from napari_dynamic_connectome.widgets.workspace.import_sheet import ImportSheet
        from napari_dynamic_connectome.widgets.workspace.open_files import open_paths

        path = self.folder / "asks.csv"
        path.write_text("frame,AVAL,AVAR\n" + "".join(f"{i},{i % 3},{i % 5}\n" for i in range(30)))
        run = ImportSheet.exec

        def typed_in(sheet: Any) -> None:
            self.qtbot.keyClicks(sheet.answer.native, "2.5")
            self.qtbot.keyClick(sheet.answer.native, Qt.Key.Key_Return)
            self.qtbot.keyClick(sheet.import_button, Qt.Key.Key_Return)

        def shown(sheet: Any) -> Any:
            QTimer.singleShot(0, lambda: typed_in(sheet))
            return run(sheet)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ImportSheet, "exec", shown)
            open_paths(self.work, [path])
            self.wait()
        assert self.session.current == "asks" and self.session.recording.rate_hz == pytest.approx(2.5)

    def extract_files(self) -> None:
        """Open an image and its labels from files, and extract."""
        from napari_dynamic_connectome.io.volumes.omezarr_write import create_labels, create_volume
        from napari_dynamic_connectome.widgets.workspace.open_files import open_paths

        voxels, labels, _ = volume()
        place = self.folder / "filmed.ome.zarr"
        stored = create_volume(place, voxels.shape, dtype=voxels.dtype, voxel_size_um=(2, 0.5, 0.5), frame_rate_hz=2)
        stored[:] = voxels
        create_labels(place, labels[0].shape, "zyx", voxel_size_um=(2, 0.5, 0.5))[:] = labels[0]
        self.viewer.layers.clear()
        open_paths(self.work, [place])
        self.wait()
        self.qtbot.wait(50)
        self.wait_for(self.dock("Recording").extract())
        held = self.session.recording
        assert held.volume is not None and held.labels is not None and held.volume.path.endswith("filmed.ome.zarr")

    def compare_labels(self) -> None:
        """Compare two Labels layers and save the tables."""
        dock = self.dock("Segmentation")
        labels = volume()[1]
        for name, moved in (("mine", 1), ("by hand", 0)):
            self.viewer.add_labels(np.roll(labels, moved, axis=-1), name=name)
        self.qtbot.wait(30)
        dock.tested.setCurrentText("mine")
        dock.reference.setCurrentText("by hand")
        self.wait_for(dock.compare())
        dock.save(self.folder / "compared")
        for name in ("mine", "by hand"):
            self.viewer.layers.remove(name)
        assert dock.found is not None and sorted((self.folder / "compared").glob("*.csv"))

    def label_form(self) -> None:
        dock = self.dock("Segmentation")
        dock.fold.head.setChecked(True)
        type_into(dock.form, "match", "0.25")
        assert dock.form.value().match == 0.25

    def add_cohort(self) -> None:
        from napari_dynamic_connectome.widgets.workspace.analysis import add_cohort

        add_cohort(self.work, cohort())

    def show_worm(self) -> None:
        self.dock("Cohort").show_worm("worm A")

    def leave_out(self) -> None:
        from qtpy.QtCore import Qt

        for name in self.session.recordings:
            if not name.startswith("worm ") and name not in self.session.left_out:
                break
        dock = self.dock("Cohort")
        item = dock.list.item(list(self.session.recordings).index(name))
        item.setCheckState(Qt.CheckState.Unchecked)
        assert name in self.session.left_out

    def take_in(self) -> None:
        self.dock("Cohort").all_button.click()

    def none(self) -> None:
        self.dock("Cohort").none_button.click()

    def close_worm(self) -> None:
        dock = self.dock("Cohort")
        number = len(self.session.recordings)
        dock.list.setCurrentRow(number - 1)
        dock.close_button.click()
        assert len(self.session.recordings) == number - 1

    def analyze(self) -> None:
        dock = self.dock("Cohort")
        dock.all_button.click()
        for name in self.session.recordings:
            self.session.leave_out(name, not name.startswith("worm "))
        dock.forms["rank"].set_value(dock.forms["rank"].model(smallest=1, largest=3, starts=2, folds=2))
        dock.forms["communities"].set_value(dock.forms["communities"].model(samples=20, null_fits=0, starts=1))
        self.wait_for(dock.analyze(), 300)
        if self.session.components is None or self.session.components.rank == 1:
            self.rank()  # which one is suggested is not what is tested
        folders = (cache_folder() / "checkpoints").glob("analyze-*")
        self.qtbot.waitUntil(lambda: not list(folders))
        assert self.session.components is not None

    def rank(self) -> None:
        ranks = sorted(self.session.sweep.components)
        old = None if self.session.components is None else self.session.components.rank
        self.dock("Components").choose_rank(next(r for r in ranks if r not in (1, old)))
        self.wait()

    def component(self) -> None:
        self.session.select(component=2 if self.session.selection.component == 1 else 1)

    def kind(self) -> None:
        kinds = [k for c, k in self.session.communities if c == self.session.selection.component]
        self.session.select(kind=next(k for k in kinds if k != self.session.selection.kind))

    def nested(self) -> None:
        worms, at = self.session.cohort, (self.session.selection.component, self.session.selection.kind)
        recovery = self.work.recovery
        found = recovery.write_results(lambda s: s.set_communities({at: communities(worms)}))
        recovery.show_results(found, "communities with two levels")

    def states(self) -> None:
        dock = self.dock("States")
        dock.form.set_value(dock.form.model(**QUICK))
        dock._edited()
        self.wait_for(dock.find_states(), 120)
        assert self.session.states is not None

    def form(self) -> None:
        form = self.dock("Cohort").forms["affinity"]
        self.docks["Cohort"].folds["affinity"].head.setChecked(True)
        type_into(form, "sigma_s", "3.5")
        assert form.value().sigma_s == 3.5

    def level(self) -> None:
        self.session.select(level=1 - self.session.selection.level)

    def community(self) -> None:
        self.session.select(community=0)

    def chance(self) -> None:
        view = self.dock("Components").chance
        view.count.setValue(2)
        self.wait_for(view.run())
        assert self.session.surrogates

    def robustness(self) -> None:
        self.wait_for(self.dock("Components").robustness.run())

    def again(self) -> None:
        self.wait_for(self.dock("Communities").find_communities())

    def noted(self) -> None:
        from napari_dynamic_connectome.widgets.viewer.view_state import capture

        self.qtbot.waitUntil(lambda: self.work.recovery._noted == capture(self.work), timeout=20_000)

    def turn(self) -> None:
        self.viewer.scene.camera.zoom *= 1.3
        self.noted()

    def colours(self) -> None:
        self.work.view.set(color_by="strength" if self.work.view.color_by != "strength" else "activity")
        self.noted()

    def label(self) -> None:
        name, layer = next(iter(self.work.scene.labels.items()))
        edited = self.session.touched.get(name, {}).get("labels", ())
        corner = tuple(0 for _ in layer.data.shape)
        new = next(i for i in range(1, 9) if i not in edited and i != layer.data[corner])
        layer.paint(corner, new)
        self.qtbot.waitUntil(lambda: new in self.session.touched.get(name, {}).get("labels", ()), timeout=20_000)

    def save(self) -> None:
        self.saved = self.folder / "work" / "s.zarr"
        self.saved.parent.mkdir(exist_ok=True)
        self.wait_for(self.dock("Export").save_session(self.saved))


STEPS = (
    ("extract traces for the first time", Window.extract),
    ("correct traces", Window.correct),
    ("load stimuli", Window.stimuli),
    ("load behaviour", Window.behaviour),
    ("drop a table of names", Window.names),
    ("name a neuron", Window.name),
    ("swap left and right", Window.swap),
    ("say how sure a name is", Window.sure),
    ("write a note", Window.note),
    ("reject a neuron", Window.reject),
    ("undo", Window.undo),
    ("redo", Window.redo),
    ("open a recording", Window.open),
    ("measure quality", Window.measure),
    ("answer what a file leaves open", Window.answer),
    ("extract traces from files", Window.extract_files),
    ("change a setting of the comparison of labels", Window.label_form),
    ("compare labels and save the tables", Window.compare_labels),
    ("correct a label by hand", Window.label),
    ("turn the worm", Window.turn),
    ("choose other colours", Window.colours),
    ("add a cohort", Window.add_cohort),
    ("show another worm", Window.show_worm),
    ("change a setting", Window.form),
    ("leave a worm out", Window.leave_out),
    ("leave all worms out", Window.none),
    ("take worms in again", Window.take_in),
    ("close a worm", Window.close_worm),
    ("analyze", Window.analyze),
    ("choose a component", Window.component),
    ("choose a kind of communities", Window.kind),
    ("find nested communities", Window.nested),
    ("choose a level", Window.level),
    ("choose a community", Window.community),
    ("choose another rank", Window.rank),
    ("choose the first rank again", Window.rank),
    ("compare with chance", Window.chance),
    ("what stays of the components", Window.robustness),
    ("find states", Window.states),
    ("find communities again", Window.again),
    ("name a neuron after the analysis", Window.name),
    ("save", Window.save),
    ("reject a neuron after saving", Window.reject),
    ("extract traces after saving", Window.extract),
    ("open a recording after saving", Window.open),
    ("leave a worm out after saving", Window.leave_out),
    ("close a worm after saving", Window.close_worm),
    ("choose a component after saving", Window.component),
    ("choose another rank after saving", Window.rank),
    ("analyze after saving", Window.analyze),
    ("undo after saving", Window.undo),
    ("correct a label by hand after saving", Window.label),
    ("turn the worm after saving", Window.turn),
    ("save again", Window.save),
)


ELSEWHERE = {
    Window.form: "the settings of the docks",
    Window.label_form: "the settings of the docks",
    Window.answer: "the state folder; the answer, for files that ask the same, in the settings folder",
    Window.compare_labels: "the folder that was chosen",
}
FORMS = (Window.form, Window.label_form)


def rows() -> list[str]:
    """Rows of the table on the page."""
    found, saved = [], False
    for words, step in STEPS:
        saved = saved or step is Window.save
        place = "the session" if step is Window.save else "the journal beside it" if saved else "the state folder"
        found.append(f"| {words} | {ELSEWHERE.get(step, place)} |")
    return found


def test_what_the_window_shows_as_done_is_on_disk(viewer, work, qtbot, wait_for, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "state"))
    # what it finds takes minutes and is not what is tested; all that happens to it afterwards is real
    monkeypatch.setattr("napari_dynamic_connectome.robustness.run.assess_robustness", lambda *_, **__: Stays())
    monkeypatch.setattr(
        "napari_dynamic_connectome.robustness.run.with_support",
        lambda one, _: replace(one, support=one.support.assign(warning="one worm carries it")),
    )
    from napari_dynamic_connectome.widgets.viewer.view_state import capture

    window = Window(viewer, work, qtbot, wait_for, tmp_path)
    lost: dict[str, list[str]] = {}
    for number, (words, step) in enumerate(STEPS):
        before, forms = hold(work.session) | {"looks": looks(capture(work))}, typed(window)
        step(window)
        shown = hold(work.session) | {"looks": looks(capture(work))}
        back = killed(tmp_path, number, window.saved, monkeypatch)
        if step in FORMS:
            before, shown, back = {"forms": forms}, {"forms": typed(window)}, {"forms": remembered()}
        if step is Window.answer:
            before, shown, back = (
                {**known, "answers": said["answers"]}
                for known, said in ((before, forms), (shown, typed(window)), (back, remembered()))
            )
        if step is Window.compare_labels:  # nothing of it belongs to the session
            tables = {p.name: p.read_bytes() for p in (tmp_path / "compared").glob("*.csv")}
            before, shown, back = {}, {"tables": sorted(tables)}, {"tables": sorted(tables)}
        if step not in (Window.turn, Window.colours, *FORMS):
            back["looks"] = shown.get("looks")  # it is noted a moment later, and not what this step is about
        differ = [k for k in {**shown, **back} if shown.get(k) != back.get(k)]
        if differ:
            lost[words] = differ
        if step not in (Window.save, Window.again) and before == shown:
            lost[words] = ["nothing happened"]
    assert lost == {}


def test_the_page_lists_these_steps() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("% begin on disk")[2].partition("% end on disk")[0]
    assert [line for line in text.splitlines() if line.startswith("|")][2:] == rows()
