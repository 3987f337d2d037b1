"""Which way a row of a connectome points, and gap junctions that are listed once or twice."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.wiring import fold, networks_of
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.network import network

NEURONS = ["AVAL", "AVAR", "AVBL", "RIS"]
GAPS = [("AVAL", "AVAR", 4.0), ("AVBL", "AVAL", 2.0), ("RIS", "AVBL", 1.0)]


def table(rows: list[tuple[str, str, float]], kind: str, column: str = "synapses") -> pd.DataFrame:
    return pd.DataFrame([(a, b, kind, w) for a, b, w in rows], columns=["pre", "post", "type", column])


@pytest.mark.parametrize("kind", ["electrical", "contact"])
def test_a_table_that_lists_each_pair_once_gives_the_matrix_of_one_that_lists_both(kind: str) -> None:
    once, _ = fold(table(GAPS, kind), NEURONS, kind)
    twice, _ = fold(table(GAPS + [(b, a, w) for a, b, w in GAPS], kind), NEURONS, kind)
    turned, _ = fold(table([(b, a, w) for a, b, w in GAPS], kind), NEURONS, kind)
    expected = np.array([[0, 4, 2, 0], [4, 0, 0, 0], [2, 0, 0, 1], [0, 0, 1, 0]], float)
    for matrix in (once, twice, turned):
        np.testing.assert_array_equal(matrix, expected)


def test_gap_junctions_with_two_weights_take_the_larger_one_and_say_so() -> None:
    matrix, notes = fold(table([*GAPS, ("AVAR", "AVAL", 7.0)], "electrical"), NEURONS, "electrical")
    assert matrix[0, 1] == matrix[1, 0] == 7.0
    assert any("1 pairs are listed in both directions with different weights" in n for n in notes)


def test_chemical_synapses_point_from_pre_to_post_and_rows_of_one_pair_add_up() -> None:
    rows = [("AVAL", "AVBL", 3.0), ("AVAL", "AVBL", 2.0), ("AVBL", "AVAL", 1.0)]
    matrix, _ = fold(table(rows, "chemical"), NEURONS, "chemical")
    assert matrix[0, 2] == 5.0 and matrix[2, 0] == 1.0 and matrix.sum() == 6.0


def test_networks_hold_the_neurons_that_the_table_met_and_no_others() -> None:
    edges = pd.concat(
        [table([("AVAL", "AVBL", 3.0), ("AVAL", "MDL05", 9.0)], "chemical"), table(GAPS[:1], "electrical")]
    )
    edges = pd.concat([edges, table([("AVAL", "AVAL", 2.0)], "chemical")], ignore_index=True)
    found = networks_of(edges, "mine")
    assert set(found) == {"chemical", "electrical"}
    chemical, electrical = found["chemical"], found["electrical"]
    assert chemical.neurons == electrical.neurons == ("AVAL", "AVAR", "AVBL")
    assert chemical.directed and not electrical.directed
    assert float(chemical.weight.sel(source="AVAL", target="AVBL")) == 3.0
    assert float(chemical.weight.sel(source="AVBL", target="AVAL")) == 0.0
    assert np.isnan(np.diag(chemical.weight.values)).all()
    assert any("1 rows with muscles" in n for n in chemical.notes) and any("itself" in n for n in chemical.notes)
    assert chemical.n_connections == 1 and electrical.n_connections == 1
    with pytest.raises(InputError, match="no connections of type 'peptide'"):
        networks_of(edges, "mine", kinds=["peptide"])
    with pytest.raises(InputError, match="canonical names"):
        networks_of(table([("muscle", "hyp", 1.0)], "chemical"), "mine")


def test_a_weight_that_is_no_number_of_synapses_is_not_called_so() -> None:
    edges = table(GAPS, "contact", "weight").assign(quantity="contact area")
    assert networks_of(edges, "m")["contact"].quantity == "contact area"
    assert networks_of(table(GAPS, "chemical"), "m")["chemical"].quantity == "synapses"


def test_direction_can_be_left_out_by_sum_mean_or_larger() -> None:
    weight = np.array([[9, 3, np.nan], [1, 9, np.nan], [-4, np.nan, 9]], float)
    net = network("n", "k", ["AVAL", "AVAR", "RIS"], weight)
    for how, pair in (("sum", 4.0), ("mean", 2.0), ("larger", 3.0)):
        plain = net.symmetric(how).weight.values
        assert plain[0, 1] == plain[1, 0] == pair
        assert plain[0, 2] == plain[2, 0] == -4.0, "measured in one direction only"
        assert np.isnan(plain[1, 2]) and np.isnan(plain[0, 0])
    assert network("n", "k", ["AVAL", "AVAR"], [[0, -2], [2, 0]]).symmetric("larger").weight.values[1, 0] == 2.0


def test_networks_that_contradict_themselves_are_refused() -> None:
    with pytest.raises(InputError, match="there twice"):
        network("n", "k", ["AVAL", "AVAL"], np.zeros((2, 2)))
    with pytest.raises(InputError, match="not symmetric"):
        network("n", "k", ["AVAL", "AVAR"], [[0, 1], [2, 0]], directed=False)
    with pytest.raises(InputError, match="2 neurons, but a matrix"):
        network("n", "k", ["AVAL", "AVAR"], np.zeros((3, 3)))
    with pytest.raises(InputError, match="infinite"):
        network("n", "k", ["AVAL", "AVAR"], [[0, np.inf], [2, 0]])


@pytest.mark.data
@pytest.mark.parametrize("name", ["white_1986_whole", "witvliet_2020_8", "cook_2019_hermaphrodite"])
def test_published_gap_junctions_are_symmetric_however_they_are_listed(shared_data: Path, name: str) -> None:
    edges = pd.read_csv(shared_data / "connectome" / f"{name}.csv")
    found = networks_of(edges, name)
    gaps = edges[(edges["type"] == "electrical") & (edges["pre"] != edges["post"])]
    known = set(found["electrical"].neurons)
    pairs = {frozenset(p) for p in gaps[["pre", "post"]].to_numpy().tolist() if known.issuperset(p)}
    assert found["electrical"].n_connections == len(pairs) > 200
