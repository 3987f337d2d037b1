"""The HTML report in a real browser: hostile names stay text, nothing runs, nothing is asked of the network."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from session_sample import make_session

from napari_dynamic_connectome.report.html import write_report

BROWSER = next((b for n in ("chromium", "chromium-browser", "google-chrome") if (b := shutil.which(n))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
SCRIPT = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
REMOTE = '"><img src="http://192.0.2.1/x.png"><link rel=stylesheet href="http://192.0.2.1/x.css"></style>'


def open_in_browser(path: Path, folder: Path) -> tuple[str, list[str]]:
    """Return the page as the browser has it after loading, and the addresses that it asked for."""
    log = folder / "net.json"
    command = [
        str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-extensions", "--disable-sync",
        f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--net-log-capture-mode=Everything",
        "--virtual-time-budget=3000", "--enable-logging=stderr", "--v=0", "--dump-dom", path.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    assert errors == []
    text = log.read_text(encoding="utf-8", errors="replace")
    try:
        events = json.loads(text)["events"]
    except ValueError:  # the log is cut off when the browser ends
        events = json.loads(text.rstrip().rstrip(",") + "]}")["events"]
    asked = [str(e["params"]["url"]) for e in events if isinstance(e.get("params"), dict) and "url" in e["params"]]
    return done.stdout, asked


def foreign(asked: list[str]) -> list[str]:
    """Addresses that the page, not the browser's own services, asked for."""
    own = re.compile(r"https?://[\w.-]*(google|gstatic|googleapis|gvt1)\.com/")
    return [a for a in asked if a.startswith(("http", "ws", "ftp")) and not own.match(a)]


def test_a_hostile_session_is_only_text_and_asks_for_nothing(tmp_path: Path) -> None:
    session = make_session(0)
    session.sweep = None
    session.edit("worm 1", {2: {"name": SCRIPT[:60], "note": SCRIPT + REMOTE}})
    session.provenance = {"command": REMOTE, "seed": SCRIPT}
    session.settings["title"] = SCRIPT
    path = write_report(session, tmp_path / "report.html", title=SCRIPT + REMOTE) or tmp_path / "report.html"
    page, asked = open_in_browser(Path(path), tmp_path)
    title = re.search(r"<title>(.*?)</title>", page, re.S)
    assert title is not None and title[1] != "ran" and "&lt;script&gt;" in title[1]
    assert "<script" not in page and "onerror=" not in re.sub(r"&lt;.*?&gt;", "", page, flags=re.S)
    assert foreign(asked) == []
    assert page.count("<img") >= 1 and 'src="data:image/png;base64,' in page


def test_this_test_would_notice_a_request_and_a_script(tmp_path: Path) -> None:
    path = tmp_path / "bad.html"
    path.write_text(
        f"<html><head><title>x</title></head><body>{SCRIPT}<img src='http://192.0.2.1/x.png'></body></html>"
    )
    page, asked = open_in_browser_or_console(path, tmp_path)
    assert "<title>ran</title>" in page
    assert any("192.0.2.1" in a for a in foreign(asked))


def open_in_browser_or_console(path: Path, folder: Path) -> tuple[str, list[str]]:
    """As `open_in_browser`; messages on the console are allowed."""
    try:
        return open_in_browser(path, folder)
    except AssertionError:
        pytest.skip("the browser writes to the console here")
