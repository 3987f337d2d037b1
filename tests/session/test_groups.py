"""Named groups: who belongs to them in which worm, what survives saving, crashes and renaming, and their table."""

from __future__ import annotations

import numpy as np
import pytest
from tests.widgets.helpers import fill

from napari_dynamic_connectome.display.features import GROUPS, columns, group_legend, neuron_features, painted
from napari_dynamic_connectome.display.palette import UNASSIGNED, category, rgb
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.session.groups import group_table, keep_group, member_of, members_here
from napari_dynamic_connectome.session.journal import Journal
from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session


@pytest.fixture
def session() -> Session:
    made = Session()
    fill(made)
    made.set_current("worm A")
    return made


def test_names_hold_in_all_worms_and_others_in_their_own(session) -> None:
    keep_group(session, " command ", ["AVAL", "RIML", "#13"])
    assert session.groups == {"command": ("AVAL", "RIML", "worm A #13")}
    a, b = (session.recordings[w] for w in ("worm A", "worm B"))
    assert members_here(session, "command", a) == ("AVAL", "RIML", "#13")
    assert members_here(session, "command", b) == ("AVAL", "RIML")
    session.name_neuron(13, "RIS")  # held by its label: it has a name now
    assert member_of(session.recording, "RIS") == "RIS"
    session.set_current("worm B")
    keep_group(session, "command", ["AVAR"])  # what this worm does not have stays
    assert session.groups["command"] == ("AVAR", "worm A #13")
    session.set_group("command", ())
    assert session.groups == {}
    for name in ("", "x" * 500, "a\nb"):
        with pytest.raises(InputError, match="group"):
            session.set_group(name, ["AVAL"])


def test_the_table_the_features_and_the_colours(session) -> None:
    keep_group(session, "one", ["AVAL"])
    keep_group(session, "two", ["AVAL", "RIML", "#13"])
    session.set_group("gone", ["I1L"])
    table = group_table(session)
    rows = list(table[["group", "worm", "neuron"]].itertuples(index=False, name=None))
    assert rows == [
        ("one", "worm A", "AVAL"), ("one", "worm B", "AVAL"), ("two", "worm A", "AVAL"), ("two", "worm A", "RIML"),
        ("two", "worm A", "#13"), ("two", "worm B", "AVAL"), ("two", "worm B", "RIML"), ("gone", "", "I1L"),
    ]  # fmt: skip
    features = neuron_features(session).set_index("neuron")["groups"]
    assert (features["AVAL"], features["RIML"], features["AIBL"]) == ("one, two", "two", "")
    assert GROUPS in columns(session)
    colours = painted(session, GROUPS, True)
    ids = list(session.recording.neurons.index)
    np.testing.assert_allclose(colours[ids.index("AVAL")], rgb(category(0, True)))
    np.testing.assert_allclose(colours[ids.index("RIML")], rgb(category(1, True)))
    np.testing.assert_allclose(colours[ids.index("AIBL")], rgb(UNASSIGNED[True]))
    assert [text for text, _ in group_legend(session, True)] == ["one", "two", "in no group"]


def test_groups_survive_a_save_and_a_crash(session, tmp_path) -> None:
    from napari_dynamic_connectome.report.tables import write_tables

    keep_group(session, "one", ["AVAL", "#13"])
    path = save_session(session, tmp_path / "s.zarr")
    loaded = load_session(path)
    assert loaded.groups == session.groups
    assert [e.action for e in loaded.history][-1] == "group"
    assert "groups.csv" in {p.name for p in write_tables(loaded, tmp_path / "tables")}
    journal = Journal.attach(loaded)
    loaded.set_group("one", ["AVAR"])
    loaded.set_group("two", ["RIML"])
    journal._file.close()  # as if the program was gone
    journal.lock.release()
    again = load_session(path)
    journal = Journal.attach(again)
    assert [p.edit.action for p in journal.pending] == ["group", "group"]
    assert journal.recover() == [] and again.groups == {"one": ("AVAR",), "two": ("RIML",)}
    journal.close()


def test_groups_are_undone_and_redone_among_other_edits(session) -> None:
    states = [dict(session.groups)]
    told: list[int] = []
    session.groups_changed.connect(lambda: told.append(1))
    for change in (
        lambda: session.set_group("one", ["AVAL"]),
        lambda: session.set_group("two", ["RIML"]),
        lambda: session.name_neuron(13, "RIS"),
        lambda: session.rename_group("one", " 1 "),
        lambda: session.set_group("1", ["AVAL", "AVAR"]),
        lambda: session.set_group("1", ()),
    ):
        change()
        states.append(dict(session.groups))
    assert list(states[4]) == ["1", "two"]  # another name keeps its place, and so its colour
    assert session.done[-1].text == "remove group 1" and session.done[3].text == "rename group one to 1"
    assert len(told) == 5
    for state in reversed(states[:-1]):
        assert session.undo() is not None
        assert list(session.groups.items()) == list(state.items())  # their order, too
    assert session.undo() is None and "RIS" not in session.recording.neurons.index
    for state in states[1:]:
        assert session.redo() is not None
        assert list(session.groups.items()) == list(state.items())
    assert session.redo() is None
    assert [e.action for e in session.history] == [*["group"] * 2, "edit", *["group"] * 3, *["undo"] * 6, *["redo"] * 6]
    session.undo()
    session.set_group("three", ["AIBL"])
    assert session.redo() is None  # a new change ends what could be done again
    for bad, why in (("gone", "no group"), ("two", "already"), ("", "needs a name")):
        with pytest.raises(InputError, match=why):
            session.rename_group("three" if bad != "gone" else bad, bad)


def test_undone_groups_survive_a_save_and_a_crash(session, tmp_path) -> None:
    session.set_group("one", ["AVAL"])
    session.rename_group("one", "first")
    session.undo()
    path = save_session(session, tmp_path / "s.zarr")
    loaded = load_session(path)
    assert loaded.groups == {"one": ("AVAL",)} and [e.text for e in loaded.undone] == ["rename group one to first"]
    journal = Journal.attach(loaded)
    loaded.redo()
    loaded.set_group("first", ())
    loaded.undo()
    journal._file.close()  # as if the program was gone
    journal.lock.release()
    again = load_session(path)
    journal = Journal.attach(again)
    assert [p.edit.action for p in journal.pending] == ["redo", "group", "undo"]
    assert journal.recover() == [] and again.groups == {"first": ("AVAL",)}
    assert [e.text for e in again.done] == ["group one: 1 neuron", "rename group one to first"]
    assert again.redo().text == "remove group first" and again.groups == {}
    journal.close()


def test_a_group_edit_that_does_not_fit_is_refused(session) -> None:
    from dataclasses import replace

    session.set_group("one", ["AVAL"])
    edit = session.history[-1]
    with pytest.raises(InputError, match="does not fit the present groups"):
        session.replay(edit)  # the group is there already
    with pytest.raises(InputError, match="holds no members"):
        session.replay(replace(edit, changes=((0, "two", 5, ("AVAL",)),)))
    assert session.groups == {"one": ("AVAL",)}


def test_a_window_that_only_looks_changes_no_group(session, tmp_path) -> None:
    path = save_session(session, tmp_path / "s.zarr")
    first, second = load_session(path), load_session(path)
    journals = [Journal.attach(first), Journal.attach(second)]
    assert journals[1].read_only
    with pytest.raises(InputError, match="open in another window"):
        second.set_group("one", ["AVAL"])
    assert second.groups == {} and second.history == first.history
    for journal in journals:
        journal.close()
