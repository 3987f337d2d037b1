"""Tables of centres become labels."""

from __future__ import annotations

import pickle

import dask.array as da
import h5py
import numpy as np
import pandas as pd
import pytest
from tests.io.ngff import ome_writer

from napari_dynamic_connectome import FormatError, InputError, read_centres, read_recording
from napari_dynamic_connectome.io.formats import centres
from napari_dynamic_connectome.io.layer_data import about
from napari_dynamic_connectome.io.registry import open_labels, open_volume
from napari_dynamic_connectome.io.sniffing import table_kind

SHAPE = (4, 3, 16, 20)


def brute_force(shape, rows, radius) -> np.ndarray:
    """Every voxel by itself: the nearest centre of the frame whose ball holds it, ties to the smaller id."""
    labels = np.zeros(shape, int)
    for t, z, y, x in np.ndindex(*shape):
        best = None
        for frame, label, cz, cy, cx in sorted(rows, key=lambda r: r[1]):
            d = sum(((a - b) / r) ** 2 for a, b, r in zip((z, y, x), (cz, cy, cx), radius, strict=True))
            if frame == t and d <= 1 + 1e-9 and (best is None or d < best[0] - 1e-9):
                best = (d, label)
        labels[t, z, y, x] = best[1] if best else 0
    return labels


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_centres_become_labels(tmp_path, suffix) -> None:
    rows = [(0, 5, 1.0, 4.0, 4.0), (0, 2, 1.0, 4.0, 7.0), (2, 5, 2.0, 8.0, 8.0), (2, 900, 0.0, -0.4, 0.0)]
    table = pd.DataFrame(rows, columns=["frame", "id", "z", "y", "x"]).assign(name=["AVAL", "", "AVAL", ""])
    path = tmp_path / f"centres{suffix}"
    table.to_csv(path, index=False) if suffix == ".csv" else table.to_parquet(path)
    volume = open_labels(path, shape=(3, 4, 12, 12), radius_um=3.0, voxel_size_um=(2, 1, 1))
    expected = brute_force((3, 4, 12, 12), rows, (1.5, 3, 3))
    assert (volume.data.compute() == expected).all()
    assert (volume.data[2, :, 3:9].compute() == expected[2, :, 3:9]).all()
    assert not volume.data[1].any().compute()  # absent in a frame: no voxel there
    assert volume.names == {5: "AVAL"}


def test_centres_in_micrometres_and_like_a_volume(tmp_path, voxels) -> None:
    path = tmp_path / "a.zarr"
    ome_writer(path, voxels, "tzyx", "0.4")
    table = tmp_path / "c.csv"
    table.write_text("t,track_id,z_um,z,y,x\n0,1,9,2.0,4.0,5.0\n")
    volume = open_volume(path)
    labels = open_labels(table, like=volume, radius_um=1.0, units="um")
    where = np.argwhere(labels.data[0].compute() == 1)
    assert where.mean(axis=0) == pytest.approx([1, 8, 10])
    assert labels.reference.frame_rate_hz == 4.0


def test_centres_can_be_sent_to_another_process(tmp_path) -> None:
    (tmp_path / "c.csv").write_text("frame,id,z,y,x\n0,1,1,2,3\n")
    volume = open_labels(tmp_path / "c.csv", shape=(1000, 4, 64, 64), radius_voxels=2)
    assert isinstance(volume.data, da.Array)
    assert (
        len(
            pickle.dumps(
                centres.BallLabels((9, 4, 8, 8), np.zeros(1, int), np.ones(1, int), np.ones((1, 3)), np.ones(3))
            )
        )
        < 2000
    )


def test_points_that_napari_saved_are_centres_where_a_feature_says_who_is_who(tmp_path) -> None:
    rows = [f"{i},{i // 2},4,{10 * (i % 2)},7,{('AVAL', 'AVAR')[i % 2]}" for i in range(4)]
    (tmp_path / "p.csv").write_text("index,axis-0,axis-1,axis-2,axis-3,name\n" + "\n".join(rows) + "\n")
    assert table_kind(tmp_path / "p.csv") == "centres"
    table = read_centres(tmp_path / "p.csv")
    assert table[["frame", "id", "z", "y", "x"]].values.tolist() == [
        [0, 1, 4, 0, 7], [0, 2, 4, 10, 7], [1, 1, 4, 0, 7], [1, 2, 4, 10, 7],
    ]  # fmt: skip
    assert table["name"].tolist() == ["AVAL", "AVAR"] * 2
    (tmp_path / "q.csv").write_text("index,axis-0,axis-1,axis-2\n0,4,5,6\n1,4,5,9\n")
    assert table_kind(tmp_path / "q.csv") == "centres"
    with pytest.raises(InputError, match="a feature id"):
        read_centres(tmp_path / "q.csv")
    with pytest.raises(InputError, match="points that napari saved, not traces"):  # axes are no neurons
        read_recording(tmp_path / "q.csv", rate_hz=2)


BTRACK = [[t, 10.0 * k + 5, 2.0 * k + 1, 3.0 + k, 5] for k in range(2) for t in range(3)]


def btrack_file(path, *, parent: int = 2) -> None:
    """As btrack 0.7 writes it: two tracks; the middle of the second is a point that btrack put there."""
    with h5py.File(path, "w") as file:
        file["objects/obj_type_1/coords"] = np.array([row for i, row in enumerate(BTRACK) if i != 4], np.float32)
        file["objects/obj_type_1/map"] = np.zeros((3, 2), np.uint32)
        group = file.create_group("tracks/obj_type_1")
        group["tracks"] = np.array([0, 1, 2, 3, -1, 4], np.int32)
        group["map"] = np.array([[0, 3], [3, 6]], np.uint32)
        group["dummies"] = np.array([BTRACK[4]], np.float32)
        group["LBEPR"] = np.array([[1, 0, 2, 1, 1, 0], [2, 0, 2, parent, parent, 0]], np.int32)


def test_tracks_of_btrack_are_centres(tmp_path) -> None:
    btrack_file(tmp_path / "a.h5")
    table = read_centres(tmp_path / "a.h5")
    want = [[t, 1 + k, 3.0 + k, 2.0 * k + 1, 10.0 * k + 5] for k in range(2) for t in range(3)]
    assert table[["frame", "id", "z", "y", "x"]].values.tolist() == want
    labels = open_labels(tmp_path / "a.h5", shape=(3, 8, 8, 30), radius_voxels=1)
    assert labels.data[1, 4, 3, 15].compute() == 2
    assert about(tmp_path / "a.h5") == "other" and table_kind(tmp_path / "a.h5") == "centres"
    with pytest.raises(InputError, match="tracks of btrack, not traces"):
        read_recording(tmp_path / "a.h5")
    lines = ["ID t x y z parent root state generation dummy"]  # its CSV has spaces between the columns
    lines += [f"{float(i)} {float(t)} {x} {y} {z} {float(i)} 1.0 5.0 0.0 0.0" for t, i, z, y, x in want]
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    assert table_kind(tmp_path / "a.csv") == "centres"
    assert read_centres(tmp_path / "a.csv")[["frame", "id", "z", "y", "x"]].values.tolist() == want
    btrack_file(tmp_path / "b.h5", parent=1)
    with pytest.raises(InputError, match="track 1 divides"):
        read_centres(tmp_path / "b.h5")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["tracks/obj_type_1/tracks"][2] = 99
    with pytest.raises(FormatError, match="do not fit"):
        read_centres(tmp_path / "a.h5")


def test_a_table_of_tracks_that_divide_is_refused_as_in_geff(tmp_path) -> None:
    rows = "track_id,t,z,y,x,id,parent_track_id,parent_id\n1,0,1,4,5,11,-1,-1\n1,1,1,4,5,12,-1,11\n2,2,1,4,6,13,{},12\n"
    (tmp_path / "whole.csv").write_text(rows.format(-1))  # as ultrack 0.8 writes it
    assert read_centres(tmp_path / "whole.csv")["id"].tolist() == [1, 1, 2]
    (tmp_path / "divided.csv").write_text(rows.format(1))
    with pytest.raises(InputError, match="track 2 comes from track 1: it divides"):
        read_centres(tmp_path / "divided.csv")


@pytest.mark.parametrize("column", range(5))
@pytest.mark.parametrize(
    ("cell", "said"), [("", "(?!.*infinite)"), ("x", "'x'"), ("inf", "a centre is infinite"), ("nan", "(?!.*infinite)")]
)
def test_a_cell_without_a_number_is_named_as_what_it_is(tmp_path, column: int, cell: str, said: str) -> None:
    row = ["0", "1", "2", "3", "4"]
    row[column] = cell
    (tmp_path / "a.csv").write_text("frame,id,z,y,x\n0,2,1,1,1\n" + ",".join(row) + "\n")
    with pytest.raises(InputError, match=f"a.csv: {said}") as raised:
        read_centres(tmp_path / "a.csv")
    if cell != "inf":
        assert f"{['frame', 'id', 'z', 'y', 'x'][column]}" in str(raised.value)


FRAMES = [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("columns", "chosen"),
    [
        ({"frame": FRAMES, "id": [5, 6, 5, 6]}, "id"),
        ({"frame": FRAMES, "id": [1, 2, 3, 4]}, "id"),  # the only one
        ({"id": [1, 2], "track": [1, 2]}, "track"),  # no frames to tell by
        ({"frame": FRAMES, "id": [1, 2, 3, 4], "label": [7, 8, 7, 8]}, "label"),  # ids of points, each once
        ({"frame": FRAMES, "id": [1, 2, 3, 4], "Track_ID": [7, 8, 7, 8]}, "Track_ID"),
        ({"frame": FRAMES, "id": [1, 2, 3, 4], "label": [9, 8, 7, 6]}, "label"),  # none lasts: the first that is known
        ({"frame": FRAMES, "id": [5, 6, 5, 6], "label": [7, 8, 7, 8]}, "label"),  # they say the same
        ({"frame": FRAMES, "id": [5, 6, 6, 5], "track": [7, 8, 7, 8]}, "track"),  # a track says what it is
        ({"frame": [3, 3, 3], "id": [1, 2, 3], "label": [3, 2, 1]}, "label"),  # of one frame, one to one
        ({"frame": FRAMES, "x": [1, 2, 3, 4]}, None),
    ],
)
def test_the_column_of_the_neurons_is_found_among_several(columns: dict[str, list[int]], chosen: str | None) -> None:
    assert centres._identity(pd.DataFrame(columns), "here") == chosen


@pytest.mark.parametrize("label", [[7, 8, 8, 7], [7, 7, 8, 8], [7, 7, 7, 7]])
def test_two_columns_of_neurons_that_differ_are_asked_about(label: list[int]) -> None:
    with pytest.raises(InputError, match="both 'label' and 'id' could say which neuron a row is"):
        centres._identity(pd.DataFrame({"frame": FRAMES, "id": [5, 6, 5, 6], "label": label}), "here")


def ball_labels(shape, rows, radius) -> centres.BallLabels:
    table = np.array(rows, float)
    return centres.BallLabels(shape, table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2:], np.array(radius))


@pytest.mark.parametrize("seed", range(12))
def test_balls_that_overlap_touch_borders_and_tie_are_drawn_as_defined(seed) -> None:
    rng = np.random.default_rng(seed)
    shape = (3, 4, 7, 6)
    keys = rng.permutation([(t, label) for t in range(3) for label in (1, 2, 7)])[:7]
    rows = [(t, label, *(rng.integers(-2, 16, 3) / 2)) for t, label in keys]  # on voxels and between them
    radius = rng.choice([0.5, 1.0, 1.5, 2.0], 3)
    labels = ball_labels(shape, rows, radius)
    expected = brute_force(shape, rows, radius)
    assert labels.shape == shape and labels.ndim == 4 and labels.chunks == (1, 4, 7, 6)
    for box in (
        slice(None),
        2,
        -1,
        (slice(0, 2), 1),
        (0, slice(1, 3), slice(None), 2),
        ([2, 0], 3, 4, 5),
        (1, 2, 3, 4),
    ):
        np.testing.assert_array_equal(labels[box], expected[box if isinstance(box, tuple) else (box,)])


def test_a_radius_below_half_a_voxel_is_half_a_voxel_and_many_ids_need_more_bytes() -> None:
    small = ball_labels((1, 1, 3, 4), [(0, 3, 0.0, 1.0, 1.5)], (0.1, 0.1, 0.1))
    np.testing.assert_array_equal(small[0], brute_force((1, 1, 3, 4), [(0, 3, 0.0, 1.0, 1.5)], (0.5, 0.5, 0.5))[0])
    assert small[0].sum() == 6 and small.dtype == np.uint16
    for label, kind in ((65_535, np.uint16), (65_536, np.uint32)):
        one = ball_labels((1, 1, 1, 1), [(0, label, 0.0, 0.0, 0.0)], (1, 1, 1))
        assert one.dtype == kind and one[0].tolist() == [[[label]]]


def plain(**change: object) -> pd.DataFrame:
    columns = {
        "frame": [0, 0, 1],
        "id": [1, 2, 1],
        "z": [0, 0, 1],
        "y": [1, 2, 1],
        "x": [3, 3, 3],
        "name": ["", "A", ""],
    }
    return pd.DataFrame(columns | change)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frame": [0, 0, -1]}, "frame -1 in row 4 is not a whole number from 0"),
        ({"frame": [0.5, 0, 1]}, r"frame 0\.5 in row 2 is not"),
        ({"id": [1, 0, 1]}, "id 0 in row 3 is not a whole number from 1"),
        ({"id": [1, 2, 2**31]}, r"id 2\.14748e\+09 in row 4 is not"),
        ({"id": [1, 2.5, -1]}, r"id 2\.5 in row 3 is not"),
        ({"x": [1, np.inf, 1]}, "a centre is infinite"),
        ({"frame": [0, 0, 0]}, "id 1 has two centres in frame 0"),
        ({"parent": [0, 1, 0]}, "track 2 comes from track 1"),
    ],
)
def test_a_table_that_cannot_be_right_is_refused_with_its_row(tmp_path, change, words) -> None:
    path = tmp_path / "c.csv"
    plain(**change).to_csv(path, index=False)
    with pytest.raises(InputError, match=words):
        read_centres(path)


def test_a_table_of_centres_is_read_as_it_is_written(tmp_path) -> None:
    path = tmp_path / "c.csv"
    plain(id=[1, 2**31 - 1, 1], parent=[0, 2**31 - 1, 7]).to_csv(path, index=False)  # nobody is a track 0 or 7 here
    held = read_centres(path)
    assert held["id"].tolist() == [1, 2**31 - 1, 1] and held["id"].dtype == held["frame"].dtype == np.int64
    assert held["name"].tolist() == ["", "A", ""] and held["frame"].tolist() == [0, 0, 1]
    plain().drop(columns=["name", "y", "id"]).to_csv(path, index=False)
    with pytest.raises(InputError, match="the columns id, y are missing"):
        read_centres(path)
    plain().drop(columns=["name"]).to_csv(path, index=False)
    assert read_centres(path)["name"].tolist() == ["", "", ""]
    plain().iloc[:0].to_parquet(tmp_path / "c.parquet")
    with pytest.raises(InputError, match="the table has no rows"):
        read_centres(tmp_path / "c.parquet")


@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_points_of_napari_have_three_or_four_axes(tmp_path, count) -> None:
    path = tmp_path / "p.csv"
    table = pd.DataFrame({"Index": [0, 1]} | {f"Axis-{i}": [i + 1, i + 2] for i in range(count)} | {"name": ["b", "a"]})
    table.columns = [c.lower() for c in table.columns]
    table.to_csv(path, index=False)
    assert centres.is_napari_points(table.columns) and centres.is_napari_points(["index", "axis-0", "axis-1"])
    assert not centres.is_napari_points(["index", "axis-0"])
    if count not in (3, 4):
        with pytest.raises(InputError, match=f"of {count} axes"):
            read_centres(path)
        return
    held = read_centres(path)
    first = [1, 2, 3, 4][:count]
    assert held.loc[0, ["frame", "z", "y", "x"]].tolist() == (first if count == 4 else [0, *first])
    assert held["id"].tolist() == [1, 2] and held["name"].tolist() == ["b", "a"]
    table["name"] = ["b", " "]
    table.to_csv(path, index=False)
    with pytest.raises(InputError, match="without a feature that says which neuron"):
        read_centres(path)


def labels_of(**change: object):
    given: dict[str, object] = {"shape": (2, 3, 4, 5), "radius_voxels": 1.0} | change
    return centres.labels_of_table(plain(), **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"units": "miles"}, "units 'miles' are not known"),
        ({"shape": None}, "does not say how large the volume is"),
        ({"shape": (3, 4, 5)}, "does not say how large the volume is"),
        ({"shape": (2, 0, 4, 5)}, "is empty"),
        ({"units": "um"}, "the voxel size is not known"),
        ({"radius_voxels": None, "radius_um": 1.0}, "the voxel size is not known"),
        ({"radius_voxels": None, "radius_um": 1.0, "voxel_size_um": (1, 1)}, "the voxel size is not known"),
        ({"radius_voxels": None, "radius_um": 1.0, "voxel_size_um": (1, 0, 1)}, "the voxel size is not known"),
        ({"radius_voxels": None, "radius_um": 1.0, "voxel_size_um": (1, np.nan, 1)}, "the voxel size is not known"),
        ({"radius_voxels": None, "radius_um": 1.0, "voxel_size_um": (1, np.inf, 1)}, "the voxel size is not known"),
        ({"radius_voxels": None}, "the size of the neurons is not given"),
        ({"radius_um": 1.0, "voxel_size_um": (1, 1, 1)}, "the size of the neurons is not given"),
        ({"radius_voxels": 0.0}, "is not positive"),
        ({"radius_voxels": (1.0, -1, 1)}, "is not positive"),
        ({"radius_voxels": (1.0, np.inf, 1)}, "is not positive"),
        ({"shape": (1, 3, 4, 5)}, r"frame 1 does not exist: the volume has 1 \(from 0\)"),
        ({"shape": (2, 3, 1, 3)}, "all centres lie outside the volume"),
        ({"shape": (2, 1 << 13, 1 << 14, 5)}, "one frame would take"),
    ],
)
def test_labels_are_made_where_everything_is_known(change, words) -> None:
    with pytest.raises((InputError, FormatError), match=words):
        labels_of(**change)


def test_a_frame_may_be_as_large_as_a_block() -> None:
    assert labels_of(shape=(2, 1 << 13, 1 << 14, 4)).data.shape == (2, 1 << 13, 1 << 14, 4)


@pytest.mark.parametrize(
    ("change", "radius", "factor"),
    [
        ({"radius_voxels": 1.5}, (1.5, 1.5, 1.5), (1, 1, 1)),
        ({"radius_um": (2.0, 1.5, 1), "voxel_size_um": (2, 1, 0.5)}, (1, 1.5, 2), (1, 1, 1)),
        ({"radius_um": 1.0, "units": "um", "voxel_size_um": (0.5, 1, 1.5)}, (2, 1, 2 / 3), (2, 1, 2 / 3)),
        ({"radius_voxels": 1.0, "units": "micrometer", "voxel_size_um": (0.5, 1, 1.5)}, (1, 1, 1), (2, 1, 2 / 3)),
        ({"radius_voxels": 1.0, "units": "Pixels", "voxel_size_um": (0.5, 1, 1.5)}, (1, 1, 1), (1, 1, 1)),
    ],
)
def test_radius_and_centres_are_turned_into_voxels(change, radius, factor) -> None:
    made = labels_of(**({"radius_voxels": None} | change), frame_rate_hz=3.0)
    table = plain()
    rows = [(f, i, *(np.array(c) * factor)) for f, i, *c in table[["frame", "id", "z", "y", "x"]].to_numpy().tolist()]
    np.testing.assert_array_equal(made.data.compute(), brute_force((2, 3, 4, 5), rows, radius))
    assert made.names == {2: "A"} and made.reference.frame_rate_hz == 3.0 and made.reference.axes == "tzyx"
    size = change.get("voxel_size_um", (np.nan,) * 3)
    np.testing.assert_array_equal(made.reference.voxel_size_um, size)
    assert made.reference.shape == (2, 3, 4, 5)


def test_a_volume_gives_what_is_not_said() -> None:
    like = labels_of(voxel_size_um=(3, 2, 1), frame_rate_hz=2.5)
    made = labels_of(shape=None, like=like)
    assert made.reference.voxel_size_um == (3, 2, 1) and made.reference.frame_rate_hz == 2.5
    assert made.data.shape == (2, 3, 4, 5)
    other = labels_of(shape=(3, 3, 4, 6), like=like, voxel_size_um=(1, 1, 1), frame_rate_hz=9)
    assert other.data.shape == (3, 3, 4, 6) and other.reference.voxel_size_um == (1, 1, 1)
    assert other.reference.frame_rate_hz == 9.0


@pytest.mark.parametrize("at", [-0.5, -0.51, 4.5, 4.51])
def test_a_centre_is_inside_up_to_the_border_of_the_outer_voxels(at) -> None:
    def made():
        where = np.array([[0.0, 0.0, at]])
        return centres.labels_from_centres(np.array([0]), np.array([1]), where, (1, 1, 1, 5), np.ones(3), where="here")

    if abs(at - 2) > 2.5:
        with pytest.raises(FormatError, match="all centres lie outside"):
            made()
    else:
        volume = made()
        assert np.isnan(volume.reference.voxel_size_um).all() and np.isnan(volume.reference.frame_rate_hz)
        assert volume.names == {} and volume.data.compute().any()
