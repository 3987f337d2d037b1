"""Analysis in the background: from a cohort to results on disk and in the session, as a whole or only the communities."""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread
from typing import TYPE_CHECKING, Any

from ...model.cohort import Cohort
from ...model.errors import InputError
from ...model.progress import check_cancel
from ..qt.notify import show_info
from ..viewer.first_look import choose_telling, show_worm
from .checkpoints import analysis_checkpoint
from .recording_names import unique

if TYPE_CHECKING:
    from ...pipeline.settings import PipelineSettings
    from .workspace import Workspace


def start_analysis(work: Workspace, cohort: Cohort, settings: PipelineSettings, title: str = "Analyze") -> Any:
    """Start all steps; the results appear when they are on disk. Returns the running job."""
    checkpoints: list[Any] = []

    def run(progress: Any, cancel: Any) -> Any:
        from ...pipeline.run import analyze

        checkpoints.append(analysis_checkpoint(cohort, settings.model_dump(mode="json")))
        kept = checkpoints[0].folder()
        called = f"napari, Cohort dock: {title}"
        result = analyze(cohort, settings, progress=progress, cancel=cancel, checkpoint=kept, command=called)

        def put_into(session: Any) -> None:
            result.put_into(session, cohort)

        check_cancel(cancel)
        return result, work.recovery.write_results(put_into)

    def done(found: Any) -> None:
        result, written = found
        safe = work.recovery.show_results(
            written, f"analyze {len(cohort.worms)} worms: {result.components.rank} components"
        )
        work.by_rank.clear()
        work.by_rank[result.components.rank] = dict(result.communities)
        for one in checkpoints if safe else ():  # what was fitted stays until its result is on disk
            Thread(target=one.remove).start()
        show_info(f"{result.components.rank} components of {len(cohort.worms)} worms.")
        if choose_telling(work):
            show_worm(work)
        work.wanted.emit("Communities")

    return work.jobs.start(title, run, done)


def try_sample(work: Workspace) -> Any:
    """Add the sample cohort, and analyze it with the settings that the Cohort dock has. Returns the job that makes it."""

    def done(_: Any) -> None:
        session = work.session
        settings = remembered_settings(work)
        start_analysis(work, Cohort(list(session.recordings.values()), settings.cohort), settings)

    return start_sample(work, done)


def start_sample(work: Workspace, then: Callable[[Any], None] | None = None) -> Any:
    """Add the sample cohort to the session; `then` is called with it. Returns the running job."""

    def run(progress: Any, cancel: Any) -> Any:
        from ...simulation.samples import sample_cohort

        return sample_cohort(progress=progress, cancel=cancel)

    def done(result: Any) -> None:
        cohort, truth = result
        add_cohort(work, cohort, truth)
        if then is not None:
            then(cohort)

    return work.jobs.start("Sample cohort", run, done)


def add_cohort(work: Workspace, cohort: Cohort, truth: Any = None) -> None:
    """Add all worms of a cohort to the session."""
    session = work.session
    for recording in cohort.recordings:
        name = unique(recording.name, session.recordings)
        own = recording.replace(name=name) if name != recording.name else recording
        session.add(own, make_current=False, made=f"open {name}", action="open")
    session.truth = truth


def remembered_settings(work: Workspace) -> PipelineSettings:
    """Settings of all steps as the Cohort dock remembers them; defaults for what it does not."""
    from ...pipeline.settings import PipelineSettings

    found: dict[str, Any] = {}
    for key, values in work.remembered.get("Cohort", {}).items():
        if key in PipelineSettings.model_fields:
            try:
                PipelineSettings(**{key: values})
            except (InputError, ValueError):
                continue
            found[key] = values
    return PipelineSettings(**found)


def start_communities(work: Workspace, settings: PipelineSettings, title: str = "Find communities") -> Any:
    """Start the search for the communities of the present components, in the place of those that are there."""
    session = work.session
    components, cohort = session.components, session.cohort
    if components is None:
        raise InputError("there are no components whose communities could be found", fix="Analyze first.")

    def run(progress: Any, cancel: Any) -> Any:
        from ...pipeline.partition import partition
        from ...pipeline.provenance import provenance_of
        from ...pipeline.run import put_provenance

        found = partition(components, settings, progress=progress, cancel=cancel, cohort=cohort)
        made = provenance_of(settings, [] if cohort is None else cohort, command=f"napari, Communities dock: {title}")

        def put_into(target: Any) -> None:
            put_provenance(target, made)
            target.communities = {}
            target.set_communities(found)

        check_cancel(cancel)
        return found, work.recovery.write_results(put_into)

    def done(result: Any) -> None:
        found, written = result
        if session.components is components:
            work.by_rank.clear()  # those of other ranks were found with other settings
            work.by_rank[components.rank] = dict(found)
            work.recovery.show_results(written, "find communities")

    return work.jobs.start(title, run, done)
