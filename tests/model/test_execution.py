"""Threads: order, equal results, cancel, errors, no pools within pools, BLAS threads given back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest

from napari_dynamic_connectome.model import execution
from napari_dynamic_connectome.model.errors import Cancelled, SettingsError


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_items_whoever_is_first(threads):
    def slow_at_first(k: int) -> int:
        time.sleep(0.02 if k % 4 == 0 else 0.0)
        return k * k

    expected = [k * k for k in range(20)]
    with execution.workers(threads) as pool:
        assert pool.map(slow_at_first, range(20)) == expected
    assert [value for _, value in execution.stream(slow_at_first, range(20), threads=threads)] == expected


def test_without_order_who_is_first_comes_first():
    gate = threading.Event()
    with execution.workers(2) as pool:
        results = pool.stream(lambda k: gate.wait(10) if k == 0 else k, range(4), ordered=False)
        assert next(results)[0] == 1
        gate.set()
        assert sorted(item for item, _ in results) == [0, 2, 3]


def test_items_are_taken_as_they_are_needed():
    taken = []

    def items():
        for k in range(100):
            taken.append(k)
            yield k

    results = execution.stream(lambda k: k, items(), threads=2)
    next(results)
    assert len(taken) <= 6
    results.close()


@pytest.mark.parametrize("way", ["map", "stream"])
def test_cancel_ends_it_within_a_second_and_nothing_new_begins(way):
    begun, asked = [], threading.Event()

    def piece(k: int) -> None:
        begun.append(k)
        asked.set()
        pool.stop.wait(20)

    with pytest.raises(Cancelled), execution.workers(2, asked.is_set) as pool:
        start = time.monotonic()
        list(pool.map(piece, range(50)) if way == "map" else pool.stream(piece, range(50)))
    assert pool.stop.is_set() and len(begun) <= 3
    assert time.monotonic() - start < 10  # the pieces alone would take minutes


@pytest.mark.parametrize("way", ["map", "stream"])
def test_the_error_of_a_piece_is_raised(way):
    def piece(k: int) -> int:
        if k == 3:
            raise ZeroDivisionError(k)
        return k

    with pytest.raises(ZeroDivisionError), execution.workers(2) as pool:
        list(pool.map(piece, range(9)) if way == "map" else pool.stream(piece, range(9)))


def test_a_piece_that_asks_for_threads_gets_one():
    with execution.workers(3) as pool:
        inner = pool.map(lambda _: execution.Workers(8).threads, range(3))
    assert inner == [1, 1, 1]


def test_one_setting_says_how_many_threads(monkeypatch):
    monkeypatch.delenv(execution.VARIABLE, raising=False)
    assert execution.thread_count() == execution.cores()
    monkeypatch.setenv(execution.VARIABLE, "3")
    assert execution.thread_count() == 3
    with execution.limited_threads(2):
        assert execution.thread_count() == 2
        with execution.limited_threads(0):
            assert execution.thread_count() == 2
        assert execution.thread_count(5) == 5
    assert execution.thread_count() == 3
    monkeypatch.setenv(execution.VARIABLE, "many")
    with pytest.raises(SettingsError, match="many"):
        execution.thread_count()


ONE_BLAS_THREAD = """
import numpy as np
from threadpoolctl import threadpool_info
from napari_dynamic_connectome.model import execution

def blas():
    return {one["num_threads"] for one in threadpool_info() if one["user_api"] == "blas"}

np.ones((4, 4)) @ np.ones((4, 4))
before = blas()
assert before, "no BLAS"
with execution.workers(2):
    assert blas() == {1}
    first, second = execution.one_blas_thread(), execution.one_blas_thread()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert blas() == {1}
    second.__exit__(None, None, None)
    assert blas() == {1}
assert blas() == before != {1}, before
"""


def test_blas_has_one_thread_inside_and_its_own_number_after_the_last_has_left():
    """In a process of its own: other libraries set the number for the process, too, in threads that may still run here."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", ONE_BLAS_THREAD], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("ends", ["well", "badly"])
@pytest.mark.parametrize("patient", [True, False])
def test_no_thread_outlives_its_pool_and_who_is_not_patient_does_not_wait_for_pieces(ends: str, patient: bool) -> None:
    go, begun = threading.Event(), threading.Event()

    def piece(k: int) -> int:
        begun.set()
        go.wait(20)
        return k

    start = time.monotonic()
    before = set(threading.enumerate())
    try:
        with execution.workers(2, patient=patient) as pool:
            if ends == "well":
                go.set()
                assert pool.map(piece, range(4)) == [0, 1, 2, 3]
            else:
                results = pool.stream(piece, range(4))
                threading.Thread(target=lambda: (begun.wait(20), patient and go.set())).start()
                pool._pool.submit(piece, 9)
                begun.wait(20)
                raise ZeroDivisionError
    except ZeroDivisionError:
        results.close()
        assert pool.stop.is_set() and go.is_set() is patient
    assert time.monotonic() - start < 15
    with pytest.raises(RuntimeError):  # it is closed
        pool.map(piece, range(2))
    go.set()
    for thread in set(threading.enumerate()) - before:
        thread.join(20)
        assert not thread.is_alive()


def test_what_runs_inside_of_a_piece_stops_with_it():
    stop = threading.Event()
    inline = execution.InlineWorkers(stop)
    assert inline.map(lambda k: k + 1, range(3)) == [1, 2, 3]
    done = []
    with pytest.raises(Cancelled):
        for item, _ in inline.stream(lambda k: k, range(9)):
            done.append(item)
            if item == 3:
                stop.set()
    assert done == [0, 1, 2, 3]
    with pytest.raises(Cancelled):
        execution.InlineWorkers(threading.Event(), lambda: True).map(lambda k: k, range(3))
