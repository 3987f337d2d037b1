"""What the card of a neuron says: its trace in small, its correlation, its community, and neurons that a worm does not show."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.widgets.helpers import NAMES, fill

from napari_dynamic_connectome.display.neuron_card import neuron_card, small_trace
from napari_dynamic_connectome.session.session import Session


@pytest.fixture
def session() -> Session:
    made = Session()
    fill(made)
    made.set_current("worm A")
    return made


def test_a_card_says_who_it_is_and_how_it_goes_with_the_chosen_one(session) -> None:
    session.select(neurons=("RIML",), time_s=15.0)
    card = neuron_card(session, "AVAL")
    values = session.recording.traces.values
    a, b = values[:, NAMES.index("AVAL")], values[:, NAMES.index("RIML")]
    assert card.title == "AVAL" and card.about.startswith("class AVA, lateral ganglion")
    assert card.community and card.colour.startswith("#")
    assert (card.other, card.correlation) == ("RIML", pytest.approx(np.corrcoef(a, b)[0, 1]))
    assert card.now == pytest.approx(15.0 / session.recording.time_s[-1])
    assert card.spans[0] == pytest.approx((10 / 59.5, 18 / 59.5))
    assert neuron_card(session, "RIML").other == ""  # not with itself
    assert neuron_card(session, "RIML", other="AIBL", notes=("x",)).other == "AIBL"
    unnamed = neuron_card(session, "#13")
    assert unnamed.title == "neuron 13" and unnamed.community == "none"


def test_a_neuron_that_this_worm_lacks_has_its_community_and_no_trace(session) -> None:
    table = session.recording.neurons
    session.edit("worm A", {int(table.loc["OLQDR", "label"]): {"name": ""}})
    session.add(session.recording.replace(name="other"))
    assert session.cohort is not None
    card = neuron_card(session, "OLQDR")
    assert "not seen in other" in card.about and not len(card.trace) and card.community
    assert neuron_card(session, "nobody") is None
    assert neuron_card(Session(), "AVAL") is None


def test_the_small_trace_holds_the_least_and_the_largest_value_of_each_part() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=1003)
    values[500:520] = np.nan
    found = small_trace(values, 40)
    low, high = np.nanmin(values), np.nanmax(values)
    edges = np.linspace(0, 1003, 41).astype(int)
    for column, (a, b) in enumerate(itertools.pairwise(edges)):
        part = (values[a:b] - low) / (high - low)
        np.testing.assert_allclose(found[column], [np.nanmin(part), np.nanmax(part)])
    assert small_trace(np.full(5, np.nan)).shape == (0, 2)
    np.testing.assert_array_equal(small_trace(np.full(5, 3.0)), np.full((5, 2), 0.5))
    gap = small_trace(np.r_[np.zeros(4), np.full(4, np.nan), np.ones(4)], 3)
    assert np.isnan(gap[1]).all() and gap[0, 0] == 0 and gap[2, 1] == 1
