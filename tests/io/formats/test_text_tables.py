"""Text tables: what a spreadsheet would run stays text."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.io.choice import ChoiceNeeded
from napari_dynamic_connectome.io.formats import text_tables
from napari_dynamic_connectome.model.errors import FormatError, InputError


def test_formulas_are_neutralised_and_come_back(tmp_path) -> None:
    cells = ["=cmd|' /C calc'!A0", "+A1", "-A1", "@SUM(A1)", "AVAL", "-3.5", "'quoted"]
    path = text_tables.write_csv(pd.DataFrame({"=name": cells, "n": range(7)}), tmp_path / "a.csv")
    held = pd.read_csv(path, dtype=str)
    assert held.columns[0] == "'=name"
    assert held.iloc[:, 0].tolist() == ["'=cmd|' /C calc'!A0", "'+A1", "'-A1", "'@SUM(A1)", "AVAL", "-3.5", "'quoted"]
    assert [text_tables.plain_cell(c) for c in held.iloc[:, 0]] == cells


@pytest.mark.parametrize(
    ("header", "factor", "said"),
    [
        ("time", 1.0, False), ("Time (sec)", 1.0, True), ("t_ms", 1e-3, True), ("t [min]", 60.0, True), ("seconds", 1.0, True),
        ("elapsed time / h", 3600.0, True), ("timeVectorSeconds", 1.0, True), ("time_in_seconds", 1.0, True), ("s", 1.0, True),
        (" s ", 1.0, True), ("ms", 1e-3, True), ("m", None, False), ("h", None, False), ("timestamps", 1.0, False), ("time stamp", 1.0, False),
        ("AVAL", None, False), ("time2", None, False), ("time s ms", None, False), ("time AVAL", None, False), ("frame", None, False),
        ("frame time", 1.0, False), ("frame s", None, False), ("", None, False), ("[]", None, False), ("since start", None, False),
        ("time since start of recording (min)", 60.0, True), ("stamps", None, False), ("clock", 1.0, False), ("µm", None, False),
    ],
)  # fmt: skip
def test_what_a_header_of_time_says(header: str, factor: float | None, said: bool) -> None:
    assert text_tables.time_unit(header) == factor
    assert text_tables.says_unit(header) == said


@pytest.mark.parametrize(
    ("value", "safe"),
    [("=1+1", "'=1+1"), ("+a", "'+a"), ("-5", "-5"), ("-5e3", "-5e3"), ("@x", "'@x"), ("\tx", "'\tx"), ("a=b", "a=b"), (5, 5), ("", "")],
)  # fmt: skip
def test_cells_that_a_spreadsheet_would_run_get_an_apostrophe(value: object, safe: object) -> None:
    assert text_tables.safe_cell(value) == safe
    if isinstance(value, str):
        assert text_tables.plain_cell(str(safe)) == value
    assert text_tables.plain_cell("'tis") == "'tis" and text_tables.plain_cell("a'=b") == "a'=b"


def test_tables_are_written_whole_with_or_without_their_index(tmp_path) -> None:
    table = pd.DataFrame({"=n": ["=x", "b\0"], "v": [-1.5, 2.0]}, index=pd.Index(["r1", "r2"], name="row"))
    plain, packed = tmp_path / "t.csv", tmp_path / "t.csv.gz"
    assert text_tables.write_csv(table, plain) == plain
    assert plain.read_bytes() == "'=n,v\n'=x,-1.5\nb\ufffd,2.0\n".encode()
    text_tables.write_csv(table, packed, index=True)
    assert gzip.decompress(packed.read_bytes()) == "row,'=n,v\nr1,'=x,-1.5\nr2,b\ufffd,2.0\n".encode()
    assert packed.read_bytes()[4:8] == bytes(4)  # no time: the same table is the same file
    assert list(table.columns) == ["=n", "v"] and table["=n"].tolist() == ["=x", "b\0"]
    assert text_tables.read_table(packed).columns.tolist() == ["row", "=n", "v"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be with mark", "gzip"])
def test_texts_are_read_in_every_encoding_with_a_mark(tmp_path, encoding: str) -> None:
    text = "a,µ\n1,2\n"
    content = {
        "gzip": gzip.compress(text.encode()),
        "utf-16-be with mark": b"\xfe\xff" + text.encode("utf-16-be"),
        "utf-16": b"\xff\xfe" + text.encode("utf-16-le"),
    }.get(encoding) or text.encode(encoding)
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    assert text_tables.read_text(path) == text
    assert text_tables.read_table(path).columns.tolist() == ["a", "µ"]


def test_what_is_no_text_or_too_large_is_refused(tmp_path, monkeypatch) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"abc\xff\xff")
    with pytest.raises(FormatError, match=r"not UTF-8 text \(byte 4\)"):
        text_tables.read_text(path)
    path.write_bytes(b"a\0b")
    with pytest.raises(FormatError, match="holds zero bytes"):
        text_tables.read_text(path)
    for content in (b"x" * 3_000_000, gzip.compress(b"x" * 3_000_000)):
        path.write_bytes(content)
        monkeypatch.setattr(text_tables.limits, "MAX_TABLE_BYTES", 3_000_000)
        assert len(text_tables.read_text(path)) == 3_000_000
        monkeypatch.setattr(text_tables.limits, "MAX_TABLE_BYTES", 2_999_999)
        with pytest.raises(FormatError, match="the table would take 3 MB"):
            text_tables.read_text(path)
        monkeypatch.setattr(text_tables.limits, "MAX_TABLE_BYTES", 1 << 30)
    monkeypatch.setattr(text_tables.limits, "FREE_BYTES", 1 << 20)
    with pytest.raises(FormatError, match="would expand to"):
        text_tables.read_text(path)
    path.write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(FormatError):
        text_tables.read_text(path)


def parsed(text: str) -> tuple[list[str], list[list[str]]]:
    table = text_tables.parse_table(text, "here")
    return table.columns.tolist(), table.to_numpy().tolist()


@pytest.mark.parametrize(
    ("text", "header", "rows"),
    [
        ("a,b\n1,2\n", ["a", "b"], [["1", "2"]]),
        ("\ufeffa;b\r\n\r\n1,5;-2,25 \r3;x,4", ["a", "b"], [["1.5", "-2.25"], ["3", "x,4"]]),
        ("a\tb\n1,5\t2\n", ["a", "b"], [["1.5", "2"]]),
        ("a,b", ["a", "b"], []),
        ("one\n5\n", ["one"], [["5"]]),
        ('"x, y", b\n" 1",NA\n', ["x, y", "b"], [[" 1", "NA"]]),
        ("'=a,,\n1,2,3\n", ["=a", "", ""], [["1", "2", "3"]]),
        ("ID t x\n1 0.0  3.5\n2 1 4\n", ["ID", "t", "x"], [["1", "0.0", "3.5"], ["2", "1", "4"]]),
        ("ID t\n1 0\n", ["ID t"], [["1 0"]]),
        ("0.1,0.2\n0.2,0.4\n", ["column 1", "column 2"], [["0.1", "0.2"], ["0.2", "0.4"]]),
        ("1,2,3\n.2,.4,.1\n", ["1", "2", "3"], [[".2", ".4", ".1"]]),
        ("0,1\n.2,.4\n", ["0", "1"], [[".2", ".4"]]),
        ("2,3\n.2,.4\n", ["column 1", "column 2"], [["2", "3"], [".2", ".4"]]),
        ("1\n2\n", ["column 1"], [["1"], ["2"]]),
        ("1,3\n.2,.4\n", ["column 1", "column 2"], [["1", "3"], [".2", ".4"]]),
        ("0,5;1;3\n1;2;4\n", ["column 1", "column 2", "column 3"], [["0.5", "1", "3"], ["1", "2", "4"]]),
        ('"5";6\n1;2\n', ["column 1", "column 2"], [["5", "6"], ["1", "2"]]),
        ("5,6\n", ["5", "6"], []),
        ("5,a\n1,2\n", ["5", "a"], [["1", "2"]]),
    ],
)
def test_tables_of_every_separator_are_parsed(text: str, header: list[str], rows: list[list[str]]) -> None:
    assert parsed(text) == (header, rows)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the table is empty"), (" \n\n", "the table is empty"),
        ("a,b\n1,2,3\n", "the header names 2 columns, the rows have 3"),
        ("a,b,a\n1,2,3\n", "the column 'a' is there twice"),
        ("scorer,,x\n1,2,3\n", "labelled pictures that DeepLabCut was trained on"),
        ('"scorer";;x\n1;2;3\n', "labelled pictures"),
        ("t,m,m\n,v,v\n0,1,2\n", "the column 'v' is there twice"),
        ("t,a,#REF!\n1,2,3\n", "the header of column 3 is '#REF!', an error of a spreadsheet"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_parsed_are_refused(text: str, words: str) -> None:
    with pytest.raises((InputError, FormatError), match=words):
        text_tables.parse_table(text, "here")


def test_columns_are_counted_before_rows_are_read(monkeypatch) -> None:
    monkeypatch.setattr(text_tables.limits, "MAX_COLUMNS", 3)
    assert text_tables.parse_table("a,b,c\n1,2,3\n", "here").shape == (1, 3)
    monkeypatch.setattr(text_tables.pd, "read_csv", lambda *_, **__: pytest.fail("was read"))
    with pytest.raises(InputError, match=r"the table has 4 columns \(limit 3\)"):
        text_tables.parse_table("a,b,c,d\n1,2,3,4\n", "here")


def test_lines_of_fewer_cells_than_the_header_are_remembered() -> None:
    table = text_tables.parse_table("a,b,c\n1,2,3\n4,5\n6\n", "here")
    assert table.attrs == {text_tables.SHORT: [2, 3]}
    assert text_tables.parse_table("a,b\n1,2\n", "here").attrs == {}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t,A,A\n,x,y\n0,1,2\n", (2, ("t", ""), "", (("A", "A"), ("x", "y")), ["x", "y"])),
        ("t,A,\n,x,y\n0,1,2\n", (2, ("t", ""), "", (("A", "A"), ("x", "y")), ["x", "y"])),
        ("k,A,B,B\nt,x,x,y\n0,1,2,3\n", (2, ("k", "t"), "t", (("A", "B", "B"), ("x", "x", "y")), ["A x", "B x", "B y"])),
        ("k,A,B\nl,x,y\nframe,,\n0,1,2\n", (3, ("k", "l"), "frame", (("A", "B"), ("x", "y")), ["A x", "B y"])),
        ("k,A,A\nl,x,x\n0,1,2\n", (2, ("k", "l"), "", (("A", "A"), ("x", "x")), ["x", "x"])),
        ("k,A,A\nl,x,\nm,p,q\nn,r,\n0,1,2\n", (4, ("k", "l", "m", "n"), "", (("A", "A"), ("x", "x"), ("p", "q"), ("r", "r")), ["p", "q"])),
        ("k,A,A\nl,x,x\nm,p,q\nn,r,s\ni,,\n0,1,2\n", (5, ("k", "l", "m", "n"), "i", (("A", "A"), ("x", "x"), ("p", "q"), ("r", "s")), ["p r", "q s"])),
        ("k,A,A\nl,x,x\nm,p,q\nn,r,s\ni,u,v\n0,1,2\n", (5, ("k", "l", "m", "n", "i"), "", (("A", "A"), ("x", "x"), ("p", "q"), ("r", "s"), ("u", "v")), ["p r u", "q s v"])),
        ("k,A,A\nl,x,x\nm,p,q\nn,r,s\ni,u,v\nj,u,v\n0,1,2\n", None),
        ("t,A,B\nk,x,y\n0,1,2\n", None),  # no word is repeated
        ("t,A,A\n0,1,2\n", None),
        ("t,A,A\nk,x,y\n", None),  # nothing below
        ("t,A,A\nk,x\n0,1,2\n", None),
        ("t,A\nk,A\n0,1\n", None),
        ("t,,\nk,A,A\n0,1,2\n", None),
        ("t,A,A\nk,,\n0,1,2\n", None),
        ("t,A,A\nk,nan,x\n0,1,2\n", (2, ("t", "k"), "", (("A", "A"), ("nan", "x")), ["nan", "x"])),
        ("t,A,A\nk,3,x\n0,1,2\n", None),
    ],
)  # fmt: skip
def test_headers_of_several_rows(text: str, expected: tuple | None) -> None:
    got = text_tables.header_levels(text.splitlines(), ",")
    if expected is None:
        assert got is None
        return
    assert got is not None
    assert (got.n_rows, got.names, got.index, got.rows, got.columns()) == expected
    semi = text_tables.header_levels(text.replace(",", ";").replace("0;1;2", "0;1,5;2").splitlines(), ";")
    assert semi == got


def test_a_table_with_a_header_of_several_rows_has_one_name_a_column() -> None:
    table = text_tables.parse_table('k,A,A\nt,"x, 1",y\n0,1,2\n3,4,5\n', "here")
    assert table.columns.tolist() == ["t", "x, 1", "y"] and table.to_numpy().tolist() == [
        ["0", "1", "2"],
        ["3", "4", "5"],
    ]
    assert table.attrs[text_tables.LEVELS].names == ("k", "t")


@pytest.mark.parametrize(
    ("names", "rows", "pose"),
    [
        (("scorer", "b"), (("x", "y"), ("p", "q")), True), (("Bodyparts ", "coords"), (("x", "y"), ("p", "q")), True),
        (("bodyparts", "b"), (("x", "y"), ("p", "q")), False), (("a", "b"), (("x", "likelihood"), ("p", "q")), True),
        (("a", "b"), (("likelihood", "likelihood"), ("p", "q")), False), (("a", "b"), (("likelihood", "q"), ("p", "q")), False),
    ],
)  # fmt: skip
def test_which_headers_are_those_of_tracked_points(names, rows, pose) -> None:
    levels = text_tables.Levels(2, names, "", rows)
    assert levels.is_pose == pose
    assert text_tables.Levels(2, names, "", (("x", "x"), ("p", "q"))).varying == (1,)


def test_numbers_are_made_of_texts_and_wrong_ones_are_named() -> None:
    got = text_tables.to_numbers([" 1.5", "", "NaN", None, "n/a", "NULL", "-2e3", 7], "c", "here")
    np.testing.assert_array_equal(got, [1.5, np.nan, np.nan, np.nan, np.nan, np.nan, -2000, 7])
    assert got.dtype == np.float64
    long = "x" * 50
    with pytest.raises(InputError, match=rf"'{'x' * 40}' is not a number \(column 'c', row 3\)"):
        text_tables.to_numbers(["1", long, "y"], "c", "here")
    with pytest.raises(InputError, match="column 'c' is empty in row 4"):
        text_tables.to_numbers(["1", "2", " ", ""], "c", "here", missing=False)
    assert text_tables.to_numbers(["1", "2"], "c", "here", missing=False).tolist() == [1, 2]


def test_columns_are_found_by_name_and_times_by_what_they_are_called() -> None:
    table = pd.DataFrame(columns=[" Name ", "t_ms", "x"])
    assert text_tables.find_column(table, "nothing", "x", "name") == "x"
    assert text_tables.find_column(table, "name") == " Name " and text_tables.find_column(table, "y") is None
    assert text_tables.find_time(table) == ("t_ms", 1e-3)
    assert text_tables.find_time(pd.DataFrame(columns=["a"])) is None
    assert text_tables.find_time(pd.DataFrame(columns=["t_ms", " Time_s", "a"])) == (" Time_s", 1.0)
    with pytest.raises(ChoiceNeeded, match=r"2 columns are called like a time \(t_ms, t_s\)") as asked:
        text_tables.find_time(pd.DataFrame(columns=["t_ms", "t_s"]), "here")
    assert asked.value.choices == ("t_ms", "t_s") and asked.value.option == "time_column"
    with pytest.raises(ChoiceNeeded):
        text_tables.find_time(pd.DataFrame(columns=["time", "time_s"]))
