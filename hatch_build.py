"""Build hook: the manifest inside the package is a copy of the one at the top, made afresh by every build and installation."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManifestCopy(BuildHookInterface):
    """Copies `napari.yaml` into the package, where npe2 looks for it.

    It is a file and no link: git on Windows checks links out as text. The copy is in git as well, so that the sources are a
    plugin without having been built.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the copy; called before each build of any kind."""
        source = Path(self.root) / "napari.yaml"
        target = Path(self.root) / "src" / "napari_dynamic_connectome" / "napari.yaml"
        if target.is_symlink():
            target.unlink()
        shutil.copyfile(source, target)
