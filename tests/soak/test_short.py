"""The short form of the soak: a dozen kills and every kind of fault once; `make soak` runs the long one."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

if not hasattr(os, "fork"):
    pytest.skip("needs fork and SIGKILL", allow_module_level=True)

import fuzz
import kill_runs
import kills
import memory
import mutants
import odd
import paths
import stress

from soak import BAD as NOTHING_LOST


def check(counts) -> None:
    if isinstance(counts, str):
        pytest.skip(counts)
    print(dict(counts))
    assert {k: counts[k] for k in NOTHING_LOST if counts[k]} == {}


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_while_editing_and_saving(tmp_path: Path, seed: int) -> None:
    counts = kills.kill_while_editing(tmp_path, 6, seed, longest_s=1.0)
    check(counts)
    assert counts["kills"] == 6 and counts["edits"] > 0


@pytest.mark.parametrize("fault", [kills.full_disk, kills.no_permission, kills.folder_renamed, kills.out_of_memory])
def test_faults(tmp_path: Path, fault) -> None:
    if fault is kills.no_permission and os.getuid() == 0:  # another user must be able to enter the folder
        with tempfile.TemporaryDirectory(prefix="soak-") as folder:
            Path(folder).chmod(0o755)
            check(fault(Path(folder)))
        return
    check(fault(tmp_path))


def test_killed_in_a_session_that_was_never_saved(tmp_path: Path) -> None:
    counts = paths.kill_never_saved(tmp_path, 4, longest_s=1.0)
    check(counts)
    assert counts["kills"] == 4 and counts["edits"] > 0


def test_copies_that_are_made_while_it_writes(tmp_path: Path) -> None:
    counts = paths.snapshots(tmp_path, 4)
    check(counts)
    assert counts["copies"] == 4


@pytest.mark.parametrize("path", [paths.full_disk_exports, paths.foreign_folders, paths.two_at_once])
def test_exports(tmp_path: Path, path) -> None:
    counts = path(tmp_path, only=("graphml",))
    check(counts)
    assert counts["refused"] + counts["written"] > 0


def test_changes_that_change_nothing_are_named_with_the_reason_and_still_there() -> None:
    for name, reason in mutants.equivalents().items():
        module = mutants.ROOT / "src" / mutants.PACKAGE / name.partition(":")[0]
        assert len(reason) > 20, name
        assert name in {one.name for one in mutants.mutants_of(module)}, f"not in the source any more: {name}"


def test_mutants_are_made_of_what_decides_something(tmp_path: Path) -> None:
    found = mutants.sample(30, 0, ("session",))
    assert len(set(map(str, found))) > 20
    for one in found[:10]:
        source = one.file.read_bytes()
        compile(source[: one.start] + one.text.encode() + source[one.stop :], str(one.file), "exec")
        assert one.text != one.was
    assert mutants.tests_of(found[0].file)


def test_odd_inputs_are_read_right_or_refused_in_a_line() -> None:
    counts = odd.odd_inputs(0, sample=50)
    assert {k: counts[k] for k in odd.BAD if counts[k]} == {}
    assert counts["read"] > 10 and counts["refused"] > 10


def test_torn_journals(tmp_path: Path) -> None:
    check(kills.torn_journals(tmp_path, 15))


def test_runs_that_are_killed_go_on_and_give_the_same(tmp_path: Path) -> None:
    counts = kill_runs.kill_runs(tmp_path, 2, short=True)
    check(counts)
    assert counts["kills"] == 2 and counts["runs"] >= 1


def test_a_run_without_memory_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    counts = memory.lack_of_memory(tmp_path, short=True)
    check(counts)
    assert counts["refused"] == counts["runs"] == 2


@pytest.mark.gui
def test_random_clicks(tmp_path: Path) -> None:
    counts = stress.stress(tmp_path, 8)
    check(counts)
    assert counts["actions"] > 0 and counts["checked"] > 0


def test_corpus_and_a_moment_of_fuzzing(tmp_path: Path) -> None:
    counts = fuzz.replay_corpus() + fuzz.fuzz_all(tmp_path, seconds=6, seed=0)
    print(dict(counts))
    assert [k for k in counts if k.startswith("crash")] == []
    assert counts["inputs"] > 50 and counts["lines reached"] > counts["lines by good files"] > 500
