"""A run over results that were edited: redone, and files that are no longer true are removed or marked."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest
from tests.pipeline.test_earlier import settings_of, write_worm

from napari_dynamic_connectome import load_session, save_session
from napari_dynamic_connectome.cli.command_line import main
from napari_dynamic_connectome.cli.outputs import run_and_write
from napari_dynamic_connectome.pipeline import run as pipeline_run
from napari_dynamic_connectome.session.freshness import freshness


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [write_worm(tmp_path, name, seed) for seed, name in enumerate("ab")]


def name(output: Path, label: int, text: str) -> None:
    session = load_session(output / "session.zarr")
    session.edit("a", {label: {"name": text}})
    save_session(session, output / "session.zarr")


def test_a_run_redoes_what_is_older_and_leaves_nothing_that_is_no_longer_true(paths, tmp_path, capsys) -> None:
    output = tmp_path / "out"
    run_and_write(settings_of(paths), output, screenshot=False)
    assert not (output / "not_up_to_date.txt").exists()
    of_others = output / "figures" / "baselines.png"
    of_others.write_bytes(b"another command's")
    os.utime(of_others, (1e9, 1e9))
    name(output, 5, "AVEL")
    assert main(["report", str(output), "--no-screenshot"]) in (0, None)
    said = "Components and communities are older than 1 name of a."
    assert f"not up to date: {said}" in capsys.readouterr().err
    assert said in (output / "report.html").read_text("utf-8")
    session = run_and_write(settings_of(paths), output, screenshot=False)
    assert f"done again: {said}" in (told := capsys.readouterr().err)
    assert freshness(session).text == ""
    assert "Not up to date" not in (output / "report.html").read_text("utf-8")
    assert not (output / "tables" / "not_up_to_date.csv").exists()
    assert "AVEL" in set(pd.read_csv(output / "tables" / "components_pairs.csv")["neuron_a"])
    assert "figures/baselines.png" in (output / "not_up_to_date.txt").read_text("utf-8")
    assert "older than the results: figures/baselines.png" in told
    of_others.unlink()
    run_and_write(settings_of(paths), output, screenshot=False)
    assert "done again" not in capsys.readouterr().err
    assert not (output / "not_up_to_date.txt").exists()


def test_a_run_that_stops_leaves_no_table_of_results_that_are_gone(paths, tmp_path, monkeypatch) -> None:
    output = tmp_path / "out"
    run_and_write(settings_of(paths), output, screenshot=False)
    (output / "tables" / "neurons.csv").write_text("mine now", encoding="utf-8")
    name(output, 5, "AVEL")

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline_run, "decompose", stop)
    with pytest.raises(KeyboardInterrupt):
        run_and_write(settings_of(paths), output, screenshot=False)
    assert not (output / "report.html").exists() and not list((output / "figures").glob("*.png"))
    assert [p.name for p in (output / "tables").glob("*.csv")] == ["neurons.csv"]


def test_only_the_stages_that_are_older_are_done_again(paths, tmp_path, monkeypatch) -> None:
    output = tmp_path / "out"
    first = run_and_write(settings_of(paths), output, screenshot=False)
    monkeypatch.setattr(pipeline_run, "decompose", lambda *a, **k: pytest.fail("components are as they were"))
    again = settings_of(paths, communities={"null_fits": 0, "samples": 20, "starts": 1})
    session = run_and_write(again, output, screenshot=False)
    assert session.components.error == first.components.error
    assert session.made["communities"]["communities"]["samples"] == 20
    assert session.provenance["done again"] == ["Communities are older than the settings of communities."]
    assert freshness(session, again.model_dump(mode="json")).text == ""
