"""Settings of the three steps of this folder: extraction, correction and quality; defaults, units and help in one place."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from ..model.settings import StepSettings, setting


class ExtractionSettings(StepSettings):
    """How voxels become one number per neuron and frame."""

    statistic: Literal["mean", "median", "trimmed mean", "sum"] = setting(
        "mean", "How the voxels of a neuron are combined; the median and the trimmed mean resist a few bright voxels."
    )
    trim: float = setting(
        0.1, "Share of the darkest and of the brightest voxels that the trimmed mean leaves out.", ge=0.0, lt=0.5
    )
    background: Literal["none", "annulus", "frame percentile"] = setting(
        "none",
        "What is subtracted: nothing, the voxels around each neuron (those of other neurons excluded), or one percentile of "
        "the whole frame.",
    )
    background_statistic: Literal["mean", "median"] = setting("median", "How the voxels of the annulus are combined.")
    annulus_inner_um: float = setting(
        1.0, "Distance from the neuron at which its annulus begins.", unit="um", ge=0.0, le=100.0
    )
    annulus_outer_um: float = setting(
        3.0, "Distance from the neuron at which its annulus ends.", unit="um", gt=0.0, le=200.0
    )
    annulus_gap_um: float = setting(
        0.5, "Voxels nearer than this to another neuron do not count as background.", unit="um", ge=0.0, le=100.0
    )
    background_percentile: float = setting(
        10.0, "Percentile of the frame that counts as background.", unit="%", ge=0.0, le=100.0
    )
    reference_use: Literal["keep", "ratio"] = setting(
        "keep",
        "With a reference channel: keep its trace beside the signal (for the correction step), or divide the signal by it.",
    )
    saturation_value: float | None = setting(
        None,
        "Voxels at or above this count as saturated; by default the largest value of an integer image (give 4095 for a "
        "12-bit camera).",
    )
    missing_value: float | None = setting(
        None,
        "Voxels of exactly this value count as missing and are left out (0 after some registrations); NaN always does.",
    )
    max_neurons: int = setting(
        20_000, "More labels than this are refused: the image is then hardly a label image.", ge=1, le=10_000_000
    )
    threads: int = setting(0, "Threads that read and reduce; 0 = one a processor core.", ge=0, le=256)
    block_mb: float = setting(24.0, "Small chunks are read together up to this size.", unit="MB", gt=0.0, le=4096.0)
    memory_mb: float = setting(
        600.0,
        "Fewer blocks are in work at once if they would need more than this, or more than half of what is free.",
        unit="MB",
        gt=0.0,
    )

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.annulus_outer_um <= self.annulus_inner_um:
            raise ValueError("annulus_outer_um must be larger than annulus_inner_um")
        return self


class CorrectionSettings(StepSettings):
    """Corrections of the traces, applied in the order of these fields."""

    reference: Literal["none", "ratio", "regression"] = setting(
        "none",
        "Removal of artefacts that the reference channel shares: divide by its relative change, or by the part of it that "
        "explains the signal.",
    )
    reference_smoothing_s: float = setting(
        1.0,
        "The reference trace is smoothed this much first, so that its noise is not added.",
        unit="s",
        ge=0.0,
        le=3600.0,
    )
    bleaching: Literal["none", "single exponential", "double exponential", "rolling percentile"] = setting(
        "none", "Model of the loss of fluorescence that the trace is divided by."
    )
    bleaching_percentile: float = setting(
        20.0, "Percentile that follows the loss, for the rolling percentile.", unit="%", ge=0.0, le=100.0
    )
    bleaching_window_s: float = setting(
        300.0, "Window of the rolling percentile for bleaching.", unit="s", gt=0.0, le=1e6
    )
    baseline: Literal["none", "rolling percentile", "first seconds", "window"] = setting(
        "rolling percentile", "What F0 is in dF/F0 = (F - F0) / F0; none leaves the traces in their own units."
    )
    baseline_percentile: float = setting(
        20.0, "Percentile that is F0, within the rolling window or the window given.", unit="%", ge=0.0, le=100.0
    )
    baseline_window_s: float = setting(120.0, "Length of the rolling window.", unit="s", gt=0.0, le=1e6)
    baseline_start_s: float = setting(0.0, "Start of the user's window for F0.", unit="s")
    baseline_stop_s: float = setting(
        10.0, "End of the user's window for F0; also the number of first seconds.", unit="s"
    )
    resample_hz: float | None = setting(
        None, "New, even sampling rate; none keeps the times as they are.", unit="Hz", gt=0.0
    )
    max_gap_s: float = setting(
        0.0,
        "No value is interpolated or smoothed across missing samples that span more than this; 0 = two and a half samples.",
        unit="s",
        ge=0.0,
    )
    smoothing: Literal["none", "gaussian", "median", "savitzky-golay"] = setting("none", "Filter over time.")
    smoothing_s: float = setting(
        1.0,
        "Width: the standard deviation (gaussian) or the window (median, savitzky-golay).",
        unit="s",
        gt=0.0,
        le=3600.0,
    )
    zscore: bool = setting(False, "Scale every trace to mean 0 and standard deviation 1 at the end.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.baseline == "window" and self.baseline_stop_s <= self.baseline_start_s:
            raise ValueError("baseline_stop_s must be larger than baseline_start_s")
        return self


class QualitySettings(StepSettings):
    """Limits beyond which a neuron or a recording is flagged."""

    min_snr: float = setting(1.0, "Signal standard deviation over noise standard deviation, at least.", ge=0.0)
    max_bleaching: float = setting(0.5, "Share of the fluorescence lost over the recording, at most.", ge=0.0, le=1.0)
    max_saturated: float = setting(0.01, "Share of the voxels that are saturated, at most.", ge=0.0, le=1.0)
    max_missing: float = setting(0.2, "Share of the frames without a value, at most.", ge=0.0, le=1.0)
    neighbour_um: float = setting(5.0, "Neurons nearer than this may leak into each other.", unit="um", gt=0.0)
    max_contamination: float = setting(
        0.8, "Correlation of the fast part of the trace with that of a near neighbour, at most.", ge=0.0, le=1.0
    )
    max_motion: float = setting(
        0.5, "Correlation of the trace with the neuron's own movement, at most.", ge=0.0, le=1.0
    )
    jump_um: float = setting(
        3.0,
        "A step of the tracked position, beyond the common movement, that suggests another neuron.",
        unit="um",
        gt=0.0,
    )
    jump_noise: float = setting(12.0, "A step of the trace in units of its noise that can count as a swap.", gt=0.0)
    max_jumps: int = setting(0, "Suspicious jumps, at most.", ge=0)
    duplicate_um: float = setting(2.0, "Two neurons nearer than this may be one.", unit="um", gt=0.0)
    duplicate_correlation: float = setting(0.95, "Traces this similar may be of one neuron.", ge=0.0, le=1.0)
    max_drift_um: float = setting(5.0, "Common movement from the first to the last minute, at most.", unit="um", gt=0.0)
    max_dropped: float = setting(
        0.02, "Share of frames dropped (intervals longer than 1.5 x the median), at most.", ge=0.0
    )
    max_uneven: float = setting(0.1, "Spread of the sampling interval, relative to its median, at most.", ge=0.0)
