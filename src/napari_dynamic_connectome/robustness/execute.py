"""Execution of the pieces on threads here or on a dask cluster: any order, the same results, stopped within a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from ..factorization.prepare import USUAL_MB
from ..model.errors import Cancelled, DynamicConnectomeError, MissingExtraError
from ..model.execution import thread_count, workers
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
    settings = context.settings.factorization
    # whole pieces side by side need not wait for each other; each may take the memory of a factorization
    room = max(1, int(SHARE * free_mb() // (settings.memory_mb or USUAL_MB)))
    with workers(min(thread_count(settings.threads), room), cancel) as pool:

        def one(piece: Piece) -> PieceResult:
            return run_piece(context, piece, pool.stop.is_set)

        for count, (piece, result) in enumerate(pool.stream(one, pieces, ordered=False), start=1):
            found(piece, result)
            report(progress, count / len(pieces), _said(piece, count, len(pieces)))


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
