"""Options of the command line: what is mistyped is answered with what was probably meant."""

from __future__ import annotations

import argparse
import difflib
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn


class Parser(argparse.ArgumentParser):
    """A parser that suggests; its subcommands have the same class."""

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            known = [str(one) for one in action.choices]
            what = "command" if isinstance(action, argparse._SubParsersAction) else "value"
            raise argparse.ArgumentError(
                None if what == "command" else action, f"unknown {what} '{value}'{meant(str(value), known)}"
            )

    def unknown(self, rest: Sequence[str], command: Parser | None) -> NoReturn:
        """End with a message about arguments that no option takes.

        Parameters
        ----------
        rest : sequence of str
        command : Parser, optional
            The command that was given.
        """
        owner = command or self
        first = next((one for one in rest if one.startswith("-") and one != "--"), rest[0])
        name = first.split("=")[0]
        known = [o for o in owner._option_string_actions if o.startswith("--")]
        hint = meant(name, known) if name.startswith("-") else ""
        owner.error(f"unrecognized arguments: {' '.join(rest)}{hint}")


def meant(text: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" if something known is like a text, else what is known if that is little, else ""."""
    known = list(known)
    near = difflib.get_close_matches(text.lower(), known, n=1, cutoff=0.6)
    near = near or [one for one in known if len(text) > 1 and one.startswith(text.lower())][:2]
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; known: {', '.join(known)}" if 0 < len(known) <= 30 and not text.startswith("-") else ""
