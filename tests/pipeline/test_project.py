"""New worms on the components of an earlier run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.cli.command_line import main
from napari_dynamic_connectome.pipeline.project import project_recordings, projection_tables


@pytest.fixture(scope="module")
def spontaneous():
    """Five worms without stimuli, and components of the first four."""
    cohort, truth = ndc.simulate_cohort(
        n_worms=5, n_neurons=30, n_motifs=2, motif_size=8, duration_s=120, stimuli=False, unnamed=0.0, seed=701
    )
    known = ndc.Cohort(cohort.recordings[:4], cohort.settings)
    components = ndc.factorize(ndc.compute_affinity(known), 2, starts=2)
    return cohort, truth, known, components


def test_a_new_worm_shows_the_motifs_when_they_were_driven(spontaneous) -> None:
    cohort, truth, known, components = spontaneous
    from napari_dynamic_connectome.comparison.recovery import recovery_scores

    matched = recovery_scores(components, None, truth).set_index("motif")["component"]
    (found,) = project_recordings(cohort.recordings[4:], components, cohort=known)
    windows = truth.windows[truth.windows["worm"] == found.worm]
    time = found.courses["time"].values
    checked = 0
    for motif, mine in windows.groupby("motif"):
        inside = np.zeros(len(time), bool)
        for onset, offset in mine[["onset", "offset"]].to_numpy():
            inside |= (time >= onset) & (time <= offset)
        course = found.courses.sel(component=int(matched[motif])).values
        assert np.nanmean(course[inside]) > 2 * np.nanmean(course[~inside])
        checked += 1
    assert checked >= 1
    assert found.cross_error < 1
    table = projection_tables([found], components)["projection"]
    assert table["foretells"].max() > 0


def test_worms_with_common_clocks_need_their_cohort() -> None:
    cohort, _ = ndc.simulate_cohort(n_worms=4, n_neurons=24, duration_s=120, unnamed=0.0, seed=702)
    known = ndc.Cohort(cohort.recordings[:3], cohort.settings)
    components = ndc.factorize(ndc.compute_affinity(known), 3, starts=1, model="aligned")
    with pytest.raises(ndc.InputError, match="Pass the cohort"):
        project_recordings(cohort.recordings[3:], components)
    (found,) = project_recordings(cohort.recordings[3:], components, cohort=known, splits=1)
    assert found.courses.sizes["time"] == components.time.sizes["time"]
    for number in (1, 2, 3):
        course, common = found.courses.sel(component=number).values, components.time_course(number).values
        keep = np.isfinite(course) & np.isfinite(common)
        loading = float(found.loading.sel(component=number))
        np.testing.assert_allclose(course[keep], loading * common[keep], rtol=1e-6, atol=1e-12)


def test_command_writes_tables_and_says_what_is_wrong(spontaneous, tmp_path: Path, capsys) -> None:
    cohort, _, known, components = spontaneous
    session = ndc.Session()
    for recording in known.recordings:
        session.add(recording, make_current=False)
    session.set_cohort(known)
    session.set_components(components)
    ndc.save_session(session, tmp_path / "session.zarr")
    ndc.write_recording(cohort.recordings[4], tmp_path / "new.npz")
    assert main(["project", str(tmp_path), str(tmp_path / "new.npz"), "--splits", "1"]) == 0
    table = pd.read_csv(tmp_path / "tables" / "projection.csv")
    assert table["component"].tolist() == [1, 2]
    assert set(pd.read_csv(tmp_path / "tables" / "projection_time.csv").columns) == {
        "worm",
        "time_s",
        "component_1",
        "component_2",
    }
    assert cohort.worms[4] in capsys.readouterr().out
    (tmp_path / "tables" / "projection.csv").write_text("mine")
    assert main(["project", str(tmp_path), str(tmp_path / "new.npz"), "--splits", "1"]) == 2
    assert "was changed since this program wrote it" in capsys.readouterr().err
    assert (tmp_path / "tables" / "projection.csv").read_text() == "mine"
    session.set_components(None)
    ndc.save_session(session, tmp_path / "session.zarr")
    assert main(["project", str(tmp_path), str(tmp_path / "new.npz")]) == 2
    assert "no components" in capsys.readouterr().err
