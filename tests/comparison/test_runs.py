"""Two results beside each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score
from tests.widgets.helpers import fill

from napari_dynamic_connectome import compare_results
from napari_dynamic_connectome.session.session import Session


@pytest.fixture(scope="module")
def session() -> Session:
    made = Session()
    fill(made)
    return made


def test_a_result_is_like_itself(session: Session) -> None:
    held = (session.components, session.communities)
    found = compare_results(*held, *held)
    assert found.match.score == pytest.approx(1.0)
    assert (found.match.table["component_a"] == found.match.table["component_b"]).all()
    assert len(found.partitions) == len(session.communities)
    assert (found.partitions["ami"].dropna() == 1.0).all() and len(found.partitions["ami"].dropna())
    assert (found.communities["jaccard"] == 1.0).all() and (found.communities["only_a"] == 0).all()


def test_components_in_another_order_and_other_communities(session: Session) -> None:
    parts = session.components
    order = [1, 0, *range(2, parts.rank)]
    number = parts.weight["component"].values
    swapped = replace(
        parts,
        **{name: getattr(parts, name).isel(component=order).assign_coords(component=number) for name in ("time", "worm", "pair", "weight")},
        support=None,
    )  # fmt: skip
    key = next(k for k, one in session.communities.items() if k[0] == 1 and len(one.sizes()))
    first = session.communities[key]
    labels = first.labels.copy(deep=True)
    values = labels.values[first.chosen_level]
    members = np.flatnonzero(values == 0)
    values[members[0]] = -1
    other = {(2, key[1]): replace(first, labels=labels)}
    found = compare_results(parts, session.communities, swapped, other)
    assert found.match.renumber()[2] == 1 and found.match.renumber()[1] == 2
    row = found.partitions.set_index("component_a").loc[1]
    seen = np.ones(len(values), bool)
    if first.state is not None:
        seen = first.state.values[first.chosen_level] != "not observed"
    expected = adjusted_mutual_info_score(first.labels.values[first.chosen_level][seen], values[seen])
    assert row["ami"] == pytest.approx(expected) and row["component_b"] == 2
    best = found.communities.query("component_a == 1 and community_a == 0").iloc[0]
    assert best["community_b"] == 0 and best["only_a"] == 1 and best["jaccard"] == pytest.approx(1 - 1 / len(members))
    assert any("AMI" in line for line in found.lines)
