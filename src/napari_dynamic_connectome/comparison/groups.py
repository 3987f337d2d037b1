"""Two groups of worms: do components or pairs differ between them? Permutation of worms, with effect sizes.

Goes in: one value a worm (how strongly it shows a component, how affine two of its neurons are on average) and which group each worm is
in. Comes out: differences, effect sizes with intervals, and p values from all ways to exchange worms between the groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.attributes import worm_table
from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.results import Components
from ..model.summary import Summary
from .measures import false_discovery_rate
from .settings import ContrastSettings

Array = np.ndarray
STATISTICS = ("worms_a", "worms_b", "mean_a", "mean_b", "difference", "effect", "effect_low", "effect_high")


@dataclass(frozen=True, eq=False, repr=False)
class GroupDifference(Summary):
    """Differences between two groups of worms.

    Parameters
    ----------
    column : str
    groups : mapping of str to tuple of str
        Worms of the two groups.
    components : pandas.DataFrame
        One row a component: component, worms_a, worms_b, mean_a, mean_b, difference (b - a), effect (Hedges' g), effect_low, effect_high,
        p_value, p_smallest (no exchange of these worms can give less), exact (whether all exchanges were tried), q_value.
    pairs : pandas.DataFrame
        The same for every pair: neuron_a, neuron_b, sign, ...; sorted by p.
    values : pandas.DataFrame
        What was compared: worm (index), group, one column a component.
    notes : tuple of str
    settings : dict
    """

    column: str
    groups: Mapping[str, tuple[str, ...]]
    components: pd.DataFrame
    pairs: pd.DataFrame
    values: pd.DataFrame
    notes: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """One row a component."""
        return self.components.copy()

    def sentences(self, alpha: float = 0.05) -> list[str]:
        """What was found, in words."""
        (a, in_a), (b, in_b) = self.groups.items()
        text = [f"{self.column}: {len(in_a)} worms '{a}' against {len(in_b)} worms '{b}'."]
        for what, table in (("component", self.components), ("pair", self.pairs)):
            if not len(table):
                continue
            least = float(table["p_smallest"].min())
            sure = int((table["q_value"] <= alpha).sum())
            text.append(
                f"{sure} of {len(table)} {what}s differ at a false discovery rate of {alpha:g}"
                + (f"; with so few worms no p can be below {least:.3g}" if least > alpha / len(table) else "")
                + "."
            )
        return text


def compare_groups(
    cohort: Cohort,
    column: str = "",
    settings: ContrastSettings | dict[str, Any] | None = None,
    *,
    components: Components | None = None,
    affinity: Any = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
    **options: Any,
) -> GroupDifference:
    """Compare two groups of worms, component by component and pair by pair.

    A worm's value for a component is the root mean square of its course there (with a common clock: its loading), weight included; for a
    pair, its affinity averaged over the time that the worm was observed. The statistic is the absolute difference of the two means; its
    null exchanges worms between the groups, among the worms that have the value. Components and affinities are made without knowing
    the groups, so exchanging worms is fair. Our definition.

    Parameters
    ----------
    cohort : Cohort
    column : str
        A column of `model.attributes.worm_table(cohort.recordings)`: an attribute of the worms, "stimuli", or "received STIMULUS".
    settings : ContrastSettings or dict, optional
        `column`, `groups`, `permutations`, `group_worms`, `confidence`.
    components : Components, optional
        Of this cohort.
    affinity : AffinitySpec, optional
        Of this cohort, to compare pairs.
    seed : int
        Of the random exchanges, where there are too many to try all.
    progress, cancel : callable, optional
    **options
        Fields of the settings.

    Raises
    ------
    InputError
        No such column, not two groups, a group with one worm, or nothing to compare.
    """
    if column:
        options = {"column": column} | options
    chosen = ContrastSettings.parse(settings, where="contrasts", **options)
    groups, notes = two_groups(cohort, chosen.column, chosen.groups)
    if components is None and affinity is None:
        raise InputError("there is nothing to compare", where="groups", fix="Pass components or an affinity.")
    (_, in_a), (_, in_b) = groups.items()
    worms = [*in_a, *in_b]
    is_b = np.array([w in in_b for w in worms])
    ours, values = pd.DataFrame(), pd.DataFrame()
    if components is not None:
        levels = component_levels(components).reindex(worms)
        values = levels.copy()
        values.insert(0, "group", [next(g for g, m in groups.items() if w in m) for w in worms])
        ours = _tested(levels.to_numpy(float), is_b, chosen, seed, cancel)
        ours.insert(0, "component", levels.columns.to_numpy())
        ours = ours[ours["worms_a"].ge(2) & ours["worms_b"].ge(2)].reset_index(drop=True)
    report(progress, 0.2, "pairs")
    theirs = pd.DataFrame() if affinity is None else _pairs(affinity, worms, is_b, chosen, seed, progress, cancel)
    if affinity is not None and not len(theirs):
        notes.append(f"no pair is seen by {chosen.group_worms} worms of each group")
    for table in (ours, theirs):
        if len(table):
            table["q_value"] = false_discovery_rate(table["p_value"])
    if len(theirs):
        theirs = theirs.sort_values(["p_value", "effect"], kind="stable", ignore_index=True)
    least = min((float(t["p_smallest"].min()) for t in (ours, theirs) if len(t)), default=1.0)
    if least > 0.05:
        notes.append(
            f"{len(in_a)} and {len(in_b)} worms: no p can be below {least:.3g}, so nothing can be significant at .05"
        )
    report(progress, 1, "done")
    about = chosen.model_dump(mode="json") | {"seed": seed}
    return GroupDifference(chosen.column, groups, ours, theirs, values, tuple(notes), about)


def two_groups(
    cohort: Cohort, column: str, wanted: tuple[str, ...] = ()
) -> tuple[dict[str, tuple[str, ...]], list[str]]:
    """Worms of the two groups that a column makes, in the order asked for (else sorted), and who is left out.

    Raises
    ------
    InputError
        No such column, other than two groups, an unknown group, or a group with fewer than two worms.
    """
    table = worm_table(cohort.recordings)
    if column not in table.columns:
        raise InputError(
            f"worms have no attribute '{column}'" if column else "which column says who is in which group?",
            where="groups",
            fix=f"Known: {', '.join(map(str, table.columns))}. Attributes come from a table: input.attributes_file.",
        )
    known = sorted({v for v in table[column] if v})
    names = tuple(wanted) or tuple(known)
    unknown = [n for n in names if n not in known]
    if unknown:
        raise InputError(
            f"no worm has {column} '{unknown[0]}'", where="groups", fix=f"Known: {', '.join(known) or 'none'}."
        )
    if len(names) != 2 or names[0] == names[1]:
        raise InputError(
            f"'{column}' makes {len(set(names))} groups ({', '.join(names) or 'none'}), not two",
            where="groups",
            fix="Say which two with contrasts.groups.",
        )
    groups = {n: tuple(str(w) for w in table.index[table[column] == n]) for n in names}
    for name, members in groups.items():
        if len(members) < 2:
            raise InputError(
                f"group '{name}' has one worm ({members[0]}), so how much worms of a group differ is not known",
                where="groups",
                fix="Two worms are the least, and with fewer than four in each group no difference can reach p .05.",
            )
    outside = [str(w) for w in table.index if str(w) not in {m for g in groups.values() for m in g}]
    notes = [f"left out, as they are in neither group: {', '.join(outside)}"] if outside else []
    return groups, notes


def component_levels(components: Components) -> pd.DataFrame:
    """How strongly every worm shows every component, weight included; index worm, columns component numbers.

    Components with a clock of their own: root mean square of the worm's course, so that long recordings do not count for more. With a
    common clock: the worm's loading; where windows around events take the worms' place, the root mean square over a recording's events.
    """
    numbers = components.weight["component"].values.tolist()
    names = [str(w) for w in components.worm["worm"].values]
    table = pd.DataFrame(components.worm.values * components.weight.values, index=names, columns=numbers)
    for number, clock in zip(numbers, components.clocks, strict=True):
        if clock == "own":
            courses = [components.time_course(number, worm).values for worm in names]
            table[number] = [np.sqrt(np.nanmean(c**2)) if np.isfinite(c).any() else np.nan for c in courses]
    if components.worm_time is not None:
        source = [str(s) for s in components.worm_time["source"].values]
        table = np.sqrt((table**2).groupby(source, sort=False).mean())
    return table


def permutation_test(
    values: Array, is_b: Array, *, permutations: int = 9999, seed: int = 0, cancel: CancelCallback | None = None
) -> tuple[Array, float, bool]:
    """Two-sided permutation test of the difference of two means, for many columns at once.

    Parameters
    ----------
    values : float array (worm, column)
        No NaN.
    is_b : bool array (worm,)
    permutations : int
        All exchanges are tried if there are no more than this, else as many random ones.
    seed : int

    Returns
    -------
    p_value : float array (column,)
        Share of the exchanges (the actual one included) whose absolute difference is at least the observed one.
    p_smallest : float
        The least that it can be.
    exact : bool

    References
    ----------
    .. [1] Ernst (2004), Statistical Science 19, 676; Phipson & Smyth (2010) for counting the actual assignment among random ones.
    """
    values, is_b = np.asarray(values, float), np.asarray(is_b, bool)
    n, k = len(is_b), int(is_b.sum())
    total = comb(n, k)
    exact = total <= permutations
    if exact:
        members = np.zeros((total, n), bool)
        for row, chosen in enumerate(combinations(range(n), k)):
            members[row, list(chosen)] = True
    else:
        rng = np.random.default_rng([seed, 3])
        members = np.argsort(np.argsort(rng.random((permutations, n)), axis=1), axis=1) < k
    centered = values - values.mean(axis=0)
    scale = np.maximum(np.abs(centered).max(axis=0, initial=0.0), np.finfo(float).tiny)
    centered = centered / scale
    # with the grand mean at zero, the difference of means is the sum of one group times a constant
    observed = np.abs(is_b.astype(float) @ centered)
    count = np.zeros(values.shape[1])
    for first in range(0, len(members), 2000):
        check_cancel(cancel)
        count += (np.abs(members[first : first + 2000].astype(float) @ centered) >= observed - 1e-9).sum(axis=0)
    if exact:
        return count / total, (2.0 if 2 * k == n else 1.0) / total, True
    return (1 + count) / (1 + permutations), 1.0 / (1 + permutations), False


def hedges_g(values: Array, is_b: Array, confidence: float = 0.95) -> tuple[Array, Array, Array]:
    """Hedges' g of every column (group b minus a, by the pooled standard deviation) with its large-sample interval.

    g = J (mean_b - mean_a) / s, J = 1 - 3 / (4 (n - 2) - 1), variance n / (n_a n_b) + g^2 / (2 n); NaN where both groups are constant.

    References
    ----------
    .. [1] Hedges & Olkin (1985), Statistical Methods for Meta-Analysis, chapter 5.
    """
    from scipy.stats import norm

    a, b = values[~is_b], values[is_b]
    n_a, n_b = len(a), len(b)
    n = n_a + n_b
    pooled = np.sqrt(((n_a - 1) * a.var(axis=0, ddof=1) + (n_b - 1) * b.var(axis=0, ddof=1)) / (n - 2))
    g = (1 - 3 / (4 * (n - 2) - 1)) * (b.mean(axis=0) - a.mean(axis=0)) / np.where(pooled > 0, pooled, np.nan)
    half = norm.ppf(0.5 + confidence / 2) * np.sqrt(n / (n_a * n_b) + g**2 / (2 * n))
    return g, g - half, g + half


def _tested(
    values: Array, is_b: Array, settings: ContrastSettings, seed: int, cancel: CancelCallback | None
) -> pd.DataFrame:
    """Every column of (worm, column) tested among the worms that have a value; columns with too few are NaN."""
    columns = values.shape[1]
    found: dict[str, Array] = {n: np.full(columns, np.nan) for n in (*STATISTICS, "p_value", "p_smallest")}
    found["exact"] = np.zeros(columns, bool)
    seen = np.isfinite(values)
    found["worms_a"], found["worms_b"] = seen[~is_b].sum(axis=0), seen[is_b].sum(axis=0)
    least = settings.group_worms
    good = np.flatnonzero((found["worms_a"] >= least) & (found["worms_b"] >= least))
    patterns, which = np.unique(seen[:, good], axis=1, return_inverse=True)
    for number in range(patterns.shape[1]):
        check_cancel(cancel)
        at = good[which.ravel() == number]
        rows = np.flatnonzero(patterns[:, number])
        part, mine = values[np.ix_(rows, at)], is_b[rows]
        found["mean_a"][at], found["mean_b"][at] = part[~mine].mean(axis=0), part[mine].mean(axis=0)
        found["difference"][at] = found["mean_b"][at] - found["mean_a"][at]
        found["effect"][at], found["effect_low"][at], found["effect_high"][at] = hedges_g(
            part, mine, settings.confidence
        )
        p, smallest, exact = permutation_test(part, mine, permutations=settings.permutations, seed=seed, cancel=cancel)
        found["p_value"][at], found["p_smallest"][at], found["exact"][at] = p, smallest, exact
    return pd.DataFrame(found)


def worm_affinities(affinity: Any, worms: list[str], cancel: CancelCallback | None = None) -> xr.DataArray:
    """Affinity of every pair averaged over the observed time of every worm, (worm, row); NaN where a worm lacks the pair.

    Rows are pairs, sign after sign; windows around events of one recording are averaged, each sample counting once.
    """
    pairs, signs = len(affinity.pairs), len(affinity.signs)
    total, seconds = np.zeros((len(worms), pairs * signs)), np.zeros((len(worms), pairs * signs))
    for block in affinity.blocks:
        source = str(getattr(block, "source", block.worm))
        if source not in worms:
            continue
        check_cancel(cancel)
        w = worms.index(source)
        for layer in range(signs):
            for row0, row1, _, _, tile in block.tiles(layer):
                # unobserved times hold zeros, so that they add nothing to the sum
                total[w, block.rows[row0:row1] + layer * pairs] += tile.sum(axis=1, dtype=np.float64)
            seconds[w, block.rows + layer * pairs] += block.observed.sum()
    mean = np.where(seconds > 0, total / np.maximum(seconds, 1), np.nan)
    return xr.DataArray(mean, dims=("worm", "row"), coords={"worm": np.asarray(worms, dtype=object)})


def _pairs(
    affinity: Any,
    worms: list[str],
    is_b: Array,
    settings: ContrastSettings,
    seed: int,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> pd.DataFrame:
    values = worm_affinities(affinity, worms, cancel).values
    report(progress, 0.5, "exchanging worms")
    table = _tested(values, is_b, settings, seed, cancel)
    names, index = np.asarray(affinity.neurons, dtype=object), np.asarray(affinity.pairs, int)
    signs = len(affinity.signs)
    table.insert(0, "neuron_a", np.tile(names[index[:, 0]], signs))
    table.insert(1, "neuron_b", np.tile(names[index[:, 1]], signs))
    table.insert(2, "sign", np.repeat(np.asarray(affinity.signs, dtype=object), len(index)))
    return table[table["p_value"].notna()].reset_index(drop=True)
