"""Details of a recording in fields of a file: notes, rejected neurons, units, quality."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome import FormatError, Recording
from napari_dynamic_connectome.io.formats.fields import _with_details

NAMES = ["AVAL", "AVAR", "RIML"]
QUALITY = {"columns": ["snr", "flags"], "data": [[1.5, "a"], [2.5, ""], [None, "b"]]}


def plain() -> Recording:
    return Recording.from_arrays(np.zeros((5, 3)), name="w", rate_hz=1.0, names=NAMES)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_quality_and_units_are_one_text_in_whatever_shape(shape: tuple[int, ...]) -> None:
    fields = {"quality": np.full(shape, json.dumps(QUALITY)), "units": np.full(shape, "dF/F")}
    got = _with_details(plain(), fields, "here")
    assert got.traces.attrs["units"] == "dF/F"
    expected = pd.DataFrame(QUALITY["data"], columns=QUALITY["columns"])
    pd.testing.assert_frame_equal(got.quality.reset_index(drop=True), expected)
    assert got.quality.index.tolist() == NAMES


@pytest.mark.parametrize(
    "nothing", [{}, {"quality": "", "units": ""}, {"quality": np.array([""]), "units": np.array([])}]
)
def test_a_file_without_them_has_none(nothing: dict) -> None:
    got = _with_details(plain(), nothing, "here")
    assert got.quality is None and "units" not in got.traces.attrs
    assert not got.neurons["rejected"].any() and got.neurons["note"].tolist() == ["", "", ""]


@pytest.mark.parametrize(
    "text",
    ["{", "[1]", '{"data": [[1]]}', '{"columns": ["a"], "data": [[1], [2]]}', '{"columns": ["a"], "data": [[1]]}', "3"],
)
def test_a_damaged_table_of_quality_is_named(text: str) -> None:
    with pytest.raises(FormatError, match=r"here: the quality table cannot be read"):
        _with_details(plain(), {"quality": text}, "here")


def test_notes_and_rejected_neurons_go_by_place() -> None:
    fields = {"rejected": np.array([[0, 1, 0]]), "note": np.array(["", "dim", "x"])}
    table = _with_details(plain(), fields, "here").neurons
    assert table["rejected"].tolist() == [False, True, False] and table["note"].tolist() == ["", "dim", "x"]
    for field in ("rejected", "note"):
        with pytest.raises(Exception, match="here"):
            _with_details(plain(), {field: fields[field].ravel()[:2]}, "here")
