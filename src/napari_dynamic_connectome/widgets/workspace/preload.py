"""Modules that the first steps will ask for, imported in a thread beforehand; DYNAMIC_CONNECTOME_PRELOAD=0 turns that off.

Kernels are not compiled beforehand: that would take the processor from whoever opened napari for something else. They are
compiled when a step first needs them, which its progress says.
"""

from __future__ import annotations

import importlib
import logging
import os
import threading

MODULES = (
    "scipy.cluster.hierarchy",
    "napari_dynamic_connectome.io.registry",
    "napari_dynamic_connectome.extraction.extract",
    "napari_dynamic_connectome.pipeline.run",
    "napari_dynamic_connectome.simulation.samples",
)
log = logging.getLogger("napari_dynamic_connectome")


def import_modules() -> threading.Thread | None:
    """Import in a thread what the first steps will need."""
    if os.environ.get("DYNAMIC_CONNECTOME_PRELOAD", "1") == "0":
        return None

    def run() -> None:
        for name in MODULES:
            try:
                importlib.import_module(name)
            except Exception as error:  # whoever needs it will say so
                log.info("%s could not be imported beforehand: %s", name, error)

    thread = threading.Thread(target=run, name="dynamic-connectome-imports", daemon=True)
    thread.start()
    return thread
