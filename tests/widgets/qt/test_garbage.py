"""The window never asks for a collection of all that napari holds: it would stand still for a third of a second."""

from __future__ import annotations

import ast
from pathlib import Path

import napari_dynamic_connectome

SOURCES = Path(napari_dynamic_connectome.__file__).parent


def test_only_young_garbage_is_collected_and_nothing_is_frozen() -> None:
    collected, others = [], set()
    for path in SOURCES.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = node.func if isinstance(node, ast.Call) else None
            if not (
                isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "gc"
            ):
                continue
            if called.attr == "collect":
                collected.append([ast.literal_eval(a) for a in node.args])
            else:
                others.add((path.name, called.attr))
    assert collected and all(generations in ([0], [1]) for generations in collected), collected
    assert others == {
        ("compiling.py", "get_threshold"),
        ("compiling.py", "set_threshold"),
    }  # while kernels are compiled
