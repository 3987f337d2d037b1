"""Both clocks in one model: some components have a common course, others a course of their own in every worm."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import nnls

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.comparison.recovery import recovery_scores
from napari_dynamic_connectome.factorization.clocks import common_course, predicted_shares
from napari_dynamic_connectome.factorization.convert import to_cp_tensor
from napari_dynamic_connectome.factorization.factorize import factorize, project_worms
from napari_dynamic_connectome.factorization.jobs import FitJob
from napari_dynamic_connectome.factorization.match import cosines, match_components
from napari_dynamic_connectome.factorization.prepare import prepare
from napari_dynamic_connectome.factorization.problem import ArrayAffinity
from napari_dynamic_connectome.factorization.project import project_worm
from napari_dynamic_connectome.factorization.settings import FactorizationSettings
from napari_dynamic_connectome.factorization.solver import Factors, Solver, random_factors
from napari_dynamic_connectome.factorization.sweep import sweep_ranks
from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.model.execution import workers


def bursts(rng, times):
    course = np.zeros(times)
    for start in rng.integers(0, times - 6, 4):
        course[start : start + 6] += rng.uniform(0.5, 1)
    return course


def make_locked_and_spontaneous(*, locked=3, pairs=66, times=90, worms=5, noise=0.03, seed=0, short=0):
    """Affinity of `locked` stimulus-locked components and a spontaneous one (the last row of the pair factor)."""
    rng = np.random.default_rng(seed)
    pair = rng.random((locked + 1, pairs)) ** 6
    shared = np.array([bursts(rng, times) for _ in range(locked)]).reshape(locked, times)
    blocks = []
    for w in range(worms):
        rows = np.arange(pairs) if w == 0 else np.sort(rng.permutation(pairs)[: round(0.7 * pairs)])
        time = np.vstack([shared * rng.uniform(0.4, 1, (locked, 1)), bursts(rng, times)])
        values = pair[:, rows].T @ time
        values *= np.maximum(1 + noise * rng.standard_normal(values.shape), 0)
        observed = np.ones(times, bool)
        if short:
            observed[times - short * w :] = False
            values[:, ~observed] = np.nan
        blocks.append((rows, values, observed))
    return ArrayAffinity.from_arrays(blocks, model="aligned", n_pairs=pairs), pair


def solver_of(affinity, rank, pool, own, **options):
    settings = FactorizationSettings(model="mixed", compression="off", ridge=0.0, inner=50, **options)
    prepared = prepare(affinity, rank, settings, pool, starts=1, seed=0)
    problem = prepared.problem
    factors = random_factors(problem, rank, [0], 0)
    own = np.asarray(own)
    factors.own[0] = own
    rng = np.random.default_rng(3)
    factors.time[0, ~own, : problem.n_common] = rng.random((int((~own).sum()), problem.n_common))
    factors.time[0, ~own, problem.n_common :] = 0.0
    factors.worm[0, ~own] = rng.random((int((~own).sum()), len(problem.worms)))
    return prepared, factors


# --- brute force ----------------------------------------------------------------------------------------------------


def test_time_update_is_the_joint_least_squares_over_common_and_own_courses():
    affinity, _ = make_locked_and_spontaneous(pairs=20, times=12, worms=3, noise=0.3, short=2)
    own = np.array([False, True, False])
    with workers(1) as pool:
        prepared, factors = solver_of(affinity, 3, pool, own)
        solver = Solver(prepared.problem, prepared.exact, prepared.settings, pool, fixed=("worm", "pair"))
        for _ in range(200):
            solver.sweep(factors)
    worms = prepared.problem.worms
    for t in range(12):
        design, data = [], []
        for w, (worm, block) in enumerate(zip(worms, affinity.blocks, strict=True)):
            if not block.observed[t]:
                continue
            pair = factors.pair[0][:, worm.slots]
            columns = np.zeros((len(worm.slots), 2 + len(worms)))
            columns[:, :2] = (pair[~own] * factors.worm[0, ~own, w : w + 1]).T
            columns[:, 2 + w] = pair[1]
            design.append(columns)
            data.append(block.values[0][:, t])
        wanted, _ = nnls(np.concatenate(design), np.concatenate(data))
        assert np.allclose(factors.time[0, ~own, t], wanted[:2], atol=1e-5)
        for w, worm in enumerate(worms):
            if affinity.blocks[w].observed[t]:
                column = worm.own[np.flatnonzero(worm.times == t)[0]]
                assert factors.time[0, 1, column] == pytest.approx(wanted[2 + w], abs=1e-5)


def test_worm_update_leaves_the_own_courses_out_of_the_data():
    affinity, _ = make_locked_and_spontaneous(pairs=20, times=15, worms=3, noise=0.3)
    own = np.array([False, True, False])
    with workers(1) as pool:
        prepared, factors = solver_of(affinity, 3, pool, own)
        solver = Solver(prepared.problem, prepared.exact, prepared.settings, pool, fixed=("time", "pair"))
        for _ in range(50):
            solver.sweep(factors)
    for w, (worm, block) in enumerate(zip(prepared.problem.worms, affinity.blocks, strict=True)):
        pair = factors.pair[0][:, worm.slots]
        rest = block.values[0] - np.outer(pair[1], factors.time[0, 1, worm.own])
        columns = [np.outer(pair[r], factors.time[0, r, worm.times]).ravel() for r in (0, 2)]
        wanted, _ = nnls(np.stack(columns, axis=1), rest.ravel())
        assert np.allclose(factors.worm[0, ~own, w], wanted, atol=1e-5)
    assert np.array_equal(factors.worm[0, 1], np.ones(3))


def test_pair_update_is_the_least_squares_over_the_worms_that_see_the_pair():
    affinity, _ = make_locked_and_spontaneous(pairs=20, times=15, worms=4, noise=0.3)
    with workers(1) as pool:
        prepared, factors = solver_of(affinity, 3, pool, [True, False, False])
        problem = prepared.problem
        solver = Solver(problem, prepared.exact, prepared.settings, pool, fixed=("time", "worm"))
        for _ in range(20):
            solver.sweep(factors)
    for pair in range(problem.n_slots):
        design, data = [], []
        for w, (worm, block) in enumerate(zip(problem.worms, affinity.blocks, strict=True)):
            row = np.flatnonzero(worm.slots == pair)
            if len(row):
                common = factors.time[0][1:, worm.times] * factors.worm[0, 1:, w : w + 1]
                design.append(np.vstack([factors.time[0][:1, worm.own], common]).T)
                data.append(block.values[0][row[0]])
        design, data = np.concatenate(design), np.concatenate(data)
        _, wanted = nnls(design, data)
        # products are float32, so that a pair which one worm sees has few certain digits, but its error has many
        assert np.linalg.norm(data - design @ factors.pair[0][:, pair]) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("compression", ["off", "on"])
@pytest.mark.parametrize("short", [0, 7])
def test_error_is_that_of_a_dense_computation(dense_error, compression, short):
    affinity, _ = make_locked_and_spontaneous(noise=0.2, short=short)
    components = factorize(affinity, 4, starts=3, model="mixed", compression=compression, compressed_size=16)
    assert components.model == "mixed"
    assert components.error == pytest.approx(dense_error(affinity, components), abs=1e-6)


def test_prediction_of_left_out_worms_is_that_of_a_plain_loop():
    rng = np.random.default_rng(5)
    courses, energy = rng.random((1, 4, 30)) ** 2, rng.random((1, 4))
    observed = rng.random((4, 30)) > 0.2
    courses[0][~observed] = 0
    rest = spread = 0.0
    for w in range(4):
        others = np.zeros(30)
        for t in range(30):
            use = [v for v in range(4) if v != w and observed[v, t]]
            norms = {v: np.linalg.norm(courses[0, v]) for v in use}
            if use:
                others[t] = sum(energy[0, v] * norms[v] * courses[0, v, t] for v in use)
                others[t] /= sum(energy[0, v] * norms[v] ** 2 for v in use)
        x, y = others[observed[w]], courses[0, w, observed[w]]
        rest += energy[0, w] * ((y - x * (x @ y) / (x @ x)) ** 2).sum()
        spread += energy[0, w] * ((y - y.mean()) ** 2).sum()
    predicted, _ = predicted_shares(courses, observed, energy)
    assert predicted[0] == pytest.approx(1 - rest / spread)


def test_prediction_tells_locked_flat_and_independent_courses_apart():
    rng = np.random.default_rng(0)
    wave = rng.random(400) ** 6
    locked = wave * rng.uniform(0.5, 2, (6, 1))
    flat = 1 + 0.1 * rng.standard_normal((6, 400))
    alone = rng.random((6, 400)) ** 6
    predicted, constant = predicted_shares(np.stack([locked, flat, alone]), np.ones((6, 400), bool), np.ones((3, 6)))
    assert predicted[0] == pytest.approx(1)
    assert constant[1] > 0.95
    assert predicted[2] < 0.05
    assert constant[2] < 0.5
    time, worm = common_course(locked, np.ones((6, 400), bool), np.ones(6))
    assert np.allclose(worm[:, None] * time, locked)


# --- special cases --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [{}, {"sparsity": 0.1}, {"smoothness": 2.0}], ids=["plain", "sparse", "smooth"])
@pytest.mark.parametrize("model", ["aligned", "unaligned"])
def test_all_common_is_aligned_and_all_own_is_unaligned(model, penalty):
    affinity, _ = make_locked_and_spontaneous(short=4)
    found = {}
    with workers(1) as pool:
        for kind in (model, "mixed"):
            settings = FactorizationSettings(model=kind, compression="off", **penalty)
            prepared = prepare(affinity, 3, settings, pool, starts=2, seed=0)
            problem = prepared.problem
            factors = random_factors(problem, 3, [0, 1], 0)
            if kind == model:
                first = factors.take([0, 1])
            elif model == "aligned":
                factors = Factors(np.zeros_like(factors.time), first.worm.copy(), first.pair.copy())
                factors.time[:, :, : problem.n_common] = first.time
            else:
                factors.time[:, :, problem.n_common :] = first.time
                factors.pair[:] = first.pair
            solver = Solver(problem, prepared.exact, settings, pool)
            fit = solver.run(factors, max_sweeps=25, tolerance=0.0, rescale=True)
            columns = slice(None)
            if kind == "mixed":
                columns = slice(0, problem.n_common) if model == "aligned" else slice(problem.n_common, None)
            found[kind] = (fit.factors.time[:, :, columns], fit.factors.pair, fit.final)
    for one, other in zip(found[model], found["mixed"], strict=True):
        assert np.allclose(one, other, rtol=1e-5, atol=1e-7)


def test_one_worm_has_one_clock():
    affinity, _ = make_locked_and_spontaneous(worms=1)
    asked = factorize(affinity, 3, starts=2, model="mixed")
    assert asked.model == "aligned"
    assert any("one worm" in note for note in asked.diagnostics["notes"])
    assert factorize(affinity, 3, starts=2).error == asked.error


def test_without_a_common_clock_auto_is_unaligned_and_mixed_is_refused(planted):
    affinity, _ = planted("unaligned")
    assert factorize(affinity, 2, starts=1).model == "unaligned"
    with pytest.raises(InputError, match="share no clock"):
        factorize(affinity, 2, starts=1, model="mixed")


def test_worms_without_shared_pairs_keep_the_common_clock():
    rng = np.random.default_rng(0)
    course = rng.random((2, 40)) ** 3
    blocks = [(rows, rng.random((10, 2)) @ course, None) for rows in (np.arange(10), np.arange(10, 20))]
    affinity = ArrayAffinity.from_arrays(blocks, model="aligned", n_pairs=20)
    components = factorize(affinity, 2, starts=2)
    assert components.model == "aligned"
    assert any("share no pair" in note for note in components.diagnostics["notes"])
    with pytest.raises(InputError, match="shares no pair"):
        factorize(affinity, 2, starts=2, model="mixed")


def test_rank_one():
    affinity, _ = make_locked_and_spontaneous(locked=0, seed=2)
    alone = factorize(affinity, 1, starts=2, model="mixed")
    assert alone.clocks == ("own",)
    assert alone.error < 0.1
    affinity, _ = make_locked_and_spontaneous(locked=1, seed=2)
    assert factorize(affinity, 1, starts=2, worms=["worm 1"]).clocks == ("common",)


# --- what a user gets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_spontaneous_motif_beside_locked_ones_is_one_component(seed):
    affinity, pair = make_locked_and_spontaneous(noise=0.1, seed=seed)
    components = factorize(affinity, 4, starts=4, model="mixed")
    table = cosines(pair, components.pair.values.T)
    partner = table.argmax(axis=1)
    assert sorted(partner) == [0, 1, 2, 3]
    assert (table.max(axis=1) > 0.97).all()
    assert [components.clocks[r] for r in partner] == ["common"] * 3 + ["own"]
    assert components.diagnostics["similarity"] > 0.95
    predicted = np.array(components.diagnostics["predicted"])
    assert predicted[partner[:3]].min() > 0.8
    assert predicted[partner[3]] < 0.2
    assert (table[3] > 0.7).sum() == 1
    # with common clocks only, the motif takes several components, each for some worms
    aligned = factorize(affinity, 8, starts=2, model="aligned")
    assert (cosines(pair, aligned.pair.values.T)[3] > 0.7).sum() >= 4


def test_locked_motifs_alone_give_an_aligned_fit(planted):
    affinity, _ = planted("aligned", noise=0.05, worms=5)
    auto, aligned = (factorize(affinity, 3, starts=4, model=m) for m in ("mixed", "aligned"))
    assert auto.model == "aligned"
    assert auto.own_time is None
    assert auto.error == pytest.approx(aligned.error, abs=1e-4)
    assert match_components(auto, aligned).score > 0.999


def test_simulated_cohort_gives_every_motif_one_component():
    cohort, truth = ndc.simulate_cohort(n_worms=6, n_neurons=60, duration_s=240, seed=501)
    components = ndc.factorize(ndc.compute_affinity(cohort), 5, starts=3, model="mixed")
    table = recovery_scores(components, None, truth)
    assert (table["similarity"] > 0.8).all()
    wanted = ["own" if kind == "spontaneous" else "common" for kind in table["kind"]]
    assert [components.clock(int(c)) for c in table["component"]] == wanted
    assert (table["time_auroc"] > 0.8).all()
    assert (table.loc[table["kind"] == "spontaneous", "time_auroc"]).notna().all()


def test_held_out_fibres_are_predicted_best_by_the_planted_number():
    affinity, _ = make_locked_and_spontaneous(noise=0.1, seed=21)
    held_out = sweep_ranks(affinity, range(3, 6), starts=2, folds=3, model="mixed").table.set_index("rank")["held_out"]
    assert held_out.idxmin() == 4
    aligned = sweep_ranks(affinity, [4], starts=2, folds=3, model="aligned")
    assert held_out[4] < 0.7 * aligned.table["held_out"].iloc[0]


def test_courses_by_component_worm_and_recording():
    cohort, _ = ndc.simulate_cohort(n_worms=5, n_neurons=40, duration_s=200, unnamed=0.0, seed=502)
    components = ndc.factorize(ndc.compute_affinity(cohort), 5, starts=2, model="mixed")
    assert components.model == "mixed"
    own = components.clocks.index("own") + 1
    common = components.clocks.index("common") + 1
    clock = components.time["time"].values
    with pytest.raises(InputError, match=f"own time course of component {own}"):
        components.time_course(own)
    assert components.time_course(common).size == len(clock)
    assert components.time.sel(component=own).isnull().all()
    total = 0.0
    for name in cohort.worms:
        course = components.time_course(own, name)
        assert course["time"].values.tolist() == clock.tolist()
        norm = float(np.sqrt(np.nansum(course.values**2)) / components.weight.sel(component=own))
        assert norm == pytest.approx(float(components.worm.sel(component=own, worm=name)))
        total += norm**2
        back = components.recording_course(own, name)
        assert np.sort(back.values).tolist() == np.sort(course.values[np.isfinite(course.values)]).tolist()
        peak = float(back["time"].values[back.values.argmax()])
        assert components.clock_time(name, peak) == clock[int(np.nanargmax(course.values))]
    assert total == pytest.approx(1)


def test_a_mixed_fit_survives_a_session(tmp_path):
    affinity, _ = make_locked_and_spontaneous()
    components = factorize(affinity, 4, starts=2, model="mixed")
    session = ndc.Session()
    session.set_components(components)
    ndc.save_session(session, tmp_path / "mixed.zarr")
    again = ndc.load_session(tmp_path / "mixed.zarr").components
    assert again.clocks == components.clocks
    assert again.own_time.identical(components.own_time)
    assert again.time.identical(components.time)


def test_a_mixed_fit_is_no_cp_tensor():
    components = factorize(make_locked_and_spontaneous()[0], 4, starts=2, model="mixed")
    own = components.clocks.index("own") + 1
    with pytest.raises(InputError, match=f"own time course \\(component {own}\\)"):
        to_cp_tensor(components)


def test_warm_start_and_projection_keep_the_clocks():
    affinity, _ = make_locked_and_spontaneous(noise=0.1)
    cold = factorize(affinity, 4, starts=3, tolerance=1e-8, max_sweeps=1000, model="mixed")
    warm = factorize(affinity, 4, starts=1, init=cold, max_sweeps=3, model="mixed")
    assert warm.error == pytest.approx(cold.error, abs=1e-6)
    assert match_components(cold, warm).score > 0.999
    new = project_worms(affinity, cold, model="mixed")
    assert new.clocks == cold.clocks
    assert new.error == pytest.approx(cold.error, abs=1e-4)
    # the worms' own clocks, from a fit with a common one, and back
    apart = project_worms(affinity, cold, model="unaligned")
    assert apart.clocks == ("own",) * 4
    assert apart.error <= cold.error + 1e-6
    together = project_worms(affinity, apart, model="aligned")
    assert together.clocks == ("common",) * 4


def test_a_new_worm_is_projected_by_the_joint_least_squares():
    affinity, _ = make_locked_and_spontaneous(pairs=30, times=40, noise=0.2, short=3)
    known = factorize(affinity, 4, starts=3, model="mixed", worms=[f"worm {w}" for w in (1, 2, 3, 4)])
    assert known.clocks.count("own") == 1
    found = project_worm(affinity, known, "worm 5", splits=0)
    block = affinity.blocks[4]
    seen = block.observed
    a, data = known.pair.values[block.rows] * known.weight.values, block.values[0][:, seen].astype(float)
    columns = []
    for r, clock in enumerate(known.clocks):
        if clock == "common":
            columns.append(np.outer(a[:, r], known.time.values[seen, r]).ravel())
        else:
            columns += [np.outer(a[:, r], unit).ravel() for unit in np.eye(seen.sum())]
    wanted, rest = nnls(np.stack(columns, axis=1), data.ravel(), maxiter=2000)
    assert found.error == pytest.approx(rest / np.linalg.norm(data), rel=1e-6)
    own = known.clocks.index("own")
    course = found.courses.values[seen, own] / known.weight.values[own]
    assert np.allclose(course, wanted[own : own + seen.sum()], atol=1e-5)
    loading = np.delete(wanted, np.arange(own, own + seen.sum()))
    assert np.allclose(np.delete(found.loading.values, own), loading, atol=1e-5)


def test_match_compares_courses_of_both_clocks():
    affinity, _ = make_locked_and_spontaneous(noise=0.05)
    mixed, aligned = factorize(affinity, 4, starts=3, model="mixed"), factorize(affinity, 4, starts=3, model="aligned")
    found = match_components(mixed, factorize(affinity, 4, starts=3, seed=9, model="mixed"))
    assert found.modes == ("pair", "time")
    assert found.score > 0.98
    assert match_components(mixed, aligned).score < found.score - 0.05


def test_checkpoint_goes_on_where_it_was(tmp_path, monkeypatch):
    affinity, _ = make_locked_and_spontaneous()
    whole = factorize(affinity, 4, starts=3, model="mixed")
    first = factorize(affinity, 4, starts=3, model="mixed", checkpoint=tmp_path)
    monkeypatch.setattr(FitJob, "run", lambda *_: pytest.fail("a finished fit was made again"))
    second = factorize(affinity, 4, starts=3, model="mixed", checkpoint=tmp_path)
    for other in (first, second):
        assert np.array_equal(whole.pair.values, other.pair.values, equal_nan=True)
        assert whole.clocks == other.clocks
        assert whole.diagnostics["predicted"] == other.diagnostics["predicted"]


def test_cancel_while_clocks_are_chosen():
    affinity, _ = make_locked_and_spontaneous(noise=0.3)
    calls = iter([False] * 5)
    with pytest.raises(Cancelled):
        factorize(affinity, 4, starts=3, model="mixed", tolerance=0.0, cancel=lambda: next(calls, True))


def test_threads_do_not_matter():
    affinity, _ = make_locked_and_spontaneous(noise=0.2)
    one, many = (factorize(affinity, 4, starts=3, model="mixed", threads=n) for n in (1, 7))
    assert np.array_equal(one.pair.values, many.pair.values)
    assert np.array_equal(one.own_time.values, many.own_time.values)
