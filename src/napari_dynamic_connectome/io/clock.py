"""Whether the times of a recording can be seconds: a rate that no recording has is asked about, not believed."""

from __future__ import annotations

import numpy as np

from ..model.errors import InputError
from ..model.recording import Recording
from .choice import ChoiceNeeded
from .units import time_factor

SLOWEST_HZ, FASTEST_HZ = 0.02, 200.0
"""Whole-brain imaging runs at .1 to 30 volumes a second; times outside of these bounds are in another unit."""
UNITS = ("s", "ms", "min", "us", "h")


def in_seconds(recording: Recording, unit: str, where: str, *, asked: bool = False) -> Recording:
    """Return a recording whose times are in seconds.

    Parameters
    ----------
    recording : Recording
        As the file has it; its times were taken for seconds.
    unit : str
        What the times are really in; "" if nobody said.
    where : str
        The file.
    asked : bool
        The rate was given by the user, and is not questioned.

    Returns
    -------
    Recording
        With times and breaks in seconds; stimuli as well where some begin after the end of the recording otherwise.

    Raises
    ------
    ChoiceNeeded
        The sampling rate is one that no recording has, and no unit was given.
    """
    if unit:
        factor = time_factor(unit)
        if factor is None:
            raise InputError(f"'{unit[:40]}' is no unit of time", where=where, fix=f"Known: {', '.join(UNITS)}.")
        return recording if factor == 1 else _scaled(recording, factor, unit)
    rate = recording.rate_hz
    if asked or recording.n_times < 3 or not np.isfinite(rate) or SLOWEST_HZ <= rate <= FASTEST_HZ:
        return recording
    likely = next((u for u in UNITS[1:] if SLOWEST_HZ <= rate / (time_factor(u) or 1) <= FASTEST_HZ), "s")
    raise ChoiceNeeded(
        f"read as seconds, the times give {rate:.3g} samples a second, which no recording has; "
        + (f"are they in {likely}?" if likely != "s" else "what are they in?"),
        where=where,
        fix=f'Pass time_unit="{likely}", or time_unit="s" if it is true.',
        option="time_unit",
        choices=(likely, *(u for u in UNITS if u != likely)),
        example=likely,
    )


def _scaled(recording: Recording, factor: float, unit: str) -> Recording:
    times = np.asarray(recording.time_s) * factor
    stimuli = recording.stimuli
    late = len(stimuli) > 0 and bool((stimuli["onset"] > times[-1]).any())
    if late:
        stimuli = stimuli.assign(onset=stimuli["onset"] * factor, offset=stimuli["offset"] * factor)
    behaviour = recording.behaviour
    if "time" in behaviour.coords:
        behaviour = behaviour.assign_coords(time=times)
    also = "" if not len(stimuli) else ", stimuli too" if late else ", stimuli were taken as seconds"
    said = [str(recording.provenance.get("reading", "")), f"times were in {unit}{also}"]
    return recording.replace(
        traces=recording.traces.assign_coords(time=times),
        behaviour=behaviour,
        stimuli=stimuli,
        breaks=tuple(b * factor for b in recording.breaks),
        provenance={**recording.provenance, "reading": "; ".join(x for x in said if x)},
    )
