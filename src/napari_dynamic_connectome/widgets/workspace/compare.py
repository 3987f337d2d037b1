"""Comparison of two worms or two components side by side: a second viewer of the same session, cameras and time linked."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
from qtpy.QtWidgets import QHBoxLayout, QLabel, QVBoxLayout, QWidget

from ...display import scene as resolve
from ...session.session import Session
from ..qt.controls import Choice
from ..qt.theme import NAME, colours_of, style_sheet
from ..viewer.layers import move_points
from .workspace import Workspace


class Compare(QWidget):
    """The second worm, in a canvas of its own."""

    def __init__(self, work: Workspace) -> None:
        from napari.components import ViewerModel
        from napari.qt import QtViewer

        super().__init__()
        self.work = work
        viewer = work.viewer
        if viewer is None:
            raise RuntimeError("The viewer was closed.")
        self._viewer = weakref.ref(viewer)
        colours = colours_of(viewer)
        self.setObjectName(NAME)
        self.setStyleSheet(style_sheet(colours))
        self.worm, self.component = Choice(), Choice()
        self.worm.setToolTip("Worm on this side. Default: the next one of the session.")
        self.component.setToolTip("Component on this side. Default: the one of the other side.")
        names = list(work.session.recordings)
        self.worm.addItems(names)
        if work.session.current in names and len(names) > 1:
            self.worm.setCurrentIndex((names.index(work.session.current) + 1) % len(names))
        self.component.addItem("same component", 0)
        if work.session.components is not None:
            for one in range(1, work.session.components.rank + 1):
                self.component.addItem(f"component {one}", one)
        self.model = ViewerModel(ndisplay=3)
        self.model.theme = viewer.theme
        self.canvas = QtViewer(self.model)
        top = QHBoxLayout()
        for widget in (QLabel("Compare with"), self.worm, self.component):
            top.addWidget(widget)
        top.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 4, 6, 4)
        layout.addLayout(top)
        layout.addWidget(self.canvas.canvas.native, 1)
        self.layer: Any = None
        self.drawn: Any = None
        for box in (self.worm, self.component):
            box.activated.connect(self._chosen)  # PySide6 keeps what a lambda holds, and this dock is removed by itself
        work.session.selection_changed.connect(self._selected)
        work.view.changed.connect(self._viewed)
        self._linking = False
        self._camera = viewer.scene.camera
        self._camera.events.connect(self._mine_moved)
        self.model.scene.camera.events.connect(self._other_moved)
        self.refresh()

    def _session(self) -> Session:
        """A session like the real one, with this side's worm and component."""
        real, copy = self.work.session, Session()
        copy.recordings, copy.current = real.recordings, self.worm.currentText()
        copy.components, copy.communities, copy.cohort = real.components, real.communities, real.cohort
        copy.made, copy.left_out = real.made, real.left_out
        chosen = self.component.currentData()
        copy.selection = real.selection
        if chosen and chosen != real.selection.component:
            found = real.communities.get((chosen, real.selection.kind))
            copy.select(component=chosen, community=None, level=found.chosen_level if found else 0)
        return copy

    def refresh(self) -> None:
        """Draw this side."""
        session = self._session()
        dark = colours_of(self.work.viewer).dark
        self.drawn = resolve.resolve(session, dark=dark, **self.work.view.colouring)
        if self.drawn is None:
            return
        shown = self.drawn.shown
        colours = resolve.colors_at(self.drawn, session.selection.time_s)[shown]
        if self.layer is None:
            self.layer = self.model.add_points(
                self.drawn.positions[shown],
                face_color=colours,
                size=self.drawn.size[shown],
                border_width=0,
                shading="spherical",
                units=("um", "um", "um"),
            )
            self.model.scene.camera.angles = self._camera.angles
            self.model.fit_to_view()
        else:
            move_points(self.layer, self.drawn.positions[shown])
            self.layer.size = self.drawn.size[shown]
            self.layer.face_color = colours
        self.layer.selected_data = set()
        self._title(session)

    def _title(self, session: Session) -> None:
        text = self.model.canvas.overlays.text
        said = resolve.title(session, self.drawn, **self.work.view.colouring)
        text.text = said if said.startswith(str(session.current)) else f"{session.current}  ·  {said}"
        text.position, text.font_size, text.box, text.visible = "top_left", 9, False, True
        bar = self.model.canvas.overlays.scale_bar
        bar.box, bar.font_size, bar.visible = False, 8, True

    def _selected(self, selection: Any, changed: frozenset[str]) -> None:
        if changed == {"time_s"} and self.drawn is not None and self.layer is not None:
            self._title(self._session())
            if self.drawn.weight is not None:
                self.layer.face_color = resolve.colors_at(self.drawn, selection.time_s)[self.drawn.shown]
        else:
            self.refresh()

    def _chosen(self, *_: Any) -> None:
        self.refresh()

    def _viewed(self, *_: Any) -> None:
        self.refresh()

    def _mine_moved(self, *_: Any) -> None:
        self._link(self._camera, self.model.scene.camera)

    def _other_moved(self, *_: Any) -> None:
        self._link(self.model.scene.camera, self._camera)

    def _link(self, source: Any, target: Any) -> None:
        if self._linking or self.work.viewer is None or self.work.viewer.dims.ndisplay != 3:
            return
        self._linking = True
        try:
            if not np.allclose(target.angles, source.angles):
                target.angles = source.angles
            if not np.isclose(target.zoom, source.zoom):
                target.zoom = source.zoom
        finally:
            self._linking = False

    def closeEvent(self, event: Any) -> None:
        self._camera.events.disconnect(self._mine_moved)
        self.work.session.selection_changed.disconnect(self._selected, missing_ok=True)
        self.work.view.changed.disconnect(self._viewed, missing_ok=True)
        self.canvas.close()
        super().closeEvent(event)


def open_compare(work: Workspace) -> Any:
    """Open the second canvas beside the first."""
    widget, viewer = Compare(work), work.viewer
    if viewer is not None:
        viewer.window.add_dock_widget(widget, name="Compare", area="top", add_vertical_stretch=False)
    return widget
