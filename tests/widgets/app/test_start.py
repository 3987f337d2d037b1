"""Starting the window where it cannot be shown: one line that says what to do, no traceback."""

from __future__ import annotations

import os
import subprocess
import sys

WITHOUT_QT = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('PyQt6', 'PyQt5', 'PySide6', 'PySide2'):
            raise ModuleNotFoundError('blocked: ' + name, name=name)
sys.meta_path.insert(0, Block())
"""
START = "from napari_dynamic_connectome.widgets.app.start import main; sys.exit(main([]))"


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "QT_API")}
    return subprocess.run(
        [sys.executable, "-c", code], env=kept | environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_without_qt_the_window_says_what_to_install() -> None:
    done = run(WITHOUT_QT + START, DISPLAY=":0")
    assert done.returncode == 2
    assert "pip install 'napari-dynamic-connectome[pyqt6]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_without_qt_a_dock_says_what_to_install() -> None:
    code = """
try:
    from napari_dynamic_connectome.widgets.docks.recording_dock import RecordingDock
except ImportError as error:
    print(type(error).__name__, error)
"""
    done = run(WITHOUT_QT + code)
    assert done.stdout.startswith("MissingExtraError The window needs the package PyQt6 or PySide6"), done.stderr


def test_without_a_screen_the_window_says_so() -> None:
    done = run("import sys\nsys.platform = 'linux'\n" + START)
    assert done.returncode == 2
    assert "no screen was found" in done.stderr and "xvfb-run" in done.stderr
    assert "Traceback" not in done.stderr
