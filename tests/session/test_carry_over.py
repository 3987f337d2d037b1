"""Corrections of a person go onto recordings that were read again; what cannot be carried is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

from napari_dynamic_connectome.session.carry_over import carry_over, corrected_cells, edits_state
from napari_dynamic_connectome.session.session import Session

sys.path.insert(0, str(Path(__file__).parent))
from session_sample import make_recording


def fresh(*names: str) -> Session:
    session = Session()
    for seed, name in enumerate(names):
        session.add(make_recording(name, seed))
    return session


def label_of(session: Session, worm: str, place: int) -> int:
    return int(session.recordings[worm].neurons["label"].iloc[place])


def corrected() -> Session:
    """Two worms: names, a note and a rejection in one, the other left out with its own stimuli."""
    session = fresh("worm 1", "worm 2")
    one, two, three = (label_of(session, "worm 1", k) for k in (4, 7, 0))
    session.edit("worm 1", {one: {"name": "ASEL"}}, text="name", who="ada")
    session.edit("worm 1", {one: {"name": "ASER"}, two: {"rejected": True}}, text="name", who="ada")
    session.edit("worm 1", {three: {"note": "dim"}}, text="note", who="eve")
    stimuli = pd.DataFrame({"name": ["odour"], "onset": [1.0], "offset": [2.0]})
    session.amend(session.recordings["worm 2"].replace(stimuli=stimuli), "edit stimuli")
    session.leave_out("worm 2", who="ada")
    return session


def test_cells_that_were_edited_are_told_with_their_last_value() -> None:
    session = corrected()
    one, two, three = (label_of(session, "worm 1", k) for k in (4, 7, 0))
    assert corrected_cells(session, "worm 1") == {
        one: {"name": "ASER"},
        two: {"rejected": True},
        three: {"note": "dim"},
    }
    assert corrected_cells(session, "worm 2") == {}


def test_all_corrections_are_done_again_and_nothing_else_is_changed() -> None:
    before, session = corrected(), fresh("worm 1", "worm 2")
    table = session.recordings["worm 1"].neurons
    assert edits_state(session) != edits_state(before)
    assert carry_over(before, session) == []
    assert edits_state(session) == edits_state(before)
    got, wanted = session.recordings["worm 1"].neurons, before.recordings["worm 1"].neurons
    assert got[["name", "rejected", "note"]].equals(wanted[["name", "rejected", "note"]])
    rest = ["label", "confidence", "z", "y", "x", "cell_class", "area"]
    assert got[rest].reset_index(drop=True).equals(table[rest].reset_index(drop=True))
    assert session.recordings["worm 2"].stimuli["name"].tolist() == ["odour"]
    assert session.recordings["worm 1"].stimuli.equals(before.recordings["worm 1"].stimuli)
    assert set(session.left_out) == {"worm 2"}
    (edit,) = [e for e in session.history if e.recording == "worm 1"]  # one, which can be undone
    assert edit.who == "eve" and edit.text == "carry over the corrections of 3 neurons"
    again = len(session.history)
    assert carry_over(before, session) == []
    cells = [e for e in session.history[again:] if e.changes]
    assert cells == []  # they are there already


def test_a_session_without_corrections_changes_nothing() -> None:
    session = fresh("worm 1", "worm 2")
    assert carry_over(fresh("worm 1", "worm 2"), session) == []
    assert session.history == [] or all(not e.changes for e in session.history)
    assert not session.left_out


def test_neurons_and_worms_that_are_gone_are_listed() -> None:
    before, session = corrected(), Session()
    recording = make_recording("worm 1", 0)
    keep = list(range(1, len(recording.neurons)))
    session.add(recording.replace(
        neurons=recording.neurons.iloc[keep], traces=recording.traces[:, keep], quality=recording.quality.iloc[keep]
    ))  # fmt: skip
    gone = label_of(before, "worm 1", 0)
    assert carry_over(before, session) == [
        f"neuron {gone} of worm 'worm 1' is not there any more (note dim)",
        "worm 'worm 2' is no longer among the inputs: 0 corrected neurons",
    ]
    assert "ASER" in session.recordings["worm 1"].named
    assert carry_over(before, fresh("other")) == [
        "worm 'worm 1' is no longer among the inputs: 3 corrected neurons",
        "worm 'worm 2' is no longer among the inputs: 0 corrected neurons",
    ]


def test_a_name_that_another_neuron_has_by_now_is_listed_and_the_others_are_carried() -> None:
    before, session = corrected(), fresh("worm 1", "worm 2")
    taker, one = label_of(session, "worm 1", 5), label_of(session, "worm 1", 4)
    session.edit("worm 1", {taker: {"name": "ASER"}}, text="name")
    (line,) = carry_over(before, session)
    assert line.startswith(f"neuron {one} of worm 'worm 1': ") and line.endswith("(name ASER)")
    table = session.recordings["worm 1"].neurons.set_index("label")
    assert table.loc[taker, "name"] == "ASER" and table.loc[one, "name"] == ""
    assert table.loc[label_of(session, "worm 1", 7), "rejected"] and table["note"].iloc[0] == "dim"


def test_worms_that_were_opened_by_hand_are_listed() -> None:
    before = fresh("worm 1", "guest")
    before.provenance = {"worms": ["worm 1"]}
    assert carry_over(before, fresh("worm 1")) == ["worm 'guest' was opened by hand and is not among the inputs"]
    assert carry_over(before, fresh("worm 1", "guest")) == []
    before.provenance = {"worms": "worm 1"}
    assert carry_over(before, fresh("worm 1")) == []


def test_what_an_analysis_depends_on_changes_with_every_decision_and_with_no_note() -> None:
    def state(change) -> list:
        session = fresh("worm 1", "worm 2")
        change(session)
        return edits_state(session)

    label = label_of(fresh("worm 1"), "worm 1", 4)
    states = [
        state(lambda s: None),
        state(lambda s: s.edit("worm 1", {label: {"name": "ASEL"}}, text="x")),
        state(lambda s: s.edit("worm 1", {label: {"confidence": 2.5}}, text="x")),
        state(lambda s: s.edit("worm 1", {label: {"rejected": True}}, text="x")),
        state(lambda s: s.leave_out("worm 1")),
        state(lambda s: s.leave_out("worm 2")),
        state(lambda s: s.amend(s.recordings["worm 1"].replace(stimuli=s.recordings["worm 1"].stimuli[:1]), "x")),
    ]
    assert all(one != other for k, one in enumerate(states) for other in states[:k])
    assert state(lambda s: s.edit("worm 1", {label: {"note": "dim"}}, text="x")) == states[0]
