"""The environment of `make demo`: smaller, marked, and with everything that the demo and the window load."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TRIM = ROOT / "tools" / "trim_demo.py"
LIST = ROOT / "tools" / "demo_unneeded.txt"
LOADED = """
import importlib, json, pkgutil, sys
opened = set()
sys.addaudithook(lambda event, about: opened.add(str(about[0])) if event == "open" else None)
import matplotlib.pyplot, matplotlib.backends.backend_svg, matplotlib.backends.backend_agg, matplotlib.backends.backend_pdf
import PyQt6.QtPrintSupport, PyQt6.QtSvgWidgets, PyQt6.QtNetwork, napari, napari_console, qtconsole.rich_jupyter_widget
import napari_dynamic_connectome as package
from napari_dynamic_connectome.model.folders import load_modules
for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
    if "__main__" not in found.name:
        importlib.import_module(found.name)
import jedi
assert [c.name for c in jedi.Interpreter("'a'.upp", [{}]).complete()] == ["upper"]  # as Tab does in napari's console
files = {getattr(m, "__file__", None) for m in sys.modules.values()}
files |= {name for name in opened if not name.endswith(".pyc")}
files |= {line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if line.count("/")}
print("FILES", json.dumps(sorted(f for f in files if f)))
"""


def environment(tmp_path: Path, *, marked: bool) -> Path:
    """A virtual environment with a few files that are needed and some that are not."""
    (tmp_path / "pyvenv.cfg").touch()
    if marked:
        (tmp_path / ".demo-only").touch()
    site = tmp_path / "lib" / "site-packages"
    for name in (
        "pandas/core.py", "pandas/tests/test_a.py", "pandas/core.pyi", "pandas/io/tests/data/x.bin",
        "PyQt6/QtCore.abi3.so", "PyQt6/QtQuick.abi3.so", "PyQt6/Qt6/lib/libQt6Quick3D.so.6", "PyQt6/Qt6/lib/libQt6Gui.so.6",
    ):  # fmt: skip
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text("x")
    return site


def run(site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(TRIM), str(site)], check=False, capture_output=True, text=True)


def test_only_what_the_list_names_is_removed(tmp_path: Path) -> None:
    site = environment(tmp_path, marked=True)
    outside = tmp_path / "tests"
    outside.mkdir()
    (site / "linked").symlink_to(outside)
    done = run(site)
    assert done.returncode == 0, done.stderr
    left = sorted(p.relative_to(site).as_posix() for p in site.rglob("*") if p.is_file())
    assert left == ["PyQt6/Qt6/lib/libQt6Gui.so.6", "PyQt6/QtCore.abi3.so", "pandas/core.py", "pandas/core.pyi"]
    assert outside.is_dir()
    assert run(site).returncode == 0  # again, after a stop


def test_an_environment_that_is_not_the_demos_own_is_left_alone(tmp_path: Path) -> None:
    site = environment(tmp_path, marked=False)
    before = sorted(site.rglob("*"))
    done = run(site)
    assert done.returncode != 0 and "not the environment of a demo" in done.stderr
    assert sorted(site.rglob("*")) == before


@pytest.mark.skipif(not Path("/proc/self/maps").is_file(), reason="which libraries are loaded is read from Linux")
@pytest.mark.gui
def test_nothing_that_the_program_or_its_window_loads_is_on_the_list() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)
    loaded = json.loads(done.stdout.split("FILES ", 1)[1])
    places = {os.path.realpath(sysconfig.get_path(name)) for name in ("purelib", "platlib")}
    patterns = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    unneeded = [re.compile(_as_regex(pattern)) for pattern in patterns]
    inside = [
        os.path.relpath(file, place)
        for file in map(os.path.realpath, loaded)
        for place in places
        if file.startswith(place)
    ]
    assert len(inside) > 2000
    assert {file: p.pattern for file in inside for p in unneeded if p.match(file)} == {}


def _as_regex(pattern: str) -> str:
    """A pattern of paths, which also stands for what is in a folder that it names."""
    escaped = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*", "[^/]*")
    return f"{escaped}(/.*)?$"


def test_a_whole_environment_never_keeps_a_trimmed_one() -> None:
    text = (ROOT / "tools" / "setup.sh").read_text()
    whole = text.index("elif [ -e .venv/.demo-only ]")
    assert "rm -rf .venv" in text[whole : text.index("fi\n", whole)]
    assert text.index("touch .venv/.demo-only") > text.index("-m venv --clear .venv")
