"""The command line, as a user types it: outputs, resuming, exit codes, one-line errors; and the whole path on real worms."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.cli import main
from napari_dynamic_connectome.cli.cluster import client_of
from napari_dynamic_connectome.pipeline.partition import partition
from napari_dynamic_connectome.pipeline.settings import PipelineSettings

SMALL = ["n_neurons=24", "duration_s=90", "rate_hz=3", "n_motifs=2", "motif_size=8"]
QUICK = ["--set", "rank.rank=2", "--set", "rank.starts=3", "--no-screenshot"]


@pytest.fixture(scope="module")
def worms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cli") / "worms"
    overrides = [part for item in SMALL for part in ("--set", item)]
    assert main(["simulate", str(folder), "--worms", "3", "--render", "0", *overrides]) == 0
    return folder


@pytest.fixture(scope="module")
def result(worms: Path) -> Path:
    output = worms.parent / "result"
    assert main(["run", str(worms / "settings.toml"), "-o", str(output), *QUICK]) == 0
    shutil.copytree(
        output / "session.zarr", worms.parent / "as first written.zarr"
    )  # tests write into the folder again
    return output


def test_simulate_writes_worms_truth_and_settings(worms: Path) -> None:
    assert len(list(worms.glob("*.npz"))) == 3
    assert {p.name for p in (worms / "truth").iterdir()} == {"members.csv", "motifs.csv", "windows.csv"}
    assert tomllib.loads((worms / "settings.toml").read_text())["input"]["truth"] == "truth"


def test_run_writes_session_tables_figures_and_report(result: Path) -> None:
    session = ndc.load_session(result / "session.zarr")
    assert session.components is not None and session.components.rank == 2
    assert set(session.communities) == {(c, k) for c in (1, 2) for k in ("modules", "core")}
    pairs = pd.read_csv(result / "tables" / "components_pairs.csv")
    for number in (1, 2):
        values = session.components.pair.sel(component=number).values
        np.testing.assert_allclose(pairs.loc[pairs["component"] == number, "pair_factor"], values, rtol=1e-6)
    package = json.loads((result / "tables" / "datapackage.json").read_text())
    fields = {(r["path"], f["name"]): f for r in package["resources"] for f in r["schema"]["fields"]}
    assert len(package["resources"]) == len(list((result / "tables").rglob("*.csv")))
    assert not [where for where, field in fields.items() if "description" not in field]
    communities = pd.read_csv(result / "tables" / "communities.csv")
    assert set(communities["kind"]) == {"modules", "core"}
    scores = pd.read_csv(result / "tables" / "score_recovery_of_the_planted_motifs.csv")
    assert scores["auroc"].max() > 0.8
    assert (result / "figures" / "components.png").stat().st_size > 5000
    assert "Recovery of the planted motifs" in (result / "report.html").read_text()
    again = PipelineSettings.parse(tomllib.loads((result / "settings.toml").read_text()))
    assert again.rank.rank == 2


def test_robustness_uses_the_components_of_the_run_and_its_own_finished_pieces(
    worms: Path, result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from napari_dynamic_connectome.pipeline import run
    from napari_dynamic_connectome.robustness import execute

    def forbidden(*args: object, **options: object) -> None:
        raise AssertionError("this was done already")

    few = ["bootstraps=2", "rank_bootstraps=0", "parts=['bootstrap', 'seeds']", "seeds=1", "starts=1"]
    command = ["robustness", str(worms / "settings.toml"), "-o", str(result), *QUICK[:4]]
    command += [part for item in few for part in ("--set", f"robustness.{item}")]
    monkeypatch.setattr(run, "load_recordings", forbidden)
    assert main(command) == 0
    folder = result / "robustness"
    table = pd.read_csv(folder / "robustness_components.csv")
    assert table["bootstrap_of"].tolist() == [2, 2] and table["seeds_of"].tolist() == [1, 1]
    assert "robustness.html" in capsys.readouterr().out and (folder / "robustness.html").stat().st_size > 10_000
    monkeypatch.setattr(execute, "run_piece", forbidden)
    assert main(command) == 0


def test_contrasts_of_a_run(worms: Path, result: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = worms.parent / "attributes.csv"
    names = sorted(p.stem for p in worms.glob("*.npz"))
    table.write_text("worm,strain\n" + "".join(f"{n},{'a' if k else 'b'}\n" for k, n in enumerate(names)))
    command = ["contrasts", str(worms / "settings.toml"), "-o", str(result), *QUICK[:4]]
    assert main(command) == 2
    assert "nothing is asked for" in capsys.readouterr().err
    few = ["--set", "contrasts.surrogates=19", "--set", "contrasts.bootstraps=10"]
    assert main([*command, *few, "--event", "NaCl"]) == 0
    rows = pd.read_csv(result / "contrasts" / "onsets_NaCl.csv")
    assert {"neuron", "component"} <= set(rows["kind"]) and (result / "contrasts" / "contrasts.html").is_file()
    assert main([*command, "--column", "strain", "--set", f"input.attributes_file={table}"]) == 2
    assert "group 'b' has one worm" in capsys.readouterr().err


def test_a_second_run_uses_finished_stages_and_a_changed_setting_redoes_only_what_follows(
    worms: Path, result: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import napari_dynamic_connectome.pipeline.run as run

    def forbidden(*args: object, **options: object) -> None:
        raise AssertionError("this stage was done already")

    before = ndc.load_session(result / "session.zarr")
    monkeypatch.setattr(run, "load_recordings", forbidden)
    monkeypatch.setattr(run, "decompose", forbidden)
    assert main(["run", str(worms / "settings.toml"), "-o", str(result), *QUICK, "--set", 'kinds=["core"]']) == 0
    monkeypatch.setattr(run, "partition", forbidden)
    capsys.readouterr()
    command = ["run", str(worms / "settings.toml"), "-o", str(result), *QUICK, "--set", 'kinds=["core"]', "--json"]
    assert main(command) == 0
    said = json.loads(capsys.readouterr().out)  # nothing else is printed there
    assert said["rank"] == 2 and [one["component"] for one in said["components"]] == [1, 2]
    assert Path(said["report"]).is_file() and Path(said["session"]).is_dir() and len(said["worms"]) == 3
    assert all(one["neurons"] and set(one["communities"]) <= {"core"} for one in said["components"])
    after = ndc.load_session(result / "session.zarr")
    assert before.components is not None and after.components is not None
    assert before.components.pair.identical(after.components.pair)
    with pytest.raises(AssertionError, match="done already"):
        main(["run", str(worms / "settings.toml"), "-o", str(result), *QUICK, "--set", "seed=1"])


def test_the_method_of_communities_is_chosen_in_the_file_and_on_the_command_line(worms: Path, tmp_path: Path) -> None:
    output = tmp_path / "plain"
    arguments = ["--no-screenshot"]
    for one in ("rank.rank=2", "rank.starts=1", "chance.method=none", 'kinds=["core"]', "communities.method=leiden"):
        arguments += ["--set", one]
    assert main(["run", str(worms / "settings.toml"), "-o", str(output), *arguments]) == 0
    session = ndc.load_session(output / "session.zarr")
    assert session.components is not None
    assert {one.method for one in session.communities.values()} == {"leiden"}
    for method in ("louvain", "spectral"):
        file = tmp_path / f"{method}.toml"
        file.write_text(f'kinds = ["core"]\n[communities]\nmethod = "{method}"\n')
        found = partition(session.components, PipelineSettings.from_file(file))
        assert {one.method for one in found.values()} == {method}


def test_same_settings_same_result(worms: Path, result: Path, tmp_path: Path) -> None:
    command = ["run", str(worms / "settings.toml"), "-o", str(tmp_path / "again"), *QUICK, "--set", 'kinds=["core"]']
    assert main(command) == 0
    first = result.parent / "as first written.zarr"
    a, b = (ndc.load_session(path) for path in (first, tmp_path / "again" / "session.zarr"))
    assert a.components is not None and b.components is not None
    assert a.components.time.identical(b.components.time)
    assert a.communities[1, "core"].labels.identical(b.communities[1, "core"].labels)


def test_report_can_be_written_again_elsewhere(result: Path, tmp_path: Path) -> None:
    assert main(["report", str(result), "-o", str(tmp_path / "new"), "--no-screenshot"]) == 0
    assert (tmp_path / "new" / "report.html").is_file() and (tmp_path / "new" / "session.zarr").is_dir()


def test_settings_are_printed_as_a_file_that_run_accepts(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settings"]) == 0
    assert PipelineSettings.parse(tomllib.loads(capsys.readouterr().out)) == PipelineSettings()


def test_validate(worms: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(worms / "settings.toml")]) == 0
    assert main(["validate", str(next(worms.glob("*.npz")))]) == 0
    assert re.search(r"3 recordings.*\n.*neurons.*Hz", capsys.readouterr().out)


def test_extract_from_rendered_images_keeps_names_and_traces(tmp_path: Path) -> None:
    recording, _ = ndc.simulate_recording(n_neurons=16, duration_s=20, rate_hz=3, n_motifs=1, motif_size=6, seed=1)
    ndc.render_recording(
        recording, tmp_path / "w.ome.zarr", n_z=12, n_y=96, n_x=192, voxel_y_um=0.8, voxel_x_um=0.8, seed=1
    )
    assert main(["extract", str(tmp_path / "w.ome.zarr"), "-o", str(tmp_path / "w.npz"), "--name", "w"]) == 0
    back = ndc.read_recording(tmp_path / "w.npz")
    assert set(back.named) == set(recording.named)
    assert list(back.stimuli["name"]) == list(recording.stimuli["name"])
    r = [np.corrcoef(back.traces.sel(neuron=n), recording.traces.sel(neuron=n))[0, 1] for n in recording.named]
    assert np.quantile(r, 0.05) > 0.9


def test_extract_unnamed_axes_reference_channel_and_centres(tmp_path: Path) -> None:
    import h5py
    import tifffile

    rng = np.random.default_rng(0)
    labels = np.zeros((4, 16, 16), np.uint16)
    labels[1:3, 2:5, 2:5], labels[1:3, 9:12, 9:12] = 1, 2
    level = 1 + rng.random((6, 2))
    volume = np.zeros((6, 2, 4, 16, 16), np.float32)
    for t in range(6):
        for i in (1, 2):
            volume[t, 0, labels == i] = 100 * level[t, i - 1]
            volume[t, 1, labels == i] = 10 * (t + 1)
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["images/raw"] = volume
    tifffile.imwrite(tmp_path / "l.tif", labels)
    base = ["extract", str(tmp_path / "v.h5"), "--dataset", "images/raw", "--voxel-size", "1", "1", "1", "--rate", "2"]
    out = str(tmp_path / "t.npz")
    assert main([*base, str(tmp_path / "l.tif"), "-o", out]) == 2  # axes are not guessed
    assert not Path(out).exists()
    named = [*base, "--axes", "tczyx", "--label-axes", "zyx", "--channel", "0"]
    assert main([*named, str(tmp_path / "l.tif"), "-o", out]) == 0
    np.testing.assert_allclose(ndc.read_recording(out).traces.values, 100 * level, rtol=1e-5)
    ratio = [*named, "--reference", "1", "--set", "extraction.reference_use=ratio"]
    assert main([*ratio, str(tmp_path / "l.tif"), "-o", out]) == 0
    expected = 100 * level / (10 * np.arange(1, 7))[:, None]
    np.testing.assert_allclose(ndc.read_recording(out).traces.values, expected, rtol=1e-5)
    rows = [
        {"frame": t, "id": i, "z": 1.5, "y": 3.0 + 7 * (i - 1), "x": 3.0 + 7 * (i - 1)}
        for t in range(6)
        for i in (1, 2)
    ]
    pd.DataFrame(rows).to_csv(tmp_path / "centres.csv", index=False)
    tracked = [*[a for a in named if a not in ("--label-axes", "zyx")], "--radius", "0.9", "--units", "um"]
    assert main([*tracked, str(tmp_path / "centres.csv"), "-o", out]) == 0
    np.testing.assert_allclose(ndc.read_recording(out).traces.values, 100 * level, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "absent.toml"], "no such file"),
        (["extract", "absent.zarr", "-o", "x.npz"], "absent.zarr"),
        (["report", "absent"], "absent"),
        (["run", "{settings}", "--set", "rank.rank=0"], "rank.rank"),
        (["run", "{settings}", "--set", "nonsense"], "TABLE.FIELD=VALUE"),
        (["run", "{settings}", "--scheduler", "tcp://127.0.0.1:1"], "--executor dask"),
        (["run", "{settings}", "--executor", "dask"], "--workers"),
        (["run", "{settings}", "--workers", "0"], "--workers: 0 workers"),
        (["run", "{settings}", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"], "two clusters"),
        (["run", "{settings}", "-o", "{full}"], "not empty"),
        (["run", "{settings}", "-o", "{settings}"], "not a folder"),
        (["run", "{settings}", "--set", 'input.worms=["nobody"]'], "nobody"),
        (["run", "{settings}", "--set", "cohort.min_confidence=9"], "confidence"),
        (["simulate", "{full}"], "exists already"),
        (["simulate", "{new}", "--worms", "0"], "--worms"),
        (["simulate", "{new}", "--set", "nose=1"], "nose"),
        (["validate", "{settings}x"], "no such file"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    arguments: list[str], words: str, worms: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("x")
    places = {"settings": worms / "settings.toml", "full": full, "new": tmp_path / "new"}
    done = [a.format(**places) if a.startswith("{") else a for a in arguments]
    if done[0] == "run" and "-o" not in done:
        done += ["-o", str(tmp_path / "out")]
    assert main(done) == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("dynamic-connectome: ") and words in message
    assert not (tmp_path / "out" / "report.html").exists()
    assert [p.name for p in full.iterdir()] == ["thesis.txt"]


def test_threads_hold_for_the_whole_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from napari_dynamic_connectome.cli.commands import settings
    from napari_dynamic_connectome.model.execution import thread_count

    monkeypatch.delenv("DYNAMIC_CONNECTOME_THREADS", raising=False)
    outside, seen = thread_count(), []
    monkeypatch.setattr(settings, "execute", lambda options: seen.append(thread_count()))
    assert main(["--threads", "3", "settings"]) == 0
    assert seen == [3] and thread_count() == outside
    with pytest.raises(SystemExit):
        main(["--threads", "none", "settings"])
    assert "not a number of threads" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    """`| head -1` closes the pipe; Python says so in the middle of a list if it is written line by line."""
    code = "import sys; from napari_dynamic_connectome.cli import main; sys.exit(main(['settings']))"
    reading, writing = os.pipe()
    os.close(reading)
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, env=environment, check=False
    )
    os.close(writing)
    assert done.stderr == b"" and done.returncode in (0, 141)


@pytest.mark.parametrize("full", ["stdout", "stderr"])
def test_output_and_log_on_a_full_disk_end_with_the_exit_code_of_a_failure(full: str) -> None:
    command = [sys.executable, "-m", "napari_dynamic_connectome"]
    command += ["formats"] if full == "stdout" else ["run", "no-such-file.toml"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with open("/dev/full", "w") as device:
        done = subprocess.run(command, **(streams | {full: device}), text=True, check=False)
    assert done.returncode == 2
    said = done.stderr if full == "stdout" else done.stdout
    assert "Traceback" not in said and len(said.splitlines()) == (full == "stdout")


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "extract" in capsys.readouterr().out


def hear_interrupts() -> None:
    """Undo what a child inherits from tests in the background of a shell without job control, where SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_run_leaves_nothing_half_written_and_goes_on(worms: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "napari_dynamic_connectome.cli",
        "run",
        str(worms / "settings.toml"),
        "-o",
        str(output),
    ]
    process = subprocess.Popen(
        [*command, "--no-screenshot"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=hear_interrupts,
    )
    deadline = time.monotonic() + 120
    while not (output / "session.zarr").exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    session = ndc.load_session(output / "session.zarr")
    assert len(session.recordings) == 3
    assert not (output / "report.html").exists()
    assert main(["run", str(worms / "settings.toml"), "-o", str(output), *QUICK]) == 0
    assert (output / "report.html").is_file()


def test_an_interrupt_inside_executed_text_ends_with_its_exit_code(tmp_path: Path) -> None:
    """As in an import that makes a dataclass: `python -m` would end by the signal although the interrupt was caught."""
    (tmp_path / "interrupted.py").write_text(
        "import sys\nimport napari_dynamic_connectome.cli as cli\nfrom napari_dynamic_connectome.cli.commands import settings\n"
        "text = 'import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(5)'\n"
        "settings.execute = lambda options: exec(text)\n"
        "sys.exit(cli.main(['settings']))\n"
    )
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, preexec_fn=hear_interrupts)
    assert done.returncode == 130, done.stderr
    assert "interrupted" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.data
def test_four_real_worms_give_the_known_biology_without_tuning(shared_data: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    files = [os.fspath(p) for p in sorted((shared_data / "traces").glob("dag2023_2022-0[78]-*.npz"))]
    assert len(files) == 4
    settings.write_text(f"[input]\nrecordings = {files!r}\n")
    fewer = [
        "--set",
        "rank.largest=4",
        "--set",
        'kinds=["core"]',
        "--set",
        "communities.null_fits=0",
        "--no-screenshot",
    ]
    assert main(["run", str(settings), "-o", str(tmp_path / "out"), *fewer]) == 0
    session = ndc.load_session(tmp_path / "out" / "session.zarr")
    components = session.components
    assert components is not None and components.model == "unaligned"
    from napari_dynamic_connectome.comparison.behaviour import behaviour_correlations
    from napari_dynamic_connectome.report.component_figures import strongest_neurons

    assert session.cohort is not None
    table = behaviour_correlations(components, session.cohort)
    overall = table[(table["channel"] == "reversal") & (table["worm"] == "all")].set_index("component")["r"]
    best = int(overall.idxmax())
    assert overall[best] >= 0.35
    leaders = {n[:3] for n in strongest_neurons(components, best, 8)}
    assert {"AVA", "AVE", "AIB"} <= leaders
    pairs = pd.read_csv(tmp_path / "out" / "tables" / "score_left_right_pairs.csv").set_index("component")
    assert pairs.loc["all", "percentile"] > 0.82


def _environment() -> dict[str, str]:
    return dict(os.environ)


def test_workers_are_processes_on_this_machine_that_end_with_the_command() -> None:
    pytest.importorskip("distributed")
    options = argparse.Namespace(executor="local", scheduler=None, workers=1)
    before = dict(os.environ)
    client = client_of(options)
    try:
        assert dict(os.environ) == before
        pid = client.submit(os.getpid).result()
        # memory that is taken again and again is kept, or every array costs as much again
        assert "MALLOC_TRIM_THRESHOLD_" not in client.submit(_environment).result()
        assert client.submit(_environment).result()["OPENBLAS_NUM_THREADS"] == os.environ.get(
            "OPENBLAS_NUM_THREADS", "1"
        )
        assert pid != os.getpid() and [w["nthreads"] for w in client.scheduler_info()["workers"].values()] == [1]
    finally:
        client.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
