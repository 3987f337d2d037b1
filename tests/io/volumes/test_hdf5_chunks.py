"""Chunks that are decompressed outside the HDF5 library hold what h5py reads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.io.registry import open_volume
from napari_dynamic_connectome.io.volumes.hdf5_chunks import ChunkReader
from napari_dynamic_connectome.model.errors import FormatError

SHAPE = (7, 5, 18, 23)
BOX = st.tuples(*[st.tuples(st.integers(0, n), st.integers(0, n)).map(sorted) for n in SHAPE])


def save(path, dtype: str = "uint16", **options: object) -> np.ndarray:
    data = np.random.default_rng(0).integers(0, 200, SHAPE).astype(dtype)
    with h5py.File(path, "w") as file:
        file.create_dataset("v", data=data, chunks=(2, 5, 7, 8), **options).attrs["axes"] = "tzyx"
    return data


FILTERS = [
    {"compression": "gzip"},
    {"compression": "gzip", "shuffle": True},
    {"compression": "gzip", "shuffle": True, "fletcher32": True},
    {"compression": "gzip", "compression_opts": 9, "fletcher32": True},
]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chunks")
    made = []
    for i, options in enumerate(FILTERS):
        for dtype in ("uint8", "uint16", ">i2", "float32", "float64"):
            path = folder / f"{i}-{dtype.strip('>')}.h5"
            made.append((path, save(path, dtype, **options)))
    return made


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 19), BOX)
def test_any_box_equals_that_of_h5py(files, which, spans) -> None:
    path, data = files[which]
    box = tuple(slice(a, b) for a, b in spans)
    with h5py.File(path) as file:
        reader = ChunkReader(file["v"])
        assert reader.usable
        found = reader.read(box)
        assert found.dtype == file["v"].dtype
        np.testing.assert_array_equal(found, data[box])


@pytest.mark.parametrize("options", [{}, {"compression": "lzf"}, {"scaleoffset": 0}])
def test_other_filters_are_left_to_h5py(tmp_path, options) -> None:
    data = save(tmp_path / "a.h5", **options)
    with h5py.File(tmp_path / "a.h5") as file:
        assert not ChunkReader(file["v"]).usable
    np.testing.assert_array_equal(open_volume(tmp_path / "a.h5").data.compute(), data)


def test_chunks_that_were_never_written_have_the_fill_value(tmp_path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("v", SHAPE, "uint16", chunks=(1, 5, 18, 23), compression="gzip", fillvalue=9)
        data.attrs["axes"] = "tzyx"
        data[2] = 5
    found = open_volume(tmp_path / "a.h5").data.compute()
    assert set(np.unique(found[2])) == {5} and set(np.unique(found[3])) == {9}


def test_many_threads_read_at_once(tmp_path) -> None:
    data = save(tmp_path / "a.h5", compression="gzip", shuffle=True)
    array = open_volume(tmp_path / "a.h5").array
    with ThreadPoolExecutor(8) as pool:
        frames = list(pool.map(lambda t: array[t : t + 1, :, 3:11], [t % 7 for t in range(70)]))
    for i, frame in enumerate(frames):
        np.testing.assert_array_equal(frame, data[i % 7 : i % 7 + 1, :, 3:11])


def test_a_damaged_chunk_is_one_clear_error(tmp_path) -> None:
    save(tmp_path / "a.h5", compression="gzip")
    with h5py.File(tmp_path / "a.h5") as file:
        info = file["v"].id.get_chunk_info(0)
    with (tmp_path / "a.h5").open("r+b") as stream:
        stream.seek(info.byte_offset + 5)
        stream.write(bytes(30))
    with pytest.raises(FormatError, match="cannot be read"):
        open_volume(tmp_path / "a.h5").data.compute()
