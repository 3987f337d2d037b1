#!/usr/bin/env bash
# cdlib: paris renames the nodes of the graph that it is given
#
# Guess: an algorithm reads the graph; what it needs inside (numbers for names) it does on a copy, as leiden and walktrap do.
# Seen: after algorithms.paris(graph) the caller's nodes are 0, 1, 2, ... and the names of neurons are gone. The communities it
#   returns have the names, so they no longer belong to the graph: their modularity is 0.0 without an error, and a method that is run
#   next on the same graph returns numbers.
# Why it matters: in a loop over methods all that come after paris have numbers for neurons; joined with a table by index they look
#   right, and the order is that of the edges, not that of the table.
# Versions: cdlib 0.4.1, networkx 3.6.1, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'cdlib==0.4.1' 'networkx==3.6.1' 'numpy==2.4.6' 'scipy==1.17.1' 'pandas==3.1.1' 'igraph==1.0.0'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY' | grep -v "^Note: "
import networkx as nx
from cdlib import algorithms, evaluation

graph = nx.Graph()
for a, b, w in [("AVER", "RIMR", 0.1), ("AVAL", "AVAR", 5), ("AVAR", "AVEL", 5), ("AVAL", "AVEL", 5), ("RIML", "RIMR", 5), ("RIML", "AVER", 5)]:
    graph.add_edge(a, b, weight=w)
graph.nodes["AVAL"]["class"] = "AVA"
names, copy = set(graph), graph.copy()
algorithms.walktrap(graph)
assert set(graph) == names
found = algorithms.paris(graph)
print("communities:", found.communities, " nodes now:", list(graph.nodes(data=True)))
assert {name for group in found.communities for name in group} == names
assert set(graph) == set(range(6)), "the graph keeps its names now"
score = evaluation.newman_girvan_modularity(graph, found).score
print("modularity of its own communities:", score, "; with its names it would be", round(nx.community.modularity(copy, found.communities), 3))
assert score == 0 and nx.community.modularity(copy, found.communities) > 0.4
later = algorithms.louvain(graph, randomize=0).communities
print("louvain after it:", later)
assert all(isinstance(node, int) for group in later for node in group)
PY
