"""Recovery of the motifs that a simulation planted.

Goes in: components, the communities of each, the truth. Comes out: one row a motif. Nothing here was used for fitting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from ..model.results import Communities, Components
from ..model.truth import Truth
from .measures import auroc, average_precision, cosine

Array = np.ndarray
Sign = Literal["auto", "same", "opposite", "absolute"]

COLUMNS = (
    "motif",
    "kind",
    "stimulus",
    "members",
    "component",
    "similarity",
    "auroc",
    "average_precision",
    "chance",
    "ami",
    "jaccard",
    "time_auroc",
    "worm_auroc",
)


def recovery_scores(
    components: Components,
    communities: Mapping[int, Communities] | Communities | None,
    truth: Truth,
    *,
    sign: Sign = "auto",
) -> pd.DataFrame:
    """Score the recovery of every planted motif.

    Motifs and components are matched one to one so that the sum of similarities is largest (Hungarian method); with more
    motifs than components, some motifs stay without one.

    Parameters
    ----------
    components : Components
    communities : dict of component -> Communities, or Communities, optional
        The chosen level counts. A single `Communities` stands for the component in its provenance, or for all.
    truth : Truth
    sign : {"auto", "same", "opposite", "absolute"}
        Which pairs of a motif's members count as planted: those that move the same way, opposite ways, or all. "auto":
        the sign mode of the affinity that the components were made from.

    Returns
    -------
    pandas.DataFrame
        One row a motif:

        * `component`: the matched one (missing if there is none);
        * `similarity`: cosine of the pair factor and the planted pair weights (product of loadings);
        * `auroc`, `average_precision`: ranking of the planted pairs by the pair factor, over observed pairs; `chance` is
          the average precision of a random order;
        * `ami`: adjusted mutual information of the component's communities with the planted groups (members of one sign
          are a group; all other neurons, and in the same way the background -1 of the communities, are one group);
        * `jaccard`: overlap of the best community with the planted group that it fits best;
        * `time_auroc`: chance that the time course is higher inside the planted windows than outside. With a common clock
          aligned by stimuli it exists for stimulus-locked motifs only;
        * `worm_auroc`: chance that worms that have the motif load higher than worms that lack it.
    """
    mode = _sign_mode(components, sign)
    planted = {int(m): _planted_pairs(components, truth, int(m), mode) for m in truth.motifs["motif"]}
    found = {r: components.pair.sel(component=r).values for r in range(1, components.rank + 1)}
    matched = _match({m: w for m, (w, _) in planted.items()}, found)
    rows = []
    for motif, kind, stimulus in truth.motifs[["motif", "kind", "stimulus"]].itertuples(index=False):
        number = int(motif)
        weights, mask = planted[number]
        component = matched.get(number)
        row: dict[str, Any] = dict.fromkeys(COLUMNS, float("nan"))
        members = truth.members[truth.members["motif"] == number]
        row.update(motif=number, kind=str(kind), stimulus=str(stimulus), members=len(members), component=pd.NA)
        if component is not None:
            factor = found[component]
            seen = np.isfinite(factor)
            row["component"] = component
            row["similarity"] = cosine(factor, weights)
            row["auroc"] = auroc(mask, factor)
            row["average_precision"] = average_precision(mask, factor)
            row["chance"] = float(mask[seen].mean()) if seen.any() else float("nan")
            partition = _communities_of(communities, component)
            if partition is not None:
                row["ami"], row["jaccard"] = _partition_scores(partition, members)
            row["time_auroc"] = _time_score(components, truth, number, str(stimulus), component)
            row["worm_auroc"] = _worm_score(components, truth, number, component)
        rows.append(row)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table["component"] = table["component"].astype("Int64")
    return table


def _sign_mode(components: Components, sign: Sign) -> str:
    if components.signs != ("any",):
        return "layers"
    if sign != "auto":
        return sign
    about = components.provenance.get("affinity", {})
    settings = about.get("settings", {}) if isinstance(about, Mapping) else {}
    return str(settings.get("sign", "same"))


def _planted_pairs(components: Components, truth: Truth, motif: int, mode: str) -> tuple[Array, Array]:
    """Planted weight of every pair of the components, and which pairs are planted."""
    members = truth.members[truth.members["motif"] == motif]
    loading = {str(n): float(v) for n, v in zip(members["neuron"], members["loading"], strict=True)}
    sign_of = {str(n): int(v) for n, v in zip(members["neuron"], members["sign"], strict=True)}
    a, b = (components.pair[c].values for c in ("neuron_a", "neuron_b"))
    weight = np.array([loading.get(str(p), 0.0) * loading.get(str(q), 0.0) for p, q in zip(a, b, strict=True)])
    product = np.array([sign_of.get(str(p), 0) * sign_of.get(str(q), 0) for p, q in zip(a, b, strict=True)])
    if mode == "layers":
        layer = components.pair["sign"].values.astype(str)
        mask = np.where(layer == "same", product > 0, product < 0)
    elif mode == "absolute":
        mask = product != 0
    else:
        mask = product < 0 if mode == "opposite" else product > 0
    return np.where(mask, weight, 0.0), mask


def _match(planted: Mapping[int, Array], found: Mapping[int, Array]) -> dict[int, int]:
    from scipy.optimize import linear_sum_assignment

    motifs, numbers = list(planted), list(found)
    table = np.array([[cosine(planted[m], found[r]) for r in numbers] for m in motifs])
    rows, columns = linear_sum_assignment(-table)
    return {motifs[i]: numbers[j] for i, j in zip(rows, columns, strict=True)}


def _communities_of(communities: Mapping[int, Communities] | Communities | None, component: int) -> Communities | None:
    if communities is None:
        return None
    if isinstance(communities, Communities):
        own = communities.provenance.get("component")
        return communities if own in (None, component) else None
    return communities.get(component)


def _partition_scores(partition: Communities, members: pd.DataFrame) -> tuple[float, float]:
    from sklearn.metrics import adjusted_mutual_info_score

    labels = partition.labels.isel(level=partition.chosen_level).values
    sign_of = {str(n): int(s) for n, s in zip(members["neuron"], members["sign"], strict=True)}
    true = np.array([sign_of.get(n, 0) for n in partition.neurons])
    ami = float(adjusted_mutual_info_score(true, labels))
    best = float("nan")
    for group in (1, -1):
        inside = true == group
        for community in np.unique(labels[labels >= 0]):
            mine = labels == community
            union = int((mine | inside).sum())
            if inside.any():
                best = float(np.nanmax([best, (mine & inside).sum() / union]))
    return ami, best


def _time_score(components: Components, truth: Truth, motif: int, stimulus: str, component: int) -> float:
    windows = truth.windows[truth.windows["motif"] == motif]
    if components.clock(component) == "own":
        inside, course = [], []
        for worm in (str(w) for w in components.worm["worm"].values):
            mine = windows[windows["worm"] == worm]
            line = components.recording_course(component, worm)
            inside.append(_inside(line["time"].values, mine[["onset", "offset"]].to_numpy(float)))
            course.append(line.values)
        return auroc(np.concatenate(inside), np.concatenate(course))
    line = components.time_course(component)
    spans = np.empty((0, 2))
    if stimulus and len(components.stimuli):
        table = components.stimuli
        spans = table[table["name"] == stimulus][["onset", "offset"]].to_numpy(float)
    return auroc(_inside(line["time"].values, spans), line.values)


def _inside(time: Array, spans: Array) -> Array:
    inside = np.zeros(len(time), bool)
    for onset, offset in spans:
        inside |= (time >= onset) & (time <= offset)
    return inside


def _worm_score(components: Components, truth: Truth, motif: int, component: int) -> float:
    having = set(truth.windows.loc[truth.windows["motif"] == motif, "worm"].astype(str))
    loading = components.worm.sel(component=component)
    return auroc([str(w) in having for w in loading["worm"].values], loading.values)
