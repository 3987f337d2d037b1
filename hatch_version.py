"""The version of a build, from git's tags: `v0.1.0` is 0.1.0, five commits later 0.1.1.dev5+g1a2b3c4.

Works where there are no tags, no git, or no history: an unpacked sdist says its version itself, `git archive` leaves what
`git describe` says, and in all else the next version is the first one of CHANGELOG.md. Nothing has to be installed for it.
Run as a script it prints the version.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

GIVEN = "SETUPTOOLS_SCM_PRETEND_VERSION"
"""Environment variable by which packagers say a version, as for other packages."""
MATCH = "v[0-9]*"


def version(root: str | Path | None = None) -> str:
    """Return the version of the sources in a folder.

    Parameters
    ----------
    root : path, optional
        The folder of this file by default.
    """
    root = Path(__file__).parent if root is None else Path(root)
    if given := os.environ.get(GIVEN):
        return given
    if (root / "PKG-INFO").is_file() and not (root / ".git").exists():
        found = re.search(r"^Version: (\S+)", (root / "PKG-INFO").read_text(encoding="utf-8"), re.MULTILINE)
        if found:
            return found[1]
    return _of_git(root) or _of_archive(root) or f"{_next(root)}.dev0"


def _next(root: Path) -> str:
    """Return the first version of the changelog."""
    found = re.search(r"^## (\d+\.\d+\.\d+)", (root / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "0.0.0"


def _of_git(root: Path) -> str:
    """Return what git says; nothing without git, or where the folder lies in the repository of something else."""
    if not (root / ".git").exists():
        return ""
    described = _git(root, "describe", "--tags", "--long", "--always", "--dirty", "--abbrev=8", "--match", MATCH)
    if not described:
        return ""
    if re.fullmatch(r"[0-9a-f]+(-dirty)?", described):  # no tag
        count = _git(root, "rev-list", "--count", "HEAD") or "0"
        described = f"-{count}-g{described}"
    return _from_description(root, described)


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=60, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _of_archive(root: Path) -> str:
    """Return what `git archive` wrote into `.git_archival.txt`."""
    path = root / ".git_archival.txt"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    node = re.search(r"^node: ([0-9a-f]{8})", text, re.MULTILINE)
    if node is None:
        return ""  # no archive: git has replaced nothing
    described = re.search(r"^describe: (v\d\S*)$", text, re.MULTILINE)
    return _from_description(root, described[1] if described else f"-0-g{node[1]}")


def _from_description(root: Path, described: str) -> str:
    """Turn `v0.1.0-5-g1a2b3c4d-dirty` into a version; without a tag the part before the number is empty."""
    dirty = described.endswith("-dirty")
    found = re.fullmatch(
        r"(?:v(?P<tag>\d+\.\d+\.\d+[^-]*))?(?:-(?P<n>\d+)-g(?P<node>[0-9a-f]+))?", described.removesuffix("-dirty")
    )
    if found is None:
        return ""
    tag, n, node = found["tag"], int(found["n"] or 0), found["node"]
    if tag and not n and not dirty:
        return tag
    local = ".".join(x for x in (f"g{node}" if node else "", "dirty" if dirty else "") if x)
    return f"{_after(root, tag)}.dev{n}" + (f"+{local}" if local else "")


def _after(root: Path, tag: str | None) -> str:
    """Return the version that comes after a tag: the changelog's, if that is a later one."""
    named = _next(root)
    if tag is None:
        return named
    numbers = [int(x) for x in re.findall(r"\d+", tag)[:3]]
    if [int(x) for x in named.split(".")] > numbers:
        return named
    if re.search(r"[a-z]", tag):  # a pre-release leads to its release
        return ".".join(map(str, numbers))
    return ".".join(map(str, [*numbers[:2], numbers[2] + 1]))


if __name__ == "__main__":
    print(version())
