"""What a session holds: one field a thing. Copies, results, files and the opening of a session follow from these fields.

A new thing is one line of `SessionState`. `session.save_load` writes and reads it by its type; what is no text, number, mapping,
list of edits or result has two functions there, in `SPECIAL`. Its file has a new schema version (`session.schema`).
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, Literal
from uuid import uuid4

from ..model.cohort import Cohort
from ..model.opinions import BaselinePanel, SignedComparison
from ..model.recording import Recording
from ..model.results import Communities, CommunityKind, Components
from ..model.state_results import StatesResult
from ..model.truth import Truth
from .edits import Edit

Part = Literal["worms", "result", "opinion", "basis", "settings", "undo", "kept", "identity"]
"""What a field belongs to.

"worms" and "undo" are emptied when the recordings are read again, as are all results: "result" (what an analysis makes), "opinion"
(results of other methods: each is of a cohort of its own, and stays when the components are others) and their "basis" (what they
were made from). "settings" stay, but go with the results. "kept" stays; "identity" says which session it is, and where.
"""


@dataclass(frozen=True)
class Selection:
    """What is looked at: neurons (ids), community of the chosen component and level, time."""

    neurons: tuple[str, ...] = ()
    community: int | None = None
    component: int = 1
    kind: CommunityKind = "core"
    level: int = 0
    time_s: float = 0.0


def of(part: Part, *, stored: bool | str = True, signal: str = "") -> dict[str, Any]:
    """Return what is known about a field.

    Parameters
    ----------
    part : str
        See `Part`.
    stored : bool or str
        Whether it is in the file; under which key, if that is not its name.
    signal : str
        Which signal of `Session` says that it was replaced.
    """
    return {"part": part, "stored": stored, "signal": signal}


@dataclass(eq=False, repr=False)
class SessionState:
    """Everything that a session holds, in the order in which it is read: recordings before the cohort that they are in."""

    uid: str = field(default_factory=lambda: uuid4().hex, metadata=of("identity"))
    """Stays the same when the session is saved, moved or copied."""
    revisions: tuple[str, ...] = field(default_factory=tuple, metadata=of("identity"))
    """The saved states that this session comes from, the last one last; empty before the first save."""
    recordings: dict[str, Recording] = field(default_factory=dict, metadata=of("worms"))
    current: str | None = field(default=None, metadata=of("worms"))
    cohort: Cohort | None = field(default=None, metadata=of("result"))
    sweep: Any = field(default=None, metadata=of("result"))
    components: Components | None = field(default=None, metadata=of("result"))
    communities: dict[tuple[int, CommunityKind], Communities] = field(default_factory=dict, metadata=of("result"))
    surrogates: dict[int, tuple[Components, ...]] = field(
        default_factory=dict, metadata=of("result", signal="surrogates_changed")
    )
    """Components of surrogate cohorts, by rank: what components of this cohort are like by chance."""
    states: StatesResult | None = field(default=None, metadata=of("opinion", signal="states_changed"))
    """Switching states; of a cohort of their own, which need not be that of the components."""
    baselines: BaselinePanel | None = field(default=None, metadata=of("opinion", signal="opinions_changed"))
    """Groupings by static methods."""
    signed: SignedComparison | None = field(default=None, metadata=of("opinion", signal="opinions_changed"))
    """Signed loadings beside non-negative ones."""
    left_out: frozenset[str] = field(default_factory=frozenset, metadata=of("worms"))
    """Recordings that do not take part in the analysis."""
    raw: dict[str, Any] = field(default_factory=dict, metadata=of("worms"))
    """Traces before correction (time, neuron in the order of the labels), by recording, where they are known."""
    groups: dict[str, tuple[str, ...]] = field(default_factory=dict, metadata=of("kept", signal="groups_changed"))
    """Named groups of neurons; see `session.groups`."""
    view: dict[str, Any] = field(default_factory=dict, metadata=of("kept"))
    """How it was shown: camera, colours, what was visible."""
    selection: Selection = field(default_factory=Selection, metadata=of("kept"))
    settings: dict[str, Any] = field(default_factory=dict, metadata=of("settings"))
    made: dict[str, Any] = field(default_factory=dict, metadata=of("basis", stored="made_from"))
    """What the results were made from: "worms" (fingerprints), "components", "communities" (settings), "when" (the last one); and each of `OPINIONS` (see `Session.set_states`)."""
    touched: dict[str, dict[str, Any]] = field(default_factory=dict, metadata=of("worms"))
    """What was corrected since the traces of a recording were extracted: "labels" (ids), "voxel size", "rate" (words)."""
    provenance: dict[str, Any] = field(default_factory=dict, metadata=of("settings"))
    truth: Truth | None = field(default=None, metadata=of("worms"))
    history: list[Edit] = field(default_factory=list, metadata=of("kept", signal="history_changed"))
    done: list[Edit] = field(default_factory=list, metadata=of("undo", signal="history_changed"))
    undone: list[Edit] = field(default_factory=list, metadata=of("undo", signal="history_changed"))
    path: str | None = field(default=None, metadata=of("identity", stored=False))
    stored: dict[str, Recording] = field(default_factory=dict, metadata=of("identity", stored=False))
    """The recordings as they are in the file; another object under the same name is not saved yet."""
    references: dict[str, dict[str, Any]] = field(default_factory=dict, metadata=of("identity", stored=False))
    """Size and hash of volumes and labels when they were last seen, by "<recording>/volume" or "/labels"; in the file beside these."""

    def empty(self, *parts: Part) -> None:
        """Put everything of some parts back to what it is at first."""
        for one in fields_of(*parts):
            setattr(self, one.name, one.default if one.default_factory is MISSING else one.default_factory())

    def take(self, other: SessionState, *names: str) -> None:
        """Take fields of another state; later changes of its lists and mappings are its own."""
        for name in names:
            value = getattr(other, name)
            setattr(self, name, value.copy() if isinstance(value, (dict, list)) else value)


def fields_of(*parts: Part) -> list[Field[Any]]:
    """Return the fields of some parts, or all."""
    return [one for one in fields(SessionState) if not parts or one.metadata["part"] in parts]


def names_of(*parts: Part) -> tuple[str, ...]:
    """Return the names of the fields of some parts, or of all."""
    return tuple(one.name for one in fields_of(*parts))


def signals_of(*names: str) -> list[str]:
    """Return the signals that say that some fields were replaced, each once."""
    found = {one.name: str(one.metadata["signal"]) for one in fields_of()}
    return [signal for signal in dict.fromkeys(found[name] for name in names) if signal]


OPINIONS = names_of("opinion")
"""Results of other methods."""
RESULTS = names_of("result", "opinion")
"""What an analysis makes."""
