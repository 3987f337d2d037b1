#!/usr/bin/env bash
# dynetx: a slice of time has no last snapshot, and a slice of one snapshot has none
#
# Guess: time_slice(a, b) holds the interactions present in [a, b], as its help says, and each is present there when it was before.
# Seen: every interaction ends one snapshot early. Those of snapshot b are missing when asked for by time, those that lasted one
#   snapshot are missing everywhere, and the slice of one snapshot has no snapshot at all. `interactions()` without a time still
#   lists the links, so the slice does not look empty.
# Known there since 2022 (issue 135, directed graphs), open.
# Why it matters: windows cut from a dynamic connectome have one volume less than asked for; with links added volume by volume, no
#   link at any time: densities and communities of each snapshot in the window come from an empty graph.
# Versions: dynetx 0.3.2, networkx 3.6.1, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'dynetx==0.3.2' 'networkx==3.6.1' 'numpy==2.4.6' 'decorator==5.3.1' 'tqdm==4.70.1' 'future==1.0.0'
cd "$work"
"$work/venv/bin/python" -W ignore - <<'PY'
import dynetx

lasting, single = dynetx.DynGraph(), dynetx.DynGraph()
lasting.add_interaction("AVAL", "AVAR", t=0, e=6)  # present from 0 to 5
for t in (0, 2, 4):
    single.add_interaction("AVAL", "AVAR", t=t)


def present(graph):
    return [t for t in range(8) if graph.interactions(t=t)]


assert present(lasting) == [0, 1, 2, 3, 4, 5] and present(single) == [0, 2, 4]
for graph, window in ((lasting, (1, 3)), (lasting, (2, 2)), (single, (0, 4)), (single, (2, 2))):
    cut = graph.time_slice(*window)
    print(f"{present(graph)} cut to {window}: present at {present(cut)}, snapshots {cut.temporal_snapshots_ids()}, links {len(cut.interactions())}")
    assert len(cut.interactions()) == 1
assert present(lasting.time_slice(1, 3)) == [1, 2], "the last snapshot is in the slice now"
assert present(lasting.time_slice(2)) == [] == present(single.time_slice(2)), "a slice of one snapshot has it now"
assert present(single.time_slice(0, 4)) == [], "interactions of one snapshot are in the slice now"
PY
