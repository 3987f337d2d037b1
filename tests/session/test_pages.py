"""What session.md and promises.md say, sentence by sentence: which test shows it, and that numbers and names there are those of today."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.session.session_sample import make_session

from napari_dynamic_connectome.model.log import KEPT, MAX_BYTES
from napari_dynamic_connectome.model.memory import SHARE
from napari_dynamic_connectome.model.recording import MAX_NAME_LENGTH
from napari_dynamic_connectome.session import codec, lock, store
from napari_dynamic_connectome.session.edits import MAX_NOTE_LENGTH
from napari_dynamic_connectome.session.save_load import save_session
from napari_dynamic_connectome.session.schema import SCHEMA_VERSION

TESTS = Path(__file__).parents[1]
PAGES = TESTS.parent / "docs" / "pages"
SESSION, PROMISES = (PAGES / "session.md").read_text("utf-8"), (PAGES / "promises.md").read_text("utf-8")
HERE = "session/test_pages.py"

CLAIMS = {
    # session.md
    "A session is everything you have open": "session/test_save_load.py::test_a_session_comes_back_to_the_last_bit",
    "Results come back to the last bit, and with them the undo history": "integration/test_windows.py::test_a_session_is_saved_edited_recovered_and_saved_again",
    "the traces before correction, the worms that were left out": "session/test_journal.py::test_corrections_and_worms_left_out_come_back_and_can_be_undone",
    "what the viewer showed: camera, time, colours, contrast": "widgets/workspace/test_recovery.py::test_reopening_a_session_gives_the_same_picture",
    "seen from its own folder, so a folder with images and session can be moved": "session/test_save_load.py::test_images_are_found_by_relative_path",
    "takes their new place (`relink`)": "widgets/workspace/test_recovery.py::test_moved_images_are_noticed_and_found_again",
    "or accepts a changed image": "widgets/workspace/test_recovery.py::test_another_image_under_the_same_name_is_not_taken_by_mistake",
    "for all others (links that lead out": "widgets/workspace/test_recovery.py::test_images_outside_of_a_session_are_opened_only_if_the_user_says_so",
    "Images of other machines are not even looked at": "session/test_save_load.py::test_a_session_that_names_a_pipe_or_a_network_path_blocks_nothing",
    "Pipes, sockets and devices are never opened": "session/test_save_load.py::test_a_pipe_is_refused_in_one_line_by_every_reader",
    "All of this happens beside the window": "widgets/workspace/test_recovery.py::test_images_are_opened_beside_the_gui_thread_and_what_never_answers_is_not_waited_for",
    "attributes of the root group": f"{HERE}::test_the_parts_of_a_session_are_those_on_the_page",
    "all text, tables and settings, and where each array is": "session/test_save_load.py::test_any_zarr_library_reads_the_arrays_and_json_the_rest",
    "named after the hash of its content": "session/test_save_load.py::test_changed_bytes_are_noticed",
    "copies of traces and results under names": "session/test_in_xarray.py::test_components_have_names_dimensions_and_coordinates",
    "`session.json` holds these keys": f"{HERE}::test_the_parts_of_a_session_are_those_on_the_page",
    "What JSON cannot say is an object with one reserved key": f"{HERE}::test_reserved_keys_are_those_on_the_page",
    "Without this package, in any language that has zarr and JSON": f"{HERE}::test_the_code_of_the_page_reads_the_traces",
    "A new store is written beside the old one": "soak/test_short.py::test_killed_while_editing_and_saving",
    "A folder or file that is not a session is never replaced": "session/test_save_load.py::test_other_things_are_not_replaced",
    "or saved it since you opened it, saving is refused": "session/test_save_load.py::test_a_session_that_another_window_saved_is_not_overwritten",
    "In napari every edit is on disk before it shows": "widgets/workspace/test_recovery.py::test_every_edit_is_on_disk_before_it_shows",
    "So are recordings that were opened or closed": "widgets/workspace/test_on_disk_when.py::test_what_the_window_shows_as_done_is_on_disk",
    "(within three seconds)": f"{HERE}::test_the_view_is_noted_as_often_as_the_pages_say",
    "**Bring back**": "widgets/workspace/test_recovery.py::test_edits_that_were_not_saved_are_offered_when_the_session_is_opened",
    "(they are kept in files beside it)": "session/test_journal.py::test_discarded_edits_are_kept_aside",
    "is offered at the next start of the docks": "widgets/workspace/test_recovery.py::test_work_that_was_never_saved_is_offered_and_comes_back",
    "opens read-only, says so at the top of the docks": "widgets/workspace/test_recovery.py::test_a_second_window_is_read_only_says_so_and_cannot_save_over_the_first",
    "an edit that cannot be put on disk is not made": "session/test_journal.py::test_a_correction_that_cannot_be_put_on_disk_is_not_made",
    "with a warning, and the finished fits stay": "widgets/workspace/test_recovery.py::test_results_that_cannot_be_kept_show_with_a_warning_and_their_fits_stay",
    "files that were only opened and looked at are not offered again": "session/test_journal.py::test_files_that_were_only_opened_are_not_offered_after_a_usual_end",
    "The same from Python": "session/test_journal.py::test_edits_of_a_crashed_window_come_back_with_their_undo_history",
    "Each line of its logs carries a checksum": "session/test_journal.py::test_every_flipped_bit_in_a_line_is_noticed",
    "lists what sessions that were never saved left behind": "session/test_journal.py::test_edits_of_a_session_that_was_never_saved_come_back",
    "but for edits that were made while it ran": "session/test_save_load.py::test_edits_made_while_a_session_is_saved_stay_in_the_journal",
    "on which machine and since when": "session/test_lock.py::test_a_held_lock_is_touched_and_says_who_and_since_when",
    "also after a restart of the machine": "session/test_lock.py::test_a_machine_that_was_started_again_has_none_of_its_processes",
    "or under another name of it": "session/test_lock.py::test_a_machine_that_got_another_name_knows_its_own_processes",
    "in another container lives cannot be asked": "session/test_lock.py::test_a_container_of_the_same_name_counts_processes_differently",
    "say so and offer **Take over**": "widgets/workspace/test_recovery.py::test_a_session_of_a_silent_machine_is_taken_over_by_a_button",
    "is touched is never taken over": "session/test_lock.py::test_another_machine_has_it_as_long_as_its_lock_is_touched",
    "The schema has a number": f"{HERE}::test_numbers_on_the_pages_are_those_of_the_code",
    "Older ones are refused with what to do": "session/test_save_load.py::test_an_older_schema_is_refused_with_what_to_do",
    "newer ones are refused": "session/test_save_load.py::test_a_newer_schema_is_refused_with_what_to_do",
    "open a session that was saved some time ago": "session/test_save_load.py::test_a_session_that_was_saved_some_time_ago_opens",
    "keeps what is finished in `checkpoints/`": "pipeline/test_resume.py::test_a_stopped_run_goes_on_and_gives_the_same",
    "make it begin again where they matter": "pipeline/test_resume.py::test_a_stage_is_done_again_when_a_setting_that_it_depends_on_was_changed",
    "The docks keep as much in the cache folder": "widgets/docks/test_recording_dock.py::test_a_cancelled_extraction_goes_on_where_it_was",
    "never more than half of the memory that is free": f"{HERE}::test_numbers_on_the_pages_are_those_of_the_code",
    "What cannot fit is refused before it begins": "model/test_memory.py::test_extraction_affinity_and_factorization_say_that_they_cannot_fit",
    "Which memory there is changes no result": "factorization/test_oracles.py::test_every_storage_gives_the_same_products",
    "write one log of at most 1 MB": "model/test_log.py::test_the_log_rotates",
    "folders, your login name and the name of the computer are removed": "widgets/workspace/test_recovery.py::test_a_problem_report_is_written_without_private_paths",
    "the bytes that are there are counted before memory is taken": "session/test_save_load.py::test_a_declared_size_that_is_not_stored_is_refused_before_memory_is_taken",
    "names that lead out of the session are refused": "session/test_save_load.py::test_links_and_paths_out_of_the_session_are_refused",
    "other zarr codecs": "session/test_save_load.py::test_no_other_codec_is_ever_run",
    # promises.md
    "An edit that shows is on disk": "soak/test_short.py::test_killed_in_a_session_that_was_never_saved",
    "Results that show are on disk": "session/test_journal.py::test_results_of_a_session_that_was_never_saved_come_back",
    "Two programs never write at one place": "cli/test_other_commands.py::test_two_commands_do_not_write_at_one_place",
    "A session that was saved can be opened": "soak/test_short.py::test_faults",
    "A run without enough memory ends": "soak/test_short.py::test_a_run_without_memory_says_so_and_leaves_nothing",
    "Nothing is half-written": "soak/test_short.py::test_exports",
    "A damaged journal costs no more": "soak/test_short.py::test_torn_journals",
    "Two windows never overwrite each other silently": "session/test_journal.py::test_the_second_window_is_read_only_and_cannot_save_over_the_first",
    "gives the same picture": "widgets/workspace/test_recovery.py::test_reopening_a_session_gives_the_same_picture",
    "A run that is stopped goes on, does nothing twice": "soak/test_short.py::test_runs_that_are_killed_go_on_and_give_the_same",
    "A step that is cancelled ends within a second": "integration/test_cancel.py::test_a_cancel_ends_a_step_at_the_next_piece",
    "Nothing is started that cannot fit into memory": "model/test_memory.py::test_extraction_affinity_and_factorization_say_that_they_cannot_fit",
    "A file from elsewhere is read or refused": "soak/test_short.py::test_corpus_and_a_moment_of_fuzzing",
    "A file that is odd is read right or refused": "soak/test_short.py::test_odd_inputs_are_read_right_or_refused_in_a_line",
    "A report runs nothing and asks for nothing": "report/test_html_in_browser.py::test_a_hostile_session_is_only_text_and_asks_for_nothing",
    "The viewer does not hang, crash": "soak/test_short.py::test_random_clicks",
    "A problem report holds no private paths": "model/test_log.py::test_private_folders_are_removed_and_file_names_stay",
    "Files of the user stay as they are": "io/test_ownership.py::test_no_command_writes_into_a_folder_of_the_user",
    "A test does these steps in the real window": "widgets/workspace/test_on_disk_when.py::test_the_page_lists_these_steps",
    "Camera, colours and contrast follow within three seconds": "session/test_journal.py::test_what_was_corrected_and_what_was_looked_at_survive",
}  # fmt: skip
"""A piece of a sentence on one of the pages -> the test that shows what it says."""


def flat(text: str) -> str:
    return " ".join(text.split())


@cache
def functions(file: str) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", (TESTS / file).read_text("utf-8"), re.MULTILINE))


def paragraphs(page: str) -> list[str]:
    """Every paragraph, bullet and row of a page, but for headings, code, and tables that are made by scripts."""
    page = re.sub(r"% begin (.*?)\n.*?% end \1\n", "", page, flags=re.DOTALL)
    page = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    page = page.partition("The tests of the project run a short form")[
        0
    ]  # from there on: how they are run, and figures
    found: list[str] = []
    for block in re.split(r"\n\s*\n|\n(?=\* |\| )", page):
        text = flat(block)
        if text and not text.startswith(("#", "| ---", "| file |", "| key |", "| promise |")):
            found.append(text)
    return found


def test_every_claim_is_on_a_page_and_has_a_test() -> None:
    both = flat(SESSION) + " " + flat(PROMISES)
    assert [claim for claim in CLAIMS if claim not in both] == []
    gone = [t for t in CLAIMS.values() if t.partition("::")[2] not in functions(t.partition("::")[0])]
    assert gone == []


@pytest.mark.parametrize("page", [SESSION, PROMISES], ids=["session.md", "promises.md"])
def test_every_paragraph_of_the_pages_has_a_test(page: str) -> None:
    reserved = tuple(f"| `{key}`" for key in codec.RESERVED)  # rows of a table that has a test of its own
    bare = [t for t in paragraphs(page) if not any(c in t for c in CLAIMS) and not t.startswith(reserved)]
    assert bare == []


def test_the_parts_of_a_session_are_those_on_the_page(tmp_path: Path) -> None:
    path = save_session(make_session(0), tmp_path / "s.zarr")
    said = flat(SESSION).partition("`session.json` holds these keys: ")[2].partition("`provenance` says")[0]
    said = re.sub(r"\[.*?\]\(.*?\)|\(.*?\)", "", said)
    assert set(re.findall(r"`(\w+)`", said)) == set(json.loads((path / "session.json").read_bytes()))
    row = next(line for line in SESSION.splitlines() if line.startswith("| `zarr.json` |"))
    named = set(re.findall(r"`(\w+)`", row.partition("|")[2].partition("|")[2]))
    attributes = json.loads((path / "zarr.json").read_bytes())["attributes"]
    assert named == set(attributes)


def test_reserved_keys_are_those_on_the_page() -> None:
    table = SESSION.partition("What JSON cannot say")[2].partition("Without this package")[0]
    keys = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    assert {word for key in keys for word in re.findall(r"`(\w+)`", key)} == set(codec.RESERVED)


def test_the_code_of_the_page_reads_the_traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = make_session(0)
    save_session(session, tmp_path / "work.zarr")
    monkeypatch.chdir(tmp_path)
    code = SESSION.partition("import json, zarr")[2].partition("```")[0]
    held: dict[str, object] = {}
    exec("import json, zarr" + code, held)
    np.testing.assert_array_equal(held["traces"], session.recordings["worm 1"].traces.values)


def test_numbers_on_the_pages_are_those_of_the_code() -> None:
    session = flat(SESSION)
    assert f"The schema has a number, now {SCHEMA_VERSION} " in session
    assert lock.BEAT_S == 20 and "touched every 20 seconds" in session
    assert lock.STALE_S == 180 and "was not touched for three minutes" in session
    assert store.MAX_JSON_BYTES == 256 << 20 and "`session.json` may have 256 MiB" in session
    assert store.MAX_TOTAL_BYTES == 64 << 30 and "the arrays 64 GiB together" in session
    assert store.GZIP_BYTES == 64 << 20 and "Arrays over 64 MiB are never compressed" in session
    assert (MAX_NAME_LENGTH, MAX_NOTE_LENGTH) == (200, 10_000)
    assert "A name may have 200 characters, a note 10,000" in session
    assert (MAX_BYTES, KEPT) == (1 << 20, 3) and "at most 1 MB (three older ones are kept)" in session
    assert SHARE == 0.5 and "never more than half of the memory that is free" in session


@pytest.mark.gui
def test_the_view_is_noted_as_often_as_the_pages_say() -> None:
    from napari_dynamic_connectome.widgets.workspace.recovery import LOOK_MS

    assert LOOK_MS == 3000 and "(within three seconds)" in flat(SESSION) and "within three seconds" in flat(PROMISES)
