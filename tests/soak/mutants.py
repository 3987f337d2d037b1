"""Small faults put into the program on purpose, a sample of them: the tests of the module must notice.

python tests/soak/mutants.py [--mutants 40] [--seed 0] [--packages session io]

Each mutant is one change of one expression or statement in a copy of the package; the tests that mirror its module run against
it in a child process. What no test notices is listed with file, line and change.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import os
import random
import re
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = "napari_dynamic_connectome"
PACKAGES = ("model", "session", "io", "extraction", "affinity", "communities")
MOST_FILES = 4
"""Files of tests that run against one mutant."""
LIMIT_S = 400.0
SWAPPED = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """A change: the bytes from `start` to `stop` of a file become `text`."""

    file: Path
    line: int
    start: int
    stop: int
    text: str
    was: str

    def __str__(self) -> str:
        where = self.file.relative_to(ROOT).as_posix()
        return f"{where}:{self.line}: `{' '.join(self.was.split())[:80]}` -> `{' '.join(self.text.split())[:80]}`"


def mutants_of(file: Path) -> list[Mutant]:
    """Return all changes of a file that are tried: inside of functions, not in messages, logs and annotations."""
    source = file.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in _executed(ast.parse(source)):
        for new in _changes(node):
            start = starts[node.lineno - 1] + node.col_offset
            stop = starts[node.end_lineno - 1] + node.end_col_offset
            text = ast.unparse(new)
            text = f"({text})" if isinstance(node, ast.expr) else text
            found.append(Mutant(file, node.lineno, start, stop, text, source[start:stop].decode()))
    return found


def _executed(tree: ast.AST) -> Iterator[ast.AST]:
    """Nodes that run when a function is called and decide something."""
    todo: list[tuple[ast.AST, bool]] = [(tree, False)]
    while todo:
        node, inside = todo.pop()
        if isinstance(node, (ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom)):
            continue
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("log.", "warnings.")):
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            todo += [(one, True) for one in node.body]
            continue
        if isinstance(node, (ast.AnnAssign, ast.arg)):
            todo += [(node.value, inside)] if getattr(node, "value", None) is not None else []
            continue
        if inside:
            yield node
        todo += [(one, inside) for one in ast.iter_child_nodes(node)]


def _changes(node: ast.AST) -> Iterator[ast.AST]:
    new = deepcopy(node)
    if isinstance(new, ast.Compare) and type(new.ops[0]) in SWAPPED:
        new.ops[0] = SWAPPED[type(new.ops[0])]()
        yield new
    elif isinstance(new, (ast.BinOp, ast.BoolOp)) and type(new.op) in SWAPPED:
        new.op = SWAPPED[type(new.op)]()
        yield new
    elif isinstance(new, ast.UnaryOp) and isinstance(new.op, ast.Not):
        yield new.operand
    elif isinstance(new, ast.Constant) and type(new.value) is bool:
        yield ast.Constant(not new.value)
    elif isinstance(new, ast.Constant) and type(new.value) is int:
        yield ast.Constant(new.value + 1)
    elif isinstance(new, ast.Expr) and isinstance(new.value, ast.Call):
        if not ast.unparse(new.value.func).startswith(("log.", "report", "check_cancel")):
            yield ast.Pass()
    elif isinstance(new, ast.Continue):
        yield ast.Pass()


def tests_of(file: Path) -> list[Path]:
    """Return the files of tests that mirror a module: of its name, or of its package and speaking of it."""
    inner = file.relative_to(ROOT / "src" / PACKAGE)
    package = inner.parts[0]
    dotted = ".".join(inner.with_suffix("").parts)
    found = []
    for test in sorted((ROOT / "tests" / package).rglob("test_*.py")):
        text = test.read_text(encoding="utf-8")
        said = len(re.findall(rf"\b{re.escape(dotted)}\b", text)) * 10 + len(re.findall(rf"\b{inner.stem}\b", text))
        for name in re.findall(r"^(?:def|class) (\w+)", file.read_text(encoding="utf-8"), re.MULTILINE):
            said += len(re.findall(rf"\b{name}\b", text))
        if test.stem == f"test_{inner.stem}":
            said += 1000
        if said:
            found.append((said, test))
    found.sort(key=lambda one: (-one[0], str(one[1])))
    return [test for _, test in found[:MOST_FILES]] or [ROOT / "tests" / package]


def kernels_around(file: Path) -> list[Path]:
    """Return the modules of compiled kernels that call those of a module, directly or not: they hold a copy of these."""
    sources = {p: p.read_text(encoding="utf-8") for p in (ROOT / "src" / PACKAGE).rglob("*.py")}
    kernels = {p: text for p, text in sources.items() if "njit" in text}
    found = [file]
    for one in found:
        asks = re.compile(rf"^from \S*\b{one.stem} import|^from \S+ import .*\b{one.stem}\b", re.MULTILINE)
        found += [p for p, text in kernels.items() if asks.search(text) and p not in found]
    return found[1:]


def run_tests(source: Path, tests: list[Path], limit_s: float) -> str:
    """Run tests against a copy of the package in a child process: "passed", "failed" or "too long"."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        code = 1
        with contextlib.suppress(BaseException):
            os.chdir(ROOT)
            os.environ["PYTHONPATH"] = str(source)
            sys.path.insert(0, str(source))
            import pytest

            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not gui", *map(str, tests)]))
        os.write(writer, bytes([code]))
        os._exit(0)
    os.close(writer)
    try:
        if not select.select([reader], [], [], limit_s)[0]:
            return "too long"
        said = os.read(reader, 1)
        return "passed" if said == b"\0" else "failed"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)


def sample(number: int, seed: int, packages: tuple[str, ...] = PACKAGES) -> list[Mutant]:
    """Draw mutants, every line of the packages as likely as another."""
    found = [
        one
        for package in packages
        for file in sorted((ROOT / "src" / PACKAGE / package).rglob("*.py"))
        for one in mutants_of(file)
    ]
    return random.Random(seed).sample(found, min(number, len(found)))


def mutate(number: int, seed: int = 0, packages: tuple[str, ...] = PACKAGES, limit_s: float = LIMIT_S) -> Counter[str]:
    """Try a sample of mutants; survivors are printed.

    Returns
    -------
    Counter
        mutants, caught, survived, without a verdict (their tests fail without them), percent.
    """
    for name in (
        "numpy",
        "pandas",
        "xarray",
        "scipy.optimize",
        "pydantic",
        "numba",
        "h5py",
        "zarr",
        "pytest",
        "hypothesis",
    ):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)  # once, not in every child
    counts: Counter[str] = Counter({"mutants": 0, "caught": 0, "survived": 0, "without a verdict": 0})
    healthy: dict[tuple[Path, ...], float] = {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source)
        for one in sample(number, seed, packages):
            counts["mutants"] += 1
            tests = tests_of(one.file)
            if tuple(tests) not in healthy:
                start = time.monotonic()
                passed = run_tests(source, tests, limit_s) == "passed"
                healthy[tuple(tests)] = time.monotonic() - start if passed else 0.0
            whole_s = healthy[tuple(tests)]
            if not whole_s:
                counts["without a verdict"] += 1
                print(f"no verdict: {one}", flush=True)
                continue
            copy = Path(folder) / "copy"
            shutil.copytree(source, copy)
            place = copy / one.file.relative_to(ROOT / "src")
            before = place.read_bytes()
            place.write_bytes(before[: one.start] + one.text.encode() + before[one.stop :])
            compiled = b"njit" in before
            for other in kernels_around(one.file) if compiled else ():
                os.utime(copy / other.relative_to(ROOT / "src"))  # compiled again
            start = time.monotonic()
            verdict = run_tests(copy, tests, 5 * whole_s + 60 + compiled * limit_s)
            shutil.rmtree(copy, ignore_errors=True)
            counts["survived" if verdict == "passed" else "caught"] += 1
            said = "SURVIVED" if verdict == "passed" else "caught"
            print(f"{said}, {time.monotonic() - start:.0f} of {whole_s:.0f} s: {one}", flush=True)
    tried = counts["caught"] + counts["survived"]
    counts["percent"] = round(100 * counts["caught"] / tried) if tried else 0
    return counts


def main() -> int:
    """Run a sample; 1 if fewer than nine in ten are caught."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--mutants", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--packages", nargs="*", default=PACKAGES)
    asked = parser.parse_args()
    counts = mutate(asked.mutants, asked.seed, tuple(asked.packages))
    print(dict(counts))
    return int(counts["percent"] < 90)


if __name__ == "__main__":
    sys.exit(main())
