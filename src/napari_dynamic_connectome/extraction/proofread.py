"""Corrections of a segmentation, label by label: delete, merge, split, grow, shrink; and which label to look at next.

Goes in: labels (z, y, x), as they are shown, and what is to be done. Comes out: a `Patch`, the voxels that change and their new
values; nothing is changed before it is applied, and its inverse takes it back. Only the box of the label is worked on.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ..model.errors import InputError
from ..model.recording import Recording

Voxel = tuple[int, int, int]
Size = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Patch:
    """Voxels that change.

    Parameters
    ----------
    voxels : tuple of three int arrays
        Their places (z, y, x).
    old, new : array
        Values before and after.
    text : str
        What was done, in words.
    """

    voxels: tuple[np.ndarray, np.ndarray, np.ndarray]
    old: np.ndarray
    new: np.ndarray
    text: str

    @property
    def touched(self) -> frozenset[int]:
        """Labels whose voxels change."""
        return frozenset(int(i) for i in np.union1d(self.old, self.new) if i)

    def apply(self, labels: np.ndarray) -> None:
        """Change labels in place."""
        labels[self.voxels] = self.new

    def inverse(self) -> Patch:
        """The patch that takes this one back."""
        return Patch(self.voxels, self.new, self.old, f"undo: {self.text}")


def delete(labels: np.ndarray, ids: Collection[int]) -> Patch:
    """Remove labels.

    Parameters
    ----------
    labels : int array (z, y, x)
    ids : collection of int

    Raises
    ------
    InputError
        A label is not there.
    """
    pieces = [_voxels_of(labels, one) for one in dict.fromkeys(int(i) for i in ids)]
    if not pieces:
        raise InputError("no label was chosen to delete", where="proofreading")
    voxels = tuple(np.concatenate(parts) for parts in zip(*pieces, strict=True))
    return _patch(labels, voxels, 0, f"delete label{'s' if len(pieces) > 1 else ''} {_listed(ids)}")


def merge(labels: np.ndarray, keep: int, other: int) -> Patch:
    """Make two labels one.

    Parameters
    ----------
    labels : int array (z, y, x)
    keep, other : int
        All voxels of `other` become `keep`.

    Raises
    ------
    InputError
        A label is not there, or both are the same.
    """
    if int(keep) == int(other):
        raise InputError(f"label {keep} cannot be merged with itself", where="proofreading", fix="Choose another one.")
    _box_of(labels, keep)
    return _patch(labels, _voxels_of(labels, other), keep, f"merge label {other} into {keep}")


def split(
    labels: np.ndarray, label: int, first: Voxel, second: Voxel, *, voxel_size_um: Size = (1.0, 1.0, 1.0), new: int = 0
) -> Patch:
    """Cut a label in two, by a watershed of the depth inside it from two places.

    Parameters
    ----------
    labels : int array (z, y, x)
    label : int
    first, second : tuple of int
        Voxels (z, y, x) in it, one in either part; that of `first` keeps the number.
    voxel_size_um : tuple of float
    new : int
        Number of the other part; 0: the first that is free after all others.

    Returns
    -------
    Patch

    Raises
    ------
    InputError
        A place lies outside the label, both are the same, or numbers have run out.

    Notes
    -----
    The border follows the neck: depth is the distance to the label's edge in micrometres, and the basins of its inverse around the
    two places meet where it is thinnest. Where the label has no neck between the places (both on one summit) every voxel goes to the
    place that is nearer.
    """
    from scipy.ndimage import distance_transform_edt
    from skimage.segmentation import watershed

    box = _grown(_box_of(labels, label), labels.shape, 1)
    inside = labels[box] == label
    seeds: list[Voxel] = []
    for z, y, x in (first, second):
        seeds.append((int(z) - box[0].start, int(y) - box[1].start, int(x) - box[2].start))
    for place, seed in zip((first, second), seeds, strict=True):
        within = all(0 <= v < n for v, n in zip(seed, inside.shape, strict=True))
        if not within or not inside[seed]:
            raise InputError(
                f"the place {tuple(int(v) for v in place)} is not in label {label}",
                where="proofreading",
                fix="Click twice inside the label, once in either part.",
            )
    if seeds[0] == seeds[1]:
        raise InputError("both clicks are on the same voxel", where="proofreading", fix="Click once in either part.")
    number = int(new) or free_label(labels)
    padded = np.pad(inside, 1)  # a label at the border of the image ends there
    depth = distance_transform_edt(padded, sampling=voxel_size_um)[1:-1, 1:-1, 1:-1]
    ways = [_uphill(depth, inside, seed) for seed in seeds]
    if _has_neck(depth, inside, ways[0][-1], ways[1][-1]):
        markers = np.zeros(inside.shape, np.int8)
        for number_of, way in enumerate(ways, start=1):
            markers[tuple(np.array(way).T)] = number_of
        parts = watershed(-depth, markers, mask=inside)
    else:
        parts = _nearer(inside, seeds, voxel_size_um)
    other = np.nonzero(inside & (parts == 2))
    voxels = tuple(part + s.start for part, s in zip(other, box, strict=True))
    return _patch(labels, voxels, number, f"split label {label} into {label} and {number}")


def _has_neck(depth: np.ndarray, inside: np.ndarray, first: Voxel, second: Voxel) -> bool:
    """Whether every way from one summit to the other goes through something thinner than both."""
    from scipy.ndimage import label as components

    if first == second:
        return False
    parts, _ = components(inside & (depth >= min(float(depth[e]) for e in (first, second))), np.ones((3, 3, 3), bool))
    return bool(parts[first] != parts[second])


def _uphill(depth: np.ndarray, inside: np.ndarray, place: Voxel) -> list[Voxel]:
    """Voxels from a place to the summit, always to the deepest neighbour; level ground is crossed to where it goes on."""
    from scipy.ndimage import binary_dilation
    from scipy.ndimage import label as components

    way, around = [place], np.ones((3, 3, 3), bool)
    while True:
        here = way[-1]
        window = tuple(slice(max(v - 1, 0), v + 2) for v in here)
        near = np.where(inside[window], depth[window], -1.0)
        best = np.unravel_index(int(np.argmax(near)), near.shape)
        there = tuple(int(b) + s.start for b, s in zip(best, window, strict=True))
        if depth[there] <= depth[here]:
            parts, _ = components(inside & (depth == depth[here]), around)
            level = parts == parts[here]
            rim = np.argwhere(binary_dilation(level, around) & inside & (depth > depth[here]))
            if not len(rim):
                return way
            there = tuple(int(v) for v in rim[np.argmin(((rim - np.asarray(here)) ** 2).sum(axis=1))])
        way.append((there[0], there[1], there[2]))


def _nearer(inside: np.ndarray, seeds: list[Voxel], size: Size) -> np.ndarray:
    """1 or 2 for every voxel, by the nearer one of two places (micrometres)."""
    grid = np.indices(inside.shape).reshape(3, -1).T * np.asarray(size, float)
    far = [np.linalg.norm(grid - np.asarray(seed) * np.asarray(size, float), axis=1) for seed in seeds]
    return np.where(far[1] < far[0], 2, 1).reshape(inside.shape)


def grow(labels: np.ndarray, label: int, voxel_size_um: Size = (1.0, 1.0, 1.0), by_um: float | None = None) -> Patch:
    """Give a label the free voxels around it; those of other labels stay theirs.

    Parameters
    ----------
    labels : int array (z, y, x)
    label : int
    voxel_size_um : tuple of float
    by_um : float, optional
        How far, in micrometres, between voxel centres; the smallest voxel edge by default: one voxel in the plane.
    """
    from scipy.ndimage import distance_transform_edt

    step = _step(voxel_size_um, by_um)
    room = [int(step / s) + 1 for s in voxel_size_um]
    box = _grown(_box_of(labels, label), labels.shape, room)
    part = labels[box]
    near = distance_transform_edt(part != label, sampling=voxel_size_um) <= step * (1 + 1e-9)
    taken = np.nonzero(near & (part == 0))
    if not len(taken[0]):
        raise InputError(f"label {label} has no free voxel around it", where="proofreading")
    voxels = tuple(v + s.start for v, s in zip(taken, box, strict=True))
    return _patch(labels, voxels, label, f"grow label {label}")


def shrink(labels: np.ndarray, label: int, voxel_size_um: Size = (1.0, 1.0, 1.0), by_um: float | None = None) -> Patch:
    """Take from a label the voxels at its edge.

    Parameters
    ----------
    labels : int array (z, y, x)
    label : int
    voxel_size_um : tuple of float
    by_um : float, optional
        As in `grow`: voxels whose centre is at most so far from that of a voxel outside are taken. The image's border is no edge.

    Raises
    ------
    InputError
        Nothing would be left: that is what deleting is for.
    """
    from scipy.ndimage import distance_transform_edt

    step = _step(voxel_size_um, by_um)
    box = _grown(_box_of(labels, label), labels.shape, 1)
    inside = labels[box] == label
    outer = np.nonzero(inside & (distance_transform_edt(inside, sampling=voxel_size_um) <= step * (1 + 1e-9)))
    if len(outer[0]) == int(inside.sum()):
        raise InputError(
            f"nothing would be left of label {label}", where="proofreading", fix="Delete it, if it is no neuron."
        )
    if inside.all():
        raise InputError(f"label {label} fills the image", where="proofreading")
    voxels = tuple(v + s.start for v, s in zip(outer, box, strict=True))
    return _patch(labels, voxels, 0, f"shrink label {label}")


def free_label(labels: np.ndarray) -> int:
    """Return the first number after all that are used.

    Raises
    ------
    InputError
        The type of the labels has no such number.
    """
    number = int(labels.max()) + 1
    if number > np.iinfo(labels.dtype).max:
        used = np.unique(labels)
        gaps = np.setdiff1d(np.arange(1, min(len(used) + 2, np.iinfo(labels.dtype).max + 1)), used)
        if not len(gaps):
            raise InputError(
                f"no number is free: {labels.dtype} ends at {np.iinfo(labels.dtype).max}",
                where="proofreading",
                fix="Convert the labels to a larger type (Layers > Convert data type).",
            )
        return int(gaps[0])
    return number


def suspicious(recording: Recording) -> list[tuple[int, str]]:
    """Labels that are worth a look, the worst first, each with the reason.

    Parameters
    ----------
    recording : Recording
        Whose quality was judged; see `assess_quality`.

    Returns
    -------
    list of (int, str)
        Flagged neurons in the order of their rank (the worst first), then those whose size is far from that of the others: more than
        three times, or less than a third of, the median number of voxels. Rejected neurons are left out.
    """
    table, quality = recording.neurons, recording.quality
    numbers = table["label"].to_numpy(np.int64)
    open_ = ~table["rejected"].to_numpy(bool)
    found: dict[int, str] = {}
    if quality is not None and "flagged" in quality:
        flags = quality["flagged"].to_numpy(bool) & open_
        rank = quality["rank"].to_numpy(float) if "rank" in quality else np.arange(len(quality), dtype=float)
        reasons = quality["reason"].astype(str).tolist() if "reason" in quality else [""] * len(quality)
        for place in sorted(np.flatnonzero(flags), key=lambda i: rank[i]):
            found[int(numbers[place])] = reasons[place] or "flagged"
    if "n_voxels" in recording.traces.coords:
        sizes = np.asarray(recording.traces["n_voxels"].values, float)
        middle = float(np.nanmedian(sizes)) if np.isfinite(sizes).any() else 0.0
        if middle > 0:
            share = sizes / middle
            far = np.abs(np.log(np.maximum(share, 1e-9)))
            odd = np.flatnonzero(((share > 3) | (share < 1 / 3)) & open_)
            for place in sorted(odd, key=lambda i: -far[i]):
                word = (
                    f"{share[place]:.1f} x the usual size"
                    if share[place] > 1
                    else f"{share[place]:.0%} of the usual size"
                )
                one = int(numbers[place])
                found[one] = f"{found[one]}, {word}" if one in found else word
    return list(found.items())


def _step(size: Size, by_um: float | None) -> float:
    step = min(size) if by_um is None else float(by_um)
    if not step > 0:
        raise InputError(f"a step of {step:g} um is not possible", where="proofreading", fix="Give more than 0.")
    return step


def _patch(labels: np.ndarray, voxels: tuple[np.ndarray, ...], value: int, text: str) -> Patch:
    z, y, x = voxels
    old = labels[z, y, x]
    return Patch((z, y, x), old, np.full(len(old), value, labels.dtype), text)


def _voxels_of(labels: np.ndarray, label: int) -> tuple[np.ndarray, ...]:
    box = _box_of(labels, label)
    return tuple(v + s.start for v, s in zip(np.nonzero(labels[box] == label), box, strict=True))


def _box_of(labels: np.ndarray, label: int) -> tuple[slice, ...]:
    box = label_box(labels, label)
    if box is None:
        raise InputError(f"there is no label {label} here", where="proofreading", fix="Click on a label.")
    return box


def label_box(labels: np.ndarray, label: int) -> tuple[slice, ...] | None:
    """The smallest box that holds a label; None if no voxel has it."""
    if label <= 0:
        return None
    planes = np.flatnonzero([bool((plane == label).any()) for plane in labels])
    if not len(planes):
        return None
    first, last = int(planes[0]), int(planes[-1])
    part = labels[first : last + 1] == label
    rows, columns = np.flatnonzero(part.any(axis=(0, 2))), np.flatnonzero(part.any(axis=(0, 1)))
    return (
        slice(first, last + 1),
        slice(int(rows[0]), int(rows[-1]) + 1),
        slice(int(columns[0]), int(columns[-1]) + 1),
    )


def _grown(box: tuple[slice, ...], shape: tuple[int, ...], room: int | list[int]) -> tuple[slice, ...]:
    rooms = [room] * 3 if isinstance(room, int) else room
    return tuple(slice(max(s.start - r, 0), min(s.stop + r, n)) for s, r, n in zip(box, rooms, shape, strict=True))


def _listed(ids: Collection[int]) -> str:
    return ", ".join(str(int(i)) for i in dict.fromkeys(ids))
