"""The version of a build: from tags, and without them from what else there is."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location("hatch_version", ROOT / "hatch_version.py")
hatch_version = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(hatch_version)


@pytest.fixture
def git(tmp_path, monkeypatch):
    """A repository whose changelog names 0.2.0 as the next version; returns git itself, which works in it."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    monkeypatch.delenv(hatch_version.GIVEN, raising=False)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "somebody@example.org")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    root = tmp_path / "project"
    root.mkdir()

    def run(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    run.root = root
    run("init", "-q")
    (root / "CHANGELOG.md").write_text("# Changelog\n\n## 0.2.0 (unreleased)\n")
    for name in (".gitattributes", ".git_archival.txt"):
        shutil.copy(ROOT / name, root / name)
    run("add", ".")
    run("commit", "-qm", "one")
    return run


def of(root: Path) -> str:
    return hatch_version.version(root)


def test_a_tag_is_its_version_and_commits_after_it_lead_to_the_next(git) -> None:
    assert re.fullmatch(r"0\.2\.0\.dev1\+g[0-9a-f]{8}", of(git.root))  # no tag yet
    git("tag", "v0.2.0")
    assert of(git.root) == "0.2.0"
    (git.root / "CHANGELOG.md").write_text("# Changelog\n")
    assert re.fullmatch(r"0\.2\.1\.dev0\+g[0-9a-f]{8}\.dirty", of(git.root))
    git("commit", "-qam", "two")
    assert re.fullmatch(r"0\.2\.1\.dev1\+g[0-9a-f]{8}", of(git.root))
    (git.root / "CHANGELOG.md").write_text("# Changelog\n\n## 0.3.0 (unreleased)\n\n## 0.2.0\n")
    git("commit", "-qam", "three")
    assert of(git.root).startswith("0.3.0.dev2+g")  # what the changelog calls the next one
    git("tag", "other")  # no version
    assert of(git.root).startswith("0.3.0.dev2+g")
    git("tag", "v0.3.0rc1")
    assert of(git.root) == "0.3.0rc1"


@pytest.mark.parametrize("tag", ["", "v0.2.0"])
def test_an_archive_of_git_says_what_git_says(git, tmp_path, tag) -> None:
    if tag:
        git("tag", tag)
    git("archive", "-o", str(tmp_path / "a.tar"), "HEAD")
    with tarfile.open(tmp_path / "a.tar") as archive:
        archive.extractall(tmp_path / "archive", filter="data")
    said = of(tmp_path / "archive")
    assert said == "0.2.0" if tag else re.fullmatch(r"0\.2\.0\.dev0\+g[0-9a-f]{8}", said)
    assert said.split("+")[-1][:9] in ("0.2.0", "g" + git("rev-parse", "HEAD")[:8])


def test_sources_without_git_are_before_the_next_version(git, tmp_path, monkeypatch) -> None:
    copy = shutil.copytree(git.root, tmp_path / "copy", ignore=shutil.ignore_patterns(".git"))
    assert of(copy) == "0.2.0.dev0"
    (copy / "PKG-INFO").write_text("Metadata-Version: 2.4\nName: x\nVersion: 7.8.9\n")
    assert of(copy) == "7.8.9"  # an unpacked sdist
    inside = shutil.copytree(copy, git.root / "vendored", ignore=shutil.ignore_patterns("PKG-INFO"))
    assert of(inside) == "0.2.0.dev0"  # the repository around it is another one's
    monkeypatch.setenv("PATH", str(tmp_path))  # no git
    assert of(git.root) == "0.2.0.dev0"
    monkeypatch.setenv(hatch_version.GIVEN, "1.2.3")
    assert of(git.root) == "1.2.3"
