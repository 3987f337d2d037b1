"""Every kind of affinity against plain loops written from its definition, one pair and one time at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from napari_dynamic_connectome import Cohort, Recording
from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.affinity.features import LongRunFeatures
from napari_dynamic_connectome.affinity.kernels import ANY, OPPOSITE, SAME, run_lengths
from napari_dynamic_connectome.affinity.measures import KINDS
from napari_dynamic_connectome.affinity.measures.differential import run_features
from napari_dynamic_connectome.affinity.sampling import sample_worm

RATE = 4.0
NAMES = ["AVAL", "AVAR", "AVEL", "RIBL", "SMDVL"]


def make_traces(seed: int, n_times: int = 90, n: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    walk = rng.standard_normal((n_times, n)).cumsum(axis=0)
    walk[:, 1] = walk[:, 0] + rng.standard_normal(n_times)
    walk[:, 2] = -walk[:, 0] + rng.standard_normal(n_times)
    return walk + 0.3 * rng.standard_normal((n_times, n))


def slopes_by_polyfit(t, x, sigma):
    """Slope of a weighted straight line around every sample, and the 2-norm of its coefficients."""
    slope, gain = np.zeros(len(t)), np.zeros(len(t))
    for a, now in enumerate(t):
        near = np.flatnonzero(np.abs(t - now) <= 4 * sigma)
        lag = t[near] - now
        # polyfit multiplies residuals, so it wants the root of the weights.
        root = np.exp(-((lag / sigma) ** 2) / 4)
        slope[a] = np.polyfit(lag, x[near], 1, w=root)[0]
        impulses = [np.polyfit(lag, unit, 1, w=root)[0] for unit in np.eye(len(near))]
        gain[a] = math.sqrt(sum(c * c for c in impulses))
    return slope, gain


def strengths_by_loops(t, x, sigma, kappa, scale, exponent):
    slope, gain = slopes_by_polyfit(t, x, sigma)
    second = [x[k - 1] - 2 * x[k] + x[k + 1] for k in range(1, len(x) - 1)]
    middle = float(np.median(second))
    eta = 1.4826 * float(np.median([abs(s - middle) for s in second])) / math.sqrt(6)
    u = [max(abs(d) - kappa * eta * g, 0.0) for d, g in zip(slope, gain, strict=True)]
    full = float(np.percentile(u, 99)) if scale == "peak" else 3 * sum(u) / len(u)
    full = max(full, 3 * eta * float(np.median(gain)))
    return [math.copysign(min(v / full, 1.0) ** exponent, d) if v > 0 else 0.0 for v, d in zip(u, slope, strict=True)]


def joint_run(ri, rj, t):
    """Samples around t in which both signs are non-zero and stay what they are at t."""
    if ri[t] == 0 or rj[t] == 0:
        return 0

    def same(s):
        return ri[s] != 0 and rj[s] != 0 and (ri[s] > 0) == (ri[t] > 0) and (rj[s] > 0) == (rj[t] > 0)

    first = last = t
    while first > 0 and same(first - 1):
        first -= 1
    while last + 1 < len(ri) and same(last + 1):
        last += 1
    return last - first + 1


def differential_by_loops(t, x, *, sign, sigma=1.0, kappa=0.0, min_run_s=0.75, scale="mean", exponent=1.5):
    r = [strengths_by_loops(t, x[:, i], sigma, kappa, scale, exponent) for i in range(x.shape[1])]
    rows = []
    for i in range(x.shape[1]):
        for j in range(i + 1, x.shape[1]):
            row = []
            for s in range(len(t)):
                long_enough = joint_run(r[i], r[j], s) >= max(1, math.ceil(min_run_s * RATE))
                alike = r[i][s] * r[j][s] > 0
                wanted = {"absolute": True, "same": alike, "opposite": not alike}[sign]
                row.append(min(abs(r[i][s]), abs(r[j][s])) if long_enough and wanted else 0.0)
            rows.append(row)
    return np.array(rows)


def worm(x, **more):
    return Cohort([Recording.from_arrays(x, name="w", rate_hz=RATE, names=NAMES[: x.shape[1]], **more)])


@pytest.mark.parametrize("sign", ["absolute", "same", "opposite"])
@pytest.mark.parametrize(
    ("kappa", "min_run_s", "scale", "exponent"),
    [(0.0, 0.75, "mean", 1.5), (1.0, 1.6, "peak", 1.0), (2.0, 0.0, "mean", 2.0)],
)
def test_differential_is_its_definition(sign, kappa, min_run_s, scale, exponent):
    x = make_traces(1)
    options = {"kappa": kappa, "min_run_s": min_run_s, "scale": scale, "exponent": exponent}
    made = compute_affinity(worm(x), sign=sign, **options).blocks[0].dense()[0]
    expected = differential_by_loops(np.arange(len(x)) / RATE, x, sign=sign, **options)
    assert (expected > 0).any()
    np.testing.assert_allclose(made, expected, atol=2e-6)


@pytest.mark.parametrize("min_run", [1, 4, 5, 8, 9, 16, 17, 31, 32, 33, 60])
@pytest.mark.parametrize("signs", [ANY, SAME, OPPOSITE])
def test_runs_of_any_length_are_counted_whatever_the_code(min_run, signs):
    """Runs up to 32 samples are kept as bits of 8 to 64, longer ones as lengths; both are the loops' runs."""
    rng = np.random.default_rng(min_run)
    # runs of all lengths around the one asked for, zeros between some of them
    value = np.repeat(rng.uniform(-1, 1, (3, 700)), rng.integers(1, 2 * min_run + 2, 700), axis=1)[:, :700]
    value = value.astype(np.float32)
    value[rng.random(value.shape) < 0.1 / min_run] = 0.0
    value[1, :350] = value[0, :350]
    value[2, 200:] = -value[0, 200:]
    breaks = np.zeros(value.shape, bool)
    breaks[:, [100, 400]] = True
    ahead, behind = np.empty(value.shape, np.uint8), np.empty(value.shape, np.uint8)
    run_lengths(value, breaks, min_run, ahead, behind)
    features = LongRunFeatures(value, ahead, behind, min_run)
    assert run_features(value, breaks, min_run).nbytes <= 12 * value.size
    columns = np.array([[0, 1], [0, 2], [1, 2]], np.int32)
    for made in (features, run_features(value, breaks, min_run)):
        out = np.empty((3, 650), np.float32)
        made.fill(out, columns, 25, signs)
        parts = [value[:, a:b] for a, b in ((0, 100), (100, 400), (400, 700))]
        for row, (i, j) in enumerate(columns):
            wanted = []
            for part in parts:
                for t in range(part.shape[1]):
                    alike = part[i, t] * part[j, t] > 0
                    kept = signs == ANY or alike == (signs == SAME)
                    run = joint_run(part[i], part[j], t)
                    wanted.append(min(abs(part[i, t]), abs(part[j, t])) if kept and run >= min_run else 0.0)
            np.testing.assert_array_equal(out[row], np.array(wanted[25:675], np.float32))
    assert out.any()


def test_signed_layers_are_same_and_opposite():
    x = make_traces(2)
    signed = compute_affinity(worm(x), sign="signed")
    assert signed.signs == ("same", "opposite")
    same, opposite = signed.blocks[0].dense()
    np.testing.assert_array_equal(same, compute_affinity(worm(x), sign="same").blocks[0].dense()[0])
    np.testing.assert_array_equal(opposite, compute_affinity(worm(x), sign="opposite").blocks[0].dense()[0])
    np.testing.assert_array_equal(same + opposite, compute_affinity(worm(x), sign="absolute").blocks[0].dense()[0])


@pytest.mark.parametrize("sign", ["absolute", "same", "opposite"])
def test_edge_time_series_is_its_definition(sign):
    x = make_traces(3)
    t = np.arange(len(x)) / RATE
    made = compute_affinity(worm(x), kind="edge time series", sign=sign, z_limit=2.0).blocks[0].dense()[0]
    z = []
    for i in range(5):
        slope, _ = slopes_by_polyfit(t, x[:, i], 1.0)
        z.append([min(max((d - slope.mean()) / slope.std(), -2.0), 2.0) for d in slope])
    row = 0
    for i in range(5):
        for j in range(i + 1, 5):
            for s in range(len(t)):
                product = z[i][s] * z[j][s] / 4
                expected = {"absolute": abs(product), "same": max(product, 0), "opposite": max(-product, 0)}[sign]
                assert made[row, s] == pytest.approx(expected, abs=2e-6)
            row += 1


@pytest.mark.parametrize("sign", ["absolute", "same", "opposite"])
@pytest.mark.parametrize("window_s", [2.5, 10.0, 500.0])
def test_sliding_correlation_is_its_definition(sign, window_s):
    x = make_traces(4)
    made = compute_affinity(worm(x), kind="sliding correlation", sign=sign, window_s=window_s).blocks[0].dense()[0]
    width = min(round(window_s * RATE), len(x))
    row = 0
    for i in range(5):
        for j in range(i + 1, 5):
            for s in range(len(x)):
                first = min(max(s - (round(window_s * RATE) - 1) // 2, 0), len(x) - width)
                window = slice(first, first + width)
                r = np.corrcoef(x[window, i], x[window, j])[0, 1]
                expected = {"absolute": abs(r), "same": max(r, 0), "opposite": max(-r, 0)}[sign]
                if width >= round(window_s * RATE) // 2:
                    assert made[row, s] == pytest.approx(expected, abs=1e-5)
                else:
                    assert made[row, s] == 0
            row += 1


def test_sliding_correlation_in_pieces_shorter_than_half_the_window_is_zero():
    made = compute_affinity(worm(make_traces(4)), kind="sliding correlation", window_s=500.0)
    assert not made.blocks[0].dense().any()


def test_slope_inside_is_the_derivative_of_a_gaussian():
    """Where the filter does not reach the ends, the local line is the convolution that the method describes."""
    rng = np.random.default_rng(5)
    x = rng.standard_normal(400).cumsum()
    rate = 10.0
    slope, _ = sample_worm(np.arange(400) / rate, x[:, None], (), rate, 1.0).fit(1.0, 1)
    smooth = gaussian_filter1d(x, 1.0 * rate, order=1, truncate=4.0) * rate
    inside = slice(41, -41)
    np.testing.assert_allclose(slope[0, inside], smooth[inside], rtol=0, atol=2e-3 * np.abs(smooth).max())


@pytest.mark.parametrize("kind", KINDS)
def test_any_tile_is_a_part_of_the_whole(kind):
    block = compute_affinity(worm(make_traces(6)), kind=kind, sign="signed").blocks[0]
    whole = block.dense()
    rng = np.random.default_rng(7)
    for _ in range(30):
        row0, row1 = np.sort(rng.integers(0, block.n_rows + 1, 2))
        t0, t1 = np.sort(rng.integers(0, block.n_times + 1, 2))
        sign = int(rng.integers(2))
        tile = block.tile(row0, row1, t0, t1, sign)
        assert tile.dtype == np.float32
        np.testing.assert_allclose(tile, whole[sign, row0:row1, t0:t1], atol=1e-6)


def test_mean_affinity_is_the_mean_over_observed_times():
    rng = np.random.default_rng(8)
    worms = [
        Recording.from_arrays(make_traces(s), name=f"w{s}", rate_hz=RATE, names=list(rng.permutation(NAMES)))
        for s in (1, 2, 3)
    ]
    spec = compute_affinity(Cohort(worms), alignment="none")
    mean = spec.mean_affinity()
    total, times = np.zeros(len(spec.pairs)), np.zeros(len(spec.pairs))
    for block in spec.blocks:
        total[block.rows] += block.dense()[0].astype(float).sum(axis=1)
        times[block.rows] += block.observed.sum()
    for (i, j), value in zip(spec.pairs, total / times, strict=True):
        assert mean.values[i, j] == mean.values[j, i] == pytest.approx(value)
    assert not np.diag(mean.values).any()
