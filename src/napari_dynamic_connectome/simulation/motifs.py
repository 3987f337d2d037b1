"""The plan of a simulated cohort: which neurons exist, which are driven together, when, and in which worms.

Goes in: settings and a random generator. Comes out: the pool of neurons, motifs with their members, stimulus tables,
windows, and the drive of every motif in every worm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..model.neurons import CANONICAL, HEAD_GANGLIA, info
from ..model.recording import empty_stimuli
from .settings import STIMULI, SimulationSettings

Array = np.ndarray

# Pairs that a motif begins with, so that names look familiar; which neurons join them is random. All of it is invented.
_THEMES: dict[str, tuple[str, ...]] = {
    "spontaneous": ("AVA", "AVE", "RIM", "AIB"),
    "NaCl": ("ASE", "AIY", "ASH"),
    "butanone": ("AWC", "AIA", "RIA"),
    "pentanedione": ("AWA", "AIZ", "AUA"),
}


@dataclass(frozen=True)
class Plan:
    """Pool of neurons by pair, and the planted motifs (see `Truth` for the tables)."""

    names: tuple[str, ...]
    motifs: pd.DataFrame
    members: pd.DataFrame


def choose_pool(settings: SimulationSettings, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Choose which neurons the worms may show: units of one neuron or of a left/right pair, `n_neurons` in all."""
    entries = [info(n) for n in CANONICAL]
    heads = [e for e in entries if e is not None and (settings.n_neurons > 188 or e.ganglion in HEAD_GANGLIA)]
    units: dict[str, list[str]] = {}
    for entry in heads:
        units.setdefault(entry.pair_name, []).append(entry.name)
    familiar = [u for theme in _THEMES.values() for u in theme]
    others = [u for u in units if u not in familiar]
    order = familiar + [others[i] for i in rng.permutation(len(others))]
    pool: list[tuple[str, ...]] = []
    left = settings.n_neurons
    for unit in order:
        if len(units[unit]) <= left:
            pool.append(tuple(units[unit]))
            left -= len(units[unit])
    if left:
        # Only pairs were left for an odd place: take one side of one of them.
        used = {n for u in pool for n in u}
        pool.append((next(units[u][0] for u in order if units[u][0] not in used),))
    return pool


def plan_motifs(settings: SimulationSettings, rng: np.random.Generator) -> Plan:
    """Choose the neurons and plant overlapping motifs in them.

    With stimuli, the first motif is spontaneous, the next three are locked to one stimulus each, then both kinds
    alternate. Left and right neurons join together, with the same sign and nearly the same loading.
    """
    pool = choose_pool(settings, rng)
    unit_of = {_stem(u): u for u in pool}
    motifs, members = [], []
    used: list[str] = []
    for number in range(1, settings.n_motifs + 1):
        stimulus = ""
        if settings.stimuli and number > 1 and (number <= 4 or number % 2 == 0):
            stimulus = STIMULI[(number - 2) % 3 if number <= 4 else (number // 2) % 3]
        kind = "stimulus" if stimulus else "spontaneous"
        motifs.append({"motif": number, "kind": kind, "stimulus": stimulus})
        theme = _THEMES[stimulus or "spontaneous"] if number <= 4 and (stimulus or number == 1) else ()
        chosen = _choose_members(settings, rng, unit_of, [u for u in theme if u in unit_of], used)
        # The first unit keeps the positive sign, so that every motif has one.
        signs = np.ones(len(chosen), int)
        n_opposite = min(round(settings.opposite * len(chosen)), len(chosen) - 1)
        signs[1 + rng.permutation(len(chosen) - 1)[:n_opposite]] = -1
        for unit, sign in zip(chosen, signs, strict=True):
            loading = rng.uniform(0.6, 1.0)
            for name in unit_of[unit]:
                own = float(np.clip(loading + rng.normal(0, 0.04), 0.5, 1.0))
                members.append({"motif": number, "neuron": name, "sign": int(sign), "loading": own})
        used += [u for u in chosen if u not in used]
    names = tuple(sorted((n for u in pool for n in u), key=CANONICAL.index))
    return Plan(names, pd.DataFrame(motifs), pd.DataFrame(members))


def _stem(unit: tuple[str, ...]) -> str:
    entry = info(unit[0])
    return entry.pair_name if entry is not None else unit[0]


def _choose_members(
    settings: SimulationSettings,
    rng: np.random.Generator,
    unit_of: dict[str, tuple[str, ...]],
    theme: list[str],
    used: list[str],
) -> list[str]:
    target = min(settings.motif_size, max(2, sum(len(u) for u in unit_of.values())))
    fresh = [u for u in unit_of if u not in used and u not in theme]
    shared = [u for u in used if u not in theme]
    fresh = [fresh[i] for i in rng.permutation(len(fresh))]
    shared = [shared[i] for i in rng.permutation(len(shared))]
    chosen: list[str] = []
    size = 0
    wanted_shared = settings.overlap * target
    for source, limit in ((shared, wanted_shared), (theme + fresh, target), (shared, target)):
        for unit in source:
            # A pair may overshoot the odd place that is left by one.
            if unit not in chosen and size < limit:
                chosen.append(unit)
                size += len(unit_of[unit])
    return chosen


def stimulus_table(settings: SimulationSettings, rng: np.random.Generator) -> pd.DataFrame:
    """Stimuli of one worm: every one `repeats` times, in random order, evenly spread over the recording."""
    if not settings.stimuli:
        return empty_stimuli()
    names = [STIMULI[i] for _ in range(settings.repeats) for i in rng.permutation(len(STIMULI))]
    spacing = settings.duration_s / (len(names) + 0.5)
    length = min(settings.stimulus_s, 0.6 * spacing)
    onsets = spacing * (0.5 + np.arange(len(names)))
    return pd.DataFrame({"name": names, "onset": onsets, "offset": onsets + length})


def worms_with(settings: SimulationSettings, n_worms: int, motifs: pd.DataFrame, rng: np.random.Generator) -> Array:
    """Which worms have which motif, bool (worm, motif): all of them, but the last motif only a share of the worms."""
    has = np.ones((n_worms, len(motifs)), dtype=bool)
    if n_worms >= 3 and len(motifs) >= 2 and settings.prevalence < 1:
        lack = n_worms - max(1, round(settings.prevalence * n_worms))
        has[rng.permutation(n_worms)[:lack], -1] = False
    return has


def bursts(rng: np.random.Generator, n: int, rate_hz: float, up_s: float = 2.5, down_s: float = 3.0) -> Array:
    """Random 0/1 drive of n samples that begins with an up state; states last 0.6 to 1.6 times `up_s` and `down_s`."""
    drive = np.zeros(n)
    at, up = 0, True
    while at < n:
        length = max(1, round(rng.uniform(0.6, 1.6) * (up_s if up else down_s) * rate_hz))
        if up:
            drive[at : at + length] = rng.uniform(0.7, 1.0)
        at, up = at + length, not up
    return drive


def spontaneous_windows(duration_s: float, rng: np.random.Generator, share: float = 0.3) -> list[tuple[float, float]]:
    """Windows of 15 to 35 s (shorter in short recordings) that cover about a share of the time without touching."""
    lengths: list[float] = []
    while sum(lengths) < share * duration_s:
        lengths.append(float(min(rng.uniform(15.0, 35.0), 0.25 * duration_s)))
    free = duration_s - sum(lengths)
    gaps = rng.dirichlet(np.full(len(lengths) + 1, 2.0)) * free
    windows, at = [], 0.0
    for gap, length in zip(gaps[:-1], lengths, strict=True):
        windows.append((at + gap, at + gap + length))
        at += gap + length
    return windows


def motif_drives(
    settings: SimulationSettings,
    motifs: pd.DataFrame,
    has: Array,
    stimuli: pd.DataFrame,
    n_times: int,
    templates: list[Array],
    rng: np.random.Generator,
) -> tuple[Array, list[tuple[int, float, float]]]:
    """Drive (motif, time) of one worm, and its windows as (motif, onset, offset).

    Stimulus-locked motifs follow the same template after every presentation, with a jitter of the latency and of the
    amplitude; spontaneous motifs burst in windows of the worm's own.
    """
    rate = settings.rate_hz
    drives = np.zeros((len(motifs), n_times))
    windows: list[tuple[int, float, float]] = []
    for row, (number, kind, stimulus) in enumerate(motifs[["motif", "kind", "stimulus"]].itertuples(index=False)):
        if kind == "stimulus":
            pulses = stimuli[stimuli["name"] == stimulus]
            spans = [(float(a) + abs(rng.normal(0, 0.25)), float(b)) for a, b in pulses[["onset", "offset"]].to_numpy()]
        else:
            spans = spontaneous_windows(settings.duration_s, rng)
        for onset, offset in spans:
            first, last = int(np.ceil(onset * rate)), min(int(np.floor(offset * rate)) + 1, n_times)
            if not has[row] or last <= first:
                continue
            if kind == "stimulus":
                part = np.resize(templates[row], last - first) * np.exp(rng.normal(0, 0.12))
            else:
                part = bursts(rng, last - first, rate)
            drives[row, first:last] = part
            windows.append((int(number), onset, offset))
    return drives, windows
