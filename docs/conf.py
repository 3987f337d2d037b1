"""Sphinx configuration: MyST pages in pages/, the API from docstrings."""

from __future__ import annotations

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
]
myst_enable_extensions = ["colon_fence", "dollarmath", "deflist"]
myst_heading_anchors = 3
autosummary_generate = False
autodoc_typehints = "none"
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_use_ivar = True
# templates are what scripts make pages of
exclude_patterns = ["_build", "_generated", "*_template.md", "structure"]
html_theme = "furo"
html_title = "napari-dynamic-connectome"
html_static_path: list[str] = []
nitpicky = False
