"""Sources of affinities during a fit: rows in memory, tiles made again each time, or a compressed copy.

Every source offers the two matrix products of a sweep, for all starts at once as rows of one matrix:
`left(w, a)` = a X_w and `right(w, t)` = X_w t^T. Tiles are float32; sums over tiles are float64. The first can be made piece by
piece: `left_sum`, `add_left` for each of `row_pieces`, `end_left`.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from typing import Protocol

import numpy as np

from ..model.errors import Cancelled, InputError
from .kernels import row_squares, squared_distance
from .problem import Problem, Worm
from .products import add_left_product, right_product
from .sparse import SparseRows, sparse_rows

Array = np.ndarray
ROW_TILE = 512
TIME_TILE = 1024
PIECE_ROWS = 2032
"""An odd number of cache lines in float32: with a power of two, the same row of all columns would fall on the same few of them."""
SAMPLED = 16
"""Rows that are looked at for each time pattern wanted."""
MEGABYTE = 1e6


class RowSource(Protocol):
    """The affinities of a problem, seen only through matrix products."""

    problem: Problem
    row_norms: list[Array]

    def row_pieces(self, worm: int) -> list[tuple[int, int]]:
        """Rows (first, end) that are best multiplied together, in their order."""
        ...

    def left_sum(self, worm: int, columns: int) -> Array:
        """Zeros to which products are added."""
        ...

    def add_left(self, worm: int, first: int, rows_factor: Array, total: Array) -> None:
        """Add the product with one piece of rows, (columns, rows) float32, that begins at row `first`."""
        ...

    def end_left(self, worm: int, total: Array) -> Array:
        """The whole product (columns, n_times) float64."""
        ...

    def right(self, worm: int, time_factor: Array, room: Array | None = None) -> Array:
        """(columns, n_times) float32 -> (n_rows, columns) float32 or float64; the former may be written to `room`."""
        ...


def left_product(source: RowSource, worm: int, rows_factor: Array) -> Array:
    """(columns, n_rows) float32 -> (columns, n_times) float64."""
    total = source.left_sum(worm, len(rows_factor))
    for first, end in source.row_pieces(worm):
        source.add_left(worm, first, rows_factor[:, first:end], total)
    return source.end_left(worm, total)


def _pieces(count: int) -> list[tuple[int, int]]:
    return [(first, min(first + PIECE_ROWS, count)) for first in range(0, count, PIECE_ROWS)]


class TileSource:
    """Affinities kept without their zeros, kept as they are, or read tile by tile from the affinity's own kernel.

    Parameters
    ----------
    problem : Problem
    storage : {"sparse", "stored", "streamed"}
    density : float
        Expected share of values that are not zero (`sparse`).
    stop : threading.Event, optional
        Set when the user cancels; looked at for every tile.
    """

    def __init__(self, problem: Problem, *, storage: str, density: float = 0.2, stop: Event | None = None) -> None:
        self.problem = problem
        self.stop = stop or Event()
        self.storage = storage
        self.density = density
        self.rows: list[Array | SparseRows | None] = [None] * len(problem.worms)
        self.row_norms: list[Array] = [np.zeros(w.n_rows) for w in problem.worms]

    def __getstate__(self) -> dict[str, object]:
        """Everything but the event, which cannot travel to another process."""
        return {k: v for k, v in self.__dict__.items() if k != "stop"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.stop = Event()

    def load(self, worm: int) -> None:
        """Check one worm's values, note the squared norm of each row, and keep the rows if asked to."""
        item = self.problem.worms[worm]
        if self.storage == "sparse":
            guess = int(1.05 * self.density * item.n_rows * item.n_times) + 1024
            self.rows[worm] = sparse_rows(self._checked_chunks(worm), item.n_times, guess)
            return
        keep = np.empty((item.n_rows, item.n_times), np.float32) if self.storage == "stored" else None
        for r0, r1, t0, t1, tile in self._made(item):
            self._check(worm, tile, r0, t0)
            if keep is not None:
                keep[r0:r1, t0:t1] = tile
        self.rows[worm] = keep

    def _check(self, worm: int, tile: Array, r0: int, t0: int) -> None:
        squares = self.row_norms[worm][r0 : r0 + len(tile)]
        if row_squares(tile, squares) < 0 or not np.isfinite(squares).all():
            _refuse_values(self.problem.worms[worm], tile, r0, t0, self.problem)

    def _checked_chunks(self, worm: int) -> Iterator[Array]:
        """Rows at full length, a few at a time; each is valid until the next."""
        item = self.problem.worms[worm]
        whole = np.empty((ROW_TILE, item.n_times), np.float32)
        for r0, r1, t0, t1, tile in self._made(item):
            self._check(worm, tile, r0, t0)
            whole[: r1 - r0, t0:t1] = tile
            if t1 == item.n_times:
                yield whole[: r1 - r0]

    def tiles(self, worm: int) -> Iterator[tuple[int, int, int, int, Array]]:
        """Row and time bounds, and the values (row, time) float32, valid until the next tile."""
        item, rows = self.problem.worms[worm], self.rows[worm]
        if not isinstance(rows, np.ndarray):
            yield from self._made(item)
            return
        for r0 in range(0, item.n_rows, ROW_TILE):
            r1 = min(r0 + ROW_TILE, item.n_rows)
            for t0 in range(0, item.n_times, TIME_TILE):
                t1 = min(t0 + TIME_TILE, item.n_times)
                self._look()
                yield r0, r1, t0, t1, rows[r0:r1, t0:t1]

    def _look(self) -> None:
        if self.stop.is_set():
            raise Cancelled

    def _made(self, item: Worm) -> Iterator[tuple[int, int, int, int, Array]]:
        kept, samples, block = item.kept, item.samples, item.block
        whole_rows = len(kept) == kept[-1] - kept[0] + 1
        whole_times = len(samples) == samples[-1] - samples[0] + 1
        buffer = np.empty(ROW_TILE * TIME_TILE, np.float32) if whole_rows and whole_times and item.fills else None
        for layer in range(item.n_rows // len(kept)):
            base = layer * len(kept)
            for k0 in range(0, len(kept), ROW_TILE):
                k1 = min(k0 + ROW_TILE, len(kept))
                rows = kept[k0:k1]
                for s0 in range(0, len(samples), TIME_TILE):
                    s1 = min(s0 + TIME_TILE, len(samples))
                    self._look()
                    times = samples[s0:s1]
                    bounds = (int(rows[0]), int(rows[-1]) + 1, int(times[0]), int(times[-1]) + 1)
                    if buffer is not None:
                        out = buffer[: (k1 - k0) * (s1 - s0)].reshape(k1 - k0, s1 - s0)
                        yield base + k0, base + k1, s0, s1, block.tile(*bounds, layer, out)
                        continue
                    tile = block.tile(*bounds, layer)
                    if tile.shape[0] != len(rows):
                        tile = tile[rows - rows[0]]
                    if tile.shape[1] != len(times):
                        tile = tile[:, times - times[0]]
                    yield base + k0, base + k1, s0, s1, np.ascontiguousarray(tile, np.float32)

    def row_pieces(self, worm: int) -> list[tuple[int, int]]:
        """See `RowSource`; all at once where tiles are made again or zeros are left out."""
        count = self.problem.worms[worm].n_rows
        return _pieces(count) if isinstance(self.rows[worm], np.ndarray) else [(0, count)]

    def left_sum(self, worm: int, columns: int) -> Array:
        """See `RowSource`."""
        return np.zeros((columns, self.problem.worms[worm].n_times))

    def add_left(self, worm: int, first: int, rows_factor: Array, total: Array) -> None:
        """See `RowSource`."""
        rows = self.rows[worm]
        if isinstance(rows, SparseRows):
            self._look()
            total += rows.left(rows_factor)
        elif rows is not None:
            add_left_product(rows_factor, rows[first : first + rows_factor.shape[1]], self._look, total)
        else:
            for r0, r1, t0, t1, tile in self.tiles(worm):
                add_left_product(rows_factor[:, r0:r1], tile, self._look, total[:, t0:t1])

    def end_left(self, worm: int, total: Array) -> Array:
        """See `RowSource`."""
        return total

    def right(self, worm: int, time_factor: Array, room: Array | None = None) -> Array:
        """See `RowSource`."""
        item, rows = self.problem.worms[worm], self.rows[worm]
        if isinstance(rows, SparseRows):
            self._look()
            return rows.right(time_factor, room)
        if rows is not None and item.n_times <= TIME_TILE:  # nothing is added up
            return right_product(rows, time_factor, self._look, room)
        total = np.zeros((item.n_rows, len(time_factor)))
        for r0, r1, t0, t1, tile in self.tiles(worm):
            total[r0:r1] += right_product(tile, time_factor[:, t0:t1], self._look)
        return total

    def residual(self, worm: int, rows_factor: Array, time_factor: Array) -> float:
        """Sum of squared differences between the values and rows_factor^T time_factor, entry by entry."""
        rows = self.rows[worm]
        if isinstance(rows, SparseRows):
            return rows.residual(rows_factor, time_factor, np.ones(rows.n_rows, bool))
        total = 0.0
        wide = np.ascontiguousarray(rows_factor.T)
        room = np.empty(ROW_TILE * TIME_TILE, np.float32)
        for r0, r1, t0, t1, tile in self.tiles(worm):
            model = room[: tile.size].reshape(tile.shape)
            np.matmul(wide[r0:r1], time_factor[:, t0:t1], out=model)
            total += squared_distance(np.ascontiguousarray(tile), model)  # both of one layout: compiled once
        return total


class CompressedSource:
    """Each worm's rows projected on an orthonormal basis of a few time patterns: X_w ~ Z_w Q_w.

    Parameters
    ----------
    exact : TileSource
        Its row norms stay those of the exact data.
    coefficients : list of array (n_rows, size) float32
        Z_w, in blocks of rows.
    bases : list of array (size, n_times) float32
        Q_w, orthonormal rows.
    """

    def __init__(self, exact: TileSource, coefficients: list[Array], bases: list[Array]) -> None:
        self.problem = exact.problem
        self.row_norms = exact.row_norms
        self.stop = exact.stop
        self.coefficients = coefficients
        self.bases = bases

    def __getstate__(self) -> dict[str, object]:
        """Everything but the event, which cannot travel to another process."""
        return {k: v for k, v in self.__dict__.items() if k != "stop"}

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
        self.stop = Event()

    def row_pieces(self, worm: int) -> list[tuple[int, int]]:
        """See `RowSource`."""
        return _pieces(len(self.coefficients[worm]))

    def left_sum(self, worm: int, columns: int) -> Array:
        """See `RowSource`."""
        return np.zeros((columns, len(self.bases[worm])))

    def add_left(self, worm: int, first: int, rows_factor: Array, total: Array) -> None:
        """See `RowSource`."""
        values = self.coefficients[worm][first : first + rows_factor.shape[1]]
        add_left_product(rows_factor, values, self._look, total)

    def end_left(self, worm: int, total: Array) -> Array:
        """See `RowSource`."""
        return np.asarray(total.astype(np.float32) @ self.bases[worm], np.float64)

    def right(self, worm: int, time_factor: Array, room: Array | None = None) -> Array:
        """See `RowSource`."""
        return right_product(self.coefficients[worm], time_factor @ self.bases[worm].T, self._look, room)

    def _look(self) -> None:
        if self.stop.is_set():
            raise Cancelled


def compress_worm(
    source: TileSource, worm: int, size: int, seed: int, number: int | None = None
) -> tuple[Array, Array]:
    """Project one worm on its leading time patterns.

    The patterns come from a randomized range finder with two power iterations (Halko, Martinsson & Tropp 2011, algorithm 4.4) on a
    random sample of the rows, many times more than there are patterns, so that the rows are read only once: for the projection.

    Parameters
    ----------
    source : TileSource
    worm : int
    size : int
    seed : int
    number : int, optional
        Which worm of the whole problem it is, where `source` holds a part of it: random numbers depend on it.

    Returns
    -------
    coefficients : array (n_rows, size) float32
    basis : array (size, n_times) float32
    """
    item = source.problem.worms[worm]
    size = min(size, item.n_times, item.n_rows)
    wide = min(size + 8, item.n_times, item.n_rows)
    rng = np.random.default_rng([seed, worm if number is None else number])
    sample = _some_rows(item, np.sort(rng.permutation(item.n_rows)[: SAMPLED * size]))
    sketch = rng.standard_normal((wide, len(sample)), dtype=np.float32) @ sample
    for _ in range(2):
        sketch = (sample @ _orthonormal(sketch).T).T @ sample
    basis = _orthonormal(sketch)
    del sample, sketch
    coefficients = source.right(worm, basis)
    values, vectors = np.linalg.eigh(coefficients.T @ coefficients)
    leading = vectors[:, np.argsort(values)[::-1][:size]]
    return np.asarray(coefficients @ leading, np.float32), np.asarray(leading.T @ basis, np.float32)


def _orthonormal(rows: Array) -> Array:
    return np.asarray(np.linalg.qr(np.ascontiguousarray(rows.T))[0].T)


def _some_rows(item: Worm, rows: Array) -> Array:
    """Some rows of a worm at full length, float32."""
    first, last = int(item.samples[0]), int(item.samples[-1]) + 1
    made = np.empty((len(rows), item.n_times), np.float32)
    for out, row in zip(made, rows, strict=True):
        layer, place = divmod(int(row), len(item.kept))
        kept = int(item.kept[place])
        out[:] = item.block.tile(kept, kept + 1, first, last, layer)[0, item.samples - first]
    return made


def stored_megabytes(problem: Problem) -> float:
    """Memory that all rows take in float32."""
    return problem.n_entries * 4 / MEGABYTE


def sampled_density(problem: Problem) -> float:
    """Share of values that are not zero, from a few rows of every worm."""
    found = total = 0
    for item in problem.worms:
        layers = range(item.n_rows // len(item.kept))
        for layer in layers:
            for row in item.kept[:: max(len(item.kept) // 24, 1)]:
                values = item.block.tile(int(row), int(row) + 1, 0, int(item.samples[-1]) + 1, layer)
                found += int(np.count_nonzero(values))
                total += values.size
    return found / max(total, 1)


def sparse_megabytes(problem: Problem, density: float) -> float:
    """Memory that the rows take without their zeros, with a margin for the estimate."""
    return (
        1.15 * density * sum(w.n_rows * w.n_times * (6 if w.n_times < 65536 else 8) for w in problem.worms) / MEGABYTE
    )


def compressed_megabytes(problem: Problem, size: int) -> float:
    """Memory that the compressed copy takes."""
    return sum(min(size, w.n_times, w.n_rows) * 4 * (w.n_rows + w.n_times) for w in problem.worms) / MEGABYTE


def _refuse_values(item: Worm, tile: Array, row0: int, time0: int, problem: Problem) -> None:
    bad = np.argwhere(~np.isfinite(tile) | (tile < 0))[0]
    pair = problem.affinity.pairs[item.slots[row0 + bad[0]] % len(problem.affinity.pairs)]
    a, b = (problem.affinity.neurons[int(i)] for i in pair)
    at = float(np.asarray(item.block.time_s, float)[item.samples[time0 + bad[1]]])
    value = float(tile[bad[0], bad[1]])
    raise InputError(
        f"the affinity of {a} and {b} is {value:g} at {at:g} s although that time is marked as observed",
        where=item.name,
        fix="Affinities are finite and not negative; mark times that were not measured as unobserved.",
    )
