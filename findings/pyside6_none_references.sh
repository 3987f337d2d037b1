#!/usr/bin/env bash
# PySide6 6.12.0 on Python 3.11: every call that finds no object takes away one reference to None
#
# Guess: a method that returns None (`parent()`, `layout()`, `activePopupWidget()` of nothing) leaves the number of references to None
#   as it was; so it was up to PySide6 6.11.3.
# Seen: with 6.12.0 each such call leaves one reference less; on Python 3.12 and newer None is not counted and nothing is to be seen.
#   A window that asks often, such as napari's (its event filter asks for the active popup at every event), ends after some minutes
#   with "deallocating None".
# Why it matters: napari 0.9.2 leaves out other versions of PySide6, not this one; a new environment with Python 3.11 gets it. Take
#   PySide6 6.11.3 or older there, or Python 3.12; the extra `pyside6` of this package asks for that.
# Versions: PySide6-Essentials 6.11.3 and 6.12.0, Python 3.11. Date: 2026-11-30.
set -euo pipefail
python=$(command -v python3.11 || command -v python3)
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "needs Python 3.11"; exit 2; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 6.11.3 6.12.0; do
    "$python" -m venv "$work/$version"
    "$work/$version/bin/pip" install --quiet --no-compile --disable-pip-version-check "PySide6-Essentials==$version"
done
cat > "$work/count.py" <<'PY'
import sys

import PySide6
from PySide6.QtWidgets import QApplication, QWidget

application = QApplication(sys.argv[:1])
widget = QWidget()
found = []
for ask in (widget.parent, widget.layout, QApplication.activePopupWidget):
    assert ask() is None
    before = sys.getrefcount(None)
    for _ in range(100):
        ask()
    found.append(sys.getrefcount(None) - before)
print(PySide6.__version__, "references to None after 100 calls of parent, layout, activePopupWidget:", *found)
sys.exit(0 if all(abs(n + (100 if PySide6.__version__ == "6.12.0" else 0)) < 10 for n in found) else 1)
PY
for version in 6.11.3 6.12.0; do
    QT_QPA_PLATFORM=offscreen "$work/$version/bin/python" "$work/count.py"
done
