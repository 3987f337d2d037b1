"""The matrix of the Communities dock: order, colours of the blocks, clicks."""

from __future__ import annotations

import numpy as np
import pytest
from qtpy.QtCore import QPointF
from tests.widgets.helpers import fill

pytestmark = pytest.mark.gui


@pytest.fixture
def dock(viewer, work, qtbot):
    from napari_dynamic_connectome.widgets.app.arrange import open_docks, raise_dock

    fill(work.session)
    work.session.set_current("worm A")
    found = open_docks(viewer)["Communities"]
    raise_dock(found)
    qtbot.wait(60)
    found.flush()
    return found


def test_rows_are_sorted_by_community_and_none_come_last(dock, work) -> None:
    from napari_dynamic_connectome.widgets.views.matrix_view import sorted_matrix

    components, communities = work.session.components, work.session.shown_communities
    values, groups = sorted_matrix(components, 1, communities, 0)
    known = groups[groups >= 0]
    assert (np.diff(known) >= 0).all() and (groups[len(known) :] == -1).all()
    whole = components.matrix(1)
    for group in set(known.tolist()):
        members = communities.members(group, 0)
        inside = values[np.ix_(groups == group, groups == group)]
        assert np.nansum(inside) == pytest.approx(np.nansum(whole.loc[members, members].values))
    assert values.shape == (len(groups), len(groups))


def test_a_click_on_a_block_chooses_its_community_and_only_it_is_coloured(dock, work, qtbot) -> None:
    matrix = dock.matrix

    class Click:
        def __init__(self, row: float) -> None:
            self.place = matrix.plot.getViewBox().mapViewToScene(QPointF(row, row))

        def scenePos(self):
            return self.place

    start, stop, group = next(b for b in matrix.bounds if b[2] >= 0 and b[1] - b[0] >= 2)

    def coloured(bounds) -> bool:
        block = matrix.image.image[bounds[0] : bounds[1], bounds[0] : bounds[1], :3].astype(int)
        return bool((np.ptp(block, axis=2) > 12).any())

    assert sum(coloured(b) for b in matrix.bounds if b[2] >= 0 and b[1] - b[0] >= 2) >= 2
    matrix._clicked(Click((start + stop) / 2))
    qtbot.wait(30)
    assert work.session.selection.community == group
    assert coloured((start, stop, group))
    assert not any(coloured(b) for b in matrix.bounds if b[2] != group)
    assert matrix.frame.xData.tolist() == [start, stop, stop, start, start]
    outside = next((b for b in matrix.bounds if b[2] < 0), None)
    if outside is not None:
        matrix._clicked(Click((outside[0] + outside[1]) / 2))
        assert work.session.selection.community is None


def test_another_component_has_its_own_brightest_value_and_another_level_the_same(dock, work, qtbot) -> None:
    matrix, components = dock.matrix, work.session.components

    def shown(**chosen) -> tuple[float, str]:
        work.session.select(**chosen)
        dock.flush()
        return matrix._top, matrix.high.text()

    first = shown(component=1, level=0)
    for number, level in ((1, 1), (2, 0), (1, 0)):
        top, text = shown(component=number, level=level)
        values = components.matrix(number).values
        values = values[np.ix_(*2 * [[components.neurons.index(n) for n in matrix.names]])]
        assert top == pytest.approx(np.percentile(values[np.isfinite(values) & (values > 0)], 99))
        assert text == f"{top:.2g}"
        assert ((top, text) == first) == (number == 1)


def test_the_strongest_pairs_are_those_of_all_pairs_sorted() -> None:
    from napari_dynamic_connectome.widgets.docks.communities_dock import _strongest

    draw = np.random.default_rng(0)
    names = [f"N{i}" for i in draw.permutation(12)]
    for inside in (np.arange(12), np.array([3, 7, 8, 1]), np.array([4]), np.zeros(0, int)):
        values = np.round(draw.random((12, 12)) * 4)  # many are equal
        values[draw.random((12, 12)) < 0.2] = np.nan
        wanted = [(values[a, b], names[a], names[b]) for i, a in enumerate(inside) for b in inside[i + 1 :]]
        wanted = sorted((one for one in wanted if np.isfinite(one[0])), reverse=True)[:5]
        assert _strongest(names, values, inside) == wanted
