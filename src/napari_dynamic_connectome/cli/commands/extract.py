"""The command `extract`: traces from a 4D image and its labels."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...model.errors import InputError
from ..cluster import add_cluster, client_of
from ..progress import progress_bar

if TYPE_CHECKING:
    from ...pipeline.settings import VolumeInput

ORDER = 30


def add(commands: Any) -> None:
    """Add the command to the parser."""
    extract = commands.add_parser("extract", help="traces from a 4D image and its labels")
    extract.add_argument("volume", help="4D image: OME-Zarr, TIFF, HDF5, NWB")
    extract.add_argument("labels", nargs="?", help="3D or 4D labels (default: those inside an OME-Zarr image)")
    extract.add_argument("-o", "--output", required=True, help="file to write: .csv, .parquet, .npz or .nwb")
    extract.add_argument(
        "--overwrite", action="store_true", help="replace an output file that another program wrote or that was edited"
    )
    extract.add_argument("--name", help="name of the worm (default: the image's file name)")
    extract.add_argument("--names", help="CSV with columns label, name (default: the names stored with the labels)")
    extract.add_argument("--stimuli", help="CSV with columns name, onset, offset (s)")
    extract.add_argument("--behaviour", help="CSV with a time column and one column a channel")
    extract.add_argument("--channel", help="channel of the image that holds the activity: name or number from 0")
    extract.add_argument("--reference", help="reference channel: name or number of a channel, or another image")
    extract.add_argument("--axes", default="", help="axes of the image, such as tzyx, if the file does not name them")
    extract.add_argument("--label-axes", default="", help="axes of the labels, if the file does not name them")
    extract.add_argument("--dataset", default="", help="HDF5: path of the image inside the file")
    extract.add_argument("--label-dataset", default="", help="HDF5: path of the labels inside the file")
    extract.add_argument("--label-channel", help="channel that holds the labels, where there are several")
    extract.add_argument(
        "--radius", type=float, metavar="UM", help="labels given as a table of centres: radius in micrometres"
    )
    extract.add_argument("--units", default="", help="labels given as a table of centres: um or voxels")
    extract.add_argument(
        "--voxel-size", type=float, nargs=3, metavar=("Z", "Y", "X"), help="micrometres, if the file does not say"
    )
    extract.add_argument("--rate", type=float, metavar="HZ", help="volumes per second, if the file does not say")
    extract.add_argument("--correct", action="store_true", help="also correct bleaching and compute dF/F0")
    extract.add_argument(
        "--resume", metavar="FOLDER", help="keep finished blocks here, and go on from them after a stop"
    )
    add_cluster(extract)
    extract.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="TABLE.FIELD=VALUE",
        help="extraction.…, correction.… or quality.… setting; repeatable",
    )
    extract.set_defaults(action=execute)


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...extraction.correct import correct_traces
    from ...extraction.quality import assess_quality
    from ...extraction.settings import CorrectionSettings, ExtractionSettings, QualitySettings
    from ...io.registry import check_target, write_recording
    from ...pipeline.images import extract_files
    from ...pipeline.toml import parse_overrides

    overrides = parse_overrides(options.set)
    unknown = set(overrides) - {"extraction", "correction", "quality"}
    if unknown:
        raise InputError(
            f"'{sorted(unknown)[0]}' is not a table here", where="--set", fix="Use extraction.… or correction.…"
        )
    settings = ExtractionSettings.parse(overrides.get("extraction"), where="--set extraction")
    quality = QualitySettings.parse(overrides.get("quality"), where="--set quality")
    correction = CorrectionSettings.parse(overrides.get("correction"), where="--set correction")
    target = check_target(options.output, overwrite=options.overwrite)
    client = client_of(options)
    try:
        with progress_bar("extract") as progress:
            recording = extract_files(
                _images_of(options),
                settings,
                checkpoint=Path(options.resume) if options.resume else None,
                client=client,
                progress=progress,
            )
    finally:
        if client is not None:
            client.close()
    if options.correct or "correction" in overrides:
        recording = correct_traces(recording, correction)
    recording = assess_quality(recording, quality)
    write_recording(recording, target, overwrite=options.overwrite)
    named = len(recording.named)
    print(f"wrote {options.output}: {recording.n_neurons} neurons ({named} named), {recording.n_times} time points")


def _images_of(options: argparse.Namespace) -> VolumeInput:
    """Files of the worm, and what was said about them."""
    from ...pipeline.settings import VolumeInput

    given = {field: getattr(options, OPTIONS.get(field, field)) for field in VolumeInput.model_fields}
    return VolumeInput.parse({k: v for k, v in given.items() if v is not None}, where="extract")


OPTIONS = {"radius_um": "radius", "voxel_size_um": "voxel_size", "frame_rate_hz": "rate"}
"""Options that are shorter than the fields of `VolumeInput`."""
