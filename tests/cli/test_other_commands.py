"""Commands that need no run: export, open, formats; what is mistyped; how loud it is."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from tests.report.test_tables import check_package
from tests.widgets.helpers import fill

from napari_dynamic_connectome import InputError, save_session
from napari_dynamic_connectome.cli import command_line, main, outputs
from napari_dynamic_connectome.cli import commands as cli_commands
from napari_dynamic_connectome.cli.commands import all_commands
from napari_dynamic_connectome.cli.sessions import kept_in_session
from napari_dynamic_connectome.io.ownership import claim_folder
from napari_dynamic_connectome.io.registry import all_formats, open_labels, read_recordings
from napari_dynamic_connectome.io.volumes.omezarr_write import write_labels
from napari_dynamic_connectome.session.session import Session


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("export")
    session = Session()
    fill(session)
    labels = np.zeros((4, 8, 8), np.uint16)
    labels[1, 2:4, 2:4], labels[2, 5:7, 5:7] = 1, 14
    path = write_labels(folder / "seen.zarr", labels, voxel_size_um=(2, 0.5, 0.5))
    worm = session.recordings["worm A"]
    session.add(replace(worm, labels=open_labels(path).reference), replace=True)
    return save_session(session, folder / "session.zarr")


def test_everything_that_is_asked_for_is_exported(saved: Path, tmp_path: Path, capsys) -> None:
    pytest.importorskip("pynwb")
    asked = ["--tables", "--graphml", "--nwb", "--labels"]
    assert main(["export", str(saved.parent), "-o", str(tmp_path), *asked, "-q"]) == 0
    said = capsys.readouterr()
    check_package(tmp_path / "tables")
    for number in (1, 2):
        assert nx.read_graphml(tmp_path / "graphml" / f"component{number}.graphml").number_of_nodes() == 12
    (read,) = read_recordings(tmp_path / "nwb" / "worm_A.nwb")
    assert read.n_neurons == 15
    labels = open_labels(tmp_path / "labels" / "worm_A_labels.zarr")
    assert labels.names == {1: "AVAL"} and labels.reference.voxel_size_um == (2, 0.5, 0.5)
    assert np.asarray(labels.data).sum() == 4 + 14 * 4
    assert [line.split(": ")[-1] for line in said.out.splitlines()] == ["11 files", "2 files", "2 files", "1 file"]
    assert "100 %" not in said.err
    assert main(["export", str(saved), "-o", str(tmp_path), *asked, "-q"]) == 0  # our own files are replaced


def test_one_component_and_figures(saved: Path, tmp_path: Path, capsys) -> None:
    command = ["export", str(saved), "-o", str(tmp_path), "--graphml", "--figures", "--component", "2"]
    assert main(command) == 0
    assert [p.name for p in (tmp_path / "graphml").glob("*.graphml")] == ["component2.graphml"]
    assert (tmp_path / "figures" / "components.svg").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "nothing was asked for"),
        (["--graphml", "--component", "9"], "there is no component 9"),
        (["--tables", "--component", "1"], "--component needs --graphml"),
    ],
)
def test_what_cannot_be_exported_is_said_before_anything_is_written(
    options: list[str], message: str, saved: Path, tmp_path: Path, capsys
) -> None:
    assert main(["export", str(saved), "-o", str(tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_open_starts_the_window_on_files_and_sessions(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    started = []

    def start(command, **options):
        started.append(command)
        return subprocess.CompletedProcess(command, 3)

    monkeypatch.setattr(subprocess, "run", start)
    (tmp_path / "-worm.csv").write_text("time_s,AVAL\n0,1\n1,2\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["open", str(saved), "--theme", "light", "--", "-worm.csv"]) == 3  # the window's own exit code
    assert started[0][1:3] == ["-m", "napari_dynamic_connectome.widgets.app"]
    assert started[0][3:] == [str(saved), "./-worm.csv", "--theme", "light"]
    assert main(["open", "./-worm.csv", "--rate", "2", "--axes", "tzyx", "--channel", "1"]) == 3
    assert json.loads(started.pop()[-1]) == {"rate_hz": 2.0, "axes": "tzyx", "channel": 1}
    assert main(["open", str(saved), str(saved.parent)]) == 2
    assert main(["open", "absent.csv"]) == 2
    assert len(started) == 1
    said = capsys.readouterr().err
    assert "one window shows one session" in said and "no such file" in said


def test_formats_are_listed(capsys) -> None:
    assert main(["formats"]) == 0
    plain = capsys.readouterr().out
    assert main(["formats", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [r["format"] for r in rows] == [f.title for f in all_formats()]
    for row, form in zip(rows, all_formats(), strict=True):
        assert row["reads"] == list(form.holds) and row["writes"] == list(form.writes)
        assert form.title in plain and all(pattern in plain for pattern in form.patterns)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["rnu"], "unknown command 'rnu'; did you mean run?"),
        (["sugest-tests", "x"], "did you mean suggest-tests?"),
        (["xyzzy"], "unknown command 'xyzzy'; known: demo, simulate"),
        (["run", "x.toml", "--fersh"], "unrecognized arguments: --fersh; did you mean --fresh?"),
        (["export", "x", "--graphlm=1"], "did you mean --graphml?"),
        (["extract", "x", "--executor", "dsk"], "unknown value 'dsk'; did you mean dask?"),
        (["run", "x.toml", "--zzz"], "unrecognized arguments: --zzz\n"),
    ],
)
def test_what_is_mistyped_is_answered_with_what_was_meant(command: list[str], message: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(command)
    said = capsys.readouterr().err
    assert ended.value.code == 2 and message in said
    assert said.count("\n") < 20


def test_verbose_says_what_goes_to_the_log_once(capsys) -> None:
    log = logging.getLogger("napari_dynamic_connectome")
    before = list(log.handlers)
    assert main(["-v", "formats"]) == 0
    assert "done" not in capsys.readouterr().err.replace("done\n", "", 1)
    assert main(["formats", "-vv"]) == 0
    main(["formats"])
    assert [h for h in log.handlers if type(h) is logging.StreamHandler and h not in before] == []


def test_quiet_shows_no_progress(saved: Path, tmp_path: Path, capsys) -> None:
    command = ["export", str(saved), "--tables", "-o"]
    assert main([*command, str(tmp_path / "a")]) == 0
    assert "%" in capsys.readouterr().err
    for options in (["-q", *command, str(tmp_path / "b")], [*command, str(tmp_path / "c"), "-q"]):
        assert main(options) == 0
        assert "%" not in capsys.readouterr().err
    assert main([*command, str(tmp_path / "d")]) == 0
    assert "%" in capsys.readouterr().err


def test_every_command_has_the_options_of_loudness() -> None:
    parser = command_line.build_parser()
    (commands,) = (a.choices for a in parser._actions if hasattr(a, "choices") and isinstance(a.choices, dict))
    assert len(commands) == len(all_commands())
    for one in commands.values():
        assert {"-v", "-q"} <= set(one._option_string_actions)
    assert sys.modules["napari_dynamic_connectome.cli.progress"].QUIET in (True, False)


def test_help_loads_no_step() -> None:
    code = (
        "import contextlib, io, sys\nfrom napari_dynamic_connectome.cli import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):\n    main(['--help'])\n"
        "print(sorted({'pandas', 'xarray', 'scipy', 'h5py', 'zarr', 'numba', 'matplotlib'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n", found.stderr


def test_a_file_is_a_command(tmp_path: Path, capsys, monkeypatch) -> None:
    (tmp_path / "count_worms.py").write_text(
        "ORDER = 55\n\n\ndef add(commands):\n    one = commands.add_parser('count-worms', help='say how many')\n"
        "    one.set_defaults(action=lambda options: print('302') or 3)\n"
    )
    monkeypatch.setattr(cli_commands, "__path__", [*cli_commands.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, f"{cli_commands.__name__}.count_worms", raising=False)
    assert main(["count-worms"]) == 3 and capsys.readouterr().out == "302\n"
    names = [one.__name__.rpartition(".")[2] for one in all_commands()]
    assert names[:7] == ["demo", "simulate", "extract", "run", "open", "count_worms", "export"]
    orders = [one.ORDER for one in all_commands()]
    assert len(set(orders)) == len(orders)  # two commands do not share a place
    monkeypatch.delitem(sys.modules, f"{cli_commands.__name__}.count_worms")


def test_every_command_that_takes_a_lock_can_take_it_over_and_says_so(
    saved: Path, tmp_path: Path, capsys, monkeypatch
) -> None:
    parser = command_line.build_parser()
    (commands,) = (a.choices for a in parser._actions if hasattr(a, "choices") and isinstance(a.choices, dict))
    asked = {name for name, one in commands.items() if "--take-over" in one._option_string_actions}
    assert asked == {name for name, one in commands.items() if any(a.dest == "output" for a in one._actions)}
    assert {
        "run",
        "extract",
        "export",
        "report",
        "movie",
        "states",
        "baselines",
        "project",
        "simulate",
        "demo",
    } <= asked
    silent = {"pid": 12, "host": "node-17", "place": "b pid:[1]", "token": "theirs", "user": "ada"}
    out = tmp_path / "out"
    shutil.copytree(saved, claim_folder(out) / "session.zarr")
    monkeypatch.setattr(outputs, "write_outputs", lambda *_, **__: None)

    def lock(place: Path) -> Path:
        place.mkdir()
        (place / "lock").write_text(json.dumps(silent))
        os.utime(place / "lock", (1e9, 1e9))
        return place

    place = lock(tmp_path / ".out.writing")
    words = ["export", str(out), "--graphml", "-q"]
    assert main(words) == 2
    said = capsys.readouterr().err
    assert "no sign of life" in said and "(--take-over)" in said and said.count("\n") == 1
    assert main([*words, "--take-over"]) == 0 and not place.exists()
    place = lock(out / "session.zarr.journal")
    for path, folder in ((out, None), (saved, str(out))):
        with pytest.raises(InputError, match=r"no sign of life.*\(--take-over\)"), kept_in_session(str(path), folder):
            pytest.fail("worked before it looked")
    with kept_in_session(str(out), None, take_over=True) as (session, _):
        assert not session.journal.read_only
    assert not place.exists()


def test_two_commands_do_not_write_at_one_place(saved: Path, tmp_path: Path, capsys, monkeypatch) -> None:
    from napari_dynamic_connectome.session.lock import writing_alone

    (tmp_path / "settings.toml").write_text("")
    taken = [
        (["export", str(saved), "--tables"], saved.parent),
        (["report", str(saved.parent)], saved.parent),
        (["states", str(saved)], saved.parent),
        (["report", str(saved), "-o", str(tmp_path / "out")], tmp_path / "out"),
        (["extract", "a.tif", "-o", str(tmp_path / "worm.csv")], tmp_path / "worm.csv"),
        (["run", str(tmp_path / "settings.toml")], tmp_path / "settings-output"),
        (["run", str(tmp_path / "settings.toml"), "-o", str(tmp_path / "out")], tmp_path / "out"),
        (["robustness", str(tmp_path / "settings.toml")], tmp_path / "settings-output"),
        (["simulate", str(tmp_path / "out")], tmp_path / "out"),
        (["demo", "-o", str(tmp_path / "out")], tmp_path / "out"),
    ]
    for command, place in taken:
        with writing_alone(place):
            assert main(command) == 2, command
        said = capsys.readouterr().err
        assert "another program is writing here" in said and said.count("\n") == 1, command
    assert sorted(p.name for p in tmp_path.iterdir()) == ["settings.toml"]
    with writing_alone(tmp_path / "out"):  # elsewhere is free, and so is what only prints
        assert main(["export", str(saved), "--tables", "-o", str(tmp_path / "free"), "-q"]) == 0
    with writing_alone(saved.parent):
        assert main(["suggest-tests", str(saved)]) in (0, 2)
    assert "another program" not in capsys.readouterr().err
    assert not [p for p in (*tmp_path.iterdir(), *saved.parent.iterdir()) if p.name.endswith(".writing")]


def test_demo_says_beforehand_what_it_takes(tmp_path, capsys, monkeypatch) -> None:
    from napari_dynamic_connectome.cli.commands import demo
    from napari_dynamic_connectome.simulation.render import render_recording
    from napari_dynamic_connectome.simulation.simulate import simulate_recording

    worm, _ = simulate_recording(seed=0)
    some = worm.replace(traces=worm.traces.isel(time=slice(0, 4)), behaviour=worm.behaviour.isel(time=slice(0, 4)))
    render_recording(some, tmp_path / "some.ome.zarr")
    frames = [one.stat().st_size for one in (tmp_path / "some.ome.zarr" / "0").rglob("0") if one.is_file()]
    assert len(frames) == 4 and np.mean(frames) * worm.n_times / 1e9 == pytest.approx(demo.SIMULATED_GB, rel=0.05)

    def stopped(*_: object, **__: object) -> None:
        raise InputError("far enough")

    monkeypatch.setattr(demo, "write_simulation", stopped)
    assert main(["demo", "-o", str(tmp_path / "loud")]) == 2
    assert f"about {demo.SIMULATED_GB} GB in {tmp_path / 'loud'}" in capsys.readouterr().err
    assert main(["demo", "-q", "-o", str(tmp_path / "quiet")]) == 2
    assert "GB" not in capsys.readouterr().err
