"""Texts: numbers in words, and texts that every file can hold."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.model.text import clean_text, counted


def test_one_is_singular() -> None:
    assert [counted(n, "worm") for n in (0, 1, 2)] == ["0 worms", "1 worm", "2 worms"]


def test_what_files_cannot_hold_is_replaced() -> None:
    assert clean_text("a\x00b\udc80\tc\n") == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}\tc\n"


@pytest.mark.parametrize(("names", "said"), [(["AVAL"], "only 1 neuron is seen"), (["", ""], "no neuron is seen")])
def test_a_cohort_without_neurons_says_so_in_words(names, said) -> None:
    worm = Recording.from_arrays(np.zeros((9, len(names))), name="a", rate_hz=2, names=names)
    with pytest.raises(InputError, match=said) as error:
        Cohort([worm])
    assert "(s)" not in str(error.value)
