"""The page "What is read, and what is asked": which test shows each of its lines."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "pages" / "readings.md").read_text("utf-8")
READ, SAID = "io/test_readings.py", "io/test_silent_science.py"
NEURONS, RECORDING = "model/test_neurons.py", "model/test_recording.py"
SUITE2P, GEFF, CENTRES = "io/formats/test_suite2p.py", "io/formats/test_geff.py", "io/formats/test_centres.py"
SHAPE = "io/formats/test_table_shape.py"
COLUMNS = "io/formats/test_worm_columns.py"
CLI, SHEET, FORMATS = "cli/test_reading.py", "widgets/workspace/test_import_sheet.py", "io/formats/"

ROWS = {
    # names of neurons
    "`VB01`, `vb1`, `VB1`": f"{NEURONS}::test_a_text_from_a_file_is_read_as_a_name_by_one_rule",
    "`ava l`, `AVA_L`, `left AVA`": f"{NEURONS}::test_a_text_from_a_file_is_read_as_a_name_by_one_rule",
    "`AWCON`, `AWC-OFF`, `AWCOF`": f"{READ}::test_names_that_say_no_side_are_counted",
    "`AWCL(ON)`": f"{NEURONS}::test_a_text_from_a_file_is_read_as_a_name_by_one_rule",
    "`AVA` (a class)": f"{NEURONS}::test_a_text_from_a_file_is_read_as_a_name_by_one_rule",
    "`AVAL?`, `RIML (?)`, `AVAL or AVEL`, `AVL-alt`": f"{READ}::test_an_unsure_name_is_kept_as_a_note_and_comes_back_so",
    "`1`, `n12`, `neuron_3`, `Unnamed 5`, `cell7`, `X6`, `0.25`": f"{READ}::test_headers_that_name_no_neuron_are_never_matched_across_worms",
    "`M1`, `M2`, ... `M30` in one file": f"{NEURONS}::test_a_numbered_series_is_no_set_of_neurons_even_where_some_are",
    "`hmc`, `CEPshDL`, `pm4VL`, other cells": f"{NEURONS}::test_a_text_from_a_file_is_read_as_a_name_by_one_rule",
    "two spellings of one neuron in one file": f"{RECORDING}::test_two_spellings_of_one_neuron_are_one_name_given_twice",
    # tables
    "a header of time in any spelling": f"{READ}::test_a_time_column_is_known_however_it_is_spelled",
    "two columns called like a time": f"{READ}::test_which_column_is_the_time_can_be_said",
    "times, and a rate that contradicts them by more than a tenth": f"{READ}::test_a_rate_that_contradicts_the_times_is_refused",
    "an index of fractions and a rate": f"{READ}::test_an_index_of_seconds_is_no_index_of_frames",
    "an index of whole numbers and a rate": f"{READ}::test_an_index_of_seconds_is_no_index_of_frames",
    "a column under no neuron's name that rises by the same step in every row": f"{READ}::test_a_column_that_counts_like_a_clock_is_asked_about",
    "commas, semicolons, tabs, bars or spaces": f"{SHAPE}::test_tables_that_say_all_are_read_without_a_question",
    "decimal commas, signs between thousands": f"{SHAPE}::test_what_cannot_be_told_apart_is_refused_by_one_line",
    "titles, settings, comments": f"{SHAPE}::test_tables_that_say_all_are_read_without_a_question",
    "a second row of the header": f"{SHAPE}::test_what_was_left_out_is_said",
    "a row a neuron, a column a time or frame": f"{SHAPE}::test_tables_without_times_ask_for_the_rate_and_are_read_with_it",
    "a header with one name less than the rows": f"{SHAPE}::test_tables_without_times_ask_for_the_rate_and_are_read_with_it",
    "times of day": f"{SHAPE}::test_times_of_day_and_dates",
    "`#N/A`, `#NV`, `NaN`, an empty cell": f"{SHAPE}::test_missing_values_of_spreadsheets",
    "a first line of numbers": f"{READ}::test_a_first_line_of_numbers_is_a_sample",
    "tracks with `track_id` and the id of every point": f"{READ}::test_in_a_table_of_tracks_the_track_is_the_neuron_not_the_point",
    "two columns that could be the neuron, and differ": f"{READ}::test_in_a_table_of_tracks_the_track_is_the_neuron_not_the_point",
    "a header of several rows (pandas, merged cells)": f"{READ}::test_of_several_signals_in_a_header_of_two_rows_one_is_asked_for",
    "a header of several rows, in only one of which columns differ": f"{READ}::test_rows_of_a_header_that_say_one_thing_are_no_question",
    "tracked points of DeepLabCut": f"{READ}::test_points_of_deeplabcut_are_behaviour_not_neurons",
    "labelled pictures that DeepLabCut was trained on": f"{READ}::test_what_deeplabcut_writes_beside_its_points_is_called_what_it_is",
    "several worms in one file": f"{READ}::test_worm_and_labelled_only_apply_to_every_format",
    "a column `worm`, `animal` or `recording`": f"{COLUMNS}::test_a_column_of_worms_splits_wide_and_long_tables_alike",
    "a column `trial`, `session`, `plate`": f"{COLUMNS}::test_trials_are_asked_about_and_a_clock_that_starts_again_cannot_be_one_recording",
    "`strain`, `condition`, `sex`": f"{COLUMNS}::test_texts_that_change_become_channels_or_are_left_out_never_neurons",
    "`speed`, `stimulus`, `LED`": f"{COLUMNS}::test_numbers_that_are_no_neuron_by_name_are_asked_about",
    "rows with fewer cells than the header": f"{SAID}::test_a_row_that_is_too_short_is_said_and_a_column_without_a_name_is_no_index",
    "a column without a name": f"{SAID}::test_a_row_that_is_too_short_is_said_and_a_column_without_a_name_is_no_index",
    # suite2p
    "one plane": f"{SUITE2P}::test_neuropil_is_subtracted_or_read_only_where_it_is_asked_for",
    "several planes, `combined`": f"{SUITE2P}::test_of_several_planes_one_is_chosen_not_taken",
    "`iscell` ||": f"{SUITE2P}::test_a_plane_is_read_from_wherever_it_is_pointed_at",
    "`fs` in `ops.npy` or `settings.npy`": f"{SUITE2P}::test_a_rate_that_is_nowhere_is_asked",
    "`stat`": f"{SUITE2P}::test_of_several_planes_one_is_chosen_not_taken",
    "files of objects (pickles)": f"{SUITE2P}::test_a_pickle_that_holds_more_than_data_is_refused_and_not_run",
    # tracks
    "GEFF": f"{GEFF}::test_the_numbers_of_the_file_are_kept_where_they_say_the_same",
    "btrack in HDF5": f"{CENTRES}::test_tracks_of_btrack_are_centres",
    "points that napari saved": f"{CENTRES}::test_points_that_napari_saved_are_centres_where_a_feature_says_who_is_who",
    "a table of centres that is opened in napari": "widgets/workspace/test_open_files.py::test_units_and_radius_of_centres_are_asked_for_and_used",
    "axes with a unit of length": f"{GEFF}::test_axes_in_length_are_micrometres_and_say_so",
    "times that are whole": f"{GEFF}::test_even_times_are_frames_and_others_are_refused",
    "a track that divides": f"{GEFF}::test_a_track_that_divides_is_refused",
    "a Tracks layer of another plugin": "widgets/viewer/test_track_layers.py::test_tracks_in_micrometres_and_seconds_are_where_they_are_seen",
    # ranked names
    "`label, name, probability`": f"{FORMATS}test_candidates.py::test_every_layout_says_the_same",
    "percentages": f"{FORMATS}test_candidates.py::test_every_layout_says_the_same",
    "scores below 0": f"{FORMATS}test_candidates.py::test_what_is_no_probability_is_refused",
    "names of no neuron, names that another neuron has": f"{FORMATS}test_candidates.py::test_candidates_meet_the_labels_and_given_names_are_left_out",
    # NWB, MATLAB, NumPy, HDF5
    "several sets of traces": f"{READ}::test_several_signals_of_an_nwb_are_asked_for_and_each_can_be_had",
    "`iscell`, `accepted`": f"{READ}::test_regions_that_are_no_cells_are_rejected",
    "`invalid_times`": f"{READ}::test_invalid_times_are_missing_and_interrupt",
    "grid spacing in any unit of length": f"{READ}::test_units_of_an_nwb_grid_go_through_the_one_table_of_units",
    "a conversion factor of 0 or NaN": f"{READ}::test_a_conversion_that_leaves_nothing_is_refused",
    "`IDs`, `timeVectorSeconds`": f"{READ}::test_names_under_another_field_are_found_or_asked_for",
    "no field called traces, but arrays of two axes": f"{READ}::test_fields_of_two_axes_are_asked_for_where_none_is_called_traces",
    "a field with a text for each neuron, none called names": f"{READ}::test_names_under_another_field_are_found_or_asked_for",
    "fields that are not used": f"{READ}::test_names_under_another_field_are_found_or_asked_for",
    "traces, times or rates under two names": f"{SAID}::test_fields_that_contradict_each_other_are_asked_about_or_refused",
    "times, and a rate that contradicts them by more than a tenth; several rates": f"{SAID}::test_fields_that_contradict_each_other_are_asked_about_or_refused",
    "names for another number of neurons": f"{SAID}::test_fields_that_contradict_each_other_are_asked_about_or_refused",
    "an `.npy` of two axes": f"{READ}::test_a_bare_npy_asks_for_its_axes_and_rate",
    "HDF5 with one array of two axes": f"{READ}::test_traces_of_an_hdf5_file_find_their_clock_or_ask",
    "results of CaImAn": f"{READ}::test_results_of_caiman_give_accepted_components_and_rate",
    "tables that pandas stored": f"{READ}::test_a_table_of_pandas_in_hdf5_is_read_like_its_csv",
    "Excel, JSON, nested structs of MATLAB": f"{READ}::test_a_file_of_another_program_is_called_what_it_is",
    # images and labels
    "a TIFF with one image a frame, all alike": f"{READ}::test_a_recording_written_frame_by_frame_is_all_frames",
    "a TIFF whose images differ": f"{READ}::test_images_of_other_shapes_are_to_be_chosen_from",
    "an OME-TIFF in several files of which some are absent": f"{READ}::test_an_absent_file_of_an_ome_tiff_is_named_not_read_as_zeros",
    'more than six "channels"': f"{READ}::test_planes_called_ch_are_asked_about_when_there_are_many",
    "labels with several channels": f"{CLI}::test_labels_with_channels_are_asked_for_in_the_words_of_the_command",
    "labels whose first axis the file calls samples of a colour": f"{READ}::test_labels_with_channels_or_samples_are_asked_about",
    "labels of an OME-Zarr that are listed twice": f"{READ}::test_labels_that_are_listed_twice_are_there_once",
    "an OME-Zarr without labels, given as labels": f"{CLI}::test_an_ome_zarr_of_labels_alone_is_taken_where_it_is_said_so",
    "an OME-Zarr of version 0.6": "io/volumes/test_omezarr.py::test_images_of_ngff_06_have_axes_scale_and_units",
    "several labels in an OME-Zarr": f"{CLI}::test_several_labels_of_an_ome_zarr_are_asked_for_by_a_flag_that_is_there",
    "chunks of an OME-Zarr image that are not there": f"{SAID}::test_a_chunk_that_is_not_there_is_counted_and_nan",
    "times of traces under a name that says no unit": f"{SAID}::test_times_in_minutes_that_read_as_a_rate_are_asked_about",
    "the same where, in seconds, a stimulus begins after": f"{SAID}::test_a_stimulus_after_the_end_of_the_times_says_that_they_are_minutes",
    "times that say no unit and take more than a day": f"{SAID}::test_milliseconds_that_read_as_days_are_asked_about",
    "`time_s`, `Time (sec)`; times beside a rate": f"{SAID}::test_a_header_that_says_seconds_is_believed",
    "times that would give a rate no recording has": f"{SAID}::test_times_in_another_unit_are_asked_about",
}  # fmt: skip
"""How a row begins -> the test that shows what it says; "||" ends the first cell."""

SENTENCES = {
    "One rule for every format, at `Recording`": f"{READ}::test_two_labs_spellings_are_one_neuron_in_csv_npz_and_mat",
    '`names="as written"` treats every header as a name all the same': f"{READ}::test_headers_that_name_no_neuron_are_never_matched_across_worms",
    "Files that this package wrote hold names that a person has decided on": f"{READ}::test_an_unsure_name_is_kept_as_a_note_and_comes_back_so",
    "a flag of every command that reads traces": f"{CLI}::test_every_option_of_a_reader_is_a_flag_of_every_command_that_reads",
    "Messages name the flag": f"{CLI}::test_the_message_names_the_flag_and_the_flag_settles_it",
    "`open` gives each file those that concern it": f"{CLI}::test_flags_for_several_files_go_to_those_that_they_concern",
    "`open` and `validate` take them for images, too": f"{CLI}::test_flags_of_images_settle_what_validate_asks",
    "`extract` has flags of its own for image and labels": f"{CLI}::test_labels_have_flags_of_their_own",
    "each for the files that fit its pattern; later ones win": "pipeline/test_reading_options.py::test_files_are_told_apart_by_patterns_and_the_last_one_wins",
    "it also tells what any other file is": "pipeline/test_reading_options.py::test_validate_says_what_a_file_is",
    "napari shows one import sheet": f"{SHEET}::test_images_ask_in_the_same_sheet_as_traces",
    "An answer is tried at once, for all files that ask the same": f"{SHEET}::test_one_answer_is_taken_for_all_that_ask_the_same",
    "the sheet shows what was read: traces of a few neurons": f"{SHEET}::test_the_sheet_shows_the_traces_as_they_are_read",
    "or a plane of an image": f"{SHEET}::test_a_plane_of_an_image_is_shown_unless_reading_it_takes_long",
    "files that cannot be read are left out": f"{SHEET}::test_files_that_are_chosen_together_share_one_sheet",
    "Answers are kept for the next import": f"{SHEET}::test_answers_are_kept_for_files_that_ask_the_same",
    "lists them and forgets them": f"{SHEET}::test_kept_answers_are_shown_and_can_be_forgotten",
    "Layers of other plugins whose axes are not said": "widgets/workspace/test_open_files.py::test_axes_and_channel_of_a_foreign_layer_are_asked_for_once",
    "A folder of CSV files is a cohort": "pipeline/test_reading_options.py::test_a_folder_of_csv_files_is_a_cohort",
}  # fmt: skip
"""A piece of a sentence -> the test that shows it."""


@cache
def functions(file: str) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", (TESTS / file).read_text("utf-8"), re.MULTILINE))


def rows() -> list[str]:
    found = [line for line in PAGE.splitlines() if line.startswith("| ")]
    heads = {i - 1 for i, line in enumerate(found) if line.startswith("| ---")}
    return [line[2:] for i, line in enumerate(found) if i not in heads and not line.startswith("| ---")]


def shown_by(row: str) -> list[str]:
    """Return the claims that a row begins with, the longest first."""
    ends = row.replace(" |", " ||", 1)
    return sorted((claim for claim in ROWS if row.startswith(claim) or ends.startswith(claim)), key=len)[::-1]


def test_every_row_of_the_page_has_a_test() -> None:
    assert [row for row in rows() if not shown_by(row)] == []
    used = [shown_by(row)[0] for row in rows()]
    assert sorted(used) == sorted(ROWS), set(ROWS) ^ set(used)  # each claim stands for one row, and is there still


def test_every_sentence_that_is_named_is_on_the_page() -> None:
    flat = " ".join(PAGE.split())
    assert [piece for piece in SENTENCES if piece not in flat] == []


def test_the_tests_that_are_named_are_there() -> None:
    named = [*ROWS.values(), *SENTENCES.values()]
    assert [t for t in named if t.partition("::")[2] not in functions(t.partition("::")[0])] == []


def test_every_option_that_the_page_gives_in_python_is_one() -> None:
    from napari_dynamic_connectome.pipeline.settings import ReadingSettings, VolumeInput

    given = set(re.findall(r"`(\w+)=", PAGE))
    assert {"signal", "dataset", "fields", "axes", "rate_hz", "channel", "time_unit"} <= given
    assert given <= set(ReadingSettings.model_fields) | set(VolumeInput.model_fields)
