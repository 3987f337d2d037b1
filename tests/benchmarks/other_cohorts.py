"""Cohorts that are made in other ways than `simulate_cohort`: groups of neurons that follow latent courses, and neurons that know nothing of each other.

Every generator takes a seed and gives a cohort and the groups that are in it (none in `NOTHING`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from napari_dynamic_connectome import Cohort, Recording
from napari_dynamic_connectome.model.neurons import CANONICAL

RATE = 3.0
Made = tuple[Cohort, list[set[str]]]


def slow(rng: np.random.Generator, tau: float, count: int, columns: int) -> np.ndarray:
    """Autoregressive noise of unit variance, time constant in seconds, (time, column)."""
    phi, burn = np.exp(-1 / (tau * RATE)), 300
    noise = rng.normal(size=(count + burn, columns))
    return np.asarray(lfilter([np.sqrt(1 - phi**2)], [1, -phi], noise, axis=0)[burn:])


def calcium(values: np.ndarray, tau: float = 1.5) -> np.ndarray:
    """Smeared by an indicator that decays with a time constant in seconds."""
    phi = np.exp(-1 / (tau * RATE))
    return np.asarray(lfilter([1 - phi], [1, -phi], values, axis=0))


def cohort_of(
    rng: np.random.Generator,
    make: Callable[[np.ndarray], np.ndarray],
    *,
    neurons: int = 80,
    count: int = 1200,
    worms: int = 10,
    missing: float = 0.35,
    stimuli: bool = False,
) -> tuple[list[str], Cohort]:
    """Worms of which each shows its own share of the neurons; `make` gives activity (time, neuron) of those that are there."""
    names = [str(n) for n in rng.permutation(np.array(CANONICAL, dtype=object))[:neurons]]
    onset = 20 + 40.0 * np.arange(int(count / RATE / 40) - 1)
    table = pd.DataFrame({"name": [("a", "b")[k % 2] for k in range(len(onset))], "onset": onset, "offset": onset + 10})
    recordings = []
    for worm in range(worms):
        there = np.flatnonzero(rng.random(neurons) >= missing)
        values = 1 + 0.15 * make(there)
        own = [names[i] for i in there]
        more = {"stimuli": table} if stimuli else {}
        time_s = np.arange(count) / RATE
        recordings.append(Recording.from_arrays(values, name=f"w{worm}", time_s=time_s, names=own, **more))
    return names, Cohort(recordings)


def latent(
    seed: int,
    *,
    sizes: Sequence[int] = (12, 12, 12, 12),
    neurons: int = 80,
    count: int = 1200,
    worms: int = 10,
    missing: float = 0.35,
    strength: float = 1.5,
    tau: float = 4.0,
    private: float = 4.0,
    opposite: float = 0.0,
) -> Made:
    """Groups that follow a course of their own in every worm, with loadings of 0.6 to 1.4, and activity of everybody's own."""
    rng = np.random.default_rng([9, seed])
    order, edges = rng.permutation(neurons), np.cumsum([0, *sizes])
    groups = [order[a:b] for a, b in pairwise(edges)]
    loading = np.zeros((neurons, len(groups)))
    for column, members in enumerate(groups):
        sign = np.where(rng.random(len(members)) < opposite, -1, 1)
        loading[members, column] = rng.uniform(0.6, 1.4, len(members)) * sign

    def make(there: np.ndarray) -> np.ndarray:
        shared = slow(rng, tau, count, len(groups)) @ loading[there].T
        own = slow(rng, private, count, len(there)) + 0.3 * rng.normal(size=(count, len(there)))
        return calcium(strength * shared + own)

    names, cohort = cohort_of(rng, make, neurons=neurons, count=count, worms=worms, missing=missing)
    return cohort, [{names[i] for i in members} for members in groups]


def nothing(
    seed: int, make: Callable[[np.random.Generator, np.ndarray, int], np.ndarray], *, count: int = 1200, **how: object
) -> Made:
    """Neurons that know nothing of each other."""
    rng = np.random.default_rng([10, seed])
    return cohort_of(rng, lambda there: make(rng, there, count), count=count, **how)[1], []  # type: ignore[arg-type]


def _bleaching(rng: np.random.Generator, there: np.ndarray, count: int) -> np.ndarray:
    decay = np.exp(-2 * np.arange(count)[:, None] / count)
    return slow(rng, 3.0, count, len(there)) + rng.uniform(1, 4, len(there)) * decay


def _bursts(rng: np.random.Generator, there: np.ndarray, count: int) -> np.ndarray:
    rates = np.random.default_rng(0).gamma(1.0, 0.02, 400)[there] + 0.002
    events = (rng.random((count, len(there))) < rates) * rng.gamma(2.0, 3.0, (count, len(there)))
    return calcium(calcium(events)) + 0.05 * rng.normal(size=events.shape)


def _rhythms(rng: np.random.Generator, there: np.ndarray, count: int) -> np.ndarray:
    hertz = np.random.default_rng(0).uniform(0.01, 0.08, 400)[there]
    phase = hertz * np.arange(count)[:, None] / RATE + rng.random(len(there))
    return np.sin(2 * np.pi * phase) + 0.4 * slow(rng, 2.0, count, len(there))


def _beginning(rng: np.random.Generator, there: np.ndarray, count: int) -> np.ndarray:
    decay = np.exp(-np.arange(count)[:, None] / RATE / 8)
    return slow(rng, 3.0, count, len(there)) + rng.uniform(1, 4, len(there)) * decay


def _plain(tau: float) -> Callable[[np.random.Generator, np.ndarray, int], np.ndarray]:
    return lambda rng, there, count: calcium(slow(rng, tau, count, len(there)))


PLANTED: dict[str, Callable[[int], Made]] = {
    "four groups of 12": latent,
    "weak (half the strength)": lambda seed: latent(seed, strength=0.7),
    "a third of the members falls": lambda seed: latent(seed, opposite=0.35),
    "groups of 4, 6, 8 and 20": lambda seed: latent(seed, sizes=(4, 6, 8, 20)),
    "groups of nearly all (72 of 80)": lambda seed: latent(seed, sizes=(12,) * 6),
    "courses of 15 s": lambda seed: latent(seed, tau=15.0, private=15.0),
    "three worms": lambda seed: latent(seed, worms=3),
    "one worm": lambda seed: latent(seed, worms=1, missing=0.0),
    "20 worms, 150 neurons, 60 % missing": lambda seed: latent(
        seed, worms=20, neurons=150, count=900, sizes=(12,) * 6, missing=0.6
    ),
}
NOTHING: dict[str, Callable[[int], Made]] = {
    "bleaching": lambda seed: nothing(seed, _bleaching),
    "rare bursts": lambda seed: nothing(seed, _bursts),
    "rhythms of their own": lambda seed: nothing(seed, _rhythms),
    "all high at the beginning": lambda seed: nothing(seed, _beginning),
    "stimuli that nobody minds": lambda seed: nothing(seed, _plain(5.0), stimuli=True),
    "slow (15 s)": lambda seed: nothing(seed, _plain(15.0)),
    "50 s of recording": lambda seed: nothing(seed, _plain(2.0), count=150, worms=6),
    "14 neurons, 4 worms": lambda seed: nothing(seed, _plain(2.0), neurons=14, worms=4, missing=0.2),
}
