"""Labels of one frame beside those of a reference: which object lies on which, matched pairs, splits and merges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .overlap_kernels import count_overlaps

Array = np.ndarray


@dataclass(frozen=True, eq=False)
class Overlap:
    """How the objects of a segmentation and of a reference lie on each other in one frame.

    Parameters
    ----------
    reference, label : array of int64
        Ids, ascending; (r,) and (l,).
    reference_size, label_size : array of int64
        Voxels, (r,) and (l,).
    reference_centre, label_centre : array (r, 3), (l, 3)
        Mean (z, y, x) of the voxels.
    row, column : array of int
        (p,), places in `reference` and `label` of the pairs that share voxels, by row, then column.
    shared : array of int64
        (p,), voxels that they share.
    """

    reference: Array
    label: Array
    reference_size: Array
    label_size: Array
    reference_centre: Array
    label_centre: Array
    row: Array
    column: Array
    shared: Array

    @classmethod
    def of(cls, labels: Array, reference: Array) -> Overlap:
        """Count one frame, (z, y, x) each."""
        one, two = _plain(labels), _plain(reference)
        kind = max(one.dtype, two.dtype, key=lambda d: d.itemsize)
        second, first, count, place = count_overlaps(one.astype(kind, copy=False), two.astype(kind, copy=False))
        refs, ref_size, ref_centre, row = _objects(first, count, place)
        labs, lab_size, lab_centre, column = _objects(second, count, place)
        both = (first != 0) & (second != 0)
        order = np.lexsort((column[both], row[both]))
        return cls(
            refs,
            labs,
            ref_size,
            lab_size,
            ref_centre,
            lab_centre,
            row[both][order],
            column[both][order],
            count[both][order],
        )

    @property
    def iou(self) -> Array:
        """Shared voxels over those of either object, (p,)."""
        union = self.reference_size[self.row] + self.label_size[self.column] - self.shared
        return np.asarray(self.shared / union)

    def matches(self) -> tuple[Array, Array, Array]:
        """Pair objects one to one so that the sum of their IoU is as large as it can be.

        Returns
        -------
        row, column : array of int (m,)
        iou : array of float (m,)
        """
        return best_pairs(self.row, self.column, self.iou, len(self.reference), len(self.label))

    def owner_of_label(self, share: float) -> Array:
        """Place of the reference object that holds most of each label, -1 if that is less than `share` of the label; (l,)."""
        return _owner(self.column, self.row, self.shared, self.label_size, share)

    def owner_of_reference(self, share: float) -> Array:
        """Place of the label that holds most of each reference object, -1 if that is less than `share` of it; (r,)."""
        return _owner(self.row, self.column, self.shared, self.reference_size, share)


def best_pairs(row: Array, column: Array, value: Array, n_rows: int, n_columns: int) -> tuple[Array, Array, Array]:
    """Pair rows and columns one to one, the sum of values as large as it can be; only pairs that are listed.

    Pairs of which neither side has another candidate need no search; what is left falls apart into small groups, and each is
    solved exactly.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not len(row):
        nothing = np.empty(0, int)
        return nothing, nothing, np.empty(0)
    alone = (np.bincount(row, minlength=n_rows)[row] == 1) & (np.bincount(column, minlength=n_columns)[column] == 1)
    chosen = list(np.flatnonzero(alone))
    rest = np.flatnonzero(~alone)
    if len(rest):
        size = n_rows + n_columns
        graph = coo_array((np.ones(len(rest)), (row[rest], n_rows + column[rest])), shape=(size, size))
        _, group = connected_components(graph, directed=False)
        of = group[row[rest]]
        for one in np.unique(of):
            mine = rest[of == one]
            rows, i = np.unique(row[mine], return_inverse=True)
            columns, j = np.unique(column[mine], return_inverse=True)
            table = np.zeros((len(rows), len(columns)))
            entry = np.full(table.shape, -1)
            table[i, j], entry[i, j] = value[mine], mine
            picked = entry[linear_sum_assignment(-table)]
            chosen += list(picked[picked >= 0])
    kept = np.sort(np.asarray(chosen, int))
    return row[kept], column[kept], value[kept]


def _plain(labels: Array) -> Array:
    """Three dimensions in C order, as unsigned numbers of the same width (labels are not negative): few kinds to compile."""
    values = np.ascontiguousarray(labels)
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    values = values.view(f"u{values.dtype.itemsize}")
    return values.reshape((1,) * (3 - values.ndim) + values.shape)


def _objects(ids: Array, count: Array, place: Array) -> tuple[Array, Array, Array, Array]:
    """Ids other than 0, their voxels and centres, and the place of each pair's id among them (-1 for the background)."""
    found, inverse = np.unique(ids, return_inverse=True)
    size = np.bincount(inverse, count, len(found))
    centre = np.stack([np.bincount(inverse, place[:, k], len(found)) for k in range(3)], axis=1)
    centre = centre / np.maximum(size, 1)[:, None]
    first = int(len(found) > 0 and found[0] == 0)
    return found[first:], size[first:].astype(np.int64), centre[first:], inverse - first


def _owner(part: Array, whole: Array, shared: Array, size: Array, share: float) -> Array:
    owner = np.full(len(size), -1)
    if not len(part):
        return owner
    # by part, then most shared first, then the lower number: the first of each part is its owner
    order = np.lexsort((whole, -shared, part))
    first = order[np.r_[True, np.diff(part[order]) > 0]]
    enough = shared[first] >= share * size[part[first]]
    owner[part[first][enough]] = whole[first][enough]
    return owner
