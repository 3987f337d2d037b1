"""Held-out scores: against the sum over all paths, nothing leaks, states win where there are states and only there."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.states import held_out
from napari_dynamic_connectome.states.data import read_frames
from napari_dynamic_connectome.states.em import one_state, run
from napari_dynamic_connectome.states.held_out import compare_held_out
from napari_dynamic_connectome.states.model import Parameters, emissions, predictive
from napari_dynamic_connectome.states.settings import StatesSettings

WIDE = {"states": 2, "weight_sd": 0.3, "state_sd": 0.3, "level_sd": 1.0}


def test_score_is_the_probability_of_a_frame_given_the_frames_before(planted):
    cohort, _, _ = planted(worms=1, frames=25, neurons=4)
    data = read_frames(cohort, StatesSettings())
    worm = data.worms[0]
    rng = np.random.default_rng(0)
    chain = rng.dirichlet(np.ones(2), 2)
    parameters = Parameters(
        0.3 * rng.standard_normal((2, 4, 5)), rng.uniform(0.5, 1, (2, 1, 4)), np.log([0.3, 0.7]), np.log(chain)
    )
    log = emissions(worm, 0, parameters)[:9]
    found = predictive(worm, 0, parameters)
    # The first clock time has no past: no frame, but a step of the chain.
    initial = np.array([0.3, 0.7]) @ chain

    def whole(count):
        paths = itertools.product(range(2), repeat=count)
        return np.logaddexp.reduce(
            [
                np.log(initial[p[0]])
                + sum(log[t, z] for t, z in enumerate(p))
                + sum(np.log(chain[a, b]) for a, b in itertools.pairwise(p))
                for p in paths
            ]
        )

    for t in range(1, 9):
        assert found[t] == pytest.approx(whole(t + 1) - whole(t), abs=1e-9)


def test_frames_that_are_hidden_do_not_change_the_fit(planted):
    cohort, _, _ = planted(worms=2, frames=120, neurons=6)
    settings = StatesSettings(**WIDE, iterations=8)
    data = read_frames(cohort, settings)
    split = held_out._by_block(data, 3, 10.0, 0)[1]
    changed = replace(
        data,
        worms=tuple(
            replace(w, present=np.where(h[:, None], 99.0, w.present))
            for w, h in zip(data.worms, split.hidden, strict=True)
        ),
    )
    fits = []
    for one in (data, changed):
        kept = one.hide(split.hidden)
        fits.append(run(kept, 2, settings, None, np.random.default_rng(0), one_state(kept, settings, None)))
    np.testing.assert_array_equal(fits[0].parameters.weights, fits[1].parameters.weights)
    np.testing.assert_array_equal(fits[0].parameters.noise, fits[1].parameters.noise)


def test_every_frame_is_scored_once_and_its_neighbours_are_hidden(planted):
    cohort, _, _ = planted(worms=2, frames=120, neurons=6)
    data = read_frames(cohort, StatesSettings(lags=2))
    splits = held_out._by_block(data, 3, 10.0, 0)
    for number, worm in enumerate(data.worms):
        np.testing.assert_array_equal(sum(s.scored[number].astype(int) for s in splits), 1)
        for split in splits:
            mine = set(worm.frames[split.scored[number]].tolist())
            hidden = set(worm.frames[split.hidden[number]].tolist())
            assert hidden >= {t + o for t in mine for o in (-2, -1, 0, 1, 2)} & set(worm.frames.tolist())


@pytest.mark.parametrize("hold", ["blocks", "worms"])
def test_states_win_where_there_are_states_and_not_in_shifted_traces(planted, hold):
    cohort, _, _ = planted(seed=5)
    table = compare_held_out(cohort, WIDE, hold=hold, folds=2, starts=5, seed=2).set_index("model")
    real, shifted = table.loc["states"], table.loc["states, shifted traces"]
    assert real["over_one_state"] > 0.02
    assert shifted["over_one_state"] < 0
    assert real["score"] >= table.loc["states, no prior", "score"]


def test_where_nothing_switches_states_do_not_win(planted):
    cohort, _, _ = planted(k=1, frames=300, neurons=10, seed=11)
    table = compare_held_out(cohort, WIDE, states=2, also=(3,), folds=2, starts=2).set_index("model")
    assert table.loc["states", "states"] == 2
    assert table.loc["3 states", "states"] == 3
    assert table.loc["states", "over_one_state"] < 0.01


def test_the_right_connectome_helps_more_than_a_shuffled_one(planted):
    import xarray as xr

    cohort, _, networks = planted(frames=120, neurons=14, worms=2, seed=4)
    names = list(cohort.neurons)
    true = (np.abs(networks).max(axis=0) > 0.2) * 1.0
    np.fill_diagonal(true, 0)
    structure = xr.DataArray(true, dims=("post", "pre"), coords={"post": names, "pre": names})
    table = compare_held_out(cohort, WIDE, structure=structure, contrast=6.0, folds=2, starts=3, seed=1)
    score = table.set_index("model")["score"]
    assert score["states"] > score["states, no connectome"]
    assert score["states"] > score["states, shuffled connectome"]


def test_what_cannot_be_held_out_is_refused(planted):
    cohort, _, _ = planted(worms=1, frames=60, neurons=4)
    with pytest.raises(InputError, match="one worm cannot be held out"):
        compare_held_out(Cohort(cohort.recordings), WIDE, hold="worms")
    with pytest.raises(InputError, match="cannot be cut"):
        compare_held_out(cohort, WIDE, folds=4, block_s=30)
    with pytest.raises(InputError, match="'seconds' cannot be held out"):
        compare_held_out(cohort, WIDE, hold="seconds")
