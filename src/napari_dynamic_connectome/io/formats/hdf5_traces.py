"""Traces in plain HDF5 files, as labs write them from Python, Julia and CaImAn; and tables that pandas wrote.

In: a file, and what it leaves open (which dataset, its clock, its names). Out: a `Recording`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...model.errors import InputError
from ...model.recording import Recording
from .. import limits
from ..choice import ChoiceNeeded
from ..files import existing
from ..once import once
from ..volumes.hdf5 import is_local, member, opened, read_all
from .csv import recordings_of_frame
from .fields import ALIASES, recording_from_fields, texts
from .pandas_hdf5 import read_stored_table, stored_tables
from .text_tables import time_unit

_RATE_WORDS = {a.lower() for a in ALIASES["fs"]}
_NAME_WORDS = ("names", "neuron_names", "neurons", "ids", "neuron_ids", "roi_names", "cell_names")


def read_recordings(
    path: str | Path,
    *,
    name: str = "",
    rate_hz: float | None = None,
    dataset: str | None = None,
    fields: Mapping[str, str] | None = None,
    axes: str | None = None,
    signal: str | None = None,
    time_column: str | None = None,
    worm_column: str | None = None,
    other_columns: str | None = None,
) -> list[Recording]:
    """Read the traces of an HDF5 file.

    Parameters
    ----------
    path : str or Path
    name : str
        Of the worm; the file's name by default.
    rate_hz : float, optional
        Where no dataset holds the times.
    dataset : str, optional
        Path of the traces, where there are several arrays of two axes.
    fields : mapping of str to str, optional
        "t" and "names" -> paths of the datasets that hold them.
    axes : {"tn", "nt"}, optional
        Time first or neurons first, where neither times nor names tell.
    signal : str, optional
        Of a table of pandas whose header has several levels, which signal; of a result of CaImAn F_dff, C, "C + YrA" or S.
    time_column : str, optional
        Of a table of pandas, the column that holds the times, where its name does not tell.
    worm_column : str, optional
        Of a table of pandas, the column that tells worms (or trials) apart, where its name does not tell; "none" if all rows are of one.
    other_columns : {"behaviour", "left out", "neurons"}, optional
        Of a table of pandas, what becomes of columns that are no neurons and change in the course of a worm.

    Raises
    ------
    ChoiceNeeded
        Which dataset, which axis is time, which clock.
    """
    path = existing(path)
    where = str(path)
    columns = {"time_column": time_column, "worm_column": worm_column, "other_columns": other_columns}
    with opened(path) as file:
        if dataset is None and (caiman := _caiman(file, where, signal)) is not None:
            found, remarked = caiman
            if rate_hz is None and found.get("fs", [0.0])[0] == CAIMAN_RATE_HZ:
                remarked.append(
                    f"{CAIMAN_RATE_HZ:g} frames per second, which CaImAn writes where nobody says: check it"
                )
            one = recording_from_fields(found, where, name=name or path.stem, rate_hz=rate_hz)
            remarks = "; ".join(x for x in (str(one.provenance.get("reading", "")), *remarked) if x)
            return [one.replace(provenance={**one.provenance, "reading": remarks}) if remarks else one]
        frame = read_stored_table(file, where, dataset)
        if frame is not None:
            more: dict[str, Any] = {"signal": signal, **columns}
            return recordings_of_frame(frame, path, name=name or path.stem, rate_hz=rate_hz, **more)
        wrong = next((k for k, v in {"signal": signal, **columns}.items() if v is not None), "")
        if wrong:
            raise InputError(f"this file holds no table, so {wrong}= does not apply", where=where, fix="Leave it out.")
        arrays = _arrays(file)
        chosen = _choose(arrays, dataset, where)
        held: dict[str, Any] = {"traces": read_all(member(file, chosen, where), where)}
        n_time, used = _fit_companions(file, arrays, chosen, held, dict(fields or {}), axes, where, rate_hz)
    traces = held["traces"]
    if traces.shape[0] != n_time:
        held["traces"] = traces.T
    recording = recording_from_fields(held, f"{where}:{chosen}", name=name or path.stem, rate_hz=rate_hz)
    said = [str(recording.provenance.get("reading", ""))]
    if left := sorted(set(arrays) - used):
        said.append(f"datasets that are not read: {', '.join(left[:20])}{' and others' if left[20:] else ''}")
    about = {"hdf5": {"dataset": chosen}} | ({"reading": "; ".join(x for x in said if x)} if any(said) else {})
    return [recording.replace(provenance={**recording.provenance, **about})]


@once
def holds_traces(path: str | Path) -> bool:
    """Whether a file holds traces, and no image: no array of three axes, or a result of CaImAn, or a table of pandas.

    Parameters
    ----------
    path : str or Path
    """
    import h5py

    where = str(path)
    with opened(existing(path)) as file:
        if _matrix(member(file, "estimates/C", where)) or _matrix(member(file, "estimates/F_dff", where)):
            return True
        if stored_tables(file):
            return True
        found: list[int] = []

        def look(_: str, node: Any) -> None:
            if isinstance(node, h5py.Dataset):
                found.append(len(node.shape or ()))

        file.visititems(look)
    return 2 in found and max(found) < 3


def _arrays(file: Any) -> dict[str, Any]:
    """Return the datasets of up to two axes by path, without links to other files."""
    import h5py

    found: dict[str, Any] = {}
    stack: list[tuple[str, Any, int]] = [("", file, 0)]
    while stack and len(found) < limits.MAX_MEMBERS:
        prefix, group, depth = stack.pop()
        for key in group:
            if not is_local(group, key):
                continue
            node = group[key]
            if isinstance(node, h5py.Group) and depth < limits.MAX_NESTING:
                stack.append((f"{prefix}{key}/", node, depth + 1))
            elif isinstance(node, h5py.Dataset) and node.shape is not None and len(node.shape) < 3:
                found[f"{prefix}{key}"] = node
    return dict(sorted(found.items()))


def _choose(arrays: dict[str, Any], dataset: str | None, where: str) -> str:
    matrices = {k: n for k, n in arrays.items() if len(n.shape) == 2 and n.dtype.kind in "fiu" and min(n.shape) > 1}
    if dataset is not None:
        dataset = dataset.strip("/")
        if dataset not in arrays or len(arrays[dataset].shape) != 2:
            raise InputError(
                f"there is no dataset '{dataset}' of two axes", where=where, fix=f"Found: {', '.join(matrices)[:300]}."
            )
        return dataset
    if not matrices:
        raise InputError(
            "there is no array of two axes in this HDF5 file, so no traces",
            where=where,
            fix="If it holds images, open them and extract the traces; dataset= names traces of another shape.",
        )
    if len(matrices) > 1:
        listed = ", ".join(f"{k} {tuple(n.shape)}" for k, n in list(matrices.items())[:10])
        raise ChoiceNeeded(
            f"this file has {len(matrices)} arrays of two axes",
            where=where,
            fix=f"Pass dataset= one of: {listed}.",
            option="dataset",
            choices=tuple(matrices),
        )
    return next(iter(matrices))


def _fit_companions(
    file: Any,
    arrays: dict[str, Any],
    chosen: str,
    held: dict[str, Any],
    fields: dict[str, str],
    axes: str | None,
    where: str,
    rate_hz: float | None,
) -> tuple[int, set[str]]:
    """Add times and names to the traces in `held`; return the number of time points, and the datasets that were used."""
    shape = held["traces"].shape
    used = {chosen, *(v.strip("/") for v in fields.values())}
    for key in ("t", "names"):
        if key in fields:
            node = member(file, fields[key], where)
            if node is None or not hasattr(node, "shape"):
                raise InputError(
                    f"there is no dataset '{fields[key]}'", where=where, fix=f"Found: {', '.join(arrays)[:300]}."
                )
            held[key] = read_all(node, where)
    if "t" not in held and rate_hz is None:
        clocks = [
            k
            for k, n in arrays.items()
            if k != chosen
            and n.shape
            and n.dtype.kind in "fiu"
            and max(n.shape) == np.prod(n.shape) in shape
            and _is_time(k)
        ]
        if len(clocks) > 1:
            raise ChoiceNeeded(
                f"{len(clocks)} datasets could be the clock: {', '.join(clocks)}",
                where=where,
                fix='Pass fields={"t": one of them}, or rate_hz=.',
                option="fields",
                choices=tuple(clocks),
            )
        rates = [k for k, n in arrays.items() if n.size == 1 and n.dtype.kind in "fiu" and _last(k) in _RATE_WORDS]
        if rates:
            held["fs"] = np.concatenate([np.ravel(arrays[k][()]) for k in rates])
        used.update(clocks, rates)
        if clocks:
            held["t"] = read_all(arrays[clocks[0]], where).ravel().astype(float) * (_unit(clocks[0]) or 1.0)
    if "names" not in held:
        listed = [k for k, n in arrays.items() if n.dtype.kind in "OS" and _last(k) in _NAME_WORDS and n.shape]
        fitting = [k for k in listed if arrays[k].size in shape]
        if len(fitting) > 1:
            raise ChoiceNeeded(
                f"{len(fitting)} datasets could be the names: {', '.join(fitting)}",
                where=where,
                fix='Pass fields={"names": one of them}.',
                option="fields",
                choices=tuple(fitting),
            )
        if listed and not fitting:
            raise InputError(
                f"'{listed[0]}' has {arrays[listed[0]].size} names for traces of shape {tuple(shape)}",
                where=where,
                fix="Give one for every neuron, in the order of the traces.",
            )
        if fitting:
            held["names"] = np.asarray(texts(read_all(arrays[fitting[0]], where)), dtype=str)
        used.update(fitting)
    if axes is not None:
        if axes not in ("tn", "nt"):
            raise InputError(f"axes cannot be '{axes}'", where=where, fix='Choose "tn" or "nt".')
        return int(shape[axes.index("t")]), used
    if shape[0] != shape[1] and "t" in held:
        return len(np.ravel(held["t"])), used
    if shape[0] != shape[1] and "names" in held:
        return int(shape[0]), used  # `recording_from_fields` turns them where the names say so
    raise ChoiceNeeded(
        f"'{chosen}' of shape {tuple(shape)} does not say which axis is time",
        where=where,
        fix='Pass dataset=, axes="tn" (time, neuron) or axes="nt" (neuron, time), and rate_hz=.',
        option="axes",
        choices=("tn", "nt"),
        example="tn" if shape[0] >= shape[1] else "nt",
    )


def _last(path: str) -> str:
    return path.rsplit("/", 1)[-1].lower()


def _is_time(path: str) -> bool:
    return _last(path) in {a.lower() for a in ALIASES["t"]} or _unit(path) is not None


def _unit(path: str) -> float | None:
    return time_unit(path.rsplit("/", 1)[-1])


CAIMAN_RATE_HZ = 30.0
"""What CaImAn takes for the frame rate where it is given none."""
CAIMAN_SIGNALS = {"F_dff": ("F_dff",), "C": ("C",), "C + YrA": ("C", "YrA"), "S": ("S",)}
"""Signals of a result: dF/F, denoised traces, the same with their residuals, deconvolved activity; the first that is there is read."""


def _caiman(file: Any, where: str, signal: str | None) -> tuple[dict[str, Any], list[str]] | None:
    """Return the fields of a CaImAn result (`cnmf.save`) and what is said about it: traces, accepted components, frame rate."""
    nodes = {k: member(file, f"estimates/{k}", where) for k in ("F_dff", "C", "YrA", "S")}
    there = [k for k, parts in CAIMAN_SIGNALS.items() if all(_matrix(nodes[p]) for p in parts)]
    if not there or there == ["S"]:
        return None
    chosen = there[0] if signal is None else signal
    if chosen not in there:
        raise InputError(f"there is no signal '{chosen}'", where=where, fix=f"Found: {', '.join(there)}.")
    stored = [read_all(nodes[part], where) for part in CAIMAN_SIGNALS[chosen]]  # (component, time)
    values = np.sum(stored, axis=0).T
    others = [k for k in there if k != chosen]
    said = [f"{chosen} of CaImAn read; not read: {', '.join(others)}"] if others and signal is None else []
    fields: dict[str, Any] = {"traces": values}
    good = member(file, "estimates/idx_components", where)
    if good is not None and len(getattr(good, "shape", ())) == 1:
        rejected = np.ones(values.shape[1], bool)
        rejected[read_all(good, where).astype(int)] = False
        fields["rejected"] = rejected
    rate = member(file, "params/data/fr", where)
    if rate is not None and getattr(rate, "shape", None) == ():
        fields["fs"] = np.asarray([float(rate[()])])
    return fields, said


def _matrix(node: Any) -> bool:
    return node is not None and len(getattr(node, "shape", ())) == 2 and node.dtype.kind in "fiu"
