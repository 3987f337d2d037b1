"""The command `simulate`: simulated worms with their truth, ready to run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model.errors import InputError
from ..numbers import seed_of
from ..progress import progress_bar

if TYPE_CHECKING:
    from ...model.progress import ProgressCallback

ORDER = 20


def add(commands: Any) -> None:
    """Add the command to the parser."""
    simulate = commands.add_parser("simulate", help="write simulated worms with known truth, ready to run")
    simulate.add_argument("output", help="folder; created")
    simulate.add_argument("--worms", type=int, default=10, help="number of worms (default: %(default)s)")
    simulate.add_argument(
        "--render", type=int, default=1, metavar="N", help="write the first N worms as 4D images (default: 1)"
    )
    simulate.add_argument("--seed", type=seed_of, default=0)
    simulate.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a setting of the simulation, e.g. noise=0.2; repeatable",
    )
    simulate.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...pipeline.toml import parse_overrides

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
    from ...io.files import safe_file_name
    from ...io.registry import write_recording
    from ...model.progress import part, report
    from ...pipeline.run import write_truth
    from ...pipeline.settings import InputSettings, PipelineSettings, VolumeInput
    from ...pipeline.toml import to_toml
    from ...simulation.render import render_recording
    from ...simulation.simulate import simulate_cohort

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
