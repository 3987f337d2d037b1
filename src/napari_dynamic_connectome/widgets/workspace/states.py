"""Switching states in the background: from the worms of the session to states on disk and in the session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...model.cohort import Cohort
from ...model.errors import InputError
from ...model.progress import check_cancel
from ...pipeline.states_settings import StatesStepSettings
from ..qt.notify import show_info

if TYPE_CHECKING:
    from ...pipeline.settings import PipelineSettings
    from .workspace import Workspace


def worms_of(work: Workspace, settings: PipelineSettings) -> Cohort:
    """Return the worms that take part, with the settings of the next analysis."""
    recordings = [r for n, r in work.session.recordings.items() if n not in work.session.left_out]
    if not recordings:
        raise InputError("no worm takes part", where="states", fix="Open a recording, or tick one in the Cohort dock.")
    return Cohort(recordings, settings.cohort)


def start_states(work: Workspace, settings: PipelineSettings, title: str = "Find states") -> Any:
    """Start the fit and all that judges it; the states appear when they are on disk. Returns the running job."""
    session, cohort = work.session, worms_of(work, settings)
    components = session.components

    def run(progress: Any, cancel: Any) -> Any:
        from ...pipeline.states import find_states

        found = find_states(
            cohort,
            settings.states,
            components=components,
            communities=settings.communities,
            seed=settings.seed,
            command=f"napari, States dock: {title}",
            progress=progress,
            cancel=cancel,
        )
        check_cancel(cancel)
        return found, work.recovery.write_results(lambda target: _put(target, found, cohort, settings))

    def done(result: Any) -> None:
        found, written = result
        work.recovery.show_results(written, f"find {found.n_states} states of {len(cohort.worms)} worms")
        show_info(found.verdict())

    return work.jobs.start(title, run, done)


def redo_states(work: Workspace, settings: PipelineSettings) -> Any:
    """Do states again; only their agreement, where nothing but the components changed."""
    session = work.session
    made = session.made.get("states", {}).get(
        "settings", {}
    )  # those of an analysis since need not be those of the states
    chosen = StatesStepSettings.parse({**made, **work.up_to_date.wanted.get("states", {})}, where="states")
    settings = settings.model_copy(update={"states": chosen})
    changes = {c.what for c in work.up_to_date.state.states}
    states = session.states
    if states is None or changes != {"components"}:
        return start_states(work, settings, "Redo states")
    components, cohort = session.components, worms_of(work, settings)

    def run(progress: Any, cancel: Any) -> Any:
        from ...pipeline.states import with_agreement

        found = with_agreement(states, cohort, components, seed=settings.seed, progress=progress, cancel=cancel)
        check_cancel(cancel)
        return work.recovery.write_results(lambda target: _put(target, found, cohort, settings))

    def done(written: Any) -> None:
        if session.states is states:
            work.recovery.show_results(written, "compare states with components")

    return work.jobs.start("Redo states", run, done)


def _put(target: Any, found: Any, cohort: Cohort, settings: PipelineSettings) -> None:
    target.settings = dict(target.settings) | {"states": settings.states.model_dump(mode="json")}
    target.set_states(found, cohort)
