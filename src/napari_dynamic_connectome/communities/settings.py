"""Settings of the communities: which block model is fitted, how long it is searched, what is tested against chance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from ..model.settings import StepSettings, setting
from .methods import METHODS

if TYPE_CHECKING:
    Method = str
else:
    Method = Literal[("sbm", *METHODS)]


class CommunitySettings(StepSettings):
    """How the communities of a weighted graph or a component are found."""

    method: Method = setting(
        "sbm",
        "The nested block model (sbm), or modularity by Louvain or Leiden, or spectral clustering, to compare with: all others "
        "give one level, the same for modules and core, without probabilities.",
    )
    likelihood: Literal["auto", "counts+weights", "weights"] = setting(
        "auto",
        "What the block model explains: which pairs are linked and how strongly (the paper's model), or only how strongly "
        "(for nearly complete graphs); auto: counts+weights for core, weights for modules.",
    )
    weight_model: Literal["exponential", "normal", "lognormal", "none", "auto"] = setting(
        "auto",
        "Distribution of the weights between two groups: exponential (the paper's), normal, lognormal, none (links only); "
        "auto: exponential or lognormal, by description length; exponential if half of all links are present or more.",
    )
    partition: Literal["auto", "consensus", "shortest"] = setting(
        "auto",
        "How one partition is chosen: what many sampled partitions agree on (consensus; only for exponential weights and "
        "groups that are stronger inside), or the one of shortest description; auto: consensus for modules, shortest for core.",
    )
    degree_correction: Literal["auto", "yes", "no"] = setting(
        "auto", "Let neurons of one group differ in degree; auto: by description length. Only for counts+weights."
    )
    normalize_strength: Literal["auto", "yes", "no"] = setting(
        "auto", "Divide weights by the strengths of their two neurons first; auto: for modules, not for core."
    )
    zeros: Literal["auto", "absent", "weak"] = setting(
        "absent",
        "An observed pair of weight zero is no link (absent) or a link of nearly no weight (weak); auto: weak only where "
        "just the weights are explained and at least half of the observed pairs have weight.",
    )
    threshold: float = setting(0.0, "Weights up to this fraction of the largest one are set to zero.", ge=0, lt=1)
    starts: int = setting(
        4,
        "Independent searches, of which the lowest description length wins; for a consensus, pairs of sampling chains.",
        ge=1,
        le=1000,
    )
    rounds: int = setting(
        12, "At most this many rounds of merge, split and hierarchy moves in each start.", ge=0, le=1000
    )
    max_groups: int = setting(120, "At most this many groups at the finest level.", ge=1, le=2000)
    samples: int = setting(
        200, "Partitions drawn from the posterior (0: no membership probabilities).", ge=0, le=100_000
    )
    null_fits: int = setting(
        29,
        "Fits on graphs with shuffled weights, for the p values (0: none; 19 or more to reach 0.05; 29 keep clear of it).",
        ge=0,
        le=10_000,
    )
    null: Literal["weights", "circular shift", "phase randomisation"] = setting(
        "weights",
        "What chance means: the same weights shuffled over the pairs, or components of cohorts in which every neuron was "
        "shifted in time by its own amount, or got random phases (pipeline and docks; the traces must be at hand).",
    )
    surrogates: int = setting(
        10, "Surrogate cohorts, each giving a null graph a component (not for null = weights).", ge=1, le=10_000
    )
    alpha: float = setting(0.05, "If p of 'more than one group' exceeds this, one group is shown first.", gt=0, le=1)
    level: Literal["auto", "finest"] = setting(
        "auto",
        "Level shown first. auto: the finest one, or one single group where chance explains as much (p above alpha); "
        "finest: always the finest.",
    )
    resolution: float = setting(1.0, "Resolution of Louvain and Leiden.", gt=0, le=100)
    groups: int = setting(
        0, "Number of groups of spectral clustering (0: by the largest eigenvalue gap).", ge=0, le=2000
    )
