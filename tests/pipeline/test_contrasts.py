"""Attributes of worms and confounds in a settings file: where they are read, and what they make to be done again."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.comparison.confounds import partial_out_cohort
from napari_dynamic_connectome.model.attributes import attributes_of
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.pipeline.contrasts import contrasts, give_attributes
from napari_dynamic_connectome.pipeline.run import decompose, stage_hashes
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.report.contrasts import write_contrasts


def cohort() -> Cohort:
    rng = np.random.default_rng(0)
    worms = []
    for k in range(3):
        speed = np.convolve(rng.standard_normal(419), np.ones(20) / 20, mode="valid")
        traces = 0.2 * rng.standard_normal((400, 6))
        traces[:, :3] += 2 * speed[:, None]
        channels = xr.Dataset({"speed": ("time", speed, {"kind": "continuous"})})
        worms.append(
            Recording.from_arrays(
                traces, name=f"w{k}", rate_hz=4, names=[f"N{i}" for i in range(6)], behaviour=channels
            )
        )
    return Cohort(worms)


def test_the_table_of_worms_lies_beside_the_settings_and_single_worms_go_before_it(tmp_path) -> None:
    (tmp_path / "worms.csv").write_text("worm,strain,day\nw0,N2,1\nw1,N2,\n")
    (tmp_path / "settings.toml").write_text(
        '[input]\nrecordings = ["*.npz"]\nattributes_file = "worms.csv"\n[input.attributes]\nw1 = { strain = "CB1" }\n'
    )
    settings = PipelineSettings.from_file(tmp_path / "settings.toml")
    given = give_attributes(list(cohort().recordings), settings.input)
    assert [attributes_of(r) for r in given] == [{"strain": "N2", "day": "1"}, {"strain": "CB1"}, {}]
    wrong = settings.input.model_copy(update={"attributes": {"w9": {"strain": "N2"}}})
    with pytest.raises(InputError, match=r"no worm 'w9'.*Known: w0, w1, w2"):
        give_attributes(list(cohort().recordings), wrong)


def test_confounds_make_components_anew_and_attributes_do_not() -> None:
    plain = PipelineSettings()
    before = stage_hashes(plain, [])
    grouped = plain.model_copy(
        update={
            "input": plain.input.model_copy(update={"attributes": {"w0": {"strain": "N2"}}, "attributes_file": "x"})
        }
    )
    assert stage_hashes(grouped, []) == before
    confounds = plain.confounds.model_copy(update={"channels": ("speed",)})
    after = stage_hashes(plain.model_copy(update={"confounds": confounds}), [])
    assert after["recordings"] == before["recordings"] and after["components"] != before["components"]


def test_an_analysis_is_that_of_the_residuals() -> None:
    """The affinities that are factorized are those of traces without the confound, and the cohort itself stays."""
    worms = cohort()
    settings = PipelineSettings.parse(
        {"rank": {"rank": 1, "starts": 1}, "confounds": {"channels": ("speed",), "last_lag_s": 0}}
    )
    affinity, _, _ = decompose(worms, settings)
    clean = compute_affinity(partial_out_cohort(worms, settings.confounds))
    np.testing.assert_array_equal(affinity.blocks[0].dense(), clean.blocks[0].dense())
    driven, rest = (affinity.mean_affinity().sel(neuron="N0", neuron_b=n) for n in ("N1", "N4"))
    raw = compute_affinity(worms).mean_affinity()
    assert float(raw.sel(neuron="N0", neuron_b="N1")) > 2 * float(raw.sel(neuron="N0", neuron_b="N4"))
    assert float(driven) < 1.3 * float(rest)


def test_the_page_of_contrasts_says_how_they_were_made(tmp_path) -> None:
    settings = PipelineSettings.parse({"confounds": {"channels": ["speed"]}, "seed": 4})
    found = contrasts(cohort(), settings)
    assert found.provenance["seed"] == 4 and [one["worm"] for one in found.provenance["inputs"]] == ["w0", "w1", "w2"]
    write_contrasts(found, tmp_path / "out")
    page = (tmp_path / "out" / "contrasts.html").read_text()
    assert "<h2>Provenance</h2>" in page and found.provenance["inputs"][0]["sha256"] in page
