"""Hopeless input ends in one clear message; poor input in a documented result."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from napari_dynamic_connectome import Cohort, InputError, Recording
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.measures import KINDS
from napari_dynamic_connectome.model.errors import SettingsError

NAMES = ["AVAL", "AVAR", "AVEL", "RIBL", "SMDVL", "SMDVR"]


def record(name="w", names=NAMES[:4], n_times=80, seed=0, **more):
    x = np.random.default_rng(seed).standard_normal((n_times, len(names))).cumsum(axis=0)
    return Recording.from_arrays(x, name=name, rate_hz=4.0, names=names, **more)


def test_one_worm_two_neurons_is_enough():
    spec = compute_affinity(Cohort([record(names=NAMES[:2])]))
    assert spec.model == "unaligned"
    assert "one worm" in spec.model_reason
    assert spec.blocks[0].dense().shape == (1, 1, 80)


@pytest.mark.parametrize("n_times", [1, 2])
def test_too_few_time_points(n_times):
    with pytest.raises(InputError, match="time point"):
        compute_affinity(Cohort([record(n_times=n_times)]))


def test_a_recording_shorter_than_one_sample_of_the_common_rate():
    with pytest.raises(InputError, match="less than one sample"):
        compute_affinity(Cohort([record(n_times=8)]), rate_hz=0.1)


def test_no_pair_is_shared_by_enough_worms():
    cohort = Cohort([record("a", NAMES[:2]), record("b", NAMES[2:4])])
    assert len(compute_affinity(cohort).pairs) == 2
    with pytest.raises(InputError, match=r"observed by 2 worm.*the most is 1.*Lower min_worms"):
        compute_affinity(cohort, min_worms=2)


def test_pairs_that_no_worm_has_together_are_not_listed():
    cohort = Cohort([record("a", NAMES[:3]), record("b", NAMES[2:5])])
    spec = compute_affinity(cohort)
    names = [(spec.neurons[i], spec.neurons[j]) for i, j in spec.pairs]
    assert ("AVAL", "RIBL") not in names
    assert len(names) == 6
    assert np.isnan(float(spec.mean_affinity().sel(neuron="AVAL", neuron_b="RIBL")))
    np.testing.assert_array_equal(spec.pair_worms(), 1)


def test_a_worm_without_a_pair_stays_listed_with_no_rows():
    spec = compute_affinity(Cohort([record("a"), record("b", ["AVAL", "", ""])]))
    assert spec.worms == ("a", "b")
    assert spec.block("b").n_rows == 0
    assert spec.block("b").dense().shape == (1, 0, 80)


def test_constant_traces_are_silent_not_an_error():
    flat = Recording.from_arrays(np.ones((50, 3)), name="w", rate_hz=4.0, names=NAMES[:3])
    for kind in KINDS:
        spec = compute_affinity(Cohort([flat]), kind=kind)
        assert len(spec.pairs) == 3
        assert not spec.blocks[0].dense().any()


def test_traces_of_nothing_but_short_scraps():
    x = np.full((60, 3), np.nan)
    x[::10] = 1.0
    worm = Recording.from_arrays(x, name="w", rate_hz=4.0, names=NAMES[:3])
    with pytest.raises(InputError):
        compute_affinity(Cohort([worm]))


def test_unknown_settings_and_names():
    cohort = Cohort([record()])
    with pytest.raises(SettingsError, match="unknown setting 'sigma'"):
        compute_affinity(cohort, sigma=2)
    with pytest.raises(SettingsError, match="sigma_s"):
        compute_affinity(cohort, sigma_s=-1)
    spec = compute_affinity(cohort)
    with pytest.raises(InputError, match="no worm 'x'"):
        spec.block("x")
    with pytest.raises(InputError, match="no neuron 'XYZ'"):
        spec.pair_affinity("AVAL", "XYZ", "w")
    with pytest.raises(InputError, match="no sign 'same'"):
        spec.mean_affinity(sign="same")
    with pytest.raises(IndexError):
        spec.blocks[0].tile(0, 99, 0, 5)


def test_pair_affinity_is_a_row_of_the_tiles_in_either_order():
    spec = compute_affinity(Cohort([record()]), sign="signed")
    there, back = (spec.pair_affinity(*names, "w") for names in (("AVAR", "RIBL"), ("RIBL", "AVAR")))
    row = spec.pairs.tolist().index([spec.neurons.index("AVAR"), spec.neurons.index("RIBL")])
    np.testing.assert_array_equal(there.values, spec.blocks[0].dense()[:, row])
    np.testing.assert_array_equal(there.values, back.values)


def test_a_spec_can_be_sent_to_another_process():
    for kind in KINDS:
        spec = compute_affinity(Cohort([record()]), kind=kind)
        again = pickle.loads(pickle.dumps(spec))
        np.testing.assert_array_equal(again.blocks[0].dense(), spec.blocks[0].dense())
