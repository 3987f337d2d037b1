"""What every column of the CSV tables means, with its unit, and the data package that says so beside them.

`datapackage.json` follows the Data Package standard (Frictionless Data, tabular profile, version 1), so that other programs find
types, units and keys of all tables in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ..io.files import atomic_file
from ..model.text import clean_text

PACKAGE = "datapackage.json"
PRODUCT = (
    "The model of the affinity of a pair of neurons at one time in one worm is the sum over components of weight x worm_factor x "
    "time_factor x pair_factor, from the tables components, components_worms, components_time and components_pairs. For components "
    "whose clock is 'common' take the row of components_time with an empty worm, for 'own' that of the worm."
)

Column = tuple[str, str]
"""Description and unit; the unit is empty where the column has none."""

COMMON: dict[str, Column] = {
    "access": ("how well a driver line reaches the target, 0 to 1", ""),
    "background": ("takes in nearly every neuron evenly, or those whom other components leave", ""),
    "bleaching_tau_s": ("time constant of the bleaching", "s"),
    "channel": ("channel of behaviour", ""),
    "communities": ("kind of communities that the row was computed with", ""),
    "community": ("number of the community from 0, as in GraphML and in Python; -1 is in none", ""),
    "community_name": ("name of the community in the window and the report; empty for none", ""),
    "component": ("number of the component, from 1, by falling weight", ""),
    "confidence": ("how sure the name is, 0 to 1; empty where nobody said", ""),
    "coverage": ("share of the worms in which its pairs were seen", ""),
    "kind": ("kind of communities: modules (structure beyond strength) or core (who takes part)", ""),
    "label": ("number of the neuron in the labels of its worm", ""),
    "level": ("level of the partition; 0 is the finest", ""),
    "neuron": ("identity: the name, or unnamed_<label> where the neuron has none", ""),
    "neuron_a": ("first neuron of the pair", ""),
    "neuron_b": ("second neuron of the pair", ""),
    "p_value": ("chance of a value as extreme under the null", ""),
    "q_value": ("p value with the false discovery rate controlled over all rows that were tested", ""),
    "reasons": ("why, in words", ""),
    "state": ("number of the switching state, from 1, by falling share of time", ""),
    "score": ("what rows are sorted by", ""),
    "time_s": ("time", "s"),
    "uncertainty_bits": ("entropy of the membership", "bit"),
    "worm": ("name of the recording", ""),
    "n_neurons": ("neurons that were compared", ""),
    "n_pairs": ("pairs that were compared", ""),
}

TABLES: dict[str, tuple[str, dict[str, Column]]] = {
    "neurons": (
        "One row a neuron and worm: identity, place, quality.",
        {
            "name": ("name, empty where nobody gave one", ""),
            "z_um": ("position along z", "um"),
            "y_um": ("position along y", "um"),
            "x_um": ("position along x", "um"),
            "rejected": ("a person took the neuron out of the analysis", ""),
            "note": ("what a person wrote about it", ""),
            "name_in_results": ("name that the other tables use, where it was changed after the analysis", ""),
            "snr": ("signal over noise", ""),
            "bleaching": ("share of the brightness that was lost", ""),
            "saturated": ("share of the voxels at the camera's limit", ""),
            "missing": ("share of the frames without a value", ""),
            "contamination": ("how much the trace follows that of a neighbour", ""),
            "neighbour": ("the neighbour that it follows most", ""),
            "motion": ("correlation of the trace with the neuron's movement", ""),
            "jumps": ("sudden steps of position or level", ""),
            "duplicate_of": ("neuron that the same cell seems to be", ""),
            "score": ("above 1 where a limit of quality is passed; how many times", ""),
            "flagged": ("a limit of quality is passed", ""),
            "reason": ("which limits, in words", ""),
            "rank": ("1 is the worst of its worm", ""),
        },
    ),
    "not_up_to_date": (
        "Changes that results are older than.",
        {
            "result": ("which result", ""),
            "what": ("what was changed after it", ""),
            "count": ("how many", ""),
            "older_than": ("the change in words", ""),
        },
    ),
    "components": (
        "One row a component: its weight and what speaks for it.",
        {
            "clock": ("common: one time course for all worms; own: each worm has its own", ""),
            "weight": ("norm of the component; its factors have norm 1", "unit of the affinity"),
            "share_of_weight": ("weight over the sum of all weights", ""),
            "explained_of_data": (
                "growth of the squared error without the component, over the squared norm of the data; no share of the weight",
                "",
            ),
            "predicted": ("how well the courses of left-out worms were predicted", ""),
        },
    ),
    "components_time": (
        "Time factor: one row a component and time, and a worm where the clock is its own.",
        {
            "worm": ("worm whose course this is; empty for the course on the common clock", ""),
            "time_s": ("time on the common clock, or in the worm's own recording (model 'unaligned')", "s"),
            "time_factor": ("value of the course; squares of all rows of a component sum to 1", ""),
        },
    ),
    "components_worms": (
        "Worm factor: one row a component and worm.",
        {
            "worm_factor": (
                "value for the product; squares sum to 1 for the common clock; 1 for clocks of the worms' own, whose courses "
                "hold the worm's strength",
                "",
            ),
            "loading": ("strength of the component in the worm, for both kinds of clocks; squares sum to 1", ""),
        },
    ),
    "components_pairs": (
        "Pair factor: one row a component, pair of neurons and sign.",
        {
            "sign": ("any, or same and opposite for signed affinities", ""),
            "worms": ("how many worms show the pair", ""),
            "pair_factor": (
                "value for the product; squares of a component sum to 1; empty where no worm shows the pair",
                "",
            ),
        },
    ),
    "components_support": (
        "What speaks for every component, beside chance and in how many worms.",
        {
            "p_value": ("chance that surrogates give a group as strong in any component of a cohort", ""),
            "statistic": ("strength of its strongest group", ""),
            "spread": ("coefficient of variation of the neurons' strengths", ""),
            "worms": ("worms that take part", ""),
            "worms_in_all": ("all worms", ""),
            "worms_low": ("share that takes part, lower end of the 95 % interval", ""),
            "worms_high": ("share that takes part, upper end of the 95 % interval", ""),
            "largest_worm_share": ("share of the component's power in its strongest worm", ""),
            "bootstrap": ("share of bootstraps in which it comes back", ""),
            "bootstrap_low": ("lower end of the 95 % interval", ""),
            "bootstrap_high": ("upper end of the 95 % interval", ""),
            "left_out": ("share of left-out worms without which it comes back", ""),
            "left_out_low": ("lower end of the 95 % interval", ""),
            "left_out_high": ("upper end of the 95 % interval", ""),
            "warning": ("what to beware of, in words", ""),
        },
    ),
    "communities": (
        "One row a component, kind, level and neuron: who belongs where, and how surely.",
        {
            "chosen": ("the level is the one that the report shows", ""),
            "state": ("member, overlapping, unsure, background or not observed", ""),
            "other": ("further communities of an overlapping neuron, with spaces between", ""),
            "probability": ("that the neuron belongs to the community it is shown in", ""),
        },
    ),
    "communities_claims": (
        "One row a community that is shown.",
        {
            "size": ("number of members", ""),
            "members": ("names, the surest first, with spaces between", ""),
            "probability": ("mean probability of the members", ""),
            "inside": ("mean weight of pairs in the community", "unit of the affinity"),
            "outside": ("mean weight of pairs of members with others", "unit of the affinity"),
            "ratio": ("inside over outside", ""),
            "ratio_low": ("lower end of the 95 % interval over the members", ""),
            "ratio_high": ("upper end of the 95 % interval over the members", ""),
            "side_of": (
                "community with which it is one group: one side falls when the other rises; empty where none",
                "",
            ),
            "side_in": ("kind of that community", ""),
            "p_sides": ("p value that the two sides move against each other as much by chance, corrected", ""),
            "opposed": ("names of neurons that fall when it rises and rise when it falls, the surest first", ""),
            "p_opposed": ("p value of the least sure of these, or the smallest of any neuron, corrected", ""),
            "unsure": ("number of members whose membership is unsure", ""),
            "overlapping": ("number of members that are in another community, too", ""),
        },
    ),
    "rank_sweep": (
        "One row a number of components that was tried.",
        {
            "rank": ("number of components", ""),
            "error": ("relative error over observed entries, median of the starts", ""),
            "error_min": ("the same, best start", ""),
            "held_out": ("relative error on what was not fitted, mean over folds", ""),
            "held_out_se": ("its standard error", ""),
            "similarity": ("median match of the restarts with the best start, 0 to 1", ""),
            "core_consistency": ("core consistency diagnostic; only with a common clock", "%"),
        },
    ),
    "rank_chance": (
        "One row a number of components, beside time-shifted cohorts.",
        {
            "rank": ("number of components", ""),
            "gain": ("share of the squared norm explained beyond one component fewer", ""),
            "chance_gain": ("the same for surrogates, mean", ""),
            "chance_gain_high": ("the same for surrogates, 95 % quantile", ""),
            "p_gain": ("p value of the gain", ""),
            "held_out": ("relative error on what was not fitted", ""),
            "chance_held_out": ("the same for surrogates, mean", ""),
            "chance_held_out_low": ("the same for surrogates, 5 % quantile", ""),
            "chance_held_out_high": ("the same for surrogates, 95 % quantile", ""),
            "believable": ("components beyond chance that are no background and not alike", ""),
        },
    ),
    "rank_choices": (
        "Which number of components is suggested when something is varied.",
        {
            "varied": ("what was varied: the random start, or the worm that is left out", ""),
            "which": ("which start or worm", ""),
            "rank": ("number of components that is suggested", ""),
        },
    ),
    "score_recovery_of_the_planted_motifs": (
        "One row a planted motif (simulated worms): how well it was found.",
        {
            "motif": ("number of the motif", ""),
            "kind": ("what drives it", ""),
            "stimulus": ("stimulus that it is locked to", ""),
            "members": ("number of planted members", ""),
            "component": ("component that fits it", ""),
            "similarity": ("cosine of pair factor and planted pairs", ""),
            "auroc": ("area under the curve: planted pairs ranked by the pair factor", ""),
            "average_precision": ("the same as average precision", ""),
            "chance": ("average precision of a random order", ""),
            "ami": ("adjusted mutual information of communities and planted groups", ""),
            "jaccard": ("overlap of the best community with the planted group", ""),
            "time_auroc": ("chance that the course is higher inside the planted windows", ""),
            "worm_auroc": ("chance that worms with the motif load higher", ""),
        },
    ),
    "score_left_right_pairs": (
        "Left and right homologues beside mismatched pairs: a positive control.",
        {
            "component": ("component, or 'all' for their sum", ""),
            "pairs": ("left/right pairs that were observed", ""),
            "percentile": ("their mean percentile by strength, 0 to 1", ""),
            "percentile_chance": ("the same for mismatched pairs", ""),
            "p_percentile": ("p value of the percentile", ""),
            "strength_ratio": ("their mean strength over that of mismatched pairs", ""),
            "p_strength": ("p value of the ratio", ""),
            "pairs_in_communities": ("pairs with at least one neuron in a community", ""),
            "together": ("share of these in one community", ""),
            "together_chance": ("the same by chance", ""),
            "p_together": ("p value of that share", ""),
        },
    ),
    "score_components_and_behaviour": (
        "Correlation of time courses and behaviour.",
        {
            "worm": ("worm, or 'all' for the mean over worms", ""),
            "r": ("correlation", ""),
            "p_value": ("two-sided, against circular shifts of the behaviour", ""),
            "seconds": ("length of what was compared", "s"),
        },
    ),
    "structure_tests": (
        "Functional matrices beside connectomes and other networks.",
        {
            "function": ("functional matrix", ""),
            "network": ("where the network comes from", ""),
            "kind": ("kind of connection", ""),
            "r": ("correlation over pairs", ""),
            "low": ("lower end of the 95 % interval", ""),
            "high": ("upper end of the 95 % interval", ""),
            "p_value": ("against permuted neurons", ""),
            "p_degrees": ("against networks rewired with the same degrees", ""),
            "r_partial": ("correlation without what the covariates explain", ""),
            "p_partial": ("its p value", ""),
            "ceiling": ("correlation of the network with the most similar other one of its kind", ""),
        },
    ),
    "structure_communities": (
        "Connections inside communities beside those that lead out.",
        {
            "communities": ("which partition", ""),
            "community": ("number, or 'all'", ""),
            "community_name": ("name of the community in the window and the report, or 'all'", ""),
            "network": ("where the network comes from", ""),
            "kind": ("kind of connection", ""),
            "members": ("members that the network holds", ""),
            "inside": ("share of pairs inside that are linked", ""),
            "outside": ("share of pairs out of it that are linked", ""),
            "odds_ratio": ("odds of a link inside over outside", ""),
            "low": ("lower end of its 95 % interval", ""),
            "high": ("upper end of its 95 % interval", ""),
            "weight_ratio": ("mean weight inside over outside", ""),
            "p_degrees": ("against networks rewired with the same degrees", ""),
            "p_partial": ("p value without what the covariates explain", ""),
        },
    ),
    "structure_side_by_side": (
        "All networks in one regression.",
        {
            "function": ("functional matrix", ""),
            "predictor": ("network or covariate", ""),
            "coefficient": ("standardized coefficient", ""),
            "partial_r": ("partial correlation", ""),
            "t": ("t statistic", ""),
            "permutations": ("number of permutations", ""),
        },
    ),
    "structure_ceiling": (
        "Networks of one kind beside each other.",
        {
            "kind": ("kind of connection", ""),
            "first": ("one network", ""),
            "second": ("the other", ""),
            "connections_first": ("connections of the first", ""),
            "connections_second": ("connections of the second", ""),
            "shared": ("connections in both", ""),
            "share_of_first": ("shared over those of the first", ""),
            "share_of_second": ("shared over those of the second", ""),
            "jaccard": ("shared over those in either", ""),
            "r": ("correlation of the weights", ""),
            "low": ("lower end of the 95 % interval", ""),
            "high": ("upper end of the 95 % interval", ""),
        },
    ),
    "states": (
        "One row a switching state.",
        {
            "share": ("share of all frames", ""),
            "visits": ("stretches of time in the state", ""),
            "worms": ("worms that visit it", ""),
            "dwell_median_s": ("median of the visits that no end of a recording cuts", "s"),
            "dwell_mean_s": ("mean of the same", "s"),
            "dwell_expected_s": ("expected from the probabilities of the transitions", "s"),
            "certainty": ("mean probability of the state while the worm is in it", ""),
            "neurons": ("neurons whose weights differ most from those that the states share", ""),
        },
    ),
    "groups": (
        "One row a named group, worm and neuron; a member that no open worm has has no worm.",
        {"group": ("name of the group", "")},
    ),
    "groups_shared": (
        "One row a named group and a set of neurons: how many they share, and how many chance gives.",
        {
            "group": ("name of the group", ""),
            "beside": (
                "what the set is: community of a component (core, modules), class, ganglion or side of cells, another group",
                "",
            ),
            "component": ("number of the component, from 1; empty for what is no community", ""),
            "community": ("number of the community from 0; empty for what is no community", ""),
            "set": ("name of the set: number of the community, class, ganglion, side or group", ""),
            "members": ("members of the group among the neurons that are compared", ""),
            "set_members": ("members of the set among them", ""),
            "shared": ("neurons that both have", ""),
            "expected": ("mean of it when neurons exchange places, pairs together (sides: when left and right do)", ""),
            "ratio": ("shared over expected", ""),
            "p_value": ("one-sided: chance of sharing as many or more", ""),
            "q_value": ("false discovery rate over the rows of the group beside one kind of set", ""),
            "shared_neurons": ("names of the neurons that both have, with semicolons between them", ""),
        },
    ),
    "states_sequence": (
        "One row a frame and worm: the most probable path of states, and the probability of each state.",
        {},
    ),
    "states_visits": (
        "One row a visit of a state.",
        {
            "start_s": ("begin", "s"),
            "stop_s": ("end", "s"),
            "seconds": ("duration", "s"),
            "cut": ("an end of the recording cuts it", ""),
        },
    ),
    "states_weights": (
        "One row a state, pair and lag: how the past of one neuron predicts the present of another.",
        {
            "neuron": ("neuron that is predicted", ""),
            "neuron_from": ("neuron whose past predicts it", ""),
            "lag": ("frames ago", "frames"),
            "weight": ("weight; traces have standard deviation 1", ""),
        },
    ),
    "states_starts": (
        "One row a random start of the fit, the best first.",
        {
            "start": ("number of the start", ""),
            "log_posterior": ("up to a constant", "nats"),
            "iterations": ("of expectation-maximisation", ""),
            "converged": ("it stopped by the tolerance", ""),
            "agreement": ("adjusted Rand index of its sequence with that of the best one", ""),
        },
    ),
    "states_held_out": (
        "Frames that the fit did not see, scored by several models.",
        {
            "model": ("what was fitted", ""),
            "states": ("number of states", ""),
            "prior": ("prior of the weights", ""),
            "score": ("log probability of a value given all earlier frames, mean over folds", "nats"),
            "score_se": ("its standard error over folds", "nats"),
            "over_one_state": ("the same over that of one state with the same prior", "nats"),
            "over_one_state_se": ("its standard error over folds", "nats"),
            "folds": ("parts that were held out in turn", ""),
            "values": ("values that were scored", ""),
        },
    ),
    "states_agreement": (
        "Correlation of the probability of each state with behaviour and components.",
        {
            "kind": ("behaviour or component", ""),
            "name": ("channel, or number of the component", ""),
            "r": ("correlation", ""),
            "seconds": ("time compared", "s"),
            "p_value": ("against circular shifts in time", ""),
        },
    ),
    "states_communities": (
        "One row a community of the network of a state.",
        {
            "size": ("number of members", ""),
            "members": ("names, the surest first, with spaces between", ""),
            "probability": ("mean probability of the members", ""),
            "p_value": ("against graphs with shuffled weights", ""),
        },
    ),
    "baselines": (
        "Static groupings of the neurons, and how far each agrees with the main result.",
        {
            "method": ("static method", ""),
            "groups": ("number of groups", ""),
            "neurons": ("neurons that it places", ""),
        },
    ),
    "baselines_partitions": (
        "One row a neuron, in an order in which neighbours are alike; one column a grouping: labels from 0, -1 takes no part.",
        {},
    ),
    "baselines_ari": ("Adjusted Rand index of every two groupings: 1 the same, 0 as by chance.", {}),
    "baselines_ami": ("Adjusted mutual information of every two groupings: 1 the same, 0 as by chance.", {}),
    "signed_pairs": (
        "Signed loadings of pairs on the net affinity (same minus opposite).",
        {"pair_factor": ("loading; negative: they move opposite ways", "")},
    ),
    "signed_explained": (
        "What signed and non-negative loadings explain.",
        {
            "loadings": ("signed or non-negative", ""),
            "explained": ("share of the squared net affinity (same minus opposite)", ""),
        },
    ),
    "what_to_test_neurons": (
        "Suggestions for experiments: neurons to silence, best first.",
        {
            "rank": ("1 is the best", ""),
            "target": ("neuron, or both sides", ""),
            "purpose": ("confirm a sure member, or decide an open membership", ""),
            "predicted_drop": ("share of the community's strength that the target takes part in", ""),
            "low": ("lower end of its interval", ""),
            "high": ("upper end of its interval", ""),
            "fair_share": ("the same if all members were alike", ""),
            "membership": ("probability of membership", ""),
            "connections": ("members that it is known to be connected with", ""),
            "responders": ("share of the measured members that respond to it", ""),
            "p_value": ("of the community", ""),
        },
    ),
    "what_to_test_pairs": (
        "Suggestions for experiments: silence one, record the other.",
        {
            "rank": ("1 is the best", ""),
            "silence": ("neuron to silence", ""),
            "record": ("neuron to record", ""),
            "percentile": ("percentile of the strength in the component, 0 to 1", ""),
            "together": ("probability of one community", ""),
            "direct": ("known connections", ""),
            "propagation": ("measured response", ""),
        },
    ),
}

_UNNAMED = re.compile(r"(\S?)#(\d+)(?=\s|$)")


def plain_neuron(text: str) -> str:
    """Return identities of neurons without `#`, which several programs take for a comment: "#7" is "unnamed_7"."""
    return _UNNAMED.sub(lambda m: f"{m[1]}_unnamed_{m[2]}" if m[1] else f"unnamed_{m[2]}", text)


_NEURONS = frozenset(
    [
        "neuron",
        "neuron_a",
        "neuron_b",
        "neuron_from",
        "neurons",
        "name_in_results",
        "neighbour",
        "duplicate_of",
        "members",
        "target",
        "silence",
        "record",
    ]
)


def plain_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with `plain_neuron` in all columns that hold neurons."""
    table = table.copy(deep=False)
    for column in table.columns:
        if column in _NEURONS and table[column].dtype.kind not in "fiub":
            known: dict[Any, Any] = {}
            for value in table[column].tolist():
                if value not in known:
                    known[value] = plain_neuron(value) if isinstance(value, str) else value
            table[column] = [known[v] for v in table[column].tolist()]
    return table


def described(name: str, column: str) -> Column:
    """Description and unit of a column of a table; ("", "") if it is not known."""
    return TABLES.get(name, ("", {}))[1].get(column) or COMMON.get(column) or ("", "")


def resource(
    path: str, table: pd.DataFrame, *, title: str = "", columns: Mapping[str, Column] | None = None
) -> dict[str, Any]:
    """Return what the data package says about one table.

    Parameters
    ----------
    path : str
        Relative to the data package, with `/`.
    table : pandas.DataFrame
        As it was written, index left out.
    title : str
    columns : mapping, optional
        Descriptions of columns that the dictionary does not hold.
    """
    name = path.removesuffix(".csv")
    fields = []
    for column in map(str, table.columns):
        words, unit = (columns or {}).get(column) or described(name, column)
        entry = {"name": column, "type": _type(table[column])}
        fields.append(entry | ({"description": words} if words else {}) | ({"unit": unit} if unit else {}))
    return {
        "name": re.sub(r"[^a-z0-9._-]+", "-", name.lower()),
        "path": path,
        "profile": "tabular-data-resource",
        "title": title or TABLES.get(name, ("", {}))[0],
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "schema": {"fields": fields, "missingValues": [""]},
    }


def write_package(
    path: Path, resources: Iterable[Mapping[str, Any]], *, title: str, provenance: Mapping[str, Any] | None = None
) -> Path:
    """Write `datapackage.json`, with how results were made if that is known."""
    package: dict[str, Any] = {
        "profile": "tabular-data-package",
        "name": "dynamic-connectome-tables",
        "title": title,
        "description": PRODUCT,
        "resources": list(resources),
    }
    if provenance:
        package["provenance"] = dict(provenance)
    with atomic_file(path) as temporary:
        text = json.dumps(package, indent=1, ensure_ascii=False, default=str)
        temporary.write_text(clean_text(text), encoding="utf-8")
    return path


def _type(values: pd.Series) -> str:
    kind = values.infer_objects().dtype.kind  # numbers may stand in a column of objects
    if kind == "b":
        return "boolean"
    if kind in "iu":
        return "integer"
    return "number" if kind == "f" else "string"
