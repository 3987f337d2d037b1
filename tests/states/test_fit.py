"""Planted states and networks are found again; the result is labelled, repeatable, and bad input is refused in one message."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.states.agreement import state_agreement, state_communities
from napari_dynamic_connectome.states.data import read_frames
from napari_dynamic_connectome.states.fit import fit_states
from napari_dynamic_connectome.states.settings import StatesSettings

WIDE = {"states": 2, "starts": 4, "weight_sd": 0.3, "state_sd": 0.3, "level_sd": 1.0}


@pytest.fixture(scope="module")
def found(simple):
    return fit_states(simple[0], WIDE, seed=1)


def test_planted_states_of_every_worm_are_found(simple, found):
    _, sequences, _ = simple
    for worm, truth in enumerate(sequences):
        assert adjusted_rand_score(truth, found.of_worm(f"worm {worm}").values) > 0.9


def test_planted_networks_are_found_and_not_exchanged(simple, found):
    _, sequences, networks = simple
    truth, states = np.concatenate(sequences), found.sequence.values
    index = [int(n[1:]) for n in found.neurons]
    off = ~np.eye(len(index), dtype=bool)
    for z in (0, 1):
        mine = np.bincount(states[truth == z]).argmax()
        weights = found.weights.sel(state=mine, lag=1).values
        seen = off & np.isfinite(weights)
        right, wrong = (np.corrcoef(weights[seen], networks[o][np.ix_(index, index)][seen])[0, 1] for o in (z, 1 - z))
        assert right > 0.8
        assert right > wrong + 0.4


@pytest.mark.parametrize("prior", ["one-hot", "none"])
def test_other_priors_find_the_same_states(simple, prior):
    found = fit_states(simple[0], WIDE, prior=prior, seed=1)
    assert adjusted_rand_score(np.concatenate(simple[1]), found.sequence.values) > 0.9
    if prior == "one-hot":
        total = found.types.sum("type", skipna=False).values
        np.testing.assert_allclose(total[np.isfinite(total)], 1.0)
        planted = np.abs(simple[2]).max(axis=0)
        index = [int(n[1:]) for n in found.neurons]
        planted = planted[np.ix_(index, index)] > 0.3
        linked = 1 - found.types.sel(type="none", lag=1).values
        off = ~np.eye(len(index), dtype=bool) & np.isfinite(linked)
        assert linked[off & planted].mean() > linked[off & ~planted].mean() + 0.1


def test_result_is_the_same_for_any_number_of_threads(simple):
    one, two = (fit_states(simple[0], WIDE, threads=t, seed=3) for t in (1, 3))
    np.testing.assert_array_equal(one.posterior.values, two.posterior.values)
    np.testing.assert_array_equal(one.weights.values, two.weights.values)
    other = fit_states(simple[0], WIDE, threads=1, seed=4)
    assert not np.array_equal(one.starts["log_posterior"], other.starts["log_posterior"])


def test_visits_and_table_describe_the_sequence(found):
    visits = found.visits()
    for worm in found.worms:
        sequence = found.of_worm(worm)
        runs = [(s, len(list(g))) for s, g in itertools.groupby(sequence.values)]
        mine = visits[visits["worm"] == worm]
        assert mine["state"].tolist() == [s for s, _ in runs]
        np.testing.assert_allclose(mine["seconds"], [n / 2.0 for _, n in runs])
        assert mine["cut"].tolist() == [i in (0, len(runs) - 1) for i in range(len(runs))]
    table = found.table()
    assert table["share"].sum() == pytest.approx(1.0)
    assert (np.diff(table["share"]) <= 0).all()
    whole = visits[(visits["state"] == 1) & ~visits["cut"]]
    assert table.loc[0, "dwell_median_s"] == whole["seconds"].median()
    np.testing.assert_allclose(found.posterior.sum("state"), 1.0)
    np.testing.assert_allclose(found.transition.sum("state_to"), 1.0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.rate_hz = 3.0


def test_pairs_that_no_worm_has_are_nan(simple, found):
    data = read_frames(simple[0], StatesSettings())
    known = data.known()[:, :-1]
    assert (~known).any()
    np.testing.assert_array_equal(np.isnan(found.weights.sel(state=1, lag=1).values), ~known)
    np.testing.assert_array_equal(np.isnan(found.network(1).values), ~known & ~np.eye(len(known), dtype=bool))
    assert np.isnan(found.noise.sel(worm="worm 0")).sum() > 0


def test_a_neuron_that_only_one_worm_has_does_not_change_the_others_frames(simple):
    cohort = simple[0]
    first = cohort.recordings[0]
    keep = [n for n in first.traces["neuron"].values if n != first.traces["neuron"].values[0]]
    smaller = first.replace(traces=first.traces.sel(neuron=keep), neurons=first.neurons.loc[keep])
    with_it, without = (read_frames(Cohort([w, *cohort.recordings[1:]]), StatesSettings()) for w in (first, smaller))
    for a, b in zip(with_it.worms[1:], without.worms[1:], strict=True):
        np.testing.assert_array_equal(a.present, b.present)
        np.testing.assert_array_equal(a.past, b.past)
    assert without.worms[0].present.shape[1] == with_it.worms[0].present.shape[1] - 1


def test_nothing_is_predicted_across_a_break_or_a_gap(planted):
    cohort, _, _ = planted(worms=1, frames=200)
    worm = cohort.recordings[0]
    values = worm.traces.values.copy()
    values[100:110] = np.nan
    cut = worm.replace(traces=worm.traces.copy(data=values), breaks=(30.0,))
    data = read_frames(Cohort([cut]), StatesSettings(lags=2))
    gone = set(range(200)) - set(data.worms[0].frames.tolist())
    assert gone == {0, 1, 60, 61, *range(100, 112)}
    assert data.worms[0].begins[60]
    assert not data.worms[0].begins[59]


def test_states_agree_with_the_behaviour_that_they_make_and_with_no_other(simple, found):
    table = state_agreement(found, simple[0], shifts=400)
    doing = table[(table["name"] == "doing") & (table["worm"] == "all")]
    other = table[(table["name"] == "other") & (table["worm"] == "all")]
    assert doing["r"].abs().min() > 0.9
    assert doing["p_value"].max() < 0.01
    assert other["r"].abs().max() < 0.15
    assert len(table) == 2 * 2 * 4


def test_communities_of_a_state_network(planted):
    rng = np.random.default_rng(0)
    group = np.arange(16) // 8
    block = (group[:, None] == group) * 0.11
    np.fill_diagonal(block, 0.1)
    scattered = block[np.ix_(*[rng.permutation(16)] * 2)]
    z = np.arange(1200) // 60 % 2
    x = np.zeros((1200, 16))
    for t in range(1, 1200):
        x[t] = (block, -scattered)[z[t]] @ x[t - 1] + rng.standard_normal(16)
    cohort = Cohort([Recording.from_arrays(x, name="w", rate_hz=2, names=[f"N{i:02d}" for i in range(16)])])
    found = fit_states(cohort, WIDE)
    mine = int(np.bincount(found.sequence.values[z == 0]).argmax())
    communities = state_communities(found, mine, "positive", method="leiden")
    assert adjusted_rand_score(group, communities.labels.values[0]) > 0.8


def test_cancel_stops_and_progress_rises(simple):
    told = []
    fit_states(simple[0], WIDE, starts=2, iterations=3, threads=1, progress=lambda f, m="": told.append(f))
    assert told == sorted(told)
    assert told[-1] == 1.0
    with pytest.raises(Cancelled):
        fit_states(simple[0], WIDE, cancel=lambda: True)


def edges(names, factor=1.0):
    import pandas as pd

    return pd.DataFrame({"pre": names[:-1], "post": names[1:], "type": "chemical", "synapses": factor})


def matrix(rows, columns):
    import xarray as xr

    return xr.DataArray(
        np.ones((len(rows), len(columns))), dims=("post", "pre"), coords={"post": list(rows), "pre": list(columns)}
    )


NAMES = [f"N{i:02d}" for i in range(16)]


@pytest.mark.parametrize(
    ("options", "structure", "message"),
    [
        ({"states": 1}, None, "one state never switches"),
        ({"prior": "horseshoe"}, None, "prior"),
        ({}, edges([f"X{i}" for i in range(5)]), "0 of the 16 neurons occur in the connectome"),
        ({"direction": "undirected"}, matrix(["X1", "X2"], ["X1", "X2"]), "occur in the connectome"),
        ({}, matrix(NAMES[:3], NAMES[1:4]), "rows and columns name different neurons"),
        ({}, edges(NAMES, -1.0), "negative or infinite weights"),
        ({"synapses": "electrical"}, edges(NAMES), "no electrical synapses"),
        ({"synapses": "electrical"}, matrix(NAMES, NAMES), "does not say which are which"),
        ({}, np.ones((16, 16)), "ndarray is no connectome"),
    ],
)
def test_bad_settings_and_connectomes_are_refused_in_one_message(simple, options, structure, message):
    with pytest.raises(InputError, match=message) as caught:
        fit_states(simple[0], WIDE | options, structure=structure)
    assert "\n" not in str(caught.value)


def worm(name, names, frames=200, constant=(), rate=2.0):
    x = np.random.default_rng(len(name)).standard_normal((frames, len(names)))
    x[:, list(constant)] = 1.0
    return Recording.from_arrays(x, name=name, rate_hz=rate, names=names)


def test_bad_recordings_are_refused_in_one_message():
    good = worm("good", NAMES)
    with pytest.raises(InputError, match="'other': 12 frames are too few"):
        fit_states(Cohort([good, worm("other", NAMES, frames=12)]), WIDE)
    with pytest.raises(InputError, match="'apart' shares fewer than two neurons"):
        fit_states(Cohort([good, worm("apart", ["N00", "AVAL", "AVAR"])]), WIDE)
    with pytest.raises(InputError, match="'flat': only 1 neuron was measured"):
        fit_states(Cohort([good, worm("flat", NAMES[:3], constant=(0, 1))]), WIDE)


def test_a_constant_neuron_is_left_out_and_said():
    found = fit_states(Cohort([worm("good", NAMES), worm("still", NAMES, constant=(3,))]), WIDE, starts=1, iterations=2)
    assert any("still: N03 left out (never change)" in note for note in found.notes)
    assert np.isnan(found.noise.sel(worm="still", neuron="N03", state=1))
    assert np.isfinite(found.noise.sel(worm="good", neuron="N03", state=1))


def test_states_that_may_hardly_differ_are_said_to_be_alike(simple, found):
    alike = fit_states(simple[0], states=2, starts=2)
    assert np.ptp(alike.posterior.values) < 0.2
    assert any("states are alike" in note and "state_sd is 0.002" in note for note in alike.notes)
    assert not any("alike" in note for note in found.notes)
