"""CSV tables of everything in a session: traces, neurons, components, communities, scores.

Every table is in place only when complete, and harmless in a spreadsheet (`io.tables.write_csv`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..display.community_names import with_names
from ..io.files import file_names, output_folder
from ..io.formats.text_tables import write_csv
from ..io.ownership import OurFiles, our_files
from ..model.opinions import BaselinePanel
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.results import Communities, Components
from ..pipeline.groups import enrich_groups
from ..session.freshness import at_analysis, freshness
from ..session.groups import group_table
from ..session.session import Session
from .data_dictionary import PACKAGE, Column, plain_neuron, plain_table, resource, write_package
from .named_suggestions import name_groups
from .state_tables import state_tables


def neuron_table(session: Session) -> pd.DataFrame:
    """One row a neuron and worm: worm, neuron, label, name, position (um), quality.

    Where results were made before names were corrected, `name_in_results` is the name that the other tables use.
    """
    parts = []
    older = bool(freshness(session).components)
    for name, recording in session.recordings.items():
        table = recording.neurons.reset_index()
        if older:
            then = at_analysis(session, recording)
            named = {} if then is None else dict(zip(then.neurons["label"], then.neurons["name"], strict=True))
            table["name_in_results"] = [named.get(label, "") for label in table["label"]]
        table.insert(0, "worm", name)
        table = table.rename(columns={"z": "z_um", "y": "y_um", "x": "x_um"})
        if recording.quality is not None:
            quality = recording.quality.drop(columns=[c for c in recording.quality.columns if c in table.columns])
            table = table.merge(quality.reset_index(), on="neuron", how="left")
        parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def older_table(session: Session) -> pd.DataFrame:
    """One row a change that results are older than: result, what, worm, count, older_than; empty where all is up to date."""
    found = freshness(session)
    rows = [
        {"result": result, "what": c.what, "worm": c.worm, "count": c.count, "older_than": c.text}
        for result, changes in (
            ("traces", found.traces),
            ("components and communities", found.components),
            ("communities", found.communities),
        )
        for c in changes
    ]
    return pd.DataFrame(rows, columns=["result", "what", "worm", "count", "older_than"])


def component_tables(session: Session) -> dict[str, pd.DataFrame]:
    """Weights and factors of the components, as tidy tables: components, components_time, components_worms, components_pairs.

    The factors have norm 1 and the weight is in `components` alone: what the model says for a worm, a time and a pair is the sum
    over components of weight x worm_factor x time_factor x pair_factor (`data_dictionary.PRODUCT`).
    """
    components = session.components
    if components is None:
        return {}
    return {
        "components": _component_table(components),
        "components_time": _time_table(components),
        "components_worms": _worm_table(components),
        "components_pairs": _pair_table(components),
    }


def _component_table(components: Components) -> pd.DataFrame:
    """One row a component: clock, weight, shares, and how well left-out worms' courses were predicted (if it was asked)."""
    weight = components.weight.values
    table = pd.DataFrame(
        {
            "component": components.weight["component"].values,
            "clock": list(components.clocks),
            "weight": weight,
            "share_of_weight": weight / (weight.sum() or 1.0),
        }
    )
    for name, column in (("explained", "explained_of_data"), ("predicted", "predicted")):
        values = components.diagnostics.get(name)
        if values is not None and len(values) == len(table):
            table[column] = values
    return table


def _time_table(components: Components) -> pd.DataFrame:
    """Time factors, one row a component and time, and a worm where the clock is its own: component, worm, time_s, time_factor."""
    parts = []
    for number, clock in zip(components.weight["component"].values.tolist(), components.clocks, strict=True):
        if components.own_time is not None and clock == "own":
            own = components.own_time.sel(component=number).transpose("worm", "time")
            worm = np.repeat([str(w) for w in own["worm"].values], own.sizes["time"])
            time, values = np.tile(own["time"].values, own.sizes["worm"]), own.values.ravel()
        else:
            course = components.time.sel(component=number)
            values, time = course.values, course["time"].values
            worm = course["worm"].values.astype(str) if clock == "own" else np.full(len(values), "", dtype=object)
        part = pd.DataFrame({"component": number, "worm": worm.astype(object), "time_s": time, "time_factor": values})
        parts.append(part[np.isfinite(values)])
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _worm_table(components: Components) -> pd.DataFrame:
    """Worm factors, one row a component and worm: component, worm, worm_factor, loading."""
    loading = components.worm.transpose("component", "worm")
    numbers = components.weight["component"].values
    common = np.array([clock == "common" for clock in components.clocks], bool)[:, None]
    return pd.DataFrame(
        {
            "component": np.repeat(numbers, loading.sizes["worm"]),
            "worm": [str(w) for w in loading["worm"].values] * len(numbers),
            "worm_factor": np.where(common, loading.values, 1.0).ravel(),
            "loading": loading.values.ravel(),
        }
    )


def _pair_table(components: Components) -> pd.DataFrame:
    """Pair factors, one row a component, pair and sign: component, neuron_a, neuron_b, sign, worms, pair_factor."""
    pair = components.pair.transpose("component", "pair")
    numbers = components.weight["component"].values
    held = {name: pair[name].values for name in ("neuron_a", "neuron_b", "sign")}
    return pd.DataFrame(
        {"component": np.repeat(numbers, pair.sizes["pair"])}
        | {name: np.tile(values.astype(object), len(numbers)) for name, values in held.items()}
        | {
            "worms": np.tile(components.pair_worms.values.astype(int), len(numbers)),
            "pair_factor": pair.values.ravel(),
        }
    )


def community_table(session: Session) -> pd.DataFrame:
    """One row a component, kind, level and neuron: community, state, probability, chosen, other (of overlapping neurons)."""
    parts = []
    for (component, kind), communities in sorted(session.communities.items()):
        for level in range(communities.n_levels):
            parts.append(
                pd.DataFrame(
                    {
                        "component": component,
                        "kind": kind,
                        "level": level,
                        "chosen": level == communities.chosen_level,
                        "neuron": list(communities.neurons),
                        "community": communities.labels.isel(level=level).values,
                        "state": communities.states(level).to_list(),
                        "other": _others(communities),
                        "probability": communities.probability.isel(level=level).values,
                    }
                )
            )
    return with_names(pd.concat(parts, ignore_index=True), session.communities) if parts else pd.DataFrame()


def _others(communities: Communities) -> list[str]:
    """Further communities of every neuron, as text; empty for most."""
    also: dict[str, list[str]] = {}
    if communities.overlaps is not None:
        for neuron, other in zip(communities.overlaps["neuron"], communities.overlaps["other"], strict=True):
            also.setdefault(str(neuron), []).append(str(int(other)))
    return [" ".join(also.get(n, [])) for n in communities.neurons]


def claim_table(session: Session) -> pd.DataFrame:
    """One row a community that is shown: component, kind, and the columns of `Communities.table`."""
    parts = []
    for (component, kind), communities in sorted(session.communities.items()):
        table = communities.table()
        table.insert(0, "component", component)
        table.insert(1, "kind", kind)
        parts.append(table)
    return with_names(pd.concat(parts, ignore_index=True), session.communities) if parts else pd.DataFrame()


def evidence_tables(session: Session) -> dict[str, pd.DataFrame]:
    """What speaks for ranks and components: beside chance, support, how often each rank is suggested."""
    found = {}
    sweep, components = session.sweep, session.components
    if sweep is not None and sweep.chance is not None and len(sweep.chance.table):
        found["rank_chance"] = sweep.chance.table
    if sweep is not None and len(sweep.choices):
        found["rank_choices"] = sweep.choices
    if components is not None and components.support is not None:
        said = [components.beware(int(n)) for n in components.support.index]
        found["components_support"] = components.support.assign(warning=said).reset_index()
    return found


def opinion_tables(session: Session) -> dict[str, pd.DataFrame]:
    """Tables of the static groupings and of signed loadings, by file name without ".csv"."""
    found: dict[str, pd.DataFrame] = {}
    panel, signed = session.baselines, session.signed
    if panel is not None:
        found |= {"baselines": panel.table(), "baselines_partitions": _partitions(panel)}
        for measure in ("ari", "ami"):
            table = panel.agreement(measure)  # type: ignore[arg-type]
            found[f"baselines_{measure}"] = table.rename_axis("grouping").reset_index()
    if signed is not None:
        found["signed_pairs"] = _pair_table(signed.signed)
        found["signed_explained"] = pd.DataFrame(
            {
                "loadings": ["signed", "non-negative"],
                "explained": [signed.explained_signed, signed.explained_non_negative],
            }
        )
    return found


def _partitions(panel: BaselinePanel) -> pd.DataFrame:
    """One row a neuron: its label in every grouping, in the order in which neighbours are alike where that is known."""
    table = panel.partitions.loc[list(panel.order)] if panel.order else panel.partitions
    return table.rename_axis("neuron").reset_index()


def write_tables(
    session: Session,
    folder: str | Path,
    extra: dict[str, pd.DataFrame] | None = None,
    *,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Path]:
    """Write every table of a session into `folder` and return the paths.

    Parameters
    ----------
    session : Session
    folder : path
        Created if absent. `datapackage.json` in it says what every column means. Tables of an earlier time that are no longer
        true are removed; a file of these names that is not ours is refused.
    extra : dict, optional
        Further tables by file name without ".csv" (scores, for example).
    progress, cancel : callable, optional
        Tables that were written before a cancel stay; each is complete.
    """
    with our_files(output_folder(folder, make=False), owner=session.uid, part="tables") as mine:
        return _write_tables(session, mine, extra or {}, progress, cancel)


def _write_tables(
    session: Session,
    mine: OurFiles,
    extra: dict[str, pd.DataFrame],
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> list[Path]:
    stems = file_names(session.recordings)
    paths: list[Path] = []
    resources: list[dict[str, Any]] = []

    def add(name: str, table: pd.DataFrame, title: str = "", columns: Mapping[str, Column] | None = None) -> None:
        paths.append(write_csv(table, mine.path(f"{name}.csv")))
        resources.append(resource(f"{name}.csv", table, title=title, columns=columns))

    for number, (name, recording) in enumerate(session.recordings.items()):
        check_cancel(cancel)
        report(progress, 0.8 * number / len(session.recordings), f"traces of {name}")
        table: Any = recording.traces.to_pandas().rename(columns=plain_neuron)
        table.columns.name, table.index.name = None, "time_s"
        unit = str(recording.traces.attrs.get("units", ""))
        columns = {str(c): (f"trace of {c}", unit) for c in table.columns}
        add(f"traces/{stems[name]}", table.reset_index(), f"Traces of {name}.", columns)
    tables = {"neurons": neuron_table(session), "not_up_to_date": older_table(session)}
    check_cancel(cancel)
    tables |= component_tables(session)
    check_cancel(cancel)
    tables["communities"] = community_table(session)
    tables["communities_claims"] = claim_table(session)
    tables |= evidence_tables(session)
    if session.cohort is not None:
        presence: Any = session.cohort.presence.to_pandas().astype(int).rename(columns=plain_neuron)
        presence.columns.name = None
        columns = {str(c): (f"1 if the worm has {c}", "") for c in presence.columns}
        add("presence", presence.reset_index(), "Which worm has which neuron of the cohort.", columns)
    tables["groups"] = group_table(session)
    if session.groups:
        report(progress, 0.85, "what groups share")
        tables["groups_shared"] = name_groups(enrich_groups(session, cancel=cancel), session)
    if session.sweep is not None:
        tables["rank_sweep"] = session.sweep.table
    if session.states is not None:
        tables |= state_tables(session.states)
    tables |= opinion_tables(session)
    tables.update(extra)
    for name, table in tables.items():
        check_cancel(cancel)
        report(progress, 0.9, name)
        if len(table):
            add(name, plain_table(table))
    package = mine.path(PACKAGE)
    title = "Tables of a dynamic functional connectome"
    return [*paths, write_package(package, resources, title=title, provenance=session.provenance)]
