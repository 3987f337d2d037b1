"""Choices that a file leaves to a person: axes, one of several images, a channel."""

from __future__ import annotations

from collections.abc import Sequence

from ..model.errors import InputError


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
