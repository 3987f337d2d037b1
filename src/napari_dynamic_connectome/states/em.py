"""Expectation-maximisation from one start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..model.errors import Cancelled
from .data import StateData
from .model import (
    Parameters,
    collect,
    dwell_counts,
    expect,
    log_chain_prior,
    log_noise_prior,
    noise_of,
    solve_weights,
    transitions_of,
)
from .priors import GaussianPrior, OneHotPrior, make_prior
from .settings import StatesSettings

Array = np.ndarray
STEPS = 6
ANNEAL = (0.01, 0.03, 0.1, 0.3)
"""Shares of the log likelihood that the first iterations use: with a hundred neurons, states would freeze at once."""


ALIKE = 0.05
"""States whose posteriors are less certain than this are still alike; see `certainty`."""
PATIENT = 1e-3
"""Factor of the tolerance while states are alike: where all are the same, the log posterior has a saddle and hardly rises at first."""


@dataclass
class Fit:
    """One start.

    Parameters
    ----------
    parameters : Parameters
    prior : GaussianPrior or OneHotPrior
        With what it learned.
    history : list of float
        Log posterior (up to a constant) at every iteration with the full likelihood.
    log_likelihood : float
        Of the fitted frames.
    iterations : int
    converged : bool
    number : int
        Which start.
    """

    parameters: Parameters
    prior: GaussianPrior | OneHotPrior
    history: list[float]
    log_likelihood: float
    iterations: int
    converged: bool
    number: int = 0


def random_states(data: StateData, k: int, dwell_s: float, rng: np.random.Generator) -> list[Array]:
    """Random sequences that stay in a state for about `dwell_s`, as posteriors (T, K)."""
    found = []
    for worm in data.worms:
        switch = rng.random(worm.n_times) < 1 / max(dwell_s * data.rate_hz, 1.0)
        switch[0] = True
        drawn = rng.integers(0, k, worm.n_times)
        place = np.maximum.accumulate(np.where(switch, np.arange(worm.n_times), 0))
        found.append(np.eye(k)[drawn[place]])
    return found


def certainty(states: list[Array]) -> float:
    """How much posteriors of states (T, K) say: 0 where all states are equally probable at all times, 1 where one always is."""
    k = states[0].shape[1]
    if k == 1:
        return 1.0
    sure = np.concatenate(states)
    entropy = -(sure * np.log(np.maximum(sure, 1e-300))).sum(axis=1).mean()
    return float(1 - entropy / np.log(k))


def one_state(
    data: StateData, settings: StatesSettings, structure: Array | None, *, stopped: Callable[[], bool] | None = None
) -> Fit:
    """Fit one state, which needs no random start."""
    return run(data, 1, settings, structure, np.random.default_rng(0), None, stopped=stopped)


def run(
    data: StateData,
    k: int,
    settings: StatesSettings,
    structure: Array | None,
    rng: np.random.Generator,
    one: Fit | None,
    *,
    begin: Fit | None = None,
    number: int = 0,
    stopped: Callable[[], bool] | None = None,
) -> Fit:
    """Fit `k` states.

    Parameters
    ----------
    data : StateData
    k : int
    settings : StatesSettings
        `states` and `starts` are not used.
    structure : float array (N, N), optional
    rng : numpy.random.Generator
        Draws the sequences that it begins with.
    one : Fit, optional
        The fit of one state: every state begins with its weights and noise.
    begin : Fit, optional
        Go on from here instead.
    number : int
        Which start this is.
    stopped : callable, optional
        True: give up.
    """
    pseudo = dwell_counts(k, max(0.0, 1 - 1 / max(settings.dwell_s * data.rate_hz, 1.0)), settings.dwell_weight)
    anneal: tuple[float, ...] = ANNEAL if k > 1 and begin is None else ()
    if begin is not None:
        parameters, prior, number, before = begin.parameters, begin.prior, begin.number, begin.iterations
        states = expect(data, parameters).states
    else:
        parameters, prior = _beginning(data, k, settings, structure, one, pseudo)
        states, before = random_states(data, k, settings.dwell_s, rng), 0
    history: list[float] = []
    likelihood, converged, iteration = -np.inf, False, 0
    for iteration in range(1, settings.iterations + len(anneal) + 1):
        if stopped is not None and stopped():
            raise Cancelled
        sums = collect(data, states)
        weights = solve_weights(data, sums, parameters.noise, prior, parameters.weights, STEPS)
        prior.update(weights)
        noise = noise_of(data, sums, weights, settings.noise)
        parameters = Parameters(weights, noise, parameters.log_initial, parameters.log_transition)
        sharpness = anneal[iteration - 1] if iteration <= len(anneal) else 1.0
        found = expect(data, parameters, sharpness)
        states = found.states
        if sharpness == 1.0:
            likelihood = found.log_likelihood
            history.append(
                likelihood
                + prior.log_density(weights)
                + log_noise_prior(noise, settings.noise)
                + log_chain_prior(parameters, pseudo)
            )
            least = settings.tolerance * (PATIENT if certainty(states) < ALIKE else 1.0) * data.n_values
            if len(history) > 1 and history[-1] - history[-2] < least:
                converged = True
                break
        parameters.log_initial, parameters.log_transition = transitions_of(found, pseudo)
    return Fit(parameters, prior, history, likelihood, before + iteration, converged, number)


def _beginning(
    data: StateData, k: int, settings: StatesSettings, structure: Array | None, one: Fit | None, pseudo: Array
) -> tuple[Parameters, GaussianPrior | OneHotPrior]:
    n = len(data.neurons)
    prior = make_prior(k, n, settings, structure)
    if one is None:
        weights, noise = np.zeros((k, n, data.n_columns)), np.full((k, len(data.worms), n), 0.5)
    else:
        weights = np.repeat(one.parameters.weights, k, axis=0)
        noise = np.repeat(one.parameters.noise, k, axis=0)
        prior.update(weights)
    chain = (pseudo + 1) / (pseudo + 1).sum(axis=1, keepdims=True)
    return Parameters(weights, noise, np.full(k, -np.log(k)), np.log(chain)), prior
