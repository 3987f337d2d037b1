"""The homogenized collection in the Cohort dock: listed and filtered before loading, loaded with cancel."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from qtpy.QtCore import Qt

from napari_dynamic_connectome.model.errors import InputError

pytestmark = pytest.mark.gui
pytest.importorskip("pyarrow")
NAMES = ["AVAL", "AVAR", "RIML", "RIS", "AIBL", "AIBR"]
WORMS = [("Kato2015", f"worm{i}", 6, 2 + i, 300 + 600 * i) for i in range(4)] + [
    ("Flavell2023", "worm0", 5, 0, 900), ("Flavell2023", "worm1", 5, 5, 200),
]  # fmt: skip


def collection(path, worms=WORMS):
    """A file of the published layout: one row a neuron. Worms are (source, name, neurons, named, samples at 2 Hz)."""
    rng = np.random.default_rng(0)
    rows = []
    for source, worm, neurons, named, samples in worms:
        for k in range(neurons):
            trace = rng.random(samples).astype("f4")
            rows.append(
                {
                    "source_dataset": source, "raw_data_file": f"{source}.mat", "worm": worm,
                    "neuron": NAMES[k] if k < named else str(k), "slot": k, "is_labeled_neuron": k < named,
                    "calcium_data": trace, "original_calcium_data": trace,
                    "original_time_in_seconds": (np.arange(samples) * 0.5).astype("f4"),
                    "original_median_dt": np.float32(0.5), "original_max_timesteps": samples,
                }
            )  # fmt: skip
    pd.DataFrame(rows).to_parquet(path, index=False)
    return path


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def dock(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.cohort_dock import CohortDock

    made = add_dock(CohortDock)
    qtbot.wait(20)
    return made


def shown(panel) -> list[tuple[str, str]]:
    return [(r["source_dataset"], r["worm"]) for r in panel.table.rows_model.rows]


def test_worms_are_filtered_before_any_is_loaded_and_only_the_chosen_are(dock, work, wait_for, qtbot, tmp_path):
    panel = dock.collection
    wait_for(dock.browse(collection(tmp_path / "worms.parquet")))
    assert panel.isVisible() and panel.summary.text() == "6 of 6 worms" and not work.session.recordings
    assert dock.collection_fold.summary.text() == "6 of 6 worms"
    panel.min_named.setValue(3)
    assert shown(panel) == [
        ("Kato2015", "worm1"),
        ("Kato2015", "worm2"),
        ("Kato2015", "worm3"),
        ("Flavell2023", "worm1"),
    ]
    panel.min_minutes.setValue(10)
    assert shown(panel) == [("Kato2015", "worm2"), ("Kato2015", "worm3")]
    panel.min_minutes.setValue(0)
    panel.source.setCurrentText("Flavell2023")
    assert shown(panel) == [("Flavell2023", "worm1")]
    panel.source.setCurrentIndex(0)
    qtbot.keyClicks(panel.name, "WORM3")
    assert shown(panel) == [("Kato2015", "worm3")]
    panel.name.clear()
    panel.min_named.setValue(0)
    panel.min_neurons.setValue(6)
    assert len(shown(panel)) == 4
    panel.table.selectRow(1)
    assert panel.load_button.text() == "Load 1 worm"
    qtbot.mouseClick(panel.load_button, Qt.MouseButton.LeftButton)
    wait_for(panel.bar.job)
    assert list(work.session.recordings) == ["Kato2015 worm1"]
    found = work.session.recordings["Kato2015 worm1"]
    assert found.n_neurons == 6 and len(found.named) == 3 and found.n_times == 900
    # again, without unnamed neurons and beside the first: nothing is replaced
    panel.only_named.setChecked(True)
    wait_for(panel.load())
    assert [r.n_neurons for r in work.session.recordings.values()] == [6, 3]


def test_loading_is_cancelled_and_leaves_the_session_as_it_was(dock, work, wait_for, qtbot, tmp_path, monkeypatch):
    from napari_dynamic_connectome.io.formats import parquet

    panel = dock.collection
    wait_for(dock.browse(collection(tmp_path / "worms.parquet")))
    read = parquet._one_worm

    def and_cancel(*given):
        panel.bar.job.cancel()
        return read(*given)

    monkeypatch.setattr(parquet, "_one_worm", and_cancel)
    job = panel.load()
    wait_for(job, 20)
    assert job.cancelled.is_set() and not work.session.recordings and not panel.bar.isVisible()


def test_another_file_is_refused_in_one_sentence(dock, wait_for, tmp_path):
    pd.DataFrame({"a": [1.0]}).to_parquet(tmp_path / "other.parquet")
    job = wait_for(dock.browse(tmp_path / "other.parquet"))
    assert isinstance(job.error, InputError) and "no homogenized collection" in str(job.error)
    assert not dock.collection.filters.isVisible() and dock.collection.file_button.isEnabled()
