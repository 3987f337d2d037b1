"""Results of the analysis: `Components` (factors of the tensor) and `Communities` (levels of a partition).

Both are immutable, labelled with xarray, and carry the provenance that reproduces them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
import xarray as xr

from .errors import InputError
from .evidence import LATER_QUESTIONS, QUESTIONS, SECOND_QUESTION, Chance
from .summary import NAMES, Summary, listed
from .text import counted

Model = Literal["aligned", "unaligned", "mixed"]
Clock = Literal["common", "own"]
CommunityKind = Literal["modules", "core"]
State = Literal["member", "overlapping", "unsure", "background", "not observed"]
CLAIMS = ("q_value", "inside", "outside", "ratio", "ratio_low", "ratio_high")
"""Columns of `Communities.table` that come from `Communities.claims`."""
SIDES = ("side_of", "side_in", "p_sides", "opposed", "p_opposed")
"""Columns of claims where communities were asked whether they are two sides of one group, and which other neurons move against them."""


@dataclass(frozen=True, eq=False, repr=False)
class Components(Summary):
    """Non-negative components of the (time x worm x neuron pair) tensor.

    Components are numbered from 1 and sorted by falling weight; every factor column has unit 2-norm.

    Parameters
    ----------
    model : {"aligned", "unaligned", "mixed"}
        `aligned`: X[w](t, p) = sum_r weight_r worm_r(w) time_r(t) pair_r(p), one clock for all worms.
        `unaligned`: X[w](t, p) = sum_r weight_r time_r(w, t) pair_r(p), each worm its own time course.
        `mixed`: some components as in `aligned`, some as in `unaligned` (see `clock`), all on the common clock's time axis.
    time : xarray.DataArray
        aligned, mixed: (time, component), `time` in seconds of the common clock; NaN for components with their own clock.
        unaligned: (sample, component), the worms one after the other, with coordinates `worm` and `time` along `sample`.
    worm : xarray.DataArray
        (worm, component); for components with their own clock the norm of each worm's part of the time factor.
    pair : xarray.DataArray
        (pair, component), with coordinates `neuron_a`, `neuron_b` and `sign` ("any", or "same" and "opposite" for signed
        affinities, whose pairs are stacked) along `pair`.
    weight : xarray.DataArray
        (component,), the norms.
    neurons : tuple of str
        All neurons of the cohort, the order of `matrix`.
    pair_worms : xarray.DataArray
        (pair,), how many worms observed each pair; 0 = never observed, the factor there is NaN.
    error : float
        ||X - model|| / ||X|| over observed entries.
    diagnostics : dict
        Errors of every start, iterations, similarity of restarts, explained share of each component, ...
    stimuli : pandas.DataFrame
        Stimuli on the clock of `time` (aligned); empty otherwise.
    provenance : dict
    worm_time : xarray.DataArray, optional
        (worm, time), aligned and mixed: the time in seconds in each worm's own recording that stands at each time of the common
        clock, NaN where there is none; coordinate `source` along `worm` names the recording (it differs from `worm` for windows
        around events). None where it is not known; the clocks then count as one.
    own_time : xarray.DataArray, optional
        (worm, time, component), mixed only: courses of the components with their own clock (only these), on the time axis of
        `time`, NaN where the worm was not observed; every component has unit norm over worms and times.
    support : pandas.DataFrame, optional
        What speaks for every component, one row each (index: its number), columns `model.evidence.SUPPORT`: background (takes in
        nearly everyone evenly, or those whom others leave), p_value (that chance gives a group as strong in any component of a cohort), q_value (false
        discovery rate over the components), statistic, spread (coefficient of variation of the neurons' strengths), worms (that
        take part) of worms_in_all with the share's 95 % interval (worms_low, worms_high), largest_worm_share (of the component's
        power), shares of bootstraps and of left-out worms in which it comes back, warning (words; empty if there is none).
        None: not compared with chance.
    """

    model: Model
    time: xr.DataArray
    worm: xr.DataArray
    pair: xr.DataArray
    weight: xr.DataArray
    neurons: tuple[str, ...]
    pair_worms: xr.DataArray
    error: float
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    stimuli: pd.DataFrame = field(default_factory=pd.DataFrame)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    worm_time: xr.DataArray | None = None
    own_time: xr.DataArray | None = None
    support: pd.DataFrame | None = None

    def __post_init__(self) -> None:
        if (self.model == "mixed") != (self.own_time is not None):
            raise InputError("courses of the worms' own belong to the mixed model, and to no other", where="components")

    def _head(self) -> str:
        return f": {self.rank}, {self.model}"

    def _lines(self) -> list[str]:
        lines = [
            f"worms    {listed([str(w) for w in self.worm['worm'].values])}",
            f"neurons  {listed(self.neurons)}; {self.pair.sizes['pair']} pairs",
            f"error    {self.error:.3f} of what was observed",
        ]
        return lines + [f"{f'{n}.':<8} {self._in_words(n)}" for n in self._numbers]

    def _in_words(self, component: int) -> str:
        """Clock, evidence and leading neurons of one component."""
        parts = [f"{self.clock(component)} clock"]
        if self.support is not None and component in self.support.index:
            row = self.support.loc[component]
            parts.append("background" if bool(row["background"]) else f"corrected p {float(row['q_value']):.2g}")
            parts += [beware] if (beware := self.beware(component)) else []
        else:
            parts.append("not compared with chance")
        return f"{', '.join(parts)}; led by {' '.join(self.leading(component).index[:NAMES])}"

    @property
    def rank(self) -> int:
        """Number of components."""
        return int(self.weight.sizes["component"])

    @property
    def unasked(self) -> str:
        """What components that were compared with chance by an earlier version were not asked, in words; "" where they were."""
        chance = self.diagnostics.get("chance", {})
        second = chance.get("together") is not None
        if not chance.get("surrogates") or (second and chance.get("questions", 2) >= QUESTIONS):
            return ""
        version = dict(self.provenance.get("versions", {})).get("napari-dynamic-connectome", "unknown")
        return f"{LATER_QUESTIONS if second else SECOND_QUESTION} (analyzed with version {version})"

    def beware(self, component: int) -> str:
        """What a reader should know before trusting a component: its warning, and what it was not asked; "" if there is nothing."""
        if self.support is None or component not in self.support.index:
            return ""
        row = self.support.loc[component]
        said = [str(row["warning"])] if row["warning"] else []
        if self.unasked and not bool(row["background"]):
            said.append(f"not asked: {self.unasked}")
        return "; ".join(said)

    @cached_property
    def clocks(self) -> tuple[Clock, ...]:
        """Clock of every component, in order: "common" (one course for all worms) or "own" (each worm has its own)."""
        own = set(self.own_time["component"].values.tolist()) if self.own_time is not None else set()
        if self.model == "unaligned":
            own = set(self.weight["component"].values.tolist())
        return tuple("own" if c in own else "common" for c in self.weight["component"].values.tolist())

    def clock(self, component: int) -> Clock:
        """Clock of one component: "common" or "own"."""
        self._check(component)
        return self.clocks[self._numbers.index(component)]

    @property
    def has_common_clock(self) -> bool:
        """Whether all time courses lie on one time axis that the worms share (aligned, mixed)."""
        return self.model != "unaligned"

    @cached_property
    def signs(self) -> tuple[str, ...]:
        """("any",), or ("same", "opposite") for signed affinities."""
        return tuple(dict.fromkeys(str(s) for s in self.pair["sign"].values))

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Row and column of every pair in `matrix`."""
        index = {n: i for i, n in enumerate(self.neurons)}
        rows = [index[str(n)] for n in self.pair["neuron_a"].values]
        columns = [index[str(n)] for n in self.pair["neuron_b"].values]
        return np.array(rows, int), np.array(columns, int)

    @cached_property
    def _numbers(self) -> list[int]:
        """Numbers of the components, in the order of the arrays."""
        return [int(c) for c in self.weight["component"].values]

    def _check(self, component: int) -> None:
        if component not in self._numbers:
            raise InputError(f"there is no component {component}", where="components", fix=f"Known: 1 to {self.rank}.")

    def matrix(self, component: int, sign: str | None = None) -> xr.DataArray:
        """Pair factor of one component as a symmetric matrix.

        Parameters
        ----------
        component : int
            Number from 1.
        sign : str, optional
            "same" or "opposite" for signed affinities; their sum by default.

        Returns
        -------
        xarray.DataArray
            (neuron, neuron_b), weight included, zero diagonal, NaN for pairs that no worm observed.
        """
        total = self._matrix(component, sign)
        names = np.asarray(self.neurons, dtype=object)
        return xr.DataArray(
            total,
            dims=("neuron", "neuron_b"),
            coords={"neuron": names, "neuron_b": names},
            name=f"component {component}",
            attrs={"component": component, "sign": sign or "any"},
        )

    def _matrix(self, component: int, sign: str | None = None) -> np.ndarray:
        """Values of `matrix`, new ones at every call."""
        self._check(component)
        column = self._numbers.index(component)
        return self.symmetric(self.pair.values[:, column] * float(self.weight.values[column]), sign)

    def symmetric(self, values: np.ndarray, sign: str | None = None) -> np.ndarray:
        """One value a pair, in the order of `pair`, as a symmetric matrix.

        Parameters
        ----------
        values : ndarray (pair,)
        sign : str, optional
            "same" or "opposite" for signed affinities; their sum by default.

        Returns
        -------
        ndarray (neuron, neuron)
            Zero diagonal, NaN where `values` are and for pairs that are not listed.
        """
        if sign is not None and sign not in self.signs:
            raise InputError(f"there is no sign '{sign}'", where="components", fix=f"Known: {', '.join(self.signs)}.")
        total = np.full((len(self.neurons), len(self.neurons)), np.nan)
        for one in self.signs if sign is None else (sign,):
            here = self.pair["sign"].values == one if len(self.signs) > 1 else slice(None)
            part = values[here]
            rows, columns = (places[here] for places in self._places)
            old = total[rows, columns]
            total[rows, columns] = np.where(np.isnan(old), part, old + part)
            total[columns, rows] = total[rows, columns]
        np.fill_diagonal(total, 0.0)
        return total

    def time_course(self, component: int, worm: str | None = None) -> xr.DataArray:
        """Time course (time,) of one component, weight included.

        Parameters
        ----------
        component : int
        worm : str, optional
            Needed where the component's clock is "own"; with a common clock, the common course scaled by this worm's loading.

        Returns
        -------
        xarray.DataArray
            Aligned and mixed: on the whole common clock, NaN where it was not observed (in this worm, with its own clock).
            Unaligned: on the worm's observed samples.
        """
        self._check(component)
        weight = float(self.weight.sel(component=component))
        if worm is not None and worm not in self.worm["worm"].values:
            raise InputError(f"there is no worm '{worm}'", where="components")
        if self.clock(component) == "common":
            scale = 1.0 if worm is None else float(self.worm.sel(component=component, worm=worm))
            return self.time.sel(component=component) * (weight * scale)
        if worm is None:
            raise InputError(
                f"every worm has its own time course of component {component}",
                where="components",
                fix="Say which worm.",
            )
        if self.own_time is not None:
            return self.own_time.sel(component=component, worm=worm, drop=True) * weight
        column = self.time.sel(component=component)
        mine = column.isel(sample=np.flatnonzero(column["worm"].values == worm))
        return xr.DataArray(mine.values * weight, dims=("time",), coords={"time": mine["time"].values})

    def _lanes(self, recording: str) -> list[tuple[str, np.ndarray]]:
        """Worms (or events) cut from a recording, each with its own time at every sample of the common clock."""
        if self.worm_time is None:
            own = np.asarray(self.time["time"].values, float)
            return [(recording, own)] if recording in self.worm["worm"].values else []
        mine = np.flatnonzero(self.worm_time["source"].values == recording)
        return [(str(self.worm_time["worm"].values[i]), self.worm_time.values[i]) for i in mine]

    def recording_course(self, component: int, recording: str) -> xr.DataArray:
        """Time course of one component in one recording, on the recording's own clock, weight and loading included.

        Courses on a common clock (aligned, mixed) are put back: each sample stands at the time at which it was measured in this
        recording, in order. Times that take no part in the alignment are absent.

        Parameters
        ----------
        component : int
        recording : str

        Returns
        -------
        xarray.DataArray
            (time,), seconds, increasing; empty if the components do not know the recording.
        """
        self._check(component)
        times, values = [np.empty(0)], [np.empty(0)]
        if self.model == "unaligned":
            if recording in self.worm["worm"].values:
                course = self.time_course(component, recording)
                times, values = [np.asarray(course["time"].values, float)], [np.asarray(course.values, float)]
        else:
            for worm, own in self._lanes(recording):
                times.append(own)
                values.append(np.asarray(self.time_course(component, worm).values, float))
        time, value = np.concatenate(times), np.concatenate(values)
        known = np.isfinite(time) & np.isfinite(value)
        time, first = np.unique(time[known], return_index=True)
        return xr.DataArray(value[known][first], dims=("time",), coords={"time": time})

    def clock_time(self, recording: str, time_s: float) -> float:
        """Time on the clock of the time courses at which a moment of a recording stands; NaN if it takes no part.

        Parameters
        ----------
        recording : str
        time_s : float
            Seconds in the recording.
        """
        if self.model == "unaligned":
            return time_s
        clock = np.asarray(self.time["time"].values, float)
        step = float(np.median(np.diff(clock))) if len(clock) > 1 else 1.0
        for _, own in self._lanes(recording):
            away = np.abs(np.where(np.isfinite(own), own, np.inf) - time_s)
            if len(away) and away.min() <= step:
                return float(clock[int(away.argmin())])
        return float("nan")

    def strength(self, component: int) -> xr.DataArray:
        """Strength (neuron,) in one component: mean pair factor over the neuron's observed pairs."""
        values = self._matrix(component)
        np.fill_diagonal(values, np.nan)
        seen = np.isfinite(values).sum(axis=1)
        mean = np.where(seen > 0, np.nansum(values, axis=1) / np.maximum(seen, 1), np.nan)
        return xr.DataArray(mean, dims=("neuron",), coords={"neuron": np.asarray(self.neurons, dtype=object)})

    def leading(self, component: int) -> pd.DataFrame:
        """Neurons of one component, the leading ones first, with how well each is known.

        A neuron that one worm shows may be strong by accident of that worm. Its strength is drawn towards the mean of all neurons
        by as much as two more worms, in which its strength is the mean, would draw it (our definition).

        Returns
        -------
        pandas.DataFrame
            Index neuron; strength (see `strength`), shrunk (what they are sorted by), worms (that show the neuron), pairs (observed).
            Neurons without an observed pair are left out.
        """
        strength = self.strength(component).values
        worms, pairs = np.zeros(len(self.neurons), int), np.zeros(len(self.neurons), int)
        count = np.asarray(self.pair_worms.values, int)
        for places in self._places:
            np.maximum.at(worms, places, count)
            np.add.at(pairs, places, (count > 0).astype(int))
        table = pd.DataFrame(
            {"strength": strength, "shrunk": strength, "worms": worms, "pairs": pairs // len(self.signs)},
            index=pd.Index(self.neurons, name="neuron"),
        )
        table = table[np.isfinite(table["strength"])].copy()
        table["shrunk"] = (table["worms"] * table["strength"] + 2 * table["strength"].mean()) / (table["worms"] + 2)
        return table.sort_values("shrunk", ascending=False, kind="stable")


@dataclass(frozen=True, eq=False, repr=False)
class RankSweep(Summary):
    """Fits of several ranks and what speaks for each.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a rank: rank; error (median over starts) and error_min (relative, observed entries); held_out and held_out_se
        (relative error on fibres that were not fitted, mean over folds and its standard error); similarity (median factor
        match score of the restarts with the best start); core_consistency (percent; only where all clocks are common, else NaN).
    suggested : int
        0: no structure beyond chance.
    reason : str
        Why this rank, in words.
    components : dict of int to Components
        The best fit of every rank.
    held_out : pandas.DataFrame
        Relative error of every rank (rows) and fold (columns).
    notes : tuple of str
        What was done differently from the rule, and why.
    provenance : dict
    chance : Chance, optional
        The same for surrogate cohorts; None where they were not asked for.
    choices : pandas.DataFrame
        Which rank is suggested for one random start alone or without one worm: columns varied ("start", "worm left out"),
        which, rank. By the rules of the suggestion, except that one start cannot say which components most starts have, and that
        the surrogates of all worms serve for cohorts without one (see `pipeline.chance.try_without`).
    """

    table: pd.DataFrame
    suggested: int
    reason: str
    components: Mapping[int, Components]
    held_out: pd.DataFrame = field(default_factory=pd.DataFrame)
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)
    chance: Chance | None = None
    choices: pd.DataFrame = field(default_factory=pd.DataFrame)

    def _head(self) -> str:
        return f": ranks {listed([str(r) for r in self.table['rank']], 12)}; suggested {self.suggested}"

    def _lines(self) -> list[str]:
        return [self.reason, *self.notes] + ([] if self.chance is not None else ["Not compared with chance."])

    @property
    def nothing(self) -> bool:
        """Whether there is no structure beyond chance."""
        return self.suggested == 0


@dataclass(frozen=True, eq=False, repr=False)
class Communities(Summary):
    """A nested partition of neurons.

    Parameters
    ----------
    labels : xarray.DataArray of int
        (level, neuron); level 0 is the finest. Communities are numbered from 0 so that the children of one community are
        next to each other; -1 = background or not observed.
    chosen_level : int
        The level that the stated rule picks (`rule`).
    probability : xarray.DataArray of float
        (level, neuron), probability that the neuron belongs to the community it is shown in; NaN without sampling.
    kind : {"modules", "core"}
        `modules`: structure beyond strength. `core`: who takes part and how strongly.
    method : str
        "nested sbm", "louvain", "leiden", "spectral".
    description_length : float
        In nats, of the best partition; NaN for methods without one.
    membership : xarray.DataArray, optional
        (neuron, community) of the chosen level, rows sum to 1.
    co_membership : xarray.DataArray, optional
        (neuron, neuron_b), probability to share a community at the chosen level.
    n_groups : pandas.Series, optional
        Posterior probability of the number of groups at the finest level.
    significance : pandas.DataFrame, optional
        One row a community of the chosen level: `gain` (nats), `p_value`; attrs["p_more_than_one"].
    rule : str
        How `chosen_level` was chosen, in words.
    diagnostics, provenance : dict
    state : xarray.DataArray of str, optional
        (level, neuron): "member", "overlapping" (also in the community that `overlaps` names), "unsure" (independent runs
        disagree, or membership is improbable), "background" (in no community beyond chance), "not observed". None: not tested.
    claims : pandas.DataFrame, optional
        One row a community of the chosen level (index `community`): p_value (that chance gives a group as strong anywhere in the
        cohort), q_value (corrected over all components, kinds and communities), statistic, inside and outside (mean weight of
        pairs in the community, and of pairs of its members with others), ratio with ratio_low and ratio_high (95 % interval over
        its members). Where communities are hardly ever active together, also side_of (the community with which it is one group, of which
        one side falls when the other rises; NaN: none), side_in (the kind of that one) and p_sides (that chance moves them against each other as much, corrected).
        For other communities opposed (names of neurons that move against it, with spaces between) and p_opposed (of the least sure of
        them, or the smallest of all neurons; corrected).
    overlaps : pandas.DataFrame, optional
        Columns neuron, community (its own), other (where it belongs, too), pull (towards the other; see `communities.judge`).
    answer : str
        What was found, in one sentence.
    """

    labels: xr.DataArray
    chosen_level: int
    probability: xr.DataArray
    kind: CommunityKind = "modules"
    method: str = "nested sbm"
    description_length: float = float("nan")
    membership: xr.DataArray | None = None
    co_membership: xr.DataArray | None = None
    n_groups: pd.Series | None = None
    significance: pd.DataFrame | None = None
    rule: str = ""
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    state: xr.DataArray | None = None
    claims: pd.DataFrame | None = None
    overlaps: pd.DataFrame | None = None
    answer: str = ""

    def _head(self) -> str:
        of = self.provenance.get("component")
        where = f"of component {of}" if of else f"of {counted(len(self.neurons), 'neuron')}"
        return f" {where}: {self.kind}, {self.method}"

    def _lines(self) -> list[str]:
        table = self.table()
        answer = self.answer or (
            f"{counted(len(table), 'group')}, not compared with chance (`analyze` and `partition` do it)."
            if self.claims is None
            else ""
        )
        groups = []
        for _, row in table.iterrows():
            p = row["q_value"] if self.claims is not None else row["p_value"]
            found = "" if p != p else f", {'corrected ' if self.claims is not None else ''}p {p:.2g}"
            groups.append(f"{row['size']} neurons{found}: {listed(str(row['members']).split(), 24)}")
        return [*([answer] if answer else []), *groups]

    def with_unasked(self, said: str, components: Components | None) -> str:
        """`answer` or `rule`, and what the components' version did not ask before anything was claimed."""
        claimed = self.claims is not None and len(self.claims) > 0
        if components is None or not components.unasked or not claimed:
            return said
        return f"{said} Not asked: {components.unasked}."

    @property
    def n_levels(self) -> int:
        """Number of levels."""
        return int(self.labels.sizes["level"])

    @cached_property
    def neurons(self) -> tuple[str, ...]:
        """Neurons in the order of `labels`."""
        return tuple(str(n) for n in self.labels["neuron"].values)

    def sizes(self, level: int | None = None) -> pd.Series:
        """Number of members of each community at a level (the chosen one by default)."""
        row = self.labels.isel(level=self.chosen_level if level is None else level).values
        ids, counts = np.unique(row[row >= 0], return_counts=True)
        return pd.Series(counts, index=pd.Index(ids, name="community"), name="size")

    def states(self, level: int | None = None) -> pd.Series:
        """State of every neuron at a level (the chosen one by default); see `state`."""
        level = self.chosen_level if level is None else level
        row = self.labels.values[level]
        values = np.where(row >= 0, "member", "background") if self.state is None else self.state.values[level]
        return pd.Series([str(v) for v in values], index=pd.Index(self.neurons, name="neuron"), name="state")

    def members(self, community: int, level: int | None = None) -> list[str]:
        """Names of the members, the surest first."""
        level = self.chosen_level if level is None else level
        inside = np.flatnonzero(self.labels.values[level] == community)
        sure = np.nan_to_num(self.probability.values[level, inside], nan=0.0)
        return [self.neurons[i] for i in inside[np.argsort(-sure, kind="stable")]]

    def table(self, level: int | None = None) -> pd.DataFrame:
        """One row a community: community, size, members, probability (mean), p_value (NaN where not tested).

        Where communities were compared with chance, also q_value, inside, outside, ratio, ratio_low, ratio_high, and side_of,
        side_in, p_sides, opposed and p_opposed where they were asked (see `claims`), and how many members are `unsure` and `overlapping`. The background is in no row.
        """
        level = self.chosen_level if level is None else level
        rows = []
        for community, size in self.sizes(level).items():
            inside = self.labels.values[level] == community
            p_value = float("nan")
            if self.significance is not None and level == self.chosen_level and community in self.significance.index:
                p_value = float(self.significance.loc[community, "p_value"])
            row = {
                "community": int(community),
                "size": int(size),
                "members": " ".join(self.members(int(community), level)),
                "probability": float(np.mean(self.probability.values[level, inside])),
                "p_value": p_value,
            }
            if self.claims is not None:
                known = level == self.chosen_level and community in self.claims.index
                row |= {
                    c: self.claims.loc[community, c] if known else "" if c in ("side_in", "opposed") else np.nan
                    for c in self._claimed
                }
            if self.state is not None:
                row |= {s: int((self.state.values[level, inside] == s).sum()) for s in ("unsure", "overlapping")}
            rows.append(row)
        columns = ["community", "size", "members", "probability", "p_value"]
        columns += [] if self.claims is None else self._claimed
        columns += [] if self.state is None else ["unsure", "overlapping"]
        return pd.DataFrame(rows, columns=columns)

    @property
    def _claimed(self) -> list[str]:
        """Columns of the claims that the table has; those about sides only where some were asked."""
        return [*CLAIMS, *(c for c in SIDES if self.claims is not None and c in self.claims)]

    def parents(self, level: int) -> dict[int, int]:
        """Community at `level` -> the community at `level + 1` that holds it."""
        if not 0 <= level < self.n_levels - 1:
            return {}
        fine, coarse = self.labels.isel(level=level).values, self.labels.isel(level=level + 1).values
        return {int(c): int(coarse[np.flatnonzero(fine == c)[0]]) for c in np.unique(fine[fine >= 0])}
