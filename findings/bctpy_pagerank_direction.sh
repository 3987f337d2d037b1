#!/usr/bin/env bash
# bctpy: pagerank_centrality walks against the arrows of its own matrices
#
# Guess: entry [i, j] is the connection from i to j, as in all of bctpy (degrees_dir, strengths_dir, distances), so a node that
#   receives much ranks high, and networkx gives the same numbers for the same matrix.
# Seen: the columns are normalised, not the rows. The walk goes from the column to the row: the source of all connections ranks
#   highest. It equals the PageRank of the reversed graph; the transposed matrix gives what networkx gives.
# Why it matters: in a connectome of chemical synapses, sensory neurons (sources) come out as the centres and motor or
#   command neurons as the periphery; nothing warns, and every value looks plausible. Pass the transposed matrix.
# Versions: bctpy 0.6.1, networkx 3.6.1, numpy 2.4.6, Python 3.11. Date: 2026-11-29.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'bctpy==0.6.1' 'networkx==3.6.1' 'numpy==2.4.6' 'scipy==1.17.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import bct
import networkx as nx
import numpy as np

names = ["ASEL", "AIYL", "AIZL", "RMEL"]
synapses = np.zeros((4, 4))
synapses[0, 1], synapses[0, 2], synapses[1, 3], synapses[2, 3], synapses[3, 1] = 5.0, 4.0, 6.0, 7.0, 1.0
received, sent, _ = bct.degrees_dir(synapses)
print("received", received, "sent", sent)
assert sent[0] == 2 and received[0] == 0  # rows send, in the words of bctpy itself
rank = np.ravel(bct.pagerank_centrality(synapses, 0.85))
turned = np.ravel(bct.pagerank_centrality(synapses.T, 0.85))
graph = nx.from_numpy_array(synapses, create_using=nx.DiGraph)
other = np.array([nx.pagerank(graph, alpha=0.85, tol=1e-12)[k] for k in range(4)])
for name, row in (("bctpy", rank), ("bctpy, transposed", turned), ("networkx", other)):
    print(f"{name:18s}", dict(zip(names, row.round(3).tolist(), strict=True)))
assert np.allclose(turned, other, atol=1e-6)
assert not np.allclose(rank, other, atol=0.05), "bctpy follows its own arrows now"
assert rank[0] == rank.max() and other[0] == other.min(), "the node that receives nothing no longer ranks first"
PY
