"""Preparation of an affinity for sweeps: rows checked, kept or streamed, compressed if that pays."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..model import memory
from ..model.cluster import borrowed, free_mb_each, on_cluster
from ..model.errors import InputError
from ..model.execution import Workers, one_blas_thread
from ..model.progress import ProgressCallback, part, report
from .problem import Problem, Worm, build_problem
from .settings import FactorizationSettings
from .solver import thin, worms_together
from .sources import (
    MEGABYTE,
    CompressedSource,
    TileSource,
    compress_worm,
    compressed_megabytes,
    sampled_density,
    sparse_megabytes,
    stored_megabytes,
)

Array = np.ndarray
SPARSE = 0.35
"""Share of values that are not zero up to which products without the zeros are quicker."""
USUAL_MB = 600.0
"""Memory that a factorization takes where nothing is said and it is enough."""
FEW = 6
"""Starts that shall still run together when memory goes to stored rows."""
WORTH_COMPRESSING = 4_000_000
"""Observed entries from which iterating on a compressed copy saves time."""


@dataclass(eq=False)
class Prepared:
    """A problem with its values.

    Parameters
    ----------
    problem : Problem
    settings : FactorizationSettings
    exact : TileSource
    compressed : CompressedSource or None
    batch : int
        Starts that fit into memory together.
    size : int
        Time patterns kept for each worm; 0 without compression.
    """

    problem: Problem
    settings: FactorizationSettings
    exact: TileSource
    compressed: CompressedSource | None
    batch: int
    size: int

    def bind(self, pool: Workers) -> None:
        """Let the sources give up when this pool is asked to stop."""
        self.exact.stop = pool.stop
        if self.compressed is not None:
            self.compressed.stop = pool.stop


def prepare(
    affinity: Any,
    rank: int,
    settings: FactorizationSettings,
    pool: Workers,
    *,
    starts: int,
    seed: int,
    progress: ProgressCallback | None = None,
) -> Prepared:
    """Build the problem of a whole affinity, check every value once, and choose how the values are held.

    Parameters
    ----------
    rank : int
        The largest rank that will be asked for.
    starts : int
        Starts that shall run together.

    Raises
    ------
    InputError
        See `build_problem`; NaN or negative observed values; all-zero affinity; rank too high; memory budget too small.
    """
    problem = build_problem(affinity, settings)
    return prepare_problem(problem, rank, settings, pool, starts=starts, seed=seed, progress=progress)


def prepare_problem(
    problem: Problem,
    rank: int,
    settings: FactorizationSettings,
    pool: Workers,
    *,
    starts: int,
    seed: int,
    progress: ProgressCallback | None = None,
) -> Prepared:
    """As `prepare`, from a problem."""
    _check_rank(problem, rank)
    wanted = max(settings.compressed_size, 3 * rank)
    compress = _worth_compressing(problem, settings, wanted)
    size = wanted if compress else 0
    density = sampled_density(problem) if settings.storage in ("auto", "sparse") else 1.0
    batch, storage = plan_memory(problem, settings, rank, starts, size, density)
    exact = TileSource(problem, storage=storage, density=density, stop=pool.stop)
    step = max(pool.threads, 1)
    count = len(problem.worms)
    share = 0.3 if compress else 1.0
    for first in range(0, count, step):
        pool.map(exact.load, range(first, min(first + step, count)))
        report(progress, share * min(first + step, count) / count, "reading affinities")
    problem = _without_silent(problem, exact)
    compressed = None
    if compress:
        pieces = _time_patterns(exact, size, seed, pool, part(progress, share, 1))
        compressed = CompressedSource(exact, [p[0] for p in pieces], [p[1] for p in pieces])
    return Prepared(problem, settings, exact, compressed, batch, size)


def _time_patterns(
    exact: TileSource, size: int, seed: int, pool: Workers, progress: ProgressCallback | None
) -> list[tuple[Array, Array]]:
    """Coefficients and bases of every worm (`compress_worm`), here or on the cluster that was lent.

    A worker is sent what the rows of a worm are made of and makes them again: of 100 neurons (45 of them named) and 1,000 samples
    0.2 MB instead of 1.2. That, and taking the patterns (0.3 MB), costs the sender a few ms a worm; finding them takes 15 to 40.
    """
    problem, client = exact.problem, borrowed()
    count, text = len(problem.worms), "finding time patterns"
    found: dict[int, tuple[Array, Array]] = {}
    if client is None:
        step = max(pool.threads, 1)
        for first in range(0, count, step):
            some = range(first, min(first + step, count))
            found |= zip(some, pool.map(lambda w: compress_worm(exact, w, size, seed), some), strict=True)
            report(progress, len(found) / count, text)
        return list(found.values())
    nothing = np.empty(0)
    alone = replace(problem, affinity=None, sees=nothing, linked=nothing, sample_worm=nothing, sample_time_s=nothing)
    task = _Patterns(replace(alone, worms=(), groups=()), exact.storage, exact.density, size, seed)
    items = list(enumerate(problem.worms))
    with closing(on_cluster(client, _patterns_alone, task, items, cancel=pool.cancel, heavy=True)) as elsewhere:
        for (number, _), one in elsewhere:
            found[number] = one
            report(progress, len(found) / count, f"{text}, {len(found)} of {count} worms")
    return [found[number] for number in range(count)]


@dataclass(frozen=True, eq=False)
class _Patterns:
    """What is needed to find the time patterns of one worm in another process: the problem without worms, and how rows are held."""

    problem: Problem
    storage: str
    density: float
    size: int
    seed: int


def _patterns_alone(task: _Patterns, item: tuple[int, Worm]) -> tuple[Array, Array]:
    """Time patterns of one worm in a process of its own."""
    number, worm = item
    with one_blas_thread():
        source = TileSource(replace(task.problem, worms=(worm,)), storage=task.storage, density=task.density)
        source.load(0)
        return compress_worm(source, 0, task.size, task.seed, number)


def plan_memory(
    problem: Problem, settings: FactorizationSettings, rank: int, starts: int, size: int, density: float
) -> tuple[int, str]:
    """How many starts run together, and how the rows are held.

    Returns
    -------
    batch : int
    storage : {"sparse", "stored", "streamed"}

    Raises
    ------
    InputError
        Not even one start fits, or the storage that was asked for does not.
    """
    largest = max(w.n_rows + w.n_times for w in problem.worms)
    entries = sum(w.n_rows for w in problem.worms)
    table = entries * 32 if thin(problem) else problem.n_slots * len(problem.worms) * 8
    base = (problem.n_slots * len(problem.worms) + table + entries * 25) / MEGABYTE
    client = borrowed()
    copies = 1 if client is None else 2  # as it is, and as it travels
    base += copies * compressed_megabytes(problem, size) if size else 0.0
    # factors twice (active and all starts), numerators, products of one round of worms
    each = rank * 8 * (4 * problem.n_slots + 4 * problem.n_times + worms_together(problem) * largest) / MEGABYTE
    rows = {"sparse": sparse_megabytes(problem, density), "stored": stored_megabytes(problem), "streamed": 0.0}
    rows = {kind: copies * needed for kind, needed in rows.items()}
    free = memory.free_mb() if client is None else free_mb_each(client)
    some = min(starts, FEW) * each
    if settings.storage == "auto":
        liked = ["sparse", "stored"] if density <= SPARSE else ["stored"]
        budget = _budget(settings, free, base + some, min(base + some + rows[k] for k in liked))
        storage = next((k for k in liked if base + some + rows[k] <= budget), "streamed")
    else:
        storage = settings.storage
        budget = _budget(settings, free, base + some + rows[storage], base + some + rows[storage])
    need = base + each + rows[storage]
    half, fewer = "half of the free memory", ""
    if client is not None:
        half, fewer = "half of the memory that each process of the cluster can have", "Start fewer workers. "
    if need > budget:
        raise InputError(
            f"the memory budget of {budget:.0f} MB is too small: one start needs {need:.0f} MB",
            where="memory_mb" if budget == settings.memory_mb else half,
            fix=f"{fewer}Raise memory_mb, close other programs, lower the rank, or set storage='auto' and compression='off'.",
        )
    return min(starts, max(int((budget - base - rows[storage]) / each), 1)), storage


def _budget(settings: FactorizationSettings, free: float, together: float, liked: float) -> float:
    """Memory in MB that a fit may take.

    Parameters
    ----------
    settings : FactorizationSettings
    free : float
        Memory in MB that this process, and every worker of a cluster, can have.
    together, liked : float
        What a few starts need together (every pass over values that are made again costs as much for one), and what they need with their
        rows in memory.
    """
    if settings.memory_mb is not None:
        return min(settings.memory_mb, memory.SHARE * free)
    usual = USUAL_MB if liked <= USUAL_MB else min(liked, free / 4)
    return min(max(USUAL_MB, usual, together), memory.SHARE * free)


def _worth_compressing(problem: Problem, settings: FactorizationSettings, size: int) -> bool:
    if settings.compression == "off":
        return False
    if settings.compression == "on":
        return True
    longest = float(np.median([w.n_times for w in problem.worms]))
    return problem.n_entries >= WORTH_COMPRESSING and longest >= 3 * size


def _check_rank(problem: Problem, rank: int) -> None:
    if rank < 1:
        raise InputError(f"rank {rank} is not a positive number", where="rank")
    seen = problem.seen_times
    most = int(min(problem.seen_slots.sum(), seen[: problem.n_common or len(seen)].sum()))
    if problem.model == "unaligned":
        most = min(most, max(min(w.n_rows, w.n_times) for w in problem.worms))
    if rank > most:
        raise InputError(
            f"rank {rank} is more than the data can hold", where="rank", fix=f"The largest rank here is {most}."
        )


def _without_silent(problem: Problem, exact: TileSource) -> Problem:
    norms = np.array([n.sum() for n in exact.row_norms])
    if not norms.any():
        raise InputError(
            "every affinity is zero, so there is nothing to factorize",
            where="affinity",
            fix="Lower the noise threshold of the affinity, or check the traces.",
        )
    silent = [w.name for w, n in zip(problem.worms, norms, strict=True) if n == 0]
    if silent:
        exact.problem = replace(problem, notes=(*problem.notes, f"all affinities are zero in {', '.join(silent)}"))
    return exact.problem
