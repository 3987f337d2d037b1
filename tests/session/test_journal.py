"""Edits are on disk before they show, come back after a crash, and two windows never overwrite each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.session import journal as journal_module
from napari_dynamic_connectome.session.journal import Journal, find_recoverable, reopen
from napari_dynamic_connectome.session.journal_file import JournalFile, encode_line, read_records
from napari_dynamic_connectome.session.lock import SessionLock, journal_folder
from napari_dynamic_connectome.session.save_load import load_session, save_session
from napari_dynamic_connectome.session.session import Session
from napari_dynamic_connectome.session.state import Selection

sys.path.insert(0, str(Path(__file__).parent))
from session_sample import make_recording, make_session, same


def crash(journal: Journal) -> None:
    """Leave the files as a killed process would: no close, and a lock whose process is gone."""
    assert journal._file is not None
    journal._file.close()
    owner = json.loads(journal.lock.file.read_text())
    owner["pid"], owner["started"] = 2**22 + 1, "1"
    journal.lock.file.write_text(json.dumps(owner))
    journal.session.journal = None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return save_session(make_session(results=False), tmp_path / "s.zarr")


def test_edits_of_a_crashed_window_come_back_with_their_undo_history(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.name_neuron(8, "ASEL", recording="worm 1")
    session.name_neuron(8, "ASER", recording="worm 1", confidence=float("nan"))
    session.undo()
    session.edit("worm 2", {1: {"note": "x" * 10_000, "rejected": True}})
    crash(journal)

    again = load_session(path)
    journal = Journal.attach(again)
    assert len(journal.pending) == 4 and journal.left_out == 0
    assert again.recordings["worm 1"].neurons["name"].tolist().count("ASEL") == 0  # offered, not applied
    assert journal.recover() == []
    for part in ("recordings", "done", "undone", "history"):
        same(getattr(again, part), getattr(session, part), part)
    assert again.redo() is None and again.undo() is not None
    journal.close()


def test_a_closed_journal_holds_no_file_open(path: Path) -> None:
    session = load_session(path)
    for edits in (0, 1):
        journal = Journal.attach(session)
        if edits:
            session.edit("worm 1", {1: {"note": "kept"}})
        file = journal._file
        journal.close()
        assert file is None or file._descriptor == -1
    assert file is not None and file.path.exists()  # what was edited and not saved stays


def test_a_crash_during_recovery_loses_nothing(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    for label in (1, 2, 3, 4):
        session.edit("worm 1", {label: {"note": f"note {label}"}})
    crash(journal)
    second = load_session(path)
    journal = Journal.attach(second)
    journal.pending = journal.pending[:2]
    kept, journal._old = journal._old, []  # as if it died before the old log was removed
    journal.recover()
    crash(journal)
    third = load_session(path)
    journal = Journal.attach(third)
    assert kept[0].exists() and journal.recover() == []
    assert third.recordings["worm 1"].neurons["note"].tolist()[:4] == [f"note {i}" for i in (1, 2, 3, 4)]
    assert len(third.history) == len(session.history)
    journal.close()


def test_edits_of_a_session_that_was_never_saved_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path))
    session = Session()
    journal = Journal.attach(session)
    session.add(make_recording("fresh", 3))
    session.name_neuron(5, "ASEL")
    session.name_neuron(8, "ASER")
    crash(journal)
    (found,) = find_recoverable()
    assert found.edits == 2 and found.recordings == ("fresh",) and found.session == ""
    again, journal, refused = reopen(found)
    assert refused == []
    same(again.recordings, session.recordings)
    assert again.undo() is not None
    assert find_recoverable() == []  # it is open now
    save_session(again, tmp_path / "kept.zarr")
    assert journal.folder == journal_folder(tmp_path / "kept.zarr") and not found.folder.exists()
    journal.close()
    assert not journal_folder(tmp_path / "kept.zarr").exists()


def test_saving_empties_the_journal_and_closing_removes_it(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.name_neuron(8, "ASEL", recording="worm 1")
    save_session(session, path)
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    assert journal.pending == []
    again.undo()
    save_session(again, path)
    journal.close()
    assert sorted(p.name for p in path.parent.iterdir()) == ["s.zarr"]


def test_a_crash_between_saving_and_emptying_the_journal_repeats_nothing(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.name_neuron(8, "ASEL", recording="worm 1")
    session.journal = None
    save_session(session, path, overwrite=True)
    crash(journal)
    journal = Journal.attach(load_session(path))
    assert journal.pending == []
    journal.close()


def test_a_recording_that_was_replaced_after_saving_comes_back_with_its_edits(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.add(make_recording("worm 1", 77), replace=True)
    session.name_neuron(8, "ASEL", recording="worm 1")
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    assert journal.recover() == []
    same(again.recordings, session.recordings)
    journal.close()


def test_the_second_window_is_read_only_and_cannot_save_over_the_first(path: Path) -> None:
    one, two = load_session(path), load_session(path)
    first, second = Journal.attach(one), Journal.attach(two)
    assert not first.read_only and second.read_only and str(os.getpid()) in second.owner
    one.name_neuron(8, "ASEL", recording="worm 1")
    before = two.recordings["worm 1"]
    with pytest.raises(InputError, match="another window"):
        two.name_neuron(8, "ASER", recording="worm 1")
    assert two.recordings["worm 1"] is before and two.history == load_session(path).history
    with pytest.raises(InputError, match="open in another window"):
        save_session(two, path)
    save_session(two, path.with_name("mine.zarr"))  # a copy of its own can be edited
    two.name_neuron(8, "ASER", recording="worm 1")
    save_session(one, path)
    first.close(), second.close()
    third = Journal.attach(load_session(path))
    assert not third.read_only
    third.close()


def test_a_window_of_another_process_holds_its_lock_until_it_dies(path: Path) -> None:
    code = (
        "import sys\n"
        "from napari_dynamic_connectome.session.save_load import load_session\n"
        "from napari_dynamic_connectome.session.journal import Journal\n"
        f"s = load_session({str(path)!r}); Journal.attach(s)\n"
        "s.name_neuron(8, 'ASEL', recording='worm 1'); print('ready', flush=True); sys.stdin.read()\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None and child.stdout.readline().strip() == "ready"
        journal = Journal.attach(load_session(path))
        assert journal.read_only and str(child.pid) in journal.owner
        child.kill()
        child.wait()
        journal = Journal.attach(load_session(path))
        assert not journal.read_only and [p.edit.text for p in journal.pending] == ["name neuron 8 ASEL"]
        journal.close()
    finally:
        child.kill()
        child.communicate()


def test_corrections_and_worms_left_out_come_back_and_can_be_undone(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.leave_out("worm 1")
    old = session.recordings["worm 1"]
    corrected = old.replace(traces=old.traces * 2)
    session.add(corrected, replace=True, made="correct traces of worm 1", raw=old.traces)
    session.edit("worm 1", {8: {"rejected": True}})
    new = make_recording("worm 3", 9)
    session.add(new, made="extract traces of worm 3")
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    assert [p.edit.action for p in journal.pending] == ["edit", "replace", "edit", "replace"]
    assert journal.recover() == []
    same(again.recordings, session.recordings)
    same(again.raw, session.raw)
    assert again.left_out == session.left_out and [e.text for e in again.history] == [e.text for e in session.history]
    for _ in range(2):
        again.undo()
    assert again.left_out == load_session(path).left_out
    assert not again.recordings["worm 1"].neurons.set_index("label").loc[8, "rejected"]
    journal.close()


def test_stimuli_that_were_edited_come_back_after_a_crash(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    old = session.recordings["worm 1"]
    stimuli = pd.DataFrame({"name": ["butanone"], "onset": [1.0], "offset": [2.0]})
    session.amend(old.replace(stimuli=stimuli), "edit stimuli")
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    assert journal.recover() == []
    assert again.recordings["worm 1"].stimuli["name"].tolist() == ["butanone"]
    same(again.recordings, session.recordings)
    journal._file.path.unlink()
    before = again.recordings["worm 1"]
    with pytest.raises(InputError, match="was deleted"):
        again.amend(before.replace(stimuli=old.stimuli), "edit stimuli")
    assert again.recordings["worm 1"] is before
    journal.close()


def test_edits_are_kept_at_home_where_the_folder_of_the_session_cannot_be_written(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = path.parent / "home"
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(home))
    journal_folder(path).write_text("")  # no folder can be made there
    journal = Journal.attach(load_session(path))
    assert journal.folder.parent == home / "journals" and not journal.read_only
    journal.session.name_neuron(8, "ASEL", recording="worm 1")
    crash(journal)
    session = load_session(path)
    journal = Journal.attach(session)
    assert journal.recover() == [] and "ASEL" in session.recordings["worm 1"].named
    journal.close()


def test_a_session_that_was_never_saved_says_so_where_home_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path))
    session, refused = Session(), []

    def refuse(self: object, **_: object) -> str:
        refused.append(self)
        raise InputError("the session's journal cannot be written")

    monkeypatch.setattr(SessionLock, "acquire", refuse)
    with pytest.raises(InputError, match="cannot be written"):
        Journal.attach(session)
    assert len(refused) == 1  # there is no other place to try
    assert session.journal is None


def test_a_correction_that_cannot_be_put_on_disk_is_not_made(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    journal._file.path.unlink()
    before, raw = session.recordings["worm 1"], session.raw.get("worm 1")
    with pytest.raises(InputError, match="was deleted"):
        session.add(before.replace(traces=before.traces * 2), replace=True, made="correct", raw=before.traces)
    assert session.recordings["worm 1"] is before and session.raw.get("worm 1") is raw
    journal.close()


def test_discarded_edits_are_kept_aside(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.name_neuron(8, "ASEL", recording="worm 1")
    crash(journal)
    journal = Journal.attach(load_session(path))
    journal.discard()
    journal.close()
    journal = Journal.attach(load_session(path))
    assert journal.pending == []
    assert len(list(journal_folder(path).glob("*.discarded"))) == 1
    journal.close()


def test_edits_that_do_not_fit_are_reported_not_forced(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.name_neuron(8, "ASEL", recording="worm 1")
    crash(journal)
    other = load_session(path)
    other.name_neuron(8, "ASER", recording="worm 1")
    journal = Journal.attach(other)
    ((lost, why),) = journal.recover()
    assert lost.edit.text == "name neuron 8 ASEL" and "does not fit" in why
    assert "ASER" in other.recordings["worm 1"].named
    journal.close()


def test_a_deleted_journal_refuses_edits(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    assert journal._file is not None
    journal._file.path.unlink()
    before = session.recordings["worm 1"]
    with pytest.raises(InputError, match="was deleted"):
        session.name_neuron(8, "ASEL", recording="worm 1")
    assert session.recordings["worm 1"] is before
    journal.close()


@settings(max_examples=60, deadline=None)
@given(
    records=st.lists(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=20)), max_size=5),
    cut=st.integers(0, 400),
    noise=st.binary(max_size=40),
)
def test_a_torn_or_overwritten_tail_never_changes_what_was_acknowledged(tmp_path_factory, records, cut, noise) -> None:
    path = tmp_path_factory.mktemp("j") / "edits-000001.log"
    file = JournalFile(path)
    for record in records:
        file.append(record)
    file.close()
    lines = [encode_line(r) for r in records]
    data = b"".join(lines)
    path.write_bytes(data[:cut] + noise)
    whole, size = 0, 0
    for line in lines:
        size += len(line)
        whole += size <= min(cut, len(data))
    found, left_out = read_records(path)
    assert found[:whole] == records[:whole]
    assert all(r in records for r in found)
    assert left_out >= 0


@pytest.mark.parametrize("at", ["start", "middle", "end"])
def test_every_flipped_bit_in_a_line_is_noticed(tmp_path: Path, at: str) -> None:
    line = encode_line({"n": 1, "edit": {"text": "name neuron 12 AVAL"}})
    position = {"start": 3, "middle": len(line) // 2, "end": len(line) - 2}[at]
    for bit in range(8):
        data = bytearray(line)
        data[position] ^= 1 << bit
        (tmp_path / "edits-000001.log").write_bytes(bytes(data))
        found, left_out = read_records(tmp_path / "edits-000001.log")
        # an upper-case digit of the checksum means the same
        assert (found == [] and left_out == len(line)) or data[:8].lower() == line[:8]


def with_results(journal: Journal, session: Session, source: Session, made: str) -> None:
    """Give a session the results of another one, as the docks do."""
    state = source.results()
    assert session.keep_results(state, made, kept=journal.write_results(state))
    session.take_results(state)


def test_results_of_a_session_that_was_never_saved_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path))
    source, session = make_session(), Session()
    journal = Journal.attach(session)
    for name, one in source.recordings.items():
        session.add(one, made=f"open {name}", action="open")
    with_results(journal, session, source, "analyze 2 worms")
    session.choose_rank(2)
    session.select(component=2)
    session.name_neuron(8, "ASEL", recording="worm 1")
    session.remove("worm 2", made="close worm 2")
    with_results(journal, session, source, "analyze again")
    session.select(component=2, kind="modules", level=0)
    assert len(list(journal.folder.glob("results-*.zip"))) == 1  # the newer ones hold all of them
    crash(journal)

    (found,) = find_recoverable()
    assert found.recordings == ("worm 1", "worm 2")
    again, journal, refused = reopen(found)
    assert refused == [] and list(again.recordings) == ["worm 1"]
    for part in ("recordings", "sweep", "components", "communities", "surrogates", "history", "settings", "selection"):
        same(getattr(again, part), getattr(session, part), part)
    assert again.components is again.sweep.components[3]
    crash(journal)  # and once more, from what the recovery wrote
    again, journal, refused = reopen(find_recoverable()[0])
    assert refused == []
    for part in ("components", "communities", "history", "selection"):
        same(getattr(again, part), getattr(session, part), part)
    journal.close()


def test_a_chosen_rank_comes_back_on_the_saved_results(tmp_path: Path) -> None:
    session = make_session()
    path = save_session(session, tmp_path / "s.zarr")
    session = load_session(path)
    journal = Journal.attach(session)
    session.choose_rank(2)
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    assert [lost.edit.text for lost in journal.pending] == ["choose rank 2"] and again.components.rank == 3
    assert journal.recover() == [] and again.components.rank == 2
    with pytest.raises(InputError, match="rank 7 was not tried"):
        again.choose_rank(7)
    journal.close()


def test_where_somebody_looked_comes_back_unless_the_session_was_saved_since(tmp_path: Path) -> None:
    path = save_session(make_session(), tmp_path / "s.zarr")
    session = load_session(path)
    journal = Journal.attach(session)
    session.set_current("worm 1")
    session.select(component=2)
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    assert journal.pending == []
    journal.show_again()
    assert (again.current, again.selection.component) == ("worm 1", 2)
    again.select(component=1)
    log = next(journal.folder.glob("edits-*.log")).read_bytes()
    save_session(again, path)
    crash(journal)
    (journal.folder / "edits-000099.log").write_bytes(log)  # killed between saving and emptying the journal
    again = load_session(path)
    again.selection = Selection(component=3)
    journal = Journal.attach(again)
    journal.show_again()
    assert again.selection.component == 3
    journal.close()


def test_results_made_while_a_save_runs_stay_in_the_journal(tmp_path: Path) -> None:
    source = make_session()
    path = save_session(source, tmp_path / "s.zarr")
    session = load_session(path)
    journal = Journal.attach(session)
    before = session.snapshot()
    with_results(journal, session, source, "analyze")
    journal.saved(path, before)
    other = tmp_path / "other.zarr"
    journal.saved(other, before)  # and in another place
    assert not journal_folder(path).exists()
    records = [r for log in journal.folder.glob("edits-*.log") for r in read_records(log)[0] if "edit" in r]
    assert [r["edit"]["text"] for r in records] == ["analyze"]
    assert (journal.folder / records[0]["results"]).is_file()
    crash(journal)


def test_files_that_were_only_opened_are_not_offered_after_a_usual_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path))
    session = Session()
    journal = Journal.attach(session)
    session.add(make_recording("worm 1", 0), made="open worm 1", action="open")
    folder = journal.folder
    assert list(folder.glob("base-*.zip"))
    journal.close()
    assert find_recoverable() == [] and not folder.exists()


def test_what_cannot_be_kept_is_shown_and_said(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    session, source = load_session(path), make_session()
    journal = Journal.attach(session)
    session.not_kept.connect(lambda what, why: said.append(f"{what}: {why}"))

    def full(*_: object) -> None:
        raise InputError("no space left")

    monkeypatch.setattr(JournalFile, "append", full)
    session.add(make_recording("worm 9", 9), made="open worm 9", action="open")
    assert not session.keep_results(source.results(), "analyze")
    session.remove("worm 9", made="close worm 9")
    assert said == [f"{what}: no space left" for what in ("open worm 9", "analyze", "close worm 9")]
    with pytest.raises(InputError, match="no space left"):
        session.name_neuron(8, "ASEL", recording="worm 1")
    crash(journal)


def test_a_read_only_window_opens_files_and_analyzes_and_claims_nothing(path: Path) -> None:
    first = Journal.attach(load_session(path))
    session = load_session(path)
    second = Journal.attach(session)
    assert second.read_only
    session.add(make_recording("worm 9", 9), made="open worm 9", action="open")
    assert not session.keep_results(make_session().results(), "analyze", kept=second.write_results(session))
    second.close()
    first.close()


def test_a_window_whose_session_was_taken_over_writes_nothing_more_and_says_who_has_it(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.name_neuron(8, "ASEL", recording="worm 1")
    mine = json.loads(journal.lock.file.read_text())
    theirs = {"pid": 77, "token": "theirs", "user": "ada", "host": "node-17", "place": "b pid:[1]", "machine": "m"}
    journal.lock.file.write_text(json.dumps(mine | theirs))
    for said in ("took the session over", "open in another window"):
        with pytest.raises(InputError, match=rf"{said} \(ada, process 77 on node-17"):
            session.name_neuron(8, "ASER", recording="worm 1")
    assert "ASEL" in session.recordings["worm 1"].named and journal.read_only
    before = {p: p.read_bytes() for p in journal.folder.iterdir()}
    journal.note_view({"zoom": 3.0})
    session.select(neurons=("ASEL",), component=1)
    session.touch("worm 1", rate="2 to 4 Hz")
    assert journal.write_results(session) == ""
    assert {p: p.read_bytes() for p in journal.folder.iterdir()} == before
    journal.close()
    assert json.loads((journal.folder / "lock").read_text())["token"] == "theirs"


def test_a_lock_that_was_only_removed_is_taken_again_at_the_next_edit(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    journal.lock.file.unlink()
    session.name_neuron(8, "ASEL", recording="worm 1")
    assert journal.lock.still_mine() and not journal.read_only
    journal.close()
    assert journal.write_results(session) == ""
    journal.note_view({"zoom": 3.0})
    assert not list(journal.folder.glob("results*"))


def test_what_was_corrected_and_what_was_looked_at_survive(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.touch("worm 1", labels=(3, 7), rate="2 to 4 Hz")
    session.touch("worm 2", labels=(1,))
    journal.note_view({"camera": {"zoom": 3.0, "center": (1.0, 2.0, 3.0)}})
    session.touch("worm 2", labels=None)
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    assert journal.view == {"camera": {"zoom": 3.0, "center": [1.0, 2.0, 3.0]}}
    assert again.touched == {}
    journal.show_again()
    assert again.touched == session.touched == {"worm 1": {"labels": (3, 7), "rate": "2 to 4 Hz"}}
    save_session(again, path)
    crash(journal)
    third = Journal.attach(load_session(path))  # what a saved state holds is not taken from an older log
    assert third.view == {} and third.touched == {}
    assert third.session.touched == again.touched
    third.close()


def test_notes_go_with_traces_that_were_extracted_again(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.touch("worm 1", labels=(3,))
    worm = session.recordings["worm 1"]
    session.add(worm.replace(traces=worm.traces * 2), replace=True, made="extract traces of worm 1", raw=worm.traces)
    assert session.touched == {}
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    assert journal.recover() == [] and again.touched == {}
    journal.close()


@pytest.mark.parametrize(
    "noted",
    [
        {"worm 1": [3]},
        {"worm 1": {"labels": "3"}},
        {"worm 1": {"labels": [True]}},
        {"worm 1": {"rate": 3}},
        {"gone": {}},
    ],
)
def test_damaged_notes_are_left_out(path: Path, noted: dict) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    journal._note(touched=noted)
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    journal.show_again()
    assert again.touched == {}
    journal.close()


def test_each_record_is_flushed_to_the_disk_before_it_is_acknowledged(path: Path, monkeypatch) -> None:
    flushed: list[tuple[int, int]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        real(descriptor)
        held = os.fstat(descriptor)
        flushed.append((held.st_ino, held.st_size))

    monkeypatch.setattr(os, "fsync", fsync)
    session = load_session(path)
    journal = Journal.attach(session)
    assert journal._file is not None
    for number in range(3):
        before = len(flushed)
        session.edit("worm 1", {1: {"note": str(number)}})
        now = journal._file.path.stat()
        assert (now.st_ino, now.st_size) in flushed[before:]  # all of it, the last byte too
    journal.close()


def test_what_was_undone_before_a_crash_can_be_done_again_after_it(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.edit("worm 1", {1: {"note": "first"}})
    session.edit("worm 1", {1: {"note": "second"}})
    session.undo()
    session.undo()
    session.redo()
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    assert journal.recover() == []
    assert again.recordings["worm 1"].neurons["note"].iloc[0] == "first"
    assert [len(again.done), len(again.undone)] == [len(session.done), len(session.undone)]
    assert again.redo() is not None
    assert again.recordings["worm 1"].neurons["note"].iloc[0] == "second"
    assert again.redo() is None
    journal.close()


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({}, True), ({"community": 0}, True), ({"component": 0}, False), ({"component": True}, False), ({"component": 1.0}, False), ({"level": -1}, False), ({"level": "0"}, False), ({"kind": 3}, False),
        ({"community": -1}, False), ({"community": "a"}, False), ({"more": 1}, False),
    ],
)  # fmt: skip
def test_what_a_log_says_is_looked_at_is_a_place_or_nothing(change, place) -> None:
    shown = {"component": 1, "kind": "core", "level": 0, "community": None}
    assert journal_module._is_place(shown | change) == place
    assert not journal_module._is_place({k: v for k, v in shown.items() if k != "level"})


@pytest.mark.parametrize(
    ("held", "notes"),
    [
        ({"labels": [1, 2], "voxel size": "a", "rate": "b", "x": 3}, {"labels": (1, 2), "voxel_size": "a", "rate": "b"}), ({}, {"labels": ()}), ({"labels": [True]}, None), ({"labels": "12"}, None),
        ({"rate": 3}, None), ([1], None), (None, None), ({"labels": (4,)}, {"labels": (4,)}),
    ],
)  # fmt: skip
def test_notes_that_a_log_holds_are_notes_or_nothing(held, notes) -> None:
    assert journal_module._notes(held) == notes


def test_damaged_records_of_edits_are_counted_and_the_others_offered(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.name_neuron(8, "ASEL", recording="worm 1")
    session.leave_out("worm 1")
    assert journal._file is not None
    good = next(r for r in read_records(journal._file.path)[0] if "edit" in r)
    for change in (
        {"n": "x"},
        {"edit": 3},
        {"edit": good["edit"] | {"recording": 5}},
        {"edit": good["edit"] | {"changes": [[1, "name"]]}},
        {"edit": {}},
    ):
        journal._file.append(good | change)
    journal._file.append({k: v for k, v in good.items() if k != "n"})
    journal._file.append({"seen": 1})
    crash(journal)
    again = load_session(path)
    journal = Journal.attach(again)
    assert [lost.edit.text for lost in journal.pending] == [
        e.text for e in session.history[-2:]
    ] and journal.left_out == 6
    assert [lost.position for lost in journal.pending] == [len(session.history) - 2, len(session.history) - 1]
    assert journal.recover() == [] and again.left_out == session.left_out
    journal.close()


def test_logs_of_edits_that_do_not_fit_are_kept_and_those_that_were_done_are_removed(path: Path) -> None:
    session = load_session(path)
    journal = Journal.attach(session)
    session.name_neuron(8, "ASEL", recording="worm 1")
    session.add(session.recordings["worm 1"], replace=True, made="extract")
    base = [p.name for p in journal.folder.glob("base-*.zip")]
    crash(journal)
    for refused in (True, False):
        again = load_session(path)
        if refused:
            again.edit("worm 1", {8: {"name": "AWCL"}})
        journal = Journal.attach(again)
        old = [p.name for p in journal._old]
        assert len(old) == 1 and (journal.folder / base[0]).exists()
        if not refused:
            continue
        (journal.folder / "keep.zip").write_bytes(b"")
        lost = journal.recover()
        assert [one.edit.text for one, _ in lost] == ["name neuron 8 ASEL"] and "does not fit" in lost[0][1]
        assert [p.name for p in journal.folder.glob("*.discarded")] == [old[0].replace(".log", ".discarded")]
        assert not (journal.folder / old[0]).exists() and journal.pending == []
        (journal.folder / old[0].replace(".log", ".discarded")).rename(journal.folder / old[0])
        journal._file.close()
        journal._file.path.unlink()
        journal.lock.release()
    assert journal.recover() == [] and not (journal.folder / old[0]).exists()
    records = [r for log in journal.folder.glob("edits-*.log") for r in read_records(log)[0]]
    used = {r["base"] for r in records if "base" in r}
    assert {p.name for p in journal.folder.glob("base-*.zip")} == used and (journal.folder / "keep.zip").exists()
    (journal.folder / "keep.zip").unlink()
    journal.close()


def test_a_community_that_was_looked_at_is_shown_again_where_there_is_one(tmp_path: Path) -> None:
    path = save_session(make_session(), tmp_path / "s.zarr")
    for level, shown in ((0, True), (99, False)):
        session = load_session(path)
        journal = Journal.attach(session)
        kind = next(k for c, k in session.communities if c == 1)
        session.select(component=1, kind=kind)
        assert session.shown_communities is not None
        level = min(level, session.shown_communities.n_levels)
        session.select(level=level, community=1)
        crash(journal)
        again = load_session(path)
        again.selection = Selection(component=2, kind=kind, level=7)
        journal = Journal.attach(again)
        journal.show_again()
        assert again.selection.component == 1
        assert (again.selection.level == level and again.selection.community == 1) == shown
        journal.close()
    again.select(component=1)
    journal.shown = {"component": again.components.rank + 1, "kind": "core", "level": 0, "community": None}
    journal.show_again()
    assert again.selection.component == 1
    journal.shown = {"component": again.components.rank, "kind": "core", "level": 0, "community": None}
    journal.show_again()
    assert again.selection.component == again.components.rank


def test_what_is_looked_at_while_a_save_runs_is_noted_after_it(tmp_path: Path) -> None:
    path = save_session(make_session(), tmp_path / "s.zarr")
    session = load_session(path)
    journal = Journal.attach(session)

    def noted() -> list[str]:
        assert journal._file is not None
        return [k for r in read_records(journal._file.path)[0] for k in ("shown", "touched") if k in r]

    journal.saved(path, session.snapshot())
    assert noted() == []
    before = session.snapshot()
    session.select(component=2)
    session.touch("worm 1", rate="1 to 2 Hz")
    journal.saved(path, before)
    assert noted() == ["shown", "touched"]
    assert len(list(journal.folder.glob("edits-*.log"))) == 1
    journal.close()
    assert not journal.folder.exists()


def test_only_folders_of_journals_alone_are_removed(tmp_path: Path) -> None:
    for extra, gone in (
        (None, True),
        ("edits-000001.log", True),
        ("base-1.zip", True),
        (".lock.x", True),
        ("mine.txt", False),
        ("edits-1.log", False),
    ):
        folder = tmp_path / "j"
        folder.mkdir(exist_ok=True)
        (folder / "lock").write_text("")
        if extra:
            (folder / extra).write_text("")
        journal_module._remove_if_ours(folder)
        assert folder.exists() != gone
        if not gone:
            (folder / str(extra)).unlink()


def test_journals_of_programs_that_ended_are_found_the_newest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DYNAMIC_CONNECTOME_CACHE", str(tmp_path))
    made = []
    for number in range(3):
        session = Session()
        journal = Journal.attach(session)
        if number < 2:
            one = make_session(results=False).recordings["worm 1"]
            session.add(one, made="open worm 1", action="open")
            session.name_neuron(8, f"ASE{'LR'[number]}", recording="worm 1")
        crash(journal)
        made.append((session, journal.folder))
    running = Journal.attach(Session())
    found = find_recoverable()
    assert [f.folder for f in found] == [made[1][1], made[0][1]] and all(
        f.edits == 2 and f.recordings == ("worm 1",) for f in found
    )
    assert not made[2][1].exists() and running.folder.exists()  # nothing to lose, and nothing lost
    assert journal_module.base_session(found[0]).uid == made[1][0].uid
    journal_module.throw_away(found[0])
    assert [f.folder for f in find_recoverable()] == [made[0][1]] and list(made[1][1].glob("*.discarded"))
    running.close()
