"""Edits of neuron tables and of the session: who changed what, when; which cells may be edited, and to what."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np

from ..model.errors import InputError
from ..model.neurons import normalize
from ..model.recording import MAX_NAME_LENGTH

Action = Literal["edit", "undo", "redo", "replace", "open", "close", "results", "rank", "group"]
WHOLE: frozenset[Action] = frozenset({"open", "close", "results", "rank"})
"""What is done to the session as a whole. It is kept like an edit, but not refused where it cannot be kept."""
EDITABLE = ("name", "confidence", "rejected", "note")
MAX_NOTE_LENGTH = 10_000
"""Characters of a note."""
LEFT_OUT = "left_out"
"""Column of an edit (label 0) that leaves a whole worm out of the analysis, or takes it in again."""


@dataclass(frozen=True)
class Edit:
    """One change of one cell or several cells of a neuron table.

    Parameters
    ----------
    recording : str
    changes : tuple of (label, column, old, new)
    who : str
    when : str
        ISO 8601, UTC.
    text : str
        What was done, in words ("name neuron 12 AVAL").
    action : {"edit", "undo", "redo", "replace", "open", "close", "results", "rank", "group"}
        Whether it was done for the first time, taken back, or done again; the undo history is rebuilt from it. "replace"
        (without changes): the recording itself was extracted or corrected again. "open", "close": it was added or taken out.
        "results", "rank" (of no recording): results were made; another rank of the sweep was chosen. "group" (of no recording): a
        named group of neurons was kept, changed, renamed or removed: (place among the groups, name, members before, members after),
        two such changes for another name.
    """

    recording: str
    changes: tuple[tuple[int, str, Any, Any], ...]
    who: str
    when: str
    text: str
    action: Action = "edit"

    @property
    def of_groups(self) -> bool:
        """Whether it changes named groups, or takes such a change back."""
        return not self.recording and self.action in ("group", "undo", "redo")

    def inverse(self) -> Edit:
        """The edit that takes this one back."""
        back = tuple((label, column, new, old) for label, column, old, new in reversed(self.changes))
        return Edit(self.recording, back, self.who, now(), f"undo: {self.text}", "undo")


def now() -> str:
    """Return the present time, ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def user() -> str:
    """Login name, or "unknown"."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def clean(column: str, value: Any) -> Any:
    """Return a value as a cell of that column holds it; what the column cannot hold is an `InputError`."""
    if column == "name":
        name = str(value or "").strip()
        name = normalize(name) or name
        if len(name) > MAX_NAME_LENGTH:
            raise InputError(f"the name has {len(name)} characters", fix=f"The limit is {MAX_NAME_LENGTH}.")
        if name.startswith("#"):
            raise InputError("a name cannot begin with '#'", fix="'#' marks unnamed neurons.")
        if any(not c.isprintable() for c in name):
            raise InputError("the name has characters that cannot be printed")
        return name
    if column == "rejected":
        return bool(value)
    if column == "confidence":
        number = float("nan") if value is None or value == "" else float(value)
        if np.isinf(number) or number < 0:
            raise InputError(f"confidence {value} is not a number from 0 up")
        return number
    text = str(value)
    if len(text) > MAX_NOTE_LENGTH:
        raise InputError(f"the note has {len(text)} characters", fix=f"The limit is {MAX_NOTE_LENGTH}.")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError("the note has characters that no file can hold", fix="Type it again.") from None
    return text


def plain(value: Any) -> Any:
    """Return a number of numpy as one of Python."""
    return value.item() if isinstance(value, np.generic) else value


def same_value(a: Any, b: Any) -> bool:
    """Whether two cells of a neuron table hold the same value; NaN is the same as NaN."""
    return bool(a == b or (isinstance(a, float) and isinstance(b, float) and np.isnan(a) and np.isnan(b)))


def describe(steps: Iterable[tuple[int, str, Any, Any]]) -> str:
    """Return in words what changes of (label, column, old, new) do."""
    words = []
    for label, column, old, new in steps:
        if column == "name":
            words.append(f"name neuron {label} {new}" if new else f"take the name {old} from neuron {label}")
        elif column == "rejected":
            words.append(f"{'reject' if new else 'keep'} neuron {label}")
        else:
            words.append(f"set {column} of neuron {label}")
    return ", ".join(words)
