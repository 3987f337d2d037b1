"""Output folder of a run: session, tables, figures, picture of the viewer, report, and the summary on the screen."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.errors import InputError
from ..model.progress import part
from ..model.text import clean_text
from .progress import progress_bar
from .told import tell
from .window import window_command

if TYPE_CHECKING:
    import pandas as pd

    from ..comparison.next_tests import NextTests
    from ..comparison.settings import StructureSettings
    from ..io.ownership import OurFiles
    from ..model.network import Network
    from ..pipeline.settings import PipelineSettings
    from ..pipeline.structure import SessionStructure
    from ..session.session import Session


OLDER = "not_up_to_date.txt"


def run_and_write(
    settings: PipelineSettings,
    output: Path,
    *,
    screenshot: bool = True,
    resume: bool = True,
    replace: bool = False,
    take_over: bool = False,
    client: Any = None,
) -> Session:
    """Run the pipeline and write session, tables, figures, screenshot and report into `output`."""
    from ..comparison.sources import read_networks
    from ..io.files import atomic_file
    from ..io.ownership import OurFiles, claim_folder
    from ..pipeline.run import finished_run
    from ..pipeline.toml import to_toml

    claim_folder(output, make=False)
    OurFiles(output).path("report.html")  # what cannot be written is said before the work
    # and so is what cannot be read of that which the results are compared with
    networks = read_networks(settings.comparison) if settings.comparison.wanted else []
    with ExitStack() as held:  # another run waits its turn until everything is written
        with progress_bar("run") as progress:
            how: dict[str, Any] = {"resume": resume, "replace": replace, "take_over": take_over, "client": client}
            session = held.enter_context(finished_run(settings, output, progress=progress, **how))
        for line in session.provenance.get("not carried over", ()):
            tell(f"not carried over: {line}")
        for line in session.provenance.get("done again", ()):
            tell(f"done again: {line}")
        mine = OurFiles(output)
        # a settings file that the user edited there, or ran from there, stays as it is
        name = "settings.toml" if mine.is_ours("settings.toml") else "settings-used.toml"
        with atomic_file(mine.path(name)) as temporary:
            temporary.write_text(to_toml(settings.relative(output)), encoding="utf-8")
        mine.finish(stale=False)
        write_outputs(
            session,
            output,
            screenshot=screenshot,
            title=settings.title,
            comparison=settings.comparison,
            networks=networks,
            seed=settings.seed,
        )
        mark_older(session, output)
    return session


def mark_older(session: Session, output: Path) -> None:
    """List files that are older than the results in `not_up_to_date.txt` and on standard error; no list where there are none."""
    from ..io.files import atomic_file
    from ..io.ownership import OurFiles
    from ..pipeline.earlier import older_files

    mine, found = OurFiles(output), older_files(output, session)
    if not found:
        mine.remove(OLDER)
    elif mine.is_ours(OLDER):
        lines = "".join(f"{name}\n" for name in found)
        with atomic_file(mine.path(OLDER)) as temporary:
            temporary.write_text(f"Older than the results in this folder, and not written again:\n{lines}", "utf-8")
    mine.finish(stale=False)
    for name in found:
        tell(f"older than the results: {name}")


def write_outputs(
    session: Session,
    output: Path,
    *,
    screenshot: bool,
    title: str,
    comparison: StructureSettings | None = None,
    networks: Sequence[Network] | None = None,
    seed: int = 0,
) -> None:
    """Write tables, figures, the screenshot of the viewer and the report of a session that lies in `output`."""
    from ..io.files import safe_file_name
    from ..io.ownership import OurFiles, our_files
    from ..pipeline.run import SESSION_NAME, scores
    from ..pipeline.structure import compare_session, shown_communities, suggest_for_session
    from ..report.html import write_figures, write_report
    from ..report.named_suggestions import name_connections, name_suggestions
    from ..report.tables import write_tables

    with progress_bar("write") as progress:
        progress(0.0, "scores")
        tables = scores(session)
        structure = None
        if comparison is not None and comparison.wanted and session.components is not None:
            step = part(progress, 0.1, 0.3)
            structure = compare_session(session, comparison, networks=networks, seed=seed, progress=step)
            structure = name_connections(structure, session)
        following = None
        if session.components is not None and shown_communities(session):
            following = suggest_for_session(session, networks=structure.networks if structure is not None else ())
            following = name_suggestions(following, session)
        progress(0.3, "tables")
        named = {f"score_{safe_file_name(k.split(' (')[0].lower()).replace('.', '')}": v for k, v in tables.items()}
        named |= second_opinions(structure, following)
        write_tables(session, output / "tables", named)
        progress(0.5, "figures")
        figures = write_figures(session, output / "figures", structure=structure)
        drawn = {path.stem: path for path in figures if path.suffix == ".png"}
        pictures: dict[str, Path] = {}
        with our_files(output / "screenshots", owner=session.uid, part="screenshots") as shots:
            if screenshot:
                progress(0.7, "screenshot")
                picture = shots.path("viewer.png")
                if take_screenshot(output / SESSION_NAME, picture):
                    pictures["The session in napari: neurons coloured by community."] = picture
        progress(0.9, "report")
        mine = OurFiles(output)
        report = mine.path("report.html")
        write_report(
            session,
            report,
            title=title,
            pictures=pictures,
            scores=tables,
            drawn=drawn,
            structure=structure,
            next_tests=following,
        )
        mine.finish(stale=False)


PROVENANCE = "provenance.json"


def write_provenance(mine: OurFiles, made: Mapping[str, Any], name: str = PROVENANCE) -> None:
    """Write how tables were made beside them.

    Parameters
    ----------
    mine : OurFiles
    made : mapping
    name : str
        Of the file.
    """
    import json

    from ..io.files import atomic_file

    with atomic_file(mine.path(name)) as temporary:
        text = json.dumps(dict(made), indent=1, default=str, ensure_ascii=False)
        temporary.write_text(clean_text(text), encoding="utf-8")


def second_opinions(structure: SessionStructure | None, following: NextTests | None) -> dict[str, pd.DataFrame]:
    """Tables of structure against function and of what to test next, by file name."""
    found: dict[str, pd.DataFrame] = {}
    if structure is not None:
        compared = structure.comparison
        found |= {
            "structure_tests": compared.tests,
            "structure_communities": compared.enrichment,
            "structure_side_by_side": compared.regression,
            "structure_ceiling": compared.ceiling,
        }
    if following is not None:
        found |= {"what_to_test_neurons": following.neurons, "what_to_test_pairs": following.pairs}
    return found


def take_screenshot(session: Path, picture: Path, *, size: str = "1600x1000") -> bool:
    """Draw the napari window of a session into a PNG, on a virtual screen where there is none; False if that failed."""
    width, height = (int(n) for n in size.split("x"))
    if find_spec("napari") is None or find_spec("qtpy") is None:
        tell("the picture of the viewer is left out: napari is not installed")
        return False
    try:
        command = window_command("screenshot", [str(session), str(picture), "--size", size], width=width, height=height)
    except InputError as error:
        tell(f"the picture of the viewer is left out: {error}")
        return False
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", timeout=300, check=False
        )
    except subprocess.TimeoutExpired:
        tell("the picture of the viewer took longer than 300 s and is left out")
        return False
    if done.returncode != 0 or not picture.is_file():
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        tell(f"the picture of the viewer is left out: {reason}")
        return False
    return True


def print_summary(session: Session, output: Path) -> None:
    """Say in a few lines what was found and where it lies."""
    components, sweep = session.components, session.sweep
    for line in session.cohort.notes if session.cohort is not None else ():
        print(line)
    print_older(session)
    if components is None and sweep is not None and sweep.nothing:
        print(str(sweep.reason))
    if components is not None:
        print(
            f"{components.rank} components ({components.model}), relative error {components.error:.3f} over observed entries"
        )
        for component in range(1, components.rank + 1):
            print(f"  {component_line(session, component)}")
    print(f"report: {output / 'report.html'}\nsession: {output / 'session.zarr'}")


def print_older(session: Session) -> None:
    """Say on standard error what is older than what; nothing where all is up to date."""
    from ..session.freshness import freshness

    for line in freshness(session).lines:
        tell(f"not up to date: {line}")


def component_line(session: Session, component: int) -> str:
    """One component in a line: background or leading neurons, p value, what acts together, what to beware of."""
    from ..model.evidence import background_words
    from ..report.component_figures import strongest_neurons

    components = session.components
    assert components is not None
    support = components.support
    if support is not None and bool(support.loc[component, "background"]):
        return f"component {component}: background ({background_words(support.loc[component])})"
    names = ", ".join(strongest_neurons(components, component, 6))
    shown = session.communities.get((component, "core")) or session.communities.get((component, "modules"))
    said = "" if shown is None else f"; {shown.answer or f'{len(shown.sizes())} communities'}"
    if support is None or support["p_value"].isna()[component]:
        return f"component {component}: {names}{said}"
    clock = f", {components.clock(component)} clock" if components.model == "mixed" else ""
    warning = components.beware(component)
    beware = f" Beware: {warning}." if warning else ""
    return f"component {component} (p = {support.loc[component, 'p_value']:.2g}{clock}): {names}{said}{beware}"
