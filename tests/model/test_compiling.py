"""A progress callback tells when kernels are compiled, from whichever thread, and is quiet when nothing is."""

from __future__ import annotations

import threading

from numba import njit

from napari_dynamic_connectome.model.compiling import COMPILING, compiling_told


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
