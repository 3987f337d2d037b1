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
