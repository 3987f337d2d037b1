"""The rank that is suggested is one that was tried."""

from __future__ import annotations

import pandas as pd

from napari_dynamic_connectome.pipeline.evidence import choose_rank, reason_for


def test_where_all_move_together_the_smallest_rank_that_was_tried_is_suggested():
    assert choose_rank({1: 0, 2: 0}, 0.01, 0.02, 0.05) == 1
    assert choose_rank({2: 0, 3: 0}, 0.01, 0.02, 0.05) == 2
    assert choose_rank({2: 0, 3: 1}, 0.01, 0.02, 0.05) == 3
    assert choose_rank({2: 0, 3: 0}, 0.01, 0.2, 0.05) == 0
    assert choose_rank({2: 1, 3: 1}, 0.2, 0.02, 0.05) == 0


def test_its_reason_tells_what_all_neurons_together_explain():
    table = pd.DataFrame(
        {"rank": [1, 2], "gain": [0.25, 0.125], "chance_gain": [0.125, 0.0625], "p_gain": [0.03, 0.5], "believable": 0}
    )
    assert reason_for(1, 0, table, 29, 0.03).startswith("1: all neurons together explain 25.0%")
    assert reason_for(2, 0, table, 29, 0.03).startswith(
        "2 is the smallest rank that was tried: all neurons together explain 25.0%"
    )
