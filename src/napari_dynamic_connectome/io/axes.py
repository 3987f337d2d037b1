"""Which axis of an array is what: by the names in the file, or by the `axes=` option; never by guessing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model.errors import InputError

_NAMES = {
    "t": ("t", "time", "frame", "frames", "timepoint"),
    "c": ("c", "channel", "channels", "s", "samples"),
    "z": ("z", "depth", "plane", "slice", "planes"),
    "y": ("y", "row", "rows", "height"),
    "x": ("x", "column", "columns", "width"),
}
_LOOKUP = {name: letter for letter, names in _NAMES.items() for name in names}


def resolve_axes(found: Sequence[str] | None, shape: Sequence[int], asked: str | None, where: str) -> str:
    """Return one letter of "tczyx" for every axis ("" stands nowhere: axes of length 1 with no name become "-").

    Parameters
    ----------
    found : sequence of str or None
        Names in the file.
    shape : sequence of int
    asked : str, optional
        What the user says, such as "tzyx"; it wins over the file.
    where : str

    Raises
    ------
    InputError
        If an axis has no name and none was asked for; the message names the `axes=` option.
    """
    example = {2: "yx", 3: "zyx", 4: "tzyx", 5: "tczyx"}.get(len(shape), "tczyx")
    fix = f"Say what the axes of shape {tuple(int(n) for n in shape)} are, for example axes='{example}'."
    names: list[str] = list(asked.lower()) if asked is not None else [str(n).lower() for n in (found or ())]
    source = "axes= says" if asked is not None else "the file says"
    if asked is None and not found:
        raise InputError("the file does not say what its axes are", where=where, fix=fix)
    if len(names) != len(shape):
        raise InputError(f"{source} {len(names)} axes, the array has {len(shape)}", where=where, fix=fix)
    letters = []
    for name, length in zip(names, shape, strict=True):
        letter = _LOOKUP.get(name)
        if letter is None:
            if length != 1:
                raise InputError(
                    f"axis '{name}' of length {length} is neither time, channel, z, y nor x", where=where, fix=fix
                )
            letter = "-"
        letters.append(letter)
    text = "".join(letters)
    twice = next((c for c in "tczyx" if text.count(c) > 1), None)
    if twice:
        raise InputError(f"two axes are called '{twice}'", where=where, fix=fix)
    if "y" not in text or "x" not in text:
        raise InputError("there is no y or no x axis", where=where, fix=fix)
    return text


def to_order(array: Any, axes: str, wanted: str) -> Any:
    """Transpose a dask array from `axes` to `wanted`; absent axes get length 1, axes "-" are dropped.

    Parameters
    ----------
    array : dask.array.Array
    axes : str
        From `resolve_axes`; every letter must be "-" or in `wanted`.
    wanted : str
    """
    kept = "".join(a for a in axes if a != "-")
    array = array[tuple(0 if a == "-" else slice(None) for a in axes)]
    order = [kept.index(a) for a in wanted if a in kept]
    if order != list(range(len(order))):
        array = array.transpose(order)
    return array[tuple(slice(None) if a in kept else None for a in wanted)]
