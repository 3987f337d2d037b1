"""What a person corrected in a session, put onto recordings that were read or extracted again.

In: the session before, and the same session with its new recordings. Out: what could not be carried over, in words.
"""

from __future__ import annotations

from typing import Any

from ..model.errors import InputError
from ..model.recording import Recording
from .edits import EDITABLE, same_value
from .session import Session

EDITED_STIMULI = "edit stimuli"


def corrected_cells(session: Session, recording: str) -> dict[int, dict[str, Any]]:
    """Return the cells of a neuron table that somebody edited, with their present values.

    Parameters
    ----------
    session : Session
    recording : str

    Returns
    -------
    dict of int to dict
        label -> {column: value}.
    """
    table = session.recordings[recording].neurons.set_index("label")
    touched: dict[int, dict[str, Any]] = {}
    for edit in session.history:
        if edit.recording != recording:
            continue
        for label, column, _, _ in edit.changes:
            if column in EDITABLE and int(label) in table.index:
                touched.setdefault(int(label), {})[column] = table.loc[int(label), column]
    return touched


def carry_over(before: Session, session: Session) -> list[str]:
    """Do the corrections of an earlier state again on the recordings that a session has now.

    Names, confidences, rejections and notes go by worm and label; worms that were left out stay so; stimuli that were edited
    replace those of the file. What was edited last wins over the file.

    Parameters
    ----------
    before : Session
        As it was.
    session : Session
        With the new recordings; it is changed, each worm by one edit, which can be undone.

    Returns
    -------
    list of str
        What could not be carried over, a line each; empty as a rule.
    """
    lost: list[str] = []
    for name, old in before.recordings.items():
        cells = corrected_cells(before, name)
        if name not in session.recordings:
            if cells or name in before.left_out:
                lost.append(f"worm '{name}' is no longer among the inputs: {len(cells)} corrected neurons")
            continue
        lost += _carry_cells(session, name, cells, _last_editor(before, name))
        if any(e.recording == name and e.text == EDITED_STIMULI for e in before.history):
            session.amend(session.recordings[name].replace(stimuli=old.stimuli), EDITED_STIMULI)
        if name in before.left_out:
            session.leave_out(name, who=_last_editor(before, name))
    lost += [f"worm '{n}' was opened by hand and is not among the inputs" for n in _by_hand(before, session)]
    return lost


def _carry_cells(session: Session, name: str, cells: dict[int, dict[str, Any]], who: str) -> list[str]:
    table = session.recordings[name].neurons.set_index("label")
    lost = [
        f"neuron {label} of worm '{name}' is not there any more ({_said(values)})"
        for label, values in cells.items()
        if label not in table.index
    ]
    changes = {
        label: {c: v for c, v in values.items() if not same_value(table.loc[label, c], v)}
        for label, values in cells.items()
        if label in table.index
    }
    changes = {label: values for label, values in changes.items() if values}
    if not changes:
        return lost
    text = f"carry over the corrections of {len(changes)} neurons"
    try:
        session.edit(name, changes, text=text, who=who)
    except InputError:
        # one does not fit (another neuron has the name now): the others still do
        for label, values in changes.items():
            try:
                session.edit(name, {label: values}, text=f"carry over the corrections of neuron {label}", who=who)
            except InputError as error:
                lost.append(f"neuron {label} of worm '{name}': {error.what} ({_said(values)})")
    return lost


def _said(values: dict[str, Any]) -> str:
    return ", ".join(f"{column} {value}" for column, value in values.items())


def _last_editor(session: Session, name: str) -> str:
    return next((e.who for e in reversed(session.history) if e.recording == name), "")


def _by_hand(before: Session, session: Session) -> list[str]:
    made = before.provenance.get("worms")
    if not isinstance(made, (list, tuple)):
        return []
    return [n for n in before.recordings if n not in made and n not in session.recordings]


def edits_state(session: Session) -> list[Any]:
    """Return all of a person's decisions that an analysis depends on, as plain values.

    Parameters
    ----------
    session : Session
    """
    found: list[Any] = [sorted(session.left_out)]
    for name, recording in session.recordings.items():
        found.append([name, _decisions(recording)])
    return found


def _decisions(recording: Recording) -> list[Any]:
    table = recording.neurons
    cells = zip(table["label"], table["name"], table["confidence"], table["rejected"], strict=True)
    stimuli = [[str(n), float(a), float(b)] for n, a, b in recording.stimuli[["name", "onset", "offset"]].to_numpy()]
    return [[[int(k), str(n), str(c), bool(r)] for k, n, c, r in cells], stimuli]
