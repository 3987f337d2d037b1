#!/usr/bin/env bash
# bioio: an OME-TIFF in nanometres is saved a thousand times larger, and its frame interval is lost
#
# Guess: physical_pixel_sizes of an OME-TIFF are in one unit, and a file saved by BioImage.save has the sizes of the one that was read.
# Seen: numbers as they stand, without their units: x and y of 250 nm beside z of 1.5 um are 250, 250 and 1.5. The file that is saved
#   has no units, which means um in OME: x and y are 250 um. Planes' times and TimeIncrement are not in it; time_interval is None
#   when read, too. The same image as an ImageJ TIFF in nm is converted (bioio-tifffile).
# Why it matters: distances between neurons, radii and volumes of a converted recording are wrong by 1,000 in the plane and right
#   along z; the frame rate has to be asked for.
# Versions: bioio 3.6.0, bioio-ome-tiff 1.4.0, bioio-tifffile 1.3.1, tifffile 2026.3.3, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'bioio==3.6.0' 'bioio-ome-tiff==1.4.0' 'bioio-tifffile==1.3.1' 'ome-types==0.7.0' 'tifffile==2026.3.3' 'numpy==2.4.6'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import bioio_ome_tiff
import bioio_tifffile
import numpy as np
import tifffile
from bioio import BioImage
from ome_types import from_tiff

frames = np.random.default_rng(0).integers(0, 999, (3, 1, 4, 8, 9)).astype("u2")
sizes = {f"PhysicalSize{a}{u}": v for a, s, unit in (("X", 250.0, "nm"), ("Y", 250.0, "nm"), ("Z", 1.5, "µm")) for u, v in (("", s), ("Unit", unit))}
tifffile.imwrite("a.ome.tif", frames, metadata={"axes": "TCZYX", "TimeIncrement": 300.0, "TimeIncrementUnit": "ms", **sizes})
about = {"axes": "TZYX", "unit": "nm", "spacing": 1500}
tifffile.imwrite("imagej.tif", frames[:, 0], imagej=True, resolution=(1 / 250, 1 / 250), metadata=about)


def stated(path):
    pixels = from_tiff(path).images[0].pixels
    return [f"{getattr(pixels, f'physical_size_{a}')} {getattr(pixels, f'physical_size_{a}_unit').value}" for a in "zyx"], pixels.time_increment


image = BioImage("a.ome.tif", reader=bioio_ome_tiff.Reader)
image.save("b.ome.tiff")
other = BioImage("imagej.tif", reader=bioio_tifffile.Reader)
print("file:", stated("a.ome.tif"))
print("bioio:", tuple(image.physical_pixel_sizes), image.time_interval, "; from ImageJ:", tuple(other.physical_pixel_sizes))
print("saved:", stated("b.ome.tiff"))
assert stated("a.ome.tif") == (["1.5 µm", "250.0 nm", "250.0 nm"], 300.0)
assert np.allclose(other.physical_pixel_sizes, (1.5, 0.25, 0.25))
assert tuple(image.physical_pixel_sizes) == (1.5, 250, 250) and image.time_interval is None, "units are read now"
assert stated("b.ome.tiff") == (["1.5 µm", "250.0 µm", "250.0 µm"], None), "units are saved now"
PY
