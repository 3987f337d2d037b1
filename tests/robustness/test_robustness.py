"""What stays when worms, seeds and settings change: planted components do, chance does not, and every refit is what it says."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linear_sum_assignment

from napari_dynamic_connectome.affinity.compute import compute_affinity
from napari_dynamic_connectome.factorization.factorize import factorize
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import Cancelled, InputError
from napari_dynamic_connectome.pipeline.settings import PipelineSettings
from napari_dynamic_connectome.robustness.checkpoint import fingerprint
from napari_dynamic_connectome.robustness.intervals import percentile_interval, share_interval
from napari_dynamic_connectome.robustness.pieces import drawn_worms
from napari_dynamic_connectome.robustness.run import assess_robustness, with_support
from napari_dynamic_connectome.simulation.simulate import simulate_cohort

FEW = {
    "bootstraps": 4,
    "rank_bootstraps": 1,
    "seeds": 1,
    "chance": 1,
    "starts": 2,
    "sigma_s": (1.0, 2.0),
    "kappa": (),
    "exponent": (1.0,),
    "min_worms": (2,),
    "ranks": (2, 3),
}


def settings_for(rank: int | None = 3, **robustness) -> PipelineSettings:
    values = {"rank": rank, "smallest": 2, "largest": 3, "starts": 2, "folds": 2}
    return PipelineSettings.parse({"rank": values, "robustness": FEW | robustness})


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    return simulate_cohort(n_worms=5, n_neurons=30, duration_s=120, n_motifs=2, motif_size=8, seed=21)[0]


@pytest.fixture(scope="module")
def small() -> Cohort:
    """For what does not depend on the worms: threads, a cluster, what is kept and taken up again."""
    return simulate_cohort(n_worms=3, n_neurons=16, duration_s=60, n_motifs=2, motif_size=6, seed=21)[0]


@pytest.fixture(scope="module")
def result(cohort):
    return assess_robustness(cohort, settings_for(None))


def test_planted_components_come_back_and_the_tables_say_how_often(result) -> None:
    support = result.table()
    assert (support["bootstrap_of"] == 4).all() and (support["left_out_of"] == 5).all()
    for share in ("bootstrap", "left_out", "seeds"):
        values = support[[f"{share}_low", share, f"{share}_high"]].to_numpy()
        assert (np.diff(values, axis=1) >= 0).all() and values.min() >= 0 and values.max() <= 1
    assert (support["left_out"] >= 0.8).sum() >= 2  # two planted motifs
    assert (support["foretold"] >= 0.8).sum() >= 2
    refits = result.refits
    for name, column in (("left-out worms", "left_out"), ("seeds", "seeds")):
        counted = refits[refits["part"] == name].groupby("component")["back"].mean()
        np.testing.assert_allclose(counted.to_numpy(), support[column])
    ranks = result.ranks
    assert ranks.groupby("source")["count"].sum().to_dict() == {"bootstrap": 1, "left-out worms": 5, "seeds": 1}
    assert set(result.held_out["rank"]) == {2, 3} and len(result.held_out) == 10
    assert len(result.sentences()) == len(support)


def test_a_refit_is_a_plain_factorization_of_the_drawn_worms(cohort) -> None:
    """The bootstrap's weights, matches and strengths against the same done by hand."""
    settings = settings_for(3, parts=("bootstrap",), bootstraps=2)
    affinity = compute_affinity(cohort)
    reference = factorize(affinity, 3, starts=2)
    found = assess_robustness(cohort, settings, components=reference)
    for number in (0, 1):
        drawn = drawn_worms(cohort.worms, number, settings.seed)
        assert sum(drawn.values()) == len(cohort.worms)
        fit = factorize(
            affinity,
            3,
            starts=2,
            seed=number + 1,
            worms=list(drawn),
            worm_weights={w: float(n) for w, n in drawn.items()},
        )
        keys_a, keys_b = (
            [tuple(sorted((a, b))) for a, b in zip(c.pair["neuron_a"].values, c.pair["neuron_b"].values, strict=True)]
            for c in (reference, fit)
        )
        assert keys_a == keys_b
        both = np.isfinite(reference.pair.values).all(axis=1) & np.isfinite(fit.pair.values).all(axis=1)
        a, b = reference.pair.values[both], fit.pair.values[both]
        cosine = (a / np.linalg.norm(a, axis=0)).T @ (b / np.linalg.norm(b, axis=0))
        rows, columns = linear_sum_assignment(-cosine)
        mine = found.refits[found.refits["name"] == str(number)].sort_values("component")
        np.testing.assert_allclose(mine["match"], cosine[rows, columns])


def test_a_worm_drawn_twice_is_a_worm_and_its_copy(cohort) -> None:
    """The weights that stand for copies give the components that copies would give."""
    from dataclasses import replace

    worms = list(cohort.worms[:3])
    affinity = compute_affinity(cohort)
    weighed = factorize(affinity, 2, starts=3, worms=worms, worm_weights={worms[0]: 2.0}, ridge=0.0, tolerance=1e-9)
    twin = replace(affinity.block(worms[0]), worm="its copy")
    doubled = replace(affinity, blocks=(*affinity.blocks, twin))
    copied = factorize(doubled, 2, starts=3, worms=[*worms, "its copy"], ridge=0.0, tolerance=1e-9)
    for r in (1, 2):
        a, b = weighed.pair.sel(component=r).values, copied.pair.sel(component=r).values
        keep = np.isfinite(a)
        assert a[keep] @ b[keep] == pytest.approx(1.0, abs=1e-3)


def test_unrelated_neurons_have_components_that_do_not_come_back() -> None:
    from napari_dynamic_connectome.model.recording import Recording

    rng = np.random.default_rng(3)
    names = [f"N{i}" for i in range(20)]
    worms = [
        Recording.from_arrays(rng.standard_normal((400, 20)), name=f"w{k}", rate_hz=4, names=names) for k in range(6)
    ]
    found = assess_robustness(
        Cohort(worms), settings_for(3, parts=("bootstrap", "left-out worms", "chance"), bootstraps=6, sigma_s=())
    )
    support = found.table()
    # what comes back in noise comes back in shifted noise too, and is called unspecific
    believable = support[
        (support["bootstrap"] >= 0.8) & support["specific"].astype(bool) & (support["foretold"] >= 0.8)
    ]
    assert len(believable) == 0


def test_threads_do_not_change_anything(small) -> None:
    found = []
    for threads in (1, 3):
        settings = settings_for(2, parts=("bootstrap", "left-out worms"), bootstraps=2)
        factorization = settings.factorization.model_copy(update={"threads": threads})
        found.append(assess_robustness(small, settings.model_copy(update={"factorization": factorization})))
    for name, table in found[0].tables().items():
        pd.testing.assert_frame_equal(table, found[1].tables()[name])


def test_an_interrupted_run_goes_on_where_it_was(small, tmp_path, monkeypatch) -> None:
    from napari_dynamic_connectome.robustness import execute

    settings = settings_for(3, parts=("bootstrap", "seeds"))
    whole = assess_robustness(small, settings)
    done: list[str] = []
    real = execute.run_piece

    def counted(context, piece, cancel=None):
        done.append(piece.key)
        return real(context, piece, cancel)

    monkeypatch.setattr(execute, "run_piece", counted)
    asked = threading.Event()

    def stop_soon(fraction: float, message: str = "", /) -> None:
        if message.startswith("2 of"):
            asked.set()

    with pytest.raises(Cancelled):
        assess_robustness(small, settings, checkpoint=tmp_path, progress=stop_soon, cancel=asked.is_set)
    kept = len(list(tmp_path.glob("*/*.npz")))
    assert kept >= 2
    done.clear()
    after = assess_robustness(small, settings, checkpoint=tmp_path)
    assert 0 < len(done) <= 5 - 2
    pd.testing.assert_frame_equal(after.refits, whole.refits)
    done.clear()
    assess_robustness(small, settings, checkpoint=tmp_path)
    assert done == []
    # a damaged piece is done again, and pieces of other settings are not taken
    broken = sorted(p for p in tmp_path.glob("*/*.npz") if p.parent.name != "analysis")[0]
    broken.write_bytes(broken.read_bytes()[:100])
    assess_robustness(small, settings, checkpoint=tmp_path)
    assert len(done) == 1
    done.clear()
    other = settings.model_copy(update={"affinity": settings.affinity.model_copy(update={"sigma_s": 2.0})})
    assess_robustness(small, other, checkpoint=tmp_path / "other")
    assert len(done) == 5


def test_pieces_belong_to_worms_and_settings(small) -> None:
    settings = settings_for()
    components = factorize(compute_affinity(small), 2, starts=1)
    mark = fingerprint(small, settings, components)
    threads = settings.factorization.model_copy(update={"threads": 1})
    more = settings.robustness.model_copy(update={"bootstraps": 50, "match": 0.7})
    same = settings.model_copy(update={"factorization": threads, "robustness": more})
    assert fingerprint(small, same, components) == mark
    values = small.recordings[0].traces.copy(deep=True)
    values[3, 3] += 1e-3
    changed = Cohort([small.recordings[0].replace(traces=values), *small.recordings[1:]])
    assert fingerprint(changed, settings, components) != mark
    assert fingerprint(small, settings.model_copy(update={"seed": 1}), components) != mark


def test_cancelling_ends_a_run_in_the_middle_of_its_pieces(cohort) -> None:
    begun, asked = threading.Event(), threading.Event()

    def progress(fraction: float, message: str = "", /) -> None:
        if fraction > 0.1:
            begun.set()

    errors: list[BaseException] = []

    def work() -> None:
        try:
            assess_robustness(cohort, settings_for(None, bootstraps=500), progress=progress, cancel=asked.is_set)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(60)
    asked.set()
    thread.join(60)
    assert not thread.is_alive() and isinstance(errors[0], Cancelled)


def test_a_cluster_gives_the_same(small) -> None:
    distributed = pytest.importorskip("distributed")
    settings = settings_for(3, parts=("bootstrap", "left-out worms"), bootstraps=2)
    here = assess_robustness(small, settings)
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        there = assess_robustness(small, settings, client=client)
    pd.testing.assert_frame_equal(there.refits, here.refits)


def test_one_worm_says_what_can_be_done(cohort) -> None:
    alone = Cohort(cohort.recordings[:1])
    found = assess_robustness(alone, settings_for(2))
    assert any("there is one worm" in note for note in found.notes)
    assert (found.support["bootstrap_of"] == 0).all() and found.support["bootstrap"].isna().all()
    assert (found.support["seeds_of"] == 1).all()
    with pytest.raises(InputError, match=r"nothing can be done again.*one worm"):
        assess_robustness(alone, settings_for(2, parts=("bootstrap",)))


def test_what_cannot_be_refitted_is_counted_and_said(small) -> None:
    found = assess_robustness(small, settings_for(2, parts=("settings",), ranks=(2, 100_000)))
    assert any("1 of" in note and "100000" in note for note in found.notes)


def test_it_says_how_it_was_made_without_folders_of_this_machine(small, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", ["/opt/bin/dynamic-connectome", "robustness", "/home/ada/x.toml", "-o", "out"])
    made = assess_robustness(small, settings_for(2, parts=("bootstrap",), bootstraps=1)).provenance
    assert made["command"] == "dynamic-connectome robustness x.toml -o out"
    assert {"versions", "settings", "seed", "inputs", "worms", "rank"} <= set(made)
    assert [one["worm"] for one in made["inputs"]] == made["worms"]


def test_components_carry_their_support(small) -> None:
    components = factorize(compute_affinity(small), 2, starts=2)
    found = assess_robustness(small, settings_for(2, parts=("bootstrap",), bootstraps=2), components=components)
    support = with_support(components, found).support
    assert support.loc[1, "bootstrap"] == found.support["bootstrap"][0] and np.isnan(support.loc[1, "left_out"])
    assert components.support is None
    with pytest.raises(InputError, match="about other components"):
        with_support(factorize(compute_affinity(small), 3, starts=1), found)


def test_components_of_another_cohort_are_refused(cohort) -> None:
    other = simulate_cohort(n_worms=3, n_neurons=20, duration_s=60, seed=1)[0]
    components = factorize(compute_affinity(other), 2, starts=1)
    with pytest.raises(InputError, match="not made from this cohort"):
        assess_robustness(cohort, settings_for(2), components=components)


def test_intervals_are_those_of_the_textbooks() -> None:
    # Wilson (1927): (p + z^2/2n +- z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n)
    z, n, p = 1.959963984540054, 20, 0.85
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    share, low, high = share_interval(17, 20)
    assert (share, low, high) == pytest.approx((p, (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n)))
    # Clopper & Pearson (1934): no failure among n leaves 1 - (alpha/2)^(1/n)
    assert share_interval(0, 10, method="clopper-pearson")[2] == pytest.approx(1 - 0.025 ** (1 / 10))
    assert np.isnan(share_interval(0, 0)).all()
    low, high = percentile_interval(np.arange(101.0)[:, None] * [1, np.nan])
    assert (low[0], high[0]) == pytest.approx((2.5, 97.5)) and np.isnan(low[1])
