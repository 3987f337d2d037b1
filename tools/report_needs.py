"""Print what `make demo WINDOW=no` installs: the project's dependencies without those of the window and of compressed images."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ABSENT = ("napari", "magicgui", "pyqtgraph", "qtpy", "imagecodecs", "scikit-image")

if __name__ == "__main__":
    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {line: re.split(r"[\[<>=!;]", line)[0].strip().lower() for line in project["dependencies"]}
    print("\n".join(line for line, name in names.items() if name not in ABSENT))
    print("\n".join(line for line in project["optional-dependencies"]["demo"] if "napari" not in line))
