"""Static methods and signed loadings in the background: from the worms of the session to results on disk and in the session."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...model.progress import check_cancel
from ...pipeline.baselines_settings import BaselinesStepSettings
from .states import worms_of

if TYPE_CHECKING:
    from ...pipeline.settings import PipelineSettings
    from .workspace import Workspace


def start_baselines(work: Workspace, settings: PipelineSettings, title: str = "Static methods") -> Any:
    """Group the neurons by static methods and compare with the session's result. Returns the running job."""
    session, cohort = work.session, worms_of(work, settings)
    main: dict[str, Any] = {"components": session.components, "communities": dict(session.communities)}

    def find(progress: Any, cancel: Any) -> Any:
        from ...pipeline.opinions import find_baselines

        how: dict[str, Any] = {"command": f"napari: {title}", "progress": progress, "cancel": cancel}
        return find_baselines(cohort, settings.baselines, seed=settings.seed, **main, **how)

    def put(target: Any, found: Any) -> None:
        target.settings = dict(target.settings) | {"baselines": settings.baselines.model_dump(mode="json")}
        target.set_baselines(found, cohort)

    return _start(work, title, find, put)


def start_signed(work: Workspace, settings: PipelineSettings, title: str = "Signed loadings") -> Any:
    """Fit signed and non-negative loadings of the rank that is shown. Returns the running job; None without components."""
    components, cohort = work.session.components, worms_of(work, settings)
    if components is None or not components.rank:
        return None

    def find(progress: Any, cancel: Any) -> Any:
        from ...pipeline.opinions import find_signed

        return find_signed(
            cohort, components.rank, settings, command=f"napari: {title}", progress=progress, cancel=cancel
        )

    return _start(work, title, find, lambda target, found: target.set_signed(found, cohort))


def redo_baselines(work: Workspace, settings: PipelineSettings) -> Any:
    """Group the neurons again, with the settings that the groupings were made with and what was edited since."""
    made = work.session.made.get("baselines", {}).get("settings", {})
    chosen = BaselinesStepSettings.parse({**made, **work.up_to_date.wanted.get("baselines", {})}, where="baselines")
    return start_baselines(work, settings.model_copy(update={"baselines": chosen}), "Redo static methods")


def redo_signed(work: Workspace, settings: PipelineSettings) -> Any:
    """Fit signed loadings again."""
    return start_signed(work, settings, "Redo signed loadings")


def _start(work: Workspace, title: str, find: Callable[[Any, Any], Any], put: Callable[[Any, Any], None]) -> Any:
    """Find, put on disk, show: results are seen when they are kept."""

    def run(progress: Any, cancel: Any) -> Any:
        found = find(progress, cancel)
        check_cancel(cancel)
        return work.recovery.write_results(lambda target: put(target, found))

    return work.jobs.start(title, run, lambda written: work.recovery.show_results(written, title.lower()))
