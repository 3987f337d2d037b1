"""Safety limits of all readers, in one place: what a file may declare before it is refused.

Small hostile or damaged files can declare huge arrays or expand without end. Readers compare what a file declares with
these numbers, and with the bytes that are really there, before they allocate anything. Volumes are opened lazily and have
no limit on their size, only on how far the declared size may exceed the stored one.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..model.errors import FormatError

GIB = 1 << 30

MAX_TABLE_BYTES = 2 * GIB
"""Text of a table (CSV, GraphML), after decompression."""
MAX_RECORDING_BYTES = 4 * GIB
"""All arrays of a recording file together (npz, mat, NWB traces, Parquet), after decompression."""
MAX_EXPANSION = 400
"""How many times larger than its compressed form an archive member over `FREE_BYTES` may be."""
FREE_BYTES = 64 << 20
"""Up to this size, no ratio is checked."""
MAX_MEMBERS = 10_000
"""Members of a zip archive, and datasets looked at in an HDF5 file."""
MAX_NWB_MEMBERS = 200_000
"""Groups and datasets below the part of an NWB file that is searched."""
MAX_COLUMNS = 110_000
"""Columns of a wide table: its neurons, times and behaviour."""
MAX_JSON_BYTES = 64 << 20
"""Metadata (zarr attributes) in one file."""
MAX_CHUNK_BYTES = 2 * GIB
"""One stored chunk of a volume, after decompression."""
MAX_SPARSE = 100_000
"""How many times larger than its stored bytes a volume over `SPARSE_FREE_BYTES` may be."""
SPARSE_FREE_BYTES = 16 * GIB
"""Up to this declared size, a volume may be as sparse as it likes."""
MAX_CHANNELS = 250
"""Channels of an image, each of which becomes a layer."""
MAX_PAGES = 1_000_000
"""Pages of a TIFF."""
MAX_NEURONS = 100_000
"""Traces in one recording."""
MAX_DASK_CHUNKS = 200_000
"""Blocks of a lazily opened volume; smaller stored chunks are joined."""
MAX_NESTING = 64
"""Depth of nested groups or elements."""


def human(n_bytes: float) -> str:
    """Return a size in words ("10 TB")."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if n_bytes < 1000 or unit == "PB":
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    raise AssertionError


def check_size(n_bytes: float, limit: float, where: str, what: str = "the file's arrays") -> None:
    """Raise `FormatError` if something would need more memory than allowed."""
    if n_bytes > limit:
        raise FormatError(
            f"{what} would take {human(n_bytes)}",
            where=where,
            fix=f"The limit is {human(limit)}; the file is damaged, or hold less in one file.",
        )


def check_expansion(packed: float, unpacked: float, where: str) -> None:
    """Raise `FormatError` if a compressed member grows beyond reason (a decompression bomb)."""
    if unpacked > FREE_BYTES and unpacked > MAX_EXPANSION * max(packed, 1):
        raise FormatError(
            f"{human(packed)} would expand to {human(unpacked)}",
            where=where,
            fix="Nothing measured compresses that well; the file is damaged or hostile.",
        )


def check_sparse(declared: float, stored: Iterable[int], where: str) -> None:
    """Raise `FormatError` if a volume declares far more voxels than it stores.

    Parameters
    ----------
    declared : float
        Bytes of the array by its shape and type.
    stored : iterable of int
        Sizes of the stored chunks; read only as far as needed.
    where : str
    """
    if declared <= SPARSE_FREE_BYTES:
        return
    total = 0
    for size in stored:
        total += size
        if total * MAX_SPARSE >= declared:
            return
    raise FormatError(
        f"the header declares {human(declared)}, but {human(total)} are stored",
        where=where,
        fix="The file is damaged or was never written; copy it again.",
    )
