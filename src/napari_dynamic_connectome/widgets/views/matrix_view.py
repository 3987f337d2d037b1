"""The pair factors of a component as a picture, sorted by community, blocks in the communities' colours."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QRectF, Signal
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QVBoxLayout, QWidget

from ...display.palette import UNASSIGNED, Style, painted_by, rgb
from ...display.scene import pair_factors
from ...model.network import Network
from ...model.results import Communities, Components
from ..qt import plots
from ..qt.controls import label, row

BAR = 0.035
"""Width of the colour bars beside the matrix, as a part of its size."""
BRIGHTEST = 99.0
"""Percentile of the pair factors that is drawn in the full colour."""


class Ramp(QWidget):
    """The colour bar in the heading of the matrix: costs no plot width."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(66, 10)
        self.colours: Any = None

    def paintEvent(self, event: Any) -> None:
        if self.colours is None:
            return
        painter = QPainter(self)
        ramp = self.colours.ramp()
        for x in range(self.width()):
            painter.fillRect(x, 0, 1, self.height(), QColor(*(int(v) for v in ramp[int(x / self.width() * 255)][:3])))
        painter.end()


class MatrixView(QWidget):
    """Matrix, colour bars and a frame around the chosen community; `heading` is the row of text that belongs above it."""

    clicked = Signal(object)
    """Community (int) whose rows were clicked; None: those of no community."""

    def __init__(self) -> None:
        super().__init__()
        self.ramp = Ramp()
        self.text = label("", "secondary")
        self.low, self.high = label("0", "secondary"), label("", "secondary")
        self.low.setFixedWidth(12)
        self.high.setFixedWidth(36)
        self.heading = row(label("Affinity", "head"), self.text, self.low, self.ramp, self.high, spacing=4)
        self.plot = plots.plot_widget()
        self.plot.setMinimumHeight(100)
        item = self.plot.getPlotItem()
        item.hideAxis("bottom")
        item.hideAxis("left")
        item.invertY(True)
        self.plot.setAspectLocked(True)
        self.image, self.top_bar, self.left_bar = pg.ImageItem(), pg.ImageItem(), pg.ImageItem()
        for one in (self.image, self.top_bar, self.left_bar):
            self.plot.addItem(one)
        self.frame, self.cross = pg.PlotCurveItem(), pg.PlotCurveItem(connect="pairs")
        self.plot.addItem(self.frame)
        self.plot.addItem(self.cross, ignoreBounds=True)
        self.plot.scene().sigMouseClicked.connect(self._clicked)
        self.plot.setToolTip(
            "Pair factors of the component, sorted by community. Click a block to choose its community."
        )
        self.bounds: list[tuple[int, int, int]] = []
        """First row, row after the last, and community (-1: none) of every block."""
        self.names: list[str] = []
        """Neurons of the rows."""
        self.values = np.zeros((0, 0))
        self._size = -1
        self._shown: tuple[Any, ...] = ()
        self._index, self._missing = np.zeros((0, 0), np.uint8), np.zeros((0, 0), bool)
        self._groups, self._top = np.zeros(0, int), 1.0
        self._top_of: tuple[Any, ...] | None = None
        """What the brightest value was found for: the same at every level."""
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.plot, 1)
        layout.addStretch(0)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self.plot.setMaximumHeight(max(self.width(), self.plot.minimumHeight()))  # square: no gap above it

    def show_component(
        self,
        components: Components,
        number: int,
        communities: Communities,
        level: int,
        styles: Mapping[int, Style],
        chosen: int | None,
        colours: Any,
        network: Network | None = None,
    ) -> None:
        """Show a component; with a chosen community, only its block is coloured. A network takes the half below the diagonal."""
        now: tuple[Any, ...] = (components, communities, network, number, level, dict(styles), chosen, colours)
        before = self._shown or (None,) * len(now)
        same = [a is b for a, b in zip(now[:3], before[:3], strict=True)]
        if all(same) and now[3:] == before[3:]:
            return
        if not all(same[:2]) or now[3:5] != before[3:5]:
            self._sort(components, number, communities, level)
        self._shown = now
        values, index, groups, top = self.values, self._index, self._groups, self._top
        self.cross.setData([], [])
        self.cross.setPen(pg.mkPen(colours.text, width=1.2))
        image = colours.ramp()[index]
        for start, stop, group in self.bounds:
            if group in styles and chosen in (None, group):
                block = slice(start, stop)
                image[block, block] = colours.ramp(styles[group].color)[index[block, block]]
        image[self._missing] = [*(rgb(colours.background) * 255).astype(int), 255]
        if network is not None:
            below = np.tril(np.ones(values.shape, bool), -1)
            image[below] = _network_image(network, self.names, colours)[below]
        n = len(values)
        self.image.setImage(image, autoLevels=False)
        self.image.setRect(QRectF(0, 0, n, n))
        grey = rgb(UNASSIGNED[colours.dark])
        bar = painted_by(groups, styles, grey) * 255
        width = max(n * BAR, 1)
        self.top_bar.setImage(bar.astype(np.uint8)[None], levels=(0, 255))
        self.top_bar.setRect(QRectF(0, -1.4 * width, n, width))
        self.left_bar.setImage(bar.astype(np.uint8)[:, None], levels=(0, 255))
        self.left_bar.setRect(QRectF(-1.4 * width, 0, width, n))
        self.plot.setBackground(colours.background)
        self.plot.getViewBox().setBackgroundColor(QColor(colours.background))
        if self._size != n:
            self._size = n
            self.plot.setRange(QRectF(-1.5 * width, -1.5 * width, n + 1.6 * width, n + 1.6 * width), padding=0)
        found = next((b for b in self.bounds if b[2] == chosen and chosen is not None), None)
        if found is None:
            self.frame.setData([], [])
        else:
            a, b = found[0], found[1]
            self.frame.setData([a, b, b, a, a], [a, a, b, b, a])
            self.frame.setPen(pg.mkPen(colours.text, width=1.4))
        beside = f"; below: {network.kind}" if network is not None else ", sorted by community"
        self.text.setText(f"component {number}{beside}")
        self.text.setToolTip(
            ""
            if network is None
            else f"Below the diagonal: {network.title}, logarithm of 1 + {network.quantity}, both directions added. "
            "Where it was not measured, nothing is drawn."
        )
        self.ramp.colours = colours
        self.ramp.update()
        self.high.setText(f"{top:.2g}")

    def _sort(self, components: Components, number: int, communities: Communities, level: int) -> None:
        """What does not depend on colours and on what is chosen."""
        order, groups = sorted_order(components, communities, level)
        self.names = [communities.neurons[i] for i in order]
        self.values = values = _between(components, number, self.names)
        self._missing = ~np.isfinite(values)
        shown = components, number, communities.neurons  # whatever their order
        if self._top_of is None or self._top_of[0] is not components or self._top_of[1:] != shown[1:]:
            finite = values[~self._missing & (values > 0)]
            self._top = float(np.percentile(finite, BRIGHTEST)) if len(finite) else 1.0
            self._top_of = shown
        self._index = np.round(np.clip(np.nan_to_num(values) / self._top, 0, 1) * 255).astype(np.uint8)
        edges = np.flatnonzero(np.diff(np.concatenate(([-9], groups, [-9]))))
        self.bounds = [(int(a), int(b), int(groups[a])) for a, b in itertools.pairwise(edges)]
        self._groups = groups

    def cell_at(self, place: Any) -> tuple[int, int] | None:
        """Row and column at a place of the plot's viewport; None beside the matrix."""
        point = self.plot.getViewBox().mapSceneToView(self.plot.mapToScene(place.toPoint()))
        row, column, n = int(np.floor(point.y())), int(np.floor(point.x())), len(self.names)
        return (row, column) if 0 <= row < n and 0 <= column < n else None

    def mark(self, rows: Collection[int]) -> None:
        """Mark rows and their columns by lines."""
        n = len(self.names)
        ends = [(x, y) for i in rows for x, y in ((0, i + 0.5), (n, i + 0.5), (i + 0.5, 0), (i + 0.5, n))]
        self.cross.setData([x for x, _ in ends], [y for _, y in ends])

    def _clicked(self, event: Any) -> None:
        point = self.plot.getViewBox().mapSceneToView(event.scenePos())
        for start, stop, group in self.bounds:
            if start <= point.y() < stop:
                self.clicked.emit(group if group >= 0 else None)


def sorted_order(components: Components, communities: Communities, level: int) -> tuple[list[int], np.ndarray]:
    """Neurons of the communities (their indices) that the components hold, by community, those of none last; and who is where."""
    place = set(components.neurons)
    labels = communities.labels.values
    group_of, finest = labels[level], labels[0]
    last = group_of.max() + 1 if len(group_of) else 0
    known = np.flatnonzero([n in place for n in communities.neurons])
    rank = np.where(group_of >= 0, group_of, last)
    order = known[np.lexsort((finest[known], rank[known]))]
    return order.tolist(), group_of[order].astype(int)


def sorted_names(components: Components, communities: Communities, level: int) -> list[str]:
    """Names of the rows of `sorted_matrix`."""
    return [communities.neurons[i] for i in sorted_order(components, communities, level)[0]]


def sorted_matrix(
    components: Components, number: int, communities: Communities, level: int
) -> tuple[np.ndarray, np.ndarray]:
    """Pair factors (N, N) sorted by the communities of a level, those of none last, and the communities (N,)."""
    order, groups = sorted_order(components, communities, level)
    return _between(components, number, [communities.neurons[i] for i in order]), groups


def _between(components: Components, number: int, names: Sequence[str]) -> np.ndarray:
    """Pair factors (N, N) between these neurons."""
    place = {n: i for i, n in enumerate(components.neurons)}
    rows = np.array([place[n] for n in names], int)
    return np.asarray(pair_factors(components, number)[np.ix_(rows, rows)])


def _network_image(network: Network, names: list[str], colours: Any) -> np.ndarray:
    """Weights of a network between these neurons as colours (N, N, 4), both directions added."""
    known = set(network.neurons)
    held = [i for i, n in enumerate(names) if n in known]
    values = np.full((len(names), len(names)), np.nan)
    if held:
        one = np.abs(network.between([names[i] for i in held]).weight.values)
        values[np.ix_(held, held)] = one + one.T if network.directed else one
    shade = np.log1p(values)
    top = float(np.nanmax(shade)) if np.isfinite(shade).any() else 1.0
    part = np.nan_to_num(shade / top if top > 0 else shade)[..., None]
    back, front = rgb(colours.background) * 255, rgb(colours.text) * 255
    image: np.ndarray = np.concatenate(
        [back + part * (front - back), np.full((*values.shape, 1), 255.0)], axis=2
    ).astype(np.uint8)
    return image
