"""States of a handmade result: visits, networks, distinctive neurons, the table and the verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.state_results import StatesResult

NAMES = ["AVAL", "AVAR", "RIML"]
PATHS = {"a": [1, 1, 2, 2, 2, 1, 2, 2], "b": [2, 2, 2]}


def result(**change: Any) -> StatesResult:
    path = np.array([s for one in PATHS.values() for s in one])
    worms = [w for w, one in PATHS.items() for _ in one]
    times = [i / 2 + 10 * (w == "b") for w, one in PATHS.items() for i in range(len(one))]
    sure = np.where(path == 1, 0.9, 0.2)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(2, 3, 3, 2))
    held: dict[str, Any] = {
        "sequence": xr.DataArray(path, dims="sample", coords={"worm": ("sample", worms), "time": ("sample", times)}),
        "posterior": xr.DataArray(np.stack([sure, 1 - sure], 1), dims=("sample", "state"), coords={"state": [1, 2]}),
        "transition": xr.DataArray([[0.75, 0.25], [0.1, 0.9]], dims=("state", "state_to"), coords={"state": [1, 2]}),
        "weights": xr.DataArray(
            weights,
            dims=("state", "neuron", "neuron_from", "lag"),
            coords={"state": [1, 2], "neuron": NAMES, "neuron_from": NAMES},
        ),
        "shared": xr.DataArray(
            weights.mean(axis=0), dims=("neuron", "neuron_from", "lag"), coords={"neuron": NAMES, "neuron_from": NAMES}
        ),
        "level": xr.DataArray(np.zeros((2, 3)), dims=("state", "neuron")),
        "noise": xr.DataArray(np.ones((2, 2, 3)), dims=("state", "worm", "neuron")),
        "rate_hz": 2.0, "log_likelihood": -1.0, "starts": pd.DataFrame({"agreement": [1.0, 0.95, 0.9, 0.2]}),
    }  # fmt: skip
    return StatesResult(**(held | change))


def test_visits_are_stretches_of_one_state_and_cut_at_the_ends_of_a_recording() -> None:
    made = result()
    assert made.n_states == 2 and made.worms == ("a", "b") and made.neurons == tuple(NAMES)
    rows = [tuple(row) for row in made.visits().itertuples(index=False)]
    assert rows == [
        ("a", 1, 0.0, 1.0, 1.0, True), ("a", 2, 1.0, 2.5, 1.5, False), ("a", 1, 2.5, 3.0, 0.5, False),
        ("a", 2, 3.0, 4.0, 1.0, True), ("b", 2, 10.0, 11.5, 1.5, True),
    ]  # fmt: skip
    assert list(made.visits().columns) == ["worm", "state", "start_s", "stop_s", "seconds", "cut"]


def test_a_worm_has_its_own_part() -> None:
    made = result()
    assert made.of_worm("b").values.tolist() == [2, 2, 2] and made.of_worm("b")["time"].values.tolist() == [
        10,
        10.5,
        11,
    ]
    chance = made.probability("a")
    assert chance.dims == ("time", "state") and chance.shape == (8, 2)
    np.testing.assert_allclose(chance.sel(state=1), np.where(np.array(PATHS["a"]) == 1, 0.9, 0.2))
    with pytest.raises(InputError, match=r"there is no worm 'c'\. Known: a, b"):
        made.of_worm("c")


def test_the_table_counts_shares_visits_and_stays() -> None:
    table = result().table().set_index("state")
    assert table["share"].tolist() == [3 / 11, 8 / 11] and table["visits"].tolist() == [2, 3]
    assert table["worms"].tolist() == [1, 2]
    assert table["dwell_median_s"].tolist() == table["dwell_mean_s"].tolist() == [0.5, 1.5]  # whole visits only
    np.testing.assert_allclose(table["dwell_expected_s"], [4 / 2, 10 / 2])
    np.testing.assert_allclose(table["certainty"], [0.9, 0.8])
    assert [set(one.split()) for one in table["neurons"]] == [set(NAMES)] * 2
    one = result(sequence=result().sequence.copy(data=np.full(11, 2))).table()
    assert one["share"].tolist() == [0.0, 1.0] and one["visits"].tolist() == [0, 2] and one["worms"].tolist() == [0, 2]
    assert one[["dwell_median_s", "dwell_mean_s"]].isna().all(axis=None) and np.isnan(one["certainty"][0])
    stays = xr.DataArray(np.eye(2), dims=("state", "state_to"), coords={"state": [1, 2]})
    assert result(transition=stays).table()["dwell_expected_s"].tolist() == [1e12 / 2] * 2


@pytest.mark.parametrize("part", ["absolute", "positive", "negative"])
@pytest.mark.parametrize("state", [1, 2])
def test_a_network_is_the_mean_of_both_directions_over_all_lags(part: Any, state: int) -> None:
    made = result()
    got = made.network(state, part)
    summed = made.weights.values[state - 1].sum(axis=-1)
    for i in range(3):
        for j in range(3):
            both = [
                {"absolute": abs(w), "positive": max(w, 0), "negative": max(-w, 0)}[part]
                for w in (summed[i, j], summed[j, i])
            ]
            assert got.values[i, j] == pytest.approx(0.0 if i == j else np.mean(both))
    assert got.dims == ("neuron", "neuron_b") and got["neuron_b"].values.tolist() == NAMES
    assert got.name == f"network of state {state}" and got.attrs == {"state": state, "part": part}


def test_networks_and_parts_that_are_none_are_refused() -> None:
    np.testing.assert_array_equal(result().network(1), result().network(1, "absolute"))
    with pytest.raises(InputError, match=r"there is no state 3\. Known: 1 to 2"):
        result().network(3)
    with pytest.raises(InputError, match=r"there is no part 'all'\. Known: absolute, positive, negative"):
        result().network(1, "all")  # type: ignore[arg-type]


def test_distinctive_neurons_differ_most_from_what_is_shared() -> None:
    weights = np.zeros((2, 3, 3, 2))
    weights[0, 1, 2] = 2.0, 1.0  # AVAR from RIML
    weights[0, 2, 2] = 50.0  # of a neuron with itself: does not count
    weights[0, 0, 1] = -1.0, -1.0  # AVAL from AVAR
    shared = np.zeros((3, 3, 2))
    made = result(weights=result().weights.copy(data=weights), shared=result().shared.copy(data=shared))
    assert made.distinctive(1) == ["AVAR", "RIML", "AVAL"]  # sqrt(13), 3, 2
    assert made.distinctive(1, 1) == ["AVAR"] and made.distinctive(2, 2) == ["AVAL", "AVAR"]
    unknown = weights.copy()
    unknown[0, 1, 2] = np.nan
    assert result(weights=made.weights.copy(data=unknown), shared=made.shared).distinctive(1, 1) == ["AVAL"]


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (0.21, "They predict held-out frames better: +0.2100 nats a value against one state (standard error 0.1000)."),
        (0.2, "They predict held-out frames no better: +0.2000 nats"), (-0.2, "They predict held-out frames no better: -0.2000 nats"),
        (-0.21, "They predict held-out frames worse than one state does: -0.2100 nats a value against one state (standard error 0.1000); do not read"),
    ],
)  # fmt: skip
def test_the_verdict_says_whether_starts_agree_and_states_predict(gain: float, said: str) -> None:
    held_out = pd.DataFrame(
        {"model": ["one", "states"], "over_one_state": [0.0, gain], "over_one_state_se": [0.0, 0.1]}
    )
    words = result(held_out=held_out).verdict()
    assert words.startswith("2 states; 1 of 3 other starts found the same sequence. ") and said in words
    alone = result(starts=pd.DataFrame({"agreement": [1.0]})).verdict()
    assert alone == "2 states; one start. Whether they predict frames that were not fitted was not tested."
