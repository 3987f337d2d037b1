"""Rules of docs/pages/architecture.md that no other tool checks."""

from __future__ import annotations

import ast
from pathlib import Path

import napari_dynamic_connectome

SOURCE = Path(napari_dynamic_connectome.__file__).parent
MOST_LINES = 90


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    doc = (first.end_lineno or first.lineno) - first.lineno + 1 if text else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - doc


def too_long(source: str) -> list[str]:
    found = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [f"{f.name} ({code_lines(f)} lines)" for f in found if code_lines(f) > MOST_LINES]


def test_no_function_outside_kernels_is_longer_than_a_screen_or_two() -> None:
    files = [p for p in SOURCE.rglob("*.py") if "kernels" not in p.stem]
    assert len(files) > 300
    found = {p.relative_to(SOURCE).as_posix(): too_long(p.read_text(encoding="utf-8")) for p in files}
    assert {
        name: long for name, long in found.items() if long
    } == {}  # split by meaning; a kernel lies in a file of kernels


def test_what_counts_is_the_code() -> None:
    body = "    x = 1\n" * (MOST_LINES - 1)
    doc = '    """Words.\n' + "    more\n" * 40 + '    """\n'
    assert too_long(f"def f():\n{doc}{body}") == []
    assert too_long(f"def f():\n{doc}{body}    y = 2\n") == ["f (91 lines)"]
