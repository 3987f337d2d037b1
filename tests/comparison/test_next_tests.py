"""What to test next: scores by hand, reasons, access, and words that claim nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.comparison.next_tests import entropy_bits, suggest_tests
from napari_dynamic_connectome.io.formats.side_tables import read_access
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.network import network
from napari_dynamic_connectome.model.results import Communities, Components

from .conftest import NEURONS, block

LABELS = [0, 0, 0, 0, 0, 0, -1, -1, 1, 1, -1, -1]


def partition(membership: dict[str, float] | None = None, p_value: float = 0.01) -> Communities:
    names = np.asarray(NEURONS, dtype=object)
    labels = xr.DataArray([LABELS], dims=("level", "neuron"), coords={"level": [0], "neuron": names})
    table = np.array([[float(lab == c) for c in (0, 1)] for lab in LABELS])
    for name, value in (membership or {}).items():
        table[NEURONS.index(name), 0] = value
    held = xr.DataArray(table, dims=("neuron", "community"), coords={"neuron": names, "community": [0, 1]})
    tested = pd.DataFrame({"gain": [1.0, 1.0], "p_value": [p_value, p_value]}, index=[0, 1])
    return Communities(labels, 0, labels * 0.0 + 1.0, membership=held, significance=tested)


@pytest.fixture
def components(make_components: Callable[..., Components]) -> Components:
    """AVA, AVB, AVD in one community, AVAL with twice the strength; AVEL as strong as the rest but not counted in."""
    matrix = block(NEURONS[:7])
    matrix[0, :6] *= 2
    matrix[:6, 0] *= 2
    np.fill_diagonal(matrix, 0)
    return make_components([matrix], np.ones((4, 1)))


def test_the_predicted_drop_is_the_share_of_strength_as_by_hand(components: Components) -> None:
    found = suggest_tests(components, {1: partition()}, settings={"sides_together": False})
    rows = found.table().set_index("target")
    # 15 pairs inside, 5 of them with AVAL, which count twice: 10 of 20
    assert rows.loc["AVAL", "predicted_drop"] == pytest.approx(10 / 20)
    assert rows.loc["AVBL", "predicted_drop"] == pytest.approx(6 / 20)
    assert rows.loc["AVAL", "fair_share"] == pytest.approx(5 / 15)
    assert found.table().loc[0, "target"] == "AVAL" and (found.table()["community"] == 0).all(), (
        "two members are too few"
    )
    assert rows.loc["AVAL", "coverage"] == 1.0 and rows.loc["AVAL", "access"] == 0.5
    assert rows.loc["AVAL", "low"] <= 0.5 <= rows.loc["AVAL", "high"]


def test_both_sides_are_silenced_together_by_default(components: Components) -> None:
    row = suggest_tests(components, {1: partition()}).table().iloc[0]
    # pairs with AVAL: 10; with AVAR and not AVAL: 4
    assert row["target"] == "AVAL + AVAR" and row["predicted_drop"] == pytest.approx(14 / 20)
    assert row["fair_share"] == pytest.approx(9 / 15)


def test_open_membership_is_to_be_decided_and_sure_membership_confirmed(components: Components) -> None:
    unsure = partition({"AVEL": 0.5, "AVBL": 0.9})
    rows = suggest_tests(components, {1: unsure}, settings={"sides_together": False}).table().set_index("target")
    assert rows.loc["AVEL", "purpose"] == "decide" and rows.loc["AVEL", "uncertainty_bits"] == pytest.approx(1.0)
    assert rows.loc["AVAL", "purpose"] == "confirm" and rows.loc["AVAL", "uncertainty_bits"] == 0
    assert rows.loc["AVEL", "score"] == pytest.approx(rows.loc["AVEL", "predicted_drop"] * 1.0 * 0.5)
    assert "AVER" not in rows.index, "it has no chance to be a member"
    assert entropy_bits(0.25) == pytest.approx(0.811278, abs=1e-6)


def test_what_cannot_be_reached_falls_behind_and_says_why(components: Components, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("neuron,access,how\navaL,0,\nAVBL,yes,Psra-11\nAVBL,0.2,broad line\n")
    access = read_access(tmp_path / "a.csv")
    assert access.values.tolist() == [["AVAL", 0.0, ""], ["AVBL", 1.0, "Psra-11"]]
    found = suggest_tests(components, {1: partition()}, access=access, settings={"sides_together": False})
    rows = found.table().set_index("target")
    assert rows.loc["AVAL", "score"] == 0 and found.table().loc[0, "target"] == "AVBL"
    assert "access 1 (Psra-11)" in rows.loc["AVBL", "reasons"] and "access not known" in rows.loc["AVDL", "reasons"]
    assert any("access not known for 4 neurons" in n for n in found.notes)
    assert (found.pairs["silence"] != "AVAL").all(), "the neuron that can be reached is the one to silence"


def test_known_connections_and_responses_are_reasons(components: Components) -> None:
    weight = np.zeros((12, 12))
    weight[0, 2] = 3  # AVAL -> AVBL
    weight[4, 0] = 2  # AVDL -> AVAL
    responds = np.full((12, 12), np.nan)
    responds[0, 2], responds[0, 3] = 1, 0
    nets = [
        network("w", "chemical", NEURONS, weight, quantity="synapses"),
        network("r", "signal propagation, responding pairs", NEURONS, responds),
    ]
    found = suggest_tests(components, {1: partition()}, networks=nets, settings={"sides_together": False})
    row = found.table().set_index("target").loc["AVAL"]
    assert row["connections"] == 2 and row["responders"] == 0.5
    assert (
        "chemical connections with 2 of 5 members" in row["reasons"]
        and "50% of the measured members respond" in row["reasons"]
    )
    pair = found.pairs.set_index(["silence", "record"]).loc[("AVAL", "AVBL")]
    assert pair["direct"] == "chemical 3 there, 0 back" and pair["propagation"] == 1
    assert "no direct connection known" in found.pairs.set_index(["silence", "record"]).loc[("AVAL", "AVBR"), "reasons"]


def test_communities_that_chance_explains_come_last(components: Components) -> None:
    weak = suggest_tests(components, {1: partition(p_value=0.4)}).table()
    assert all("chance explains this community (p = 0.4)" in r for r in weak["reasons"])
    both = suggest_tests(components, {1: partition()}).table()
    assert not any("chance explains" in r for r in both["reasons"])


def test_coverage_counts(make_components: Callable[..., Components]) -> None:
    matrix = block(NEURONS[:6])
    seen = np.full(66, 2)
    a, b = np.triu_indices(12, 1)
    seen[(a == 0) | (b == 0)] = 1
    half = make_components([matrix], np.ones((4, 1)), pair_worms=xr.DataArray(seen, dims=("pair",)))
    rows = suggest_tests(half, {1: partition()}, settings={"sides_together": False}).table().set_index("target")
    assert rows.loc["AVAL", "coverage"] == 0.5 and rows.loc["AVAL", "score"] < rows.loc["AVBL", "score"]


def test_the_words_predict_and_do_not_claim(components: Components) -> None:
    found = suggest_tests(components, {1: partition()})
    text = " ".join([found.sentence(), *found.notes, *found.table()["reasons"], *found.pairs["reasons"]]).lower()
    assert "predicts" in found.sentence()
    assert not any(word in text for word in ("cause", "causal", "drives the"))


def test_nothing_to_suggest_is_said(components: Components, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no communities"):
        suggest_tests(components, {})
    none = suggest_tests(components, {1: partition()}, settings={"smallest_community": 9})
    assert len(none.table()) == 0 and "No community" in none.sentence()
    (tmp_path / "a.csv").write_text("neuron,access\nAVAL,3\n")
    with pytest.raises(InputError, match="not between 0 and 1"):
        read_access(tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("neuron,note\nAVAL,3\n")
    with pytest.raises(InputError, match="Needed: neuron, access"):
        read_access(tmp_path / "a.csv")
    with pytest.raises(InputError, match="no column 'access'"):
        suggest_tests(components, {1: partition()}, access=pd.DataFrame({"neuron": ["AVAL"]}))
