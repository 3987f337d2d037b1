"""Functional matrices and communities beside connectomes: planted agreement, counts by hand, chance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.comparison.ceiling import agreement_of_networks
from napari_dynamic_connectome.comparison.covariates import cohort_distances, distances, left_right_matrix
from napari_dynamic_connectome.comparison.enrichment import enrichment
from napari_dynamic_connectome.comparison.functional import functional_matrices, together
from napari_dynamic_connectome.comparison.structure import compare_structure, pair_table
from napari_dynamic_connectome.io.wiring import networks_of
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.network import Network, network
from napari_dynamic_connectome.model.neurons import CANONICAL
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.model.results import Communities

FAST = {"permutations": 199, "rewired": 99}


def function_of(values: np.ndarray, names: list[str]) -> xr.DataArray:
    index = np.asarray(names, dtype=object)
    return xr.DataArray(values, dims=("neuron", "neuron_b"), coords={"neuron": index, "neuron_b": index})


def partition(names: list[str], labels: list[int]) -> Communities:
    coords = {"level": [0], "neuron": np.asarray(names, dtype=object)}
    row = xr.DataArray([labels], dims=("level", "neuron"), coords=coords)
    return Communities(row, 0, row * 0.0 + 1.0)


def planted(
    n: int = 40, groups: int = 4, seed: int = 0, strength: float = 1.0
) -> tuple[list[str], np.ndarray, Network]:
    """Neurons in groups that are wired inside, and a functional matrix that is stronger inside."""
    rng = np.random.default_rng(seed)
    names = list(CANONICAL[:n])
    labels = np.arange(n) % groups
    same = labels[:, None] == labels[None]
    link = (rng.random((n, n)) < np.where(same, 0.5, 0.1)).astype(float) * rng.integers(1, 9, (n, n))
    noise = rng.normal(size=(n, n))
    values = strength * same + (noise + noise.T) / 2
    return names, values, network("made", "chemical", names, link, quantity="synapses")


def test_planted_agreement_is_found_and_its_absence_is_not_claimed() -> None:
    names, values, net = planted()
    found = compare_structure({"component 1": function_of(values, names)}, [net], FAST).table().iloc[0]
    assert found["r"] > 0.1 and found["p_value"] == pytest.approx(1 / 200) and found["p_degrees"] <= 0.05
    assert found["p_partial"] <= 0.05 and found["n_neurons"] == 40 and found["n_pairs"] == 780
    names, values, net = planted(strength=0.0)
    nothing = compare_structure({"component 1": function_of(values, names)}, [net], FAST)
    assert nothing.table().loc[0, "p_value"] > 0.05
    assert "does not agree beyond chance" in nothing.sentence()


def test_a_network_that_cannot_be_tested_does_not_keep_the_others_from_it() -> None:
    names, values, net = planted()
    apart = network("elsewhere", "electrical", ["PVDL", "PVDR", "PLML", "PLMR"], 1 - np.eye(4), quantity="synapses")
    found = compare_structure({"component 1": function_of(values, names)}, [net, apart], FAST)
    assert list(found.tests["network"]) == ["made"]
    assert any("component 1 and electrical, elsewhere cannot be compared: " in note for note in found.notes)
    assert "cannot be compared" in found.component_sentences(1, apart)[0]
    assert "agrees with" in found.component_sentences(1, net)[0]
    with pytest.raises(InputError, match="shares 0 neurons"):
        compare_structure({"component 1": function_of(values, names)}, [apart], FAST)


def test_a_network_of_left_right_pairs_alone_leaves_nothing_beside_them() -> None:
    names, values, _ = planted()
    net = network("pairs", "electrical", names, left_right_matrix(names), quantity="synapses", directed=False)
    found = compare_structure({"component 1": function_of(values, names)}, [net], FAST)
    row = found.table().iloc[0]
    assert np.isfinite(row["p_value"]) and np.isnan(row["p_partial"])
    assert any("not to be told from" in note for note in found.notes)


def test_one_small_p_among_many_comparisons_is_no_agreement() -> None:
    names, values, net = planted()
    rows = compare_structure({"component 1": function_of(values, names)}, [net], FAST)
    many = pd.concat([rows.tests] * 3, ignore_index=True)
    many["function"] = ["component 1", "component 2", "component 3"]
    many["p_value"], many["q_value"] = [0.03, 0.4, 0.9], [0.09, 0.6, 0.9]
    text = replace(rows, tests=many).sentence("component 1")
    assert "does not agree beyond chance" in text and "p = 0.03 (corrected 0.09)" in text


def test_the_order_of_neurons_and_neurons_of_one_side_only_do_not_matter() -> None:
    names, values, net = planted()
    order = np.random.default_rng(1).permutation(40)
    mixed = network(
        "made",
        "chemical",
        [names[i] for i in order] + ["VD13"],
        np.pad(net.weight.values[np.ix_(order, order)], (0, 1)),
    )
    one = compare_structure({"f": function_of(values, names)}, [net], FAST).table()
    two = compare_structure({"f": function_of(values, names)}, [mixed], FAST).table()
    assert one.loc[0, "r"] == pytest.approx(two.loc[0, "r"]) and two.loc[0, "n_neurons"] == 40


def test_left_right_pairs_alone_do_not_make_agreement_beside_them() -> None:
    names = [n for n in CANONICAL if n[-1] in "LR"][:60]
    pairs = left_right_matrix(names)
    rng = np.random.default_rng(3)
    noise = rng.normal(size=(60, 60))
    values = 3 * pairs + (noise + noise.T) / 2
    link = np.maximum(pairs, (rng.random((60, 60)) < 0.1).astype(float))
    net = network("made", "electrical", names, np.maximum(link, link.T), directed=False)
    alone = FAST | {"distance": False, "pairs_together": False}
    row = compare_structure({"f": function_of(values, names)}, [net], alone).table().iloc[0]
    assert row["p_value"] <= 0.01 and row["p_partial"] > 0.05


def test_results_have_one_sentence_with_effect_p_and_n() -> None:
    names, values, net = planted()
    found = compare_structure(
        {"component 1": function_of(values, names)},
        [net],
        FAST,
        communities=partition(names, [i % 4 for i in range(40)]),
    )
    text = found.sentence("component 1", "chemical")
    for word in (
        "Component 1 agrees with the chemical network of made",
        "95 % interval",
        "p = 0.005",
        "40 neurons, 780 pairs",
        "beside distance",
    ):
        assert word in text
    assert len(found.sentences()) == 2 and "odds ratio" in found.sentences()[1]
    assert not any("caus" in s.lower() for s in found.sentences())
    with pytest.raises(InputError, match="no such comparison"):
        found.sentence("component 9")


def test_the_same_seed_gives_the_same_tables() -> None:
    names, values, net = planted(n=16)
    run = [
        compare_structure(
            {"f": function_of(values, names)},
            [net],
            FAST,
            communities=partition(names, [i % 4 for i in range(16)]),
            seed=s,
        )
        for s in (1, 1, 2)
    ]
    pd.testing.assert_frame_equal(run[0].table(), run[1].table())
    pd.testing.assert_frame_equal(run[0].enrichment, run[1].enrichment)
    assert run[0].table().loc[0, "r"] == run[2].table().loc[0, "r"]


def test_pairs_in_communities_are_counted_as_by_hand() -> None:
    names = list(CANONICAL[:7])
    labels = [0, 0, 0, 1, 1, -1, -1]
    link = np.zeros((7, 7))
    for a, b in ((0, 1), (2, 1), (3, 4), (0, 3), (4, 5), (5, 6)):
        link[a, b] = 2.0
    table = enrichment(
        partition(names, labels),
        network("n", "chemical", names, link),
        permutations=5040,
        rewired=50,
        pairs_together=False,
    )
    row = table[table["community"] == "all"].iloc[0]
    # inside: 3 + 1 pairs, of which 3 are linked; leading out: 3 x 2 between, 5 x 2 to the background, of which 2 are linked
    assert (row["inside"], row["outside"], row["n_pairs"]) == (3 / 4, 2 / 16, 20)
    assert row["odds_ratio"] == pytest.approx((3.5 * 14.5) / (1.5 * 2.5))
    assert row["weight_ratio"] == pytest.approx((6 / 4) / (4 / 16))
    first = table[table["community"] == "0"].iloc[0]
    assert (first["inside"], first["outside"], first["members"]) == (2 / 3, 1 / 12, 3)

    # brute force: every way to give the labels to the neurons, by the correlation of linked and inside
    def r(order: tuple[int, ...]) -> float:
        own = np.array(labels)[list(order)]
        xs, ys = [], []
        for i in range(7):
            for j in range(i):
                if own[i] >= 0 or own[j] >= 0:
                    xs.append(float(own[i] == own[j]))
                    ys.append(float(link[i, j] + link[j, i] > 0))
        return float(np.corrcoef(xs, ys)[0, 1])

    null = np.abs([r(o) for o in permutations(range(7))])
    assert row["p_value"] == pytest.approx(np.mean(null >= abs(r(tuple(range(7)))) - 1e-9))


def test_together_knows_communities_background_and_itself(make_communities: Callable[..., Communities]) -> None:
    matrix = together(make_communities([0, 0, 1, 1, -1, -1, 2, 2, 2, 3, 3, 3])).values
    assert (
        matrix[0, 1] == 1
        and matrix[0, 2] == 0
        and matrix[0, 4] == 0
        and np.isnan(matrix[4, 5])
        and np.isnan(matrix[0, 0])
    )


def test_communities_that_are_wired_inside_are_found_enriched_with_an_interval_that_holds_the_truth() -> None:
    held = 0
    for seed in range(20):
        names, _, net = planted(n=48, seed=seed)
        # a pair is linked in either direction: 1 - .5^2 inside, 1 - .9^2 outside
        truth = (0.75 / 0.25) / (0.19 / 0.81)
        row = enrichment(partition(names, [i % 4 for i in range(48)]), net, permutations=99, rewired=0).iloc[0]
        assert row["p_value"] == 0.01
        held += row["low"] <= truth <= row["high"]
    assert held >= 16


def test_components_become_matrices(
    make_components,
) -> None:
    rng = np.random.default_rng(0)
    blocks = [np.abs(m + m.T) for m in rng.normal(size=(2, 12, 12))]
    components = make_components(blocks, np.abs(rng.normal(size=(40, 2))))
    found = functional_matrices(components)
    assert list(found) == ["all components", "component 1", "component 2"]
    mean = components.time.mean("time").values * components.worm.mean("worm").values
    expected = mean[0] * blocks[0] + mean[1] * blocks[1]
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found["all components"].values, expected)


def test_two_connectomes_share_what_was_counted() -> None:
    names = list(CANONICAL[:5])
    a, b = np.zeros((5, 5)), np.zeros((5, 5))
    for i, j in ((0, 1), (1, 2), (2, 3), (3, 4)):
        a[i, j] = 1
    for i, j in ((0, 1), (2, 1), (2, 3)):
        b[i, j] = 2
    one, two = network("A", "chemical", names, a), network("B", "chemical", names, b)
    other = network("C", "electrical", names, a + a.T, directed=False)
    row = agreement_of_networks([one, two, other]).iloc[0]
    assert (row["first"], row["second"], row["shared"], row["n_neurons"]) == ("A", "B", 2, 5)
    assert (row["share_of_first"], row["share_of_second"], row["jaccard"]) == (2 / 4, 2 / 3, 2 / 5)
    assert len(agreement_of_networks([one, other])) == 0
    same = agreement_of_networks([other, other]).iloc[0]
    assert same["r"] == pytest.approx(1.0) and same["connections_first"] == 4


def test_distances_are_those_of_the_worms_or_say_that_they_are_schematic() -> None:
    names = ["AVAL", "AVAR", "RIS"]
    worms = [
        Recording.from_arrays(
            np.ones((3, 3)),
            name=f"w{k}",
            rate_hz=1,
            names=names,
            positions_um=np.array([[0, 0, 0], [0, 0, 10.0 + k], [0, 5, 0]]),
        )
        for k in range(3)
    ]
    measured = cohort_distances(Cohort(worms), names)
    assert measured[0, 1] == 11.0 and measured[0, 2] == 5.0
    assert distances(names, cohort=Cohort(worms))[1] == "positions measured in the worms"
    table = pd.DataFrame({"name": names, "x_um": [0, 3, 0], "y_um": [0, 4, 0], "z_um": [0, 0, 2]})
    given, source = distances(names, cohort=Cohort(worms), table=table)
    assert given[0, 1] == 5.0 and "table" in source
    bare = [Recording.from_arrays(np.ones((3, 3)), name="w", rate_hz=1, names=names)]
    assert "not measured" in distances(names, cohort=Cohort(bare))[1]


def test_pairs_are_listed_with_both_directions() -> None:
    names = ["AVAL", "AVAR", "RIS"]
    values = np.array([[0, 0.9, 0.1], [0.9, 0, np.nan], [0.1, np.nan, 0]])
    chemical = network("n", "chemical", ["RIS", "AVAL"], [[0, 5], [2, 0]])
    table = pair_table(function_of(values, names), [chemical], communities=partition(names, [0, 0, 1]))
    assert table[["neuron_a", "neuron_b"]].values.tolist() == [["AVAL", "AVAR"], ["AVAL", "RIS"]]
    assert table["left_right"].tolist() == [True, False] and table["together"].tolist() == [1, 0]
    assert table["chemical, n: a to b"].iloc[1] == 2 and table["chemical, n: b to a"].iloc[1] == 5
    assert np.isnan(table["chemical, n: a to b"].iloc[0]), "AVAR is unknown to this source, not unconnected"


def test_nothing_in_common_is_said_with_names_of_both() -> None:
    names, values, net = planted(n=8)
    other = network("tail", "chemical", list(CANONICAL[-8:]), net.weight.values)
    with pytest.raises(InputError, match="shares 0 neurons") as caught:
        compare_structure({"f": function_of(values, names)}, [other], FAST)
    assert names[0] in str(caught.value) and CANONICAL[-8] in str(caught.value)
    with pytest.raises(InputError, match="no network"):
        compare_structure({"f": function_of(values, names)}, [], FAST)
    with pytest.raises(InputError, match="nothing functional"):
        compare_structure({}, [net], FAST)


@pytest.mark.data
def test_two_adults_share_about_two_thirds_of_their_connections(shared_data: Path) -> None:
    nets = []
    for name in ("white_1986_whole", "witvliet_2020_8"):
        edges = pd.read_csv(shared_data / "connectome" / f"{name}.csv")
        nets += networks_of(edges, name).values()
    table = agreement_of_networks(nets).set_index("kind")
    assert 0.5 < table.loc["chemical", "share_of_first"] < 0.8
    assert 0.3 < table.loc["chemical", "r"] < 0.9


def test_one_community_beside_networks_with_as_many_links_of_every_neuron() -> None:
    """Hubs are linked to each other without preferring each other; only links beyond that are claimed."""
    rng = np.random.default_rng(4)
    names, labels = list(CANONICAL[:40]), [0] * 10 + [-1] * 30
    hub = np.where(np.arange(40) < 10, 0.4, -0.9)
    sums = hub[:, None] + hub[None]  # given every neuron's number of links, all such networks are equally likely
    inside = np.arange(40) < 10

    def p(more: float) -> tuple[float, float]:
        chance = 1 / (1 + np.exp(-sums - more * (inside[:, None] & inside[None])))
        link = np.triu(rng.random((40, 40)) < chance, 1).astype(float)
        net = network("made", "chemical", names, link, quantity="synapses")
        row = enrichment(partition(names, labels), net, permutations=199, rewired=199, pairs_together=False).iloc[0]
        return row["p_value"], row["p_degrees"]

    hubs, preferring = p(0.0), p(2.0)
    assert hubs[0] <= 0.05 and 0.05 < hubs[1] < 1.0
    assert preferring[0] <= 0.05 and preferring[1] <= 0.05
