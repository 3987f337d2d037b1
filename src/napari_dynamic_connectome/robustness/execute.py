"""Execution of the pieces on threads here or on a dask cluster: any order, the same results, stopped within a second."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import replace
from threading import Event
from typing import Any

from ..model.errors import Cancelled, DynamicConnectomeError, MissingExtraError
from ..model.memory import SHARE, free_mb
from ..model.progress import CancelCallback, ProgressCallback, report
from .pieces import Context, Piece, PieceResult, run_piece

POLL_S = 0.1
Found = Callable[[Piece, PieceResult], None]


def run_pieces(
    context: Context,
    pieces: Sequence[Piece],
    found: Found,
    *,
    client: Any = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> None:
    """Do pieces and tell `found` about each as it ends, always from the caller's thread.

    Parameters
    ----------
    context : Context
    pieces : sequence of Piece
    found : callable
        Given the piece and what it found.
    client : dask.distributed.Client, optional
        A piece that is lost with its worker is done again, from the same seed.
    progress, cancel : callable, optional

    Raises
    ------
    Cancelled
        Within a second of `cancel()` returning True; pieces that were found stay.
    """
    if not pieces:
        return
    if client is None:
        _on_threads(context, pieces, found, progress, cancel)
    else:
        _on_cluster(context, pieces, found, client, progress, cancel)


def _on_threads(
    context: Context,
    pieces: Sequence[Piece],
    found: Found,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    settings = context.settings.factorization
    cores = settings.threads or len(
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    # Whole pieces side by side need not wait for each other; each may take the memory of a factorization.
    room = int(SHARE * free_mb() // settings.memory_mb)
    side_by_side = max(1, min(cores, len(pieces), room))
    inner = replace(context, threads=1 if side_by_side > 1 else settings.threads)
    stop = Event()
    pool = ThreadPoolExecutor(side_by_side, thread_name_prefix="robustness")
    with threadpool_limits(limits=1, user_api="blas"):
        futures = {pool.submit(run_piece, inner, piece, stop.is_set): piece for piece in pieces}
        pending = set(futures)
        try:
            while pending:
                done, pending = wait(pending, timeout=POLL_S, return_when=FIRST_COMPLETED)
                if cancel is not None and cancel():
                    raise Cancelled
                for future in done:
                    found(futures[future], future.result())
                count = len(pieces) - len(pending)
                if done:
                    report(progress, count / len(pieces), _said(futures[next(iter(done))], count, len(pieces)))
        finally:
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _on_cluster(
    context: Context,
    pieces: Sequence[Piece],
    found: Found,
    client: Any,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> None:
    try:
        from distributed import KilledWorker
    except ImportError as error:
        raise MissingExtraError("distributed", "cluster", "running on a dask cluster") from error
    # a graph key, not scattered data: data that was scattered to a worker that dies is lost for good
    shared = client.submit(_identity, replace(context, threads=1), pure=False)
    waiting = {client.submit(run_piece, shared, piece, pure=False, retries=2): piece for piece in pieces}
    everything = [shared, *waiting]
    try:
        while waiting:
            done = [f for f in waiting if f.done()]
            for future in done:
                piece = waiting.pop(future)
                found(piece, future.result())
                count = len(pieces) - len(waiting)
                report(progress, count / len(pieces), _said(piece, count, len(pieces)))
            if cancel is not None and cancel():
                raise Cancelled
            if not done:
                time.sleep(POLL_S)
    except KilledWorker as error:
        raise DynamicConnectomeError(
            "workers of the cluster died again and again, probably for lack of memory"
        ) from error
    finally:
        client.cancel(everything)


def _said(piece: Piece, count: int, total: int) -> str:
    return f"{count} of {total}: {piece.part} {piece.name}"


def _identity(context: Context) -> Context:
    return context
