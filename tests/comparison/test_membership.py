"""What groups and sets share, beside exact distributions and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, hypergeom

from napari_dynamic_connectome.comparison.membership import shared_members, shared_sides
from napari_dynamic_connectome.model.errors import InputError

ALONE = [f"cell {i}" for i in range(40)]
PAIRS = [
    f"{stem}{side}" for stem in ("AVA", "AVB", "AVD", "AVE", "RIM", "AIB", "AIY", "RIB", "SMDV", "RME") for side in "LR"
]


def test_neurons_without_partners_follow_the_hypergeometric_distribution() -> None:
    group, one = set(ALONE[:10]), set(ALONE[6:18])
    row = shared_members({"g": group}, {"s": one}, ALONE, permutations=20_000, seed=1).iloc[0]
    assert (row["shared"], row["members"], row["set_members"], row["n_neurons"]) == (4, 10, 12, 40)
    assert row["p_value"] == pytest.approx(float(hypergeom.sf(3, 40, 10, 12)), rel=0.05)
    assert row["expected"] == pytest.approx(10 * 12 / 40, rel=0.02)
    assert row["ratio"] == pytest.approx(4 / row["expected"])
    assert row["shared_neurons"] == "cell 6; cell 7; cell 8; cell 9"


def test_all_orders_of_few_neurons_are_tried() -> None:
    names = ALONE[:6]
    row = shared_members({"g": names[:3]}, {"s": names[:3]}, names).iloc[0]
    assert row["p_value"] == pytest.approx(1 / 20) and row["expected"] == pytest.approx(1.5)


def test_both_of_a_pair_count_as_one_choice() -> None:
    """Three whole pairs among ten: chance puts all into a set of five pairs as often as three of ten pairs are, not six of twenty neurons."""
    row = shared_members({"g": PAIRS[:6]}, {"s": PAIRS[:10]}, PAIRS, permutations=20_000).iloc[0]
    assert row["shared"] == 6
    assert row["p_value"] == pytest.approx(float(hypergeom.sf(2, 10, 3, 5)), rel=0.1)
    assert row["p_value"] > 2 * hypergeom.sf(5, 20, 6, 10)


def test_sides_are_told_by_coins_of_single_neurons() -> None:
    left = [n for n in PAIRS if n.endswith("L")]
    table = shared_sides({"g": [*left[:6], "AVAR", "AVL"]}, [*PAIRS, "AVL"]).set_index("set")
    # AVA is there with both sides, AVL has none: five coins
    assert table.loc["left", "p_value"] == pytest.approx(binomtest(5, 5, 0.5, "greater").pvalue)
    assert (table.loc["left", "shared"], table.loc["left", "expected"]) == (6, 3.5)
    assert (table.loc["right", "shared"], table.loc["right", "p_value"]) == (1, 1.0)


def test_random_groups_are_called_as_often_as_said() -> None:
    rng = np.random.default_rng(5)
    names = PAIRS + ALONE[:20]
    sets = {f"s{i}": [str(n) for n in rng.choice(names, 12, replace=False)] for i in range(4)}
    groups = {f"g{i}": [str(n) for n in rng.choice(names, 10, replace=False)] for i in range(150)}
    table = shared_members(groups, sets, names, permutations=999)
    assert len(table) == 600 and (table["p_value"] <= 0.05).mean() < 0.07
    assert (table.groupby("group")["q_value"].min() <= 0.05).mean() < 0.08
    again = shared_members(groups, sets, names, permutations=999)
    assert table.equals(again)


def test_what_is_too_small_is_left_out_and_doubles_are_refused() -> None:
    table = shared_members(
        {"g": ["AVAL"], "h": ["AVAL", "AVAR"]}, {"s": ["AVBL", "nobody"], "t": ["AVAL", "AVBL"]}, PAIRS
    )
    assert list(table[["group", "set"]].itertuples(index=False, name=None)) == [("h", "t")]
    assert shared_members({}, {"s": PAIRS[:4]}, PAIRS).empty and shared_sides({"g": ["RIH"]}, PAIRS).empty
    with pytest.raises(InputError, match="twice"):
        shared_members({"g": PAIRS[:2]}, {"s": PAIRS[:2]}, ["AVAL", "AVAL"])
