"""Confounds, events and groups of worms of a whole analysis, as the settings ask for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..comparison.groups import GroupDifference
from ..comparison.onsets import OnsetAverages
from ..model.cohort import Cohort
from ..model.errors import InputError
from ..model.progress import CancelCallback, ProgressCallback, part, report
from ..model.recording import Recording
from ..model.results import Communities, CommunityKind, Components
from .provenance import provenance_of
from .settings import InputSettings, PipelineSettings


@dataclass(frozen=True, eq=False)
class Contrasts:
    """What was asked of an analysis.

    Parameters
    ----------
    onsets : tuple of OnsetAverages
        One for every event of the settings.
    groups : GroupDifference, optional
    confounds : pandas.DataFrame
        How much of every neuron the confounds explain (`comparison.confounds.confound_report`); empty if nothing is partialled out.
    provenance : dict
    """

    onsets: tuple[OnsetAverages, ...] = ()
    groups: GroupDifference | None = None
    confounds: pd.DataFrame | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def tables(self) -> dict[str, pd.DataFrame]:
        """All tables by name."""
        found = {f"onsets_{o.event}": o.table() for o in self.onsets}
        if self.groups is not None:
            found |= {
                "groups_components": self.groups.components,
                "groups_pairs": self.groups.pairs,
                "groups_worms": self.groups.values.reset_index(names="worm"),
            }
        if self.confounds is not None:
            found["confounds"] = self.confounds
        return {name: table for name, table in found.items() if len(table)}

    def sentences(self) -> list[str]:
        """What was found, in words."""
        said = []
        if self.confounds is not None and len(self.confounds):
            median = self.confounds[["explained", "by_chance"]].median()
            said.append(
                f"What was partialled out explains {100 * median['explained']:.1f} % of a neuron's variance (median; "
                f"{100 * median['by_chance']:.1f} % if it is shifted in time)."
            )
        for one in self.onsets:
            table = one.signals
            sure = table[table["q_value"] <= 0.05]
            by_kind = [
                f"{(sure['kind'] == k).sum()} of {(table['kind'] == k).sum()} {_plural(k)}"
                for k in dict.fromkeys(table["kind"])
            ]
            said.append(f"'{one.event}': {', '.join(by_kind)} follow it at a false discovery rate of .05.")
        return said + (self.groups.sentences() if self.groups is not None else [])


def _plural(kind: str) -> str:
    return "communities" if kind == "community" else f"{kind}s"


def give_attributes(recordings: list[Recording], settings: InputSettings) -> list[Recording]:
    """Give worms the attributes of the settings' file and tables.

    Raises
    ------
    InputError
        The file is no table of worms, or a worm that is named is not there.
    """
    from ..io.formats.text_tables import read_table
    from ..model.attributes import apply_table, with_attributes

    if settings.attributes_file:
        recordings = apply_table(recordings, read_table(settings.attributes_file), where=settings.attributes_file)
    known = [r.name for r in recordings]
    unknown = [w for w in settings.attributes if w not in known]
    if unknown:
        raise InputError(
            f"there is no worm '{unknown[0]}'", where="input.attributes", fix=f"Known: {', '.join(known[:20])}."
        )
    return [with_attributes(r, settings.attributes.get(r.name, {})) if settings.attributes else r for r in recordings]


def contrasts(
    cohort: Cohort,
    settings: PipelineSettings,
    *,
    components: Components | None = None,
    communities: Mapping[tuple[int, CommunityKind], Communities] | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> Contrasts:
    """Everything that `settings.confounds` and `settings.contrasts` ask for.

    Parameters
    ----------
    cohort : Cohort
        As recorded: what is to be partialled out is partialled out here.
    settings : PipelineSettings
    components : Components, optional
        Made from the cohort with these settings.
    communities : mapping, optional
        Of the components.
    progress, cancel : callable, optional
    """
    from ..affinity.compute import compute_affinity
    from ..comparison.confounds import confound_report, partial_out_cohort
    from ..comparison.groups import compare_groups
    from ..comparison.onsets import average_onsets
    from ..factorization.project import own_courses

    own = settings.contrasts
    cohort = Cohort(give_attributes(list(cohort.recordings), settings.input), cohort.settings)
    explained = None
    if settings.confounds.active:
        report(progress, 0, "confounds")
        explained = confound_report(cohort, settings.confounds, seed=settings.seed)
    clean = partial_out_cohort(cohort, settings.confounds, cancel=cancel)
    affinity = None
    if own.column or (own.events and components is not None):
        affinity = compute_affinity(clean, settings.affinity, cancel=cancel)
    courses = None
    if own.events and components is not None and components.has_common_clock:
        courses = own_courses(affinity, components, cancel=cancel)
    found = []
    for number, event in enumerate(own.events):
        step = part(progress, 0.2 + 0.5 * number / len(own.events), 0.2 + 0.5 * (number + 1) / len(own.events))
        found.append(
            average_onsets(
                clean,
                event,
                own,
                components=components,
                courses=courses,
                communities=communities,
                seed=settings.seed,
                progress=step,
                cancel=cancel,
            )
        )
    groups = None
    if own.column:
        groups = compare_groups(
            clean,
            settings=own,
            components=components,
            affinity=affinity,
            seed=settings.seed,
            progress=part(progress, 0.7, 1),
            cancel=cancel,
        )
    return Contrasts(tuple(found), groups, explained, provenance_of(settings, cohort).record())
