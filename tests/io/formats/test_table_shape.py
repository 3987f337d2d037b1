"""The shape of tables as laboratories, spreadsheets and programs of microscopes write them: read right, or refused by one clear line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.formats import table_shape
from napari_dynamic_connectome.io.formats.text_tables import READ_AS, clock_texts, parse_table
from napari_dynamic_connectome.io.formats.turned_tables import turned
from napari_dynamic_connectome.io.registry import read_recording
from napari_dynamic_connectome.io.sniffing import table_kind
from napari_dynamic_connectome.model.errors import FormatError, InputError
from napari_dynamic_connectome.model.recording import Recording

N_TIMES, NAMES = 24, ["AVAL", "AVAR", "RIBL"]
TIMES = np.arange(N_TIMES) * 0.25
TRACES = np.random.default_rng(0).normal(1, 0.3, (N_TIMES, 3)).round(4)


def point(value: float) -> str:
    return f"{value:.4f}"


def comma(value: float) -> str:
    return point(value).replace(".", ",")


def quoted(value: float) -> str:
    return f'"{comma(value)}"'


def rows(separator: str, number=point, first=None, end: str = "", values: np.ndarray = TRACES) -> str:
    """Return the lines of samples: the time (or what `first` gives of the number of the row) and a value a neuron."""
    start = first or (lambda i: number(TIMES[i]))
    return "".join(separator.join([start(i), *map(number, row)]) + end + "\n" for i, row in enumerate(values))


def turned_rows(separator: str, number=point) -> str:
    return "".join(
        separator.join([name, *map(number, column)]) + "\n" for name, column in zip(NAMES, TRACES.T, strict=True)
    )


def put(tmp_path: Path, text: str, name: str = "w.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    return path


def check(recording: Recording, names: list[str] | None = NAMES) -> None:
    np.testing.assert_allclose(recording.traces.values, TRACES, atol=1e-9)
    np.testing.assert_allclose(recording.time_s, TIMES, atol=1e-9)
    if names is not None:
        assert recording.neurons["name"].tolist() == names


HEAD = "time,AVAL,AVAR,RIBL\n"
SEMI = HEAD.replace(",", ";")
TAB = HEAD.replace(",", "\t")
WHOLE = {
    "German export": SEMI + rows(";", comma),
    "with a mark and Windows ends of lines": "\ufeff" + (SEMI + rows(";", comma)).replace("\n", "\r\n"),
    "quoted numbers": SEMI + rows(";", quoted),
    "commas in quotes between commas": HEAD + rows(",", quoted),
    "tabs and decimal commas": TAB + rows("\t", comma),
    "spaces and decimal commas": HEAD.replace(",", " ") + rows(" ", comma),
    "bars": HEAD.replace(",", "|") + rows("|"),
    "commas and spaces": HEAD + rows(", "),
    "separator at the end": HEAD.replace("\n", ",\n") + rows(",", end=","),
    "separator at the end of rows alone": HEAD + rows(",", end=","),
    "two at the end": HEAD.replace("\n", ";;\n").replace(",", ";") + rows(";", comma, end=";;"),
    "rows of separators below": HEAD + rows(",") + ",,,\n,,,\n",
    "rows of separators above": ",,,\n,,,\n" + HEAD + rows(","),
    "the separator in the first line": "sep=;\n" + SEMI + rows(";", comma),
    "a title": "Worm 3, 2021-03-04\n" + HEAD + rows(","),
    "a title in a row of cells": "Worm 3;;;\n" + SEMI + rows(";", comma),
    "settings above": "Rate;4\nExposure;20 ms\n\n" + SEMI + rows(";", comma),
    "comments": "# exported by a program\n# rate 4 Hz\n" + HEAD + rows(","),
    "comments of Matlab": "% worm 3\n" + HEAD + rows(","),
    "header as a comment, spaces": "# " + HEAD.replace(",", " ") + rows(" "),
    "header as a comment": "# " + HEAD + rows(","),
    "a row of units": "Zeit;AVAL;AVAR;RIBL\ns;dF/F;dF/F;dF/F\n" + rows(";", comma),
    "a row of other units": HEAD + "ms,dF/F,dF/F,dF/F\n" + rows(",", first=lambda i: point(1000 * TIMES[i])),
    "an empty row of units": HEAD + ",,,\n" + rows(","),
    "numbers of the columns above": ",1,2,3\n" + HEAD + rows(","),
    "numbers of the columns below": HEAD + ",1,2,3\n" + rows(","),
    "names in the second row": "time,cell a,cell b,cell c\nname,AVAL,AVAR,RIBL\n" + rows(","),
    "classes in the second row": HEAD + "class,AVA,AVA,RIB\n" + rows(","),
    "names above separate codes": HEAD + "code,p q,r s,u v\n" + rows(","),
    "hours, minutes, seconds": HEAD + rows(",", first=lambda i: f"0:00:{TIMES[i]:05.2f}"),
    "dates": HEAD + rows(",", first=lambda i: f"2021-03-04T23:59:{55 + int(TIMES[i]):02d}.{int(TIMES[i] % 1 * 100):02d}0000"
                         if TIMES[i] < 5 else f"2021-03-05T00:00:{TIMES[i] - 5:09.6f}"),
    "a row a neuron, times": "time," + ",".join(map(point, TIMES)) + "\n" + turned_rows(","),
    "a row a neuron, neuron and time": "neuron/time_ms;" + ";".join(comma(1000 * t) for t in TIMES) + "\n" + turned_rows(";", comma),
}  # fmt: skip


@pytest.mark.parametrize("shape", WHOLE)
def test_tables_that_say_all_are_read_without_a_question(tmp_path: Path, shape: str) -> None:
    path = put(tmp_path, WHOLE[shape])
    check(read_recording(path))
    assert table_kind(path) == "traces"


RATE = {
    "no header, no times": "".join(";".join(map(comma, row)) + "\n" for row in TRACES),
    "no header, no times, spaces": "".join("  " + "  ".join(map(point, row)) + "\n" for row in TRACES),
    "no header, a separator at the end": "".join(",".join(map(point, row)) + ",\n" for row in TRACES),
    "times under no name": ",AVAL,AVAR,RIBL\n" + rows(","),
    "frames under no name": ",AVAL,AVAR,RIBL\n" + rows(",", first=str),
    "a header without the column of times": "AVAL,AVAR,RIBL\n" + rows(","),
    "a header without the column of frames": '"AVAL"\t"AVAR"\t"RIBL"\n' + rows("\t", first=lambda i: f'"{i}"'),
    "Frame #": "Frame #,AVAL,AVAR,RIBL\n" + rows(",", first=str),
    "a row a neuron": "neuron," + ",".join(map(point, TIMES)) + "\n" + turned_rows(","),
    "a row a neuron under no name": ";" + ";".join(map(comma, TIMES)) + "\n" + turned_rows(";", comma),
    "a row a neuron, frames": "neuron," + ",".join(map(str, range(N_TIMES))) + "\n" + turned_rows(","),
    "a row a neuron, t0, t1": "cell," + ",".join(f"t{i}" for i in range(N_TIMES)) + "\n" + turned_rows(","),
    "a row a neuron, no header": turned_rows(";", comma),
}


@pytest.mark.parametrize("shape", RATE)
def test_tables_without_times_ask_for_the_rate_and_are_read_with_it(tmp_path: Path, shape: str) -> None:
    path = put(tmp_path, RATE[shape])
    with pytest.raises(ChoiceNeeded) as asked:
        read_recording(path)
    assert asked.value.option == "rate_hz"
    check(read_recording(path, rate_hz=4.0), None if shape.startswith("no header") else NAMES)
    assert table_kind(path) == "traces"


@pytest.mark.parametrize(
    "shape", ["tabs", "semicolons and decimal commas", "spaces", "exponents", "a separator at the end"]
)
def test_a_first_column_of_times_without_a_header_is_asked_about_at_once(tmp_path: Path, shape: str) -> None:
    text = {
        "tabs": rows("\t"),
        "semicolons and decimal commas": rows(";", comma),
        "spaces": rows("   "),
        "exponents": rows(" ", lambda v: f"{v:.18e}"),
        "a separator at the end": rows(";", comma, end=";"),
    }[shape]
    path = put(tmp_path, text, "w.txt")
    with pytest.raises(ChoiceNeeded, match="'column 1' rises by the same step") as asked:
        read_recording(path)
    assert asked.value.option == "time_column" and asked.value.choices == ("column 1",)
    check(read_recording(path, time_column="column 1"), None)


@pytest.mark.parametrize(
    ("text", "first", "factor"),
    [
        (lambda v: f"{v * 1e4:,.3f}".replace(",", "_").replace(".", ",").replace("_", "."), comma, 1e4),
        (lambda v: f"{v * 1e4:,.3f}".replace(",", "\u202f").replace(".", ","), comma, 1e4),
        (lambda v: f"{v * 1e4:,.3f}".replace(",", "'"), point, 1e4),
        (lambda v: f"{v / 1000:.4e}".upper().replace(".", ","), comma, 1e-3),
        (lambda v: comma(v).replace("0,", ",", 1) if v < 1 else comma(v), comma, 1.0),
    ],
)  # fmt: skip
def test_thousands_exponents_and_commas_without_a_zero(tmp_path: Path, text, first, factor: float) -> None:
    path = put(tmp_path, SEMI + rows(";", text, first=lambda i: first(TIMES[i])))
    found = read_recording(path)
    np.testing.assert_allclose(found.traces.values, TRACES * factor, rtol=1e-4)
    np.testing.assert_allclose(found.time_s, TIMES)


def test_points_between_thousands_count_in_columns_of_whole_numbers_too() -> None:
    table = parse_table("time;AVAL;n\n0,5;10.377,5;1.234\n1,5;9.604,25;12\n", "here")
    assert table.to_numpy().tolist() == [["0.5", "10377.5", "1234"], ["1.5", "9604.25", "12"]]
    assert table.attrs[READ_AS] == ("decimal commas read as such",)
    quoted_groups = parse_table('time,AVAL\n0.5,"10,377.5"\n1.5,"9,604"\n', "here")
    assert quoted_groups["AVAL"].tolist() == ["10377.5", "9604"]
    assert quoted_groups.attrs[READ_AS] == ("commas between thousands left out",)


def test_a_comma_in_a_text_stays_where_commas_separate() -> None:
    table = parse_table('name,note,at\nAVAL,"1,2","3,5"\nAVAR,"a, b","4,25"\n', "here")
    assert table["note"].tolist() == ["1,2", "a, b"] and table["at"].tolist() == ["3.5", "4.25"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEAD + rows(",", comma), "commas seem to be decimal signs and to separate columns, too. Save it with semicolons"),
        ("AVAL\n" + "".join(comma(v) + "\n" for v in TRACES[:, 0]), "commas seem to be decimal signs"),
        ("".join(comma(v) + "\n" for v in TRACES[:, 0]), "commas seem to be decimal signs"),
        ("time\tAVAL\n0\t1,234\n1\t2,345\n", r"'1,234' could be 1\.234 or 1234\. Save the table with decimal points"),
        ("time;AVAL\n0,5;1,5\n1,5;1,234.5\n", r"'0,5' and '1,234\.5' have different decimal signs"),
        ("a,b\n1,2\n3,4,5\n", "the first row has 2 cells, row 3 has 3. Check the separator"),
        ("time,AVAL\n0,1,2\n1,2,3\n", "the header names 2 columns, the rows have 3"),
        ("AVAL,AVAR\n0,1,2\n0,2,3\n", "the header names 2 columns, the rows have 3"),
        ("AVAL,7\n0,1,2\n1,2,3\n", "the header names 2 columns, the rows have 3"),
    ],
)  # fmt: skip
def test_what_cannot_be_told_apart_is_refused_by_one_line(text: str, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parse_table(text, "here")


def test_semicolons_make_commas_decimal_signs_even_of_three_digits() -> None:
    assert parse_table("time;AVAL\n0;1,234\n1;2,345\n", "here")["AVAL"].tolist() == ["1.234", "2.345"]


def test_what_was_left_out_is_said(tmp_path: Path) -> None:
    def said(text: str, **more: float) -> str:
        return str(read_recording(put(tmp_path, text), **more).provenance["reading"])

    assert said(WHOLE["comments"]) == "2 lines above the table left out"
    assert said(WHOLE["a title in a row of cells"]) == "1 line above the table left out; decimal commas read as such"
    assert said(WHOLE["classes in the second row"]) == "a second row of the header (class, AVA, AVA, RIB) is not read"
    assert said(RATE["a row a neuron, no header"], rate_hz=4) == "decimal commas read as such; a row a neuron: turned"
    assert "reading" not in read_recording(put(tmp_path, HEAD + rows(","))).provenance


def test_missing_values_of_spreadsheets(tmp_path: Path) -> None:
    text = HEAD + rows(",")
    for at, word in ((1, "#N/A"), (2, "#NV"), (3, "NaN"), (4, "")):
        text = text.replace(point(TRACES[at, 1]), word)
    assert np.flatnonzero(np.isnan(read_recording(put(tmp_path, text)).traces.values[:, 1])).tolist() == [1, 2, 3, 4]
    with pytest.raises(InputError, match=r"'#DIV/0!' is not a number \(column 'AVAR', row 7\)"):
        read_recording(put(tmp_path, text.replace(point(TRACES[5, 1]), "#DIV/0!")))


def test_two_columns_without_a_name_are_refused_and_empty_ones_left_out(tmp_path: Path) -> None:
    path = put(tmp_path, "time,AVAL,,\n" + "".join(f"{i},{i % 3},,\n" for i in range(6)))
    assert read_recording(path).named == ["AVAL"]
    values = "".join(f"{i},{i % 3},{i % 4},{i % 5}\n" for i in range(6))
    with pytest.raises(InputError, match="column 4 has no name"):
        read_recording(put(tmp_path, "time,AVAL,,\n" + values))
    with pytest.raises(InputError, match="column 3 has no name"):
        read_recording(put(tmp_path, ",AVAL,,\n" + values), rate_hz=2)


def test_times_of_day_and_dates() -> None:
    assert clock_texts(["0:00:59,5", "100:01:30"]).tolist() == [59.5, 360090.0]
    assert clock_texts(["2024-03-01", "2024-03-02"]).tolist() == [0.0, 86400.0]
    for texts in (["1:30", "1:31"], ["0:00:01", "2024-03-01"], ["2024-03-01T00:00:00Z", "2024-03-01T00:00:00"], ["x"]):
        assert clock_texts(texts) is None


def test_a_column_of_times_of_which_some_are_no_times_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"column 'time' begins with '1:30', and not all of it is a time of day"):
        read_recording(put(tmp_path, "time,AVAL\n1:30,2\n1:31,3\n"))


@pytest.mark.parametrize(
    "text",
    [
        "time,1,2,3\n0,1.5,1.2,1.7\n1,2.1,2.5,2.2\n",  # numbered neurons
        "time,1,2,3\n0:00:00,1.5,1.2,1.7\n0:00:01,2.1,2.5,2.2\n",
        "condition,1,2,3\nmock,1.5,1.2,1.7\nmock,2.1,2.5,2.2\n",  # the same text in every row names no neuron
        "neuron,AVAL,AVAR,RIS\nAVAL,0,1,2\nAVAR,1,0,1\n",  # a matrix
        "neuron,x,y,z\nAVAL,0,1,2\nAVAR,1,0,1\n",
        "neuron,0,1,2\nAVAL,0,1,2\nAVAR,1,high,1\n",
        "neuron,0,1,1\nAVAL,0,1,2\n".replace("1,1\n", "2,1\n", 1),  # the header does not rise
    ],
)
def test_tables_with_a_row_a_time_are_not_turned(text: str) -> None:
    assert turned(parse_table(text, "here"), "here") is None


def test_a_neuron_with_two_rows_is_refused() -> None:
    table = parse_table("neuron,0,1,2\nAVAL,0,1,2\nAVAL,1,0,1\nAVAR,1,0,1\n", "here")
    with pytest.raises(InputError, match="the row 'AVAL' is there twice"):
        turned(table, "here")


def test_rows_of_numbered_neurons_are_turned_where_the_corner_says_so() -> None:
    found = turned(parse_table("roi,0,1,2\n5,.1,.2,.3\n7,.4,.5,.6\n", "here"), "here")
    assert found is not None and found[0].columns.tolist() == ["frame", "5", "7"]
    assert found[0]["7"].tolist() == [0.4, 0.5, 0.6]


@pytest.mark.parametrize(
    ("lines", "spaces"),
    [
        (["a b c", "1 2 3"], True), (["a b c", "1 2 x"], False), (["a b 3", "1 2 3"], False), (["a b", "1 2"], False),
        (["a b c", "1 2"], False), (["a b c"], False), (["a b,c", "1 2"], False), (["a b c", "1 2;3 4"], False),
        (["a b c", "1\t2\t3"], False), (['a "b" c', "1 2 3"], False), (["a b c", "1 2 3", "x,y"], True),
        (["1 2", "3 4"], True), (["1,5 2,5", "3,5 4"], True), (["1 2", "3"], False), (["1", "2"], False), (["1, 2", "3, 4"], False),
    ],
)  # fmt: skip
def test_columns_that_are_set_apart_by_spaces(lines: list[str], spaces: bool) -> None:
    assert table_shape.by_spaces(lines) == spaces
