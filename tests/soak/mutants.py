"""Small faults put into the program on purpose, a sample of them: the tests of the module must notice.

python tests/soak/mutants.py [--mutants 40] [--seed 0] [--packages session io]

Each mutant is one change of one expression or statement in a copy of the package; the tests that mirror its module run against
it in a child process. What no test notices is listed with file, line and change. Changes that no test can notice, because they change
nothing, are listed in equivalents.txt with the reason; they are counted apart.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import inspect
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
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGE = "napari_dynamic_connectome"
PACKAGES = ("model", "session", "io", "extraction", "affinity", "communities")
EQUIVALENTS = Path(__file__).with_name("equivalents.txt")
MOST_FILES = 6
"""Files of tests that run against one mutant."""
LIMIT_S = 400.0
PRELOAD = (
    "numpy", "pandas", "xarray", "scipy.optimize", "scipy.signal", "scipy.ndimage", "scipy.io", "pydantic", "numba", "h5py", "zarr",
    "tifffile", "pynwb", "pyarrow.parquet", "dask.array", "networkx", "rich.progress", "pytest", "hypothesis",
)  # fmt: skip
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
    function: str
    """The function around it."""

    @property
    def name(self) -> str:
        """Its module and the line with the change, wherever that stands by now; what equivalents.txt lists."""
        source = self.file.read_bytes()
        begin = source.rfind(b"\n", 0, self.start) + 1
        end = source.find(b"\n", self.stop)
        text = source[begin : self.start].decode() + self.text + source[self.stop : end].decode()
        return f"{self.file.relative_to(ROOT / 'src' / PACKAGE).as_posix()}: {' '.join(text.split())}"

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
    for node, function in _executed(ast.parse(source)):
        for new in _changes(node):
            start = starts[node.lineno - 1] + node.col_offset
            stop = starts[node.end_lineno - 1] + node.end_col_offset
            text = ast.unparse(new)
            text = f"({text})" if isinstance(node, ast.expr) else text
            found.append(Mutant(file, node.lineno, start, stop, text, source[start:stop].decode(), function))
    return found


def _executed(tree: ast.AST) -> Iterator[tuple[ast.AST, str]]:
    """Nodes that run when a function is called and decide something, and that function."""
    todo: list[tuple[ast.AST, str]] = [(tree, "")]
    while todo:
        node, inside = todo.pop()
        if isinstance(node, (ast.JoinedStr, ast.Raise, ast.Import, ast.ImportFrom)):
            continue
        if isinstance(node, ast.keyword) and node.arg == "strict":  # of zip, where lengths are alike
            continue
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("log.", "warnings.")):
            continue
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            todo += [(one, node.name) for one in node.body]
            continue
        if isinstance(node, (ast.AnnAssign, ast.arg)):
            todo += [(node.value, inside)] if getattr(node, "value", None) is not None else []
            continue
        if inside:
            yield node, inside
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


class _Order:
    """Plugin of pytest: first the tests that speak of what was changed; tells which test runs, and which failed."""

    def __init__(self, words: dict[str, float], told: Path) -> None:
        self.words, self.told = words, told

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Sort; tests of children that are killed, and of many drawn examples, come last among equals."""
        scores = {}
        for item in items:
            with contextlib.suppress(OSError, TypeError, AttributeError):
                text = inspect.getsource(item.function)
                said = sum(n for word, n in self.words.items() if re.search(rf"\b{word}\b", text))
                scores[item] = said - 0.5 * any(w in text for w in ("@given", "subprocess", "kill"))
        items.sort(key=lambda item: -scores.get(item, 0.0))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Note what runs."""
        self.told.write_text(nodeid)


def run_tests(
    source: Path, tests: list[str], limit_s: float, words: dict[str, float] | None = None
) -> tuple[str, str, float]:
    """Run tests against a copy of the package in a child process until one fails.

    Returns
    -------
    outcome : str
        "passed", "failed" or "too long".
    test : str
        The last one that ran.
    seconds : float
    """
    told = source.parent / "told"
    told.write_text("")
    start = time.monotonic()
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
            os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # those of the window take longer than most tests
            sys.path.insert(0, str(source))
            import pytest

            how = ["-x", "-q", "-p", "no:cacheprovider", "-m", "not gui", *tests]
            code = int(pytest.main(how, plugins=[_Order(words or {}, told)]))
        os.write(writer, bytes([code]))
        os._exit(0)
    os.close(writer)
    outcome = "too long"
    try:
        if select.select([reader], [], [], limit_s)[0]:
            outcome = "passed" if os.read(reader, 1) == b"\0" else "failed"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)
    return outcome, told.read_text(), time.monotonic() - start


def sample(number: int, seed: int, packages: tuple[str, ...] = PACKAGES) -> list[Mutant]:
    """Draw mutants, every line of the packages as likely as another."""
    found = [
        one
        for package in packages
        for file in sorted((ROOT / "src" / PACKAGE / package).rglob("*.py"))
        for one in mutants_of(file)
    ]
    return random.Random(seed).sample(found, min(number, len(found)))


def equivalents() -> dict[str, str]:
    """Return the changes that change nothing, by name, with the reason (the indented lines below each)."""
    found: dict[str, str] = {}
    name = ""
    for line in EQUIVALENTS.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            found[name] = f"{found[name]} {line.strip()}".strip()
        elif line and not line.startswith("#"):
            name = line
            found[name] = ""
    return found


def _verdict(one: Mutant, source: Path, copy: Path, limit_s: float) -> tuple[str, str]:
    """Put a mutant into a copy of the package and run its tests; what fails must pass without it."""
    shutil.copytree(source, copy)
    place = copy / one.file.relative_to(ROOT / "src")
    before = place.read_bytes()
    place.write_bytes(before[: one.start] + one.text.encode() + before[one.stop :])
    compiled = b"njit" in before
    for other in kernels_around(one.file) if compiled else ():
        os.utime(copy / other.relative_to(ROOT / "src"))  # compiled again
    words = dict.fromkeys(re.findall(r"^(?:def|class) (\w+)", before.decode(), re.MULTILINE), 1.0)
    words |= {one.file.stem: 2.0, one.function: 10.0}
    try:
        outcome, test, seconds = run_tests(copy, [str(t) for t in tests_of(one.file)], limit_s, words)
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    if outcome == "passed":
        return "survived", ""
    if test:
        healthy, _, own = run_tests(source, [test], limit_s)
        if healthy != "passed" or (outcome == "too long" and own > seconds / 4):
            return "without a verdict", test
    return "caught", test


def mutate(number: int, seed: int = 0, packages: tuple[str, ...] = PACKAGES, limit_s: float = LIMIT_S) -> Counter[str]:
    """Try a sample of mutants; survivors are printed.

    Returns
    -------
    Counter
        mutants, caught, survived, without a verdict (the test that failed fails without them, too), equivalent, percent.
    """
    for name in PRELOAD:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)  # once, not in every child
    counts: Counter[str] = Counter({"mutants": 0, "caught": 0, "survived": 0, "without a verdict": 0, "equivalent": 0})
    same = equivalents()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        source = Path(folder) / "src"
        shutil.copytree(ROOT / "src", source)
        for one in sample(number, seed, packages):
            counts["mutants"] += 1
            start = time.monotonic()
            if one.name in same:
                counts["equivalent"] += 1
                print(f"equivalent ({same[one.name]}): {one}", flush=True)
                continue
            verdict, test = _verdict(one, source, Path(folder) / "copy", limit_s)
            counts[verdict] += 1
            said = verdict.upper() if verdict == "survived" else verdict
            by = f" by {test.rpartition('::')[2]}" if test else ""
            print(f"{said}{by}, {time.monotonic() - start:.0f} s: {one}", flush=True)
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
