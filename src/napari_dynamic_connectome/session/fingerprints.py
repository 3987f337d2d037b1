"""Fingerprints of what a result was made from: neurons, traces, clock, stimuli and behaviour of every worm.

Goes in: recordings. Comes out: plain values that go into a session's file. Whoever has two of them can say what differs, neuron by
neuron, without the recordings themselves.
"""

from __future__ import annotations

import hashlib
import math
import weakref
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..model.cohort import Cohort
from ..model.errors import FormatError
from ..model.recording import Recording
from ..model.results import Communities, Components

Print = dict[str, Any]
BYTES = 8
"""Length of a hash: two contents of a session that differ are not taken for the same."""

_of_recording: weakref.WeakKeyDictionary[Recording, Print] = weakref.WeakKeyDictionary()
_of_array: dict[int, tuple[weakref.ref[np.ndarray], tuple[str, ...]]] = {}


def recording_print(recording: Recording) -> Print:
    """Return the fingerprint of one worm, remembered as long as the recording is there.

    Parameters
    ----------
    recording : Recording
        Never changes; an edited one is another object with the same array of traces, which is not read again.

    Returns
    -------
    dict
        labels, names, confidence (None where it is not known), rejected, traces (a hash a neuron), all in the order of the
        neurons; clock (times and interruptions), stimuli, behaviour: hashes.
    """
    known = _of_recording.get(recording)
    if known is None:
        table = recording.neurons
        known = {
            "labels": [int(n) for n in table["label"]],
            "names": [str(n) for n in table["name"]],
            "confidence": [None if math.isnan(float(c)) else float(c) for c in table["confidence"]],
            "rejected": [bool(r) for r in table["rejected"]],
            "traces": list(column_hashes(recording.traces.values)),
            "clock": _hash([recording.time_s.tobytes(), repr(recording.breaks).encode()]),
            "stimuli": _hash(
                f"{name}\0{float(onset)!r}\0{float(offset)!r}".encode("utf-8", "surrogatepass")
                for name, onset, offset in recording.stimuli[["name", "onset", "offset"]].itertuples(index=False)
            ),
            "behaviour": _hash(
                part
                for name, channel in sorted(recording.behaviour.data_vars.items(), key=lambda item: str(item[0]))
                for part in (str(name).encode("utf-8", "surrogatepass"), np.asarray(channel.values, float).tobytes())
            ),
        }
        _of_recording[recording] = known
    return known


def cohort_prints(cohort: Cohort) -> dict[str, Print]:
    """Return the fingerprints of the worms of a cohort, by name."""
    return {r.name: recording_print(r) for r in cohort.recordings}


def components_print(components: Components) -> str:
    """Return the fingerprint of components: their weights and time courses."""
    return _hash([components.weight.values.tobytes(), np.ascontiguousarray(components.time.values).tobytes()])


def main_print(components: Components | None, communities: Mapping[tuple[int, Any], Communities]) -> str:
    """Return the fingerprint of components and the chosen levels of their communities; "" without components."""
    if components is None:
        return ""
    parts = [components_print(components).encode()]
    for (component, kind), found in sorted(communities.items()):
        parts += [
            f"{component} {kind}".encode(),
            np.asarray(found.labels.values[found.chosen_level], np.int64).tobytes(),
        ]
    return _hash(parts)


def checked_print(value: Any) -> Print:
    """Return a fingerprint that was read from a file; anything else is a `FormatError`."""
    lists = ("labels", "names", "confidence", "rejected", "traces")
    texts = ("clock", "stimuli", "behaviour")
    sound = (
        isinstance(value, dict)
        and all(isinstance(value.get(k), list) for k in lists)
        and len({len(value[k]) for k in lists}) == 1
        and all(isinstance(n, int) for n in value["labels"])
        and all(c is None or isinstance(c, (int, float)) for c in value["confidence"])
        and all(isinstance(value.get(k), str) for k in texts)
    )
    if not sound:
        raise FormatError("what the results were made from is damaged")
    return {k: value[k] for k in (*lists, *texts)}


def column_hashes(values: np.ndarray) -> tuple[str, ...]:
    """Return a hash for every column of an array, remembered as long as the array is there."""
    held = _of_array.get(id(values))
    if held is not None and held[0]() is values:
        return held[1]
    found = tuple(_hash([row.tobytes()]) for row in np.ascontiguousarray(values.T))
    key = id(values)

    def gone(ref: weakref.ref[np.ndarray]) -> None:
        if key in _of_array and _of_array[key][0] is ref:
            del _of_array[key]

    _of_array[key] = (weakref.ref(values, gone), found)
    return found


def _hash(parts: Iterable[bytes]) -> str:
    digest = hashlib.blake2b(digest_size=BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()
