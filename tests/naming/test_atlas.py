"""Names suggested by position: any side, any microscope, and as often right as the probability says."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.model.neurons import CANONICAL, HEAD_GANGLIA, info
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.naming.atlas import read_atlas, suggest
from napari_dynamic_connectome.simulation.positions import atlas_positions

HEAD = [n for n in CANONICAL if info(n).ganglion in HEAD_GANGLIA]


@pytest.fixture
def atlas(tmp_path) -> pd.DataFrame:
    table = pd.DataFrame(atlas_positions(HEAD), columns=["z_um", "y_um", "x_um"]).assign(name=HEAD)
    table.to_csv(tmp_path / "atlas.csv", index=False)
    return read_atlas(tmp_path / "atlas.csv")


def worm(places: np.ndarray, names: list[str]) -> Recording:
    return Recording.from_arrays(np.zeros((2, len(names))), name="w", rate_hz=1, names=names, positions_um=places)


def share_right(found, recording: Recording, truth: list[str]) -> float:
    unnamed = [i for i, n in enumerate(recording.neurons["name"]) if not n]
    best = [found.get(str(recording.neurons.index[i]), []) for i in unnamed]
    return float(np.mean([bool(b) and b[0].name == truth[i] for b, i in zip(best, unnamed, strict=True)]))


@pytest.mark.parametrize("mirror", [1, -1])
def test_a_mirrored_microscope_does_not_matter(atlas, mirror) -> None:
    rng = np.random.default_rng(1)
    places = atlas.loc[HEAD, ["z", "y", "x"]].to_numpy() * [1, 1, mirror] + [4, -7, 30]
    places += rng.normal(scale=0.3, size=places.shape)
    recording = worm(places, [n if i % 8 == 0 else "" for i, n in enumerate(HEAD)])
    found = suggest(recording, atlas)
    assert share_right(found, recording, HEAD) > 0.9
    given = set(recording.neurons["name"]) - {""}
    for neuron, suggestions in found.items():
        assert sum(s.probability for s in suggestions) <= 1 + 1e-9
        if neuron.startswith("#"):
            assert not given & {s.name for s in suggestions}


def test_without_names_a_whole_head_is_laid_over_the_atlas(atlas) -> None:
    places = atlas.loc[HEAD, ["z", "y", "x"]].to_numpy() @ np.diag([1, -1, -1]) * 1.1 + [0, 50, 90]
    recording = worm(places, [""] * len(HEAD))
    found = suggest(recording, atlas)
    pairs = [
        info(found[f"#{i + 1}"][0].name).pair_name == info(n).pair_name
        for i, n in enumerate(HEAD)
        if f"#{i + 1}" in found
    ]
    assert np.mean(pairs) > 0.5
    with pytest.raises(Cancelled):
        suggest(recording, atlas, cancel=lambda: True)


def test_spread_parts_and_repeats_are_read(tmp_path) -> None:
    rows = [("head", n, i, 2 * i, 3 * i, 0.5) for i, n in enumerate(HEAD[:6])] + [("tail", HEAD[0], 900, 900, 900, 9)]
    table = pd.DataFrame(rows, columns=["part", "name", "x_um", "y_um", "z_um", "sd_x"])
    table.to_csv(tmp_path / "a.csv", index=False)
    found = read_atlas(tmp_path / "a.csv")
    assert found.loc[HEAD[0], ["z", "y", "x"]].tolist() == [0, 0, 0]
    assert found["sd_x"].tolist() == [0.5] * 6 and found["sd_y"].isna().all()
    table = pd.DataFrame(
        [(n, i + d, i, i) for i, n in enumerate(HEAD[:6]) for d in (0.0, 2.0)], columns=["name", "x", "y", "z"]
    )
    table.to_csv(tmp_path / "b.csv", index=False)
    found = read_atlas(tmp_path / "b.csv")
    assert found.loc[HEAD[1], "x"] == 2.0 and found["sd_x"].iloc[0] == pytest.approx(np.sqrt(2))


def test_points_on_a_line_are_refused(atlas) -> None:
    places = np.zeros((8, 3))
    places[:, 2] = np.arange(8.0)
    with pytest.raises(InputError, match="one point or line"):
        suggest(worm(places, [""] * 8), atlas)


def test_real_heads_are_named_as_often_as_the_probability_says(shared_data) -> None:
    atlas = read_atlas(shared_data / "positions" / "head_atlas_median.csv")
    table = pd.read_csv(shared_data / "positions" / "neuropal_heads_116worms.csv.gz")
    rng = np.random.default_rng(0)
    right, listed, said = [], [], []
    for place, (_, one) in enumerate(table.groupby(["group", "worm"])):
        if place % 10:
            continue
        one = one.drop_duplicates("name")
        truth = one["name"].tolist()
        keep = set(rng.permutation(len(truth))[:20].tolist())
        recording = worm(
            one[["z_um", "y_um", "x_um"]].to_numpy(), [n if i in keep else "" for i, n in enumerate(truth)]
        )
        found = suggest(recording, atlas)
        for i, n in enumerate(truth):
            suggestions = found.get(str(recording.neurons.index[i]), [])
            if i not in keep and n in atlas.index and suggestions:
                right.append(suggestions[0].name == n)
                listed.append(n in [s.name for s in suggestions])
                said.append(suggestions[0].probability)
    assert np.mean(right) > 0.45  # measured: 0.5
    assert np.mean(listed) > 0.8
    sure = np.array(said) > 0.6
    assert np.array(right)[sure].mean() > 0.75
    assert abs(np.mean(said) - np.mean(right)) < 0.2


def test_the_atlas_finds_names_of_a_turned_and_scaled_worm(tmp_path) -> None:
    from napari_dynamic_connectome.model.neurons import CANONICAL, HEAD_GANGLIA, info

    names = [n for n in CANONICAL if info(n).ganglion in HEAD_GANGLIA][::3]
    places = atlas_positions(names)
    table = pd.DataFrame(places, columns=["z", "y", "x"]).assign(name=names)
    table.to_csv(tmp_path / "atlas.csv", index=False)
    angle = np.deg2rad(12)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    moved = places @ turn.T * 1.1 + [5, -3, 20]
    known = [n if i % 3 == 0 else "" for i, n in enumerate(names)]
    worm = Recording.from_arrays(np.zeros((3, len(names))), name="w", rate_hz=1, names=known, positions_um=moved)
    found = suggest(worm, read_atlas(tmp_path / "atlas.csv"))
    unnamed = [i for i, n in enumerate(known) if not n]
    right = [found[str(worm.neurons.index[i])][0].name == names[i] for i in unnamed]
    assert np.mean(right) > 0.95


def test_an_atlas_without_names_is_refused(tmp_path) -> None:
    (tmp_path / "a.csv").write_text("x,y,z\n1,2,3\n")
    with pytest.raises(InputError, match="name"):
        read_atlas(tmp_path / "a.csv")
