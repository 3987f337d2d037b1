"""Sessions come back to the last bit, can be read without the package, are replaced whole, and refuse what is not theirs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_dynamic_connectome.model.errors import FormatError, InputError
from napari_dynamic_connectome.model.recording import VolumeReference
from napari_dynamic_connectome.session.save_load import SCHEMA_VERSION, is_session, load_session, save_session
from napari_dynamic_connectome.session.session import Session

sys.path.insert(0, str(Path(__file__).parent))
from session_sample import make_recording, make_session, same, same_session

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize("name", ["s.zarr", "s.zip"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_session_comes_back_to_the_last_bit(tmp_path: Path, name: str, seed: int) -> None:
    session = make_session(seed)
    save_session(session, tmp_path / name)
    again = load_session(tmp_path / name)
    same_session(session, again)
    assert again.components is again.sweep.components[3]  # one object, as it was
    save_session(again, tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == [name]
    session.undo()
    loaded = load_session(tmp_path / name)
    loaded.undo()
    same(session.recordings, loaded.recordings)  # the undo history survives
    loaded.redo()


def test_an_empty_session_can_be_kept(tmp_path: Path) -> None:
    empty = Session()
    save_session(empty, tmp_path / "s.zarr")
    loaded = load_session(tmp_path / "s.zarr")
    same_session(empty, loaded)
    assert not loaded.recordings and loaded.components is None and loaded.current is None


def test_any_zarr_library_reads_the_arrays_and_json_the_rest(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    session = make_session()
    path = save_session(session, tmp_path / "s.zarr")
    root = zarr.open_group(str(path), mode="r")
    body = json.loads((path / root.attrs["json"]).read_text(encoding="utf-8"))
    entry = body["recordings"][0]["traces"]["labelled"]
    values = root[f"arrays/{entry['values']['array']}"][...]
    traces = session.recordings["worm 1"].traces
    assert values.dtype == traces.dtype and np.array_equal(values, traces.values, equal_nan=True)
    names = body["recordings"][0]["neurons"]["table"]["columns"][1]
    assert names[0] == "name" and names[1]["values"][0] == "AVAL"
    assert body["history"][0]["text"] == "name neuron 5 RMDVL"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(list(root["arrays"].arrays())) == len(list((path / "arrays").iterdir())) - 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=st.sampled_from([(), (0,), (3, 0), (1,), (5000,), (7, 11), (3, 2, 2)]),
    kind=st.sampled_from(["<f8", "<f4", "<i2", "|b1", "|u1", ">f8", "<c16", "<M8[ns]", "<U3", "O"]),
    noise=st.booleans(),
)
def test_arrays_of_every_kind_survive_and_other_readers_agree(shape, kind, noise, tmp_path_factory) -> None:
    zarr = pytest.importorskip("zarr")
    path = tmp_path_factory.mktemp("s") / "s.zarr"
    numbers = np.random.default_rng(1).integers(0, 200, shape) if noise else np.zeros(shape, int)
    values = np.asarray(numbers).astype(kind)
    session = Session()
    session.provenance = {"values": values}
    save_session(session, path)
    again = load_session(path).provenance["values"]
    assert again.dtype == (values.dtype.newbyteorder("<") if values.dtype.kind in "fic" else values.dtype)
    assert again.shape == values.shape and again.tolist() == values.tolist()
    for array in (path / "arrays").glob("*/zarr.json"):
        stored = zarr.open_array(str(array.parent), mode="r")[...]
        assert np.asarray(stored).shape == values.shape


TEXT = st.text(max_size=30)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(TEXT | st.integers(), inner, max_size=4) | st.tuples(inner)
    ),
    max_leaves=12,
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.sampled_from(["float", "tuple", "array", "shape", "map", "a"]) | TEXT, VALUE, max_size=4))
def test_settings_of_any_content_survive(tmp_path_factory, values) -> None:
    path = tmp_path_factory.mktemp("s") / "s.zarr"
    session = Session()
    session.settings = values
    save_session(session, path)
    same(load_session(path).settings, values)


def test_saving_twice_keeps_one_and_leaves_nothing_behind(tmp_path: Path) -> None:
    session = make_session()
    path = save_session(session, tmp_path / "s.zarr")
    session.edit("worm 1", {8: {"name": "ASEL"}})
    save_session(session, path)
    assert load_session(path).recordings["worm 1"].neurons.loc["ASEL", "label"] == 8
    assert [p.name for p in tmp_path.iterdir()] == ["s.zarr"]


def test_edits_made_while_a_session_is_saved_stay_in_the_journal(tmp_path: Path, monkeypatch) -> None:
    from napari_dynamic_connectome.session import save_load as module
    from napari_dynamic_connectome.session.journal import Journal

    path = save_session(make_session(), tmp_path / "s.zarr")
    write_store = module.write_store
    for target in (path, tmp_path / "other.zarr"):
        session = load_session(path)
        journal = Journal.attach(session)

        def slow(*given, session=session) -> None:
            monkeypatch.setattr(module, "write_store", write_store)
            session.edit("worm 1", {1: {"note": "while it was written"}})
            session.add(make_recording("late", 5), made="extract traces")
            session.name_neuron(5, "RMEL", recording="late")
            write_store(*given)

        monkeypatch.setattr(module, "write_store", slow)
        save_session(session, target)
        journal._file.close()
        again = load_session(target)
        assert "late" not in again.recordings
        (target.parent / f"{target.name}.journal" / "lock").unlink()
        recovered = Journal.attach(again)
        assert [p.edit.action for p in recovered.pending] == ["edit", "replace", "edit"]
        assert recovered.recover() == []
        same(again.recordings, session.recordings)
        same([e.text for e in again.history], [e.text for e in session.history])
        recovered.close()
        shutil.rmtree(f"{path}.journal", ignore_errors=True)


def test_other_things_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"cat")
    (tmp_path / "notes.zip").write_bytes(b"notes")
    for name in ("photos", "notes.zip"):
        with pytest.raises(InputError, match="not a session"):
            save_session(make_session(results=False), tmp_path / name)
    assert (tmp_path / "photos" / "cat.jpg").read_bytes() == b"cat"


def test_a_session_that_another_window_saved_is_not_overwritten(tmp_path: Path) -> None:
    path = save_session(make_session(results=False), tmp_path / "s.zarr")
    one, two = load_session(path), load_session(path)
    one.name_neuron(8, "ASEL", recording="worm 1")
    save_session(one, path)
    two.name_neuron(8, "ASER", recording="worm 1")
    with pytest.raises(InputError, match="another window saved"):
        save_session(two, path)
    assert "ASEL" in load_session(path).recordings["worm 1"].named
    save_session(two, tmp_path / "mine.zarr")
    save_session(one, tmp_path / "elsewhere.zip")
    save_session(one, path)  # back to where it was: still its own
    save_session(two, path, overwrite=True)
    assert "ASER" in load_session(path).recordings["worm 1"].named


def test_a_gone_folder_is_not_made_anew(tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    session = make_session(results=False)
    path = save_session(session, tmp_path / "drive" / "s.zarr")
    (tmp_path / "drive").rename(tmp_path / "away")
    with pytest.raises(InputError, match="folder is gone"):
        save_session(session, path)
    assert not (tmp_path / "drive").exists()
    load_session(tmp_path / "away" / "s.zarr")


def test_images_are_found_by_relative_path(tmp_path: Path) -> None:
    home = tmp_path / "lab" / "data"
    home.mkdir(parents=True)
    (home / "v.tif").write_bytes(b"voxels" * 1000)
    session = Session()
    recording = make_recording("w", 0)
    reference = VolumeReference(str(home / "v.tif"), (10, 2, 3, 4), "tzyx", (1.0, 0.3, 0.3), float("nan"))
    session.add(recording.replace(volume=reference))
    (tmp_path / "lab" / "results").mkdir()
    save_session(session, tmp_path / "lab" / "results" / "s.zarr")
    (tmp_path / "lab").rename(tmp_path / "moved")
    again = load_session(tmp_path / "moved" / "results" / "s.zarr").recordings["w"].volume
    assert again is not None
    assert Path(again.path) == tmp_path / "moved" / "data" / "v.tif"
    assert (
        again.shape == reference.shape
        and again.voxel_size_um == reference.voxel_size_um
        and np.isnan(again.frame_rate_hz)
    )


# --- damaged, foreign, hostile ------------------------------------------------------------------------------------------


def rewrite(path: Path, change) -> None:
    """Change a session's JSON the way an attacker would: with a hash that fits."""
    body = json.loads((path / "session.json").read_bytes())
    change(body)
    data = json.dumps(body).encode()
    (path / "session.json").write_bytes(data)
    head = json.loads((path / "zarr.json").read_bytes())
    head["attributes"]["json_sha256"] = hashlib.sha256(data).hexdigest()
    (path / "zarr.json").write_text(json.dumps(head))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return save_session(make_session(), tmp_path / "s.zarr")


def refused(path: Path, match: str) -> None:
    with pytest.raises(FormatError, match=match) as caught:
        load_session(path)
    assert str(path) in str(caught.value)


def test_a_newer_schema_is_refused_with_what_to_do(saved: Path) -> None:
    rewrite(saved, lambda body: body.update(schema_version=SCHEMA_VERSION + 1))
    refused(saved, "Update napari-dynamic-connectome")
    head = json.loads((saved / "zarr.json").read_text())
    head["attributes"]["schema_version"] = 99
    (saved / "zarr.json").write_text(json.dumps(head))
    refused(saved, "schema version 99")
    with pytest.raises(InputError, match="schema version 99"):
        save_session(make_session(), saved)  # nor is it replaced by an older program


def test_an_older_schema_is_refused_with_what_to_do(saved: Path) -> None:
    head = json.loads((saved / "zarr.json").read_text())
    head["attributes"]["schema_version"] = 3
    (saved / "zarr.json").write_text(json.dumps(head))
    refused(saved, "schema version 3, of a time before the first release.*from its recordings")


def test_a_session_that_was_saved_some_time_ago_opens() -> None:
    expected = json.loads((FIXTURES / "session-expected.json").read_text(encoding="utf-8"))
    session = load_session(FIXTURES / f"session-v{SCHEMA_VERSION}.zip")
    assert {n: r.named for n, r in session.recordings.items()} == expected["named"]
    assert [e.text for e in session.history] == expected["history"]
    assert [e.action for e in session.history] == expected["actions"]
    assert session.components is not None and session.components.rank == expected["rank"]
    assert float(session.recordings["worm 1"].traces.values[0, 0]) == expected["first"]
    assert session.left_out == frozenset({"worm 2"}) and set(session.raw) == {"worm 1"}
    assert {rank: len(found) for rank, found in session.surrogates.items()} == {3: 2}
    assert session.states is not None and session.baselines is not None and session.signed is not None
    assert session.groups == {"command": ("AVAL", "AVAR")}
    session.redo()


def first_array(path: Path) -> Path:
    body = json.loads((path / "session.json").read_bytes())
    return path / "arrays" / body["recordings"][0]["traces"]["labelled"]["values"]["array"]


def test_changed_bytes_are_noticed(saved: Path) -> None:
    chunk = next(p for p in (first_array(saved) / "c").rglob("*") if p.is_file())
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    refused(saved, "not what was saved|damaged")


def test_text_edited_by_hand_is_noticed(saved: Path) -> None:
    text = (saved / "session.json").read_text(encoding="utf-8")
    (saved / "session.json").write_text(text.replace("AVAL", "AVAR"), encoding="utf-8")
    refused(saved, "not what was saved")


@pytest.mark.parametrize("what", ["session.json", "zarr.json", "chunk", "array"])
def test_missing_and_short_files_are_noticed(saved: Path, what: str) -> None:
    if what == "array":
        shutil.rmtree(first_array(saved))
        refused(saved, "cannot be read")
        return
    files = [p for p in first_array(saved).rglob("*") if p.is_file() and p.name != "zarr.json"]
    file = files[0] if what == "chunk" else saved / what
    file.write_bytes(file.read_bytes()[:-7])
    refused(saved, "")
    file.unlink()
    refused(saved, "")


def test_links_and_paths_out_of_the_session_are_refused(saved: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"0" * 480)
    array = first_array(saved)
    chunk = next(p for p in (array / "c").rglob("*") if p.is_file())
    chunk.unlink()
    chunk.symlink_to(tmp_path / "secret")
    refused(saved, "is a link")
    for name in ("../../secret", "/etc/passwd", "..", "a" * 31, 5, None):
        rewrite(saved, lambda body, name=name: body["recordings"][0]["traces"]["labelled"]["values"].update(array=name))
        refused(saved, "not the name of an array|damaged|text is expected")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_pipe_instead_of_a_file_does_not_hang(saved: Path) -> None:
    (saved / "session.json").unlink()
    os.mkfifo(saved / "session.json")
    refused(saved, "not an ordinary file")


def test_a_declared_size_that_is_not_stored_is_refused_before_memory_is_taken(saved: Path) -> None:
    array = first_array(saved)
    header = json.loads((array / "zarr.json").read_text())
    header["shape"] = [2**31, 2**10]
    header["chunk_grid"]["configuration"]["chunk_shape"] = [1 << 20, 1 << 10]
    (array / "zarr.json").write_text(json.dumps(header))
    rewrite(saved, lambda body: body["recordings"][0]["traces"]["labelled"]["values"].update(shape=[2**31, 2**10]))
    refused(saved, "not as it was saved|would take|declared")


@pytest.mark.parametrize("codec", ["pickle", "zstd", "sharding_indexed"])
def test_no_other_codec_is_ever_run(saved: Path, codec: str) -> None:
    array = first_array(saved)
    header = json.loads((array / "zarr.json").read_text())
    header["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": codec, "configuration": {}}]
    (array / "zarr.json").write_text(json.dumps(header))
    refused(saved, "codecs")


def test_a_gzip_bomb_stops_at_what_was_declared(saved: Path) -> None:
    import gzip

    array = first_array(saved)
    header = json.loads((array / "zarr.json").read_text())
    header["codecs"] = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "gzip", "configuration": {}}]
    (array / "zarr.json").write_text(json.dumps(header))
    chunk = next(p for p in (array / "c").rglob("*") if p.is_file())
    chunk.write_bytes(gzip.compress(bytes(60 << 20)))
    refused(saved, "declared")


def test_a_zip_bomb_is_refused(tmp_path: Path) -> None:
    path = save_session(make_session(results=False), tmp_path / "s.zip")
    with zipfile.ZipFile(path) as archive:
        files = {n: archive.read(n) for n in archive.namelist()}
    files["session.json"] = b" " * (300 << 20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    assert path.stat().st_size < 2 << 20
    refused(path, "larger than")


def test_a_zip_that_was_packed_by_hand_opens(tmp_path: Path) -> None:
    session = make_session()
    path = save_session(session, tmp_path / "s.zarr")
    shutil.make_archive(str(tmp_path / "packed"), "zip", tmp_path, "s.zarr")
    same_session(load_session(tmp_path / "packed.zip"), load_session(path))


def test_what_is_no_session_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x05\x06" + bytes(18))
    (tmp_path / "b.txt").write_text("hello")
    (tmp_path / "c").mkdir()
    for name in ("a.zip", "b.txt", "c"):
        assert not is_session(tmp_path / name)
        with pytest.raises(FormatError):
            load_session(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        load_session(tmp_path / "absent.zarr")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_session_that_names_a_pipe_or_a_network_path_blocks_nothing(tmp_path: Path) -> None:
    from napari_dynamic_connectome.model.recording import VolumeReference
    from napari_dynamic_connectome.session.relink import check_references, foreign_images, relink

    folder, pipe = tmp_path / "from a stranger", tmp_path / "pipe"
    folder.mkdir()
    os.mkfifo(pipe)
    (folder / "own.tif").write_bytes(b"x")
    (folder / "link.tif").symlink_to(tmp_path / "secret.tif")
    (tmp_path / "secret.tif").write_bytes(b"x")
    session = make_session(results=False)
    places = (pipe, "//server/share/a.tif", folder / "own.tif", folder / "link.tif")
    for number, place in enumerate(places):
        reference = VolumeReference(str(place), (1, 1, 1, 1), "tzyx", (1, 1, 1), 1)
        session.add(make_recording(f"w{number}", number).replace(volume=reference))
    loaded = load_session(save_session(session, folder / "s.zarr"))
    problems = {p.recording: p.problem for p in check_references(loaded)}
    assert problems == {"w0": "missing", "w1": "missing"}
    names = [Path(p).name for p in foreign_images(loaded)]
    assert sorted(names) == ["a.tif", "link.tif", "pipe"]
    with pytest.raises(InputError, match="no such file or folder"):
        relink(loaded, "w2", "volume", pipe)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_a_pipe_is_refused_in_one_line_by_every_reader(tmp_path: Path) -> None:
    from napari_dynamic_connectome import read_recording
    from napari_dynamic_connectome.io.registry import open_volume

    for name in ("a.csv", "a.npz", "a.tif", "a.nwb"):
        os.mkfifo(tmp_path / name)
        for read in (read_recording, open_volume):
            with pytest.raises(InputError, match="neither a file nor a folder"):
                read(tmp_path / name)


def test_what_fits_no_memory_is_refused_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_dynamic_connectome.model import memory
    from napari_dynamic_connectome.session import store

    monkeypatch.delattr(os, "sysconf", raising=False)
    store.check_memory(1 << 20)
    store.check_memory(int(memory.free_mb() * 5e5))
    monkeypatch.setattr(store, "free_mb", lambda: 3000.0)
    store.check_memory(2_900_000_000)
    with pytest.raises(FormatError, match=r"would take 3.1 GB; 3 GB of memory are free"):
        store.check_memory(3_100_000_000)
    monkeypatch.setattr(store, "free_mb", lambda: float("inf"))
    store.check_memory(3_100_000_000)
    with pytest.raises(FormatError, match="limit 64 GiB"):
        store.check_memory(1 << 37)
