"""Rank sweeps: held-out fibres, suggestion, single worms, and the same result on a dask cluster that loses a worker."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.factorization import jobs
from napari_dynamic_connectome.factorization.folds import draw_folds
from napari_dynamic_connectome.factorization.jobs import FitJob, run_job
from napari_dynamic_connectome.factorization.prepare import prepare
from napari_dynamic_connectome.factorization.problem import build_problem
from napari_dynamic_connectome.factorization.settings import FactorizationSettings
from napari_dynamic_connectome.factorization.sweep import COLUMNS, suggest_rank, sweep_ranks
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


def test_held_out_error_is_that_of_a_dense_computation(planted):
    affinity, _ = planted("unaligned", noise=0.1)
    settings = FactorizationSettings(compression="off")
    with workers(1) as pool:
        prepared = prepare(affinity, 2, settings, pool, starts=1, seed=0)
        keep = draw_folds(prepared.problem, 3, 0.1, 0)[0]
        result = run_job(prepared, FitJob(2, (0, 1), 0, 0, tuple(keep)), pool)
    best = result.fits.best
    time, pair = result.fits.factors.time[best], result.fits.factors.pair[best]
    rest = total = 0.0
    for worm, block, mask in zip(prepared.problem.worms, affinity.blocks, keep, strict=True):
        data = block.values[0].astype(float)[~mask]
        rest += ((data - pair[:, worm.slots[~mask]].T @ time[:, worm.times]) ** 2).sum()
        total += (data**2).sum()
    assert result.held_out == pytest.approx(np.sqrt(rest / total), abs=1e-6)


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
    monkeypatch.setattr(jobs, "run_job", lambda prepared, job, pool, progress: run.append(job) or job.rank)
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
