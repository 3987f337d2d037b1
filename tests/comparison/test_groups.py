"""Differences between groups of worms: p values as scipy's, effect sizes with the coverage they promise, few worms said so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.comparison.groups import (
    compare_groups,
    component_levels,
    hedges_g,
    permutation_test,
    two_groups,
    worm_affinities,
)
from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.model.attributes import apply_table, attributes_of, with_attributes, worm_table
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.simulation.simulate import simulate_cohort


def absolute_difference(a, b, axis):
    return np.abs(np.mean(a, axis=axis) - np.mean(b, axis=axis))


@pytest.mark.parametrize(("n_a", "n_b"), [(3, 3), (4, 5), (2, 6)])
def test_exact_p_values_are_scipys(n_a, n_b) -> None:
    rng = np.random.default_rng(n_a)
    values = rng.standard_normal((n_a + n_b, 6))
    values[n_a:] += np.linspace(0, 3, 6)
    is_b = np.arange(n_a + n_b) >= n_a
    p, smallest, exact = permutation_test(values, is_b)
    assert exact
    for k in range(6):
        expected = stats.permutation_test(
            (values[~is_b, k], values[is_b, k]),
            absolute_difference,
            permutation_type="independent",
            alternative="greater",
            n_resamples=np.inf,
            vectorized=True,
        )
        assert p[k] == pytest.approx(expected.pvalue)
    assert p.min() >= smallest
    # complete separation gives the smallest p that there is
    apart = np.where(is_b, 10.0, 0.0)[:, None] + 0.01 * rng.random((n_a + n_b, 1))
    assert permutation_test(apart, is_b)[0][0] == pytest.approx(smallest)


def test_many_worms_are_exchanged_at_random_and_the_size_holds() -> None:
    rng = np.random.default_rng(0)
    values = rng.exponential(size=(24, 400))
    is_b = np.arange(24) < 9
    p, smallest, exact = permutation_test(values, is_b, permutations=999)
    assert not exact and smallest == 1 / 1000 and p.min() >= smallest
    assert stats.binomtest(int((p <= 0.05).sum()), 400, 0.05).pvalue > 0.01
    again = permutation_test(values, is_b, permutations=999)[0]
    np.testing.assert_array_equal(p, again)


def test_hedges_g_covers_the_true_effect() -> None:
    rng = np.random.default_rng(1)
    for true in (0.0, 1.0):
        values = rng.standard_normal((16, 4000))
        is_b = np.arange(16) >= 8
        values[is_b] += true
        g, low, high = hedges_g(values, is_b)
        assert np.mean((low <= true) & (true <= high)) == pytest.approx(0.95, abs=0.015)
        assert g.mean() == pytest.approx(true, abs=0.03)  # unbiased, which Cohen's d is not
    assert np.isnan(hedges_g(np.ones((4, 1)), np.array([0, 0, 1, 1], bool))[0]).all()


def group_cohort(seed: int = 0, n_worms: int = 8) -> Cohort:
    """Worms of which only the second half, of strain "mutant", show a common drive of four neurons."""
    rng = np.random.default_rng(seed)
    names = [f"N{i}" for i in range(8)]
    worms = []
    for k in range(n_worms):
        drive = np.convolve(rng.standard_normal(619), np.ones(20) / 20, mode="valid")
        traces = 0.3 * np.apply_along_axis(
            np.convolve, 0, rng.standard_normal((619, 8)), np.ones(20) / 20, mode="valid"
        )
        traces[:, :4] += 0.8 * drive[:, None]
        if k >= n_worms // 2:
            traces[:, 4:] += 0.8 * np.convolve(rng.standard_normal(619), np.ones(20) / 20, mode="valid")[:, None]
        # missing neurons
        keep = [i for i in range(8) if i != k % 4]
        worm = Recording.from_arrays(traces[:, keep], name=f"w{k}", rate_hz=4, names=[names[i] for i in keep])
        worms.append(with_attributes(worm, {"strain": "mutant" if k >= n_worms // 2 else "N2"}))
    return Cohort(worms)


def test_what_differs_is_found_component_by_component_and_pair_by_pair() -> None:
    cohort = group_cohort()
    affinity = compute_affinity(cohort)
    components = factorize(affinity, 2, starts=4)
    found = compare_groups(cohort, "strain", components=components, affinity=affinity, groups=("N2", "mutant"))
    late = int(np.argmax([float(components.strength(c).sel(neuron="N6")) for c in (1, 2)])) + 1
    table = found.table().set_index("component")
    assert table.loc[late, "p_value"] == pytest.approx(2 / 70) and table.loc[late, "p_smallest"] == pytest.approx(
        2 / 70
    )
    assert table.loc[late, "effect_low"] > 0 and table.loc[3 - late, "p_value"] > 0.05
    pairs = found.pairs.set_index(["neuron_a", "neuron_b"])
    inside = pairs.loc[[("N4", "N5"), ("N6", "N7"), ("N4", "N7")]]
    assert (inside["difference"] > 0.05).all() and inside["p_value"].tolist() == pytest.approx([2 / 70] * 3)
    assert (inside["q_value"] >= inside["p_value"]).all()
    # N0 is missing in w0 and w4: three against three worms, and their own smallest p
    assert pairs.loc[("N0", "N5"), ["worms_a", "worms_b"]].tolist() == [3, 3]
    assert pairs.loc[("N0", "N5"), "p_smallest"] == pytest.approx(2 / 20)
    np.testing.assert_allclose(found.pairs["q_value"], stats.false_discovery_control(found.pairs["p_value"]))
    assert "8" not in found.sentences()[0] and "4 worms 'N2' against 4 worms 'mutant'" in found.sentences()[0]


def test_a_worms_values_are_what_they_say() -> None:
    cohort = group_cohort(1, 4)
    affinity = compute_affinity(cohort)
    components = factorize(affinity, 2, starts=2)
    levels = component_levels(components)
    for worm in cohort.worms:
        for c in (1, 2):
            assert levels.loc[worm, c] == pytest.approx(np.sqrt(np.mean(components.time_course(c, worm).values ** 2)))
    mean = worm_affinities(affinity, list(cohort.worms)).sel(worm="w1").values
    expected = affinity.mean_affinity(worms=("w1",))
    for row, (a, b) in enumerate(affinity.pairs):
        np.testing.assert_allclose(mean[row], expected.values[a, b], rtol=1e-6)


def test_groups_by_stimulus_and_events_in_place_of_worms() -> None:
    cohort, _ = simulate_cohort(n_worms=4, n_neurons=12, duration_s=120, n_motifs=2, motif_size=4, seed=3)
    some = Cohort([r if k < 2 else r.replace(stimuli=r.stimuli.iloc[:0]) for k, r in enumerate(cohort.recordings)])
    groups, _ = two_groups(some, "received NaCl")
    assert groups == {"no": cohort.worms[2:], "yes": cohort.worms[:2]}
    assert set(worm_table(some.recordings)["stimuli"]) == {"NaCl+butanone+pentanedione", "none"}
    affinity = compute_affinity(cohort, alignment="events", event="NaCl")
    components = factorize(affinity, 2, starts=1)
    assert list(component_levels(components).index) == list(cohort.worms)


def test_attributes_travel_with_the_worm(tmp_path) -> None:
    from napari_dynamic_connectome import read_recording, write_recording

    worm = with_attributes(group_cohort(0, 4).recordings[0], {"day": 3, "note": ""})
    assert attributes_of(worm) == {"strain": "N2", "day": "3"}
    table = pd.DataFrame({"worm": ["w1", "elsewhere"], "strain": ["CB1", "x"], "sex": ["m", "h"]})
    given = apply_table([worm, worm.replace(name="w1")], table)
    assert attributes_of(given[0])["strain"] == "N2" and attributes_of(given[1]) == {
        "strain": "CB1",
        "day": "3",
        "sex": "m",
    }
    assert worm_table(given)["sex"].tolist() == ["", "m"]
    write_recording(given[1], tmp_path / "w1.nwb")
    assert attributes_of(read_recording(tmp_path / "w1.nwb")) == attributes_of(given[1])
    with pytest.raises(InputError, match="no column 'worm'"):
        apply_table(given, table.rename(columns={"worm": "animal"}))
    with pytest.raises(InputError, match="two rows"):
        apply_table(given, pd.concat([table, table]))
    with pytest.raises(InputError, match="no row has the name of a worm"):
        apply_table(given, table.assign(worm=["x", "y"]))
    with pytest.raises(InputError, match="cannot be called 'stimuli'"):
        with_attributes(worm, {"stimuli": "none"})


def test_bad_groups_in_words() -> None:
    cohort = group_cohort(0, 4)
    with pytest.raises(InputError, match=r"no attribute 'sex'.*Known: strain, stimuli"):
        two_groups(cohort, "sex")
    with pytest.raises(InputError, match="which column"):
        two_groups(cohort, "")
    with pytest.raises(InputError, match="no worm has strain 'N3'"):
        two_groups(cohort, "strain", ("N2", "N3"))
    three = Cohort([*cohort.recordings, with_attributes(cohort.recordings[0].replace(name="x"), {"strain": "odd"})])
    with pytest.raises(InputError, match="makes 3 groups"):
        two_groups(three, "strain")
    with pytest.raises(InputError, match=r"group 'odd' has one worm \(x\)"):
        two_groups(three, "strain", ("N2", "odd"))
    assert two_groups(three, "strain", ("N2", "mutant"))[1] == ["left out, as they are in neither group: x"]
    with pytest.raises(InputError, match="nothing to compare"):
        compare_groups(cohort, "strain")
    few = compare_groups(cohort, "strain", affinity=compute_affinity(cohort))
    assert any("no p can be below 0.333" in note for note in few.notes)


def test_levels_of_missing_worms_are_left_out() -> None:
    cohort = group_cohort(2, 6)
    components = factorize(compute_affinity(cohort), 2, starts=1, worms=list(cohort.worms[:5]))
    table = compare_groups(cohort, "strain", components=components).table()
    assert table["worms_a"].tolist() == [3, 3] and table["worms_b"].tolist() == [2, 2]
    assert isinstance(table["p_value"], pd.Series) and isinstance(components.pair, xr.DataArray)
