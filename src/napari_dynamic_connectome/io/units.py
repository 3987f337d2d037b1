"""Units of length and time as they are spelled in files, turned into micrometres and seconds."""

from __future__ import annotations

from ..model.errors import InputError

_LENGTH = {
    1.0: ("micrometer", "micrometre", "micron", "microns", "um", "µm", "μm", "\\u00b5m", "micrometers", "micrometres"),
    1e-3: ("nanometer", "nanometre", "nm", "nanometers"),
    1e-4: ("angstrom", "å", "\u212b"),
    1e3: ("millimeter", "millimetre", "mm", "millimeters"),
    1e4: ("centimeter", "centimetre", "cm"),
    1e6: ("meter", "metre", "m", "meters", "metres"),
    25_400.0: ("inch", "inches", "in"),
}
_TIME = {
    1.0: ("second", "seconds", "s", "sec", "secs", "sek", "sekunde", "sekunden", "seconde", "secondes", "segundos"),
    1e-3: ("millisecond", "milliseconds", "ms", "msec", "msecs", "millis"),
    1e-6: ("microsecond", "microseconds", "us", "usec", "µs", "μs"),
    60.0: ("minute", "minutes", "min", "mins", "minuten", "minutos"),
    3600.0: ("hour", "hours", "h", "hr", "hrs", "stunden", "std"),
}
_UNKNOWN = ("", "pixel", "pixels", "px", "voxel", "frame", "frames", "none", "unitless", "arbitrary")


def micrometres(unit: str | None, where: str, *, asked: object = None) -> float | None:
    """Return how many micrometres a unit of length is; None if the file does not say (or counts pixels).

    Parameters
    ----------
    unit : str or None
        As the file spells it.
    where : str
    asked : object, optional
        The size that the user gives; with it, an unknown unit does not matter.

    Raises
    ------
    InputError
        For a unit that is not one of length.
    """
    return _factor(unit, _LENGTH, "length", where, "voxel_size_um=(z, y, x)", asked)


def seconds(unit: str | None, where: str, *, asked: object = None) -> float | None:
    """Return how many seconds a unit of time is; None if the file does not say. See `micrometres`."""
    return _factor(unit, _TIME, "time", where, "frame_rate_hz=", asked)


def time_factor(unit: str) -> float | None:
    """Return how many seconds a unit of time is; None for a text that is none. Nothing is raised.

    Parameters
    ----------
    unit : str
    """
    text = unit.strip().lower()
    return next((factor for factor, names in _TIME.items() if text in names), None)


def _factor(
    unit: str | None, table: dict[float, tuple[str, ...]], kind: str, where: str, option: str, asked: object
) -> float | None:
    text = str(unit or "").strip().lower()
    if text in _UNKNOWN:
        return None
    for factor, names in table.items():
        if text in names:
            return factor
    if asked is not None:
        return None
    raise InputError(f"the unit '{str(unit)[:40]}' is not a {kind} we know", where=where, fix=f"Pass {option} instead.")
