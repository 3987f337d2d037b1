"""The pages of robustness and contrasts: every table as CSV and JSON, figures, text escaped, also where parts are missing."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.comparison.onsets import average_onsets
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.pipeline.contrasts import Contrasts, contrasts
from napari_dynamic_connectome.pipeline.run import decompose
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.report.contrasts import write_contrasts
from napari_dynamic_connectome.report.robustness import write_robustness
from napari_dynamic_connectome.robustness.run import assess_robustness
from napari_dynamic_connectome.simulation.simulate import simulate_cohort

FEW = {
    "bootstraps": 2,
    "rank_bootstraps": 0,
    "seeds": 1,
    "chance": 1,
    "starts": 1,
    "kappa": (0.0, 1.0),
    "min_worms": (1, 2),
}


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_cohort(n_worms=4, n_neurons=16, duration_s=90, n_motifs=2, motif_size=5, seed=4)[0]


@pytest.mark.parametrize("parts", [("bootstrap", "chance", "settings"), ("seeds",)])
def test_robustness_is_written_whole_or_in_part(cohort, tmp_path, parts) -> None:
    settings = PipelineSettings.parse(
        {"rank": {"rank": 2}, "robustness": FEW | {"parts": parts, "sigma_s": (), "exponent": (), "ranks": (2, 3)}}
    )
    result = assess_robustness(cohort, settings)
    paths = write_robustness(result, tmp_path, title="<b>Worms</b>")
    assert all(p.stat().st_size > 0 for p in paths)
    (tmp_path / "robustness.json").rename(tmp_path / "kept.json")
    (tmp_path / "robustness.json").write_text("mine")
    with pytest.raises(InputError, match="was changed since"):
        write_robustness(result, tmp_path)
    (tmp_path / "kept.json").replace(tmp_path / "robustness.json")
    table = pd.read_csv(tmp_path / "robustness_components.csv")
    np.testing.assert_allclose(table["bootstrap"], result.support["bootstrap"])
    record = json.loads((tmp_path / "robustness.json").read_text())
    assert record["sentences"] == result.sentences()
    assert len(record["tables"]["robustness_refits"]) == len(result.refits)
    text = (tmp_path / "robustness.html").read_text()
    assert "&lt;b&gt;Worms" in text and "<b>Worms" not in text
    assert all(sentence.split(";")[0] in text for sentence in result.sentences())


def test_contrasts_of_a_settings_file_are_written(cohort, tmp_path) -> None:
    names = list(cohort.worms)
    (tmp_path / "worms.csv").write_text(
        "worm,strain\n" + "".join(f"{w},{'N2' if k < 2 else '=mutant'}\n" for k, w in enumerate(names))
    )
    settings = PipelineSettings.parse(
        {
            "rank": {"rank": 2, "starts": 2},
            "confounds": {"channels": ("velocity",), "last_lag_s": 1},
            "contrasts": {"events": ("NaCl",), "column": "strain", "surrogates": 19, "bootstraps": 20},
            "input": {"attributes_file": str(tmp_path / "worms.csv"), "attributes": {names[3]: {"strain": "N2"}}},
        }
    )
    _, _, components = decompose(cohort, settings)
    assert "partial out" not in str(cohort.recordings[0].provenance.get("history"))
    with pytest.raises(ValueError, match="group '=mutant' has one worm"):
        contrasts(cohort, settings, components=components)
    settings = settings.model_copy(update={"input": settings.input.model_copy(update={"attributes": {}})})
    found = contrasts(cohort, settings, components=components)
    assert found.groups is not None and set(found.groups.groups) == {"N2", "=mutant"}
    kinds = found.onsets[0].signals["kind"]
    assert {"neuron", "component"} <= set(kinds) and (kinds == "component").sum() == 2
    paths = write_contrasts(found, tmp_path / "out")
    assert {p.name for p in paths} >= {"groups_components.csv", "groups_pairs.csv", "onsets_NaCl.csv", "contrasts.html"}
    assert len(found.sentences()) >= 4
    (tmp_path / "out" / "groups_pairs.csv").write_text("mine")
    with pytest.raises(InputError, match="was changed since"):
        write_contrasts(found, tmp_path / "out")
    assert (tmp_path / "out" / "groups_pairs.csv").read_text() == "mine"
    text = (tmp_path / "out" / "contrasts.html").read_text()
    assert "no p can be below 0.333" in text and "moved events" in text


def test_aligned_components_have_a_course_of_each_worms_own(cohort) -> None:
    """A worm that was silenced has no course, though the common one has."""
    from napari_dynamic_connectome.affinity.compute import compute_affinity
    from napari_dynamic_connectome.factorization.factorize import factorize
    from napari_dynamic_connectome.factorization.project import own_courses

    affinity = compute_affinity(cohort)
    assert affinity.model == "aligned"
    components = factorize(affinity, 2, starts=2, model="aligned")
    courses = own_courses(affinity, components)
    assert set(courses) == set(cohort.worms)
    quiet = cohort.recordings[0].replace(traces=cohort.recordings[0].traces * 0 + 1)
    silenced = Cohort([quiet, *cohort.recordings[1:]])
    own = own_courses(compute_affinity(silenced), components)[cohort.worms[0]]
    assert float(own.max()) == 0 < float(courses[cohort.worms[0]].max())
    found = average_onsets(
        cohort, "NaCl", components=components, courses=courses, neurons=False, surrogates=19, bootstraps=10
    )
    assert isinstance(found.mean, xr.DataArray) and found.signals["worms"].tolist() == [4, 4]
    assert Contrasts((found,)).tables().keys() == {"onsets_NaCl"}
