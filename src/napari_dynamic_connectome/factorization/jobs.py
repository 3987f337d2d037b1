"""(rank, starts, fold) jobs of a factorization, run here or on a dask cluster with the same result."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from ..io.checkpoint import keep_arrays, load_arrays
from ..model.cluster import sent
from ..model.errors import Cancelled, DynamicConnectomeError, MissingExtraError
from ..model.execution import Workers, workers
from ..model.progress import CancelCallback, ProgressCallback, part, report
from .prepare import Prepared
from .solver import Factors
from .starts import Starts, fit_and_compare, fit_starts, predict_held_out

Array = np.ndarray
Result = TypeVar("Result")
POLL_S = 0.1
log = logging.getLogger("napari_dynamic_connectome")


@dataclass(frozen=True, eq=False)
class FitJob:
    """One rank from some starts.

    Parameters
    ----------
    rank : int
    starts : tuple of int
        Numbers of the starts.
    seed : int
    compare : bool
        Fit only starts to the end that may be the best one (`fit_and_compare`).
    """

    rank: int
    starts: tuple[int, ...]
    seed: int
    compare: bool = False

    def run(self, prepared: Prepared, pool: Workers, progress: ProgressCallback | None = None) -> Starts:
        """Fit the starts."""
        how = fit_and_compare if self.compare else fit_starts
        return how(prepared, self.rank, self.starts, self.seed, pool, progress=progress)

    @property
    def name(self) -> str:
        """Of the file of its result."""
        return f"rank{self.rank}-{_digest(self.rank, self.starts, self.seed, self.compare)}"

    def arrays(self, fits: Starts) -> dict[str, Any]:
        """What is kept of its result."""
        return {
            "time": fits.factors.time,
            "worm": fits.factors.worm,
            "pair": fits.factors.pair,
            "own": fits.factors.own,
            "predicted": fits.predicted,
            "errors": fits.errors,
            "histories": np.concatenate([np.asarray(h, float) for h in fits.histories]),
            "lengths": [len(h) for h in fits.histories],
            "sweeps": fits.sweeps,
            "converged": fits.converged,
        }

    def result(self, data: Mapping[str, Array]) -> Starts | None:
        """From what was kept; None if it is of another make."""
        factors = Factors(data["time"], data["worm"], data["pair"], data["own"])
        ends = np.cumsum(data["lengths"])[:-1]
        histories = [h.tolist() for h in np.split(data["histories"], ends)]
        ends_of = (data["sweeps"].tolist(), data["converged"].tolist())
        fits = Starts(factors, data["errors"], histories, *ends_of, data["predicted"])
        fitting = factors.shape == (len(self.starts), self.rank) and len(fits.errors) == len(self.starts)
        return fits if fitting else None


@dataclass(frozen=True, eq=False)
class FoldJob:
    """Some ranks, fitted together to the rows of one fold; the others are predicted (`predict_held_out`).

    Parameters
    ----------
    ranks : tuple of int
    starts : tuple of int
        Numbers of the starts of every rank.
    seed : int
    fold : int
        Number of the held-out fold.
    keep : tuple of bool array
        Rows of each worm that are fitted.
    """

    ranks: tuple[int, ...]
    starts: tuple[int, ...]
    seed: int
    fold: int
    keep: tuple[Array, ...]

    def run(self, prepared: Prepared, pool: Workers, progress: ProgressCallback | None = None) -> Array:
        """Relative error (rank,) on what was held out."""
        return predict_held_out(prepared, self.ranks, self.starts, self.seed, pool, list(self.keep), progress=progress)

    @property
    def name(self) -> str:
        """Of the file of its result."""
        return f"fold{self.fold}-{_digest(self.ranks, self.starts, self.seed, self.fold, rows=self.keep)}"

    def arrays(self, errors: Array) -> dict[str, Any]:
        """What is kept of its result."""
        return {"held_out": errors}

    def result(self, data: Mapping[str, Array]) -> Array | None:
        """From what was kept; None if it is of another make."""
        errors = np.asarray(data["held_out"], float)
        return errors if errors.shape == (len(self.ranks),) else None


def _digest(*said: object, rows: Sequence[Array] = ()) -> str:
    digest = hashlib.sha256(repr(said).encode())
    for mask in rows:
        digest.update(np.packbits(mask).tobytes())
    return digest.hexdigest()[:20]


class Job(Protocol[Result]):
    """What `run_jobs` runs."""

    def run(self, prepared: Prepared, pool: Workers, progress: ProgressCallback | None = None) -> Result:
        """Run it in this process."""
        ...

    @property
    def name(self) -> str:
        """Of the file of its result."""
        ...

    def arrays(self, result: Result) -> dict[str, Any]:
        """What is kept of its result."""
        ...

    def result(self, data: Mapping[str, Array]) -> Result | None:
        """From what was kept; None if it is of another make."""
        ...


def run_jobs(
    prepared: Prepared,
    jobs: Sequence[Job[Result]],
    client: Any = None,
    *,
    pool: Workers | None = None,
    cancel: CancelCallback | None = None,
    progress: ProgressCallback | None = None,
    checkpoint: FitCheckpoint | None = None,
) -> Iterator[Result]:
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
                found = job.run(prepared, pool, part(progress, number / len(jobs), (number + 1) / len(jobs)))
            if checkpoint is not None:
                checkpoint.save(job, found)
            yield found


class FitCheckpoint:
    """A folder with one file a finished job, so that an interrupted run goes on where it was.

    Parameters
    ----------
    folder : path
        Made if it does not exist. The caller sees to it that it belongs to this affinity and these settings.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, job: Job[Any]) -> Path:
        return self.folder / f"{job.name}.npz"

    def load(self, job: Job[Result]) -> Result | None:
        """Return the result of a job, or None if it has to be run."""
        data = load_arrays(self._path(job))
        if data is None:
            return None
        try:
            return job.result(data)
        except (ValueError, KeyError):
            return None  # of another make: running it again is safe

    def save(self, job: Job[Result], result: Result) -> None:
        """Write the result of a job; it appears in one piece or not at all."""
        keep_arrays(self._path(job), **job.arrays(result))


def _on_cluster(
    prepared: Prepared,
    jobs: Sequence[Job[Result]],
    client: Any,
    cancel: CancelCallback | None,
    progress: ProgressCallback | None,
) -> Generator[Result]:
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


def _remote(prepared: Prepared, job: Job[Result]) -> Result:
    with workers(prepared.settings.threads or 1) as pool:
        return job.run(prepared, pool)
