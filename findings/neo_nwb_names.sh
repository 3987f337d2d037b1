#!/usr/bin/env bash
# neo: in NWB files neurons lose their names, and units that end in "s" are cut
#
# Guess: what neo writes to NWB comes back as from its other formats (NIX): names of the columns (array annotations), and the unit.
# Seen: names of neurons are not in the file, without a word. The unit "um/s" is in the file and is read as dimensionless: the last
#   letter is taken for a plural ("Can't handle unit 'um/'" in the log).
# Why it matters: columns of a recording can no longer be told apart, and speeds have no unit. NIX keeps both.
# Versions: neo 0.14.6, pynwb 4.2.0, nixio 1.5.4, quantities 0.16.4, numpy 2.4.6, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'neo==0.14.6' 'pynwb==4.2.0' 'hdmf==6.2.0' 'nixio==1.5.4' 'quantities==0.16.4' 'numpy==2.4.6' 'h5py==3.16.0' 'pandas==3.1.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import datetime
import logging

import h5py
import neo
import numpy as np
import quantities as pq

logging.disable(logging.CRITICAL)


def worm():
    block = neo.Block(name="worm1")
    segment = neo.Segment(name="run1")
    block.segments.append(segment)
    clock = {"sampling_rate": 4 * pq.Hz, "t_start": 2 * pq.s}
    segment.analogsignals.append(
        neo.AnalogSignal(np.arange(20.0).reshape(10, 2), units="mV", name="traces", array_annotations={"neuron": ["AVAL", "RIS"]}, **clock)
    )
    segment.analogsignals.append(neo.AnalogSignal(np.arange(10.0)[:, None], units="um/s", name="speed", **clock))
    block.annotate(session_start_time=datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), session_description="x", identifier="x")
    return block


def seen(block):
    traces, speed = sorted(block.segments[0].analogsignals, key=lambda signal: "speed" in signal.name)  # NWB has another order
    return [str(n) for n in traces.array_annotations.get("neuron", [])], speed.units.dimensionality.string, traces.units.dimensionality.string


nix = neo.io.NixIO("a.nix", "ow")
nix.write_block(worm())
nix.close()
nix = neo.io.NixIO("a.nix", "ro")
kept = seen(nix.read_block())
nix.close()
neo.io.NWBIO("a.nwb", "w").write_all_blocks([worm()])
found = seen(neo.io.NWBIO("a.nwb", "r").read_all_blocks()[0])
stated = []
with h5py.File("a.nwb") as file:
    file.visititems(lambda name, node: stated.append(node.attrs["unit"]) if name.endswith("/data") and "unit" in node.attrs else None)
with open("a.nwb", "rb") as raw:
    names_inside = b"AVAL" in raw.read()
print("NIX:", kept, "; NWB:", found, "; units in the NWB file:", stated, "; a name in it:", names_inside)
assert kept == (["AVAL", "RIS"], "um/s", "mV") and "um/s" in stated
assert found[0] == [] and not names_inside, "names of columns are written now"
assert found[1:] == ("dimensionless", "mV"), "the unit is read now"
PY
