"""Other ways to find communities, for comparison; a file a method, whose name is that of the method in the settings.

Each has `find(graph, settings, seed)`, which returns labels (N,): one level, and nothing about whether there is anything to find.
"""

from __future__ import annotations

from ...model.folders import modules_in

METHODS = modules_in(__path__)
"""Names of the methods, which are loaded when they are used."""
