from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from npe2 import PluginManifest

ROOT = Path(__file__).parents[2]


def test_the_manifest_is_valid_and_every_command_can_be_imported() -> None:
    manifest = PluginManifest.from_file(ROOT / "napari.yaml")
    manifest.validate_imports()
    assert {w.display_name for w in manifest.contributions.widgets} == {
        "Recording", "Neurons", "Traces", "Cohort", "Components", "Communities", "Export",
    }  # fmt: skip
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


def test_a_built_wheel_holds_the_manifest(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    wheel = next(tmp_path.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        text = archive.read("napari_dynamic_connectome/napari.yaml").decode()
    (tmp_path / "napari.yaml").write_text(text)
    assert PluginManifest.from_file(tmp_path / "napari.yaml").name == "napari-dynamic-connectome"


def test_the_reader_knows_what_it_cannot_read(tmp_path: Path) -> None:
    from napari_dynamic_connectome.widgets.app.contributions import get_reader

    (tmp_path / "notes.xyz").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(200))
    assert get_reader(str(tmp_path / "notes.xyz")) is None
