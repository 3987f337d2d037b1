"""Ribbons, agreement matrix and the report's section show what the results hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.baselines.panel import static_baselines
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.report.baseline_figures import plot_baselines
from napari_dynamic_connectome.report.html import build_report
from napari_dynamic_connectome.report.state_figures import plot_states, state_colors
from napari_dynamic_connectome.report.tables import write_tables
from napari_dynamic_connectome.session.session import Session
from napari_dynamic_connectome.states.agreement import state_agreement
from napari_dynamic_connectome.states.fit import fit_states
from napari_dynamic_connectome.states.held_out import COLUMNS

NASTY = "<script>worm</script>"


@pytest.fixture(scope="module")
def cohort():
    rng = np.random.default_rng(0)
    recordings = []
    for name in ("worm a", NASTY):
        z = np.arange(240) // 60 % 2
        x = np.zeros((240, 6))
        for t in range(1, 240):
            x[t] = (0.8 if z[t] else -0.8) * x[t - 1][::-1] + rng.standard_normal(6)
        recordings.append(
            Recording.from_arrays(x, name=name, rate_hz=2, names=["AVAL", "AVAR", "RIBL", "RIBR", "AIYL", "AIYR"])
        )
    return Cohort(recordings)


@pytest.fixture(scope="module")
def states(cohort):
    found = fit_states(cohort, states=2, starts=3, state_sd=0.5, weight_sd=0.5)
    return replace(found, agreement=state_agreement(found, cohort, shifts=50))


def test_every_visit_is_a_band_of_its_states_colour(cohort, states):
    from matplotlib.colors import to_hex

    figure = plot_states(states, cohort)
    axes = [a for a in figure.get_axes() if a.get_ylabel() in states.worms]
    assert [a.get_ylabel() for a in axes] == list(states.worms)
    visits = states.visits()
    for one in axes:
        mine = visits[visits["worm"] == one.get_ylabel()]
        bands = [(p.get_x(), p.get_x() + p.get_width(), to_hex(p.get_facecolor())) for p in one.patches]
        wanted = [(r.start_s, r.stop_s, state_colors(states)[r.state - 1]) for r in mine.itertuples()]
        assert len(bands) == len(wanted) >= 3
        for (a, b, color), (start, stop, shown) in zip(bands, wanted, strict=True):
            assert (a, b) == pytest.approx((start, stop))
            assert color == shown.lower()


def held(gain, error):
    rows = [
        ("one state", 1, "gaussian", -1.0, 0.1, 0.0, 0.0, 2, 9),
        ("states", 2, "gaussian", -1.0, 0.1, gain, error, 2, 9),
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


@pytest.mark.parametrize(
    ("gain", "words"), [(0.1, "held-out frames better"), (-0.1, "worse than one state"), (0.01, "no better")]
)
def test_verdict_says_whether_states_predict_held_out_frames(states, gain, words):
    assert words in replace(states, held_out=held(gain, 0.02)).verdict()
    assert "not tested" in states.verdict()


def test_report_has_a_section_of_states_only_when_they_were_computed(cohort, states):
    session = Session()
    for recording in cohort.recordings:
        session.add(recording)
    session.cohort = cohort
    assert "Switching states" not in build_report(session)
    session.set_states(replace(states, held_out=held(0.1, 0.02)), cohort)
    text = build_report(session)
    assert "Switching states" in text
    assert "held-out frames better" in text
    assert "<script" not in text
    session.set_states(replace(states, notes=("<script>",)), cohort)
    text = build_report(session)
    assert "was not tested" in text and "&lt;script&gt;" in text and "<script" not in text


def test_tables_hold_every_frame_and_every_weight(cohort, states, tmp_path):
    session = Session()
    for recording in cohort.recordings:
        session.add(recording)
    session.set_states(states, cohort)
    paths = {p.stem: p for p in write_tables(session, tmp_path)}
    assert len(pd.read_csv(paths["states_sequence"])) == states.sequence.size
    assert len(pd.read_csv(paths["states_weights"])) == 2 * 6 * 6
    assert pd.read_csv(paths["states"])["share"].sum() == pytest.approx(1.0)
    assert "states_held_out" not in paths


def test_agreement_matrix_shows_ari_below_and_ami_above(cohort):
    panel = static_baselines(cohort, methods=("leiden", "shape distance", "sorting"), groups=2)
    left, right = plot_baselines(panel).get_axes()
    shown = np.asarray(left.images[0].get_array(), float)
    names = list(panel.partitions.columns)
    assert shown[1, 0] == pytest.approx(panel.agreement("ari").loc[names[1], names[0]])
    assert shown[0, 1] == pytest.approx(panel.agreement("ami").loc[names[0], names[1]])
    np.testing.assert_array_equal(
        np.asarray(right.images[0].get_array()) - 1, panel.partitions.loc[list(panel.order)].to_numpy().T
    )
