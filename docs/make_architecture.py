"""Figures of docs/pages/architecture.md: size, longest files and functions, long argument lists, circles of imports, types, a journey.

    python docs/make_architecture.py [FOLDER or COMMIT ...]

Each folder holds `napari_dynamic_connectome` (default: `src`), as does `src` at each commit; the table has a column for each.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

PACKAGE = "napari_dynamic_connectome"
KERNELS = "kernels"
CIRCLES = f"""
import grimp, sys
sys.path.insert(0, sys.argv[1])
graph = grimp.build_graph("{PACKAGE}", exclude_type_checking_imports=True, cache_dir=None)
packages = [m for m in graph.modules if len(graph.find_children(m)) > 1]
print(sum(len(graph.nominate_cycle_breakers(m)) for m in packages))
"""


JOURNEY = f"""
import importlib, importlib.util, sys, tempfile
import numpy as np, pandas as pd
from pathlib import Path
sys.path.insert(0, sys.argv[1])
package = importlib.import_module("{PACKAGE}")
name = next(n for n in ("layer_data", "layers") if importlib.util.find_spec(f"{PACKAGE}.io.{{n}}"))
read = importlib.import_module(f"{PACKAGE}.io.{{name}}").read_layers
times = np.arange(40) / 2
root, files, calls = str(Path(package.__file__).parent), set(), 0

def follow(frame, event, arg):
    global calls
    here = frame.f_code.co_filename
    if event != "call" or not here.startswith(root):
        return
    files.add(here)
    caller = frame.f_back
    while caller is not None and not caller.f_code.co_filename.startswith(root):
        caller = caller.f_back
    calls += caller is not None and caller.f_code.co_filename != here

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder) / "worm.csv"
    pd.DataFrame({{"time_s": times, "AVAL": np.sin(times), "AVAR": np.cos(times)}}).to_csv(path, index=False)
    read(path)
    sys.setprofile(follow)
    read(path)
    sys.setprofile(None)
print(len(files), calls, sep=", ")
"""
"""Files in which a function runs while a CSV of traces becomes a layer, and calls from one file into another."""


def functions(tree: ast.AST) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str)
    doc = (first.end_lineno or first.lineno) - first.lineno + 1 if text else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - doc


def arguments(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    found = function.args
    names = [a.arg for a in (*found.posonlyargs, *found.args, *found.kwonlyargs)]
    return len([n for n in names if n not in ("self", "cls")])


def compiled(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether numba compiles a function, which takes arrays and numbers one by one."""
    return any("njit" in ast.unparse(one) for one in function.decorator_list)


@contextmanager
def source(name: str) -> Iterator[Path]:
    """Folder of that name, or the folder `src` of a commit."""
    if Path(name).is_dir():
        yield Path(name)
        return
    packed = subprocess.run(["git", "archive", name, "src"], capture_output=True, check=True)
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=BytesIO(packed.stdout)) as files:
        files.extractall(folder, filter="data")
        yield Path(folder) / "src"


def type_errors(folder: Path) -> int:
    """Errors of `mypy --strict` in the widgets, with the settings of today's pyproject.toml."""
    settings = Path(__file__).parents[1] / "pyproject.toml"
    command = [sys.executable, "-m", "mypy", "--config-file", str(settings), "-p", PACKAGE]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "MYPYPATH": str(folder.resolve())}
    )
    return sum("/widgets/" in line and ": error:" in line for line in done.stdout.splitlines())


def asked(program: str, folder: Path) -> str:
    """What a program prints about a source tree, in a process of its own."""
    command = [sys.executable, "-c", program, str(folder.resolve())]
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout.strip()


def measure(folder: Path) -> dict[str, str]:
    """Return the figures of one source tree."""
    files = {p.relative_to(folder / PACKAGE).as_posix(): p.read_text() for p in sorted(folder.rglob("*.py"))}
    lines = {name: len(text.splitlines()) for name, text in files.items()}
    longest = max(lines, key=lambda name: lines[name])
    found = [
        (code_lines(f), 0 if compiled(f) else arguments(f), f.name, name)
        for name, text in files.items()
        for f in functions(ast.parse(text))
    ]
    plain = [f for f in found if KERNELS not in f[3]]
    size, _, function, where = max(plain)
    kernel_size, _, kernel, kernel_where = max(f for f in found if KERNELS in f[3])
    folders: dict[str, int] = {}
    for name in files:
        place = name.rpartition("/")[0]
        folders[place] = folders.get(place, 0) + 1
    fullest = max(folders, key=lambda place: folders[place])
    return {
        "lines": f"{sum(lines.values()):,}",
        "files": str(len(files)),
        "files in the fullest folder": f"{folders[fullest]} (`{fullest}`)",
        "longest file": f"{lines[longest]} (`{longest}`)",
        "files of more than 600 lines": str(sum(n > 600 for n in lines.values())),
        "longest function outside kernels, without its docstring": f"{size} (`{where}`: `{function}`)",
        "functions of more than 90 lines outside kernels": str(sum(f[0] > 90 for f in plain)),
        "longest kernel": f"{kernel_size} (`{kernel_where}`: `{kernel}`)",
        "functions with more than 9 arguments, those that numba compiles aside": str(sum(f[1] > 9 for f in found)),
        "imports that close a circle": asked(CIRCLES, folder),
        "errors of `mypy --strict` in `widgets`": str(type_errors(folder)),
        "reading a CSV of traces as layers: files in which a function runs, calls from one file into another": asked(
            JOURNEY, folder
        ),
    }


def main() -> None:
    tables = []
    for name in sys.argv[1:] or ["src"]:
        with source(name) as folder:
            tables.append(measure(folder))
    for key in tables[0]:
        print(f"| {key} | " + " | ".join(table[key] for table in tables) + " |")


if __name__ == "__main__":
    main()
