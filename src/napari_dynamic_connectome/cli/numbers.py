"""Numbers as options: what they must be is said when they are read."""

from __future__ import annotations

import argparse


def seed_of(text: str) -> int:
    """Return the seed of random steps."""
    if not text.isdecimal() or not text.isascii() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from 0 up")
    return int(text)
