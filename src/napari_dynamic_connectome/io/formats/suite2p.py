"""Folders that suite2p writes: traces, regions, which of them are cells, and the rate.

In: the folder of a plane, or one that holds `plane0`, `plane1`, ..., `combined`. Out: a `Recording` without names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...model.errors import FormatError, InputError
from ...model.recording import Recording
from ..choice import ChoiceNeeded
from ..files import existing
from ..format import Format
from ..plain_pickle import plain_npy
from .fields import recording_from_fields

ORDER = 100


SIGNALS = ("F", "F - 0.7 Fneu", "spks")
"""What can be read as the traces; the factor is free."""
_DIFFERENCE = re.compile(r"F\s*-\s*(\d*\.?\d+)\s*\*?\s*Fneu")


def planes(folder: str | Path) -> dict[str, Path]:
    """Return the folders below that hold traces, by name; empty where this is no folder of suite2p.

    Parameters
    ----------
    folder : str or Path
        `suite2p`, the folder that holds it, or one plane.
    """
    folder = Path(folder)
    if (folder / "F.npy").is_file():
        return {folder.name: folder}
    for base in (folder, folder / "suite2p"):
        found = [p for p in sorted(base.glob("plane*")) if (p / "F.npy").is_file()]
        if found:
            together = base / "combined"
            found.sort(key=lambda p: (len(p.name), p.name))
            return {p.name: p for p in (found + [together] if (together / "F.npy").is_file() else found)}
    return {}


def folder_of(path: str | Path) -> Path | None:
    """Return the folder of suite2p that a path is, or that one of its files lies in; None where it is none."""
    path = Path(path)
    if path.is_dir():
        return path if planes(path) else None
    known = ("F.npy", "Fneu.npy", "spks.npy", "iscell.npy", "stat.npy", "ops.npy")
    beside = [n for n in known if path.with_name(n).is_file()]
    return path.parent if path.name in known and "F.npy" in beside and len(beside) > 2 else None


def read_recordings(
    path: str | Path,
    *,
    name: str = "",
    rate_hz: float | None = None,
    dataset: str | None = None,
    signal: str | None = None,
    voxel_size_um: Sequence[float] | None = None,
) -> list[Recording]:
    """Read the traces of one plane, or of all together.

    Parameters
    ----------
    path : str or Path
    name : str
        Of the worm; the name of the folder that holds `suite2p` by default.
    rate_hz : float, optional
        Volumes per second, where the settings do not say.
    dataset : str, optional
        "plane0", ... or "combined", where there are several.
    signal : str, optional
        "F" (the default), "F - 0.7 Fneu", or "spks".
    voxel_size_um : (z, y, x), optional
        Without it, positions are left out: suite2p has them in pixels.

    Raises
    ------
    ChoiceNeeded
        Which plane; the rate.
    """
    folder = folder_of(existing(path))
    found = {} if folder is None else planes(folder)
    if not found:
        raise InputError("this is no folder of suite2p", where=str(path), fix="It holds plane0 with F.npy.")
    where = str(path)
    place = _plane(found, dataset, where)
    spot = str(place)
    traces, said = _traces(place, signal or "F")
    n_neurons, n_times = traces.shape
    fields: dict[str, Any] = {"traces": traces.T, "labels": np.arange(1, n_neurons + 1), "units": np.asarray("a.u.")}
    rejected = _rejected(place, n_neurons, said)
    if rejected is not None:
        fields["rejected"] = rejected
    positions = _positions(place, n_neurons, voxel_size_um, said)
    if positions is not None:
        fields["positions_um"] = positions
    rate = rate_hz if rate_hz is not None else _rate(place)
    if rate is None:
        raise ChoiceNeeded(
            "no settings file with the sampling rate (ops.npy) lies beside the traces",
            where=spot,
            fix="Pass rate_hz=.",
            option="rate_hz",
        )
    fields["t"] = np.arange(n_times) / _positive(rate, spot)
    recording = recording_from_fields(fields, spot, name=name or _name(place, len(found) > 1))
    about = {"plane": place.name, "signal": signal or "F"}
    return [
        recording.replace(provenance={**recording.provenance, "suite2p": about, "reading": "; ".join(said)})
    ]  # fmt: skip


def _positive(rate: Any, where: str) -> float:
    try:
        value = float(np.asarray(rate, dtype=float).item())
    except (TypeError, ValueError) as error:
        raise FormatError(
            f"the sampling rate '{str(rate)[:40]}' is no number", where=where, fix="Pass rate_hz=."
        ) from error
    if not (value > 0 and math.isfinite(value)):
        raise InputError(f"the sampling rate {value:g} Hz is not positive", where=where, fix="Pass rate_hz=.")
    return value


def _plane(found: dict[str, Path], dataset: str | None, where: str) -> Path:
    if dataset is not None:
        if dataset not in found:
            raise InputError(f"there is no '{dataset}'", where=where, fix=f"Found: {', '.join(found)}.")
        return found[dataset]
    if len(found) == 1:
        return next(iter(found.values()))
    listed = sorted(found, key=lambda n: n != "combined")
    raise ChoiceNeeded(
        f"suite2p has {len([n for n in found if n != 'combined'])} planes here",
        where=where,
        fix=f"Pass dataset= one of: {', '.join(listed)}"
        + ("; combined holds the cells of all." if "combined" in found else "."),
        option="dataset",
        choices=tuple(listed),
    )


def _name(place: Path, several: bool) -> str:
    """Return the name of the folder that was imaged: `worm3` of `worm3/suite2p/plane0`."""
    above = place.parent if re.fullmatch(r"plane\d+|combined", place.name) else place
    above = above.parent if above.name.lower() == "suite2p" else above
    title = above.resolve().name or "suite2p"
    return f"{title} {place.name}" if several and place.name != "combined" else title


def _array(place: Path, name: str) -> np.ndarray:
    from .npz import plain_array

    values = plain_array(place / f"{name}.npy")
    if values.ndim != 2:
        raise FormatError(
            f"{name}.npy has {values.ndim} axes, not (region, frame)", where=str(place), fix="Run suite2p again."
        )
    return values


def _traces(place: Path, signal: str) -> tuple[np.ndarray, list[str]]:
    """Return (region, frame) and what is said about them."""
    has_neuropil = (place / "Fneu.npy").is_file()
    if signal == "F":
        more = '; neuropil (Fneu) is not subtracted, signal="F - 0.7 Fneu" does it' if has_neuropil else ""
        return _array(place, "F"), [f"traces are suite2p's F, in its own units{more}"]
    if signal == "spks":
        from .npz import plain_shape

        spikes, whole = _array(place, "spks"), plain_shape(place / "F.npy")
        if spikes.shape != whole:
            raise FormatError(f"spks has shape {spikes.shape}, F {whole}", where=str(place), fix="Run suite2p again.")
        return spikes, ["traces are suite2p's deconvolved spks, not fluorescence"]
    match = _DIFFERENCE.fullmatch(signal.strip())
    if match is None:
        raise InputError(f"there is no signal '{signal}'", where=str(place), fix=f"Known: {', '.join(SIGNALS)}.")
    fluorescence, neuropil = _array(place, "F"), _array(place, "Fneu")
    if fluorescence.shape != neuropil.shape:
        raise FormatError(
            f"F has shape {fluorescence.shape}, Fneu {neuropil.shape}", where=str(place), fix="Run suite2p again."
        )
    factor = float(match[1])
    return fluorescence - factor * neuropil, [
        f"traces are suite2p's F minus {factor:g} of the neuropil around each cell"
    ]


def _rate(place: Path) -> Any:
    """Return the rate that suite2p kept; its versions 0 and 1 keep it in different files."""
    refused: FormatError | None = None
    for file in ("settings.npy", "ops.npy"):
        if not (place / file).is_file():
            continue
        try:
            held = plain_npy(place / file)
        except FormatError as error:
            refused = error
            continue
        if isinstance(held, dict) and "fs" in held:
            return held["fs"]
    if refused is not None:
        raise FormatError(
            f"the rate is in a file that is not read: {refused.what}", where=refused.where, fix="Pass rate_hz=."
        )
    return None


def _rejected(place: Path, n: int, said: list[str]) -> np.ndarray | None:
    if not (place / "iscell.npy").is_file():
        said.append("no iscell.npy: every region counts as a cell")
        return None
    values = _array(place, "iscell")
    if len(values) != n:
        raise FormatError(f"iscell has {len(values)} rows for {n} regions", where=str(place), fix="Run suite2p again.")
    rejected: np.ndarray = ~(values[:, 0] > 0)
    if rejected.any():
        said.append(f"{int(rejected.sum())} of {n} regions are no cells by iscell: rejected")
    return rejected


def _plane_number(place: Path) -> int:
    found = re.fullmatch(r"plane(\d+)", place.name)
    return int(found[1]) if found else 0


def _positions(place: Path, n: int, size: Sequence[float] | None, said: list[str]) -> np.ndarray | None:
    if not (place / "stat.npy").is_file():
        return None
    if size is None:
        said.append("positions are in pixels and left out; voxel_size_um=(z, y, x) keeps them")
        return None
    regions = [(_plane_number(place), r) for r in plain_npy(place / "stat.npy")]
    if place.name == "combined":
        # there the planes lie side by side in one picture, and a cell's middle is its place in that
        own = [p for name, p in planes(place.parent).items() if name != "combined" and (p / "stat.npy").is_file()]
        regions = [(_plane_number(p), r) for p in own for r in plain_npy(p / "stat.npy")]
        if len(regions) != n:
            said.append("positions left out: the planes of 'combined' are not all there")
            return None
    if len(regions) != n:
        raise FormatError(f"stat has {len(regions)} rows for {n} regions", where=str(place), fix="Run suite2p again.")
    centres = [(float(plane), float(r["med"][0]), float(r["med"][1])) for plane, r in regions]
    places: np.ndarray = np.asarray(centres, float).reshape(-1, 3) * np.asarray(size, float)
    return places


FORMAT = Format(
    key="suite2p",
    title="suite2p",
    patterns=("*suite2p", "*plane0"),
    holds=("recording",),
    note="The folder, or one plane: F (or F minus neuropil, or spks), iscell, rate, positions with voxel_size_um=.",
    knows=lambda path, start: folder_of(path) is not None,
)
