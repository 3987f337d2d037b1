"""Whether the times of a recording can be seconds: a rate that no recording has is asked about, not believed."""

from __future__ import annotations

import numpy as np

from ..model.errors import InputError
from ..model.recording import Recording
from .choice import ChoiceNeeded
from .units import time_factor

SLOWEST_HZ, FASTEST_HZ = 0.02, 200.0
"""Times outside of these bounds are in another unit."""
USUAL_HZ = 0.1, 30.0
"""Whole brains are imaged at so many volumes a second."""
SHORTEST_S, LONGEST_S, DAY_S = 60.0, 4 * 3600.0, 86_400.0
"""A recording takes a minute to a few hours; one that would take more than a day is in another unit."""
FEWEST = 100
"""Fewer samples are a piece of a recording, whose length says nothing."""
UNITS = ("s", "ms", "min", "us", "h")
UNIT_SAID = "unit of time said"
"""In the provenance of a recording that is being read: its source says that its times are seconds."""


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
        The sampling rate is one that no recording has, or rate, length and stimuli together fit another unit and not seconds; and
        no unit was given.
    """
    said = bool(recording.provenance.get(UNIT_SAID))
    recording = without_unit_said(recording)
    if unit:
        factor = time_factor(unit)
        if factor is None:
            raise InputError(f"'{unit[:40]}' is no unit of time", where=where, fix=f"Known: {', '.join(UNITS)}.")
        return recording if factor == 1 else _scaled(recording, factor, unit)
    rate = recording.rate_hz
    if asked or recording.n_times < 3 or not np.isfinite(rate):
        return recording
    if SLOWEST_HZ <= rate <= FASTEST_HZ:
        likely, why = ("", "") if said else _fits_better(recording)
        if not likely:
            return recording
    else:
        likely = next((u for u in UNITS[1:] if SLOWEST_HZ <= rate / (time_factor(u) or 1) <= FASTEST_HZ), "s")
        why = f"the times give {rate:.3g} samples a second, which no recording has"
    raise ChoiceNeeded(
        f"read as seconds, {why}; " + (f"are they in {likely}?" if likely != "s" else "what are they in?"),
        where=where,
        fix=f'Pass time_unit="{likely}", or time_unit="s" if it is true.'
        if likely != "s"
        else f'Pass time_unit= one of: {", ".join(UNITS[1:])}; or "s" if it is true.',
        option="time_unit",
        choices=(likely, *(u for u in UNITS if u != likely)),
        example=likely,
    )


def with_unit_said(recording: Recording) -> Recording:
    """Note that the source of a recording says that its times are seconds."""
    return recording.replace(provenance={**recording.provenance, UNIT_SAID: True})


def without_unit_said(recording: Recording) -> Recording:
    """Take that note away."""
    if UNIT_SAID not in recording.provenance:
        return recording
    return recording.replace(provenance={k: v for k, v in recording.provenance.items() if k != UNIT_SAID})


def _fits_better(recording: Recording) -> tuple[str, str]:
    """Return a unit in which rate, length and stimuli fit what recordings are like, where as seconds they do not, and why; or "", ""."""
    rate, times, onsets = recording.rate_hz, np.asarray(recording.time_s), recording.stimuli["onset"].to_numpy(float)
    length, last = float(times[-1] - times[0]), float(onsets.max(initial=-np.inf))
    if recording.n_times < FEWEST:
        return "", ""
    # 3 volumes a second over 10 minutes, in minutes: 180 Hz over 10 s
    if USUAL_HZ[0] <= rate / 60 <= USUAL_HZ[1] and SHORTEST_S <= 60 * length <= LONGEST_S:
        if rate > 1.01 * USUAL_HZ[1] or length < 0.99 * SHORTEST_S:
            return "min", f"{rate:.3g} samples a second are over after {length:.3g} s"
        if times[-1] < last <= 60 * times[-1]:
            return "min", f"the times end at {times[-1]:.3g} s, and a stimulus begins at {last:.3g} s"
    # 30 samples a second over 10 minutes, in milliseconds: .03 Hz over 7 days
    if USUAL_HZ[0] <= rate * 1e3 <= FASTEST_HZ and length > DAY_S:
        return "ms", f"the recording takes {length / DAY_S:.2g} days"
    return "", ""


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
