"""How long every long step goes on after it was cancelled: at random moments, and where it looks most rarely.

python tests/benchmarks/bench_cancel.py [--quick] [--moments 10] [--only extract factorize ...] [--seed 0]

Each step first runs whole, and the moments at which it asks whether to stop are noted. Then it is started again and cancelled
at random moments of that time, and once at the beginning of the longest stretch without a question. What counts is the time
from the cancel to the return of the call. The sizes are those of real data: 20 x 512 x 1024 voxels a frame; 190 neurons, 960
samples, 21 worms; dense graphs of 300 neurons.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from bench_communities import planted
from bench_extraction import SHAPE, UNITS, make_labels
from bench_factorization import SIZES, make_cohort

from napari_dynamic_connectome.model.errors import Cancelled

Step = Callable[..., Any]
FRAMES = 40
RANK = 6


def asked_at(step: Step) -> tuple[float, float, float]:
    """Run a step whole; return its seconds, its longest time without a question, and when that began."""
    moments = [time.perf_counter()]

    def cancel() -> bool:
        moments.append(time.perf_counter())
        return False

    step(cancel=cancel)
    moments.append(time.perf_counter())
    gaps = np.diff(moments)
    return moments[-1] - moments[0], float(gaps.max()), moments[int(gaps.argmax())] - moments[0]


def cancelled_at(step: Step, moment: float) -> float:
    """Cancel a step after some seconds; return for how many it went on, NaN if it was done before."""
    end = time.perf_counter() + moment
    try:
        step(cancel=lambda: time.perf_counter() >= end)
    except Cancelled:
        return time.perf_counter() - end
    return float("nan")


def measure(name: str, step: Step, moments: int, rng: np.random.Generator, resumed: Step | None = None) -> list[str]:
    """One row of the table."""
    whole, gap, begin = asked_at(step)
    if whole < 20:  # once more: it may have compiled, and filled the file cache
        whole, gap, begin = asked_at(step)
    if resumed is None:
        after = [cancelled_at(step, moment) for moment in rng.uniform(0.02, 0.98, moments) * whole]
        after.append(cancelled_at(step, begin + 0.002))
    else:  # each goes on where the one before was cancelled, so that they come to all parts of it
        after = [cancelled_at(resumed, moment) for moment in rng.uniform(0.02, 1.8, moments) * whole / moments]
    known = np.array(after)[np.isfinite(after)]
    figures = [f"{whole:.1f}", f"{gap:.2f}", str(len(known))]
    figures += [f"{np.median(known):.2f}", f"{known.max():.2f}"] if len(known) else ["–", "–"]
    return [name, *figures]


# --- the steps ----------------------------------------------------------------------------------------------------------


def extraction(folder: Path, quick: bool) -> Iterator[tuple[Any, ...]]:
    """Extraction from files of several formats, chunks and compressions, and of labels that move."""
    import h5py
    import tifffile
    import zarr
    from zarr.codecs import BloscCodec, GzipCodec

    from napari_dynamic_connectome.extraction.extract import extract_traces
    from napari_dynamic_connectome.io import registry

    rng = np.random.default_rng(0)
    labels = make_labels()
    frames = rng.poisson(60, (4, *SHAPE)).astype(np.uint16) + (labels > 0) * np.uint16(200)
    n = 8 if quick else FRAMES
    whole, across = (1, *SHAPE), (8, 20, 128, 256)

    def stored(name: str, codec: Any, chunks: tuple[int, ...]) -> Any:
        array = zarr.create_array(folder / name, shape=(n, *SHAPE), chunks=chunks, dtype="uint16", compressors=codec)
        for t in range(0, n, chunks[0]):
            array[t : t + chunks[0]] = frames[np.arange(t, t + chunks[0]) % 4]
        return zarr.open_array(folder / name, mode="r")

    def step(volume: Any, labels: Any = labels, **settings: Any) -> Step:
        return lambda **more: extract_traces(volume, labels, settings, **UNITS, **more)

    zstd = stored("zstd", BloscCodec(cname="zstd", clevel=3), whole)
    yield "extract: zarr, zstd, a frame a chunk", step(zstd)
    yield "extract: zarr, zstd, annulus and median", step(zstd, background="annulus", statistic="median")
    yield "extract: zarr, gzip, a frame a chunk", step(stored("gzip", GzipCodec(level=5), whole))
    yield "extract: zarr, zstd, 8 x 20 x 128 x 256", step(stored("across", BloscCodec(cname="zstd"), across))
    with h5py.File(folder / "a.h5", "w") as file:
        made = file.create_dataset("volume", (n, *SHAPE), "u2", chunks=whole, compression="gzip")
        for t in range(n):
            made[t] = frames[t % 4]
    yield "extract: HDF5, gzip", step(registry.open_volume(folder / "a.h5", axes="tzyx"))
    tifffile.imwrite(
        folder / "a.ome.tif",
        (frames[t % 4, z] for t in range(n) for z in range(SHAPE[0])),
        shape=(n, *SHAPE),
        dtype="uint16",
        compression="zlib",
        metadata={"axes": "TZYX"},
    )
    yield "extract: OME-TIFF, zlib", step(registry.open_volume(folder / "a.ome.tif"))
    moving = np.broadcast_to(labels, (n, *SHAPE))
    yield "extract: labels of every frame", step(zstd, moving)


def factorization(folder: Path, quick: bool) -> Iterator[tuple[Any, ...]]:
    """Affinities, a factorization, a rank sweep and a projection of the size of Atanas et al. (2023)."""
    from napari_dynamic_connectome.affinity.compute import compute_affinity
    from napari_dynamic_connectome.factorization.factorize import factorize, project_worms
    from napari_dynamic_connectome.factorization.sweep import sweep_ranks

    size = "S" if quick else "L"
    words = " x ".join(map(str, SIZES[size]))
    for model, alignment in (("aligned", "absolute"), ("unaligned", "none")):
        cohort = make_cohort(*SIZES[size], model=model)
        affinity = compute_affinity(cohort, alignment=alignment)
        yield (
            f"affinities, {model}: {words}",
            lambda c=cohort, a=alignment, **more: compute_affinity(c, alignment=a, **more),
        )
        yield f"factorize, {model}: {words}", lambda a=affinity, **more: factorize(a, RANK, starts=4, **more)
        sweep = partial(sweep_ranks, affinity, (2, RANK, 10), starts=2, folds=2)
        yield f"sweep of 3 ranks, {model}: {words}", sweep, partial(sweep, checkpoint=folder / model)
    known = factorize(affinity, RANK, starts=1)
    yield f"project worms: {words}", lambda **more: project_worms(affinity, known, **more)


def communities(folder: Path, quick: bool) -> Iterator[tuple[Any, ...]]:
    """Communities of dense graphs, with their nulls, and of a large sparse one."""
    from napari_dynamic_connectome.communities.find import find_communities

    n = 100 if quick else 300
    dense, _ = planted(n, 2.0, np.random.default_rng(0), unequal=True)
    cases: dict[str, dict[str, Any]] = {
        "modules": {"kind": "modules"},
        "core": {"kind": "core", "null_fits": 8},
        "shortest": {"kind": "modules", "partition": "shortest", "null_fits": 8, "starts": 2},
        "Louvain": {"method": "louvain"},
        "Leiden": {"method": "leiden"},
        "spectral": {"method": "spectral"},
    }
    for name, options in cases.items():
        yield f"communities: {name}, {n} neurons, dense", lambda o=options, **more: find_communities(dense, **o, **more)


def saving(folder: Path, quick: bool) -> Iterator[tuple[Any, ...]]:
    """Sessions, tables, figures and the report of a large cohort; surrogate cohorts as chance; names from an atlas."""
    from napari_dynamic_connectome.pipeline.run import analyze
    from napari_dynamic_connectome.pipeline.settings import PipelineSettings
    from napari_dynamic_connectome.report.html import write_figures, write_report
    from napari_dynamic_connectome.report.tables import write_tables
    from napari_dynamic_connectome.session.save_load import save_session
    from napari_dynamic_connectome.session.session import Session

    size = "S" if quick else "L"
    cohort = make_cohort(*SIZES[size])
    settings = PipelineSettings(
        affinity={"alignment": "absolute"},
        rank={"smallest": 4, "largest": 6, "starts": 2, "folds": 0},
        communities={"starts": 1, "null_fits": 0, "samples": 50},
    )
    result = analyze(cohort, settings)
    session = Session()
    for recording in cohort.recordings:
        session.add(recording, make_current=False)
    result.put_into(session, cohort)
    words = " x ".join(map(str, SIZES[size]))
    yield (
        f"save a session, folder: {words}",
        lambda **more: save_session(session, folder / "s.zarr", overwrite=True, **more),
    )
    yield (
        f"save a session, zip: {words}",
        lambda **more: save_session(session, folder / "s.zip", overwrite=True, **more),
    )
    yield f"write tables: {words}", lambda **more: write_tables(session, folder / "tables", **more)
    yield f"write figures: {words}", lambda **more: write_figures(session, folder / "figures", **more)
    yield f"write the report: {words}", lambda **more: write_report(session, folder / "report.html", **more)


STEPS = {"extract": extraction, "factorize": factorization, "communities": communities, "save": saving}


def main() -> int:
    """Print the table; 1 if anything went on for more than a second."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes")
    parser.add_argument("--moments", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=list(STEPS), default=list(STEPS))
    parser.add_argument("--match", default="", help="only steps whose name holds this")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    rng = np.random.default_rng(asked.seed)
    print("| step | whole, s | longest without a question, s | cancelled | median, s | longest, s |")
    print("| --- | --- | --- | --- | --- | --- |", flush=True)
    worst = 0.0
    for part in asked.only:
        with tempfile.TemporaryDirectory(prefix="cancel-") as folder:
            for name, step, *resumed in STEPS[part](Path(folder), asked.quick):
                if asked.match not in name:
                    continue
                row = measure(name, step, asked.moments, rng, *resumed)
                print("| " + " | ".join(row) + " |", flush=True)
                worst = max(worst, float(row[-1]) if row[-1] != "–" else 0.0)
    return int(worst > 1.0)


if __name__ == "__main__":
    sys.exit(main())
