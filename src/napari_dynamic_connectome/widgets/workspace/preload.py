"""Preparation in the background: kernels are compiled, and modules imported, that the first steps will ask for.

The kernels are compiled in a process of their own and go to the disk cache of numba, where this process finds them; the
modules are imported in a thread. Nothing runs on the GUI thread. DYNAMIC_CONNECTOME_PRECOMPILE=0 turns both off, "imports" leaves the
compiling out.
"""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable

CODE = """
import os
try:
    os.nice(10)
except OSError:
    pass
from napari_dynamic_connectome.communities.find import precompile
precompile()
"""

MODULES = (
    "scipy.cluster.hierarchy",
    "napari_dynamic_connectome.io.registry",
    "napari_dynamic_connectome.extraction.extract",
    "napari_dynamic_connectome.pipeline.run",
    "napari_dynamic_connectome.simulation.samples",
)
log = logging.getLogger("napari_dynamic_connectome")
_process: subprocess.Popen[bytes] | None = None


def _wanted() -> str:
    return os.environ.get("DYNAMIC_CONNECTOME_PRECOMPILE", "1")


def import_modules(then: Callable[[], None]) -> threading.Thread | None:
    """Import in a thread what the first steps will need, and call `then` in it."""
    if _wanted() == "0":
        return None

    def run() -> None:
        for name in MODULES:
            try:
                importlib.import_module(name)
            except Exception as error:  # whoever needs it will say so
                log.info("%s could not be imported beforehand: %s", name, error)
        then()

    thread = threading.Thread(target=run, name="dynamic-connectome-imports", daemon=True)
    thread.start()
    return thread


def start() -> subprocess.Popen[bytes] | None:
    """Start compiling in the background, once for this process."""
    global _process
    if _process is None and _wanted() not in ("0", "imports"):
        _process = subprocess.Popen(
            [sys.executable, "-c", CODE], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        atexit.register(stop)
    return _process


def stop() -> None:
    """End the compiling process, if it still runs."""
    if _process is not None and _process.poll() is None:
        _process.terminate()
        _process.wait(timeout=10)
