"""Units as they are spelled in files."""

from __future__ import annotations

import pytest

from napari_dynamic_connectome.io.units import micrometres, seconds
from napari_dynamic_connectome.model.errors import InputError


@pytest.mark.parametrize(
    ("text", "factor"), [("µm", 1), ("nanometer", 1e-3), ("mm", 1e3), ("micron", 1), ("pixel", None), ("", None)]
)
def test_units_of_length(text, factor) -> None:
    assert micrometres(text, "f") == factor


def test_unknown_unit_is_an_error() -> None:
    assert seconds("ms", "f") == 1e-3
    with pytest.raises(InputError, match="voxel_size_um"):
        micrometres("second", "f")
