"""HTML report of a session in one file: figures as inline PNG, tables, settings, versions; no network, no scripts.

Every text that comes from a file or a person (names, notes, paths) is escaped.
"""

from __future__ import annotations

import base64
import html
import io
import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..display.palette import UNASSIGNED, Style, hue_numbers, styles
from ..io.files import atomic_file, output_folder
from ..io.ownership import our_file, our_files
from ..model.cohort import Cohort
from ..model.progress import CancelCallback, ProgressCallback, check_cancel, report
from ..model.recording import Recording
from ..model.results import Components
from ..model.state_results import StatesResult
from ..model.text import clean_text, counted
from ..session.freshness import at_analysis, freshness
from ..session.session import Session
from .baseline_figures import plot_baselines
from .community_figures import plot_matrix, plot_traces
from .component_figures import plot_components, plot_sweep, strongest_neurons, strongest_pairs
from .evidence import support_table, sweep_evidence, tested_against
from .figure_style import ask_while_drawing, save_figure
from .groups_section import groups_html
from .opinions_section import opinions_html
from .state_figures import plot_state_means, plot_states
from .state_tables import state_groups
from .structure_section import next_tests_html, split_figures, structure_html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..comparison.next_tests import NextTests
    from ..pipeline.structure import SessionStructure

CSS = """
:root { color-scheme: light; }
body { font: 14px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; color: #26272b; background: #fff;
       margin: 0 auto; max-width: 1080px; padding: 24px 20px 60px; }
h1 { font-size: 24px; margin: 0 0 2px; } h2 { font-size: 18px; margin: 36px 0 8px; border-bottom: 1px solid #d7d8dc; }
h3 { font-size: 15px; margin: 22px 0 6px; } p.lead { color: #5c6068; margin: 0 0 18px; }
p.older { background: #fff4d6; border: 1px solid #e0b64a; border-radius: 4px; padding: 8px 12px; }
img { max-width: 100%; height: auto; } figure { margin: 10px 0; } figcaption { color: #5c6068; font-size: 12.5px; }
table { border-collapse: collapse; font-size: 12.5px; margin: 6px 0 14px; } td, th { padding: 3px 10px 3px 0; text-align: left;
vertical-align: top; border-bottom: 1px solid #ececf0; } th { color: #5c6068; font-weight: 600; } td.n { text-align: right;
font-variant-numeric: tabular-nums; } .facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 8px; }
.fact { border: 1px solid #d7d8dc; border-radius: 4px; padding: 8px 10px; } .fact b { display: block; font-size: 18px; }
.fact span { color: #5c6068; font-size: 12px; } details { margin: 8px 0; } pre { background: #f5f5f7; padding: 10px; overflow: auto;
font-size: 12px; } .swatch { display: inline-block; width: 11px; height: 11px; border-radius: 3px; margin-right: 6px;
border: 1px solid #0003; vertical-align: -1px; } nav a { margin-right: 14px; color: #2f56c8; }
"""


AT_THE_TIME = "Results are shown by the names at the time of the analysis."
DPI = 130
"""Of figures in the report, and of those written as PNG."""


def figure_png(figure: Figure, dpi: int = DPI, *, cancel: CancelCallback | None = None) -> bytes:
    """Draw a figure into PNG bytes."""
    ask_while_drawing(figure, cancel)
    stream = io.BytesIO()
    save_figure(figure, stream, "png", dpi=dpi)
    return stream.getvalue()


def _png(name: str, draw: Callable[[], Figure], drawn: Mapping[str, Path], cancel: CancelCallback | None) -> bytes:
    """PNG of a figure: the file that `write_figures` made of it, if there is one."""
    path = drawn.get(name)
    return path.read_bytes() if path is not None and path.is_file() else figure_png(draw(), cancel=cancel)


def figure_image(png: bytes, caption: str, alt: str) -> str:
    """Return a figure with the picture inside the text."""
    data = base64.b64encode(png).decode("ascii")
    text = html.escape(caption)
    return f'<figure><img alt="{html.escape(alt)}" src="data:image/png;base64,{data}"><figcaption>{text}</figcaption></figure>'


def _picture(
    name: str, draw: Callable[[], Figure], caption: str, *, drawn: Mapping[str, Path], cancel: CancelCallback | None
) -> str:
    """A figure in the text; see `_png`."""
    return figure_image(_png(name, draw, drawn, cancel), caption, name.replace("_", " "))


def _cell(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return f"<td>{'yes' if value else 'no'}</td>"
    if isinstance(value, (int, np.integer)):
        return f'<td class="n">{int(value):,}</td>'
    if isinstance(value, (float, np.floating)):
        return '<td class="n">–</td>' if not np.isfinite(value) else f'<td class="n">{value:.3g}</td>'
    return f"<td>{html.escape(str(value))}</td>"


def html_table(table: pd.DataFrame, *, limit: int = 60, swatches: Mapping[int, Style] | None = None) -> str:
    """Return a DataFrame as an escaped HTML table; `swatches` colours its column `community`."""
    head = "".join(f"<th>{html.escape(str(c).replace('_', ' '))}</th>" for c in table.columns)
    rows = []
    for record in table.head(limit).itertuples(index=False, name=None):
        cells = []
        for column, value in zip(table.columns, record, strict=True):
            if column == "community" and swatches is not None:
                style = swatches.get(int(value))
                color, label = (style.color, style.label) if style is not None else (UNASSIGNED[False], str(value))
                cells.append(f'<td><span class="swatch" style="background:{color}"></span>{html.escape(label)}</td>')
            else:
                cells.append(_cell(value))
        rows.append(f"<tr>{''.join(cells)}</tr>")
    more = f"<p>{len(table) - limit} more rows are in the CSV table.</p>" if len(table) > limit else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>{more}"


def _facts(pairs: Sequence[tuple[str, str]]) -> str:
    boxes = "".join(f'<div class="fact"><b>{html.escape(v)}</b><span>{html.escape(k)}</span></div>' for k, v in pairs)
    return f'<div class="facts">{boxes}</div>'


def build_report(
    session: Session,
    *,
    title: str = "Dynamic functional connectome",
    pictures: Mapping[str, Path] | None = None,
    scores: Mapping[str, pd.DataFrame] | None = None,
    drawn: Mapping[str, Path] | None = None,
    structure: SessionStructure | None = None,
    next_tests: NextTests | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> str:
    """Return the report as one HTML string.

    Parameters
    ----------
    session : Session
    title : str
    pictures : dict, optional
        Caption -> PNG file (screenshots of the viewer), shown first.
    scores : dict, optional
        Heading -> table (recovery against the truth, left/right control, behaviour).
    drawn : dict, optional
        Name of a figure -> its PNG file, of those that `write_figures` has drawn of this session: they are not drawn again.
    structure : SessionStructure, optional
        Adds structure against function.
    next_tests : NextTests, optional
        Adds what to test next.
    progress, cancel : callable, optional
    """
    parts: list[str] = [f"<h1>{html.escape(title)}</h1>"]
    drawn = drawn or {}
    components = session.components
    older = freshness(session).text
    if older:
        parts.append(f'<p class="older"><b>Not up to date.</b> {html.escape(older)} {AT_THE_TIME}</p>')
    parts += _lead(session)
    for caption, path in (pictures or {}).items():
        if Path(path).is_file():
            parts.append(figure_image(Path(path).read_bytes(), caption, caption))
    parts.append("<h2>Recordings</h2>" + html_table(recording_summary(session)))
    check_cancel(cancel)
    if session.sweep is not None:
        parts.append("<h2>Number of components</h2>")
        sweep = session.sweep
        draw_sweep = partial(plot_sweep, sweep.table, sweep.suggested, chance=sweep.chance)
        curves = figure_image(_png("rank_sweep", draw_sweep, drawn, cancel), str(sweep.reason), "rank sweep")
        parts.append(sweep_evidence(sweep, curves, html_table))
    check_cancel(cancel)
    if components is not None:
        parts += _components_head(components, session.cohort, drawn, cancel)
        for component in range(1, components.rank + 1):
            report(progress, component / (components.rank + 1), f"component {component}")
            parts.append(_component_section(session, component, drawn, cancel))
    if session.states is not None:
        parts.append(_states_section(session, session.states, drawn, cancel))
    parts.append(groups_html(session, table=html_table, cancel=cancel))
    parts.append(opinions_html(session, picture=partial(_picture, drawn=drawn, cancel=cancel), table=html_table))
    parts += [_scores(heading, table) for heading, table in (scores or {}).items()]
    if structure is not None:
        draw = partial(figure_png, dpi=110, cancel=cancel)
        parts.append(structure_html(session, structure, picture=draw, table=html_table, cancel=cancel))
    if next_tests is not None:
        parts.append(next_tests_html(next_tests, table=html_table))
    check_cancel(cancel)
    if session.recording is not None:
        parts.append(_traces(session, session.recording, drawn, cancel))
    parts.append(provenance_html(session.provenance))
    return page(title, "\n".join(parts))


def provenance_html(made: Mapping[str, Any]) -> str:
    """Return a section that says how results were made.

    Parameters
    ----------
    made : mapping
    """
    record = html.escape(json.dumps(dict(made), indent=1, default=str, ensure_ascii=False))
    return f"<h2>Provenance</h2><details><summary>Versions, settings, seeds</summary><pre>{record}</pre></details>"


def _lead(session: Session) -> list[str]:
    """Worms and neurons in a sentence, and the facts of the components."""
    parts = []
    components, cohort = session.components, session.cohort
    if cohort is not None:
        lead = (
            f"{counted(len(cohort.worms), 'worm')}, {counted(len(cohort.neurons), 'neuron')} seen in "
            f"{counted(cohort.least_worms, 'worm')} or more"
        )
        parts.append(f'<p class="lead">{html.escape(" ".join([lead, *cohort.notes]))}</p>')
    if components is not None:
        facts = [
            ("worms", str(components.worm.sizes["worm"])),
            ("neurons", str(len(components.neurons))),
            ("pairs observed", f"{int((components.pair_worms.values > 0).sum()):,}"),
            ("model", components.model),
            ("components (rank)", f"{components.rank}"),
            ("relative error, observed entries", f"{components.error:.3f}"),
        ]
        parts.append(_facts(facts))
    return parts


def _components_head(
    components: Components, cohort: Cohort | None, drawn: Mapping[str, Path], cancel: CancelCallback | None
) -> list[str]:
    """Figure of all components, and what supports them."""
    why = str(components.diagnostics.get("model_reason", ""))
    caption = "Time courses (shaded: stimuli, or the binary behaviour channel), worm loadings, strongest neurons. " + (
        why[:1].upper() + why[1:] if why else ""
    )
    picture = _png("components", partial(plot_components, components, cohort), drawn, cancel)
    parts = ["<h2>Components</h2>", figure_image(picture, caption, "components")]
    if components.support is not None:
        parts.append(html_table(support_table(components)) + f"<p>{html.escape(tested_against(components))}</p>")
    return parts


def _scores(heading: str, table: pd.DataFrame) -> str:
    """One table of scores; over all worms, where it has that."""
    note = ""
    if "worm" in table and (table["worm"] == "all").any():
        table = table[table["worm"] == "all"]
        note = "<p>Over all worms; each worm by itself is in the CSV table.</p>"
    return f"<h2>{html.escape(heading)}</h2>" + html_table(table) + note


def _traces(session: Session, recording: Recording, drawn: Mapping[str, Path], cancel: CancelCallback | None) -> str:
    """Traces of the current worm."""
    shown = session.communities.get((1, "core")) or session.communities.get((1, "modules"))
    numbers = hue_numbers(session.communities, shown)
    then = at_analysis(session, recording)
    picture = _png("traces", partial(plot_traces, recording, shown, numbers=numbers, then=then), drawn, cancel)
    return "<h2>Traces</h2>" + figure_image(picture, "Traces of the current worm.", "traces")


def page(title: str, body: str) -> str:
    """Return one self-contained HTML document: no scripts, nothing from the network."""
    return clean_text(
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">"
        f"<title>{html.escape(title)}</title><style>{CSS}</style></head><body>{body}</body></html>\n"
    )


def recording_summary(session: Session) -> pd.DataFrame:
    """One row a worm: neurons, named, duration, rate, stimuli, behaviour."""
    rows = []
    for name, recording in session.recordings.items():
        rows.append(
            {
                "worm": name,
                "neurons": recording.n_neurons,
                "named": len(recording.named),
                "duration (s)": float(recording.time_s[-1] - recording.time_s[0]),
                "rate (Hz)": recording.rate_hz if recording.n_times > 1 else float("nan"),
                "stimuli": ", ".join(dict.fromkeys(recording.stimuli["name"])) or "none",
                "behaviour": ", ".join(str(c) for c in recording.behaviour.data_vars) or "none",
            }
        )
    return pd.DataFrame(rows)


def _component_section(
    session: Session, component: int, drawn: Mapping[str, Path], cancel: CancelCallback | None = None
) -> str:
    components = session.components
    assert components is not None
    names = ", ".join(strongest_neurons(components, component, 5))
    parts = [f"<h3>Component {component}: {html.escape(names)}</h3>"]
    for kind in ("core", "modules"):
        communities = session.communities.get((component, kind))  # type: ignore[call-overload]
        check_cancel(cancel)
        if communities is None:
            continue
        table = communities.table()
        table["members"] = [
            " ".join(str(m).split()[:24]) + (" …" if n > 24 else "")
            for m, n in zip(table["members"], table["size"], strict=True)
        ]
        numbers = hue_numbers(session.communities, communities)
        shown = styles(communities, communities.chosen_level, dark=False, numbers=numbers)
        what = "structure beyond strength" if kind == "modules" else "who takes part, and how strongly"
        rule = communities.with_unasked(communities.rule, components)
        parts.append(f"<p><b>{kind}</b> ({what}); {html.escape(rule)}</p>")
        if len(table):
            draw = partial(plot_matrix, components, component, communities, numbers=numbers)
            png = _png(f"matrix_component{component}_{kind}", draw, drawn, cancel)
            parts.append(figure_image(png, "", f"matrix of component {component}"))
        parts.append(html_table(table, swatches=shown))
    pairs = html_table(strongest_pairs(components, component))
    parts.append(f"<details><summary>Strongest pairs</summary>{pairs}</details>")
    return "".join(parts)


def states_cohort(session: Session, states: StatesResult) -> Cohort | None:
    """Return the worms that states are shown with: those of the analysis, else those that are open; None if one is missing."""
    cohort = session.cohort
    if cohort is not None and set(states.worms) <= set(cohort.worms):
        return cohort
    if set(states.worms) <= set(session.recordings):
        return Cohort([session.recordings[worm] for worm in states.worms])
    return None


def _states_section(
    session: Session, states: StatesResult, drawn: Mapping[str, Path], cancel: CancelCallback | None = None
) -> str:
    parts = [f"<h2>Switching states</h2><p>{html.escape(states.verdict())}</p>"]
    parts += [f"<p>{html.escape(note)}</p>" for note in states.notes]
    cohort, known = states_cohort(session, states), drawn if states is session.states else {}
    for name, plot, caption, alt in (
        ("states", plot_states, "States of every worm, some over their traces; dwell times, transitions.", "states"),
        ("state_means", plot_state_means, "Mean activity of every neuron in every state.", "means of the states"),
    ):
        parts.append(figure_image(_png(name, partial(plot, states, cohort), known, cancel), caption, alt))
    parts.append(html_table(states.table()))
    groups = state_groups(states)
    if len(groups):
        parts.append("<h3>Communities of the states' networks</h3>" + html_table(groups))
    if states.held_out is not None:
        parts.append("<h3>Held-out frames (nats a value)</h3>" + html_table(states.held_out))
    if states.agreement is not None and len(states.agreement):
        shown = states.agreement
        if (shown["worm"] == "all").any():
            shown = shown[shown["worm"] == "all"]
        parts.append("<h3>States beside behaviour and components</h3>" + html_table(shown.sort_values("p_value")))
    return "".join(parts)


def write_report(session: Session, path: str | Path, *, overwrite: bool = False, **options: Any) -> Path:
    """Write `build_report` (which the options go to) atomically to `path` (an .html file).

    With `overwrite`, a file that this program did not write, or that was changed since, may be replaced; it is refused otherwise.
    """
    path = Path(path)
    text = build_report(session, **options)
    with our_file(path, overwrite=overwrite) as place, atomic_file(place) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def write_figures(
    session: Session,
    folder: str | Path,
    formats: Sequence[str] = ("png", "svg"),
    *,
    structure: SessionStructure | None = None,
    progress: ProgressCallback | None = None,
    cancel: CancelCallback | None = None,
) -> list[Path]:
    """Write every figure of a session into `folder` in each of `formats` and return the paths.

    Figures that were written before a cancel stay; each is complete.
    """
    folder = output_folder(folder, make=False)
    figures: dict[str, Callable[[], Figure]] = {}
    sweep, components, recording = session.sweep, session.components, session.recording
    if sweep is not None:
        figures["rank_sweep"] = partial(plot_sweep, sweep.table, sweep.suggested, chance=sweep.chance)
    if components is not None:
        figures["components"] = partial(plot_components, components, session.cohort)
        for (component, kind), communities in sorted(session.communities.items()):
            numbers = hue_numbers(session.communities, communities)
            figures[f"matrix_component{component}_{kind}"] = partial(
                plot_matrix, components, component, communities, numbers=numbers
            )
    if recording is not None:
        shown = session.communities.get((1, "core")) or session.communities.get((1, "modules"))
        numbers = hue_numbers(session.communities, shown)
        figures["traces"] = partial(
            plot_traces, recording, shown, numbers=numbers, then=at_analysis(session, recording)
        )
    if session.states is not None:
        worms = states_cohort(session, session.states)
        figures["states"] = partial(plot_states, session.states, worms)
        figures["state_means"] = partial(plot_state_means, session.states, worms)
    if session.baselines is not None:
        figures["baselines"] = partial(plot_baselines, session.baselines)
    if structure is not None:
        figures |= split_figures(session, structure)
    paths = []
    with our_files(folder, owner=session.uid, part="figures") as mine:
        for number, (name, draw) in enumerate(figures.items()):
            check_cancel(cancel)
            report(progress, number / len(figures), name.replace("_", " "))
            targets = [mine.path(f"{name}.{suffix}") for suffix in formats]
            figure = draw()
            ask_while_drawing(figure, cancel)
            for suffix, path in zip(formats, targets, strict=True):
                check_cancel(cancel)
                with atomic_file(path) as temporary:
                    save_figure(figure, temporary, suffix, dpi=DPI)
                figure.set_layout_engine("none")  # laid out once; every format shows the same
                paths.append(path)
    return paths
