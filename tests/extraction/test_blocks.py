"""Blocks cover everything once along stored chunks, regions are cut into them, partial sums add up to the traces."""

from __future__ import annotations

import json
import pickle
from types import SimpleNamespace

import dask.array as da
import numpy as np
import pytest
import xarray as xr
import zarr

from napari_dynamic_connectome.extraction import assemble, blocks, job, regions, sources
from napari_dynamic_connectome.extraction.settings import ExtractionSettings
from napari_dynamic_connectome.extraction.sources import VoxelSource, memory_order, native, open_source
from napari_dynamic_connectome.model.errors import InputError

NAN = float("nan")


def stored(shape: tuple[int, ...], chunks: tuple[int, ...] | None, kind: str = "u2") -> VoxelSource:
    values = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    return VoxelSource(values if chunks is None else da.from_array(values, chunks=chunks), "volume")


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("chunks", "others", "block_bytes"),
    [
        (None, [], 1), (None, [], 1000), ((2, 2, 3, 4), [], 1), ((2, 2, 3, 4), [], 200), ((2, 2, 3, 4), [], 1e9), ((3, 4, 6, 8), [(2, 2, 6, 4)], 1), ((3, 4, 6, 8), [(2, 2, 6, 4)], 500),
        ((1, 4, 6, 8), [None], 800), ((1, 4, 6, 8), [], 768), ((1, 4, 6, 8), [], 767),
    ],
)  # fmt: skip
def test_blocks_cover_every_voxel_once_and_cut_no_chunk(chunks, others, block_bytes, whole) -> None:
    shape = (7, 4, 6, 8)
    given = [stored(shape, chunks), *[stored(shape, c) for c in others]]
    made = blocks.plan_blocks(given, block_bytes=block_bytes, whole_frames=whole, max_bytes=1e12)
    assert [b.number for b in made] == list(range(len(made)))
    seen = np.zeros(shape, int)
    largest = 0
    for block in made:
        size = 0
        for box in block.boxes:
            seen[block.full(box)] += 1
            size += seen[block.full(box)].size
            for axis, part in enumerate(block.full(box)):
                for source in given:
                    edges = source.edges(axis)
                    if edges is not None:
                        assert part.start in edges and part.stop in edges
        largest = max(largest, size * 2 * len(given))
        if whole:
            assert size == (block.stop - block.start) * 4 * 6 * 8
        else:
            assert len(block.boxes) == 1
    assert (seen == 1).all()
    slabs = {(b.slab, b.start, b.stop) for b in made}
    assert len(slabs) == len({s[0] for s in slabs}) == made[-1].slab + 1
    if not whole:
        cell = 2 * len(given) * np.prod(np.lcm.reduce([c or (1, 4, 6, 8) for c in [chunks, *others]], axis=0))
        assert largest <= max(block_bytes, cell)


@pytest.mark.parametrize(
    ("block_bytes", "frames"), [(383, 1), (384, 1), (767, 1), (768, 2), (1151, 2), (1152, 3), (10**6, 7)]
)
def test_frames_are_joined_up_to_the_size_of_a_block(block_bytes: int, frames: int) -> None:
    made = blocks.plan_blocks([stored((7, 4, 6, 8), None)], block_bytes=block_bytes, whole_frames=False, max_bytes=1e12)
    assert [b.stop - b.start for b in made] == [frames] * (7 // frames) + ([7 % frames] if 7 % frames else [])


def test_chunks_that_share_no_border_are_read_twice_where_they_would_be_too_large() -> None:
    given = [stored((6, 4, 6, 8), (1, 4, 6, 8)), stored((6, 4, 6, 8), (6, 4, 6, 8))]
    together = blocks.plan_blocks(given, block_bytes=1, whole_frames=False, max_bytes=4 * 6 * 192)
    assert [(b.start, b.stop) for b in together] == [(0, 6)]
    apart = blocks.plan_blocks(given, block_bytes=1, whole_frames=False, max_bytes=4 * 6 * 192 - 1)
    assert [(b.start, b.stop) for b in apart] == [(t, t + 1) for t in range(6)]
    same = blocks.plan_blocks(given[::-1], block_bytes=1, whole_frames=False, max_bytes=1)
    assert [(b.start, b.stop) for b in same] == [(0, 6)]


def sets(seed: int, shape: tuple[int, ...] = (4, 5, 6), n: int = 4) -> regions.VoxelSets:
    rng = np.random.default_rng(seed)
    flat = rng.integers(0, n + 1, shape).ravel()
    flat[flat == 2] = 0  # a region without voxels
    parts = [np.flatnonzero(flat == r + 1) for r in range(n)]
    return regions.VoxelSets(shape, np.concatenate(parts), np.repeat(np.arange(n), [len(p) for p in parts]), n)


@pytest.mark.parametrize("seed", range(4))
def test_regions_in_boxes_are_those_of_the_volume(seed: int) -> None:
    held = sets(seed)
    place = np.stack(np.unravel_index(held.voxels, held.shape), axis=1)
    assert held.sizes.tolist() == [(held.region == r).sum() for r in range(4)]
    for r in range(4):
        own = place[held.region == r]
        np.testing.assert_allclose(held.centroids()[r], own.mean(axis=0) if len(own) else 0)
    boxes = [(slice(z, z + 2), slice(0, 3), slice(x, min(x + 4, 6))) for z in (0, 2) for x in (0, 4)] + [
        (slice(0, 4), slice(3, 5), slice(0, 6))
    ]
    cut = held.in_boxes(boxes)
    assert list(cut) == [regions.box_key(b) for b in boxes]
    seen = []
    for box in boxes:
        mine = cut[regions.box_key(box)]
        shape = tuple(s.stop - s.start for s in box)
        assert mine.sizes.tolist() == np.diff(mine.offsets).tolist()
        for r in range(4):
            rows = slice(mine.offsets[r], mine.offsets[r + 1])
            local = np.stack(np.unravel_index(mine.index[rows], shape), axis=1) + [s.start for s in box]
            assert (held.region[mine.place[rows]] == r).all()
            np.testing.assert_array_equal(local, place[mine.place[rows]])
        seen += mine.place.tolist()
        for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
            starts, lengths, offsets = mine.runs(order, shape)
            turned = np.arange(np.prod(shape)).reshape(shape).transpose(order).ravel()
            for r in range(4):
                voxels = [
                    k for i in range(offsets[r], offsets[r + 1]) for k in range(starts[i], starts[i] + lengths[i])
                ]
                own = sorted(mine.index[mine.offsets[r] : mine.offsets[r + 1]])
                assert voxels == sorted(voxels) and sorted(turned[voxels]) == own
                gaps = [starts[i + 1] > starts[i] + lengths[i] for i in range(offsets[r], offsets[r + 1] - 1)]
                assert all(gaps)  # as few runs as possible
            assert mine.runs(order, shape) is mine.runs(order, shape)
    assert sorted(seen) == list(range(len(held.voxels)))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32, np.uint64])
@pytest.mark.parametrize("n", [1, 8, 24, 27])
def test_labelled_voxels_are_those_of_numpy(kind: type, n: int) -> None:
    flat = (np.arange(n) % 5 == 3).astype(kind) * 7
    np.testing.assert_array_equal(regions.labelled_voxels(flat), np.flatnonzero(flat))
    words = regions.as_words(flat[None])
    assert words.dtype == np.uint64 and words.shape == (1, n * flat.itemsize // 8 if n * flat.itemsize % 8 == 0 else 0)


def partial(ids: list[int], seed: int, **values: np.ndarray) -> job.Partial:
    rng = np.random.default_rng(seed)
    names = ("sum", "count", "voxels", "saturated")
    return job.Partial(2, 5, np.array(ids), {n: rng.integers(1, 9, (3, len(ids))) for n in names}, values)


def test_partial_sums_are_added_by_label() -> None:
    one, other = partial([3, 7], 0, a=np.ones(3)), partial([1, 7], 1, b=np.zeros(3))
    assert job.add_partials([one]) is one
    total = job.add_partials([one, other])
    assert (total.start, total.stop) == (2, 5) and total.ids.tolist() == [1, 3, 7] and set(total.values) == {"a", "b"}
    for name, values in total.sums.items():
        np.testing.assert_array_equal(
            values,
            np.stack(
                [other.sums[name][:, 0], one.sums[name][:, 0], one.sums[name][:, 1] + other.sums[name][:, 1]], axis=1
            ),
        )
        assert values.dtype == one.sums[name].dtype
    job.too_many(3, ExtractionSettings(max_neurons=3), "here")
    with pytest.raises(InputError, match="there are 4 labels"):
        job.too_many(4, ExtractionSettings(max_neurons=3), "here")


def task(reference: bool = False, **options: object) -> SimpleNamespace:
    return SimpleNamespace(
        settings=ExtractionSettings(**options), reference=object() if reference else None, voxel_size_um=(2.0, 1.0, 0.5)
    )


def test_sums_become_traces_with_what_belongs_to_them() -> None:
    count = np.array([[2, 0, 4]])
    sums = {
        "sum": np.array([[10.0, 0, 8]]),
        "count": count,
        "voxels": np.array([[4, 2, 4]]),
        "saturated": np.array([[1, 0, 4]]),
    }
    track = {a: np.array([[8, 4, 12]]) for a in "zyx"}
    total = job.Partial(0, 1, np.array([1, 2, 3]), sums | track)
    got = assemble.columns_of(total, task())
    np.testing.assert_allclose(got["trace"], [[5, NAN, 2]])
    np.testing.assert_allclose(got["saturated"], [[0.5, NAN, 1]])
    np.testing.assert_allclose(got["missing"], [[0.5, 1, 0]])
    np.testing.assert_allclose(got["track_z"], [[4, 4, 6]])
    np.testing.assert_allclose(got["track_x"], [[1, 1, 1.5]])
    np.testing.assert_array_equal(assemble.columns_of(total, task(statistic="sum"))["trace"], [[10, NAN, 8]])
    below = job.Partial(0, 1, total.ids, sums, {"background": np.array([1.5])})
    np.testing.assert_allclose(assemble.columns_of(below, task())["trace"], [[3.5, NAN, 0.5]])
    np.testing.assert_allclose(assemble.columns_of(below, task(statistic="sum"))["trace"], [[7, NAN, 2]])
    np.testing.assert_allclose(assemble.columns_of(below, task())["background"], [[1.5, 1.5, 1.5]])
    summed = job.Partial(
        0, 1, total.ids, sums | {"background_sum": np.array([[3.0, 2, 9]]), "background_count": np.array([[3, 2, 6]])}
    )
    np.testing.assert_allclose(assemble.columns_of(summed, task())["trace"], [[4, NAN, 0.5]])
    final = job.Partial(0, 1, total.ids, sums, {"trace": np.array([[7.0, 8, 9]])})
    np.testing.assert_allclose(assemble.columns_of(final, task(statistic="median"))["trace"], [[7, NAN, 9]])
    assert assemble.columns_of(job.Partial(0, 1, np.zeros(0, int), sums), task()) == {}
    absent = job.Partial(0, 1, total.ids, sums | {"voxels": np.array([[4, 0, 4]])}, {"background": np.array([1.5])})
    np.testing.assert_allclose(assemble.columns_of(absent, task())["background"], [[1.5, NAN, 1.5]])


def test_a_reference_is_kept_or_divides() -> None:
    sums = {
        "sum": np.array([[10.0, 6, 8]]),
        "count": np.array([[2, 3, 4]]),
        "voxels": np.array([[2, 3, 4]]),
        "saturated": np.zeros((1, 3)),
    }
    sums |= {"reference_sum": np.array([[4.0, 0, 4]]), "reference_count": np.array([[2, 2, 4]])}
    total = job.Partial(0, 1, np.array([1, 2, 3]), sums)
    kept = assemble.columns_of(total, task(True, reference_use="keep"))
    np.testing.assert_allclose(kept["reference"], [[2, 0, 1]])
    ratio = assemble.columns_of(total, task(True, reference_use="ratio"))
    np.testing.assert_allclose(ratio["trace"], [[2.5, NAN, 2]])
    summed = assemble.columns_of(total, task(True, reference_use="ratio", statistic="sum"))
    np.testing.assert_allclose(summed["trace"], [[2.5, NAN, 2]])
    below = job.Partial(
        0,
        1,
        total.ids,
        sums,
        {
            "background": np.array([1.0]),
            "reference_background": np.array([0.5]),
            "reference_trace": np.array([[2.0, 0.5, 1]]),
        },
    )
    np.testing.assert_allclose(
        assemble.columns_of(below, task(True, reference_use="ratio"))["trace"], [[4 / 1.5, NAN, 1 / 0.5]]
    )


def test_slabs_may_finish_in_any_order() -> None:
    given = [blocks.Block(i, 2 * (i // 2), 2 * (i // 2) + 2, (), i // 2) for i in range(4)]
    made = SimpleNamespace(
        **vars(task()), volume=SimpleNamespace(shape=(5, 1, 1, 1)), labels=SimpleNamespace(name="labels x")
    )

    def piece(start: int, ids: list[int], value: float) -> job.Partial:
        ones = np.ones((2, len(ids)))
        return job.Partial(
            start,
            start + 2,
            np.array(ids, int),
            {"sum": ones * value, "count": ones.astype(int), "voxels": ones.astype(int), "saturated": 0 * ones}
            | dict.fromkeys("zyx", ones * 3),
        )

    pieces = [piece(0, [4], 1.0), piece(0, [4, 9], 2.0), piece(2, [9], 5.0), piece(2, [9], 7.0)]
    found = []
    for order in ([0, 1, 2, 3], [3, 1, 2, 0]):
        collected = assemble.Assembly(made, given)
        for i in order:
            collected.take(given[i], pieces[i])
        found.append(collected.finish(np.arange(5.0), None))
    one, other = found
    xr.testing.assert_identical(one, other)
    np.testing.assert_allclose(one, [[1.5, 2], [1.5, 2], [NAN, 6], [NAN, 6], [NAN, NAN]])
    assert one["neuron"].values.tolist() == ["#4", "#9"] and one["label"].values.tolist() == [4, 9]
    np.testing.assert_array_equal(one["voxels"], [[2, 1], [2, 1], [0, 2], [0, 2], [0, 0]])
    np.testing.assert_array_equal(one["n_voxels"], [2, 1.5])
    np.testing.assert_allclose(one["z"], [6, 6])
    assert (
        one.attrs["units"] == "counts"
        and json.loads(one.attrs["settings"]) == made.settings.model_dump()
        and one.attrs["voxel_size_um"] == [2.0, 1.0, 0.5]
    )
    assert one["track_z"].attrs == {"units": "um"} and one["voxels"].attrs == {} and one["time"].attrs == {"units": "s"}
    empty = assemble.Assembly(made, given[:1])
    empty.take(given[0], job.Partial(0, 2, np.zeros(0, int), {}))
    with pytest.raises(InputError, match="labels x: there is no label"):
        empty.finish(np.arange(5.0), None)
    for options, units in (
        ({"statistic": "sum"}, "counts x voxels"),
        ({"reference": True, "reference_use": "ratio"}, "ratio"),
    ):
        other = SimpleNamespace(**(vars(made) | vars(task(**options))))
        collected = assemble.Assembly(other, given[:2])
        for block, part in zip(given[:2], pieces[:2], strict=True):
            part.sums |= {"reference_sum": part.sums["sum"], "reference_count": part.sums["count"]}
            collected.take(block, part)
        assert collected.finish(np.arange(5.0), None).attrs["units"] == units


def test_boxes_of_every_kind_of_array_are_read_alike(tmp_path) -> None:
    values = np.arange(3 * 4 * 5 * 6, dtype=np.uint16).reshape(3, 4, 5, 6)
    np.save(tmp_path / "a.npy", values)
    mapped = np.load(tmp_path / "a.npy", mmap_mode="r")
    store = zarr.create_array(tmp_path / "a.zarr", shape=values.shape, chunks=(1, 2, 5, 4), dtype=values.dtype)
    store[...] = values
    kinds = {
        "numpy": values,
        "mapped": mapped,
        "dask": da.from_array(values, chunks=(1, 2, 5, 4)),
        "zarr": store,
        "turned": np.asfortranarray(values.transpose(0, 3, 2, 1)).transpose(0, 3, 2, 1),
    }
    box = (slice(1, 3), slice(0, 3), slice(2, 4), slice(1, 6))
    for kind, array in kinds.items():
        source = VoxelSource(array, kind)
        np.testing.assert_array_equal(source.read(box), values[box])
        rows, order = source.read_rows(box)
        np.testing.assert_array_equal(rows, values[box].transpose(0, *[1 + a for a in order]).reshape(2, -1))
        edges = [source.edges(axis) for axis in range(4)]
        if kind in ("dask", "zarr"):
            assert [e.tolist() for e in edges] == [[0, 1, 2, 3], [0, 2, 4], [0, 5], [0, 4, 6]]
        else:
            assert edges == [None] * 4
        cut = source.cut((slice(1, 4), slice(0, 5), slice(2, 6)))
        assert cut.shape == (3, 3, 5, 4)
        np.testing.assert_array_equal(
            cut.read((slice(0, 2), slice(1, 3), slice(0, 2), slice(0, 4))), values[:2, 2:4, :2, 2:6]
        )
        assert source.in_memory == (kind in ("numpy", "turned"))
        again = pickle.loads(pickle.dumps(source))
        np.testing.assert_array_equal(again.read(box), values[box])
        assert source.fingerprint() == again.fingerprint() and len(source.fingerprint()) == 16
    changed = values.copy()
    changed[1] += 1
    assert VoxelSource(changed, "x").fingerprint() != VoxelSource(values, "x").fingerprint()
    assert VoxelSource(values.astype(np.int32), "x").fingerprint() != VoxelSource(values, "x").fingerprint()


@pytest.mark.parametrize("given", [bool, np.float16, np.longdouble, ">u2", "<i4", np.float32])
def test_voxels_come_in_types_that_compiled_code_takes(given) -> None:
    array = np.array([[[[0, 1], [1, 0]]]]).astype(given)
    got = native(array)
    kinds = {bool: np.uint8, np.float16: np.float32, np.longdouble: np.float64}
    assert (
        got.dtype == np.dtype(kinds.get(given, given)).newbyteorder("=")
        and got.flags.c_contiguous
        and got.dtype.isnative
    )
    np.testing.assert_array_equal(got, array.astype(float))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2), (0, 2, 1)])
def test_the_order_in_memory_is_found_and_holes_are_none(order: tuple[int, ...]) -> None:
    shape = tuple(np.array((3, 4, 5))[list(order)])
    back = np.argsort(order)
    array = np.arange(120).reshape(2, *shape).transpose(0, *[1 + a for a in back])
    assert array.shape == (2, 3, 4, 5) and memory_order(array) == order
    assert memory_order(array[:, ::2]) == (0, 1, 2)
    large = np.arange(2 * 40 * 50 * 33, dtype=np.uint16).reshape(2, 33, 50, 40).transpose(0, 3, 2, 1)
    np.testing.assert_array_equal(native(large), large)


def test_named_axes_are_put_in_order_and_odd_ones_refused() -> None:
    values = np.arange(24).reshape(2, 3, 4, 1)
    named = xr.DataArray(values.transpose(3, 2, 0, 1), dims=("Z", "X", "time", "y"))
    np.testing.assert_array_equal(
        open_source(named, "volume").read((slice(0, 2), slice(0, 1), slice(0, 3), slice(0, 4))),
        values.transpose(0, 3, 1, 2),
    )
    with pytest.raises(InputError, match="the axes are"):
        open_source(xr.DataArray(values, dims=("t", "c", "y", "x")), "volume")
    assert open_source([[1, 2], [3, 4]], "labels").shape == (2, 2)
    with pytest.raises(InputError, match=r"the array is empty: shape \(0, 3\)"):
        open_source(np.zeros((0, 3)), "labels")
    with pytest.raises(InputError, match="labels: this is not an array"):
        open_source([[1, 2], [3]], "labels")


@pytest.mark.parametrize(
    ("shape", "kind", "static", "words"),
    [
        ((3, 4, 5), "u2", True, ""), ((1, 3, 4, 5), "i4", True, ""), ((6, 3, 4, 5), "u1", False, ""), ((6, 3, 4, 5), "f4", None, "labels are of type float32"), ((3, 4, 5), "?", None, "this is a mask"),
        ((3, 4, 5), "c8", None, "labels are of type complex64"), ((3, 4, 6), "u2", None, "labels have shape"), ((2, 3, 4, 5), "u2", None, "labels have shape"), ((6, 3, 4), "u2", None, "labels have shape"),
    ],
)  # fmt: skip
def test_labels_fit_the_volume_or_are_refused(shape, kind, static, words) -> None:
    volume = VoxelSource(np.zeros((6, 3, 4, 5), np.uint8), "volume")
    sources.check_volume(volume)
    given = VoxelSource(np.zeros(shape, kind), "labels")
    if static is None:
        with pytest.raises(InputError, match=words):
            sources.check_labels(given, volume)
    else:
        assert sources.check_labels(given, volume) is static
    for wrong, hint in (
        (np.zeros((3, 4, 5)), "single plane as array"),
        (np.zeros((1, 1, 1, 1, 1)), "Choose one channel"),
        (np.zeros((1, 1, 1, 1), complex), "not real numbers"),
    ):
        with pytest.raises(InputError, match=hint):
            sources.check_volume(VoxelSource(wrong, "volume"))


def test_a_box_of_every_frame_has_chunks_of_frames_alone(tmp_path) -> None:
    whole = np.arange(7 * 4 * 6 * 8).reshape(7, 4, 6, 8).astype("u2")
    kept = zarr.create_array(tmp_path / "a.zarr", data=whole, chunks=(2, 2, 3, 4))
    box = (slice(1, 3), slice(0, 6), slice(2, 5))
    for array, chunks in ((kept, (2, 2, 6, 3)), (whole, None)):
        cut = sources._Cut(VoxelSource(array, "volume"), box)
        assert cut.shape == (7, 2, 6, 3) and cut.dtype == np.dtype("u2")
        assert getattr(cut, "chunks", None) == chunks
        got = np.asarray(cut[(slice(3, 5), slice(0, 1), slice(2, 4), slice(1, 3))])
        np.testing.assert_array_equal(got, whole[3:5, 1:2, 2:4, 3:5])
