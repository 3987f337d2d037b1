"""Order of neurons in lists."""

from __future__ import annotations

import numpy as np
import pytest

from napari_dynamic_connectome.display.order import neuron_order, similarity_order
from napari_dynamic_connectome.model.recording import Recording

NAMES = ["AVAL", "AVAR", "RIML", "RIMR", "", "AIBL", "AIBR", "RID"]


@pytest.fixture
def recording() -> Recording:
    rng = np.random.default_rng(0)
    traces = rng.normal(size=(60, len(NAMES)))
    return Recording.from_arrays(
        traces, name="w", rate_hz=2, names=NAMES, positions_um=rng.random((len(NAMES), 3)) * 50, labels=range(11, 19)
    )


def test_similar_traces_come_side_by_side() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=(200, 3))
    traces = np.concatenate([base + rng.normal(scale=0.1, size=(200, 3)) for _ in range(3)], axis=1)
    groups = similarity_order(traces) % 3
    assert (np.diff(groups) != 0).sum() == 2


def test_sorted_by_name_puts_unnamed_last(recording: Recording) -> None:
    order = neuron_order(recording, "name")
    assert recording.neurons["name"].iloc[order[-1]] == ""
    assert recording.neurons["name"].iloc[order[0]] == "AIBL"
