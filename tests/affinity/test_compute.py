"""Pairs that enough worms have, and what is said about what was left out."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from napari_dynamic_connectome import Cohort, InputError, Recording
from napari_dynamic_connectome.affinity.compute import _left_out, _observed, _pairs, compute_affinity


@pytest.mark.parametrize(
    ("dropped", "said"),
    [
        (0, None),
        (1, "A left out"),
        (5, "A, B, C, D, E left out"),
        (6, "A, B, C, D, E and 1 more left out"),
        (8, "A, B, C, D, E and 3 more left out"),
    ],
)
def test_neurons_and_times_that_were_left_out_are_told(dropped: int, said: str | None) -> None:
    members = np.arange(10)[::-1]  # of this worm, in an order of its own
    keep = members >= dropped
    valid = np.ones((10, 20), bool)
    valid[:, 15:] = False  # not measured at all: nothing to be sorry for
    times = np.arange(20) < 11
    sampling = SimpleNamespace(valid=valid, rate_hz=2.0)
    cohort = SimpleNamespace(neurons=tuple("ABCDEFGHIJ"))
    notes = _left_out("w", sampling, np.sort(members), np.sort(keep), times, cohort)
    lost = "w: 2.0 s left out, when some neurons were not measured"
    assert notes == ([] if said is None else [f"w: {said} (not measured for part of the time)"]) + [lost]
    assert _left_out("w", sampling, members, members >= 0, valid.any(axis=0), cohort) == []


@pytest.mark.parametrize("min_worms", [1, 2, 3])
def test_pairs_are_those_of_enough_worms_in_order(min_worms: int) -> None:
    rng = np.random.default_rng(0)
    members = [np.sort(rng.choice(9, size, replace=False)) for size in (5, 6, 7, 1, 0)]
    expected = [
        [i, j] for i in range(9) for j in range(i + 1, 9) if sum(i in one and j in one for one in members) >= min_worms
    ]
    got = _pairs(members, 9, min_worms)
    assert got.tolist() == expected and got.dtype == np.int32
    most = max(sum(i in one and j in one for one in members) for i in range(9) for j in range(i + 1, 9))
    with pytest.raises(InputError, match=rf"observed by {most + 1} worms?; the most is {most}"):
        _pairs(members, 9, most + 1)


def test_neurons_that_were_seen_at_all_take_part_unless_gaps_are_left_out() -> None:
    valid = np.ones((4, 30), bool)
    valid[0] = False
    valid[1, 3] = False
    valid[:, 29] = False
    neurons, times = _observed(SimpleNamespace(valid=valid), SimpleNamespace(missing="bridge"))
    assert neurons.tolist() == [False, True, True, True] and times.tolist() == [True] * 29 + [False]
    neurons, times = _observed(SimpleNamespace(valid=valid), SimpleNamespace(missing="leave out"))
    assert valid[np.ix_(neurons, times)].all()


def test_a_rate_that_leaves_less_than_two_samples_is_refused_with_the_worm() -> None:
    worms = [
        Recording.from_arrays(np.random.default_rng(0).random((n, 2)), name=name, rate_hz=4.0, names=["AVAL", "AVAR"])
        for name, n in (("long", 400), ("short", 9))
    ]
    with pytest.raises(InputError, match=r"recording 'short'.*2 s are less than one sample at 0\.4 Hz"):
        compute_affinity(Cohort(worms), rate_hz=0.4)
