"""The command `movie`: the worm of a session as mp4 or gif, without a window on the desk."""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from ..progress import progress_bar
from ..sessions import opened
from ..window import window_command

SMALLEST, LARGEST = 64, 8192
"""Pixels of a side of the window."""

ORDER = 70


def add(commands: Any) -> None:
    """Add the command to the parser."""
    movie = commands.add_parser("movie", help="write the worm of a session as mp4 or gif (extra movie)")
    movie.add_argument("session", help="session.zarr, or the output folder of a run")
    movie.add_argument("-o", "--output", metavar="FILE", help="(default: worm.mp4 beside the session)")
    movie.add_argument(
        "--movement", choices=("time", "turn", "both"), default="time", help="what moves (default: %(default)s passes)"
    )
    movie.add_argument("--seconds", type=_seconds, default=10.0, help="length (default: %(default)g s)")
    movie.add_argument("--fps", type=_fps, default=20, help="frames a second (default: %(default)s)")
    movie.add_argument(
        "--size", type=_size, default=(1600, 1000), metavar="WxH", help="of the window (default: 1600x1000)"
    )
    movie.add_argument("--theme", choices=("dark", "light"), default="dark")
    movie.add_argument("--worm", default="", help="(default: the one that was shown when the session was saved)")
    movie.add_argument("--component", type=int, metavar="N", help="colours by the communities of this component")
    movie.add_argument("--kind", choices=("core", "modules"), default="", help="of communities")
    movie.add_argument(
        "--view",
        choices=("saved", "telling"),
        default="saved",
        help="as the session was saved, or the community that shows most (default: %(default)s)",
    )
    movie.add_argument("--overwrite", action="store_true", help="replace a file that this program did not write")
    movie.set_defaults(action=execute, beside_session=True)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...io.ownership import OurFiles
    from ...model.errors import Cancelled, InputError, MissingExtraError
    from ...model.system import check_name

    if importlib.util.find_spec("imageio") is None or importlib.util.find_spec("imageio_ffmpeg") is None:
        raise MissingExtraError("imageio and imageio-ffmpeg", "movie", "Writing movies")
    session, path = opened(options.session)
    if not session.recordings:
        raise InputError("the session holds no recording", where=str(path))
    output = Path(options.output) if options.output else path.with_name("worm.mp4")
    if output.suffix.lower() not in (".mp4", ".gif"):
        raise InputError(
            f"movies of type '{output.suffix}' are not written", where=str(output), fix="Use .mp4 or .gif."
        )
    check_name(output)
    if output.is_dir():
        raise InputError("this is a folder", where=str(output), fix="Give the name of a file.")
    mine = OurFiles(output.parent, part="movie")
    mine.path(output.name, overwrite=options.overwrite)  # said before the work
    width, height = options.size
    given = ["--movement", options.movement, "--seconds", str(options.seconds), "--fps", str(options.fps)]
    given += ["--theme", options.theme, "--width", str(width), "--height", str(height), "--view", options.view]
    given += [f"--worm={options.worm}", f"--kind={options.kind}"]
    if options.component is not None:
        given += [f"--component={options.component}"]
    command = window_command(
        "movie", [*given, "--", str(path.absolute()), str(output.absolute())], width=width, height=height
    )
    with progress_bar("movie") as progress:
        progress(0.0, "opening the session")
        # what the window says goes into a file: a pipe that nobody empties would stop it when it is full
        with tempfile.TemporaryFile() as aside:
            child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=aside, encoding="utf-8", errors="replace")
            try:
                assert child.stdout is not None
                for line in child.stdout:
                    done, _, words = line.strip().partition(" ")
                    if done.replace(".", "", 1).isdecimal():
                        progress(float(done), words)
                child.wait()
            except BaseException:
                child.terminate()
                child.wait()
                raise
            aside.seek(0)
            said = (aside.read().decode("utf-8", "replace").strip().splitlines() or ["no message"])[-1]
    if child.returncode == 130:
        raise Cancelled(said)
    if child.returncode:
        raise InputError(f"the movie was not written: {said}")
    mine.finish(stale=False)
    print(f"wrote {output}")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 600:
        raise argparse.ArgumentTypeError(f"{text} s is no length of a movie (up to 600)")
    return value


def _fps(text: str) -> int:
    value = int(text)
    if not 0 < value <= 60:
        raise argparse.ArgumentTypeError(f"{text} frames a second are not possible (1 to 60)")
    return value


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(p.isdecimal() and SMALLEST <= int(p) <= LARGEST for p in parts):
        raise argparse.ArgumentTypeError(f"'{text}' is not a size (for example 1600x1000)")
    return int(parts[0]), int(parts[1])
