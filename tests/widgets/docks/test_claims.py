"""What the docks say and draw about chance: nothing found, background, unsure and overlapping neurons, corrected p."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from qtpy.QtWidgets import QLabel
from tests.widgets.helpers import NAMES, cohort, communities, components

from napari_dynamic_connectome.model.evidence import SUPPORT, Chance
from napari_dynamic_connectome.model.results import RankSweep

pytestmark = pytest.mark.gui


def nothing(worms):
    """What an analysis leaves where nothing exceeds chance."""
    from napari_dynamic_connectome.pipeline.chance import no_components

    one = components(worms, 1)
    table = pd.DataFrame({"rank": [1], "error": [0.9], "error_min": [0.9], "held_out": [0.95], "held_out_se": [0.01]})
    table["similarity"], table["core_consistency"] = 1.0, 100.0
    reason = "No structure beyond chance: time-shifted cohorts are predicted as well."
    by_chance = pd.DataFrame(
        {"rank": [1.0], "chance_held_out": [0.95], "chance_held_out_low": [0.94], "chance_held_out_high": [0.96]}
    )
    choices = pd.DataFrame(
        {"varied": ["start", "start", "worm left out"], "which": ["1", "2", "worm A"], "rank": [0, 0, 1]}
    )
    sweep = RankSweep(table, 0, reason, {1: one}, chance=Chance(table=by_chance), choices=choices)
    return sweep, no_components(one, reason)


def judged(worms):
    """Communities of which one is claimed, with neurons in all states."""
    found = communities(worms)
    level = found.chosen_level
    labels = found.labels.copy()
    labels[level] = [0 if NAMES.index(n) < 6 else 1 if NAMES.index(n) < 9 else -1 for n in found.neurons]
    state = labels.astype(object).copy()
    words = (
        dict.fromkeys(NAMES, "member")
        | {"AVAR": "unsure", "RIML": "overlapping"}
        | dict.fromkeys(NAMES[9:], "background")
    )
    for row in range(found.n_levels):
        state[row] = [words[n] for n in found.neurons]
    columns = ["p_value", "q_value", "statistic", "inside", "outside", "ratio", "ratio_low", "ratio_high"]
    claims = pd.DataFrame(
        [[0.001, 0.004, 9.0, 2.0, 0.5, 4.0, 3.0, 5.5], [0.01, 0.02, 5.0, 1.0, 0.5, 2.0, 1.5, 2.5]],
        columns=columns, index=pd.Index([0, 1], name="community"),
    )  # fmt: skip
    overlaps = pd.DataFrame({"neuron": ["RIML"], "community": [0], "other": [1], "pull": [0.7]})
    answer = "2 groups of 6 and 3 neurons act together in component 1; the other 3 are background."
    return replace(found, labels=labels, state=state, claims=claims, overlaps=overlaps, answer=answer)


@pytest.fixture
def viewer(reused_viewer):
    return reused_viewer


@pytest.mark.parametrize("kept", [True, False], ids=["rank 0", "no components"])
def test_nothing_beyond_chance_is_said_everywhere_and_nothing_is_coloured(add_dock, work, qtbot, kept) -> None:
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock
    from napari_dynamic_connectome.widgets.docks.components_dock import ComponentsDock

    docks = {}
    for kind in (ComponentsDock, CommunitiesDock):
        docks[kind.__name__] = add_dock(kind)
    qtbot.wait(100)
    worms = cohort()
    for one in worms.recordings:
        work.session.add(one, make_current=True)
    work.session.set_cohort(worms)
    sweep, none = nothing(worms)
    work.session.set_sweep(sweep)
    work.session.set_components(none if kept else None)
    qtbot.wait(400)
    for name in ("ComponentsDock", "CommunitiesDock"):
        assert "no structure beyond chance" in docks[name].empty.text().lower()
        assert not docks[name].empty.isHidden()
    assert docks["CommunitiesDock"].body.isHidden() and docks["CommunitiesDock"].find_button.isHidden()
    assert not docks["ComponentsDock"].cards
    shown = docks["ComponentsDock"].sweep_view.reason.text()
    assert "over starts: 2 x 0" in shown and "leaving a worm out: 1 x 1" in shown
    for key in ("strength", "probability", "activity", "community"):
        work.view.set(color_by=key)
        qtbot.wait(60)
    drawn = work.scene.drawn
    assert not drawn.styles and not drawn.ring_width.any() and (drawn.community == -1).all()


@pytest.mark.filled
def test_members_background_unsure_and_overlapping_look_different(viewer, work, qtbot) -> None:
    found = judged(cohort())
    work.session.set_communities({(1, "core"): found})
    work.session.select(component=1, kind="core", level=found.chosen_level)
    qtbot.wait(300)
    drawn = work.scene.drawn
    at = {n: i for i, n in enumerate(drawn.ids)}
    member, unsure, both, background = (at[n] for n in ("AVAL", "AVAR", "RIML", "SMDVR"))
    assert not np.allclose(drawn.base[member], drawn.base[unsure]) and drawn.ring_width[unsure] > 0
    np.testing.assert_allclose(drawn.base[member], drawn.base[both])
    assert drawn.ring_width[both] > drawn.ring_width[unsure] and drawn.ring_width[member] == 0
    other = drawn.base[at["SMDVL"]]
    np.testing.assert_allclose(drawn.ring[both], other)  # the colour of its second community
    assert np.ptp(drawn.base[background]) < 0.1  # grey
    layer = viewer.layers["neurons"]
    np.testing.assert_allclose(np.asarray(layer.border_width), drawn.ring_width[drawn.shown], atol=1e-6)
    work.session.select(kind="modules")
    qtbot.wait(200)
    assert not np.asarray(viewer.layers["neurons"].border_width).any()


@pytest.mark.filled
def test_the_answer_comes_first_and_p_values_are_corrected(add_dock, work, qtbot) -> None:
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock

    dock = add_dock(CommunitiesDock)
    found = judged(cohort())
    work.session.set_communities({(1, "core"): found})
    work.session.select(component=1, kind="core", level=found.chosen_level, community=0)
    qtbot.wait(300)
    assert dock.answer.text() == found.answer
    rows = dock.table.rows_model.rows
    assert [r["p"] for r in rows if r["community"] is not None] == [0.004, 0.02]
    assert rows[-1]["members"] == ["background"]
    assert "4.0 x outside (3.0 to 5.5)" in dock.facts.text()


@pytest.mark.filled
def test_cards_say_what_speaks_for_a_component(add_dock, work, qtbot) -> None:
    from napari_dynamic_connectome.widgets.docks.components_dock import ComponentsDock

    dock = add_dock(ComponentsDock)
    support = pd.DataFrame(np.nan, index=pd.Index([1, 2], name="component"), columns=list(SUPPORT)).astype(
        {"warning": object}
    )
    support["background"], support["warning"] = [False, True], ["one worm carries it (63 % of its power)", ""]
    support.loc[1, ["p_value", "worms", "worms_in_all"]] = [0.004, 2, 2]
    work.session.set_components(replace(work.session.components, support=support))
    qtbot.wait(300)
    assert [c.note for c in dock.cards] == ["p .004 !", "background"]
    assert "One worm carries it" in dock.cards[0].toolTip() and "Background" in dock.cards[1].toolTip()


@pytest.mark.filled
def test_two_sides_of_one_group_are_seen_in_the_table_and_in_the_facts(viewer, add_dock, work, qtbot) -> None:
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock

    dock = add_dock(CommunitiesDock)
    found = replace(judged(cohort()), kind="core")

    def seen() -> tuple[list[str], str]:
        qtbot.wait(50)
        dock.flush()
        rows = dock.table.rows_model.rows
        facts = " ".join(label.text() for label in dock.findChildren(QLabel))
        return [r["label"] for r in rows if r["community"] is not None], f"{rows[0]['tip']} {facts}"

    for claims, arrow in (
        (found.claims, False),
        (found.claims.assign(side_of=[np.nan, np.nan], side_in="", p_sides=0.4), False),
        (found.claims.assign(side_of=[1.0, 0.0], side_in="core", p_sides=0.002), True),
    ):
        work.session.set_communities({(1, "core"): replace(found, claims=claims)})
        work.session.select(component=1, kind="core", level=found.chosen_level, community=0)
        labels, said = seen()
        assert len(labels) == 2 and all(("⇄" in label) == arrow for label in labels)
        assert ("the other falls" in said) == arrow and ("two sides of one group" in said) == arrow
    assert labels[0].split(" ⇄ ") == labels[1].split(" ⇄ ")[::-1]
    elsewhere = found.claims.assign(side_of=[0.0, np.nan], side_in=["modules", ""], p_sides=[0.002, np.nan])
    work.session.set_communities({(1, "core"): replace(found, claims=elsewhere)})
    labels, said = seen()
    assert [label.endswith(" ⇄ modules") for label in labels] == [True, False] and "a group of modules" in said


@pytest.mark.filled
def test_neurons_that_move_against_a_group_are_seen_in_the_table_and_in_the_facts(
    viewer, add_dock, work, qtbot
) -> None:
    from napari_dynamic_connectome.widgets.docks.communities_dock import CommunitiesDock

    dock = add_dock(CommunitiesDock)
    found = replace(judged(cohort()), kind="core")
    claims = found.claims.assign(opposed=["AVBL RIBR", ""], p_opposed=[0.003, 0.6])
    work.session.set_communities({(1, "core"): replace(found, claims=claims)})
    seen = []
    for community in (0, 1):
        work.session.select(component=1, kind="core", level=found.chosen_level, community=community)
        qtbot.wait(50)
        dock.flush()
        seen.append(" ".join(label.text() for label in dock.findChildren(QLabel)))
    labels = [r["label"] for r in dock.table.rows_model.rows if r["community"] is not None]
    assert [label.endswith("⇅2") for label in labels] == [True, False]
    assert "AVBL RIBR: these move against it" in dock.table.rows_model.rows[0]["tip"]
    assert "move against it" in seen[0] and "AVBL RIBR (p .003)" in seen[0] and "move against it" not in seen[1]
