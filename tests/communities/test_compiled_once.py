"""Every kernel of the communities is compiled for one combination of types: each further one costs seconds of a first use."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

from napari_dynamic_connectome.communities import (
    consensus_kernels,
    find,
    kernels,
    leiden_kernels,
    moves,
    shift,
    vector_math,
)
from napari_dynamic_connectome.communities.find import find_communities

MODULES = (kernels, shift, moves, consensus_kernels, leiden_kernels, vector_math)
spec = importlib.util.spec_from_file_location("community_graphs", Path(__file__).parent / "graphs.py")
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)


def compiled(dispatcher: Dispatcher) -> set[str]:
    """Types for which a kernel was compiled: in this process, or kept on disk for the source as it is now."""
    kept = dispatcher._cache._cache_file._load_index()
    return {str(types) for types in dispatcher.signatures} | {str(key[0]) for key in kept}


@pytest.mark.parametrize("kind", ["core", "modules"])
def test_one_signature_a_kernel(kind):
    weights, _ = graphs.planted(0, n=30)
    find_communities(weights, kind=kind, samples=5, null_fits=1, starts=2, rounds=2)
    counted = 0
    for module in MODULES:
        for name, one in vars(module).items():
            if isinstance(one, Dispatcher) and one.py_func.__module__ == module.__name__:
                signatures = compiled(one)
                assert len(signatures) <= 1, f"{module.__name__}.{name}: {signatures}"
                counted += len(signatures)
    assert counted > 20


def test_threads_that_begin_at_once_wait_for_one_first_use(monkeypatch):
    weights, _ = graphs.planted(0, n=20)
    first_use = find._FirstUse()
    calls = []
    plain = find.find_communities

    def counted(*arguments, **options):
        calls.append(len(arguments[0]))
        return plain(*arguments, **options)

    monkeypatch.setattr(find, "_FIRST_USE", first_use)
    monkeypatch.setattr(find, "find_communities", counted)
    quick = {"kind": "core", "samples": 0, "null_fits": 0, "starts": 1, "rounds": 1}
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda seed: plain(weights, seed=seed, **quick), range(4)))
    assert calls == [12]  # the tiny graph, once
    assert all(one.n_levels >= 1 for one in found) and first_use.done == {"core"}
