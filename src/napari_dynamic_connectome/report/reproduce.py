"""Text that reproduces a result: a Python script and a command, from the session's own settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..pipeline.settings import InputSettings, PipelineSettings
from ..session.session import Session


def settings_of(session: Session, recordings: tuple[str, ...] = ()) -> PipelineSettings:
    """Settings of the last analysis, with these files as input."""
    values: dict[str, Any] = dict(session.settings)
    values["input"] = InputSettings().model_dump()
    # The sweep's own suggestion comes out again from the sweep; another rank has to be asked for.
    swept = session.sweep is not None and session.components is not None
    if session.components is not None and not (swept and session.components.rank == session.sweep.suggested):
        values["rank"] = dict(values.get("rank", {})) | {"rank": session.components.rank}
    settings = PipelineSettings.parse(values)
    if session.path:  # paths of a run are relative to its output folder
        settings = settings.resolve(Path(session.path).resolve().parent)
    return settings.model_copy(update={"input": InputSettings(recordings=recordings)})


def as_python(session: Session, path: str) -> str:
    """Script that makes components and communities again from a saved session.

    Parameters
    ----------
    session : Session
    path : str
        Where the session lies.
    """
    settings = settings_of(session)
    default = PipelineSettings()
    parts = []
    for name in ("cohort", "affinity", "rank", "factorization", "communities", "seed", "kinds"):
        value = getattr(settings, name)
        if value != getattr(default, name):
            parts.append(f"    {name}={_changed(value, getattr(default, name))!r},")
    body = "\n".join(parts)
    worms = list(session.cohort.worms) if session.cohort is not None else list(session.recordings)
    return f"""import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.pipeline.run import analyze
from napari_dynamic_connectome.pipeline.settings import PipelineSettings

session = ndc.load_session({path!r})
settings = PipelineSettings(
{body}
)
worms = {worms!r}
cohort = ndc.Cohort([session.recordings[worm] for worm in worms], settings.cohort)
result = analyze(cohort, settings)
components = result.components
communities = result.communities[{session.selection.component}, {session.selection.kind!r}]
print(communities.table())
""".replace("(\n\n)", "()")


def _changed(value: Any, default: Any) -> Any:
    if not hasattr(value, "model_dump"):
        return value
    base = default.model_dump()
    return {k: v for k, v in value.model_dump().items() if v != base.get(k)}


def as_command(session: Session, settings_path: str) -> str:
    """Command line that runs the analysis from the settings file written beside it."""
    import shlex

    output = settings_path.removesuffix(".toml") + "-output"
    return f"dynamic-connectome run {shlex.quote(settings_path)} --output {shlex.quote(output)}"


def write_run_files(session: Session, folder: Any) -> str:
    """Write the recordings and settings.toml that `as_command` needs; return the path of the settings.

    Files of these names are replaced only if this program wrote them and nobody changed them.
    """
    from ..io.files import atomic_file, file_names, output_folder
    from ..io.ownership import our_files
    from ..io.registry import write_recording
    from ..pipeline.toml import to_toml

    recordings = session.cohort.recordings if session.cohort is not None else tuple(session.recordings.values())
    stems = file_names(r.name for r in recordings)
    names = tuple(f"{stems[r.name]}.npz" for r in recordings)
    with our_files(output_folder(folder), owner=session.uid, part="run") as mine:
        path = mine.path("settings.toml")
        for recording, target in zip(recordings, [mine.path(name) for name in names], strict=True):
            write_recording(recording, target)
        with atomic_file(path) as temporary:
            temporary.write_text(to_toml(settings_of(session, names), only_set=True), encoding="utf-8")
    return str(path)
