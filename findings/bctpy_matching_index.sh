#!/usr/bin/env bash
# bctpy: the matching index of an undirected network is not symmetric, and wrong for most pairs
#
# Guess: matching_ind_und of two neurons is twice the number of neighbours they share over all links of both, their own link left
#   out: the same in both directions, and 1 only if all neighbours are shared.
# Seen: the links of the second neuron to others are not counted, so values are too large, one direction another than the other, and
#   1 where a neuron with one neighbour meets a hub that has it, too. The inner counts are printed. netneurotools, which has the
#   function from the same toolbox, and matching_ind (for directed networks) of bctpy agree with the definition.
# Why it matters: similarity of wiring beside similarity of activity: hubs look alike with everybody, and half of the matrix
#   (which half is taken) decides the correlation.
# Versions: bctpy 0.6.1, netneurotools 0.3.0, numpy 2.4.6, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'bctpy==0.6.1' 'netneurotools==0.3.0' 'numpy==2.4.6' 'scipy==1.17.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import contextlib
import io

import bct
import numpy as np
from netneurotools.metrics import matching_ind_und

names = ["AVAL", "AVAR", "AVBL", "AVDL", "AVEL", "RIML"]
links = np.zeros((6, 6))
for i, k in ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (1, 4), (2, 5)):
    links[i, k] = links[k, i] = 1
right = np.zeros((6, 6))
for i in range(6):
    for k in range(6):
        others = [m for m in range(6) if m not in (i, k)]
        every = links[i, others].sum() + links[k, others].sum()
        right[i, k] = 2 * (links[i, others] * links[k, others]).sum() / every if i != k and every else 0
with contextlib.redirect_stdout(io.StringIO()) as said:
    found = bct.matching_ind_und(links)
    directed = bct.matching_ind(links)[0]
print(f"AVAL and RIML: {found[0, 5]:.2f} and {found[5, 0]:.2f}, by definition {right[0, 5]:.2f}; AVAR has four other neighbours, RIML one of them: {found[1, 5]:.2f} and {found[5, 1]:.2f}")
assert np.allclose(matching_ind_und(links), right) and np.allclose(directed, right) and np.array_equal(right, right.T)
assert not np.allclose(found, found.T), "the index is symmetric now"
assert found[0, 5] == 1 and found[1, 5] == 1 and abs(right[0, 5] - 0.5) < 1e-9 and abs(right[1, 5] - 0.4) < 1e-9, "the links of both are counted now"
assert said.getvalue(), "nothing is printed any more"
PY
