"""The command `baselines`: static methods and signed loadings beside the result of a session, kept in it, with tables and report."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..numbers import seed_of
from ..progress import progress_bar
from ..sessions import kept_in_session, report_of

if TYPE_CHECKING:
    from ...model.cohort import Cohort
    from ...pipeline.settings import PipelineSettings
    from ...session.session import Session

ORDER = 140


def add(commands: Any) -> None:
    """Add the command to the parser."""
    baselines = commands.add_parser("baselines", help="group the neurons of a session by static methods and compare")
    baselines.add_argument("session", help="session.zarr, or the output folder of a run")
    baselines.add_argument("-o", "--output", help="folder (default: the folder that holds the session)")
    baselines.add_argument(
        "--signed",
        action="store_true",
        help="fit signed loadings of the session's number of components, too, and say what non-negative ones lose",
    )
    baselines.add_argument("--seed", type=seed_of, default=0)
    baselines.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="FIELD=VALUE",
        help="a setting of the baselines, e.g. groups=5; repeatable (default: the table [baselines] of the session's run)",
    )
    baselines.add_argument("--json", action="store_true", help="print the agreement as JSON")
    baselines.set_defaults(action=execute, beside_session=True)


def settings_for(options: argparse.Namespace, session: Session) -> PipelineSettings:
    """Settings of the session's run, and what the command line says instead."""
    from ...pipeline.baselines_settings import BaselinesStepSettings
    from ...pipeline.settings import PipelineSettings
    from ...pipeline.toml import parse_overrides

    held = {k: v for k, v in session.settings.items() if k in ("affinity", "confounds", "factorization", "baselines")}
    known = PipelineSettings.parse(held, where="the session's settings")
    chosen = known.baselines.model_dump() | parse_overrides(options.set)
    return known.model_copy(
        update={
            "seed": options.seed,
            "baselines": BaselinesStepSettings.parse(chosen, where="baseline settings"),
        }
    )


def execute(options: argparse.Namespace) -> None:
    """Run the command."""
    from ...pipeline.opinions import find_baselines

    with kept_in_session(options.session, options.output, take_over=options.take_over) as (session, cohort):
        settings = settings_for(options, session)
        with progress_bar("baselines") as progress:
            panel = find_baselines(
                cohort,
                settings.baselines,
                components=session.components,
                communities=session.communities,
                seed=options.seed,
                progress=progress,
            )
        session.set_baselines(panel, cohort)
        if options.signed:
            _fit_signed(session, cohort, settings)
        output = report_of(session, options.output)
    agreement = panel.agreement("ari")
    if options.json:
        print(agreement.to_json(indent=1, force_ascii=False))
        return
    print(agreement.round(2).to_string())
    for note in panel.notes:
        print(note)
    print(panel.verdict())
    if options.signed and session.signed is not None:
        print(session.signed.line)
    print(f"report: {output}")


def _fit_signed(session: Session, cohort: Cohort, settings: PipelineSettings) -> None:
    from ...model.errors import InputError
    from ...pipeline.opinions import find_signed

    if session.components is None or not session.components.rank:
        raise InputError(
            "there are no components, so it is not known how many signed loadings to fit",
            where=str(session.path),
            fix="Run the pipeline first, or leave --signed out.",
        )
    with progress_bar("signed loadings") as progress:
        session.set_signed(find_signed(cohort, session.components.rank, settings, progress=progress), cohort)
