"""Completion of names while one is typed: which fit, in what order, and what a digit means: text, or "take this one"."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ..model.neurons import CANONICAL, info, mirror, normalize

MOST = 8
"""Names that are offered; each can be taken with its digit."""


@dataclass(frozen=True)
class Completion:
    """A name that fits.

    Parameters
    ----------
    name : str
    why : str
        In words: who has it, whose mirror it is, or where it lies.
    taken_by : int or None
        Label of another neuron that has the name.
    probability : float
        By position, NaN if no atlas says.
    """

    name: str
    why: str
    taken_by: int | None = None
    probability: float = float("nan")


def plain(text: str) -> str:
    """Typed text without case, spaces, dots, dashes and underscores."""
    return re.sub(r"[\s_.\-]+", "", unicodedata.normalize("NFKC", text[:200])).upper()


@lru_cache(maxsize=512)
def matches(typed: str) -> tuple[tuple[str, ...], ...]:
    """Canonical names that fit, best group first: those that begin with it (or whose class does), contain it, have its letters in order.

    Examples
    --------
    >>> [group[:2] for group in matches("AVA")][0]
    ('AVAL', 'AVAR')
    >>> "SMDVL" in matches("SML")[2]
    True
    """
    letters = re.compile(".*".join(map(re.escape, typed[1:]))) if typed else None
    begins, contains, scattered = [], [], []
    for name in CANONICAL:
        entry = info(name)
        if name.startswith(typed) or (entry is not None and entry.neuron_class == typed):
            begins.append(name)
        elif typed in name:
            contains.append(name)
        elif letters is not None and name[0] == typed[0] and letters.search(name, 1):
            scattered.append(name)
    return tuple(begins), tuple(contains), tuple(scattered)


def completions(
    typed: str,
    holders: Mapping[str, int],
    label: int,
    probability: Mapping[str, float] | None = None,
    *,
    most: int = MOST,
) -> list[Completion]:
    """Names for what was typed; with nothing typed, those that an atlas suggests.

    A name that no other neuron has comes before one that is taken, and a probable one before others; what was typed in full
    always comes first, so that a refusal can say who has it.

    Parameters
    ----------
    typed : str
    holders : mapping of str to int
        Names that are given, with the neuron's label.
    label : int
        The neuron that is being named.
    probability : mapping of str to float, optional
        Of names for this neuron, from `naming.atlas.suggest`.
    """
    probability = probability or {}
    text = plain(typed)
    if not text:
        found = sorted((n for n in probability if probability[n] > 0), key=lambda n: -probability[n])
    else:
        exact = normalize(typed)
        found = []
        for group in matches(text):
            found += sorted(group, key=lambda n: (_taken(n, holders, label) is not None, -probability.get(n, 0.0)))
        if exact is not None:
            found = [exact, *(n for n in found if n != exact)]
    return [_completion(n, holders, label, probability) for n in found[:most]]


def _taken(name: str, holders: Mapping[str, int], label: int) -> int | None:
    holder = holders.get(name)
    return None if holder is None or holder == label else holder


def _completion(name: str, holders: Mapping[str, int], label: int, probability: Mapping[str, float]) -> Completion:
    other, partner, entry = _taken(name, holders, label), mirror(name), info(name)
    if other is not None:
        why = f"already neuron {other}"
    elif partner is not None and partner in holders:
        why = f"mirror of {partner}"
    else:
        why = f"{entry.ganglion} ganglion" if entry is not None else ""
    return Completion(name, why, other, probability.get(name, float("nan")))


@lru_cache(maxsize=512)
def goes_on(typed: str, digit: str) -> bool:
    """Whether a digit typed after this text is a part of a name; otherwise it takes the name with that number.

    Examples
    --------
    >>> goes_on("VA", "1"), goes_on("ava", "1")
    (True, False)
    """
    text = plain(typed) + digit
    return len(text) > 1 and any(text in name for name in CANONICAL)
