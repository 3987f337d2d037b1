"""Simulated worms: the truth matches the data, options do what they say, same seed same worm."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from napari_dynamic_connectome.model.errors import SettingsError
from napari_dynamic_connectome.model.neurons import info, is_canonical, mirror
from napari_dynamic_connectome.simulation.motifs import bursts, spontaneous_windows
from napari_dynamic_connectome.simulation.positions import atlas_positions
from napari_dynamic_connectome.simulation.settings import STIMULI
from napari_dynamic_connectome.simulation.simulate import calcium_kernel, simulate_cohort, simulate_recording


@pytest.fixture(scope="module")
def simulated():
    return simulate_cohort(seed=3)


def test_cohort_is_what_was_asked_for(simulated) -> None:
    cohort, truth = simulated
    assert len(cohort.worms) == 8 and len(truth.extra["neurons"]) == 80
    assert all(is_canonical(n) for n in truth.extra["neurons"])
    for recording in cohort.recordings:
        assert recording.n_times == 1200 and recording.rate_hz == pytest.approx(4.0)
        assert np.isfinite(recording.traces.values).all()
        assert np.isfinite(recording.positions_um).all()
    orders = {tuple(r.stimuli["name"]) for r in cohort.recordings}
    assert len(orders) > 1 and all(sorted(o) == sorted(STIMULI) for o in orders)
    assert cohort.common_stimuli == tuple(sorted(STIMULI))


def test_missing_and_unnamed_neurons(simulated) -> None:
    cohort, truth = simulated
    shares = [r.n_neurons / 80 for r in cohort.recordings]
    assert 0.65 < np.mean(shares) < 0.95 and len(set(shares)) > 1
    hidden = sum(int((r.neurons["name"] == "").sum()) for r in cohort.recordings)
    assert 0 < hidden < 0.2 * sum(r.n_neurons for r in cohort.recordings)
    for recording in cohort.recordings:
        identity = truth.extra["identity"][recording.name]
        assert sorted(identity) == sorted(recording.neurons["label"])
        for label, name in zip(recording.neurons["label"], recording.neurons["name"], strict=True):
            assert name in ("", identity[label])
    full, _ = simulate_cohort(n_worms=2, missing=0.0, unnamed=0.0, n_neurons=30, duration_s=20, seed=0)
    assert all(r.named and len(r.named) == 30 for r in full.recordings)


def test_members_follow_their_motif_in_its_windows_only(simulated) -> None:
    """Noise-free activity of two members correlates within windows as their signs say, and not outside."""
    cohort, truth = simulated
    for motif in truth.motifs["motif"]:
        mine = truth.members[truth.members["motif"] == motif]
        alone = mine[~mine["neuron"].isin(truth.members[truth.members["motif"] != motif]["neuron"])]
        signs = alone["sign"].to_numpy()
        inside, outside = [], []
        for worm in cohort.worms:
            activity = truth.extra["activity"][worm].sel(neuron=alone["neuron"].tolist())
            windows = truth.windows[(truth.windows["motif"] == motif) & (truth.windows["worm"] == worm)]
            mask = np.zeros(activity.sizes["time"], bool)
            for onset, offset in windows[["onset", "offset"]].to_numpy():
                mask |= (activity["time"].values >= onset) & (activity["time"].values <= offset)
            off = ~np.convolve(mask, np.ones(60), mode="full")[: len(mask)].astype(bool)
            for keep, found in ((mask, inside), (off, outside)):
                if keep.sum() > 50:
                    table = np.corrcoef(activity.values[keep].T)
                    found.append(np.nanmean((table * np.outer(signs, signs))[np.triu_indices(len(signs), 1)]))
        assert np.mean(inside) > 0.6
        assert abs(np.mean(outside)) < 0.15


def test_left_and_right_join_a_motif_together(simulated) -> None:
    _, truth = simulated
    pool = set(truth.extra["neurons"])
    for _, group in truth.members.groupby("motif"):
        sign_of = dict(zip(group["neuron"], group["sign"], strict=True))
        for name in sign_of:
            other = mirror(name)
            if other in pool:
                assert sign_of[other] == sign_of[name]
    overlap = truth.members["neuron"].value_counts()
    assert (overlap > 1).any()
    assert set(truth.members["sign"]) == {1, -1}


def test_stimulus_motifs_happen_during_their_stimulus(simulated) -> None:
    cohort, truth = simulated
    locked = truth.motifs[truth.motifs["kind"] == "stimulus"]
    assert set(locked["stimulus"]) == set(STIMULI)
    for motif, stimulus in locked[["motif", "stimulus"]].itertuples(index=False):
        for recording in cohort.recordings:
            pulse = recording.stimuli[recording.stimuli["name"] == stimulus].iloc[0]
            rows = truth.windows[(truth.windows["motif"] == motif) & (truth.windows["worm"] == recording.name)]
            for onset, offset in rows[["onset", "offset"]].to_numpy():
                assert pulse["onset"] <= onset < offset <= pulse["offset"] + 1e-9


def test_last_motif_is_missing_in_some_worms(simulated) -> None:
    _cohort, truth = simulated
    worms = truth.windows.groupby("motif")["worm"].nunique()
    assert worms.iloc[:-1].eq(8).all()
    assert worms.iloc[-1] == round(0.6 * 8)


def test_same_seed_same_cohort() -> None:
    options = {"n_worms": 2, "n_neurons": 20, "duration_s": 30}
    first, again, other = (simulate_cohort(seed=s, **options)[0] for s in (5, 5, 6))
    for a, b in zip(first.recordings, again.recordings, strict=True):
        np.testing.assert_array_equal(a.traces.values, b.traces.values)
        pd.testing.assert_frame_equal(a.neurons, b.neurons)
    assert first.neurons != other.neurons


def test_more_worms_leave_the_first_ones_alike() -> None:
    """The motifs do not depend on the number of worms, so that cohorts of different size can be compared."""
    few = simulate_cohort(n_worms=3, n_neurons=20, duration_s=30, seed=1)[1]
    many = simulate_cohort(n_worms=9, n_neurons=20, duration_s=30, seed=1)[1]
    pd.testing.assert_frame_equal(few.members, many.members)


def test_spontaneous_cohort_has_no_stimuli_but_behaviour() -> None:
    cohort, truth = simulate_cohort(n_worms=2, stimuli=False, n_neurons=40, seed=2)
    assert all(len(r.stimuli) == 0 for r in cohort.recordings)
    assert set(truth.motifs["kind"]) == {"spontaneous"}
    recording = cohort.recordings[0]
    reversal = recording.behaviour["reversal"].values.astype(bool)
    assert 0.02 < reversal.mean() < 0.6
    velocity = recording.behaviour["velocity"].values
    assert velocity[reversal].mean() < 0 < velocity[~reversal].mean()
    windows = truth.windows[(truth.windows["motif"] == 1) & (truth.windows["worm"] == recording.name)]
    inside = np.zeros(recording.n_times, bool)
    for onset, offset in windows[["onset", "offset"]].to_numpy():
        inside |= (recording.time_s >= onset) & (recording.time_s <= offset + 2.0)
    assert not reversal[~inside].any()


@pytest.mark.parametrize("n_neurons", [2, 3, 41, 188, 189, 302])
def test_any_number_of_neurons(n_neurons: int) -> None:
    recording, truth = simulate_recording(n_neurons=n_neurons, missing=0.0, unnamed=0.0, duration_s=20, seed=n_neurons)
    assert recording.n_neurons == len(set(recording.named)) == n_neurons
    assert set(truth.members["neuron"]) <= set(recording.named)
    if n_neurons <= 188:
        assert {info(n).ganglion for n in recording.named} <= {
            "pharynx",
            "anterior",
            "dorsal",
            "lateral",
            "ventral",
            "retrovesicular",
        }


def test_noise_bleaching_and_artefacts() -> None:
    still = {
        "missing": 0.0,
        "noise": 0.0,
        "artefacts_per_min": 0.0,
        "bleaching": 0.0,
        "n_neurons": 20,
        "duration_s": 100,
    }
    clean, truth = simulate_recording(**still, seed=4)
    activity = truth.extra["activity"]["simulated worm"]
    for label, name in truth.extra["identity"]["simulated worm"].items():
        row = clean.neurons.index[clean.neurons["label"] == label][0]
        values = clean.traces.sel(neuron=row).values.astype(float)
        # Without noise, counts are the gain times 1 + dF/F0.
        gain = values / (1 + activity.sel(neuron=name).values)
        np.testing.assert_allclose(gain, gain[0], rtol=1e-4)
    faded, _ = simulate_recording(**(still | {"bleaching": 0.4}), seed=4)
    ratio = faded.traces.values[-1].astype(float) / clean.traces.values[-1]
    assert (ratio < 0.8).all() and np.allclose(ratio, ratio[0], rtol=1e-4)


def test_kernel_and_windows() -> None:
    kernel = calcium_kernel(0.4, 2.0, 10.0)
    assert kernel.sum() == pytest.approx(1.0)
    # The maximum of (1 - exp(-t / r)) exp(-t / d) lies at r ln(1 + d / r).
    assert (np.argmax(kernel) + 0.5) / 10 == pytest.approx(0.4 * np.log(1 + 2.0 / 0.4), abs=0.1)
    rng = np.random.default_rng(0)
    spans = spontaneous_windows(300.0, rng)
    assert all(a < b for a, b in spans) and all(b <= c for (_, b), (c, _) in itertools.pairwise(spans))
    assert spans[-1][1] <= 300.0 and sum(b - a for a, b in spans) >= 0.3 * 300
    drive = bursts(rng, 400, 4.0)
    assert drive[0] > 0 and ((drive == 0) | (drive >= 0.7)).all()


def test_positions_are_symmetric_and_ordered_along_the_body() -> None:
    left, right, single = atlas_positions(["AVAL"])[0], atlas_positions(["AVAR"])[0], atlas_positions(["RIS"])[0]
    np.testing.assert_allclose(left * [-1, 1, 1], right)
    assert single[0] == 0
    place = {n: atlas_positions([n])[0] for n in ("IL2L", "RMDL", "VB2", "VA6", "VA10", "PVCL", "CEPDL", "AIYL")}
    assert place["IL2L"][2] < place["RMDL"][2] < place["VB2"][2] < place["VA6"][2] < place["VA10"][2] < place["PVCL"][2]
    assert place["CEPDL"][1] < 0 < place["AIYL"][1]
    assert np.isnan(atlas_positions(["nobody"])).all()


@pytest.mark.data
def test_generated_head_resembles_real_heads(shared_data) -> None:
    """Order along the nose-tail axis agrees with the measured atlas (rank correlation), though nothing was fitted to it."""
    table = pd.read_csv(shared_data / "positions" / "head_atlas_median.csv")
    table = table[[is_canonical(n) and info(n).ganglion not in ("ventral cord", "preanal") for n in table["name"]]]
    mine = atlas_positions(table["name"].tolist())
    assert table["y_um"].corr(pd.Series(mine[:, 2], index=table.index), method="spearman") > 0.6


@pytest.mark.parametrize(
    ("options", "word"), [({"n_neurons": 303}, "n_neurons"), ({"n_worms": 0}, "n_worms"), ({"nose": 1}, "nose")]
)
def test_bad_settings_are_named(options: dict, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        simulate_cohort(**options)
