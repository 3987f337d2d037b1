"""Switching states as one step: fit, held-out scores, agreement with behaviour and components, communities of every state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..communities.find import find_communities
from ..communities.settings import CommunitySettings
from ..model.cohort import Cohort
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, part, report
from ..model.results import Components
from ..model.state_results import StatesResult
from .states_settings import StatesStepSettings


def find_states(
    cohort: Cohort,
    settings: StatesStepSettings | dict[str, Any] | None = None,
    *,
    components: Components | None = None,
    communities: CommunitySettings | None = None,
    structure: Any = None,
    seed: int = 0,
    command: str = "",
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> StatesResult:
    """Fit switching states and judge them.

    Parameters
    ----------
    cohort : Cohort
    settings : StatesStepSettings or dict, optional
    components : Components, optional
        The states are compared with their time courses.
    communities : CommunitySettings, optional
        How the communities of the states' networks are found.
    structure : optional
        Connectome of the prior, as in `fit_states`; by default the file that the settings name.
    seed : int
    command : str
        What was called, for the provenance; the command line of this program by default.
    progress, cancel : callable, optional

    Returns
    -------
    StatesResult
        With `held_out`, `agreement` and `communities`.

    Raises
    ------
    InputError
        See `fit_states` and `compare_held_out`.
    """
    from ..comparison.sources import read_edges
    from ..states.fit import fit_states
    from ..states.held_out import compare_held_out

    chosen = StatesStepSettings.parse(settings, where="states settings")
    if structure is None and chosen.connectome:
        structure = read_edges(chosen.connectome, weight=chosen.weight, rows=chosen.rows)
    first, last = (0.0 if chosen.held_out == "no" else 0.6), 0.9
    common: dict[str, Any] = {"structure": structure, "seed": seed, "cancel": cancel}
    held = None
    if chosen.held_out != "no":  # first: what cannot be held out is said before the long fit
        held = compare_held_out(
            cohort,
            chosen.model,
            hold=chosen.held_out,
            folds=chosen.folds,
            block_s=chosen.block_s,
            starts=chosen.held_out_starts,
            progress=part(progress, 0.0, first),
            **common,
        )
    found = fit_states(cohort, chosen.model, progress=part(progress, first, last), **common)
    found = replace(found, held_out=held)
    # the networks of states are graphs of their own: they are compared with their own shuffled weights
    plain = (communities or CommunitySettings()).model_copy(update={"null": "weights"})
    found = with_agreement(
        found, cohort, components, seed=seed, progress=part(progress, last, last + 0.03), cancel=cancel
    )
    groups = {}
    for number, state in enumerate(int(s) for s in found.posterior["state"].values):
        check_cancel(cancel)
        share = last + 0.03 + (0.97 - last) * number / found.n_states
        report(progress, share, f"communities of state {state}")
        groups[state] = find_communities(
            found.network(state),
            plain,
            seed=seed,
            progress=part(progress, share, share + (0.97 - last) / found.n_states),
            cancel=cancel,
        )
    report(progress, 1.0, found.verdict())
    provenance = dict(found.provenance) | {"settings": chosen.model_dump(mode="json")}
    if command:
        provenance["command"] = command
    return replace(found, communities=groups, provenance=provenance)


def with_agreement(
    states: StatesResult,
    cohort: Cohort,
    components: Components | None,
    *,
    seed: int = 0,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> StatesResult:
    """Compare states with behaviour and components (again), leaving all else as it is."""
    from ..states.agreement import state_agreement

    report(progress, 0.0, "states beside behaviour and components")
    table = state_agreement(states, cohort, components, seed=seed, cancel=cancel)
    return replace(states, agreement=table)
