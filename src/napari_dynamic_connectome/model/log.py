"""One rotating log with versions and settings, and what "Report a problem" collects from it, without private paths."""

from __future__ import annotations

import getpass
import importlib.metadata
import io
import json
import logging
import logging.handlers
import platform
import re
import socket
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .places import log_folder

LOGGER = "napari_dynamic_connectome"
MAX_BYTES, KEPT = 1 << 20, 3
PACKAGES = (
    "napari",
    "numpy",
    "pandas",
    "xarray",
    "zarr",
    "numba",
    "scipy",
    "PyQt6",
    "PySide6",
    "napari-dynamic-connectome",
)


class _LogFile(logging.handlers.RotatingFileHandler):
    """A log that is silent where it cannot be written: a full disk is for the step to tell, in one line."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Leave the line out."""


def start_log(settings: Mapping[str, Any] | None = None) -> Path:
    """Write the package's log to a file of at most 1 MB, three older ones kept; called once by the command and the docks.

    Parameters
    ----------
    settings : mapping, optional
        Noted at the beginning.

    Returns
    -------
    pathlib.Path
        The file; if it cannot be written, nothing is logged and no error is raised.
    """
    path = log_folder() / "dynamic-connectome.log"
    logger = logging.getLogger(LOGGER)
    if any(getattr(h, "baseFilename", "") == str(path.absolute()) for h in logger.handlers):
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = _LogFile(path, maxBytes=MAX_BYTES, backupCount=KEPT, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return path
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.info("started; %s", json.dumps(versions()))
    if settings:
        logger.info("settings: %s", json.dumps(settings, default=str))
    return path


def versions() -> dict[str, str]:
    """Return the versions of Python, the system and the packages that matter."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def problem_report(
    *, text: str = "", settings: Mapping[str, Any] | None = None, folder: str | Path | None = None
) -> bytes:
    """Collect what helps to find a problem, without private paths.

    Parameters
    ----------
    text : str
        What the user was doing.
    settings : mapping, optional
    folder : path, optional
        Where the logs are; the package's log folder by default.

    Returns
    -------
    bytes
        A zip file with `report.json` and the logs. Nothing is sent anywhere.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        report = {"text": text, "versions": versions(), "settings": json.loads(json.dumps(settings or {}, default=str))}
        archive.writestr("report.json", without_private(json.dumps(report, indent=1, ensure_ascii=False)))
        for log in sorted(Path(folder or log_folder()).glob("dynamic-connectome.log*")):
            archive.writestr(log.name, without_private(log.read_text(encoding="utf-8", errors="replace")))
    return out.getvalue()


def without_private(text: str) -> str:
    """Return a text with folders shortened to their last name, and without the login name and the name of the machine.

    Examples
    --------
    >>> without_private("cannot open /home/ada/lab/worm1.nwb")
    'cannot open <path>/worm1.nwb'
    """
    text = re.sub(
        r"(?<![\w/<.])(?:[A-Za-z]:)?(?:[\\/]+[^\\/\s\"'<>|:;,()\[\]{}]+(?: [^\\/\s\"'<>|:;,()\[\]{}]+(?=[\\/]))*)+",
        _last,
        text,
    )
    for word, place in ((_login(), "<user>"), (socket.gethostname(), "<machine>")):
        if len(word) > 2:
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", place, text)
    return text


def _last(match: re.Match[str]) -> str:
    parts = re.split(r"[\\/]+", match[0])
    return f"<path>/{parts[-1]}" if len([p for p in parts if p]) > 1 else match[0]


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
