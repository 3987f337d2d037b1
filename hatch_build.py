"""Build hooks: version and manifest inside the package are written, and README's links work outside this folder."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface


class PackageFiles(BuildHookInterface):
    """Writes `_version.py` (see `hatch_version`), and copies `napari.yaml` into the package, where npe2 looks for it.

    The copy is a file and no link: git on Windows checks links out as text. The copy is in git as well, so that the sources are a
    plugin without having been built.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write both; called before each build of any kind."""
        package = Path(self.root) / "src" / "napari_dynamic_connectome"
        text = f'"""Written when the package is built; not part of the sources."""\n\n__version__ = "{self.metadata.version}"\n'
        (package / "_version.py").write_text(text, encoding="utf-8", newline="\n")
        build_data["artifacts"].append("src/napari_dynamic_connectome/_version.py")
        source = Path(self.root) / "napari.yaml"
        target = package / "napari.yaml"
        if target.is_symlink():
            target.unlink()
        shutil.copyfile(source, target)


class AbsoluteReadme(MetadataHookInterface):
    """Gives package indexes and napari's plugin list a README whose pictures and links are absolute.

    In this folder they stay relative, so that they work in every copy of it.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the field `readme`; called when the metadata of a build are made."""
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata["urls"]["Source"]
        pictures = source.replace("https://github.com/", "https://raw.githubusercontent.com/") + "/main/"
        text = re.sub(r"(!\[[^\]]*\]\()(?!\w+:)", rf"\g<1>{pictures}", text)
        text = re.sub(r"(?<!!)(\[[^\]]*\]\()(?!\w+:|#)", rf"\g<1>{source}/blob/main/", text)
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
