"""A connectome beside the communities: half of the matrix, lines on the worm, one sentence with effect, p and n."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = [pytest.mark.gui, pytest.mark.filled]


def write_connectome(path, pairs):
    lines = ["pre,post,type,synapses", *(f"{a},{b},{kind},{n}" for a, b, kind, n in pairs)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.fixture
def dock(add_dock, qtbot):
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock

    made = add_dock(CommunitiesDock)
    qtbot.wait(200)
    made.flush()
    return made


def test_a_connectome_takes_half_of_the_matrix_and_says_effect_p_and_n(dock, work, qtbot, tmp_path):
    names = list(work.session.components.neurons)
    pairs = [(a, b, "chemical", 1 + 5 * (i == 0)) for i, a in enumerate(names) for b in names[i + 1 : i + 3]]
    pairs += [(names[0], names[-1], "electrical", 2), (names[1], names[-2], "electrical", 1)]
    path = write_connectome(tmp_path / "wiring.csv", pairs)
    before = dock.matrix.image.image.copy()
    panel = dock.connectome
    assert "connectome" in panel.sentence.text()
    dock.connectome_fold.head.click()
    dock.setMaximumHeight(420)  # as low as docks get in a window of 1280 x 800
    panel.open(path)
    qtbot.waitUntil(lambda: panel.found is not None, timeout=60_000)
    qtbot.waitUntil(lambda: "p = " in panel.sentence.text() or "p < " in panel.sentence.text(), timeout=5000)
    assert f"{len(names)} neurons" in panel.sentence.text()
    # the dock is scrolled so that the whole sentence is seen
    qtbot.waitUntil(
        lambda: panel.sentence.visibleRegion().boundingRect().height() == panel.sentence.height(), timeout=5000
    )
    assert panel.choice.count() == 2 and panel.choice.currentText() == "chemical, wiring"
    after = dock.matrix.image.image
    below = np.tril(np.ones(after.shape[:2], bool), -1)
    assert (after[~below] == before[~below]).all() and (after[below] != before[below]).any()
    assert "below: chemical" in dock.matrix.text.text() and "chemical, wiring" in dock.matrix.text.toolTip()
    from napari_dynamic_connectome.widgets.views.matrix_view import sorted_names

    shown = sorted_names(work.session.components, work.session.shown_communities, work.session.selection.level)
    first, last = sorted((shown.index(names[0]), shown.index(names[1])))
    unlinked = next(
        (i, j)
        for i in range(len(shown))
        for j in range(i)
        if not {(shown[i], shown[j]), (shown[j], shown[i])} & {p[:2] for p in pairs}
    )
    background = after[unlinked].astype(int)
    assert np.abs(after[last, first].astype(int) - background).sum() > 50  # a connection is drawn, an absent one is not


def test_another_network_and_lines_are_chosen_and_synapses_lie_inside_and_between(dock, work, qtbot, tmp_path):
    from napari_dynamic_connectome.display.scene import connections
    from napari_dynamic_connectome.widgets.viewer.layers import EDGES

    found = work.session.shown_communities
    level = work.session.selection.level
    inside = list(found.members(0, level))
    outside = [n for n in found.neurons if n not in inside]
    pairs = [
        (inside[0], inside[1], "chemical", 9),
        (inside[0], outside[0], "chemical", 4),
        (outside[0], outside[1], "chemical", 7),
    ]
    pairs += [(a, b, "chemical", 1) for a, b in zip(found.neurons[::2], found.neurons[1::2])]
    panel = dock.connectome
    panel.open(write_connectome(tmp_path / "small.csv", pairs))
    qtbot.waitUntil(lambda: work.view.network is not None, timeout=60_000)
    work.session.select(community=0)
    qtbot.wait(200)
    lines = connections(work.session, work.scene.drawn, work.view.network)
    ids = [tuple(sorted((work.scene.drawn.ids[a], work.scene.drawn.ids[b]))) for a, b, _, _ in lines]
    kinds = dict(zip(ids, [(round(w, 2), i) for _, _, w, i in lines]))
    assert kinds[tuple(sorted((inside[0], inside[1])))][1] is True
    assert kinds[tuple(sorted((inside[0], outside[0])))][1] is False
    assert tuple(sorted((outside[0], outside[1]))) not in kinds
    plain = work.scene.layers.get(EDGES).data[0].copy()
    panel.synapses.click()
    qtbot.wait(200)
    layer = work.scene.layers.get(EDGES)
    assert layer.visible and (layer.data[0].shape != plain.shape or not np.allclose(layer.data[0], plain))
    assert len(np.unique(np.asarray(layer.vertex_colors)[:, :3].round(2), axis=0)) >= 2


def test_a_long_name_does_not_make_the_dock_wider(dock, work, qtbot, tmp_path):
    dock.connectome_fold.head.click()
    qtbot.wait(100)
    before = dock.body.minimumSizeHint().width()
    found = work.session.shown_communities
    pairs = [(a, b, "chemical", 1) for a, b in zip(found.neurons[::2], found.neurons[1::2])]
    panel = dock.connectome
    panel.open(write_connectome(tmp_path / f"{'reconstruction_of_an_adult_' * 4}.csv", pairs))
    qtbot.waitUntil(lambda: panel.found is not None, timeout=60_000)
    qtbot.wait(200)
    assert "reconstruction" in panel.choice.currentText()
    assert dock.body.minimumSizeHint().width() <= before + 4


def test_a_file_that_is_no_connectome_is_refused_and_nothing_changes(dock, work, qtbot, tmp_path, capsys):
    path = tmp_path / "odd.csv"
    path.write_text("a,b\n1,2\n")
    panel = dock.connectome
    job = panel.open(path)
    qtbot.waitUntil(lambda: job not in work.jobs.running, timeout=30_000)
    qtbot.wait(200)
    assert work.view.network is None and not panel.networks


def test_a_matrix_of_connections_asks_which_way_it_points(dock, work, qtbot, tmp_path, monkeypatch):
    from qtpy.QtCore import Qt, QTimer

    from napari_dynamic_connectome.widgets.workspace.import_sheet import ImportSheet

    names = list(work.session.components.neurons)[:6]
    wired = np.triu(np.ones((6, 6), int), 1) * 3
    rows = [",".join(["", *names]), *(",".join([n, *map(str, r)]) for n, r in zip(names, wired, strict=True))]
    path = tmp_path / "wired.csv"
    path.write_text("\n".join(rows) + "\n")
    run = ImportSheet.exec

    def person(sheet):
        box = sheet.answer.native
        for _ in range(2):  # "pre", then "post"
            qtbot.keyClick(box, Qt.Key.Key_Down)
        qtbot.keyClick(box, Qt.Key.Key_Return)
        qtbot.keyClick(sheet.import_button, Qt.Key.Key_Return)

    def shown(sheet):
        QTimer.singleShot(0, lambda: person(sheet))
        return run(sheet)

    monkeypatch.setattr(ImportSheet, "exec", shown)
    dock.connectome.open(path)
    qtbot.waitUntil(lambda: work.view.network is not None, timeout=60_000)
    network = work.view.network
    assert network.title == "chemical, wired"
    assert float(network.weight.sel(source=names[1], target=names[0])) == 3  # rows are postsynaptic
    assert float(network.weight.sel(source=names[0], target=names[1])) == 0
