"""Results as JSON: standard output holds it and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.widgets.helpers import fill

from napari_dynamic_connectome import list_worms, save_session
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.cli.as_json import print_json
from napari_dynamic_connectome.io.registry import write_recording
from napari_dynamic_connectome.session.session import Session
from napari_dynamic_connectome.simulation.simulate import simulate_recording


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("json")
    session = Session()
    fill(session)
    return save_session(session, folder / "session.zarr")


def printed(command: list[str], capsys) -> dict:
    assert main(command) == 0
    return json.loads(capsys.readouterr().out)


def test_what_a_file_is(saved: Path, tmp_path: Path, capsys) -> None:
    session = printed(["validate", str(saved), "--json"], capsys)
    assert session["kind"] == "session" and session["worms"] == ["worm A", "worm B"] and session["components"] == 2
    recording = simulate_recording(seed=1)[0]
    write_recording(recording, tmp_path / "w.csv")
    found = printed(["validate", str(tmp_path / "w.csv"), "--json"], capsys)
    (one,) = found["recordings"]
    assert found["kind"] == "CSV" and one["neurons"] == recording.n_neurons and one["time_points"] == recording.n_times
    assert one["named"] == recording.named and one["rate_hz"] == pytest.approx(recording.rate_hz, rel=1e-3)


def test_two_sessions_are_compared(saved: Path, tmp_path: Path, capsys) -> None:
    found = printed(["compare", str(saved), str(saved), "--json", "-o", str(tmp_path / "t")], capsys)
    assert found["score"] == pytest.approx(1.0) and len(found["components"]) == 2
    assert all(row["ami"] in (1.0, None) for row in found["partitions"])
    table = pd.read_csv(tmp_path / "t" / "compared_communities.csv")
    assert len(table) == len(found["communities"]) > 0
    assert main(["compare", str(saved), str(saved)]) == 0
    assert "component 1 is 1 of the other, similarity 1.00" in capsys.readouterr().out
    assert main(["compare", str(saved), str(tmp_path / "none.zarr")]) == 2


def test_what_to_test_next(saved: Path, capsys) -> None:
    found = printed(["suggest-tests", str(saved), "--json"], capsys)
    assert set(found) == {"sentence", "neurons", "pairs", "notes"} and found["sentence"]


def test_what_json_cannot_hold_is_null(capsys) -> None:
    print_json({"a": np.nan, "b": np.float32(1.5), "c": (np.int64(3), pd.NA, np.bool_(True)), "d": Path("x")})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": 1.5, "c": [3, None, True], "d": "x"}


def test_the_collection_is_exported(saved: Path, tmp_path: Path, capsys) -> None:
    pytest.importorskip("pyarrow")
    assert main(["export", str(saved), "-o", str(tmp_path), "--collection", "-q"]) == 0
    assert "1 file" in capsys.readouterr().out
    listed = list_worms(tmp_path / "collection" / "worms.parquet")
    assert listed["worm"].tolist() == ["worm A", "worm B"]
