"""Priors of the weights, each as the quadratic form that the maximisation step sees.

Weights are (K, N, D): state, predicted neuron, predictor (neurons lag by lag, then a constant). After Li et al. (2023), arXiv
2310.15263, whose model has spikes and a Gumbel-softmax one-hot vector for the type of every connection; here traces are Gaussian,
and the types of the one-hot prior are the components of a mixture, summed over exactly (our definition).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .settings import StatesSettings

Array = np.ndarray
FLAT_SD = 10.0
OWN_SD = 1.0
TYPES = ("negative", "none", "positive")
TYPE_STRENGTH = 4.0


class Prior(Protocol):
    """What the maximisation step asks of a prior: minus its logarithm is w' P w / 2 - w' q + a constant, near the weights."""

    def update(self, weights: Array) -> None:
        """Fit what the prior learns from the weights."""

    def times(self, weights: Array) -> Array:
        """P w, (K, N, D)."""

    def pull(self) -> Array:
        """q, (K, N, D)."""

    def diagonal(self) -> Array:
        """Diagonal of P, (K, N, D)."""

    def log_density(self, weights: Array) -> float:
        """Log density up to a constant that no update changes."""


class GaussianPrior:
    """Weights of a state lie around weights that all states share: W_z ~ N(W_0, s^2), W_0 ~ N(g A, t^2).

    W_0 is summed over, which couples the states: for every weight the precision matrix over states is
    (I - c 11') / s^2, c = t^2 / (s^2 + K t^2).

    Parameters
    ----------
    k : int
        Number of states.
    state_sd, shared_sd : float array (N, D)
        s and t.
    centre : float array (N, D), optional
        A; the gain g is learned.
    """

    def __init__(self, k: int, state_sd: Array, shared_sd: Array, centre: Array | None = None) -> None:
        self.k, self.precision = k, 1 / state_sd**2
        self.share = shared_sd**2 / (state_sd**2 + k * shared_sd**2)
        self.mean_precision = 1 / (state_sd**2 + k * shared_sd**2)
        self.centre, self.gain = centre, 0.0

    def times(self, weights: Array) -> Array:
        """P w."""
        return np.asarray(self.precision * (weights - self.share * weights.sum(axis=0)))

    def pull(self) -> Array:
        """Q: the precision times the centre, which is the same in all states."""
        mean = 0.0 if self.centre is None else self.gain * self.centre * self.mean_precision
        return np.broadcast_to(mean, (self.k, *self.precision.shape))

    def diagonal(self) -> Array:
        """Diagonal of P."""
        return np.broadcast_to(self.precision * (1 - self.share), (self.k, *self.precision.shape))

    def update(self, weights: Array) -> None:
        """Learn the gain of the centre."""
        if self.centre is not None:
            across = self.centre * self.mean_precision
            self.gain = float((across * weights.sum(axis=0)).sum() / (self.k * (across * self.centre).sum() + 1.0))

    def log_density(self, weights: Array) -> float:
        """Log density, with a standard normal prior of the gain."""
        off = weights if self.centre is None else weights - self.gain * self.centre
        return float(-0.5 * (off * self.times(off)).sum() - 0.5 * self.gain**2)

    def shared(self, weights: Array) -> Array:
        """Posterior mean of W_0 given the weights, (N, D)."""
        centre = 0.0 if self.centre is None else self.gain * self.centre
        return np.asarray(centre + self.share * (weights - centre).sum(axis=0))


class OneHotPrior:
    """Every weight is of one of three types: negative N(-m, s^2), none N(0, e^2), positive N(m, s^2).

    The probabilities of the types belong to the pair and are shared by the states: pi ~ Dirichlet(1 + strength p), p from the
    connectome. Own pasts and the constant have no types but the wide Gaussian of `own`.

    Parameters
    ----------
    k : int
    expected : float array (N, D, 3)
        p.
    own : bool array (N, D)
        Weights without types.
    size, spread, narrow : float
        m, s and e.
    """

    def __init__(self, k: int, expected: Array, own: Array, size: float, spread: float, narrow: float) -> None:
        self.k, self.expected, self.own = k, expected, own
        self.centres = np.array([-size, 0.0, size])
        self.precisions = 1 / np.array([spread, narrow, spread]) ** 2
        self.types = expected.copy()
        self._precision = np.broadcast_to(np.where(own, 1 / OWN_SD**2, self.precisions[1]), (k, *own.shape))
        self._pull = np.zeros((k, *own.shape))

    def _logs(self, weights: Array) -> Array:
        """Log of type probability times density, (3, K, N, D)."""
        return np.stack(
            [
                np.log(self.types[..., c]) + 0.5 * np.log(p) - 0.5 * p * (weights - m) ** 2
                for c, (m, p) in enumerate(zip(self.centres, self.precisions, strict=True))
            ]
        )

    def responsibilities(self, weights: Array) -> Array:
        """Probability of every type, (3, K, N, D)."""
        logs = self._logs(weights)
        odds = np.exp(logs - logs.max(axis=0))
        return np.asarray(odds / odds.sum(axis=0))

    def update(self, weights: Array) -> None:
        """One step of expectation-maximisation of the types, and the quadratic bound that it gives."""
        given = self.responsibilities(weights)
        counts = np.moveaxis(given.sum(axis=1), 0, -1)
        self.types = (TYPE_STRENGTH * self.expected + counts) / (TYPE_STRENGTH + self.k)
        given = self.responsibilities(weights)
        precision = np.tensordot(self.precisions, given, 1)
        pull = np.tensordot(self.precisions * self.centres, given, 1)
        self._precision = np.where(self.own, 1 / OWN_SD**2, precision)
        self._pull = np.where(self.own, 0.0, pull)

    def times(self, weights: Array) -> Array:
        """P w."""
        return np.asarray(self._precision * weights)

    def pull(self) -> Array:
        """Responsibilities times precisions times centres."""
        return self._pull

    def diagonal(self) -> Array:
        """Diagonal of P."""
        return np.asarray(self._precision)

    def log_density(self, weights: Array) -> float:
        """Log density of weights and type probabilities."""
        logs = self._logs(weights)
        top = logs.max(axis=0)
        mixed = top + np.log(np.exp(logs - top).sum(axis=0))
        typed = np.where(self.own, -0.5 * weights**2 / OWN_SD**2, mixed).sum()
        drawn = TYPE_STRENGTH * (self.expected * np.log(self.types)).sum(axis=-1)
        return float(typed + drawn[~self.own].sum())

    def shared(self, weights: Array) -> Array:
        """Mean weight of the states, (N, D)."""
        return np.asarray(weights.mean(axis=0))


def make_prior(k: int, n: int, settings: StatesSettings, structure: Array | None) -> GaussianPrior | OneHotPrior:
    """The prior that the settings ask for.

    Parameters
    ----------
    k : int
        Number of states.
    n : int
        Number of neurons.
    structure : float array (N, N), optional
        Synapse numbers, row = post.
    """
    d = n * settings.lags + 1
    own = np.zeros((n, d), bool)
    own[:, -1] = True
    for lag in range(settings.lags):
        own[np.arange(n), lag * n + np.arange(n)] = True
    if settings.prior == "none":
        flat = np.full((n, d), FLAT_SD)
        return GaussianPrior(k, flat, flat)
    linked = None if structure is None else np.tile(structure > 0, (1, settings.lags))
    if settings.prior == "one-hot":
        share = np.full((n, d), settings.link_share)
        if linked is not None:
            share[:, :-1] = _linked_share(linked, settings.link_share, settings.contrast)
        expected = np.stack([share / 2, 1 - share, share / 2], axis=-1)
        return OneHotPrior(k, expected, own, settings.weight_sd, settings.weight_sd / 2, settings.state_sd / 2)
    scale = np.ones((n, d))
    centre = None
    if linked is not None and structure is not None:
        if settings.structure_as == "scale":
            scale[:, :-1] = _scale(linked, settings.contrast)
        else:
            centre = np.zeros((n, d))
            centre[:, :-1] = np.tile(_unit(np.log1p(structure)), (1, settings.lags))
            centre[own] = 0.0
    state_sd, shared_sd = settings.state_sd * scale, settings.weight_sd * scale
    state_sd[own], shared_sd[own] = settings.state_sd, OWN_SD
    state_sd[:, -1], shared_sd[:, -1] = settings.level_sd, settings.level_sd
    return GaussianPrior(k, state_sd, shared_sd, centre)


def _scale(linked: Array, contrast: float) -> Array:
    """Factors of the standard deviations in ratio `contrast`, with mean square 1: the prior as a whole stays as wide."""
    share = linked.mean()
    low = 1 / np.sqrt(share * contrast**2 + 1 - share)
    return np.asarray(np.where(linked, contrast * low, low))


def _linked_share(linked: Array, share: float, contrast: float) -> Array:
    """Probabilities of a link in odds ratio `contrast`, with mean `share`."""
    low, high = -20.0, 20.0
    part = linked.mean()
    for _ in range(60):
        middle = (low + high) / 2
        p = 1 / (1 + np.exp(-np.array([middle, middle + np.log(contrast)])))
        low, high = (middle, high) if (1 - part) * p[0] + part * p[1] < share else (low, middle)
    return np.asarray(np.where(linked, p[1], p[0]))


def _unit(values: Array) -> Array:
    """Scale to root mean square 1."""
    return np.asarray(values / np.sqrt((values**2).mean()))
