"""A movie of a session without a window on the desk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.widgets.helpers import fill

from napari_dynamic_connectome import save_session
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.cli.commands import movie
from napari_dynamic_connectome.session.session import Session

imageio = pytest.importorskip("imageio.v3")
pytest.importorskip("imageio_ffmpeg")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    session = Session()
    fill(session)
    return save_session(session, tmp_path_factory.mktemp("movie") / "session.zarr")


@pytest.mark.gui
def test_a_movie_is_written_beside_the_session(saved: Path, capsys) -> None:
    command = ["movie", str(saved), "--seconds", "0.2", "--fps", "10", "--size", "640x480", "--movement", "both"]
    assert main([*command, "--component", "2", "--kind", "core"]) == 0
    said = capsys.readouterr()
    path = saved.with_name("worm.mp4")
    assert said.out == f"wrote {path}\n" and "frame 2 of 2" in said.err
    frames = imageio.imread(path)
    assert len(frames) == 2 and frames.std() > 1
    before = path.read_bytes()
    assert main([*command, "--component", "9"]) == 2  # said by the window's process
    assert "there are no communities" in capsys.readouterr().err
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "worm.avi"], "movies of type '.avi' are not written"),
        (["-o", "mine.mp4"], "mine.mp4"),
        (["-o", "."], "movies of type"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_work(
    options: list[str], message: str, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    def never(*args, **options):
        raise AssertionError("the work was begun")

    monkeypatch.setattr(subprocess, "Popen", never)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.mp4").write_bytes(b"of the user")
    assert main(["movie", str(saved), *options]) == 2
    assert message in capsys.readouterr().err
    assert (tmp_path / "mine.mp4").read_bytes() == b"of the user"


def test_a_window_that_says_much_is_not_stopped_by_it(saved: Path, tmp_path: Path, monkeypatch, capsys) -> None:
    talk = "import sys; sys.stderr.write('much to say ' * 50000 + chr(10))"
    talk += "; print('0.5 half', flush=True); sys.stderr.write('the last word'); sys.exit(2)"
    monkeypatch.setattr(movie, "window_command", lambda *_, **__: [sys.executable, "-c", talk])
    assert main(["movie", str(saved), "-o", str(tmp_path / "m.gif")]) == 2
    said = capsys.readouterr().err
    assert "the movie was not written: the last word" in said and "half" in said


@pytest.mark.parametrize("size", ["big", "10x10", "1600", "9000x9000"])
def test_sizes(size: str, saved: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        main(["movie", str(saved), "--size", size])
    assert "is not a size" in capsys.readouterr().err


def test_without_a_screen_and_xvfb_one_line_says_what_to_install(saved: Path, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("napari_dynamic_connectome.cli.window.shutil.which", lambda name: None)
    monkeypatch.setattr("napari_dynamic_connectome.cli.window.sys.platform", "linux")
    assert main(["movie", str(saved), "-o", str(tmp_path / "m.gif")]) == 2
    assert "no screen and no xvfb-run" in capsys.readouterr().err
