"""Style shared by all figures: small sans text, thin neutral lines, hue only for communities.

Figures are made with matplotlib's object interface (no pyplot), so that they can be drawn in a worker thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..model.progress import CancelCallback, check_cancel
from ..model.text import clean_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK = "#26272b"
MUTED = "#7b7f87"
HAIRLINE = "#d7d8dc"
SHADE = "#e9eaee"
ACCENT = "#2f56c8"

LEAST_PT, MOST_PT = 5.0, 7.0
"""Size of names beside rows, in points: what would be smaller is left out, as journals ask."""

RC: dict[str, Any] = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "text.color": INK,
    "lines.linewidth": 1.0,
    "legend.frameon": False,
    "legend.fontsize": 7,
    "figure.facecolor": "white",
    # names are shown as they are: nothing in them is a formula
    "text.parse_math": False,
    "text.usetex": False,
    "axes.formatter.use_mathtext": False,
    "savefig.dpi": 160,
    "svg.fonttype": "none",
    "svg.hashsalt": "napari-dynamic-connectome",
}


@contextmanager
def styled() -> Iterator[None]:
    """Use the shared look inside the block."""
    import matplotlib

    with matplotlib.rc_context(RC):
        yield


def new_figure(width: float, height: float, **options: Any) -> Figure:
    """Return an empty figure (inches) that draws without a screen."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", **options)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, target: Any, kind: str, **options: Any) -> None:
    """Draw a figure into a file or stream; the same figure gives the same bytes.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    target : path or binary stream
    kind : str
        "png", "svg", or what else matplotlib writes.
    **options
        For `Figure.savefig` (dpi).
    """
    from matplotlib.text import Text

    about = {"svg": {"Date": None}, "png": {"Software": None}}.get(kind)
    with styled():
        for text in figure.findobj(Text):
            said = text.get_text()
            if (clean := clean_text(said)) != said:  # no XML otherwise
                text.set_text(clean)
        figure.savefig(target, format=kind, metadata=about, **options)


def grey_ramp(values: np.ndarray) -> Any:
    """Colormap from white to near-black: heatmaps stay neutral."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("well", ["#f7f6f5", "#9a9ca3", "#17181c"])


def ramp_to(color: Any) -> Any:
    """Colormap from the neutral well to a community's colour."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("community", ["#f7f6f5", color])


def shade_stimuli(axes: Axes, stimuli: pd.DataFrame | None, *, names: bool = True) -> None:
    """Grey bands where a stimulus is on, its name above the first axes of a column."""
    if stimuli is None or len(stimuli) == 0:
        return
    transform = axes.get_xaxis_transform()
    for row in stimuli.itertuples():
        axes.axvspan(row.onset, max(row.offset, row.onset), color=SHADE, lw=0, zorder=0)
        if names:
            axes.text(
                row.onset, 1.02, _short(str(row.name)), transform=transform, fontsize=6.5, color=MUTED, clip_on=False
            )


def shade_binary(axes: Axes, time: np.ndarray, values: np.ndarray, *, color: str = SHADE) -> None:
    """Bands where a binary behaviour channel is on."""
    on = np.nan_to_num(np.asarray(values, float)) > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate(([0], on.astype(int), [0]))))
    step = float(np.median(np.diff(time))) if len(time) > 1 else 1.0
    for start, stop in edges.reshape(-1, 2):
        axes.axvspan(time[start], time[stop - 1] + step, color=color, lw=0, zorder=0)


def _short(text: str, limit: int = 18) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


def ask_while_drawing(figure: Figure, cancel: CancelCallback | None) -> None:
    """Let a figure ask whether to stop before each of its parts is laid out or drawn; a large one takes seconds."""
    if cancel is None:
        return

    def asking(work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def asked(*arguments: Any, **options: Any) -> Any:
            check_cancel(cancel)
            return work(*arguments, **options)

        return asked

    for artist in figure.findobj():
        for name in ("draw", "get_window_extent", "get_tightbbox"):
            setattr(artist, name, asking(getattr(artist, name)))


def name_size(rows: int, inches: float) -> float:
    """Size in points of names beside so many rows in a height; 0 where they would be too small to be read."""
    size = 0.92 * 72 * inches / max(rows, 1)
    return 0.0 if size < LEAST_PT else min(size, MOST_PT)


def value_bar(
    figure: Figure, axes: Any, colours: Any, low: float, high: float, label: str, ends: str = "neither"
) -> Any:
    """Colour bar of a picture, thin, with two ticks at least and what it shows."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = figure.colorbar(
        ScalarMappable(Normalize(low, high), colours), ax=axes, fraction=0.03, pad=0.015, aspect=28, extend=ends
    )
    bar.outline.set_visible(False)
    bar.set_label(label)
    bar.ax.tick_params(length=2)
    return bar


def clock_label(own: bool, worm: str = "") -> str:
    """Label of a time axis that says which clock it shows."""
    if not own:
        return "time (s), common clock"
    return f"time (s), clock of {_short(worm, 24)}" if worm else "time (s), each worm's own clock"
