"""Options of a fit: projection, warm start, weights, sub-cohorts, penalties; matching, and exchange with TensorLy."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from napari_dynamic_connectome.factorization import prepare as prepare_module
from napari_dynamic_connectome.factorization.convert import from_cp_tensor, to_cp_tensor
from napari_dynamic_connectome.factorization.factorize import factorize, project_worms
from napari_dynamic_connectome.factorization.match import factor_match, match_components
from napari_dynamic_connectome.factorization.prepare import FEW, plan_memory
from napari_dynamic_connectome.factorization.problem import ArrayAffinity, build_problem
from napari_dynamic_connectome.factorization.settings import FactorizationSettings
from napari_dynamic_connectome.factorization.sources import stored_megabytes
from napari_dynamic_connectome.model.cluster import lent
from napari_dynamic_connectome.model.errors import InputError


def sub(affinity, blocks):
    return ArrayAffinity(
        affinity.neurons, affinity.pairs, tuple(blocks), affinity.model, affinity.signs, affinity.time_s
    )


def test_projected_worm_gets_the_course_it_has_in_the_whole_fit(planted):
    affinity, _ = planted("unaligned", worms=5, noise=0.02)
    whole = factorize(affinity, 3, starts=4)
    known = factorize(sub(affinity, affinity.blocks[:4]), 3, starts=4)
    new = project_worms(sub(affinity, affinity.blocks[4:]), known)
    assert new.rank == 3
    assert new.worm["worm"].values.tolist() == ["worm 5"]
    partner = match_components(known, whole, modes=("pair",)).renumber()
    for component in whole.weight["component"].values:
        theirs = whole.time_course(int(component), "worm 5").values
        ours = new.time_course(partner[int(component)], "worm 5").values
        assert np.corrcoef(theirs, ours)[0, 1] > 0.98
    pair = known.pair.values[np.isfinite(new.pair.values).all(axis=1)]
    assert np.allclose(new.pair.values[np.isfinite(new.pair.values).all(axis=1)], pair / np.linalg.norm(pair, axis=0))


def test_projection_of_other_neurons_is_refused(planted):
    affinity, _ = planted("unaligned")
    known = factorize(affinity, 2, starts=1)
    strangers = ArrayAffinity(tuple(f"X{i}" for i in range(len(affinity.neurons))), affinity.pairs, affinity.blocks)
    with pytest.raises(InputError, match="no pair of neurons of this cohort is known"):
        project_worms(strangers, known)


@pytest.mark.parametrize("model", ["aligned", "unaligned"])
def test_warm_start_begins_where_the_other_fit_ended(planted, model):
    affinity, _ = planted(model, noise=0.2)
    cold = factorize(affinity, 3, starts=3, tolerance=1e-8, max_sweeps=1000)
    warm = factorize(affinity, 3, starts=1, init=cold, max_sweeps=3)
    assert warm.error == pytest.approx(cold.error, abs=1e-6)
    assert match_components(cold, warm).score > 0.999


def test_sub_cohort_is_the_fit_of_those_worms_alone(planted):
    affinity, _ = planted("unaligned", worms=4)
    part = factorize(affinity, 2, starts=2, worms=["worm 1", "worm 3"])
    alone = factorize(sub(affinity, [affinity.blocks[0], affinity.blocks[2]]), 2, starts=2)
    assert part.error == pytest.approx(alone.error, abs=1e-9)
    assert part.worm["worm"].values.tolist() == ["worm 1", "worm 3"]


def test_pairs_seen_by_too_few_worms_are_left_out_visibly(planted):
    affinity, _ = planted("unaligned", worms=4)
    components = factorize(affinity, 2, starts=2, min_worms=3)
    few = components.pair_worms.values < 3
    assert few.any()
    assert np.isnan(components.pair.values[few]).all()
    assert np.isfinite(components.pair.values[~few]).all()
    assert f"{few.sum()} pairs left out" in components.diagnostics["notes"][0]


def test_heavier_worm_is_fitted_better(planted):
    affinity, _ = planted("unaligned", rank=4, noise=0.3)
    plain = factorize(affinity, 2, starts=3)
    heavy = factorize(affinity, 2, starts=3, worm_weights={"worm 2": 50.0})
    assert heavy.diagnostics["worm_errors"]["worm 2"] < plain.diagnostics["worm_errors"]["worm 2"]
    assert heavy.error > plain.error


def test_equal_weighting_does_not_depend_on_a_worm_s_scale(planted):
    affinity, _ = planted("unaligned", noise=0.1)
    loud = [(b.rows, b.values * (30 if n == 1 else 1), None) for n, b in enumerate(affinity.blocks)]
    other = ArrayAffinity.from_arrays(loud, n_pairs=45)
    first = factorize(affinity, 3, starts=3, worm_weighting="equal", ridge=0.0)
    second = factorize(other, 3, starts=3, worm_weighting="equal", ridge=0.0)
    assert match_components(first, second, modes=("pair",)).score > 0.999


def test_sparsity_empties_and_smoothness_calms_the_time_course(planted):
    affinity, _ = planted("unaligned", noise=0.3)
    plain = factorize(affinity, 3, starts=2)
    sparse = factorize(affinity, 3, starts=2, sparsity=0.3)
    smooth = factorize(affinity, 3, starts=2, smoothness=3.0)

    def zeros(components):
        return float((components.time.values == 0).mean())

    def roughness(components):
        steps = np.diff(components.time.values[components.time["worm"].values == "worm 1"], axis=0)
        return float((steps**2).sum())

    assert zeros(sparse) > zeros(plain) + 0.1
    assert roughness(smooth) < 0.5 * roughness(plain)
    assert plain.error < min(sparse.error, smooth.error)


def test_match_is_tensorly_s_congruence(planted):
    from tensorly.metrics import congruence_coefficient

    rng = np.random.default_rng(0)
    first = [rng.random((4, n)) for n in (20, 7, 30)]
    second = [rng.random((4, n)) for n in (20, 7, 30)]
    score, _, columns = factor_match(first, second)
    theirs, permutation = congruence_coefficient([f.T for f in first], [f.T for f in second])
    assert score == pytest.approx(float(theirs))
    assert list(columns) == list(permutation)


def test_match_finds_the_partner_by_name_whatever_the_order(planted):
    affinity, _ = planted("unaligned", noise=0.02)
    first = factorize(affinity, 3, starts=3)
    turned = ArrayAffinity(affinity.neurons, affinity.pairs[:, ::-1], affinity.blocks)
    second = factorize(turned, 3, starts=3, seed=5)
    found = match_components(first, second)
    assert found.modes == ("pair", "time")
    assert found.score > 0.99
    assert found.table["component_a"].tolist() == [1, 2, 3]


def test_cp_tensor_there_and_back(planted):
    from tensorly.cp_tensor import cp_norm, cp_to_tensor

    affinity, _ = planted("aligned", seen=1.0)
    components = factorize(affinity, 3, starts=2)
    cp = to_cp_tensor(components)
    dense = cp_to_tensor(cp)
    data = np.stack([b.values[0].T for b in affinity.blocks])
    assert np.linalg.norm(data - dense) / np.linalg.norm(data) == pytest.approx(components.error, abs=1e-6)
    assert float(cp_norm(cp)) == pytest.approx(np.linalg.norm(dense))
    back = from_cp_tensor(
        cp, neurons=affinity.neurons, pairs=affinity.pairs, worms=affinity.worms, time_s=affinity.time_s
    )
    assert match_components(components, back).score == pytest.approx(1.0)
    assert np.allclose(back.weight, components.weight)
    with pytest.raises(InputError, match="no CP tensor"):
        to_cp_tensor(factorize(planted("unaligned")[0], 2, starts=1))


def test_factors_go_to_tensortools_and_come_back(planted):
    tensortools = pytest.importorskip("tensortools")
    affinity, _ = planted("aligned", seen=1.0)
    components = factorize(affinity, 3, starts=1)
    weights, factors = to_cp_tensor(components)
    theirs = tensortools.KTensor([factors[0] * weights, *factors[1:]])  # it has no weights
    back = from_cp_tensor(
        theirs, neurons=affinity.neurons, pairs=affinity.pairs, worms=affinity.worms, time_s=affinity.time_s
    )
    np.testing.assert_allclose(back.weight.values, components.weight.values)
    np.testing.assert_allclose(back.pair.values, components.pair.values, atol=1e-12)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e3), model=st.sampled_from(["aligned", "unaligned"]))
def test_order_of_worms_and_pairs_and_scale_do_not_matter(planted, seed, scale, model):
    affinity, _ = planted(model, noise=0.01, seed=seed % 5)
    rng = np.random.default_rng(seed)
    order = rng.permutation(45)
    place = np.argsort(order)
    blocks = [(place[b.rows], b.values * scale, None) for b in affinity.blocks]
    worms = rng.permutation(len(blocks))
    changed = ArrayAffinity.from_arrays(
        [blocks[w] for w in worms], n_pairs=45, pairs=affinity.pairs[order], model=model, neurons=affinity.neurons
    )
    first = factorize(affinity, 3, starts=4)
    second = factorize(changed, 3, starts=4)
    assert second.error == pytest.approx(first.error, abs=2e-4)
    assert match_components(first, second, modes=("pair",)).score > 0.99
    assert np.allclose(second.weight.values / scale, first.weight.values, rtol=0.02)


def test_smoothness_does_not_reach_across_a_gap():
    values = np.ones((3, 40))
    values[:, 20:] = 0.05
    together = ArrayAffinity.from_arrays([(np.arange(3), values, None)])
    late = np.arange(40.0) + np.where(np.arange(40) < 20, 0, 500)
    block = together.blocks[0]
    apart = sub(together, [type(block)(block.worm, block.rows, block.values, block.observed, late)])
    options = {"starts": 1, "smoothness": 5.0}
    steps = [-np.diff(factorize(a, 1, **options).time_course(1, "worm 1").values)[19] for a in (together, apart)]
    assert steps[1] > 2 * steps[0] > 0


@pytest.mark.parametrize(("model", "seen"), [("unaligned", 0.3), ("aligned", 0.3), ("unaligned", 1.0)])
def test_many_worms_that_see_few_pairs_each_give_the_same_without_the_zeros(planted, monkeypatch, model, seen):
    from napari_dynamic_connectome.factorization import solver

    affinity, _ = planted(model, worms=9, pairs=80, times=40, seen=seen, noise=0.1)
    options = {"starts": 3, "worm_weights": {"worm 2": 2.0}, "ridge": 0.05, "min_worms": 1}
    whole = factorize(affinity, 2, **options)
    monkeypatch.setattr(solver, "MANY_WORMS", 2)
    monkeypatch.setattr(solver, "THIN", 2.0)
    calls = []
    monkeypatch.setattr(solver, "_patterns", lambda counts, real=solver._patterns: calls.append(counts) or real(counts))
    short = factorize(affinity, 2, **options)
    assert calls and not any(isinstance(one, np.ndarray) for one in calls)
    np.testing.assert_allclose(short.pair.values, whole.pair.values, atol=1e-7)
    np.testing.assert_allclose(short.diagnostics["start_errors"], whole.diagnostics["start_errors"], atol=1e-9)


def test_patterns_are_the_same_with_and_without_zeros():
    from scipy.sparse import csr_array

    from napari_dynamic_connectome.factorization.solver import _patterns

    rng = np.random.default_rng(0)
    table = (rng.random((5, 30)) < 0.2)[rng.integers(0, 5, 400)] * rng.uniform(1, 2, 30)
    dense, sparse = _patterns(table), _patterns(csr_array(table))
    for worms, start, slots in (dense, sparse):
        for k, row in enumerate(worms):
            mine = slots[start[k] : start[k + 1]]
            assert (table[mine] == row).all()
        assert sorted(slots) == list(range(400))
    assert len(dense[0]) == len(sparse[0]) == 5
    assert _patterns(csr_array(rng.random((400, 30)) < 0.2)) is None
    for weights in (np.ones(30), 2.0 ** np.arange(30), rng.uniform(1, 2, 30)):  # zeros and ones differ in few bits
        rows = (rng.random((40, 30)) < 0.2)[rng.integers(0, 40, 2000)] * weights
        expected = np.unique(rows, axis=0, return_inverse=True)
        np.testing.assert_array_equal(_patterns(rows)[0], expected[0])
        np.testing.assert_array_equal(_patterns(rows)[2], np.argsort(expected[1].ravel(), kind="stable"))
    assert _patterns(np.ones((400, 30)) * (rng.random((400, 30)) < 0.2)) is None


def test_memory_without_a_number_grows_with_the_cohort(planted, monkeypatch):
    from napari_dynamic_connectome.factorization import prepare
    from napari_dynamic_connectome.factorization.settings import FactorizationSettings

    usual, said = FactorizationSettings(), FactorizationSettings(memory_mb=700)
    assert prepare._budget(usual, 8000, 100, 300) == 600  # enough
    assert prepare._budget(usual, 8000, 100, 1500) == 1500  # rows in memory
    assert prepare._budget(usual, 8000, 100, 9000) == 2000  # a quarter of what is free
    assert prepare._budget(usual, 8000, 3000, 9000) == 3000  # a few starts together
    assert prepare._budget(usual, 8000, 5000, 9000) == 4000  # never more than half
    assert prepare._budget(said, 8000, 3000, 9000) == 700
    assert prepare._budget(said, 1000, 3000, 9000) == 500


def test_workers_of_a_cluster_share_the_memory(planted, monkeypatch):
    class Cluster:
        """Workers of which two run on one machine."""

        def __init__(self, free):
            self.free = free

        def run(self, function, **_):
            return {"a": ("there", self.free, 1e6), "b": ("there", self.free, 1e6), "c": ("alone", 1e6, 1e6)}

    affinity, _ = planted("unaligned", times=4000, pairs=300, worms=4)
    chosen = FactorizationSettings(compression="off")
    problem = build_problem(affinity, chosen)
    need = stored_megabytes(problem)
    assert 10 < need < 100
    how = (problem, chosen, 1, 1000, 0, 1.0)
    with lent(Cluster(1e6)):
        many, storage = plan_memory(*how)
    assert storage == "stored"
    with lent(Cluster(2 * 300.0)):  # half of 300 MB each
        few, _ = plan_memory(*how)
    assert few < many
    with lent(Cluster(2 * 2 * 1.9 * need)):  # half of it would hold them, but they are there twice while they travel
        assert plan_memory(*how)[1] == "streamed"
    monkeypatch.setattr(prepare_module, "USUAL_MB", 0.0)
    with lent(Cluster(2 * 1.5 * need)):  # a quarter of it has no room for so many, half of it has
        assert plan_memory(problem, chosen, 2, 1000, 0, 1.0) == (FEW, "streamed")
    with (
        lent(Cluster(1.0)),
        pytest.raises(
            InputError, match=r"each process of the cluster can have: .*one start needs .*Start fewer workers"
        ),
    ):
        plan_memory(*how)
