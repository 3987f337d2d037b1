"""What is older than what in this viewer, and doing again only that."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

from psygnal import Signal

from ...model.cohort import Cohort
from ...model.errors import InputError
from ...session.freshness import Freshness, freshness
from ..qt.notify import show_failure

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

    def redo(self) -> Any | None:
        """Do what is older again, and nothing else; returns the running job."""
        work, stale = self._work(), self.state.stale
        if work is None or not stale or (self.job is not None and self.job.running):
            return None
        try:
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
                return None
        except InputError as error:
            show_failure(work.viewer, "Redo", error)
            return None
        self._watch(job)
        return job

    def _watch(self, job: Any) -> None:
        self.job = job
        job.ended.connect(self._look_again)
        self.changed.emit()
