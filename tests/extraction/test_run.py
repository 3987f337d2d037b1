"""How an extraction runs: every chunk read once, cancel, resume after a kill, and on a cluster that loses a worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import zarr

from napari_dynamic_connectome.extraction.extract import extract_traces
from napari_dynamic_connectome.io.checkpoint import CheckpointFolder
from napari_dynamic_connectome.io.registry import read_recording
from napari_dynamic_connectome.model.errors import Cancelled, InputError

UNITS = {"voxel_size_um": (1.0, 0.5, 0.5), "frame_rate_hz": 2.0}
SHAPE = (12, 4, 24, 32)


class Counting:
    """An array that remembers how often each voxel was read, and how many reads ran."""

    def __init__(self, array: np.ndarray, chunks: tuple[int, ...], delay_s: float = 0.0) -> None:
        self.array, self.chunks, self.delay_s = array, chunks, delay_s
        self.shape, self.dtype = array.shape, array.dtype
        self.reads = np.zeros(array.shape, int)
        self.n = 0
        self._lock = threading.Lock()

    def __getitem__(self, key: tuple[slice, ...]) -> np.ndarray:
        time.sleep(self.delay_s)
        with self._lock:
            self.reads[key] += 1
            self.n += 1
        return self.array[key]


def volume() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 5000, SHAPE).astype(np.uint16)


def labels(full: bool = True) -> np.ndarray:
    result = np.zeros(SHAPE[1:], np.uint16)
    if full:
        result[:, ::2, ::2] = np.arange(1, 4 * 12 * 16 + 1).reshape(4, 12, 16) % 40 + 1
    else:
        result[1, 2:5, 2:5] = 4
    return result


def chunk_reads(counting: Counting) -> np.ndarray:
    """How often each chunk was touched, and that no chunk was read in part."""
    for axis, size in enumerate(counting.chunks):
        groups = np.split(counting.reads, range(size, counting.shape[axis], size), axis=axis)
        for group in groups:
            assert (group == np.take(group, [0], axis=axis)).all(), "a chunk was read in part"
    return counting.reads


@pytest.mark.parametrize("chunks", [(1, 4, 24, 32), (5, 4, 6, 8), (12, 1, 24, 32), (2, 2, 24, 7)])
@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("block_mb", [1e-6, 24.0])
def test_every_chunk_is_read_once_however_it_cuts_across_frames(chunks, statistic, moving, block_mb):
    counting = Counting(volume(), chunks)
    label_image = np.broadcast_to(labels(), SHAPE).copy() if moving else labels()
    traces = extract_traces(counting, label_image, statistic=statistic, block_mb=block_mb, **UNITS)
    assert (chunk_reads(counting) == 1).all()
    plain = extract_traces(volume(), labels(), statistic=statistic, **UNITS)
    np.testing.assert_array_equal(traces.values, plain.values)


def test_labels_and_volume_of_different_chunks_are_both_read_once():
    image, label_image = (
        Counting(volume(), (4, 4, 12, 8)),
        Counting(np.broadcast_to(labels(), SHAPE).copy(), (6, 2, 24, 16)),
    )
    traces = extract_traces(image, label_image, block_mb=1e-6, **UNITS)
    assert (chunk_reads(image) == 1).all()
    assert (chunk_reads(label_image) == 1).all()
    np.testing.assert_array_equal(traces.values, extract_traces(volume(), labels(), **UNITS).values)


def test_chunks_without_a_neuron_are_not_read():
    counting = Counting(volume(), (3, 2, 6, 8))
    extract_traces(counting, labels(full=False), block_mb=1e-6, **UNITS)
    reads = chunk_reads(counting)
    assert (reads[:, :2, :6, :8] == 1).all()
    assert reads.sum() == reads[:, :2, :6, :8].sum()


@pytest.mark.parametrize("moving", [False, True])
def test_cancel_stops_within_a_second_even_in_a_slow_read(moving):
    counting = Counting(volume(), (1, 4, 24, 32), delay_s=3.0)
    label_image = np.broadcast_to(labels(), SHAPE).copy() if moving else labels()
    asked = time.monotonic() + 0.3
    with pytest.raises(Cancelled):
        extract_traces(counting, label_image, cancel=lambda: time.monotonic() > asked, block_mb=1e-6, **UNITS)
    # five times the promise, and far less than the 18 s of all reads: not a measure of this machine's speed
    assert time.monotonic() - asked < 5.0
    assert counting.n < 6


def test_progress_rises_to_one():
    seen = []
    extract_traces(volume(), labels(), progress=lambda f, m="": seen.append(f), block_mb=1e-6, **UNITS)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) > 5


KILLED = """
import sys, time
import numpy as np
sys.path.insert(0, {folder!r})
from test_run_input import Slow, labels
from napari_dynamic_connectome.extraction.extract import extract_traces
slow = Slow({log!r})
traces = extract_traces(slow, labels, threads=1, block_mb=1e-6, checkpoint={checkpoint!r},
                        voxel_size_um=(1, .5, .5), frame_rate_hz=2)
np.save({result!r}, traces.values)
"""

MODULE = """
import time
import numpy as np
volume = np.random.default_rng(0).integers(0, 5000, (12, 4, 24, 32)).astype(np.uint16)
labels = np.zeros((4, 24, 32), np.uint16)
labels[1, 2:5, 2:5] = 4
labels[2, 10:, 20:] = 9
class Slow:
    shape, dtype, chunks = volume.shape, volume.dtype, (1, 4, 24, 32)
    def __init__(self, log): self.log = log
    def __getitem__(self, key):
        if key[1].stop - key[1].start == 4 and key[3].stop - key[3].start == 32:
            time.sleep(0.25)
            with open(self.log, "a") as f: f.write(f"{key[0].start}\\n")
        return volume[key]
"""


def test_resume_after_a_kill_does_not_redo_finished_blocks(tmp_path):
    (tmp_path / "test_run_input.py").write_text(MODULE)
    paths = {n: str(tmp_path / n) for n in ("log", "checkpoint", "result.npy")}
    script = KILLED.format(
        folder=str(tmp_path), log=paths["log"], checkpoint=paths["checkpoint"], result=paths["result.npy"]
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and len(list(Path(paths["checkpoint"]).glob("block_*.npz"))) < 4:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not Path(paths["result.npy"]).exists()
    kept = {int(p.stem.split("_")[1]) for p in Path(paths["checkpoint"]).glob("block_*.npz")}
    assert 4 <= len(kept) < 12
    before = len(Path(paths["log"]).read_text().split())
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)
    again = [int(n) for n in Path(paths["log"]).read_text().split()[before:]]
    assert again[:3] == [0, 5, 11]  # a look at three frames tells that the input is still the same
    assert set(again[3:]) == set(range(12)) - kept

    spec: dict = {}
    exec(MODULE, spec)
    expected = extract_traces(spec["volume"], spec["labels"], **UNITS)
    np.testing.assert_array_equal(np.load(paths["result.npy"]), expected.values)


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    extract_traces(volume(), labels(), checkpoint=tmp_path / "c", **UNITS)
    for other in ({"statistic": "sum"}, {"block_mb": 1e-6}):
        with pytest.raises(InputError, match="belongs to another extraction"):
            extract_traces(volume(), labels(), checkpoint=tmp_path / "c", **other, **UNITS)
    with pytest.raises(InputError, match="belongs to another extraction"):
        extract_traces(volume() + 1, labels(), checkpoint=tmp_path / "c", **UNITS)
    with pytest.raises(InputError, match="belongs to another extraction"):
        extract_traces(volume(), labels(full=False), checkpoint=tmp_path / "c", **UNITS)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="other files"):
        extract_traces(volume(), labels(), checkpoint=tmp_path / "full", **UNITS)


@pytest.mark.parametrize("chunks", [None, (1, 4, 24, 32), (5, 4, 6, 8)])
def test_a_checkpoint_of_labels_that_were_drawn_anew_is_refused(tmp_path, chunks):
    """The middle of the volume is background in both: a few voxels there would not tell them apart."""
    first = np.zeros(SHAPE, np.uint16)
    first[:, :, 6:9, 8:12] = 3
    second = np.roll(first, 1, axis=2)
    stored = [first, second] if chunks is None else [Counting(x, chunks) for x in (first, second)]
    extract_traces(volume(), stored[0], checkpoint=tmp_path / "c", **UNITS)
    extract_traces(volume(), stored[0], checkpoint=tmp_path / "c", **UNITS)
    with pytest.raises(InputError, match="belongs to another extraction"):
        extract_traces(volume(), stored[1], checkpoint=tmp_path / "c", **UNITS)


def test_a_damaged_checkpoint_file_is_computed_again(tmp_path):
    expected = extract_traces(volume(), labels(), checkpoint=tmp_path / "c", block_mb=1e-6, **UNITS)
    files = sorted((tmp_path / "c").glob("block_*.npz"))
    files[0].write_bytes(b"")
    files[1].write_bytes(files[1].read_bytes()[:100])
    files[2].write_bytes(b"\x00" * 500)
    again = extract_traces(volume(), labels(), checkpoint=tmp_path / "c", block_mb=1e-6, **UNITS)
    np.testing.assert_array_equal(again.values, expected.values)


def test_where_nothing_can_be_kept_the_extraction_runs_all_the_same(tmp_path):
    (tmp_path / "file").write_text("")
    kept = CheckpointFolder(tmp_path / "file" / "cache", "extract", {})
    found = extract_traces(volume(), labels(), checkpoint=kept, **UNITS)
    np.testing.assert_array_equal(found.values, extract_traces(volume(), labels(), **UNITS).values)
    kept = CheckpointFolder(tmp_path / "cache", "extract", {})
    extract_traces(volume(), labels(), checkpoint=kept, **UNITS)
    assert (kept.path / "plan.json").exists()
    kept.remove()
    assert not kept.path.exists()


def worker(address: str, name: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "distributed.cli.dask_worker", address, "--name", name, "--nthreads", "1"]
    return subprocess.Popen(
        [*command, "--no-nanny", "--no-dashboard", "--memory-limit", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "20s"},
    )


@pytest.fixture
def cluster():
    distributed = pytest.importorskip("distributed")
    scheduler = distributed.LocalCluster(
        n_workers=0, processes=False, dashboard_address=None, host="127.0.0.1", protocol="tcp"
    )
    workers = [worker(scheduler.scheduler_address, name) for name in ("a", "b")]
    with distributed.Client(scheduler.scheduler_address) as client:
        client.wait_for_workers(2, timeout=60)
        assert {w["name"] for w in client.scheduler_info()["workers"].values()} == {"a", "b"}
        yield client, workers
    for process in workers:
        process.kill()
        process.wait()
    scheduler.close()


def test_a_cluster_that_loses_a_worker_gives_the_same_result(cluster, tmp_path):
    client, workers = cluster
    stored = zarr.create_array(tmp_path / "v.zarr", shape=(60, *SHAPE[1:]), chunks=(1, *SHAPE[1:]), dtype="uint16")
    stored[:] = np.random.default_rng(1).integers(0, 5000, stored.shape).astype(np.uint16)
    expected = extract_traces(stored, labels(), block_mb=1e-6, **UNITS)
    killed = []

    def kill_one(fraction, message=""):
        if fraction > 0.2 and not killed:
            killed.append(workers[0].pid)
            workers[0].send_signal(signal.SIGKILL)

    found = extract_traces(stored, labels(), block_mb=1e-6, client=client, progress=kill_one, **UNITS)
    assert killed
    assert {w["name"] for w in client.scheduler_info()["workers"].values()} == {"b"}
    np.testing.assert_array_equal(found.values, expected.values)
    for name in ("saturated", "missing", "voxels"):
        np.testing.assert_array_equal(found[name].values, expected[name].values)
    workers[0].wait(10)

    found = extract_traces(da.from_zarr(stored)[:, None][:, 0], labels(), block_mb=1e-6, client=client, **UNITS)
    np.testing.assert_array_equal(found.values, expected.values)

    # the address alone is enough; arrays in memory and memory maps are sent in parts
    moving = np.broadcast_to(labels(), SHAPE).copy()
    np.save(tmp_path / "v.npy", volume())
    for source in (volume(), np.load(tmp_path / "v.npy", mmap_mode="r")):
        found = extract_traces(source, moving, statistic="median", client=client.scheduler.address, **UNITS)
        np.testing.assert_array_equal(
            found.values, extract_traces(volume(), moving, statistic="median", **UNITS).values
        )


def test_the_command_runs_on_a_cluster_that_loses_a_worker(cluster, tmp_path):
    client, workers = cluster
    stored = zarr.create_array(
        tmp_path / "v.zarr",
        shape=(80, *SHAPE[1:]),
        chunks=(1, *SHAPE[1:]),
        dtype="uint16",
        dimension_names=list("tzyx"),
    )
    stored[:] = np.random.default_rng(1).integers(0, 5000, stored.shape).astype(np.uint16)
    zarr.create_array(tmp_path / "labels.zarr", data=labels(), dimension_names=list("zyx"))
    kept = tmp_path / "kept"

    def kill_one() -> None:
        while len(list(kept.glob("block_*.npz"))) < 10:
            time.sleep(0.01)
        done_before.append(len(list(kept.glob("block_*.npz"))))
        workers[1].send_signal(signal.SIGKILL)

    done_before: list[int] = []
    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    command = ["extract", str(tmp_path / "v.zarr"), str(tmp_path / "labels.zarr"), "-o", str(tmp_path / "out.npz")]
    command += [
        "--voxel-size",
        "1",
        "0.5",
        "0.5",
        "--rate",
        "2",
        "--resume",
        str(kept),
        "--set",
        "extraction.block_mb=0.001",
    ]
    command += ["--executor", "dask", "--scheduler", client.scheduler.address]
    # A process of its own, as for a user: it has its own client.
    run = [sys.executable, "-m", "napari_dynamic_connectome.cli", *command]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    killer.join(30)
    assert 10 <= done_before[0] < 80
    assert workers[1].wait(10) == -signal.SIGKILL
    found = read_recording(tmp_path / "out.npz")
    np.testing.assert_array_equal(found.traces.values, extract_traces(stored, labels(), **UNITS).values)


def test_a_cluster_that_is_not_there_is_one_clear_error(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("napari_dynamic_connectome.extraction.run.CONNECT_S", 1)
    with pytest.raises(InputError, match="cannot be reached"):
        extract_traces(volume(), labels(), client="tcp://127.0.0.1:9", **UNITS)


@pytest.mark.parametrize("chunks", [(2, 2, 4, 8), (1, 4, 8, 4), (3, 4, 8, 8)])
def test_a_finished_checkpoint_gives_the_same_traces_whatever_the_chunks(tmp_path, chunks) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(1, 999, (6, 4, 8, 8)).astype(np.uint16)
    where = rng.integers(0, 4, (4, 8, 8)).astype(np.uint8)
    given = da.from_array(image, chunks=chunks)
    first = extract_traces(given, where, block_mb=1e-6, checkpoint=tmp_path / "c", **UNITS)
    files = sorted((tmp_path / "c").glob("block_*.npz"))
    assert len(files) == 6 * 4 * 8 * 8 // np.prod(np.minimum(chunks, (6, 4, 8, 8)))
    again = extract_traces(given, where, block_mb=1e-6, checkpoint=tmp_path / "c", **UNITS)
    whole = extract_traces(image, where, **UNITS)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_allclose(again, whole)
    files[0].write_bytes(files[1].read_bytes())  # of other frames, or of another box: made again
    third = extract_traces(given, where, block_mb=1e-6, checkpoint=tmp_path / "c", **UNITS)
    np.testing.assert_array_equal(third, first)
