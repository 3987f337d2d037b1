#!/usr/bin/env bash
# NumPy's OpenBLAS on AVX-512: a product cut into pieces takes less than half the time of one call
#
# Guess: one call of matmul is at least as quick as the same product cut into dozens of calls from Python: it has all the room to
#   block and pack, and the pieces add the cost of their calls.
# Seen: for a factor of few rows times a long table (8 x 10,000 times 10,000 x 960, float32, one thread), pieces of up to a million
#   multiply-adds take .42 of the time (5.4 instead of 12.6 ms), and the one call takes longer than with the kernels of older processors
#   (OPENBLAS_CORETYPE=Haswell: 8.0 ms, with which pieces are no quicker). Results differ by rounding. In numpy 2.4.6 the one call
#   takes 5.9 ms, the pieces 5.4.
# Why it matters: projections of a recording on a few components are products of this shape. Where such a step is slow, the cure
#   may be a newer numpy rather than more threads, and a benchmark on a laptop without AVX-512 says nothing about it.
# Needs: a processor with AVX-512; on others it says so and ends.
# Versions: numpy 2.3.5 (OpenBLAS 0.3.30 inside), threadpoolctl 3.8.0, Python 3.11. Date: 2026-12-01.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'numpy==2.3.5' 'threadpoolctl==3.8.0'
cat >"$work/measure.py" <<'PY'
import statistics
import time

import numpy as np
import threadpoolctl

kernels = {found.get("architecture") for found in threadpoolctl.threadpool_info()}
rng = np.random.default_rng(0)
factor = rng.random((8, 10_000), dtype=np.float32)
tables = [rng.random((10_000, 960), dtype=np.float32) for _ in range(4)]  # not in the cache


def whole(table):
    return factor @ table


def pieces(table, rows=128):
    total = np.zeros((8, 960), np.float32)
    for first in range(0, 10_000, rows):
        total += factor[:, first : first + rows] @ table[first : first + rows]
    return total


np.testing.assert_allclose(whole(tables[0]), pieces(tables[0]), rtol=1e-4)
times = {whole: [], pieces: []}
for turn in range(40):
    for function in times:
        begin = time.thread_time()
        function(tables[turn % 4])
        times[function].append(time.thread_time() - begin)
one, many = (statistics.median(times[f]) for f in (whole, pieces))
print(*sorted(k for k in kernels if k), f"{one * 1e3:.1f}", f"{many * 1e3:.1f}", f"{many / one:.2f}")
PY
export OPENBLAS_NUM_THREADS=1
seen=$("$work/venv/bin/python" "$work/measure.py")
case "$seen" in
SkylakeX* | Cooperlake* | SapphireRapids*) ;;
*) echo "kernels here: ${seen%% *}; the finding is about those for AVX-512"; exit 0 ;;
esac
other=$(OPENBLAS_CORETYPE=Haswell "$work/venv/bin/python" "$work/measure.py")
echo "kernels, ms in one call, ms in pieces, ratio: $seen; $other"
awk -v a="${seen##* }" -v b="${other##* }" 'BEGIN { exit !(a < 0.75 && b > 0.85) }' || { echo "this has changed" >&2; exit 1; }
