"""Next tests: neurons and pairs whose silencing would tell most, ranked, with reasons and uncertainty.

An analysis of activity can only say who is active together; it predicts what an experiment would see, and the list is for choosing
the experiment. In: components, communities, coverage, networks, a table of what can be reached. Out: a table for the bench.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.network import Network
from ..model.neurons import mirror, natural_key
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.results import Communities, Components
from ..model.settings import StepSettings, setting
from ..model.summary import Summary

Array = np.ndarray

NEURON_COLUMNS = (
    "rank", "target", "component", "community", "score", "purpose", "predicted_drop", "low", "high", "fair_share", "membership",
    "uncertainty_bits", "coverage", "access", "connections", "responders", "p_value", "reasons",
)  # fmt: skip
PAIR_COLUMNS = (
    "rank", "silence", "record", "component", "community", "score", "percentile", "together", "uncertainty_bits", "coverage", "access",
    "direct", "propagation", "reasons",
)  # fmt: skip
CONFIRM, DECIDE = "confirm", "decide"
UNKNOWN_ACCESS = 0.5
SIGNAL = "signal propagation"
RESPONDS = "responding pairs"


class NextTestSettings(StepSettings):
    """What is suggested for an experiment."""

    sides_together: bool = setting(
        True, "Silence the left and right neuron of a pair together, as most driver lines and cell ablations do."
    )
    smallest_membership: float = setting(
        0.1, "Neurons are candidates for a community from this probability of membership on.", ge=0, le=1
    )
    smallest_community: int = setting(3, "Communities of fewer members give no suggestions.", ge=2, le=1000)
    largest_p: float = setting(0.05, "Communities with a larger p value come after all others.", gt=0, le=1)
    pairs: int = setting(100, "Rows of the list of pairs, at most.", ge=0, le=100_000)


@dataclass(frozen=True, eq=False, repr=False)
class NextTests(Summary):
    """Suggestions for experiments, best first.

    Parameters
    ----------
    neurons : pandas.DataFrame
        One row a target and community: rank, target (one neuron, or both sides "AVAL + AVAR"), component, community, score, purpose
        ("confirm": a sure member whose silencing predicts a large drop; "decide": membership is open, and the experiment would settle
        it), predicted_drop (share of the summed strength between the community's members that the target takes part in, with an
        interval, low to high, by leaving out one partner at a time), fair_share (the same if all members were alike), membership,
        uncertainty_bits (entropy of membership), coverage (share of worms in which its pairs were seen), access, connections
        (members that it is known to be connected with), responders (share of the measured members that respond to it), p_value of
        the community, reasons.
    pairs : pandas.DataFrame
        silence, record, percentile of the strength in the component, together (probability of one community), direct (known
        connections), propagation (measured response), and as above.
    notes : tuple of str
    provenance : dict
    """

    neurons: pd.DataFrame
    pairs: pd.DataFrame
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """One row a target and community; see `neurons`."""
        return self.neurons.copy()

    def sentence(self) -> str:
        """The first suggestion in words."""
        if not len(self.neurons):
            return "No community is large enough to suggest an experiment."
        row = self.neurons.iloc[0]
        drop = f"{row['predicted_drop']:.0%}"
        community = row.get("community_name") or row["community"]
        if math.isfinite(row["low"]):
            drop += f" (95 % interval {row['low']:.0%} to {row['high']:.0%})"
        return (
            f"To {row['purpose']}: silencing {row['target']} predicts that the summed strength of community {community} in "
            f"component {row['component']} falls by {drop}; a member like all others would take {row['fair_share']:.0%}. "
            f"{len(self.neurons)} targets are ranked."
        )


def suggest_tests(
    components: Components,
    communities: Mapping[int, Communities],
    *,
    networks: Sequence[Network] = (),
    access: pd.DataFrame | None = None,
    settings: NextTestSettings | dict[str, Any] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> NextTests:
    """Rank neurons and pairs by how much an experiment on them would tell.

    Parameters
    ----------
    components : Components
    communities : dict of component -> Communities
        At their chosen level.
    networks : sequence of Network, optional
        Known connections and signal propagation.
    access : pandas.DataFrame, optional
        neuron, access (0 = cannot be reached, 1 = a specific line is published), how; from `io.formats.side_tables.read_access`.
        Neurons that are not in it count as 0.5, and it is said.
    settings : NextTestSettings or dict, optional
    progress, cancel : callable, optional

    Returns
    -------
    NextTests

    Notes
    -----
    Our own definition. For a community M with pair strengths S, a target T and the membership probability p,

    predicted_drop d = sum of S over pairs of M with T, over that sum and the sum over pairs of M without T;

    score (confirm) = d p c a, score (decide) = d H(p) c a, with H(p) = -p log2 p - (1 - p) log2 (1 - p), the coverage c and the
    access a. A target's purpose is the larger of the two. Targets of communities that chance explains (p value above the setting)
    follow after all others. Activity alone does not tell who drives whom: the drop is a prediction to be tested.

    Raises
    ------
    InputError
        No communities, or communities of a component that is not there.
    """
    chosen = NextTestSettings.parse(settings)
    if not communities:
        raise InputError("there are no communities", where="what to test next", fix="Find communities first.")
    reach = _reach(access)
    n_worms = max(int(components.worm.sizes["worm"]), 1)
    worms = _worms(components)
    neurons: list[dict[str, Any]] = []
    pairs: list[dict[str, Any]] = []
    for step, (component, partition) in enumerate(sorted(communities.items())):
        check_cancel(cancel)
        report(progress, step / len(communities), f"component {component}")
        case = _Case.of(component, components, partition, worms / n_worms, networks, reach, chosen)
        for community, members in case.groups().items():
            neurons += case.targets(community, members)
            pairs += case.pairs(community, members)
    notes = [
        "a prediction from activity: who drives whom is not known",
        "strength is not reach: a neuron that only reports the community's state would rank as high",
    ]
    unknown = sorted({n for r in neurons for n in r["target"].split(" + ") if n not in reach})
    if unknown:
        notes.append(f"access not known for {len(unknown)} neurons; counted as {UNKNOWN_ACCESS}")
    return NextTests(
        _ranked(neurons, NEURON_COLUMNS, chosen.largest_p),
        _ranked(pairs, PAIR_COLUMNS, chosen.largest_p).head(chosen.pairs),
        tuple(notes),
        {"settings": chosen.model_dump(), "networks": [n.title for n in networks]},
    )


@dataclass(frozen=True, eq=False)
class _Case:
    """One component with its communities and all that is known about its neurons, in one order."""

    component: int
    names: list[str]
    strength: Array
    percentile: Array
    coverage: Array
    labels: Array
    partition: Communities
    wired: dict[str, Array]
    responds: Array | None
    reach: Mapping[str, tuple[float, str]]
    settings: NextTestSettings

    @classmethod
    def of(
        cls,
        component: int,
        components: Components,
        partition: Communities,
        coverage: Array,
        networks: Sequence[Network],
        reach: Mapping[str, tuple[float, str]],
        settings: NextTestSettings,
    ) -> _Case:
        from .measures import percentile_ranks

        matrix = components.matrix(component)
        names = [str(n) for n in matrix["neuron"].values]
        values = np.asarray(matrix.values, float).copy()
        np.fill_diagonal(values, np.nan)
        upper = np.triu_indices(len(names), 1)
        rank = np.full(values.shape, np.nan)
        rank[upper] = percentile_ranks(values[upper])
        rank.T[upper] = rank[upper]
        level = partition.labels.isel(level=partition.chosen_level)
        place = {n: i for i, n in enumerate(partition.neurons)}
        labels = np.array([int(level.values[place[n]]) if n in place else -1 for n in names])
        index = np.asarray(names, dtype=object)
        wired: dict[str, Array] = {}
        responds: Array | None = None
        for network in networks:
            weight = network.weight.reindex(source=index, target=index).values
            if network.kind.startswith(SIGNAL):
                if RESPONDS in network.kind or responds is None:
                    responds = weight
            else:
                wired.setdefault(network.kind, weight)
        return cls(component, names, values, rank, coverage, labels, partition, wired, responds, reach, settings)

    def groups(self) -> dict[int, Array]:
        """Communities that are large enough: places of their members."""
        found = {int(c): np.flatnonzero(self.labels == c) for c in np.unique(self.labels[self.labels >= 0])}
        return {c: m for c, m in found.items() if len(m) >= self.settings.smallest_community}

    def membership(self, community: int) -> Array:
        """Probability of every neuron to be in a community; 1 and 0 where it was not sampled."""
        found = np.where(self.labels == community, 1.0, 0.0)
        place = {n: i for i, n in enumerate(self.partition.neurons)}
        table = self.partition.membership
        sampled = set() if table is None else set(table["neuron"].values.tolist())
        level = self.partition.probability.isel(level=self.partition.chosen_level).values
        for i, name in enumerate(self.names):
            if name not in place:
                continue
            if table is not None and name in sampled and community in table["community"].values:
                value = float(table.sel(neuron=name, community=community))
            else:
                value = float(level[place[name]]) if self.labels[i] == community else 0.0
            if math.isfinite(value):
                found[i] = min(max(value, 0.0), 1.0)
        return found

    def p_value(self, community: int) -> float:
        """That chance gives a community as strong; NaN where it was not tested."""
        for table in (self.partition.claims, self.partition.significance):
            if table is not None and community in table.index:
                return float(table.loc[community, "p_value"])
        return float("nan")

    def targets(self, community: int, members: Array) -> list[dict[str, Any]]:
        """Rows for all candidates of one community."""
        probability = self.membership(community)
        p_value = self.p_value(community)
        rows = []
        for group in self._candidates(probability):
            drop, low, high, fair = _drop(self.strength, members, group)
            if not math.isfinite(drop):
                continue
            p = float(probability[group].mean())
            rest = np.setdiff1d(members, group)
            cover = float(self.coverage[np.ix_(np.asarray(group), rest)].mean()) if len(rest) else 0.0
            access, how = self._access(group)
            bits = entropy_bits(p)
            confirm, decide = drop * p * cover * access, drop * bits * cover * access
            linked, words = self._connections(group, rest)
            share = self._responders(group, rest)
            target = " + ".join(self.names[i] for i in group)
            rows.append(
                {
                    "target": target, "component": self.component, "community": community, "score": max(confirm, decide),
                    "purpose": CONFIRM if confirm >= decide else DECIDE, "predicted_drop": drop, "low": low, "high": high,
                    "fair_share": fair, "membership": p, "uncertainty_bits": bits, "coverage": cover, "access": access,
                    "connections": linked, "responders": share, "p_value": p_value,
                    "reasons": self._reasons(drop, fair, p, cover, how, words, share, p_value),
                }
            )  # fmt: skip
        return rows

    def pairs(self, community: int, members: Array) -> list[dict[str, Any]]:
        """Rows for the pairs of one community, each in the direction whose first neuron can be reached better."""
        probability = self.membership(community)
        p_value = self.p_value(community)
        rows = []
        for a, i in enumerate(members):
            for j in members[a + 1 :]:
                if not math.isfinite(self.strength[i, j]) or mirror(self.names[i]) == self.names[j]:
                    continue
                first, second = (i, j) if self._access([i])[0] >= self._access([j])[0] else (j, i)
                together = self._together(i, j, probability)
                access, how = self._access([first])
                cover, percentile = float(self.coverage[i, j]), float(self.percentile[i, j])
                bits = entropy_bits(together)
                direct = self._direct(first, second)
                heard = float("nan") if self.responds is None else float(self.responds[first, second])
                words = [f"strength above {percentile:.0%} of all pairs", direct or "no direct connection known"]
                words.append("response not measured" if math.isnan(heard) else f"measured response {heard:.2g}")
                words.append(how)
                rows.append(
                    {
                        "silence": self.names[first], "record": self.names[second], "component": self.component,
                        "community": community, "score": percentile * max(together, bits) * cover * access,
                        "percentile": percentile, "together": together, "uncertainty_bits": bits, "coverage": cover,
                        "access": access, "direct": direct, "propagation": heard, "p_value": p_value,
                        "reasons": "; ".join(words),
                    }
                )  # fmt: skip
        return rows

    def _candidates(self, probability: Array) -> list[list[int]]:
        able = probability >= max(self.settings.smallest_membership, 1e-9)
        place = {n: i for i, n in enumerate(self.names)}
        groups, done = [], set()
        for i in np.flatnonzero(able):
            if i in done:
                continue
            partner = place.get(mirror(self.names[i]) or "", -1) if self.settings.sides_together else -1
            group = sorted({int(i), partner} - {-1}, key=lambda k: natural_key(self.names[k]))
            done.update(group)
            groups.append(group)
        return groups

    def _access(self, group: list[int]) -> tuple[float, str]:
        held = [self.reach.get(self.names[i]) for i in group]
        known = [h for h in held if h is not None]
        if not known:
            return UNKNOWN_ACCESS, "access not known"
        level = min([h[0] for h in known] + [UNKNOWN_ACCESS] * (len(held) - len(known)))
        how = ", ".join(dict.fromkeys(h[1] for h in known if h[1]))
        return level, f"access {level:g}" + (f" ({how})" if how else "")

    def _connections(self, group: list[int], rest: Array) -> tuple[float, list[str]]:
        """Members that are connected with the target in any known way, and the numbers by kind."""
        if not self.wired or not len(rest):
            return float("nan"), []
        any_link, words = np.zeros(len(rest), bool), []
        for kind, weight in self.wired.items():
            there = (np.nan_to_num(weight[np.ix_(np.asarray(group), rest)]) != 0).any(axis=0)
            back = (np.nan_to_num(weight[np.ix_(rest, np.asarray(group))]) != 0).any(axis=1)
            any_link |= there | back
            if (there | back).any():
                words.append(f"{kind} connections with {int((there | back).sum())} of {len(rest)} members")
        return float(any_link.sum()), words

    def _responders(self, group: list[int], rest: Array) -> float:
        if self.responds is None or not len(rest):
            return float("nan")
        values = self.responds[np.ix_(np.asarray(group), rest)]
        measured = np.isfinite(values).any(axis=0)
        answer = (np.nan_to_num(values) != 0).any(axis=0)
        return float(answer[measured].mean()) if measured.any() else float("nan")

    def _together(self, i: int, j: int, probability: Array) -> float:
        table = self.partition.co_membership
        if table is not None:
            value = float(table.sel(neuron=self.names[i], neuron_b=self.names[j]))
            if math.isfinite(value):
                return min(max(value, 0.0), 1.0)
        return float(probability[i] * probability[j])

    def _direct(self, first: int, second: int) -> str:
        words = []
        for kind, weight in self.wired.items():
            there, back = np.nan_to_num(weight[first, second]), np.nan_to_num(weight[second, first])
            if there or back:
                words.append(f"{kind} {there:g} there, {back:g} back")
        return ", ".join(words)

    def _reasons(
        self, drop: float, fair: float, p: float, cover: float, how: str, words: list[str], share: float, p_value: float
    ) -> str:
        text = [f"takes part in {drop:.0%} of the community's strength ({drop / fair:.1f} times its fair share)"]
        text.append(f"member with probability {p:.2f}")
        text.append(f"its pairs were seen in {cover:.0%} of the worms")
        text += words or (["no known connection with a member"] if self.wired else [])
        if math.isfinite(share):
            text.append(f"{share:.0%} of the measured members respond to it")
        text.append(how)
        if math.isfinite(p_value) and p_value > self.settings.largest_p:
            text.append(f"chance explains this community (p = {p_value:.2g})")
        return "; ".join(text)


def entropy_bits(p: float) -> float:
    """Entropy of a yes/no question with probability p, in bits."""
    if not 0 < p < 1:
        return 0.0
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


def _drop(strength: Array, members: Array, group: list[int]) -> tuple[float, float, float, float]:
    """Share of a community's summed strength that a target takes part in, its interval, and its fair share.

    The interval is that of leaving out one partner at a time (a ratio of sums over partners).
    """
    rest = np.setdiff1d(members, group)
    own = np.nan_to_num(strength[np.ix_(np.asarray(group), rest)]).sum(axis=0)
    inner = np.nan_to_num(strength[np.ix_(np.asarray(group), np.asarray(group))]).sum() / 2
    others = np.nan_to_num(strength[np.ix_(rest, rest)])
    total_own, total_rest = float(own.sum() + inner), float(others.sum() / 2)
    total = total_own + total_rest
    m = len(rest) + len(group)
    fair = 1 - len(rest) * (len(rest) - 1) / (m * (m - 1)) if m > 1 else float("nan")
    if total <= 0 or not len(rest):
        return float("nan"), float("nan"), float("nan"), fair
    drop = total_own / total
    if len(rest) < 5:
        return drop, float("nan"), float("nan"), fair
    left_own = total_own - own
    left_total = left_own + total_rest - others.sum(axis=1)
    known = left_total > 0
    values = left_own[known] / left_total[known]
    n = int(known.sum())
    error = math.sqrt((n - 1) / n * float(((values - values.mean()) ** 2).sum())) if n > 1 else float("nan")
    return drop, max(drop - 1.96 * error, 0.0), min(drop + 1.96 * error, 1.0), fair


def _worms(components: Components) -> Array:
    """How many worms saw each pair; (neuron, neuron)."""
    place = {n: i for i, n in enumerate(components.neurons)}
    seen = np.zeros((len(place), len(place)))
    first = [place[str(n)] for n in components.pair["neuron_a"].values]
    second = [place[str(n)] for n in components.pair["neuron_b"].values]
    seen[first, second] = seen[second, first] = components.pair_worms.values
    return seen


def _reach(access: pd.DataFrame | None) -> dict[str, tuple[float, str]]:
    if access is None:
        return {}
    absent = [c for c in ("neuron", "access") if c not in access.columns]
    if absent:
        raise InputError(
            f"the table of access has no column '{absent[0]}'",
            where="what to test next",
            fix="Needed: neuron, access, how.",
        )
    how = access["how"] if "how" in access.columns else [""] * len(access)
    return {
        str(n): (float(a), str(h))
        for n, a, h in zip(access["neuron"], access["access"], how, strict=True)
        if np.isfinite(a)
    }


def _ranked(rows: list[dict[str, Any]], columns: tuple[str, ...], largest_p: float) -> pd.DataFrame:
    if not rows:
        return pd.DataFrame(columns=list(columns))
    table = pd.DataFrame(rows)
    table["chance"] = table["p_value"] > largest_p
    table = table.sort_values(["chance", "score"], ascending=[True, False], kind="stable").reset_index(drop=True)
    table["rank"] = np.arange(1, len(table) + 1)
    return table[list(columns)]
