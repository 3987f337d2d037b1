"""A run that was stopped goes on where it was, gives the same, and never takes what belongs to other settings."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from napari_dynamic_connectome.factorization.jobs import FitCheckpoint
from napari_dynamic_connectome.model.errors import Cancelled
from napari_dynamic_connectome.pipeline import run
from napari_dynamic_connectome.pipeline.settings import PipelineSettings

sys.path.insert(0, str(Path(__file__).parents[1] / "soak"))
sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from kill_runs import small_run
from session_sample import same

PARTS = ("recordings", "sweep", "components", "communities")


@pytest.fixture(scope="module")
def settings_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_run(tmp_path_factory.mktemp("data"), 100)


@pytest.fixture
def settings(settings_file: Path) -> PipelineSettings:
    return PipelineSettings.from_file(settings_file, {"communities": {"null_fits": 0, "samples": 10}})


@pytest.fixture
def saved(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the fits that were finished, in order."""
    names: list[str] = []
    save = FitCheckpoint.save

    def noted(self, job, result) -> None:
        save(self, job, result)
        names.append(self._path(job).name)

    monkeypatch.setattr(FitCheckpoint, "save", noted)
    return names


def run_until(settings: PipelineSettings, output: Path, stop) -> None:
    with pytest.raises(Cancelled):
        run.run_pipeline(settings, output, cancel=stop)


def test_a_stopped_run_goes_on_and_gives_the_same(settings, saved, tmp_path, monkeypatch) -> None:
    alone = run.run_pipeline(settings, tmp_path / "alone")
    whole = list(saved)
    assert len(whole) == len(set(whole)) == 6  # two ranks, with two folds each
    saved.clear()
    output = tmp_path / "stopped"
    run_until(settings, output, lambda: len(saved) >= 2)
    assert saved == whole[:2]
    assert (output / "session.zarr").is_dir()  # the recordings are safe
    (folder,) = (output / "checkpoints").glob("components-*")
    assert {p.name for p in folder.glob("*.npz")} == set(saved)
    (folder / whole[0]).write_bytes((folder / whole[0]).read_bytes()[:300])  # damaged: done again
    monkeypatch.setattr(run, "SAVE_EVERY_S", 0.0)
    count = [0]
    partition = run.partition

    def stop_after_two(*given, keep, **more):
        def counted(found) -> None:
            keep(found)
            count[0] += 1
            if count[0] == 2:
                raise Cancelled

        return partition(*given, keep=counted, **more)

    monkeypatch.setattr(run, "partition", stop_after_two)
    run_until(settings, output, None)
    assert sorted(saved) == sorted([*whole, whole[0]])
    monkeypatch.setattr(run, "partition", partition)
    found_again: list[int] = []
    monkeypatch.setattr(
        run, "partition", lambda *a, known, **m: [found_again.append(len(known)), partition(*a, known=known, **m)][1]
    )
    again = run.run_pipeline(settings, output)
    assert found_again == [2] and len(saved) == 7
    for part in PARTS:
        same(getattr(again, part), getattr(alone, part), part)
    assert not (output / "checkpoints").exists()


def test_other_settings_never_take_what_is_half_done(settings, saved, tmp_path) -> None:
    output = tmp_path / "out"
    run_until(settings, output, lambda: len(saved) >= 1)
    (folder,) = (output / "checkpoints").glob("components-*")
    other = settings.model_copy(update={"seed": 8})
    again = run.run_pipeline(other, output)
    assert not folder.exists()
    fresh = run.run_pipeline(other, tmp_path / "fresh")
    for part in PARTS:
        same(getattr(again, part), getattr(fresh, part), part)


@pytest.mark.parametrize(
    ("table", "changed", "stage"),
    [
        ("extraction", {"statistic": "median"}, "recordings"),
        ("correction", {"baseline": "first seconds"}, "recordings"),
        ("quality", {"min_snr": 1.25}, "recordings"),
        ("correct", "none", "recordings"),
        ("cohort", {"min_worms": 3}, "components"),
        ("affinity", {"sigma_s": 3.5}, "components"),
        ("rank", {"largest": 4}, "components"),
        ("factorization", {"inner": 4}, "components"),
        ("seed", 17, "components"),
        ("communities", {"samples": 77}, "communities"),
        ("kinds", ("core",), "communities"),
    ],
)
def test_a_stage_is_done_again_when_a_setting_that_it_depends_on_was_changed(table, changed, stage) -> None:
    from napari_dynamic_connectome.pipeline.run import stage_hashes

    plain = PipelineSettings()
    value = getattr(plain, table)
    new = value.model_copy(update=changed) if isinstance(changed, dict) else changed
    if isinstance(changed, dict):
        assert set(changed) <= set(type(value).model_fields)
    assert new != value
    before = stage_hashes(plain, [], None)
    after = stage_hashes(plain.model_copy(update={table: new}), [], None)
    stages = ["recordings", "components", "communities"]
    at = stages.index(stage)
    assert [before[s] == after[s] for s in stages] == [True] * at + [False] * (len(stages) - at)
