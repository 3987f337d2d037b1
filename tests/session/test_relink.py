"""Images of a session: noticed when they are gone or changed, found below a folder, taken at their new place, kept in its file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.session.session_sample import make_recording

from napari_dynamic_connectome.model.errors import Cancelled, FormatError, InputError
from napari_dynamic_connectome.model.recording import VolumeReference
from napari_dynamic_connectome.session import relink
from napari_dynamic_connectome.session.relink import (
    ReferenceProblem,
    check_references,
    checked_place,
    decode_reference,
    encode_reference,
    find_moved,
)
from napari_dynamic_connectome.session.session import Session


def reference(path: Path) -> VolumeReference:
    return VolumeReference(str(path), (3, 2, 4, 5), "tzyx", (2.0, 0.5, 0.25), 4.0)


def with_images(folder: Path) -> tuple[Session, Path, Path]:
    """A session of one worm with a volume and with labels inside a zarr."""
    folder.mkdir(parents=True, exist_ok=True)
    image, zarr = folder / "v.tif", folder / "l.zarr"
    image.write_bytes(b"voxels")
    (zarr / "labels").mkdir(parents=True)
    (zarr / "labels" / "0").write_bytes(b"labels")
    session = Session()
    session.add(make_recording("w", 0).replace(volume=reference(image), labels=reference(zarr / "labels")))
    for which in ("volume", "labels"):
        encode_reference(session, session.recordings["w"], which, folder, lambda x: x)
    return session, image, zarr


def test_images_are_missing_changed_or_as_they_were(tmp_path: Path) -> None:
    session, image, zarr = with_images(tmp_path)
    assert check_references(session) == []
    image.write_bytes(b"Voxels")
    (changed,) = check_references(session)
    assert changed == ReferenceProblem("w", "volume", str(image), "changed")
    assert str(changed) == f"w: the volume {image} changed since it was used"
    image.unlink()
    zarr.rename(tmp_path / "m.zarr")
    problems = check_references(session)
    assert [(p.which, p.problem) for p in problems] == [("volume", "missing"), ("labels", "missing")]
    assert str(problems[1]) == f"w: the labels {zarr / 'labels'} is not there"
    with pytest.raises(Cancelled):
        check_references(session, cancel=lambda: True)
    session.references.clear()
    image.write_bytes(b"anything")
    assert [p.which for p in check_references(session)] == ["labels"]  # nothing is known of the volume


def test_moved_images_are_found_by_name_size_and_content(tmp_path: Path) -> None:
    session, image, zarr = with_images(tmp_path / "old")
    for name in ("x/other", "y/right"):
        (tmp_path / "new" / name).mkdir(parents=True)
    (tmp_path / "new/x/other/v.tif").write_bytes(b"VOXELS")
    image.rename(tmp_path / "new/y/right/v.tif")
    zarr.rename(tmp_path / "new/y/l.zarr")
    volume, labels = check_references(session)
    assert find_moved(volume, session, tmp_path / "new") == tmp_path / "new/y/right/v.tif"
    assert find_moved(labels, session, tmp_path / "new") == tmp_path / "new/y/l.zarr/labels"
    assert find_moved(volume, session, tmp_path / "new/x") is None
    del session.references["w/volume"]
    assert find_moved(volume, session, tmp_path / "new/x") == tmp_path / "new/x/other/v.tif"  # the name is all there is
    with pytest.raises(Cancelled):
        find_moved(volume, session, tmp_path / "new", cancel=lambda: True)


def test_the_inside_of_images_is_not_searched_and_not_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session, image, _ = with_images(tmp_path / "old")
    (problem,) = [ReferenceProblem("w", "volume", str(image), "missing")]
    (tmp_path / "new/a.zarr").mkdir(parents=True)
    image.rename(tmp_path / "new/a.zarr/v.tif")
    assert find_moved(problem, session, tmp_path / "new") is None
    (tmp_path / "new/a.zarr").rename(tmp_path / "new/a")  # two entries: the folder, and the file in it
    for most, found in ((1, False), (2, True)):
        monkeypatch.setattr(relink, "MAX_SEARCHED", most)
        assert (find_moved(problem, session, tmp_path / "new") is not None) == found


def test_an_image_at_its_new_place_must_be_the_same_or_accepted(tmp_path: Path) -> None:
    session, image, _ = with_images(tmp_path / "old")
    known = dict(session.references["w/volume"])
    place = tmp_path / "v2.tif"
    place.write_bytes(b"voxels")
    (tmp_path / "other.tif").write_bytes(b"other!")
    assert checked_place(session, "w", "volume", place) == known | {"path": str(place)}
    with pytest.raises(InputError, match="this is another image than the one that was used"):
        checked_place(session, "w", "volume", tmp_path / "other.tif")
    with pytest.raises(InputError, match="there is no such file or folder"):
        checked_place(session, "w", "volume", tmp_path / "none.tif")
    for name, which in (("x", "volume"), ("w", "reference")):
        with pytest.raises(InputError, match=f"there is no {which} of '{name}' to find again"):
            checked_place(session, name, which, place)  # type: ignore[arg-type]
    assert session.recordings["w"].volume.path == str(image)  # nothing was changed so far
    relink.relink(session, "w", "volume", place)
    assert session.recordings["w"].volume == reference(place) and session.references["w/volume"]["path"] == str(place)
    with pytest.raises(InputError, match="another image"):
        relink.relink(session, "w", "volume", tmp_path / "other.tif")
    relink.relink(session, "w", "volume", tmp_path / "other.tif", accept_changed=True)
    assert check_references(session) == []
    relink.relink(session, "w", "volume", place, checked={"path": str(place), "size": 1})
    assert session.references["w/volume"] == {"path": str(place), "size": 1}  # not read again
    del session.references["w/volume"]
    assert checked_place(session, "w", "volume", tmp_path / "other.tif")["path"] == str(tmp_path / "other.tif")


def test_a_reference_is_kept_relative_to_the_session_with_what_is_known(tmp_path: Path) -> None:
    session, image, _ = with_images(tmp_path / "data")
    made = encode_reference(session, session.recordings["w"], "volume", tmp_path / "results", lambda x: x)
    assert made["path"] == "../data/v.tif" and made["absolute"] == image.as_posix()
    stamp = {k: v for k, v in session.references["w/volume"].items() if k != "path"}
    assert made["fingerprint"] == stamp and stamp["bytes"] == 6
    text = json.loads(json.dumps(made))
    (tmp_path / "results").mkdir()
    again = Session()
    got = decode_reference(again, "w", "volume", dict(text), tmp_path / "results", dict)
    assert got == reference(image) and again.references == {"w/volume": stamp | {"path": str(image)}}
    # both were moved: the relative path; only the session was: the absolute one; nothing is there: the relative one
    (tmp_path / "far/results").mkdir(parents=True)
    assert decode_reference(again, "w", "volume", dict(text), tmp_path / "far/results", dict).path == str(image)
    (tmp_path / "far/data").mkdir()
    (tmp_path / "far/data/v.tif").write_bytes(b"voxels")
    near = decode_reference(again, "w", "volume", dict(text), tmp_path / "far/results", dict)
    assert near.path == str(tmp_path / "far/data/v.tif")
    image.unlink()
    gone = decode_reference(Session(), "w", "volume", dict(text) | {"fingerprint": None}, tmp_path / "results", dict)
    assert gone.path == str(image)


def test_what_is_known_of_an_image_is_renewed_where_it_is_another_one_now(tmp_path: Path) -> None:
    session, image, _ = with_images(tmp_path)
    worm = session.recordings["w"]
    image.write_bytes(b"changed after it was used")
    made: Any = encode_reference(session, worm, "volume", tmp_path, lambda x: x)
    assert made["fingerprint"]["bytes"] == 6  # of the image that the traces came from
    other = tmp_path / "w.tif"
    other.write_bytes(b"another")
    made = encode_reference(session, worm.replace(volume=reference(other)), "volume", tmp_path, lambda x: x)
    assert made["fingerprint"]["bytes"] == 7 and session.references["w/volume"]["path"] == str(other)
    gone = worm.replace(volume=reference(tmp_path / "gone.tif"))
    made = encode_reference(session, gone, "volume", tmp_path, lambda x: x)
    assert made["fingerprint"]["bytes"] == 7  # moved since: what is known stays
    session.references.clear()
    assert encode_reference(session, gone, "volume", tmp_path, lambda x: x)["fingerprint"] is None
    assert session.references == {}
    assert encode_reference(session, worm.replace(volume=None), "volume", tmp_path, lambda x: x) is None
    assert decode_reference(session, "w", "volume", None, tmp_path, dict) is None


@pytest.mark.parametrize("data", [[], {"path": 1}, {"path": ""}, {"path": "a\0b"}, {"path": "a" * 4096}, {}])
def test_damaged_references_are_refused(tmp_path: Path, data: Any) -> None:
    with pytest.raises(FormatError, match="the reference to the labels of 'w' is damaged"):
        decode_reference(Session(), "w", "labels", data, tmp_path, lambda x: x)
