"""Broken, hostile and odd files, made by the functions below; used by the tests and by the table in the docs.

Every entry of `BROKEN` makes a file and returns a call that must end in one clear error. Every entry of `ODD` makes a file
that looks strange but is fine, and returns a call whose result must be truthy.
"""

from __future__ import annotations

import gzip
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import scipy.io
import tifffile
import zarr

from napari_dynamic_connectome.extraction.extract import extract_traces
from napari_dynamic_connectome.io.formats import connectome, parquet, side_tables
from napari_dynamic_connectome.io.registry import open_labels, open_volume, read_recording, read_recordings
from napari_dynamic_connectome.io.volumes import omezarr_write


@dataclass(frozen=True)
class Case:
    """One file: its format, what is the matter, words the message must hold, and the function that makes it."""

    format: str
    what: str
    words: tuple[str, ...]
    build: Callable[[Path], Callable[[], Any]]

    @property
    def name(self) -> str:
        return self.build.__name__


BROKEN: list[Case] = []
ODD: list[Case] = []


def broken(form: str, what: str, *words: str) -> Callable[[Any], Any]:
    def keep(build: Any) -> Any:
        BROKEN.append(Case(form, what, words, build))
        return build

    return keep


def odd(form: str, what: str) -> Callable[[Any], Any]:
    def keep(build: Any) -> Any:
        ODD.append(Case(form, what, (), build))
        return build

    return keep


def fields(**changes: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    base: dict[str, Any] = {
        "traces": rng.normal(size=(30, 4)),
        "t": np.arange(30) / 2,
        "names": np.array(["AVAL", "AVAR", "", "RIML"]),
    }
    base.update(changes)
    return {k: v for k, v in base.items() if v is not None}


def npz(folder: Path, **changes: Any) -> Callable[[], Any]:
    path = folder / "worm.npz"
    np.savez(path, **fields(**changes))
    return lambda: read_recording(path)


def save_tiff(path: Path, data: np.ndarray, **options: Any) -> None:
    tifffile.imwrite(path, data, photometric="minisblack", **options)


def csv(folder: Path, text: str, name: str = "worm.csv", **options: Any) -> Callable[[], Any]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return lambda: read_recording(path, **options)


def header_of(shape: tuple[int, ...], dtype: str = "<f8") -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": dtype, "fortran_order": False, "shape": shape})
    return stream.getvalue()


# --- any file --------------------------------------------------------------------------------------------------------


@broken("any", "a path that does not exist", "no such file")
def missing(folder: Path) -> Any:
    return lambda: read_recording(folder / "nothing.npz")


@broken("any", "a file of zero bytes", "empty (0 bytes)")
def zero_length(folder: Path) -> Any:
    path = folder / "worm.nwb"
    path.touch()
    return lambda: read_recording(path)


@broken("any", "random bytes called .tif", "not a TIFF file")
def wrong_magic(folder: Path) -> Any:
    path = folder / "worm.tif"
    path.write_bytes(np.random.default_rng(1).integers(0, 256, 4000, dtype=np.uint8).tobytes())
    return lambda: open_volume(path)


@broken("any", "a web page saved instead of the data", "XML or HTML")
def html(folder: Path) -> Any:
    return csv(folder, "<!doctype html><html><body>404</body></html>")


@broken("any", "a folder with nothing known in it", "neither OME-Zarr")
def empty_folder(folder: Path) -> Any:
    path = folder / "data"
    path.mkdir()
    return lambda: open_volume(path)


@broken("any", "a Python pickle called .mat", "not a MATLAB file")
def pickle_as_mat(folder: Path) -> Any:
    path = folder / "worm.mat"
    path.write_bytes(pickle.dumps(fields(), protocol=4))
    return lambda: read_recording(path)


@broken("any", "a recording opened as an image", "hold no images")
def recording_as_image(folder: Path) -> Any:
    call = csv(folder, "time_s,AVAL\n0,1\n1,2\n")
    del call
    return lambda: open_volume(folder / "worm.csv")


# --- npz -------------------------------------------------------------------------------------------------------------


@broken("npz", "cut off in the middle", "cannot be read")
def npz_truncated(folder: Path) -> Any:
    call = npz(folder)
    data = (folder / "worm.npz").read_bytes()
    (folder / "worm.npz").write_bytes(data[: len(data) // 2])
    return call


@broken("npz", "an array of pickled objects", "pickled")
def npz_pickle(folder: Path) -> Any:
    return npz(folder, names=np.array([{"run": "me"}, 1, 2, 3], dtype=object))


@broken("npz", "a header that declares 10 TB", "declares")
def npz_huge_header(folder: Path) -> Any:
    path = folder / "worm.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("traces.npy", header_of((1_250_000, 1_000_000)) + b"\0" * 64)
    return lambda: read_recording(path)


@broken("npz", "a member that climbs out of the archive", "leads out")
def npz_climbs(folder: Path) -> Any:
    path = folder / "worm.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../traces.npy", header_of((1, 1)) + b"\0" * 8)
    return lambda: read_recording(path)


@broken("npz", "a decompression bomb", "would expand")
def npz_bomb(folder: Path) -> Any:
    path = folder / "worm.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("traces.npy", header_of((100_000, 200)) + b"\0" * (100_000 * 200 * 8))
    return lambda: read_recording(path)


@broken("npz", "a negative dimension", "negative")
def npz_negative_shape(folder: Path) -> Any:
    path = folder / "worm.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("traces.npy", header_of((1, 1)).replace(b"(1, 1)", b"(-1,1)") + b"\0" * 8)
    return lambda: read_recording(path)


@broken("npz", "no field of traces", "no field 'traces'")
def npz_no_traces(folder: Path) -> Any:
    return npz(folder, traces=None)


@broken("npz", "traces with three axes", "3 dimensions")
def npz_3d(folder: Path) -> Any:
    return npz(folder, traces=np.zeros((3, 4, 5)))


@broken("npz", "traces without a time point", "empty")
def npz_empty(folder: Path) -> Any:
    return npz(folder, traces=np.zeros((0, 4)))


@broken("npz", "complex traces", "complex")
def npz_complex(folder: Path) -> Any:
    return npz(folder, traces=np.zeros((30, 4), complex))


@broken("npz", "five names for four neurons", "5 names for 4 neurons")
def npz_names(folder: Path) -> Any:
    return npz(folder, names=np.array(["A", "B", "C", "D", "E"]))


@broken("npz", "one name twice", "'AVAL' is given twice")
def npz_duplicate(folder: Path) -> Any:
    return npz(folder, names=np.array(["AVAL", "AVAL", "", ""]))


@broken("npz", "time that runs backwards", "time does not increase", "sample 11")
def npz_backwards(folder: Path) -> Any:
    t = np.arange(30) / 2
    t[10] = 1.0
    return npz(folder, t=t)


@broken("npz", "a time that is NaN", "not finite")
def npz_nan_time(folder: Path) -> Any:
    t = np.arange(30) / 2
    t[3] = np.nan
    return npz(folder, t=t)


@broken("npz", "an infinite value", "infinite value at 5 s")
def npz_inf(folder: Path) -> Any:
    traces = np.ones((30, 4))
    traces[10, 1] = np.inf
    return npz(folder, traces=traces)


@broken("npz", "more times than samples", "40 times for traces of shape (30, 4)")
def npz_times(folder: Path) -> Any:
    return npz(folder, t=np.arange(40.0))


@broken("npz", "neither times nor a rate", "rate")
def npz_no_rate(folder: Path) -> Any:
    return npz(folder, t=None)


@broken("npz", "a sampling rate of zero", "not positive")
def npz_zero_rate(folder: Path) -> Any:
    return npz(folder, t=None, fs=np.float64(0))


# --- CSV -------------------------------------------------------------------------------------------------------------


@broken("csv", "no time column", "no time column", "rate_hz=")
def csv_no_time(folder: Path) -> Any:
    return csv(folder, "AVAL,AVAR\n1,2\n3,4\n")


@broken("csv", "text where a number should be", "'high' is not a number", "row 3")
def csv_text(folder: Path) -> Any:
    return csv(folder, "time_s,AVAL\n0,1\n1,high\n")


@broken("csv", "one column twice", "'AVAL' is there twice")
def csv_duplicate(folder: Path) -> Any:
    return csv(folder, "time_s,AVAL,AVAL\n0,1,2\n1,3,4\n")


@broken("csv", "rows longer than the header", "columns")
def csv_ragged(folder: Path) -> Any:
    return csv(folder, "time_s,AVAL\n0,1,2\n1,3,4\n")


@broken("csv", "a header without rows", "no rows")
def csv_header_only(folder: Path) -> Any:
    return csv(folder, "time_s,AVAL\n")


@broken("csv", "bytes that are not UTF-8", "not UTF-8")
def csv_latin(folder: Path) -> Any:
    path = folder / "worm.csv"
    path.write_bytes("time_s,AVAL \xb5m\n0,1\n".encode("latin-1"))
    return lambda: read_recording(path)


@broken("csv", "a gzip bomb", "would expand")
def csv_bomb(folder: Path) -> Any:
    path = folder / "worm.csv.gz"
    path.write_bytes(gzip.compress(b"0" * (80 << 20), 9))
    return lambda: read_recording(path)


@broken("csv", "an empty time cell", "empty in row 3")
def csv_empty_time(folder: Path) -> Any:
    return csv(folder, "time_s,AVAL\n0,1\n,2\n")


@broken("csv", "a long table with two values for one sample", "two values")
def csv_long_twice(folder: Path) -> Any:
    return csv(folder, "time_s,neuron,value\n0,AVAL,1\n0,AVAL,2\n")


@broken("csv", "a neuron table opened as traces", "not traces")
def csv_sidecar(folder: Path) -> Any:
    return csv(folder, "neuron,label\nAVAL,1\n", name="worm_neurons.csv")


@broken("csv", "two worms where one is asked for", "holds 2 worms")
def csv_two_worms(folder: Path) -> Any:
    return csv(folder, "worm,time_s,neuron,value\na,0,AVAL,1\na,1,AVAL,1\nb,0,AVAL,1\nb,1,AVAL,2\n")


# --- MATLAB ----------------------------------------------------------------------------------------------------------


def mat(folder: Path, **content: Any) -> Path:
    path = folder / "worm.mat"
    scipy.io.savemat(path, content, do_compression=True)
    return path


@broken("mat v5", "cut off in the middle", "cut off")
def mat_truncated(folder: Path) -> Any:
    path = mat(folder, **fields())
    path.write_bytes(path.read_bytes()[:-300])
    return lambda: read_recording(path)


@broken("mat v5", "a decompression bomb", "would expand")
def mat_bomb(folder: Path) -> Any:
    path = mat(folder, traces=np.zeros((100_000, 150)))
    return lambda: read_recording(path)


@broken("mat v5", "a damaged header", "header")
def mat_header(folder: Path) -> Any:
    path = mat(folder, **fields())
    data = bytearray(path.read_bytes())
    data[126:128] = b"XX"
    path.write_bytes(bytes(data))
    return lambda: read_recording(path)


@broken("mat v5", "NeuroPAL file with too few traces for its files", "5 traces for 3 files")
def mat_neuropal(folder: Path) -> Any:
    cell = np.empty(1, object)
    inner = np.empty(5, object)
    inner[:] = [np.ones(4)] * 5
    cell[0] = inner
    names = np.array(["AVA"], object)
    path = mat(folder, fps=4.0, files=np.array(["a", "b", "c"], object), neurons=names, is_L=cell, norm_traces=cell)
    return lambda: read_recordings(path)


@broken("mat v7.3", "traces that are a link to another file", "no field 'traces'")
def mat73_link(folder: Path) -> Any:
    path = folder / "worm.mat"
    with h5py.File(path, "w") as file:
        file["fs"] = np.array([[2.0]])
        file["fs"].attrs["MATLAB_class"] = np.bytes_("double")
        file["traces"] = h5py.ExternalLink("/etc/passwd", "/x")
    return lambda: read_recording(path)


# --- Parquet ---------------------------------------------------------------------------------------------------------


def collection(folder: Path, lengths: tuple[int, ...] = (5, 5)) -> Path:
    path = folder / "worms.parquet"
    rows = [
        {
            "source_dataset": "Kato2015", "worm": "worm0", "neuron": name, "slot": i, "is_labeled_neuron": True,
            "calcium_data": np.arange(n, dtype=np.float32), "time_in_seconds": np.arange(n, dtype=np.float32), "median_dt": 1.0,
        }
        for i, (name, n) in enumerate(zip(("AVAL", "AVAR"), lengths, strict=True))
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(path)
    return path


@broken("parquet", "cut off at the end", "cannot be read")
def parquet_truncated(folder: Path) -> Any:
    path = collection(folder)
    path.write_bytes(path.read_bytes()[:-40])
    return lambda: read_recording(path)


@broken("parquet", "a collection whose traces differ in length", "different lengths")
def parquet_lengths(folder: Path) -> Any:
    path = collection(folder, (5, 6))
    return lambda: read_recording(path)


@broken("parquet", "a worm that is not in the collection", "no worm 'worm9'")
def parquet_worm(folder: Path) -> Any:
    path = collection(folder)
    return lambda: parquet.read_recordings(path, worm="worm9")


# --- HDF5 and NWB ----------------------------------------------------------------------------------------------------


@broken("hdf5", "cut off in the middle", "cannot be read")
def hdf5_truncated(folder: Path) -> Any:
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        file["v"] = np.zeros((5, 4, 8, 8), np.uint16)
    path.write_bytes(path.read_bytes()[:1500])
    return lambda: open_volume(path)


@broken("hdf5", "no axes named and none asked for", "axes='tzyx'")
def hdf5_axes(folder: Path) -> Any:
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        file["v"] = np.zeros((5, 4, 8, 8), np.uint16)
    return lambda: open_volume(path)


@broken("hdf5", "empty groups only", "0 datasets")
def hdf5_empty(folder: Path) -> Any:
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_group("a/b")
    return lambda: open_volume(path)


@broken("hdf5", "voxels that lie in another file (external storage)", "another file")
def hdf5_external(folder: Path) -> Any:
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("v", (2, 2, 4, 4), "u1", external=[("/etc/passwd", 0, 64)])
    return lambda: open_volume(path, axes="tzyx")


@broken("hdf5", "a codec that is not installed", "codec")
def hdf5_codec(folder: Path) -> Any:
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, 2, 4, 4))
        plist.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((2, 2, 4, 4))
        h5py.h5d.create(file.id, b"v", h5py.h5t.NATIVE_UINT16, space, plist)
    return lambda: open_volume(path, axes="tzyx")


@broken("hdf5", "a header that declares 10 TB", "declares 10 TB")
def hdf5_huge(folder: Path) -> Any:
    path = folder / "a.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("v", (100_000, 100, 1000, 1000), "u1", chunks=(1, 10, 100, 100))
    return lambda: open_volume(path, axes="tzyx")


def nwb(folder: Path) -> Path:
    path = folder / "worm.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        series = file.create_group("processing/CalciumActivity/SignalCalciumImResponseSeries")
        series.attrs["neurodata_type"] = "RoiResponseSeries"
        series["data"] = np.ones((10, 3))
        series["timestamps"] = np.arange(10.0)
        table = file.create_group("processing/CalciumActivity/CalciumSeriesSegmentation/a")
        table["id"] = np.arange(3)
        series["rois"] = np.arange(3)
        series["rois"].attrs["table"] = table.ref
    return path


@broken("nwb", "no traces in it (empty groups)", "no traces")
def nwb_empty(folder: Path) -> Any:
    path = folder / "worm.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file.create_group("processing/CalciumActivity")
    return lambda: read_recording(path)


@broken("nwb", "traces that point to a row that is not there", "row 9")
def nwb_rows(folder: Path) -> Any:
    path = nwb(folder)
    with h5py.File(path, "r+") as file:
        file["processing/CalciumActivity/SignalCalciumImResponseSeries/rois"][2] = 9
    return lambda: read_recording(path)


@broken("nwb", "fewer time stamps than samples", "9 time stamps for 10 samples")
def nwb_stamps(folder: Path) -> Any:
    path = nwb(folder)
    with h5py.File(path, "r+") as file:
        group = file["processing/CalciumActivity/SignalCalciumImResponseSeries"]
        del group["timestamps"]
        group["timestamps"] = np.arange(9.0)
    return lambda: read_recording(path)


@broken("nwb", "processing data linked to another file", "no traces")
def nwb_link(folder: Path) -> Any:
    path = folder / "worm.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.7.0"
        file.create_group("processing")["CalciumActivity"] = h5py.ExternalLink("/etc/passwd", "/")
    return lambda: read_recording(path)


# --- TIFF ------------------------------------------------------------------------------------------------------------


@broken("tiff", "cut off in the middle", "cut off")
def tiff_truncated(folder: Path) -> Any:
    path = folder / "a.tif"
    save_tiff(path, np.zeros((4, 3, 64, 64), np.uint16), metadata={"axes": "TZYX"})
    path.write_bytes(path.read_bytes()[:30_000])
    return lambda: open_volume(path)


@broken("tiff", "axes without names", "axis 'q'", "axes='tzyx'")
def tiff_axes(folder: Path) -> Any:
    path = folder / "a.tif"
    save_tiff(path, np.zeros((4, 3, 16, 16), np.uint16))
    return lambda: open_volume(path)


@broken("tiff", "three letters asked for an image of four axes", "axes= says 3 axes")
def tiff_asked(folder: Path) -> Any:
    path = folder / "a.tif"
    save_tiff(path, np.zeros((4, 3, 16, 16), np.uint16))
    return lambda: open_volume(path, axes="zyx")


@broken("tiff", "a header that declares 10 TB", "TB")
def tiff_huge(folder: Path) -> Any:
    path = folder / "a.tif"
    tags = [
        (256, 4, 1, 3_000_000),
        (257, 4, 1, 3_000_000),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, 3_000_000),
        (279, 4, 1, 16),
    ]
    ifd = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *t) for t in tags) + struct.pack("<I", 0)
    path.write_bytes(b"II*\0" + struct.pack("<I", 24) + b"\0" * 16 + ifd)
    return lambda: open_volume(path, axes="yx")


@broken("tiff", "a codec that is not known", "codec")
def tiff_codec(folder: Path) -> Any:
    path = folder / "a.tif"
    save_tiff(path, np.zeros((4, 3, 16, 16), np.uint16), metadata={"axes": "TZYX"})
    with tifffile.TiffFile(path, mode="r+") as file:
        for page in file.pages:
            page.tags["Compression"].overwrite(65_000)
    return lambda: open_volume(path)


@broken("tiff", "a unit of length that does not exist", "unit 'furlong'")
def tiff_unit(folder: Path) -> Any:
    path = folder / "a.tif"
    save_tiff(
        path,
        np.zeros((4, 3, 16, 16), np.uint16),
        imagej=True,
        resolution=(2, 2),
        metadata={"axes": "TZYX", "unit": "furlong", "spacing": 1.0},
    )
    return lambda: open_volume(path)


@broken("labels", "labels that are fractions", "not whole numbers")
def labels_float(folder: Path) -> Any:
    path = folder / "labels.tif"
    save_tiff(path, np.zeros((3, 16, 16), np.float32), metadata={"axes": "ZYX"})
    return lambda: open_labels(path)


@broken("labels", "negative labels", "negative labels (down to -3)")
def labels_negative(folder: Path) -> Any:
    path = folder / "labels.tif"
    save_tiff(path, np.full((3, 16, 16), -3, np.int16), metadata={"axes": "ZYX"})
    return lambda: open_labels(path)


@broken("labels", "a mask instead of labels", "mask, not labels")
def labels_mask(folder: Path) -> Any:
    path = folder / "labels.npy"
    np.save(path, np.zeros((3, 16, 16), bool))
    return lambda: open_labels(path, axes="zyx")


@broken("labels", "labels of another shape than the volume", "labels have shape")
def labels_shape(folder: Path) -> Any:
    save_tiff(folder / "v.tif", np.zeros((4, 3, 16, 16), np.uint16), metadata={"axes": "TZYX"})
    save_tiff(folder / "l.tif", np.ones((3, 16, 15), np.uint16), metadata={"axes": "ZYX"})
    return lambda: extract_traces(folder / "v.tif", folder / "l.tif", voxel_size_um=(1, 1, 1), frame_rate_hz=1)


@broken("labels", "labels without a voxel", "label")
def labels_empty(folder: Path) -> Any:
    save_tiff(folder / "v.tif", np.zeros((4, 3, 16, 16), np.uint16), metadata={"axes": "TZYX"})
    save_tiff(folder / "l.tif", np.zeros((3, 16, 16), np.uint16), metadata={"axes": "ZYX"})
    return lambda: extract_traces(folder / "v.tif", folder / "l.tif", voxel_size_um=(1, 1, 1), frame_rate_hz=1)


# --- OME-Zarr --------------------------------------------------------------------------------------------------------


def ome(folder: Path, **change: Any) -> Path:
    path = folder / "a.zarr"
    array = omezarr_write.create_volume(path, (3, 2, 8, 8), "tzyx", voxel_size_um=(2, 1, 1), frame_rate_hz=2)
    array[...] = 1
    file = path / ".zattrs"
    attrs = json.loads(file.read_text())
    attrs["multiscales"][0].update(change)
    file.write_text(json.dumps(attrs))
    return path


@broken("ome-zarr", "damaged metadata", "cannot be read")
def zarr_json(folder: Path) -> Any:
    path = ome(folder)
    (path / ".zattrs").write_text('{"multiscales": [')
    return lambda: open_volume(path)


@broken("ome-zarr", "an array that the metadata names but is not there", "not there")
def zarr_missing(folder: Path) -> Any:
    path = ome(folder, datasets=[{"path": "7"}])
    return lambda: open_volume(path)


@broken("ome-zarr", "a dataset path that climbs out of the folder", "leads out")
def zarr_climbs(folder: Path) -> Any:
    path = ome(folder, datasets=[{"path": "../../../etc"}])
    return lambda: open_volume(path)


@broken("ome-zarr", "a link to a folder outside", "leads out")
def zarr_symlink(folder: Path) -> Any:
    (folder / "inner").mkdir()
    path = ome(folder / "inner", datasets=[{"path": "linked"}])
    (folder / "elsewhere").mkdir()
    (path / "linked").symlink_to(folder / "elsewhere", target_is_directory=True)
    return lambda: open_volume(path)


@broken("ome-zarr", "a zip whose members climb out", "leads out")
def zarr_zip(folder: Path) -> Any:
    path = folder / "a.zarr.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(".zattrs", "{}")
        archive.writestr("../../outside", "x")
    return lambda: open_volume(path)


@broken("ome-zarr", "a scale with too few numbers", "does not fit 4 axes")
def zarr_scale(folder: Path) -> Any:
    path = ome(folder, datasets=[{"path": "0", "coordinateTransformations": [{"type": "scale", "scale": [1.0, 2.0]}]}])
    return lambda: open_volume(path)


@broken("ome-zarr", "a unit that is none of length", "unit 'lightyear'")
def zarr_unit(folder: Path) -> Any:
    axes = [{"name": "t", "type": "time", "unit": "second"}] + [{"name": a, "unit": "lightyear"} for a in "zyx"]
    path = ome(folder, axes=axes)
    return lambda: open_volume(path)


@broken("ome-zarr", "two axes of one name", "two axes")
def zarr_axes(folder: Path) -> Any:
    path = ome(folder, axes=[{"name": a} for a in "tzyy"])
    return lambda: open_volume(path)


@broken("ome-zarr", "a codec that is not installed", "codec of this zarr array is not available")
def zarr_codec(folder: Path) -> Any:
    path = ome(folder)
    file = path / "0" / ".zarray"
    held = json.loads(file.read_text())
    held["compressor"] = {"id": "lost-codec", "level": 3}
    file.write_text(json.dumps(held))
    return lambda: open_volume(path)


@broken("ome-zarr", "a damaged chunk, found when it is read", "cannot be read")
def zarr_chunk(folder: Path) -> Any:
    path = ome(folder)
    chunk = next(p for p in (path / "0").rglob("*") if p.is_file() and not p.name.startswith("."))
    chunk.write_bytes(chunk.read_bytes()[:7])
    return lambda: open_volume(path).data.compute(scheduler="synchronous")


@broken("ome-zarr", "a header that declares 10 TB", "declares 10 TB")
def zarr_huge(folder: Path) -> Any:
    path = ome(folder)
    file = path / "0" / ".zarray"
    held = json.loads(file.read_text())
    held.update(shape=[100_000, 50, 1000, 1000], chunks=[1, 50, 1000, 1000])
    file.write_text(json.dumps(held))
    return lambda: open_volume(path)


@broken("ome-zarr", "an empty group", "no image")
def zarr_empty(folder: Path) -> Any:
    path = folder / "a.zarr"
    zarr.open_group(path, mode="w")
    return lambda: open_volume(path)


@broken("ome-zarr", "more labels described than there are voxels", "labels are described for 8 voxels")
def zarr_labels(folder: Path) -> Any:
    path = folder / "l.zarr"
    omezarr_write.create_labels(
        path, (2, 2, 2), "zyx", properties=[{"label-value": i} for i in range(1, 20)], image=False
    )
    return lambda: open_labels(path)


# --- centres ---------------------------------------------------------------------------------------------------------


def centres(folder: Path, text: str, **options: Any) -> Any:
    path = folder / "centres.csv"
    path.write_text(text)
    merged = {"shape": (3, 4, 16, 16), "radius_voxels": 2.0, **options}
    return lambda: open_labels(path, **merged)


@broken("centres", "a missing column", "columns z are missing")
def centres_column(folder: Path) -> Any:
    return centres(folder, "frame,id,y,x\n0,1,2,3\n")


@broken("centres", "a negative id", "id -1 in row 2")
def centres_id(folder: Path) -> Any:
    return centres(folder, "frame,id,z,y,x\n0,-1,1,2,3\n")


@broken("centres", "one neuron twice in a frame", "two centres")
def centres_twice(folder: Path) -> Any:
    return centres(folder, "frame,id,z,y,x\n0,1,1,2,3\n0,1,1,2,4\n")


@broken("centres", "a frame that the volume does not have", "frame 7 does not exist")
def centres_frame(folder: Path) -> Any:
    return centres(folder, "frame,id,z,y,x\n7,1,1,2,3\n")


@broken("centres", "all centres outside the volume (x and z swapped, or um for voxels)", "outside")
def centres_outside(folder: Path) -> Any:
    return centres(folder, "frame,id,z,y,x\n0,1,300,2,3\n")


@broken("centres", "no volume to draw them in", "how large")
def centres_shape(folder: Path) -> Any:
    return centres(folder, "frame,id,z,y,x\n0,1,1,2,3\n", shape=None)


# --- tables and graphs -----------------------------------------------------------------------------------------------


def table(folder: Path, text: str, reader: Callable[[Path], Any]) -> Any:
    path = folder / "table.csv"
    path.write_text(text)
    return lambda: reader(path)


@broken("stimuli", "a stimulus that ends before it begins", "ends before it begins")
def stimulus_backwards(folder: Path) -> Any:
    return table(folder, "name,onset,offset\nNaCl,10,5\n", side_tables.read_stimuli)


@broken("stimuli", "no column of onsets", "Needed: name, onset")
def stimulus_columns(folder: Path) -> Any:
    return table(folder, "name,when\nNaCl,10\n", side_tables.read_stimuli)


@broken("names", "one label named twice", "label 3 is there twice")
def names_twice(folder: Path) -> Any:
    return table(folder, "label,name\n3,AVAL\n3,AVAR\n", side_tables.read_names)


@broken("behaviour", "time that stands still", "time does not increase")
def behaviour_time(folder: Path) -> Any:
    return table(folder, "time_s,velocity\n0,1\n0,2\n", side_tables.read_behaviour)


@broken("graphml", "an external entity (reads a file)", "entities")
def graphml_entity(folder: Path) -> Any:
    text = '<?xml version="1.0"?><!DOCTYPE g [<!ENTITY x SYSTEM "file:///etc/passwd">]><graphml><graph><node id="&x;"/></graph></graphml>'
    return table(folder, text, connectome.read_connectome)


@broken("graphml", "entities that grow without end", "entities")
def graphml_laughs(folder: Path) -> Any:
    text = '<?xml version="1.0"?><!DOCTYPE g [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><graphml>&b;</graphml>'
    return table(folder, text, connectome.read_connectome)


@broken("graphml", "an edge to a node that does not exist", "does not exist")
def graphml_edge(folder: Path) -> Any:
    text = '<graphml><graph><node id="AVAL"/><edge source="AVAL" target="nobody"/></graph></graphml>'
    return table(folder, text, connectome.read_connectome)


@broken("connectome", "a negative number of synapses", "AVAL -> AVAR")
def connectome_negative(folder: Path) -> Any:
    return table(folder, "pre,post,synapses\nAVAL,AVAR,-2\n", connectome.read_connectome)


# --- odd, but fine ---------------------------------------------------------------------------------------------------


@odd("npz", "big-endian numbers")
def big_endian(folder: Path) -> Any:
    call = npz(folder, traces=np.arange(120, dtype=">f4").reshape(30, 4), t=np.arange(30, dtype=">f8"))
    return lambda: float(call().traces.values[29, 3]) == 119.0


@odd("npz", "Fortran order")
def fortran(folder: Path) -> Any:
    call = npz(folder, traces=np.asfortranarray(np.arange(120.0).reshape(30, 4)))
    return lambda: float(call().traces.values[1, 0]) == 4.0


@odd("npz", "saved as (neuron, time): names and times tell")
def transposed(folder: Path) -> Any:
    call = npz(folder, traces=np.arange(120.0).reshape(4, 30))
    return lambda: call().traces.shape == (30, 4) and float(call().traces.values[1, 0]) == 1.0


@odd("npz", "a run of NaN, and a neuron that is NaN throughout")
def nan_runs(folder: Path) -> Any:
    traces = np.ones((30, 4))
    traces[5:9, 0] = traces[:, 2] = np.nan
    call = npz(folder, traces=traces)
    return lambda: int(np.isnan(call().traces.values).sum()) == 34


@odd("npz", "times before zero")
def negative_time(folder: Path) -> Any:
    call = npz(folder, t=np.arange(30) - 10.0)
    return lambda: call().time_s[0] == -10


@odd("npz", "names in any script")
def unicode(folder: Path) -> Any:
    call = npz(folder, names=np.array(["Ω神经", "AVA?", "é", "🪱"]))
    return lambda: call().named == ["Ω神经", "é", "🪱"]


@odd("npz", "a single time point of a single neuron")
def single(folder: Path) -> Any:
    call = npz(folder, traces=np.ones((1, 1)), t=np.zeros(1), names=np.array(["AVAL"]))
    return lambda: call().traces.shape == (1, 1)


@odd("csv", "semicolons and decimal commas")
def decimal_comma(folder: Path) -> Any:
    call = csv(folder, "time_s;AVAL\n0;1,5\n0,5;2,5\n")
    return lambda: call().traces.values[:, 0].tolist() == [1.5, 2.5] and call().time_s[1] == 0.5


@odd("csv", "UTF-16 with byte order mark, as spreadsheets write it")
def utf16(folder: Path) -> Any:
    path = folder / "worm.csv"
    path.write_bytes("time_s\tAVAL\n0\t1\n1\t2\n".encode("utf-16"))
    return lambda: read_recording(path).named == ["AVAL"]


@odd("csv", "times in milliseconds, if the column says so")
def milliseconds(folder: Path) -> Any:
    call = csv(folder, "time_ms,AVAL\n0,1\n500,2\n")
    return lambda: call().time_s[1] == 0.5


@odd("csv", "frames instead of times, with rate_hz=")
def frames(folder: Path) -> Any:
    call = csv(folder, "frame,AVAL\n0,1\n1,2\n", rate_hz=4.0)
    return lambda: call().time_s[1] == 0.25 and call().named == ["AVAL"]


@odd("tiff", "big-endian voxels")
def tiff_big_endian(folder: Path) -> Any:
    path = folder / "a.tif"
    data = np.arange(2 * 3 * 8 * 8, dtype=">u2").reshape(2, 3, 8, 8)
    save_tiff(path, data, byteorder=">", metadata={"axes": "TZYX"})
    return lambda: bool((open_volume(path).data.compute() == data).all())


@odd("ome-zarr", "chunks that were never written (they are missing)")
def sparse(folder: Path) -> Any:
    path = folder / "a.zarr"
    omezarr_write.create_volume(path, (3, 2, 8, 8))
    return lambda: bool(np.isnan(open_volume(path).data.compute()).all())
