#!/usr/bin/env bash
# dask distributed: on a worker every temporary array comes from the system, page by page, and goes back to it
#
# Guess: a worker process does a piece of numpy work for the CPU time that any process takes.
# Seen: a nanny puts MALLOC_TRIM_THRESHOLD_=65536 into the environment of its workers. Once that is set, glibc no longer learns to keep
#   blocks of the sizes that a program takes again and again. A thousand sums of two arrays of 0.5 MB: some 130,000 page faults on
#   a worker, next to none in a process of its own or on a worker without the variable. The nanny sets it in the process that
#   starts the cluster, too, where it stays: programs started from there later have it, and OMP_NUM_THREADS=1.
# Why it matters: many small products and sums (a factorization, filters of traces) took twice the CPU time on a local cluster. Set
#   distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_ to null in dask's configuration before the first cluster.
# Versions: distributed 2026.8.0, dask 2026.8.0, numpy 2.3.5, Python 3.11, Linux with glibc. Date: 2026-11-30.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check 'distributed==2026.8.0' 'dask==2026.8.0' 'numpy==2.3.5'
cd "$work"
unset MALLOC_TRIM_THRESHOLD_ OMP_NUM_THREADS
cat >run.py <<'PY'
import os
import resource
import sys

import dask
import numpy as np


def faults(_):
    a = np.ones(65_536)
    for _ in range(50):
        a + a
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(1000):
        a + a
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


if __name__ == "__main__":
    from distributed import Client

    if sys.argv[1] == "without":
        dask.config.set({"distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None})
    here = faults(0)
    with Client(n_workers=1, threads_per_worker=1, dashboard_address=None) as client:
        there = client.submit(faults, 0).result()
    left = {k: os.environ[k] for k in ("MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS") if k in os.environ}
    print(f"{sys.argv[1]} the variable: page faults here {here}, on a worker {there}; left in this process's environment: {left}")
    assert here < 5_000
    if sys.argv[1] == "with":
        assert there > 50_000, "a worker keeps its blocks now"
        assert left == {"MALLOC_TRIM_THRESHOLD_": "65536", "OMP_NUM_THREADS": "1"}, "the environment is as it was before"
    else:
        assert there < 5_000, "it is not the variable"
PY
venv/bin/python run.py with
venv/bin/python run.py without
