"""Unique names for recordings."""

from __future__ import annotations

from collections.abc import Container


def unique(name: str, taken: Container[str]) -> str:
    """Return the name, with a number if it is taken."""
    if name not in taken:
        return name
    number = 2
    while f"{name} ({number})" in taken:
        number += 1
    return f"{name} ({number})"
