"""Background jobs: long steps in a worker thread, with napari's progress bar and cancel; they end with the viewer or their layer."""

from __future__ import annotations

import gc
import logging
import threading
import time
import traceback
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from napari.utils.progress import cancelable_progress
from psygnal import Signal
from qtpy.QtCore import QObject, QThread, QTimer
from qtpy.QtCore import Signal as QtSignal

from ...model.compiling import compiling_told
from ...model.errors import Cancelled
from .notify import show_failure

if TYPE_CHECKING:
    from ..workspace.workspace import Workspace

STEPS = 1000
log = logging.getLogger("napari_dynamic_connectome")


class _Thread(QThread):
    """Runs one function and keeps what it returned or raised."""

    def __init__(self, job: BackgroundJob) -> None:
        super().__init__()
        self.job = job

    def run(self) -> None:
        job = self.job
        try:
            with compiling_told(None if job.quiet else job.report) as told:
                job.result = job.function(progress=told or job.report, cancel=job.cancelled.is_set)
        except BaseException as error:
            job.error = error
            job.details = traceback.format_exc()


class BackgroundJob(QObject):
    """One running step.

    Signals
    -------
    progressed(fraction, text), ended()
    """

    progressed = QtSignal(float, str)
    ended = QtSignal()

    def __init__(
        self,
        jobs: BackgroundJobs,
        title: str,
        function: Callable[..., Any],
        done: Callable[[Any], Any] | None,
        layers: Iterable[Any],
        quiet: bool = False,
    ) -> None:
        super().__init__()
        self.title, self.function, self.done, self.quiet = title, function, done, quiet
        self.layers = [weakref.ref(layer) for layer in layers]
        self.cancelled = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.details = ""
        self.failure = ""
        """What was said about its error."""
        self.running = True
        """Until its result is where it belongs."""
        self._finished = False
        self.started = time.monotonic()
        self._state = (0.0, "")
        self._shown = 0
        self._jobs = weakref.ref(jobs)
        self._bar = None if quiet else cancelable_progress(total=STEPS, desc=title, cancel_callback=self.cancel)
        if self._bar is not None:
            stop_wheel(jobs.viewer())
        log.info("%s: started", title)
        self._thread = _Thread(self)
        self._timer = QTimer(self)
        self._timer.setInterval(80)
        self._timer.timeout.connect(self._poll)
        self._thread.finished.connect(self._finish)
        self._thread.start()
        self._timer.start()

    def report(self, fraction: float, text: str = "", /) -> None:
        """Called by the step, from any thread; shown at the next tick of the timer."""
        self._state = (min(max(float(fraction), 0.0), 1.0), text or self._state[1])

    def cancel(self) -> None:
        """Ask the step to stop; it does within a second."""
        self.cancelled.set()

    def _poll(self) -> None:
        fraction, text = self._state
        step = round(fraction * STEPS)
        if self._bar is not None:
            if step > self._shown:
                self._bar.update(step - self._shown)
                self._shown = step
            self._bar.set_description(f"{self.title}: {text}" if text else self.title)
        self.progressed.emit(fraction, text)

    def wait(self, seconds: float = 5.0) -> bool:
        """Wait for the thread; used when the viewer closes."""
        return bool(self._thread.wait(int(seconds * 1000)))

    def _finish(self) -> None:
        if not self.running or self._finished:
            return
        jobs = self._jobs()
        if jobs is not None and jobs.closing and not jobs.closed:
            QTimer.singleShot(20, self._finish)  # the window may stay after all
            return
        self._finished = True
        self._timer.stop()
        if self._bar is not None:
            self._bar.close()
        ending = "cancelled" if self.cancelled.is_set() else type(self.error).__name__ if self.error else "done"
        log.info("%s: %s after %.1f s", self.title, ending, time.monotonic() - self.started)
        self.function = _nothing
        if not self.quiet:
            # What the step left behind, not all that napari holds: that would stop the window for a quarter of a second. Not in
            # the thread: with PySide6, widgets that are garbage would be destroyed there.
            gc.collect(1)
        if (
            jobs is not None
            and not jobs.closed
            and self.error is None
            and not self.cancelled.is_set()
            and self.done is not None
        ):
            try:
                steps = self.done(self.result)
            except Exception as error:
                self.error, self.details = error, traceback.format_exc()
            else:
                if isinstance(steps, Iterator):
                    jobs.run_steps(steps, self._taken)
                    return
        self._end()

    def _taken(self, error: BaseException | None) -> None:
        """What had to be done with the result was done in steps."""
        if error is not None:
            self.error, self.details = error, "".join(traceback.format_exception(error))
        self._end()

    def _end(self) -> None:
        if not self.running:
            return
        self.running = False
        jobs = self._jobs()
        if jobs is not None and jobs.closed:
            jobs = None
        if jobs is not None:
            jobs.running.discard(self)
        if jobs is not None and self.error is not None and not isinstance(self.error, Cancelled):
            self.failure = show_failure(jobs.viewer(), self.title, self.error, self.details)
        self.done = None
        self.result = None
        self.ended.emit()
        if jobs is not None:
            jobs.changed.emit()


def stop_wheel(viewer: Any) -> None:
    """Let the wheel that napari turns beside its progress bar stand still.

    Every picture of it makes Qt put the whole window together again: without a graphics card that takes half of a core, for as long
    as a step runs, which is then missing to the step.
    """
    dialog = getattr(getattr(getattr(viewer, "window", None), "_qt_window", None), "_activity_dialog", None)
    label = getattr(getattr(dialog, "_toggleButton", None), "_inProgressIndicator", None)
    movie = None if label is None else label.movie()
    if movie is not None:
        movie.stop()


def _nothing(**_: Any) -> None:
    return None


class BackgroundJobs:
    """All running jobs of one viewer."""

    changed = Signal()

    def __init__(self, work: Workspace) -> None:
        self._work = weakref.ref(work)
        self.running: set[BackgroundJob] = set()
        self.closed = False
        self.closing = False
        """The window was asked to close, and has not said yet whether it does."""

    def viewer(self) -> Any:
        work = self._work()
        return None if work is None else work.viewer

    def run_steps(self, steps: Iterator[Any], ended: Callable[[BaseException | None], None]) -> None:
        """Run steps in turns of the event loop."""
        work = self._work()
        if work is not None:
            work.scheduler.run_steps(steps, ended)

    def start(
        self,
        title: str,
        function: Callable[..., Any],
        done: Callable[[Any], Any] | None = None,
        *,
        layers: Iterable[Any] = (),
        quiet: bool = False,
    ) -> BackgroundJob:
        """Run `function(progress=, cancel=)` in a thread; `done(result)` is called on the GUI thread.

        If `done` is a generator function, each of its steps is a turn of the event loop.

        Parameters
        ----------
        title : str
            Shown beside the progress bar.
        layers : iterable of napari layers
            What the step reads: it is cancelled if one of them is removed.
        quiet : bool
            Without a progress bar: for what takes a fraction of a second.
        """
        job = BackgroundJob(self, title, function, done, layers, quiet)
        self.running.add(job)
        self.changed.emit()
        return job

    def layer_removed(self, layer: Any) -> None:
        """Cancel what reads this layer."""
        for job in list(self.running):
            if any(ref() is layer for ref in job.layers):
                job.cancel()

    def stop(self) -> None:
        """Cancel everything and wait for the threads: they must not outlive the viewer."""
        self.closed = True
        for job in list(self.running):
            job.cancel()
        for job in list(self.running):
            job.wait(20.0)
            job._finish()
            job._end()
        self.running.clear()
