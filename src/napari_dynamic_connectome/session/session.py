"""Session: what is open and selected; the one object that docks listen to, with its signals and its undo history.

No dock talks to another dock: each changes the session, and the session tells everyone. Results are immutable; the session
only replaces them. Edits of neurons go through `Session.edit`, which validates, records who did what when, and can be undone.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, Protocol

import pandas as pd
from psygnal import Signal

from ..model.cohort import Cohort
from ..model.errors import DynamicConnectomeError, InputError
from ..model.opinions import BaselinePanel, SignedComparison
from ..model.provenance import KEYS
from ..model.recording import MAX_NAME_LENGTH, Recording, neuron_ids
from ..model.results import Communities, CommunityKind, Components
from ..model.state_results import StatesResult
from ..model.text import counted
from .edits import EDITABLE, LEFT_OUT, WHOLE, Edit, clean, describe, now, plain, same_value, user
from .fingerprints import cohort_prints, components_print, main_print
from .state import OPINIONS, RESULTS, Selection, SessionState, names_of, signals_of

COMPONENT_SETTINGS = ("seed", "cohort", "confounds", "affinity", "rank", "factorization", "chance")
"""Tables of the settings that components, the rank sweep and chance depend on."""
COMMUNITY_SETTINGS = ("communities", "kinds")
"""Tables of the settings that only communities depend on."""
log = logging.getLogger("napari_dynamic_connectome")


class EditJournal(Protocol):
    """What puts edits on disk."""

    def __call__(
        self, edit: Edit, recording: Recording | None = None, /, *, results: Session | None = None, kept: str = ""
    ) -> None:
        """Put an edit, and the recording or the results that it brings, on disk; raise `InputError` if that fails."""


class Session(SessionState):
    """Everything that is open.

    Signals
    -------
    recordings_changed()
        A recording was added, removed or replaced.
    current_changed(name)
        Another recording is the current one.
    neurons_changed(recording name)
        Names or flags were edited.
    cohort_changed(), sweep_changed(), components_changed(), communities_changed(), surrogates_changed(), states_changed(), opinions_changed()
        A result was replaced (or dropped, because its input changed); `opinions`: static methods or signed loadings.
    selection_changed(selection, changed)
        `changed` is the frozenset of the names of the fields of `Selection` that differ.
    history_changed()
        There is something else to undo or redo.
    not_kept(what, why)
        Something is shown that could not be put on disk.
    touched_changed(recording name)
        Labels, voxel size or rate that traces were extracted from were corrected.
    groups_changed()
        Named groups of neurons were kept, changed, renamed or removed.
    """

    recordings_changed = Signal()
    current_changed = Signal(str)
    neurons_changed = Signal(str)
    cohort_changed = Signal()
    sweep_changed = Signal()
    components_changed = Signal()
    communities_changed = Signal()
    surrogates_changed = Signal()
    states_changed = Signal()
    opinions_changed = Signal()
    selection_changed = Signal(object, object)
    history_changed = Signal()
    not_kept = Signal(str, str)
    touched_changed = Signal(str)
    groups_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.journal: EditJournal | None = None
        """Called with every edit before it is applied; it must have the edit safely on disk when it returns."""
        self._renamed: dict[str, str] = {}
        self.lock = threading.RLock()
        """Held while an edit is made, so that a save in another thread sees it whole or not at all."""

    # --- recordings -------------------------------------------------------------------------------------------------

    @property
    def recording(self) -> Recording | None:
        """The current recording."""
        return self.recordings.get(self.current) if self.current is not None else None

    def add(
        self,
        recording: Recording,
        *,
        replace: bool = False,
        make_current: bool = True,
        made: str = "",
        raw: Any = None,
        action: Literal["replace", "open"] = "replace",
    ) -> None:
        """Add a recording.

        Parameters
        ----------
        recording : Recording
        replace : bool
            It may take the place of one of the same name; refused otherwise.
        make_current : bool
        made : str
            How it was made ("extract traces"): it then goes to the journal and into the history, as an edit does. Empty for
            recordings that are in a file anyway.
        raw : xarray.DataArray, optional
            Its traces before correction.
        action : {"replace", "open"}
            "open": it is in a file, too, and is shown even where the journal cannot be written.
        """
        old = self.recordings.get(recording.name)
        if old is not None and not replace:
            raise InputError(
                f"a recording called '{recording.name}' is open already", fix="Rename it or close the other."
            )
        noted = self.touched
        with self.lock:
            kept = self.raw.get(recording.name)
            if raw is not None:
                self.raw[recording.name] = raw
                self.touched = {k: v for k, v in self.touched.items() if k != recording.name}
            if made:
                try:
                    self._keep(Edit(recording.name, (), user(), now(), made, action), recording)
                except BaseException:
                    self.raw.pop(recording.name, None)
                    if kept is not None:
                        self.raw[recording.name] = kept
                    raise
            self.recordings[recording.name] = recording
            if old is not None and not old.neurons[["label", *EDITABLE]].reset_index(drop=True).equals(
                recording.neurons[["label", *EDITABLE]].reset_index(drop=True)
            ):
                self._forget_history(recording.name)
        self.recordings_changed.emit()
        if noted != self.touched:
            self.touched_changed.emit(recording.name)
        if make_current or self.current is None:
            self.set_current(recording.name)

    def amend(self, recording: Recording, made: str) -> None:
        """Put a recording with other stimuli or behaviour in the place of the open one of its name; journalled as an edit.

        Parameters
        ----------
        recording : Recording
            Same neurons as before.
        made : str
            What was done ("edit stimuli").
        """
        self._known(recording.name)
        with self.lock:
            self._keep(Edit(recording.name, (), user(), now(), made, "replace"), recording)
            self.recordings[recording.name] = recording
        self.neurons_changed.emit(recording.name)

    def _keep(
        self, edit: Edit, recording: Recording | None = None, *, results: Session | None = None, kept: str = ""
    ) -> bool:
        """Put an edit into the journal and the history; False if it is none that is refused where that fails."""
        done = True
        if self.journal is not None:
            try:
                if results is None:
                    self.journal(edit, recording)
                else:
                    self.journal(edit, results=results, kept=kept)
            except DynamicConnectomeError as error:
                if edit.action not in WHOLE:
                    raise
                done = False
                log.warning("not kept: %s (%s)", edit.text, error)
                self.not_kept.emit(edit.text, str(error))
        self.history.append(edit)
        return done and self.journal is not None and not getattr(self.journal, "read_only", False)

    def remove(self, name: str, *, made: str = "") -> None:
        """Close a recording.

        Parameters
        ----------
        name : str
        made : str
            What was done ("close worm 3"): it then goes to the journal and into the history.
        """
        self._known(name)
        with self.lock:
            if made:
                self._keep(Edit(name, (), user(), now(), made, "close"))
            del self.recordings[name]
            self.raw.pop(name, None)
            self.touched.pop(name, None)
            self.left_out -= {name}
            self._forget_history(name)
        if self.current == name:
            self.current = next(iter(self.recordings), None)
            self.current_changed.emit(self.current or "")
        self.recordings_changed.emit()
        self.history_changed.emit()

    def _forget_history(self, name: str) -> None:
        self.done = [e for e in self.done if e.recording != name]
        self.undone = [e for e in self.undone if e.recording != name]

    def start_again(self) -> Session:
        """Close all recordings and drop all results, keeping identity, history and place on disk; return what there was.

        The recordings are about to be read or extracted again; `carry_over` puts the corrections onto them.
        """
        before = self.snapshot()
        with self.lock:
            self.empty("worms", "result", "opinion", "basis", "undo")
        return before

    def set_current(self, name: str) -> None:
        """Make a recording the one that is shown."""
        self._known(name)
        self.current = name
        self.current_changed.emit(name)

    def _known(self, name: str) -> Recording:
        if name not in self.recordings:
            raise InputError(
                f"no recording called '{name}' is open", fix=f"Open: {', '.join(self.recordings) or 'none'}."
            )
        return self.recordings[name]

    # --- edits ------------------------------------------------------------------------------------------------------

    def edit(self, recording: str, changes: Mapping[int, Mapping[str, Any]], *, text: str = "", who: str = "") -> Edit:
        """Change cells of a neuron table; validated as a whole, applied as a whole, undone as a whole.

        Parameters
        ----------
        recording : str
        changes : dict
            label -> {column: value}; columns: name, confidence, rejected, note.
        text : str
            What is done, in words.
        who : str
            Who does it; the login name by default.

        Raises
        ------
        InputError
            Unknown label or column, a name that another neuron of this recording has, a name that is too long.
        """
        table = self._known(recording).neurons
        steps: list[tuple[int, str, Any, Any]] = []
        for label, cells in changes.items():
            rows = table.index[table["label"] == int(label)]
            if len(rows) != 1:
                raise InputError(f"there is no neuron with label {label}", where=f"recording '{recording}'")
            for column, value in cells.items():
                if column not in EDITABLE:
                    raise InputError(f"'{column}' cannot be edited", fix=f"Editable: {', '.join(EDITABLE)}.")
                old = table.loc[rows[0], column]
                steps.append((int(label), column, plain(old), clean(column, value)))
        steps = [s for s in steps if not same_value(s[2], s[3])]
        edit = Edit(recording, tuple(steps), who or user(), now(), text or describe(steps))
        return self._do(edit) if steps else edit

    def leave_out(self, recording: str, state: bool = True, *, who: str = "") -> Edit:
        """Leave a worm out of the analysis, or take it in again; an edit like those of neurons."""
        self._known(recording)
        old = recording in self.left_out
        text = f"{'leave out' if state else 'take in'} {recording}"
        edit = Edit(recording, ((0, LEFT_OUT, old, bool(state)),), who or user(), now(), text)
        return self._do(edit) if old != bool(state) else edit

    def _do(self, edit: Edit) -> Edit:
        with self.lock:
            self._apply(edit)
            self.done.append(edit)
            self.undone.clear()
        self._tell(edit)
        return edit

    def name_neuron(
        self, label: int, name: str, *, recording: str | None = None, confidence: float | None = None
    ) -> Edit:
        """Give a neuron of the current recording a name ('' takes it away)."""
        target = recording or self.current
        if target is None:
            raise InputError("no recording is open", fix="Open one first.")
        cells: dict[str, Any] = {"name": name}
        if confidence is not None:
            cells["confidence"] = confidence
        return self.edit(target, {label: cells})

    def undo(self) -> Edit | None:
        """Take the last edit back; None if there is none."""
        if not self.done:
            return None
        with self.lock:
            edit = self.done[-1]
            self._apply(edit.inverse())
            self.undone.append(self.done.pop())
        self._tell(edit)
        return edit

    def redo(self) -> Edit | None:
        """Do the last undone edit again; None if there is none."""
        if not self.undone:
            return None
        with self.lock:
            edit = self.undone[-1]
            self._apply(Edit(edit.recording, edit.changes, edit.who, now(), f"redo: {edit.text}", "redo"))
            self.done.append(self.undone.pop())
        self._tell(edit)
        return edit

    def replay(self, edit: Edit) -> None:
        """Do an edit again that was recorded earlier, as an edit, an undo or a redo; who and when stay as recorded.

        Raises
        ------
        InputError
            It does not fit: no such recording or neuron, or the cell holds another value than when the edit was made.
        """
        if edit.action in WHOLE:
            self._replay_whole(edit)
            return
        if edit.of_groups:
            for _, name, old, _ in edit.changes:
                if self.groups.get(str(name), ()) != _members(old):
                    raise InputError(f"the edit '{edit.text}' does not fit the present groups", where="groups")
            self._redo_recorded(edit)
            return
        table = self._known(edit.recording).neurons
        for label, column, old, _ in edit.changes:
            rows = table.index[table["label"] == int(label)]
            if column == LEFT_OUT and label == 0:
                fits = bool(old) == (edit.recording in self.left_out)
            else:
                fits = len(rows) == 1 and column in EDITABLE and same_value(plain(table.loc[rows[0], column]), old)
            if not fits:
                raise InputError(
                    f"the edit '{edit.text}' does not fit the present table", where=f"recording '{edit.recording}'"
                )
        self._redo_recorded(edit)

    def _redo_recorded(self, edit: Edit) -> None:
        with self.lock:
            self._apply(edit)
            if edit.action == "undo" and self.done:
                self.undone.append(self.done.pop())
            elif edit.action == "redo" and self.undone:
                self.done.append(self.undone.pop())
            elif edit.action in ("edit", "group"):
                self.done.append(edit)
                self.undone.clear()
        self._tell(edit)

    def _replay_whole(self, edit: Edit) -> None:
        """Do again what was done to the session as a whole; what an edit brought (recording, results) is there already."""
        with self.lock:
            self._keep(edit, self.recordings.get(edit.recording) if edit.action == "open" else None)
        if edit.action == "close" and edit.recording in self.recordings:
            self.remove(edit.recording)
        rank = next((new for _, column, _, new in edit.changes if column == "rank"), None)
        if edit.action == "rank" and self.sweep is not None and rank in self.sweep.components:
            self.set_components(self.sweep.components[rank])

    def _apply(self, edit: Edit) -> None:
        """Put an edit on disk, then make it; nothing is told yet."""
        if edit.of_groups:
            wanted = [(int(place), str(name), _members(members)) for place, name, _, members in edit.changes]
            self._keep(edit)
            for one in wanted:
                self._put_group(*one)
            return
        recording = self._known(edit.recording)
        table = recording.neurons.copy()
        row_of = {int(label): row for row, label in enumerate(table["label"])}
        left_out = self.left_out
        for label, column, _, new in edit.changes:
            if column == LEFT_OUT and label == 0:
                left_out = left_out | {edit.recording} if new else left_out - {edit.recording}
            else:
                table.iloc[row_of[label], table.columns.get_loc(column)] = new
        ids = neuron_ids(table["name"].tolist(), table["label"].to_numpy(), where=f"recording '{recording.name}'")
        table.index = pd.Index(ids, name="neuron")
        quality = None if recording.quality is None else recording.quality.set_axis(table.index, axis=0)
        new_recording = recording
        if any(column != LEFT_OUT for _, column, _, _ in edit.changes):
            new_recording = recording.replace(
                traces=recording.traces.assign_coords(neuron=ids), neurons=table, quality=quality
            )
        if self.journal is not None:
            self.journal(edit)
        self.recordings[edit.recording] = new_recording
        self.left_out = left_out
        self.history.append(edit)
        renamed = dict(zip(recording.neurons.index, ids, strict=True))
        self._renamed = {old: new for old, new in renamed.items() if old != new}

    def _tell(self, edit: Edit) -> None:
        """Tell everyone about an edit; the selection follows neurons that have another name now."""
        if edit.of_groups:
            self.groups_changed.emit()
            self.history_changed.emit()
            return
        renamed, self._renamed = self._renamed, {}
        if edit.recording == self.current and any(n in renamed for n in self.selection.neurons):
            self.select(neurons=tuple(renamed.get(n, n) for n in self.selection.neurons))
        self.neurons_changed.emit(edit.recording)
        self.history_changed.emit()

    def snapshot(self) -> Session:
        """Return a copy that later edits do not change, and that nobody listens to: what a save in a thread writes."""
        copy = Session()
        with self.lock:
            copy.take(self, *names_of())
        copy.references = self.references  # hashes of images are noted there while it is saved
        return copy

    # --- results ----------------------------------------------------------------------------------------------------

    def results(self) -> Session:
        """Return a session with the present results alone: what the journal keeps of them."""
        copy = Session()
        with self.lock:
            copy.take(self, *names_of("result", "opinion", "basis", "settings"))
        return copy

    def take_results(self, other: Session) -> None:
        """Show the results of another session, with the settings that they were made with."""
        self.take(other, *names_of("settings"))
        self.set_cohort(other.cohort)
        self.set_sweep(other.sweep)
        self.set_components(other.components)
        if other.communities:
            self.set_communities(other.communities)
        told = ("cohort", "sweep", "components", "communities")
        rest = tuple(name for name in RESULTS if name not in told)
        self.take(other, *names_of("basis"), *rest)
        self._say_replaced(*rest)

    def same_results(self, other: Session) -> bool:
        """Whether another session shows the same results: the very same objects."""

        def parts(one: Session) -> list[Any]:
            values = [getattr(one, name) for name in RESULTS]
            return [part for v in values for part in ([v[k] for k in sorted(v, key=str)] if type(v) is dict else [v])]

        first, second = parts(self), parts(other)
        return len(first) == len(second) and all(x is y for x, y in zip(first, second, strict=True))

    def adopt(self, loaded: Session) -> None:
        """Become another session, which was read from a file; who listens to this one is told. Close the recordings before."""
        for recording in loaded.recordings.values():
            self.add(recording, make_current=False)
        self.take_results(loaded)
        rest = tuple(
            n for n in names_of("identity", "worms", "kept", "undo") if n not in ("recordings", "current", "selection")
        )
        self.take(loaded, *rest)
        self._say_replaced(*rest)
        if loaded.current in self.recordings:
            self.set_current(loaded.current)
        wanted = loaded.selection
        self.select(component=wanted.component, kind=wanted.kind)
        self.select(level=wanted.level, community=wanted.community, time_s=wanted.time_s, neurons=wanted.neurons)

    def _say_replaced(self, *names: str) -> None:
        for signal in signals_of(*names):
            getattr(self, signal).emit()

    def keep_results(self, state: Session, made: str, *, kept: str = "") -> bool:
        """Put results on disk that are about to be shown.

        Parameters
        ----------
        state : Session
            With all results as they will be; see `results`.
        made : str
            What was done ("analyze 8 worms").
        kept : str
            File in which `Journal.write_results` put them already.

        Returns
        -------
        bool
            False if there is no journal, or it cannot be written: they are in memory only (`not_kept` says so).
        """
        with self.lock:
            return self._keep(Edit("", (), user(), now(), made, "results"), results=state, kept=kept)

    def choose_rank(self, rank: int) -> Components:
        """Use another rank of the sweep; journalled as an edit."""
        if self.sweep is None or rank not in self.sweep.components:
            raise InputError(f"rank {rank} was not tried", where="the session", fix="Analyze again with this rank.")
        old = None if self.components is None else self.components.rank
        components: Components = self.sweep.components[rank]
        with self.lock:
            self._keep(Edit("", ((0, "rank", old, int(rank)),), user(), now(), f"choose rank {rank}", "rank"))
        self.set_components(components)
        return components

    def set_group(self, name: str, members: Iterable[str]) -> None:
        """Keep a named group of neurons, change it, or remove it; an edit like those of neurons.

        Parameters
        ----------
        name : str
        members : iterable of str
            As `session.groups.member_of` gives them; none: the group is removed.

        Raises
        ------
        InputError
            A name that is empty, too long, or cannot be printed.
        """
        name, new = _group_name(name), tuple(dict.fromkeys(map(str, members)))
        old = self.groups.get(name, ())
        if old == new:
            return
        words = f"group {name}: {counted(len(new), 'neuron')}" if new else f"remove group {name}"
        self._do(Edit("", ((self._place_of_group(name), name, old, new),), user(), now(), words, "group"))

    def rename_group(self, name: str, new: str) -> None:
        """Give a named group another name; its place among the groups, and so its colour, stays. An edit like those of neurons.

        Parameters
        ----------
        name, new : str

        Raises
        ------
        InputError
            No such group, a name that another group has, or that `set_group` refuses.
        """
        members = self.groups.get(name, ())
        if not members:
            raise InputError(
                f"there is no group '{name[:40]}'", where="groups", fix=f"Groups: {', '.join(self.groups) or 'none'}."
            )
        new = _group_name(new)
        if new == name:
            return
        if new in self.groups:
            raise InputError(f"there is a group '{new[:40]}' already", where="groups", fix="Choose another name.")
        place = self._place_of_group(name)
        changes = ((place, name, members, ()), (place, new, (), members))
        self._do(Edit("", changes, user(), now(), f"rename group {name} to {new}", "group"))

    def _place_of_group(self, name: str) -> int:
        return list(self.groups).index(name) if name in self.groups else len(self.groups)

    def _put_group(self, place: int, name: str, members: tuple[str, ...]) -> None:
        held = list(self.groups.items())
        if name in self.groups:
            place = self._place_of_group(name)
            del held[place]
        if members:
            held.insert(place, (name, members))
        self.groups = dict(held)

    def set_cohort(self, cohort: Cohort | None) -> None:
        """Replace the cohort; results made from another one are dropped."""
        self.cohort = cohort
        kept = {name: self.made[name] for name in OPINIONS if name in self.made}
        self.made = kept if cohort is None else {"worms": cohort_prints(cohort), **kept}
        self.cohort_changed.emit()
        self.set_sweep(None)
        self.set_components(None)

    def set_sweep(self, sweep: Any) -> None:
        """Replace the rank sweep; what was known about chance was known for the old one."""
        self.sweep = sweep
        self.surrogates = {}
        self._note_settings("components", COMPONENT_SETTINGS)
        self.sweep_changed.emit()

    def set_components(self, components: Components | None) -> None:
        """Replace the components; communities of others are dropped, and what is known about chance, but for other ranks."""
        for one in (self.components, components):
            if one is not None and not self._of_sweep(one) and components is not self.components:
                self.surrogates = {rank: found for rank, found in self.surrogates.items() if rank != one.rank}
        self.components = components
        self.communities = {}
        self._note_settings("components", COMPONENT_SETTINGS)
        self.components_changed.emit()
        self.communities_changed.emit()
        self.select(component=1, community=None, level=0)

    def set_support(self, components: Components, support: pd.DataFrame) -> Components | None:
        """Say what speaks for components that the session has; communities and the selection stay as they are.

        Parameters
        ----------
        components : Components
            The present ones, or those of another rank of the sweep.
        support : pandas.DataFrame
            As in `Components.support`.

        Returns
        -------
        Components or None
            The components with it; None if the session has not got these any more.
        """
        present, swept = components is self.components, self._of_sweep(components)
        if not present and not swept:
            return None
        told = replace(components, support=support)
        if swept:
            assert self.sweep is not None
            self.sweep = replace(self.sweep, components=dict(self.sweep.components) | {components.rank: told})
        if present:
            self.components = told
            self.components_changed.emit()
        return told

    def _of_sweep(self, components: Components) -> bool:
        return self.sweep is not None and self.sweep.components.get(components.rank) is components

    def set_surrogates(self, components: Components, found: Sequence[Components]) -> None:
        """Keep components of surrogate cohorts.

        Parameters
        ----------
        components : Components
            What they are compared with: the present ones, or those of another rank of the sweep.
        found : sequence of Components

        Raises
        ------
        InputError
            The session has not got these components any more, or the ranks differ.
        """
        if components is not self.components and not self._of_sweep(components):
            raise InputError(
                "the components were replaced while they were compared with chance",
                where="the session",
                fix="Compare the present ones.",
            )
        if any(one.rank != components.rank for one in found):
            raise InputError("surrogate components must have the rank of the components", where="the session")
        self.surrogates = self.surrogates | {components.rank: tuple(found)}
        self.surrogates_changed.emit()

    def set_communities(self, communities: Mapping[tuple[int, CommunityKind], Communities]) -> None:
        """Add or replace communities, by (component, kind)."""
        self.communities = self.communities | dict(communities)
        self._note_settings("communities", COMMUNITY_SETTINGS)
        self.communities_changed.emit()
        if self.shown_communities is None:
            other = next((kind for component, kind in self.communities if component == self.selection.component), None)
            if other is not None:
                self.select(kind=other)
        shown = self.shown_communities
        if shown is not None:
            self.select(level=shown.chosen_level, community=None)

    def set_states(self, states: StatesResult | None, cohort: Cohort | None = None) -> None:
        """Replace the switching states.

        Parameters
        ----------
        states : StatesResult or None
        cohort : Cohort, optional
            The worms that they were found in; what they were made from is noted with it: fingerprints of the worms, settings, and
            the components that `states.agreement` compares them with.
        """
        self.states = states
        of = "" if self.components is None else components_print(self.components)
        self._note_opinion("states", cohort, {} if states is None else states.provenance.get("settings", {}), of)
        self.states_changed.emit()

    def set_baselines(self, panel: BaselinePanel | None, cohort: Cohort | None = None) -> None:
        """Replace the groupings by static methods; what they were made from is noted as in `set_states`, with the main result."""
        self.baselines = panel
        held = {} if panel is None else panel.provenance
        of = str(held.get("main", main_print(self.components, self.communities)))
        self._note_opinion("baselines", cohort, held.get("settings", {}), of)
        self.opinions_changed.emit()

    def set_signed(self, found: SignedComparison | None, cohort: Cohort | None = None) -> None:
        """Replace the signed loadings; what they were made from is noted as in `set_states`, with their number."""
        self.signed = found
        held = {} if found is None else found.provenance.get("settings", {})
        self._note_opinion("signed", cohort, held, "" if found is None else str(found.signed.rank))
        self.opinions_changed.emit()

    def _note_opinion(self, which: str, cohort: Cohort | None, settings: Mapping[str, Any], of: str) -> None:
        """Note how a result of another method was made, and from what; nothing without a cohort, or where the result is gone."""
        result = getattr(self, which)
        said = {} if result is None else {k: result.provenance[k] for k in KEYS if k in result.provenance}
        self.provenance = {k: v for k, v in self.provenance.items() if k != which} | ({which: said} if said else {})
        self.made = {k: v for k, v in self.made.items() if k != which}
        if result is not None and cohort is not None:
            self.made[which] = {
                "worms": cohort_prints(cohort),
                "cohort": cohort.settings.model_dump(mode="json"),
                "settings": dict(settings),
                "components": of,
                "when": now(),
            }

    def _note_settings(self, result: str, tables: tuple[str, ...]) -> None:
        """Note the settings that a result was made with, as far as they are known."""
        known = {table: self.settings[table] for table in tables if table in self.settings}
        self.made = self.made | {result: known, "when": now()}

    # --- what traces are older than ---------------------------------------------------------------------------------

    def touch(self, recording: str, **what: Any) -> None:
        """Note what was corrected after the traces of a recording were extracted; None or nothing takes a note back.

        Parameters
        ----------
        recording : str
        **what
            labels: ids that were edited; voxel_size, rate: old and new in words.
        """
        self._known(recording)
        held = dict(self.touched.get(recording, {}))
        for key, value in what.items():
            name = key.replace("_", " ")
            kept = tuple(sorted(int(v) for v in value)) if key == "labels" and value is not None else value
            if kept:
                held[name] = kept
            else:
                held.pop(name, None)
        if held == self.touched.get(recording, {}):
            return
        self.touched = {k: v for k, v in (self.touched | {recording: held}).items() if v}
        self.touched_changed.emit(recording)

    @property
    def shown_communities(self) -> Communities | None:
        """Communities of the selected component and kind."""
        return self.communities.get((self.selection.component, self.selection.kind))

    # --- selection --------------------------------------------------------------------------------------------------

    def select(self, **changes: Any) -> None:
        """Change fields of the selection; `selection_changed` fires once, and only if something differs."""
        if "neurons" in changes:
            changes["neurons"] = tuple(dict.fromkeys(str(n) for n in changes["neurons"]))
        if ("component" in changes and changes["component"] != self.selection.component) or "kind" in changes:
            key = (changes.get("component", self.selection.component), changes.get("kind", self.selection.kind))
            found = self.communities.get(key)
            if found is not None and "level" not in changes and key != (self.selection.component, self.selection.kind):
                changes["level"] = found.chosen_level
                changes.setdefault("community", None)
        old = self.selection
        new = Selection(**({f: getattr(old, f) for f in old.__dataclass_fields__} | changes))
        changed = frozenset(f for f in old.__dataclass_fields__ if getattr(old, f) != getattr(new, f))
        if not changed:
            return
        self.selection = new
        self.selection_changed.emit(new, changed)


def _group_name(name: str) -> str:
    """Return a name as a group may have it; refuse others."""
    name = str(name).strip()
    if not name or len(name) > MAX_NAME_LENGTH or any(not c.isprintable() for c in name):
        raise InputError(
            "a group needs a name" if not name else f"'{name[:40]}' is no name for a group",
            where="groups",
            fix=f"Up to {MAX_NAME_LENGTH} characters that can be printed.",
        )
    return name


def _members(held: Any) -> tuple[str, ...]:
    """Return the members that an edit holds; a file can hold anything."""
    if not isinstance(held, (list, tuple)):
        raise InputError("an edit of a group holds no members", where="groups")
    return tuple(map(str, held))
