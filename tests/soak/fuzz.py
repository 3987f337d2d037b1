"""Mutated files for every reader: each is read, or refused with one of our own errors; nothing else, and in bounded memory.

Mutations: flipped, inserted, removed and repeated bytes, boundary numbers, and structured changes of the JSON of sessions (with a
hash that fits) and of OME-Zarr. The search is guided by coverage: a file that reaches a line of a reader that none before has
reached is mutated further. Readers run in a child process, so that a crash of a library counts too. What once broke a reader is
kept in `corpus/` and tried first every time.
"""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import resource
import shutil
import sys
import time
import traceback
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from napari_dynamic_connectome.model.errors import DynamicConnectomeError
from napari_dynamic_connectome.session.journal_file import read_records
from napari_dynamic_connectome.session.save_load import load_session, save_session

sys.path.insert(0, str(Path(__file__).parents[1] / "session"))
from session_sample import make_recording, make_session

CORPUS = Path(__file__).parent / "corpus"
SLOW_S = 20.0
"""Longer than any of these small files may take on a busy machine."""
STUCK_S = 120.0
"""A child that is later than this is ended; what it read counts as a crash."""
PACKAGE = str(Path(sys.modules[load_session.__module__].__file__ or "").parents[1])
ODD: list[Any] = [None, True, -1, 0, 2**63, 1e308, "", "../../x", "\0", "x" * 5000, [], {}, {"float": "nan"}, {"tuple": 1},
                  {"array": {"array": "0" * 32, "dtype": "float64", "shape": [2**40]}}, {"table": {}}, [[[]]]]  # fmt: skip


def seeds(folder: Path) -> dict[str, bytes]:
    """One good file of each format that can be written here, by file name."""
    from napari_dynamic_connectome.io.registry import write_recording

    found: dict[str, bytes] = {}
    save_session(make_session(0), folder / "session.zip")
    found["session.zip"] = (folder / "session.zip").read_bytes()
    recording = make_recording("w", 1, n_time=12)
    for name in ("recording.npz", "recording.mat", "recording.csv", "recording.nwb", "recording.parquet"):
        try:
            write_recording(recording, folder / name)
        except (DynamicConnectomeError, ImportError):
            continue
        if (folder / name).is_file():
            found[name] = (folder / name).read_bytes()
    found |= _volumes(folder)
    found["centres.csv"] = b"t,z,y,x,id\n0,1,2,3,1\n1,1,2,3,1\n0,2,5,6,2\n1,2,5,6,2\n"
    found["behaviour.csv"] = b"time,reversal,speed\n0,0,1.5\n0.5,1,2\n1,0,nan\n"
    found["connectome.csv"] = b"pre,post,type,synapses\nAVAL,AVAR,chemical,3\nAVAR,AVAL,electrical,1\n"
    found["atlas.csv"] = b"neuron,x,y,z\nAVAL,1,2,3\nAVAR,2,3,4\nRIML,3,3,3\n"
    found["list.txt"] = b"AVAL\nAVAR\n# a comment\nRIML\n"
    found["settings.toml"] = b"seed = 1\n[affinity]\nsigma_s = 2.0\n[input]\nrecordings = ['a.npz']\n"
    found["stimuli.csv"] = b"name,onset,offset\nsalt,1,2\nlight,3.5,4\n"
    found["names.csv"] = b"label,name\n1,AVAL\n2,AVAR\n"
    found["connectome.graphml"] = (
        b"<?xml version='1.0'?><graphml xmlns='http://graphml.graphdrawing.org/xmlns'><key id='w' for='edge' "
        b"attr.name='weight' attr.type='double'/><graph edgedefault='directed'><node id='AVAL'/><node id='AVAR'/>"
        b"<edge source='AVAL' target='AVAR'><data key='w'>2</data></edge></graph></graphml>"
    )
    found["edits-000001.log"] = b'3610a686 {"n":1}\n'
    return found


def _volumes(folder: Path) -> dict[str, bytes]:
    """A small 4D image of each format; OME-Zarr folders as a zip, unpacked again for each trial."""
    import h5py
    import tifffile

    from napari_dynamic_connectome.io.volumes.omezarr_write import create_labels, create_volume

    rng = np.random.default_rng(0)
    data = rng.integers(0, 4000, (3, 4, 8, 8), np.uint16)
    labels = np.zeros((4, 8, 8), np.uint16)
    labels[1:3, 2:4, 2:4], labels[1:3, 5:7, 5:7] = 1, 2
    found: dict[str, bytes] = {}
    tifffile.imwrite(
        folder / "image.ome.tif", data, metadata={"axes": "TZYX", "PhysicalSizeX": 0.5}, compression="zlib"
    )
    tifffile.imwrite(folder / "image.tif", data, imagej=True, metadata={"axes": "TZYX"})
    with h5py.File(folder / "image.h5", "w") as file:
        file.create_dataset("volume", data=data, chunks=(1, 4, 8, 8), compression="gzip")
        file["volume"].attrs["element_size_um"] = [2.0, 1.0, 1.0]
    np.savez_compressed(folder / "volumes.npz", volume=data)
    for name in ("image.ome.tif", "image.tif", "image.h5", "volumes.npz"):
        found[name] = (folder / name).read_bytes()
    for version in ("0.4", "0.5"):
        store = folder / f"v{version}.ome.zarr"
        create_volume(store, data.shape, voxel_size_um=(2, 1, 1), frame_rate_hz=2, version=version)[...] = data
        create_labels(store, labels.shape, "zyx", voxel_size_um=(2, 1, 1), version=version)[...] = labels
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for item in sorted(p for p in store.rglob("*") if p.is_file()):
                archive.write(item, item.relative_to(store).as_posix())
        found[f"folder{version[-1]}.ome.zarr"] = out.getvalue()
    return found


def read_image(path: Path) -> Any:
    """Open an image lazily and read its first frame; labels where there are some."""
    from napari_dynamic_connectome.io import registry
    from napari_dynamic_connectome.io.layer_data import read_layers

    volume = registry.open_volume(path)
    frame = np.asarray(volume.data[0])
    try:
        labels = np.asarray(registry.open_labels(path).data)
    except DynamicConnectomeError:
        labels = None
    return frame, labels, read_layers(path)


def reader_of(name: str) -> Callable[[Path], Any]:
    """The reader that a file of this name goes to."""
    from napari_dynamic_connectome.io import registry
    from napari_dynamic_connectome.io.formats import side_tables
    from napari_dynamic_connectome.pipeline.settings import PipelineSettings

    if name.startswith("session"):
        return load_session
    if name.startswith("settings"):
        return PipelineSettings.from_file
    if name.startswith("stimuli"):
        return side_tables.read_stimuli
    if name.startswith("names"):
        return side_tables.read_names
    if name.startswith("edits"):
        return read_records
    if name.startswith("behaviour"):
        return side_tables.read_behaviour
    if name.startswith("list"):
        return side_tables.read_neuron_list
    if name.startswith("atlas"):
        from napari_dynamic_connectome.naming.atlas import read_atlas

        return read_atlas
    if name.startswith("centres"):
        from napari_dynamic_connectome.io.formats.centres import read_centres

        return read_centres
    if name.startswith(("image", "folder")):
        return read_image
    if name.startswith("volumes"):
        return registry.open_volume
    if name.startswith("connectome"):
        from napari_dynamic_connectome.io.formats import connectome

        return connectome.read_connectome
    return registry.read_recordings


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Change a few bytes."""
    out = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        at = int(rng.integers(0, len(out) + 1))
        kind = rng.integers(0, 5)
        if kind == 0 and at < len(out):
            out[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 1:
            out[at:at] = rng.bytes(int(rng.integers(1, 9)))
        elif kind == 2:
            del out[at : at + int(rng.integers(1, 200))]
        elif kind == 3:
            out[at : at + 4] = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\xff\xff\xff\x7f", b"nan "][int(rng.integers(0, 4))]
        else:
            out[at:at] = out[at : at + int(rng.integers(1, 50))]
    return bytes(out)


def change_json(body: Any, rng: np.random.Generator) -> None:
    """Replace or remove some values, at random depths."""
    for _ in range(int(rng.integers(1, 4))):
        place: Any = body
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = keys[int(rng.integers(0, len(keys)))]
            if isinstance(place[key], (dict, list)) and place[key] and rng.random() < 0.85:
                place = place[key]
                continue
            if rng.random() < 0.2:
                del place[key]
            else:
                place[key] = ODD[int(rng.integers(0, len(ODD)))]
            break


def mutate_folder(data: bytes, rng: np.random.Generator) -> bytes:
    """Change one file of a zipped folder: JSON by its structure, others by bytes; or leave it out."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    texts = [n for n in files if n.rpartition("/")[2] in (".zattrs", ".zarray", ".zgroup", "zarr.json")]
    names = texts if rng.random() < 0.8 and texts else list(files)
    name = names[int(rng.integers(len(names)))]
    if rng.random() < 0.05:
        del files[name]
    else:
        try:
            body = json.loads(files[name])
            if not isinstance(body, (dict, list)):
                raise ValueError
            change_json(body, rng)
            files[name] = json.dumps(body).encode()
        except ValueError:
            files[name] = mutate(files[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for key, content in files.items():
            archive.writestr(key, content)
    return out.getvalue()


def mutate_session(data: bytes, rng: np.random.Generator) -> bytes:
    """Change values of a session's JSON, with a hash that fits."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    body = json.loads(files["session.json"])
    change_json(body, rng)
    files["session.json"] = json.dumps(body).encode()
    head = json.loads(files["zarr.json"])
    head["attributes"]["json_sha256"] = hashlib.sha256(files["session.json"]).hexdigest()
    files["zarr.json"] = json.dumps(head).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def try_one(name: str, data: bytes, folder: Path, seen: set[tuple[str, int]] | None = None) -> str:
    """Return "read", "refused", "slow <format>" or "crash <format> <type>"; lines of our readers that ran go to `seen`."""
    path = folder / name
    if name.startswith("folder"):
        shutil.rmtree(path, ignore_errors=True)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            archive.extractall(path)  # made here; nothing leads out
    else:
        path.write_bytes(data)
    reader = reader_of(name)
    begin = time.monotonic()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if seen is not None:
                sys.settrace(_tracer(seen))
            reader(path)
        outcome = "read"
    except DynamicConnectomeError:
        outcome = "refused"
    except Exception as error:
        sys.settrace(None)
        traceback.print_exc()
        return f"crash {name.split('.')[0]} {type(error).__name__}"
    finally:
        sys.settrace(None)
    return outcome if time.monotonic() - begin < SLOW_S else f"slow {name.split('.')[0]}"


def _tracer(seen: set[tuple[str, int]]) -> Any:
    def lines(frame: Any, event: str, _: Any) -> Any:
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
        return lines

    def calls(frame: Any, event: str, _: Any) -> Any:
        return lines if frame.f_code.co_filename.startswith(PACKAGE) else None

    return calls


def _fuzz(folder: str, seconds: float, seed: int, report: str) -> None:
    """In the child: mutate and read; what is being tried lies in `folder`/current, counts go to `report`."""
    rng = np.random.default_rng(seed)
    base = Path(folder)
    pools = {name: [data] for name, data in seeds(base).items()}
    trial = base / "trial"
    trial.mkdir(exist_ok=True)
    counts: Counter[str] = Counter()
    seen: set[tuple[str, int]] = set()
    names = sorted(pools)
    for name in names:
        counts["inputs"] += 1
        counts[try_one(name, pools[name][0], trial, seen)] += 1
    counts["lines by good files"] = len(seen)
    start = np.array([resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])
    until, number = time.monotonic() + seconds, 0
    while time.monotonic() < until or number < 2 * len(names):
        name = names[number % len(names)]
        number += 1
        pool = pools[name]
        parent = pool[0] if rng.random() < 0.3 else pool[int(rng.integers(len(pool)))]
        change = mutate
        if name == "session.zip" and rng.random() < 0.7:
            change = mutate_session
        elif name.startswith("folder"):
            change = mutate_folder
        try:
            data = change(parent, rng)
        except (KeyError, ValueError, zipfile.BadZipFile, OSError):
            data = mutate(pool[0], rng)
            if name.startswith("folder"):
                continue
        (base / "current").write_bytes(data)
        (base / "current.name").write_text(name)
        before = len(seen)
        outcome = try_one(name, data, trial, seen)
        counts["inputs"] += 1
        counts[outcome] += 1
        counts[f"{name}: {outcome}"] += 1
        if len(seen) > before and len(pool) < 200:
            pool.append(data)
            counts["kept to go on from"] += 1
        if outcome.startswith(("crash", "slow")):
            stem, _, suffix = name.partition(".")
            (base / "found").mkdir(exist_ok=True)
            (base / "found" / f"{stem}-{hashlib.sha256(data).hexdigest()[:8]}.{suffix}").write_bytes(data)
        if number % 50 == 0:
            Path(report).write_text(json.dumps(counts))
    counts["lines reached"] = len(seen)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start[0]
    counts["MB more than good files took"] = int(peak // 1024)
    Path(report).write_text(json.dumps(counts))


def fuzz_all(folder: Path, seconds: float, seed: int = 0, *, keep: bool = False) -> Counter[str]:
    """Try mutated files of every format in turn for some time; `keep` adds what broke a reader to the corpus."""
    context = multiprocessing.get_context("spawn")
    counts: Counter[str] = Counter()
    end = time.monotonic() + seconds
    attempt = 0
    while attempt == 0 or time.monotonic() < end - 1:
        place = folder / f"fuzz{attempt}"
        place.mkdir()
        left = max(end - time.monotonic(), 0.1)
        child = context.Process(target=_fuzz, args=(str(place), left, seed + attempt, str(place / "report.json")))
        child.start()
        child.join(left + STUCK_S)
        if child.exitcode is None:
            child.kill()
            child.join()
        if (place / "report.json").exists():
            for key, value in json.loads((place / "report.json").read_text()).items():
                most = key.startswith(("lines", "MB"))
                counts[key] = max(counts[key], value) if most else counts[key] + value
        if child.exitcode != 0:  # a library ended the process, or it never came back
            name = (place / "current.name").read_text() if (place / "current.name").exists() else "start"
            counts[f"crash {name.split('.')[0]} exit {child.exitcode}"] += 1
            if (place / "current").exists():
                stem, _, suffix = name.partition(".")
                data = (place / "current").read_bytes()
                (place / "found").mkdir(exist_ok=True)
                (place / "found" / f"{stem}-{hashlib.sha256(data).hexdigest()[:8]}.{suffix}").write_bytes(data)
        if keep and (place / "found").is_dir():
            for item in (place / "found").iterdir():
                shutil.copyfile(item, CORPUS / item.name)
        attempt += 1
        if child.exitcode == 0:
            break
    return counts


def replay_corpus() -> Counter[str]:
    """Try all that once broke a reader."""
    import tempfile

    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for item in sorted(CORPUS.glob("*.*")):
            if item.name.startswith("."):
                continue
            counts["inputs"] += 1
            counts[try_one(item.name, item.read_bytes(), Path(folder))] += 1
    return counts
