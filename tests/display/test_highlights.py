"""Marks of a selected community: windows above half of the peak, worms with at least half of the members."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.widgets.helpers import NAMES, communities, components, fill, recording

from napari_dynamic_connectome.display.highlights import active_windows, selected_windows, selected_worms, telling
from napari_dynamic_connectome.display.scene import strength_weight
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.results import Components
from napari_dynamic_connectome.session.session import Session


def test_windows_are_where_the_course_is_above_half_of_its_peak() -> None:
    time = np.arange(0, 100, 0.5)
    values = np.exp(-((time - 20) ** 2) / 50) + 0.8 * np.exp(-((time - 70) ** 2) / 8)
    found = active_windows(time, values)
    assert len(found) == 2
    for (start, stop), middle in zip(found, (20, 70), strict=True):  # the larger one first
        assert start < middle < stop
        outside = (np.abs(time - middle) < 25) & ((time < start) | (time > stop))
        assert values[outside].max() <= values.max() / 2
    assert active_windows(time, np.zeros_like(time)) == []


def test_a_short_dip_does_not_end_a_window() -> None:
    time = np.arange(0, 100, 0.5)
    values = np.where((time > 20) & (time < 40), 1.0, 0.0)
    values[60] = 0.1
    assert active_windows(time, values) == [(20.5, 39.5)]


def test_nothing_is_marked_without_a_selection() -> None:
    session = Session()
    fill(session)
    assert selected_windows(session) == []
    assert selected_worms(session) == []


def test_worms_that_lack_most_members_do_not_take_part() -> None:
    full, part = recording("worm A", 0), recording("worm B", 1)
    lost = {int(part.neurons.loc[n, "label"]): "" for n in NAMES[:3]}
    worms = Cohort([full, part.with_names(lost)])
    session = Session()
    for one in worms.recordings:
        session.add(one)
    session.set_cohort(worms)
    session.set_components(components(worms))
    session.set_communities({(1, "modules"): communities(worms), (1, "core"): communities(worms)})
    session.select(community=0)
    highlights = {m.worm: m for m in selected_worms(session)}
    assert highlights["worm A"].present == 4 and highlights["worm A"].takes_part
    assert highlights["worm B"].present == 1 and not highlights["worm B"].takes_part
    assert max(m.loading for m in highlights.values()) == 1.0


def test_windows_are_on_the_worms_own_clock() -> None:
    session = Session()
    fill(session)
    session.set_current("worm A")
    session.select(community=0)
    (window,) = selected_windows(session)
    assert window[0] < 12 < window[1]
    later = session.components.time["time"].values + 30.0
    session.set_components(replace(session.components, worm_time=clocks(session.components, {"worm A": later})))
    session.select(community=0)
    (moved,) = selected_windows(session)
    np.testing.assert_allclose(moved, np.add(window, 30.0))


def test_a_worm_with_another_order_of_stimuli_lights_up_at_its_own_times() -> None:
    session = Session()
    fill(session)
    components, recording = session.components, session.recording
    clock = components.time["time"].values
    half = len(clock) // 2
    swapped = np.concatenate([clock[half:], clock[:half]])  # its second half stands first on the common clock
    changed = replace(components, worm_time=clocks(components, {recording.name: swapped}))
    straight, _ = strength_weight(recording, components, 1)
    weight, times = strength_weight(recording, changed, 1)
    peak = recording.time_s[straight.max(axis=1).argmax()]
    expected = float(swapped[np.abs(clock - peak).argmin()])
    assert abs(times[weight.max(axis=1).argmax()] - expected) <= 1.5 * np.median(np.diff(clock))
    assert changed.clock_time(recording.name, expected) == pytest.approx(peak, abs=1.0)


def test_moments_that_take_no_part_in_the_alignment_are_dark() -> None:
    session = Session()
    fill(session)
    components, recording = session.components, session.recording
    own = components.time["time"].values.copy()
    own[: len(own) // 2] = np.nan
    changed = replace(components, worm_time=clocks(components, {recording.name: own}))
    weight, times = strength_weight(recording, changed, 1)
    assert (weight[times < np.nanmin(own) - 2.0] == 0).all()
    assert weight[times > np.nanmin(own)].max() > 0
    assert np.isnan(changed.clock_time(recording.name, 0.0))


def with_blocks(session: Session, means: dict[int, float]) -> None:
    """Give the pairs inside each group of four neurons this mean weight, all others 0.1."""
    old = session.components
    group = {n: i // 4 for i, n in enumerate(NAMES)}
    pairs = zip(old.pair["neuron_a"].values, old.pair["neuron_b"].values, strict=True)
    values = [means.get(group[a], 0.1) if group[a] == group[b] else 0.1 for a, b in pairs]
    pair = old.pair.copy(data=np.repeat(np.array(values)[:, None], old.rank, axis=1))
    session.set_components(replace(old, pair=pair))


def test_shown_first_is_the_community_that_works_together_most() -> None:
    session = Session()
    fill(session)
    session.set_current("worm A")
    found = session.communities
    with_blocks(session, {1: 2.0, 2: 3.0})
    session.set_communities(found)
    _, kind, community = telling(session)
    assert (kind, community) == (session.selection.kind, 2)
    table = pd.DataFrame({"gain": [5.0, 5.0, 0.1], "p_value": [0.9, 0.03, 0.9]}, index=[0, 1, 2])
    session.set_communities({key: replace(one, significance=table) for key, one in found.items()})
    assert telling(session)[2] == 1  # the strongest one is not separate from the others
    assert telling(Session()) is None


def test_the_other_kind_is_shown_where_the_chosen_one_has_nothing() -> None:
    session = Session()
    fill(session)
    session.set_current("worm A")
    found = session.communities
    with_blocks(session, {2: 3.0})
    session.set_communities({key: one for key, one in found.items() if key[1] == "modules"})
    session.select(kind="core")
    _, kind, community = telling(session)
    assert (kind, community) == ("modules", 2)
    nameless = session.recording.replace(neurons=session.recording.neurons.assign(name=""), name="nameless")
    assert telling(session, nameless) is None


def clocks(components: Components, own: dict[str, np.ndarray]) -> xr.DataArray:
    """Own times of every worm: the common clock unless said otherwise."""
    worms, time = components.worm["worm"].values, components.time["time"].values
    return xr.DataArray(
        np.stack([own.get(str(w), time) for w in worms]),
        dims=("worm", "time"),
        coords={"worm": worms, "source": ("worm", worms), "time": time},
    )
