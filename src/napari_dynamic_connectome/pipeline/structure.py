"""A session beside the networks that the settings name, and what to test next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from ..model.errors import InputError
from ..model.network import Network
from ..model.progress import CancelCallback, ProgressCallback
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
    return SessionStructure(comparison, tuple(held))


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
    from ..comparison.next_tests import suggest_tests

    if session.components is None:
        raise InputError("this session has no components", where="session", fix="Run the analysis first.")
    return suggest_tests(
        session.components,
        shown_communities(session),
        networks=networks,
        access=access,
        settings=settings,
        progress=progress,
        cancel=cancel,
    )
