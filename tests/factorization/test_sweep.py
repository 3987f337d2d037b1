"""Rank sweeps: held-out fibres, suggestion, single worms, and the same result on a dask cluster that loses a worker."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.factorization import jobs, starts
from napari_dynamic_connectome.factorization.clocks import worm_courses
from napari_dynamic_connectome.factorization.folds import draw_folds
from napari_dynamic_connectome.factorization.jobs import FitJob
from napari_dynamic_connectome.factorization.prepare import prepare
from napari_dynamic_connectome.factorization.problem import build_problem
from napari_dynamic_connectome.factorization.settings import FactorizationSettings
from napari_dynamic_connectome.factorization.solver import Solver, Watched, random_ranks
from napari_dynamic_connectome.factorization.sources import TileSource
from napari_dynamic_connectome.factorization.starts import (
    CLOSE,
    COMPARE_TOLERANCE,
    FOLD_TOLERANCE,
    SAME,
    fit_and_compare,
    fit_starts,
    predict_held_out,
)
from napari_dynamic_connectome.factorization.sweep import COLUMNS, _together, suggest_rank, sweep_ranks
from napari_dynamic_connectome.model.execution import workers


@pytest.mark.parametrize("model", ["aligned", "unaligned"])
def test_planted_rank_is_suggested(planted, model):
    affinity, _ = planted(model, rank=3, noise=0.05, worms=5)
    sweep = sweep_ranks(affinity, range(1, 6), starts=5, folds=3)
    assert sweep.suggested == 3, sweep.reason
    assert list(sweep.table.columns) == list(COLUMNS)
    table = sweep.table.set_index("rank")
    assert (np.diff(table["error_min"]) < 1e-4).all()
    assert (table["held_out"] > table["error_min"]).all()
    assert sorted(sweep.components) == [1, 2, 3, 4, 5]
    assert all(c.rank == r and c.error == table.loc[r, "error_min"] for r, c in sweep.components.items())
    assert sweep.held_out.shape == (5, 3)
    if model == "aligned":
        assert table.loc[3, "core_consistency"] > 90 > table.loc[5, "core_consistency"]
    else:
        assert table["core_consistency"].isna().all()


def dense_held_out(prepared, affinity, factors, start, keep):
    """Relative error on the rows that were held out, from the values themselves."""
    rest = total = 0.0
    for w, (worm, block, mask) in enumerate(zip(prepared.problem.worms, affinity.blocks, keep, strict=True)):
        data = block.values[0].astype(float)[~mask]
        model = factors.pair[start][:, worm.slots[~mask]].T @ worm_courses(prepared.problem, factors, w)[start]
        rest += ((data - model) ** 2).sum()
        total += (data**2).sum()
    return np.sqrt(rest / total)


@pytest.mark.parametrize("model", ["aligned", "unaligned", "mixed"])
def test_held_out_error_is_that_of_a_dense_computation(planted, model):
    affinity, _ = planted("unaligned" if model == "unaligned" else "aligned", noise=0.1)
    settings = FactorizationSettings(compression="off", model=model)
    with workers(1) as pool:
        prepared = prepare(affinity, 3, settings, pool, starts=1, seed=0)
        keep = list(draw_folds(prepared.problem, 3, 0.1, 0)[0])
        found = predict_held_out(prepared, (3, 2), (0, 1), 0, pool, keep)
        rough = replace(prepared, settings=settings.model_copy(update={"tolerance": FOLD_TOLERANCE}))
        for rank, error in zip((3, 2), found, strict=True):
            fits = fit_starts(rough, rank, (0, 1), 0, pool, keep=keep)
            expected = dense_held_out(prepared, affinity, fits.factors, fits.best, keep)
            # other starts beside them may stop a sweep earlier or later: the last digits of a product differ
            assert error == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize("model", ["aligned", "unaligned", "mixed"])
def test_products_of_the_last_sweep_give_the_held_out_error(planted, model):
    affinity, _ = planted("unaligned" if model == "unaligned" else "aligned", noise=0.1, worms=9)
    settings = FactorizationSettings(compression="on", compressed_size=12, model=model)
    with workers(2) as pool:
        prepared = prepare(affinity, 3, settings, pool, starts=1, seed=0)
        keep = list(draw_folds(prepared.problem, 3, 0.1, 0)[0])
        others = [~k for k in keep]
        factors = random_ranks(prepared.problem, (3, 1), (0, 1), 0)
        solver = Solver(prepared.problem, prepared.exact, settings, pool, keep=keep)
        for _ in range(2):
            watched = Watched(others)
            solver.sweep(factors, watched=watched)
            found = watched.errors(prepared.problem, prepared.exact.row_norms, factors)
        assert found == pytest.approx(solver.error_on(factors, others), abs=1e-12)
        for start in range(4):
            assert found[start] == pytest.approx(dense_held_out(prepared, affinity, factors, start, keep), abs=1e-6)
        none = Watched([np.zeros_like(k) for k in keep])
        solver.sweep(factors, watched=none)
        assert np.isnan(none.errors(prepared.problem, prepared.exact.row_norms, factors)).all()


@pytest.mark.parametrize("model", ["aligned", "unaligned", "mixed"])
def test_courses_follow_pair_factors_as_in_sweeps_that_multiply_the_data_each_time(planted, model):
    affinity, _ = planted("unaligned" if model == "unaligned" else "aligned", noise=0.1, worms=9)
    settings = FactorizationSettings(compression="off", model=model)
    with workers(2) as pool:
        prepared = prepare(affinity, 3, settings, pool, starts=1, seed=0)
        solver = Solver(prepared.problem, prepared.exact, settings, pool, fixed=("pair",))
        found, expected = (random_ranks(prepared.problem, (3, 2), (0, 1), 4) for _ in range(2))
        if model == "mixed":  # both clocks
            for factors in (found, expected):
                factors.own[:, 0] = False
                factors.time[:, 0, : prepared.problem.n_common] = 1.0
                factors.time[:, 0, prepared.problem.n_common :] = 0.0
        solver.follow(found, 5)
        solver.run(expected, max_sweeps=5, tolerance=0, rescale=True)
    for w in range(9):
        np.testing.assert_allclose(
            worm_courses(prepared.problem, found, w), worm_courses(prepared.problem, expected, w), rtol=1e-9, atol=1e-12
        )
    assert np.array_equal(found.pair, expected.pair)


def test_a_plain_sweep_that_raises_the_error_is_the_last(planted, monkeypatch):
    affinity, _ = planted("aligned", noise=0.1)
    settings = FactorizationSettings(compression="off")
    with workers(1) as pool:
        prepared = prepare(affinity, 2, settings, pool, starts=2, seed=0)
        solver = Solver(prepared.problem, prepared.exact, settings, pool)
        factors, states, sweep = random_ranks(prepared.problem, (2,), (0, 1), 0), [], Solver.sweep

        def rising(self, part, **how):
            errors, plain = sweep(self, part, **how)
            states.append(part.pair.copy())
            raised = 1e-9 * max(len(states) - 3, 0)
            return 0.5 - 0.1 * min(len(states), 3) + raised + 0 * errors, plain

        monkeypatch.setattr(Solver, "sweep", rising)
        fit = solver.run(factors, max_sweeps=300, tolerance=1e-12, rescale=True)
    # three sweeps lower it; the fourth goes too far, so the fifth is a plain one: nothing would ever change after it
    assert fit.sweeps == [5, 5]
    assert fit.converged == [True, True]
    assert all(h == pytest.approx([0.4, 0.3, 0.2]) for h in fit.errors)
    best = states[2] / np.linalg.norm(states[2], axis=2, keepdims=True)
    np.testing.assert_allclose(factors.pair, best, rtol=1e-12)


def test_ranks_fitted_together_predict_as_each_alone(planted):
    affinity, _ = planted("aligned", noise=0.3, worms=5)
    settings = FactorizationSettings(compression="on", compressed_size=30, model="mixed")
    with workers(2) as pool:
        prepared = prepare(affinity, 4, settings, pool, starts=2, seed=0)
        keep = list(draw_folds(prepared.problem, 3, 0.1, 0)[0])
        together = predict_held_out(prepared, (4, 3, 1), (0, 1), 5, pool, keep)
        alone = [predict_held_out(prepared, (r,), (0, 1), 5, pool, keep)[0] for r in (4, 3, 1)]
    assert together == pytest.approx(alone, abs=2e-4)
    assert len(set(np.round(together, 4))) == 3


def test_starts_that_may_be_the_best_are_fitted_to_the_end(planted):
    affinity, _ = planted("unaligned", rank=4, noise=0.6, worms=4, seen=0.7)
    settings = FactorizationSettings(tolerance=1e-8, max_sweeps=1500)
    with workers(2) as pool:
        prepared = prepare(affinity, 5, settings, pool, starts=6, seed=0)
        whole = fit_starts(prepared, 5, range(6), 3, pool)
        found = fit_and_compare(prepared, 5, range(6), 3, pool)
        rough = replace(prepared, settings=settings.model_copy(update={"tolerance": COMPARE_TOLERANCE}))
        before = fit_starts(rough, 5, range(6), 3, pool)
    assert found.errors[found.best] == pytest.approx(whole.errors[whole.best], abs=2e-6)
    assert found.errors[found.best] < before.errors[before.best]
    ended = np.array(found.sweeps) > np.array(before.sweeps)
    near = (before.errors <= before.errors.min() + CLOSE) & (before.similarity(prepared) < SAME)
    near[before.best] = True
    assert ended.tolist() == near.tolist()
    assert 1 <= near.sum() < 6  # else nothing is saved, or nothing was compared
    others = np.flatnonzero(~near)
    assert found.errors[others].tolist() == before.errors[others].tolist()
    assert found.factors.pair[others].tolist() == before.factors.pair[others].tolist()


def test_all_starts_share_the_first_exact_pass(planted, monkeypatch):
    affinity, _ = planted("aligned", rank=3, noise=0.6, worms=4, seen=0.7, times=220)
    passes, run = [], Solver.run

    def noted(self, factors, **options):
        fit = run(self, factors, **options)
        if isinstance(self.source, TileSource):
            passes.append((factors.shape[0], options["max_sweeps"]))
        return fit

    monkeypatch.setattr(Solver, "run", noted)
    settings = FactorizationSettings(compression="on", compressed_size=32, tolerance=1e-8, exact_sweeps=3)
    with workers(2) as pool:
        prepared = prepare(affinity, 4, settings, pool, starts=5, seed=0)
        whole = fit_starts(prepared, 4, range(5), 3, pool)
        assert passes == [(5, 3)]
        passes.clear()
        found = fit_and_compare(prepared, 4, range(5), 3, pool)
        errors = Solver(prepared.problem, prepared.exact, settings, pool).error_on(
            found.factors, [np.ones(w.n_rows, bool) for w in prepared.problem.worms]
        )
    (first, once), (rest, more), *late = passes
    assert (first, once, more) == (5, 1, 2)
    assert 1 <= rest < 5
    assert not late
    assert found.errors == pytest.approx(errors, abs=1e-6)
    assert found.errors[found.best] == pytest.approx(whole.errors[whole.best], abs=5e-6)


def test_a_start_that_turns_out_best_is_fitted_to_the_end(planted, monkeypatch):
    affinity, _ = planted("aligned", rank=3, noise=0.6, worms=4, seen=0.7, times=220)
    settings = FactorizationSettings(compression="on", compressed_size=32, tolerance=1e-8)
    with workers(2) as pool:
        prepared = prepare(affinity, 4, settings, pool, starts=4, seed=0)
        ended = np.array(fit_and_compare(prepared, 4, range(4), 3, pool).sweeps)
        finish, surprised = starts._finish, []

        def surprise(prepared, fitted, how, sweeps=None):
            """The values themselves say that a start is the best that was not so near on the compressed copy."""
            finish(prepared, fitted, how, sweeps)
            if not surprised and len(fitted.errors) == 4:
                surprised.append(int(np.argmin(ended)))
                fitted.errors[surprised[0]] -= 0.1

        monkeypatch.setattr(starts, "_finish", surprise)
        found = fit_and_compare(prepared, 4, range(4), 3, pool)
    late = surprised[0]
    assert found.sweeps[late] > ended[late] + 1
    assert [found.sweeps[k] for k in range(4) if k != late] == [ended[k] for k in range(4) if k != late]


def test_ranks_of_much_the_same_size_are_fitted_together():
    assert _together([1, 2, 3, 4, 5, 6, 7, 8], 3) == [(8, 7, 6), (5, 4, 3), (2, 1)]
    assert _together([3, 5], 0) == [(5,), (3,)]


def test_every_held_out_fibre_is_shown_by_another_worm(planted):
    affinity, _ = planted("unaligned", worms=6, signs=("same", "opposite"))
    problem = build_problem(affinity, FactorizationSettings())
    folds = draw_folds(problem, 4, 0.2, 0)
    held = np.zeros((4, problem.n_slots, len(problem.worms)), bool)
    for f, masks in enumerate(folds):
        for w, (worm, mask) in enumerate(zip(problem.worms, masks, strict=True)):
            held[f, worm.slots[~mask], w] = True
        left = problem.sees & ~held[f]
        assert left[held[f].any(axis=1)].any(axis=1).all()
    assert held.sum(axis=0).max() == 1
    share = held.sum(axis=(1, 2)) / problem.sees.sum()
    assert (share > 0.12).all()
    assert (share < 0.25).all()
    half = problem.n_slots // 2
    assert np.array_equal(held[:, :half], held[:, half:])


def test_single_worm_is_cut_into_stretches(planted):
    affinity, _ = planted("unaligned", worms=1, seen=1.0, noise=0.05, times=200)
    sweep = sweep_ranks(affinity, range(1, 6), starts=4, folds=3)
    assert any("stretches of its time" in note for note in sweep.notes)
    assert sweep.suggested == 3, sweep.reason


def test_without_folds_agreement_decides(planted):
    affinity, _ = planted("unaligned")
    sweep = sweep_ranks(affinity, [1, 2, 3], starts=3, folds=0)
    assert sweep.table["held_out"].isna().all()
    assert "no fibre could be held out" in sweep.reason
    assert sweep.suggested == 3


@pytest.mark.parametrize(
    ("similarity", "held_out", "suggested", "words"),
    [
        ([1, 1, 0.95, 0.5], [0.9, 0.8, 0.8005, 0.7995], 3, "largest rank"),
        ([1, 0.95, 0.5, 0.5], [0.9, 0.85, 0.8, 0.7], 2, "no rank has both"),
        ([0.5, 0.6, 0.7, 0.2], [0.9, 0.8, 0.8, 0.8], 3, "restarts agree at no rank"),
        ([1, 1, 0.95, 0.5], [np.nan] * 4, 3, "no fibre could be held out"),
        ([np.nan] * 4, [0.9, 0.8, 0.85, 0.9], 2, "single start"),
    ],
)
def test_suggestion_and_its_reason(similarity, held_out, suggested, words):
    table = pd.DataFrame({"rank": [1, 2, 3, 4], "similarity": similarity, "held_out": held_out, "held_out_se": 0.001})
    rank, reason = suggest_rank(table)
    assert rank == suggested
    assert words in reason


def test_jobs_run_one_by_one_so_that_results_need_not_be_kept(monkeypatch):
    run = []
    monkeypatch.setattr(FitJob, "run", lambda job, prepared, pool, progress: run.append(job) or job.rank)
    prepared = SimpleNamespace()
    results = jobs.run_jobs(prepared, [FitJob(r, (0,), 0) for r in (2, 3, 4)], pool=SimpleNamespace())
    assert not run
    assert next(results) == 2
    assert [job.rank for job in run] == [2]
    assert list(results) == [3, 4]


def test_cluster_that_loses_a_worker_gives_the_same_sweep(planted):
    distributed = pytest.importorskip("distributed")
    affinity, _ = planted("unaligned", pairs=120, times=150, noise=0.3)
    options = {"ranks": range(2, 6), "starts": 3, "folds": 2, "fold_starts": 1, "tolerance": 1e-7}
    here = sweep_ranks(affinity, **options)
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(cluster.workers.values()))
        killed = threading.Event()

        def kill_when_busy():
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                if client.processing().get(victim.worker_address):
                    victim.process.process._process.kill()
                    killed.set()
                    return
                time.sleep(0.02)

        thread = threading.Thread(target=kill_when_busy)
        thread.start()
        there = sweep_ranks(affinity, client=client, **options)
        thread.join()
    assert killed.is_set()
    pd.testing.assert_frame_equal(here.table, there.table)
    for rank, components in here.components.items():
        assert np.array_equal(components.pair.values, there.components[rank].pair.values, equal_nan=True)


def test_within_one_standard_error_and_not_within_two():
    table = pd.DataFrame(
        {"rank": [1, 2, 3], "similarity": 0.99, "held_out": [0.60, 0.50, 0.515], "held_out_se": [0.5, 0.01, 0.5]}
    )
    assert suggest_rank(table)[0] == 2  # 3 is one and a half standard errors of the smallest away
    table["held_out"] = [0.60, 0.50, 0.509]
    assert suggest_rank(table)[0] == 3
