"""From a settings file to a cohort and its analysis: those of an earlier run where they still fit, else made now."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..model.cohort import Cohort
from ..model.errors import DynamicConnectomeError
from ..model.progress import CancelCallback, ProgressCallback, part
from ..model.results import Communities, CommunityKind, Components
from ..pipeline.run import SESSION_NAME, find_inputs, input_prints, load_recordings, stage_hashes
from ..pipeline.settings import PipelineSettings
from .result import Robustness
from .run import assess_robustness

PIECES = "pieces"


@dataclass(frozen=True, eq=False)
class Analysis:
    """A cohort, and what an earlier run found in it, if its settings and files are still the same."""

    cohort: Cohort
    components: Components | None = None
    communities: dict[tuple[int, CommunityKind], Communities] | None = None


def earlier_analysis(
    settings: PipelineSettings,
    output: Path,
    *,
    client: Any = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Analysis:
    """Return the analysis that `run` left in `output`, as far as it belongs to these settings and files.

    Recordings of another run, or components of other settings, are not taken; recordings are then read (and extracted) again.
    """
    from ..session.carry_over import edits_state
    from ..session.save_load import load_session

    paths, volumes = find_inputs(settings)
    inputs = input_prints(paths, volumes)
    session, stages = None, {}
    if (output / SESSION_NAME).exists():
        with suppress(DynamicConnectomeError):  # an unusable earlier session is no obstacle
            session = load_session(output / SESSION_NAME)
            stages = dict(session.provenance.get("stages", {}))
    if session is None or stages.get("recordings") != stage_hashes(settings, inputs)["recordings"]:
        recordings = load_recordings(settings, client=client, progress=progress, cancel=cancel)
        return Analysis(Cohort(recordings, settings.cohort))
    # what a person named, rejected or left out since then counts here too
    hashes = stage_hashes(settings, inputs, edits_state(session))
    if stages.get("components") == hashes["components"] and session.cohort is not None:
        communities = dict(session.communities) if stages.get("communities") == hashes["communities"] else None
        return Analysis(session.cohort, session.components, communities)
    taking_part = [r for name, r in session.recordings.items() if name not in session.left_out]
    return Analysis(Cohort(taking_part, settings.cohort))


def robustness_of_files(
    settings: PipelineSettings | str | Path,
    output: str | Path,
    *,
    fresh: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    client: Any = None,
) -> Robustness:
    """`assess_robustness` for a settings file; finished pieces are kept in `output`/robustness/pieces.

    Parameters
    ----------
    settings : PipelineSettings or path of a TOML file
    output : path
        Folder of `run` with the same settings, whose session is then used, or of a new one.
    fresh : bool
        Do not use pieces of an earlier, interrupted run.
    progress, cancel : callable, optional
    client : dask.distributed.Client, optional
    """
    import shutil

    if not isinstance(settings, PipelineSettings):
        settings = PipelineSettings.from_file(settings)
    output = Path(output)
    kept = output / "robustness" / PIECES
    if fresh:
        shutil.rmtree(kept, ignore_errors=True)
    found = earlier_analysis(settings, output, client=client, progress=part(progress, 0, 0.1), cancel=cancel)
    return assess_robustness(
        found.cohort,
        settings,
        components=found.components,
        progress=part(progress, 0.1, 1),
        cancel=cancel,
        client=client,
        checkpoint=kept,
    )
