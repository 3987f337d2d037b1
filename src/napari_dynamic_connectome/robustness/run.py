"""One function for what a sceptical reader asks of components: would other worms, seeds and settings show them too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.evidence import SUPPORT
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.results import Components
from ..pipeline.provenance import provenance_of
from ..pipeline.run import decompose
from ..pipeline.settings import PipelineSettings
from .checkpoint import PieceCheckpoint, fingerprint
from .execute import run_pieces
from .intervals import percentile_interval, share_interval
from .pieces import Context, Piece, PieceResult, plan
from .result import Robustness

Array = np.ndarray
Found = list[tuple[Piece, PieceResult]]
COUNTED = {"bootstrap": "bootstrap", "left_out": "left-out worms", "seeds": "seeds"}
"""Columns of `support` and the parts that they count."""


def assess_robustness(
    cohort: Cohort,
    settings: PipelineSettings | None = None,
    *,
    components: Components | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    client: Any = None,
    checkpoint: str | Path | None = None,
) -> Robustness:
    """Analyse again with other worms, other seeds and other settings, and say what stays.

    Components of every refit are matched one to one with those of the analysis by the cosine of their pair factors over the pairs that both
    observed (Hungarian; factor match score as in Acar et al. 2011, of the pair mode alone). A component comes back where the match is
    `settings.robustness.match` or more. Bootstrap (Efron 1979) draws worms with replacement. How often a component comes back in
    time-shifted cohorts is shown beside it, since flat components match by chance. All of this is our definition.

    Parameters
    ----------
    cohort : Cohort
    settings : PipelineSettings, optional
        Those of the analysis; `settings.robustness` says what is done.
    components : Components, optional
        The analysis itself, made from this cohort with these settings; made here if not given.
    progress, cancel : callable, optional
    client : dask.distributed.Client, optional
        Pieces run there, with the same result.
    checkpoint : path, optional
        Folder in which finished pieces are kept: the same call goes on from there; pieces of other worms or settings are not taken.

    Returns
    -------
    Robustness

    Raises
    ------
    InputError
        The components are not those of the cohort, or nothing can be done again.
    Cancelled
        Within a second of `cancel()` returning True; finished pieces are kept if there is a `checkpoint`.
    """
    from ..affinity.compute import compute_affinity
    from ..comparison.confounds import partial_out_cohort

    settings = settings or PipelineSettings()
    cohort = partial_out_cohort(cohort, settings.confounds, cancel=cancel)
    folder = None if checkpoint is None else Path(checkpoint)
    if components is None:
        kept = None if folder is None else folder / "analysis"
        affinity, _, components = decompose(
            cohort, settings, progress=part(progress, 0, 0.1), cancel=cancel, client=client, checkpoint=kept
        )
    else:
        check_components(cohort, components)
        affinity = compute_affinity(cohort, settings.affinity, cancel=cancel)
    if components.rank < 1:
        raise InputError("there are no components", where="robustness", fix="There is nothing that could come back.")
    pieces, notes = plan(cohort, settings, components)
    if not pieces:
        raise InputError("nothing can be done again", where="robustness", fix="; ".join(notes) + ".")
    context = Context(cohort, settings, components, affinity)
    store = None if folder is None else PieceCheckpoint(folder, fingerprint(cohort, settings, components))
    known: dict[str, PieceResult] = {}
    for piece in pieces:
        check_cancel(cancel)
        old = None if store is None else store.load(piece)
        if old is not None:
            known[piece.key] = old
    missing = [p for p in pieces if p.key not in known]

    def keep(piece: Piece, result: PieceResult) -> None:
        known[piece.key] = result
        if store is not None:
            store.save(piece, result)

    begun = 0.1 + 0.9 * (len(pieces) - len(missing)) / len(pieces)
    run_pieces(context, missing, keep, client=client, progress=part(progress, begun, 1.0), cancel=cancel)
    report(progress, 1, "done")
    return summarize(context, [(p, known[p.key]) for p in pieces], notes)


def with_support(components: Components, result: Robustness) -> Components:
    """Components whose `support` also says in how many bootstraps and left-out worms each comes back.

    Raises
    ------
    InputError
        The result is about other components.
    """
    numbers = components.weight["component"].values.tolist()
    table = result.support.set_index("component")
    if list(table.index) != numbers or result.provenance.get("worms") != [
        str(w) for w in components.worm["worm"].values
    ]:
        raise InputError(
            "the result is about other components",
            where="robustness",
            fix="Run it again for the components as they are.",
        )
    known = components.support
    support = pd.DataFrame(index=numbers, columns=list(SUPPORT)) if known is None else known.copy()
    for column in ("bootstrap", "left_out"):
        for end in ("", "_low", "_high"):
            support[f"{column}{end}"] = table[f"{column}{end}"].to_numpy(float)
    return replace(components, support=support)


def check_components(cohort: Cohort, components: Components) -> None:
    """Refuse components that were made from other neurons."""
    if tuple(cohort.neurons) != tuple(components.neurons):
        raise InputError(
            "the components were not made from this cohort",
            where="robustness",
            fix="Analyse the cohort as it is now, then ask again.",
        )


def summarize(context: Context, found: Found, notes: Sequence[str] = ()) -> Robustness:
    """Count what came back."""
    own = context.settings.robustness
    failed = [(p, r) for p, r in found if not r.done]
    told = [*notes]
    for reason in dict.fromkeys(n for _, r in failed for n in r.notes):
        count = sum(reason in r.notes for _, r in failed)
        told.append(f"{count} of {len(found)} refits could not be made: {reason}")
    return Robustness(
        support=_support(context, found),
        neurons=_neurons(context, found),
        ranks=_ranks(context, found),
        held_out=_held_out(found),
        refits=_refits(context, found),
        settings=own,
        notes=tuple(told),
        provenance=provenance_of(context.settings, context.cohort).record()
        | {"step": "robustness", "worms": list(context.cohort.worms), "rank": context.components.rank},
    )


def _of_part(found: Found, name: str) -> list[PieceResult]:
    """Results of one part that have a fit of the same rank; a bootstrap that also chose the rank is not counted twice."""
    return [r for p, r in found if p.part == name and r.done and not (name == "bootstrap" and p.choose_rank)]


def _support(context: Context, found: Found) -> pd.DataFrame:
    own, reference = context.settings.robustness, context.components
    parts = {column: _of_part(found, name) for column, name in COUNTED.items()}
    chance = _of_part(found, "chance")
    left_out = parts["left_out"]
    worms = [str(w) for w in reference.worm["worm"].values]
    rows = []
    for r in range(reference.rank):
        power = np.nan_to_num(reference.worm.values[:, r]) ** 2
        share = power / power.sum() if power.sum() > 0 else power
        top = int(share.argmax())
        row: dict[str, Any] = {
            "component": int(reference.weight["component"].values[r]),
            "loading_worms": float(1 / (share**2).sum()) if share.any() else float("nan"),
            "largest_worm": worms[top],
            "largest_worm_share": float(share[top]),
        }
        for column, results in parts.items():
            hits = sum(bool(x.match[r] >= own.match) for x in results)
            row |= _share(column, hits, len(results), context)
        matches = [x.match[r] for x in parts["bootstrap"] or [y for some in parts.values() for y in some]]
        row["match"] = float(np.nanmedian(matches)) if np.isfinite(matches).any() else float("nan")
        known = [x for x in left_out if np.isfinite(x.held_out["cross_without"][r])]
        hits = sum(
            bool(x.match[r] >= own.match and x.held_out["cross_without"][r] > x.held_out["own_cross_error"][0])
            for x in known
        )
        row |= _share("foretold", hits, len(known), context)
        by_chance = [x.match[r] for x in chance if np.isfinite(x.match[r])]
        row["chance_match"] = float(max(by_chance)) if by_chance else float("nan")
        row["specific"] = bool(row["chance_match"] < own.match) if by_chance else None
        rows.append(row)
    return pd.DataFrame(rows)


def _share(column: str, hits: int, of: int, context: Context) -> dict[str, Any]:
    own = context.settings.robustness
    share, low, high = share_interval(hits, of, own.confidence, own.interval)
    return {column: share, f"{column}_low": low, f"{column}_high": high, f"{column}_of": of}


def _neurons(context: Context, found: Found) -> pd.DataFrame:
    own, reference = context.settings.robustness, context.components
    drawn = _of_part(found, "bootstrap")
    presence = context.cohort.presence
    seen = dict(zip(map(str, presence["neuron"].values), presence.values.sum(axis=0).tolist(), strict=True))
    parts = []
    for r in range(reference.rank):
        back = [x for x in drawn if x.match[r] >= own.match]
        count = len(reference.neurons)
        strengths = np.stack([x.strength[r] for x in back]) if back else np.empty((0, count))
        low, high = percentile_interval(strengths, own.confidence)
        there = np.isfinite(strengths).sum(axis=0)
        lead = np.sum([x.leading[r] for x in back], axis=0) if back else np.zeros(count)
        parts.append(
            pd.DataFrame(
                {
                    "component": int(reference.weight["component"].values[r]),
                    "neuron": list(reference.neurons),
                    "worms": [seen.get(n, 0) for n in reference.neurons],
                    "strength": reference.strength(r + 1).values,
                    "low": low,
                    "high": high,
                    "leading": np.where(there > 0, lead / np.maximum(there, 1), np.nan),
                    "bootstraps": there,
                }
            ).sort_values("strength", ascending=False, kind="stable")
        )
    return pd.concat(parts, ignore_index=True)


def _ranks(context: Context, found: Found) -> pd.DataFrame:
    own = context.settings.robustness
    columns = ["source", "rank", "count", "of", "share", "low", "high"]
    rows = []
    for source in ("bootstrap", "left-out worms", "seeds"):
        chosen = [r.chosen for p, r in found if p.part == source and r.chosen >= 0]
        for rank in sorted(set(chosen)):
            hits = chosen.count(rank)
            rows.append(
                (source, rank, hits, len(chosen), *share_interval(hits, len(chosen), own.confidence, own.interval))
            )
    return pd.DataFrame(rows, columns=columns)


def _held_out(found: Found) -> pd.DataFrame:
    rows = [
        (piece.name, int(rank), float(error), float(cross))
        for piece, result in found
        if piece.part == "left-out worms" and result.done
        for rank, error, cross in zip(
            result.held_out["ranks"], result.held_out["error"], result.held_out["cross_error"], strict=True
        )
    ]
    return pd.DataFrame(rows, columns=["worm", "rank", "error", "cross_error"])


def _refits(context: Context, found: Found) -> pd.DataFrame:
    own, numbers = context.settings.robustness, context.components.weight["component"].values
    rows = []
    for piece, result in found:
        course_r = result.held_out.get("course_r", np.full(len(numbers), np.nan))
        for r, number in enumerate(numbers):
            match = float(result.match[r])
            rows.append(
                {
                    "part": piece.part,
                    "name": piece.name,
                    "field": piece.field,
                    "value": piece.value,
                    "component": int(number),
                    "match": match,
                    "back": bool(match >= own.match),
                    "error": result.error,
                    "components": result.rank,
                    "chosen_rank": result.chosen,
                    "course_r": float(course_r[r]),
                    "done": result.done,
                    "note": "; ".join(result.notes),
                }
            )
    return pd.DataFrame(rows)
