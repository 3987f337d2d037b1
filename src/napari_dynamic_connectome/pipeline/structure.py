"""A session beside the networks that the settings name, and what to test next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..model.errors import InputError
from ..model.network import Network
from ..model.progress import CancelCallback, ProgressCallback
from ..model.provenance import fingerprint_of, graph_of, record_of
from ..model.results import Communities, CommunityKind

if TYPE_CHECKING:
    from ..comparison.next_tests import NextTests, NextTestSettings
    from ..comparison.settings import StructureSettings
    from ..comparison.structure import StructureComparison
    from ..session.session import Session


@dataclass(frozen=True, eq=False)
class SessionStructure:
    """A comparison with the networks that it was made with."""

    comparison: StructureComparison
    networks: tuple[Network, ...]


def shown_communities(session: Session) -> dict[int, Communities]:
    """Communities of every component: core where there are some, else modules."""
    found: dict[int, Communities] = {}
    kinds: tuple[CommunityKind, ...] = ("core", "modules")
    for component in sorted({c for c, _ in session.communities}):
        for kind in kinds:
            one = session.communities.get((component, kind))
            if one is not None and len(one.sizes()):
                found.setdefault(component, one)
    return found


def compare_session(
    session: Session,
    settings: StructureSettings,
    *,
    networks: Sequence[Network] | None = None,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> SessionStructure:
    """Compare the components and communities of a session with networks.

    Parameters
    ----------
    session : Session
    settings : StructureSettings
    networks : sequence of Network, optional
        By default those that the settings name.
    seed : int
    progress, cancel : callable, optional

    Raises
    ------
    InputError
        A session without components; see also `comparison.structure.compare_structure`.
    """
    from ..comparison.functional import functional_matrices
    from ..comparison.sources import read_networks
    from ..comparison.structure import compare_structure
    from ..io.formats.side_tables import read_positions

    if session.components is None:
        raise InputError("this session has no components", where="session", fix="Run the analysis first.")
    held = list(networks) if networks is not None else read_networks(settings)
    comparison = compare_structure(
        functional_matrices(session.components),
        held,
        settings,
        communities=shown_communities(session),
        cohort=session.cohort,
        positions=read_positions(settings.positions) if settings.positions else None,
        seed=seed,
        progress=progress,
        cancel=cancel,
    )
    made = record_of(settings, seed, _inputs(session, held), step="structure")
    return SessionStructure(replace(comparison, provenance=made), tuple(held))


def _inputs(session: Session, networks: Sequence[Network]) -> list[dict[str, Any]]:
    """What the components of a session were made from (its worms, where they do not say it), and the networks beside them."""
    said = None if session.components is None else session.components.provenance.get("inputs")
    found = [dict(one) for one in said or map(fingerprint_of, session.recordings.values())]
    for one in networks:
        weight = np.nan_to_num(one.weight.values)
        edges = np.argwhere(weight)
        names = [str(n) for n in one.weight[one.weight.dims[0]].values]
        found.append({"network": one.name} | graph_of(names, edges, weight[edges[:, 0], edges[:, 1]]))
    return found


def suggest_for_session(
    session: Session,
    *,
    networks: Sequence[Network] = (),
    access: pd.DataFrame | None = None,
    settings: NextTestSettings | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> NextTests:
    """Rank what to test next for the communities of a session; see `comparison.next_tests.suggest_tests`."""
    from ..comparison.next_tests import NextTestSettings, suggest_tests

    if session.components is None:
        raise InputError("this session has no components", where="session", fix="Run the analysis first.")
    chosen = settings or NextTestSettings()
    found = suggest_tests(
        session.components,
        shown_communities(session),
        networks=networks,
        access=access,
        settings=chosen,
        progress=progress,
        cancel=cancel,
    )
    return replace(found, provenance=record_of(chosen, 0, _inputs(session, networks), step="next tests"))
