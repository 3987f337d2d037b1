"""Every long step stops at the next block, sweep, chain, table or figure once it is asked to; nothing half-done stays."""

from __future__ import annotations

import pkgutil
from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome.io.ownership import MARKER
from napari_dynamic_connectome.model.cohort import Cohort
from napari_dynamic_connectome.model.errors import Cancelled
from napari_dynamic_connectome.model.recording import Recording
from napari_dynamic_connectome.session.session import Session


class Counter:
    """Counts pieces of work; as a cancel callback it says True from a piece on."""

    def __init__(self, stop_at: int) -> None:
        self.stop_at, self.pieces = stop_at, 0

    @property
    def after(self) -> int:
        """Pieces that began after it was to be cancelled, whether it had asked since or not."""
        return max(self.pieces - self.stop_at, 0)

    def __call__(self) -> bool:
        return self.pieces >= self.stop_at

    def count(self, monkeypatch, place, name: str) -> None:
        """Count the calls of a function."""
        function = getattr(place, name)

        def counted(*arguments, **options):
            self.pieces += 1
            return function(*arguments, **options)

        monkeypatch.setattr(place, name, counted)


@pytest.fixture(scope="module")
def cohort() -> Cohort:
    rng = np.random.default_rng(0)
    wave = np.stack([np.sin(np.arange(150) / 9), np.cos(np.arange(150) / 6)], axis=1)
    names = ["AVAL", "AVAR", "RIML", "RIMR", "AIBL", "AIBR", "RIBL", "RIBR"]
    return Cohort(
        [
            Recording.from_arrays(
                wave[:, np.arange(8) // 4] + rng.normal(scale=0.3, size=(150, 8)) + 4,
                name=f"w{i}",
                rate_hz=3,
                names=names,
            )
            for i in range(6)
        ]
    )


@pytest.fixture(scope="module")
def session(cohort) -> Session:
    from napari_dynamic_connectome.pipeline.run import analyze
    from napari_dynamic_connectome.pipeline.settings import PipelineSettings

    settings = PipelineSettings(
        affinity={"alignment": "absolute"},
        rank={"rank": 2, "starts": 1},
        communities={"starts": 1, "null_fits": 0, "samples": 0},
    )
    result = analyze(cohort, settings)
    session = Session()
    for recording in cohort.recordings:
        session.add(recording, make_current=False)
    result.put_into(session, cohort)
    return session


def _extraction(session, folder, cancel):
    from napari_dynamic_connectome.extraction.extract import extract_traces

    volume = np.random.default_rng(0).integers(0, 99, (30, 2, 8, 8)).astype(np.uint16)
    labels = np.zeros((2, 8, 8), np.uint16)
    labels[:, 2:4, 2:4], labels[:, 5:7, 5:7] = 1, 2
    extract_traces(volume, labels, voxel_size_um=(1, 1, 1), frame_rate_hz=2, threads=1, block_mb=1e-6, cancel=cancel)


def _quality(session, folder, cancel):
    from napari_dynamic_connectome.extraction.quality import assess_quality

    assess_quality(session.cohort.recordings[0], cancel=cancel)


def _correction(session, folder, cancel):
    from napari_dynamic_connectome.extraction.correct import correct_traces

    correct_traces(session.cohort.recordings[0], bleaching="double exponential", cancel=cancel)


def _affinity(session, folder, cancel):
    from napari_dynamic_connectome.affinity.compute import compute_affinity

    compute_affinity(session.cohort, alignment="absolute", cancel=cancel)


def _sweep(session, folder, cancel):
    from napari_dynamic_connectome.affinity.compute import compute_affinity
    from napari_dynamic_connectome.factorization.sweep import sweep_ranks

    affinity = compute_affinity(session.cohort, alignment="absolute")
    sweep_ranks(affinity, (2, 3), starts=2, folds=2, threads=1, cancel=cancel)


@pytest.fixture(scope="module", autouse=True)
def compiled() -> None:
    """The kernels of the communities are compiled, or loaded, once in a process; that is no piece of a step."""
    from napari_dynamic_connectome.communities.find import find_communities

    half = np.triu(np.random.default_rng(0).random((8, 8)), 1)
    for kind in ("modules", "core"):
        find_communities(half + half.T, kind=kind)


def _communities(kind):
    def step(session, folder, cancel):
        from napari_dynamic_connectome.communities.find import find_communities

        find_communities(session.components.matrix(1), kind=kind, cancel=cancel)

    return step


def _save(session, folder, cancel):
    from napari_dynamic_connectome.session.save_load import save_session

    save_session(session, folder / "s.zarr", cancel=cancel)


def _tables(session, folder, cancel):
    from napari_dynamic_connectome.report.tables import write_tables

    write_tables(session, folder / "tables", cancel=cancel)


def _figures(session, folder, cancel):
    from napari_dynamic_connectome.report.html import write_figures

    write_figures(session, folder / "figures", ("png",), cancel=cancel)


def _report(session, folder, cancel):
    from napari_dynamic_connectome.report.html import write_report

    write_report(session, folder / "report.html", cancel=cancel)


# step, the function that makes one piece, pieces before the cancel, pieces that may still begin
CASES = {
    "extraction": (_extraction, "extraction.run.run_block", 3, 1),  # another thread may just be taking the next block
    "quality": (_quality, "extraction.bleaching._positive", 3, 0),
    "correction": (_correction, "extraction.bleaching._positive", 3, 0),
    "affinity": (_affinity, "affinity.compute.worm_features", 2, 0),
    "rank sweep": (_sweep, "factorization.solver.Solver.sweep", 3, 0),
    "modules": (_communities("modules"), "communities.consensus_kernels.anneal", 2, 1),
    "core": (_communities("core"), "communities.search.refine", 1, 1),
    "session": (_save, "session.store.array_files", 3, 0),
    "session, flushed to disk": (_save, "io.atomic.flush", 3, 8),  # eight at a time
    "tables": (_tables, "report.tables.write_csv", 3, 0),
    "figures": (_figures, "report.html.plot_matrix", 1, 0),
    "report": (_report, "report.html._png", 1, 0),
}


@pytest.mark.parametrize("name", CASES)
def test_a_cancel_ends_a_step_at_the_next_piece(name, session, tmp_path: Path, monkeypatch) -> None:
    step, piece, before, most = CASES[name]
    monkeypatch.setenv("DYNAMIC_CONNECTOME_THREADS", "2")
    place, _, function = f"napari_dynamic_connectome.{piece}".rpartition(".")
    holder = pkgutil.resolve_name(place)
    counter = Counter(before)
    counter.count(monkeypatch, holder, function)
    with pytest.raises(Cancelled):
        step(session, tmp_path, counter)
    assert counter.pieces >= before
    assert counter.after <= most
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not [p for p in files if p.name.startswith(".") and p.name != MARKER]
    if name.startswith("session") or name == "report":
        assert files == []


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_a_cancel_ends_a_figure_in_the_middle_and_leaves_no_part_of_it(suffix, session, tmp_path, monkeypatch) -> None:
    from matplotlib.text import Text

    from napari_dynamic_connectome.report.html import write_figures

    counter = Counter(12)
    counter.count(monkeypatch, Text, "draw")
    with pytest.raises(Cancelled):
        write_figures(session, tmp_path, (suffix,), cancel=counter)
    assert counter.pieces == 12 and counter.after == 0
    whole = [p.name for p in tmp_path.iterdir() if p.name != MARKER]
    assert len(whole) <= 1 and not any(name.startswith(".") for name in whole)
