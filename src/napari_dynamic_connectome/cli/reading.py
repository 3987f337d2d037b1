"""Options that say how files are read, for every command that reads some: made from `ReadingSettings`, one flag a field."""

from __future__ import annotations

import argparse
import re
from collections.abc import Container, Mapping
from typing import Any, get_args

from ..model.errors import InputError

FLAGS = {"rate_hz": "rate", "fields": "field", "column": "trace_column", "voxel_size_um": "voxel_size"}
"""Names of flags that differ from those of the settings."""
_MENTION = re.compile(r"\b([a-z_]+)=(\"[^\"]*\"|'[^']*'|\([^)]*\)|\{[^}]*\}|(?=[\s.,;:)]|$))")
_OTHER_FLAGS = {"frame_rate_hz": "rate", "radius_um": "radius"}
"""Flags of images whose options are called otherwise; the others are called alike."""


def flag_of(option: str) -> str:
    """Return the flag of an option of a reader.

    Parameters
    ----------
    option : str
    """
    return "--" + FLAGS.get(option, option).replace("_", "-")


def add_reading(parser: Any, *, images: bool = False) -> None:
    """Add one flag for every option of `read_recordings`.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    images : bool
        The command reads images and centres, too: `--axes` may be those of an image, and there are `--channel`, `--units`, `--radius`.
    """
    from ..pipeline.input_settings import ReadingSettings

    group = parser.add_argument_group("how files are read, where they leave something open")
    for name, field in ReadingSettings.model_fields.items():
        if name == "files":
            continue
        given: dict[str, Any] = {
            "dest": f"reading_{name}",
            "default": None,
            "help": (field.description or "").rstrip("."),
        }
        if name == "fields":
            given |= {"action": "append", "metavar": "OURS=THEIRS"}
        elif name == "labeled_only":
            given |= {"action": "store_true"}
        elif name == "voxel_size_um":
            given |= {"nargs": 3, "type": float, "metavar": ("Z", "Y", "X")}
        elif name == "axes" and images:
            given |= {"metavar": "TEXT", "help": f"{given['help']}; images: such as tzyx"}
        elif choices := [c for c in get_args(field.annotation) if isinstance(c, str) and c]:
            given |= {"choices": choices}
        else:
            given |= {"type": float if name == "rate_hz" else str, "metavar": "HZ" if name == "rate_hz" else "TEXT"}
        group.add_argument(flag_of(name), **given)
    if images:
        group.add_argument(
            "--channel", dest="reading_channel", metavar="TEXT", help="images: a channel, by name or number from 0"
        )
        group.add_argument(
            "--units",
            dest="reading_units",
            choices=("voxels", "um"),
            help="tables of tracked centres: what z, y and x are given in",
        )
        group.add_argument(
            "--radius",
            dest="reading_radius_um",
            type=float,
            metavar="UM",
            help="tables of tracked centres: radius of a neuron in micrometres",
        )


def reading_of(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `read_recordings` that were given.

    Parameters
    ----------
    options : argparse.Namespace
    """
    from ..pipeline.input_settings import ReadingSettings

    held: dict[str, Any] = {}
    for name in ReadingSettings.model_fields:
        value = getattr(options, f"reading_{name}", None)
        if value in (None, False):
            continue
        if name == "fields":
            pairs = [item.partition("=") for item in value]
            wrong = next(
                (
                    item
                    for item, (ours, sign, theirs) in zip(value, pairs, strict=True)
                    if not (ours and sign and theirs)
                ),
                None,
            )
            if wrong is not None:
                raise InputError(
                    f"'{wrong}' is not OURS=THEIRS", where="--field", fix="For example: --field names=IDs."
                )
            value = {ours.strip(): theirs.strip() for ours, _, theirs in pairs}
        held[name] = value
    axes = str(held.pop("axes", "") or "")
    channel = str(getattr(options, "reading_channel", None) or "")
    found = ReadingSettings.parse(held, where="the command line").options()
    found |= {"axes": axes} if axes else {}
    for name in ("units", "radius_um"):
        if (value := getattr(options, f"reading_{name}", None)) is not None:
            found[name] = value
    return found | ({"channel": int(channel) if channel.isdigit() else channel} if channel else {})


def with_reading(overrides: Mapping[str, Any], options: argparse.Namespace, base: Mapping[str, Any]) -> dict[str, Any]:
    """Return overrides of a settings file to which one more `[[input.reading]]` for all files is added, if a flag was given.

    Parameters
    ----------
    overrides : mapping
        From `--set`.
    options : argparse.Namespace
    base : mapping
        The settings file, whose own tables stay.
    """
    given = reading_of(options)
    if not given:
        return dict(overrides)
    inputs = dict(overrides.get("input") or {})
    before = inputs.get("reading", (base.get("input") or {}).get("reading") or [])
    return {**overrides, "input": {**inputs, "reading": [*before, given]}}


def in_flags(text: str, flags: Container[str]) -> str:
    """Return a message in which options of Python are called as on the command line.

    Parameters
    ----------
    text : str
    flags : container of str
        Flags that the command has; other options stay as they are.

    Examples
    --------
    >>> in_flags('Pass axes="tn" (time, neuron), and rate_hz=.', {"--axes", "--rate"})
    'Pass --axes tn (time, neuron), and --rate.'
    """
    from ..pipeline.input_settings import ReadingSettings

    known = set(ReadingSettings.model_fields) - {"files"}

    def flag(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        shown = flag_of(name) if name in known else f"--{_OTHER_FLAGS.get(name, name).replace('_', '-')}"
        if shown not in flags:
            return match[0]
        if name == "fields":
            pair = re.search(r"\"(\w+)\": (?:\"([^\"]*)\"|(.*?))\}", value)
            return f"--field {pair[1]}={pair[2] or '...'}" if pair else "--field OURS=THEIRS"
        plain = value.strip("\"'")
        if value.startswith("(") or (name in ("voxel_size_um",) and value):
            plain = " ".join(part.strip().upper() for part in value.strip("()").split(","))
        elif " " in plain:
            plain = value
        return f"{shown} {plain}".rstrip()

    return _MENTION.sub(flag, text)
