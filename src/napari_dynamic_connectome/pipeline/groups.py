"""Named groups of a session beside its communities, the classes, ganglia and sides of cells, and each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from ..comparison.membership import COLUMNS as SHARED
from ..model.errors import InputError
from ..model.neurons import info
from ..model.progress import CancelCallback, ProgressCallback, report

if TYPE_CHECKING:
    from ..model.results import Communities
    from ..session.session import Session

COLUMNS = ("group", "beside", "component", "community", *SHARED[1:])


def enrich_groups(
    session: Session,
    groups: Iterable[str] | None = None,
    *,
    permutations: int = 10_000,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> pd.DataFrame:
    """Say whether named groups share more neurons with communities, classes, ganglia and sides than chance gives them.

    Parameters
    ----------
    session : Session
    groups : iterable of str, optional
        Names of groups; by default all.
    permutations, seed : int
        See `comparison.membership.shared_members`.
    progress, cancel : callable, optional

    Returns
    -------
    pandas.DataFrame
        A row a group and set: group, beside ("core" and "modules": the communities of all components at their chosen level; "class",
        "ganglion", "side"; "group": the other groups), component and community (numbers; 0 and -1 where it is none), and the columns
        of `shared_members`. q_value is over all rows of one group beside one kind of set. Communities are compared among the
        neurons that were searched, by the names they had then; all else among the named neurons of the worms that take part.

    Raises
    ------
    InputError
        No groups, or none of these names.
    """
    from ..comparison.membership import shared_members, shared_sides

    held = session.groups
    if not held:
        raise InputError(
            "this session has no named groups",
            where="groups",
            fix="Give them with --members NAME=NEURON,NEURON,..., with session.set_group(name, neurons), or keep some in the Neurons dock.",
        )
    wanted = list(held) if groups is None else list(dict.fromkeys(map(str, groups)))
    missing = [name for name in wanted if name not in held]
    if missing:
        raise InputError(
            f"there is no group '{missing[0][:40]}'", where="groups", fix=f"Groups: {', '.join(list(held)[:20])}."
        )
    chosen = {name: held[name] for name in wanted}
    then = _names_then(session)
    older = {name: tuple(then.get(m, m) for m in members) for name, members in chosen.items()}
    parts: list[pd.DataFrame] = []
    kinds = sorted({kind for _, kind in session.communities})
    for step, kind in enumerate(kinds):
        report(progress, 0.7 * step / len(kinds), f"groups beside {kind}")
        found = []
        for (component, own), one in sorted(session.communities.items()):
            sets = _sets_of(one)
            if own != kind or not sets:
                continue
            table = shared_members(older, sets, one.neurons, permutations=permutations, seed=seed, cancel=cancel)
            found.append(table.assign(component=component, community=table["set"].astype(int)))
        parts += _together(found, kind)
    report(progress, 0.7, "groups beside classes, ganglia and sides")
    names = _present_names(session)
    for beside, sets in _kinds_of_cells(names).items():
        table = shared_members(chosen, sets, names, permutations=permutations, seed=seed, cancel=cancel)
        parts += _together([table], beside)
    parts += _together([shared_sides(chosen, names)], "side")
    for name in chosen:
        others = {k: v for k, v in held.items() if k != name}
        table = shared_members({name: held[name]}, others, names, permutations=permutations, seed=seed, cancel=cancel)
        parts += _together([table], "group")
    whole = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=list(COLUMNS))
    order = {name: place for place, name in enumerate(wanted)}
    return whole.sort_values("group", key=lambda g: g.map(order), kind="stable", ignore_index=True)


def _together(tables: Sequence[pd.DataFrame], beside: str) -> list[pd.DataFrame]:
    """One table of one kind of set, corrected over all rows of a group."""
    from ..comparison.measures import false_discovery_rate

    kept = [t for t in tables if len(t)]
    if not kept:
        return []
    table = pd.concat(kept, ignore_index=True).assign(beside=beside)
    for column, none in (("component", 0), ("community", -1)):
        if column not in table:
            table[column] = none
    for _, rows in table.groupby("group"):
        table.loc[rows.index, "q_value"] = false_discovery_rate(rows["p_value"])
    return [table[list(COLUMNS)]]


def _sets_of(communities: Communities) -> dict[str, list[str]]:
    labels = communities.labels.isel(level=communities.chosen_level).values
    found: dict[str, list[str]] = {}
    for neuron, label in zip(communities.neurons, labels.tolist(), strict=True):
        if label >= 0:
            found.setdefault(str(int(label)), []).append(str(neuron))
    return found


def _kinds_of_cells(names: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {"class": {}, "ganglion": {}}
    for name in names:
        entry = info(name)
        if entry is None:
            continue
        found["class"].setdefault(entry.neuron_class, []).append(name)
        found["ganglion"].setdefault(entry.ganglion, []).append(name)
    return found


def _present_names(session: Session) -> list[str]:
    """Names of all neurons that take part, each once, in the order of the worms."""
    found: dict[str, None] = {}
    for worm, recording in session.recordings.items():
        if worm not in session.left_out:
            table = recording.neurons
            named = table.loc[(table["name"] != "") & ~table["rejected"].astype(bool), "name"]
            found |= dict.fromkeys(map(str, named))
    return list(found)


def _names_then(session: Session) -> dict[str, str]:
    """What results call the neurons that have other names now, as most of the worms say."""
    from ..session.freshness import at_analysis

    said: dict[str, Counter[str]] = {}
    for recording in session.recordings.values():
        then = at_analysis(session, recording)
        if then is None or then is recording:
            continue
        before = dict(zip(then.neurons["label"].tolist(), then.neurons["name"].astype(str), strict=True))
        for label, name in zip(recording.neurons["label"].tolist(), recording.neurons["name"].astype(str), strict=True):
            if name and before.get(label):
                said.setdefault(name, Counter())[before[label]] += 1
    return {name: counts.most_common(1)[0][0] for name, counts in said.items()}


def enrichment_lines(table: pd.DataFrame, alpha: float = 0.05) -> list[str]:
    """A sentence a group: what it shares more of than chance gives, after correction.

    Parameters
    ----------
    table : pandas.DataFrame
        As `enrich_groups` returns it; a column `community_name` is used where there is one.
    alpha : float
        Largest q value.
    """
    lines = []
    for group, rows in table.groupby("group", sort=False):
        sure = rows[(rows["q_value"] <= alpha) & (rows["shared"] > 0)].sort_values(["q_value", "p_value"])
        said = [
            f"{set_words(row)} ({row['shared']} of {row['members']}, {row['expected']:.2g} expected, "
            f"p {row['p_value']:.2g}, q {row['q_value']:.2g})"
            for _, row in sure.iterrows()
        ]
        what = "; ".join(said) if said else "nothing beyond chance"
        lines.append(f"{group} shares with: {what}.")
    return lines


def set_words(row: pd.Series) -> str:
    """Name of what a group is compared with, in words: "community 2 (component 1, core)", "class AVA", "left side"."""
    beside = str(row["beside"])
    if beside in ("core", "modules"):
        name = row.get("community_name") or row["set"]
        return f"community {name} (component {row['component']}, {beside})"
    if beside == "side":
        return f"{row['set']} side"
    if beside == "ganglion":
        return str(row["set"]) if row["set"] in ("pharynx", "mid-body", "ventral cord") else f"{row['set']} ganglion"
    return f"{beside} {row['set']}"
