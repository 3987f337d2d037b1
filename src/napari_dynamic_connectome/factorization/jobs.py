"""(rank, starts, fold) jobs of a factorization, run here or on a dask cluster with the same result."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..io.checkpoint import keep_arrays, load_arrays
from ..model.cluster import sent
from ..model.errors import Cancelled, DynamicConnectomeError, MissingExtraError
from ..model.execution import Workers, workers
from ..model.progress import CancelCallback, ProgressCallback, part, report
from .prepare import Prepared
from .solver import Factors, Solver
from .starts import Starts, fit_starts

Array = np.ndarray
POLL_S = 0.1
log = logging.getLogger("napari_dynamic_connectome")
FOLD_TOLERANCE = 1e-5
"""Held-out errors differ between folds in the third digit: their fits need not converge to the sixth. 1e-4 would take two thirds
of the time, but stops at ranks above the true one before they fit noise: four real worms were given rank 4 instead of 3."""


@dataclass(frozen=True, eq=False)
class FitJob:
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


def run_job(prepared: Prepared, job: FitJob, pool: Workers, progress: ProgressCallback | None = None) -> JobResult:
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
    jobs: Sequence[FitJob],
    client: Any = None,
    *,
    pool: Workers | None = None,
    cancel: CancelCallback | None = None,
    progress: ProgressCallback | None = None,
    checkpoint: FitCheckpoint | None = None,
) -> Iterator[JobResult]:
    """Run jobs here (`pool`) or on a `distributed.Client`; the results come one by one, in the order of the jobs.

    A job that is lost with its worker is run again by the scheduler, from the same seed, so the result stays the same. Jobs
    that an earlier, interrupted run finished are taken from `checkpoint`.
    """
    away = []
    if client is not None:
        away = [n for n, job in enumerate(jobs) if checkpoint is None or checkpoint.load(job) is None]
    with closing(_on_cluster(prepared, [jobs[n] for n in away], client, cancel, progress)) as elsewhere:
        for number, job in enumerate(jobs):
            known = None if checkpoint is None or number in away else checkpoint.load(job)
            if known is not None:
                yield known
                continue
            if number in away:
                found = next(elsewhere)
            else:
                assert pool is not None
                inner = part(progress, number / len(jobs), (number + 1) / len(jobs))
                found = run_job(prepared, job, pool, inner)
            if checkpoint is not None:
                checkpoint.save(job, found)
            yield found


class FitCheckpoint:
    """A folder with one file a finished job, so that an interrupted run goes on where it was.

    Parameters
    ----------
    folder : path
        Made if it does not exist. The caller sees to it that it belongs to this affinity and these settings.
    tag : str
        Jobs of different tags never stand for each other.
    """

    def __init__(self, folder: Path, tag: str = "") -> None:
        self.folder, self.tag = folder, tag

    def named(self, tag: str) -> FitCheckpoint:
        """The same folder for jobs of another kind."""
        return FitCheckpoint(self.folder, tag)

    def _path(self, job: FitJob) -> Path:
        digest = hashlib.sha256(repr((self.tag, job.rank, job.starts, job.seed, job.fold)).encode())
        for rows in job.keep or ():
            digest.update(np.packbits(rows).tobytes())
        return self.folder / f"rank{job.rank}-{digest.hexdigest()[:20]}.npz"

    def load(self, job: FitJob) -> JobResult | None:
        """Return the result of a job, or None if it has to be run."""
        data = load_arrays(self._path(job))
        if data is None:
            return None
        try:
            factors = Factors(data["time"], data["worm"], data["pair"], data["own"])
            ends = np.cumsum(data["lengths"])[:-1]
            histories = [h.tolist() for h in np.split(data["histories"], ends)]
            ends_of = (data["sweeps"].tolist(), data["converged"].tolist())
            fits = Starts(factors, data["errors"], histories, *ends_of, data["predicted"])
            if factors.shape != (len(job.starts), job.rank) or len(fits.errors) != len(job.starts):
                return None
            return JobResult(fits, float(data["held_out"]))
        except (ValueError, KeyError):
            return None  # of another make: running it again is safe

    def save(self, job: FitJob, result: JobResult) -> None:
        """Write the result of a job; it appears in one piece or not at all."""
        fits = result.fits
        keep_arrays(
            self._path(job),
            time=fits.factors.time,
            worm=fits.factors.worm,
            pair=fits.factors.pair,
            own=fits.factors.own,
            predicted=fits.predicted,
            errors=fits.errors,
            histories=np.concatenate([np.asarray(h, float) for h in fits.histories]),
            lengths=[len(h) for h in fits.histories],
            sweeps=fits.sweeps,
            converged=fits.converged,
            held_out=result.held_out,
        )


def _on_cluster(
    prepared: Prepared,
    jobs: Sequence[FitJob],
    client: Any,
    cancel: CancelCallback | None,
    progress: ProgressCallback | None,
) -> Generator[JobResult]:
    if not jobs:
        return
    try:
        from distributed import KilledWorker
    except ImportError as error:
        raise MissingExtraError("distributed", "cluster", "running on a dask cluster") from error
    shared = sent(client, prepared)
    futures = [client.submit(_remote, shared, job, pure=False, retries=2) for job in jobs]
    try:
        for given in range(len(jobs)):
            while not futures[0].done():
                done = given + sum(f.done() for f in futures)
                report(progress, done / len(jobs), f"{done} of {len(jobs)} jobs")
                if cancel is not None and cancel():
                    raise Cancelled
                time.sleep(POLL_S)
            yield futures.pop(0).result()
    except KilledWorker as error:
        raise DynamicConnectomeError(
            "workers of the cluster died again and again, probably for lack of memory"
        ) from error
    finally:
        client.cancel([*futures, shared])


def _remote(prepared: Prepared, job: FitJob) -> JobResult:
    with workers(prepared.settings.threads or 1) as pool:
        return run_job(prepared, job, pool)
