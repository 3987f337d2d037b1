"""Simulated worms with planted motifs: traces, neuron tables, stimuli, behaviour, and the truth behind them.

The model of one trace (our definition): F(t) = gain x bleaching(t) x artefacts(t) x max(1 + A sum_m sign_m loading_m
(k * u_m)(t) + A_own (k * own)(t), 0.1) + noise, where u_m is the drive of motif m, k the double-exponential kernel of
the indicator, (1 - exp(-t / rise)) exp(-t / decay), and the noise grows with the square root of F as photon noise does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.cohort import Cohort
from ..model.neurons import info
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.recording import Recording
from ..model.text import check_seed
from ..model.truth import Truth
from .motifs import Plan, bursts, motif_drives, plan_motifs, stimulus_table, worms_with
from .positions import worm_positions
from .settings import SimulationSettings

Array = np.ndarray


def simulate_recording(
    settings: SimulationSettings | dict[str, Any] | None = None,
    *,
    seed: int = 0,
    name: str = "simulated worm",
    **options: Any,
) -> tuple[Recording, Truth]:
    """Simulate one worm.

    Parameters
    ----------
    settings : SimulationSettings or dict, optional
        `n_worms` is not used.
    seed : int
        Same seed and settings, same worm.
    name : str
        Name of the recording.
    **options
        Override fields of the settings.

    Returns
    -------
    recording : Recording
    truth : Truth
    """
    chosen = SimulationSettings.parse(settings, where="simulation settings", **options)
    recordings, truth = _simulate(chosen, [name], check_seed(seed), None, None)
    return recordings[0], truth


def simulate_cohort(
    settings: SimulationSettings | dict[str, Any] | None = None,
    *,
    n_worms: int | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> tuple[Cohort, Truth]:
    """Simulate worms that share motifs.

    Parameters
    ----------
    settings : SimulationSettings or dict, optional
    n_worms : int, optional
        Number of worms; 8 by default.
    seed : int
        Same seed and settings, same cohort.
    progress, cancel : callable, optional
    **options
        Override fields of the settings.

    Returns
    -------
    cohort : Cohort
        Every worm has its own missing and unnamed neurons, order of stimuli, baseline, bleaching, noise and artefacts.
    truth : Truth
        The planted motifs; `extra` holds `neurons` (all that were simulated), `activity` (worm -> noise-free dF/F0 of
        all simulated neurons), `identity` (worm -> label -> true name, also of unnamed neurons), `presence` (worm ->
        motifs) and `seed`.

    Examples
    --------
    >>> cohort, truth = simulate_cohort(n_worms=3, n_neurons=20, duration_s=60, seed=1)
    >>> len(cohort.worms), len(truth.motifs)
    (3, 4)
    """
    chosen = SimulationSettings.parse(settings, where="simulation settings", n_worms=n_worms, **options)
    digits = len(str(chosen.n_worms))
    names = [f"worm{i + 1:0{max(2, digits)}d}" for i in range(chosen.n_worms)]
    recordings, truth = _simulate(chosen, names, check_seed(seed), progress, cancel)
    return Cohort(recordings), truth


def _simulate(
    settings: SimulationSettings,
    worms: list[str],
    seed: int,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> tuple[list[Recording], Truth]:
    planner, *streams = np.random.default_rng(seed).spawn(len(worms) + 1)
    plan = plan_motifs(settings, planner)
    has = worms_with(settings, len(worms), plan.motifs, planner)
    n_template = max(2, int(np.ceil(settings.duration_s * settings.rate_hz)))
    templates = [bursts(planner, n_template, settings.rate_hz) for _ in range(len(plan.motifs))]
    kinetics = _kinetics(settings, plan.names, planner)
    detectable = planner.beta(4.0, 4.0 * settings.missing / max(1 - settings.missing, 1e-9) + 1e-9, len(plan.names))
    recordings, windows = [], []
    extra: dict[str, Any] = {"neurons": plan.names, "activity": {}, "identity": {}, "presence": {}, "seed": seed}
    for index, (worm, rng) in enumerate(zip(worms, streams, strict=True)):
        check_cancel(cancel)
        recording, mine, activity, identity = _one_worm(
            settings, worm, plan, has[index], templates, kinetics, detectable, seed, rng
        )
        recordings.append(recording)
        windows += [{"motif": m, "worm": worm, "onset": a, "offset": b} for m, a, b in mine]
        extra["activity"][worm] = activity
        extra["identity"][worm] = identity
        extra["presence"][worm] = plan.motifs["motif"][has[index]].tolist()
        report(progress, (index + 1) / len(worms), f"simulated {worm}")
    table = pd.DataFrame(windows, columns=["motif", "worm", "onset", "offset"])
    return recordings, Truth(plan.motifs, plan.members, table, extra)


def _kinetics(settings: SimulationSettings, names: tuple[str, ...], rng: np.random.Generator) -> list[Array]:
    """Kernel of every neuron; left and right share theirs."""
    by_pair: dict[str, Array] = {}
    kernels = []
    for name in names:
        entry = info(name)
        pair = entry.pair_name if entry is not None else name
        if pair not in by_pair:
            rise, decay = np.array([settings.rise_s, settings.decay_s]) * np.exp(rng.normal(0, 0.1, 2))
            by_pair[pair] = calcium_kernel(rise, decay, settings.rate_hz)
        kernels.append(by_pair[pair])
    return kernels


def calcium_kernel(rise_s: float, decay_s: float, rate_hz: float) -> Array:
    """Response of the indicator to one impulse: (1 - exp(-t / rise)) exp(-t / decay), sum 1, cut after 6 decays."""
    t = (np.arange(max(2, int(np.ceil(6 * decay_s * rate_hz)))) + 0.5) / rate_hz
    kernel = (1 - np.exp(-t / rise_s)) * np.exp(-t / decay_s)
    return np.asarray(kernel / kernel.sum())


def _one_worm(
    settings: SimulationSettings,
    worm: str,
    plan: Plan,
    has: Array,
    templates: list[Array],
    kinetics: list[Array],
    detectable: Array,
    seed: int,
    rng: np.random.Generator,
) -> tuple[Recording, list[tuple[int, float, float]], xr.DataArray, dict[int, str]]:
    n_times = max(2, round(settings.duration_s * settings.rate_hz))
    time = np.arange(n_times) / settings.rate_hz
    stimuli = stimulus_table(settings, rng)
    drives, windows = motif_drives(settings, plan.motifs, has, stimuli, n_times, templates, rng)
    activity = _activity(settings, plan, drives, kinetics, n_times, rng)
    seen = (
        np.flatnonzero(rng.random(len(plan.names)) < detectable) if settings.missing > 0 else np.arange(len(plan.names))
    )
    if len(seen) < 2:
        seen = np.sort(rng.permutation(len(plan.names))[:2])
    traces = _fluorescence(settings, activity[:, seen], time, rng)
    labels = rng.permutation(len(seen)) + 1
    order = np.argsort(labels)
    seen, labels, traces = seen[order], labels[order], traces[:, order]
    true_names = [plan.names[i] for i in seen]
    hidden = rng.random(len(seen)) < settings.unnamed
    # A worm without two names could not be compared with any other.
    hidden[rng.permutation(len(seen))[:2]] = False
    names = ["" if h else n for n, h in zip(true_names, hidden, strict=True)]
    confidence = np.where(hidden, np.nan, rng.choice([5.0, 4.0, 3.0], len(seen), p=[0.8, 0.15, 0.05]))
    recording = Recording.from_arrays(
        traces.astype(np.float32),
        name=worm,
        time_s=time,
        names=names,
        labels=[int(i) for i in labels],
        confidence=[float(c) for c in confidence],
        positions_um=worm_positions(true_names, rng, settings.position_noise_um),
        stimuli=stimuli,
        behaviour=_behaviour(settings, plan, drives, time, rng),
        provenance={
            "simulated": True,
            "seed": seed,
            "settings": settings.model_dump(),
            "history": [f"simulate seed={seed}"],
        },
    )
    recording.traces.attrs["units"] = "counts"
    clean = xr.DataArray(
        activity.astype(np.float32),
        dims=("time", "neuron"),
        coords={"time": time, "neuron": np.asarray(plan.names, dtype=object)},
        attrs={"units": "dF/F0"},
    )
    identity = {int(label): n for label, n in zip(labels, true_names, strict=True)}
    return recording, windows, clean, identity


def _activity(
    settings: SimulationSettings,
    plan: Plan,
    drives: Array,
    kinetics: list[Array],
    n_times: int,
    rng: np.random.Generator,
) -> Array:
    """Noise-free dF/F0 (time, neuron)."""
    column = {name: i for i, name in enumerate(plan.names)}
    total = np.zeros((n_times, len(plan.names)))
    for motif, neuron, sign, loading in plan.members.itertuples(index=False):
        total[:, column[neuron]] += sign * loading * drives[int(motif) - 1]
    own = np.zeros_like(total)
    for i in range(total.shape[1]):
        pattern = bursts(rng, n_times + 1, settings.rate_hz, up_s=2.5, down_s=10.0)
        own[:, i] = np.roll(pattern, int(rng.integers(n_times)))[:n_times]
    driven = settings.amplitude * (total + settings.independent * own)
    result = np.empty_like(driven)
    for i, kernel in enumerate(kinetics):
        result[:, i] = np.convolve(driven[:, i], kernel)[:n_times]
    # Fluorescence cannot fall below a tenth of the baseline.
    return np.maximum(result, -0.9)


def _fluorescence(settings: SimulationSettings, activity: Array, time: Array, rng: np.random.Generator) -> Array:
    """Return counts (time, neuron): gain, bleaching, artefacts and noise on the activity."""
    n_times, n_neurons = activity.shape
    gain = 200.0 * np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.4, n_neurons))
    lost = min(settings.bleaching * rng.uniform(0.6, 1.4), 0.95)
    tau = max(settings.duration_s, 1e-9) * rng.uniform(0.3, 1.0)
    shape = (1 - np.exp(-time / tau)) / (1 - np.exp(-max(time[-1], 1e-9) / tau))
    bright = (1 + activity) * (1 - lost * shape)[:, None]
    for _ in range(rng.poisson(settings.artefacts_per_min * settings.duration_s / 60)):
        centre, width = rng.uniform(0, settings.duration_s), rng.uniform(0.15, 0.5)
        dip = np.exp(-0.5 * ((time - centre) / width) ** 2)
        bright *= 1 - dip[:, None] * rng.uniform(-0.1, 0.25, n_neurons)
    level = settings.noise * np.exp(rng.normal(0, 0.2)) * np.exp(rng.normal(0, 0.2, n_neurons))
    noisy = bright + level * np.sqrt(np.maximum(bright, 0.05)) * rng.standard_normal((n_times, n_neurons))
    return np.asarray(noisy * gain)


def _behaviour(
    settings: SimulationSettings, plan: Plan, drives: Array, time: Array, rng: np.random.Generator
) -> xr.Dataset:
    """Reversals while the first motif bursts, and the velocity that goes with them."""
    smooth = np.ones(max(1, round(settings.rate_hz))) / max(1, round(settings.rate_hz))
    backward = (
        np.convolve(drives[0], smooth)[: len(time)] > 0.35 if plan.motifs["kind"].iloc[0] == "spontaneous" else None
    )
    if backward is None:
        return xr.Dataset()
    slow = np.convolve(rng.standard_normal(len(time)), np.ones(max(1, round(3 * settings.rate_hz))) / 3, mode="same")
    velocity = np.where(backward, -0.08, 0.1) + 0.02 * slow / max(float(np.std(slow)), 1e-9)
    data = xr.Dataset(coords={"time": time})
    data["reversal"] = xr.DataArray(backward.astype(float), dims=("time",), attrs={"kind": "binary", "units": ""})
    data["velocity"] = xr.DataArray(velocity, dims=("time",), attrs={"kind": "continuous", "units": "mm/s"})
    return data
