"""What is older than what: results beside the names, traces, worms, stimuli and settings that they were made from.

Goes in: a session, and the settings that the next analysis would use. Comes out: a `Freshness`, which says in words what changed
since, and what has to be done again. Nothing is computed again here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..model.recording import Recording
from ..model.text import counted
from .fingerprints import Print, components_print, main_print, recording_print
from .session import COMMUNITY_SETTINGS, COMPONENT_SETTINGS, Session

Result = Literal["traces", "components", "communities", "states", "baselines", "signed"]

WORDS = {
    "seed": "the seed",
    "cohort": "the settings of worms and neurons",
    "confounds": "the settings of confounds",
    "affinity": "the affinity settings",
    "rank": "the rank settings",
    "factorization": "the factorization settings",
    "chance": "the settings of chance",
    "communities": "the settings of communities",
    "kinds": "the kinds of communities",
    "states": "the settings of states",
    "baselines": "the settings of static methods",
}
"""Settings in words."""
OPINION_WORDS: dict[Result, str] = {
    "states": "States",
    "baselines": "Static methods",
    "signed": "Signed loadings",
}
"""Results of other methods in words, in the order in which they are done again."""


ASK_IT = "Analyze again to ask it."
"""After what an earlier version did not ask."""


@dataclass(frozen=True)
class Change:
    """One thing that changed after a result was made.

    Parameters
    ----------
    what : str
        "names", "rejected", "traces", "stimuli", "behaviour", "worms", "settings", "labels", "voxel size", "rate", or "questions"
        that an earlier version did not ask.
    text : str
        As it stands after "older than": "3 names of worm2".
    worm : str
        Whose; "" for settings.
    count : int
        How many neurons.
    """

    what: str
    text: str
    worm: str = ""
    count: int = 1


@dataclass(frozen=True)
class Freshness:
    """What changed since the results of a session were made, by result; all empty where everything is up to date.

    Parameters
    ----------
    traces : tuple of Change
        Labels, voxel sizes and rates that traces are older than.
    components : tuple of Change
        What components, the rank sweep and chance are older than, and so the communities.
    communities : tuple of Change
        What only the communities are older than.
    states : tuple of Change
        What the switching states are older than; "components": only their agreement with components is.
    baselines, signed : tuple of Change
        What the static methods, and the signed loadings, are older than.
    """

    traces: tuple[Change, ...] = ()
    components: tuple[Change, ...] = ()
    communities: tuple[Change, ...] = ()
    states: tuple[Change, ...] = ()
    baselines: tuple[Change, ...] = ()
    signed: tuple[Change, ...] = ()

    @property
    def stale(self) -> tuple[Result, ...]:
        """What has to be made again, in the order of the steps."""
        found: list[Result] = ["traces"] if self.traces else []
        if self.components:
            found += ["components", "communities"]
        elif self.communities:
            found.append("communities")
        return (*found, *(which for which in OPINION_WORDS if getattr(self, which)))

    @property
    def lines(self) -> list[str]:
        """What is older than what, a sentence each; empty where everything is up to date."""
        found = []
        for worm in dict.fromkeys(c.worm for c in self.traces):
            found.append(f"Traces of {worm} are older than {joined(c.text for c in self.traces if c.worm == worm)}.")
        if self.components:
            ask = f" {ASK_IT}" if any(c.what == "questions" for c in self.components) else ""
            found.append(f"Components and communities are older than {joined(c.text for c in self.components)}.{ask}")
        if self.communities:
            found.append(f"Communities are older than {joined(c.text for c in self.communities)}.")
        for which, words in OPINION_WORDS.items():
            if getattr(self, which):
                found.append(f"{words} are older than {joined(c.text for c in getattr(self, which))}.")
        return found

    @property
    def summary(self) -> str:
        """The same in few words: where more than two things changed, they are counted over the worms."""
        found = []
        if self.components:
            found.append(f"Components and communities are older than {_short(self.components + self.communities)}.")
        elif self.communities:
            found.append(f"Communities are older than {_short(self.communities)}.")
        for which, words in OPINION_WORDS.items():
            if getattr(self, which):
                found.append(f"{words} are older than {_short(getattr(self, which))}.")
        if self.traces:
            found.append(f"Traces are older than {_short(self.traces)}.")
        return " ".join(found)

    @property
    def text(self) -> str:
        """All in one paragraph; "" where everything is up to date."""
        return " ".join(self.lines)


LEFT_FREE = ("fit", "signed", "threads")
"""Settings of states and of static methods that do not change them."""
OPINION_SETTINGS = {
    "states": ("cohort", "states"),
    "baselines": ("cohort", "baselines"),
    "signed": ("cohort", "affinity", "confounds"),
}
"""Tables of the settings that results of other methods depend on."""


def freshness(session: Session, wanted: Mapping[str, Any] | None = None) -> Freshness:
    """Compare the results of a session with its present content.

    Parameters
    ----------
    session : Session
    wanted : mapping, optional
        Settings that the next analysis would use, by table of `PipelineSettings`, as plain values; tables that are not given
        count as unchanged.

    Returns
    -------
    Freshness
        Empty for a session without results, or of which it is not known what they were made from.
    """
    traces = tuple(c for name in session.recordings for c in _traces(session, name))
    others = {which: tuple(_opinion(session, which, wanted)) for which in OPINION_WORDS}
    if session.components is None and session.sweep is None:
        return Freshness(traces=traces, **others)
    made = session.made
    changes = _data(session, made.get("worms", {}), made.get("components") or {}) if "worms" in made else []
    changes += _settings(made.get("components"), wanted, COMPONENT_SETTINGS)
    if session.components is not None and session.components.unasked:
        changes.append(Change("questions", f"the question {session.components.unasked}"))
    own: list[Change] = []
    if session.communities:
        own = _settings(made.get("communities"), wanted, COMMUNITY_SETTINGS)
    return Freshness(traces, tuple(changes), tuple(own), **others)


def _opinion(session: Session, which: Result, wanted: Mapping[str, Any] | None) -> list[Change]:
    """What a result of another method is older than; stimuli concern signed loadings alone, whose affinity may be aligned by them."""
    made = session.made.get(which)
    if getattr(session, which) is None or not made:
        return []
    tables = OPINION_SETTINGS[which]
    own = made["settings"] if which == "signed" else {which: made["settings"]}
    held = _comparable({"cohort": made["cohort"], **own})
    found = [c for c in _data(session, made["worms"], held) if which == "signed" or c.what != "stimuli"]
    found += _settings(held, _comparable({k: v for k, v in (wanted or {}).items() if k in tables}), tables)
    if session.components is not None:
        if which == "signed" and made["components"] != str(session.components.rank):
            found.append(Change("rank", f"the choice of {counted(session.components.rank, 'component')}"))
        elif which == "states" and made["components"] != components_print(session.components):
            found.append(Change("components", "the components"))
        elif which == "baselines" and made["components"] != main_print(session.components, session.communities):
            found.append(Change("components", "the components and communities"))
    return found


def _comparable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Tables of settings without what changes no result of another method; `signed` has a sign of its own."""
    drop = {"states": LEFT_FREE, "baselines": LEFT_FREE, "affinity": ("sign",)}
    return {k: {n: v for n, v in dict(held).items() if n not in drop.get(k, ())} for k, held in settings.items()}


def _traces(session: Session, worm: str) -> list[Change]:
    touched = session.touched.get(worm, {})
    found = []
    labels = touched.get("labels", ())
    if len(labels):
        found.append(Change("labels", f"the labels of {counted(len(labels), 'neuron')}", worm, len(labels)))
    for what in ("voxel size", "rate"):
        if what in touched:
            found.append(Change(what, f"the {what} ({touched[what]})", worm))
    return found


def _data(session: Session, then: Mapping[str, Print], settings: Mapping[str, Any]) -> list[Change]:
    """What changed in the worms, worm by worm; `settings` are those of the result."""
    found = []
    for worm, before in then.items():
        if worm not in session.recordings:
            found.append(Change("worms", f"the closing of {worm}", worm))
        elif worm in session.left_out:
            found.append(Change("worms", f"the choice to leave out {worm}", worm))
        else:
            found += _worm(worm, before, recording_print(session.recordings[worm]), settings)
    for worm in session.recordings:
        if worm not in then and worm not in session.left_out:
            found.append(Change("worms", f"{worm}, which takes part now", worm))
    return found


def _worm(worm: str, then: Print, now: Print, settings: Mapping[str, Any]) -> list[Change]:
    if then is now:
        return []
    cohort = settings.get("cohort") or {}
    least, unnamed = float(cohort.get("min_confidence", 0.0)), bool(cohort.get("include_unnamed", False))
    before, after = _neurons(then, least), _neurons(now, least)
    both = [label for label in before if label in after]
    names = sum(before[k][0] != after[k][0] for k in both)
    rejected = sum(after[k][1] and not before[k][1] for k in both)
    again = sum(before[k][1] and not after[k][1] for k in both)
    parts = [k for k in both if (before[k][0] or unnamed) and not before[k][1]]
    traces = sum(before[k][2] != after[k][2] for k in parts)
    gone = sum(bool(before[k][0] or unnamed) for k in before if k not in after)
    new = sum(bool(after[k][0] or unnamed) for k in after if k not in before)
    found = []
    for what, count, text in (
        ("names", names, f"{counted(names, 'name')} of {worm}"),
        ("rejected", rejected, f"{counted(rejected, 'rejected neuron')} of {worm}"),
        ("rejected", again, f"{counted(again, 'neuron')} of {worm} that {'is' if again == 1 else 'are'} kept again"),
        ("traces", new, f"{counted(new, 'new neuron')} of {worm}"),
        ("traces", gone, f"the loss of {counted(gone, 'neuron')} of {worm}"),
        ("traces", traces, f"the traces of {counted(traces, 'neuron')} of {worm}"),
    ):
        if count:
            found.append(Change(what, text, worm, count))
    if then["clock"] != now["clock"]:
        found.append(Change("rate", f"the times of {worm}", worm))
    if then["stimuli"] != now["stimuli"]:
        found.append(Change("stimuli", f"the stimuli of {worm}", worm))
    confounds = settings.get("confounds") or {}
    if confounds.get("channels") and then["behaviour"] != now["behaviour"]:
        found.append(Change("behaviour", f"the behaviour of {worm}", worm))
    return found


def _neurons(one: Print, least: float) -> dict[int, tuple[str, bool, str]]:
    """Label -> the name that counts, whether it is rejected, hash of the trace."""
    cells = zip(one["labels"], one["names"], one["confidence"], one["rejected"], one["traces"], strict=True)
    return {
        int(label): ("" if sure is not None and sure < least else str(name), bool(out), str(trace))
        for label, name, sure, out, trace in cells
    }


def _settings(
    made: Mapping[str, Any] | None, wanted: Mapping[str, Any] | None, tables: tuple[str, ...]
) -> list[Change]:
    if not made or not wanted:
        return []
    return [
        Change("settings", WORDS[table])
        for table in tables
        if table in made and table in wanted and not _same(made[table], wanted[table])
    ]


def _same(a: Any, b: Any) -> bool:
    """Whether two settings are equal; a file turns tuples into lists."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        return set(a) == set(b) and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        return len(a) == len(b) and all(_same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def at_analysis(session: Session, recording: Recording) -> Recording | None:
    """Return a worm as it was when the results were made, names and all; None if it took no part."""
    if session.cohort is None:
        return None
    return next((r for r in session.cohort.recordings if r.name == recording.name), None)


def present_neurons(session: Session, names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """Return the present ids, in the worm that is shown, of neurons that results call by these names.

    A cell that was renamed since is found by its label; what this worm did not have stays as it is.
    """
    recording = session.recording
    then = None if recording is None else at_analysis(session, recording)
    if recording is None or then is None or then is recording:
        return tuple(names)
    labels = dict(zip(then.neurons.index.astype(str), then.neurons["label"].tolist(), strict=True))
    ids = dict(zip(recording.neurons["label"].tolist(), recording.neurons.index.astype(str), strict=True))
    return tuple(ids.get(labels[n], n) if n in labels else n for n in names)


PLURAL = {
    "names": "name",
    "rejected": "rejection",
    "traces": "trace",
    "labels": "neuron edited since extraction",
}
"""What is counted over worms, in the singular."""


def _short(changes: tuple[Change, ...]) -> str:
    if len(changes) <= 2 and changes and changes[0].what not in ("labels",):
        return joined(c.text for c in changes)
    found = []
    for what in dict.fromkeys(c.what for c in changes):
        some = [c for c in changes if c.what == what]
        worms = list(dict.fromkeys(c.worm for c in some))
        where = f"of {worms[0]}" if len(worms) == 1 else f"in {len(worms)} worms"
        if what in PLURAL:
            total = sum(c.count for c in some)
            words = PLURAL[what].split(" ", 1)
            found.append(" ".join([counted(total, words[0]), *words[1:], where]))
        elif what == "worms":
            found.append(counted(len(some), "worm"))
        elif what == "settings":
            found.append("the settings" if len(some) > 1 else some[0].text)
        else:
            found.append(some[0].text if len(some) == 1 else f"the {what} {where}")
    return joined(found)


def joined(parts: Any) -> str:
    """Return texts as a list in words: "a, b and c"."""
    texts = list(parts)
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}" if texts else ""
