#!/usr/bin/env bash
# networkx: one pair without a value makes every neuron a community of its own
#
# Guess: a pair that is NaN in a matrix (two neurons never seen at the same time) is no edge, or methods refuse it, as igraph and
#   leidenalg do.
# Seen: from_pandas_adjacency makes an edge with weight NaN. louvain_communities and python-louvain then give 20 communities of one
#   neuron, greedy_modularity_communities one of all, where two groups of 10 are plain to see; modularity is NaN. No warning.
# Why it matters: `frame.corr(min_periods=...)` of a worm with gaps has such pairs. The result looks like a worm without groups, or
#   with one.
# Versions: networkx 3.6.1, python-louvain 0.16, igraph 1.0.0, pandas 3.1.1, numpy 2.4.6, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'networkx==3.6.1' 'python-louvain==0.16' 'igraph==1.0.0' 'pandas==3.1.1' 'numpy==2.4.6' 'scipy==1.17.1'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import community
import igraph
import networkx as nx
import numpy as np
import pandas as pd

rng = np.random.default_rng(0)
traces = np.repeat(rng.normal(size=(2, 300)), 10, axis=0) + 0.7 * rng.normal(size=(20, 300))
worm = pd.DataFrame(traces.T, columns=[f"n{k}" for k in range(20)])
worm.loc[150:, "n3"] = np.nan  # seen in the first half only
worm.loc[:149, "n17"] = np.nan  # and this one in the second
values = worm.corr(min_periods=20).clip(lower=0).to_numpy(copy=True)
np.fill_diagonal(values, 0)
assert np.isnan(values).sum() == 2
weights = pd.DataFrame(values, index=worm.columns, columns=worm.columns)
gap, known = nx.from_pandas_adjacency(weights), nx.from_pandas_adjacency(weights.fillna(0))


def sizes(graph):
    simple = community.best_partition(graph, random_state=0)
    return {
        "louvain": [len(c) for c in nx.community.louvain_communities(graph, seed=0)],
        "greedy": [len(c) for c in nx.community.greedy_modularity_communities(graph, weight="weight")],
        "python-louvain": [list(simple.values()).count(c) for c in sorted(set(simple.values()))],
    }


print("NaN left in:", sizes(gap))
print("as no edge: ", sizes(known))
assert set(map(tuple, sizes(known).values())) == {(10, 10)}
assert sizes(gap) == {"louvain": [1] * 20, "greedy": [20], "python-louvain": [1] * 20}, "NaN is treated otherwise now"
try:
    other = igraph.Graph.from_networkx(gap)
    raise SystemExit(f"igraph: {other.community_multilevel(weights='weight').membership}")
except igraph.InternalError as error:
    print("igraph:", str(error).splitlines()[0])
PY
