"""Pictures of the gallery: those that a piece of an example wrote into its output folder, below that piece."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "example-output"
_seen: dict[Path, float] = {}


def begin(gallery_conf: dict[str, Any], file: str) -> None:
    """Forget what earlier examples wrote: only what is newer than this is shown."""
    _seen.clear()
    _seen.update({picture: picture.stat().st_mtime for picture in FOLDER.glob("*.png")})
    time.sleep(0.02)  # coarser than the clock of the file system


def pictures(block: Any, block_vars: dict[str, Any], gallery_conf: dict[str, Any]) -> str:
    """Show the pictures that this piece wrote, each once."""
    from sphinx_gallery.scrapers import figure_rst

    copies = []
    for picture in sorted(FOLDER.glob("*.png"), key=lambda p: p.stat().st_mtime):
        changed = picture.stat().st_mtime
        if _seen.get(picture) != changed:
            _seen[picture] = changed
            copies.append(str(shutil.copy(picture, next(block_vars["image_path_iterator"]))))
    return str(figure_rst(copies, gallery_conf["src_dir"]))


def _get_sg_image_scraper() -> Any:
    return pictures
