"""Structure against function: matrices and communities of an analysis beside connectomes and other networks.

In: functional matrices, communities, networks, settings. Out: one `StructureComparison` with tables and sentences.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.network import Network, Symmetrize
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.results import Communities
from ..model.summary import Summary
from .ceiling import agreement_of_networks
from .covariates import distances, left_right_matrix
from .enrichment import ALL, enrichment, with_q
from .functional import partitions
from .measures import false_discovery_rate
from .pairs import side_pairs
from .permutation import degree_test, interval, mantel_test, p_text
from .regression import matrix_regression
from .settings import StructureSettings

Array = np.ndarray

COLUMNS = (
    "function",
    "network",
    "kind",
    "r",
    "low",
    "high",
    "p_value",
    "q_value",
    "p_degrees",
    "r_partial",
    "p_partial",
    "ceiling",
    "n_neurons",
    "n_pairs",
)
PAIR_COLUMNS = ("neuron_a", "neuron_b", "strength", "percentile", "left_right", "distance_um")
DISTANCE, LEFT_RIGHT = "distance", "left/right pair"
SIGNAL = "signal propagation"
CLAIMED = 0.05
"""Corrected p value up to which a sentence says that two matrices agree."""


@dataclass(frozen=True, eq=False, repr=False)
class StructureComparison(Summary):
    """How far an analysis agrees with networks that were measured by other means.

    Parameters
    ----------
    tests : pandas.DataFrame
        One row a functional matrix and network: function, network, kind, r with its 95 % interval (low, high), p_value
        (permutations of the neurons), q_value (false discovery rate over all rows), p_degrees (rewired networks), r_partial and
        p_partial (what the covariates do not explain), ceiling (r of this network with the most similar other one of its kind),
        n_neurons, n_pairs.
    enrichment : pandas.DataFrame
        See `enrichment.enrichment`, with q_value.
    regression : pandas.DataFrame
        The first network of each kind, signal propagation apart, side by side in one regression, one block of rows a functional matrix; see
        `regression.matrix_regression`.
    ceiling : pandas.DataFrame
        See `ceiling.agreement_of_networks`.
    covariates : tuple of str
        What was taken out for the partial values.
    notes : tuple of str
        What was decided on the way.
    provenance : dict
    """

    tests: pd.DataFrame
    enrichment: pd.DataFrame
    regression: pd.DataFrame
    ceiling: pd.DataFrame
    covariates: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def table(self) -> pd.DataFrame:
        """One row a functional matrix and network; see `tests`."""
        return self.tests.copy()

    def sentences(self) -> list[str]:
        """One sentence a row of `tests` and a row "all" of `enrichment`, each with effect, p and n."""
        partial = " and ".join(self.covariates)
        lines = [_test_sentence(row, partial) for _, row in self.tests.iterrows()]
        whole = self.enrichment[self.enrichment["community"] == ALL] if len(self.enrichment) else self.enrichment
        return lines + [_enrichment_sentence(row) for _, row in whole.iterrows()]

    def sentence(self, function: str | None = None, kind: str | None = None, network: str | None = None) -> str:
        """Effect, p and n of one row of `tests` in one sentence.

        Parameters
        ----------
        function, kind, network : str, optional
            Which row; by default the first that fits.
        """
        rows = self.tests
        for column, wanted in (("function", function), ("kind", kind), ("network", network)):
            if wanted is not None:
                rows = rows[rows[column] == wanted]
        if not len(rows):
            raise InputError(
                "there is no such comparison",
                where="structure against function",
                fix=f"Known: {'; '.join(' with '.join(v) for v in self.tests[['function', 'kind']].to_numpy(str))}.",
            )
        return _test_sentence(rows.iloc[0], " and ".join(self.covariates))

    def component_sentences(self, component: int, network: Network) -> list[str]:
        """Sentences about one component and its communities beside one network.

        Parameters
        ----------
        component : int
            From 1.
        network : Network
            One of those that were compared.

        Returns
        -------
        list of str
            The correlation, and the enrichment inside its communities where there are some.
        """
        function = f"component {component}"
        if ((self.tests["function"] == function) & (self.tests["kind"] == network.kind)).any():
            lines = [self.sentence(function, network.kind, network.name)]
        else:
            lines = [note for note in self.notes if note.startswith(f"{function} and {network.title} cannot")]
        table = self.enrichment
        if len(table):
            rows = table[
                (table["community"] == ALL) & (table["kind"] == network.kind) & (table["network"] == network.name)
            ]
            rows = rows[rows["communities"] == f"communities of component {component}"]
            lines += [_enrichment_sentence(row) for _, row in rows.iterrows()]
        return lines


def compare_structure(
    functional: Mapping[str, xr.DataArray],
    networks: Sequence[Network],
    settings: StructureSettings | dict[str, Any] | None = None,
    *,
    communities: Mapping[int, Communities] | Communities | None = None,
    cohort: Cohort | None = None,
    positions: pd.DataFrame | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> StructureComparison:
    """Compare functional matrices and communities with connectomes and other networks.

    Parameters
    ----------
    functional : dict of name -> xarray.DataArray (neuron, neuron_b)
        Symmetric, NaN for pairs that no worm observed; see `functional.functional_matrices`.
    networks : sequence of Network
        From `io.wiring.networks_of`, `io.propagation.read_propagation` or `model.network.network`. As functional matrices have no
        direction, that of the networks is left out: numbers of synapses in both directions are added, responses averaged.
    settings : StructureSettings or dict, optional
    communities : dict of component -> Communities, or Communities, optional
    cohort : Cohort, optional
        For distances between cell bodies, where it measured positions.
    positions : pandas.DataFrame, optional
        name, x_um, y_um, z_um; for the distances instead.
    seed : int
    progress, cancel : callable, optional

    Returns
    -------
    StructureComparison

    Raises
    ------
    InputError
        No networks, nothing functional, no shared neurons.
    """
    chosen = StructureSettings.parse(settings)
    parts = partitions(communities)
    if not networks:
        raise InputError("there is no network to compare with", where="comparison", fix="Give a connectome.")
    if not functional and not parts:
        raise InputError("there is nothing functional to compare", where="comparison", fix="Give components.")
    neurons = list(dict.fromkeys(str(n) for m in functional.values() for n in m["neuron"].values))
    neurons += [n for p in parts.values() for n in p.neurons if n not in set(neurons)]
    covariates, notes = _covariates(neurons, chosen, cohort, positions)
    ceiling = agreement_of_networks(networks, measure=chosen.measure)
    share = len(functional) / max(len(functional) + len(parts), 1)
    how: dict[str, Any] = {"settings": chosen, "seed": seed, "cancel": cancel}
    tests, said = _tests(functional, networks, covariates, neurons, ceiling, progress=part(progress, 0.0, share), **how)
    notes += said
    tables, said = _enrichments(parts, networks, covariates, neurons, progress=part(progress, share, 1.0), **how)
    notes += said
    enriched = with_q(pd.concat(tables, ignore_index=True)) if tables else pd.DataFrame({"community": []})
    regression, said = _regression(functional, networks, covariates, neurons, chosen, seed, cancel)
    notes += said + [f"{n.title}: {text}" for n in networks for text in n.notes]
    report(progress, 1.0, "compared")
    return StructureComparison(
        tests,
        enriched,
        regression,
        ceiling,
        tuple(covariates),
        tuple(dict.fromkeys(notes)),
        {"settings": chosen.model_dump(), "seed": seed, "networks": [n.title for n in networks]},
    )


def pair_table(
    functional: xr.DataArray,
    networks: Sequence[Network] = (),
    *,
    communities: Communities | None = None,
    distance_um: Array | None = None,
) -> pd.DataFrame:
    """Every observed pair of neurons with its strength and what the networks say about it.

    Parameters
    ----------
    functional : xarray.DataArray (neuron, neuron_b)
    networks : sequence of Network, optional
        Each gives a column "kind, name"; a network with direction gives two, "a to b" and "b to a".
    communities : Communities, optional
        Gives `together` (1 in one community, 0 not, NaN both in the background).
    distance_um : array (neuron, neuron), optional

    Returns
    -------
    pandas.DataFrame
        neuron_a, neuron_b, strength, percentile (0 to 1 among observed pairs), left_right, distance_um, together and the networks'
        columns, strongest first; NaN = not measured there.
    """
    from .functional import together
    from .measures import percentile_ranks

    names = [str(n) for n in functional["neuron"].values]
    values = np.asarray(functional.values, float)
    rows, columns = np.nonzero(np.triu(np.isfinite(values), 1))
    data: dict[str, Any] = {
        "neuron_a": [names[i] for i in rows],
        "neuron_b": [names[j] for j in columns],
        "strength": values[rows, columns],
        "percentile": percentile_ranks(values[rows, columns]),
        "left_right": left_right_matrix(names)[rows, columns] == 1,
        "distance_um": distance_um[rows, columns] if distance_um is not None else np.nan,
    }
    if communities is not None:
        index = np.asarray(names, dtype=object)
        same = together(communities).reindex(neuron=index, neuron_b=index).values
        data["together"] = same[rows, columns]
    for network in networks:
        index = np.asarray(names, dtype=object)
        weight = network.weight.reindex(source=index, target=index).values
        if network.directed:
            data[f"{network.title}: a to b"] = weight[rows, columns]
            data[f"{network.title}: b to a"] = weight[columns, rows]
        else:
            data[network.title] = weight[rows, columns]
    return pd.DataFrame(data).sort_values("strength", ascending=False, kind="stable").reset_index(drop=True)


def undirected(network: Network) -> Network:
    """Leave out the direction: synapses of both directions are added, responses averaged."""
    how: Symmetrize = "mean" if network.kind.startswith(SIGNAL) else "sum"
    return network.symmetric(how)


def aligned(matrix: xr.DataArray, network: Network) -> tuple[Array, Array, list[str]]:
    """Bring a functional matrix and a network to the neurons that both hold.

    Returns
    -------
    function, weight : array (neuron, neuron)
        Both symmetric, NaN = not measured.
    neurons : list of str

    Raises
    ------
    InputError
        Fewer than four shared neurons.
    """
    names = [str(n) for n in matrix["neuron"].values]
    held = set(network.neurons)
    shared = [n for n in names if n in held]
    if len(shared) < 4:
        raise InputError(
            f"{network.title} shares {len(shared)} neurons with the recordings",
            where="structure against function",
            fix=f"At least 4 are needed; its names are {', '.join(network.neurons[:4])} ..., those of the recordings "
            f"{', '.join(names[:4])} ....",
        )
    place = [names.index(n) for n in shared]
    function = np.array(matrix.values, float)[np.ix_(place, place)]
    np.fill_diagonal(function, np.nan)
    return function, undirected(network).between(shared).weight.values, shared


def _covariates(
    neurons: list[str], settings: StructureSettings, cohort: Cohort | None, positions: pd.DataFrame | None
) -> tuple[dict[str, Array], list[str]]:
    found: dict[str, Array] = {}
    notes = []
    if settings.distance:
        found[DISTANCE], source = distances(neurons, cohort=cohort, table=positions)
        notes.append(f"distances between cell bodies: {source}")
    if settings.left_right:
        pairs = left_right_matrix(neurons)
        if pairs.any():
            found[LEFT_RIGHT] = pairs
        else:
            notes.append("no left/right pair among the neurons")
    return found, notes


def _tests(
    functional: Mapping[str, xr.DataArray],
    networks: Sequence[Network],
    covariates: Mapping[str, Array],
    neurons: list[str],
    ceiling: pd.DataFrame,
    *,
    settings: StructureSettings,
    seed: int,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> tuple[pd.DataFrame, list[str]]:
    """Every functional matrix beside every network, with corrected p values; notes on those that cannot be compared."""
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    refused: InputError | None = None
    couples = [(name, matrix, network) for name, matrix in functional.items() for network in networks]
    for done, (name, matrix, network) in enumerate(couples):
        check_cancel(cancel)
        report(progress, done / len(couples), f"{name} and {network.title}")
        try:
            row = _test(name, matrix, network, covariates, neurons, ceiling, settings, seed, cancel)
        except InputError as error:
            # one network that cannot be compared does not keep the others from it
            refused = refused or error
            notes.append(f"{name} and {network.title} cannot be compared: {error.what}")
            continue
        rows.append(row)
        if covariates and not math.isfinite(row.get("p_partial", math.nan)):
            notes.append(f"{name} and {network.title}: not to be told from {' and '.join(covariates)}")
    if refused is not None and not rows:
        raise refused
    tests = pd.DataFrame(rows, columns=list(COLUMNS))
    for column in COLUMNS[3:12]:
        tests[column] = tests[column].astype(float)
    tests["q_value"] = false_discovery_rate(tests["p_value"])
    return tests, notes


def _enrichments(
    parts: Mapping[str, Communities],
    networks: Sequence[Network],
    covariates: Mapping[str, Array],
    neurons: list[str],
    *,
    settings: StructureSettings,
    seed: int,
    progress: ProgressCallback | None,
    cancel: CancelCallback | None,
) -> tuple[list[pd.DataFrame], list[str]]:
    """Links inside the communities of every partition and out of them; notes on networks that have no share of linked pairs."""
    tables: list[pd.DataFrame] = []
    notes: list[str] = []
    couples = [(name, partition, network) for name, partition in parts.items() for network in networks]
    for done, (name, partition, network) in enumerate(couples):
        check_cancel(cancel)
        report(progress, done / len(couples), f"{name} and {network.title}")
        if network.n_connections == 0 or _complete(network):
            which = "no pair has a weight" if network.n_connections == 0 else "every pair has a weight"
            notes.append(f"{network.title}: {which}, so there is no share of linked pairs")
            continue
        place = [neurons.index(n) for n in partition.neurons]
        tables.append(
            enrichment(
                partition,
                network,
                name=name,
                covariates={k: v[np.ix_(place, place)] for k, v in covariates.items()},
                permutations=settings.permutations,
                rewired=settings.rewired,
                seed=seed,
                pairs_together=settings.pairs_together,
                cancel=cancel,
            )
        )
    return tables, notes


def _test(
    name: str,
    matrix: xr.DataArray,
    network: Network,
    covariates: Mapping[str, Array],
    neurons: list[str],
    ceiling: pd.DataFrame,
    settings: StructureSettings,
    seed: int,
    cancel: CancelCallback | None,
) -> dict[str, Any]:
    function, weight, shared = aligned(matrix, network)
    common: dict[str, Any] = {"measure": settings.measure, "directed": False, "seed": seed, "cancel": cancel}
    sides = side_pairs(shared) if settings.pairs_together else None
    test = mantel_test(function, weight, permutations=settings.permutations, sides=sides, **common)
    row: dict[str, Any] = {
        "function": name,
        "network": network.name,
        "kind": network.kind,
        "r": test.r,
        "low": test.low,
        "high": test.high,
        "p_value": test.p_value,
        "n_neurons": test.n_neurons,
        "n_pairs": test.n_pairs,
    }
    known = np.isfinite(weight) & np.isfinite(function)
    linked = weight[known] != 0
    if settings.rewired and linked.any() and not linked.all():
        row["p_degrees"] = degree_test(function, weight, networks=settings.rewired, sides=sides, **common).p_value
    place = [neurons.index(n) for n in shared]
    own = _usable({k: v[np.ix_(place, place)] for k, v in covariates.items()}, known)
    if own:
        # where the covariates make up the network (one of left/right pairs alone), nothing is left of it: NaN
        with suppress(InputError):
            found = matrix_regression(
                function,
                {"network": weight} | own,
                tested=("network",),
                permutations=settings.permutations,
                sides=sides,
                **common,
            )
            row |= {"r_partial": float(found.loc[0, "partial_r"]), "p_partial": float(found.loc[0, "p_value"])}
    if len(ceiling):
        others = ceiling[(ceiling["kind"] == network.kind)]
        others = others[(others["first"] == network.name) | (others["second"] == network.name)]
        row["ceiling"] = float(others["r"].max()) if len(others) else float("nan")
    return row


def _usable(covariates: Mapping[str, Array], known: Array) -> dict[str, Array]:
    """Covariates that differ among the pairs that are compared."""
    kept = {}
    for name, matrix in covariates.items():
        values = matrix[known & ~np.eye(len(matrix), dtype=bool)]
        values = values[np.isfinite(values)]
        if len(values) and np.ptp(values) > 0:
            kept[name] = matrix
    return kept


def _regression(
    functional: Mapping[str, xr.DataArray],
    networks: Sequence[Network],
    covariates: Mapping[str, Array],
    neurons: list[str],
    settings: StructureSettings,
    seed: int,
    cancel: CancelCallback | None,
) -> tuple[pd.DataFrame, list[str]]:
    """All kinds of connections side by side, the first network of each kind."""
    # what is only measured for a quarter of the pairs would leave few of them for all
    first: dict[str, Network] = {}
    for network in networks:
        if not network.kind.startswith(SIGNAL):
            first.setdefault(network.kind, network)
    if len(first) < 2:
        return pd.DataFrame(), []
    tables, notes = [], []
    for name, matrix in functional.items():
        names = [str(n) for n in matrix["neuron"].values]
        index = np.asarray(names, dtype=object)
        place = [neurons.index(n) for n in names]
        predictors = {n.title: undirected(n).weight.reindex(source=index, target=index).values for n in first.values()}
        function = np.array(matrix.values, float)
        np.fill_diagonal(function, np.nan)
        known = np.isfinite(function)
        for values in predictors.values():
            known &= np.isfinite(values)
        own = _usable({k: v[np.ix_(place, place)] for k, v in covariates.items()}, known)
        try:
            table = matrix_regression(
                function,
                predictors | own,
                tested=tuple(predictors),
                measure=settings.measure,
                directed=False,
                permutations=settings.permutations,
                seed=seed,
                sides=side_pairs(names) if settings.pairs_together else None,
                cancel=cancel,
            )
        except InputError as error:
            notes.append(f"{name}, all networks side by side: {error.what}")
            continue
        tables.append(table.assign(function=name))
    return (pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()), notes


def _complete(network: Network) -> bool:
    values = network.weight.values
    return bool((values[np.isfinite(values)] != 0).all())


def _test_sentence(row: pd.Series, partial: str) -> str:
    several = str(row["function"]).endswith("components")
    verdict = f"{'do' if several else 'does'} not agree beyond chance with"
    if math.isfinite(row["r"]) and row["q_value"] <= CLAIMED:
        agree, opposed = ("agree", "are opposed") if several else ("agrees", "is opposed")
        verdict = f"{agree} with" if row["r"] > 0 else f"{opposed} to"
    text = (
        f"{str(row['function']).capitalize()} {verdict} the {row['kind']} network of {row['network']}: correlation "
        f"{interval(row['r'], row['low'], row['high'])}, {_with_q(row)}, {int(row['n_neurons'])} neurons, {int(row['n_pairs']):,} pairs"
    )
    if math.isfinite(row["p_degrees"]):
        text += f"; with every neuron's number of links kept, {p_text(row['p_degrees'])}"
    if math.isfinite(row["p_partial"]) and partial:
        text += f"; beside {partial}, {row['r_partial']:.2f}, {p_text(row['p_partial'])}"
    if math.isfinite(row["ceiling"]):
        text += f"; two such networks agree at {row['ceiling']:.2f}"
    return text + "."


def _enrichment_sentence(row: pd.Series) -> str:
    pairs = f"{int(row['n_neurons'])} neurons, {int(row['n_pairs']):,} pairs"
    if not math.isfinite(row["odds_ratio"]):
        return f"{str(row['communities']).capitalize()}: no pairs to compare in the {row['kind']} network of {row['network']}."
    return (
        f"{str(row['communities']).capitalize()}: {row['inside']:.0%} of the pairs inside are linked in the {row['kind']} network of "
        f"{row['network']}, {row['outside']:.0%} of those that lead out: odds ratio "
        f"{interval(row['odds_ratio'], row['low'], row['high'])}, {_with_q(row)}, {pairs}."
    )


def _with_q(row: pd.Series) -> str:
    """P value, and what is left of it after the correction for all that was compared with it."""
    p_value, q_value = float(row["p_value"]), float(row["q_value"])
    if not math.isfinite(q_value) or q_value == p_value:
        return p_text(p_value)
    return f"{p_text(p_value)} (corrected {q_value:.2g})"
