"""Time-varying affinities of a cohort, described so that any tile of them can be made on demand.

The idea is that of Dyballa et al. (ICLR 2024, arXiv 2402.14102): two neurons are affine while their smoothed derivatives both
keep a constant sign. The paper gives no equation; the one used here (see `measures` and `kernels`) is our definition.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.memory import check_fits, check_room
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.provenance import record_of
from ..model.text import counted
from .align import AlignedSegment, align
from .features import Features
from .sampling import Sampling, complete_part, natural_rate, sample_worm
from .settings import AffinitySettings
from .spec import AffinitySpec, WormBlock

Array = np.ndarray
LAYERS = {"absolute": (0,), "same": (1,), "opposite": (2,), "signed": (1, 2)}


def compute_affinity(
    cohort: Cohort,
    settings: AffinitySettings | dict[str, Any] | None = None,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> AffinitySpec:
    """Describe the time-varying affinity of every pair of neurons in every worm.

    Only arrays of neuron x time are computed here; pair affinities are made tile by tile when asked for.

    Parameters
    ----------
    cohort : Cohort
    settings : AffinitySettings or dict, optional
    progress, cancel : callable, optional
    **options
        Override fields of the settings.

    Returns
    -------
    AffinitySpec

    Raises
    ------
    InputError
        A worm with too few samples, no pair that enough worms observe, or an alignment that the cohort does not allow.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_dynamic_connectome import Cohort, Recording
    >>> wave = np.sin(np.arange(200) / 8)
    >>> worm = Recording.from_arrays(np.stack([wave, wave, -wave], axis=1), name="w", rate_hz=4, names=["AVAL", "AVAR", "RIBL"])
    >>> affinity = compute_affinity(Cohort([worm]))
    >>> mean = affinity.mean_affinity()
    >>> bool(mean.sel(neuron="AVAL", neuron_b="AVAR") > 0.1), float(mean.sel(neuron="AVAL", neuron_b="RIBL"))
    (True, 0.0)
    """
    check_room("an affinity")
    chosen = AffinitySettings.parse(settings, where="affinity settings", **options)
    notes: list[str] = []
    rate = _common_rate(cohort, chosen)
    count = len(cohort.neurons)
    values = sum(r.n_neurons * (r.time_s[-1] - r.time_s[0]) * rate for r in cohort.recordings)
    check_fits(
        (16.0 * count**2 + 32.0 * values) / 1e6,
        f"the affinities of {count} neurons",
        where="affinity",
        fix="Raise the cohort's min_worms, leave unnamed neurons out, or use a computer with more memory.",
    )
    samplings, members = _sample(cohort, chosen, rate, part(progress, 0.0, 0.5), cancel)
    parts = []
    for worm, sampling in enumerate(samplings):
        check_cancel(cancel)
        keep, times = _observed(sampling, chosen)
        notes += _left_out(cohort.worms[worm], sampling, members[worm], keep, times, cohort)
        parts.append((np.flatnonzero(keep), times))
    check_cancel(cancel)
    timeline = align(cohort.recordings, [s.time_s for s in samplings], rate, chosen)
    notes += timeline.notes
    pairs = _pairs([members[w][keep] for w, (keep, _) in enumerate(parts)], len(cohort.neurons), chosen.min_worms)
    layers = LAYERS[chosen.sign]
    made: dict[int, Features] = {}
    blocks = []
    for number, segment in enumerate(timeline.segments):
        check_cancel(cancel)
        report(progress, 0.5 + 0.5 * number / len(timeline.segments), f"affinities of {segment.name}")
        keep, times = parts[segment.worm]
        if segment.worm not in made:
            made[segment.worm] = worm_features(samplings[segment.worm], keep, times, chosen)
        sampling = samplings[segment.worm]
        blocks.append(
            _block(
                segment,
                cohort,
                sampling,
                members[segment.worm][keep],
                times,
                made[segment.worm],
                pairs,
                layers,
                timeline.time_s,
            )
        )
    if not any(b.observed.any() and b.n_rows for b in blocks):
        raise InputError("nothing is observed", where="affinity", fix="; ".join(notes) or "Check traces and alignment.")
    return AffinitySpec(
        kind=chosen.kind,
        settings=chosen,
        model="unaligned" if timeline.time_s is None else "aligned",
        model_reason=timeline.reason,
        signs=("same", "opposite") if chosen.sign == "signed" else ("any",),
        neurons=cohort.neurons,
        pairs=pairs,
        blocks=tuple(blocks),
        rate_hz=rate,
        time_s=timeline.time_s,
        stimuli=timeline.stimuli,
        breaks_s=timeline.breaks_s,
        notes=tuple(notes),
        provenance=record_of(chosen, 0, cohort.recordings, step="affinity", alignment=timeline.alignment),
    )


def _common_rate(cohort: Cohort, settings: AffinitySettings) -> float:
    for recording in cohort.recordings:
        if recording.n_times < 3:
            raise InputError(
                f"{counted(recording.n_times, 'time point')} cannot show a change",
                where=f"recording '{recording.name}'",
                fix="Leave this worm out.",
            )
    if settings.rate_hz is not None:
        return settings.rate_hz
    return min(natural_rate(r.time_s) for r in cohort.recordings)


def _sample(
    cohort: Cohort,
    settings: AffinitySettings,
    rate: float,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> tuple[list[Sampling], list[Array]]:
    """Every worm on its clock, and its neurons as indices into the cohort's."""
    index = {n: i for i, n in enumerate(cohort.neurons)}
    samplings, members = [], []
    for worm, recording in enumerate(cohort.recordings):
        check_cancel(cancel)
        report(progress, worm / len(cohort.recordings), f"affinities of {recording.name}")
        traces = cohort.traces_of(worm)
        members.append(np.array([index[str(n)] for n in traces["neuron"].values], dtype=np.int64))
        samplings.append(sample_worm(recording.time_s, traces.values, recording.breaks, rate, settings.gap_s))
        if len(samplings[-1].time_s) < 2:
            raise InputError(
                f"{recording.time_s[-1] - recording.time_s[0]:g} s are less than one sample at {rate:g} Hz",
                where=f"recording '{recording.name}'",
                fix="Raise rate_hz or leave this worm out.",
            )
    return samplings, members


def _observed(sampling: Sampling, settings: AffinitySettings) -> tuple[Array, Array]:
    """Which neurons and which times of a worm take part."""
    if settings.missing == "leave out":
        return complete_part(sampling.valid)
    return np.asarray(sampling.valid.any(axis=1)), np.asarray(sampling.valid.any(axis=0))


def _left_out(worm: str, sampling: Sampling, members: Array, keep: Array, times: Array, cohort: Cohort) -> list[str]:
    notes = []
    dropped = [cohort.neurons[i] for i in members[~keep]]
    if dropped:
        some = ", ".join(dropped[:5]) + (f" and {len(dropped) - 5} more" if len(dropped) > 5 else "")
        notes.append(f"{worm}: {some} left out (not measured for part of the time)")
    lost = float((sampling.valid.any(axis=0) & ~times).sum()) / sampling.rate_hz
    if lost > 0:
        notes.append(f"{worm}: {lost:.1f} s left out, when some neurons were not measured")
    return notes


def _pairs(members: list[Array], n_neurons: int, min_worms: int) -> Array:
    """Pairs that at least `min_worms` worms have, sorted, int32 (P, 2)."""
    has = np.zeros((len(members), n_neurons), np.float32)
    for worm, neurons in enumerate(members):
        has[worm, neurons] = 1
    together = has.T @ has
    i, j = np.nonzero(np.triu(together >= min_worms, 1))
    if not len(i):
        most = int(np.triu(together, 1).max())
        raise InputError(
            f"no pair of neurons is observed by {counted(min_worms, 'worm')}; the most is {most}",
            where="affinity",
            fix="Lower min_worms, name more neurons, or check for gaps in the traces.",
        )
    return np.stack([i, j], axis=1).astype(np.int32)


def _block(
    segment: AlignedSegment,
    cohort: Cohort,
    sampling: Sampling,
    neurons: Array,
    times: Array,
    features: Features,
    pairs: Array,
    layers: tuple[int, ...],
    time_s: Array | None,
) -> WormBlock:
    local = np.full(len(cohort.neurons), -1, np.int32)
    local[neurons] = np.arange(len(neurons))
    columns = local[pairs]
    rows = np.flatnonzero((columns >= 0).all(axis=1))
    if time_s is not None:
        samples = np.where(segment.samples >= 0, np.where(times[segment.samples], segment.samples, -1), -1)
        features = features.take(samples)
        observed = samples >= 0
        source = np.where(observed, sampling.time_s[samples], np.nan)
    else:
        observed, source = times, np.where(times, sampling.time_s, np.nan)
    return WormBlock(
        worm=segment.name,
        neurons=neurons,
        rows=rows,
        columns=np.ascontiguousarray(columns[rows]),
        time_s=sampling.time_s if time_s is None else time_s,
        observed=observed,
        features=features,
        layers=layers,
        source=cohort.worms[segment.worm],
        source_time_s=source,
    )


def worm_features(sampling: Sampling, neurons: Array, times: Array, settings: AffinitySettings) -> Features:
    """Features of one worm on its own clock.

    Parameters
    ----------
    sampling : Sampling
    neurons : int array
        Which of its neurons take part.
    times : bool array (T,)
        Observed times; elsewhere every affinity is zero.
    settings : AffinitySettings
    """
    usable = sampling.valid[neurons] & times
    measure = import_module(f".measures.{settings.kind.replace(' ', '_')}", __package__)
    found: Features = measure.features(sampling, neurons, times, usable, settings)
    return found
