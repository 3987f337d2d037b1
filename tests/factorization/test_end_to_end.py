"""From simulated worms to components and communities: events in the worms' place, signed affinities, fixed factors."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from tensorly.tenalg import multi_mode_dot

from napari_dynamic_connectome import Cohort, Recording, compute_affinity, find_communities, simulate_cohort
from napari_dynamic_connectome.factorization.consistency import core_consistency
from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.factorization.match import match_components
from napari_dynamic_connectome.factorization.prepare import prepare
from napari_dynamic_connectome.factorization.settings import FactorizationSettings
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.execution import workers


@pytest.fixture(scope="module")
def spontaneous():
    """Worms without stimuli, with reversals and motifs that follow them."""
    return simulate_cohort(n_worms=3, n_neurons=30, duration_s=240, stimuli=False, missing=0.1, unnamed=0.0, seed=5)


def worms_that_turn(n_worms=3, onsets=(40, 90, 150, 200), rate_hz=2.0):
    """Worms in which four of eight neurons rise together for 3 s after each reversal begins, at other times in each worm."""
    recordings = []
    for worm in range(n_worms):
        rng = np.random.default_rng(worm)
        time = np.arange(480) / rate_hz
        traces = 0.3 * rng.standard_normal((480, 8)).cumsum(axis=0)
        reversal = np.zeros(480)
        for onset in np.add(onsets, 5 * worm):
            reversal[(time >= onset) & (time < onset + 6)] = 1
            traces[:, :4] += 6 * np.clip((time - onset) / 3, 0, 1)[:, None]
        behaviour = xr.Dataset({"reversal": (("time",), reversal)})
        names = ["AVAL", "AVAR", "AVEL", "AVER", "RIBL", "RIBR", "SMDVL", "SMDVR"]
        recordings.append(Recording.from_arrays(traces, name=f"w{worm}", time_s=time, names=names, behaviour=behaviour))
    return Cohort(recordings)


def test_events_take_the_worms_place_in_the_components():
    cohort = worms_that_turn()
    around = compute_affinity(cohort, alignment="events", event="reversal", before_s=10, after_s=15)
    components = factorize(around, 2, starts=3)
    assert components.model == "aligned"
    assert [str(w) for w in components.worm["worm"].values] == list(around.worms)
    assert len(around.worms) == 12
    locked = int(
        np.argmax([float(components.strength(c)[:4].mean() - components.strength(c)[4:].mean()) for c in (1, 2)])
    )
    course = components.time[:, locked]
    rising = (course["time"] >= -1) & (course["time"] <= 4)
    assert float(course[rising].mean()) > 4 * float(course[~rising].mean())
    assert (components.worm.values[:, locked] > 0).all()
    part = factorize(around, 2, starts=3, worms=list(around.worms)[:6])
    assert match_components(components, part, modes=("pair", "time")).table["similarity"].max() > 0.8


def test_signed_affinities_give_one_component_with_two_graphs(spontaneous):
    cohort, truth = spontaneous
    signed = compute_affinity(cohort, sign="signed")
    components = factorize(signed, 3, starts=3)
    assert components.signs == ("same", "opposite")
    n_pairs = len(signed.pairs)
    assert components.pair.sizes["pair"] == 2 * n_pairs
    assert components.time.sizes["component"] == components.worm.sizes["component"] == 3
    same, opposite = (components.matrix(1, sign=s) for s in components.signs)
    np.testing.assert_allclose(components.matrix(1).values, same.values + opposite.values)
    # planted: members of a motif with unlike signs oppose each other
    sign = truth.members.groupby("motif")
    matrices = {(c, s): components.matrix(c, sign=s) for c in (1, 2, 3) for s in components.signs}
    difference = sum(matrices[c, "same"] - matrices[c, "opposite"] for c in (1, 2, 3))
    gains = {True: [], False: []}
    for _, members in sign:
        rows = members[members["neuron"].isin(components.neurons)]
        for k, (a, s) in enumerate(zip(rows["neuron"], rows["sign"], strict=True)):
            for b, other in list(zip(rows["neuron"], rows["sign"], strict=True))[:k]:
                if a != b:
                    gains[s == other].append(float(difference.sel(neuron=a, neuron_b=b)))
    assert np.nanmean(gains[True]) > 0 > np.nanmean(gains[False])
    with pytest.raises(InputError, match="no sign 'any'"):
        components.matrix(1, sign="any")


def test_communities_of_signed_components_are_those_of_the_sum_or_of_either_graph(spontaneous):
    components = factorize(compute_affinity(spontaneous[0], sign="signed"), 2, starts=2)
    quick = {"starts": 1, "samples": 0, "null_fits": 0}
    both = find_communities(components, component=1, **quick)
    assert both.labels.equals(find_communities(components.matrix(1), **quick).labels)
    for sign in components.signs:
        alone = find_communities(components.matrix(1, sign=sign), **quick)
        assert list(alone.labels["neuron"].values) == list(components.neurons)
        assert np.isfinite(alone.description_length)


@pytest.mark.parametrize("fixed", [("time",), ("worm",), ("time", "worm"), ("pair", "worm")])
def test_fixed_factors_stay_and_the_others_fit(planted, fixed):
    affinity, _ = planted("aligned", noise=0.05)
    known = factorize(affinity, 3, starts=3)
    other, _ = planted("aligned", noise=0.05, seed=0)
    again = factorize(other, 3, starts=1, init=known, fixed=fixed)
    for name in fixed:
        mine, theirs = getattr(again, name).values, getattr(known, name).values
        np.testing.assert_allclose(mine, theirs / np.linalg.norm(theirs, axis=0), atol=1e-6)
    assert again.error == pytest.approx(known.error, abs=1e-3)
    assert again.diagnostics["fixed"] == list(fixed)


@pytest.mark.parametrize("compression", ["off", "on"])
def test_core_consistency_is_that_of_the_dense_tucker_core(planted, compression):
    affinity, _ = planted("aligned", seen=1.0, noise=0.2, times=120)
    settings = FactorizationSettings(compression=compression, compressed_size=40)
    for rank in (2, 3, 4):
        components = factorize(affinity, rank, settings, starts=2)
        with workers(1) as pool:
            prepared = prepare(affinity, rank, settings, pool, starts=1, seed=0)
            ours = core_consistency(prepared, components, pool)
        tensor = np.stack([b.values[0].T for b in affinity.blocks]).astype(float)
        factors = [components.worm.values, components.time.values * components.weight.values, components.pair.values]
        core = multi_mode_dot(tensor, [np.linalg.pinv(f) for f in factors])
        ideal = np.zeros((rank,) * 3)
        ideal[(np.arange(rank),) * 3] = 1
        assert ours == pytest.approx(100 * (1 - ((core - ideal) ** 2).sum() / rank), abs=0.5)
