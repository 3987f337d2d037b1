"""Suggestions of names from an atlas of positions: the cloud of neurons is laid over the atlas, near names get a probability.

The neurons are matched to the atlas softly (one name fits one neuron, some fit none), and the match is refined in turn with
the transform: first a similarity (Umeyama, IEEE TPAMI 13, 376-380, 1991, as in scikit-image), then an affine transform, then a
smooth bending of the body (Gaussian process over space). Names that are given already are landmarks. The start comes from
four or more of them, else from the principal axes in all orientations, mirrored ones too, because microscopes differ in that.
Suggestions are shown with their probability and never applied by themselves.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.neurons import normalize
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.recording import Recording

LANDMARKS = 4
"""Names that are needed to begin with them; with fewer, all orientations are tried."""
ROLLS = 8
"""Turns about the long axis that are tried without names."""
SHIFTS_UM = (-15.0, 0.0, 15.0)
"""Shifts along the body that are tried without names, because a recording may show a part of the head only."""
KEPT = 4
"""Starts of which the fine fit is made."""
RIGID = 2
"""Steps in which the cloud keeps its shape."""
SPREADS_UM = (8.0, 6.0, 4.5, 3.5, 2.5, 2.0)
"""Distances at which neurons and atlas are matched, from coarse to fine; about 2 um is how much worms differ."""
BEND_UM, BEND_LENGTH_UM = 2.0, 25.0
"""Size of the bending that is allowed beyond an affine transform, and the distance over which it changes."""
FINAL_UM = 1.2
"""Spread behind the probabilities that are shown; with it they are right about as often as they say (see the tests)."""
LARGEST_SCALE = 1.3
"""Both clouds are in micrometres, so that they differ in size only as worms do."""
OUTLIER = 0.02
"""Weight of "none of these names", in neurons a volume of one spread cubed."""
AXES = {"x": ("x", "x_um"), "y": ("y", "y_um"), "z": ("z", "z_um")}


@dataclass(frozen=True)
class Suggestion:
    """A name and how probable it is for the neuron at this place."""

    name: str
    probability: float


def read_atlas(path: str | Path) -> pd.DataFrame:
    """Read a CSV with columns name, x, y, z (or x_um, y_um, z_um) in micrometres, and optionally sd_x, sd_y, sd_z.

    Unknown names are left out; a name that is given several times (one row a worm) gets the mean place, and the spread between
    its rows where no sd is given. Where the table has several parts (a column `part`), each with its own frame, the first is
    used.

    Returns
    -------
    pandas.DataFrame
        Columns z, y, x, sd_z, sd_y, sd_x (NaN where not known), indexed by canonical name.
    """
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise InputError(f"the atlas cannot be read ({error})", where=str(path)) from error
    table.columns = [str(c).strip().lower() for c in table.columns]
    name = next((c for c in ("name", "neuron") if c in table), None)
    found = {axis: next((c for c in columns if c in table), None) for axis, columns in AXES.items()}
    missing = (["name"] if name is None else []) + [axis for axis, column in found.items() if column is None]
    if missing:
        raise InputError(f"the atlas lacks the column {missing[0]}", where=str(path), fix="Needed: name, x, y, z.")
    if "part" in table and len(table):
        table = table[table["part"] == table["part"].iloc[0]]
    clean = pd.DataFrame({"name": [normalize(str(n)) or "" for n in table[name]]})
    for axis in "zyx":
        clean[axis] = pd.to_numeric(table[found[axis]], errors="coerce").to_numpy(float)
        given = table[f"sd_{axis}"] if f"sd_{axis}" in table else pd.Series(np.nan, index=table.index)
        clean[f"sd_{axis}"] = pd.to_numeric(given, errors="coerce").to_numpy(float)
    clean = clean[(clean["name"] != "") & np.isfinite(clean[["z", "y", "x"]]).all(axis=1)]
    groups = clean.groupby("name")
    atlas = groups.mean()
    spread = groups[["z", "y", "x"]].std()
    for axis in "zyx":
        atlas[f"sd_{axis}"] = atlas[f"sd_{axis}"].fillna(spread[axis])
    if len(atlas) < LANDMARKS:
        raise InputError(
            f"the atlas has {len(atlas)} known neurons", where=str(path), fix=f"At least {LANDMARKS} are needed."
        )
    return atlas


def suggest(
    recording: Recording,
    atlas: pd.DataFrame,
    *,
    best: int = 6,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> dict[str, list[Suggestion]]:
    """Suggest names for every neuron with a position.

    Parameters
    ----------
    recording : Recording
    atlas : pandas.DataFrame
        As from `read_atlas`.
    best : int
        Suggestions a neuron.
    progress, cancel : callable, optional

    Returns
    -------
    dict
        Neuron id -> suggestions, most probable first. Names that are given already are not suggested to others, neurons that
        were rejected get none. The probabilities of a neuron sum to less than 1: the rest is "none of these".
    """
    table = recording.neurons
    places = recording.positions_um
    known = np.isfinite(places).all(axis=1) & ~table["rejected"].to_numpy(bool)
    if known.sum() < LANDMARKS:
        raise InputError(f"fewer than {LANDMARKS} neurons have a position", where=f"recording '{recording.name}'")
    names = list(atlas.index)
    ids = [str(i) for i in table.index[known]]
    given = table["name"][known].tolist()
    column = {n: j for j, n in enumerate(names)}
    fixed = np.array([column.get(n, -1) for n in given])
    cloud = _Cloud(places[known], atlas, fixed)
    if (fixed >= 0).sum() >= LANDMARKS:
        starts = cloud.starts_from_names()
    else:
        starts = cloud.starts_from_axes()
    if len(starts) > KEPT:
        coarse = []
        for place, start in enumerate(starts):
            check_cancel(cancel)
            report(progress, 0.7 * place / len(starts), "laying the neurons over the atlas")
            coarse.append(cloud.refine(start, SPREADS_UM[:RIGID])[:2])
        coarse.sort(key=lambda one: -one[0])
        starts = [one[1] for one in coarse[:KEPT]]
    found: tuple[float, np.ndarray, np.ndarray] | None = None
    for place, start in enumerate(starts):
        check_cancel(cancel)
        report(progress, 0.7 + 0.3 * place / len(starts), "laying the neurons over the atlas")
        fitted = cloud.refine(start, SPREADS_UM)
        if found is None or fitted[0] > found[0]:
            found = fitted
    assert found is not None
    chance = found[2]
    chance[given_elsewhere(fixed, len(names))] = 0.0
    result: dict[str, list[Suggestion]] = {}
    for i, neuron in enumerate(ids):
        order = np.argsort(-chance[i], kind="stable")[:best]
        kept = [Suggestion(names[j], float(chance[i, j])) for j in order if chance[i, j] > 0.005]
        if kept:
            result[neuron] = kept
    return result


def given_elsewhere(fixed: np.ndarray, n_names: int) -> np.ndarray:
    """Where (neuron, name) a name belongs to another neuron already."""
    taken = np.zeros((len(fixed), n_names), bool)
    mine = np.flatnonzero(fixed >= 0)
    taken[:, fixed[mine]] = True
    taken[mine, fixed[mine]] = False
    return taken


class _Cloud:
    """Neurons of a worm and the atlas they are laid over."""

    def __init__(self, points: np.ndarray, atlas: pd.DataFrame, fixed: np.ndarray) -> None:
        self.points, self.fixed = points, fixed
        self.target = atlas[["z", "y", "x"]].to_numpy(float)
        deviation = atlas[["sd_z", "sd_y", "sd_x"]].to_numpy(float)
        typical = np.nanmedian(deviation) if np.isfinite(deviation).any() else 0.0
        self.deviation = np.where(np.isfinite(deviation), deviation, typical)
        self.named = np.flatnonzero(fixed >= 0)
        self.taken = given_elsewhere(fixed, len(self.target))

    def starts_from_names(self) -> list[np.ndarray]:
        """Similarity from the named neurons, as it is and mirrored; the better one."""
        source, target = self.points[self.named], self.target[self.fixed[self.named]]
        best: tuple[float, np.ndarray] | None = None
        for mirror in (1.0, -1.0):
            flip = np.array([mirror, 1.0, 1.0])
            model = _similarity(source * flip, target)
            error = float(np.square(model(source * flip) - target).sum())
            if best is None or error < best[0]:
                best = (error, np.asarray(model(self.points * flip)))
        assert best is not None
        return [best[1]]

    def starts_from_axes(self) -> list[np.ndarray]:
        """Principal axes upon principal axes: both ways along the body, turned about it, and mirrored."""
        centre_a, axes_a = _axes(self.points)
        centre_b, axes_b = _axes(self.target)
        inside = (self.points - centre_a) @ axes_a.T
        starts = []
        for along, mirror, turn, shift in itertools.product((1, -1), (1, -1), range(ROLLS), SHIFTS_UM):
            angle = 2 * np.pi * turn / ROLLS
            roll = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            moved = np.column_stack([inside[:, 0] * along, (inside[:, 1:] * [1, mirror]) @ roll])
            starts.append((moved + [shift, 0.0, 0.0]) @ axes_b + centre_b)
        return starts

    def refine(self, moved: np.ndarray, spreads: Sequence[float]) -> tuple[float, np.ndarray, np.ndarray]:
        """Match and fit in turn, from coarse to fine; return how well it fits, the places, and the probabilities."""
        n = len(self.points)
        chance = np.zeros((n, len(self.target)))
        for step, spread in enumerate(spreads):
            for _ in range(4):
                chance, fit = self._match(moved, spread)
                weight = chance.sum(axis=1)
                goal = chance @ self.target / np.maximum(weight, 1e-9)[:, None]
                weight = np.where(self.fixed >= 0, 4.0, weight)
                moved = _affine(self.points, goal, weight, rigid=step < RIGID)
                if step >= 3:
                    moved = moved + self._bend(moved, goal, weight, spread)
        _, fit = self._match(moved, spreads[-1])
        chance, _ = self._match(moved, FINAL_UM)
        return fit, moved, chance

    def _match(self, moved: np.ndarray, spread: float) -> tuple[np.ndarray, float]:
        """Probabilities (neuron, name) at this spread, each name at most once, and the log likelihood of the places."""
        variance = np.square(self.deviation) * 0.5 + spread**2
        gap = np.square(moved[:, None] - self.target[None])
        density = np.exp(-0.5 * (gap / variance).sum(axis=2)) / np.sqrt(np.prod(variance / spread**2, axis=1))
        fit = float(np.log(density.sum(axis=1) + OUTLIER).sum())
        density[self.taken] = 0.0
        for i in self.named:
            density[i] = 0.0
            density[i, self.fixed[i]] = 1.0 / 1e-9
        rows, columns = np.ones(len(moved)), np.ones(len(self.target))
        for _ in range(12):  # Sinkhorn with slack: neurons without a name, names without a neuron
            rows = 1.0 / (density @ columns + OUTLIER)
            columns = 1.0 / (rows @ density + 0.3)
        chance = density * rows[:, None] * columns[None]
        return chance, fit

    def _bend(self, moved: np.ndarray, goal: np.ndarray, weight: np.ndarray, spread: float) -> np.ndarray:
        """Smooth displacement towards where the neurons should be."""
        gap = np.square(moved[:, None] - moved[None]).sum(axis=2)
        kernel = BEND_UM**2 * np.exp(-0.5 * gap / BEND_LENGTH_UM**2)
        noise = spread**2 / np.clip(weight, 1e-3, None)
        return np.asarray(kernel @ np.linalg.solve(kernel + np.diag(noise), goal - moved))


def _similarity(source: np.ndarray, target: np.ndarray):  # type: ignore[no-untyped-def]
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


def _axes(cloud: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Centre and principal axes (longest first) of a cloud."""
    middle = cloud.mean(axis=0)
    _, values, vectors = np.linalg.svd(cloud - middle, full_matrices=False)
    if len(values) < 3 or values[1] < 1e-9:
        raise InputError("the neurons cannot be laid over the atlas: their positions lie in one point or line")
    if np.linalg.det(vectors) < 0:
        vectors[2] *= -1
    return middle, vectors


def _affine(points: np.ndarray, goal: np.ndarray, weight: np.ndarray, *, rigid: bool) -> np.ndarray:
    """Points moved by the weighted affine transform to their goals, kept near a similarity; `rigid`: the similarity alone."""
    total = weight.sum()
    a, b = (weight @ points) / total, (weight @ goal) / total
    x, y = points - a, goal - b
    cross = (x * weight[:, None]).T @ y
    u, s, vt = np.linalg.svd(cross)
    power = float((weight[:, None] * x**2).sum())
    scale = np.clip(s.sum() / max(power, 1e-12), 1 / LARGEST_SCALE, LARGEST_SCALE)
    linear = u @ vt * scale  # mirrored where that fits better
    if not rigid:
        own = (x * weight[:, None]).T @ x
        ridge = 0.05 * np.trace(own) / 3 * np.eye(3)
        linear = np.linalg.solve(own + ridge, cross + ridge @ linear)
    return np.asarray(x @ linear + b)
