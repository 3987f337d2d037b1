"""Execution of the pieces on threads here or on a dask cluster: any order, the same results, stopped within a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from ..factorization.prepare import USUAL_MB
from ..model.cluster import on_cluster
from ..model.execution import thread_count, workers
from ..model.memory import SHARE, free_mb
from ..model.progress import CancelCallback, ProgressCallback, report
from .pieces import Context, Piece, PieceResult, run_piece

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
    with closing(on_cluster(client, run_piece, replace(context, threads=1), pieces, cancel=cancel)) as elsewhere:
        for count, (piece, result) in enumerate(elsewhere, start=1):
            found(piece, result)
            report(progress, count / len(pieces), _said(piece, count, len(pieces)))


def _said(piece: Piece, count: int, total: int) -> str:
    return f"{count} of {total}: {piece.part} {piece.name}"
