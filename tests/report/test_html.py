"""Figures and the report: they show what the results hold, escape what people typed, and load nothing from the network."""

from __future__ import annotations

import base64
import html.parser
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.widgets.helpers import cohort, mixed_components

from napari_dynamic_connectome.io.ownership import MARKER
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.evidence import Chance
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.model.results import Communities, Components
from napari_dynamic_connectome.report.community_figures import community_order, plot_matrix, plot_traces
from napari_dynamic_connectome.report.component_figures import (
    plot_components,
    plot_sweep,
    strongest_neurons,
    strongest_pairs,
)
from napari_dynamic_connectome.report.figure_style import shade_binary
from napari_dynamic_connectome.report.html import build_report, html_table, write_figures, write_report
from napari_dynamic_connectome.session.session import Session

NASTY = "<script>alert('x')</script>"


def small_session(model: str = "aligned") -> Session:
    rng = np.random.default_rng(0)
    names = ["AVAL", "AVAR", "RIML", "RIMR", "NSML", "NSMR"]
    session = Session()
    for worm in ("worm a", f"worm {NASTY}"):
        beh = xr.Dataset({"reversal": ("time", (np.arange(50) // 10 % 2).astype(float))})
        stimuli = pd.DataFrame({"name": ["NaCl"], "onset": [5.0], "offset": [10.0]})
        session.add(
            Recording.from_arrays(
                rng.normal(size=(50, 6)), name=worm, rate_hz=2, names=names, behaviour=beh, stimuli=stimuli
            )
        )
    session.cohort = Cohort(session.recordings.values())
    pairs = [(i, j) for i in range(6) for j in range(i + 1, 6)]
    values = np.array([[1.0 if i // 2 == j // 2 else 0.1, 0.5] for i, j in pairs])
    values /= np.linalg.norm(values, axis=0)
    worms = list(session.cohort.worms)
    if model == "aligned":
        time = xr.DataArray(rng.random((50, 2)), dims=("time", "component"), coords={"time": np.arange(50) / 2})
    else:
        time = xr.DataArray(
            rng.random((100, 2)),
            dims=("sample", "component"),
            coords={"worm": ("sample", np.repeat(worms, 50)), "time": ("sample", np.tile(np.arange(50) / 2, 2))},
        )
    component = {"component": [1, 2]}
    session.components = Components(
        model=model,  # type: ignore[arg-type]
        time=time.assign_coords(component),
        worm=xr.DataArray(
            np.array([[0.8, 0.6], [0.6, 0.8]]), dims=("worm", "component"), coords={"worm": worms} | component
        ),
        pair=xr.DataArray(
            values,
            dims=("pair", "component"),
            coords={
                "neuron_a": ("pair", [names[i] for i, _ in pairs]),
                "neuron_b": ("pair", [names[j] for _, j in pairs]),
                "sign": ("pair", ["any"] * len(pairs)),
            }
            | component,
        ),
        weight=xr.DataArray([2.0, 1.0], dims=("component",), coords=component),
        neurons=tuple(names),
        pair_worms=xr.DataArray(np.full(len(pairs), 2), dims=("pair",)),
        error=0.5,
        diagnostics={"explained": [0.3, 0.1]},
        stimuli=session.recordings["worm a"].stimuli if model == "aligned" else pd.DataFrame(),
    )
    labels = xr.DataArray(
        [[0, 0, 1, 1, -1, -1], [0, 0, 0, 0, -1, -1]],
        dims=("level", "neuron"),
        coords={"level": [0, 1], "neuron": names},
    )
    sure = xr.DataArray(np.array([[0.5, 0.9, 0.8, 0.8, 0.1, 0.2]] * 2), dims=("level", "neuron"), coords=labels.coords)
    session.communities = {
        (1, "modules"): Communities(labels=labels, chosen_level=0, probability=sure, rule=f"rule {NASTY}")
    }
    session.provenance = {"seed": 3, "command": NASTY}
    return session


class Audit(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [v or "" for k, v in attrs if k in ("src", "href")]


@pytest.mark.parametrize("model", ["aligned", "unaligned"])
def test_report_is_self_contained_and_escapes_everything(model: str) -> None:
    text = build_report(
        small_session(model), title=f"t {NASTY}", scores={"Scores": pd.DataFrame({"a": [NASTY], "b": [0.25]})}
    )
    audit = Audit()
    audit.feed(text)
    assert "script" not in audit.tags and "link" not in audit.tags
    assert audit.links and all(link.startswith("data:image/png;base64,") for link in audit.links)
    assert text.count("&lt;script&gt;") >= 4
    assert not re.search(r"https?://", text)
    for word in ("AVAL", "Component 1", "Component 2", "NaCl", "0.25", "modules"):
        assert word in text


def test_report_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "report.html"
    write_report(small_session(), target)
    before = target.read_bytes()

    def broken(*args: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("napari_dynamic_connectome.io.atomic.put_in_place", broken)
    with pytest.raises(InputError, match="disk full"):
        write_report(small_session(), target, title="other")
    assert target.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.name != MARKER] == ["report.html"]


def test_strongest_neurons_and_pairs() -> None:
    components = small_session().components
    assert components is not None
    pairs = strongest_pairs(components, 1, 3)
    assert {frozenset(p) for p in zip(pairs["neuron_a"], pairs["neuron_b"])} == {
        frozenset(p) for p in (("AVAL", "AVAR"), ("RIML", "RIMR"), ("NSML", "NSMR"))
    }
    assert len(strongest_neurons(components, 2, 4)) == 4


def test_order_puts_background_last_and_the_surest_first() -> None:
    communities = small_session().communities[1, "modules"]
    assert [communities.neurons[i] for i in community_order(communities)] == [
        "AVAR",
        "AVAL",
        "RIML",
        "RIMR",
        "NSMR",
        "NSML",
    ]


@pytest.mark.parametrize("model", ["aligned", "unaligned"])
def test_component_figure_has_a_row_for_each_component(model: str) -> None:
    session = small_session(model)
    assert session.components is not None
    figure = plot_components(session.components, session.cohort)
    titles = [sub.get_suptitle() for sub in figure.subfigs]
    assert len(titles) == 2 and titles[0].startswith("Component 1") and "30 %" in titles[0]


def test_component_figure_draws_every_worm_of_a_component_with_its_own_clock() -> None:
    worms = cohort()
    figure = plot_components(mixed_components(worms), worms)
    common, own = figure.subfigs
    assert "own" not in common.get_suptitle() and "clock of its own in every worm" in own.get_suptitle()
    lines = [[axes.lines[0] for axes in sub.axes if axes.lines] for sub in (common, own)]
    assert [len(one) for one in lines] == [1, 2]
    peaks = [float(line.get_xdata()[np.argmax(line.get_ydata())]) for line in lines[1]]
    assert peaks == pytest.approx([20, 45], abs=1)


def test_matrix_figure_has_one_scale_frames_numbers_and_names() -> None:
    session = small_session()
    assert session.components is not None
    communities = session.communities[1, "modules"]
    figure = plot_matrix(session.components, 1, communities)
    main, bar = figure.axes[0], figure.axes[-1]
    order = [communities.neurons[i] for i in community_order(communities)]
    values = session.components.matrix(1).sel(neuron=order, neuron_b=order).values
    shown = main.images[0].get_array()
    seen = np.isfinite(values)
    np.testing.assert_allclose(np.asarray(shown)[seen], values[seen])  # the same scale inside and outside
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), ~seen)
    assert bar.get_ylabel() == "pair factor of component 1"
    frames = [p for p in main.patches if not p.get_fill()]
    assert len(frames) == len(communities.sizes(communities.chosen_level))
    numbers = [t.get_text() for one in main.child_axes for t in one.texts]
    assert numbers == [str(i + 1) for i in range(len(frames))]


def test_names_are_left_out_before_they_are_too_small_to_read() -> None:
    from napari_dynamic_connectome.report.figure_style import LEAST_PT, MOST_PT, name_size

    assert name_size(20, 4.0) == MOST_PT and name_size(300, 4.0) == 0.0
    sizes = [name_size(n, 4.0) for n in range(1, 300)]
    assert all(s == 0 or s >= LEAST_PT for s in sizes) and sizes == sorted(sizes, reverse=True)


def test_axes_say_which_clock_and_worms_have_their_names() -> None:
    worms = cohort()
    figure = plot_components(mixed_components(worms), worms)
    common, own = figure.subfigs
    labels = [{a.get_xlabel() for a in sub.axes} - {""} for sub in (common, own)]
    assert labels == [{"time (s), common clock"}, {"time (s), each worm's own clock"}]
    assert [t.get_text() for t in own.axes[-1].get_xticklabels()] == list(worms.worms)
    assert own.axes[-1].xaxis.get_tick_params()["labelbottom"]  # though the courses share their axis
    assert next(t.get_text() for t in own.axes[0].get_yticklabels()) == "0"


def test_traces_figure_shows_every_neuron_by_name() -> None:
    from napari_dynamic_connectome.report.name_column import NameColumn

    session = small_session()
    assert session.recording is not None
    figure = plot_traces(session.recording, session.communities[1, "modules"])
    assert any("6 neurons" in axes.get_ylabel() for axes in figure.axes)
    columns = [a for axes in figure.axes for a in axes.get_children() if isinstance(a, NameColumn)]
    assert len(columns) == 1 and len(columns[0].names) == 6 and columns[0].size >= 5
    assert "z-score" in [axes.get_ylabel() for axes in figure.axes]
    assert any(f"clock of {session.recording.name[:9]}" in axes.get_xlabel() for axes in figure.axes)


def test_sweep_figure_marks_the_suggestion() -> None:
    table = pd.DataFrame(
        {
            "rank": [2, 3],
            "error": [0.9, 0.8],
            "held_out": [0.9, np.nan],
            "held_out_se": [0.1, 0.1],
            "similarity": [1, 0.5],
        }
    )
    figure = plot_sweep(table, 2)
    assert figure.get_suptitle() == "suggested: 2"
    assert all(any(np.allclose(line.get_xdata(), 2) for line in axes.lines) for axes in figure.axes)


def test_sweep_beside_chance_has_named_axes_and_bands_on_a_pages_width() -> None:
    ranks = np.arange(1, 9)
    table = pd.DataFrame(
        {
            "rank": ranks,
            "error": 0.9 - 0.05 * ranks,
            "held_out": 0.95 - 0.05 * ranks,
            "held_out_se": 0.01,
            "similarity": 1.0,
        }
    )
    beside = pd.DataFrame(
        {
            "rank": ranks,
            "gain": 0.05,
            "chance_gain": 0.01,
            "chance_gain_high": 0.02,
            "held_out": table["held_out"],
            "chance_held_out": 0.97,
            "chance_held_out_low": 0.96,
            "chance_held_out_high": 0.98,
        }
    )
    chance = Chance(table=beside, held_out=pd.DataFrame(np.ones((19, 8))))
    figure = plot_sweep(table, 0, chance=chance)
    assert figure.get_size_inches()[0] <= 7.2 and figure.get_suptitle() == "no structure beyond chance"
    assert len(figure.axes) == 4 and all(axes.get_ylabel() and axes.get_title("left") for axes in figure.axes)
    added, held = figure.axes[2:]
    assert "mean of 19 surrogates" in [t.get_text() for t in held.get_legend().get_texts()]
    band = held.collections[0].get_paths()[0].get_extents()
    assert (band.y0, band.y1) == pytest.approx((0.96, 0.98))
    assert added.collections[0].get_paths()[0].get_extents().y1 == pytest.approx(2.0)
    assert list(held.get_xticks()) == ranks.tolist()


def test_bands_are_drawn_where_a_channel_is_on() -> None:
    from napari_dynamic_connectome.report.figure_style import new_figure

    axes = new_figure(2, 2).subplots()
    shade_binary(axes, np.arange(6.0), np.array([0, 1, 1, 0, np.nan, 1]))
    spans = sorted((p.get_x(), p.get_x() + p.get_width()) for p in axes.patches)
    assert spans == [(1.0, 3.0), (5.0, 6.0)]


def test_long_tables_say_how_much_is_left_out() -> None:
    text = html_table(pd.DataFrame({"n": range(100)}), limit=10)
    assert "90 more rows" in text and text.count("<tr>") == 11


def test_figures_are_written_in_both_formats(tmp_path: Path) -> None:
    paths = write_figures(small_session(), tmp_path)
    assert {p.suffix for p in paths} == {".png", ".svg"} and all(p.stat().st_size > 1000 for p in paths)


def test_the_report_shows_the_figures_that_were_written_and_draws_the_others(tmp_path: Path) -> None:
    session = small_session()
    paths = {p.stem: p for p in write_figures(session, tmp_path, ("png",))}
    marked = tmp_path / "marked.png"
    marked.write_bytes(b"a picture of the components")
    report = build_report(session, drawn={**paths, "components": marked})
    assert base64.b64encode(marked.read_bytes()).decode() in report
    drawn, new = (re.findall(r"base64,([^\"]+)", build_report(session, drawn=d)) for d in (paths, None))
    assert len(drawn) == len(new) and drawn == new


def test_named_groups_are_reported_with_their_sizes_and_chance() -> None:
    from tests.widgets.helpers import NAMES, fill

    from napari_dynamic_connectome import enrich_groups
    from napari_dynamic_connectome.report.groups_section import groups_html

    session = Session()
    fill(session)
    session.set_current("worm A")
    assert "<h2>Named groups</h2>" not in build_report(session)
    session.set_group(NASTY, NAMES[:4])
    session.set_group("alone", NAMES[:1])
    text = build_report(session)
    assert text.count("<h2>Named groups</h2>") == 1 and NASTY not in text
    section = text.split("<h2>Named groups</h2>")[1].split("<h2>")[0]
    sizes = [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in re.findall(r"<tr>(.*?)</tr>", section)[1:]]
    assert [row[1:3] for row in sizes if len(row) == 4] == [
        ["4", "4"],
        ["1", "0"],
    ]  # one neuron is compared with nothing
    found = enrich_groups(session)
    best = found.sort_values(["q_value", "p_value", "shared"], ascending=[True, True, False]).iloc[0]
    row = next(r for r in sizes if len(r) == 10)
    assert row[2:5] == ["4", str(best["set_members"]), str(best["shared"])]
    assert row[6:8] == [f"{best['p_value']:.3g}", f"{best['q_value']:.3g}"]
    assert "10,000 orders" in section and "6 of core" in section
    assert groups_html(session, table=html_table) == groups_html(session, table=html_table)
