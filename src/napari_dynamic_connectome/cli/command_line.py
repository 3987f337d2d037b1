"""The command `dynamic-connectome`: the same steps and settings as the docks, without a screen.

Bad input ends with one line on standard error and exit code 2; Ctrl-C with exit code 130, nothing half-written.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .. import __version__
from ..model.errors import Cancelled, DynamicConnectomeError, InputError
from ..model.execution import limited_threads
from ..model.log import start_log
from ..model.memory import START_MB, check_room, explained
from ..model.system import can_print_anything
from . import progress
from .commands import all_commands
from .parser import Parser
from .reading import in_flags
from .told import flush_output, reader_is_gone, tell

log = logging.getLogger("napari_dynamic_connectome")
EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
EXIT_NO_READER = 141
"""As of programs that a shell says were ended by SIGPIPE: who read the output, such as `head`, had seen enough."""


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
    can_print_anything()
    parser = build_parser()
    options, rest = parser.parse_known_args(arguments)
    if len(rest) == 1 and not rest[0].startswith("-") and getattr(options, "labels", "") is None:
        options.labels = rest.pop()  # an optional positional that stands behind options, which argparse cannot place
    at = rest.index("--") if "--" in rest else len(rest)
    if hasattr(options, "files") and not any(one.startswith("-") for one in rest[:at]):
        options.files += rest[:at] + rest[at + 1 :]  # the same for any number of files
        rest = []
    if rest:
        parser.unknown(rest, getattr(options, "parser", None))
    if options.action is None:
        parser.print_help()
        return EXIT_BAD_INPUT
    start_log({"command": " ".join(map(str, sys.argv[1:] if arguments is None else arguments))})
    progress.QUIET = options.quiet
    said = _said_aloud(options.verbose)
    try:
        with _interrupts(), limited_threads(options.threads):
            check_room("the program", address=START_MB)
            with _writing(options):
                code = options.action(options)
            flush_output()
    except Cancelled as error:
        tell(f"dynamic-connectome: {error}")
        return EXIT_INTERRUPTED
    except DynamicConnectomeError as error:
        log.info("%s", error, exc_info=True)
        if os.environ.get("DYNAMIC_CONNECTOME_TRACEBACK"):
            raise
        tell(f"dynamic-connectome: {in_flags(_one_line(error), _flags_of(options))}")
        return EXIT_BAD_INPUT
    except KeyboardInterrupt:
        tell("dynamic-connectome: interrupted; run the same command again to go on")
        return EXIT_INTERRUPTED
    except (MemoryError, RuntimeError, ImportError, OSError) as error:
        if isinstance(error, BrokenPipeError) and reader_is_gone():
            return EXIT_NO_READER
        lack = explained(error, "dynamic-connectome")
        if lack is None and not isinstance(error, OSError):
            log.exception("failed")
            raise
        log.error("%s", error, exc_info=True)
        if os.environ.get("DYNAMIC_CONNECTOME_TRACEBACK"):
            raise
        with suppress(InputError):
            flush_output()  # where that is what failed, it is not tried again when the interpreter ends
        tell(f"dynamic-connectome: {_one_line(lack or error)}")
        return EXIT_BAD_INPUT
    except Exception:
        log.exception("failed")
        raise
    finally:
        log.removeHandler(said)
    log.info("done")
    return int(code or 0)


@contextmanager
def _writing(options: argparse.Namespace) -> Iterator[None]:
    """Keep other commands from writing at the same place; they are told so before they begin."""
    place = _place_of(options)
    if place is None:
        yield
        return
    from ..session.lock import writing_alone

    with writing_alone(place, take_over=options.take_over):
        yield


def _place_of(options: argparse.Namespace) -> Path | None:
    """Return the file or folder that a command writes; None if it writes none."""
    from ..session.save_load import find_session

    if not hasattr(options, "output"):
        return None
    if options.output:
        return Path(options.output)
    if hasattr(options, "settings"):
        path = Path(options.settings)
        return path.with_name(f"{path.stem}-output")
    if getattr(options, "beside_session", False):
        path = find_session(options.session)
        return path.parent if path.exists() else None
    return None


def _said_aloud(verbose: int) -> logging.Handler:
    """Show what goes to the log on standard error, too, if it is asked for."""
    if not verbose:
        return logging.NullHandler()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s" if verbose > 1 else "%(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    return handler


def _flags_of(options: argparse.Namespace) -> set[str]:
    """Return the flags of the command that was given."""
    parser = getattr(options, "parser", None)
    return set() if parser is None else {o for o in parser._option_string_actions if o.startswith("--")}


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _threads(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of threads (1 to 1024)")
    return int(text)


def build_parser() -> Parser:
    """Return the parser with all subcommands."""
    parser = Parser(
        prog="dynamic-connectome",
        description="From segmented whole-brain calcium imaging of C. elegans to a dynamic functional connectome.",
    )
    parser.add_argument("--version", action="version", version=f"dynamic-connectome {__version__}")
    parser.add_argument(
        "--threads",
        type=_threads,
        default=0,
        metavar="N",
        help="threads of every step (default: one a core); same results",
    )
    parser.set_defaults(action=None)
    _add_loudness(parser, 0, False)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in all_commands():
        command.add(commands)
    for one in commands.choices.values():
        if any(action.dest == "output" for action in one._actions):
            one.add_argument(
                "--take-over",
                action="store_true",
                help="take the lock of the session, or of what is written, from another machine that shows no sign of life",
            )
        one.set_defaults(parser=one, whole=parser)
        _add_loudness(one, argparse.SUPPRESS, argparse.SUPPRESS)  # what was said before the command stays
    return parser


def _add_loudness(parser: argparse.ArgumentParser, verbose: Any, quiet: Any) -> None:
    parser.add_argument(
        "-v", "--verbose", action="count", default=verbose, help="say what is done; -vv: all that is logged"
    )
    parser.add_argument("-q", "--quiet", action="store_true", default=quiet, help="no progress")
