#!/usr/bin/env bash
# graphology-graphml: attributes of the graph are lost if they stand behind its nodes
#
# Guess: `<data>` of a `<graph>` is read wherever it stands; GraphML allows data, nodes and edges in any order.
# Seen: only what stands before the first node is read. networkx writes it at the end (with lxml installed at the beginning), so the
#   same graph, written by the same call, has its attributes or none, depending on a package that nobody thinks of.
# Why it matters: what a graph says of itself (which component, how it was made) is gone in Gephi Lite and in scripts. Our exports put
#   it first.
# Versions: graphology 0.26.0, graphology-graphml 0.5.2, networkx 3.6.1, lxml 6.0.2, Node 20. Date: 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'networkx==3.6.1'
cd "$work"
npm install --silent --no-fund --no-audit graphology@0.26.0 graphology-types@0.24.8 graphology-graphml@0.5.2
cat > write.py <<'PY'
import sys

import networkx as nx

graph = nx.Graph(component=2)
graph.add_edge("AVAL", "AVAR", weight=1.5)
nx.write_graphml(graph, sys.argv[1])
assert nx.read_graphml(sys.argv[1]).graph["component"] == 2
PY
"$work/venv/bin/python" write.py plain.graphml
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'lxml==6.0.2'
"$work/venv/bin/python" write.py lxml.graphml
cat > run.cjs <<'JS'
const fs = require("fs");
const Graph = require("graphology");
const graphml = require("graphology-graphml/node");
const read = (name) => graphml.parse(Graph, fs.readFileSync(name, "utf8"));
const [plain, lxml] = ["plain.graphml", "lxml.graphml"].map(read);
console.log("without lxml", plain.getAttributes(), "with lxml", lxml.getAttributes());
if (plain.size !== 1 || lxml.size !== 1 || lxml.getAttribute("component") !== 2) throw new Error("the graph itself is not read");
if (plain.hasAttribute("component")) throw new Error("attributes behind the nodes are read now");
JS
node run.cjs
