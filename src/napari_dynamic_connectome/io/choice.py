"""Choices that a file leaves to a person: axes, one of several images, a channel."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

from ..model.errors import InputError

Rows = Literal["pre", "post", "gap junctions", "contact"]
"""What the rows of a matrix of connections may be: `rows=`."""
ROWS: tuple[str, ...] = get_args(Rows)


class ChoiceNeeded(InputError):
    """The file can be read once an option says which of several things is meant; nothing was guessed.

    The command line prints it like any other error; napari asks, and opens the file again with the answer.

    Parameters
    ----------
    what, where, fix : str
        As in `InputError`.
    option : str
        Name of the option that settles it ("axes", "dataset", "group", "channel", ...).
    choices : sequence of str
        What can be chosen; empty where any text is allowed.
    example : str
        A likely answer.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        fix: str = "",
        option: str = "",
        choices: Sequence[str] = (),
        example: str = "",
    ) -> None:
        super().__init__(what, where=where, fix=fix)
        self.option = option
        self.choices = tuple(choices)
        self.example = example

    def __reduce__(self) -> tuple[object, ...]:
        return (_restore, (self.what, self.where, self.fix, self.option, self.choices, self.example))


def _restore(what: str, where: str, fix: str, option: str, choices: tuple[str, ...], example: str) -> ChoiceNeeded:
    return ChoiceNeeded(what, where=where, fix=fix, option=option, choices=choices, example=example)


@contextmanager
def options_called(names: Mapping[str, str]) -> Iterator[None]:
    """Let what is refused or asked inside name the options as the caller calls them.

    Parameters
    ----------
    names : mapping of str to str
        Option of a reader -> option of the caller, such as "axes" -> "label_axes".
    """
    try:
        yield
    except InputError as error:
        fix = re.sub(r"\b([a-z_]+)=", lambda m: f"{names.get(m[1], m[1])}=", error.fix)
        if not isinstance(error, ChoiceNeeded):
            raise type(error)(error.what, where=error.where, fix=fix) from error
        raise ChoiceNeeded(
            error.what,
            where=error.where,
            fix=fix,
            option=names.get(error.option, error.option),
            choices=error.choices,
            example=error.example,
        ) from error
