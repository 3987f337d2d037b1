"""A file in a folder of choices is a choice, without being loaded; and has what such a file must have."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path

import pytest

from napari_dynamic_connectome.affinity.measures import KINDS
from napari_dynamic_connectome.communities.methods import METHODS
from napari_dynamic_connectome.model.errors import SettingsError
from napari_dynamic_connectome.model.folders import load_modules, modules_in
from napari_dynamic_connectome.pipeline.settings import PipelineSettings

PACKAGE = "napari_dynamic_connectome"


def test_names_come_from_files_that_are_not_loaded(tmp_path: Path) -> None:
    for name in ("rank_correlation", "_shared", "alone"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('loaded')")
    (tmp_path / "notes.txt").write_text("no module")
    assert modules_in([str(tmp_path)]) == ("alone", "rank correlation")


def test_files_are_loaded_in_their_order_and_parts_of_others_are_left_out(tmp_path: Path, monkeypatch) -> None:
    folder = tmp_path / "some_choices"
    folder.mkdir()
    for name, text in (
        ("last", "ORDER = 30"),
        ("first", "ORDER = 2"),
        ("beside", "ORDER = 30"),
        ("part", "raise SystemExit"),
        ("_private", "raise SystemExit"),
        ("one_dock", "ORDER = 1"),
    ):
        (folder / f"{name}.py").write_text(text)
    (folder / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    package = import_module("some_choices")
    assert modules_in(package.__path__) == ("beside", "first", "last", "one dock", "part")
    docks = load_modules(package.__name__, package.__path__, "_dock")
    assert [one.__name__ for one in docks] == ["some_choices.one_dock"]
    found = load_modules(package.__name__, package.__path__)
    assert [one.__name__.rpartition(".")[2] for one in found] == ["one_dock", "first", "beside", "last"]


@pytest.mark.parametrize(
    ("place", "function", "parameters", "name"),
    [("communities.methods", "find", ["graph", "settings", "seed"], n) for n in METHODS]
    + [("affinity.measures", "features", ["sampling", "neurons", "times", "usable", "settings"], n) for n in KINDS],
)
def test_every_choice_has_its_function_and_is_taken(place, function, parameters, name) -> None:
    module = import_module(f"{PACKAGE}.{place}.{name.replace(' ', '_')}")
    assert list(inspect.signature(getattr(module, function)).parameters) == parameters
    step, field = ("communities", "method") if place.startswith("communities") else ("affinity", "kind")
    assert getattr(getattr(PipelineSettings.parse({step: {field: name}}), step), field) == name


def test_another_name_is_refused_with_those_that_there_are() -> None:
    *first, last = (f"'{kind}'" for kind in KINDS)
    with pytest.raises(SettingsError, match=f"{', '.join(first)} or {last}"):
        PipelineSettings.parse({"affinity": {"kind": "rank"}})
