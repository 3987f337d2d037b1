"""What results say about themselves."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.results import CLAIMS, Communities, Components, RankSweep


def test_members_come_surest_first_and_the_unknown_last() -> None:
    coords = {"level": [0], "neuron": np.array(["AVAL", "AVAR", "RIML", "AIBL", "ASEL"], dtype=object)}
    labels = xr.DataArray([[0, 0, 1, 0, -1]], dims=("level", "neuron"), coords=coords)
    sure = xr.DataArray([[0.4, 0.9, 0.8, np.nan, 0.7]], dims=("level", "neuron"), coords=coords)
    found = Communities(labels=labels, chosen_level=0, probability=sure)
    assert found.members(0) == ["AVAR", "AVAL", "AIBL"]
    assert found.members(1) == ["RIML"]
    assert found.members(7) == []
    assert found.sizes().to_dict() == {0: 3, 1: 1}


def test_a_community_has_the_parent_that_holds_it_and_the_last_level_none() -> None:
    coords = {"level": [0, 1, 2], "neuron": np.array(["AVAL", "AVAR", "RIML", "AIBL", "ASEL"], dtype=object)}
    rows = [[0, 1, 2, 2, -1], [0, 0, 1, 1, -1], [0, 0, 0, 0, -1]]
    labels = xr.DataArray(rows, dims=("level", "neuron"), coords=coords)
    found = Communities(labels=labels, chosen_level=0, probability=labels * 0.0 + 0.9)
    assert found.parents(0) == {0: 0, 1: 0, 2: 1}
    assert found.parents(1) == {0: 0, 1: 0}
    assert found.parents(2) == found.parents(3) == found.parents(-1) == {}


NEURONS = ("A", "B", "C", "D")
PAIRS = list(itertools.combinations(NEURONS, 2))[:5]  # C and D are in no pair


def components(model: str = "aligned", signed: bool = False) -> Components:
    """Two components of three worms, with round numbers; the second pair was never observed."""
    rng = np.random.default_rng(0)
    signs = ("same", "opposite") if signed else ("any",)
    n_pairs, count = 5 * len(signs), [3, 0, 2, 1, 3] * len(signs)
    pair = rng.integers(1, 9, (n_pairs, 2)).astype(float)
    pair[np.array(count) == 0] = np.nan
    coords = {
        "neuron_a": ("pair", [a for a, _ in PAIRS] * len(signs)),
        "neuron_b": ("pair", [b for _, b in PAIRS] * len(signs)),
        "sign": ("pair", np.repeat(signs, 5)),
        "component": [1, 2],
    }
    pair = xr.DataArray(pair, dims=("pair", "component"), coords=coords)
    worm = xr.DataArray(
        [[1.0, 4], [2, 5], [3, 6]], dims=("worm", "component"), coords={"worm": ["v", "w", "x"], "component": [1, 2]}
    )
    weight = xr.DataArray([2.0, 3.0], dims="component", coords={"component": [1, 2]})
    clock = np.array([10.0, 11, 12, 13])
    more: dict = {}
    if model == "unaligned":
        own = {"worm": ("sample", ["v", "v", "w", "w"]), "time": ("sample", [0.0, 1, 5, 6]), "component": [1, 2]}
        time = xr.DataArray(np.arange(8.0).reshape(4, 2), dims=("sample", "component"), coords=own)
    else:
        values = np.arange(8.0).reshape(4, 2) + 1
        lanes = np.array([[0.0, 1, 2, 3], [7.0, np.nan, 5, 6], [3.0, 2, np.nan, np.nan]])
        more["worm_time"] = xr.DataArray(
            lanes,
            dims=("worm", "time"),
            coords={"worm": ["v", "w", "x"], "time": clock, "source": ("worm", ["rec", "other", "rec"])},
        )
        if model == "mixed":
            values[:, 1] = np.nan
            own = rng.integers(1, 9, (3, 4, 1)).astype(float)
            own[1, 1] = np.nan
            more["own_time"] = xr.DataArray(
                own,
                dims=("worm", "time", "component"),
                coords={"worm": ["v", "w", "x"], "time": clock, "component": [2]},
            )
        time = xr.DataArray(values, dims=("time", "component"), coords={"time": clock, "component": [1, 2]})
    counts = xr.DataArray(count, dims="pair")
    return Components(model, time, worm, pair, weight, NEURONS, counts, 0.25, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("component", [1, 2])
def test_the_matrix_and_the_strengths_of_a_component(component: int, signed: bool) -> None:
    made = components(signed=signed)
    values = made.pair.values[:, component - 1] * (2.0 if component == 1 else 3.0)
    for sign in (None, *(("same", "opposite") if signed else ())):
        expected = np.full((4, 4), np.nan)
        for k, value in enumerate(values):
            if sign is None or made.pair["sign"].values[k] == sign:
                i, j = (NEURONS.index(n) for n in PAIRS[k % 5])
                expected[i, j] = expected[j, i] = value if np.isnan(expected[i, j]) else expected[i, j] + value
        np.fill_diagonal(expected, 0)
        got = made.matrix(component, sign)
        np.testing.assert_array_equal(got, expected)
        assert got.attrs == {"component": component, "sign": sign or "any"} and got["neuron"].values.tolist() == list(
            NEURONS
        )
    matrix = made.matrix(component).values
    np.fill_diagonal(matrix, np.nan)
    strengths = np.array([np.nan if np.isnan(row).all() else np.nanmean(row) for row in matrix])
    np.testing.assert_allclose(made.strength(component), strengths)
    table = made.leading(component)
    worms = {"A": 3, "B": 3, "C": 1, "D": 3}
    pairs = {"A": 2, "B": 3, "C": 1, "D": 2}
    assert table["worms"].to_dict() == worms and table["pairs"].to_dict() == pairs
    mean = strengths.mean()
    for name, row in table.iterrows():
        k = NEURONS.index(str(name))
        assert row["strength"] == pytest.approx(strengths[k])
        assert row["shrunk"] == pytest.approx((worms[str(name)] * strengths[k] + 2 * mean) / (worms[str(name)] + 2))
    assert table["shrunk"].tolist() == sorted(table["shrunk"], reverse=True)
    assert made.signs == (("same", "opposite") if signed else ("any",)) and made.rank == 2
    for wrong, words in (
        (lambda: made.matrix(3), "there is no component 3.*1 to 2"),
        (lambda: made.matrix(1, "up"), "there is no sign 'up'"),
    ):
        with pytest.raises(InputError, match=words):
            wrong()


@pytest.mark.parametrize(
    ("model", "clocks"),
    [("aligned", ("common", "common")), ("unaligned", ("own", "own")), ("mixed", ("common", "own"))],
)
def test_time_courses_on_every_clock(model: str, clocks: tuple[str, str]) -> None:
    made = components(model)
    assert made.clocks == clocks and made.has_common_clock == (model != "unaligned")
    for component, (clock, weight) in enumerate(zip(clocks, (2.0, 3.0), strict=True), 1):
        assert made.clock(component) == clock
        for worm in ("v", "w"):
            got = made.time_course(component, worm)
            if clock == "common":
                scale = weight * made.worm.sel(component=component, worm=worm).item()
                np.testing.assert_allclose(got, made.time.sel(component=component) * scale)
            elif model == "mixed":
                np.testing.assert_allclose(got, made.own_time.sel(component=component, worm=worm) * weight)
            else:
                rows = slice(0, 2) if worm == "v" else slice(2, 4)
                np.testing.assert_allclose(got, made.time.values[rows, component - 1] * weight)
                assert got["time"].values.tolist() == ([0, 1] if worm == "v" else [5, 6])
        if clock == "common":
            np.testing.assert_allclose(made.time_course(component), made.time.sel(component=component) * weight)
        else:
            with pytest.raises(InputError, match=f"own time course of component {component}"):
                made.time_course(component)
        with pytest.raises(InputError, match="there is no worm 'q'"):
            made.time_course(component, "q")
    with pytest.raises(InputError, match="mixed model, and to no other"):
        replace(made, own_time=None if model == "mixed" else made.time)


@pytest.mark.parametrize("model", ["aligned", "mixed"])
def test_courses_are_put_back_on_the_clock_of_a_recording(model: str) -> None:
    made = components(model)
    for component in (1, 2):
        found: dict[float, float] = {}
        for worm in ("v", "x"):  # both windows are of one recording; the first that has a time counts
            lane, course = made.worm_time.sel(worm=worm).values, made.time_course(component, worm).values
            for t, value in zip(lane, course, strict=True):
                if np.isfinite(t) and np.isfinite(value):
                    found.setdefault(float(t), float(value))
        got = made.recording_course(component, "rec")
        assert got["time"].values.tolist() == sorted(found) and got.values.tolist() == [found[t] for t in sorted(found)]
        assert made.recording_course(component, "nobody").sizes["time"] == 0
    assert (
        made.clock_time("rec", 2.2) == 12.0
        and made.clock_time("other", 7.9) == 10.0
        and made.clock_time("other", 8.0) == 10.0
    )
    assert np.isnan(made.clock_time("other", 8.1)) and np.isnan(made.clock_time("nobody", 1.0))
    plain = replace(made, worm_time=None)
    assert plain.clock_time("v", 12.4) == 12.0 and np.isnan(plain.clock_time("rec", 12.4))
    assert plain.recording_course(1, "v")["time"].values.tolist() == [10, 11, 12, 13]
    own = components("unaligned")
    assert (
        own.clock_time("v", 3.3) == 3.3
        and own.recording_course(2, "w")["time"].values.tolist() == [5, 6]
        and own.recording_course(2, "q").sizes["time"] == 0
    )


def test_components_say_what_they_are_and_what_speaks_for_them() -> None:
    made = components()
    lines = repr(made).splitlines()
    assert (
        ": 2, aligned" in lines[0]
        and "error    0.250 of what was observed" in repr(made)
        and "4; 5 pairs" in repr(made).replace("A, B, C, D", "4")
    )
    assert sum("common clock, not compared with chance; led by" in line for line in lines) == 2
    support = pd.DataFrame(
        {"background": [True, False], "q_value": [0.5, 0.0123], "warning": ["", "one worm"]}, index=[1, 2]
    )
    text = repr(replace(made, support=support))
    assert "common clock, background; led by" in text and "common clock, corrected p 0.012, one worm; led by" in text


def found_communities(**more: object) -> Communities:
    coords = {"level": [0, 1], "neuron": list("ABCDE")}
    labels = xr.DataArray([[0, 0, 1, 2, -1], [0, 0, 0, 1, -1]], dims=("level", "neuron"), coords=coords)
    sure = xr.DataArray([[0.5, 1.0, 0.9, 0.8, np.nan]] * 2, dims=("level", "neuron"), coords=coords)
    return Communities(labels, 1, sure, **more)  # type: ignore[arg-type]


def test_tables_of_communities_at_every_level() -> None:
    plain = found_communities()
    fine, chosen = plain.table(0), plain.table()
    assert fine[["community", "size", "members"]].to_numpy().tolist() == [[0, 2, "B A"], [1, 1, "C"], [2, 1, "D"]]
    assert chosen[["community", "size", "members"]].to_numpy().tolist() == [[0, 3, "B C A"], [1, 1, "D"]]
    np.testing.assert_allclose(chosen["probability"], [0.8, 0.8])
    assert (
        list(chosen.columns) == ["community", "size", "members", "probability", "p_value"]
        and chosen["p_value"].isna().all()
    )
    assert (
        plain.states().tolist() == ["member"] * 4 + ["background"]
        and plain.states(0).tolist() == plain.states(1).tolist()
    )
    assert (
        "2 groups, not compared with chance" in repr(plain)
        and plain.n_levels == 2
        and plain.sizes().to_dict() == {0: 3, 1: 1}
    )
    state = xr.DataArray(
        [["member"] * 5, ["unsure", "overlapping", "member", "unsure", "background"]], dims=("level", "neuron")
    )
    claims = pd.DataFrame({c: [0.25] for c in CLAIMS}, index=[0])
    full = found_communities(
        state=state, claims=claims, significance=pd.DataFrame({"p_value": [0.125]}, index=[0]), answer="Said."
    )
    table = full.table()
    assert (
        table["p_value"].tolist()[0] == 0.125
        and np.isnan(table["p_value"].tolist()[1])
        and table["q_value"].tolist()[0] == 0.25
    )
    assert (
        table["unsure"].tolist() == [1, 1]
        and table["overlapping"].tolist() == [1, 0]
        and np.isnan(table["ratio"].tolist()[1])
    )
    below = full.table(0)
    assert below["p_value"].isna().all() and below["q_value"].isna().all() and below["unsure"].tolist() == [0, 0, 0]
    assert full.states().tolist() == state.values[1].tolist()
    text = repr(full)
    assert "Said." in text and "3 neurons, corrected p 0.25: B, C, A" in text and "1 neurons: D" in text
    p_only = repr(found_communities(significance=pd.DataFrame({"p_value": [0.5]}, index=[0])))
    assert "3 neurons, p 0.5: B, C, A" in p_only
    assert "of component 4" in repr(found_communities(provenance={"component": 4})) and "of 5 neurons" in repr(plain)


def test_sweeps_say_which_rank_is_suggested_and_why() -> None:
    table = pd.DataFrame({"rank": [1, 2, 3]})
    sweep = RankSweep(table, 2, "Because.", {}, notes=("One note.",))
    text = repr(sweep)
    assert (
        "ranks 1, 2, 3; suggested 2" in text
        and "Because." in text
        and "One note." in text
        and "Not compared with chance." in text
    )
    assert not sweep.nothing and replace(sweep, suggested=0).nothing
    assert "Not compared" not in repr(replace(sweep, chance=object()))
