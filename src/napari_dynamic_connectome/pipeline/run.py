"""Run of the whole path in one call: files, recordings, cohort, affinity, components, communities, session.

`run_pipeline` saves the session after every stage, so that a run that was interrupted goes on where it was: a stage is done
again only if its settings or its input changed.
"""

from __future__ import annotations

import glob
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..io.choice import ChoiceNeeded
from ..io.files import matching, output_folder
from ..io.fingerprint import fingerprint
from ..io.ownership import claim_folder, remove_folder
from ..model.cluster import lent
from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, part, report
from ..model.provenance import Provenance, versions
from ..model.recording import Recording
from ..model.results import Communities, CommunityKind, Components
from ..model.summary import Summary
from ..model.truth import Truth
from ..session.carry_over import carry_over, edits_state
from ..session.freshness import LEFT_FREE, freshness
from ..session.session import Session
from .contrasts import give_attributes
from .earlier import back_up, held_session, withdraw
from .images import extract_files
from .kept import KeptPieces
from .opinions import find_baselines, find_signed
from .partition import partition
from .provenance import provenance_of, settings_hash
from .reading import judge_all, read_files
from .reading import read_as_said as read_as_said
from .settings import PipelineSettings, VolumeInput, nearby
from .states import find_states

if TYPE_CHECKING:
    from ..affinity.spec import AffinitySpec
    from ..factorization.settings import FactorizationSettings

SESSION_NAME = "session.zarr"
CHECKPOINTS = "checkpoints"
SAVE_EVERY_S = 5.0
"""Communities that were found are saved this often while others are searched."""
log = logging.getLogger("napari_dynamic_connectome")


@dataclass(frozen=True, repr=False)
class AnalysisResult(Summary):
    """What `analyze` returns: the affinity's description, the sweep (if one ran), components, communities, how they were made."""

    affinity: AffinitySpec
    sweep: Any
    components: Components
    communities: dict[tuple[int, CommunityKind], Communities]
    provenance: Provenance

    def _lines(self) -> list[str]:
        lines = [] if self.sweep is None else [self.sweep.reason]
        lines += self.components._lines()
        said = {
            number: str(one.answer) for (number, kind), one in self.communities.items() if kind == "core" and one.answer
        }
        return lines + list(said.values())

    def put_into(self, session: Session, cohort: Cohort) -> None:
        """Make this what a session shows: `cohort`, of which it is, all results, and how they were made."""
        put_provenance(session, self.provenance, self.components)
        session.set_cohort(cohort)
        session.set_sweep(self.sweep)
        session.set_components(self.components if self.components.rank else None)
        session.set_communities(self.communities)


def put_provenance(session: Session, made: Provenance, components: Components | None = None) -> None:
    """Say in a session how its results are made that were not made by `run_pipeline`: the next run makes its own again.

    Parameters
    ----------
    session : Session
    made : Provenance
    components : Components, optional
        If these are new.
    """
    record = made.record()
    stages = session.provenance.get("stages", {})
    left = {k: v for k, v in stages.items() if k == "recordings" or (components is None and k == "components")}
    session.settings = record["settings"]
    session.provenance = session.provenance | record | ({"stages": left} if stages else {})
    if components is not None:
        session.provenance["model"] = components.model
        session.provenance["model_reason"] = components.diagnostics.get("model_reason", "")


def find_inputs(settings: PipelineSettings) -> tuple[list[Path], list[VolumeInput]]:
    """Return the files that the settings name, wildcards expanded; a missing one is an `InputError`."""
    paths: list[Path] = []
    for pattern in settings.input.recordings:
        if any(c in pattern for c in "*?") and not Path(pattern).exists():
            # [1] in a name is a name; only * and ? stand for others
            found = [p for p in matching(pattern) if not _beside(p)]
            if not found:
                raise InputError("no file fits this pattern", where=pattern, fix="Check input.recordings.")
        else:
            found = _tables_of(Path(pattern))
        paths.extend(p for p in found if p not in paths)
    for path in paths:
        if not path.exists():
            raise InputError("there is no such file or folder", where=str(path), fix="Check input.recordings.")
    for volume in settings.input.volumes:
        if not volume.volume:
            raise InputError("a worm given as images has no 'volume'", where="input.volumes")
        for one in (volume.volume, volume.labels, volume.names, volume.stimuli, volume.behaviour):
            if one and not Path(one).exists() and not matching(one):
                raise InputError("there is no such file or folder", where=one, fix="Check input.volumes.")
    if not paths and not settings.input.volumes:
        raise InputError(
            "nothing to analyze", where="input", fix="Name files in input.recordings or images in [[input.volumes]]."
        )
    return paths, list(settings.input.volumes)


def _tables_of(path: Path) -> list[Path]:
    """Return the tables of traces of a folder of CSV files, which is a cohort; else the path itself."""
    if not path.is_dir():
        return [path]
    endings = (".csv", ".tsv", ".csv.gz")
    found = [p for p in sorted(path.iterdir()) if p.name.lower().endswith(endings) and not _beside(p)]
    others = [
        p for p in path.iterdir() if p.suffix.lower() in (".parquet", ".pq", ".tif", ".tiff") or p.name == "zarr.json"
    ]
    return found if found and not others else [path]


def input_prints(paths: list[Path], volumes: list[VolumeInput]) -> list[dict[str, Any]]:
    """Fingerprints of all files of `find_inputs`, and of the tables beside traces in CSV, which are read along with them."""
    from ..io.formats.csv import SIDECARS, sidecar

    files: list[str | Path] = []
    for path in paths:
        files.append(path)
        if path.name.lower().endswith((".csv", ".csv.gz", ".tsv", ".txt")):
            files += [one for what in SIDECARS if (one := sidecar(path, what)).is_file()]
    for volume in volumes:
        named = (volume.volume, volume.labels, volume.names, volume.stimuli, volume.behaviour)
        reference = volume.reference if Path(volume.reference).exists() else ""
        files += [one for one in (*named, reference) if one]
    return [fingerprint(one) for one in files]


def _beside(path: Path) -> bool:
    """True for a table that belongs to another file ("worm1_stimuli.csv" beside "worm1.csv")."""
    for ending in ("_neurons", "_stimuli", "_behaviour"):
        if path.stem.endswith(ending):
            return any(path.parent.glob(glob.escape(path.stem.removesuffix(ending)) + ".*"))
    return False


def load_recordings(
    settings: PipelineSettings,
    *,
    checkpoint: Path | None = None,
    client: Any = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Recording]:
    """Read the recordings and extract those given as images; correct and assess them as the settings say."""
    from ..extraction.correct import correct_traces

    paths, volumes = find_inputs(settings)
    jobs = len(volumes) * 10 + len(paths)
    done, judging = 0, part(progress, 0.5, 1)
    progress = part(progress, 0, 0.5)
    recordings: list[Recording] = []
    for volume in volumes:
        step = part(progress, done / jobs, (done + 10) / jobs)
        kept = None if checkpoint is None else checkpoint / f"worm_{len(recordings):03d}"  # one folder a volume
        recording = _extract(volume, settings, kept, client, step, cancel)
        if settings.correct in ("extracted", "all"):
            recording = correct_traces(recording, settings.correction, cancel=cancel)
        recordings.append(recording)
        done += 10
    recordings += read_files(paths, settings, client=client, progress=part(progress, done / jobs, 1), cancel=cancel)
    if settings.input.worms:
        known = [r.name for r in recordings]
        absent = [w for w in settings.input.worms if w not in known]
        if absent:
            raise InputError(f"there is no worm '{absent[0]}'", where="input.worms", fix=f"Found: {', '.join(known)}.")
        recordings = [r for r in recordings if r.name in settings.input.worms]
    names = [r.name for r in recordings]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise InputError(f"two recordings are called '{twice}'", where="input", fix="Rename one of them.")
    recordings = give_attributes(recordings, settings.input)
    return judge_all(recordings, settings.quality, client=client, progress=judging, cancel=cancel)


def _extract(
    entry: VolumeInput,
    settings: PipelineSettings,
    checkpoint: Path | None,
    client: Any,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> Recording:
    try:
        return extract_files(
            entry, settings.extraction, checkpoint=checkpoint, client=client, progress=progress, cancel=cancel
        )
    except ChoiceNeeded as error:
        if error.option not in VolumeInput.model_fields:
            raise
        fix = f'{error.fix} In the settings file: [[input.volumes]] {error.option} = "{error.example or "..."}".'
        raise ChoiceNeeded(
            error.what, where=error.where, fix=fix, option=error.option, choices=error.choices, example=error.example
        ) from error


def analyze(
    cohort: Cohort,
    settings: PipelineSettings | None = None,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    client: Any = None,
    checkpoint: str | Path | None = None,
    command: str = "",
) -> AnalysisResult:
    """Cohort -> affinity -> components -> communities of every component.

    Parameters
    ----------
    cohort : Cohort
    settings : PipelineSettings, optional
    progress, cancel : callables, optional
    client : dask.distributed.Client, optional
        Runs the factorization's jobs on a cluster.
    checkpoint : path, optional
        Folder in which finished fits are kept: the same call goes on from there. It must belong to this cohort and settings.
    command : str
        What was called, for the provenance; the command line of this program by default.
    """
    settings = settings or PipelineSettings()
    affinity, sweep, components = decompose(
        cohort,
        settings,
        progress=part(progress, 0, 0.7),
        cancel=cancel,
        client=client,
        checkpoint=None if checkpoint is None else Path(checkpoint),
    )
    communities = partition(
        components, settings, progress=part(progress, 0.7, 1), cancel=cancel, cohort=cohort, client=client
    )
    made = provenance_of(settings, cohort, command=command)
    return AnalysisResult(affinity, sweep, components, communities, made)


def enough_worms(cohort: Cohort, settings: FactorizationSettings) -> FactorizationSettings:
    """Settle how many worms must have observed a pair: two where there are three worms or more and two share a pair."""
    if settings.min_worms:
        return settings
    presence = np.asarray(cohort.presence.values, float)
    shared = np.triu(presence.T @ presence, 1)
    least = 2 if len(presence) >= 3 and (shared >= 2).any() else 1
    return settings.model_copy(update={"min_worms": least})


def decompose(
    cohort: Cohort,
    settings: PipelineSettings,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    client: Any = None,
    checkpoint: Path | None = None,
) -> tuple[AffinitySpec, Any, Components]:
    """Cohort -> affinity -> (rank sweep ->) components, compared with chance.

    Finished fits are kept in the folder `checkpoint`. Where there is no structure beyond chance, the components have rank 0.
    """
    from ..affinity.compute import compute_affinity
    from ..comparison.confounds import partial_out_cohort
    from ..factorization.factorize import factorize
    from ..factorization.sweep import sweep_ranks
    from .chance import StartGroups, judge_components, judge_sweep, no_components, try_without

    report(progress, 0, "affinities")
    cohort = partial_out_cohort(cohort, settings.confounds, cancel=cancel)
    affinity = compute_affinity(cohort, settings.affinity, cancel=cancel)
    settings = settings.model_copy(update={"factorization": enough_worms(cohort, settings.factorization)})
    rank = settings.rank
    about = (settings.seed, rank.starts, settings.chance.method, settings.chance.min_shift_s, settings.factorization)
    kept = KeptPieces(None if checkpoint is None else checkpoint / "chance", about)
    how: dict[str, Any] = {"kept": kept, "client": client, "cancel": cancel}
    if rank.rank is not None:
        with lent(client):
            components = factorize(
                affinity,
                rank.rank,
                settings.factorization,
                starts=rank.starts,
                seed=settings.seed,
                progress=part(progress, 0, 0.5),
                cancel=cancel,
                client=client,
                checkpoint=checkpoint,
            )
        return (
            affinity,
            None,
            judge_components(affinity, cohort, components, settings, progress=part(progress, 0.5, 1), **how),
        )
    starts = StartGroups(kept, cancel)
    with lent(client):
        sweep = sweep_ranks(
            affinity,
            range(rank.smallest, rank.largest + 1),
            settings.factorization,
            starts=rank.starts,
            folds=rank.folds,
            seed=settings.seed,
            progress=part(progress, 0, 0.5),
            cancel=cancel,
            client=client,
            checkpoint=checkpoint,
            inspect=starts,
        )
    sweep = judge_sweep(affinity, cohort, sweep, settings, starts=starts, progress=part(progress, 0.5, 1), **how)
    if settings.chance.without_each_worm:
        sweep = try_without(affinity, sweep, settings, cancel=cancel)
    if sweep.nothing:
        return affinity, sweep, no_components(sweep.components[min(sweep.components)], sweep.reason)
    return affinity, sweep, sweep.components[sweep.suggested]


def run_pipeline(
    settings: PipelineSettings | str | Path,
    output: str | Path,
    *,
    resume: bool = True,
    replace: bool = False,
    take_over: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    client: Any = None,
) -> Session:
    """Run all steps and keep the session in `output`/session.zarr, saved after every stage.

    What was corrected in the session of an earlier run (names, confidences, notes, rejected neurons, worms left out, stimuli) is
    put onto the recordings when they are read again; `session.provenance["not carried over"]` lists what could not be, and a
    backup of the session is kept then. `session.provenance["done again"]` says what earlier results were older than.

    Parameters
    ----------
    settings : PipelineSettings or path of a TOML file
    output : path
        Folder; created if absent. A folder that holds other things but no session of ours is refused.
    resume : bool
        Use the stages of an earlier run in `output` whose settings and input are the same.
    replace : bool
        Replace a session in `output` that no run made or that cannot be read; a backup of it is kept.
    take_over : bool
        Take the session's lock from another machine that shows no sign of life; never from one that does.
    progress, cancel : callables, optional
    client : dask.distributed.Client, optional

    Returns
    -------
    Session
        With recordings, cohort, sweep, components and communities.

    Raises
    ------
    InputError
        Whatever is wrong with settings, files or data; nothing is half-written.
    """
    how: dict[str, Any] = {"progress": progress, "cancel": cancel, "client": client}
    with finished_run(settings, output, resume=resume, replace=replace, take_over=take_over, **how) as session:
        return session


@contextmanager
def finished_run(
    settings: PipelineSettings | str | Path,
    output: str | Path,
    *,
    resume: bool = True,
    replace: bool = False,
    take_over: bool = False,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    client: Any = None,
) -> Iterator[Session]:
    """As `run_pipeline`; the session stays locked while the block writes what else belongs into the output folder."""
    if not isinstance(settings, PipelineSettings):
        settings = PipelineSettings.from_file(settings)
    output = check_output(output)
    paths, volumes = find_inputs(settings)
    inputs = input_prints(paths, volumes)
    claim_folder(output)
    with held_session(output / SESSION_NAME, replace=replace, take_over=take_over) as session:
        log.info("run %s: %s", output.name, json.dumps(settings.model_dump(mode="json"), default=str))
        yield _run_stages(session, settings, output, inputs, resume, progress, cancel, client)


def _read_again(
    session: Session,
    settings: PipelineSettings,
    target: Path,
    checkpoint: Path,
    client: Any,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> None:
    """Read or extract the recordings of a session, and put earlier corrections onto them."""
    recordings = load_recordings(settings, checkpoint=checkpoint, client=client, progress=progress, cancel=cancel)
    before = session.start_again()
    for recording in recordings:
        session.add(recording, make_current=False)
    lost = carry_over(before, session)
    session.provenance.pop("not carried over", None)
    if lost:
        session.provenance["not carried over"] = lost
        if target.exists():
            copy = back_up(target)
            log.warning("not everything could be carried over; the session as it was: %s", copy.name)
        for line in lost:
            log.warning("not carried over: %s", line)
    session.truth = read_truth(settings.input.truth) if settings.input.truth else None
    session.provenance["worms"] = list(session.recordings)


def _run_stages(
    session: Session,
    settings: PipelineSettings,
    output: Path,
    inputs: list[dict[str, Any]],
    resume: bool,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
    client: Any,
) -> Session:
    """Do what is not done yet of a session that is locked for this run."""
    from ..session.save_load import save_session

    target = output / SESSION_NAME
    stages: dict[str, str] = dict(session.provenance.get("stages", {})) if resume else {}
    why = freshness(session, settings.model_dump(mode="json")).lines
    session.provenance.pop("done again", None)
    if session.components is not None and session.components.unasked:
        stages = {k: v for k, v in stages.items() if k == "recordings"}
    hashes = stage_hashes(settings, inputs)
    kept = _checkpoints(output, hashes, ("recordings",))
    if stages.get("recordings") != hashes["recordings"]:
        withdraw(output)
        _read_again(session, settings, target, kept["recordings"], client, part(progress, 0, 0.25), cancel)
        stages = {}
        _stamp(session, settings, output, inputs, stages, "recordings", hashes)
        save_session(session, target)
    hashes = stage_hashes(settings, inputs, edits_state(session))
    kept = _checkpoints(output, hashes)
    if why and stages.get("communities") != hashes["communities"]:
        session.provenance["done again"] = why
        log.info("done again: %s", " ".join(why))
    if stages.get("components") != hashes["components"]:
        withdraw(output)
        session.settings = settings.relative(output).model_dump(mode="json")
        _decompose_again(session, settings, kept["components"], client, part(progress, 0.25, 0.75), cancel)
        stages.pop("communities", None)
        _stamp(session, settings, output, inputs, stages, "components", hashes)
        save_session(session, target)
    if stages.get("communities") != hashes["communities"]:
        withdraw(output)
        session.settings = settings.relative(output).model_dump(mode="json")
        begun = stages.get("some communities") == hashes["communities"]

        def save_some(some: dict[tuple[int, CommunityKind], Communities]) -> None:
            session.communities = dict(some)
            some_hashes = {"some communities": hashes["communities"]}
            _stamp(session, settings, output, inputs, stages, "some communities", some_hashes)
            save_session(session, target)

        found: dict[tuple[int, CommunityKind], Communities] = {}
        if session.components is not None:
            found = partition(
                session.components,
                settings,
                progress=part(progress, 0.75, 0.9),
                cancel=cancel,
                known=session.communities if begun else None,
                keep=_now_and_then(save_some),
                cohort=session.cohort,
                client=client,
            )
        stages.pop("some communities", None)
        session.communities = {}
        session.set_communities(found)
        _stamp(session, settings, output, inputs, stages, "communities", hashes)
        save_session(session, target)
    for stage, step in _opinions(session, settings, part(progress, 0.9, 1), cancel).items():
        if getattr(session, stage) is None or stages.get(stage) != hashes[stage]:
            withdraw(output)
            step()
            _stamp(session, settings, output, inputs, stages, stage, hashes)
            save_session(session, target)
    remove_folder(output / CHECKPOINTS)
    report(progress, 1, "done")
    return session


def _opinions(
    session: Session, settings: PipelineSettings, progress: ProgressCallback | None, cancel: CancelCallback | None
) -> dict[str, Callable[[], None]]:
    """The other methods that the settings ask for, by stage: each puts its result into the session."""
    cohort, components = session.cohort, session.components
    how: dict[str, Any] = {"progress": progress, "cancel": cancel}
    main: dict[str, Any] = {"components": components, "seed": settings.seed}
    found: dict[str, Callable[[], None]] = {}
    if cohort is None:
        return found
    if settings.states.fit:
        chosen = settings.communities
        found["states"] = lambda: session.set_states(
            find_states(cohort, settings.states, communities=chosen, **main, **how), cohort
        )
    if settings.baselines.fit:
        found["baselines"] = lambda: session.set_baselines(
            find_baselines(cohort, settings.baselines, communities=session.communities, **main, **how), cohort
        )
    if settings.baselines.signed and components is not None:
        found["signed"] = lambda: session.set_signed(find_signed(cohort, components.rank, settings, **how), cohort)
    return found


def _decompose_again(
    session: Session,
    settings: PipelineSettings,
    checkpoint: Path,
    client: Any,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> None:
    """Affinities and components of the worms that take part."""
    taking_part = [r for name, r in session.recordings.items() if name not in session.left_out]
    cohort = Cohort(taking_part, settings.cohort)
    session.set_cohort(cohort)
    affinity, sweep, components = decompose(
        cohort, settings, progress=progress, cancel=cancel, client=client, checkpoint=checkpoint
    )
    session.set_sweep(sweep)
    session.set_components(components if components.rank else None)
    session.provenance["model"] = components.model
    session.provenance["model_reason"] = components.diagnostics.get("model_reason", affinity.model_reason)


def _now_and_then(save: Callable[[Any], None]) -> Callable[[Any], None]:
    """Save what is done so far, but not more often than every `SAVE_EVERY_S`."""
    last = time.monotonic()

    def keep(some: Any) -> None:
        nonlocal last
        if time.monotonic() - last > SAVE_EVERY_S:
            save(some)
            last = time.monotonic()

    return keep


def _checkpoints(
    output: Path, hashes: Mapping[str, str], stages: Sequence[str] = ("recordings", "components")
) -> dict[str, Path]:
    """Folders for what is half done, of these stages; theirs of other settings or files are removed."""
    folder = output / CHECKPOINTS
    kept = {stage: folder / f"{stage}-{hashes[stage][:16]}" for stage in stages}
    claim_folder(folder)
    for other in folder.iterdir():
        if other.is_dir() and other not in kept.values() and other.name.split("-")[0] in kept:
            shutil.rmtree(other, ignore_errors=True)
    return kept


def check_output(output: str | Path) -> Path:
    """Return the output folder's path; one that holds other things is refused, so that nothing is mixed up."""
    return claim_folder(output_folder(output, make=False), make=False)


def stage_hashes(settings: PipelineSettings, inputs: list[dict[str, Any]], edits: Any = None) -> dict[str, str]:
    """Hash of everything that a stage depends on, for each stage; `edits`: what a person decided about neurons and worms."""
    values = settings.model_dump(mode="json")
    prints = [{k: v for k, v in i.items() if k != "path"} for i in inputs]
    # which group a worm is in changes neither its traces nor the components
    values["input"] = {k: v for k, v in values["input"].items() if not k.startswith("attributes")}
    # nor does the folder in which the files lie: what is in them is in the fingerprints
    values["input"] = _names_only(values["input"])
    first = settings_hash(
        prints, versions(), *(values[k] for k in ("input", "extraction", "correction", "quality", "correct"))
    )
    second = settings_hash(
        first,
        edits,
        *(values[k] for k in ("seed", "cohort", "confounds", "affinity", "rank", "factorization", "chance")),
    )
    third = settings_hash(second, values["communities"], values["kinds"])
    chosen = {k: v for k, v in values["states"].items() if k not in LEFT_FREE}
    states = settings_hash(second, values["communities"], chosen) if settings.states.fit else ""
    ways = {k: v for k, v in values["baselines"].items() if k not in LEFT_FREE}
    return {
        "recordings": first,
        "components": second,
        "communities": third,
        "states": states,
        "baselines": settings_hash(third, ways) if settings.baselines.fit else "",
        "signed": second if settings.baselines.signed else "",
    }


def _names_only(value: Any) -> Any:
    """Return settings with every absolute path cut to its last part."""
    if isinstance(value, Mapping):
        return {k: _names_only(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_names_only(v) for v in value]
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def _stamp(
    session: Session,
    settings: PipelineSettings,
    output: Path,
    inputs: list[dict[str, Any]],
    stages: dict[str, str],
    stage: str,
    hashes: Mapping[str, str],
) -> None:
    stages[stage] = hashes[stage]
    made = provenance_of(
        settings.relative(output),
        [one | {"path": nearby(str(Path(one["path"]).absolute()), output)} for one in inputs],
        seen_from=lambda path: nearby(path, output),
    ).record()
    session.settings = made["settings"]
    session.provenance.update(made | {"stages": dict(stages)})


def read_truth(folder: str | Path) -> Truth:
    """Read the truth of simulated data from motifs.csv, members.csv and windows.csv."""
    folder = Path(folder)
    tables = {}
    for name in ("motifs", "members", "windows"):
        path = folder / f"{name}.csv"
        if not path.is_file():
            raise InputError(
                "there is no such file", where=str(path), fix="Point input.truth to the folder with the truth."
            )
        tables[name] = pd.read_csv(path, keep_default_na=False, na_values=["nan", "NaN"])
        for column in tables[name].columns:
            if column not in ("neuron", "worm", "kind", "stimulus"):
                tables[name][column] = pd.to_numeric(tables[name][column])
            else:
                tables[name][column] = tables[name][column].astype(str)
    return Truth(**tables)


def write_truth(truth: Truth, folder: str | Path) -> Path:
    """Write the truth of simulated data as three CSV files."""
    from ..io.formats.text_tables import write_csv

    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("motifs", "members", "windows"):
        write_csv(getattr(truth, name), folder / f"{name}.csv")
    return folder


def scores(session: Session) -> dict[str, pd.DataFrame]:
    """Comparisons that a report shows: recovery of the truth, left/right control, behaviour; empty ones are left out."""
    from ..comparison.behaviour import behaviour_correlations
    from ..comparison.leftright import left_right_report
    from ..comparison.recovery import recovery_scores

    found: dict[str, pd.DataFrame] = {}
    components = session.components
    if components is None:
        return found
    kinds = list(dict.fromkeys(kind for _, kind in session.communities))
    by_kind = {k: {c: v for (c, kind), v in session.communities.items() if kind == k} for k in kinds}

    def each(score: Callable[[dict[int, Communities]], pd.DataFrame]) -> pd.DataFrame:
        if not by_kind:
            return score({})
        return pd.concat([score(v).assign(communities=k) for k, v in by_kind.items()], ignore_index=True)

    truth = session.truth
    if truth is not None:
        found["Recovery of the planted motifs"] = each(lambda chosen: recovery_scores(components, chosen, truth))
    found["Left/right pairs (positive control)"] = each(lambda chosen: left_right_report(components, chosen))
    if session.cohort is not None and any(len(r.behaviour.data_vars) for r in session.cohort.recordings):
        found["Components and behaviour"] = behaviour_correlations(components, session.cohort)
    return {k: v for k, v in found.items() if len(v) and not np.all(v.isna())}
