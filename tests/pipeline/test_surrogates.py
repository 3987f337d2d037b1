"""Chance by surrogate cohorts: what is planted is found with its p value, noise is called noise, and what cannot be tested is said."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from threading import Event

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome import Cohort, Recording
from napari_dynamic_connectome.affinity.coarse import coarse_affinity
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.shift import Shifter
from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.model.evidence import NOTHING
from napari_dynamic_connectome.pipeline.partition import partition
from napari_dynamic_connectome.pipeline.run import analyze, decompose
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.pipeline.surrogate_fits import Bins, fit_ranks, fit_surrogates, pair_matrices
from napari_dynamic_connectome.session.session import Session

NAMES = [
    f"{stem}{side}"
    for stem in ["AVA", "AVE", "AIB", "RIM", "AVB", "RIB", "RMD", "SMD", "SMB", "RIA", "RIV", "AIY"]
    for side in "LR"
]
QUICK = {"rank": {"largest": 3, "starts": 2, "folds": 0}, "communities": {"samples": 0, "starts": 1}, "kinds": ["core"]}


def cohort(
    seed: int, groups: int, *, worms: int = 4, samples: int = 500, stimuli: pd.DataFrame | None = None
) -> Cohort:
    """Independent noise; neurons 0-5 (and 6-11) follow a course of their own in every worm, which is smooth."""
    rng = np.random.default_rng(seed)
    kernel = np.exp(-0.5 * (np.arange(-12, 13) / 4) ** 2)
    recordings = []
    for worm in range(worms):
        traces = rng.normal(size=(samples, 24))
        traces = np.apply_along_axis(np.convolve, 0, traces, kernel, "same")
        for group in range(groups):
            course = np.convolve(rng.normal(size=samples), kernel, "same")
            traces[:, 6 * group : 6 * group + 6] = 0.5 * traces[:, 6 * group : 6 * group + 6] + course[:, None]
        keep = np.sort(rng.permutation(24)[:21])
        more = {} if stimuli is None else {"stimuli": stimuli}
        recordings.append(
            Recording.from_arrays(traces[:, keep], name=f"w{worm}", rate_hz=4, names=[NAMES[i] for i in keep], **more)
        )
    return Cohort(recordings)


def test_planted_groups_are_found_and_everyone_else_is_background():
    result = analyze(cohort(1, 2), PipelineSettings.parse({**QUICK, "chance": {"without_each_worm": True}}))
    assert not result.sweep.nothing and result.components.rank == result.sweep.suggested
    claims = [set(row["members"].split()) for c in result.communities.values() for _, row in c.table().iterrows()]
    assert {frozenset(c) for c in claims} == {frozenset(NAMES[:6]), frozenset(NAMES[6:12])}
    for communities in result.communities.values():
        table, states = communities.table(), communities.states()
        assert (table["q_value"] <= 0.05).all() and (table["ratio_low"] > 1).all()
        assert set(states[NAMES[12:]]) <= {"background", "not observed"}  # one was seen with others in one worm only
        assert "act together" in communities.answer
    table = result.sweep.chance.table.set_index("rank")
    assert table.loc[result.components.rank, "believable"] == 2
    assert (table["gain"] > table["chance_gain_high"]).any()
    choices = result.sweep.choices.groupby("varied")["rank"]
    assert choices.size().to_dict() == {"start": 2, "worm left out": 4}
    assert ((choices.median() - result.components.rank).abs() <= 0.5).all()
    support = result.components.support
    assert (support.loc[~support["background"], "p_value"] <= 0.05).all()
    assert (support["worms_low"] <= support["worms"] / 4).all()


def carried_cohort(seed: int) -> Cohort:
    """Two groups in five worms, and in the first worm seven more neurons that have one course."""
    worms = list(cohort(seed, 2, worms=5).recordings)
    kernel = np.exp(-0.5 * (np.arange(-12, 13) / 4) ** 2)
    course = np.convolve(np.random.default_rng(9).normal(size=worms[0].n_times), kernel, "same")
    traces = worms[0].traces.copy()
    names = [str(n) for n in traces["neuron"].values]
    there = [n for n in NAMES[12:19] if n in names]
    traces.loc[{"neuron": there}] = 0.3 * traces.loc[{"neuron": there}].values + 2 * course[:, None]
    worms[0] = Recording.from_arrays(traces.values, name="w0", rate_hz=4, names=names)
    return Cohort(worms)


def test_choices_beside_the_suggestion_obey_the_rule_about_what_one_worm_carries():
    settings = PipelineSettings.parse(
        {
            **QUICK,
            "rank": {"smallest": 1, "largest": 4, "starts": 3},
            "factorization": {"min_worms": 1, "max_sweeps": 60},
            "chance": {"without_each_worm": True},
        }
    )
    _, sweep, _ = decompose(carried_cohort(4), settings)
    assert sweep.suggested == 2 and "what one worm carries" in sweep.reason
    chosen = sweep.choices.groupby("varied")["rank"].apply(list)
    assert chosen["start"] == [2, 2, 2]  # 3 if what one worm carries counted
    _, sweep, _ = decompose(carried_cohort(5), settings)
    assert sweep.suggested == 3  # rank 2 mixes one group with what the first worm has alone
    chosen = sweep.choices.groupby("varied")["rank"].apply(list)
    assert chosen["worm left out"] == [2, 3, 3, 3, 3]


def test_without_each_worm_is_not_asked_where_there_is_no_structure():
    settings = PipelineSettings.parse({**QUICK, "chance": {"without_each_worm": True}})
    _, sweep, _ = decompose(cohort(2, 0), settings)
    assert sweep.nothing and set(sweep.choices["varied"]) == {"start"}


@pytest.mark.parametrize("seed", [2, 3])
def test_noise_is_no_structure_and_nobody_is_named(seed):
    noise = cohort(seed, 0)
    result = analyze(noise, PipelineSettings.parse(QUICK))
    assert result.sweep.suggested == 0 and result.components.rank == 0
    assert result.sweep.reason.startswith(NOTHING)
    assert result.communities == {}
    session = Session()
    result.put_into(session, noise)
    assert session.components is None and session.sweep.nothing


@pytest.mark.parametrize("seed", [5, 6])
def test_a_rank_that_the_user_chose_is_tested_too(seed):
    settings = PipelineSettings.parse({**QUICK, "rank": {"rank": 2, "starts": 1}, "chance": {"surrogates": 9}})
    result = analyze(cohort(seed, 0), settings)
    assert result.components.rank == 2
    assert all(not len(c.table()) and (c.labels.values == -1).all() for c in result.communities.values())


def test_surrogates_keep_each_neuron_and_break_who_goes_with_whom():
    affinity = compute_affinity(cohort(5, 1, worms=2))
    shifter = Shifter(affinity, cohort(5, 1, worms=2))
    made, again, other = shifter.make(3), shifter.make(3), shifter.make(4)
    for block, same, new, third in zip(affinity.blocks, again.blocks, made.blocks, other.blocks, strict=True):
        assert np.array_equal(same.features.size, new.features.size)
        assert not np.array_equal(new.features.size, third.features.size)
        assert np.array_equal(np.sort(block.features.size, axis=1), np.sort(new.features.size, axis=1))
        assert np.array_equal(block.features.size[:, :8], new.features.size[:, :8])  # two seconds at the end stay

    def inside(spec) -> float:
        mean = spec.mean_affinity().sel(neuron=NAMES[:6], neuron_b=NAMES[:6]).values
        return float(np.nanmean(mean[np.triu_indices(6, 1)]))

    assert inside(made) < 0.5 * inside(affinity)


def test_bins_are_means_of_the_affinity():
    affinity = compute_affinity(cohort(6, 1, worms=1))
    coarse = coarse_affinity(affinity, 2.0)
    fine, block = affinity.blocks[0].dense()[0], coarse.blocks[0]
    expected = np.stack([fine[:, a:b].mean(axis=1) for a, b in zip(block.edges[:-1], block.edges[1:])], axis=1)
    assert np.allclose(block.tile(0, len(fine), 0, len(block.observed)), expected, atol=1e-6)
    assert np.allclose(block.tile(3, 7, 5, 9), expected[3:7, 5:9], atol=1e-6)
    assert (np.diff(block.edges)[:-1] == 8).all()


def test_the_number_of_threads_changes_nothing_and_a_cancel_stops_it():
    mine = cohort(7, 1, worms=2, samples=200)
    shifter = Shifter(compute_affinity(mine), mine)
    settings = PipelineSettings().factorization
    one, two = (
        fit_surrogates(shifter, (1, 2), range(4), settings.model_copy(update={"threads": t}), held_out=1)
        for t in (1, 3)
    )
    assert one.top.equals(two.top) and one.explained.equals(two.explained) and one.held_out.equals(two.held_out)
    assert one.held_out.notna().any(axis=1).tolist() == [True, False, False, False]
    with pytest.raises(Cancelled):
        fit_surrogates(shifter, (1, 2), range(50), settings, cancel=lambda: True)


def test_a_cluster_gives_the_same_surrogates():
    distributed = pytest.importorskip("distributed")
    mine = cohort(7, 1, worms=2, samples=200)
    shifter, settings = Shifter(compute_affinity(mine), mine), PipelineSettings().factorization
    here = fit_surrogates(shifter, (1, 2), range(3), settings, held_out=1)
    told: list[float] = []
    local = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster, distributed.Client(cluster) as client:
        more = {"client": client, "progress": lambda share, _: told.append(share)}
        there = fit_surrogates(shifter, (1, 2), range(3), settings, held_out=1, **more)
        with pytest.raises(Cancelled):
            fit_surrogates(shifter, (1, 2), range(3), settings, client=client, cancel=lambda: True)
    for name in ("explained", "held_out", "top", "top_modules"):
        pd.testing.assert_frame_equal(getattr(there, name), getattr(here, name))
    assert told == sorted(told) and told[-1] == 1


def test_a_cluster_finds_the_same_communities():
    distributed = pytest.importorskip("distributed")
    mine = cohort(1, 2)
    settings = PipelineSettings.parse({**QUICK, "kinds": ["core", "modules"], "rank": {"rank": 2, "starts": 1}})
    components = decompose(mine, settings)[2]
    here = partition(components, settings)
    kept: list[int] = []
    local = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with distributed.LocalCluster(**local) as cluster, distributed.Client(cluster) as client:
        there = partition(components, settings, client=client, keep=lambda found: kept.append(len(found)))
        with pytest.raises(Cancelled):
            partition(components, settings, client=client, cancel=lambda: True)
    assert list(there) == list(here) and kept == [1, 2, 3, 4]
    assert any(len(c.table()) for c in here.values())
    for key, one in here.items():
        np.testing.assert_array_equal(one.labels.values, there[key].labels.values)
        np.testing.assert_array_equal(one.probability.values, there[key].probability.values)
        pd.testing.assert_frame_equal(one.table(), there[key].table())
        assert one.answer == there[key].answer


KILLED = """
import os, pickle, signal, sys
from pathlib import Path
from napari_dynamic_connectome.pipeline.kept import KeptPieces
from napari_dynamic_connectome.pipeline.run import decompose
save = KeptPieces.save

def last(self, piece, **arrays):
    save(self, piece, **arrays)
    if piece.startswith("surrogate2 "):
        os.kill(os.getpid(), signal.SIGKILL)

KeptPieces.save = last
decompose(*pickle.loads(Path(sys.argv[1]).read_bytes()), checkpoint=Path(sys.argv[2]))
"""


def test_a_killed_comparison_with_chance_goes_on_where_it_was(tmp_path, monkeypatch):
    worms = cohort(2, 1, worms=3, samples=300)
    settings = PipelineSettings.parse({**QUICK, "chance": {"surrogates": 11, "sweep_surrogates": 9}})
    settings = settings.model_copy(update={"factorization": settings.factorization.model_copy(update={"threads": 1})})
    (tmp_path / "what").write_bytes(pickle.dumps((worms, settings)))
    command = [sys.executable, "-c", KILLED, str(tmp_path / "what"), str(tmp_path / "kept")]
    killed = subprocess.run(command, check=False, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done: list[int] = []
    make = Shifter.make
    monkeypatch.setattr(Shifter, "make", lambda self, seed: [done.append(seed % 1000), make(self, seed)][1])
    _, again, _ = decompose(worms, settings, checkpoint=tmp_path / "kept")
    assert set(done) == set(range(3, 11))  # the first three were kept
    done.clear()
    _, alone, _ = decompose(worms, settings)
    assert set(done) == set(range(11))
    for name in ("table", "top", "top_modules"):
        one, two = getattr(again.chance, name), getattr(alone.chance, name)
        for key in one:
            assert one[key].equals(two[key]), (name, key)
    pd.testing.assert_frame_equal(again.choices, alone.choices)
    for rank, components in alone.components.items():
        pd.testing.assert_frame_equal(again.components[rank].support, components.support)
        pair = [c.diagnostics["chance"].get("pair") for c in (again.components[rank], components)]
        np.testing.assert_array_equal(*pair)
    monkeypatch.setattr(Shifter, "make", make)
    kept = {p.name: p.read_bytes() for p in (tmp_path / "kept" / "chance").iterdir()}
    other = settings.model_copy(update={"seed": 5})
    decompose(worms, other, checkpoint=tmp_path / "kept")
    after = {p.name: p.read_bytes() for p in (tmp_path / "kept" / "chance").iterdir()}
    assert len(after) > len(kept) and all(after[name] == data for name, data in kept.items())


def test_blocks_too_short_to_shift_are_said_and_nothing_is_claimed():
    often = pd.DataFrame({"name": "a", "onset": np.arange(2.0, 120, 6.0), "offset": np.arange(4.0, 122, 6.0)})
    settings = PipelineSettings.parse({**QUICK, "affinity": {"alignment": "none"}})
    result = analyze(cohort(8, 2, stimuli=often), settings)
    assert "cannot be shifted" in result.sweep.reason
    assert result.components.rank > 0 and result.components.support["p_value"].isna().all()
    for communities in result.communities.values():
        states = communities.states()
        assert not (states == "member").any()
        assert communities.answer.startswith("Not compared with chance")


def test_pairs_of_one_worm_are_left_out_where_there_are_three_and_that_is_said():
    rng = np.random.default_rng(9)
    traces = rng.normal(size=(200, 4))
    shown = [[0, 1, 2], [0, 1, 2], [0, 1, 3]]
    worms = [
        Recording.from_arrays(traces[:, k], name=f"w{i}", rate_hz=4, names=[NAMES[j] for j in k])
        for i, k in enumerate(shown)
    ]
    settings = PipelineSettings.parse({"rank": {"rank": 1, "starts": 1}, "chance": {"method": "none"}})
    three, two = (decompose(Cohort(w), settings)[2] for w in (worms, worms[:2]))
    lost = {
        (str(a), str(b))
        for a, b, value in zip(
            three.pair["neuron_a"].values, three.pair["neuron_b"].values, three.pair.values[:, 0], strict=True
        )
        if np.isnan(value)
    }
    assert len(lost) == 2 and all(NAMES[3] in pair for pair in lost)
    assert any("fewer than 2 worms" in note for note in three.diagnostics["notes"])
    assert not np.isnan(two.pair.values).any()


def smooth(rng: np.random.Generator, samples: int, neurons: int) -> np.ndarray:
    kernel = np.exp(-0.5 * (np.arange(-12, 13) / 4) ** 2)
    return np.apply_along_axis(np.convolve, 0, rng.normal(size=(samples, neurons)), kernel, "same")


def worm(name: str, traces: np.ndarray, first: int = 0) -> Recording:
    return Recording.from_arrays(traces, name=name, rate_hz=4, names=NAMES[first : first + traces.shape[1]])


def test_one_worm_is_tested_like_many_but_not_said_to_be_shown_by_worms():
    quiet = [analyze(cohort(seed, 0, worms=1), PipelineSettings.parse(QUICK)) for seed in (200, 201)]
    assert all(r.components.rank == 0 and not r.communities for r in quiet)
    result = analyze(cohort(5, 2, worms=1), PipelineSettings.parse(QUICK))
    claims = {frozenset(row["members"].split()) for c in result.communities.values() for _, row in c.table().iterrows()}
    assert claims and all(c <= set(NAMES[:6]) or c <= set(NAMES[6:12]) for c in claims)
    assert (result.components.support["worms_low"].fillna(0) < 0.5).all()


def test_all_neurons_in_one_motif_are_one_component_without_a_group():
    rng = np.random.default_rng(1)
    worms = [worm(f"w{i}", 0.3 * smooth(rng, 500, 20) + smooth(rng, 500, 1)) for i in range(3)]
    result = analyze(Cohort(worms), PipelineSettings.parse(QUICK))
    assert result.components.rank == 1 and "all neurons together" in result.sweep.reason
    assert "no group stands out" in result.sweep.reason
    assert all(not len(c.table()) for c in result.communities.values())


def test_what_cannot_be_analyzed_is_refused_with_what_to_do():
    rng = np.random.default_rng(2)
    settings = PipelineSettings.parse(QUICK)
    apart = Cohort([worm("a", smooth(rng, 300, 8)), worm("b", smooth(rng, 300, 8), first=8)])
    with pytest.raises(InputError, match=r"a shares no pair of neurons with any other worm.*name more"):
        analyze(apart, settings)
    with pytest.raises(InputError, match=r"every affinity is zero.*noise threshold"):
        analyze(Cohort([worm(n, np.ones((300, 8))) for n in "ab"]), settings)


def test_ranks_that_are_fitted_together_are_the_same_as_one_by_one():
    affinity = compute_affinity(cohort(4, 2))
    settings = PipelineSettings().factorization
    together = fit_ranks(affinity, (1, 2, 4), settings, seed=3, stop=Event(), held_out=True)
    for rank, fit in together.items():
        alone = fit_ranks(affinity, (rank,), settings, seed=3, stop=Event(), held_out=True)[rank]
        assert fit.explained == pytest.approx(alone.explained, abs=1e-6)
        assert fit.held_out == pytest.approx(alone.held_out, abs=1e-4)
        assert (fit.top, fit.top_modules) == pytest.approx((alone.top, alone.top_modules), rel=1e-3)
        assert len(fit.matrices) == rank


def test_components_are_compared_with_surrogates_on_the_bins_of_these():
    affinity = compute_affinity(cohort(4, 2))
    settings = PipelineSettings().factorization
    bins = Bins(affinity, 2, settings, seed=0, stop=Event())
    _, pair, _ = bins.fit((2,))
    again = bins.refit(pair, np.ones(pair.shape[:2], bool))
    for one, other in zip(pair[0], again[0], strict=True):  # a fit of the bins is its own
        assert np.corrcoef(one, other)[0, 1] > 0.999
    fine = factorize(affinity, 2, settings, starts=2)
    fitted = bins.refit(np.nan_to_num(fine.pair.values.T)[None], np.ones((1, 2), bool))
    for k, weights in enumerate(pair_matrices(bins.prepared.problem, fitted[0])):
        values = fine.matrix(k + 1).values
        known = np.isfinite(weights) & np.isfinite(values)
        assert 0.9 < np.corrcoef(weights[known], values[known])[0, 1] < 1


def test_a_component_that_is_two_others_together_has_no_communities():
    rng = np.random.default_rng(0)
    found = factorize(compute_affinity(cohort(5, 2)), 3, starts=1)
    rows, columns = found._places
    groups = [range(6), range(6, 12), range(12)]
    inside = np.stack([np.isin(rows, g) & np.isin(columns, g) for g in groups], axis=1)
    values = np.where(inside, 5.0, 0.5) * rng.uniform(0.8, 1.2, inside.shape)
    pair = found.pair.copy(data=np.where(np.isfinite(found.pair.values), values, np.nan))
    chance = {"method": "circular shift", "note": "", "surrogates": 9, "top": [4.0, 5, 4.5, 5, 4, 4.2, 4.6, 4.8, 4.4]}
    chance |= {"top_modules": chance["top"], "pair": pair.values.astype(np.float32)}
    components = replace(found, pair=pair, diagnostics={"chance": chance})
    communities = partition(components, PipelineSettings.parse(QUICK))
    assert [len(communities[k, "core"].table()) for k in (1, 2, 3)] == [1, 1, 0]
    assert "components 1 and 2" in communities[3, "core"].answer
