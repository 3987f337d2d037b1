"""Ribbons, agreement matrix and the report's section show what the results hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.text import Text

from napari_dynamic_connectome.baselines.panel import static_baselines
from napari_dynamic_connectome.display.short_names import short_names
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.neurons import CANONICAL
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.model.state_results import StatesResult
from napari_dynamic_connectome.report.baseline_figures import plot_baselines
from napari_dynamic_connectome.report.figure_style import save_figure
from napari_dynamic_connectome.report.html import build_report
from napari_dynamic_connectome.report.name_column import NameColumn
from napari_dynamic_connectome.report.state_figures import plot_state_means, plot_states, state_colors, state_means
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
    visits = states.visits()
    whole = figure.get_axes()[0]
    column = next(a for a in whole.get_children() if isinstance(a, NameColumn))
    assert column.names == list(states.worms) and column.size >= 5
    assert "each worm's own clock" in whole.get_xlabel() and "(s)" in whole.get_xlabel()
    for collection, worm in zip(whole.collections, states.worms, strict=True):
        mine = visits[visits["worm"] == worm]
        spans = [path.get_extents() for path in collection.get_paths()]
        assert [(s.x0, s.x1) for s in spans] == [pytest.approx((r.start_s, r.stop_s)) for r in mine.itertuples()]
        assert [to_hex(c) for c in collection.get_facecolors()] == [
            state_colors(states)[n - 1].lower() for n in mine["state"]
        ]
    single = [a for a in figure.get_axes() if a.get_title("left").endswith("6 neurons")]
    assert len(single) == len(states.worms)
    for one, worm in zip(single, states.worms, strict=True):
        mine = visits[visits["worm"] == worm]
        bands = [(p.get_x(), p.get_x() + p.get_width(), to_hex(p.get_facecolor())) for p in one.patches]
        wanted = [(r.start_s, r.stop_s, state_colors(states)[r.state - 1]) for r in mine.itertuples()]
        assert len(bands) == len(wanted) >= 3
        for (a, b, color), (start, stop, shown) in zip(bands, wanted, strict=True):
            assert (a, b) == pytest.approx((start, stop))
            assert color == shown.lower()
    assert "probability" in [a.get_ylabel() for a in figure.get_axes()]  # bar of the transitions


def many_states(worms: int = 40, count: int = 8, neurons: int = 150, frames: int = 120):
    """States of many worms with long names, and their cohort."""
    rng = np.random.default_rng(1)
    level = rng.normal(0, 1, (count, neurons))
    names, recordings, sequences = list(CANONICAL[:neurons]), [], []
    for number in range(worms):
        sequence = np.repeat(rng.integers(0, count, frames // 10), 10)
        traces = level[sequence] + rng.normal(0, 0.5, (frames, neurons))
        name = f"worm {number:02d} of a strain with a rather long name"[:40]
        recordings.append(Recording.from_arrays(traces, name=name, rate_hz=2, names=names))
        sequences.append(sequence + 1)
    path, numbers = np.concatenate(sequences), np.arange(1, count + 1)
    along = {
        "worm": ("sample", np.repeat(np.array([r.name for r in recordings], dtype=object), frames)),
        "time": ("sample", np.tile(np.arange(frames) / 2, worms)),
    }
    pairs, three = (names, names, [1]), ("neuron", "neuron_from", "lag")
    none = xr.DataArray(np.zeros((neurons, neurons, 1)), dims=three, coords=dict(zip(three, pairs, strict=True)))
    transition = np.full((count, count), 0.1 / (count - 1))
    np.fill_diagonal(transition, 0.9)
    return StatesResult(
        sequence=xr.DataArray(path, dims="sample", coords=along),
        posterior=xr.DataArray(np.eye(count)[path - 1], dims=("sample", "state"), coords=along | {"state": numbers}),
        transition=xr.DataArray(transition, dims=("state", "state_to"), coords={"state": numbers}),
        weights=none.expand_dims(state=numbers),
        shared=none,
        level=xr.DataArray(level, dims=("state", "neuron"), coords={"state": numbers, "neuron": names}),
        noise=xr.DataArray(np.ones((count, worms, neurons)), dims=("state", "worm", "neuron")),
        rate_hz=2.0,
        log_likelihood=-1.0,
        starts=pd.DataFrame({"agreement": [1.0]}),
    ), Cohort(recordings)


def test_many_worms_and_long_names_fit_a_page(tmp_path):
    states, cohort = many_states()
    figures = {"states": plot_states(states, cohort), "means": plot_state_means(states, cohort)}
    for name, figure in figures.items():
        width, height = figure.get_size_inches()
        assert width <= 7.2 and height <= 9.7
        save_figure(figure, tmp_path / f"{name}.svg", "svg")
        save_figure(figure, tmp_path / f"{name}.png", "png", dpi=100)
        text = (tmp_path / f"{name}.svg").read_text()
        assert "mathdefault" not in text
        columns = [a for axes in figure.get_axes() for a in axes.get_children() if isinstance(a, NameColumn)]
        shown = [n for column in columns for n in column.names]
        assert all(column.size >= 5 for column in columns) and len(set(shown)) == len(shown)
        assert all(f">{n}<" in text for n in shown)  # text stays text
        assert len(shown) == {"states": 40, "means": 150}[name]
        # nothing is cut at the edges, no text lies on another
        renderer = figure.canvas.get_renderer()
        boxes = [
            t.get_window_extent(renderer) for t in figure.findobj(Text) if t.get_text() and id(t) not in _beyond(figure)
        ]
        boxes = [b for b in boxes if b.width > 0] + [c.get_window_extent(renderer) for c in columns]
        for box in boxes:
            assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
        on_each_other = [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :] if _overlap(a, b) > 4]
        assert not on_each_other


def _beyond(figure) -> set[int]:
    """Labels of ticks that lie outside of what their axis shows, which are not drawn."""
    found = set()
    for axes in figure.get_axes():
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks() + axis.get_minor_ticks():
                if not axes.axison or not axis.get_visible() or not low - 1e-9 <= tick.get_loc() <= high + 1e-9:
                    found |= {id(tick.label1), id(tick.label2)}
                found |= {id(one) for one in (tick.label1, tick.label2) if not one.get_visible()}
    return found


def _overlap(a, b) -> float:
    """Area in pixels that two boxes share."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(width, 0) * max(height, 0)


def test_means_are_those_of_the_traces_in_each_state():
    states, cohort = many_states(worms=3, count=2, neurons=5)
    found = state_means(states, cohort)
    z = [(r.traces.values - r.traces.values.mean(0)) / r.traces.values.std(0) for r in cohort.recordings]
    inside = [states.of_worm(w).values == 2 for w in states.worms]
    wanted = np.mean([one[here].mean(axis=0) for one, here in zip(z, inside, strict=True) if here.any()], axis=0)
    np.testing.assert_allclose(found[2].to_numpy(), wanted, rtol=1e-6)
    np.testing.assert_allclose(state_means(states).to_numpy(), states.level.values.T)


def test_names_that_are_cut_are_still_told_apart():
    assert short_names(["a" * 40, "b"], 12) == ["aaaaaa…aaaaa", "b"]
    middles = [f"{'x' * 20}{n}{'y' * 20}" for n in range(3)]
    assert short_names(middles, 12) == ["xxxxxxxxx… 1", "xxxxxxxxx… 2", "xxxxxxxxx… 3"]
    ends = [f"{'x' * 20}{n:08d}" for n in range(3)]
    assert len(set(short_names(ends, 9))) == 3 and all(len(n) <= 9 for n in short_names(ends, 9))


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
