"""What pages for beginners say is true: their commands run, their settings exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.pipeline.toml import merge, parse_overrides

PAGES = Path(__file__).parents[2] / "docs" / "pages"
QUICK = [
    "--set",
    "rank.rank=2",
    "--set",
    "rank.starts=1",
    "--set",
    "chance.method=none",
    "--set",
    "communities.samples=0",
]
QUICK += ["--set", "communities.null_fits=0", "--set", 'kinds=["core"]', "--no-screenshot"]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (PAGES / page).read_text(encoding="utf-8"), re.S)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small file of every source that the page names."""
    pytest.importorskip("pyarrow")
    pytest.importorskip("pynwb")
    folder = tmp_path_factory.mktemp("your data")
    cohort, _ = ndc.simulate_cohort(n_worms=3, n_neurons=16, duration_s=60, rate_hz=3, n_motifs=1, motif_size=6, seed=1)
    (folder / "worms").mkdir()
    for number, worm in enumerate(cohort.recordings, start=1):
        ndc.write_recording(worm, folder / "worms" / f"worm{number}.csv")
    table = pd.read_csv(folder / "worms" / "worm1.csv").drop(columns="time_s")
    (folder / "none").mkdir()
    table.to_csv(folder / "none" / "no_times.csv", index=False)
    ndc.write_recording(cohort.recordings[0], folder / "worm.nwb")
    ndc.write_collection(cohort.recordings, folder / "worms.parquet")
    plane = folder / "suite2p" / "plane0"
    plane.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name in ("F", "Fneu", "spks"):
        np.save(plane / f"{name}.npy", rng.random((5, 80)).astype(np.float32))
    np.save(plane / "iscell.npy", np.ones((5, 2)))
    np.save(plane / "ops.npy", {"fs": 2.5}, allow_pickle=True)
    with h5py.File(folder / "results.hdf5", "w") as file:  # of CaImAn
        for name in ("C", "YrA", "S"):
            file[f"estimates/{name}"] = rng.random((5, 80))
        file["estimates/idx_components"] = np.array([0, 1, 4])
        file["params/data/fr"] = 30
    tracks = [f"{t},{n},4,{10 + 20 * n},{30 * n}" for t in range(cohort.recordings[0].n_times) for n in (1, 2)]
    (folder / "tracks.csv").write_text("\n".join(["frame,id,z,y,x", *tracks]))
    ndc.render_recording(
        cohort.recordings[0], folder / "worm.ome.zarr", n_z=8, n_y=48, n_x=128, voxel_y_um=0.5, voxel_x_um=0.8, seed=1
    )
    return folder


def test_your_data_runs_from_top_to_bottom(home: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(home)
    text = (PAGES / "your_data.md").read_text(encoding="utf-8")
    commands = [
        line[2:] for block in blocks("your_data.md", "console") for line in block.splitlines() if line.startswith("$ ")
    ]
    assert len(commands) >= 7 and len(blocks("your_data.md", "toml")) == 4
    (home / "csv.toml").write_text(blocks("your_data.md", "toml")[0], encoding="utf-8")
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "dynamic-connectome"
        arguments = [a.replace("worms/no_times.csv", "none/no_times.csv") for a in arguments]
        quick = QUICK if arguments[0] == "run" else []
        assert main([*arguments, *quick]) == 0, (command, capsys.readouterr().err)
    assert (home / "results" / "report.html").is_file() and (home / "traces.npz").is_file()
    assert ndc.read_recording(home / "tracked.npz").n_neurons == 2
    assert "`dynamic-connectome open results`" in text


@pytest.mark.parametrize("number", [1, 2, 3])
def test_settings_of_your_data_are_accepted(number: int, home: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(home)
    (home / f"{number}.toml").write_text(blocks("your_data.md", "toml")[number], encoding="utf-8")
    assert main(["validate", f"{number}.toml"]) == 0
    said = capsys.readouterr().out
    assert "good; 1 recordings" in said or "1 worms given as images" in said


def test_python_of_your_data_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (code,) = blocks("your_data.md", "python")
    exec(compile(code, "your_data.md", "exec"), {})
    assert ndc.read_recording(tmp_path / "worm1.npz").named == ["AVAL", "AVAR"]


def test_every_setting_that_is_advised_exists_and_takes_its_value() -> None:
    said = re.findall(r"`((?:\w+\.)?\w+ = [^`]+)`", (PAGES / "which_setting.md").read_text(encoding="utf-8"))
    assert len(said) > 20
    for one in said:
        name, value = one.split(" = ", 1)
        if "." not in name and name not in PipelineSettings.model_fields:
            name = f"affinity.{name}"  # named after another one of its table
        values = parse_overrides([f"{name}={value}"])
        before, after = PipelineSettings(), PipelineSettings.parse(merge({}, values), where="page")
        table, _, field = name.partition(".")
        held = getattr(getattr(after, table), field) if field else getattr(after, table)
        given = tomllib.loads(f"v = {value}")["v"]
        assert (list(held) if isinstance(held, tuple) else held) == given, one
        default = getattr(getattr(before, table), field) if field else getattr(before, table)
        assert held != default or "nothing:" in next(
            line for line in (PAGES / "which_setting.md").read_text(encoding="utf-8").splitlines() if one in line
        )
