"""Axes of arrays: by the names in the file, or by the `axes=` option; never by guessing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..model.errors import InputError
from .choice import ChoiceNeeded

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
    ChoiceNeeded
        If an axis has no name and none was asked for; the message names the `axes=` option.
    """
    example = {2: "yx", 3: "zyx", 4: "tzyx", 5: "tczyx"}.get(len(shape), "tczyx")
    fix = f"Say what the axes of shape {tuple(int(n) for n in shape)} are, for example axes='{example}'."
    names: list[str] = list(asked.lower()) if asked is not None else [str(n).lower() for n in (found or ())]
    source = "axes= says" if asked is not None else "the file says"

    def refuse(what: str) -> InputError:
        return ChoiceNeeded(what, where=where, fix=fix, option="axes", example=example)

    if asked is None and not found:
        raise refuse("the file does not say what its axes are")
    if len(names) != len(shape):
        raise refuse(f"{source} {len(names)} axes, the array has {len(shape)}")
    letters = []
    for name, length in zip(names, shape, strict=True):
        letter = _LOOKUP.get(name)
        if letter is None:
            if length != 1:
                raise refuse(f"axis '{name}' of length {length} is neither time, channel, z, y nor x")
            letter = "-"
        letters.append(letter)
    text = "".join(letters)
    twice = next((c for c in "tczyx" if text.count(c) > 1), None)
    if twice:
        raise refuse(f"two axes are called '{twice}'")
    if "y" not in text or "x" not in text:
        raise refuse("there is no y or no x axis")
    return text


def layer_array(
    data: Any, names: Sequence[str], where: str, *, axes: str | None = None, channel: int | str | None = None
) -> Any:
    """Return the voxels of an open layer in the order (t,) z, y, x, without reading them.

    Parameters
    ----------
    data : array-like
        numpy, dask or zarr.
    names : sequence of str
        Labels of the layer's axes; numbers are no names. Three and four axes without names are z, y, x and t, z, y, x, as
        the docks say; of more it is asked.
    where : str
        The layer.
    axes : str, optional
        What the user says.
    channel : int or str, optional
        Which channel, where there is an axis of channels.

    Raises
    ------
    ChoiceNeeded
        Axes or channel have to be said.
    """
    named = [str(n) for n in names if not str(n).lstrip("-").isdigit()]
    if axes is None and not named and data.ndim in (3, 4):
        return data
    shape = tuple(int(n) for n in data.shape)
    letters = resolve_axes([str(n) for n in names] if named else None, shape, axes, where)
    n_channels = shape[letters.index("c")] if "c" in letters else 1
    if n_channels > 1 and channel is None:
        raise ChoiceNeeded(
            f"the layer has {n_channels} channels",
            where=where,
            fix="Say which one is meant.",
            option="channel",
            choices=[str(i) for i in range(n_channels)],
        )
    wanted = "tzyx" if "t" in letters else "zyx"
    if letters == wanted:
        return data
    if not (isinstance(data, np.ndarray) or hasattr(data, "dask")):
        return OrderedArray(data, letters, wanted, {"c": int(channel or 0)})
    picked = data[tuple(int(channel or 0) if a == "c" else 0 if a == "-" else slice(None) for a in letters)]
    kept = [a for a in letters if a not in "c-"]
    picked = picked.transpose([kept.index(a) for a in wanted if a in kept])
    return picked[tuple(slice(None) if a in kept else None for a in wanted)]


class OrderedArray:
    """A stored array seen with its axes in another order, one index of some axes chosen; read box by box, without dask.

    Axes that the stored array lacks have length 1.

    Parameters
    ----------
    stored : array-like
        With shape, dtype and slicing; `chunks` if it is stored in chunks.
    axes : str
        Of the stored array, from `resolve_axes`; axes "-" have length 1 and are dropped.
    wanted : str
        Axes of the result; every stored axis must be here or in `fixed`.
    fixed : dict of str to int, optional
        Index of the axes that are not in the result (the channel).
    """

    def __init__(self, stored: Any, axes: str, wanted: str, fixed: dict[str, int] | None = None) -> None:
        self.stored, self.axes, self.wanted, self.fixed = stored, axes, wanted, dict(fixed or {})
        lengths = dict(zip(axes, (int(n) for n in stored.shape), strict=True))
        self.shape = tuple(lengths.get(a, 1) for a in wanted)
        self.ndim = len(wanted)
        self.dtype = np.dtype(stored.dtype)
        held = getattr(stored, "chunks", None)
        chunks = dict(zip(axes, (int(n) for n in held), strict=True)) if held else None
        self.chunks = tuple(chunks.get(a, 1) for a in wanted) if chunks else None

    def __getitem__(self, box: Any) -> np.ndarray:
        box = box if isinstance(box, tuple) else (box,)
        if any(item is Ellipsis for item in box):
            at = next(i for i, item in enumerate(box) if item is Ellipsis)
            box = (*box[:at], *[slice(None)] * (self.ndim - len(box) + 1), *box[at + 1 :])
        box = (*box, *[slice(None)] * (self.ndim - len(box)))
        parts = dict(zip(self.wanted, box, strict=True))
        single = {a: isinstance(b, (int, np.integer)) for a, b in parts.items()}
        asked = []
        for axis, length in zip(self.axes, self.stored.shape, strict=True):
            part = parts.get(axis, self.fixed.get(axis, 0))
            if isinstance(part, (int, np.integer)):
                number = int(part) % int(length) if part < 0 else int(part)
                part = slice(number, number + 1)
            asked.append(part)
        values = np.asarray(self.stored[tuple(asked)])
        kept = [a for a in self.axes if a in parts]
        values = values.reshape([n for a, n in zip(self.axes, values.shape, strict=True) if a in parts])
        values = values.transpose([kept.index(a) for a in self.wanted if a in kept])
        values = values[tuple(slice(None) if a in kept else None for a in self.wanted)]
        last: list[Any] = []
        for axis in self.wanted:
            if single[axis]:
                last.append(0)
            else:
                last.append(slice(None) if axis in kept else parts[axis])
        result: np.ndarray = values[tuple(last)]
        return result
