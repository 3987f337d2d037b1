import numpy as np
import pytest
import xarray as xr
from tests.session.session_sample import make_components

from napari_dynamic_connectome.display.palette import rgb
from napari_dynamic_connectome.display.scene import (
    cohort_names,
    cohort_places,
    colors_at,
    label_colors,
    pair_factors,
    resolve,
    shown_styles,
    strength_weight,
    strengths,
)
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.model.results import Communities
from napari_dynamic_connectome.session.session import Session

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


def analyzed(recording: Recording) -> Session:
    """A session in which each of two communities has two neurons."""
    session = Session()
    session.add(recording)
    session.set_cohort(Cohort([recording]))
    names = list(session.cohort.neurons)
    held = {"AVAL": 0, "AVAR": 0, "RIML": 1, "RIMR": 1}
    labels = xr.DataArray([[held.get(n, -1) for n in names]], dims=("level", "neuron"), coords={"neuron": names})
    session.set_communities({(1, "core"): Communities(labels, 0, labels * 0.0 + 1)})
    return session


def test_a_name_that_moves_to_another_cell_does_not_take_the_community_along(recording: Recording) -> None:
    session = analyzed(recording)
    before = resolve(session)
    session.edit("w", {11: {"name": ""}})
    session.edit("w", {15: {"name": "AVAL"}})
    after = resolve(session)
    assert after.ids[4] == "AVAL"
    np.testing.assert_array_equal(after.community, before.community)
    np.testing.assert_array_equal(after.base, before.base)
    assert after.community[0] == 0 and after.community[4] == -1


def test_cells_that_were_not_analyzed_and_worms_that_took_no_part(recording: Recording) -> None:
    session = analyzed(recording)
    later = recording.replace(
        neurons=recording.neurons.assign(label=[11, 12, 13, 14, 15, 16, 17, 99], name=[*NAMES[:7], ""]).set_axis(
            [*recording.neurons.index[:7], "#99"]
        ),
        traces=recording.traces.assign_coords(neuron=[*recording.neurons.index[:7], "#99"]),
    )
    session.add(later, replace=True)
    assert resolve(session).community.tolist() == [0, 0, 1, 1, -1, -1, -1, -1]
    # in a worm of which the analysis knows nothing, present names count
    session.add(recording.replace(name="other"))
    session.edit("other", {11: {"name": ""}})
    assert resolve(session).community.tolist() == [-1, 0, 1, 1, -1, -1, -1, -1]


def test_strength_and_edges_stay_with_the_cells(recording: Recording) -> None:
    session = analyzed(recording)
    session.set_components(make_components(session.cohort, 1, 0))
    before = strength_weight(recording, session.components, 1, recording)[0]
    session.edit("w", {11: {"name": "RIS"}})
    session.edit("w", {15: {"name": "AVAL"}})
    then, now = session.cohort.recordings[0], session.recordings["w"]
    np.testing.assert_array_equal(strength_weight(now, session.components, 1, then)[0], before)


def test_the_colours_are_those_of_the_level_that_is_shown(recording: Recording) -> None:
    session = Session()
    session.add(recording)
    names = [name for name in NAMES if name]
    labels = xr.DataArray(
        [[0, 0, 1, 1, 1, 2, 2], [0] * 5 + [1] * 2], dims=("level", "neuron"), coords={"neuron": names}
    )
    sure = labels.astype(float) * 0 + 1
    found = Communities(labels, 0, sure)
    session.set_communities({(1, "modules"): found})
    session.select(component=1, kind="modules")
    places = [NAMES.index(n) for n in names]
    for level in (0, 1):
        session.select(level=level)
        base = resolve(session, color_by="community").base[places]
        same = (base[:, None] == base[None]).all(axis=2)
        row = labels.values[level]
        np.testing.assert_array_equal(same, row[:, None] == row[None])
        # and so are those of the legend and of everything beside it
        assert sorted(shown_styles(session)) == sorted(set(row.tolist()))
        for number, style in shown_styles(session).items():
            np.testing.assert_allclose(base[row == number][0][:3], rgb(style.color), atol=1e-6)


def test_every_time_shows_its_nearest_sample(recording: Recording) -> None:
    session = Session()
    session.add(recording)
    drawn = resolve(session, color_by="activity")
    times = recording.time_s
    assert [drawn.frame(float(t)) for t in times] == list(range(len(times)))
    assert [drawn.frame(float(t) + 0.2) for t in times] == list(range(len(times)))
    assert [drawn.frame(float(t) - 0.2) for t in times] == list(range(len(times)))
    colours = np.array([colors_at(drawn, float(t))[0, :3].sum() for t in times])
    order = np.argsort(recording.traces.values[:, 0])
    assert (np.diff(colours[order]) >= -1e-5).all()


def test_places_of_neurons_are_those_of_their_names_one_by_one(recording: Recording) -> None:
    """Merged pairs, renamed, rejected and unknown cells; as they are now, and as they were."""
    rng = np.random.default_rng(1)
    session = Session()
    session.add(recording)
    then = session.recordings["w"]
    session.edit("w", {11: {"name": "RID"}, 18: {"name": "AVAL"}, 12: {"rejected": True}, 15: {"name": "AVEL"}})
    now = session.recordings["w"]
    everyone = ["AVA", "AVAL", "RIM", "RIML", "AIB", "AIBR", "RID", "w #15", "w#15", "AVEL", "nobody"]
    for size in (0, 1, 4, len(everyone)):
        names = tuple(rng.permutation(everyone)[:size].tolist())
        for worm in (now, then):
            for before in (None, then, now):
                found = cohort_places(worm, names, before)
                called = cohort_names(worm, set(names), before)
                assert found.tolist() == [names.index(n) if n else -1 for n in called]
                assert cohort_places(worm, names, before) is found  # kept
    table = now.neurons
    table.loc[table.index[2], "rejected"] = True  # in place, by a script
    assert cohort_places(now, ("RIML", "RIMR"))[2] == -1


def test_what_is_kept_of_a_component_is_what_it_says(recording: Recording) -> None:
    components = make_components(Cohort([recording]), 2, 0)
    for number in (1, 2, 1):
        number = min(number, components.rank)
        np.testing.assert_array_equal(pair_factors(components, number), components.matrix(number).values)
        np.testing.assert_array_equal(strengths(components, number), components.strength(number).values)
    with pytest.raises(ValueError, match="read-only"):
        pair_factors(components, 1)[0, 0] = 1


def test_where_nobody_is_in_a_community_the_key_says_background(recording: Recording) -> None:
    from napari_dynamic_connectome.display.scene import legend

    session = Session()
    session.add(recording)
    session.set_cohort(Cohort([recording]))
    names = session.cohort.neurons
    none = xr.DataArray(
        np.full((1, len(names)), -1),
        dims=("level", "neuron"),
        coords={"neuron": np.asarray(names, dtype=object), "level": [0]},
    )
    session.set_components(make_components(session.cohort, 2, 0))
    session.set_communities(
        {(1, "core"): Communities(labels=none, chosen_level=0, probability=none * 0.0, rule="test")}
    )
    for color_by in ("community", "probability", "strength"):
        lines = legend(session, resolve(session, color_by=color_by), color_by)
        assert lines[0][0] == "background" and not {"named", "unnamed"} & {text for text, _ in lines}
    assert {text for text, _ in legend(session, resolve(session, color_by="naming"), "naming")} <= {
        "named",
        "unnamed",
        "doubtful",
    }
