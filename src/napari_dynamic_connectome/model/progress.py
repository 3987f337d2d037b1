"""Progress and cancel of a long step: the same two callables for GUI, CLI and scripts."""

from __future__ import annotations

from typing import Protocol

from .errors import Cancelled


class ProgressCallback(Protocol):
    """Called with the fraction that is done (0 to 1) and a short text that says what runs now."""

    def __call__(self, fraction: float, message: str = "", /) -> None:  # noqa: D102
        ...


class CancelCallback(Protocol):
    """Returns True once the step shall stop; polled at least every half second."""

    def __call__(self) -> bool:  # noqa: D102
        ...


def report(progress: ProgressCallback | None, fraction: float, message: str = "") -> None:
    """Call `progress`, if there is one, with the fraction clipped to [0, 1]."""
    if progress is not None:
        progress(min(max(float(fraction), 0.0), 1.0), message)


def check_cancel(cancel: CancelCallback | None) -> None:
    """Raise `Cancelled` if the user asked to stop."""
    if cancel is not None and cancel():
        raise Cancelled


def part(progress: ProgressCallback | None, start: float, stop: float) -> ProgressCallback | None:
    """Map a sub-step's 0..1 onto [start, stop] of the whole."""
    if progress is None:
        return None

    def scaled(fraction: float, message: str = "", /) -> None:
        progress(start + (stop - start) * min(max(fraction, 0.0), 1.0), message)

    return scaled
