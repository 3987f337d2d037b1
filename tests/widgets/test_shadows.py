"""No attribute of ours hides a method of Qt: with PySide6, Qt itself calls what `event` and other virtual methods are then."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import textwrap

from qtpy.QtCore import QObject

from napari_dynamic_connectome import widgets


def our_classes() -> set[type]:
    found = set()
    for module in pkgutil.walk_packages(widgets.__path__, f"{widgets.__name__}."):
        if module.name.endswith("__main__"):
            continue
        for one in vars(importlib.import_module(module.name)).values():
            if inspect.isclass(one) and one.__module__.startswith(widgets.__name__) and issubclass(one, QObject):
                found.add(one)
    return found


def set_attributes(one: type) -> set[str]:
    """Names that a class assigns to `self`."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(one)))
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def test_no_attribute_hides_a_method_of_qt() -> None:
    classes = our_classes()
    assert len(classes) > 60
    hidden = {}
    for one in classes:
        base = next(b for b in one.__mro__ if not b.__module__.startswith(widgets.__name__))
        if names := {name for name in set_attributes(one) if hasattr(base, name)}:
            hidden[f"{one.__module__}.{one.__name__}"] = names
    assert not hidden
