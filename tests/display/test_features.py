"""Features of neurons and colours by a column: against pandas and NumPy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from tests.widgets.helpers import NAMES, fill

from napari_dynamic_connectome.display import features
from napari_dynamic_connectome.display.palette import rgb
from napari_dynamic_connectome.session.session import Session


@pytest.fixture
def session() -> Session:
    made = Session()
    fill(made)
    made.set_current("worm A")
    made.select(component=1, kind="core")
    return made


def test_a_neuron_has_its_name_class_side_and_results(session) -> None:
    table = features.neuron_features(session)
    recording = session.recording
    assert len(table) == recording.n_neurons
    assert table["name"].tolist() == [*NAMES, "", "", ""]
    assert table.loc[0, ["class", "side"]].tolist() == ["AVA", "L"]
    shown, parts = session.shown_communities, session.components
    row = dict(zip(shown.neurons, shown.labels.isel(level=session.selection.level).values, strict=True))
    assert table["community"].tolist() == [*(row[n] for n in NAMES), -1, -1, -1]
    assert table["core"].tolist() == table["modules"].tolist()
    strength = parts.strength(1).to_series()
    np.testing.assert_allclose(table["strength"][: len(NAMES)], strength[NAMES])
    assert table["strength"][len(NAMES) :].isna().all()


def test_correlations_are_those_of_pandas_with_missing_samples() -> None:
    rng = np.random.default_rng(0)
    traces = rng.normal(size=(60, 5)) + 1000.0
    traces[:20, 1] = np.nan
    traces[:, 3] = 4.0
    traces[2:, 4] = np.nan
    other = traces[:, 0] + rng.normal(size=60)
    other[50:] = np.nan
    wanted = pd.DataFrame(traces).corrwith(pd.Series(other)).to_numpy(copy=True)
    wanted[4] = np.nan  # of two samples nothing is said
    np.testing.assert_allclose(features.correlations(traces, other), wanted, rtol=1e-9)


def test_colours_begin_and_end_at_percentiles_and_missing_is_grey() -> None:
    values = np.array([*np.linspace(0, 1, 99), 1e6, np.nan])
    low, high = features.limits("snr", values)
    assert (low, high) == tuple(np.percentile(values[:-1], (2, 98)))
    colours = features.column_colours(values, low, high, True, np.full(3, 0.5))
    np.testing.assert_allclose(colours[0], rgb(features.RAMPS[True][0]), atol=1e-9)
    np.testing.assert_allclose(colours[99], rgb(features.RAMPS[True][2]), atol=1e-9)
    np.testing.assert_allclose(colours[100], 0.5)
    assert features.limits(features.CHOSEN, np.array([1.0, -0.4, 0.2])) == (-0.4, 0.4)


def test_columns_offer_what_differs_and_correlations(session) -> None:
    found = features.columns(session)
    assert features.CHOSEN in found and "strength" in found
    assert not {"community", "label", "name"} & set(found)
    session.select(neurons=("1",) if "1" in session.recording.neurons.index else (session.recording.neurons.index[0],))
    values = features.column_values(session, features.CHOSEN)
    assert values.max() == pytest.approx(1.0)
    lines = features.column_legend(features.CHOSEN, values, True)
    assert lines[0] == (features.CHOSEN, "") and len(lines) == 6
    session.select(neurons=())
    assert np.isnan(features.column_values(session, features.CHOSEN)).all()
    assert features.column_legend(features.CHOSEN, features.column_values(session, features.CHOSEN), True) == [
        ("choose a neuron", "")
    ]


def test_the_table_is_kept_until_something_in_it_changes(session) -> None:
    first = features.neuron_features(session)
    session.select(neurons=(session.recording.neurons.index[1],))
    assert features.neuron_features(session) is first  # who is chosen is not in it
    session.select(component=2)
    second = features.neuron_features(session)
    strength = session.components.strength(2).to_series()
    np.testing.assert_allclose(second["strength"][: len(NAMES)], strength[NAMES])
    session.set_group("pair", ["AVAL", "AVAR"])
    assert (features.neuron_features(session)["groups"] == "pair").sum() == 2
    session.set_group("pair", ["AVAL"])
    assert (features.neuron_features(session)["groups"] == "pair").sum() == 1
    label = int(session.recording.neurons["label"].iloc[0])
    session.edit(session.current, {label: {"name": ""}})
    assert features.neuron_features(session)["name"][0] == ""


def test_names_of_a_table_that_was_changed_in_place_are_read_again(session) -> None:
    from napari_dynamic_connectome.display.scene import cohort_names

    recording = session.recording
    assert cohort_names(recording, {"AVAL", "AVAR"})[:2] == ["AVAL", "AVAR"]
    recording.neurons.iloc[0, recording.neurons.columns.get_loc("rejected")] = True
    assert cohort_names(recording, {"AVAL", "AVAR"})[:2] == ["", "AVAR"]
