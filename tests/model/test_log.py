"""The log rotates and a problem report holds no private paths."""

from __future__ import annotations

import getpass
import io
import logging
import zipfile
from pathlib import Path

import pytest

from napari_dynamic_connectome.model.log import LOGGER, problem_report, start_log, without_private


@pytest.mark.parametrize(
    "text",
    [
        "/home/ada/secret project/worm1.nwb",
        r"C:\Users\ada\secret\worm1.nwb",
        'File "/home/ada/secret/worm1.nwb", line 3',
    ],
)
def test_private_folders_are_removed_and_file_names_stay(text: str) -> None:
    clean = without_private(f"cannot read {text}")
    assert "ada" not in clean.split() and "secret" not in clean and "worm1.nwb" in clean


def test_the_command_its_failure_and_the_versions_are_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from napari_dynamic_connectome.cli import main

    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path))
    assert main(["validate", str(tmp_path / "absent.npz")]) == 2
    text = (tmp_path / "log" / "dynamic-connectome.log").read_text(encoding="utf-8")
    for words in ('"numpy"', "validate", "absent.npz: there is no such file", "Traceback"):
        assert words in text


def test_the_log_rotates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_dynamic_connectome.model import log

    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path))
    monkeypatch.setattr(log, "MAX_BYTES", 2000)
    log.start_log()
    for number in range(200):
        logging.getLogger(log.LOGGER).info("line %d", number)
    files = sorted(p.name for p in (tmp_path / "log").iterdir())
    assert files == ["dynamic-connectome.log", *[f"dynamic-connectome.log.{i}" for i in (1, 2, 3)]]
    assert all(p.stat().st_size <= 2000 for p in (tmp_path / "log").iterdir())


def test_the_report_holds_versions_and_the_log_but_no_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path))
    monkeypatch.setattr(getpass, "getuser", lambda: "adalove")
    path = start_log({"seed": 3})
    logger = logging.getLogger(LOGGER)
    try:
        for _ in range(3):
            logger.error("user adalove cannot open %s", tmp_path / "private" / "w.csv")
        assert start_log() == path
        data = problem_report(text="it stopped", settings={"file": str(tmp_path / "private" / "x.toml")})
    finally:
        for handler in [h for h in logger.handlers if str(tmp_path) in getattr(h, "baseFilename", "")]:
            handler.close()
            logger.removeHandler(handler)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        report, log = archive.read("report.json").decode(), archive.read(path.name).decode()
    assert '"numpy"' in report and "it stopped" in report and "<path>/x.toml" in report
    assert log.count("<path>/w.csv") == 3 and '"seed": 3' in log
    for text in (report, log):
        assert "adalove" not in text and "private" not in text and str(tmp_path) not in text


def test_a_log_on_a_full_disk_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    from napari_dynamic_connectome.model import log

    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path))
    path = str(log.start_log())
    ours = [h for h in logging.getLogger(log.LOGGER).handlers if isinstance(h, log._LogFile)]
    (handler,) = [h for h in ours if h.baseFilename == path]

    def full(record: logging.LogRecord) -> None:
        raise OSError(28, "no space left on device")

    monkeypatch.setattr(handler, "shouldRollover", full)
    logging.getLogger(log.LOGGER).error("something")
    assert capsys.readouterr().err == ""
