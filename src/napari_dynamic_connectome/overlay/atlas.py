"""Suggestions of names from an atlas of positions: the cloud of neurons is laid over the atlas, near names get a probability.

The alignment is a similarity transform (Umeyama, IEEE TPAMI 13, 376-380, 1991, as in scikit-image), found from the named
neurons if there are enough of them, else by iterated optimal assignment from several starting orientations. Suggestions are
shown with their probability and never applied by themselves.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.neurons import normalize
from ..model.progress import CancelCallback, check_cancel
from ..model.recording import Recording


@dataclass(frozen=True)
class Suggestion:
    """A name and how probable it is among the names near this place."""

    name: str
    probability: float


def read_atlas(path: str | Path) -> pd.DataFrame:
    """Read a CSV with columns name, x, y, z; unknown names are left out.

    Returns
    -------
    pandas.DataFrame
        Columns z, y, x, indexed by canonical name.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise InputError(f"the atlas cannot be read ({error})", where=str(path)) from error
    table.columns = [str(c).strip().lower() for c in table.columns]
    missing = [c for c in ("name", "x", "y", "z") if c not in table]
    if missing:
        raise InputError(f"the atlas lacks the column {missing[0]}", where=str(path), fix="Needed: name, x, y, z.")
    table["name"] = [normalize(str(n)) or "" for n in table["name"]]
    for column in "zyx":
        table[column] = pd.to_numeric(table[column], errors="coerce")
    table = table[(table["name"] != "") & np.isfinite(table[["z", "y", "x"]]).all(axis=1)]
    table = table.groupby("name")[["z", "y", "x"]].mean()
    if len(table) < 4:
        raise InputError(f"the atlas has {len(table)} known neurons", where=str(path), fix="At least 4 are needed.")
    return table


def suggest(
    recording: Recording, atlas: pd.DataFrame, *, best: int = 6, cancel: CancelCallback | None = None
) -> dict[str, list[Suggestion]]:
    """Suggest names for every neuron with a position.

    Parameters
    ----------
    recording : Recording
    atlas : pandas.DataFrame
        As from `read_atlas`.
    best : int
        Suggestions a neuron.

    Returns
    -------
    dict
        Neuron id -> suggestions, most probable first. Names that are given already are not suggested to others.
    """
    places = recording.positions_um
    known = np.isfinite(places).all(axis=1)
    if known.sum() < 4:
        raise InputError("fewer than 4 neurons have a position", where=f"recording '{recording.name}'")
    points, target = places[known], atlas[["z", "y", "x"]].to_numpy(float)
    ids = [str(i) for i in recording.neurons.index[known]]
    names = list(atlas.index)
    given = recording.neurons["name"][known].tolist()
    pairs = [(i, names.index(n)) for i, n in enumerate(given) if n in names]
    if len(pairs) >= 5:
        first, second = (np.array(p) for p in zip(*pairs, strict=True))
        moved = _transform(points[first], target[second])(points)
    else:
        moved = _align(points, target, cancel)
    gap = np.linalg.norm(moved[:, None] - target[None], axis=2)
    spread = max(float(np.median(gap.min(axis=1))), 1e-9)
    weight = np.exp(-0.5 * (gap / spread) ** 2)
    taken = set(given) - {""}
    result: dict[str, list[Suggestion]] = {}
    for i, neuron in enumerate(ids):
        free = np.array([n not in taken or n == given[i] for n in names])
        chance = weight[i] * free
        total = chance.sum()
        if total <= 0:
            continue
        order = np.argsort(-chance, kind="stable")[:best]
        result[neuron] = [Suggestion(names[j], float(chance[j] / total)) for j in order if chance[j] > 0]
    return result


def _transform(source: np.ndarray, target: np.ndarray):  # type: ignore[no-untyped-def]
    from skimage.transform import SimilarityTransform

    if hasattr(SimilarityTransform, "from_estimate"):  # scikit-image 0.26
        model = SimilarityTransform.from_estimate(source, target)
        good = bool(model)
    else:
        model = SimilarityTransform(dimensionality=3)
        good = model.estimate(source, target)
    if not good:
        raise InputError("the neurons cannot be laid over the atlas: their positions lie in one point or line")
    return model


def _align(points: np.ndarray, target: np.ndarray, cancel: CancelCallback | None) -> np.ndarray:
    """Align without names: principal axes in all four proper orientations, then assignment and fit in turn; the best wins."""
    from scipy.optimize import linear_sum_assignment

    def axes(cloud: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
        middle = cloud.mean(axis=0)
        _, values, vectors = np.linalg.svd(cloud - middle, full_matrices=False)
        if np.linalg.det(vectors) < 0:
            vectors[2] *= -1
        return middle, vectors, float(values[0] / np.sqrt(len(cloud)))

    centre_a, axes_a, size_a = axes(points)
    centre_b, axes_b, size_b = axes(target)
    best: tuple[float, np.ndarray] | None = None
    for signs in itertools.product((1, -1), repeat=2):
        check_cancel(cancel)
        flip = np.diag([signs[0], signs[1], signs[0] * signs[1]])
        moved = (points - centre_a) @ axes_a.T @ flip @ axes_b * (size_b / max(size_a, 1e-12)) + centre_b
        for _ in range(15):
            gap = np.linalg.norm(moved[:, None] - target[None], axis=2)
            rows, columns = linear_sum_assignment(gap)
            new = _transform(points[rows], target[columns])(points)
            if np.allclose(new, moved, atol=1e-6):
                break
            moved = new
        gap = np.linalg.norm(moved[:, None] - target[None], axis=2)
        rows, columns = linear_sum_assignment(gap)
        cost = float(np.median(gap[rows, columns]))
        if best is None or cost < best[0]:
            best = (cost, moved)
    assert best is not None
    return best[1]
