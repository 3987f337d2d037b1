"""New worms on the components of an earlier run: their courses and loadings, and how well the components predict them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.recording import Recording
from ..model.results import Components

if TYPE_CHECKING:
    from ..factorization.project import WormProjection


def project_recordings(
    recordings: Sequence[Recording],
    components: Components,
    settings: Mapping[str, Any] | None = None,
    *,
    cohort: Cohort | None = None,
    splits: int = 4,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[WormProjection]:
    """Project recordings that took no part in a fit on its components.

    Parameters
    ----------
    recordings : sequence of Recording
        The new worms.
    components : Components
    settings : mapping, optional
        Affinity settings, those of the components by default.
    cohort : Cohort, optional
        That of the components: needed where some of them have a common clock, so that the new worms are put on it.
    splits, seed
        As in `project_worm`.
    progress, cancel : callable, optional

    Returns
    -------
    list of WormProjection
        One for every recording, in order.

    Raises
    ------
    InputError
        A worm shares no pair with the components or is called like one of theirs, the cohort is missing, or the stimuli of the new
        worms do not fit the common clock.
    """
    from ..affinity.compute import compute_affinity
    from ..affinity.settings import AffinitySettings
    from ..factorization.project import project_worm

    about = components.provenance.get("affinity", {})
    wanted = dict(settings if settings is not None else about.get("settings") or {})
    chosen = AffinitySettings.parse(wanted, where="affinity settings")
    common = "common" in components.clocks
    if common and cohort is None:
        raise InputError(
            "some components have a common clock, on which the new worms must be put",
            where="project",
            fix="Pass the cohort that the components were made from.",
        )
    found = []
    for number, recording in enumerate(recordings):
        check_cancel(cancel)
        report(progress, number / len(recordings), f"projecting {recording.name}")
        if common and cohort is not None:
            together = Cohort([*cohort.recordings, recording], cohort.settings)
            affinity = compute_affinity(together, chosen, cancel=cancel)
        else:
            # a pair that only this worm shows may be known to the components all the same
            rules = {} if cohort is None else cohort.settings.model_dump() | {"min_worms": 1}
            alone = chosen.model_copy(update={"alignment": "none", "min_worms": 1})
            affinity = compute_affinity(Cohort([recording], rules), alone, cancel=cancel)
        found.append(project_worm(affinity, components, recording.name, splits=splits, seed=seed, cancel=cancel))
    report(progress, 1.0, f"{len(found)} worms projected")
    return found


def projection_tables(projections: Sequence[WormProjection], components: Components) -> dict[str, pd.DataFrame]:
    """Tables of projections: `projection` (one row a worm and component) and `projection_time` (one row a worm and time).

    `foretells` is how much the error on pairs of neurons that were not looked at grows without the component.
    """
    rows, courses = [], []
    for one in projections:
        for place, number in enumerate(one.loading["component"].values.tolist()):
            rows.append(
                {
                    "worm": one.worm,
                    "component": number,
                    "clock": components.clock(number),
                    "loading": float(one.loading.values[place]),
                    "pairs": one.n_pairs,
                    "error": one.error,
                    "cross_error": one.cross_error,
                    "foretells": float(one.cross_without.values[place]) - one.cross_error,
                }
            )
        course = pd.DataFrame(one.courses.values, columns=[f"component_{c}" for c in one.loading["component"].values])
        course.insert(0, "time_s", np.asarray(one.courses["time"].values, float))
        course.insert(0, "worm", one.worm)
        courses.append(course.dropna())
    time = pd.concat(courses, ignore_index=True) if courses else pd.DataFrame()
    return {"projection": pd.DataFrame(rows), "projection_time": time}
