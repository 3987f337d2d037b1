"""Mutated files for every reader: each is read, or refused with one of our own errors; nothing else, and in bounded memory.

Mutations: flipped, inserted, removed and repeated bytes, boundary numbers, and for sessions structured changes of the JSON with a
hash that fits. What once broke a reader is kept in `corpus/` and tried first every time.
"""

from __future__ import annotations

import hashlib
import io
import json
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

from napari_dynamic_connectome.io.journal_file import read_records
from napari_dynamic_connectome.io.session import load_session, save_session
from napari_dynamic_connectome.model.errors import DynamicConnectomeError

sys.path.insert(0, str(Path(__file__).parents[1] / "io"))
from session_sample import make_recording, make_session

CORPUS = Path(__file__).parent / "corpus"
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


def reader_of(name: str) -> Callable[[Path], Any]:
    """The reader that a file of this name goes to."""
    from napari_dynamic_connectome.io import registry, tables
    from napari_dynamic_connectome.pipeline.settings import PipelineSettings

    if name.startswith("session"):
        return load_session
    if name.startswith("settings"):
        return PipelineSettings.from_file
    if name.startswith("stimuli"):
        return tables.read_stimuli
    if name.startswith("names"):
        return tables.read_names
    if name.startswith("edits"):
        return read_records
    if name.endswith(".graphml"):
        from napari_dynamic_connectome.io import connectome

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


def mutate_session(data: bytes, rng: np.random.Generator) -> bytes:
    """Change values of a session's JSON, with a hash that fits."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    body = json.loads(files["session.json"])
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
    files["session.json"] = json.dumps(body).encode()
    head = json.loads(files["zarr.json"])
    head["attributes"]["json_sha256"] = hashlib.sha256(files["session.json"]).hexdigest()
    files["zarr.json"] = json.dumps(head).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def try_one(name: str, data: bytes, folder: Path) -> str:
    """Return "read", "refused", or "crash <type>"."""
    path = folder / name
    path.write_bytes(data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            reader_of(name)(path)
        return "read"
    except DynamicConnectomeError:
        return "refused"
    except Exception as error:
        traceback.print_exc()
        return f"crash {name.split('.')[0]} {type(error).__name__}"


def fuzz_all(folder: Path, seconds: float, seed: int = 0, *, keep: bool = False) -> Counter[str]:
    """Try mutated files of every format in turn for some time; `keep` adds what broke a reader to the corpus."""
    rng = np.random.default_rng(seed)
    good = seeds(folder)
    trial = folder / "trial"
    trial.mkdir()
    counts: Counter[str] = Counter()
    until, names, number = time.monotonic() + seconds, sorted(good), 0
    while time.monotonic() < until or number < 2 * len(names):
        name = names[number % len(names)]
        number += 1
        change = mutate_session if name == "session.zip" and rng.random() < 0.7 else mutate
        data = change(good[name], rng)
        outcome = try_one(name, data, trial)
        counts["inputs"] += 1
        counts[outcome] += 1
        counts[f"{name}: {outcome}"] += 1
        if outcome.startswith("crash") and keep:
            stem, _, suffix = name.partition(".")
            (CORPUS / f"{stem}-{hashlib.sha256(data).hexdigest()[:8]}.{suffix}").write_bytes(data)
    shutil.rmtree(trial)
    return counts


def replay_corpus() -> Counter[str]:
    """Try all that once broke a reader."""
    import tempfile

    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for item in sorted(CORPUS.glob("*.*")):
            counts["inputs"] += 1
            counts[try_one(item.name, item.read_bytes(), Path(folder))] += 1
    return counts
