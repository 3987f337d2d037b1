"""Reading and judging on a cluster: the same as here, worm by worm, stopped at once, and only what a worker sees."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.formats.parquet import choose_part, iterate_part, split_part
from napari_dynamic_connectome.model.cluster import local_client
from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.pipeline import reading
from napari_dynamic_connectome.pipeline.run import load_recordings, run_pipeline
from napari_dynamic_connectome.pipeline.settings import PipelineSettings

pytest.importorskip("pyarrow")
NAMES = [f"{stem}{side}" for stem in ["AVA", "AVE", "AIB", "RIM", "AVB", "RIB", "RMD", "SMD"] for side in "LR"]
SAMPLES = 400


def write_collection(path: Path, worms: int = 6, rows: int = len(NAMES)) -> Path:
    """Worms with two groups of neurons that are active together, `rows` neurons in a row group."""
    rng = np.random.default_rng(1)
    kernel = np.exp(-0.5 * (np.arange(-12, 13) / 4) ** 2)

    def smooth(count: int) -> np.ndarray:
        return np.apply_along_axis(np.convolve, 0, rng.normal(size=(SAMPLES, count)), kernel, "same")

    table = []
    for number in range(worms):
        traces = smooth(len(NAMES))
        traces[:, :5] += 2 * smooth(1)
        traces[:, 5:10] += 2 * smooth(1)
        table += [
            {
                "source_dataset": ["Kato2015", "Dag2023"][number % 2],
                "worm": f"worm{number // 2}",
                "neuron": name,
                "slot": k,
                "is_labeled_neuron": True,
                "original_calcium_data": traces[:, k].astype("f4"),
                "original_time_in_seconds": (np.arange(SAMPLES) * 0.25).astype("f4"),
            }
            for k, name in enumerate(NAMES)
        ]
    pd.DataFrame(table).to_parquet(path, index=False, row_group_size=rows)
    return path


def settings_of(*paths: Path, **more: object) -> PipelineSettings:
    return PipelineSettings.parse({"input": {"recordings": [str(p) for p in paths]}, **more}, where="test")


def same_recordings(one: list, two: list) -> None:
    assert [r.name for r in one] == [r.name for r in two]
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.traces.values, b.traces.values)
        np.testing.assert_array_equal(a.time_s, b.time_s)
        pd.testing.assert_frame_equal(a.neurons, b.neurons)
        pd.testing.assert_frame_equal(a.quality, b.quality)
        assert repr(dict(a.provenance)) == repr(dict(b.provenance)) and a.remarks == b.remarks


@pytest.mark.parametrize(
    ("rows", "worms", "parts"),
    [
        (16, 1, [1] * 6),  # a worm in a row group
        (16, 4, [4, 2]),
        (32, 1, [2] * 3),  # two worms in a row group
        (5, 2, [2, 3, 1]),  # worms across row groups: only where both sides end
        (500, 1, [6]),  # everything in one
    ],
)
def test_parts_of_a_collection_decode_every_row_group_once(tmp_path, rows, worms, parts):
    whole = choose_part(write_collection(tmp_path / "worms.parquet", rows=rows))
    some = split_part(whole, worms)
    groups = [(n, g) for one in some for n, mine in one.groups or () for g in mine]
    assert len(groups) == len(set(groups))
    assert sum(len(one.counts) for one in some) == 6
    assert [len(one.counts) for one in some] == parts or rows == 5
    together = [r for one in some for r in iterate_part(one)]
    here = list(iterate_part(whole))
    assert [r.name for r in together] == [r.name for r in here]
    for a, b in zip(together, here, strict=True):
        np.testing.assert_array_equal(a.traces.values, b.traces.values)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == "napari_dynamic_connectome"]


@pytest.fixture(scope="module")
def threads():
    """A cluster within this process: what is asked of it is the same, and it starts at once."""
    distributed = pytest.importorskip("distributed")
    local = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster, distributed.Client(cluster) as client:
        yield client


def test_a_cluster_reads_and_judges_the_same_worm_by_worm(tmp_path, threads, caplog):
    collection = write_collection(tmp_path / "worms.parquet")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.random((200, 4)), columns=["AVAL", "AVAR", "n1", "RIS"])
    frame.insert(0, "time_s", np.arange(200) * 0.5)
    frame.to_csv(tmp_path / "alone.csv", index=False)
    collected = {"input": {"recordings": [str(tmp_path / "alone.csv"), str(collection)]}, "correct": "all"}
    collected["input"]["collection"] = {"datasets": ["Kato2015"], "worms": ["worm0", "worm2"]}
    settings = PipelineSettings.parse(collected, where="test")
    caplog.set_level("WARNING")
    here = load_recordings(settings)
    remarks = said(caplog)
    caplog.clear()
    told: list[tuple[float, str]] = []
    there = load_recordings(settings, client=threads, progress=lambda share, text="": told.append((share, text)))
    assert len(here) == 3
    same_recordings(here, there)
    assert said(caplog) == remarks and len(remarks) == 1
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and shares[-1] == 1
    read = [text for _, text in told if text.startswith("reading ") and " of 3 worms or files" in text]
    judged = [text for _, text in told if text.startswith("quality of")]
    assert len(read) == 3 and len(judged) == 3 and judged[-1].endswith("3 of 3 worms")


def test_what_a_worker_does_not_see_is_read_here(tmp_path, threads, monkeypatch):
    collection = write_collection(tmp_path / "worms.parquet")
    settings = settings_of(collection)
    here = load_recordings(settings)
    state, main, asked = reading._state, threading.main_thread(), []

    def other_file(path: Path) -> tuple:
        if threading.current_thread() is main:
            return state(path)
        asked.append(path)
        return ((str(path), 0, 0),)

    monkeypatch.setattr(reading, "_state", other_file)
    there = load_recordings(settings, client=threads)
    assert len(asked) > 1
    same_recordings(here, there)


@pytest.mark.parametrize("stage", ["reading", "quality of"])
def test_a_cancel_is_heard_within_a_second_while_a_cluster_works(tmp_path, threads, monkeypatch, stage):
    collection = write_collection(tmp_path / "worms.parquet")
    name = {"reading": "_read_alone", "quality of": "_judge_alone"}[stage]
    monkeypatch.setattr(reading, name, lambda common, item: time.sleep(5))
    asked: list[float] = []

    def cancel() -> bool:
        if texts and texts[-1].startswith(stage):
            asked.append(time.monotonic())
        return len(asked) > 3

    texts: list[str] = []
    if stage == "quality of":
        texts.append(stage)
        here = list(iterate_part(choose_part(collection)))
        with pytest.raises(Cancelled):
            reading.judge_all(here, PipelineSettings().quality, client=threads, cancel=cancel)
    else:
        with pytest.raises(Cancelled):
            load_recordings(
                settings_of(collection), client=threads, cancel=cancel, progress=lambda _, text="": texts.append(text)
            )
    assert time.monotonic() - asked[3] < 1


def test_questions_and_errors_arrive_from_another_process():
    asked = ChoiceNeeded("which?", where="a.npz", fix="Say.", option="fields", choices=("x", "y"), example="x")
    there = pickle.loads(pickle.dumps(asked))
    assert type(there) is ChoiceNeeded and str(there) == str(asked)
    assert (there.option, there.choices, there.example) == ("fields", ("x", "y"), "x")


def test_what_cannot_be_read_is_said_in_the_same_words(tmp_path, threads):
    (tmp_path / "bad.csv").write_text("a,b\n1,x\n")
    for path in (tmp_path / "bad.csv", write_collection(tmp_path / "worms.parquet")):
        more = {"reading": [{"files": "*.parquet", "column": "nothing"}]}
        settings = PipelineSettings.parse({"input": {"recordings": [str(path)], **more}}, where="test")
        said = []
        for client in (None, threads):
            with pytest.raises(InputError) as caught:
                load_recordings(settings, client=client)
            said.append(str(caught.value))
        assert said[0] == said[1]


STAGES = (
    ("napari_dynamic_connectome.pipeline.reading", "_read_alone"),
    ("napari_dynamic_connectome.pipeline.reading", "_judge_alone"),
    ("napari_dynamic_connectome.factorization.prepare", "_patterns_alone"),
    ("napari_dynamic_connectome.factorization.jobs", "_remote"),
    ("napari_dynamic_connectome.pipeline.surrogate_fits", "_fit_alone"),
    ("napari_dynamic_connectome.pipeline.partition", "_searched_alone"),
    ("napari_dynamic_connectome.pipeline.partition", "_again_alone"),
)


def arm(folder: str, stages: tuple[tuple[str, str], ...]) -> None:
    """Let the first piece of every stage kill the worker that it runs in, wherever it is."""
    import importlib

    def deadly(module: str, name: str) -> None:
        place = importlib.import_module(module)
        function = getattr(place, name)

        def wrapped(common: object, item: object) -> object:
            try:
                (Path(folder) / name).touch(exist_ok=False)
            except FileExistsError:
                return function(common, item)
            os.kill(os.getpid(), signal.SIGKILL)
            return None

        setattr(place, name, wrapped)

    for module, name in stages:
        deadly(module, name)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_a_worker_that_is_killed_in_every_stage_costs_nothing(tmp_path):
    distributed = pytest.importorskip("distributed")

    class Armed(distributed.WorkerPlugin):
        """Arms every worker as it starts, those that follow a killed one, too."""

        folder = str(tmp_path / "killed")

        def setup(self, worker: object) -> None:
            arm(self.folder, STAGES)

    settings = settings_of(
        write_collection(tmp_path / "worms.parquet"),
        rank={"largest": 2, "starts": 2, "folds": 0},
        communities={"samples": 0, "starts": 1},
        kinds=["core"],
        factorization={"compression": "on"},
        chance={"surrogates": 19, "sweep_surrogates": 9},
    )
    here = run_pipeline(settings, tmp_path / "here")
    killed = tmp_path / "killed"
    killed.mkdir()
    with local_client(3) as client:
        client.register_plugin(Armed())
        there = run_pipeline(settings, tmp_path / "there", client=client)
    assert sorted(p.name for p in killed.iterdir()) == sorted(name for _, name in STAGES)
    same_recordings(list(here.recordings.values()), list(there.recordings.values()))
    for name in ("pair", "time", "worm"):
        np.testing.assert_array_equal(getattr(here.components, name).values, getattr(there.components, name).values)
    assert here.components.error == there.components.error
    pd.testing.assert_frame_equal(here.components.support, there.components.support)
    assert list(here.communities) == list(there.communities) and any(len(c.table()) for c in here.communities.values())
    for key, one in here.communities.items():
        np.testing.assert_array_equal(one.labels.values, there.communities[key].labels.values)
        pd.testing.assert_frame_equal(one.table(), there.communities[key].table())
        assert one.answer == there.communities[key].answer
