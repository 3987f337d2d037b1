"""CSV tables: complete, readable by pandas, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from tests.widgets.helpers import cohort, components, fill, mixed_components, recording

from napari_dynamic_connectome.io.files import file_names, safe_file_name
from napari_dynamic_connectome.io.formats.text_tables import write_csv
from napari_dynamic_connectome.io.registry import read_recordings
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import InputError
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.model.results import Components
from napari_dynamic_connectome.model.system import unusable_name
from napari_dynamic_connectome.report.data_dictionary import plain_neuron
from napari_dynamic_connectome.report.tables import neuron_table, write_tables
from napari_dynamic_connectome.session.session import Session


def test_formulas_are_neutralised(tmp_path: Path) -> None:
    path = write_csv(pd.DataFrame({"=a": ["=1+1", "@x", "plain"], "b": [-1.5, 2, 3]}), tmp_path / "t.csv")
    read = pd.read_csv(path)
    assert list(read.columns) == ["'=a", "b"]
    assert list(read["'=a"]) == ["'=1+1", "'@x", "plain"]
    assert list(read["b"]) == [-1.5, 2, 3]


def test_traces_come_back_exactly(tmp_path: Path) -> None:
    session = Session()
    values = np.random.default_rng(0).normal(size=(7, 2))
    session.add(Recording.from_arrays(values, name="a/b: ü", rate_hz=3, names=["AVAL", ""]))
    write_tables(session, tmp_path)
    read = pd.read_csv(
        tmp_path / "traces" / f"{safe_file_name('a/b: ü')}.csv", index_col=0, float_precision="round_trip"
    )
    np.testing.assert_array_equal(read.to_numpy(), values)
    assert list(read.columns) == ["AVAL", "unnamed_2"]
    assert list(neuron_table(session)["label"]) == [1, 2]


def test_a_failing_write_leaves_the_old_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_csv(pd.DataFrame({"a": [1]}), tmp_path / "t.csv")

    def broken(*args: object, **options: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", broken)
    with pytest.raises(InputError, match="disk full"):
        write_csv(pd.DataFrame({"a": [2]}), path)
    monkeypatch.undo()
    assert pd.read_csv(path)["a"].tolist() == [1]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(InputError, match="not a folder"):
        write_tables(Session(), tmp_path / "x")


@pytest.mark.parametrize("name", ["../../etc/passwd", "CON/..", "CON", "nul.csv", "", ".", "ü" * 300])
def test_file_names_stay_in_their_folder(name: str) -> None:
    safe = safe_file_name(name)
    assert safe and "/" not in safe and not safe.startswith(".") and len(safe) <= 101
    assert not unusable_name(f"{safe}.csv")


def test_worms_whose_names_look_alike_as_files_are_all_written(tmp_path: Path) -> None:
    session = Session()
    for number, name in enumerate(("a/b", "a:b", "A_B", "α", "β")):
        session.add(Recording.from_arrays(np.full((3, 1), float(number)), name=name, rate_hz=1, names=["AVAL"]))
    write_tables(session, tmp_path)
    stems = file_names(session.recordings)
    assert list(stems.values()) == ["a_b", "a_b_2", "A_B_3", "_", "__2"]
    for number, stem in enumerate(stems.values()):
        read = pd.read_csv(tmp_path / "traces" / f"{stem}.csv", index_col=0)
        assert (read.to_numpy() == number).all()


def unaligned_components(worms: Cohort) -> Components:
    """Every worm its own course, sampled at its own times."""
    one, rng = components(worms), np.random.default_rng(4)
    time = np.concatenate([np.arange(5.0), np.arange(7.0) + 0.5])
    owner = np.array(["worm A"] * 5 + ["worm B"] * 7, dtype=object)
    values = rng.random((12, 2))
    values /= np.linalg.norm(values, axis=0)
    coords = {"worm": ("sample", owner), "time": ("sample", time), "component": [1, 2]}
    courses = xr.DataArray(values, dims=("sample", "component"), coords=coords)
    norms = np.stack([np.linalg.norm(values[owner == w], axis=0) for w in ("worm A", "worm B")])
    return replace(one, model="unaligned", time=courses, worm=one.worm.copy(data=norms))


def signed_components(worms: Cohort) -> Components:
    """Two layers of pairs, some of which no worm shows."""
    one = components(worms)
    both = xr.concat([one.pair, one.pair * 0.5], "pair").assign_coords(
        sign=("pair", np.repeat(np.array(["same", "opposite"], dtype=object), one.pair.sizes["pair"]))
    )
    count = np.tile(one.pair_worms.values, 2)
    count[::7] = 0
    both = both.where(xr.DataArray(count > 0, dims="pair"))
    both = both / np.sqrt((both**2).sum("pair"))
    return replace(one, pair=both, pair_worms=xr.DataArray(count, dims="pair"))


def model(parts: Components, worm: str) -> tuple[np.ndarray, np.ndarray]:
    """Times of a worm and the tensor (time, pair) there, from the results themselves."""
    time, total = None, 0.0
    for number in range(1, parts.rank + 1):
        course = parts.time_course(number, worm)
        time = course["time"].values
        total = total + np.outer(course.values, parts.pair.sel(component=number).values)
    return time, total


def norm(values: pd.Series) -> float:
    return float(np.sqrt((values**2).sum()))


MODELS = {
    "aligned": components,
    "unaligned": unaligned_components,
    "mixed": mixed_components,
    "signed": signed_components,
}


@pytest.mark.parametrize("name", MODELS)
def test_the_tensor_is_made_again_from_the_tables_alone(name: str, tmp_path: Path) -> None:
    session, worms = Session(), cohort()
    parts = MODELS[name](worms)
    session.set_components(parts)
    write_tables(session, tmp_path)
    weight, times, loads, pairs = (
        pd.read_csv(tmp_path / f"components{part}.csv") for part in ("", "_time", "_worms", "_pairs")
    )
    for worm in worms.worms:
        held = times[times["worm"].isna() | (times["worm"] == worm)]
        keys = ["neuron_a", "neuron_b", "sign"]
        whole = weight[["component", "weight"]].merge(loads[loads["worm"] == worm], on="component")
        whole = whole.merge(held.drop(columns="worm"), on="component").merge(pairs, on="component")
        whole["value"] = whole["weight"] * whole["worm_factor"] * whole["time_factor"] * whole["pair_factor"]
        made = whole.groupby(["time_s", *keys], sort=False)["value"].sum(min_count=parts.rank).unstack("time_s")
        time, expected = model(parts, worm)
        order = pd.MultiIndex.from_arrays(
            [[plain_neuron(str(n)) for n in parts.pair[k].values] for k in keys[:2]] + [parts.pair["sign"].values]
        )
        np.testing.assert_allclose(made.reindex(order)[time].to_numpy().T, expected, atol=1e-12)
    for table, column in ((times, "time_factor"), (pairs, "pair_factor")):
        np.testing.assert_allclose(table.groupby("component")[column].apply(norm), 1)
    assert weight["share_of_weight"].sum() == pytest.approx(1)


def test_explained_and_share_of_weight_are_two_columns(tmp_path: Path) -> None:
    session = Session()
    session.set_components(replace(components(cohort()), diagnostics={"explained": [0.3, 0.1]}))
    write_tables(session, tmp_path)
    table = pd.read_csv(tmp_path / "components.csv")
    assert table["explained_of_data"].tolist() == [0.3, 0.1] and "explained" not in table
    np.testing.assert_allclose(table["share_of_weight"], [9 / 13, 4 / 13])


TYPES = {"boolean": "b", "integer": "iu", "number": "iuf", "string": "OUT"}


NAMES_OF_DIGITS = ("community_name", "which")
"""Text, all of which may be made of digits."""


def check_package(folder: Path) -> dict:
    """Every CSV of the folder is described: each column, in order, with a type that fits and words."""
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    paths = {p.relative_to(folder).as_posix() for p in folder.rglob("*.csv")}
    assert {r["path"] for r in package["resources"]} == paths and len(package["resources"]) == len(paths)
    assert len({r["name"] for r in package["resources"]}) == len(paths)
    for one in package["resources"]:
        assert re.fullmatch(r"[a-z0-9._-]+", one["name"]) and one["title"], one["path"]
        table = pd.read_csv(folder / one["path"], keep_default_na=False, na_values=one["schema"]["missingValues"])
        fields = one["schema"]["fields"]
        assert [f["name"] for f in fields] == list(table.columns)
        for field in fields:
            assert field.get("description"), (one["path"], field["name"])
            kind = table[field["name"]].dropna().infer_objects().dtype.kind
            assert kind in TYPES[field["type"]] or table[field["name"]].isna().all() or field["name"] in NAMES_OF_DIGITS
            for ending, unit in (("_s", "s"), ("_um", "um")):
                if field["name"].endswith(ending):
                    assert field.get("unit") == unit, field
    return package


def test_every_column_is_described_beside_the_tables(tmp_path: Path) -> None:
    session = Session()
    fill(session)
    write_tables(session, tmp_path)
    package = check_package(tmp_path)
    assert "weight x worm_factor x time_factor x pair_factor" in package["description"]
    assert len(package["resources"]) == 10
    for path in tmp_path.rglob("*.csv"):
        assert "#" not in path.read_text(encoding="utf-8"), path


def test_columns_of_communities_keep_their_types_beside_a_component_without_any(tmp_path: Path) -> None:
    session = Session()
    fill(session)
    none = session.communities[(2, "core")]
    session.communities[(2, "core")] = replace(none, labels=none.labels * 0 - 1)
    write_tables(session, tmp_path)
    package = check_package(tmp_path)
    claims = next(r for r in package["resources"] if r["name"] == "communities_claims")
    types = {f["name"]: f["type"] for f in claims["schema"]["fields"]}
    assert types["size"] == "integer" and types["probability"] == "number" and types["members"] == "string"


def test_truth_values_are_written_as_other_programs_read_them(tmp_path: Path) -> None:
    session = Session()
    fill(session)
    worm = next(iter(session.recordings))
    session.edit(worm, {int(session.recordings[worm].neurons["label"].iloc[0]): {"rejected": True}})
    write_tables(session, tmp_path)
    with (tmp_path / "neurons.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {r["rejected"] for r in rows} == {"TRUE", "FALSE"} and sum(r["rejected"] == "TRUE" for r in rows) == 1
    assert pd.read_csv(tmp_path / "neurons.csv")["rejected"].sum() == 1
    mixed = pd.DataFrame({"here": [True, None, np.False_], "text": ["=1", "True", "a"]})
    write_csv(mixed, tmp_path / "mixed.csv")
    assert (tmp_path / "mixed.csv").read_text(encoding="utf-8") == "here,text\nTRUE,'=1\n,True\nFALSE,a\n"


def test_unnamed_neurons_without_a_sign_are_read_again(tmp_path: Path) -> None:
    session = Session()
    session.add(recording("worm A"))
    write_tables(session, tmp_path)
    (read,) = read_recordings(tmp_path / "traces" / "worm_A.csv")
    before = session.recordings["worm A"]
    assert read.neurons["label"].tolist()[-3:] == before.neurons["label"].tolist()[-3:]
    assert read.neurons["name"].tolist() == before.neurons["name"].tolist()


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("#7", "unnamed_7"),
        ("worm 1#12", "worm 1_unnamed_12"),
        ("AVAL #3 RIML", "AVAL unnamed_3 RIML"),
        ("AVAL", "AVAL"),
        ("a#b", "a#b"),
    ],
)
def test_identities_without_a_sign(text: str, plain: str) -> None:
    assert plain_neuron(text) == plain


def test_courses_of_both_clocks_are_written(tmp_path: Path) -> None:
    session, worms = Session(), cohort()
    session.set_components(mixed_components(worms))
    write_tables(session, tmp_path)
    assert pd.read_csv(tmp_path / "components.csv")["clock"].tolist() == ["common", "own"]
    times = pd.read_csv(tmp_path / "components_time.csv")
    assert list(times.columns) == ["component", "worm", "time_s", "time_factor"]
    assert times.loc[times["component"] == 1, "worm"].isna().all()
    for worm in worms.worms:
        expected = session.components.time_course(2, worm)
        mine = times[(times["component"] == 2) & (times["worm"] == worm)]
        np.testing.assert_allclose(mine["time_s"], expected["time"].values)
        np.testing.assert_allclose(4.0 * mine["time_factor"], expected.values)


def test_a_sweep_without_a_column_of_similarity_is_drawn() -> None:
    from napari_dynamic_connectome.report.component_figures import plot_sweep

    table = pd.DataFrame({"rank": [1, 2], "error": [0.5, 0.4]})
    bare, whole = plot_sweep(table, 2), plot_sweep(table.assign(similarity=[1.0, 0.8]), 2)
    assert len(whole.axes[1].lines) == len(bare.axes[1].lines) + 1
