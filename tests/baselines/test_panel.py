"""The panel: planted groups, missing neurons, agreement with the main result, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score

from napari_dynamic_connectome.baselines.panel import static_baselines
from napari_dynamic_connectome.baselines.settings import METHODS
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.model.results import Communities

NAMES = [f"N{i:02d}" for i in range(18)]
GROUP = np.arange(18) // 6


def worms(count=3, missing=3, seed=0):
    rng = np.random.default_rng(seed)
    made = []
    for w in range(count):
        drive = rng.standard_normal((300, 3)).cumsum(axis=0)
        x = drive[:, GROUP] + 0.8 * rng.standard_normal((300, 18))
        mine = np.sort(rng.permutation(18)[: 18 - missing])
        made.append(Recording.from_arrays(x[:, mine], name=f"w{w}", rate_hz=2, names=[NAMES[i] for i in mine]))
    return Cohort(made)


def communities(labels, names=NAMES):
    coords = {"level": [0], "neuron": np.asarray(names, dtype=object)}
    row = xr.DataArray(np.asarray(labels)[None], dims=("level", "neuron"), coords=coords)
    return Communities(row, 0, row.astype(float))


@pytest.fixture(scope="module")
def panel():
    return static_baselines(worms(), communities(GROUP), edge_clusters=6, nmf_rank=3)


def test_every_method_finds_planted_groups(panel):
    found = panel.agreement("ari")["communities"]
    assert set(METHODS) <= set(found.index)
    for method in ("shape distance", "louvain", "leiden", "sorting"):
        assert found[method] > 0.9, method
    for method in ("edge time series", "nmf"):
        assert found[method] > 0.5, method


def test_agreement_is_scikit_learns_over_neurons_that_both_place():
    labels = GROUP.copy()
    labels[:4] = -1
    panel = static_baselines(worms(), communities(labels), methods=("leiden", "nmf"))
    one = panel.partitions["leiden"].to_numpy()
    placed = panel.partitions["communities"].to_numpy() >= 0
    truth = panel.partitions["communities"].to_numpy()
    assert placed.sum() == len(placed) - 4
    wanted = adjusted_rand_score(truth[placed], one[placed])
    assert panel.agreement("ari").loc["leiden", "communities"] == pytest.approx(wanted)
    wanted = adjusted_mutual_info_score(truth[placed], one[placed])
    assert panel.agreement("ami").loc["communities", "leiden"] == pytest.approx(wanted)
    table = panel.table().set_index("method")
    assert table.loc["leiden", "AMI with communities"] == pytest.approx(wanted)
    assert list(table.index) == ["leiden", "nmf"]


def test_pairs_that_no_worm_has_are_nan_and_order_is_complete(panel):
    cohort = worms()
    both = cohort.presence.values.astype(int).T @ cohort.presence.values.astype(int) > 0
    np.testing.assert_array_equal(np.isfinite(panel.similarity["leiden"].values), both)
    assert sorted(panel.order) == sorted(cohort.neurons)


def test_number_of_groups_follows_the_main_result_or_the_setting(panel):
    assert panel.partitions["shape distance"].nunique() == 3
    other = static_baselines(worms(), communities(GROUP), groups=5, methods=("nmf",))
    assert other.partitions["nmf"].nunique() == 5


def test_same_seed_same_panel():
    one, two = (static_baselines(worms(), methods=("edge time series", "nmf", "louvain"), seed=4) for _ in range(2))
    assert one.partitions.equals(two.partitions)


def test_bad_input_is_refused_in_one_message():
    cohort = worms()
    with pytest.raises(InputError, match="none of the cohort's neurons"):
        static_baselines(cohort, communities([0, 1], ["AVAL", "AVAR"]))
    with pytest.raises(InputError, match="99 groups of 18 neurons"):
        static_baselines(cohort, groups=99)
    with pytest.raises(InputError, match="methods"):
        static_baselines(cohort, methods=("ica",))
    with pytest.raises(InputError, match="8 samples are too few"):
        short = Recording.from_arrays(np.random.default_rng(0).random((8, 18)), name="short", rate_hz=2, names=NAMES)
        static_baselines(Cohort([*cohort.recordings, short]))
    with pytest.raises(InputError, match="there is no measure 'nmi'"):
        static_baselines(cohort, methods=("leiden",)).agreement("nmi")
    with pytest.raises(Cancelled):
        static_baselines(cohort, cancel=lambda: True)
