"""Fixtures of the tests of readers and writers."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def voxels() -> np.ndarray:
    """Voxels in the order t, z, y, x."""
    return np.random.default_rng(0).integers(0, 4000, (4, 3, 16, 20), dtype=np.uint16)
