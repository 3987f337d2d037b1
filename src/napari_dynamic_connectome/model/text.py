"""Text from files and file names, as every file, screen and XML parser can hold it."""

from __future__ import annotations

import re

from .errors import InputError

_NO_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
REPLACED = "\N{REPLACEMENT CHARACTER}"


def clean_text(text: str) -> str:
    """Return a text with every character replaced that XML 1.0 and UTF-8 cannot hold.

    Control characters (but tab and line ends) and halves of surrogate pairs, as Python makes them of file names that are no
    UTF-8, become U+FFFD.
    """
    return _NO_TEXT.sub(REPLACED, text)


def counted(count: int, what: str) -> str:
    """Return "1 name", "3 names"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def check_seed(seed: int) -> int:
    """Return a seed, or raise `InputError` if no random generator takes it."""
    if isinstance(seed, bool) or int(seed) != seed or seed < 0:
        raise InputError(f"the seed {seed} is not a whole number from 0 up", where="seed", fix="Use 0, 1, 2, ...")
    return int(seed)
