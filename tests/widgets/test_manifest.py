from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
import yaml
from npe2 import PluginManifest

ROOT = Path(__file__).parents[2]


def test_the_manifest_is_valid_and_every_command_can_be_imported() -> None:
    from napari_dynamic_connectome.widgets.app.arrange import DOCKS

    manifest = PluginManifest.from_file(ROOT / "napari.yaml")
    manifest.validate_imports()
    assert sorted(w.display_name for w in manifest.contributions.widgets) == sorted(dock.title for dock in DOCKS)
    assert set(manifest.contributions.menus) == {
        "napari/layers/measure",
        "napari/layers/segment",
        "napari/layers/visualize",
    }


def test_the_installed_package_is_a_valid_plugin() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", "napari-dynamic-connectome"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "valid" in done.stdout


def test_the_manifest_of_the_package_is_a_copy_of_the_one_at_the_top() -> None:
    inside = ROOT / "src" / "napari_dynamic_connectome" / "napari.yaml"
    assert not inside.is_symlink()
    assert inside.read_bytes() == (ROOT / "napari.yaml").read_bytes()


def build(target: str, source: Path, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return next(folder.glob("*.whl" if target == "wheel" else "*.tar.gz"))


def test_a_wheel_built_from_the_sdist_holds_the_manifest(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    with tarfile.open(build("sdist", ROOT, tmp_path)) as archive:
        assert not [member.name for member in archive if member.issym() or member.islnk()]
        archive.extractall(tmp_path, filter="data")
    (source,) = (path for path in tmp_path.iterdir() if path.is_dir())
    # a copy that was forgotten does not reach the wheel
    (source / "src" / "napari_dynamic_connectome" / "napari.yaml").write_text("name: old\n")
    with zipfile.ZipFile(build("wheel", source, tmp_path)) as archive:
        assert archive.read("napari_dynamic_connectome/napari.yaml") == (ROOT / "napari.yaml").read_bytes()
        package, _, icon = yaml.safe_load((ROOT / "napari.yaml").read_text())["icon"].partition(":")
        assert b"<svg" in archive.read(f"{package}/{icon}")


def test_the_reader_knows_what_it_cannot_read(tmp_path: Path) -> None:
    from napari_dynamic_connectome.widgets.app.contributions import get_reader

    (tmp_path / "notes.xyz").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(200))
    assert get_reader(str(tmp_path / "notes.xyz")) is None
