"""Sessions that an earlier version analyzed: what it did not ask is said wherever its claims are shown, and asked by a new run."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from tests.pipeline.test_surrogates import QUICK, cohort

from napari_dynamic_connectome import Components, load_session, save_session, write_recording
from napari_dynamic_connectome.cli.as_json import run_of
from napari_dynamic_connectome.cli.command_line import main
from napari_dynamic_connectome.cli.outputs import component_line
from napari_dynamic_connectome.pipeline import run
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.report.html import build_report
from napari_dynamic_connectome.report.tables import write_tables
from napari_dynamic_connectome.session.freshness import Freshness, freshness

QUESTION = "whether the neurons are more active together than in shifted cohorts (analyzed with version 0.0.9)"
SAID = f"Components and communities are older than the question {QUESTION}. Analyze again to ask it."


def earlier(components: Components) -> Components:
    """Components as they were before the question was there."""
    chance = {k: v for k, v in components.diagnostics["chance"].items() if not k.startswith("together")}
    versions = {**components.provenance["versions"], "napari-dynamic-connectome": "0.0.9"}
    return replace(
        components,
        diagnostics={**components.diagnostics, "chance": chance},
        provenance={**components.provenance, "versions": versions},
    )


def as_earlier(path: Path) -> None:
    """Save a session again as an earlier version wrote it."""
    session = load_session(path)
    session.components = earlier(session.components)
    found = {rank: earlier(one) for rank, one in session.sweep.components.items()}
    session.sweep = replace(session.sweep, components=found)
    save_session(session, path)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> PipelineSettings:
    folder = tmp_path_factory.mktemp("worms")
    paths = [str(write_recording(one, folder / f"{one.name}.npz")) for one in cohort(1, 2).recordings]
    return PipelineSettings.parse({**QUICK, "input": {"recordings": paths}, "correct": "none"})


@pytest.fixture(scope="module")
def now(settings: PipelineSettings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a run of this version."""
    folder = tmp_path_factory.mktemp("now") / "out"
    run.run_pipeline(settings, folder)
    return folder


@pytest.fixture
def old(now: Path, tmp_path: Path) -> Path:
    """The same as an earlier version left it."""
    folder = shutil.copytree(now, tmp_path / "out")
    as_earlier(folder / "session.zarr")
    return folder


def test_what_this_version_analyzed_was_asked(now):
    session = load_session(now / "session.zarr")
    assert session.components.unasked == "" and freshness(session) == Freshness()
    text = build_report(session)
    assert "Not up to date" not in text and "ot asked" not in text
    assert any(len(one.claims) for one in session.communities.values())


def test_later_questions_are_missed_where_the_second_was_asked(now):
    session = load_session(now / "session.zarr")
    chance = {k: v for k, v in session.components.diagnostics["chance"].items() if k != "questions"}
    session.components = replace(session.components, diagnostics={**session.components.diagnostics, "chance": chance})
    assert session.components.unasked.startswith("whether groups were seen together, are one and are more than pairs")
    assert "more active together" not in session.components.unasked
    found = freshness(session)
    assert found.stale == ("components", "communities") and session.components.unasked in found.lines[0]
    row = next(n for n in session.components.support.index if not session.components.support.loc[n, "background"])
    assert session.components.unasked in session.components.beware(row)


def test_what_an_earlier_version_did_not_ask_is_said_with_all_its_claims(old, tmp_path, capsys):
    session = load_session(old / "session.zarr")
    found = freshness(session)
    assert found.lines == [SAID] and found.stale == ("components", "communities")
    assert found.summary == SAID.removesuffix(" Analyze again to ask it.")
    components = session.components
    rows = [n for n in components.support.index if not components.support.loc[n, "background"]]
    assert rows and " ".join(str(components).split()).count(f"not asked: {QUESTION}") == len(rows)
    background = [n for n in components.support.index if n not in rows]
    assert all("not asked" in components.beware(n) for n in rows) and not any(map(components.beware, background))
    claimed = {k: one for k, one in session.communities.items() if len(one.claims)}
    assert claimed
    said = run_of(session, old)
    for (number, kind), one in claimed.items():
        line = component_line(session, number)
        assert one.answer in line and f"Beware: not asked: {QUESTION}." in line
        about = said["components"][number - 1]
        assert about["warning"] == f"not asked: {QUESTION}"
        assert about["communities"][kind]["answer"] == f"{one.answer} Not asked: {QUESTION}."
    assert said["not_up_to_date"] == [SAID]
    text = build_report(session)
    assert f"<b>Not up to date.</b> {SAID}" in text
    assert text.count(f"Not asked: {QUESTION}.") == 1 + len(claimed)  # once for the components
    assert text.count(f"not asked: {QUESTION}") == len(rows)
    write_tables(session, tmp_path / "tables")
    assert f"not asked: {QUESTION}" in (tmp_path / "tables" / "components_support.csv").read_text()
    assert QUESTION in (tmp_path / "tables" / "not_up_to_date.csv").read_text()
    assert main(["report", str(old), "--no-screenshot"]) in (0, None)
    assert f"not up to date: {SAID}" in capsys.readouterr().err


def test_a_run_asks_what_an_earlier_version_did_not_and_only_once(settings, old, monkeypatch):
    monkeypatch.setattr(run, "load_recordings", lambda *a, **k: pytest.fail("the recordings are as they were"))
    session = run.run_pipeline(settings, old)
    assert session.components.unasked == "" and freshness(session) == Freshness()
    assert session.provenance["done again"] == [SAID]
    assert freshness(load_session(old / "session.zarr")) == Freshness()
    monkeypatch.setattr(run, "decompose", lambda *a, **k: pytest.fail("nothing is older"))
    run.run_pipeline(settings, old)


def test_components_without_any_comparison_are_not_said_to_lack_one_question(now):
    session = load_session(now / "session.zarr")
    bare = {k: v for k, v in session.components.diagnostics.items() if k != "chance"}
    assert replace(session.components, diagnostics=bare).unasked == ""
    assert json.dumps(run_of(session, now)["not_up_to_date"]) == "[]"
