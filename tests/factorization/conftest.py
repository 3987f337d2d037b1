"""Planted tensors with missing (pair, worm) rows, and the brute-force error of a fit."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.factorization.problem import ArrayAffinity


def make_planted(
    model="unaligned", *, rank=3, pairs=45, times=60, worms=4, seen=0.7, noise=0.02, seed=0, signs=("any",)
):
    """An affinity with `rank` known components, and their pair factor (component, pair)."""
    rng = np.random.default_rng(seed)
    layers = len(signs)
    pair = rng.random((rank, layers * pairs)) ** 4
    shared = rng.random((rank, times)) ** 4
    blocks = []
    for index in range(worms):
        rows = np.sort(rng.permutation(pairs)[: round(seen * pairs)]) if seen < 1 else np.arange(pairs)
        if index == 0:
            rows = np.arange(pairs)
        time = (
            shared * rng.uniform(0.3, 1, (rank, 1))
            if model == "aligned"
            else rng.random((rank, times + 7 * index)) ** 4
        )
        stacked = np.concatenate([rows + s * pairs for s in range(layers)])
        values = pair[:, stacked].T @ time
        values = values * np.maximum(1 + noise * rng.standard_normal(values.shape), 0)
        blocks.append((rows, values, None))
    return ArrayAffinity.from_arrays(blocks, model=model, n_pairs=pairs, signs=signs), pair


def brute_force_error(affinity, components):
    """||X - model|| / ||X|| over observed entries, entry by entry in float64, from the labelled result."""
    names = list(affinity.neurons)
    pair = components.pair
    keys = zip(pair["neuron_a"].values, pair["neuron_b"].values, pair["sign"].values, strict=True)
    index = {key: row for row, key in enumerate(keys)}
    rest = total = 0.0
    for block in affinity.blocks:
        if block.worm not in components.worm["worm"].values:
            continue
        for layer, sign in enumerate(affinity.signs):
            keys = [(names[a], names[b], sign) for a, b in affinity.pairs[np.asarray(block.rows)]]
            a = pair.values[[index[k] for k in keys]]
            if components.model == "unaligned":
                course = components.time.values[components.time["worm"].values == block.worm]
            else:
                course = components.time.values * components.worm.sel(worm=block.worm).values
                if components.model == "mixed":
                    own = components.own_time
                    course[:, own["component"].values - 1] = own.sel(worm=block.worm).values
                course = course[np.asarray(block.observed)]
            course = course * components.weight.values
            data = np.asarray(block.tile(0, len(block.rows), 0, len(block.observed), layer), float)[
                :, np.asarray(block.observed)
            ]
            rest += ((data - a @ course.T) ** 2).sum()
            total += (data**2).sum()
    return float(np.sqrt(rest / total))


@pytest.fixture
def planted():
    """See `make_planted`."""
    return make_planted


@pytest.fixture
def dense_error():
    """See `brute_force_error`."""
    return brute_force_error
