"""Weights, noise and likelihood against dense algebra; EM never goes down; missing neurons are nowhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from napari_dynamic_connectome.states.data import read_frames
from napari_dynamic_connectome.states.em import one_state, random_states, run
from napari_dynamic_connectome.states.model import Parameters, collect, emissions, noise_of, solve_weights
from napari_dynamic_connectome.states.priors import GaussianPrior, OneHotPrior, make_prior
from napari_dynamic_connectome.states.settings import StatesSettings


def example(simple, **options):
    cohort, _, _ = simple
    settings = StatesSettings(states=2, **options)
    data = read_frames(cohort, settings)
    states = random_states(data, 2, 10.0, np.random.default_rng(0))
    rng = np.random.default_rng(1)
    noise = rng.uniform(0.3, 1, (2, len(data.worms), len(data.neurons)))
    return data, settings, states, noise


def dense_solution(data, states, noise, penalty, pull, target):
    """Normal equations of one neuron over both states at once, from the frames themselves."""
    d = data.n_columns
    left, right = penalty.copy(), pull.copy()
    for number, worm in enumerate(data.worms):
        if target in worm.neurons:
            y = worm.present[:, list(worm.neurons).index(target)]
            for z in range(2):
                weight = states[number][worm.frames, z] / noise[z, number, target]
                at = z * d + worm.columns
                left[np.ix_(at, at)] += (worm.past * weight[:, None]).T @ worm.past
                right[at] += worm.past.T @ (weight * y)
    return np.linalg.solve(left, right).reshape(2, d)


def test_weights_solve_the_normal_equations_of_the_shared_prior(simple):
    data, _, states, noise = example(simple)
    n, d = len(data.neurons), data.n_columns
    rng = np.random.default_rng(2)
    s, t = rng.uniform(0.05, 0.5, (n, d)), rng.uniform(0.05, 0.5, (n, d))
    centre = rng.standard_normal((n, d))
    prior = GaussianPrior(2, s, t, centre)
    prior.gain = 0.3
    found = solve_weights(data, collect(data, states), noise, prior, np.zeros((2, n, d)), 2000, 1e-12)
    for target in (0, 7, n - 1):
        # W_1 and W_2 around a common W_0 that is summed over: their joint covariance, written out
        penalty, mean = np.zeros((2 * d, 2 * d)), np.tile(0.3 * centre[target], 2)
        for j in range(d):
            covariance = s[target, j] ** 2 * np.eye(2) + t[target, j] ** 2
            penalty[np.ix_([j, d + j], [j, d + j])] = np.linalg.inv(covariance)
        wanted = dense_solution(data, states, noise, penalty, penalty @ mean, target)
        np.testing.assert_allclose(found[:, target], wanted, atol=1e-7)


def test_one_state_is_ridge_regression(planted):
    from sklearn.linear_model import Ridge

    cohort, _, _ = planted(worms=1, frames=300, neurons=8)
    settings = StatesSettings(prior="none", noise="neuron", tolerance=1e-10, iterations=2000)
    data = read_frames(cohort, settings)
    fit = one_state(data, settings, None)
    worm = data.worms[0]
    for i in range(8):
        variance = fit.parameters.noise[0, 0, i]
        ridge = Ridge(alpha=variance / (2 * 10.0**2), fit_intercept=False, tol=1e-12).fit(worm.past, worm.present[:, i])
        np.testing.assert_allclose(fit.parameters.weights[0, i], ridge.coef_, atol=1e-5)


def test_likelihood_counts_the_neurons_that_a_worm_has(simple):
    data, _, _, noise = example(simple)
    rng = np.random.default_rng(3)
    weights = rng.standard_normal((2, len(data.neurons), data.n_columns))
    parameters = Parameters(weights, noise, np.log([0.5, 0.5]), np.log(np.full((2, 2), 0.5)))
    worm = data.worms[1]
    found = emissions(worm, 1, parameters)
    for t, z in ((0, 0), (5, 1), (40, 0)):
        total = 0.0
        for column, i in enumerate(worm.neurons):
            mean = weights[z, i, -1] + sum(
                weights[z, i, j] * worm.past[t, place] for place, j in enumerate(worm.neurons)
            )
            total += norm.logpdf(worm.present[t, column], mean, np.sqrt(noise[z, 1, i]))
        assert found[t, z] == pytest.approx(total, abs=1e-9)


def test_weights_of_neurons_that_no_worm_has_together_come_from_the_prior_alone(simple):
    data, settings, states, noise = example(simple)
    prior = make_prior(2, len(data.neurons), settings, None)
    found = solve_weights(data, collect(data, states), noise, prior, np.zeros((2, *data.known().shape)), 500, 1e-10)
    assert (~data.known()).any()
    np.testing.assert_allclose(found[:, ~data.known()], 0.0)
    assert np.abs(found[:, data.known()]).max() > 0.1


def test_noise_is_the_mean_square_of_the_residuals(simple):
    data, _, states, _ = example(simple)
    weights = 0.1 * np.random.default_rng(4).standard_normal((2, len(data.neurons), data.n_columns))
    sums = collect(data, states)
    for tied in ("neuron", "worm", "state"):
        found = noise_of(data, sums, weights, tied)
        i, total, count = data.worms[0].neurons[3], {}, {}
        for number, worm in enumerate(data.worms):
            if i not in worm.neurons:
                continue
            column = list(worm.neurons).index(i)
            for z in range(2):
                rest = worm.present[:, column] - worm.past @ weights[z, i, worm.columns]
                share = states[number][worm.frames, z]
                key = {"neuron": 0, "worm": number, "state": z}[tied]
                total[key] = total.get(key, 0) + (share * rest**2).sum()
                count[key] = count.get(key, 0) + share.sum()
        for number, worm in enumerate(data.worms):
            for z in range(2) if i in worm.neurons else ():
                key = {"neuron": 0, "worm": number, "state": z}[tied]
                assert found[z, number, i] == pytest.approx((total[key] + 1.0) / (count[key] + 10), rel=1e-9)


@pytest.mark.parametrize(
    ("prior", "noise", "structure_as"),
    [
        ("gaussian", "worm", "scale"),
        ("gaussian", "neuron", "centre"),
        ("one-hot", "state", "scale"),
        ("none", "worm", "scale"),
    ],
)
def test_no_iteration_lowers_the_log_posterior(simple, prior, noise, structure_as):
    data, _, _, _ = example(simple)
    # With sixteen neurons the default state_sd holds the states so close that all begin the full likelihood alike: a saddle, on
    # which the log posterior rises by less than the tolerance, so that the fit ends. States that may lie as far apart as the
    # planted ones leave it at once, and every kind of step is taken many times.
    settings = StatesSettings(
        states=3, prior=prior, noise=noise, structure_as=structure_as, state_sd=0.1, tolerance=1e-9, iterations=60
    )
    n = len(data.neurons)
    structure = (np.random.default_rng(6).random((n, n)) < 0.2) * 3.0
    one = one_state(data, settings, structure)
    fit = run(data, 3, settings, structure, np.random.default_rng(0), one)
    assert len(fit.history) > 10
    assert fit.history[-1] - fit.history[0] > 0.001 * abs(fit.history[-1])
    assert np.diff(fit.history).min() > -1e-6 * abs(fit.history[-1])


def test_one_hot_density_is_the_mixture_summed_over_types():
    rng = np.random.default_rng(0)
    expected = rng.dirichlet([1, 3, 1], (3, 4))
    own = np.zeros((3, 4), bool)
    own[:, -1] = True
    prior = OneHotPrior(2, expected, own, 0.2, 0.1, 0.03)
    weights = 0.2 * rng.standard_normal((2, 3, 4))
    before = prior.log_density(weights)
    moved = weights.copy()
    moved[1, 2, 0] += 0.1

    def mixed(w, p):
        return np.log(sum(q * norm.pdf(w, m, s) for q, m, s in zip(p, (-0.2, 0, 0.2), (0.1, 0.03, 0.1), strict=True)))

    wanted = mixed(moved[1, 2, 0], expected[2, 0]) - mixed(weights[1, 2, 0], expected[2, 0])
    assert prior.log_density(moved) - before == pytest.approx(wanted, abs=1e-9)


def test_the_connectome_widens_linked_pairs_and_keeps_the_whole_as_wide():
    n = 20
    structure = np.zeros((n, n))
    structure[np.triu_indices(n, 1)] = np.random.default_rng(0).random(n * (n - 1) // 2) < 0.3
    prior = make_prior(2, n, StatesSettings(states=2, contrast=4.0, weight_sd=0.2, state_sd=0.1), structure)
    variance = 1 / prior.precision[:, :n]
    off = ~np.eye(n, dtype=bool)
    linked = structure > 0
    assert variance[linked].mean() / variance[off & ~linked].mean() == pytest.approx(16.0)
    hot = make_prior(2, n, StatesSettings(states=2, prior="one-hot", contrast=4.0, link_share=0.2), structure)
    share = 1 - hot.expected[:, :n, 1]
    odds = share / (1 - share)
    assert odds[linked].mean() / odds[off & ~linked].mean() == pytest.approx(4.0, rel=1e-6)
    assert share.mean() == pytest.approx(0.2, rel=1e-6)
