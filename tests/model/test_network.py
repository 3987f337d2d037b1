"""Networks: what is refused, how pairs are counted, what becomes of the two weights of a pair."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.network import Network, network
from napari_dynamic_connectome.model.text import REPLACED, check_seed, clean_text

NAMES = ["AVAL", "AVAR", "RIML", "RIMR"]
weights = arrays(float, (4, 4), elements=st.sampled_from([-3.0, -1.0, 0.0, 1.0, 2.0, 3.0, np.nan]))


@given(weights)
@settings(max_examples=60, deadline=None)
def test_the_two_weights_of_a_pair_become_one(values: np.ndarray) -> None:
    one = network("a", "chemical", NAMES, values)
    off = ~np.eye(4, dtype=bool)
    assert one.n_connections == sum(bool(v != 0) for v in values[off] if np.isfinite(v))
    for how in ("sum", "mean", "larger"):
        found = one.symmetric(how)
        expected = np.full((4, 4), np.nan)
        for i in range(4):
            for j in range(4):
                known = [v for v in (values[i, j], values[j, i]) if np.isfinite(v)]
                if i == j or not known:
                    continue
                largest = max(known, key=lambda v: (abs(v), v))
                expected[i, j] = {"sum": sum(known), "mean": sum(known) / len(known), "larger": largest}[how]
        np.testing.assert_array_equal(found.weight.values, expected)
        assert not found.directed and how in found.notes[-1] and found.symmetric("sum") is found
        assert found.n_connections == sum(
            bool(expected[i, j] != 0) for i in range(4) for j in range(i) if np.isfinite(expected[i, j])
        )


def test_neurons_are_chosen_in_the_given_order() -> None:
    one = network("a", "chemical", NAMES, np.arange(16.0).reshape(4, 4), quantity="synapses", notes=("n",))
    part = one.between(["RIMR", "none", "AVAL"])
    assert part.neurons == ("RIMR", "AVAL") and part.weight.values[0, 1] == 12 and part.weight.values[1, 0] == 3
    assert np.isnan(np.diag(one.weight.values)).all() and (part.quantity, part.notes, part.title) == (
        "synapses", ("n",), "chemical, a",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("values", "names", "directed", "said"),
    [
        (np.ones((2, 3)), ["a", "b"], True, r"2 neurons, but a matrix of shape \(2, 3\)"),
        (np.ones((3, 3)), ["a", "b"], True, "2 neurons"),
        (np.ones((2, 2)), ["a", "a"], True, "'a' is there twice"),
        ([[0, np.inf], [1, 0]], ["a", "b"], True, "infinite"),
        ([[0, 1], [2, 0]], ["a", "b"], False, "not symmetric"),
        ([[0, np.nan], [2, 0]], ["a", "b"], False, "not symmetric"),
    ],
)
def test_what_is_no_network_is_refused(values, names, directed: bool, said: str) -> None:
    with pytest.raises(InputError, match=said):
        network("w", "chemical", names, values, directed=directed)


def test_dimensions_and_names_must_agree() -> None:
    def labelled(source, target, dims=("source", "target")) -> xr.DataArray:
        return xr.DataArray(np.zeros((len(source), len(target))), dims=dims, coords=dict(zip(dims, (source, target))))

    for wrong in (
        labelled(["a"], ["a"], ("target", "source")),
        labelled(["a", "b"], ["b", "a"]),
        labelled(["a"], ["a", "b"]),
    ):
        with pytest.raises(InputError):
            Network("w", "k", wrong)
    assert Network("w", "k", labelled(["a", "b"], ["a", "b"]), directed=False).n_connections == 0


@pytest.mark.parametrize("seed", [-1, 0.5, True, False])
def test_what_is_no_seed_is_refused(seed) -> None:
    with pytest.raises(InputError, match="whole number from 0 up"):
        check_seed(seed)


def test_seeds_and_texts() -> None:
    assert [check_seed(s) for s in (0, 1, 3.0)] == [0, 1, 3]
    kept = "a\t\n\r \x20\x85é\ud7ff\ue000\ufffd\U00010000"
    assert clean_text(kept) == kept
    for bad in "\x00\x08\x0b\x0c\x0e\x1f\x7f\ud800\udfff\ufffe\uffff":
        assert clean_text(f"a{bad}b") == f"a{REPLACED}b"
