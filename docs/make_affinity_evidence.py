"""Make docs/pages/affinity_evidence.md and its figure from real runs: python docs/make_affinity_evidence.py (some minutes).

Compares kinds and settings of affinities on planted motifs and on left/right pairs of real worms. The real recordings are not part
of the project: their folder is taken from the environment variable DYNAMIC_CONNECTOME_DATA, or is `shared/data` beside the project.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from napari_dynamic_connectome import Cohort, Recording, compute_affinity, factorize, simulate_cohort
from napari_dynamic_connectome.affinity import surrogate_cohort
from napari_dynamic_connectome.model import is_canonical, left_right_pairs
from napari_dynamic_connectome.report.figure_style import ACCENT, INK, MUTED, new_figure, styled

HERE = Path(__file__).parent
WORMS = ("2022-07-26-31", "2022-07-26-38", "2022-07-27-31", "2022-08-02-31")
NOISE = (0.02, 0.05, 0.1, 0.2, 0.4)
RATES = (1.5, 3.0, 10.0)
SEEDS = (0, 1)
STARTS = 4

PLAIN = "plain absolute Pearson, whole recording"
DEFAULT = "**differential, same sign (the default)**"
ABSOLUTE = "differential, absolute (the paper's choice)"

PAGE = """\
# Which affinity? The evidence for the defaults

Every number and the figure on this page come from one script, `docs/make_affinity_evidence.py`. It asks
three questions of every measure: does it find pairs that are known to belong together in real worms, does it find motifs that were
planted in simulated ones, and do the components made from it mean something?

![Planted motifs and left/right pairs](../images/affinity_evidence.png)

*Left: how well pairs that share a planted motif (with the same sign) stand out from all others, by noise and sampling rate; 0.5 is
chance. Right: every dot is one left/right pair of neurons in four real worms, placed at its percentile among all pairs; bars are
means.*

## Left/right pairs, planted pairs

* **L/R percentile**: four freely moving worms (Dag et al. 2023), {{n_neurons}} neurons with a name of confidence 3 or more that were
  seen in three worms or more. For each of the {{n_pairs}} left/right pairs, the percentile of its time-averaged affinity among all
  pairs; mean. Chance is 0.5.
* **after shifting**: the same after every neuron was shifted in time by an amount of its own. What is left above 0.5 is not timing: left
  and right neurons are about equally active.
* **same sign, either sign**: area under the ROC curve for pairs that share a planted motif and move the same way, or either way, against
  pairs that share none. Two worms at a time, {{rates_text}} Hz, no bleaching and no motion artefacts, two seeds; means over quieter and
  noisier recordings.
* **uncorrected traces**: same sign, 3 Hz, noise 0.05, bleaching and motion artefacts left in.

{{static}}

Same sign, by sampling rate and noise (standard deviation of the noise at baseline; a fully driven neuron reaches 0.9):

{{rates}}

What this says:

* **The default beats plain correlation on the real control** ({{default}} against {{plain}}), and so does the paper's choice,
  `absolute` ({{absolute}}), with the scaling that we chose. Without it (`scale peak, exponent 1`) `absolute` falls well below plain
  correlation: a few strong neurons then look affine to everything.
* **On clean planted motifs, plain correlation of whole recordings is a little better** than every affinity here. It may let
  agreement and disagreement cancel, which a non-negative affinity cannot. It has no time axis, though, and it is fooled by what
  all neurons share: on uncorrected traces it falls far below.
* The **positive part** of the plain correlation does better on left/right pairs than its absolute value, and than the default: left
  and right neurons seldom oppose each other, so that looking for opposites mostly adds other pairs. The same should explain why `same` is
  better than `absolute` here.
* **`same` is blind to pairs of opposite sign** (columns *either sign*). If those matter, use `signed`, which keeps both layers apart, or
  `absolute`.
* **A noise threshold (`kappa`) up to 1 helps a little at planted pairs and hurts on real ones**, probably because real neurons with
  weak signals are silenced. We chose 0; 1 to 2 gives sparser affinities.
* **Edge time series of the same sign do as well as the default** by all of these measures.
* **`exponent` trades the two controls** against each other: 1 is best on left/right pairs, 2 on planted ones; the default lies
  between.
* At 1.5 Hz and high noise nothing works well. Twice the rate is worth more than any setting.

## Components

Non-negative components of the affinities. *Motifs*: four motifs planted in six simulated worms with stimuli (aligned by stimulus
identity), rank 4; area under the ROC curve of each motif's same-sign pairs in the pair factor that matches it. *Reversals*: the four
real worms, unaligned, rank 3: the component that follows the worm's reversals best, mean correlation of its time course with them over
the worms, and the neurons that are strongest in it. *Same from every start*: similarity of {{starts}} random starts.

{{dynamic}}

The default finds the reversal circuit (AVA, AVE, AIB) without tuning. `absolute` follows the reversals a little better, and
recovers planted same-sign motifs less well. Sliding correlation recovers planted motifs well (its same-sign version best of
all at low noise), but its components follow reversals poorly, probably because its window blurs time.

## Limits

Four worms from one laboratory and simulations with our own idea of a motif are little evidence. Left/right pairs are a control,
not a truth: some, such as ASEL and ASER, do different things, and some names are wrong. Defaults were chosen on these same worms, so that
their percentiles are slightly flattering. Affinity says that two neurons change together, not that one drives the other.
"""

PEAK = {"scale": "peak", "exponent": 1.0}
METHODS: dict[str, dict[str, Any] | str] = {
    PLAIN: "absolute",
    "plain Pearson, positive part": "same",
    DEFAULT: {},
    ABSOLUTE: {"sign": "absolute"},
    "differential, signed (larger of the two)": {"sign": "signed"},
    "default, kappa 0.5": {"kappa": 0.5},
    "default, kappa 1": {"kappa": 1.0},
    "default, kappa 2": {"kappa": 2.0},
    "default, exponent 1": {"exponent": 1.0},
    "default, exponent 2": {"exponent": 2.0},
    "default, sigma 0.5 s": {"sigma_s": 0.5},
    "default, sigma 2 s": {"sigma_s": 2.0},
    "scale peak, exponent 1, same": {**PEAK},
    "scale peak, exponent 1, kappa 1.5, same": {**PEAK, "kappa": 1.5},
    "scale peak, exponent 1, absolute": {**PEAK, "sign": "absolute"},
    "scale peak, exponent 1, kappa 1.5, absolute": {**PEAK, "kappa": 1.5, "sign": "absolute"},
    "edge time series, same": {"kind": "edge time series"},
    "edge time series, absolute": {"kind": "edge time series", "sign": "absolute"},
    "sliding correlation 20 s, same": {"kind": "sliding correlation"},
    "sliding correlation 20 s, absolute": {"kind": "sliding correlation", "sign": "absolute"},
}
DYNAMIC = {
    DEFAULT: {},
    "differential, absolute": {"sign": "absolute"},
    "differential, signed": {"sign": "signed"},
    "scale peak, exponent 1, kappa 1.5, absolute": {**PEAK, "kappa": 1.5, "sign": "absolute"},
    "edge time series, same": {"kind": "edge time series"},
    "sliding correlation 20 s, same": {"kind": "sliding correlation"},
    "sliding correlation 20 s, absolute": {"kind": "sliding correlation", "sign": "absolute"},
}


def data_folder() -> Path:
    """Folder of the development data."""
    asked = os.environ.get("DYNAMIC_CONNECTOME_DATA")
    folder = Path(asked) if asked else HERE.parents[1] / "shared" / "data"
    if not (folder / "traces").is_dir():
        raise SystemExit(
            "the real recordings are not here: set DYNAMIC_CONNECTOME_DATA to the folder that holds traces/"
        )
    return folder


def real_worms(folder: Path) -> Cohort:
    """Four freely moving worms of Dag et al. 2023; names of confidence 3 and up, neurons seen in 3 worms or more."""
    recordings = []
    for uid in WORMS:
        with np.load(folder / "traces" / f"dag2023_{uid}.npz", allow_pickle=False) as data:
            names = [str(n) for n in data["names"]]
            reversal = xr.Dataset({"reversal": (("time",), data["beh_reversal"].astype(float))})
            recordings.append(
                Recording.from_arrays(
                    data["traces"],
                    name=uid,
                    time_s=data["t"],
                    names=[n if is_canonical(n) and names.index(n) == k else "" for k, n in enumerate(names)],
                    confidence=data["label_confidence"],
                    behaviour=reversal,
                )
            )
    return Cohort(recordings, min_worms=3, min_confidence=3)


def pearson(cohort: Cohort, sign: str) -> np.ndarray:
    """Correlation over the whole recording, mean over worms, (neuron, neuron)."""
    total = np.zeros((len(cohort.neurons),) * 2)
    count = total.copy()
    for worm in range(len(cohort.worms)):
        traces = cohort.traces_of(worm)
        at = [cohort.neurons.index(n) for n in traces["neuron"].values]
        r = np.corrcoef(traces.values.T)
        total[np.ix_(at, at)] += np.abs(r) if sign == "absolute" else np.maximum(r, 0)
        count[np.ix_(at, at)] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def pair_scores(cohort: Cohort, method: dict[str, Any] | str) -> np.ndarray:
    """One number a pair, averaged over time and worms, (neuron, neuron)."""
    if isinstance(method, str):
        return pearson(cohort, method)
    spec = compute_affinity(cohort, alignment="none", **method)
    layers = [spec.mean_affinity(sign=s).values for s in spec.signs]
    return np.asarray(np.maximum.reduce(layers))


def auroc(scores: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve: how often a true pair scores above another one."""
    ranks, n_true = rankdata(scores), int(truth.sum())
    return float((ranks[truth].sum() - n_true * (n_true + 1) / 2) / (n_true * (~truth).sum()))


def left_right(matrix: np.ndarray, neurons: tuple[str, ...]) -> np.ndarray:
    """Percentile of every left/right pair among all observed pairs."""
    rows, columns = np.triu_indices(len(neurons), 1)
    seen = np.isfinite(matrix[rows, columns])
    rows, columns = rows[seen], columns[seen]
    percentile = (rankdata(matrix[rows, columns]) - 0.5) / len(rows)
    wanted = {frozenset(p) for p in left_right_pairs(list(neurons))}
    chosen = [frozenset((neurons[i], neurons[j])) in wanted for i, j in zip(rows, columns, strict=True)]
    return np.asarray(percentile[chosen])


def planted(cohort: Cohort, truth: Any) -> np.ndarray:
    """+1 where two neurons share a motif with the same sign, -1 with opposite signs only, 0 elsewhere."""
    index = {n: i for i, n in enumerate(cohort.neurons)}
    planted = np.zeros((len(index),) * 2)
    for _, group in truth.members.groupby("motif"):
        group = group[group["neuron"].isin(list(index))]
        at = [index[n] for n in group["neuron"]]
        block = np.ix_(at, at)
        planted[block] = np.where(planted[block] == 1, 1, np.outer(group["sign"], group["sign"]))
    return planted


Simulated = dict[tuple[float, float], list[tuple[Cohort, Any]]]


def simulate(noise: tuple[float, ...], rates: tuple[float, ...], **options: Any) -> Simulated:
    """Two cohorts of two worms a noise level and rate."""
    return {
        (level, rate): [simulate_cohort(n_worms=2, noise=level, rate_hz=rate, seed=seed, **options) for seed in SEEDS]
        for level in noise
        for rate in rates
    }


def planted_auroc(simulated: Simulated, method: dict[str, Any] | str) -> dict[tuple[float, float], tuple[float, float]]:
    """AUROC for pairs that share a motif with the same sign, and with either sign."""
    found = {}
    for key, cohorts in simulated.items():
        parts = []
        for cohort, truth in cohorts:
            upper = np.triu_indices(len(cohort.neurons), 1)
            scores, sign = pair_scores(cohort, method)[upper], planted(cohort, truth)[upper]
            seen = np.isfinite(scores)
            same = seen & (sign >= 0)
            parts.append((auroc(scores[same], sign[same] > 0), auroc(scores[seen], sign[seen] != 0)))
        found[key] = (float(np.mean([p[0] for p in parts])), float(np.mean([p[1] for p in parts])))
    return found


def recovered(cohort: Cohort, truth: Any, method: dict[str, Any]) -> float:
    """Mean AUROC of the planted motifs' pairs in the pair factors of the components that match them best."""
    spec = compute_affinity(cohort, **method)
    motifs = truth.motifs["motif"].tolist()
    components = factorize(spec, len(motifs), starts=STARTS, seed=0)
    index = {n: i for i, n in enumerate(cohort.neurons)}
    upper = np.triu_indices(len(index), 1)
    scores = np.zeros((len(motifs), len(motifs)))
    for row, motif in enumerate(motifs):
        group = truth.members[(truth.members["motif"] == motif) & truth.members["neuron"].isin(list(index))]
        member = np.zeros(len(index))
        member[[index[n] for n in group["neuron"]]] = group["sign"]
        pair = np.outer(member, member)[upper]
        for component in range(1, len(motifs) + 1):
            values = components.matrix(component).values[upper]
            # Pairs of opposite sign are not what `same` looks for, and not a mistake of the other modes.
            use = np.isfinite(values) & (pair >= 0)
            scores[row, component - 1] = auroc(values[use], pair[use] > 0)
    best = linear_sum_assignment(-scores)
    return float(scores[best].mean())


def reversal_component(cohort: Cohort, method: dict[str, Any]) -> tuple[float, str, float]:
    """Correlation with reversals of the component that follows them best (rank 3), its leading neurons, similarity of starts."""
    components = factorize(compute_affinity(cohort, alignment="none", **method), 3, starts=STARTS, seed=0)
    best = (-1.0, "")
    for component in range(1, 4):
        r = []
        for recording in cohort.recordings:
            course = components.time_course(component, recording.name)
            on = np.interp(course["time"].values, recording.time_s, recording.behaviour["reversal"].values)
            r.append(np.corrcoef(course.values, on)[0, 1])
        strength = components.strength(component).to_series().sort_values(ascending=False)
        best = max(best, (float(np.mean(r)), " ".join(strength.index[:6])))
    return best[0], best[1], float(components.diagnostics["similarity"])


def table(header: list[str], rows: list[list[str]]) -> str:
    """Markdown table."""
    return "\n".join(["| " + " | ".join(r) + " |" for r in [header, ["---"] * len(header), *rows]])


def draw(
    planted_by_method: dict[str, dict[tuple[float, float], tuple[float, float]]], control: dict[str, np.ndarray]
) -> None:
    """AUROC by noise at each rate, and the left/right percentiles."""
    shown = {
        PLAIN: (MUTED, "--", "plain |Pearson|"),
        DEFAULT: (ACCENT, "-", "differential, same (default)"),
        ABSOLUTE: (INK, "-", "differential, absolute"),
        "sliding correlation 20 s, absolute": (INK, ":", "sliding |Pearson|, 20 s"),
    }
    with styled():
        figure = new_figure(9.2, 2.9)
        axes = figure.subplots(1, 4, width_ratios=[1, 1, 1, 1.25])
        for panel, rate in zip(axes, RATES, strict=False):
            for method, (colour, line, label) in shown.items():
                values = [planted_by_method[method][level, rate][0] for level in NOISE]
                panel.plot(NOISE, values, color=colour, ls=line, marker="o", ms=2.5, label=label)
            panel.set(xscale="log", ylim=(0.45, 1.01), xlabel="noise (dF/F0)", title=f"planted motifs, {rate:g} Hz")
            panel.set_xticks(NOISE, [f"{level:g}" for level in NOISE])
            panel.minorticks_off()
        axes[0].set_ylabel("area under the ROC curve")
        axes[0].legend(loc="lower left")
        last = axes[3]
        for row, (method, (colour, _, label)) in enumerate(shown.items()):
            values = np.sort(control[method])
            last.scatter(
                values, np.full(len(values), -row) + np.linspace(-0.2, 0.2, len(values)), s=5, color=colour, lw=0
            )
            last.plot([values.mean()] * 2, [-row - 0.35, -row + 0.35], color=colour, lw=1.5)
            last.text(-0.02, -row + 0.4, f"{label}  {values.mean():.2f}", fontsize=6.5, color=INK)
        last.set(yticks=[], xlim=(-0.03, 1.03), ylim=(-len(shown) + 0.4, 0.8), xlabel="percentile among all pairs")
        last.spines["left"].set_visible(False)
        last.set_title("left/right pairs, four real worms")
        figure.savefig(HERE / "images" / "affinity_evidence.png")


def main() -> None:
    """Run everything and write the page."""
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    worms = real_worms(data_folder())
    shifted = [surrogate_cohort(worms, seed=seed) for seed in SEEDS]
    clean = {"bleaching": 0.0, "artefacts_per_min": 0.0}
    simulated = simulate(NOISE, RATES, **clean)
    raw = simulate((0.05,), (3.0,))
    control, by_method, rows = {}, {}, []
    for name, method in METHODS.items():
        control[name] = left_right(pair_scores(worms, method), worms.neurons)
        null = np.mean([left_right(pair_scores(s, method), s.neurons).mean() for s in shifted])
        by_method[name] = found = planted_auroc(simulated, method)
        quiet = [v for (level, _), v in found.items() if level <= 0.1]
        loud = [v for (level, _), v in found.items() if level > 0.1]
        uncorrected = next(iter(planted_auroc(raw, method).values()))
        rows.append(
            [
                name,
                f"{control[name].mean():.3f}",
                f"{null:.2f}",
                *(f"{np.mean([v[side] for v in part]):.3f}" for side in (0, 1) for part in (quiet, loud)),
                f"{uncorrected[0]:.3f}",
            ]
        )
    draw(by_method, control)
    by_rate = [
        [name, f"{rate:g}", *(f"{by_method[name][level, rate][0]:.2f}" for level in NOISE)]
        for name in (
            PLAIN,
            DEFAULT,
            ABSOLUTE,
        )
        for rate in RATES
    ]
    cohorts = [
        [simulate_cohort(n_worms=6, noise=level, rate_hz=3.0, seed=seed, **clean) for seed in SEEDS]
        for level in (0.05, 0.2)
    ]
    dynamic = []
    for name, method in DYNAMIC.items():
        r, leaders, similarity = reversal_component(worms, method)
        levels = [np.mean([recovered(c, t, method) for c, t in group]) for group in cohorts]
        dynamic.append([name, *(f"{v:.3f}" for v in levels), f"{r:.2f}", leaders, f"{similarity:.2f}"])
    values_of_page = {
        "n_pairs": len(next(iter(control.values()))),
        "n_neurons": len(worms.neurons),
        "rates_text": ", ".join(f"{rate:g}" for rate in RATES),
        "starts": STARTS,
        "plain": f"{control[PLAIN].mean():.2f}",
        "default": f"{control[DEFAULT].mean():.2f}",
        "absolute": f"{control[ABSOLUTE].mean():.2f}",
        "static": table(
            [
                "measure",
                "L/R percentile",
                "after shifting",
                "same sign, noise <= 0.1",
                "same sign, noise >= 0.2",
                "either sign, noise <= 0.1",
                "either sign, noise >= 0.2",
                "uncorrected traces",
            ],
            rows,
        ),
        "rates": table(["measure", "Hz", *(f"noise {level:g}" for level in NOISE)], by_rate),
        "dynamic": table(
            [
                "measure",
                "motifs, noise 0.05",
                "motifs, noise 0.2",
                "r with reversals",
                "strongest neurons",
                "same from every start",
            ],
            dynamic,
        ),
    }
    text = PAGE
    for key, value in values_of_page.items():
        text = text.replace("{{" + key + "}}", str(value))
    (HERE / "pages" / "affinity_evidence.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
