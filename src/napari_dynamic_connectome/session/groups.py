"""Named groups of neurons: who belongs to them in a worm, and their table.

A group holds names, which mean the same neuron in every worm; a neuron without a name is held by its worm and label.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from ..model.recording import Recording
from .session import Session


def member_of(recording: Recording, neuron: str) -> str:
    """What a group keeps of a neuron (an id of a recording): its name; without one, "<worm> #<label>"."""
    row = recording.neurons.loc[neuron]
    return str(row["name"]) or f"{recording.name} #{int(row['label'])}"


def members_here(session: Session, name: str, recording: Recording) -> tuple[str, ...]:
    """Ids of the neurons of a recording that belong to a group, in its order."""
    held = set(session.groups.get(name, ()))
    ids = map(str, recording.neurons.index)
    return tuple(n for n in ids if member_of(recording, n) in held)


def groups_of(session: Session, recording: Recording) -> list[tuple[str, ...]]:
    """Names of the groups that each neuron of a recording belongs to."""
    sets = {name: set(held) for name, held in session.groups.items()}
    keys = [member_of(recording, str(n)) for n in recording.neurons.index]
    return [tuple(name for name, held in sets.items() if key in held) for key in keys]


def first_group(session: Session, recording: Recording) -> np.ndarray:
    """Place of the first group of each neuron among all groups, -1 for none."""
    order = {name: place for place, name in enumerate(session.groups)}
    return np.array([min((order[g] for g in own), default=-1) for own in groups_of(session, recording)], int)


def keep_group(session: Session, name: str, neurons: Iterable[str]) -> None:
    """Keep neurons of the current recording as a group; members that only other worms have stay in a group of that name."""
    recording = session.recording
    if recording is None:
        return
    here = [member_of(recording, n) for n in neurons if n in recording.neurons.index]
    known = {member_of(recording, str(n)) for n in recording.neurons.index}
    elsewhere = [m for m in session.groups.get(name.strip(), ()) if m not in known]
    session.set_group(name, [*here, *elsewhere])


def group_table(session: Session) -> pd.DataFrame:
    """One row a group, worm and neuron: group, worm, neuron, label; a member that no open worm has has no worm."""
    rows: list[tuple[str, str, str, int | None]] = []
    for name, held in session.groups.items():
        found = set()
        for worm, recording in session.recordings.items():
            for neuron in members_here(session, name, recording):
                found.add(member_of(recording, neuron))
                rows.append((name, worm, neuron, int(recording.neurons.loc[neuron, "label"])))
        rows += [(name, "", member, None) for member in held if member not in found]
    table = pd.DataFrame(rows, columns=["group", "worm", "neuron", "label"])
    return table.astype({"label": "Int64"})
