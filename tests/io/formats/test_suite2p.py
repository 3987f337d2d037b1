"""Folders of suite2p: one plane or several, what is a cell, what is neuropil, and pickles that hold more than data."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest

from napari_dynamic_connectome import ChoiceNeeded, FormatError, InputError, read_recording
from napari_dynamic_connectome.io.formats import suite2p
from napari_dynamic_connectome.io.layer_data import can_read
from napari_dynamic_connectome.io.plain_pickle import plain_npy

N, T = 4, 30
F = np.random.default_rng(0).random((N, T)).astype(np.float32)


def plane(folder: Path, *, fs: float | None = 3.0, settings: str = "ops", copies: int = 1) -> Path:
    """A plane as suite2p saves it: arrays (region, frame), and dicts in npy files of objects."""
    folder.mkdir(parents=True)
    np.save(folder / "F.npy", np.tile(F, (copies, 1)))
    np.save(folder / "Fneu.npy", np.tile(F / 2, (copies, 1)))
    np.save(folder / "spks.npy", np.tile(F * 0, (copies, 1)))
    np.save(folder / "iscell.npy", np.tile([[1, 0.9], [0, 0.1], [1, 0.8], [1, 0.7]], (copies, 1)))
    region = {"ypix": np.arange(3), "xpix": np.arange(3), "lam": np.ones(3, np.float32), "radius": np.float64(2)}
    stat = [region | {"med": [np.int64(10 + i), 20 + i + 100 * k]} for k in range(copies) for i in range(N)]
    np.save(folder / "stat.npy", np.array(stat, dtype=object))
    held = {
        "diameter": [6.0, 6.0],
        "save_path": folder,
        "date_proc": datetime.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=datetime.UTC),
    }
    held |= {} if fs is None else {"fs": fs}
    np.save(folder / f"{settings}.npy", np.array(held, dtype=object))
    return folder


@pytest.mark.parametrize("settings", ["ops", "settings"])
@pytest.mark.parametrize("given", ["worm3", "worm3/suite2p", "worm3/suite2p/plane0", "worm3/suite2p/plane0/F.npy"])
def test_a_plane_is_read_from_wherever_it_is_pointed_at(tmp_path, settings, given) -> None:
    plane(tmp_path / "worm3" / "suite2p" / "plane0", settings=settings)
    worm = read_recording(tmp_path / given)
    assert can_read(tmp_path / given)
    assert worm.name == "worm3"
    np.testing.assert_array_equal(worm.traces.values, F.T)
    assert worm.rate_hz == pytest.approx(3.0)
    assert worm.neurons["rejected"].tolist() == [False, True, False, False]
    assert worm.neurons["label"].tolist() == [1, 2, 3, 4]
    assert worm.named == [] and np.isnan(worm.positions_um).all()
    said = " ".join(worm.remarks)
    assert "neuropil (Fneu) is not subtracted" in said and "1 of 4 regions are no cells" in said


def test_neuropil_is_subtracted_or_read_only_where_it_is_asked_for(tmp_path) -> None:
    folder = plane(tmp_path / "plane0")
    worm = read_recording(folder, signal="F - 0.7 Fneu")
    np.testing.assert_allclose(worm.traces.values, F.T * 0.65, rtol=1e-6)
    assert "minus 0.7 of the neuropil" in worm.remarks[0]
    assert "deconvolved" in read_recording(folder, signal="spks").remarks[0]
    with pytest.raises(InputError, match="no signal 'Fneu'"):
        read_recording(folder, signal="Fneu")


def test_of_several_planes_one_is_chosen_not_taken(tmp_path) -> None:
    for name in ("plane0", "plane1", "combined"):
        plane(tmp_path / "w" / "suite2p" / name, copies=2 if name == "combined" else 1)
    with pytest.raises(ChoiceNeeded, match="2 planes") as asked:
        read_recording(tmp_path / "w")
    assert asked.value.option == "dataset" and asked.value.choices == ("combined", "plane0", "plane1")
    both = read_recording(tmp_path / "w", dataset="combined", voxel_size_um=(2.0, 0.5, 0.5))
    # suite2p puts the planes side by side in one picture: as places, those of the second would be beside the worm
    assert both.name == "w" and both.positions_um[[1, 5]].tolist() == [[0.0, 5.5, 10.5], [2.0, 5.5, 10.5]]
    assert read_recording(tmp_path / "w", dataset="plane1").name == "w plane1"


def test_a_rate_that_is_nowhere_is_asked(tmp_path) -> None:
    folder = plane(tmp_path / "plane0", fs=None)
    with pytest.raises(ChoiceNeeded) as asked:
        read_recording(folder)
    assert asked.value.option == "rate_hz"
    assert read_recording(folder, rate_hz=2).rate_hz == pytest.approx(2)


class _Runs:
    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return (eval, ("open('ran', 'w').close()",))


@pytest.mark.parametrize("what", [_Runs(), print, {"fs": _Runs()}, np.array([_Runs()], object)])
def test_a_pickle_that_holds_more_than_data_is_refused_and_not_run(tmp_path, what, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = plane(tmp_path / "plane0")
    np.save(folder / "ops.npy", np.array(what, dtype=object))
    with pytest.raises(FormatError, match="rate is in a file that is not read"):
        read_recording(folder)
    assert not Path("ran").exists()


def test_plain_values_come_out_of_a_pickle_as_they_went_in(tmp_path) -> None:
    held = {"a": np.arange(6, dtype=">i4").reshape(2, 3), "b": [1, 2.5, "µ", None, True], "c": np.float32(2), "d": b"x"}
    held |= {"e": np.asfortranarray(np.eye(3)), "f": np.array(["x", "yz"]), "g": np.array([], float), "h": np.str_("t")}
    np.save(tmp_path / "x.npy", np.array(held, dtype=object))
    back = plain_npy(tmp_path / "x.npy")
    assert back.keys() == held.keys() and back["b"] == held["b"] and back["d"] == b"x" and back["h"] == "t"
    for key in "acefg":
        np.testing.assert_array_equal(back[key], held[key])
        assert np.asarray(back[key]).dtype.kind == np.asarray(held[key]).dtype.kind


def test_a_cut_off_pickle_is_a_damaged_file(tmp_path) -> None:
    folder = plane(tmp_path / "plane0")
    raw = (folder / "stat.npy").read_bytes()
    (folder / "stat.npy").write_bytes(raw[: len(raw) // 2])
    with pytest.raises(FormatError):
        read_recording(folder, voxel_size_um=(1, 1, 1))


@pytest.mark.parametrize("rate", [0.0, -1.0, np.inf, np.nan])
def test_rates_that_cannot_be_are_refused_wherever_they_come_from(tmp_path, rate) -> None:
    folder = plane(tmp_path / "plane0", fs=rate)
    for options in ({}, {"rate_hz": rate}):
        with pytest.raises(InputError, match="Hz is not positive"):
            suite2p.read_recordings(folder, **options)
    assert suite2p.read_recordings(folder, rate_hz=5.0)[0].rate_hz == pytest.approx(5.0)


@pytest.mark.parametrize("fs", ["fast", [2.5, 3.0], {"Hz": 2}])
def test_a_rate_that_is_no_number_is_refused(tmp_path, fs) -> None:
    with pytest.raises(FormatError, match=r"the sampling rate '.*' is no number"):
        suite2p.read_recordings(plane(tmp_path / "plane0", fs=fs))
    for number, good in enumerate((np.array([2.5]), "2.5", np.float32(2.5))):
        assert suite2p.read_recordings(plane(tmp_path / f"plane{number + 1}", fs=good))[0].rate_hz == pytest.approx(2.5)


def test_planes_are_found_in_the_order_of_their_numbers(tmp_path) -> None:
    base = tmp_path / "w" / "suite2p"
    for name in ("plane10", "plane2", "combined"):
        plane(base / name)
    (base / "plane3").mkdir()
    assert list(suite2p.planes(tmp_path / "w")) == list(suite2p.planes(base)) == ["plane2", "plane10", "combined"]
    assert list(suite2p.planes(base / "plane2")) == ["plane2"] and suite2p.planes(tmp_path) == {}
    with pytest.raises(ChoiceNeeded, match=r"has 2 planes here.*combined holds the cells of all") as asked:
        suite2p.read_recordings(base)
    assert asked.value.choices == ("combined", "plane2", "plane10")
    with pytest.raises(InputError, match=r"there is no 'plane3'.*Found: plane2, plane10, combined"):
        suite2p.read_recordings(base, dataset="plane3")
    assert [suite2p.read_recordings(base, dataset=d)[0].name for d in ("plane2", "combined")] == ["w plane2", "w"]
    (base / "combined" / "F.npy").unlink()
    with pytest.raises(ChoiceNeeded, match=r"one of: plane2, plane10\.$"):
        suite2p.read_recordings(base)
    other = plane(tmp_path / "bare")
    assert suite2p.read_recordings(other)[0].name == "bare"
    with pytest.raises(InputError, match="this is no folder of suite2p"):
        suite2p.read_recordings(tmp_path)


def test_a_file_alone_is_no_folder_of_suite2p(tmp_path) -> None:
    folder = tmp_path / "p"
    folder.mkdir()
    for count, name in enumerate(("F.npy", "Fneu.npy", "spks.npy"), 1):
        np.save(folder / name, F)
        assert (suite2p.folder_of(folder / name) == folder) == (count == 3)
    assert (
        suite2p.folder_of(folder / "other.npy") is None
        and suite2p.folder_of(folder) == folder
        and suite2p.folder_of(tmp_path) is None
    )
    (folder / "F.npy").unlink()
    np.save(folder / "stat.npy", F)
    assert suite2p.folder_of(folder / "stat.npy") is None


@pytest.mark.parametrize(
    ("signal", "factor"),
    [
        ("F - 1 Fneu", 1.0),
        ("F-.25*Fneu", 0.25),
        (" F - 2.5 * Fneu ", 2.5),
        ("F + Fneu", None),
        ("dff", None),
        ("F - Fneu", None),
    ],
)
def test_any_share_of_the_neuropil_may_be_subtracted(tmp_path, signal, factor) -> None:
    folder = plane(tmp_path / "plane0")
    if factor is None:
        with pytest.raises(InputError, match="there is no signal"):
            suite2p.read_recordings(folder, signal=signal)
        return
    (held,) = suite2p.read_recordings(folder, signal=signal)
    np.testing.assert_allclose(held.traces.values, F.T * (1 - factor / 2), rtol=1e-6)
    assert held.provenance["suite2p"] == {"plane": "plane0", "signal": signal}


def test_positions_are_those_of_the_regions_and_planes_in_micrometres(tmp_path) -> None:
    base = tmp_path / "suite2p"
    for k in (0, 3):
        plane(base / f"plane{k}")
    plane(base / "combined", copies=2)
    size = (5.0, 2.0, 0.5)
    one = suite2p.read_recordings(base, dataset="plane3", voxel_size_um=size)[0]
    expected = [[15, 2 * (10 + i), 0.5 * (20 + i)] for i in range(4)]
    np.testing.assert_allclose(one.positions_um, expected)
    both = suite2p.read_recordings(base, dataset="combined", voxel_size_um=size)[0]
    np.testing.assert_allclose(both.positions_um, [[0, *p[1:]] for p in expected] + expected)
    assert "positions are in pixels" in " ".join(suite2p.read_recordings(base, dataset="plane3")[0].remarks)
    (base / "plane3" / "stat.npy").unlink()
    part = suite2p.read_recordings(base, dataset="combined", voxel_size_um=size)[0]
    assert np.isnan(part.positions_um).all() and "the planes of 'combined' are not all there" in " ".join(part.remarks)
    bare = suite2p.read_recordings(base, dataset="plane3", voxel_size_um=size)[0]
    assert np.isnan(bare.positions_um).all() and "positions" not in " ".join(bare.remarks)
    np.save(base / "plane0" / "stat.npy", np.load(base / "plane0" / "stat.npy", allow_pickle=True)[:3])
    with pytest.raises(FormatError, match="stat has 3 rows for 4 regions"):
        suite2p.read_recordings(base, dataset="plane0", voxel_size_um=size)


@pytest.mark.parametrize(
    ("name", "values", "options", "words"),
    [
        ("iscell", np.ones((3, 2)), {}, "iscell has 3 rows for 4 regions"), ("F", np.ones(5), {}, r"F\.npy has 1 axes, not \(region, frame\)"), ("Fneu", np.ones((4, 3)), {"signal": "F - 1 Fneu"}, r"F has shape \(4, 30\), Fneu \(4, 3\)"),
        ("spks", np.ones((4, 20)), {"signal": "spks"}, r"spks has shape \(4, 20\), F \(4, 30\)"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_named(tmp_path, name, values, options, words) -> None:
    folder = plane(tmp_path / "plane0")
    np.save(folder / f"{name}.npy", values)
    with pytest.raises(FormatError, match=words):
        suite2p.read_recordings(folder, **options)


def test_cells_are_those_that_iscell_says(tmp_path) -> None:
    folder = plane(tmp_path / "plane0")
    np.save(folder / "iscell.npy", np.ones((4, 2)))
    held = suite2p.read_recordings(folder)[0]
    assert not held.neurons["rejected"].any() and "no cells" not in " ".join(held.remarks)
    (folder / "iscell.npy").unlink()
    held = suite2p.read_recordings(folder)[0]
    assert not held.neurons["rejected"].any() and "no iscell.npy: every region counts as a cell" in " ".join(
        held.remarks
    )
    (folder / "Fneu.npy").unlink()
    assert "neuropil" not in " ".join(suite2p.read_recordings(folder)[0].remarks)
