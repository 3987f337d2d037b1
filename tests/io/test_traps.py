"""Files that lead to other files: pipes, devices and other machines are never opened by way of them, and nothing waits for them."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from napari_dynamic_connectome.io.files import files_below, followed, is_network
from napari_dynamic_connectome.io.layer_data import read_layers
from napari_dynamic_connectome.io.registry import identify, open_labels, open_volume, read_recordings
from napari_dynamic_connectome.io.volumes.omezarr_write import create_labels, create_volume
from napari_dynamic_connectome.model.errors import DynamicConnectomeError

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo") or not hasattr(os, "fork"), reason="needs pipes and fork")
LIMIT_S = 60


def said(work: Callable[[], str]) -> str:
    """Do something in a child process that is ended if it waits for ever; return what it says."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            text = work()
        except BaseException as error:
            text = f"raised {type(error).__name__}: {error}"
        os.write(writer, text.encode() or b"-")
        os._exit(0)
    os.close(writer)
    try:
        assert select.select([reader], [], [], LIMIT_S)[0], "it waits for what never answers"
        return os.read(reader, 1 << 16).decode()
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(reader)


def read_in_all_ways(path: Path) -> str:
    """Read a file by every reader; what is not our own error is told."""
    lines = []
    for read in (identify, read_layers, read_recordings, open_volume, open_labels):
        try:
            for one in found if isinstance(found := read(path), list) else [found]:
                data = one[0] if isinstance(one, tuple) else getattr(one, "data", None)
                if hasattr(data, "compute"):
                    data.compute(scheduler="synchronous")
        except DynamicConnectomeError as error:
            lines.append(str(error))
    return "\n".join(lines)


def linked(path: Path, make: Callable[[h5py.File, str], None], pipe: Path) -> Path:
    with h5py.File(path, "w") as file:
        make(file, str(pipe))
    return path


def soft(file: h5py.File, pipe: str) -> None:
    file["elsewhere"] = h5py.ExternalLink(pipe, "/a")
    file["traces"] = h5py.SoftLink("/elsewhere")
    file["image"] = h5py.SoftLink("elsewhere/a")
    file["round"] = h5py.SoftLink("/round")
    file["voxels"] = np.zeros((3, 2, 4, 4), "u2")
    file["again"] = h5py.SoftLink("/voxels")


def matlab(file: h5py.File, pipe: str) -> None:
    soft(file, pipe)
    file.create_dataset("F", data=np.zeros((3, 50))).attrs["MATLAB_class"] = np.bytes_("double")


def nwb(file: h5py.File, pipe: str) -> None:
    file.attrs["nwb_version"] = "2.5"
    file["elsewhere"] = h5py.ExternalLink(pipe, "/a")
    series = file.create_group("acquisition/a")
    series.attrs["neurodata_type"] = "RoiResponseSeries"
    for name in ("data", "rois", "timestamps", "starting_time"):
        series[name] = h5py.SoftLink("/elsewhere/x")
    for name in ("processing", "intervals", "stimulus", "general"):
        file[name] = h5py.SoftLink("/elsewhere")


@pytest.mark.parametrize(("name", "make"), [("a.h5", soft), ("a.mat", matlab), ("a.nwb", nwb)])
def test_links_to_links_in_hdf5_open_nothing(tmp_path: Path, name: str, make: Callable[[h5py.File, str], None]) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = linked(tmp_path / name, make, tmp_path / "pipe")
    assert "raised" not in said(lambda: read_in_all_ways(path))


def test_what_a_soft_link_in_the_same_file_leads_to_is_read(tmp_path: Path) -> None:
    from napari_dynamic_connectome.io.volumes.hdf5 import is_local, member, opened

    path = linked(tmp_path / "a.h5", soft, tmp_path / "pipe")
    with opened(path) as file:
        assert member(file, "again", "here").shape == (3, 2, 4, 4) and is_local(file, "again")
        assert file["again"].shape == file.get("/again").shape == (3, 2, 4, 4)
        assert not is_local(file, "traces") and not is_local(file, "round") and not is_local(file, "elsewhere")
        assert "image" not in file and "voxels" in file and file.get("absent", 3) == 3
        with pytest.raises(KeyError, match="not in this file"):
            file["traces"]
        with pytest.raises(DynamicConnectomeError, match="link to another file"):
            member(file, "elsewhere/a", "here")


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ("pipe", "neither a file nor a folder"),
        ("../pipe", "outside of its folder"),
        ("//server/share/b.ome.tif", "outside of its folder"),
        ("\\\\server\\b.ome.tif", "outside of its folder"),
        ("link", "outside of its folder"),
    ],
)
def test_an_ome_tiff_opens_only_its_neighbours(tmp_path: Path, other: str, why: str) -> None:
    home = tmp_path / "images"
    home.mkdir()
    os.mkfifo(tmp_path / "pipe")
    os.mkfifo(home / "pipe")
    (home / "link").symlink_to("//server/share/b.ome.tif")
    planes = "".join(
        f'<TiffData FirstT="{t}" FirstZ="0" FirstC="0" IFD="0" PlaneCount="1">'
        f'<UUID FileName="{name}">urn:uuid:0000000{t}-0000-0000-0000-000000000000</UUID></TiffData>'
        for t, name in enumerate(("a.ome.tif", other))
    )
    text = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'UUID="urn:uuid:00000000-0000-0000-0000-000000000000"><Image ID="Image:0"><Pixels ID="Pixels:0" '
        'DimensionOrder="XYZCT" Type="uint16" SizeX="8" SizeY="8" SizeZ="1" SizeC="1" SizeT="2">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="1"/>{planes}</Pixels></Image></OME>'
    )
    path = home / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((8, 8), "u2"), description=text.encode(), metadata=None)
    found = said(lambda: read_in_all_ways(path))
    assert why in found and "raised" not in found


def zarr(path: Path) -> Path:
    create_volume(path, (3, 4, 8, 8), voxel_size_um=(1, 1, 1), frame_rate_hz=2)[...] = 1
    create_labels(path, (4, 8, 8), "zyx", voxel_size_um=(1, 1, 1))[...] = 1
    return path


def test_no_pipe_and_no_socket_inside_a_zarr_folder_is_opened(tmp_path: Path) -> None:
    path = zarr(tmp_path / "a.zarr")
    files = sorted(p for p in path.rglob("*") if p.is_file())
    assert len(files) > 8
    for file in files:
        kept = file.read_bytes()
        file.unlink()
        os.mkfifo(file)
        assert "raised" not in said(lambda: read_in_all_ways(path)), file
        file.unlink()
        file.write_bytes(kept)
    assert said(lambda: str(len(read_layers(path)))) == "2"
    short = Path(os.path.relpath(path / "0" / "s"))  # a socket's name must be short
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(str(short))
        with pytest.raises(DynamicConnectomeError, match="neither a file nor a folder"):
            open_volume(path)


def test_a_chunk_that_is_a_link_to_nowhere_is_missing(tmp_path: Path) -> None:
    path = zarr(tmp_path / "a.zarr")
    chunk = next(p for p in sorted((path / "0").rglob("*")) if p.is_file() and not p.name.startswith((".", "zarr")))
    chunk.unlink()
    chunk.symlink_to(tmp_path / "not fetched")
    volume = open_volume(path)
    assert np.isnan(volume.data.compute()).sum() == 4 * 8 * 8
    assert list(files_below(path / "0")).count(chunk.relative_to(path / "0").as_posix()) == 0


@pytest.mark.parametrize(
    ("path", "elsewhere"),
    [
        ("//server/share/a", True),
        ("\\\\server\\share", True),
        ("\\\\?\\UNC\\server\\share", True),
        ("\\??\\UNC\\server\\share", True),
        ("//./pipe/a", True),
        ("\\\\?\\C:\\data\\a", False),
        ("/data/a", False),
        ("data/a", False),
        ("C:\\data", False),
    ],
)
def test_paths_that_lead_to_another_machine(path: str, elsewhere: bool) -> None:
    assert is_network(path) is elsewhere
    assert followed(path) is None if elsewhere else True


def test_links_are_followed_by_hand(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "up").symlink_to("a/b/../../a")
    (tmp_path / "absolute").symlink_to(tmp_path / "up" / "b")
    (tmp_path / "away").symlink_to("//server/share")
    (tmp_path / "loop").symlink_to("loop")
    assert followed(tmp_path / "up") == tmp_path.resolve() / "a"
    assert followed(tmp_path / "absolute" / "x") == tmp_path.resolve() / "a" / "b" / "x"
    assert followed(tmp_path / "absolute" / ".." / "x") == tmp_path.resolve() / "a" / "x"
    assert followed(tmp_path / "away" / "x") is None
    assert followed(tmp_path / "loop") is None
    assert followed("a\0b") is None
