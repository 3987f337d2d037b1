#!/usr/bin/env bash
# wormneuroatlas: two neurons are given the genes of another class
#
# Guess: get_gene_expression gives every neuron the genes of its class in CeNGEN; one without a class there is refused or empty.
# Seen: URYVL and SABD get those of ADA, the first class of the alphabet. The list of names for URY has URYDL twice, that for SAB has
#   SABDL and SABDR, which do not exist, and neurons that are in no list keep index 0. URYVR has its own.
# Why it matters: left and right of one class seem to express other genes; predictions of receptors (everything_about, the
#   peptidergic connectome) for these two are those of an interneuron.
# Versions: wormneuroatlas 0.0.7.3, numpy 2.3.5, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'wormneuroatlas==0.0.7.3' 'numpy==2.3.5' 'scipy==1.17.1' 'h5py==3.16.0' 'matplotlib==3.11.2'
cd "$work"
MPLBACKEND=agg "$work/venv/bin/python" -W ignore - <<'PY'
import contextlib
import io

import numpy as np
import wormneuroatlas

wormneuroatlas.WormBase.assert_db_version_consistency = lambda self: None  # asks a server which version WormBase has
with contextlib.redirect_stdout(io.StringIO()):
    atlas = wormneuroatlas.NeuroAtlas()


def genes(name):
    return atlas.get_gene_expression(neuron_ids=[name])[0]


classes = atlas.cengen.get_neuron_ids()
place = {name: k for k, name in enumerate(atlas.neuron_ids)}
print({name: str(classes[atlas.cengen_is[place[name]]]) for name in ("URYVL", "URYVR", "SABD", "SABVL", "ADAL")})
assert "URY" in classes and "SAB" in classes and classes[0] == "ADA"
assert not np.array_equal(genes("URYVR"), genes("ADAL")) and np.array_equal(genes("URYVR"), genes("URYDL"))
assert np.array_equal(genes("URYVL"), genes("ADAL")), "URYVL has the genes of URY now"
assert np.array_equal(genes("SABD"), genes("ADAL")), "SABD has the genes of SAB now"
PY
