"""Some three hundred odd inputs: each is read right, or refused in one line; never read wrong, never a traceback, never slow.

python tests/soak/odd.py [--seed 0] [--only csv]

Every input says what is in it: the traces, times, voxels, edges or settings that it was made from, or that it says nothing anybody could
read (then it must be refused). A part is systematic, one oddity each; a part is drawn, several oddities at once.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import scipy.io

from napari_dynamic_connectome.io import registry
from napari_dynamic_connectome.model.errors import DynamicConnectomeError
from napari_dynamic_connectome.session.save_load import load_session, save_session

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from session_sample import make_recording, make_session

SLOW_S = 10.0
NAMES = ["AVAL", "AVAR", "RIML", "RIMR", "SMDVL"]
TIME = np.arange(30) * 0.4
VALUES = np.random.default_rng(5).integers(-500, 500, (30, 5)) / 100
VOXELS = np.random.default_rng(6).integers(1, 4000, (3, 4, 10, 12)).astype(np.uint16)
LABELS = np.zeros((4, 10, 12), np.uint16)
LABELS[1:3, 2:5, 2:5], LABELS[1:3, 6:8, 7:10] = 1, 2


@dataclass(frozen=True)
class Odd:
    """An input: how it is made, how it is read, and whether what came out is what went in (None: nothing may come out)."""

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    right: Callable[[Any], bool] | None


def the_traces(
    values: np.ndarray = VALUES, times: np.ndarray | None = TIME, names: list[str] | None = NAMES
) -> Callable[[Any], bool]:
    """Whether a recording holds these traces; times may begin at 0 where the file's do not."""

    def right(found: Any) -> bool:
        held = {str(n): found.traces.values[:, i] for i, n in enumerate(found.neurons["name"])}
        columns = [held.get(n) for n in names] if names else list(found.traces.values.T)
        if len(found.neurons) != values.shape[1] or any(c is None or len(c) != len(values) for c in columns):
            return False
        same = np.allclose(np.column_stack(columns), values, rtol=2e-3, atol=1e-6, equal_nan=True)
        if times is None:
            return bool(same)
        got = np.asarray(found.time_s)
        return bool(same and (np.allclose(got, times, atol=1e-3) or np.allclose(got, times - times[0], atol=1e-3)))

    return right


# --- tables of text -----------------------------------------------------------------------------------------------------

NUMBERS: dict[str, Callable[[float], str]] = {
    "plain": lambda v: f"{v:.2f}", "exponent": lambda v: f"{v:.3e}", "capital exponent": lambda v: f"{v:.3E}",
    "plus": lambda v: f"{v:+.2f}", "spaces": lambda v: f"  {v:.2f} ", "zeros": lambda v: f"{v:010.4f}",
    "many digits": lambda v: f"{v:.20f}", "no leading zero": lambda v: f"{v:.2f}".replace("0.", ".", 1) if abs(v) < 1 else f"{v:.2f}",
    "minus sign of typesetting": lambda v: f"{v:.2f}".replace("-", "\u2212"),
    "trailing point": lambda v: f"{v:.0f}." if v == round(v) else f"{v:.2f}",
    "D exponent": lambda v: f"{v:.3E}".replace("E", "D"), "percent": lambda v: f"{v:.2f}%", "units": lambda v: f"{v:.2f} V",
    "underscore": lambda v: f"{v * 1e4:_.0f}e-4", "apostrophe": lambda v: f"'{v:.2f}",
    "brackets": lambda v: f"({-v:.2f})" if v < 0 else f"{v:.2f}", "brackets around": lambda v: f"[{v:.2f}]",
    "wide digits": lambda v: f"{v:.2f}".translate({ord(str(d)): chr(0xFF10 + d) for d in range(10)}),
    "hexadecimal": lambda v: float(v).hex(), "imaginary part": lambda v: f"{v:.2f}+0j",
}  # fmt: skip
CLOCKS: dict[str, tuple[str, float]] = {
    "time_s": ("time_s", 1), "Time (s)": ("Time (s)", 1), "t": ("t", 1), "seconds": ("Seconds", 1), "ms": ("time_ms", 1e3),
    "milliseconds": ("Time [ms]", 1e3), "us": ("time_us", 1e6), "microseconds": ("time (µs)", 1e6), "minutes": ("time (min)", 1 / 60),
    "hours": ("time_h", 1 / 3600), "capital": ("TIME", 1), "timestamps": ("timestamps", 1), "spaces": ("  time_s  ", 1),
    "quotes": ('"time_s"', 1), "sec": ("Time/sec", 1), "unit that is none": ("time (fortnights)", 1 / 1209600),
    "ms without saying so": ("time", 1e3), "nanoseconds": ("time_ns", 1e9), "frames": ("frame", 1 / 0.4), "volume": ("Volume #", 1 / 0.4),
    "empty header": ("", 1), "Unnamed: 0": ("Unnamed: 0", 1 / 0.4), "date": ("date", 1),
}  # fmt: skip
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252")
DELIMITERS = (",", ";", "\t", " ", "|", ":", "  ", "\t\t", ", ", "^")
MISSING = (
    "nan",
    "NaN",
    "NAN",
    "",
    "NA",
    "N/A",
    "null",
    "None",
    "-",
    ".",
    "#N/A",
    "-nan",
    "1.#QNAN",
    "inf",
    "-Inf",
    "Infinity",
    "?",
    "9999",
    "--",
    "#DIV/0!",
    "missing",
)


def table_text(
    number: str = "plain",
    clock: str = "time_s",
    delimiter: str = ",",
    decimal: str = ".",
    newline: str = "\n",
    quoted: bool = False,
    names: list[str] | None = None,
    values: np.ndarray = VALUES,
    missing: str = "nan",
) -> str:
    """Return the truth as text with these oddities."""
    header, factor = CLOCKS[clock]
    show = NUMBERS[number]

    def cell(value: float) -> str:
        text = (missing if np.isnan(value) else show(value)).replace(".", decimal)
        return f'"{text}"' if quoted else text

    rows = [[header, *(names or NAMES)]]
    rows += [[f"{t * factor:.9g}".replace(".", decimal), *map(cell, row)] for t, row in zip(TIME, values, strict=True)]
    return newline.join(delimiter.join(row) for row in rows) + newline


def _csv(
    name: str, text: str | bytes, right: Any, *, file: str = "worm.csv", encoding: str = "utf-8", **options: Any
) -> Odd:
    data = text if isinstance(text, bytes) else text.encode(encoding, "replace")

    def make(folder: Path) -> Path:
        (folder / file).write_bytes(data)
        return folder / file

    return Odd(f"csv: {name}", make, lambda path: registry.read_recording(path, **options), right)


def tables(seed: int) -> Iterator[Odd]:
    """CSV and its relatives."""
    fine = the_traces()
    for number in NUMBERS:
        yield _csv(f"numbers, {number}", table_text(number), fine)
    for clock in CLOCKS:
        yield _csv(f"clock, {clock}", table_text(clock=clock), fine)
    for clock in ("frames", "Unnamed: 0", "empty header", "volume"):
        yield _csv(f"clock, {clock}, with the rate", table_text(clock=clock), fine, rate_hz=2.5)
    for unit in ("ms", "s"):
        right = the_traces(times=TIME if unit == "ms" else TIME * 1e3)
        yield _csv(f"clock, told {unit}", table_text(clock="ms without saying so"), right, time_unit=unit)
    for encoding in ENCODINGS:
        yield _csv(f"encoding {encoding}", table_text(), fine, encoding=encoding)
        yield _csv(f"encoding {encoding}, a name of another script", table_text(names=[*NAMES[:4], "Größe"]),
                   the_traces(names=None), encoding=encoding)  # fmt: skip
    for delimiter in DELIMITERS:
        yield _csv(f"delimiter {delimiter!r}", table_text(delimiter=delimiter), fine)
        if delimiter.strip() != ",":
            yield _csv(f"delimiter {delimiter!r}, decimal commas", table_text(delimiter=delimiter, decimal=","), fine)
    for newline in ("\r\n", "\r", "\n\n", "\r\n\r\n", "\n\r", "\u2028", "\x0b"):
        yield _csv(f"newline {newline!r}", table_text(newline=newline), fine)
    holes = VALUES.copy()
    holes[4:7, 1] = np.nan
    unclear = {"inf", "-Inf", "Infinity", "9999", "#DIV/0!"}
    for missing in MISSING:
        right = None if missing in unclear - {"9999"} else (lambda _: True) if missing == "9999" else the_traces(holes)
        yield _csv(f"missing {missing!r}", table_text(missing=missing, values=holes), right)
    plain = table_text()
    lines = plain.splitlines()
    yield _csv("quotes around all", table_text(quoted=True), fine)
    yield _csv("quotes, decimal commas", table_text(quoted=True, decimal=","), fine)
    yield _csv("commas for both", table_text(decimal=","), None)
    yield _csv("comment lines first", "# made by hand\n# 2026\n" + plain, fine)
    yield _csv("comments with %", "% made by hand\n" + plain, fine)
    yield _csv("a title line first", "Worm 7, young adult\n" + plain, fine)
    yield _csv("a title and an empty line first", "Worm 7\n\n" + plain, fine)
    yield _csv("empty lines first", "\n\n" + plain, fine)
    yield _csv("empty lines last", plain + "\n\n\n", fine)
    yield _csv("lines of delimiters last", plain + ",,,,,\n,,,,,\n", fine)
    yield _csv("no newline at the end", plain.rstrip("\n"), fine)
    yield _csv("a delimiter at the end of each line", plain.replace("\n", ",\n"), fine)
    yield _csv(
        "a delimiter at the end of the data lines", "\n".join([lines[0], *(row + "," for row in lines[1:])]), fine
    )
    yield _csv("sep=", "sep=,\n" + plain, fine)
    yield _csv("sep=;", "sep=;\n" + table_text(delimiter=";", decimal=","), fine)
    yield _csv("NUL at the end", plain + "\0\0\0", fine)
    yield _csv("NUL inside", plain.replace("AVAR", "AV\0AR"), None)
    yield _csv("form feed at the end", plain + "\x0c", fine)
    short = VALUES.copy()
    short[8, 4] = np.nan
    yield _csv(
        "a row too short",
        "\n".join([*lines[:9], lines[9].rpartition(",")[0], *lines[10:]]),
        lambda r: the_traces(short)(r) and "row 10 has fewer cells" in " ".join(r.remarks),
    )
    yield _csv("a row too long", "\n".join([*lines[:9], lines[9] + ",1.5", *lines[10:]]), None)
    yield _csv("a row twice", "\n".join([*lines[:9], lines[8], *lines[9:]]), None)
    yield _csv("two rows exchanged", "\n".join([*lines[:9], lines[10], lines[9], *lines[11:]]), None)
    yield _csv("rows backwards", "\n".join([lines[0], *lines[:0:-1]]), fine)
    yield _csv("the header again in the middle", "\n".join([*lines[:9], lines[0], *lines[9:]]), None)
    yield _csv("a row of units", "\n".join([lines[0], "s" + ",dF/F" * 5, *lines[1:]]), fine)
    yield _csv("a row of means last", plain + "mean,1,2,3,4,5\n", None)
    yield _csv("a row of sums without a label last", plain + ",1,2,3,4,5\n", None)
    yield _csv(
        "an index before the time",
        "\n".join([",".join(("", lines[0])), *(f"{i},{row}" for i, row in enumerate(lines[1:]))]),
        fine,
    )
    yield _csv("the time last", "\n".join(",".join([*row.split(",")[1:], row.split(",")[0]]) for row in lines), fine)
    turned = "\n".join(",".join(column) for column in zip(*(row.split(",") for row in lines), strict=True)) + "\n"
    yield _csv("a neuron a row", turned, fine)
    yield _csv("a column twice", plain.replace("RIMR", "RIML", 1), None)
    yield _csv("a column in another spelling twice", plain.replace("RIMR", "riml", 1), None)
    yield _csv("names in small letters", plain.lower(), fine)
    yield _csv("names with spaces", plain.replace("AVAL", "AVA L").replace("AVAR", " AVA R "), fine)
    yield _csv("the time twice", "\n".join(f"{row.split(',')[0]},{row}" for row in lines), None)
    yield _csv(
        "time, and time in ms",
        "\n".join(f"{row},{'time_ms' if i == 0 else 400 * (i - 1)}" for i, row in enumerate(lines)),
        fine,
    )
    yield _csv(
        "time, and frame", "\n".join(f"{row},{'frame' if i == 0 else i - 1}" for i, row in enumerate(lines)), fine
    )
    yield _csv("no header", "\n".join(lines[1:]), None)
    yield _csv("a header alone", lines[0] + "\n", None)
    yield _csv("one row", "\n".join(lines[:2]), lambda r: np.allclose(r.traces.values, VALUES[:1]))
    yield _csv("an empty column", "\n".join(f"{row}{',' if i else ',RMEL'}" for i, row in enumerate(lines)),
               lambda r: the_traces()(r) or (len(r.neurons) == 6 and bool(np.isnan(r.traces.values[:, 5]).all())))  # fmt: skip
    yield _csv(
        "a column of one text",
        "\n".join(f"{row},{'state' if i == 0 else 'forward'}" for i, row in enumerate(lines)),
        lambda r: fine(r) and "about the worm: state forward" in " ".join(r.remarks),
    )
    yield _csv(
        "a column of texts",
        "\n".join(f"{row},{'state' if i == 0 else ('forward', 'reversal')[i % 2]}" for i, row in enumerate(lines)),
        None,
    )
    yield _csv(
        "a column without a header",
        "\n".join([lines[0] + ",", *(f"{row},{i % 3}.5" for i, row in enumerate(lines[1:]))]),
        lambda r: len(r.neurons) == 6,
    )
    long = "time_s,neuron,value\n" + "".join(
        f"{t:.2f},{n},{VALUES[i, k]}\n" for i, t in enumerate(TIME) for k, n in enumerate(NAMES)
    )
    yield _csv("a long table", long, fine)
    yield _csv(
        "a long table in any order",
        "\n".join([long.splitlines()[0], *random.Random(seed).sample(long.splitlines()[1:], 150)]),
        fine,
    )
    yield _csv(
        "a long table with a hole",
        "\n".join(row for i, row in enumerate(long.splitlines()) if i != 17),
        lambda r: bool(np.isnan(r.traces.values).sum() == 1),
    )
    yield _csv("gzip", gzip.compress(plain.encode()), fine, file="worm.csv.gz")
    yield _csv("gzip called csv", gzip.compress(plain.encode()), fine)
    yield _csv("tsv with commas", plain, fine, file="worm.tsv")
    yield _csv("csv with tabs", table_text(delimiter="\t"), fine)
    yield _csv("called txt", plain, fine, file="worm.txt")
    yield _csv("called CSV", plain, fine, file="WORM.CSV")
    yield _csv(
        "times as clock",
        "\n".join(
            [lines[0], *(f"00:00:{t:06.3f},{row.partition(',')[2]}" for t, row in zip(TIME, lines[1:], strict=True))]
        ),
        fine,
    )
    yield _csv(
        "times as dates",
        "\n".join(
            [
                lines[0],
                *(
                    f"2026-01-01T00:00:{t:06.3f},{row.partition(',')[2]}"
                    for t, row in zip(TIME, lines[1:], strict=True)
                ),
            ]
        ),
        fine,
    )
    yield _csv(
        "times since 1970",
        "\n".join(
            [lines[0], *(f"{1.7e9 + t:.3f},{row.partition(',')[2]}" for t, row in zip(TIME, lines[1:], strict=True))]
        ),
        the_traces(times=1.7e9 + TIME),
    )
    yield _csv(
        "times from -4 s on",
        "\n".join(
            [lines[0], *(f"{t - 4:.3f},{row.partition(',')[2]}" for t, row in zip(TIME, lines[1:], strict=True))]
        ),
        the_traces(times=TIME - 4),
    )
    yield _csv(
        "times with two digits",
        "\n".join([lines[0], *(f"{t:.0f},{row.partition(',')[2]}" for t, row in zip(TIME, lines[1:], strict=True))]),
        None,
    )
    yield _csv(
        "a gap of a minute",
        "\n".join(
            [
                lines[0],
                *(
                    f"{t + 60 * (i > 14):.1f},{row.partition(',')[2]}"
                    for i, (t, row) in enumerate(zip(TIME, lines[1:], strict=True))
                ),
            ]
        ),
        the_traces(times=TIME + 60 * (np.arange(30) > 14)),
    )
    draw = random.Random(seed)
    for number in range(40):
        delimiter = draw.choice((",", ";", "\t", "|"))
        decimal = "." if delimiter == "," else draw.choice(".,")
        how: dict[str, Any] = {
            "number": draw.choice(("plain", "exponent", "plus", "spaces", "zeros", "many digits", "minus sign of typesetting")),
            "clock": draw.choice(("time_s", "Time (s)", "ms", "milliseconds", "minutes", "timestamps", "spaces", "sec")),
            "delimiter": delimiter, "decimal": decimal, "newline": draw.choice(("\n", "\r\n", "\r")),
            "quoted": draw.random() < 0.3, "missing": draw.choice(("nan", "NaN", "", "NA")), "values": holes,
        }  # fmt: skip
        text = (
            draw.choice(("", "", "# made by hand\n", "\ufeff"))
            + table_text(**how)
            + draw.choice(("", "", "\n", how["newline"] * 2))
        )
        yield _csv(
            f"drawn {number}: { ({k: v for k, v in how.items() if k != 'values'}) }",
            text,
            the_traces(holes),
            encoding=draw.choice(("utf-8", "utf-16")),
        )


# --- arrays with names --------------------------------------------------------------------------------------------------


def _fields(**changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {"traces": VALUES, "t": TIME, "names": np.array(NAMES)}
    fields |= changes
    return {k: v for k, v in fields.items() if v is not None}


def arrays() -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Named arrays for npz, mat and HDF5: what is odd, the arrays, what is right."""
    fine, steps = the_traces(), np.round(VALUES * 100)
    for dtype in ("f2", "f4", ">f4", ">f8", "f8"):
        yield f"traces {dtype}", _fields(traces=VALUES.astype(dtype)), fine
    for dtype in ("i2", "i4", "i8", ">i2"):
        yield f"traces {dtype}", _fields(traces=steps.astype(dtype)), the_traces(steps)
    yield "traces u1", _fields(traces=np.clip(steps, 0, 255).astype("u1")), the_traces(np.clip(steps, 0, 255))
    yield "traces of yes and no", _fields(traces=VALUES > 0), the_traces((VALUES > 0).astype(float))
    yield "traces complex", _fields(traces=VALUES + 1j), None
    yield "neuron, time", _fields(traces=VALUES.T), fine
    yield "Fortran order", _fields(traces=np.asfortranarray(VALUES)), fine
    yield "every second of a larger array", _fields(traces=np.repeat(VALUES, 2, axis=0)[::2]), fine
    yield "an axis of one", _fields(traces=VALUES[None]), fine
    yield "an axis of one last", _fields(traces=VALUES[..., None]), fine
    yield "two worms in one array", _fields(traces=np.stack([VALUES, VALUES])), None
    yield "no samples", _fields(traces=VALUES[:0], t=TIME[:0]), None
    yield "no neurons", _fields(traces=VALUES[:, :0], names=None), None
    yield "one sample", _fields(traces=VALUES[:1], t=TIME[:1]), the_traces(VALUES[:1], TIME[:1])
    square = np.vstack([VALUES, VALUES])[:5, :5]
    yield "as many samples as neurons", _fields(traces=square, t=TIME[:5]), the_traces(square, TIME[:5])
    yield "all NaN", _fields(traces=VALUES * np.nan), the_traces(VALUES * np.nan)
    yield "one infinite", _fields(traces=np.where(np.arange(30)[:, None] == 3, np.inf, VALUES)), None
    yield "times as a row", _fields(t=TIME[None]), fine
    yield "times as a column", _fields(t=TIME[:, None]), fine
    yield "times f4", _fields(t=TIME.astype("f4")), fine
    yield "times in ms", _fields(t=TIME * 1e3), fine
    yield "times in us", _fields(t=TIME * 1e6), fine
    yield "times in h", _fields(t=TIME / 3600), fine
    yield "times as whole numbers", _fields(t=np.arange(30)), the_traces(times=np.arange(30.0))
    yield "times twice", _fields(time_s=TIME), fine
    yield "times that contradict", _fields(time_s=TIME * 2), None
    yield "times and a rate", _fields(fs=2.5), fine
    yield "times and another rate", _fields(fs=25.0), None
    yield "times and the rate's period", _fields(fs=0.4), None
    yield "a rate alone", _fields(t=None, fs=2.5), fine
    yield "a rate in an array", _fields(t=None, fs=np.array([[2.5]])), fine
    yield "a rate as text", _fields(t=None, fs=np.array("2.5")), fine
    yield "two rates", _fields(t=None, fs=np.array([2.5, 2.5])), fine
    yield "two rates that differ", _fields(t=None, fs=np.array([2.5, 3.5])), None
    yield "a rate below zero", _fields(t=None, fs=-2.5), None
    yield "a rate of 2500", _fields(t=None, fs=2500.0), None
    yield "a rate that is NaN", _fields(t=None, fs=np.nan), None
    yield "no clock", _fields(t=None), None
    yield "times one too many", _fields(t=np.append(TIME, 12.0)), None
    yield "times one too few", _fields(t=TIME[:-1]), None
    yield "times backwards", _fields(t=TIME[::-1]), fine
    yield "times with one twice", _fields(t=np.where(np.arange(30) == 4, TIME[3], TIME)), None
    yield "times with a NaN", _fields(t=np.where(np.arange(30) == 4, np.nan, TIME)), None
    yield "names one too few", _fields(names=np.array(NAMES[:4])), None
    yield "names one twice", _fields(names=np.array([*NAMES[:4], "AVAL"])), None
    yield "names as bytes", _fields(names=np.array(NAMES, "S")), fine
    yield "names as a column", _fields(names=np.array(NAMES)[:, None]), fine
    yield "names as numbers", _fields(names=np.arange(5)), the_traces(names=None)
    yield "names empty", _fields(names=np.array([""] * 5)), the_traces(names=None)
    yield "names with spaces", _fields(names=np.array([n + "   " for n in NAMES])), fine
    yield "no names", _fields(names=None), the_traces(names=None)
    yield "labels below zero", _fields(labels=np.arange(-1, 4)), None
    yield "labels twice", _fields(labels=np.array([1, 2, 2, 3, 4])), None
    yield "labels 1.5", _fields(labels=np.arange(5) + 0.5), None
    yield "labels as fractions that are whole", _fields(labels=np.arange(1.0, 6.0)), fine
    yield "dff and traces that agree", _fields(dff=VALUES), fine
    yield "dff and traces that differ", _fields(dff=VALUES * 2), None
    yield "confidence one too few", _fields(label_confidence=np.ones(4)), None
    yield "positions of two axes", _fields(positions_um=np.ones((5, 2))), None
    yield "something else, large", _fields(picture=np.zeros((300, 300))), fine


def archives(seed: int) -> Iterator[Odd]:
    """npz, npy, mat, HDF5."""
    for name, fields, right in arrays():

        def npz(folder: Path, fields: dict[str, Any] = fields) -> Path:
            np.savez(folder / "worm.npz", **fields)
            return folder / "worm.npz"

        yield Odd(f"npz: {name}", npz, registry.read_recording, right)
        if fields["traces"].dtype != np.float16:

            def mat(folder: Path, fields: dict[str, Any] = fields) -> Path:
                held = {
                    k: np.array(list(v.ravel()), object) if np.asarray(v).dtype.kind == "U" and np.ndim(v) else v
                    for k, v in fields.items()
                }
                scipy.io.savemat(folder / "worm.mat", held)
                return folder / "worm.mat"

            yield Odd(f"mat: {name}", mat, registry.read_recording, right)

        def hdf(folder: Path, fields: dict[str, Any] = fields) -> Path:
            with h5py.File(folder / "worm.h5", "w") as file:
                for key, value in fields.items():
                    held = np.asarray(value)
                    file[key] = (
                        held.astype(object)
                        if held.dtype.kind == "U" and held.ndim
                        else held.astype("S")
                        if held.dtype.kind == "U"
                        else held
                    )
            return folder / "worm.h5"

        if name.startswith(("labels ", "confidence ")):  # not read, and that is said
            right = lambda found: the_traces()(found) and "are not read: " in " ".join(found.remarks)  # noqa: E731
        yield Odd(f"hdf5: {name}", hdf, registry.read_recording, right)

    def npy(array: Any, **options: Any) -> tuple[Callable[[Path], Path], Callable[[Path], Any]]:
        def make(folder: Path) -> Path:
            np.save(folder / "worm.npy", array, allow_pickle=True)
            return folder / "worm.npy"

        return make, lambda path: registry.read_recording(path, **options)

    bare = the_traces(names=None)
    yield Odd("npy: nothing said", *npy(VALUES), None)
    yield Odd("npy: tn", *npy(VALUES, axes="tn", rate_hz=2.5), bare)
    yield Odd("npy: nt", *npy(VALUES.T, axes="nt", rate_hz=2.5), bare)
    yield Odd("npy: objects", *npy(np.array([VALUES, "x"], object), axes="tn", rate_hz=2.5), None)
    yield Odd("npy: one axis", *npy(VALUES[:, 0], axes="tn", rate_hz=2.5), None)
    yield Odd("npy: structured", *npy(np.zeros(30, [("AVAL", "f8"), ("AVAR", "f8")]), axes="tn", rate_hz=2.5), None)
    yield Odd("npy: rate 0", *npy(VALUES, axes="tn", rate_hz=0), None)
    yield Odd("npy: rate -1", *npy(VALUES, axes="tn", rate_hz=-1), None)
    yield Odd("npy: rate NaN", *npy(VALUES, axes="tn", rate_hz=float("nan")), None)
    yield Odd("npy: axes that are none", *npy(VALUES, axes="xy", rate_hz=2.5), None)
    draw = np.random.default_rng(seed)
    good = io.BytesIO()
    np.savez(good, **_fields())
    for number in range(12):  # bytes of the header of a member: what is read must still be what was written
        data = bytearray(good.getvalue())
        data[int(draw.integers(30, 190))] ^= 1 << int(draw.integers(0, 8))

        def broken(folder: Path, data: bytes = bytes(data)) -> Path:
            (folder / "worm.npz").write_bytes(data)
            return folder / "worm.npz"

        yield Odd(f"npz: a bit of the first header, {number}", broken, registry.read_recording, the_traces())


# --- NWB ----------------------------------------------------------------------------------------------------------------


def nwb(seed: int) -> Iterator[Odd]:
    """Files of our own, with changes that other programs make."""
    from napari_dynamic_connectome.io.registry import write_recording

    one = make_recording("w", 1, n_time=30)
    values, times = np.asarray(one.traces.values), np.asarray(one.time_s)
    whole_values = np.nan_to_num(values)
    buffer = Path(tempfile.mkdtemp()) / "w.nwb"
    write_recording(one, buffer)
    good = buffer.read_bytes()
    shutil.rmtree(buffer.parent)

    def series(file: h5py.File) -> h5py.Group:
        found: list[h5py.Group] = []
        file.visititems(
            lambda _, x: found.append(x) if isinstance(x, h5py.Group) and "rois" in x and "data" in x else None
        )
        return found[0]

    def case(name: str, change: Callable[[h5py.Group], Any], right: Any) -> Odd:
        def make(folder: Path) -> Path:
            path = folder / "w.nwb"
            path.write_bytes(good)
            with h5py.File(path, "r+") as file:
                change(series(file))
            return path

        return Odd(f"nwb: {name}", make, registry.read_recording, right)

    def times_are(new: np.ndarray, **attributes: Any) -> Callable[[h5py.Group], None]:
        def change(group: h5py.Group) -> None:
            held = dict(group["timestamps"].attrs)
            del group["timestamps"]
            group["timestamps"] = new
            for key, value in (held | attributes).items():
                group["timestamps"].attrs[key] = value

        return change

    def scaled(**attributes: float) -> Callable[[h5py.Group], None]:
        return lambda group: group["data"].attrs.update(attributes)

    def rated(rate: Any, start: float = 0.0) -> Callable[[h5py.Group], None]:
        def change(group: h5py.Group) -> None:
            if "timestamps" in group:
                del group["timestamps"]
            if "starting_time" in group:
                del group["starting_time"]
            group["starting_time"] = start
            group["starting_time"].attrs["rate"], group["starting_time"].attrs["unit"] = rate, "seconds"

        return change

    def at(times: np.ndarray | None, factor: float = 1.0, offset: float = 0.0) -> Any:
        return the_traces(values * factor + offset, times, None)

    clock = lambda rate, start=0.0: np.arange(30) / rate + start  # noqa: E731
    yield case("as it is", lambda _: None, at(times))
    yield case("conversion 2", scaled(conversion=2.0), at(times, 2))
    yield case("conversion and offset", scaled(conversion=0.5, offset=10.0), at(times, 0.5, 10))
    yield case("offset NaN", scaled(offset=np.nan), None)
    yield case("conversion infinite", scaled(conversion=np.inf), None)
    yield case("conversion -1", scaled(conversion=-1.0), at(times, -1))
    yield case("conversion 0", scaled(conversion=0.0), None)
    yield case("a rate", rated(2.5), at(clock(2.5)))
    yield case("a rate, later", rated(2.5, 7.0), at(clock(2.5, 7)))
    yield case("a rate of 0", rated(0.0), None)
    yield case("a rate below 0", rated(-1.0), None)
    yield case("a rate that is NaN", rated(np.nan), None)
    yield case("a rate of .0025", rated(0.0025), None)
    yield case("a rate of 2500", rated(2500.0), None)
    yield case("times in ms", lambda g: times_are(times * 1e3)(g), at(times))
    yield case("times that say ms", lambda g: times_are(times * 1e3, unit="milliseconds")(g), at(times))
    yield case("times backwards", lambda g: times_are(times[::-1])(g), None)
    yield case("a time NaN", lambda g: times_are(np.where(np.arange(30) == 3, np.nan, times))(g), None)
    yield case("one time too few", lambda g: times_are(times[:-1])(g), None)

    def whole(group: h5py.Group) -> None:
        held, steps = dict(group["data"].attrs), np.round(whole_values * 1000).astype("i4")
        del group["data"]
        group["data"] = steps
        group["data"].attrs.update(held | {"conversion": 0.001})

    def turned(group: h5py.Group) -> None:
        held = dict(group["data"].attrs)
        del group["data"]
        group["data"] = values.T
        group["data"].attrs.update(held)

    yield case("whole numbers with a conversion", whole, the_traces(np.round(whole_values, 3), times, None))
    yield case("neuron, time", turned, at(times))
    yield case("resolution -1", scaled(resolution=-1.0), at(times))


# --- images -------------------------------------------------------------------------------------------------------------


def the_image(
    voxels: np.ndarray = VOXELS, size: tuple[float, ...] | None = None, rate: float | None = None
) -> Callable[[Any], bool]:
    """Whether a volume holds these voxels (t, z, y, x), of this size (z, y, x) and rate."""

    def right(found: Any) -> bool:
        got = np.asarray(found.data)
        same = got.shape == voxels.shape and bool(np.allclose(got, voxels, equal_nan=True))
        told = np.asarray(found.voxel_size_um)
        fits = size is None or bool((np.isnan(told) | np.isclose(told, size)).all())  # NaN: it is asked for
        timed = rate is None or np.isnan(found.frame_rate_hz) or bool(np.isclose(found.frame_rate_hz, rate, rtol=1e-3))
        return same and fits and timed

    return right


def _tif(
    name: str,
    right: Any,
    data: np.ndarray = VOXELS,
    options: dict[str, Any] | None = None,
    *,
    file: str = "image.ome.tif",
    **how: Any,
) -> Odd:
    def make(folder: Path) -> Path:
        import tifffile

        path = folder / file
        tifffile.imwrite(path, data, **how)
        return path

    return Odd(f"tiff: {name}", make, lambda path: read_image(path, **(options or {})), right)


def read_image(path: Path, **options: Any) -> Any:
    """Open an image as an extraction does: it asks for a channel, and about rates that no recording has."""
    from napari_dynamic_connectome.extraction.extract import frame_times
    from napari_dynamic_connectome.extraction.sources import open_source

    found = registry.open_volume(path, **options)
    open_source(found, "volume")
    if np.isfinite(found.frame_rate_hz):
        frame_times(found.data.shape[0], None, None, found.reference)
    return found


def images() -> Iterator[Odd]:
    """TIFF and OME-Zarr, images and labels."""
    sized = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.4, "PhysicalSizeZ": 2.0}
    for dtype in ("u1", "u2", "u4", "i2", "i4", "f4", "f8"):
        yield _tif(
            f"voxels {dtype}",
            the_image((VOXELS % 200).astype(dtype)),
            (VOXELS % 200).astype(dtype),
            metadata={"axes": "TZYX"},
        )
    for order in "<>":
        yield _tif(f"byte order {order}", the_image(), byteorder=order, metadata={"axes": "TZYX"})
    for compression in ("zlib", "lzw", "packbits", "zstd", "lzma"):
        yield _tif(f"compression {compression}", the_image(), compression=compression, metadata={"axes": "TZYX"})
    yield _tif("tiles", the_image(), tile=(16, 16), metadata={"axes": "TZYX"})
    yield _tif("predictor", the_image(), compression="zlib", predictor=True, metadata={"axes": "TZYX"})
    yield _tif("BigTIFF", the_image(), bigtiff=True, metadata={"axes": "TZYX"})
    yield _tif("sizes", the_image(size=(2, 0.4, 0.5)), metadata={"axes": "TZYX"} | sized)
    for unit, factor in (("nm", 1e-3), ("mm", 1e3), ("µm", 1), ("cm", 1e4), ("Å", 1e-4), ("m", 1e6), ("pixel", 1)):
        units = {f"PhysicalSize{a}Unit": unit for a in "XYZ"}
        yield _tif(
            f"sizes in {unit}",
            the_image(size=(2 * factor, 0.4 * factor, 0.5 * factor)),
            metadata={"axes": "TZYX"} | sized | units,
        )
    for unit, rate in (("s", 2.5), ("ms", 2500.0), ("min", 2.5 / 60)):
        yield _tif(
            f"frames every .4 {unit}",
            the_image(rate=rate),
            metadata={"axes": "TZYX", "TimeIncrement": 0.4, "TimeIncrementUnit": unit},
        )
    yield _tif("a size of 0", the_image(size=(1, 1, 1)), metadata={"axes": "TZYX", "PhysicalSizeX": 0.0})
    yield _tif("a size below 0", the_image(size=(1, 1, 1)), metadata={"axes": "TZYX", "PhysicalSizeX": -0.5})
    yield _tif("frames every 0 s", the_image(), metadata={"axes": "TZYX", "TimeIncrement": 0.0})
    for axes in ("TZYX", "ZTYX"):
        data = np.moveaxis(VOXELS, [0, 1], [axes.index("T"), axes.index("Z")])
        yield _tif(f"axes {axes}", the_image(), data, metadata={"axes": axes})
    yield _tif("a channel of one", the_image(), VOXELS[:, :, None], metadata={"axes": "TZCYX"})
    yield _tif("two channels", None, np.stack([VOXELS, VOXELS + 1], 2), metadata={"axes": "TZCYX"})
    yield _tif(
        "two channels, one chosen",
        the_image(VOXELS + 1),
        np.stack([VOXELS, VOXELS + 1], 2),
        {"channel": 1},
        metadata={"axes": "TZCYX"},
    )
    yield _tif(
        "a channel that is not there",
        None,
        np.stack([VOXELS, VOXELS + 1], 2),
        {"channel": 2},
        metadata={"axes": "TZCYX"},
    )
    yield _tif("ImageJ", the_image(), imagej=True, metadata={"axes": "TZYX"}, file="image.tif")
    yield _tif(
        "ImageJ, spacing",
        the_image(size=(2, 0.4, 0.5)),
        imagej=True,
        resolution=(1 / 0.5, 1 / 0.4),
        metadata={"axes": "TZYX", "spacing": 2.0, "unit": "um"},
        file="image.tif",
    )
    yield _tif(
        "ImageJ, seconds",
        the_image(rate=2.5),
        imagej=True,
        metadata={"axes": "TZYX", "finterval": 0.4},
        file="image.tif",
    )
    yield _tif("plain, axes told", the_image(), VOXELS, {"axes": "tzyx"}, file="image.tif")
    yield _tif("plain, nothing told", None, VOXELS, file="image.tif")
    yield _tif("plain, axes of three", None, VOXELS, {"axes": "zyx"}, file="image.tif")
    yield _tif("plain, an axis twice", None, VOXELS, {"axes": "ttyx"}, file="image.tif")
    yield _tif(
        "colours",
        None,
        np.repeat(VOXELS[0, ..., None] % 256, 3, -1).astype("u1"),
        photometric="rgb",
        metadata={"axes": "ZYXS"},
    )
    yield _tif("one plane", the_image(VOXELS[:1, :1]), VOXELS[0, 0], metadata={"axes": "YX"})
    yield _tif("one volume", the_image(VOXELS[:1]), VOXELS[0], metadata={"axes": "ZYX"})
    yield from _zarrs()
    for name, data, right in (
        ("u2", LABELS, True), ("i4", LABELS.astype("i4"), True), ("f4", LABELS.astype("f4"), True),
        ("large numbers", np.where(LABELS, LABELS.astype("u4") + 70_000, 0).astype("u4"), True), ("f4 with a half", LABELS + np.float32(0.5), None),
        ("f4 with NaN", np.where(LABELS, LABELS, np.nan).astype("f4"), None), ("below zero", LABELS.astype("i4") - 1, None),
        ("all zero", LABELS * 0, None),
    ):  # fmt: skip

        def labels(folder: Path, data: np.ndarray = data) -> Path:
            import tifffile

            tifffile.imwrite(folder / "labels.ome.tif", data, metadata={"axes": "ZYX"})
            return folder / "labels.ome.tif"

        def read(path: Path) -> Any:
            from napari_dynamic_connectome.extraction.extract import extract_traces

            found = registry.open_labels(path)
            extract_traces(
                np.stack([VOXELS[0]] * 3), np.asarray(found.data), voxel_size_um=(1, 1, 1), frame_rate_hz=2.5
            )
            return np.asarray(found.data)

        yield Odd(
            f"labels: {name}", labels, read, (lambda found, data=data: bool((found == data).all())) if right else None
        )


def _zarrs() -> Iterator[Odd]:
    from napari_dynamic_connectome.io.volumes.omezarr_write import create_volume

    def case(
        name: str, change: Callable[[Path, str], Any], right: Any, versions: tuple[str, ...] = ("0.4", "0.5")
    ) -> Iterator[Odd]:
        for version in versions:

            def make(folder: Path, version: str = version) -> Path:
                path = folder / "image.ome.zarr"
                create_volume(path, VOXELS.shape, voxel_size_um=(2, 0.4, 0.5), frame_rate_hz=2.5, version=version)[
                    ...
                ] = VOXELS
                change(path, version)
                return path

            yield Odd(f"ome-zarr {version}: {name}", make, read_image, right)

    def described(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path, str], None]:
        def edit(path: Path, version: str) -> None:
            file = path / (".zattrs" if version == "0.4" else "zarr.json")
            body = json.loads(file.read_text())
            inner = body if version == "0.4" else body["attributes"]["ome"]
            change(inner["multiscales"][0])
            file.write_text(json.dumps(body))

        return edit

    def scale(*numbers: Any) -> Callable[[dict[str, Any]], None]:
        return lambda m: m["datasets"][0]["coordinateTransformations"].__setitem__(
            0, {"type": "scale", "scale": list(numbers)}
        )

    def unit(axis: str, name: Any) -> Callable[[dict[str, Any]], None]:
        return lambda m: [a.update(unit=name) for a in m["axes"] if a["name"] == axis]

    sized = (2, 0.4, 0.5)
    yield from case("as it is", lambda *_: None, the_image(size=sized, rate=2.5))
    yield from case("scale of 0", described(scale(0.4, 0, 0.4, 0.5)), None)
    yield from case("scale below 0", described(scale(0.4, 2, -0.4, 0.5)), None)
    yield from case("scale as text", described(scale("0.4", "2", "0.4", "0.5")), the_image(size=sized, rate=2.5))
    yield from case("scale null", described(scale(0.4, None, 0.4, 0.5)), None)
    yield from case("scale of a frame 0", described(scale(0, 2, 0.4, 0.5)), the_image(size=sized))
    yield from case(
        "scale of a frame 400 ms",
        described(lambda m: (scale(400, 2, 0.4, 0.5)(m), unit("t", "millisecond")(m))),
        the_image(size=sized, rate=2.5),
    )
    yield from case("scale of a frame 400 s", described(scale(400, 2, 0.4, 0.5)), None)
    yield from case(
        "z in nanometres",
        described(lambda m: (scale(0.4, 2000, 0.4, 0.5)(m), unit("z", "nanometer")(m))),
        the_image(size=sized),
    )
    yield from case("unit null", described(unit("z", None)), the_image(size=sized))
    yield from case("unit of a number", described(unit("z", 5)), the_image(size=sized))
    yield from case(
        "no transformations",
        described(lambda m: m["datasets"][0].pop("coordinateTransformations")),
        the_image(size=(1, 1, 1)),
    )
    yield from case(
        "transformations of all",
        described(lambda m: m.update(coordinateTransformations=[{"type": "scale", "scale": [1, 2, 2, 2]}])),
        the_image(size=(4, 0.8, 1)),
    )
    yield from case(
        "a translation too",
        described(
            lambda m: m["datasets"][0]["coordinateTransformations"].append(
                {"type": "translation", "translation": [0, 5, 5, 5]}
            )
        ),
        the_image(size=sized),
    )
    yield from case("axes as letters", described(lambda m: m.update(axes=["t", "z", "y", "x"])), the_image(size=sized))
    yield from case(
        "axes in capitals",
        described(lambda m: [a.update(name=a["name"].upper()) for a in m["axes"]]),
        the_image(size=sized),
    )
    yield from case("an axis too few", described(lambda m: m["axes"].pop()), None)
    yield from case("no axes", described(lambda m: m.pop("axes")), the_image(size=sized))
    yield from case(
        "a level that is not there",
        described(
            lambda m: m["datasets"].append(
                {"path": "9", "coordinateTransformations": [{"type": "scale", "scale": [1, 4, 1, 1]}]}
            )
        ),
        the_image(size=sized),
    )
    yield from case("no levels", described(lambda m: m["datasets"].clear()), None)
    yield from case("a level of a number", described(lambda m: m["datasets"][0].update(path=0)), the_image(size=sized))

    def without_chunk(path: Path, version: str) -> None:
        chunks = [
            p for p in path.rglob("*") if p.is_file() and p.name not in (".zattrs", ".zarray", ".zgroup", "zarr.json")
        ]
        shutil.rmtree(chunks[0]) if chunks[0].is_dir() else chunks[0].unlink()

    def missing(found: Any) -> bool:
        got = np.asarray(found.data).astype(float)
        gone = np.isnan(got)
        return bool(gone.any() and np.allclose(got[~gone], VOXELS[~gone]))

    yield from case("a chunk gone", without_chunk, missing)


# --- graphs, settings, sessions -----------------------------------------------------------------------------------------


def graphs() -> Iterator[Odd]:
    """Connectomes in GraphML and tables."""
    from napari_dynamic_connectome.io.formats.connectome import read_connectome

    def weight(found: Any) -> bool:
        here = found[(found["pre"] == "AVAL") & (found["post"] == "AVAR")]
        column = "synapses" if "synapses" in found else "weight"
        return bool(here[column].sum() == 2 and found[column].sum() == 2)

    head = "<?xml version='1.0'?><graphml xmlns='http://graphml.graphdrawing.org/xmlns'>"
    key = "<key id='w' for='edge' attr.name='weight' attr.type='double'/>"
    nodes = "<node id='AVAL'/><node id='AVAR'/>"
    edge = "<edge source='AVAL' target='AVAR'><data key='w'>{}</data></edge>"
    tail = "</graph></graphml>"
    begin = "<graph edgedefault='directed'>"

    def case(name: str, text: str | bytes, right: Any, file: str = "c.graphml") -> Odd:
        def make(folder: Path) -> Path:
            (folder / file).write_bytes(text.encode() if isinstance(text, str) else text)
            return folder / file

        return Odd(f"graph: {name}", make, read_connectome, right)

    for number, right in (
        ("2", weight),
        ("2.0", weight),
        (" 2 ", weight),
        ("2e0", weight),
        ("-2", None),
        ("nan", None),
        ("inf", None),
        ("two", None),
        ("", None),
        ("2,0", None),
    ):
        yield case(f"weight {number!r}", head + key + begin + nodes + edge.format(number) + tail, right)
    good = head + key + begin + nodes + edge.format("2") + tail
    yield case("UTF-16", good.replace("version='1.0'", "version='1.0' encoding='utf-16'").encode("utf-16"), weight)
    yield case("says latin-1", good.replace("version='1.0'", "version='1.0' encoding='latin-1'"), weight)
    yield case("an encoding that is none", good.replace("version='1.0'", "version='1.0' encoding='klingon'"), weight)
    yield case("no namespace", good.replace(" xmlns='http://graphml.graphdrawing.org/xmlns'", ""), weight)
    yield case("cut off", good[:-20], None)
    yield case("a node twice", good.replace(nodes, nodes + "<node id='AVAL'/>"), weight)
    yield case(
        "two graphs",
        good.replace("</graph>", "</graph><graph edgedefault='directed'><node id='RIML'/></graph>"),
        weight,
    )
    yield case("no edges", head + key + begin + nodes + tail, lambda g: True)
    yield case("no nodes", head + key + begin + tail, None)
    yield case("a control character", good.replace("AVAR", "AV&#1;AR"), None)
    yield case(
        "ids of numbers and names in an attribute",
        good.replace(key, key + "<key id='n' for='node' attr.name='name' attr.type='string'/>")
        .replace(nodes, "<node id='0'><data key='n'>AVAL</data></node><node id='1'><data key='n'>AVAR</data></node>")
        .replace("source='AVAL' target='AVAR'", "source='0' target='1'"),
        weight,
    )
    for name, text, right in (
        ("semicolons", "pre;post;type;synapses\nAVAL;AVAR;chemical;2\n", weight), ("no type", "pre,post,synapses\nAVAL,AVAR,2\n", weight),
        ("capital header", "Pre,Post,Type,Synapses\nAVAL,AVAR,chemical,2\n", weight), ("a fraction", "pre,post,type,synapses\nAVAL,AVAR,chemical,2.0\n", weight),
        ("a text", "pre,post,type,synapses\nAVAL,AVAR,chemical,two\n", None), ("an empty number", "pre,post,type,synapses\nAVAL,AVAR,chemical,\n", None),
        ("an edge in two rows", "pre,post,type,synapses\nAVAL,AVAR,chemical,1\nAVAL,AVAR,chemical,1\n", weight),
        ("spaces", "pre, post, type, synapses\nAVAL , AVAR, chemical, 2\n", weight), ("infinite", "pre,post,type,synapses\nAVAL,AVAR,chemical,inf\n", None),
        ("a row without a neuron", "pre,post,type,synapses\nAVAL,,chemical,2\n", None), ("a header alone", "pre,post,type,synapses\n", None),
    ):  # fmt: skip
        yield case(f"table, {name}", text, right, "c.csv")


def settings() -> Iterator[Odd]:
    """TOML."""
    from napari_dynamic_connectome.pipeline.settings import PipelineSettings

    def case(name: str, text: str | bytes, right: Any = None) -> Odd:
        def make(folder: Path) -> Path:
            (folder / "settings.toml").write_bytes(text.encode() if isinstance(text, str) else text)
            return folder / "settings.toml"

        return Odd(f"settings: {name}", make, PipelineSettings.from_file, right)

    def sigma(value: float) -> Callable[[Any], bool]:
        return lambda s: s.affinity.sigma_s == value

    yield case("a number", "[affinity]\nsigma_s = 2.5\n", sigma(2.5))
    yield case("a whole number", "[affinity]\nsigma_s = 2\n", sigma(2.0))
    yield case("a BOM", b"\xef\xbb\xbf[affinity]\nsigma_s = 2.5\n", sigma(2.5))
    yield case("Windows newlines", "[affinity]\r\nsigma_s = 2.5\r\n", sigma(2.5))
    yield case("UTF-16", "[affinity]\nsigma_s = 2.5\n".encode("utf-16"), sigma(2.5))
    yield case("nothing", "", lambda s: True)
    yield case("dotted", "affinity.sigma_s = 2.5\n", sigma(2.5))
    yield case("inline", "affinity = { sigma_s = 2.5 }\n", sigma(2.5))
    for value in (
        '"2.5"',
        "true",
        "nan",
        "inf",
        "-1",
        "0",
        "[2.5]",
        "{}",
        "1979-05-27",
        "2.5.1",
        "2,5",
        "1e999",
        "0x10",
        "''",
    ):
        yield case(
            f"sigma_s = {value}",
            f"[affinity]\nsigma_s = {value}\n",
            {"0x10": sigma(16.0), '"2.5"': sigma(2.5)}.get(value),
        )
    for text in ("sigma = 2.5", "Sigma_s = 2.5", "sigma_s = 2.5\nsigma_s = 3.5", "sigma_s 2.5", "sigma_s ="):
        yield case(f"affinity, {text!r}", f"[affinity]\n{text}\n")
    for text in (
        "[afinity]\nsigma_s = 2.5",
        "sigma_s = 2.5",
        "[[affinity]]\nsigma_s = 2.5",
        "affinity = 3",
        "affinity = []",
        "[input]\nrecordings = 'a.npz'\nrecordings = 'b.npz'",
    ):
        yield case(text, text + "\n", None)
    for text in (
        "rank = true",
        "rank = 2.5",
        "rank = -1",
        "smallest = 5\nlargest = 3",
        "starts = 0",
        "rank = 1000000000000",
        "rank = []",
    ):
        yield case(f"rank, {text!r}", f"[rank]\n{text}\n")
    for text in (
        "seed = -1",
        "seed = 1.5",
        "seed = true",
        "seed = nan",
    ):
        yield case(text, text + "\n")
    for text in (
        "recordings = 5",
        "recordings = [5]",
        "recordings = [['a.npz']]",
        "volumes = 'a.tif'",
        "reading = 3",
    ):
        yield case(f"input, {text!r}", f"[input]\n{text}\n")
    yield case("rank, text", '[rank]\nrank = "3"\n', lambda s: s.rank.rank == 3)
    yield case("rank, one fold", "[rank]\nfolds = 1\n", lambda s: s.rank.folds == 1)
    yield case("seed, text", 'seed = "1"\n', lambda s: s.seed == 1)
    yield case("seed, large", "seed = 99999999999999999999999\n", lambda s: s.seed == 99999999999999999999999)
    yield case("deep", "a = " + "[" * 2000 + "]" * 2000 + "\n")
    yield case("wide", "[affinity]\n" + "".join(f"x{i} = 1\n" for i in range(20_000)))


def sessions() -> Iterator[Odd]:
    """Session folders and zips that were moved about by other programs."""
    session = make_session(0)
    home = Path(tempfile.mkdtemp())
    save_session(session, home / "s.zip")
    save_session(session, home / "s.zarr")
    data = (home / "s.zip").read_bytes()
    files = {
        p.relative_to(home / "s.zarr").as_posix(): p.read_bytes() for p in (home / "s.zarr").rglob("*") if p.is_file()
    }
    shutil.rmtree(home)
    traces = {n: r.traces.values for n, r in session.recordings.items()}

    def same(found: Any) -> bool:
        return set(found.recordings) == set(traces) and all(
            np.array_equal(found.recordings[n].traces.values, v, equal_nan=True) for n, v in traces.items()
        )

    def folder_case(name: str, change: Callable[[dict[str, bytes]], Any], right: Any, place: str = "s.zarr") -> Odd:
        def make(folder: Path) -> Path:
            held = dict(files)
            change(held)
            for one, content in held.items():
                path = folder / place / one
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
            return folder / place

        return Odd(f"session: {name}", make, load_session, right)

    def zip_case(
        name: str, change: Callable[[dict[str, bytes]], Any], right: Any, method: int = zipfile.ZIP_STORED
    ) -> Odd:
        def make(folder: Path) -> Path:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                held = {n: archive.read(n) for n in archive.namelist()}
            change(held)
            with zipfile.ZipFile(folder / "s.zip", "w", method) as archive:
                for one, content in held.items():
                    archive.writestr(one, content)
            return folder / "s.zip"

        return Odd(f"session: zip, {name}", make, load_session, right)

    def renamed(held: dict[str, bytes], rename: Callable[[str], str]) -> None:
        old = dict(held)
        held.clear()
        held |= {rename(k): v for k, v in old.items()}

    array = next(n for n in files if n.startswith("arrays/") and not n.endswith("zarr.json"))
    head = next(n for n in files if n.startswith("arrays/") and n.count("/") == 2 and n.endswith("zarr.json"))
    yield folder_case("as it is", lambda f: None, same)
    yield folder_case("under another name", lambda f: None, same, "copy of s (2).zarr")
    yield folder_case("without .zarr", lambda f: None, same, "session")
    yield folder_case(
        "files of a file browser beside",
        lambda f: f.update({".DS_Store": b"x", "Thumbs.db": b"x", "arrays/._x": b"x", "desktop.ini": b""}),
        same,
    )
    yield folder_case(
        "a conflicted copy beside", lambda f: f.update({"session (conflicted copy).json": f["session.json"]}), same
    )
    yield folder_case("an array gone", lambda f: f.pop(array), None)
    yield folder_case("an array cut off", lambda f: f.update({array: f[array][:-3]}), None)
    yield folder_case("an array of zeros", lambda f: f.update({array: b"\0" * len(f[array])}), None)
    yield folder_case("a description gone", lambda f: f.pop(head), None)
    yield folder_case("a description empty", lambda f: f.update({head: b""}), None)
    yield folder_case("session.json gone", lambda f: f.pop("session.json"), None)
    yield folder_case("session.json empty", lambda f: f.update({"session.json": b""}), None)
    yield folder_case(
        "session.json edited by hand",
        lambda f: f.update({"session.json": f["session.json"].replace(b"worm 1", b"worm 9")}),
        None,
    )
    yield folder_case(
        "session.json in UTF-16",
        lambda f: f.update({"session.json": f["session.json"].decode().encode("utf-16")}),
        None,
    )
    yield folder_case("zarr.json gone", lambda f: f.pop("zarr.json"), None)
    yield folder_case(
        "only the copies left",
        lambda f: [f.pop(n) for n in list(f) if not n.startswith(("recordings/", "components/"))],
        None,
    )
    yield folder_case(
        "the copies gone",
        lambda f: [f.pop(n) for n in list(f) if n.startswith(("recordings/", "components/", "communities/"))],
        same,
    )
    yield zip_case("as it is", lambda f: None, same)
    yield zip_case("compressed", lambda f: None, same, zipfile.ZIP_DEFLATED)
    yield zip_case("packed with lzma", lambda f: None, same, zipfile.ZIP_LZMA)
    yield zip_case("a folder deeper", lambda f: renamed(f, lambda n: f"s.zarr/{n}"), same)
    yield zip_case("with __MACOSX", lambda f: f.update({"__MACOSX/._zarr.json": b"x"}), same)
    yield zip_case("backslashes", lambda f: renamed(f, lambda n: n.replace("/", "\\")), same)
    yield zip_case("out of the folder", lambda f: f.update({"../x": b"x"}), same)
    yield zip_case("session.json gone", lambda f: f.pop("session.json"), None)


KINDS: dict[str, Callable[[int], Iterator[Odd]]] = {
    "csv": tables,
    "arrays": archives,
    "nwb": nwb,
    "images": lambda _: images(),
    "graphs": lambda _: graphs(),
    "settings": lambda _: settings(),
    "sessions": lambda _: sessions(),
}


def try_one(one: Odd, folder: Path) -> str:
    """Return "read", "refused", "wrong", "traceback", "more than a line" or "slow"."""
    path = one.make(folder)
    start = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = one.read(path)
            outcome = "read" if one.right is not None and one.right(found) else "wrong"
    except DynamicConnectomeError as error:
        outcome = "refused" if "\n" not in str(error) else "more than a line"
        if VERBOSE:
            print(f"    {one.name}: {str(error).replace(str(folder), '')[:230]}")
    except Exception:
        traceback.print_exc()
        return "traceback"
    return outcome if time.monotonic() - start < SLOW_S else "slow"


VERBOSE = False
BAD = ("wrong", "traceback", "more than a line", "slow")


def odd_inputs(seed: int = 0, only: tuple[str, ...] = (), sample: int | None = None) -> Counter[str]:
    """Try all inputs, or a sample; what is bad is printed."""
    found = [one for kind, make in KINDS.items() if not only or kind in only for one in make(seed)]
    if sample is not None:
        found = random.Random(seed).sample(found, min(sample, len(found)))
    counts: Counter[str] = Counter(dict.fromkeys(("inputs", "read", "refused", *BAD), 0))
    for one in found:
        counts["inputs"] += 1
        with tempfile.TemporaryDirectory(prefix="odd-") as folder:
            outcome = try_one(one, Path(folder))
        counts[outcome] += 1
        if outcome in BAD:
            print(f"{outcome}: {one.name}", flush=True)
    return counts


def main() -> int:
    """Try all; 1 if one is read wrong, slowly or not at all."""
    global VERBOSE
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=())
    parser.add_argument("--verbose", action="store_true", help="print what is said about each that is refused")
    asked = parser.parse_args()
    VERBOSE = asked.verbose
    counts = odd_inputs(asked.seed, tuple(asked.only))
    print(dict(counts))
    return int(any(counts[k] for k in BAD))


if __name__ == "__main__":
    sys.exit(main())
