"""Lines on standard error, and an end of the output that is checked."""

from __future__ import annotations

import contextlib
import os
import select
import sys

from ..model.errors import InputError


def tell(line: str) -> None:
    """Say something on standard error; where nobody can take it (a log on a full disk), the command goes on."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)


def flush_output() -> None:
    """Write what standard output still holds, so that a list that did not reach its file does not end as if it had.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    if sys.stdout is None or sys.stdout.closed:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        _give_up_output()
        if not isinstance(error, BrokenPipeError):  # the reader has seen enough
            raise InputError(
                f"the output could not be written ({error.strerror})",
                fix="Check the space on the disk that it goes to.",
            ) from error


def reader_is_gone() -> bool:
    """Whether nobody reads standard output any more; if so, nothing is written to it again."""
    try:
        sys.stdout.flush()
        gone = False
        if hasattr(select, "poll"):  # what is written line by line leaves nothing to flush
            asked = select.poll()
            asked.register(sys.stdout.fileno(), select.POLLERR)
            gone = any(event & select.POLLERR for _, event in asked.poll(0))
    except BrokenPipeError:
        gone = True
    except (OSError, ValueError):
        return False
    if gone:
        _give_up_output()
    return gone


def _give_up_output() -> None:
    """Let the interpreter flush into nothing when it ends: what could not be written is not tried again."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
