"""The same work without threads of its own: for fits of which many run side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event
from typing import Any, TypeVar

from ..model.errors import Cancelled
from ..model.execution import Workers

T = TypeVar("T")


class InlineWorkers(Workers):
    """Runs pieces one after the other in the thread that asks.

    Parameters
    ----------
    stop : threading.Event
        Set by whoever started this thread; looked at before every piece.
    """

    def __init__(self, stop: Event) -> None:
        self.threads = 1
        self.cancel = None
        self.stop = stop

    def map(self, function: Callable[[Any], T], items: Iterable[Any]) -> list[T]:
        """Results in the order of the items."""
        results = []
        for item in items:
            if self.stop.is_set():
                raise Cancelled
            results.append(function(item))
        return results

    def close(self) -> None:
        """Nothing to stop."""
