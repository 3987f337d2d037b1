"""The command `validate`: what a file is and holds, and whether a settings file is good."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...model.errors import InputError
from ..as_json import add_json, print_json, recording_of
from ..reading import add_reading, reading_of, with_reading

ORDER = 160


@dataclass(frozen=True)
class Description:
    """What a file is: `lines` for people; kind, recordings and further facts for programs."""

    lines: list[str]
    kind: str
    recordings: tuple[Any, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


def add(commands: Any) -> None:
    """Add the command to the parser."""
    validate = commands.add_parser("validate", help="say what a file is and what is in it; check a settings file")
    validate.add_argument("path", help="settings .toml, recording, image, labels, connectome, session, or a folder")
    validate.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="OPTION=VALUE",
        help="the same in the words of Python, and axes of images: axes=tzyx; of a settings file: TABLE.FIELD=VALUE; repeatable",
    )
    add_json(validate)
    add_reading(validate, images=True)
    validate.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...pipeline.toml import parse_overrides

    said = parse_overrides(options.set) | reading_of(options)
    path = Path(options.path)
    found = _settings_file(path, options) if path.suffix == ".toml" else describe(path, said)
    if options.json:
        held = [recording_of(one) for one in found.recordings]
        print_json({"path": path, "kind": found.kind, "recordings": held, **found.facts})
        return
    print("\n".join([*found.lines, *[line for r in found.recordings for line in _recording_lines(r)]]))


def _settings_file(path: Path, options: argparse.Namespace) -> Description:
    from ...pipeline.run import find_inputs, read_as_said
    from ...pipeline.settings import PipelineSettings
    from ...pipeline.toml import parse_overrides, read_toml

    settings = PipelineSettings.from_file(path, with_reading(parse_overrides(options.set), options, read_toml(path)))
    paths, volumes = find_inputs(settings)
    lines = [f"{path}: good; {len(paths)} recordings, {len(volumes)} worms given as images"]
    recordings = tuple(recording for one in paths for recording in read_as_said(one, settings))
    return Description(lines, "settings", recordings, {"images": len(volumes)})


def describe(path: Path, said: dict[str, Any]) -> Description:
    """Say what a file or folder is and what it holds.

    Parameters
    ----------
    path : Path
    said : dict
        Options of the reader.
    """
    from ...io.choice import ChoiceNeeded
    from ...io.formats.centres import read_centres
    from ...io.formats.connectome import read_connectome
    from ...io.layer_data import about, is_centres
    from ...io.registry import identify, open_labels, open_volume, read_recordings
    from ...io.sniffing import table_kind
    from ...session.save_load import find_session, is_session, load_session

    if path.exists() and is_session(find_session(path)):
        session = load_session(find_session(path))
        found = f"{len(session.recordings)} worms, {len(session.history)} edits"
        if session.components is not None:
            found += f", {session.components.rank} components"
        rank = None if session.components is None else session.components.rank
        facts = {"worms": list(session.recordings), "edits": len(session.history), "components": rank}
        return Description([f"{path}: a session; {found}"], "session", (), facts)
    form = identify(path)
    if form.key == "graphml" or (form.key == "csv" and table_kind(path) == "connectome"):
        try:
            edges = read_connectome(path)
        except ChoiceNeeded as question:  # what it is, is certain
            return Description([f"{path}: a connectome; {question.what}"], "connectome", (), {"asks": question.option})
        cells = len(set(edges["pre"]) | set(edges["post"]))
        facts = {"connections": len(edges), "cells": cells}
        line = f"{path}: a connectome; {len(edges)} connections between {cells} cells"
        return Description([line], "connectome", (), facts)
    if is_centres(path):
        table = read_centres(path)
        unit = said.get("units") or table.attrs.get("units") or "voxels, if nothing else is said (--units)"
        facts = {"neurons": int(table["id"].nunique()), "frames": int(table["frame"].max()) + 1}
        line = f"{path}: centres of {facts['neurons']} neurons in {facts['frames']} frames, z, y, x in {unit}"
        return Description([line], "centres", (), facts)
    if "recording" in form.holds and "volume" not in form.holds:
        return Description([f"{path}: {form.title}"], form.title, tuple(read_recordings(path, **said)))
    refused: list[InputError] = []
    for what, read in (("recording", read_recordings), ("image", open_volume), ("labels", open_labels)):
        if what == "recording" and "recording" not in form.holds:
            continue
        if what == "recording" and form.about is not None and about(path) == "image":
            continue
        if what != "recording" and "rate_hz" in said:
            said = {**{k: v for k, v in said.items() if k != "rate_hz"}, "frame_rate_hz": said["rate_hz"]}
        try:
            held: Any = read(path, **said)
        except InputError as error:
            refused.append(error)
            continue
        if what == "recording":
            return Description([f"{path}: {form.title}"], form.title, tuple(held))
        axes, size = held.reference.axes, held.reference.voxel_size_um
        facts = {"holds": what, "shape": list(held.shape), "axes": axes, "voxel_size_um": size}
        line = f"{path}: {form.title}; {what} of shape {held.shape} ({axes}), voxels of {size} um (z, y, x)"
        return Description([line], form.title, (), facts)
    raise refused[0]


def _recording_lines(recording: Any) -> list[str]:
    first = (
        f"{recording.name}: {recording.n_neurons} neurons ({len(recording.named)} named), {recording.n_times} time points, "
        f"{recording.rate_hz:.3g} Hz, {len(recording.stimuli)} stimuli, {len(recording.behaviour.data_vars)} behaviour channels"
    )
    return [first, *[f"  {line}" for line in recording.remarks]]
