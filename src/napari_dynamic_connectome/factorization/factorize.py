"""Factorization: affinities in, non-negative components out; and new worms projected on known components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..model.cluster import borrowed, lent
from ..model.errors import InputError
from ..model.execution import workers
from ..model.progress import CancelCallback, ProgressCallback, part, report
from ..model.provenance import record_of
from ..model.results import Components
from ..model.settings import StepSettings
from .build import build_components
from .jobs import FitCheckpoint, FitJob, run_jobs
from .prepare import prepare_problem
from .problem import build_problem
from .settings import FactorizationSettings
from .starts import fit_starts, join_starts
from .warm_start import initial_factors, known_pairs

FACTORS = ("time", "worm", "pair")


def factorize(
    affinity: Any,
    rank: int,
    settings: FactorizationSettings | dict[str, Any] | None = None,
    *,
    starts: int = 10,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    client: Any = None,
    init: Components | None = None,
    fixed: Sequence[str] = (),
    worms: Sequence[str] | None = None,
    worm_weights: Mapping[str, float] | None = None,
    checkpoint: str | Path | None = None,
    **options: Any,
) -> Components:
    """Factorize a cohort's affinities into `rank` non-negative components.

    The tensor time x worm x pair and its non-negative components are those of Dyballa et al. (2024). How missing neurons enter
    (only observed entries count, none is imputed), the `unaligned` model and the solver are our definition.

    Parameters
    ----------
    affinity : AffinitySpec or ArrayAffinity
        Affinities of a cohort, made by `compute_affinity`, or given as arrays.
    rank : int
        Number of components.
    settings : FactorizationSettings or dict, optional
    starts : int
        Random starts; the one with the lowest error is returned, the others tell how sure it is.
    seed : int
        Same seed, same result, whatever the number of threads.
    progress, cancel : callable, optional
    client : dask.distributed.Client, optional
        Run the starts there, a few at a time.
    init : Components, optional
        Start 0 begins here (warm start); neurons and worms are matched by name.
    fixed : sequence of {"time", "worm", "pair"}
        Factors of `init` that stay as they are. Pairs that `init` does not know are left out if "pair" is fixed.
    worms : sequence of str, optional
        Fit only these.
    worm_weights : mapping, optional
        Weight of a worm's squared errors (1 where not given). Reported errors never carry weights.
    checkpoint : path, optional
        Folder in which finished starts are kept: the same call goes on from there after a crash. It must belong to these
        arguments; starts from `init` are not kept.
    **options
        Fields of `FactorizationSettings`.

    Returns
    -------
    Components
        `error` is the relative error over observed entries, computed entry by entry. `diagnostics` holds `start_errors`,
        `start_sweeps`, `start_converged`, `restart_similarity` (factor match score with the best start) and its median over
        the others, `similarity`; `explained` (growth of the squared error without a component, as a share of the data),
        `worm_errors`, `notes` (what was left out), and how it was computed.

    Raises
    ------
    InputError
        The affinity cannot be factorized; the message says why.
    Cancelled
        Within a second of `cancel()` returning True.

    References
    ----------
    .. [1] Cichocki & Phan (2009), IEICE Trans. E92-A, 708 (hierarchical alternating least squares).
    .. [2] Gillis & Glineur (2012), Neural Computation 24, 1085 (accelerated HALS).

    Examples
    --------
    >>> import numpy as np
    >>> from napari_dynamic_connectome.factorization.problem import ArrayAffinity
    >>> rng = np.random.default_rng(0)
    >>> pairs, time = rng.random((10, 2)), rng.random((2, 50))
    >>> affinity = ArrayAffinity.from_arrays([(np.arange(10), pairs @ time, None)])
    >>> components = factorize(affinity, 2, starts=3)
    >>> components.rank, bool(components.error < 0.05)
    (2, True)
    """
    chosen = FactorizationSettings.parse(settings, where="factorization settings", **options)
    rank, starts = _whole(rank, "rank"), _whole(starts, "starts")
    _check_fixed(fixed, init, rank)
    wanted = known_pairs(affinity, init) if init is not None and "pair" in fixed else None
    with workers(chosen.threads, cancel) as pool, lent(borrowed() if client is None else client):
        problem = build_problem(affinity, chosen, worms=worms, worm_weights=worm_weights, pairs_wanted=wanted)
        early = part(progress, 0.0, 0.3)
        prepared = prepare_problem(problem, rank, chosen, pool, starts=starts, seed=seed, progress=early)
        initial = None if init is None else initial_factors(prepared.problem, init, seed)
        if checkpoint is not None and initial is None:
            groups = [tuple(range(a, min(a + prepared.batch, starts))) for a in range(0, starts, prepared.batch)]
            jobs = [FitJob(rank=rank, starts=group, seed=seed) for group in groups]
            fits = join_starts(
                list(
                    run_jobs(
                        prepared,
                        jobs,
                        client,
                        pool=pool,
                        cancel=cancel,
                        progress=part(progress, 0.3, 0.95),
                        checkpoint=FitCheckpoint(Path(checkpoint)),
                    )
                )
            )
        elif client is None or initial is not None:
            fits = fit_starts(
                prepared,
                rank,
                range(starts),
                seed,
                pool,
                fixed=fixed,
                initial=initial,
                progress=part(progress, 0.3, 0.95),
            )
        else:
            job = FitJob(rank=rank, starts=tuple(range(starts)), seed=seed)
            (fits,) = run_jobs(prepared, [job], client, cancel=cancel, progress=part(progress, 0.3, 0.95))
        components = build_components(
            prepared,
            fits,
            pool,
            sort=not fixed,
            provenance=provenance(affinity, chosen, seed, rank=rank, starts=starts, fixed=tuple(fixed), worms=worms),
            extra={"fixed": list(fixed)} if fixed else None,
        )
    report(progress, 1.0, f"{rank} components, error {components.error:.4f}")
    return components


def project_worms(
    affinity: Any,
    components: Components,
    settings: FactorizationSettings | dict[str, Any] | None = None,
    *,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> Components:
    """Time courses and loadings of (new) worms for known pair factors.

    Parameters
    ----------
    affinity : AffinitySpec or ArrayAffinity
        The new worms; pairs that the components do not know are left out, and the notes say how many.
    components : Components
        Their pair factors stay as they are, and so does the numbering.

    Returns
    -------
    Components
        Same rank and order as `components`.
    """
    return factorize(
        affinity,
        components.rank,
        settings,
        starts=1,
        seed=seed,
        progress=progress,
        cancel=cancel,
        init=components,
        fixed=("pair",),
        **options,
    )


def provenance(affinity: Any, settings: FactorizationSettings, seed: int, **more: Any) -> dict[str, Any]:
    """What reproduces a factorization."""
    kinds = {"kind": str(getattr(affinity, "kind", "")), "worms": [str(b.worm) for b in affinity.blocks]}
    own = getattr(affinity, "settings", None)
    said: dict[str, Any] = {
        k: (list(v) if isinstance(v, (tuple, range)) else v) for k, v in more.items() if v is not None
    }
    return record_of(
        settings,
        seed,
        inputs_of(affinity),
        step="factorize",
        affinity={**kinds, "settings": own.model_dump() if isinstance(own, StepSettings) else {}},
        **said,
    )


def inputs_of(affinity: Any) -> list[dict[str, Any]]:
    """What an affinity was made from; of one that was given as arrays, the blocks."""
    held = dict(getattr(affinity, "provenance", None) or {}).get("inputs")
    return held or [{"worm": str(b.worm)} for b in affinity.blocks]


def _whole(value: Any, name: str) -> int:
    try:
        number = int(value)
        if number != value or number < 1:
            raise ValueError(value)
    except (TypeError, ValueError):
        raise InputError(f"{name} is {value!r}", where="factorize", fix="It is a whole number from 1 up.") from None
    return number


def _check_fixed(fixed: Sequence[str], init: Components | None, rank: int) -> None:
    unknown = [f for f in fixed if f not in FACTORS]
    if unknown:
        raise InputError(f"'{unknown[0]}' is no factor", where="fixed", fix=f"Known: {', '.join(FACTORS)}.")
    if fixed and init is None:
        raise InputError("fixed factors need components to take them from", where="fixed", fix="Pass init=components.")
    if set(fixed) == set(FACTORS):
        raise InputError("all three factors are fixed, so nothing is left to fit", where="fixed")
    if init is not None and init.rank != rank:
        raise InputError(f"the rank is {rank} but the components to start from have {init.rank}", where="init")
