"""Settings of the simulated worms and of the rendered volumes."""

from __future__ import annotations

from typing import Literal

from ..model.settings import StepSettings, setting

STIMULI: tuple[str, ...] = ("NaCl", "butanone", "pentanedione")
"""Names of the simulated stimuli (those of the protocol in Yemini et al. 2021, Cell; the responses are invented)."""


class SimulationSettings(StepSettings):
    """What is simulated; the defaults give a cohort that is analysed in about a minute."""

    n_worms: int = setting(8, "Number of worms in a cohort.", ge=1, le=2000)
    n_neurons: int = setting(80, "Neurons of which every worm shows some; up to 188 lie in the head.", ge=2, le=302)
    duration_s: float = setting(300.0, "Length of a recording.", unit="s", ge=5, le=100_000)
    rate_hz: float = setting(4.0, "Volumes per second.", unit="Hz", gt=0.2, le=1000)
    stimuli: bool = setting(
        True, "Give three stimuli, in an order of each worm's own; otherwise spontaneous activity only."
    )
    repeats: int = setting(1, "How often each stimulus is given.", ge=1, le=50)
    stimulus_s: float = setting(
        30.0, "Length of a stimulus; cut to 60 % of the time between onsets if need be.", unit="s", gt=0
    )
    n_motifs: int = setting(4, "Number of planted groups of co-driven neurons.", ge=1, le=20)
    motif_size: int = setting(14, "Neurons in a motif (left and right neurons of a pair come together).", ge=2)
    overlap: float = setting(0.2, "Share of a motif's neurons that also belong to an earlier motif.", ge=0, le=0.9)
    opposite: float = setting(0.2, "Share of a motif's neurons that are driven with the opposite sign.", ge=0, le=0.5)
    prevalence: float = setting(0.6, "Share of the worms that have the one motif that not every worm has.", gt=0, le=1)
    missing: float = setting(0.2, "Share of the neurons that are missing in a worm, on average.", ge=0, le=0.9)
    unnamed: float = setting(0.06, "Share of a worm's neurons that have a trace but no name.", ge=0, le=0.9)
    noise: float = setting(0.05, "Standard deviation of the noise at baseline, relative to the baseline.", ge=0)
    independent: float = setting(0.35, "Amplitude of every neuron's own activity, relative to that of a motif.", ge=0)
    amplitude: float = setting(0.9, "dF/F0 that a fully driven neuron with loading 1 reaches.", gt=0)
    rise_s: float = setting(0.4, "Time constant of the indicator's rise.", unit="s", gt=0)
    decay_s: float = setting(2.0, "Time constant of the indicator's decay.", unit="s", gt=0)
    bleaching: float = setting(0.2, "Share of the fluorescence lost to bleaching in a recording.", ge=0, lt=1)
    artefacts_per_min: float = setting(0.5, "Brief motion artefacts, shared by all neurons, per minute.", ge=0)
    position_noise_um: float = setting(1.0, "Scatter of a neuron's position from worm to worm.", unit="um", ge=0)


class RenderSettings(StepSettings):
    """How traces become a 4D volume."""

    n_z: int = setting(20, "Number of slices.", ge=1, le=4096)
    n_y: int = setting(256, "Number of rows.", ge=8, le=65_536)
    n_x: int = setting(512, "Number of columns.", ge=8, le=65_536)
    voxel_z_um: float = setting(2.0, "Distance between slices.", unit="um", gt=0)
    voxel_y_um: float = setting(0.3, "Size of a voxel along y.", unit="um", gt=0)
    voxel_x_um: float = setting(0.3, "Size of a voxel along x.", unit="um", gt=0)
    nucleus_um: float = setting(4.0, "Diameter of a nucleus.", unit="um", gt=0)
    psf_xy_um: float = setting(0.25, "Standard deviation of the point spread in the plane.", unit="um", ge=0)
    psf_z_um: float = setting(0.5, "Standard deviation of the point spread along z.", unit="um", ge=0)
    brightness: float = setting(
        400.0, "Counts of a neuron of mean brightness at its mean.", unit="counts", gt=0, le=60_000
    )
    brightness_spread: float = setting(0.3, "Spread of the neurons' brightness (sigma of a log-normal).", ge=0, le=2)
    background: float = setting(110.0, "Counts where no neuron is.", unit="counts", ge=0, le=60_000)
    counts_per_photon: float = setting(0.5, "Camera gain: variance of the photon noise per count.", ge=0)
    read_noise: float = setting(3.0, "Standard deviation of the camera's read noise.", unit="counts", ge=0)
    bleaching: float = setting(0.01, "Share of the fluorescence lost to bleaching in the recording.", ge=0, lt=1)
    drift_um: float = setting(0.08, "Slow drift of the whole volume, root mean square.", unit="um", ge=0)
    motion_um: float = setting(0.0, "Movement and bending of the worm, root mean square.", unit="um", ge=0)
    labels: Literal["auto", "static", "per frame"] = setting(
        "auto",
        "One 3D label image, or one for every frame; auto: per frame if the worm moves by more than half a micrometre.",
    )
    label_size: float = setting(0.8, "Diameter of a label relative to that of the nucleus.", gt=0.1, le=1.2)
    spacing_um: float = setting(
        1.5, "Least gap between the surfaces of two nuclei; closer ones are moved apart.", unit="um", ge=0
    )
