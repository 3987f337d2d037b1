"""The command `dynamic-connectome`: the same steps and settings as the docks, without a screen.

Bad input ends with one line on standard error and exit code 2; Ctrl-C with exit code 130, nothing half-written.
"""

from __future__ import annotations

import argparse
import importlib.util
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__
from .model.errors import Cancelled, DynamicConnectomeError, InputError
from .model.log import start_log
from .model.memory import START_MB, check_room, explained

if TYPE_CHECKING:
    from .model.progress import ProgressCallback
    from .pipeline.settings import PipelineSettings
    from .session.session import Session

log = logging.getLogger("napari_dynamic_connectome")
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130


class _Interrupt(KeyboardInterrupt):
    """Ctrl-C.

    CPython notes a plain KeyboardInterrupt that passes through `exec` of a text, as in imports that make dataclasses; `python -m`
    then ends by the signal instead of with our exit code, even if it was caught. A subclass it does not note.
    """


@contextmanager
def _interrupts() -> Iterator[None]:
    """Raise `_Interrupt` on Ctrl-C, where Python would have raised a plain KeyboardInterrupt."""

    def stop(number: int, frame: Any) -> None:
        raise _Interrupt

    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if ours:
        signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if len(rest) == 1 and not rest[0].startswith("-") and getattr(options, "labels", "") is None:
        options.labels = rest.pop()  # an optional positional that stands behind options, which argparse cannot place
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if options.action is None:
        parser.print_help()
        return EXIT_BAD_INPUT
    start_log({"command": " ".join(map(str, sys.argv[1:] if arguments is None else arguments))})
    try:
        with _interrupts():
            check_room("the program", address=START_MB)
            options.action(options)
    except Cancelled as error:
        print(f"dynamic-connectome: {error}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except DynamicConnectomeError as error:
        log.info("%s", error, exc_info=True)
        if os.environ.get("DYNAMIC_CONNECTOME_TRACEBACK"):
            raise
        print(f"dynamic-connectome: {_one_line(error)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        print("dynamic-connectome: interrupted; run the same command again to go on", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (MemoryError, RuntimeError, ImportError, OSError) as error:
        lack = explained(error, "dynamic-connectome")
        if lack is None and not isinstance(error, OSError):
            log.exception("failed")
            raise
        log.error("%s", error, exc_info=True)
        if os.environ.get("DYNAMIC_CONNECTOME_TRACEBACK"):
            raise
        print(f"dynamic-connectome: {_one_line(lack or error)}", file=sys.stderr)
        return EXIT_BAD_INPUT
    except Exception:
        log.exception("failed")
        raise
    log.info("done")
    return 0


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def build_parser() -> argparse.ArgumentParser:
    """Return the parser with all subcommands."""
    parser = argparse.ArgumentParser(
        prog="dynamic-connectome",
        description="From segmented whole-brain calcium imaging of C. elegans to a dynamic functional connectome.",
    )
    parser.add_argument("--version", action="version", version=f"dynamic-connectome {__version__}")
    parser.set_defaults(action=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    demo = commands.add_parser("demo", help="simulate worms, run everything, write pictures and a report")
    demo.add_argument("-o", "--output", default="demo-output", help="folder for everything (default: %(default)s)")
    demo.add_argument("--worms", type=int, default=10, help="number of simulated worms (default: %(default)s)")
    demo.add_argument("--seed", type=int, default=0)
    demo.add_argument(
        "--no-viewer", action="store_true", help="do not open napari at the end, even where there is a screen"
    )
    demo.set_defaults(action=_demo)

    simulate = commands.add_parser("simulate", help="write simulated worms with known truth, ready to run")
    simulate.add_argument("output", help="folder; created")
    simulate.add_argument("--worms", type=int, default=10, help="number of worms (default: %(default)s)")
    simulate.add_argument(
        "--render", type=int, default=1, metavar="N", help="write the first N worms as 4D images (default: 1)"
    )
    simulate.add_argument("--seed", type=int, default=0)
    simulate.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a setting of the simulation, e.g. noise=0.2; repeatable",
    )
    simulate.set_defaults(action=_simulate)

    extract = commands.add_parser("extract", help="traces from a 4D image and its labels")
    extract.add_argument("volume", help="4D image: OME-Zarr, TIFF, HDF5, NWB")
    extract.add_argument("labels", nargs="?", help="3D or 4D labels (default: those inside an OME-Zarr image)")
    extract.add_argument("-o", "--output", required=True, help="file to write: .csv, .parquet, .npz or .nwb")
    extract.add_argument("--name", help="name of the worm (default: the image's file name)")
    extract.add_argument("--names", help="CSV with columns label, name (default: the names stored with the labels)")
    extract.add_argument("--stimuli", help="CSV with columns name, onset, offset (s)")
    extract.add_argument("--behaviour", help="CSV with a time column and one column a channel")
    extract.add_argument("--channel", help="channel of the image that holds the activity: name or number from 0")
    extract.add_argument("--reference", help="reference channel: name or number of a channel, or another image")
    extract.add_argument("--axes", default="", help="axes of the image, such as tzyx, if the file does not name them")
    extract.add_argument("--label-axes", default="", help="axes of the labels, if the file does not name them")
    extract.add_argument("--dataset", default="", help="HDF5: path of the image inside the file")
    extract.add_argument("--label-dataset", default="", help="HDF5: path of the labels inside the file")
    extract.add_argument(
        "--radius", type=float, metavar="UM", help="labels given as a table of centres: radius in micrometres"
    )
    extract.add_argument("--units", default="", help="labels given as a table of centres: um or voxels")
    extract.add_argument(
        "--voxel-size", type=float, nargs=3, metavar=("Z", "Y", "X"), help="micrometres, if the file does not say"
    )
    extract.add_argument("--rate", type=float, metavar="HZ", help="volumes per second, if the file does not say")
    extract.add_argument("--correct", action="store_true", help="also correct bleaching and compute dF/F0")
    extract.add_argument(
        "--resume", metavar="FOLDER", help="keep finished blocks here, and go on from them after a stop"
    )
    extract.add_argument("--executor", choices=("local", "dask"), default="local")
    extract.add_argument("--scheduler", metavar="ADDRESS", help="of a running dask scheduler (with --executor dask)")
    extract.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TABLE.FIELD=VALUE",
        help="extraction.…, correction.… or quality.… setting; repeatable",
    )
    extract.set_defaults(action=_extract)

    run = commands.add_parser("run", help="run all steps that a settings file describes")
    run.add_argument("settings", help="TOML file; write one with: dynamic-connectome settings > settings.toml")
    run.add_argument("-o", "--output", help="folder for everything (default: <settings file>-output)")
    run.add_argument(
        "--set", action="append", default=[], metavar="TABLE.FIELD=VALUE", help="override a setting; repeatable"
    )
    run.add_argument("--fresh", action="store_true", help="do not use the finished stages of an earlier run")
    run.add_argument("--no-screenshot", action="store_true", help="skip the picture of the napari window")
    run.add_argument("--executor", choices=("local", "dask"), default="local")
    run.add_argument("--scheduler", metavar="ADDRESS", help="of a running dask scheduler (with --executor dask)")
    run.set_defaults(action=_run)

    report = commands.add_parser("report", help="write tables, figures and the report of a session again")
    report.add_argument("session", help="session.zarr, or the output folder of a run")
    report.add_argument("-o", "--output", help="folder (default: the folder that holds the session)")
    report.add_argument("--no-screenshot", action="store_true", help="skip the picture of the napari window")
    report.set_defaults(action=_report)

    settings = commands.add_parser("settings", help="print a settings file with all defaults and their meaning")
    settings.set_defaults(action=_settings)

    validate = commands.add_parser("validate", help="check a settings file, or any input file, and say what is in it")
    validate.add_argument("path", help="settings .toml, or a recording")
    validate.set_defaults(action=_validate)
    return parser


# --- progress ---------------------------------------------------------------------------------------------------------


@contextmanager
def progress_bar(title: str) -> Iterator[ProgressCallback]:
    """Show one bar while a step runs (plain lines where standard error is no terminal)."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        shown = {"twentieth": -1}

        def plain(fraction: float, message: str = "", /) -> None:
            twentieth = int(20 * fraction)
            if message and twentieth > shown["twentieth"]:
                shown["twentieth"] = twentieth
                print(f"{title}: {100 * fraction:3.0f} %  {message}", file=sys.stderr, flush=True)

        yield plain
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        task = bar.add_task(title, total=1.0)

        def update(fraction: float, message: str = "", /) -> None:
            bar.update(task, completed=fraction, description=f"{title}: {message}" if message else title)

        yield update


def _client(options: argparse.Namespace) -> Any:
    if options.executor != "dask":
        if options.scheduler:
            raise InputError("--scheduler needs --executor dask")
        return None
    if not options.scheduler:
        raise InputError("--executor dask needs --scheduler ADDRESS", fix="For example tcp://127.0.0.1:8786.")
    if importlib.util.find_spec("distributed") is None:
        from .model.errors import MissingExtraError

        raise MissingExtraError("distributed", "cluster", "Running on a dask cluster")
    from distributed import Client

    try:
        return Client(options.scheduler, timeout="10s")
    except (OSError, TimeoutError) as error:
        raise InputError("no dask scheduler answers", where=options.scheduler, fix="Check the address.") from error


# --- commands -----------------------------------------------------------------------------------------------------------


def _simulate(options: argparse.Namespace) -> None:
    from .pipeline.toml import parse_overrides

    folder = Path(options.output)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError("this exists already", where=str(folder), fix="Choose a new folder.")
    with progress_bar("simulate") as progress:
        settings = write_simulation(
            folder,
            worms=options.worms,
            render=options.render,
            seed=options.seed,
            options=parse_overrides(options.set),
            progress=progress,
        )
    print(f"wrote {folder} ({options.worms} worms). Analyze it with:\n  dynamic-connectome run {settings}")


def write_simulation(
    folder: Path,
    *,
    worms: int,
    render: int,
    seed: int,
    options: dict[str, Any] | None = None,
    progress: ProgressCallback | None = None,
) -> Path:
    """Write simulated worms, their truth and a settings file into a new folder; return the settings file."""
    from .io.registry import write_recording
    from .model.progress import part, report
    from .pipeline.run import write_truth
    from .pipeline.settings import InputSettings, PipelineSettings, VolumeInput
    from .pipeline.toml import to_toml
    from .report.tables import safe_file_name
    from .simulation.render import render_recording
    from .simulation.simulate import simulate_cohort

    if worms < 1:
        raise InputError("at least one worm is needed", where="--worms")
    if not 0 <= render <= worms:
        raise InputError(f"{render} is not between 0 and the number of worms ({worms})", where="--render")
    report(progress, 0, "traces")
    cohort, truth = simulate_cohort(options or None, n_worms=worms, seed=seed)
    folder.mkdir(parents=True, exist_ok=True)
    write_truth(truth, folder / "truth")
    volumes, paths = [], []
    for index, recording in enumerate(cohort.recordings):
        stem = safe_file_name(recording.name)
        if index < render:
            step = part(progress, 0.05 + 0.9 * index / max(render, 1), 0.05 + 0.9 * (index + 1) / max(render, 1))
            render_recording(recording, folder / f"{stem}.ome.zarr", seed=seed + index, progress=step)
            volumes.append(VolumeInput(name=recording.name, volume=f"{stem}.ome.zarr"))
        else:
            write_recording(recording, folder / f"{stem}.npz")
            paths.append(f"{stem}.npz")
    settings = PipelineSettings(
        title="Simulated worms",
        seed=seed,
        input=InputSettings(recordings=tuple(paths), volumes=tuple(volumes), truth="truth"),
    )
    path = folder / "settings.toml"
    path.write_text(
        "# Analyze with: dynamic-connectome run settings.toml\n" + to_toml(settings, only_set=True), encoding="utf-8"
    )
    report(progress, 1, "done")
    return path


def _extract(options: argparse.Namespace) -> None:
    from .extraction.correct import correct_traces
    from .extraction.quality import assess_quality
    from .extraction.settings import CorrectionSettings, ExtractionSettings, QualitySettings
    from .io.registry import write_recording
    from .pipeline.images import extract_files
    from .pipeline.toml import parse_overrides

    overrides = parse_overrides(options.set)
    unknown = set(overrides) - {"extraction", "correction", "quality"}
    if unknown:
        raise InputError(
            f"'{sorted(unknown)[0]}' is not a table here", where="--set", fix="Use extraction.… or correction.…"
        )
    settings = ExtractionSettings.parse(overrides.get("extraction"), where="--set extraction")
    quality = QualitySettings.parse(overrides.get("quality"), where="--set quality")
    correction = CorrectionSettings.parse(overrides.get("correction"), where="--set correction")
    more: dict[str, Any] = {}
    if options.voxel_size:
        more["voxel_size_um"] = tuple(options.voxel_size)
    if options.rate:
        more["frame_rate_hz"] = options.rate
    client = _client(options)
    try:
        with progress_bar("extract") as progress:
            recording = extract_files(
                options.volume,
                options.labels or "",
                name=options.name or "",
                names=options.names or "",
                stimuli=options.stimuli or "",
                behaviour=options.behaviour or "",
                channel=options.channel,
                reference=options.reference,
                axes=options.axes,
                label_axes=options.label_axes,
                dataset=options.dataset,
                label_dataset=options.label_dataset,
                radius_um=options.radius,
                units=options.units,
                settings=settings,
                checkpoint=Path(options.resume) if options.resume else None,
                client=client,
                progress=progress,
                **more,
            )
    finally:
        if client is not None:
            client.close()
    if options.correct or "correction" in overrides:
        recording = correct_traces(recording, correction)
    recording = assess_quality(recording, quality)
    write_recording(recording, options.output)
    named = len(recording.named)
    print(f"wrote {options.output}: {recording.n_neurons} neurons ({named} named), {recording.n_times} time points")


def _run(options: argparse.Namespace) -> None:
    from .pipeline.settings import PipelineSettings
    from .pipeline.toml import parse_overrides

    path = Path(options.settings)
    settings = PipelineSettings.from_file(path, parse_overrides(options.set))
    output = Path(options.output) if options.output else path.with_name(f"{path.stem}-output")
    client = _client(options)
    try:
        session = run_and_write(
            settings, output, screenshot=not options.no_screenshot, resume=not options.fresh, client=client
        )
    finally:
        if client is not None:
            client.close()
    print_summary(session, output)


def run_and_write(
    settings: PipelineSettings, output: Path, *, screenshot: bool = True, resume: bool = True, client: Any = None
) -> Session:
    """Run the pipeline and write session, tables, figures, screenshot and report into `output`."""
    from .pipeline.run import run_pipeline
    from .pipeline.toml import to_toml

    with progress_bar("run") as progress:
        session = run_pipeline(settings, output, resume=resume, progress=progress, client=client)
    (output / "settings.toml").write_text(to_toml(settings), encoding="utf-8")
    write_outputs(session, output, screenshot=screenshot, title=settings.title)
    return session


def write_outputs(session: Session, output: Path, *, screenshot: bool, title: str) -> None:
    """Write tables, figures, the screenshot of the viewer and the report of a session that lies in `output`."""
    from .pipeline.run import SESSION_NAME, scores
    from .report.html import write_figures, write_report
    from .report.tables import safe_file_name, write_tables

    with progress_bar("write") as progress:
        progress(0.0, "scores")
        tables = scores(session)
        progress(0.3, "tables")
        named = {f"score_{safe_file_name(k.split(' (')[0].lower()).replace('.', '')}": v for k, v in tables.items()}
        write_tables(session, output / "tables", named)
        progress(0.5, "figures")
        write_figures(session, output / "figures")
        pictures: dict[str, Path] = {}
        if screenshot:
            progress(0.7, "screenshot")
            picture = output / "figures" / "viewer.png"
            if take_screenshot(output / SESSION_NAME, picture):
                pictures["The session in napari: neurons coloured by community."] = picture
        progress(0.9, "report")
        write_report(session, output / "report.html", title=title, pictures=pictures, scores=tables)


def has_screen() -> bool:
    """True where a window can be opened."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def take_screenshot(session: Path, picture: Path, *, size: str = "1600x1000") -> bool:
    """Draw the napari window of a session into a PNG, on a virtual screen where there is none; False if that failed."""
    command = [
        sys.executable,
        "-m",
        "napari_dynamic_connectome.widgets.app.screenshot",
        str(session),
        str(picture),
        "--size",
        size,
    ]
    if not has_screen():
        if shutil.which("xvfb-run") is None:
            print(
                "no screen and no xvfb-run: the picture of the viewer is left out (apt-get install xvfb xauth)",
                file=sys.stderr,
            )
            return False
        command = ["xvfb-run", "-a", "-s", f"-screen 0 {size}x24 +extension GLX", *command]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    except subprocess.TimeoutExpired:
        print("the picture of the viewer took longer than 300 s and is left out", file=sys.stderr)
        return False
    if done.returncode != 0 or not picture.is_file():
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        print(f"the picture of the viewer is left out: {reason}", file=sys.stderr)
        return False
    return True


def _report(options: argparse.Namespace) -> None:
    from .pipeline.run import SESSION_NAME
    from .session.save_load import load_session

    path = Path(options.session)
    if path.is_dir() and (path / SESSION_NAME).exists():
        path = path / SESSION_NAME
    session = load_session(path)
    output = Path(options.output) if options.output else path.parent
    output.mkdir(parents=True, exist_ok=True)
    title = str(session.settings.get("title", "Dynamic functional connectome"))
    from .session.save_load import save_session

    if not (output / SESSION_NAME).exists():
        save_session(session, output / SESSION_NAME)
    write_outputs(session, output, screenshot=not options.no_screenshot, title=title)
    print(f"wrote {output / 'report.html'}")


def _settings(options: argparse.Namespace) -> None:
    from .pipeline.settings import PipelineSettings
    from .pipeline.toml import to_toml

    print("# Settings of dynamic-connectome; every line shows its default.\n" + to_toml(PipelineSettings()), end="")


def _validate(options: argparse.Namespace) -> None:
    path = Path(options.path)
    if path.suffix == ".toml":
        from .pipeline.run import find_inputs
        from .pipeline.settings import PipelineSettings

        settings = PipelineSettings.from_file(path)
        paths, volumes = find_inputs(settings)
        print(f"{path}: good; {len(paths)} recordings, {len(volumes)} worms given as images")
        return
    from .io.registry import read_recordings

    for recording in read_recordings(path):
        print(
            f"{recording.name}: {recording.n_neurons} neurons ({len(recording.named)} named), {recording.n_times} time points, "
            f"{recording.rate_hz:.3g} Hz, {len(recording.stimuli)} stimuli, {len(recording.behaviour.data_vars)} behaviour channels"
        )


def print_summary(session: Session, output: Path) -> None:
    """Say in a few lines what was found and where it lies."""
    components = session.components
    if components is not None:
        print(
            f"{components.rank} components ({components.model}), relative error {components.error:.3f} over observed entries"
        )
        from .report.component_figures import strongest_neurons

        for component in range(1, components.rank + 1):
            shown = session.communities.get((component, "core")) or session.communities.get((component, "modules"))
            groups = len(shown.sizes()) if shown is not None else 0
            names = ", ".join(strongest_neurons(components, component, 6))
            print(f"  component {component}: {names}; {groups} {'community' if groups == 1 else 'communities'}")
    print(f"report: {output / 'report.html'}\nsession: {output / 'session.zarr'}")


def _demo(options: argparse.Namespace) -> None:
    import resource

    from .pipeline.run import check_output
    from .pipeline.settings import PipelineSettings

    start = time.monotonic()
    output = check_output(options.output)
    data = output / "data"
    settings_file = data / "settings.toml"
    if not settings_file.is_file():
        shutil.rmtree(data, ignore_errors=True)
        with progress_bar("simulate") as progress:
            write_simulation(data, worms=options.worms, render=1, seed=options.seed, progress=progress)
    settings = PipelineSettings.from_file(settings_file)
    session = run_and_write(settings, output)
    print_summary(session, output)
    for heading, table in _demo_scores(session).items():
        print(f"{heading}:\n{table.to_string(index=False, float_format=lambda v: f'{v:.2f}')}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"done in {time.monotonic() - start:.0f} s, {peak:.0f} MiB at most in this process")
    if not options.no_viewer and has_screen() and not os.environ.get("CI"):
        print("opening napari ...")
        subprocess.run(
            [sys.executable, "-m", "napari_dynamic_connectome.widgets.app", str(output / "session.zarr")],
            check=False,
        )


def _demo_scores(session: Session) -> dict[str, Any]:
    from .pipeline.run import scores

    return {k: v for k, v in scores(session).items() if k.startswith("Recovery")}


if __name__ == "__main__":
    sys.exit(main())
