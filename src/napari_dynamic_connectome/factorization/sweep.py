"""Sweep over ranks: errors, prediction of held-out fibres and agreement of restarts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..model.cluster import borrowed, lent
from ..model.errors import InputError
from ..model.execution import workers
from ..model.progress import CancelCallback, ProgressCallback, part
from ..model.results import RankSweep
from .build import build_components
from .consistency import core_consistency
from .factorize import provenance
from .folds import draw_folds, split_one_worm
from .jobs import FitCheckpoint, FitJob, FoldJob, run_jobs
from .prepare import Prepared, prepare_problem
from .problem import build_problem
from .settings import FactorizationSettings
from .starts import Starts, join_starts

AGREE = 0.9
COLUMNS = ("rank", "error", "error_min", "held_out", "held_out_se", "similarity", "core_consistency")


def sweep_ranks(
    affinity: Any,
    ranks: Iterable[int] = range(2, 11),
    settings: FactorizationSettings | dict[str, Any] | None = None,
    *,
    starts: int = 10,
    folds: int = 5,
    fold_starts: int = 2,
    held_out_share: float = 0.1,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    client: Any = None,
    worms: Sequence[str] | None = None,
    worm_weights: Mapping[str, float] | None = None,
    checkpoint: str | Path | None = None,
    inspect: Callable[[int, Prepared, Starts], None] | None = None,
    **options: Any,
) -> RankSweep:
    """Fit a range of ranks and suggest one.

    The suggestion is the largest rank whose restarts agree (median factor match score of 0.9 or more) and whose held-out error
    lies within one standard error of the smallest. The user decides, seeing the curves.

    Parameters
    ----------
    affinity : AffinitySpec or ArrayAffinity
    ranks : iterable of int
    settings : FactorizationSettings or dict, optional
    starts : int
        Random starts for every rank.
    folds : int
        Disjoint sets of (pair, worm) fibres that are held out in turn; 0: none. A fibre can be held out if another worm shows
        its pair. With a single worm, stretches of its time take the worms' place (and the notes say so).
    fold_starts : int
        Random starts for every rank and fold; the one with the lowest error on the fitted entries predicts.
    held_out_share : float
        Share of the fibres held out in each fold.
    seed : int
    progress, cancel : callable, optional
    client : dask.distributed.Client, optional
        Jobs run there; the result is the same as here.
    worms, worm_weights, checkpoint, **options
        As in `factorize`.
    inspect : callable, optional
        Shown the fits of all starts of every rank, which are not kept.

    Returns
    -------
    RankSweep

    Raises
    ------
    InputError
        As `factorize`; no rank, or a share or number of folds that makes no sense.
    """
    chosen = FactorizationSettings.parse(settings, where="factorization settings", **options)
    wanted = _check(ranks, starts, folds, fold_starts, held_out_share)
    with workers(chosen.threads, cancel) as pool, lent(borrowed() if client is None else client):
        problem = build_problem(affinity, chosen, worms=worms, worm_weights=worm_weights)
        early = part(progress, 0.0, 0.1)
        prepared = prepare_problem(problem, max(wanted), chosen, pool, starts=starts, seed=seed, progress=early)
        judged, masks, notes = _held_out_problem(prepared, pool, max(wanted), folds, fold_starts, held_out_share, seed)
        how = {"pool": pool, "client": client, "cancel": cancel}
        full = [FitJob(r, group, seed, compare=True) for r in wanted for group in _groups(starts, prepared.batch)]
        together = _together(wanted, judged.batch // fold_starts)
        tests = [
            FoldJob(ranks, tuple(range(fold_starts)), seed + 1, fold, tuple(mask))
            for ranks in together
            for fold, mask in enumerate(masks)
        ]
        work = len(wanted) * starts, len(wanted) * len(masks) * fold_starts
        split = 0.1 + 0.9 * work[0] / max(sum(work), 1)
        kept = None if checkpoint is None else FitCheckpoint(Path(checkpoint))
        made = provenance(
            affinity,
            chosen,
            seed,
            ranks=wanted,
            starts=starts,
            folds=folds,
            fold_starts=fold_starts,
            held_out_share=held_out_share,
            worms=worms,
        ) | {"step": "sweep_ranks"}
        components, fitted = {}, {}
        results = zip(
            full, run_jobs(prepared, full, progress=part(progress, 0.1, split), checkpoint=kept, **how), strict=True
        )
        for rank, parts in groupby(results, lambda pair: pair[0].rank):
            # of the other starts only their agreement is kept: together they would take more memory than the data
            fits = join_starts([found for _, found in parts])
            one = build_components(prepared, fits, pool, provenance={**made, "rank": rank})
            components[rank] = one
            if inspect is not None:
                inspect(rank, prepared, fits)
            fitted[rank] = (
                float(np.median(fits.errors)),
                one.error,
                one.diagnostics["similarity"],
                core_consistency(prepared, one, pool),
            )
        held_out = pd.DataFrame(np.nan, index=pd.Index(wanted, name="rank"), columns=range(len(masks)))
        predicted = run_jobs(judged, tests, progress=part(progress, split, 1.0), checkpoint=kept, **how)
        for job, errors in zip(tests, predicted, strict=True):
            held_out.loc[list(job.ranks), job.fold] = errors
    rows = []
    for rank in wanted:
        median, lowest, similarity, consistency = fitted[rank]
        mean, error = _mean_and_error(held_out.loc[rank].to_numpy(float))
        rows.append((rank, median, lowest, mean, error, similarity, consistency))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    suggested, reason = suggest_rank(table)
    return RankSweep(table, suggested, reason, components, held_out, (*prepared.problem.notes, *notes), made)


def suggest_rank(table: pd.DataFrame) -> tuple[int, str]:
    """Suggest a rank from a sweep's table, and say why.

    Falls back to the rank with the best-agreeing restarts near the smallest held-out error, or to agreement alone where nothing
    could be held out; the reason says so.
    """
    table = table.set_index("rank")
    similarity, held_out = table["similarity"], table["held_out"]
    agree = similarity >= AGREE
    if similarity.isna().all():
        agree = pd.Series(True, index=table.index)
        agreement = "with a single start, agreement of restarts is unknown"
    else:
        agreement = f"restarts agree (median match {AGREE} or more)"
    if held_out.isna().all():
        if agree.any():
            best = int(table.index[agree].max())
            return best, f"{best} is the largest rank at which {agreement}; no fibre could be held out."
        best = _at_largest(similarity)
        return best, (
            f"restarts agree at no rank; they differ least at {best} (median match {similarity[best]:.2f}). "
            "No fibre could be held out."
        )
    lowest = _at_largest(-held_out)
    margin = table["held_out_se"].fillna(0.0)[lowest]
    good = held_out <= held_out[lowest] + margin
    limit = f"held-out error is within one standard error ({margin:.2g}) of the smallest ({held_out[lowest]:.4f}, rank {lowest})"
    if (agree & good).any():
        best = int(table.index[agree & good].max())
        return best, f"{best} is the largest rank at which {agreement} and the {limit}."
    if agree.any():
        best = _at_largest(-held_out[agree])
        return best, (
            f"no rank has both: at ranks where the {limit}, restarts disagree. Among ranks at which {agreement}, "
            f"{best} predicts held-out fibres best ({held_out[best]:.4f})."
        )
    best = _at_largest(similarity[good])
    return best, (
        f"restarts agree at no rank. Among ranks whose {limit}, they differ least at {best} "
        f"(median match {similarity[best]:.2f}): read these components with care, or use more data."
    )


def _at_largest(column: pd.Series) -> int:
    return int(column.index[int(np.nanargmax(column.to_numpy(float)))])


def _check(ranks: Iterable[int], starts: int, folds: int, fold_starts: int, share: float) -> list[int]:
    wanted = sorted({int(r) for r in ranks})
    if not wanted:
        raise InputError("no rank is given", where="ranks", fix="Pass ranks=range(2, 11), for example.")
    if wanted[0] < 1:
        raise InputError(f"rank {wanted[0]} is not a positive number", where="ranks")
    if starts < 1 or fold_starts < 1:
        raise InputError("at least one start is needed", where="starts")
    if folds < 0 or folds == 1:
        raise InputError(f"{folds} folds make no sense", where="folds", fix="Use 2 or more, or 0 for none.")
    if not 0 < share <= 0.5:
        raise InputError(f"a held-out share of {share} makes no sense", where="held_out_share", fix="Use 0.05 to 0.5.")
    return wanted


def _groups(starts: int, batch: int) -> list[tuple[int, ...]]:
    return [tuple(range(a, min(a + batch, starts))) for a in range(0, starts, batch)]


def _together(ranks: Sequence[int], most: int) -> list[tuple[int, ...]]:
    """Ranks that are fitted together, the largest first; at most so many, of much the same size."""
    falling, most = sorted(ranks, reverse=True), max(most, 1)
    return [tuple(falling[a : a + most]) for a in range(0, len(falling), most)]


def _held_out_problem(
    prepared: Prepared, pool: Any, rank: int, folds: int, starts: int, share: float, seed: int
) -> tuple[Prepared, list[list[np.ndarray]], list[str]]:
    """The problem on which fibres are held out: the same one, or the only worm cut into stretches."""
    if folds == 0:
        return prepared, [], ["nothing was held out, as asked"]
    problem = prepared.problem
    if len(problem.worms) > 1:
        masks = draw_folds(problem, folds, share, seed)
        return prepared, masks, [] if masks else ["no pair is seen by two worms, so nothing could be held out"]
    if problem.worms[0].n_times < 10 * rank:
        return prepared, [], ["one short worm: nothing could be held out"]
    cut = prepare_problem(split_one_worm(problem), rank, prepared.settings, pool, starts=starts, seed=seed)
    note = "one worm: stretches of its time take the worms' place for the held-out error"
    return cut, draw_folds(cut.problem, folds, share, seed), [note]


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    values = values[np.isfinite(values)]
    if not len(values):
        return float("nan"), float("nan")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")
