"""What is free is known, and what cannot fit is refused in words before it is started."""

from __future__ import annotations

import errno
import os
import re
import resource
import signal
import subprocess
import sys

import numpy as np
import pytest

from napari_dynamic_connectome.model import memory
from napari_dynamic_connectome.model.cluster import free_mb_each, local_client
from napari_dynamic_connectome.model.errors import InputError


def test_what_is_free_is_between_nothing_and_all() -> None:
    assert 1 < memory.free_mb() < 1e9
    assert memory.budget_mb(5) == 5
    assert memory.budget_mb(1e12) <= memory.free_mb()


def test_workers_of_a_local_cluster_share_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    free = memory.free_mb()
    monkeypatch.setenv(memory.PROCESSES, "4")
    assert memory.free_mb() == pytest.approx(free / 4, rel=0.2)
    assert memory.machine_mb() == pytest.approx(free, rel=0.2)
    monkeypatch.delenv(memory.PROCESSES)
    with local_client(2) as client:
        assert set(client.run(os.getenv, memory.PROCESSES).values()) == {"3"}
        assert free_mb_each(client) == pytest.approx(free / 3, rel=0.3)
        assert client.submit(memory.worker_mb).result() is None


def test_a_worker_that_is_started_again_leaves_this_process_its_memory() -> None:
    def identity() -> int:
        return os.getpid()

    with local_client(1) as client:
        first = client.submit(identity, pure=False).result()
        os.kill(first, signal.SIGKILL)
        assert client.submit(identity, pure=False).result(timeout=60) != first
        assert set(client.run(os.getenv, memory.PROCESSES).values()) == {"2"}
        assert memory.PROCESSES not in os.environ
    assert memory.PROCESSES not in os.environ


def test_the_limit_of_a_worker_counts() -> None:
    from distributed import Client

    assert memory.worker_mb() is None
    with Client(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None, memory_limit=9e9) as client:
        left = client.submit(memory.worker_mb).result()
    assert left is not None
    assert 5000 < left < 8950  # what is taken already counts, too


def test_the_plan_counts_the_limits_of_workers_each_for_itself() -> None:
    """Of what is free a worker has its part, of its limit all."""
    from distributed import Client

    limit = min(900.0, memory.machine_mb() / 4)
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with Client(**options, memory_limit=limit * 1e6) as client:
        assert limit / 2 < free_mb_each(client) < limit - 20


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS")
def test_a_limit_of_the_process_counts() -> None:
    code = (
        "import resource; from napari_dynamic_connectome.model.memory import free_mb\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 50_000_000, resource.RLIM_INFINITY)); print(free_mb())"
    )
    assert hasattr(resource, "RLIMIT_AS")
    free = float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    assert 40 < free < 51  # a little may be given back between the two


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "free_mb", lambda: 0.01)


def test_extraction_affinity_and_factorization_say_that_they_cannot_fit(little, monkeypatch) -> None:
    from napari_dynamic_connectome import Cohort, Recording
    from napari_dynamic_connectome.affinity.compute import compute_affinity
    from napari_dynamic_connectome.extraction.extract import extract_traces
    from napari_dynamic_connectome.factorization.factorize import factorize

    labels = np.ones((2, 30, 30), np.uint16)
    volume = np.ones((6, 2, 30, 30), np.uint16)
    with pytest.raises(InputError, match=r"largest block of this image would need .* are free"):
        extract_traces(volume, labels, voxel_size_um=(1, 1, 1), frame_rate_hz=2)
    rng = np.random.default_rng(0)
    names = ["AVAL", "AVAR", "RIML", "RIMR", "AIBL"]
    worms = [
        Recording.from_arrays(rng.normal(size=(300, 5)).cumsum(0), name=n, rate_hz=4, names=names) for n in ("a", "b")
    ]
    with pytest.raises(InputError, match=r"affinities of 5 neurons would need .* MB are free"):
        compute_affinity(Cohort(worms))
    monkeypatch.setattr(memory, "free_mb", lambda: 1000.0)
    affinity = compute_affinity(Cohort(worms))
    monkeypatch.setattr(memory, "free_mb", lambda: 0.001)
    with pytest.raises(InputError, match=r"memory budget of 0 MB is too small.*close other programs"):
        factorize(affinity, 2, starts=2)


def test_a_lack_of_memory_is_explained_and_other_errors_are_not() -> None:
    lacks = [MemoryError(), OSError(errno.ENOMEM, "no"), RuntimeError("can't start new thread")]
    for error in (*lacks, ImportError("x.so: failed to map segment from shared object")):
        assert re.search(
            r"a step: there is not enough memory \(.*\). Close other", str(memory.explained(error, "a step"))
        )
    for error in (OSError(errno.ENOENT, "no"), RuntimeError("another"), ImportError("no module")):
        assert memory.explained(error, "a step") is None


def test_a_step_asks_for_room_before_libraries_end_the_process(monkeypatch) -> None:
    memory.check_room("a step")
    monkeypatch.setattr(memory, "address_mb", lambda: 699.0)
    with pytest.raises(InputError, match=r"a step may reserve 700 MB .* leaves 699 MB. Raise the limit"):
        memory.check_room("a step")
