"""Names that are cut where there is little room, and are still told apart."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def short_names(names: Sequence[str], limit: int) -> list[str]:
    """Names of at most so many characters that are still told apart: cut in the middle, at the begin or the end; else numbered.

    Parameters
    ----------
    names : sequence of str
    limit : int
        At least 4.
    """
    whole = [str(n) for n in names]
    half = (limit - 1) // 2
    ways: list[Callable[[str], str]] = [
        lambda n: n[: limit - 1 - half] + "…" + n[-half:],
        lambda n: n[: limit - 1] + "…",
        lambda n: "…" + n[1 - limit :],
    ]
    for cut in ways:
        found = [n if len(n) <= limit else cut(n) for n in whole]
        if len(set(found)) == len(set(whole)):
            return found
    room = limit - len(str(len(whole))) - 2
    return [n if len(n) <= limit else f"{n[: max(room, 1)]}… {i}" for i, n in enumerate(whole, start=1)]
