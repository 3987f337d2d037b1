"""GEFF: tracks of other programs as centres, laid out as the geff package writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from napari_dynamic_connectome import FormatError, InputError, open_labels, read_centres
from napari_dynamic_connectome.io.formats import geff
from napari_dynamic_connectome.io.formats.geff import _axes
from napari_dynamic_connectome.io.layer_data import read_layers
from napari_dynamic_connectome.io.registry import identify


def graph(
    path: Path, nodes: dict[int, tuple[float, ...]], edges: list[tuple[int, int]], *,
    names: str = "tzyx", units: tuple[str | None, ...] = ("frame", None, None, None), version: int = 2, **about: Any,
) -> Path:  # fmt: skip
    """nodes: id -> place along the axes; props: further columns in `about["props"]`."""
    props = about.pop("props", {})
    axes = [{"name": n, "type": "time" if n == "t" else "space", "unit": u} for n, u in zip(names, units, strict=True)]
    root = zarr.open_group(path, mode="w", zarr_format=version)
    root.attrs["geff"] = {"geff_version": "1.3.1", "directed": True, "axes": axes, "node_props_metadata": {}, **about}
    root.create_array("nodes/ids", data=np.array(list(nodes), np.uint64))
    root.create_array("edges/ids", data=np.array(edges, np.uint64).reshape(-1, 2))
    columns = {n: np.array([p[i] for p in nodes.values()]) for i, n in enumerate(names)} | props
    for name, values in columns.items():
        root.create_array(f"nodes/props/{name}/values", data=values)
    return path


TWO = {10: (0, 1, 4, 4), 11: (0, 1, 9, 4), 12: (1, 1, 5, 4), 13: (2, 1, 9, 5), 14: (2, 1, 6, 4)}
LINKS = [(10, 12), (12, 14), (11, 13)]


@pytest.mark.parametrize("version", [2, 3])
def test_what_is_linked_is_one_neuron_over_gaps_too(tmp_path, version) -> None:
    path = graph(tmp_path / "a.geff", TWO, LINKS, version=version)
    assert identify(path).key == "geff"
    found = read_centres(path)
    assert found["frame"].tolist() == [0, 0, 1, 2, 2] and found["id"].tolist() == [1, 2, 1, 1, 2]
    assert found.index.tolist() == [0, 1, 2, 3, 4]
    labels = open_labels(path, shape=(3, 3, 12, 12), radius_voxels=1)
    assert [sorted(set(np.unique(f)) - {0}) for f in labels.data.compute()] == [[1, 2], [1], [1, 2]]
    data, keywords, kind = read_layers(path)[0]
    assert kind == "points" and data.shape == (5, 4) and set(map(str, keywords["units"])) == {"pixel"}


def test_axes_in_length_are_micrometres_and_say_so(tmp_path) -> None:
    nodes = {k: (t, z * 1000, y * 500, x * 500) for k, (t, z, y, x) in TWO.items()}
    path = graph(tmp_path / "a.geff", nodes, LINKS, units=("frame", "nanometer", "nanometer", "nanometer"))
    labels = open_labels(path, shape=(3, 3, 12, 12), radius_um=0.5, voxel_size_um=(1.0, 0.5, 0.5))
    assert np.argwhere(labels.data[1].compute() == 1).mean(axis=0).tolist() == [1, 5, 4]
    mixed = graph(tmp_path / "b.geff", nodes, LINKS, units=("frame", "um", "um", "pixel"))
    with pytest.raises(InputError, match="others in pixels"):
        read_centres(mixed)


def test_even_times_are_frames_and_others_are_refused(tmp_path) -> None:
    timed = {k: (p[0] * 0.4, *p[1:]) for k, p in TWO.items()}
    units = ("second", None, None, None)
    assert read_centres(graph(tmp_path / "a.geff", timed, LINKS, units=units))["frame"].tolist() == [0, 0, 1, 2, 2]
    skipping = {k: (p[0] * 2, *p[1:]) for k, p in TWO.items()}
    assert read_centres(graph(tmp_path / "b.geff", skipping, LINKS, units=units))["frame"].max() == 2
    assert read_centres(graph(tmp_path / "c.geff", skipping, LINKS))["frame"].max() == 4  # frames may be left out
    uneven = {**timed, 14: (0.9, 1, 6, 4)}
    with pytest.raises(InputError, match="no frames and not even"):
        read_centres(graph(tmp_path / "d.geff", uneven, LINKS, units=units))


def test_a_track_that_divides_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="divides, which neurons do not"):
        read_centres(graph(tmp_path / "a.geff", TWO, [*LINKS, (10, 13)]))


def test_the_numbers_of_the_file_are_kept_where_they_say_the_same(tmp_path) -> None:
    numbers = {"track": np.array([7, 3, 7, 3, 7])}
    path = graph(tmp_path / "a.geff", TWO, LINKS, props=numbers, track_node_props={"tracklet": "track"})
    assert read_centres(path)["id"].tolist() == [3, 7, 7, 3, 7]
    numbers = {"track": np.array([7, 3, 7, 3, 3])}  # not what the links say
    path = graph(tmp_path / "b.geff", TWO, LINKS, props=numbers, track_node_props={"lineage": "track"})
    assert read_centres(path)["id"].tolist() == [1, 2, 1, 1, 2]


def test_a_flat_graph_lies_in_the_first_plane_and_damage_is_named(tmp_path) -> None:
    flat = {k: (t, y, x) for k, (t, _, y, x) in TWO.items()}
    path = graph(tmp_path / "a.geff", flat, LINKS, names="tyx", units=("frame", None, None))
    assert read_centres(path)["z"].tolist() == [0] * 5
    with pytest.raises(FormatError, match="leads to no node"):
        read_centres(graph(tmp_path / "b.geff", TWO, [(10, 99)]))
    with pytest.raises(InputError, match="needed are one of time"):
        read_centres(graph(tmp_path / "c.geff", flat, LINKS, names="zyx", units=(None, None, None)))


def axis(name: str, kind: str | None = None) -> dict[str, Any]:
    return {"name": name} | ({} if kind is None else {"type": kind})


T, SPACE = axis("t", "time"), [axis(n, "space") for n in "zyx"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([T, *SPACE], {"t": "t", "z": "z", "y": "y", "x": "x"}),
        ([SPACE[2], T, SPACE[1]], {"t": "t", "y": "y", "x": "x"}),
        ([axis("Frame"), axis("X"), axis("Y"), axis("Z")], {"t": "Frame", "x": "X", "y": "Y", "z": "Z"}),
        ([axis("when", "time"), axis("a"), axis("b"), axis("c")], {"t": "when", "z": "a", "y": "b", "x": "c"}),
        ([axis("time"), axis("row"), axis("column")], {"t": "time", "y": "row", "x": "column"}),
        ([T, axis("c", "channel"), *SPACE[1:]], {"t": "t", "y": "y", "x": "x"}),
        ([T, "q", None, 5, {"type": "space"}, axis(""), [], *SPACE[1:]], {"t": "t", "y": "y", "x": "x"}),
    ],
)
def test_axes_are_known_by_type_or_name_and_what_is_none_is_left_out(given, expected: dict[str, str]) -> None:
    assert {letter: one["name"] for letter, one in _axes({"axes": given}, "here").items()} == expected


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (None, "none"),
        ([], "none"),
        (SPACE, "z, y, x"),
        ([T, axis("frame"), *SPACE], "t, frame, z, y, x"),
        ([T, SPACE[0]], "t, z"),
        ([T, *SPACE, axis("w", "space")], "t, z, y, x, w"),
    ],
)
def test_too_few_or_too_many_axes_are_named(given, named: str) -> None:
    with pytest.raises(InputError, match=f"has the axes {named}; needed are one of time and two or three of space"):
        _axes({"axes": given}, "here")


@pytest.mark.parametrize(
    ("times", "unit", "frames"),
    [
        ([0, 1, 5], None, [0, 1, 5]), ([0, 2, 4], None, [0, 2, 4]), ([0, 2, 4], "second", [0, 1, 2]), ([0, 2, 3], "second", [0, 2, 3]), ([0, 0.5, 1.0], None, [0, 1, 2]), ([0.4, 0.8, 0.8], "s", [1, 2, 2]),
        ([0, 0.5, 1.024], None, [0, 1, 2]), ([0, 0.5, 1.03], None, None), ([-1, 0, 1], None, None), ([-0.5, 0, 0.5], None, None), ([0, 0.1, 1.1, 2.1, 3.1], None, None), ([0.25], None, [1]), ([0, 0.5, 2.0], None, [0, 1, 4]), ([0, 0.5, 2.0, 3.5], None, None),
    ],
)  # fmt: skip
def test_times_become_frames_where_they_are_even(times, unit, frames) -> None:
    given = np.array(times, float)
    if frames is None or len(times) == 1:
        with pytest.raises(InputError, match="axis t holds times that are no frames and not even"):
            geff._frames(given, {"name": "t", "unit": unit}, "here")
    else:
        assert geff._frames(given, {"name": "t", "unit": unit}, "here").tolist() == frames


@pytest.mark.parametrize(
    ("units", "factor"),
    [
        ((None, None, None), {}),
        (("um", "nm", "mm"), {"z": 1.0, "y": 1e-3, "x": 1e3}),
        (("pixel", "voxel", None), {}),
        (("um", "pixel", "um"), None),
        ((None, "um", "um"), None),
    ],
)
def test_units_of_space_are_all_lengths_or_all_pixels(units, factor) -> None:
    axes = {a: {"name": a, "unit": u} for a, u in zip("zyx", units, strict=True)}
    if factor is None:
        with pytest.raises(InputError, match=r"others in pixels \([zyx]\)"):
            geff._factor(axes, "here")
    else:
        assert geff._factor(axes, "here") == pytest.approx(factor)


def test_numbers_of_tracks_in_the_file_are_taken_where_they_say_the_same(tmp_path) -> None:
    same, other = np.array([5, 9, 5, 9, 5]), np.array([5, 9, 5, 9, 9])
    zero = np.array([0, 3, 0, 3, 0])
    for number, (props, about, ids) in enumerate(
        [
            ({"k": same}, {"tracklet": "k"}, {5, 9}), ({"k": zero}, {"lineage": "k"}, {1, 4}), ({"k": other}, {"tracklet": "k"}, {1, 2}), ({"k": other, "m": same}, {"tracklet": "k", "lineage": "m"}, {5, 9}),
            ({"k": np.array([5, 5, 5, 5, 5])}, {"tracklet": "k"}, {1, 2}), ({"k": np.array([5, 9, 6, 9, 5])}, {"tracklet": "k"}, {1, 2}), ({"k": same}, {"tracklet": "a/k"}, {1, 2}), ({"k": same}, {"tracklet": "gone"}, {1, 2}), ({"k": same[:4]}, {"tracklet": "k"}, {1, 2}), ({"k": same}, 5, {1, 2}),
        ]
    ):  # fmt: skip
        path = graph(tmp_path / f"{number}.geff", TWO, LINKS, props=props, track_node_props=about)
        assert set(read_centres(path)["id"]) == ids, (about, props)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"edges": [(10, 12), (12, 99)]}, "a link leads to no node"), ({"nodes": {}}, "the graph has no nodes"), ({"props": {"y": np.array([1.0, np.nan, 1, 1, 1])}}, "axis y has no number for every one of the 5 nodes"),
        ({"props": {"y": np.ones(4)}}, "axis y has no number for every one of the 5 nodes"), ({"props": {"y": np.array(list("abcde"))}}, "axis y has no number"),
    ],
)  # fmt: skip
def test_graphs_that_are_damaged_are_refused(tmp_path, change, words) -> None:
    given = {"nodes": TWO, "edges": LINKS} | change
    path = graph(
        tmp_path / "a.geff", given["nodes"], given["edges"] if given["nodes"] else [], props=given.get("props", {})
    )
    with pytest.raises((InputError, FormatError), match=words):
        geff.read_tracks(path)


def test_missing_values_and_odd_names_of_axes_are_refused(tmp_path) -> None:
    path = graph(tmp_path / "a.geff", TWO, LINKS)
    zarr.open_group(path, mode="r+").create_array("nodes/props/z/missing", data=np.zeros(5, bool))
    assert len(geff.read_tracks(path)) == 5
    zarr.open_group(path, mode="r+")["nodes/props/z/missing"][3] = True
    with pytest.raises(FormatError, match="axis z has no number"):
        geff.read_tracks(path)
    for name in ("../z", "a/z", ".."):
        with pytest.raises(FormatError, match="an axis is called"):
            geff._values(path, {"name": name}, 5, "here")
    with pytest.raises(FormatError, match="the graph has no nodes/q"):
        geff._array(path, "nodes/q", "here")
    with pytest.raises(FormatError, match="there is no graph of tracks"):
        geff.read_tracks(tmp_path)
