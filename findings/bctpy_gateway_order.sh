#!/usr/bin/env bash
# bctpy: the gateway coefficient of a neuron depends on the order in which neurons stand
#
# Guess: gateway_coef_sign is a number of a neuron and its links: neurons with the same links have the same, and sorting the
#   neurons otherwise sorts the coefficients.
# Seen: of two groups of three neurons and one link between them, the two neurons of a group without a link outwards have 0.69 and
#   0.39; in another order the same neuron gets another value, up to 0.3 apart. Centralities of neighbours are looked up by their
#   number inside the module, not in the network. The other measures of nodes that were tried follow the order.
# Why it matters: connector neurons are picked by it; which are picked depends on whether the table is sorted by name or by module.
# Versions: bctpy 0.6.1, numpy 2.4.6, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'bctpy==0.6.1' 'numpy==2.4.6' 'scipy==1.17.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import bct
import numpy as np

links = np.zeros((6, 6))
links[:3, :3] = links[3:, 3:] = 1  # two groups; 2 and 3 are linked across
links[2, 3] = links[3, 2] = 0.1
np.fill_diagonal(links, 0)
groups = np.array([1, 1, 1, 2, 2, 2])
order = np.array([5, 0, 3, 1, 4, 2])
for centrality in ("degree", "betweenness"):
    here = bct.gateway_coef_sign(links.copy(), groups, centrality_type=centrality)[0]
    there = bct.gateway_coef_sign(links[np.ix_(order, order)], groups[order], centrality_type=centrality)[0]
    print(f"{centrality}: {np.round(here, 2)}; the same neurons in another order: {np.round(there[np.argsort(order)], 2)}")
    assert abs(here[0] - here[1]) > 0.2, "neurons 0 and 1 have the same links and the same coefficient now"
    assert np.abs(there - here[order]).max() > 0.1, "the order does not matter any more"
participation = bct.participation_coef(links, groups)
assert np.allclose(bct.participation_coef(links[np.ix_(order, order)], groups[order]), participation[order])
PY
