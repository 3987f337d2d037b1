"""CSV tables of everything in a session: traces, neurons, components, communities, scores.

Every table is in place only when complete, and harmless in a spreadsheet (`io.tables.write_csv`).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..io.files import output_folder
from ..io.formats.text_tables import write_csv
from ..io.ownership import OurFiles, our_files
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.results import Communities, Components
from ..model.system import is_reserved
from ..session.freshness import at_analysis, freshness
from ..session.session import Session


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
    """What each component is, time courses, worm loadings and pair factors, weights included.

    Courses of components with a clock of their own are in `components_own_time`, one row a worm and time, where other components
    have common courses (the `mixed` model).
    """
    components = session.components
    if components is None:
        return {}
    numbers = [int(c) for c in components.weight["component"].values]
    columns = [f"component_{c}" for c in numbers]
    weight = components.weight.values
    time = pd.DataFrame(components.time.values * weight, columns=columns)
    time.insert(0, "time_s", components.time["time"].values)
    if components.model == "unaligned":
        time.insert(0, "worm", components.time["worm"].values)
    tables = {"components": _component_table(components)}
    if components.own_time is not None:
        common = [c for c, clock in zip(columns, components.clocks, strict=True) if clock == "common"]
        time = time[["time_s", *common]]
        tables["components_own_time"] = _own_courses(components)
    worm = pd.DataFrame(components.worm.values, columns=columns)
    worm.insert(0, "worm", [str(w) for w in components.worm["worm"].values])
    pair = pd.DataFrame(components.pair.values * weight, columns=columns)
    pair.insert(0, "worms", components.pair_worms.values)
    pair.insert(0, "sign", components.pair["sign"].values)
    pair.insert(0, "neuron_b", components.pair["neuron_b"].values)
    pair.insert(0, "neuron_a", components.pair["neuron_a"].values)
    return tables | {"components_time": time, "components_worms": worm, "components_pairs": pair}


def _component_table(components: Components) -> pd.DataFrame:
    """One row a component: clock, weight, explained share, and how well left-out worms' courses were predicted (if it was asked)."""
    table = pd.DataFrame(
        {
            "component": components.weight["component"].values,
            "clock": list(components.clocks),
            "weight": components.weight.values,
        }
    )
    for name in ("explained", "predicted"):
        values = components.diagnostics.get(name)
        if values is not None and len(values) == len(table):
            table[name] = values
    return table


def _own_courses(components: Components) -> pd.DataFrame:
    """Courses of the components with their own clock: worm, time_s, one column a component."""
    own = components.own_time
    assert own is not None
    numbers = own["component"].values
    values = own.values * components.weight.sel(component=numbers).values
    table = pd.DataFrame(values.reshape(-1, len(numbers)), columns=[f"component_{c}" for c in numbers])
    table.insert(0, "time_s", np.tile(own["time"].values, own.sizes["worm"]))
    table.insert(0, "worm", np.repeat([str(w) for w in own["worm"].values], own.sizes["time"]))
    return table.dropna(ignore_index=True)


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
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


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
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def evidence_tables(session: Session) -> dict[str, pd.DataFrame]:
    """What speaks for ranks and components: beside chance, support, how often each rank is suggested."""
    found = {}
    sweep, components = session.sweep, session.components
    if sweep is not None and sweep.chance is not None and len(sweep.chance.table):
        found["rank_chance"] = sweep.chance.table
    if sweep is not None and len(sweep.choices):
        found["rank_choices"] = sweep.choices
    if components is not None and components.support is not None:
        found["components_support"] = components.support.reset_index()
    return found


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
        Created if absent. Tables of an earlier time that are no longer true are removed; a file of these names that is not
        ours is refused.
    extra : dict, optional
        Further tables by file name without ".csv" (scores, for example).
    progress, cancel : callable, optional
        Tables that were written before a cancel stay; each is complete.
    """
    with our_files(output_folder(folder, make=False), owner=session.uid) as mine:
        return _write_tables(session, mine, extra or {}, progress, cancel)


def _write_tables(
    session: Session,
    mine: OurFiles,
    extra: dict[str, pd.DataFrame],
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> list[Path]:
    stems = file_names(session.recordings)
    paths = []
    for number, (name, recording) in enumerate(session.recordings.items()):
        check_cancel(cancel)
        report(progress, 0.8 * number / len(session.recordings), f"traces of {name}")
        table = recording.traces.to_pandas()
        table.index.name = "time_s"
        paths.append(write_csv(table, mine.path(f"traces/{stems[name]}.csv"), index=True))
    tables = {"neurons": neuron_table(session), "not_up_to_date": older_table(session)}
    check_cancel(cancel)
    tables |= component_tables(session)
    check_cancel(cancel)
    tables["communities"] = community_table(session)
    tables["communities_claims"] = claim_table(session)
    tables |= evidence_tables(session)
    if session.cohort is not None:
        presence = session.cohort.presence.to_pandas().astype(int)
        paths.append(write_csv(presence, mine.path("presence.csv"), index=True))
    if session.sweep is not None:
        tables["rank_sweep"] = session.sweep.table
    tables.update(extra)
    for name, table in tables.items():
        check_cancel(cancel)
        report(progress, 0.9, name)
        if len(table):
            paths.append(write_csv(table, mine.path(f"{name}.csv")))
    return paths


def safe_file_name(name: str) -> str:
    """Return a file name made from any text: letters, digits, dot, dash and underscore only."""
    kept = (
        "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in str(name)).strip(".")[:100]
        or "unnamed"
    )
    return f"_{kept}" if is_reserved(kept) else kept


def file_names(names: Iterable[str]) -> dict[str, str]:
    """Return a safe file name for each of some names, no two alike, also where capitals do not count."""
    found: dict[str, str] = {}
    for name in names:
        stem, number, taken = safe_file_name(name), 2, {one.lower() for one in found.values()}
        unique = stem
        while unique.lower() in taken:
            unique, number = f"{stem}_{number}", number + 1
        found[str(name)] = unique
    return found
