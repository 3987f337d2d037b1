"""What is older than what in this viewer, and doing again only that."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from ...model.cohort import Cohort
from ...model.errors import InputError
from ...session.freshness import Freshness, freshness, joined
from ...session.state import OPINIONS
from ..qt.notify import show_failure, show_info

if TYPE_CHECKING:
    from .workspace import Workspace


class UpToDate:
    """Compares the results with what there is now whenever that changes.

    Signals
    -------
    changed()
        Something else may be older than before, or is being done again.
    """

    changed = Signal()

    def __init__(self, work: Workspace) -> None:
        self._work = weakref.ref(work)
        self.session = work.session
        self.job: Any = None
        """What is being done again now."""
        self._more = False
        self.recall: Callable[[str], Callable[[], Any] | None] = lambda worm: None
        """Finds how a worm of an opened session was extracted; the Recording dock knows."""
        self.extractors: dict[str, Callable[[], Any]] = {}
        """What starts the extraction of what was edited in a worm again, and returns the job; where it is known how."""
        self._wanted: dict[str, Any] = {}
        self._wanted_of = ""
        self._state: Freshness | None = None
        session = self.session
        for signal in (
            session.recordings_changed,
            session.neurons_changed,
            session.cohort_changed,
            session.sweep_changed,
            session.components_changed,
            session.communities_changed,
            session.states_changed,
            session.opinions_changed,
            session.history_changed,
            session.touched_changed,
        ):
            signal.connect(self._look_again)

    def want(self, table: str, value: dict[str, Any]) -> None:
        """Note settings that the next analysis will use, because somebody edited them; as plain values."""
        self._wanted = {**self.wanted, table: value}
        self._wanted_of = self.session.uid
        self._look_again()

    @property
    def wanted(self) -> dict[str, Any]:
        """Settings that were edited in this session, by table."""
        return self._wanted if self._wanted_of == self.session.uid else {}

    @property
    def state(self) -> Freshness:
        """What is older than what now."""
        if self._state is None:
            self._state = freshness(self.session, self.wanted)
        return self._state

    def _look_again(self, *_: Any) -> None:
        self._state = None
        self.changed.emit()

    # --- doing it again ---------------------------------------------------------------------------------------------

    def settings(self) -> Any:
        """Settings of the results, with what was edited since."""
        from ...pipeline.settings import PipelineSettings

        return PipelineSettings.parse({**self.session.settings, **self.wanted})

    def redo(self, *, only_results: bool = False) -> Any | None:
        """Do what is older again, and nothing else; returns the running job.

        Traces come first, worm by worm, as far as their images are open; the results follow by themselves.
        """
        work, stale = self._work(), self.state.stale
        if work is None or not stale or (self.job is not None and self.job.running):
            return None
        try:
            if "traces" in stale and not only_results:
                job = self._extract_again()
                if job is not None:
                    self._watch(job)
                    return job
            if "components" in stale:
                settings = self.settings()
                recordings = [r for n, r in self.session.recordings.items() if n not in self.session.left_out]
                if not recordings:
                    raise InputError("no worm takes part", where="cohort", fix="Tick at least one.")
                from .analysis import start_analysis

                job = start_analysis(work, Cohort(recordings, settings.cohort), settings, "Redo")
            elif "communities" in stale:
                from .analysis import start_communities

                job = start_communities(work, self.settings(), "Redo")
            else:
                job = self._others_again(work, stale)
                if job is None:
                    return None
        except InputError as error:
            show_failure(work.viewer, "Redo", error)
            return None
        self._watch(job)
        return job

    def extract_edited(self) -> Any | None:
        """Extract again what was edited in the labels, and leave the results as they are; returns the running job.

        While one runs, it is started once more when that ends.
        """
        if self.job is not None and self.job.running:
            if not self._more:
                self._more = True
                self.job.ended.connect(self._extract_more)
            return self.job
        if "traces" not in self.state.stale:
            return None
        try:
            job = self._extract_again(go_on=False)
        except InputError as error:
            work = self._work()
            show_failure(None if work is None else work.viewer, "Extract again", error)
            return None
        if job is not None:
            self.job = job
            job.ended.connect(self._look_again)
            self.changed.emit()
        return job

    def _extract_more(self) -> None:
        self._more = False
        QTimer.singleShot(0, self.extract_edited)

    def _extract_again(self, *, go_on: bool = True) -> Any | None:
        """Start the extraction of what was edited in one worm, and go on after it."""
        worms = list(dict.fromkeys(c.worm for c in self.state.traces))
        for worm in worms:
            again = self.recall(worm) if worm not in self.extractors else None
            if again is not None:
                self.extractors[worm] = again
        known = [w for w in worms if w in self.extractors]
        if not known:
            show_info(f"Extract {joined(worms)} again in the Recording dock: how it was done is not known any more.")
            return None
        job = self.extractors[known[0]]()
        if job is not None and go_on:
            job.ended.connect(lambda: self._go_on(job, known[0]))
        return job

    def _go_on(self, job: Any, worm: str) -> None:
        self._look_again()
        if job.error is None and not job.cancelled.is_set() and worm not in {c.worm for c in self.state.traces}:
            QTimer.singleShot(0, self.redo)

    def _others_again(self, work: Workspace, stale: tuple[str, ...]) -> Any | None:
        """Do the first result of another method that is older again."""
        from .opinions import redo_baselines, redo_signed
        from .states import redo_states

        ways: dict[str, Callable[..., Any]] = {
            "states": redo_states,
            "baselines": redo_baselines,
            "signed": redo_signed,
        }
        return next((again(work, self.settings()) for which, again in ways.items() if which in stale), None)

    def _then(self, job: Any, before: tuple[str, ...]) -> None:
        """Look what is left to do after a job; other methods are done after what they are compared with."""
        self._look_again()
        left = self.state.stale
        done = job.error is None and not job.cancelled.is_set() and job is self.job
        if done and left and left != before and set(left) <= set(OPINIONS):
            QTimer.singleShot(0, self.redo)

    def _watch(self, job: Any) -> None:
        self.job, before = job, self.state.stale
        job.ended.connect(lambda: self._then(job, before))
        self.changed.emit()
