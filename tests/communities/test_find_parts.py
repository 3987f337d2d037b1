"""What `find_communities` asks of its steps and puts together of their answers: levels, numbers, shares, nulls, provenance."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from napari_dynamic_connectome.communities import find as module
from napari_dynamic_connectome.communities.consensus import Consensus
from napari_dynamic_connectome.communities.find import find_communities, fit_communities
from napari_dynamic_connectome.communities.graph import graph_from_matrix
from napari_dynamic_connectome.communities.model import prepare
from napari_dynamic_connectome.communities.null import NullResult
from napari_dynamic_connectome.communities.posterior import Posterior
from napari_dynamic_connectome.communities.search import one_group
from napari_dynamic_connectome.communities.settings import CommunitySettings
from napari_dynamic_connectome.model.errors import Cancelled, InputError, SettingsError
from napari_dynamic_connectome.model.provenance import graph_of

spec = importlib.util.spec_from_file_location("community_graphs", Path(__file__).parent / "graphs.py")
graphs = importlib.util.module_from_spec(spec)
spec.loader.exec_module(graphs)


def consensus(labels: list[int], samples: int = 0, agreeing: int = 400, stands_out: float = 2.0) -> Consensus:
    row = np.array(labels)
    groups = row.max() + 1
    kept = np.tile(np.maximum(row, 0), (samples, 1))
    return Consensus(row, kept, agreeing, 5.0, np.arange(groups) + 1.0, np.array([4.0, 6.0]), 2.5, stands_out)


def null(p: float, fits: int = 19, groups: int = 2, what: str = "shuffled weights") -> NullResult:
    return NullResult(5.0, p, np.arange(groups) + 1.0, np.linspace(p, 1, groups), fits, np.arange(float(fits)), what)


TESTED = "p = {} against 19 fits to shuffled weights"
ONE = "one group: " + TESTED + " (above 0.05); finer levels are not distinguished from chance"
SHORTEST = "the finest level of the partition of lowest description length"
AGREED = "the finest level: what 400 sampled partitions agree on"


@pytest.mark.parametrize(
    ("levels", "p", "level", "agreed", "stands_out", "expected"),
    [
        (1, None, "auto", False, 0, (0, SHORTEST)),
        (3, None, "auto", False, 0, (0, SHORTEST)),
        (3, 0.05, "auto", False, 0, (0, f"{SHORTEST} ({TESTED.format('0.05')})")),
        (3, 0.06, "auto", False, 0, (2, ONE.format("0.06"))),
        (2, 0.06, "auto", False, 0, (1, ONE.format("0.06"))),
        (1, 0.06, "auto", False, 0, (0, SHORTEST)),
        (3, 0.06, "finest", False, 0, (0, f"{SHORTEST} ({TESTED.format('0.06')})")),
        (3, 0.06, "auto", True, 2, (2, ONE.format("0.06"))),
        (3, 0.01, "auto", True, 2, (0, f"{AGREED} ({TESTED.format('0.01')})")),
        (2, 0.01, "auto", True, 2, (0, f"{AGREED} ({TESTED.format('0.01')})")),
        (1, 0.06, "auto", True, 2, (0, AGREED)),
        (
            1, 0.05, "auto", True, 2,
            (0, "one group: the weights depart from chance (" + TESTED.format("0.05") + "), but no group is more strongly linked inside "
             "than to the others"),
        ),
        (3, None, "auto", True, 1.01, (0, f"{AGREED} (not tested against chance)")),
        (2, None, "auto", True, 1.01, (0, f"{AGREED} (not tested against chance)")),
        (
            3, None, "auto", True, 1.0,
            (2, "one group: no eigenvalue of the weights stands out of those of random ones (finer levels not tested)"),
        ),
        (3, None, "finest", True, 0.5, (0, f"{AGREED} (not tested against chance)")),
        (1, None, "auto", True, 0.5, (0, AGREED)),
    ],
)  # fmt: skip
def test_the_level_that_is_shown_and_why(levels, p, level, agreed, stands_out, expected) -> None:
    settings = CommunitySettings(level=level)
    found = consensus([0, 1], stands_out=stands_out) if agreed else None
    assert module._level(levels, None if p is None else null(p), settings, found) == expected


def test_groups_of_the_search_get_the_numbers_that_are_shown() -> None:
    raw, labels = np.array([4, 2, -1, 2, 4, 0]), np.array([1, 0, -1, 0, 1, 2])
    assert module._renaming(raw, labels) == {4: 1, 2: 0, 0: 2}


@pytest.mark.parametrize("strangers", [False, True])
def test_shares_come_in_the_order_of_the_numbers_that_are_shown(strangers: bool) -> None:
    shares = np.array([[0.1, 0.7, 0.2, 0.0], [0.5, 0.25, 0.0, 0.25], [0.0, 1.0, 0.0, 0.0]])
    if not strangers:
        shares[1] = [0.5, 0.5, 0, 0]
    samples = np.array([[[0, 1, 1]], [[0, 0, 1]]])
    posterior = Posterior(np.zeros((1, 3)), (shares,), samples, np.array([3, 2, 3, 3]))
    used = np.array([True, False, True, True])
    got = module._sampled(posterior, 0, {0: 2, 1: 0, 2: 1}, used, np.array(list("ABCD"), dtype=object))
    expected = shares[:, [1, 2, 0]]
    member = got["membership"]
    assert member["neuron"].values.tolist() == list("ACD")
    assert member["community"].values.tolist() == [0, 1, 2, *[-1] * strangers]
    np.testing.assert_array_equal(member.values, np.c_[expected, shares[:, 3:]] if strangers else expected)
    np.testing.assert_array_equal(got["co_membership"].values, posterior.co_membership(0))
    assert got["co_membership"]["neuron_b"].values.tolist() == list("ACD")
    assert got["n_groups"].to_dict() == {2: 0.25, 3: 0.75} and got["n_groups"].index.tolist() == [2, 3]
    assert (got["n_groups"].index.name, got["n_groups"].name) == ("groups", "probability")


def test_graphs_that_are_brought_are_prepared_as_the_graph_is_and_have_its_nodes() -> None:
    weights, _ = graphs.planted(0, n=12)
    used = np.arange(12) != 4
    settings = CommunitySettings(threshold=0.3)
    got = module._prepared(weights, settings, "modules", used)()
    kept = np.where(weights > 0.3 * weights.max(), weights, 0.0)
    expected = prepare(graph_from_matrix(kept).subset(used), settings, "modules")[0]
    np.testing.assert_array_equal(got.edges, expected.edges)
    np.testing.assert_allclose(got.weights, expected.weights)
    with pytest.raises(InputError, match="a null graph has 12 nodes, the graph 11"):
        module._prepared(weights, settings, "modules", used[:11])()


@pytest.mark.parametrize("costs", [(5.0, 4.0), (4.0, 5.0), (4.0, 4.0)])
@pytest.mark.parametrize("extra", [(0.0, 0.0), (2.0, 0.0), (0.0, 2.0)])
@pytest.mark.parametrize("parts", [(3, -1), (-1, 3)])
def test_the_weights_of_shorter_description_are_taken(costs, extra, parts, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = graphs.planted(0, n=12)[0]
    weights[np.random.default_rng(0).random((12, 12)) < 0.7] = 0
    graph = graph_from_matrix(np.minimum(weights, weights.T))
    settings = CommunitySettings()
    asked: list[tuple] = []

    def made(given, own, kind):
        name = own.weight_model
        more = extra[name == "lognormal"]
        return f"graph {name}", SimpleNamespace(name=name, offset=parts[0] * more, scale_cost=parts[1] * more)

    def fit(one, variant, own, *, seed, progress, cancel):
        asked.append((one, variant.name, own.weight_model, seed))
        progress(0.0, "")
        progress(1.0, "")
        return [SimpleNamespace(cost=costs[variant.name == "lognormal"]), SimpleNamespace(cost=-99.0)]

    monkeypatch.setattr(module, "prepare", made)
    monkeypatch.setattr(module, "fit_model", fit)
    told: list[float] = []
    inner, first = object(), SimpleNamespace(name="auto", offset=0.0, scale_cost=0.0)
    fits, model, one, own = module._best_weights(
        graph, inner, first, settings, "core", 7, lambda share, text="": told.append(share), None
    )
    totals = [cost + 2 * more for cost, more in zip(costs, extra, strict=True)]
    name = "lognormal" if totals[1] < totals[0] else "exponential"
    assert (model.name, one, own.weight_model) == (name, f"graph {name}", name)
    assert fits[0].cost == costs[name == "lognormal"] and told == [0.0, 0.5, 0.5, 1.0]
    assert asked == [(f"graph {k}", k, k, 7) for k in ("exponential", "lognormal")]


@pytest.mark.parametrize(("density", "chosen"), [(0.5, "auto"), (0.49, "exponential")])
def test_of_a_graph_with_half_of_its_links_only_one_distribution_is_tried(density, chosen, monkeypatch) -> None:
    graph = SimpleNamespace(density=density)
    monkeypatch.setattr(module, "prepare", lambda g, own, kind: (g, SimpleNamespace(offset=0.0, scale_cost=0.0)))
    monkeypatch.setattr(module, "fit_model", lambda *_, **__: [SimpleNamespace(cost=1.0)])
    model = SimpleNamespace(offset=0.0, scale_cost=0.0)
    for weight_model in ("auto", "none"):
        settings = CommunitySettings(weight_model=weight_model)
        got = module._best_weights(graph, graph, model, settings, "core", 0, None, None)
        assert got[3].weight_model == (chosen if weight_model == "auto" else "none")


def steps(monkeypatch: pytest.MonkeyPatch, labels: list[int], p: float = 0.01) -> dict[str, list]:
    """Steps that note what is asked of them."""
    module.precompile()  # by the real ones
    fits: list = []
    asked: dict[str, list] = {"fits": fits, "find": [], "chance": [], "settle": [], "sample": [], "null": []}

    def find(graph, **how):
        how["progress"] and how["progress"](1.0, "")
        asked["find"].append((graph, how))
        return consensus(labels, how["kept"])

    def chance(graph, model, found, settings, seed, brought, **how):
        how["progress"] and how["progress"](1.0, "")
        asked["chance"].append((seed, None if brought is None else [make() for make in brought], how["groups"]))
        return null(p, groups=max(labels) + 1)

    def settle(found, matrix, compared, *, alpha, chance):
        asked["settle"].append((found, matrix, compared, alpha, chance))
        return replace(found, rule="settled")

    def sample(fit, samples, seed, *, progress, cancel):
        fits.append(fit)
        progress and progress(1.0, "")
        asked["sample"].append((samples, seed))

    def tested(graph, model, fit, row, settings, seed, brought, progress, cancel):
        progress and progress(1.0, "")
        asked["null"].append((seed, row, None if brought is None else [make() for make in brought]))

    monkeypatch.setattr(module, "find_consensus", find)
    monkeypatch.setattr(module, "compare_consensus", chance)
    monkeypatch.setattr(module, "settle", settle)
    monkeypatch.setattr(module, "sample_posterior", sample)
    monkeypatch.setattr(module, "compare_with_null", tested)
    return asked


@pytest.mark.parametrize(
    ("starts", "samples", "kept"), [(1, 200, 100), (1, 201, 101), (3, 1000, 167), (2, 0, 0), (2, 1, 100)]
)
def test_a_start_is_two_chains_which_keep_enough_samples_together(starts, samples, kept, monkeypatch) -> None:
    weights, _ = graphs.planted(0, n=12)
    asked = steps(monkeypatch, [0, 1, 2] * 4)
    told: list[float] = []
    find_communities(
        weights,
        starts=starts,
        samples=samples,
        max_groups=9,
        seed=5,
        progress=lambda share, text="": told.append(share),
    )
    ((graph, how),) = asked["find"]
    assert (how["chains"], how["kept"], how["max_groups"], how["seed"]) == (2 * starts, kept, 9, 5)
    assert graph.n == 12 and told == [0.0, 0.5, 1.0]
    assert asked["chance"][0][0] == 7 and asked["chance"][0][1] is None


@pytest.mark.parametrize("case", ["alone", "brought", "finest", "sparse", "no nulls", "one level", "no fits"])
def test_nearly_complete_graphs_that_stand_alone_are_settled_and_others_are_not(case: str, monkeypatch) -> None:
    weights, _ = graphs.planted(0, n=12)
    weights[11] = weights[:, 11] = np.nan
    if case == "sparse":
        weights[np.random.default_rng(0).random((12, 12)) < 0.5] = 0
        weights = np.minimum(weights, weights.T)
        weights[0, 1:11] = weights[1:11, 0] = 1.0
    labels = [0] * 11 if case == "one level" else [0, 1, 2] * 3 + [-1, -1]
    asked = steps(monkeypatch, labels)
    if case == "no fits":
        monkeypatch.setattr(module, "compare_consensus", lambda *_, **__: null(0.01, 0, 3))
    more = {"finest": {"level": "finest"}, "no nulls": {"null_fits": 0}, "brought": {"null_graphs": [weights] * 2}}
    got = fit_communities(
        weights, CommunitySettings(samples=0, alpha=0.07, **more.get(case, {}) if case != "brought" else {}),
        null_graphs=more["brought"]["null_graphs"] if case == "brought" else None, seed=1,
    )  # fmt: skip
    assert len(asked["settle"]) == (case == "alone")
    if case == "no fits":
        return
    assert len(asked["chance"]) == (case != "no nulls")
    if case != "no nulls":
        seed, brought, groups = asked["chance"][0]
        assert seed == 3 and (groups is not None) == (case in ("alone", "one level"))
        assert brought is None if case != "brought" else [one.n for one in brought] == [11, 11]
        if groups:
            inner = asked["find"][0][0]
            row = np.array(labels)
            assert groups(inner, row) == module.group_statistics(module._observed_matrix(inner), row)
    if case == "alone":
        found, matrix, compared, alpha, chance = asked["settle"][0]
        assert np.isnan(matrix[11, :11]).all() and np.isfinite(matrix[:11, :11]).all()
        np.testing.assert_allclose(matrix[:11, :11], weights[:11, :11])
        assert alpha == 0.07 and chance == "19 graphs with the same strengths and shuffled pairs"
        assert compared.p_value == 0.01 and got.rule == "settled"
        assert (found.labels.values[0] == -1).tolist() == [False] * 9 + [True] * 3
        assert (found.labels.values[-1] == 0).tolist() == [True] * 11 + [False]
        assert found.diagnostics["unobserved"] == ["node 11"]


def test_a_search_is_sampled_and_compared_with_seeds_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, truth = graphs.planted(3, n=18, ratio=20.0)
    asked = steps(monkeypatch, [0])
    told: list[float] = []
    how = {"kind": "core", "starts": 1, "rounds": 2, "weight_model": "exponential", "seed": 4}
    got = find_communities(weights, samples=33, **how, progress=lambda share, text="": told.append(share))
    assert asked["sample"] == [(33, 5)] and asked["null"][0][0] == 6 and asked["null"][0][2] is None
    variants = got.diagnostics["description_length_nats"]
    assert len(variants) == 2 and got.description_length == min(variants.values())
    assert asked["fits"][0].degree_corrected == (variants["degree-corrected"] < variants["plain"])  # the better one
    best = asked["fits"][0]
    assert got.diagnostics["gain_over_one_group_nats"] == one_group(best.problem).cost - best.cost > 0
    row = asked["null"][0][1]
    assert (row[:, None] == row).tolist() == (truth[:, None] == truth).tolist()
    assert told == sorted(told) and {0.0, 0.75, 1.0} <= set(told) and pytest.approx(told[-3]) == 0.6
    assert "significance" not in got.diagnostics and got.significance is None and got.membership is None
    find_communities(weights, samples=0, null_fits=0, **how)
    assert len(asked["sample"]) == 1 and len(asked["null"]) == 1
    find_communities(weights, samples=0, null_fits=0, null_graphs=[weights] * 3, **how)
    assert [one.n for one in asked["null"][1][2]] == [18] * 3


def test_what_samples_and_nulls_say_is_put_together_under_the_numbers_that_are_shown() -> None:
    weights, _ = graphs.planted(4, n=31, ratio=9.0)
    weights[:, 30] = weights[30] = np.nan
    got = find_communities(weights, kind="core", samples=30, null_fits=9, starts=1, rounds=2, alpha=0.2, seed=2)
    row = got.labels.values[0]
    shares = got.membership.values
    diagnostics = got.diagnostics
    entropy = np.array([stats.entropy(one) for one in shares])
    np.testing.assert_allclose(diagnostics["uncertainty_nats"][:30], entropy, atol=1e-12)
    assert np.isnan(diagnostics["uncertainty_nats"][30]) and diagnostics["consensus"][30] == -1
    expected = got.membership["community"].values[shares[:, : row.max() + 1].argmax(axis=1)]
    np.testing.assert_array_equal(diagnostics["consensus"][:30], expected)
    np.testing.assert_allclose(got.probability.values[0, :30], [shares[k, row[k]] for k in range(30)])
    assert np.isnan(got.probability.values[:, 30]).all() and (got.labels.values[:, 30] == -1).all()
    assert diagnostics["groups_per_level"] == [len(set(one[:30])) for one in got.labels.values]
    assert diagnostics["unobserved"] == ["node 30"]
    assert diagnostics["null_fits"] == 9 == len(diagnostics["null_gain_nats"])
    variants = diagnostics["description_length_nats"]
    assert set(variants) == {"plain", "degree-corrected"} and got.description_length == min(variants.values())
    corrected = variants["degree-corrected"] < variants["plain"]
    assert diagnostics["model"] == "counts and weights, exponential weights" + ", degree-corrected" * corrected
    assert got.significance.index.tolist() == list(range(row.max() + 1)) and got.significance.index.name == "community"
    assert got.significance.attrs["p_more_than_one"] == 0.1 and (got.significance["p_value"] <= 1).all()
    weakest = find_communities(weights, kind="core", samples=0, null_graphs=[weights] * 3, starts=1, rounds=2, seed=2)
    assert weakest.chosen_level == weakest.n_levels - 1 > 0
    assert weakest.significance.to_dict("list") == {"gain": [0.0], "p_value": [1.0]}
    assert weakest.significance.index.tolist() == [0] and weakest.significance.attrs["p_more_than_one"] > 0.05


def test_the_graph_and_the_settings_are_the_provenance() -> None:
    weights, _ = graphs.planted(0, n=10)
    names = [f"N{k}" for k in range(10)]
    got = find_communities(weights, names=names, method="leiden", kind="core", seed=8, threshold=0.5)
    graph = graph_from_matrix(np.where(weights > 0.5 * weights.max(), weights, 0.0), names)
    record = got.provenance
    assert list(record["inputs"]) == [graph_of(graph.names, graph.edges, graph.weights)]
    assert (record["step"], record["method"], record["kind"], record["component"]) == (
        "communities",
        "leiden",
        "core",
        None,
    )
    assert record["seed"] == 8 and record["settings"]["threshold"] == 0.5
    assert got.rule == "leiden gives one level and no test against chance" and got.kind == "core"
    assert np.isnan(got.probability.values).all() and got.n_levels == 1 and got.neurons == tuple(names)


@pytest.mark.parametrize("method", ["sbm", "leiden"])
def test_without_links_nobody_is_in_a_community_and_other_methods_leave_out_who_has_none(method: str) -> None:
    got = find_communities(np.zeros((4, 4)), method=method)
    assert got.labels.values.tolist() == [[-1] * 4] and got.rule == module.NO_LINKS
    assert got.method == ("nested sbm" if method == "sbm" else "leiden") and got.chosen_level == 0
    weights, truth = graphs.planted(2, n=13, ratio=30.0)
    weights[12] = weights[:, 12] = 0
    found = find_communities(weights, method="louvain")
    row = found.labels.values[0]
    assert row[12] == -1 and (row[:12, None] == row[:12]).tolist() == (truth[:12, None] == truth[:12]).tolist()


def test_strengths_are_divided_out_for_other_methods_only_where_that_is_asked_for(monkeypatch) -> None:
    weights, _ = graphs.planted(2, n=13)
    seen: list[np.ndarray] = []
    from napari_dynamic_connectome.communities.methods import leiden

    monkeypatch.setattr(
        leiden, "find", lambda graph, settings, seed: seen.append(graph.weights) or np.zeros(graph.n, int)
    )
    for how in ("auto", "no", "yes"):
        find_communities(weights, method="leiden", normalize_strength=how)
    plain = graph_from_matrix(weights)
    np.testing.assert_array_equal(seen[0], plain.weights)
    np.testing.assert_array_equal(seen[1], plain.weights)
    np.testing.assert_allclose(seen[2], module.normalize_strength(plain).weights)


def test_chance_by_shifts_needs_graphs_unless_nothing_is_compared() -> None:
    weights, _ = graphs.planted(2, n=12)
    for own in ({"method": "leiden"}, {"null_fits": 0, "samples": 0}):
        find_communities(weights, null="circular shift", **own)
    with pytest.raises(SettingsError, match="chance by 'phase randomisation' needs null graphs"):
        find_communities(weights, null="phase randomisation")
    with pytest.raises(Cancelled):
        find_communities(weights, method="leiden", cancel=lambda: True)


def test_kernels_are_compiled_once_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    first = module._FirstUse()
    calls: list[tuple] = []

    def tiny(weights, settings, *, kind):
        assert first.running
        first.of(kind)  # what runs meanwhile does not wait for itself
        calls.append((weights.shape, (weights == weights.T).all(), (np.triu(weights, 1) > 0).sum(), settings, kind))
        if len(calls) == 3:
            raise RuntimeError

    monkeypatch.setattr(module, "find_communities", tiny)
    first.of("core")
    first.of("core")
    first.of("modules")
    assert [one[4] for one in calls] == ["core", "modules"] and not first.running
    assert calls[0][:3] == ((12, 12), True, 66)
    own = calls[0][3]
    assert own.null_fits > 0 and own.samples > 0 and own.starts > 1  # all that is compiled is met
    other = module._FirstUse()
    monkeypatch.setattr(module, "find_communities", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        other.of("core")
    assert not other.running and other.done == set()
    asked: list[str] = []
    monkeypatch.setattr(module, "_FIRST_USE", SimpleNamespace(of=asked.append))
    module.precompile()
    assert asked == ["core", "modules"]


def component(weights: np.ndarray) -> xr.DataArray:
    """What `Components.matrix` gives."""
    return xr.DataArray(weights, dims=("neuron", "neuron_b"), attrs={"component": 2})


def test_a_component_alone_is_not_compared_with_chance_unless_that_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    weights, _ = graphs.planted(0, n=13)
    weights[12] = weights[:, 12] = np.nan
    asked = steps(monkeypatch, [0, 1, 2] * 4)
    said = "Not compared with chance: " + module.NOT_SHOWN + "."
    got = find_communities(component(weights), samples=0)
    assert not asked["chance"] and got.answer == said and got.significance is None
    assert (got.state.values[:, :12] == "unsure").all() and (got.state.values[:, 12] == "not observed").all()
    got = find_communities(component(weights), CommunitySettings(samples=0))
    assert not asked["chance"] and got.answer == said
    got = find_communities(component(weights), samples=0, null_fits=19)
    assert len(asked["chance"]) == 1 and got.answer == module.ONLY_GRAPH and got.rule == "settled"
    got = find_communities(component(weights), samples=0, null_fits=0)
    assert len(asked["chance"]) == 1 and got.answer == said
    got = find_communities(component(weights), samples=0, null_graphs=[weights])
    assert len(asked["chance"]) == 2 and got.answer == "" and got.state is None
    for plain in (weights, xr.DataArray(weights, dims=("neuron", "neuron_b"))):
        got = find_communities(plain, samples=0)
        assert got.answer == "" and got.rule == "settled"
    assert len(asked["chance"]) == 4
    got = find_communities(component(weights), method="leiden")
    assert got.answer == "" and got.state is None
    got = find_communities(component(0 * weights))
    assert got.rule == module.NO_LINKS and got.answer == "" and got.state is None


@pytest.mark.parametrize("kind", ["core", "modules"])
def test_kernels_of_the_kind_are_there_before_they_are_needed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    steps(monkeypatch, [0, 1, 2] * 4)
    asked: list[str] = []
    monkeypatch.setattr(module, "_FIRST_USE", SimpleNamespace(of=asked.append))
    find_communities(graphs.planted(0, n=12)[0], kind=kind, samples=0, null_fits=0, starts=1, rounds=1)
    assert asked == [kind]
    find_communities(graphs.planted(0, n=12)[0], kind=kind, method="leiden")
    assert asked == [kind]


def test_who_has_one_link_takes_part_and_who_has_none_only_where_links_count(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, _ = graphs.planted(0, n=14, ratio=9.0)
    weights[12:] = weights[:, 12:] = 0.0
    weights[12, 3] = weights[3, 12] = 2.0  # one link; node 13 has none
    asked = steps(monkeypatch, [0, 1, 2] * 4 + [0])
    got = find_communities(weights, samples=0, null_fits=0)
    assert asked["find"][0][0].n == 13 and got.labels.values[-1].tolist() == [0] * 13 + [-1]
    monkeypatch.undo()
    how = {"samples": 0, "null_fits": 0, "starts": 1, "rounds": 1}
    core = find_communities(weights, kind="core", **how)
    assert (core.labels.values >= 0).all()
    links = weights[:, :]
    found = find_communities(links, method="leiden")
    assert found.labels.values[0, 12] == found.labels.values[0, 3] >= 0 > found.labels.values[0, 13]


@pytest.mark.parametrize(("limit", "least", "settled"), [(12, 1.0, True), (11, 1.0, False), (12, 1.01, False)])
def test_only_graphs_that_are_complete_and_small_enough_are_settled(limit, least, settled, monkeypatch) -> None:
    weights, _ = graphs.planted(0, n=12)
    asked = steps(monkeypatch, [0, 1, 2] * 4)
    monkeypatch.setattr(module, "DENSE_LIMIT", limit)
    monkeypatch.setattr(module, "NEARLY_COMPLETE", least)
    find_communities(weights, samples=0)
    assert len(asked["settle"]) == settled and (asked["chance"][0][2] is not None) == settled


def test_all_levels_above_the_consensus_are_counted_in_its_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, _ = graphs.planted(0, n=12)
    steps(monkeypatch, [0, 1, 2] * 3 + [-1, -1, 0])
    fit, seen = module.consensus_fit, []

    def higher(inner, model, settings, labels, seed):
        made = fit(inner, model, settings, labels, seed)
        return replace(made, levels=(made.levels[0], np.array([0, 0, 1, 1]), np.array([0, 0])))

    def counted(found, levels, labels):
        seen.append(([one.tolist() for one in levels], labels.copy()))

    monkeypatch.setattr(module, "consensus_fit", higher)
    monkeypatch.setattr(module, "posterior_of", counted)
    got = find_communities(weights, null_fits=0)
    ((levels, labels),) = seen
    assert levels == [[0, 0, 1, 1], [0, 0]] and labels.shape == (3, 12)
    assert (labels[:, 9:11] < 0).tolist() == [[True, True], [True, True], [False, False]]
    assert got.labels.values[1].tolist() == [0, 0, 1] * 3 + [-1, -1, 0] and (got.labels.values[2] == 0).all()
