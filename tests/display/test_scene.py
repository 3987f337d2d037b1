import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.display.movie_frames import movie_frames
from napari_dynamic_connectome.display.name_placement import place_names
from napari_dynamic_connectome.display.order import neuron_order, similarity_order
from napari_dynamic_connectome.display.scene import colors_at, label_colors, resolve
from napari_dynamic_connectome.display.tubes import tubes
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.model.results import Communities
from napari_dynamic_connectome.naming.atlas import read_atlas, suggest
from napari_dynamic_connectome.session.session import Session
from napari_dynamic_connectome.simulation.positions import atlas_positions

NAMES = ["AVAL", "AVAR", "RIML", "RIMR", "", "AIBL", "AIBR", "RID"]


@pytest.fixture
def recording() -> Recording:
    rng = np.random.default_rng(0)
    traces = rng.normal(size=(60, len(NAMES)))
    return Recording.from_arrays(
        traces, name="w", rate_hz=2, names=NAMES, positions_um=rng.random((len(NAMES), 3)) * 50, labels=range(11, 19)
    )


def test_activity_follows_the_trace(recording: Recording) -> None:
    session = Session()
    session.add(recording)
    drawn = resolve(session, color_by="activity")
    values = recording.traces.values
    high, low = int(values[:, 0].argmax()), int(values[:, 0].argmin())
    bright = colors_at(drawn, recording.time_s[high])[0, :3].sum()
    dim = colors_at(drawn, recording.time_s[low])[0, :3].sum()
    assert bright > dim + 0.5


def test_rejected_and_unnamed_neurons_step_back(recording: Recording) -> None:
    session = Session()
    session.add(recording)
    session.edit("w", {11: {"rejected": True}})
    drawn = resolve(session, color_by="naming")
    assert drawn.alpha[0] < 0.3 <= drawn.alpha[1]
    assert drawn.base[4].sum() < drawn.base[1].sum()


def test_background_of_labels_is_transparent_and_every_label_has_its_colour(recording: Recording) -> None:
    session = Session()
    session.add(recording)
    drawn = resolve(session, color_by="naming")
    table = label_colors(drawn, 0.0)
    assert table[0][3] == 0
    assert set(range(11, 19)) <= set(table)
    np.testing.assert_allclose(table[12][:3], drawn.base[1], atol=1e-6)


def test_a_community_of_two_components_has_one_colour(recording: Recording) -> None:
    session = Session()
    session.add(recording)
    names = [name for name in NAMES if name]
    labels = xr.DataArray([[0, 0, 1, 1, 1, 2, 2]], dims=("level", "neuron"), coords={"neuron": names})
    sure = labels.astype(float) * 0 + 1
    both = {(k + 1, "modules"): Communities((labels + k) % 3, 0, sure) for k in range(2)}
    session.set_communities(both)
    colours = []
    for component in (1, 2):
        session.select(component=component, kind="modules")
        colours.append(resolve(session).base)
    np.testing.assert_array_equal(*colours)
    assert len(np.unique(colours[0], axis=0)) == 4  # three communities and the grey of the neuron without a name


def test_without_positions_the_places_are_schematic() -> None:
    session = Session()
    session.add(Recording.from_arrays(np.zeros((4, 3)), name="w", rate_hz=1, names=["AVAL", "AVAR", ""]))
    drawn = resolve(session)
    assert drawn.schematic
    assert drawn.shown.tolist() == [True, True, False]


def test_similar_traces_come_side_by_side() -> None:
    rng = np.random.default_rng(1)
    base = rng.normal(size=(200, 3))
    traces = np.concatenate([base + rng.normal(scale=0.1, size=(200, 3)) for _ in range(3)], axis=1)
    groups = similarity_order(traces) % 3
    assert (np.diff(groups) != 0).sum() == 2


def test_sorted_by_name_puts_unnamed_last(recording: Recording) -> None:
    order = neuron_order(recording, "name")
    assert recording.neurons["name"].iloc[order[-1]] == ""
    assert recording.neurons["name"].iloc[order[0]] == "AIBL"


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10_000))
def test_names_stay_inside_and_every_pair_or_neuron_is_named_once(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.random((count, 2)) * [500, 300] + 100
    names = [f"N{i}X" for i in range(count)]
    placed = place_names(points, names, points, size=(800, 500))
    assert sorted(p.text for p in placed) == sorted(names)
    assert all(0 <= p.x <= 800 and 0 <= p.y <= 500 for p in placed)


def test_a_close_pair_shares_one_name() -> None:
    placed = place_names(np.array([[100.0, 100.0], [110.0, 100.0]]), ["AVAL", "AVAR"], np.zeros((0, 2)))
    assert [p.text for p in placed] == ["AVAL/R"]


def test_tubes_lie_at_their_radius() -> None:
    vertices, faces, line = tubes(np.array([[0.0, 0, 0], [1, 1, 1]]), np.array([[0.0, 0, 5], [1, 1, 1]]), 0.5)
    assert set(line) == {0}  # the second has no length
    np.testing.assert_allclose(np.hypot(vertices[:, 0], vertices[:, 1]), 0.5)
    assert faces.max() < len(vertices)


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


def test_a_turning_movie_loops() -> None:
    frames = movie_frames("turn", 2, 10, np.arange(5.0))
    assert len(frames) == 20
    steps = np.diff([f.turn for f in frames])
    assert frames[-1].turn + steps[0] == pytest.approx(360)
    assert all(f.time_s is None for f in frames)
