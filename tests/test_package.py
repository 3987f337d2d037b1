"""What a user gets by installing: a light import, no Qt outside widgets/, names of the public API, a valid manifest."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import json
import pkgutil
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import napari_dynamic_connectome as package

ROOT = Path(__file__).parents[1]


def run_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_is_light() -> None:
    loaded = json.loads(
        run_python("import napari_dynamic_connectome, sys, json; print(json.dumps(sorted(sys.modules)))")
    )
    for heavy in ("napari", "qtpy", "PyQt6", "numba", "matplotlib", "pandas", "xarray", "scipy", "zarr"):
        assert heavy not in loaded


PACKAGES = [
    "",
    *(f".{m.name}" for m in pkgutil.iter_modules(package.__path__) if m.ispkg and m.name not in ("cli", "widgets")),
]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_can_be_imported_and_is_known_to_type_checkers(name: str) -> None:
    part = importlib.import_module(package.__name__ + name)
    assert part.__all__ and sorted(set(part.__all__)) == sorted(part.__all__)
    assert set(part.__all__) == set(dir(part))
    typed = set()
    for node in ast.walk(ast.parse(Path(part.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module not in ("_public", "_version"):
            typed |= {alias.asname for alias in node.names}
            found = importlib.import_module(f"{part.__name__}.{node.module}")
            assert all(getattr(part, alias.name) is getattr(found, alias.name) for alias in node.names)
    assert typed == set(part.__all__) - {"__version__"}
    modules = {m.name for m in pkgutil.iter_modules(part.__path__)}
    assert not modules & set(part.__all__)  # such a name would be the module as soon as that is imported


def test_examples_and_pages_import_public_names_only() -> None:
    files = [ROOT / "README.md", *(ROOT / "examples").glob("*.py"), *(ROOT / "docs" / "pages").glob("*.md")]
    seen = 0
    for file in files:
        for part, names in re.findall(
            r"from (napari_dynamic_connectome[\w.]*) import (\([^)]*\)|[^\n#]+)", file.read_text(encoding="utf-8")
        ):
            public = importlib.import_module(part).__all__
            wanted = [n.split(" as ")[0].strip() for n in names.strip("() \n").split(",") if n.strip()]
            assert set(wanted) <= set(public), (file.name, part, set(wanted) - set(public))
            seen += len(wanted)
    assert seen > 30


def test_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(package, "no_such_name")


def test_everything_but_the_widgets_works_where_napari_and_qt_are_absent() -> None:
    code = """
import sys, importlib, pkgutil
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('napari', 'qtpy', 'PyQt6', 'PyQt5', 'PySide6', 'magicgui', 'pyqtgraph', 'vispy'):
            raise ImportError('blocked: ' + name)
sys.meta_path.insert(0, Block())
import napari_dynamic_connectome as p
seen = 0
for m in pkgutil.walk_packages(p.__path__, p.__name__ + '.'):
    if '.widgets' in m.name:
        continue
    importlib.import_module(m.name)
    seen += 1
print(seen)
"""
    assert int(run_python(code)) > 40


def test_extras_that_readme_and_docs_name_exist() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docs" / "pages").glob("*.md"))]
    named = {
        extra
        for page in pages
        for found in re.findall(r"""["'](?:\.|napari-dynamic-connectome)\[([\w,]+)\]["']""", page.read_text())
        for extra in found.split(",")
    }
    assert named >= {"all", "pyqt6", "pyside6"}
    assert named <= set(extras)
    assert " @ ." not in (ROOT / "README.md").read_text()  # which no pip can install


def test_readme_on_a_package_index_has_no_link_into_a_folder() -> None:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    metadata = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    hooks.AbsoluteReadme(str(ROOT), {}).update(metadata)
    text = metadata["readme"]["text"]
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert links and all(link.startswith("https://") for link in links)
    assert any("/raw.githubusercontent.com/" in link and link.endswith(".png") for link in links)
    assert len(text.splitlines()) == len((ROOT / "README.md").read_text().splitlines())


def test_the_conda_recipe_asks_for_what_pyproject_asks_for() -> None:
    recipe = yaml.safe_load((ROOT / "conda.recipe" / "recipe.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    theirs = {"matplotlib": "matplotlib-base", "dask": "dask-core"}  # the names without Qt and without the dashboard
    asked = {}
    for line in project["dependencies"]:
        name, bound = re.fullmatch(r"([\w-]+)(?:\[\w+\])?(.*)", line).groups()
        asked[theirs.get(name, name)] = bound
    in_recipe = dict(line.split(" ", 1) for line in recipe["requirements"]["run"])
    assert in_recipe.pop("python").startswith(">=")
    assert in_recipe == asked
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    assert recipe["context"]["version"] == newest
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == newest


def test_every_python_that_is_promised_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = {line.rsplit(" ", 1)[1] for line in project["classifiers"] if re.search(r"Python :: 3\.\d", line)}
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert set(jobs["locked"]["strategy"]["matrix"]["python"]) == promised
    oldest, past = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", project["requires-python"]).groups()
    assert promised == {f"3.{minor}" for minor in range(int(oldest), int(past))}


def test_the_version_is_that_of_a_build_and_of_the_changelog() -> None:
    release = re.match(r"\d+\.\d+\.\d+", package.__version__)[0]
    assert f"## {release}" in (ROOT / "CHANGELOG.md").read_text()
    assert "version" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dynamic"]


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-demo.lock", "requirements-report.lock"])
def test_lock_file_names_no_host_and_pins_everything(name: str) -> None:
    text = (ROOT / name).read_text()
    assert "://" not in text
    pinned = [line for line in text.splitlines() if line and line[0].isalnum()]
    assert pinned and all("==" in line for line in pinned)
    assert text.count("--hash=sha256:") >= len(pinned)


def test_the_demo_installs_part_of_the_lock_file_in_the_same_versions() -> None:
    everything, demo, report = (
        {line for line in (ROOT / name).read_text().splitlines() if line and line[0].isalnum()}
        for name in ("requirements.lock", "requirements-demo.lock", "requirements-report.lock")
    )
    assert report < demo < everything
    assert not {line.split("==")[0] for line in report} & {"napari", "pyqt6", "vispy", "ipython", "imagecodecs"}
    assert not {line.split("==")[0] for line in demo} & {"pytest", "sphinx", "pyarrow", "cect"}
