"""The default analysis of a collection of many worms, stage by stage: CPU seconds and peak memory.

Run alone: python tests/benchmarks/bench_collection.py 900 [FOLDER]. With a folder, the collection, the recordings and every finished fit are
kept there, so that the same call goes on after a stop. The collection is synthetic, in the layout of the homogenized one (Simeon et al. 2024):
100 neurons a worm, 45 of them named (drawn from the 302 names), 1,000 samples at 1.7 to 3.3 Hz, three groups of neurons that are active together
at times of each worm's own.
"""

from __future__ import annotations

import pickle
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

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


class Clock:
    """Prints CPU seconds and peak memory of every stage, and of what the progress says."""

    def __init__(self) -> None:
        self.last = self.start = time.process_time()
        self.wall = time.monotonic()
        self.text = ""

    def tell(self, what: str) -> None:
        now = time.process_time()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        wall = time.monotonic() - self.wall
        print(
            f"{what}: {now - self.last:.1f} CPU s (all {now - self.start:.0f}, wall {wall:.0f}), peak {peak:.0f} MB",
            flush=True,
        )
        self.last = now

    def progress(self, share: float, text: str = "") -> None:
        short = text.split(" of ")[0] if text.startswith("sweep") else text
        if short.rstrip("0123456789") != self.text.rstrip("0123456789") or not text.startswith("sweep"):
            self.tell(f"  [{share:.3f}] before '{text}'")
        self.text = short


def main(worms: int, folder: Path) -> None:
    """Read, decompose and partition with the defaults."""
    from napari_dynamic_connectome import Cohort, PipelineSettings
    from napari_dynamic_connectome.pipeline.partition import partition
    from napari_dynamic_connectome.pipeline.run import decompose, load_recordings

    folder.mkdir(parents=True, exist_ok=True)
    path, read, fits = folder / f"worms_{worms}.parquet", folder / f"read_{worms}.pickle", folder / f"fits_{worms}"
    if not path.exists():
        write_collection(folder / "part", worms).rename(path)
    clock = Clock()
    settings = PipelineSettings.parse({"input": {"recordings": [str(path)]}}, where="benchmark")
    if read.exists():
        recordings = pickle.loads(read.read_bytes())
    else:
        recordings = load_recordings(settings)
        read.write_bytes(pickle.dumps(recordings))
    clock.tell(f"{len(recordings)} worms read, quality assessed")
    cohort = Cohort(recordings, settings.cohort)
    clock.tell(f"cohort of {len(cohort.neurons)} neurons")
    _, sweep, components = decompose(cohort, settings, progress=clock.progress, checkpoint=fits)
    clock.tell(f"components: rank {components.rank}; {sweep.reason if sweep is not None else ''}")
    found = partition(components, settings, cohort=cohort, progress=clock.progress)
    clock.tell(f"communities: { {k: len(c.sizes()) for k, c in found.items()} }")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 900
    if len(sys.argv) > 2:
        main(count, Path(sys.argv[2]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(count, Path(temporary))
