"""Compile the kernels before they are needed, in a process of its own: the first analysis then starts at once.

The compiled code goes to the disk cache of numba, where this process finds it; nothing runs on the GUI thread.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys

CODE = """
import os
try:
    os.nice(10)
except OSError:
    pass
from napari_dynamic_connectome.communities.find import warm_up
warm_up()
"""

_process: subprocess.Popen[bytes] | None = None


def start() -> subprocess.Popen[bytes] | None:
    """Start compiling in the background, once for this process; DYNAMIC_CONNECTOME_WARM=0 turns it off."""
    global _process
    if _process is None and os.environ.get("DYNAMIC_CONNECTOME_WARM", "1") != "0":
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
