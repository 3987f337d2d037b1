"""Quality of neurons and recordings: what may be wrong, by how much, and why, in words.

In: a `Recording`, extracted or read. Out: the same with its `quality` table, one row a neuron, and with what holds for the
whole recording in `provenance["quality"]`. What cannot be known (no saturation counts, no tracks) is NaN and never flagged.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..model.progress import CancelCallback, check_cancel
from ..model.recording import Recording
from .bleaching import fit_bleaching
from .measures import (
    correlations,
    distances_um,
    drift_um,
    fast_part,
    intervals,
    level_swaps,
    noise_of,
    position_jumps,
    snr_of,
)
from .segments import gap_limit
from .settings import QualitySettings


def assess_quality(
    recording: Recording,
    settings: QualitySettings | dict[str, Any] | None = None,
    *,
    judged: Recording | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> Recording:
    """Measure the quality of every neuron and of the recording.

    Parameters
    ----------
    recording : Recording
        Corrected or not; where the uncorrected traces are kept (coordinate `raw`), bleaching, jumps and likeness to
        neighbours are measured on them.
    settings : QualitySettings or dict, optional
    judged : Recording, optional
        The same worm as it was judged before: the bleaching of traces that are the same is not fitted again, which takes longest.
    cancel : callable, optional
    **options
        Fields of `QualitySettings`.

    Returns
    -------
    Recording
        `quality` has the index of `neurons` and the columns `snr`, `bleaching_tau_s`, `bleaching` (share lost), `saturated`
        and `missing` (shares), `contamination` and `neighbour`, `motion`, `jumps`, `duplicate_of`, `score` (above 1 where a
        limit is passed; how many times), `flagged`, `reason`, and `rank` (1 = worst). `worst_first` sorts it.
    """
    parsed = QualitySettings.parse(settings, where="quality", **options)
    table = _neurons(recording, parsed, judged, cancel)
    whole = recording_quality(recording, parsed)
    records = [{k: (v.item() if hasattr(v, "item") else v) for k, v in row.items()} for row in whole.to_dict("records")]
    provenance = dict(recording.provenance) | {"quality": records, "quality_settings": parsed.model_dump()}
    return recording.replace(quality=table, provenance=provenance)


def worst_first(quality: pd.DataFrame) -> pd.DataFrame:
    """Sort a quality table by `rank`: the neuron to look at first comes first."""
    return quality.sort_values("rank", kind="stable")


def recording_quality(
    recording: Recording, settings: QualitySettings | dict[str, Any] | None = None, **options: Any
) -> pd.DataFrame:
    """Measure what concerns the recording as a whole.

    Returns
    -------
    pandas.DataFrame
        measure, value, limit, score, flagged, reason; worst first. Measures: drift (um), dropped frames (share), uneven
        times, empty frames (share without any value).
    """
    parsed = QualitySettings.parse(settings, where="quality", **options)
    time = recording.time_s
    dropped, uneven = intervals(time, recording.breaks)
    track = _track(recording)
    drift = drift_um(track, time) if track is not None else float("nan")
    empty = float((~np.isfinite(recording.traces.values)).all(axis=1).mean())
    rows = [
        ("drift", drift, parsed.max_drift_um, f"the neurons drift by {drift:.1f} um (at most {parsed.max_drift_um:g})"),
        ("dropped frames", dropped, parsed.max_dropped, f"{dropped:.1%} of the frames were dropped (at most {parsed.max_dropped:.1%})"),
        ("uneven times", uneven, parsed.max_uneven, f"the sampling interval varies by {uneven:.0%} (at most {parsed.max_uneven:.0%})"),
        ("empty frames", empty, parsed.max_missing, f"{empty:.1%} of the frames hold no value (at most {parsed.max_missing:.1%})"),
    ]  # fmt: skip
    table = pd.DataFrame(rows, columns=["measure", "value", "limit", "reason"])
    table["score"] = [float(_score(np.array([v]), limit)[0]) for v, limit in zip(table["value"], table["limit"])]
    table["flagged"] = table["score"] > 1
    table["reason"] = table["reason"].where(table["flagged"], "")
    return table.sort_values("score", ascending=False, kind="stable").reset_index(drop=True)


def _neurons(
    recording: Recording, s: QualitySettings, judged: Recording | None, cancel: CancelCallback | None
) -> pd.DataFrame:
    traces, time, breaks = recording.traces, recording.time_s, recording.breaks
    ids = recording.neurons.index
    values = traces.values.astype(float)
    raw = np.asarray(traces["raw"].values, float) if "raw" in traces.coords else values
    limit = gap_limit(time, 0.0)
    before = _known_bleaching(recording, judged)
    new = np.array([i for i in range(len(ids)) if i not in before], int)
    fits = "raw" in traces.coords or not _is_relative(recording)
    bleaching = fit_bleaching(raw[:, new], time, cancel=cancel) if fits and len(new) else None
    signal = values
    if bleaching is not None and raw is values:
        with np.errstate(invalid="ignore"):
            loss = bleaching.curve / bleaching.curve[0]
        signal = values.copy()
        signal[:, new] = np.where(np.isfinite(loss), values[:, new] / np.where(loss > 0, loss, 1.0), values[:, new])
    noise = noise_of(signal, time, breaks, limit)
    table = pd.DataFrame(index=ids)
    table["snr"] = snr_of(signal, noise)
    table["bleaching_tau_s"] = table["bleaching"] = np.nan
    if bleaching is not None:
        table.iloc[new, table.columns.get_indexer(["bleaching_tau_s", "bleaching"])] = np.column_stack(
            [bleaching.tau_s, bleaching.lost]
        )
    for place, row in before.items():
        table.iloc[place, :3] = row
    table["saturated"] = _share(recording, "saturated")
    table["missing"] = (~np.isfinite(values)).mean(axis=0)
    check_cancel(cancel)
    fast = fast_part(raw, time, breaks, cancel)
    distance = distances_um(recording.positions_um)
    alike = correlations(fast, fast)
    table["contamination"], neighbour = _closest(alike, distance < s.neighbour_um)
    table["neighbour"] = ["" if i < 0 else str(ids[i]) for i in neighbour]
    check_cancel(cancel)
    table["motion"] = _motion(recording, fast, cancel)
    jumps = level_swaps(raw, noise_of(raw, time, breaks, limit), time, breaks, limit, s.jump_noise)
    check_cancel(cancel)
    track = _track(recording)
    if track is not None:
        jumps = np.maximum(jumps, position_jumps(track, time, breaks, limit, s.jump_um))
    table["jumps"] = jumps
    same, twin = _closest(alike, distance < s.duplicate_um)
    double = same >= s.duplicate_correlation
    table["duplicate_of"] = [str(ids[i]) if i >= 0 and d else "" for i, d in zip(twin, double)]
    return _judge(table, same, s)


def _known_bleaching(recording: Recording, judged: Recording | None) -> dict[int, list[float]]:
    """SNR, time constant and share lost of the neurons whose traces are those of a worm that was judged before, by their place."""
    if judged is None or judged.quality is None or not {"snr", "bleaching_tau_s", "bleaching"} <= set(judged.quality):
        return {}
    if ("raw" in recording.traces.coords) != ("raw" in judged.traces.coords):
        return {}
    if not np.array_equal(recording.time_s, judged.time_s) or recording.breaks != judged.breaks:
        return {}
    place_of = {int(label): i for i, label in enumerate(judged.neurons["label"])}
    old = judged.quality[["snr", "bleaching_tau_s", "bleaching"]].to_numpy(float)

    def planes(one: Recording) -> list[np.ndarray]:
        raw = [one.traces["raw"].values] if "raw" in one.traces.coords else []
        return [one.traces.values, *raw]

    found = {}
    for place, label in enumerate(recording.neurons["label"]):
        other = place_of.get(int(label))
        if other is not None and all(
            np.array_equal(a[:, place], b[:, other], equal_nan=True)
            for a, b in zip(planes(recording), planes(judged), strict=True)
        ):
            found[place] = old[other].tolist()
    return found


def _judge(table: pd.DataFrame, same: np.ndarray, s: QualitySettings) -> pd.DataFrame:
    """Add score, flag, reason and rank."""
    snr = table["snr"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        low = np.where(snr < s.min_snr, np.minimum(s.min_snr / np.maximum(snr, 1e-3), 1e3), snr * 0)
    duplicate = np.where(table["duplicate_of"] != "", 1.0 + same, 0.0)
    scores = {
        "snr": (low, lambda r: f"signal to noise {r['snr']:.2g} (at least {s.min_snr:g})"),
        "bleaching": (
            _score(table["bleaching"].to_numpy(float), s.max_bleaching),
            lambda r: f"bleaches by {r['bleaching']:.0%} (at most {s.max_bleaching:.0%})",
        ),
        "saturated": (
            _score(table["saturated"].to_numpy(float), s.max_saturated),
            lambda r: f"{r['saturated']:.1%} of its voxels are saturated (at most {s.max_saturated:.1%})",
        ),
        "missing": (
            _score(table["missing"].to_numpy(float), s.max_missing),
            lambda r: f"missing in {r['missing']:.0%} of the frames (at most {s.max_missing:.0%})",
        ),
        "contamination": (
            _score(table["contamination"].to_numpy(float), s.max_contamination),
            lambda r: (
                f"moves with its neighbour {r['neighbour']}, r = {r['contamination']:.2f} (at most {s.max_contamination:g})"
            ),
        ),
        "motion": (
            _score(table["motion"].to_numpy(float), s.max_motion),
            lambda r: (
                f"follows its own movement or the reference channel, r = {r['motion']:.2f} (at most {s.max_motion:g})"
            ),
        ),
        "jumps": (
            _score(table["jumps"].to_numpy(float), float(s.max_jumps)),
            lambda r: (
                f"{int(r['jumps'])} sudden jumps, as if it were mixed up with another neuron (at most {s.max_jumps})"
            ),
        ),
        "duplicate": (duplicate, lambda r: f"seems to be the same neuron as {r['duplicate_of']}"),
    }
    each = np.stack([np.nan_to_num(v, nan=0.0, posinf=1e3) for v, _ in scores.values()], axis=1)
    table["score"] = each.max(axis=1)
    table["flagged"] = table["score"] > 1
    words = [w for _, w in scores.values()]
    reasons = []
    for (_, row), mine in zip(table.iterrows(), each, strict=True):
        order = [k for k in np.argsort(-mine, kind="stable") if mine[k] > 1]
        reasons.append("; ".join(words[k](row) for k in order))
    table["reason"] = reasons
    position = np.empty(len(table), int)
    position[np.argsort(-table["score"].to_numpy(), kind="stable")] = np.arange(1, len(table) + 1)
    table["rank"] = position
    return table


def _score(values: np.ndarray, limit: float) -> np.ndarray:
    """How many times a limit is reached; above 1 where it is passed; 0 for what is not known."""
    if limit > 0:
        return np.where(np.isfinite(values), values / limit, 0.0)
    return np.where(np.isfinite(values) & (values > 0), 1.0 + values, 0.0)


def _closest(alike: np.ndarray, near: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Largest correlation with a near neuron, and which; NaN and -1 where there is none."""
    candidates = np.where(near & np.isfinite(alike), alike, -np.inf)
    which = candidates.argmax(axis=1)
    best = candidates[np.arange(len(alike)), which]
    some = np.isfinite(best)
    return np.where(some, best, np.nan), np.where(some, which, -1)


def _is_relative(recording: Recording) -> bool:
    """Whether traces look like dF/F0 or z-scores: bleaching cannot be told from them."""
    units = str(recording.traces.attrs.get("units", "")).lower().replace("δ", "d")
    if units.startswith(("df/f", "dff", "z")):
        return True
    values = recording.traces.values
    return bool(np.nanmin(values) < 0) if np.isfinite(values).any() else True


def _share(recording: Recording, name: str) -> np.ndarray:
    """Mean over frames of a share that the extraction counted."""
    result = np.full(recording.n_neurons, np.nan)
    if name in recording.traces.coords:
        values = np.asarray(recording.traces[name].values, float)
        some = np.isfinite(values).any(axis=0)
        result[some] = np.nanmean(values[:, some], axis=0)
    return result


def _track(recording: Recording) -> np.ndarray | None:
    """Positions (time, neuron, 3) in um, if the labels were of every frame."""
    names = ("track_z", "track_y", "track_x")
    if not all(n in recording.traces.coords for n in names):
        return None
    return np.stack([np.asarray(recording.traces[n].values, float) for n in names], axis=2)


def _motion(recording: Recording, fast: np.ndarray, cancel: CancelCallback | None) -> np.ndarray:
    """Largest correlation of the fast part of each trace with its own position along an axis, or with its reference."""
    planes = [n for n in ("track_z", "track_y", "track_x", "reference") if n in recording.traces.coords]
    found = [np.full(recording.n_neurons, np.nan)]
    for name in planes:
        other = fast_part(np.asarray(recording.traces[name].values, float), recording.time_s, recording.breaks, cancel)
        rows = [abs(float(correlations(fast[:, [i]], other[:, [i]])[0, 0])) for i in range(recording.n_neurons)]
        found.append(np.array(rows))
    stacked = np.stack(found)
    some = np.isfinite(stacked).any(axis=0)
    result = np.full(recording.n_neurons, np.nan)
    result[some] = np.nanmax(stacked[:, some], axis=0)
    return result
