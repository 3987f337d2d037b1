"""Values come back from JSON and arrays as they were; what lies at the edge of what is allowed is read, what lies beyond is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.model.errors import FormatError
from napari_dynamic_connectome.session import codec, schema
from napari_dynamic_connectome.session.codec import Decoder, Encoder
from napari_dynamic_connectome.session.store import ArrayPool, ArrayReader, array_files


class Memory:
    """Files of a store, in memory."""

    def __init__(self, pool: ArrayPool) -> None:
        self.files = {
            f"arrays/{name}/{key}": data
            for name, values in pool.arrays.items()
            for key, data in array_files(values, tuple(f"d{i}" for i in range(values.ndim)))
        }

    def size(self, name: str) -> int:
        return len(self.files[name])

    def read(self, name: str, limit: int) -> bytes:
        return self.files[name]


def there_and_back(value):
    pool = ArrayPool()
    said = json.loads(json.dumps(Encoder(pool).value(value), allow_nan=False))
    return Decoder(ArrayReader(Memory(pool))).value(said)


def decode(said, pool: ArrayPool | None = None):
    return Decoder(ArrayReader(Memory(pool or ArrayPool()))).value(said)


keys = st.one_of(st.text(max_size=4), st.sampled_from(sorted(codec.RESERVED)), st.integers(-5, 5), st.booleans())
plain = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False), st.text(max_size=5)
)
values = st.recursive(
    plain,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.tuples(inner, inner), st.dictionaries(keys, inner, max_size=3)
    ),
    max_leaves=12,
)


@given(values)
@settings(max_examples=150, deadline=None)
def test_values_of_any_shape_come_back(value) -> None:
    found = there_and_back(value)
    assert found == value and type(found) is type(value) and repr(found) == repr(value)


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), np.float32(0.5), np.int16(-3), np.bool_(True)])
def test_numbers_come_back_as_pythons(value) -> None:
    assert there_and_back(value) == value and type(there_and_back(value)) in (float, int, bool)
    assert np.isnan(there_and_back(float("nan")))


@pytest.mark.parametrize("count", [0, 1, codec.INLINE, codec.INLINE + 1])
@pytest.mark.parametrize("kind", ["U3", object])
def test_texts_come_back_stored_in_line_or_as_numbers(count: int, kind) -> None:
    texts = np.asarray([f"n{i % 7}" for i in range(count)], dtype=kind).reshape(-1, 1)
    pool = ArrayPool()
    Encoder(pool).value(texts)
    assert len(pool.arrays) == (count > codec.INLINE)
    found = there_and_back(texts)
    assert found.dtype == texts.dtype and found.shape == texts.shape and (found == texts).all()


def test_texts_and_other_things_stay_objects() -> None:
    mixed = np.asarray(["a", None, 2, (1, "b")] * 500, dtype=object)
    assert there_and_back(mixed).tolist() == mixed.tolist()


@pytest.mark.parametrize("codes", [[0, 1], [-1, 0], [0, 2]])
def test_numbers_of_texts_beyond_their_list_are_refused(codes: list[int]) -> None:
    pool = ArrayPool()
    said = {"array": pool.put(np.asarray(codes, np.int32)) | {"text": ["a", "b"]}}
    if codes == [0, 1]:
        assert decode(said, pool).tolist() == ["a", "b"]
    else:
        with pytest.raises(FormatError, match="beyond its list"):
            decode(said, pool)


@pytest.mark.parametrize(
    ("declared", "width"), [(2, 2), (1, 2), (codec.MAX_WIDTH, codec.MAX_WIDTH), (codec.MAX_WIDTH + 1, 2), (-5, 2)]
)
def test_a_declared_width_of_texts_is_believed_within_its_limit(declared: int, width: int) -> None:
    found = decode({"array": {"array": None, "shape": [1], "text": ["ab"], "width": declared}})
    assert found.dtype == np.dtype(f"<U{width}") and found[0] == "ab"
    assert decode({"array": {"array": None, "shape": [0], "text": []}}).dtype == np.dtype("<U1")


def test_times_come_back_and_only_times() -> None:
    for times in (np.array(["2026-11-30T10:00", "NaT"], "M8[ns]"), np.array([5, -3], "m8[s]")):
        found = there_and_back(times)
        assert found.dtype == times.dtype and (found.view("i8") == times.view("i8")).all()
    for kind in ("<i8", "<f8", "S8"):
        pool = ArrayPool()
        with pytest.raises(FormatError, match="array of times"):
            decode({"array": pool.put(np.arange(2)) | {"time": kind}}, pool)


FRAMES = [
    pd.DataFrame(),
    pd.DataFrame({"x": [1, 2], "y": [0.5, np.nan], "z": ["a", "b"]}),
    pd.DataFrame({"x": np.array([1, 255], np.uint8), 3: np.array([True, False])}, index=[7, -1]),
    pd.DataFrame({"x": [1.0, np.inf]}, index=pd.RangeIndex(4, 0, -2, name="back")),
    pd.DataFrame({"x": [1]}, index=pd.MultiIndex.from_tuples([("a", 1)])),
    pd.DataFrame({"x": np.array([0.5], np.float32), "t": [(1, 2)]}, index=pd.Index(["k"], name="who")),
]


@pytest.mark.parametrize("table", FRAMES, ids=range(len(FRAMES)))
def test_tables_come_back_with_index_and_types(table: pd.DataFrame) -> None:
    table = table.copy()
    table.attrs["about"] = {"units": ("s", 1)}
    found = there_and_back(table)
    pd.testing.assert_frame_equal(found, table, check_column_type=False)
    assert found.attrs == table.attrs and type(found.index) is type(table.index)
    for name in table.columns:
        pd.testing.assert_series_equal(there_and_back(table[name]), table[name], check_index_type=False)


@pytest.mark.parametrize(
    ("start", "stop", "step", "fits"),
    [
        (0, 2, 1, True),
        (2**40 - 2, 2**40, 1, True),
        (-(2**40), 2 - 2**40, 1, True),
        (0, 2**40, 2**39, True),
        (2**40 - 1, 2**40 + 1, 1, False),
        (-(2**40) - 1, 1 - 2**40, 1, False),
        (0, 2, 0, False),
    ],
)
def test_an_index_of_numbers_has_limits(start: int, stop: int, step: int, fits: bool) -> None:
    said = {"table": {"index": {"range": [start, stop, step]}, "columns": [["x", {"type": "int64", "values": [1, 2]}]]}}
    if fits:
        assert decode(said).index.tolist() == [start, start + step]
    else:
        with pytest.raises(FormatError, match="index of a table is damaged"):
            decode(said)


@pytest.mark.parametrize("column", [{"type": "int64", "values": [1]}, {"type": "int64", "values": "ab"}])
def test_columns_that_do_not_fit_are_refused(column) -> None:
    with pytest.raises(FormatError, match="table"):
        decode({"table": {"index": {"range": [0, 2, 1]}, "columns": [["x", column]]}})


def test_labelled_arrays_and_sets_of_them_come_back() -> None:
    one = xr.DataArray(
        np.arange(6.0).reshape(2, 3),
        dims=("a", "b"),
        coords={"a": ["x", "y"], "n": ("b", [1, 2, 3], {"u": "s"}), "k": 5},
        name="v",
        attrs={"units": "s"},
    )
    xr.testing.assert_identical(there_and_back(one), one)
    both = xr.Dataset({"v": one, "w": ("a", [True, False])}, attrs={"m": 1})
    xr.testing.assert_identical(there_and_back(both), both)


@pytest.mark.parametrize("version", [-1, 0, schema.SCHEMA_VERSION - 1, schema.SCHEMA_VERSION + 1, True, "1", None, 1.0])
def test_versions_that_were_never_released_are_refused(version) -> None:
    with pytest.raises(FormatError, match="schema version"):
        schema.check_version(version)
    assert schema.check_version(schema.SCHEMA_VERSION) == schema.SCHEMA_VERSION


@pytest.mark.parametrize("ndim", [0, 1, 8, 9])
def test_arrays_have_up_to_eight_axes(ndim: int) -> None:
    pool = ArrayPool()
    said = pool.put(np.ones((1,) * ndim))
    if ndim <= 8:
        assert decode({"array": said}, pool).shape == (1,) * ndim
    else:
        with pytest.raises(FormatError, match="is not known"):
            decode({"array": said}, pool)


def test_packed_arrays_are_gzip_and_nothing_else() -> None:
    import zlib

    pool = ArrayPool()
    said = {"array": pool.put(np.zeros(500))}
    source = Memory(pool)
    assert Decoder(ArrayReader(source)).value(said).sum() == 0
    (chunk,) = (k for k in source.files if "/c/" in k)
    source.files[chunk] = zlib.compress(bytes(4000))
    with pytest.raises(FormatError, match="packed array is damaged"):
        Decoder(ArrayReader(source)).value(said)
