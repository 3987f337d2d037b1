"""Remove from the environment of the demo what the demo never loads: python tools/trim_demo.py SITE_PACKAGES.

Patterns are in demo_unneeded.txt. Only an environment that is marked as the demo's own (.demo-only beside pyvenv.cfg) is trimmed.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

LIST = Path(__file__).with_name("demo_unneeded.txt")
MARK = ".demo-only"


def patterns(text: str) -> list[str]:
    """Lines that are neither empty nor a comment."""
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def environment_of(site: Path) -> Path:
    """The folder with pyvenv.cfg above site-packages."""
    found = next((folder for folder in site.parents if (folder / "pyvenv.cfg").is_file()), None)
    if found is None or not (found / MARK).is_file():
        raise SystemExit(f"{site} is not the environment of a demo; nothing was removed")
    return found


def trim(site: Path, text: str) -> int:
    """Remove what the patterns name inside `site`; return how many bytes that was."""
    site = site.resolve()
    environment_of(site)
    removed = 0
    for pattern in patterns(text):
        if pattern.startswith(("/", "~")) or ".." in Path(pattern).parts:
            raise SystemExit(f"{pattern} would leave {site}; nothing was removed by it")
        for path in sorted(site.glob(pattern), reverse=True):
            if path.is_symlink() or path.is_file():
                removed += path.lstat().st_size
                path.unlink()
            elif path.is_dir():
                removed += sum(p.lstat().st_size for p in path.rglob("*") if not p.is_dir())
                shutil.rmtree(path)
    return removed


if __name__ == "__main__":
    trim(Path(sys.argv[1]), LIST.read_text(encoding="utf-8"))
