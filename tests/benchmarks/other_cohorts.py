"""Cohorts that are made in other ways than `simulate_cohort`: groups of neurons that follow latent courses, and neurons that know nothing of each other.

Every generator takes a seed and gives a cohort and the groups that are in it (none in `NOTHING`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter1d
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


def switching(rng: np.random.Generator, count: int, dwell_s: float = 12.0) -> np.ndarray:
    """Two states that last for a gamma distributed time, smoothed over a second, (time,), of mean 0 and variance 1."""
    course, at, state = np.empty(count), 0, int(rng.integers(2))
    while at < count:
        length = max(1, int(RATE * rng.gamma(2.0, dwell_s / 2)))
        course[at : at + length] = state
        state, at = 1 - state, at + length
    course = gaussian_filter1d(course, RATE)
    return np.asarray((course - course.mean()) / max(float(course.std()), 1e-6))


def of_their_own(rng: np.random.Generator, count: int, columns: int) -> np.ndarray:
    """Activity of neurons that know nothing of each other: some switch, some have events, some drift; (time, column)."""
    made = []
    for kind in rng.integers(3, size=columns):
        if kind == 0:
            one = switching(rng, count, rng.uniform(5, 20))
        elif kind == 1:
            events = (rng.random(count) < rng.uniform(2, 10) / 60 / RATE) * rng.gamma(2.0, 0.5, count)
            one = calcium(calcium(events[:, None], 0.4), rng.uniform(1, 5))[:, 0]
        else:
            one = slow(rng, np.exp(rng.uniform(0, np.log(20))), count, 1)[:, 0]
        made.append((one - one.mean()) / max(float(one.std()), 1e-6))
    return np.stack(made, axis=1)


Nuisance = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]


def switched(
    seed: int,
    *,
    sizes: Sequence[int] = (9, 8, 7),
    falling: int = 0,
    in_blocks: bool = False,
    every_other: bool = False,
    nuisance: Nuisance | None = None,
) -> Made:
    """Groups among 60 neurons that follow two states, six worms of 350 s.

    falling: members of each group that fall while the others rise. in_blocks: a worm shows the neurons of one group in two or those of
    the other, hardly both. every_other: a group is active in every other worm. nuisance: activity (time, neuron) that is made of
    that and of the numbers of the neurons.
    """
    rng = np.random.default_rng([12, seed])
    count, neurons = int(350 * RATE), 60
    names = [str(n) for n in rng.permutation(np.array(CANONICAL, dtype=object))[:neurons]]
    edges = np.cumsum([0, *sizes])
    groups = [np.arange(a, b) for a, b in pairwise(edges)]
    loading = np.zeros((neurons, len(groups)))
    for column, members in enumerate(groups):
        loading[members, column] = rng.uniform(0.7, 1.4, len(members))
        loading[members[len(members) - falling :], column] *= -1
    recordings = []
    for worm in range(6):
        shown = np.full(neurons, 0.7)
        for column, members in enumerate(groups if in_blocks else ()):
            shown[members] = 0.08 if (worm + column) % 2 else 0.75
        there = np.flatnonzero(rng.random(neurons) < shown)
        active = [float(not every_other or (worm + column) % 2 == 0) for column in range(len(groups))]
        values = (0.7 if sizes else 1.0) * of_their_own(rng, count, len(there))
        for column in range(len(groups)):
            values += 1.2 * active[column] * switching(rng, count, 10.0)[:, None] * loading[there, column]
        if nuisance is not None:
            values = nuisance(rng, values, there)
        values = 100 + 20 * (values + 0.3 * rng.normal(size=values.shape))
        own = [names[i] for i in there]
        recordings.append(Recording.from_arrays(values, name=f"w{worm}", rate_hz=RATE, names=own))
    return Cohort(recordings), [{names[i] for i in members} for members in groups]


def _pairs(rng: np.random.Generator, values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Neighbours, two and two, whose images overlap: each has 35 % of the other."""
    mixed, place = values.copy(), {int(i): k for k, i in enumerate(there)}
    for i, k in place.items():
        if i ^ 1 in place:
            mixed[:, k] = 0.65 * values[:, k] + 0.35 * values[:, place[i ^ 1]]
    return mixed


def _jerks(rng: np.random.Generator, values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """The worm jerks: all neurons at once, up or down as it happens to be in this worm."""
    events = (rng.random(len(values)) < 8 / 60 / RATE) * rng.gamma(2.0, 0.5, len(values))
    course = calcium(events[:, None], 0.7)[:, 0]
    return np.asarray(values + (course / course.std())[:, None] * rng.uniform(-1, 1, values.shape[1]))


def _outliers(rng: np.random.Generator, values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Heavy-tailed noise, and in one frame of a hundred everything is wrong."""
    wrong = (rng.random(len(values)) < 0.01)[:, None] * rng.normal(size=values.shape) * 5
    return np.asarray(values + 0.25 * rng.standard_t(2, size=values.shape) + wrong)


def loaded_again(made: Made, times: int) -> Made:
    """The first worm of a cohort alone, so many times."""
    (first, *_), truth = made[0].recordings, made[1]
    return Cohort([first, *(first.replace(name=f"again{k}") for k in range(times - 1))]), truth


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
    "switching groups of 9, 8 and 7": switched,
    "the same, coverage in blocks": lambda seed: switched(seed, in_blocks=True),
    "the same, every other worm": lambda seed: switched(seed, every_other=True),
    "the same, two of each fall": lambda seed: switched(seed, falling=2),
    "the same, neighbours overlap": lambda seed: switched(seed, nuisance=_pairs),
    "the same, jerks": lambda seed: switched(seed, nuisance=_jerks),
    "the same, outliers": lambda seed: switched(seed, nuisance=_outliers),
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
    "neighbours overlap": lambda seed: switched(seed, sizes=(), nuisance=_pairs),
    "jerks": lambda seed: switched(seed, sizes=(), nuisance=_jerks),
    "outliers": lambda seed: switched(seed, sizes=(), nuisance=_outliers),
    "one worm, loaded three times": lambda seed: loaded_again(switched(seed, sizes=()), 3),
}
