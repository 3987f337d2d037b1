"""Scheduler of what has to be drawn: calls are spread over turns of the event loop, so that no turn is long."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from qtpy.compat import isalive
from qtpy.QtCore import QObject, QTimer

BUDGET_S = 0.03
"""A turn takes up another method only before this: what can be done in one frame is seen in one frame, not part by part."""
HELD_S = 0.25
"""While methods wait the canvas is not drawn, but for about this long at most: without a graphics card a volume takes longer to draw
than all that waits, and would be drawn after every turn."""
FREE_S = 0.05
"""Time in which it can be drawn then."""


class Scheduler:
    """A queue of waiting methods; each turn of the event loop calls as many as its budget allows, one at least.

    Parameters
    ----------
    canvas : callable, optional
        Returns the widget of the canvas, or None if there is none.
    """

    def __init__(self, canvas: Callable[[], Any] | None = None) -> None:
        self._canvas = canvas
        self._held = False
        self._free_until = 0.0
        self._closed = False
        self.paused = False
        """No turns are taken: the window was asked to close, and has not said yet whether it does."""
        self._waiting: list[ScheduledCall | ScheduledSteps] = []
        self._timer = QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(0)
        self._timer.timeout.connect(_weakly(self._next))
        self._release_timer = QTimer()
        self._release_timer.setSingleShot(True)
        self._release_timer.timeout.connect(_weakly(self.release))

    def later(self, method: Callable[[], Any]) -> ScheduledCall:
        """Return a call of a bound method, whose owner it doesn't keep alive."""
        return ScheduledCall(self, method)

    def run_steps(self, steps: Iterator[Any], ended: Callable[[BaseException | None], None] | None = None) -> None:
        """Run the steps of a generator one after the other, each when its turn comes.

        Parameters
        ----------
        steps : iterator
            Works between its yields.
        ended : callable, optional
            Called after the last step, with the error that ended it, if one did.
        """
        ScheduledSteps(self, steps, ended).start()

    @property
    def busy(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def close(self) -> None:
        """Forget what waits; nothing is taken up any more."""
        self._closed = True
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if isinstance(one, ScheduledSteps):
                one.forget()
        self._timer.stop()
        self.release()

    def resume(self) -> None:
        """Take turns again after a pause."""
        self.paused = False
        if self._waiting:
            self._wake()

    def _wait_for(self, one: ScheduledCall | ScheduledSteps) -> None:
        if self._closed:
            return
        if one not in self._waiting:
            self._waiting.append(one)
        self._wake()

    def _wake(self) -> None:
        if not self._timer.isActive() and not self.paused:
            self._timer.start()

    def _next(self) -> None:
        start = time.perf_counter()
        try:
            while self._waiting and not self.paused:
                call = self._waiting.pop(0)
                if self._waiting:
                    self._timer.start()  # first: whatever the method raises, the others come
                call.call()
                if time.perf_counter() - start > BUDGET_S:
                    return
        finally:
            self._hold()

    def _hold(self) -> None:
        """Keep the canvas from being drawn while something waits; what was to be drawn is drawn later, at once."""
        canvas = self._canvas() if self._canvas is not None else None
        if canvas is None or not isalive(canvas) or self._closed:
            return
        if not self._waiting:
            self.release()
        elif not self._held and time.perf_counter() > self._free_until:
            self._held = True
            canvas.setUpdatesEnabled(False)
            self._release_timer.start(int(HELD_S * 1000))  # it also comes while a dialog is open

    def release(self) -> None:
        """Let the canvas be drawn."""
        self._release_timer.stop()
        if self._held:
            self._held, self._free_until = False, time.perf_counter() + FREE_S
            canvas = self._canvas() if self._canvas is not None else None
            if canvas is not None and isalive(canvas):
                canvas.setUpdatesEnabled(True)


def _weakly(method: Callable[[], Any]) -> Callable[[], None]:
    """Call a bound method while its owner is there."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        found = reference()
        if found is not None:
            found()

    return call


class ScheduledSteps:
    """The steps of a generator, which wait in the queue one at a time."""

    def __init__(
        self, scheduler: Scheduler, steps: Iterator[Any], ended: Callable[[BaseException | None], None] | None = None
    ) -> None:
        self._scheduler = weakref.ref(scheduler)
        self._steps, self._ended = steps, ended

    def start(self) -> None:
        """Wait for the next step."""
        scheduler = self._scheduler()
        if scheduler is not None:
            scheduler._wait_for(self)

    def forget(self) -> None:
        """End the generator where it is."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()

    def call(self) -> None:
        """Take a step."""
        error: BaseException | None = None
        try:
            next(self._steps)
        except StopIteration:
            pass
        except Exception as raised:
            error = raised
        else:
            self.start()
            return
        if self._ended is not None:
            self._ended(error)
        elif error is not None:
            raise error


class ScheduledCall:
    """Used like a single-shot timer without a time."""

    def __init__(self, scheduler: Scheduler, method: Callable[[], Any]) -> None:
        self._scheduler = scheduler
        self._method = weakref.WeakMethod(method)

    def start(self) -> None:
        """Wait for its turn; a call that waits already keeps its place."""
        self._scheduler._wait_for(self)

    def stop(self) -> None:
        """Wait no longer."""
        if self in self._scheduler._waiting:
            self._scheduler._waiting.remove(self)

    def isActive(self) -> bool:  # as QTimer has it
        """Whether it waits."""
        return self in self._scheduler._waiting

    def call(self) -> None:
        """Do it, if the owner is still there."""
        method = self._method()
        owner = getattr(method, "__self__", None)
        if method is not None and (not isinstance(owner, QObject) or isalive(owner)):
            method()
