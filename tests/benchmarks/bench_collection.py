"""The default analysis of a collection of many worms, stage by stage: CPU seconds and peak memory.

Run alone: python tests/benchmarks/bench_collection.py 900 [FOLDER] [--workers N] [--json FILE]. With a folder, the collection and every
finished fit are kept there, so that the same call goes on after a stop. `--table FILE` prints what `--json FILE` has collected. The collection is synthetic, in the layout of the homogenized one (Simeon et al. 2024):
100 neurons a worm, 45 of them named (drawn from the 302 names), 1,000 samples at 1.7 to 3.3 Hz, three groups of neurons that are active together
at times of each worm's own.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_dynamic_connectome.model.execution import thread_count
from napari_dynamic_connectome.model.neurons import CANONICAL

NEURONS_OF_A_WORM, NAMED, SAMPLES = 100, 45, 1000
GROUPS = 3
SOURCES = ("Kato2015", "Nichols2017", "Skora2018", "Kaplan2020", "Yemini2021", "Uzel2022", "Dag2023", "Atanas2023")


def traces_of(rng: np.random.Generator, names: list[str], groups: dict[str, int], samples: int = SAMPLES) -> np.ndarray:
    """Traces (time, neuron) of one worm: smooth noise, and what its groups have in common."""
    noise = rng.standard_normal((samples, len(names))).cumsum(axis=0)
    slow = np.array([np.convolve(c, np.ones(9) / 9, "same") for c in noise.T]).T
    level = slow - np.array([np.convolve(c, np.ones(121) / 121, "same") for c in slow.T]).T
    common = np.zeros((samples, GROUPS))
    for group in range(GROUPS):
        for onset in rng.integers(0, samples - 40, 12):
            common[onset : onset + 30, group] += np.sin(np.linspace(0, np.pi, 30)) * 8
    for k, name in enumerate(names):
        if name in groups:
            level[:, k] += common[:, groups[name]]
    return level


def write_collection(
    path: Path, worms: int, seed: int = 0, neurons: int = NEURONS_OF_A_WORM, named: int = NAMED
) -> Path:
    """Write a collection worm by worm."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    everyone = list(CANONICAL)
    order = rng.permutation(len(everyone))
    often = np.exp(-np.arange(len(everyone)) / 90)[
        np.argsort(order)
    ]  # some neurons are named in most worms, others hardly ever
    chosen = [everyone[i] for i in order[: 20 * GROUPS]]
    groups = {name: k % GROUPS for k, name in enumerate(chosen)}
    writer = None
    for number in range(worms):
        names = list(rng.choice(everyone, named, replace=False, p=often / often.sum()))
        names += [str(k) for k in range(named, neurons)]
        step = float(rng.choice([0.3, 0.4, 0.5, 0.6]))
        level = traces_of(rng, names, groups).astype("f4")
        clock = (np.arange(SAMPLES) * step).astype("f4")
        count = neurons
        table = pa.table(
            {
                "source_dataset": [SOURCES[number % len(SOURCES)]] * count,
                "worm": [f"worm{number // len(SOURCES)}"] * count,
                "neuron": names,
                "slot": list(range(count)),
                "is_labeled_neuron": [k < named for k in range(count)],
                "original_calcium_data": pa.array(list(level.T), pa.list_(pa.float32())),
                "original_time_in_seconds": pa.array([clock] * count, pa.list_(pa.float32())),
                "original_median_dt": pa.array([step] * count, pa.float32()),
                "original_max_timesteps": [SAMPLES] * count,
            }
        )
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()
    return path


STAGES = {
    "quality of": "quality of every neuron",
    "reading affinities": "affinities, read once",
    "finding": "time patterns",
    "sweep": "ranks: fits and held-out folds",
    " jobs": "ranks: fits and held-out folds",
    "the cohort as": "the cohort as its surrogates are fitted",
    "surrogate cohort": "surrogate cohorts",
    "communities": "communities",
}
"""Words of the progress, and the stage that begins there."""


class Clock:
    """CPU seconds of every stage, here and in the workers of a cluster, by what the progress says."""

    def __init__(self, client: Any = None) -> None:
        self.client, self.stage = client, "reading"
        self.spent: dict[str, float] = {}
        self.last = self.cpu()
        self.wall = time.monotonic()

    def cpu(self) -> float:
        """Of this process and the workers."""
        away = () if self.client is None else self.client.run(time.process_time).values()
        return time.process_time() + sum(away)

    def peak(self) -> float:
        """MB, the largest of any process."""
        away = () if self.client is None else self.client.run(peak_mb).values()
        return max(peak_mb(), *away) if away else peak_mb()

    def close(self, stage: str = "") -> None:
        """What was spent since the last call belongs to the stage that ends here."""
        now = self.cpu()
        self.spent[self.stage] = self.spent.get(self.stage, 0.0) + now - self.last
        self.last = now
        wall, all_of_it = time.monotonic() - self.wall, sum(self.spent.values())
        print(f"{self.stage}: {self.spent[self.stage]:.1f} CPU s (all {all_of_it:.0f}, wall {wall:.0f})", flush=True)
        self.stage = stage or self.stage

    def progress(self, share: float, text: str = "") -> None:
        """A stage ends where the text is that of another."""
        found = next((stage for word, stage in STAGES.items() if word in text), self.stage)
        if found != self.stage:
            self.close(found)


def peak_mb() -> float:
    """Peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main(worms: int, folder: Path, workers: int = 0) -> dict[str, Any]:
    """Read, decompose and partition with the defaults; what it took."""
    from napari_dynamic_connectome import Cohort, PipelineSettings
    from napari_dynamic_connectome.pipeline.partition import partition
    from napari_dynamic_connectome.pipeline.run import decompose, load_recordings

    folder.mkdir(parents=True, exist_ok=True)
    path, fits = folder / f"worms_{worms}.parquet", folder / f"fits_{worms}"
    if not path.exists():
        write_collection(folder / "part", worms).rename(path)
    with cluster(workers) as client:
        clock = Clock(client)
        settings = PipelineSettings.parse({"input": {"recordings": [str(path)]}}, where="benchmark")
        recordings = load_recordings(settings, progress=clock.progress, client=client)
        clock.close("cohort")
        cohort = Cohort(recordings, settings.cohort)
        clock.close("affinities")
        how: dict[str, Any] = {"progress": clock.progress, "client": client}
        _, sweep, components = decompose(cohort, settings, checkpoint=fits, **how)
        clock.close("communities")
        found = partition(components, settings, cohort=cohort, **how)
        clock.close()
        groups = {f"{c} {kind}": sorted(map(int, one.sizes())) for (c, kind), one in found.items()}
        said = {
            "worms": worms,
            "workers": workers,
            "threads": thread_count(),
            "stages": {k: round(v, 1) for k, v in clock.spent.items()},
            "cpu_s": round(sum(clock.spent.values()), 1),
            "wall_s": round(time.monotonic() - clock.wall, 1),
            "peak_mb": round(clock.peak()),
            "rank": components.rank,
            "error": float(components.error),
            "reason": sweep.reason if sweep is not None else "",
            "communities": groups,
        }
    print(json.dumps(said))
    return said


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[Any]:
    """A client of so many processes of one thread each; None without any."""
    if not workers:
        yield None
        return
    from napari_dynamic_connectome.model.cluster import local_client

    with local_client(workers) as client:
        yield client


def table(lines: list[dict[str, Any]]) -> str:
    """CPU seconds of every stage (row) of every run (column), as Markdown."""
    lines = sorted((line for line in lines if line["stages"]), key=lambda line: (line["worms"], line["workers"]))
    heads = [f"{r['worms']}, {where(r['workers'], r['threads'])}" for r in lines]
    stages = ["reading", "affinities", *dict.fromkeys(STAGES.values())]
    rows = [["CPU s", *heads], ["---"] * (1 + len(lines))]
    rows += [[s, *(f"{r['stages'].get(s, 0):.0f}" for r in lines)] for s in stages]
    rows += [["all", *(f"{r['cpu_s']:.0f}" for r in lines)]]
    rows += [["peak memory of a process, MB", *(str(r["peak_mb"]) for r in lines)]]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def where(workers: int, threads: int) -> str:
    """Who did the work."""
    return f"{workers} worker{'s' * (workers > 1)}" if workers else f"{threads} threads"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("worms", type=int, nargs="?", default=900)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument(
        "--workers", type=int, default=0, help="processes of a local cluster; 0: threads of this process"
    )
    parser.add_argument("--json", type=Path, help="a line is added here")
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="print a table of this file's lines, and measure nothing"
    )
    options = parser.parse_args()
    if options.table:
        print(table([json.loads(line) for line in options.table.read_text().splitlines()]))
        raise SystemExit
    with tempfile.TemporaryDirectory() as temporary:
        line = main(options.worms, options.folder or Path(temporary), options.workers)
    if options.json:
        with options.json.open("a") as out:
            out.write(json.dumps(line) + "\n")
