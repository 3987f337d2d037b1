"""Small forms of the rows of `bench_trust.py claims` and `seeds`: what is claimed of planted cohorts is there, whatever the seed."""

from __future__ import annotations

from functools import cache

import pytest
from sklearn.metrics import adjusted_rand_score

from napari_dynamic_connectome import Cohort, simulate_cohort
from napari_dynamic_connectome.model.truth import Truth
from napari_dynamic_connectome.pipeline.run import AnalysisResult, analyze
from napari_dynamic_connectome.pipeline.settings import PipelineSettings

QUICK = {"rank": {"largest": 6, "starts": 3, "folds": 0}, "communities": {"samples": 0, "starts": 2}}


@cache
def planted(seed: int) -> tuple[Cohort, Truth]:
    """Six worms with three motifs of ten neurons, some of which fall while the others rise."""
    return simulate_cohort(n_worms=6, n_neurons=48, duration_s=160, rate_hz=4, n_motifs=3, motif_size=10, seed=seed)


@cache
def analyzed(cohort_seed: int, seed: int) -> AnalysisResult:
    return analyze(planted(cohort_seed)[0], PipelineSettings.parse({**QUICK, "seed": seed}))


def claims(result: AnalysisResult) -> list[set[str]]:
    return [set(row["members"].split()) for c in result.communities.values() for _, row in c.table().iterrows()]


def overlap(a: set[str], b: set[str]) -> float:
    return len(a & b) / len(a | b)


@pytest.mark.parametrize("seed", [900, 902])
def test_every_claim_is_a_motif_and_the_motifs_are_found(seed: int) -> None:
    result, truth = analyzed(seed, 0), planted(seed)[1]
    motifs = [set(g) for _, g in truth.members.groupby("motif")["neuron"]]
    found = claims(result)
    assert len(found) >= 3
    assert [sorted(c) for c in found if max(overlap(c, m) for m in motifs) < 0.5] == []
    assert all(max(overlap(c, m) for c in found) >= 0.7 for m in motifs)
    support = result.components.support
    assert int((~support["background"]).sum()) == len(motifs)


def test_two_seeds_say_the_same_of_the_neurons_that_they_are_sure_of() -> None:
    """Of *core*; groups of *modules* near the limit may be claimed with one seed alone."""
    one, two = (analyzed(902, seed) for seed in (0, 1))
    compared = 0
    for (_, kind), first in one.communities.items():
        if kind != "core" or not len(first.table()):
            continue
        scores = []
        for (_, other), second in two.communities.items():
            if other != kind or not len(second.table()):
                continue
            sure = ((first.states() != "unsure") & (second.states() != "unsure")).to_numpy()
            a, b = (c.labels.values[c.chosen_level][sure] for c in (first, second))
            scores.append(adjusted_rand_score(a, b))
        assert max(scores) >= 0.9
        compared += 1
    assert compared >= 3
