"""Whether a movie that was written can be played to its end."""

from __future__ import annotations

from pathlib import Path

from ..model.errors import InputError


def check_movie(path: Path, frames: int) -> None:
    """Read a movie back.

    Parameters
    ----------
    path : Path
        .mp4 or .gif.
    frames : int
        How many it should have.

    Raises
    ------
    InputError
        It cannot be read to its end, as when the disk was full while it was written.
    """
    try:
        if path.suffix.lower() == ".gif":
            _read_gif(path)  # frames that are alike are stored as one
            return
        found = _mp4_frames(path)
    except Exception as error:
        raise InputError("the file that was written cannot be played", where=str(path)) from error
    if found < frames:
        raise InputError(f"the file that was written has {found} of {frames} frames", where=str(path))


def _mp4_frames(path: Path) -> int:
    import imageio_ffmpeg

    count, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    return int(count)


def _read_gif(path: Path) -> None:
    import imageio.v3 as imageio

    with path.open("rb") as stream:
        stream.seek(-1, 2)
        if stream.read(1) != b";":
            raise ValueError("the end is missing")
    for _ in imageio.imiter(path, plugin="pillow"):
        pass
