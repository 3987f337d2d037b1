"""Movies: our own frame loop, one frame per turn of the event loop, with progress and cancel."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from ...display.movie_check import check_movie
from ...display.movie_frames import Movement, movie_frames
from ...model.errors import InputError, MissingExtraError
from ...model.system import check_name, flush, remove_file, replace
from ..qt.notify import show_failure, show_info


class Movie(QObject):
    """Writes a movie of the canvas; the file appears when it is complete."""

    progressed = Signal(float, str)
    ended = Signal()

    def __init__(self, work: Any, path: Path, movement: Movement, seconds: float, fps: int) -> None:
        super().__init__()
        try:
            import imageio.v2 as imageio
        except ImportError as error:
            raise MissingExtraError("imageio", "movie", "writing movies") from error
        if path.suffix.lower() not in (".mp4", ".gif"):
            raise InputError(
                f"movies of type '{path.suffix}' are not written", where=str(path), fix="Use .mp4 or .gif."
            )
        check_name(path)
        self.title, self.said = "Movie", ""
        self.error: Exception | None = None
        self.work, self.path = work, path
        recording = work.session.recording
        times = recording.time_s if recording is not None else np.zeros(0)
        self.frames = movie_frames(movement, seconds, fps, times)
        self.temporary = path.with_name(f".{os.getpid()}.{path.name}")  # the ending says which format it is
        options = (
            {"fps": fps, "macro_block_size": 2}
            if path.suffix.lower() == ".mp4"
            else {"duration": 1000 / fps, "loop": 0}
        )
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self.writer = imageio.get_writer(str(self.temporary), **options)
        except OSError as error:
            raise _not_written(path, error) from error
        camera = work.viewer.scene.camera
        self.angles, self.time = tuple(camera.angles), work.session.selection.time_s
        self.at, self.running, self.stopped = 0, True, False
        self._timer = QTimer(self)
        self._timer.setInterval(0)
        self._timer.timeout.connect(self._next)

    def start(self) -> None:
        """Begin."""
        self._timer.start()

    def cancel(self) -> None:
        """Stop; nothing is kept."""
        self.stopped = True

    def _next(self) -> None:
        viewer = self.work.viewer
        if self.stopped or viewer is None or self.work.scene.closed:
            self._finish(False)
            return
        try:
            frame = self.frames[self.at]
            if frame.time_s is not None:
                self.work.session.select(time_s=frame.time_s)
            if viewer.dims.ndisplay == 3:
                viewer.scene.camera.angles = (self.angles[0], self.angles[1] + frame.turn, self.angles[2])
            self.work.scene.follow_now()
            self.work.scene.place_names()
            self.work.scene.place_leaders()
            picture = viewer.screenshot(canvas_only=True, flash=False)[..., :3]
            height, width = (n - n % 2 for n in picture.shape[:2])
            self.writer.append_data(np.ascontiguousarray(picture[:height, :width]))
        except Exception as error:
            self.error = _not_written(self.path, error) if isinstance(error, OSError) else error
            show_failure(viewer, "Movie", self.error)
            self._finish(False)
            return
        self.at += 1
        self.progressed.emit(self.at / len(self.frames), f"frame {self.at} of {len(self.frames)}")
        if self.at == len(self.frames):
            self._finish(True)

    def _finish(self, complete: bool) -> None:
        self._timer.stop()
        if not self.running:
            return
        self.running = False
        viewer = self.work.viewer
        self.said = "movie stopped; nothing was written"
        try:
            self.writer.close()
            if complete:
                check_movie(self.temporary, len(self.frames))
                flush(self.temporary)
                replace(self.temporary, self.path)
                self.said = f"wrote {self.path}"
                show_info(f"Wrote {self.path.name}.")
        except Exception as error:  # the encoder is a program of its own: what it raises when it ends is not known
            if complete:
                self.error = _not_written(self.path, error)
                show_failure(viewer, "Movie", self.error)
        finally:
            with contextlib.suppress(OSError, InputError):
                remove_file(self.temporary)
        if viewer is not None and not self.work.scene.closed:
            viewer.scene.camera.angles = self.angles
            self.work.session.select(time_s=self.time)
        self.ended.emit()


def _not_written(path: Path, error: Exception) -> InputError:
    said = str(error).strip().splitlines()
    why = getattr(error, "strerror", "") or getattr(error, "what", "") or (said[-1] if said else type(error).__name__)
    return InputError(
        f"the movie could not be written ({why})",
        where=str(path),
        fix="What was there before is unchanged. Check the space on the disk and your permission to write.",
    )
