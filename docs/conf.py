"""Sphinx configuration: MyST pages in pages/, the API from docstrings."""

from __future__ import annotations

import sys
from pathlib import Path

from napari_dynamic_connectome import __version__

project = "napari-dynamic-connectome"
author = "The napari-dynamic-connectome developers"
copyright = "2026, the napari-dynamic-connectome developers"
release = version = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
autosummary_generate = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
sys.path.insert(0, str(Path(__file__).parent))  # for gallery_pictures
# templates are what scripts make pages of
exclude_patterns = ["_build", "_generated", "*_template.md", "structure"]
html_theme = "furo"
html_title = "napari-dynamic-connectome"
html_logo = html_favicon = "../src/napari_dynamic_connectome/icon.svg"
html_static_path: list[str] = []
nitpicky = False

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "image_scrapers": ("gallery_pictures",),
    "reset_modules": ("gallery_pictures.begin",),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "min_reported_time": 600,
    "copyfile_regex": "",
}
