#!/usr/bin/env bash
# bctpy: the directed null models lose the degrees that they promise to keep
#
# Guess: randmio_dir "preserves the in- and out-degree distributions" (its help), so only who meets whom is random;
#   null_model_dir_sign keeps degrees exactly and strengths closely, as null_model_und_sign does.
# Seen: randmio_dir keeps the out-degrees and loses the in-degrees of most nodes. After a swap the list of edges gets the new
#   target in its list of sources, so later swaps overwrite edges that are not those drawn. latmio_dir loses both.
#   randmio_dir_connected keeps both. null_model_dir_sign rewires as if the matrix were undirected: degrees of either kind are
#   lost and the correlation of strengths falls near 0. The undirected ones hold.
# Why it matters: the directed connectome of C. elegans is compared with such nulls. Hubs in terms of incoming synapses are
#   levelled in the null, so reciprocity, rich club or motifs that the in-degrees alone explain come out as significant.
# Versions: bctpy 0.6.1, numpy 2.4.6, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'bctpy==0.6.1' 'numpy==2.4.6' 'scipy==1.17.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import bct
import numpy as np

rng = np.random.default_rng(0)
chance = np.where(rng.random(40) < 0.15, 0.6, 0.1)  # a few nodes receive much
wiring = (rng.random((40, 40)) < chance).astype(float)  # row: from, column: to
np.fill_diagonal(wiring, 0)


def lost(null, axis):
    """Count the nodes whose degree differs; axis 0: incoming, axis 1: outgoing."""
    return int(((null != 0).sum(axis) != (wiring != 0).sum(axis)).sum())


seen = {}
for name in ("randmio_dir", "randmio_dir_connected"):
    null = getattr(bct, name)(wiring, 10, seed=1)[0]
    assert null.sum() == wiring.sum()
    seen[name] = lost(null, 0), lost(null, 1)
    spread = (null != 0).sum(0).std()
    print(f"{name}: in-degree differs at {seen[name][0]} of 40 nodes, out-degree at {seen[name][1]}; sd of in-degree {spread:.2f}")
print(f"sd of in-degree in the data {wiring.sum(0).std():.2f}")
weights = wiring * rng.exponential(size=wiring.shape)
null, strength = bct.null_model_dir_sign(weights, seed=1)
seen["sign"] = lost(null, 0), lost(null, 1)
print(f"null_model_dir_sign: in-degree differs at {seen['sign'][0]}, out-degree at {seen['sign'][1]};"
      f" correlation of strengths in {strength[0]:.2f}, out {strength[1]:.2f}")
both = np.triu(weights) + np.triu(weights).T
even, close = bct.null_model_und_sign(both, seed=1)
assert ((even != 0).sum(0) == (both != 0).sum(0)).all() and close[0] > 0.8  # the undirected one holds
assert seen["randmio_dir_connected"] == (0, 0)
assert seen["randmio_dir"][0] > 20 and seen["randmio_dir"][1] == 0, "randmio_dir keeps in-degrees now"
assert min(seen["sign"]) > 10, "null_model_dir_sign keeps degrees now"
PY
