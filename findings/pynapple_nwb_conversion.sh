#!/usr/bin/env bash
# pynapple: values of an NWB file come without conversion and offset
#
# Guess: load_file gives values in the unit that the file states, data * conversion + offset, which is how the schema of NWB
#   defines a time series, and what pynwb offers as get_data_in_units.
# Seen: the stored integers come out as they are, for TimeSeries and for RoiResponseSeries. The unit is not kept either, so
#   nothing tells that a factor was left out. The rate and the starting time are honoured, the names of regions too.
# Why it matters: cameras and export tools store fluorescence or stage positions as integers with a factor. Two worms that were
#   stored with different factors differ by that factor, and thresholds in dF/F or degrees mean something else.
# Versions: pynapple 0.11.4, pynwb 2.8.3, hdmf 3.14.6, numpy 2.4.6, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'pynapple==0.11.4' 'pynwb==2.8.3' 'hdmf==3.14.6' 'numpy==2.4.6' 'pandas==3.1.1' 'xarray==2026.9.0' 'numba==0.68.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
from datetime import datetime, timezone

import numpy as np
import pynapple as nap
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.ophys import Fluorescence, ImageSegmentation, OpticalChannel

file = NWBFile("made up", "one", datetime(2024, 1, 1, tzinfo=timezone.utc))
file.add_acquisition(
    TimeSeries(
        name="temperature", data=np.array([10, 20, 30], "i2"), unit="C", conversion=0.1, offset=18.0, rate=2.0, starting_time=5.0
    )
)
channel = OpticalChannel(name="green", description="green", emission_lambda=510.0)
plane = file.create_imaging_plane(
    name="plane", optical_channel=channel, description="head", device=file.create_device("scope"), excitation_lambda=488.0,
    indicator="GCaMP6s", location="head", imaging_rate=2.0,
)
regions = ImageSegmentation()
table = regions.create_plane_segmentation(name="cells", description="cells", imaging_plane=plane)
for k in range(2):
    table.add_roi(pixel_mask=[(k, 2, 1.0)])
module = file.create_processing_module("ophys", "traces")
module.add(regions)
traces = Fluorescence()
module.add(traces)
traces.create_roi_response_series(
    name="dff", data=np.array([[100, 200], [300, 400]], "i2"), unit="dF/F", conversion=0.001, rate=2.0,
    rois=table.create_roi_table_region(region=[0, 1], description="both"),
)
with NWBHDF5IO("worm.nwb", "w") as io:
    io.write(file)
with NWBHDF5IO("worm.nwb", "r") as io:
    back = io.read()
    right = np.asarray(back.acquisition["temperature"].get_data_in_units())
    right_dff = np.asarray(back.processing["ophys"]["Fluorescence"]["dff"].get_data_in_units())
session = nap.load_file("worm.nwb")
got, got_dff = session["temperature"], session["dff"]
values, values_dff = np.asarray(got.d), np.asarray(got_dff.d)
print("temperature: pynwb in units", right, "pynapple", values, "at", got.t)
print("dF/F: pynwb in units", right_dff.tolist(), "pynapple", values_dff.tolist())
assert np.allclose(right, [19.0, 20.0, 21.0]) and np.allclose(right_dff, [[0.1, 0.2], [0.3, 0.4]])
assert got.t.tolist() == [5.0, 5.5, 6.0]
assert values.tolist() == [10, 20, 30], "conversion and offset are applied now"
assert values_dff.tolist() == [[100, 200], [300, 400]], "conversion is applied to regions now"
PY
