"""View of the worm: keeps napari's layers in step with the session, and the session with clicks and the time slider.

All decisions on what is drawn are made in `display`; here they are only handed to napari.
"""

from __future__ import annotations

import weakref
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pint
from napari.layers import Image, Labels, Points
from qtpy.QtCore import QTimer

from ...display import scene as resolve
from ...display.features import GROUPS, column_legend, column_values, group_legend, painted
from ...display.moving import MovingPlaces
from ...display.palette import hex_color, mix, rgb
from ...display.tubes import tubes
from ..qt.theme import colours_of
from . import camera
from .canvas_text import CanvasText
from .follow import Follower, frame_of
from .label_edits import LabelEdits
from .layers import CURRENT, EDGES, LOOKS, NAMES, NEURONS, OURS, OverlayLayers, drawn_once, move_points, show
from .legend import Legend
from .name_layer import Leaders, NameLayer, named
from .shared_features import SharedFeatures
from .time_axis import ensure_time_axis, move_slider, name_axes, slider_time

if TYPE_CHECKING:
    from ..qt.scheduler import ScheduledCall
    from ..workspace.workspace import Workspace

REST_MS = 250
NAMES_MS = 90
MARK_UM = 5.0
LEAST_PX, SHADED_PX = 6.0, 11.0


class SceneView:
    """Draws the session into the viewer.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Workspace) -> None:
        reference = self._work = weakref.ref(work)
        self.drawn: resolve.Drawn | None = None
        self.overlay = OverlayLayers(lambda: found.viewer if (found := reference()) is not None else None)
        self.images: dict[str, list[Any]] = {}
        self.opening: Any = None
        """The step that opens the images of a session, or did."""
        """Image layers by recording; only those of the current one are visible."""
        self.labels: dict[str, Any] = {}
        """Labels layer by recording."""
        self.edits: dict[str, LabelEdits] = {}
        """What was painted in the labels of each recording since its extraction."""
        self.picks = True
        """Whether a click in the canvas chooses a neuron; not while it is for something else."""
        self.closed = False
        self.mark: np.ndarray | None = None
        """A place (z, y, x) in micrometres that is marked by a cross until something is done with it; None: none."""
        self._busy = False
        self._stepping = False
        self._size: np.ndarray | None = None
        self._rings: tuple[np.ndarray, np.ndarray] | None = None
        self._edges_zoom = 0.0
        self._moving: tuple[Any, MovingPlaces] | None = None
        self._follower = Follower(self._arrived)
        self._legend = Legend()
        self._text = CanvasText()
        self._names = NameLayer(self.overlay)
        self._shared = SharedFeatures(work)
        self._refresh_call = work.scheduler.later(self.refresh)
        self._labels_call = work.scheduler.later(self.recolour_labels)
        self._names_call = work.scheduler.later(self.place_names)
        self._rest_timer = _timer(self._labels_call, REST_MS)
        self._names_timer = _timer(self._names_call, NAMES_MS)
        self._stage_call = work.scheduler.later(self.next_stage)
        self._stages: list[Any] = []
        self._leaders_call = work.scheduler.later(self.place_leaders)
        self._current_call = work.scheduler.later(self._mark_current)
        self._leaders: tuple[Leaders, float] | None = None
        self._covered = False
        self._added = False
        session = work.session
        for signal in (session.recordings_changed, session.current_changed, session.neurons_changed):
            signal.connect(self._changed)
        for signal in (session.components_changed, session.communities_changed, session.states_changed):
            signal.connect(self._changed)
        session.groups_changed.connect(self._changed)
        session.selection_changed.connect(self._selection_changed)
        work.view.changed.connect(self._changed)
        viewer = self._viewer
        # napari reads all units when it first meets one, which takes long: now, as a dock opens, not in the middle of the work.
        _ = pint.get_application_registry().um
        viewer.dims.events.current_step.connect(self._step_changed)
        viewer.layers.events.removed.connect(self._layer_removed)
        viewer.layers.events.inserted.connect(self._layer_inserted)
        viewer.scene.camera.events.connect(self._camera_changed)
        viewer.dims.events.ndisplay.connect(self._dimensions_changed)
        viewer.dims.events.ndim.connect(self._dimensions_changed)
        viewer.canvas.events.size.connect(self._camera_changed)
        viewer.events.theme.connect(self._changed)
        viewer.mouse_drag_callbacks.append(camera.Click(self))
        viewer.mouse_move_callbacks.append(camera.Over(self))
        work.hover.changed.connect(self._hovered)

    # --- state ------------------------------------------------------------------------------------------------------

    @property
    def work(self) -> Workspace | None:
        """The workspace, or None if it was closed."""
        return self._work()

    @property
    def _workspace(self) -> Workspace:
        """The workspace, where it must still be there."""
        found = self._work()
        if found is None:
            raise RuntimeError("The workspace of this view was closed.")
        return found

    @property
    def _viewer(self) -> Any:
        """The viewer, where it must still be there."""
        found = self._workspace.viewer
        if found is None:
            raise RuntimeError("The viewer of this view was closed.")
        return found

    @property
    def _scene(self) -> resolve.Drawn:
        """What is drawn, where something is."""
        if self.drawn is None:
            raise RuntimeError("Nothing is drawn: the session has no current recording.")
        return self.drawn

    @property
    def layers(self) -> dict[str, Any]:
        """Our layers by name."""
        return self.overlay.layers

    def _changed(self, *_: Any) -> None:
        if not self.closed:
            self._refresh_call.start()

    def _hovered(self, *_: Any) -> None:
        if not self.closed:
            self._current_call.start()

    def _dimensions_changed(self, *_: Any) -> None:
        if not self.closed:
            camera.note_view_direction(self._viewer)
            self._refresh_call.start()

    def _labels_shown(self, *_: Any) -> None:
        if not self.closed:
            self._rest_timer.start()

    def _camera_changed(self, *_: Any) -> None:
        if not self.closed and NEURONS in self.layers:
            self._names_timer.start()

    def close(self) -> None:
        """Let go of everything."""
        self.closed = True
        for timer in (self._rest_timer, self._names_timer):
            timer.stop()
        for call in (self._refresh_call, self._labels_call, self._names_call, self._stage_call, self._leaders_call):
            call.stop()
        self._current_call.stop()
        self._follower.close()
        self._shared.close()
        self._moving = None
        self.layers.clear()
        self.images.clear()
        self.labels.clear()
        for recording in list(self.edits):
            self._forget_edits(recording)
        self.drawn = None

    def attach(
        self, recording: str, images: list[Any], labels: Any | None, extracted: np.ndarray | None = None
    ) -> None:
        """Say which layers show a recording; they are shown and hidden with it.

        `extracted`: the labels that its traces were extracted from, if the layer's may have been edited since.
        """
        self.images[recording] = [i for i in images if i is not None]
        if labels is not None:
            self.labels[recording] = labels
            labels.events.visible.connect(self._labels_shown)
            self._watch_edits(recording, labels, extracted)
        self._changed()

    def _watch_edits(self, recording: str, labels: Any, extracted: np.ndarray | None = None) -> None:
        """Note from now on which labels are edited; what was noted before the session was opened stays noted."""
        self._forget_edits(recording)
        me = weakref.ref(self)
        before = frozenset(self._workspace.session.touched.get(recording, {}).get("labels", ()))

        def changed(touched: set[int]) -> None:
            found = me()
            if found is None or found.closed:
                return
            session = found._workspace.session
            if recording in session.recordings:
                session.touch(recording, labels=before | touched)
                found._labels_call.start()

        def seen() -> None:
            found = me()
            if found is not None and not found.closed and not found._busy:
                found.recolour_labels()

        edits = self.edits[recording] = LabelEdits(labels, changed, seen, extracted)
        if extracted is not None:
            edits.look()

    def _forget_edits(self, recording: str) -> None:
        edits = self.edits.pop(recording, None)
        if edits is not None:
            edits.close()

    def flush(self) -> None:
        """Draw now what is out of date."""
        if self.closed:
            return
        self._refresh_call.stop()
        self.refresh()
        self._stage_call.stop()
        while self._stages:
            self.next_stage()
        self._stage_call.stop()
        self._names_timer.stop()
        self._names_call.stop()
        self.place_names()
        self.place_leaders()
        self._rest_timer.stop()
        self._labels_call.stop()
        self.recolour_labels()

    def catch_up(self) -> None:
        """Resolve what is drawn if it is out of date: docks show the same."""
        if self._refresh_call.isActive() and not self.closed:
            self._refresh_call.stop()
            self.refresh()

    def show_again(self) -> None:
        """Bring back layers that were removed."""
        self.overlay.dismissed.clear()
        self.flush()

    # --- drawing ----------------------------------------------------------------------------------------------------

    def refresh(self) -> None:
        """Resolve what is drawn and hand it to napari."""
        work = self.work
        viewer = work.viewer if work else None
        if work is None or viewer is None or self._busy or self.closed:
            return
        self._busy = True
        try:
            self.colours = colours_of(viewer)
            view, dark = work.view, self.colours.dark
            dragged = view.limits.get(view.column)
            colours = painted(work.session, view.column, dark, dragged) if view.color_by == "column" else None
            self.drawn = resolve.resolve(work.session, dark=dark, painted=colours, **view.colouring)
            if self.drawn is None:
                for name in OURS:
                    self.overlay.remove(name)
                self._text.title(viewer, "", self.colours.text)
                self._legend.show(viewer, [], self.colours.secondary)
                return
            self._place()
            self._draw_neurons()
            self._show_images_of(work.session.current)
            self._draw_title()
        finally:
            self._busy = False
        # The rest follows in turns of the event loop of its own, so that no turn is long.
        self._stages = [
            self._activate,
            self._ensure_time_axis,
            lambda: name_axes(viewer),
            self._uncover,
            self._draw_edges,
            self._draw_current,
            lambda: self._text.scale_bar(viewer),
            self._draw_legend,
            self._share,
            *(partial(self._prepare, name) for name in LOOKS),
        ]
        self._stage_call.start()
        self._names_timer.start()
        self._rest_timer.start()

    def next_stage(self) -> None:
        """Draw the next part that waits."""
        work = self.work
        if work is None or work.viewer is None or self.drawn is None or self.closed:
            self._stages.clear()
            return
        if self._stages:
            stage = self._stages.pop(0)
            self._busy = True
            try:
                stage()
            finally:
                self._busy = False
        if self._stages:
            self._stage_call.start()

    def _draw_neurons(self) -> None:
        drawn, work = self._scene, self._workspace
        if not drawn.shown.any():  # no neuron has a place: neither measured, nor known from a name
            self.overlay.remove(NEURONS)
            return
        colours = resolve.colors_at(drawn, work.session.selection.time_s)[drawn.shown]
        data = drawn.positions[drawn.shown]
        size = drawn.size[drawn.shown] * self._magnified()
        layer = self.overlay.shown(NEURONS)
        if layer is None:
            if NEURONS in self.overlay.dismissed:
                return
            layer = Points(
                data,
                name=NEURONS,
                units=self.overlay.units(),
                face_color=colours,
                size=size,
                border_width=0,
                shading=self._shading(),
                blending="translucent",
                canvas_size_limits=(3, 10000),
                projection_mode="all",
            )
            self.overlay.add(NEURONS, layer)
            self._added = True
            self._rings = None
        moved = layer.data.shape != data.shape or not np.array_equal(layer.data, data)
        rings = self._rings_wanted(moved)
        resized = moved or self._size is None or not np.array_equal(self._size, size)
        if not (moved or resized or rings) and np.array_equal(layer.face_color, colours):
            return
        with drawn_once(layer, moved=moved, thumbnail=False):
            if moved:
                layer.data = data
            if resized:
                layer.size = size
            layer.face_color = colours
            if rings:
                self._draw_rings(layer)
        self._size = size

    def _share(self) -> None:
        """Let the rest of napari see what is known of the neurons, and which are chosen."""
        labels = self.labels.get(self._workspace.session.current or "")
        self._shared.share(self.overlay.shown(NEURONS), labels, self._scene)

    def _ring_look(self) -> tuple[np.ndarray, np.ndarray]:
        """Widths and colours of the rings around the neurons that are shown."""
        drawn = self._scene
        return drawn.ring_width[drawn.shown], drawn.ring[drawn.shown]

    def _rings_wanted(self, moved: bool) -> bool:
        """Whether rings have to be set: napari has none at first, and keeps those of other points."""
        now = self._ring_look()
        if self._rings is None:
            return bool(now[0].any())
        return moved or not all(np.array_equal(a, b) for a, b in zip(now, self._rings, strict=True))

    def _draw_rings(self, layer: Points) -> None:
        """Mark overlapping and unsure neurons by a ring."""
        width, colour = self._rings = self._ring_look()
        layer.border_width_is_relative = True
        layer.border_color = np.column_stack([colour, np.ones(len(width))])
        layer.border_width = width

    def _activate(self) -> None:
        """Make new neurons the active layer, as napari does with every new layer; without an image they are shown in 3D."""
        layer, added, self._added = self.overlay.shown(NEURONS), self._added, False
        if not added or layer is None:
            return
        viewer = self._viewer
        viewer.layers.selection.active = layer
        if viewer.dims.ndisplay == 2 and not any(isinstance(one, Image | Labels) for one in viewer.layers):
            viewer.dims.ndisplay = 3  # a plane would hold a few of them only
            self.home()

    def _magnified(self) -> float:
        """How much larger than they are neurons are drawn: far away they would be too small to show their colour."""
        return max(1.0, LEAST_PX / (resolve.SIZE * max(float(self._viewer.scene.camera.zoom), 1e-6)))

    def _shading(self) -> str:
        """Shade spheres only where they are large enough: in a few pixels the shade would cover the colour."""
        return "spherical" if resolve.SIZE * float(self._viewer.scene.camera.zoom) > SHADED_PX else "none"

    def _zoomed(self) -> None:
        """Adapt what has a size on the screen; runs when the camera rests."""
        layer, edges, viewer = self.layers.get(NEURONS), self.layers.get(EDGES), self._viewer
        zoom = float(viewer.scene.camera.zoom)
        if layer is not None and layer in viewer.layers:
            if str(layer.shading) != self._shading():
                layer.shading = self._shading()
            drawn = self._scene
            size = drawn.size[drawn.shown] * self._magnified()
            if self._size is None or len(size) != len(self._size) or not np.allclose(size, self._size, rtol=0.1):
                layer.size = size
                self._size = size
        if edges is not None and edges.visible and not 0.8 < zoom / max(self._edges_zoom, 1e-6) < 1.25:
            self._draw_edges()

    def recolour(self) -> None:
        """Colour the neurons for the shown time; this runs at every step of the time slider."""
        drawn, layer, work = self.drawn, self.layers.get(NEURONS), self.work
        if drawn is None or layer is None or work is None:
            return
        if len(layer.data) != np.count_nonzero(drawn.shown):
            return  # another recording is just being drawn, in its colours
        if drawn.weight is not None:
            colours = resolve.colors_at(drawn, work.session.selection.time_s)
            # napari draws a change of colours twice: when they are set, and when the layer says so.
            with layer.events.face_color.blocker():
                layer.face_color = colours if drawn.shown.all() else colours[drawn.shown]
            self._rest_timer.start()
        self._follow()
        self._draw_title()

    def recolour_labels(self) -> None:
        """Colour the Labels layer; too slow in 3D for every step, so it waits until the time rests.

        So does the picture of the neurons in napari's list of layers.
        """
        drawn, work = self.drawn, self.work
        if drawn is None or work is None or work.viewer is None or self.closed:
            return
        neurons = self.overlay.shown(NEURONS)
        if neurons is not None:
            neurons.refresh(data_displayed=False, highlight=False, extent=False)
        layer = self.labels.get(work.session.current or "")
        if layer is None or layer not in work.viewer.layers or self._busy:
            return
        if not layer.visible:
            return  # it is coloured when it is shown
        from napari.utils.colormaps import CyclicLabelColormap, DirectLabelColormap

        time_s = work.session.selection.time_s
        self._busy = True
        try:
            # A cyclic map as long as the type's range gives every label its own colour. It is what the layer uses anyway; a
            # direct map makes napari compile for seconds when it is first used.
            edits = self.edits.get(work.session.current or "")
            new = edits.touched | edits.chosen if edits is not None else set()
            new_color = "#f2f2f2" if self.colours.dark else "#202228"
            most = 255 if np.dtype(layer.dtype).itemsize == 1 else 65535
            colormap: Any
            if len(drawn.labels) and drawn.labels.min() >= 0 and drawn.labels.max() <= most:
                palette = resolve.label_palette(drawn, time_s, most, new=new, new_color=new_color)
                before = layer.colormap
                if isinstance(before, CyclicLabelColormap) and np.array_equal(before.colors, palette):
                    return  # napari maps all voxels anew for every map
                colormap = CyclicLabelColormap(colors=palette)
            else:
                by_label = resolve.label_colors(drawn, time_s, new=new, new_color=new_color)
                colormap = DirectLabelColormap(color_dict=by_label)
            colormap.use_selection, colormap.selection = layer.show_selected_label, layer.selected_label
            layer.colormap = colormap
        finally:
            self._busy = False

    def _draw_edges(self) -> None:
        drawn, work = self._scene, self._workspace
        view, chosen = work.view, work.session.selection.community
        if view.by_state:
            chosen = view.state_group if view.state_group >= 0 else None
        wanted = view.edges and view.color_by != "naming" and chosen is not None
        edges, inside = self._lines(drawn) if wanted else ([], np.zeros(0, bool))
        if not edges:
            self.overlay.hide(EDGES)
            return
        starts = drawn.positions[[e[0] for e in edges]]
        ends = drawn.positions[[e[1] for e in edges]]
        strength = np.array([e[2] for e in edges])
        self._edges_zoom = float(self._viewer.scene.camera.zoom)
        # As thick as lines on the screen, whatever the size of the worm.
        radii = (0.5 + 0.9 * strength) / max(self._edges_zoom, 1e-6)
        vertices, faces, line = tubes(starts, ends, radii)
        style = None if chosen is None else drawn.styles.get(chosen)
        colour = rgb(style.color) if style else rgb(self.colours.text)
        plain = rgb(self.colours.text)
        shade = mix(rgb(self.colours.canvas), np.where(inside[:, None], colour, plain), 0.45 + 0.5 * strength)
        vertex_colors = np.concatenate([shade[line], np.ones((len(line), 1))], axis=1).astype(np.float32)
        self.overlay.surface(EDGES, vertices, faces, vertex_colors)

    def _lines(self, drawn: resolve.Drawn) -> tuple[list[tuple[int, int, float]], np.ndarray]:
        """Lines as (index, index, 0..1), and which of them lie inside the chosen community."""
        work = self._workspace
        if work.view.synapses and work.view.network is not None:
            found = resolve.connections(work.session, drawn, work.view.network, work.view.edge_count)
            return [e[:3] for e in found], np.array([e[3] for e in found], bool)
        state = work.view.state if work.view.by_state else 0
        pairs = resolve.strongest_edges(work.session, drawn, work.view.edge_count, state)
        return pairs, np.ones(len(pairs), bool)

    def _prepare(self, name: str) -> None:
        """Make a layer before it is needed."""
        drawn = self._scene
        if drawn.shown.any():
            self.overlay.prepared(name, drawn.positions[drawn.shown].mean(axis=0))

    def _mark_current(self) -> None:
        """Mark what is chosen and what is under the mouse, if nothing else waits that does it anyway."""
        work = self.work
        if work is None or work.viewer is None or self.drawn is None or self._busy or self._stages or self.closed:
            return
        self._busy = True
        try:
            self._draw_current()
        finally:
            self._busy = False

    def set_mark(self, place: np.ndarray | None) -> None:
        """Mark a place by a cross, or take the mark away."""
        same = place is None if self.mark is None else place is not None and np.array_equal(place, self.mark)
        if not same and not self.closed:
            self.mark = place
            self._current_call.start()

    def _draw_current(self) -> None:
        """Mark what is chosen, and what is under the mouse, by rings; a place of a click by a cross."""
        drawn, work = self._scene, self._workspace
        selected, hovered = set(work.session.selection.neurons), work.hover.neuron
        chosen = [i for i, n in enumerate(drawn.ids) if (n in selected or n == hovered) and drawn.shown[i]]
        if not chosen and self.mark is None:
            self.overlay.hide(CURRENT)
            return
        data = drawn.positions[chosen]
        colours = [rgb(self.colours.accent if drawn.ids[i] in selected else self.colours.text) for i in chosen]
        if self.mark is not None:
            data, colours = np.concatenate([data, self.mark[None]]), [*colours, rgb(self.colours.warning)]
        symbols = ["disc"] * len(chosen) + ["cross"] * (len(data) - len(chosen))
        layer = self.overlay.prepared(CURRENT, data[0])
        if layer is None:
            return
        moved = layer.data.shape != data.shape or not np.array_equal(layer.data, data)
        border = np.column_stack([np.array(colours), np.ones(len(data))])
        if moved or not np.array_equal(layer.border_color, border) or [str(s) for s in layer.symbol] != symbols:
            with drawn_once(layer):
                if moved:
                    layer.data = data
                layer.symbol = symbols
                layer.size = [8.0 if s == "disc" else MARK_UM for s in symbols]
                # a ring is hollow, a cross is not
                layer.face_color = np.array(
                    [[0, 0, 0, 0] if s == "disc" else [*b[:3], 1] for s, b in zip(symbols, border, strict=True)]
                )
                layer.border_color = border
        if layer.selected_data:
            layer.selected_data = set()
        show(layer)

    # --- names ------------------------------------------------------------------------------------------------------

    def place_names(self) -> None:
        """Place the names for the present camera."""
        work, drawn = self.work, self.drawn
        if work is None or work.viewer is None or drawn is None or self.closed:
            return
        self._zoomed()
        view, chosen = work.view, []
        if view.names:
            group = view.by_state and view.state_group >= 0
            chosen = named(work.session, drawn, naming=view.color_by in ("naming", "state"), group=group)
        lines: Leaders = []
        if chosen:
            lines = self._names.draw(work.viewer, drawn, chosen, self.colours.text)
        else:
            self.overlay.hide(NAMES)
        self._leaders = (lines, float(work.viewer.scene.camera.zoom))
        self._leaders_call.start()

    def place_leaders(self) -> None:
        """Draw the lines from names to neurons."""
        if self.work is None or self.work.viewer is None or self._leaders is None or self.closed:
            return
        (lines, zoom), self._leaders = self._leaders, None
        self._leaders_call.stop()
        self._names.draw_leaders(lines, zoom, self.colours.text, self.colours.canvas)

    # --- layers -----------------------------------------------------------------------------------------------------

    def _layer_inserted(self, event: Any) -> None:
        """An image that is opened later lies over the neurons: they have to come up again."""
        if not self.closed and not self._busy and event.value not in self.layers.values():
            self._covered = True
            self._changed()

    def _uncover(self) -> None:
        """Bring our layers above the user's; only after a layer was added, the order is the user's otherwise."""
        covered, self._covered = self._covered, False
        if covered:
            self.overlay.to_the_top()

    def _layer_removed(self, event: Any) -> None:
        layer = event.value
        work = self.work
        if work is None or self.closed:
            return
        work.jobs.layer_removed(layer)
        for name, ours in list(self.layers.items()):
            if ours is layer:
                del self.layers[name]
                if not self._busy:
                    self.overlay.dismissed.add(name)
        for recording, images in list(self.images.items()):
            self.images[recording] = [i for i in images if i is not layer]
        for recording, labels in list(self.labels.items()):
            if labels is layer:
                del self.labels[recording]
                self._forget_edits(recording)
        self._changed()

    def _show_images_of(self, current: str | None) -> None:
        for recording, images in self.images.items():
            for layer in images:
                if recording != current and layer.visible:
                    layer.visible = False
                    layer.metadata["dynamic_connectome_hidden"] = True
                elif recording == current and layer.metadata.pop("dynamic_connectome_hidden", False):
                    layer.visible = True
        for recording, layer in self.labels.items():
            if recording != current and layer.visible:
                layer.visible = False

    # --- a worm that moves ------------------------------------------------------------------------------------------

    def _place(self) -> None:
        """Put the neurons where the labels of the shown frame have them, if there are labels for every frame."""
        work = self._workspace
        layer = self.labels.get(work.session.current or "")
        if layer is None or layer.ndim != 4 or layer.multiscale or layer not in self._viewer.layers:
            self._moving = None
            return
        labels = self._scene.labels
        kept = self._moving
        if kept is None or kept[0] is not layer.data or not np.array_equal(kept[1].labels, labels):
            places = MovingPlaces(layer.data, labels, layer.scale[-3:], layer.translate[-3:])
            self._moving = (layer.data, places)
        followed = self._followed()
        if followed is None:
            return
        places, frame = followed
        if frame in places.known:
            self.drawn = self._moved(places.known[frame])
        else:
            self._follower.ask(places, frame)

    def _followed(self) -> tuple[MovingPlaces, int] | None:
        """Places of the worm that is shown and the frame at the shown time; None if another worm was chosen since."""
        work = self._workspace
        recording = work.session.recording
        layer = self.labels.get(work.session.current or "")
        if (
            self._moving is None
            or self.drawn is None
            or recording is None
            or layer is None
            or layer.data is not self._moving[0]
        ):
            return None
        places = self._moving[1]
        return places, frame_of(recording.time_s, work.session.selection.time_s, layer, len(places))

    def _moved(self, found: np.ndarray) -> resolve.Drawn:
        """What is drawn, with these positions; a neuron that the frame lacks stays where it was."""
        seen = np.isfinite(found).all(axis=1)
        drawn = self._scene
        return replace(drawn, positions=np.where(seen[:, None], found, drawn.positions))

    def _follow(self) -> None:
        followed = self._followed()
        if followed is None:
            return
        places, frame = followed
        if frame in places.known:
            self._show_places(places.known[frame])
        else:
            self._follower.ask(places, frame)

    def follow_now(self) -> None:
        """Compute the positions of the shown frame at once; for pictures and movies."""
        followed = self._followed()
        if followed is not None:
            places, frame = followed
            self._show_places(places.compute(frame))

    def _arrived(self, places: MovingPlaces, frame: int) -> None:
        """Positions of a frame are there; another frame may be shown by now."""
        if not self.closed and self._moving is not None and self._moving[1] is places:
            self._follow()

    def _show_places(self, found: np.ndarray) -> None:
        layer = self.layers.get(NEURONS)
        if layer is None or self._busy:
            return
        drawn = self._moved(found)
        if np.array_equal(drawn.positions, self._scene.positions):
            return
        self.drawn = drawn
        self._busy = True
        try:
            move_points(layer, drawn.positions[drawn.shown])
            self._draw_edges()
            self._draw_current()
        finally:
            self._busy = False
        self._names_timer.start()

    # --- time -------------------------------------------------------------------------------------------------------

    def _ensure_time_axis(self) -> None:
        session = self._workspace.session
        recording = session.recording
        if recording is not None:  # it may be closed since; what is drawn follows
            ensure_time_axis(self._viewer, self.overlay, recording, self._scene)
            self._move_slider(session.selection.time_s)  # a slider of other layers may have ended earlier

    def _step_changed(self, *_: Any) -> None:
        work = self.work
        if work is None or self._stepping or self.closed or work.viewer is None:
            return
        time = slider_time(work.viewer, work.session.recording)
        if time is None:
            return
        self._stepping = True
        try:
            work.session.select(time_s=time)
        finally:
            self._stepping = False

    def _selection_changed(self, selection: Any, changed: frozenset[str]) -> None:
        if self.closed:
            return
        if changed - {"time_s"}:
            self._changed()
        if "time_s" in changed:
            self.recolour()
            if not self._stepping:
                self._move_slider(selection.time_s)

    def _move_slider(self, time_s: float) -> None:
        self._stepping = True
        try:
            move_slider(self._viewer, self._workspace.session.recording, time_s)
        finally:
            self._stepping = False

    # --- overlays of the canvas -------------------------------------------------------------------------------------

    def _draw_title(self) -> None:
        work = self._workspace
        text = resolve.title(work.session, self.drawn, **work.view.colouring) if self.drawn else ""
        self._text.title(self._viewer, text, self.colours.text)

    def _legend_lines(self) -> list[tuple[str, str]]:
        work = self._workspace
        if self.drawn is None or not work.view.legend:
            return []
        if work.view.color_by == "column":
            if work.view.column == GROUPS:
                return group_legend(work.session, self.colours.dark)
            values = column_values(work.session, work.view.column)
            return column_legend(work.view.column, values, self.colours.dark, work.view.limits.get(work.view.column))
        return resolve.legend(work.session, self.drawn, work.view.color_by, dark=self.colours.dark)

    def _draw_legend(self) -> None:
        self._legend.show(self._viewer, self._legend_lines(), self.colours.secondary)

    # --- pictures and clicks ----------------------------------------------------------------------------------------

    def home(self) -> None:
        """Show the whole worm."""
        drawn = self.drawn
        points = drawn.positions[drawn.shown] if drawn is not None else np.zeros((0, 3))
        camera.go_home(self._viewer, points, legend=bool(self._legend_lines()))

    def fly_to(self, neuron: str) -> None:
        """Bring a neuron to the centre of the canvas."""
        drawn = self.drawn
        if drawn is not None and neuron in drawn.ids and drawn.shown[place := drawn.ids.index(neuron)]:
            camera.fly_to(self._viewer, drawn.positions[place])

    def pick(self, position: np.ndarray, direction: np.ndarray | None) -> str | None:
        """Neuron at a place in world coordinates; with a view direction, the nearest to the eye along it."""
        if self.drawn is None or not self.drawn.shown.any():
            return None
        return camera.neuron_at(self.drawn, position, direction, float(self._viewer.scene.camera.zoom))

    def neuron_of_label(self, label: int) -> str | None:
        """Neuron with a label id."""
        if self.drawn is None:
            return None
        found = np.flatnonzero(self.drawn.labels == label)
        return self.drawn.ids[int(found[0])] if len(found) else None

    def colour_of(self, neuron: str) -> str:
        """Colour that a neuron has without time, as "#rrggbb"."""
        drawn = self._scene
        return hex_color(drawn.base[drawn.ids.index(neuron)])


def _timer(call: ScheduledCall, milliseconds: int) -> QTimer:
    """Single-shot timer after which a call waits for its turn."""
    timer = QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)
    timer.timeout.connect(call.start)
    return timer
