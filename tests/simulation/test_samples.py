"""The samples are made once, in the cache folder, and come out the same."""

from __future__ import annotations

import pytest
import zarr

from napari_dynamic_connectome.model import places
from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.simulation import samples


def test_sample_worm_is_made_once(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(places.VARIABLE, str(tmp_path / "cache"))
    path = samples.sample_worm()
    assert path.parent == tmp_path / "cache" and [p.name for p in path.parent.iterdir()] == [path.name]
    root = zarr.open_group(str(path), mode="r")
    names = {p["name"] for p in root["labels/neurons"].attrs["image-label"]["properties"]}
    truth = samples.sample_worm_truth()
    assert len(names & set(truth.members["neuron"])) > 20
    made = (path / "0" / "0").stat().st_mtime_ns
    assert samples.sample_worm() == path and (path / "0" / "0").stat().st_mtime_ns == made


def test_cancelled_sample_leaves_no_half_folder(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(places.VARIABLE, str(tmp_path))
    with pytest.raises(Cancelled):
        samples.sample_worm(cancel=lambda: True)
    assert list(tmp_path.iterdir()) == []


def test_cache_that_cannot_be_made_is_explained(tmp_path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(places.VARIABLE, str(tmp_path / "file" / "cache"))
    with pytest.raises(InputError, match=places.VARIABLE):
        samples.cache_folder()


def test_sample_cohort() -> None:
    cohort, truth = samples.sample_cohort()
    assert len(cohort.worms) == 8 and len(truth.motifs) == 4
