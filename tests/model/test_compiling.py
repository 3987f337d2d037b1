"""A progress callback tells when kernels are compiled, from whichever thread, and is quiet when nothing is."""

from __future__ import annotations

import gc
import threading

import pytest
from numba import njit
from numba.core.errors import TypingError

from napari_dynamic_connectome.model.compiling import COMPILING, SELDOM, compiling_told


def test_compiling_is_told_and_then_what_ran_before():
    said: list[tuple[float, str]] = []

    @njit
    def double(x):
        return 2 * x

    with compiling_told(lambda fraction, message="": said.append((fraction, message))) as told:
        told(0.25, "null 3")
        thread = threading.Thread(target=double, args=(1.5,))
        thread.start()
        thread.join()
    fractions, messages = zip(*said)
    assert set(fractions) == {0.25}
    assert messages[0] == messages[-1] == "null 3"
    assert messages[1].startswith(COMPILING)
    del said[:]
    with compiling_told(lambda *what: said.append(what)) as told:
        double(1.5)  # compiled already
    assert said == []
    with compiling_told(None) as told:
        assert told is None


def test_outside_nothing_is_told():
    said = []

    @njit
    def triple(x):
        return 3 * x

    with compiling_told(lambda *what: said.append(what)):
        pass
    triple(1.0)
    assert said == []


def test_garbage_is_searched_seldom_meanwhile():
    searched, usual = [], gc.get_threshold()

    def watch(*what):
        searched.append(gc.get_threshold())

    for before in (usual, (0, 10, 10), (123, 4, 5)):
        kernel = njit(lambda x: 4 * x)
        broken = njit(lambda x: x.nowhere)
        gc.set_threshold(*before)
        try:
            with compiling_told(watch):
                kernel(1.0)
                assert searched[0] == (SELDOM if before[0] else before) and gc.get_threshold() == before
                with pytest.raises(TypingError):
                    broken(1.0)
            assert gc.get_threshold() == before
        finally:
            gc.set_threshold(*usual)
        del searched[:]


def test_what_others_say_of_garbage_meanwhile_stays():
    usual, kernel = gc.get_threshold(), njit(lambda x: 5 * x)
    try:
        with compiling_told(lambda *what: gc.set_threshold(321, 4, 5)):
            kernel(1.0)
        assert gc.get_threshold() == (321, 4, 5)
    finally:
        gc.set_threshold(*usual)


def test_garbage_is_searched_again_where_the_telling_ends_first():
    """Another job compiles on when this one ends: its end is not told here."""
    from numba.core import event

    begun, ended, usual = threading.Event(), threading.Event(), gc.get_threshold()

    def other():
        with event.trigger_event("numba:compile"):
            begun.set()
            ended.wait(30)

    thread = threading.Thread(target=other)
    with compiling_told(lambda *what: None):
        thread.start()
        assert begun.wait(30) and gc.get_threshold() == SELDOM
    assert gc.get_threshold() == usual
    ended.set()
    thread.join()
    assert gc.get_threshold() == usual
