"""(rank, starts, fold) jobs of a factorization, run here or on a dask cluster with the same result."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..model.errors import Cancelled, DynamicConnectomeError, MissingExtraError
from ..model.progress import CancelCallback, ProgressCallback, part, report
from .parallel import Workers, workers
from .prepare import Prepared
from .solver import Solver
from .starts import Starts, fit_starts

Array = np.ndarray
POLL_S = 0.1
FOLD_TOLERANCE = 1e-5
"""Held-out errors differ between folds in the third digit: their fits need not converge to the sixth."""


@dataclass(frozen=True, eq=False)
class Job:
    """One piece of work.

    Parameters
    ----------
    rank : int
    starts : tuple of int
        Numbers of the starts.
    seed : int
    fold : int, optional
        Number of the held-out fold.
    keep : tuple of bool array, optional
        Rows of each worm that are fitted; the others are predicted.
    """

    rank: int
    starts: tuple[int, ...]
    seed: int
    fold: int | None = None
    keep: tuple[Array, ...] | None = None


@dataclass(frozen=True, eq=False)
class JobResult:
    """Fits of a job, and the error of the best of them on what was held out (NaN where nothing was)."""

    fits: Starts
    held_out: float


def run_job(prepared: Prepared, job: Job, pool: Workers, progress: ProgressCallback | None = None) -> JobResult:
    """Run one job in this process."""
    if job.keep is None:
        return JobResult(fit_starts(prepared, job.rank, job.starts, job.seed, pool, progress=progress), float("nan"))
    keep = list(job.keep)
    rough = prepared.settings.model_copy(
        update={"tolerance": max(prepared.settings.tolerance, FOLD_TOLERANCE), "exact_sweeps": 1}
    )
    fits = fit_starts(
        replace(prepared, settings=rough), job.rank, job.starts, job.seed, pool, keep=keep, progress=progress
    )
    solver = Solver(prepared.problem, prepared.exact, prepared.settings, pool, keep=keep)
    error = solver.error_on(fits.factors.take([fits.best]), [~k for k in keep])
    return JobResult(fits, float(error[0]))


def run_jobs(
    prepared: Prepared,
    jobs: Sequence[Job],
    client: Any = None,
    *,
    pool: Workers | None = None,
    cancel: CancelCallback | None = None,
    progress: ProgressCallback | None = None,
) -> list[JobResult]:
    """Run jobs here (`pool`) or on a `distributed.Client`; the results come in the order of the jobs.

    A job that is lost with its worker is run again by the scheduler, from the same seed, so the result stays the same.
    """
    if client is None:
        assert pool is not None
        results = []
        for number, job in enumerate(jobs):
            inner = part(progress, number / len(jobs), (number + 1) / len(jobs))
            results.append(run_job(prepared, job, pool, inner))
        return results
    return _on_cluster(prepared, jobs, client, cancel, progress)


def _on_cluster(
    prepared: Prepared,
    jobs: Sequence[Job],
    client: Any,
    cancel: CancelCallback | None,
    progress: ProgressCallback | None,
) -> list[JobResult]:
    try:
        from distributed import KilledWorker
    except ImportError as error:
        raise MissingExtraError("distributed", "cluster", "running on a dask cluster") from error
    # a graph key, not scattered data: data that was scattered to a worker that dies is lost for good
    shared = client.submit(_identity, prepared, pure=False)
    futures = [client.submit(_remote, shared, job, pure=False, retries=2) for job in jobs]
    try:
        while True:
            done = sum(f.done() for f in futures)
            report(progress, done / len(jobs), f"{done} of {len(jobs)} jobs")
            if cancel is not None and cancel():
                raise Cancelled
            if done == len(jobs):
                break
            time.sleep(POLL_S)
        return list(client.gather(futures))
    except KilledWorker as error:
        raise DynamicConnectomeError(
            "workers of the cluster died again and again, probably for lack of memory"
        ) from error
    finally:
        client.cancel([*futures, shared])


def _identity(prepared: Prepared) -> Prepared:
    return prepared


def _remote(prepared: Prepared, job: Job) -> JobResult:
    with workers(prepared.settings.threads or 1) as pool:
        return run_job(prepared, job, pool)
