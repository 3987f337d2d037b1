#!/usr/bin/env bash
# cytoscape-graphml: attributes are called by the ids of their keys, and what it writes is an empty graph to networkx
#
# Guess: importing a GraphML file gives nodes and edges the attributes that its keys name (`attr.name`), as numbers where they say so;
#   what is exported is read by others, and places that were exported come back as places.
# Seen: keys are not looked at. A file of networkx, whose keys are d0, d1, ..., gives data("d2") = "2.5", a text, and
#   data("strength") is undefined. The export declares no keys and puts nodes into no namespace: networkx reads 0 nodes and 0 edges from
#   it, without a word. Exported places come back as the data "x" and "y"; the position is 0, 0.
# Why it matters: sizes and widths mapped to "strength" or "weight" have no effect. Our exports therefore use the names as ids of keys;
#   our reader takes keys that are not declared for names, in any namespace. Numbers are to be made of the texts, places to be set.
# Versions: cytoscape-graphml 1.0.6, cytoscape 3.35.0, jquery 3.7.1, jsdom 26.1.0, networkx 3.6.1, Node 20. Date: 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'networkx==3.6.1'
cd "$work"
npm install --silent --no-fund --no-audit cytoscape@3.35.0 cytoscape-graphml@1.0.6 jquery@3.7.1 jsdom@26.1.0
"$work/venv/bin/python" - <<'PY'
import networkx as nx

graph = nx.Graph()
graph.add_node("AVAL", strength=2.5)
graph.add_edge("AVAL", "AVAR", weight=1.5)
nx.write_graphml(graph, "in.graphml")
PY
cat > run.cjs <<'JS'
const fs = require("fs");
const { JSDOM } = require("jsdom");
const { window } = new JSDOM("");
Object.assign(global, { window, document: window.document, DOMParser: window.DOMParser, XMLSerializer: window.XMLSerializer });
const cytoscape = require("cytoscape");
require("cytoscape-graphml")(cytoscape, require("jquery"));
const cy = cytoscape({ headless: true });
cy.graphml({ layoutBy: "null" });
cy.graphml(fs.readFileSync("in.graphml", "utf8"));
const node = cy.$id("AVAL");
const data = { strength: node.data("strength"), keys: Object.keys(node.data()), values: Object.values(node.data()), edges: cy.edges().length };
node.position({ x: 30, y: 40 });
const text = cy.graphml();
fs.writeFileSync("out.graphml", text);
const again = cytoscape({ headless: true });
again.graphml(text);
data.position = again.$id("AVAL").position();
data.x = again.$id("AVAL").data("x");
console.log(JSON.stringify(data));
JS
node run.cjs 2> warnings.txt > seen.json || { cat warnings.txt; exit 1; }
cat seen.json
"$work/venv/bin/python" - <<'PY'
import json

import networkx as nx

seen = json.load(open("seen.json"))
assert seen["edges"] == 1
assert "strength" not in seen and "2.5" in seen["values"], f"attributes have their names now: {seen}"
assert seen["position"] == {"x": 0, "y": 0} and seen["x"] == "30", f"places come back now: {seen}"
text = open("out.graphml").read()
graph = nx.read_graphml("out.graphml")
print("of its export,", text.count("<node"), "nodes and", text.count("<edge"), "edge, networkx reads:", graph)
assert text.count("<node") == 2 and len(graph) == 0, "networkx reads it now"
PY
