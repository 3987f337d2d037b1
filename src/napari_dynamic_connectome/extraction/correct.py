"""Correction of traces: artefacts, bleaching, dF/F0, resampling, smoothing, z-score, always in this order.

In: a `Recording`. Out: the same with corrected traces; what they were before is kept in the coordinate `raw`, from which a
second correction starts again, and every step is listed in `provenance["history"]`.

Why this order: the reference channel shares artefacts with the raw signal only; bleaching multiplies the raw signal too, and
F0 is meaningful once it is gone; dF/F0 is a ratio that has to be formed before values of different times are mixed; and
resampling comes before smoothing so that the width of the filter means the same for every recording of a cohort.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from ..model.errors import InputError
from ..model.progress import CancelCallback, check_cancel
from ..model.recording import Recording
from .bleaching import fit_bleaching
from .filters import resample, resample_times, rolling_percentile, smooth
from .segments import gap_limit
from .settings import CorrectionSettings

DETREND_S = 60.0


def correct_traces(
    recording: Recording,
    settings: CorrectionSettings | dict[str, Any] | None = None,
    *,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> Recording:
    """Correct the traces of a recording.

    Parameters
    ----------
    recording : Recording
        If it was corrected before, the correction starts again from the traces as they were.
    settings : CorrectionSettings or dict, optional
    cancel : callable, optional
    **options
        Fields of `CorrectionSettings`.

    Returns
    -------
    Recording
        Traces float32; a value that was missing, or has no positive baseline, is NaN.

    Raises
    ------
    InputError
        No reference channel although one is asked for; a window for F0 outside the recording; nothing measured at all.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_dynamic_connectome import Recording
    >>> fluorescence = 100 * np.exp(-np.arange(400) / 300)[:, None] * np.ones((1, 2))
    >>> worm = Recording.from_arrays(fluorescence, name="w", rate_hz=2.0)
    >>> flat = correct_traces(worm, bleaching="single exponential", baseline="first seconds")
    >>> bool(np.abs(flat.traces).max() < 1e-3)
    True
    """
    parsed = CorrectionSettings.parse(settings, where="correction", **options)
    work = _Work(recording, parsed, cancel)
    steps: list[tuple[bool, str, Callable[[], str], tuple[str, ...]]] = [
        (parsed.reference != "none", "reference artefacts", work.reference, ("reference", "reference_smoothing_s")),
        (
            parsed.bleaching != "none",
            "bleaching",
            work.bleaching,
            ("bleaching", "bleaching_percentile", "bleaching_window_s"),
        ),
        (parsed.baseline != "none", "dF/F0", work.baseline, tuple(f for f in _FIELDS if f.startswith("baseline"))),
        (parsed.resample_hz is not None, "resample", work.resample, ("resample_hz", "max_gap_s")),
        (parsed.smoothing != "none", "smooth", work.smooth, ("smoothing", "smoothing_s", "max_gap_s")),
        (parsed.zscore, "z-score", work.zscore, ()),
    ]
    for wanted, name, step, fields in steps:
        if wanted:
            check_cancel(cancel)
            note = step()
            entry: dict[str, Any] = {"operation": name, "settings": {f: getattr(parsed, f) for f in fields}}
            if note:
                entry["note"] = note
            work.history.append(entry)
    return work.result()


_FIELDS = tuple(CorrectionSettings.model_fields)
OPERATIONS = ("reference artefacts", "bleaching", "dF/F0", "resample", "smooth", "z-score")
"""What the steps are called in the history of a recording."""


class _Work:
    """Traces on their way through the steps."""

    def __init__(self, recording: Recording, settings: CorrectionSettings, cancel: CancelCallback | None) -> None:
        self.recording, self.cancel = recording, cancel
        self.settings = settings
        self.where = f"recording '{recording.name}'"
        traces = recording.traces
        again = "raw" in traces.coords
        raw = traces["raw"].values if again else traces.values
        self.units = str(traces["raw"].attrs.get("units", "")) if again else str(traces.attrs.get("units", ""))
        self.raw = np.asarray(raw, np.float32)
        self.values = np.asarray(raw, float)
        if not np.isfinite(self.values).any():
            raise InputError("all values are missing", where=self.where)
        self.raw_units = self.units
        self.time = recording.time_s
        self.limit = gap_limit(self.time, settings.max_gap_s)
        history = list(recording.provenance.get("history", []))
        # correcting again replaces what was done to the values; resampled times cannot be had back and stay listed
        self.history = [
            h for h in history if not again or h.get("operation") not in OPERATIONS or h["operation"] == "resample"
        ]
        self.planes = {str(k): v for k, v in traces.coords.items() if v.dims == ("time", "neuron") and k != "raw"}

    def reference(self) -> str:
        """Divide by what the reference channel shares with the signal."""
        if "reference" not in self.planes:
            raise InputError(
                "there is no trace of a reference channel",
                where=self.where,
                fix="Extract with a reference channel, or set reference to 'none'.",
            )
        other = np.asarray(self.planes["reference"].values, float)
        if self.settings.reference_smoothing_s > 0:
            other = smooth(
                other, self.time, "gaussian", self.settings.reference_smoothing_s, self.recording.breaks, self.limit
            )
        relative = other / _nanmedian(other)
        bad = ~(relative > 0) & np.isfinite(self.values)
        relative = np.where(relative > 0, relative, np.nan)
        if self.settings.reference == "regression":
            share = self._share(relative)
            relative = relative**share
        self.values = self.values / relative
        return f"{int(bad.sum())} samples have no positive reference and are missing now" if bad.any() else ""

    def _share(self, relative: np.ndarray) -> np.ndarray:
        """Exponent (neuron,) with which the signal follows the reference, from what changes within a minute."""
        with np.errstate(invalid="ignore", divide="ignore"):
            both = [np.log(relative), np.log(np.where(self.values > 0, self.values, np.nan))]
        fast = [
            v - rolling_percentile(v, self.time, DETREND_S, 50.0, self.recording.breaks, 0.0, self.cancel) for v in both
        ]
        good = np.isfinite(fast[0]) & np.isfinite(fast[1])
        x, y = (np.where(good, v, 0.0) for v in fast)
        power = (x * x).sum(axis=0)
        return np.clip(np.where(power > 0, (x * y).sum(axis=0) / np.maximum(power, 1e-300), 0.0), 0.0, 2.0)

    def bleaching(self) -> str:
        """Divide by the fitted loss, relative to its beginning."""
        chosen = self.settings.bleaching
        if chosen == "rolling percentile":
            curve = rolling_percentile(
                self.values,
                self.time,
                self.settings.bleaching_window_s,
                self.settings.bleaching_percentile,
                (),
                0.0,
                self.cancel,
            )
            start = np.array([c[np.isfinite(c)][0] if np.isfinite(c).any() else np.nan for c in curve.T])
        else:
            curve = fit_bleaching(
                self.values, self.time, double=chosen == "double exponential", cancel=self.cancel
            ).curve
            start = curve[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            loss = curve / start
            usable = np.isfinite(loss).any(axis=0) & ~(loss <= 0).any(axis=0)
        self.values = np.where(usable, self.values / np.where(usable, loss, 1.0), self.values)
        left = int((~usable).sum())
        return f"{left} neurons could not be fitted and are unchanged" if left else ""

    def baseline(self) -> str:
        """Compute (F - F0) / F0."""
        chosen, s = self.settings.baseline, self.settings
        if chosen == "rolling percentile":
            base = rolling_percentile(
                self.values,
                self.time,
                s.baseline_window_s,
                s.baseline_percentile,
                self.recording.breaks,
                0.0,
                self.cancel,
            )
        else:
            start = self.time[0] + (s.baseline_start_s if chosen == "window" else 0.0)
            stop = self.time[0] + s.baseline_stop_s
            if chosen == "window":
                start, stop = s.baseline_start_s, s.baseline_stop_s
            inside = (self.time >= start) & (self.time <= stop)
            if not inside.any():
                raise InputError(
                    f"no sample lies in the window for F0, {start:g} to {stop:g} s",
                    where=self.where,
                    fix=f"The recording runs from {self.time[0]:g} to {self.time[-1]:g} s.",
                )
            part = self.values[inside]
            base = np.full(self.values.shape[1], np.nan)
            some = np.isfinite(part).any(axis=0)
            if chosen == "window":
                base[some] = np.nanpercentile(part[:, some], s.baseline_percentile, axis=0)
            else:
                base[some] = np.nanmean(part[:, some], axis=0)
            base = np.broadcast_to(base, self.values.shape)
        measured = np.isfinite(self.values)
        with np.errstate(invalid="ignore", divide="ignore"):
            self.values = np.where(base > 0, (self.values - base) / base, np.nan)
        self.units = "dF/F0"
        lost = measured & ~np.isfinite(self.values)
        n = int(lost.any(axis=0).sum())
        return f"{n} neurons have no positive F0 at some times and are missing there" if n else ""

    def resample(self) -> str:
        """Go to an even rate."""
        assert self.settings.resample_hz is not None
        new = resample_times(self.time, self.settings.resample_hz)
        if len(new) > 50_000_000:
            raise InputError(f"resampling would make {len(new)} samples", where=self.where, fix="Choose a lower rate.")
        breaks = self.recording.breaks

        def move(values: np.ndarray) -> np.ndarray:
            return resample(np.asarray(values, float), self.time, new, breaks, self.limit)

        self.values, self.raw = move(self.values), move(self.raw).astype(np.float32)
        self.planes = {
            k: xr.DataArray(move(v.values).astype(np.float32), dims=v.dims, attrs=v.attrs)
            for k, v in self.planes.items()
        }
        behaviour = xr.Dataset()
        for name, channel in self.recording.behaviour.data_vars.items():
            if channel.attrs.get("kind") == "binary":
                nearest = np.clip(np.searchsorted((self.time[1:] + self.time[:-1]) / 2, new), 0, len(self.time) - 1)
                moved = channel.values[nearest]
            else:
                moved = move(channel.values[:, None])[:, 0]
            behaviour[name] = xr.DataArray(moved, dims=("time",), coords={"time": new}, attrs=channel.attrs)
        self.time, self._behaviour = new, behaviour
        self.limit = max(self.limit, gap_limit(new, self.settings.max_gap_s))
        return ""

    def smooth(self) -> str:
        """Filter over time."""
        s = self.settings
        self.values = smooth(self.values, self.time, s.smoothing, s.smoothing_s, self.recording.breaks, self.limit)
        return ""

    def zscore(self) -> str:
        """Scale to mean 0 and standard deviation 1; a constant trace becomes 0."""
        some = np.isfinite(self.values).any(axis=0)
        part = self.values[:, some]
        spread = np.nanstd(part, axis=0)
        self.values[:, some] = (part - np.nanmean(part, axis=0)) / np.where(spread > 0, spread, 1.0)
        self.units = "z"
        return ""

    def result(self) -> Recording:
        """Put the recording together again."""
        old = self.recording.traces
        coords: dict[str, Any] = {"time": self.time}
        coords |= {str(k): v for k, v in old.coords.items() if v.dims == ("neuron",)}
        coords |= {k: (("time", "neuron"), v.values, v.attrs) for k, v in self.planes.items()}
        coords["raw"] = (("time", "neuron"), self.raw, {"units": self.raw_units})
        traces = xr.DataArray(
            self.values.astype(np.float32),
            dims=("time", "neuron"),
            coords=coords,
            name=old.name,
            attrs=dict(old.attrs) | {"units": self.units},
        )
        behaviour = getattr(self, "_behaviour", self.recording.behaviour)
        provenance = dict(self.recording.provenance) | {"history": self.history}
        return self.recording.replace(traces=traces, behaviour=behaviour, provenance=provenance, quality=None)


def _nanmedian(values: np.ndarray) -> np.ndarray:
    """Median of each column without a warning for empty ones."""
    result = np.full(values.shape[1], np.nan)
    some = np.isfinite(values).any(axis=0)
    result[some] = np.nanmedian(values[:, some], axis=0)
    return result
