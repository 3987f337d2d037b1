"""The model and its two steps: likelihoods of frames given a state, and the weights that posterior states ask for.

x_i(t) | z ~ N(sum_j,l W_z[i, j, l] x_j(t - l) + b_z[i], v_i), over the neurons i, j that the worm has.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .data import StateData, WormFrames
from .kernels import forward, gather, scatter, smooth
from .priors import GaussianPrior, OneHotPrior

Array = np.ndarray
NOISE_FRAMES, NOISE_PRIOR = 10.0, 0.1
"""Inverse-gamma prior of a noise variance: worth so many frames of this variance."""
NEGLIGIBLE = 1e-10
"""A frame with less posterior probability than this adds nothing to a state's sums that double precision would keep."""


@dataclass
class Parameters:
    """What a fit finds.

    Parameters
    ----------
    weights : float array (K, N, D)
    noise : float array (K, worm, N)
        Variances, tied as the settings say.
    log_initial : float array (K,)
    log_transition : float array (K, K)
    """

    weights: Array
    noise: Array
    log_initial: Array
    log_transition: Array

    @property
    def k(self) -> int:
        """Number of states."""
        return len(self.weights)

    def of_worm(self, worm: WormFrames) -> Array:
        """Weights (K, n, predictors) between the neurons of one worm."""
        out = np.empty((self.k, len(worm.neurons), len(worm.columns)))
        gather(self.weights, worm.neurons, worm.columns, out)
        return out

    def for_new_worms(self, count: int) -> Parameters:
        """The same for worms that were not fitted: their noise is the mean over those that were."""
        return replace(self, noise=np.repeat(self.noise.mean(axis=1, keepdims=True), count, axis=1))


def emissions(worm: WormFrames, number: int, parameters: Parameters) -> Array:
    """Log likelihood of every frame in every state, (F, K)."""
    out = np.empty((len(worm.present), parameters.k))
    for z, weights in enumerate(parameters.of_worm(worm)):
        variance = parameters.noise[z, number, worm.neurons]
        rest = worm.present - worm.past @ weights.T
        rest *= rest
        out[:, z] = -0.5 * (rest @ (1 / variance)) - 0.5 * np.log(2 * np.pi * variance).sum()
    return out


def on_clock(worm: WormFrames, values: Array, seen: Array) -> Array:
    """Spread the log likelihoods of frames over the clock: (T, K), zero where nothing was seen."""
    out = np.zeros((worm.n_times, values.shape[1]))
    out[worm.frames[seen]] = values[seen]
    return out


@dataclass
class Expected:
    """Result of the expectation step: per worm (F, K), transitions, first states, log likelihood."""

    states: list[Array]
    visits: Array
    firsts: Array
    log_likelihood: float


def expect(data: StateData, parameters: Parameters, sharpness: float = 1.0) -> Expected:
    """Posterior of the states of all worms; `sharpness` below 1 flattens the likelihood (annealing)."""
    k = parameters.k
    visits, firsts, total, states = np.zeros((k, k)), np.zeros(k), 0.0, []
    for number, worm in enumerate(data.worms):
        seen = on_clock(worm, sharpness * emissions(worm, number, parameters), worm.fitted)
        gamma = np.empty_like(seen)
        total += smooth(seen, worm.begins, parameters.log_initial, parameters.log_transition, gamma, visits, firsts)
        states.append(gamma)
    return Expected(states, visits, firsts, total)


def predictive(worm: WormFrames, number: int, parameters: Parameters) -> Array:
    """Log probability of every frame given all earlier ones of the worm, (F,): nothing of the future is used."""
    seen = on_clock(worm, emissions(worm, number, parameters), np.ones(len(worm.frames), bool))
    alpha, out = np.empty_like(seen), np.empty(len(seen))
    forward(seen, worm.begins, parameters.log_initial, parameters.log_transition, alpha, out)
    return np.asarray(out[worm.frames])


@dataclass
class Sums:
    """Weighted sums over frames, by worm and state: all that the maximisation step needs of the data."""

    gram: list[Array]
    cross: list[Array]
    square: Array
    frames: Array


def collect(data: StateData, states: list[Array]) -> Sums:
    """Sums of past x past, present x past, present squared and frames, weighted by the posterior of the states."""
    k = states[0].shape[1]
    gram = [np.empty((k, w.past.shape[1], w.past.shape[1])) for w in data.worms]
    cross = [np.empty((k, w.present.shape[1], w.past.shape[1])) for w in data.worms]
    square = np.zeros((k, len(data.worms), len(data.neurons)))
    frames = np.zeros((k, len(data.worms)))
    for number, worm in enumerate(data.worms):
        for z in range(k):
            weight = np.where(worm.fitted, states[number][worm.frames, z], 0.0)
            rows = np.flatnonzero(weight > NEGLIGIBLE)
            past, present = worm.past[rows], worm.present[rows]
            weighted = past * weight[rows, None]
            np.matmul(weighted.T, past, out=gram[number][z])
            np.matmul(present.T, weighted, out=cross[number][z])
            square[z, number, worm.neurons] = weight[rows] @ present**2
            frames[z, number] = weight[rows].sum()
    return Sums(gram, cross, square, frames)


def solve_weights(
    data: StateData,
    sums: Sums,
    noise: Array,
    prior: GaussianPrior | OneHotPrior,
    weights: Array,
    steps: int,
    tolerance: float = 1e-6,
) -> Array:
    """Improve the weights by conjugate gradients, preconditioned by the diagonal; each neuron's equations on their own.

    Every step raises the expected log posterior, so that a few of them keep expectation-maximisation monotone.

    Parameters
    ----------
    weights : float array (K, N, D)
        Where to begin.
    steps : int
        At most this many.
    tolerance : float
        Relative residual at which a neuron is done.
    """
    k = len(weights)
    inverse = [np.ascontiguousarray(1 / noise[:, n][:, w.neurons]) for n, w in enumerate(data.worms)]
    parts = [np.empty((k, len(w.neurons), len(w.columns))) for w in data.worms]

    def times(given: Array) -> Array:
        out = prior.times(given)
        for worm, part, gram, scale in zip(data.worms, parts, sums.gram, inverse, strict=True):
            gather(given, worm.neurons, worm.columns, part)
            scatter(out, worm.neurons, worm.columns, part @ gram, scale)
        return out

    wanted, diagonal = prior.pull().copy(), prior.diagonal().copy()
    for number, worm in enumerate(data.worms):
        scatter(wanted, worm.neurons, worm.columns, sums.cross[number], inverse[number])
        own = np.einsum("zdd->zd", sums.gram[number])[:, None]
        scatter(
            diagonal,
            worm.neurons,
            worm.columns,
            np.ascontiguousarray(np.broadcast_to(own, parts[number].shape)),
            inverse[number],
        )
    found = weights.copy()
    rest = wanted - times(found)
    size = np.einsum("kid,kid->i", wanted, wanted / diagonal)
    scaled = rest / diagonal
    direction = scaled.copy()
    energy = np.einsum("kid,kid->i", rest, scaled)
    for _ in range(steps):
        if (energy <= tolerance**2 * size).all():
            break
        turned = times(direction)
        curve = np.einsum("kid,kid->i", direction, turned)
        move = np.where(curve > 0, energy / np.where(curve > 0, curve, 1.0), 0.0)[:, None]
        found += move * direction
        rest -= move * turned
        scaled = rest / diagonal
        new = np.einsum("kid,kid->i", rest, scaled)
        direction = scaled + np.where(energy > 0, new / np.where(energy > 0, energy, 1.0), 0.0)[:, None] * direction
        energy = new
    return found


def residuals(data: StateData, sums: Sums, weights: Array) -> Array:
    """Sum of squared residuals, (K, worm, N), from the sums alone."""
    out = sums.square.copy()
    for number, worm in enumerate(data.worms):
        w = weights[:, worm.neurons][:, :, worm.columns]
        out[:, number, worm.neurons] += ((w @ sums.gram[number] - 2 * sums.cross[number]) * w).sum(axis=2)
    return np.asarray(np.maximum(out, 0.0))


TIED = {"neuron": (0, 1), "worm": (0,), "state": (1,)}


def noise_of(data: StateData, sums: Sums, weights: Array, tied: str) -> Array:
    """Noise variances (K, worm, N), shared as `tied` says; neurons that a worm lacks have the prior's."""
    has = np.zeros((len(data.worms), len(data.neurons)))
    for number, worm in enumerate(data.worms):
        has[number, worm.neurons] = 1.0
    square = residuals(data, sums, weights).sum(axis=TIED[tied], keepdims=True)
    frames = (sums.frames[:, :, None] * has).sum(axis=TIED[tied], keepdims=True)
    variance = (square + NOISE_FRAMES * NOISE_PRIOR) / (frames + NOISE_FRAMES)
    return np.array(np.broadcast_to(variance, sums.square.shape))


def log_noise_prior(noise: Array, tied: str) -> float:
    """Log density of the noise variances up to a constant, each free one counted once."""
    free = noise
    for axis in sorted(TIED[tied], reverse=True):
        free = free.take([0], axis)
    return float((-0.5 * NOISE_FRAMES * (np.log(free) + NOISE_PRIOR / free)).sum())


def transitions_of(expected: Expected, pseudo: Array) -> tuple[Array, Array]:
    """Log initial and transition probabilities from expected counts plus those of the prior."""
    counts = expected.visits + pseudo + 1e-6
    firsts = expected.firsts + 1.0
    return np.log(firsts / firsts.sum()), np.log(counts / counts.sum(axis=1, keepdims=True))


def log_chain_prior(parameters: Parameters, pseudo: Array) -> float:
    """Log Dirichlet densities of the chain up to a constant."""
    return float(((pseudo + 1e-6) * parameters.log_transition).sum() + parameters.log_initial.sum())


def dwell_counts(k: int, stay: float, weight: float) -> Array:
    """Pseudo-counts (K, K) of transitions: `weight` frames a state, of which the share `stay` stays."""
    if k == 1:
        return np.full((1, 1), weight)
    counts = np.full((k, k), weight * (1 - stay) / (k - 1))
    np.fill_diagonal(counts, weight * stay)
    return counts
