"""The worm in the viewer: keeps napari's layers in step with the session, and the session with clicks and the time slider.

All decisions on what is drawn are made in `overlay`; here they are only handed to napari.
"""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pint
from qtpy.QtCore import QTimer

from ..overlay import scene as resolve
from ..overlay.moving import MovingPlaces
from ..overlay.names import place_names
from ..overlay.palette import hex_color, mix, rgb
from ..overlay.tubes import tubes
from .follow import Follower
from .legend import Legend
from .theme import colours_of

if TYPE_CHECKING:
    from .state import Workspace

NEURONS, EDGES, LEADERS, NAMES, CURRENT, TIME = "neurons", "edges", "leaders", "names", "current", "time"
OURS = (EDGES, NEURONS, LEADERS, NAMES, CURRENT, TIME)
TIME_KEY = "dynamic_connectome_time"
REST_MS = 250
MOST_NAMES = 24
LEGEND_PX = 56.0
LEAST_PX, SHADED_PX = 6.0, 11.0


class SceneView:
    """Draws the session into the viewer.

    Parameters
    ----------
    work : Workspace
    """

    def __init__(self, work: Workspace) -> None:
        self._work = weakref.ref(work)
        self.drawn: resolve.Drawn | None = None
        self.layers: dict[str, Any] = {}
        self.images: dict[str, list[Any]] = {}
        """Image layers by recording; only those of the current one are visible."""
        self.labels: dict[str, Any] = {}
        """Labels layer by recording."""
        self.dismissed: set[str] = set()
        """Our layers that the user removed: they stay away until the overlay is asked for again."""
        self.closed = False
        self._busy = False
        self._stepping = False
        self._placed_for: Any = None
        self._size: np.ndarray | None = None
        self._titled = False
        self._title_colour = ""
        self._edges_zoom = 0.0
        self._moving: tuple[Any, MovingPlaces] | None = None
        self._follower = Follower(self._arrived)
        self._legend = Legend()
        self._has_bar = False
        self._refresh_timer = work.turns.turn(self, "refresh")
        self._rest_timer = _timer(self, "recolour_labels", REST_MS)
        self._names_timer = _timer(self, "place_names", 90)
        self._stage_timer = work.turns.turn(self, "next_stage")
        self._stages: list[Any] = []
        self._leaders_timer = work.turns.turn(self, "place_leaders")
        self._leaders: Any = None
        self._covered = False
        session = work.session
        for signal in (session.recordings_changed, session.current_changed, session.neurons_changed):
            signal.connect(self._changed)
        for signal in (session.components_changed, session.communities_changed):
            signal.connect(self._changed)
        session.selection_changed.connect(self._selection_changed)
        work.view.changed.connect(self._changed)
        viewer = work.viewer
        # napari reads all units when it first meets one, which takes long: now, as a dock opens, not in the middle of the work.
        _ = pint.get_application_registry().um
        viewer.dims.events.current_step.connect(self._step_changed)
        viewer.layers.events.removed.connect(self._layer_removed)
        viewer.layers.events.inserted.connect(self._layer_inserted)
        viewer.scene.camera.events.connect(self._camera_changed)
        viewer.dims.events.ndisplay.connect(self._changed)
        viewer.canvas.events.size.connect(self._camera_changed)
        viewer.events.theme.connect(self._changed)
        viewer.mouse_drag_callbacks.append(_Click(self))

    # --- state ------------------------------------------------------------------------------------------------------

    @property
    def work(self) -> Workspace | None:
        return self._work()

    def _changed(self, *_: Any) -> None:
        if not self.closed:
            self._refresh_timer.start()

    def _labels_shown(self, *_: Any) -> None:
        if not self.closed:
            self._rest_timer.start()

    def _camera_changed(self, *_: Any) -> None:
        if not self.closed and NEURONS in self.layers:
            self._names_timer.start()

    def close(self) -> None:
        """Let go of everything."""
        self.closed = True
        for timer in (self._refresh_timer, self._rest_timer, self._names_timer, self._stage_timer, self._leaders_timer):
            timer.stop()
        self._follower.close()
        self._moving = None
        self.layers.clear()
        self.images.clear()
        self.labels.clear()
        self.drawn = None

    def attach(self, recording: str, images: list[Any], labels: Any | None) -> None:
        """Say which layers show a recording; they are shown and hidden with it."""
        self.images[recording] = [i for i in images if i is not None]
        if labels is not None:
            self.labels[recording] = labels
            labels.events.visible.connect(self._labels_shown)
        self._changed()

    def flush(self) -> None:
        """Draw now what is out of date."""
        if self.closed:
            return
        self._refresh_timer.stop()
        self.refresh()
        self._stage_timer.stop()
        while self._stages:
            self.next_stage()
        self._stage_timer.stop()
        self._names_timer.stop()
        self.place_names()
        self.place_leaders()
        self._rest_timer.stop()
        self.recolour_labels()

    def catch_up(self) -> None:
        """Resolve what is drawn if it is out of date: docks show the same."""
        if self._refresh_timer.isActive() and not self.closed:
            self._refresh_timer.stop()
            self.refresh()

    def show_again(self) -> None:
        """Bring back layers that were removed."""
        self.dismissed.clear()
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
            self.drawn = resolve.resolve(work.session, color_by=work.view.color_by, dark=self.colours.dark)
            if self.drawn is None:
                for name in OURS:
                    self._remove(name)
                self._set_title("")
                self._legend.show(viewer, [], self.colours.secondary, most=100)
                return
            self._place()
            self._draw_neurons()
            self._show_images_of(work.session.current)
            self._draw_title()
        finally:
            self._busy = False
        # The rest follows in turns of the event loop of its own, so that no turn is long.
        self._stages = [
            self._ensure_time_axis,
            self._name_axes,
            self._raise_ours,
            self._draw_edges,
            self._draw_current,
            self._draw_scale_bar,
            self._draw_legend,
        ]
        self._stage_timer.start()
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
            self._stage_timer.start()

    def _units(self, viewer: Any) -> tuple[str, str, str]:
        """Spatial units of the images that are there, so that all layers agree; micrometres without any."""
        for layer in viewer.layers:
            if layer not in self.layers.values() and layer.ndim >= 3:
                return tuple(str(u) for u in layer.units[-3:])
        return ("um", "um", "um")

    def _draw_neurons(self) -> None:
        drawn, work = self.drawn, self.work
        if not drawn.shown.any():  # no neuron has a place: neither measured, nor known from a name
            self._remove(NEURONS)
            return
        colours = resolve.colors_at(drawn, work.session.selection.time_s)[drawn.shown]
        data = drawn.positions[drawn.shown]
        layer = self._layer(
            NEURONS,
            "add_points",
            lambda: {
                "data": data,
                "face_color": colours,
                "size": drawn.size[drawn.shown] * self._magnified(),
                "border_width": 0,
                "shading": self._shading(),
                "opacity": 1.0,
                "blending": "translucent",
                "canvas_size_limits": (3, 10000),
                "projection_mode": "all",
            },
        )
        if layer is None:
            return
        if layer.data.shape != data.shape or not np.array_equal(layer.data, data):
            move_points(layer, data)
            self._size = None
        size = drawn.size[drawn.shown] * self._magnified()
        if self._size is None or not np.array_equal(self._size, size):
            layer.size = size
            self._size = size
        layer.face_color = colours
        layer.selected_data = set()

    def _magnified(self) -> float:
        """How much larger than they are neurons are drawn: far away they would be too small to show their colour."""
        return max(1.0, LEAST_PX / (resolve.SIZE * max(float(self.work.viewer.scene.camera.zoom), 1e-6)))

    def _shading(self) -> str:
        """Shade spheres only where they are large enough: in a few pixels the shade would cover the colour."""
        return "spherical" if resolve.SIZE * float(self.work.viewer.scene.camera.zoom) > SHADED_PX else "none"

    def _zoomed(self) -> None:
        """Adapt what has a size on the screen; runs when the camera rests."""
        layer, edges, drawn = self.layers.get(NEURONS), self.layers.get(EDGES), self.drawn
        zoom = float(self.work.viewer.scene.camera.zoom)
        if layer is not None and layer in self.work.viewer.layers:
            if str(layer.shading) != self._shading():
                layer.shading = self._shading()
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
        """Colour the Labels layer; too slow in 3D for every step, so it waits until the time rests."""
        drawn, work = self.drawn, self.work
        if drawn is None or work is None or work.viewer is None or self.closed:
            return
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
            most = 255 if np.dtype(layer.dtype).itemsize == 1 else 65535
            if len(drawn.labels) and drawn.labels.min() >= 0 and drawn.labels.max() <= most:
                layer.colormap = CyclicLabelColormap(colors=resolve.label_palette(drawn, time_s, most))
            else:
                layer.colormap = DirectLabelColormap(color_dict=resolve.label_colors(drawn, time_s))
        finally:
            self._busy = False

    def _draw_edges(self) -> None:
        drawn, work = self.drawn, self.work
        wanted = work.view.edges and work.view.color_by != "naming" and work.session.selection.community is not None
        edges = resolve.strongest_edges(work.session, drawn, work.view.edge_count) if wanted else []
        if not edges:
            self._hide(EDGES)
            return
        starts = drawn.positions[[e[0] for e in edges]]
        ends = drawn.positions[[e[1] for e in edges]]
        strength = np.array([e[2] for e in edges])
        self._edges_zoom = float(work.viewer.scene.camera.zoom)
        # As thick as lines on the screen, whatever the size of the worm.
        radii = (0.5 + 0.9 * strength) / max(self._edges_zoom, 1e-6)
        vertices, faces, line = tubes(starts, ends, radii)
        style = drawn.styles.get(work.session.selection.community)
        colour = rgb(style.color) if style else rgb(self.colours.text)
        shade = mix(rgb(self.colours.canvas), colour, 0.45 + 0.5 * strength)
        vertex_colors = np.concatenate([shade[line], np.ones((len(line), 1))], axis=1).astype(np.float32)
        self._surface(EDGES, vertices, faces, vertex_colors)

    def _surface(self, name: str, vertices: np.ndarray, faces: np.ndarray, colours: np.ndarray) -> None:
        layer = self._layer(
            name,
            "add_surface",
            lambda: {
                "data": (vertices, faces),
                "vertex_colors": colours,
                "shading": "none",  # thin lines: shading would only darken them
            },
        )
        if layer is None:
            return
        old = layer.vertices
        if old.shape != vertices.shape or not np.array_equal(old, vertices):
            # Colours of another number of vertices must not meet the new mesh.
            layer.vertex_colors = None
            layer.data = (vertices, faces)
        if layer.vertex_colors is None or not np.array_equal(layer.vertex_colors, colours):
            layer.vertex_colors = colours
        self._show(layer)

    def _draw_current(self) -> None:
        drawn, work = self.drawn, self.work
        chosen = [i for i, n in enumerate(drawn.ids) if n in set(work.session.selection.neurons) and drawn.shown[i]]
        if not chosen:
            self._hide(CURRENT)
            return
        data = drawn.positions[chosen]
        accent = np.append(rgb(self.colours.accent), 1.0)
        layer = self._layer(
            CURRENT,
            "add_points",
            lambda: {
                "data": data,
                "size": 8.0,
                "symbol": "disc",
                "face_color": np.zeros(4),
                "border_color": accent,
                "border_width": 0.12,
                "blending": "translucent_no_depth",
                "canvas_size_limits": (18, 10000),
                "projection_mode": "all",
            },
        )
        if layer is None:
            return
        if layer.data.shape != data.shape or not np.array_equal(layer.data, data):
            move_points(layer, data)
            layer.size = 8.0
            layer.face_color = np.zeros((len(data), 4))
        layer.border_color = np.tile(accent, (len(data), 1))
        layer.selected_data = set()
        self._show(layer)

    # --- names ------------------------------------------------------------------------------------------------------

    def named(self) -> list[int]:
        """Neurons whose names are shown: the selected community's, the selected ones', or those nearest to the selected one."""
        drawn, work = self.drawn, self.work
        if drawn is None or not work.view.names:
            return []
        selection, recording = work.session.selection, work.session.recording
        if recording is None or recording.n_neurons != len(drawn.ids):
            return []  # another recording was opened and is not drawn yet
        names = recording.neurons["name"].to_numpy()
        good = drawn.shown & (names != "")
        chosen = [i for i, n in enumerate(drawn.ids) if n in set(selection.neurons) and drawn.shown[i]]
        if selection.community is not None and work.view.color_by != "naming":
            inside = [int(i) for i in np.flatnonzero(drawn.lit & good)]
            return (inside + [i for i in chosen if i not in inside])[:MOST_NAMES]
        if len(chosen) == 1:
            gap = np.linalg.norm(drawn.positions - drawn.positions[chosen[0]], axis=1)
            near = [int(i) for i in np.argsort(gap, kind="stable") if good[i]]
            return near[:16]
        return chosen[:MOST_NAMES]

    def place_names(self) -> None:
        """Place the names for the present camera."""
        work = self.work
        if work is None or work.viewer is None or self.drawn is None or self.closed:
            return
        viewer, drawn = work.viewer, self.drawn
        self._zoomed()
        chosen = self.named()
        if not chosen:
            self._hide(NAMES)
            self._leaders = ([], 1.0)
            self._leaders_timer.start()
            return
        right, up, zoom, centre = self._screen()
        height, width = viewer.canvas.size

        def project(points: np.ndarray) -> np.ndarray:
            gap = points - centre
            return np.stack([gap @ right * zoom + width / 2, height / 2 - gap @ up * zoom], axis=1)

        names = [drawn.ids[i] for i in chosen]
        points = project(drawn.positions[chosen])
        others = project(drawn.positions[drawn.shown])
        placed = place_names(
            points, names, others, size=(width, height), clear_px=float(drawn.size[chosen].mean()) / 2 * zoom
        )
        anchors, leaders = [], []
        for item in placed:
            own = drawn.positions[chosen[item.index]]
            x, y = points[item.index]
            anchors.append(own + right * (item.x - x) / zoom - up * (item.y - y) / zoom)
            if item.leader:
                # From the edge of the neuron to just before the text.
                towards = np.array([item.x - x, item.y - y])
                half = np.array([len(item.text) * 3.8 + 3, 8.0])
                reach = min(half / np.maximum(np.abs(towards), 1e-6))
                share = max(1 - float(reach), 0.0)
                leaders.append((own, own + (right * towards[0] - up * towards[1]) * share / zoom))
        data = np.array(anchors)
        texts = np.array([p.text for p in placed], dtype=object)
        text = {
            "string": "{name}",
            "size": 8,
            "color": self.colours.text,
            "anchor": "center",
            "blending": "translucent_no_depth",
        }
        layer = self._layer(
            NAMES,
            "add_points",
            lambda: {
                "data": data,
                "features": {"name": texts},
                "text": text,
                "size": 0.001,
                "opacity": 1.0,
                "canvas_size_limits": (0, 10000),
                "face_color": np.zeros(4),
                "border_width": 0,
                "projection_mode": "all",
            },
        )
        if layer is not None:
            self._show(layer)  # first: a hidden layer is not sliced anew, and its texts would not fit its points
            same = len(layer.data) == len(data) and list(layer.features.get("name", [])) == list(texts)
            if not same:
                layer.data = data
                layer.features = {"name": texts}
            elif not np.allclose(layer.data, data):
                layer.data = data
            if self._placed_for != self.colours.text:
                layer.text = text
                self._placed_for = self.colours.text
            layer.selected_data = set()
        self._leaders = (leaders, zoom)
        self._leaders_timer.start()

    def place_leaders(self) -> None:
        """Draw the lines from names to neurons."""
        if self.work is None or self.work.viewer is None or self._leaders is None or self.closed:
            return
        (leaders, zoom), self._leaders = self._leaders, None
        self._leaders_timer.stop()
        if leaders:
            vertices, faces, line = tubes(
                np.array([a for a, _ in leaders]), np.array([b for _, b in leaders]), 0.55 / zoom
            )
            colour = np.append(mix(rgb(self.colours.text), rgb(self.colours.canvas), 0.35), 1.0)
            self._surface(LEADERS, vertices, faces, np.tile(colour, (len(line), 1)).astype(np.float32))
        else:
            self._hide(LEADERS)

    def _screen(self) -> tuple[np.ndarray, np.ndarray, float, np.ndarray]:
        """Directions of screen x and y in world space, pixels per micrometre, world point at the centre of the canvas."""
        viewer = self.work.viewer
        camera = viewer.scene.camera
        if viewer.dims.ndisplay == 3:
            view, up = np.asarray(camera.view_direction, float), np.asarray(camera.up_direction, float)
            right = np.cross(view, up)
            centre = np.asarray(camera.center, float)[-3:]
        else:
            right, up = np.array([0.0, 0.0, 1.0]), np.array([0.0, -1.0, 0.0])
            centre = np.array([viewer.dims.point[-3], *np.asarray(camera.center, float)[-2:]])
        return right, up, float(camera.zoom), centre

    # --- layers -----------------------------------------------------------------------------------------------------

    def _layer(self, name: str, adder: str, options: Any) -> Any | None:
        work = self.work
        viewer = work.viewer
        layer = self.layers.get(name)
        if layer is not None and layer in viewer.layers:
            return layer
        if name in self.dismissed:
            return None
        from napari.layers import Points, Surface

        active = viewer.layers.selection.active
        kind = Points if adder == "add_points" else Surface
        layer = kind(name=name, units=self._units(viewer), **options())
        self.layers[name] = layer
        # Straight to its place in the stack, which is by meaning: every move costs napari a new order of everything.
        place = self._place_in_stack(name, viewer)
        if name != NEURONS and active is not None and active in viewer.layers:
            _insert_quietly(viewer, place, layer)
        else:
            viewer.layers.insert(place, layer)
        return layer

    def _place_in_stack(self, name: str, viewer: Any) -> int:
        """Index at which one of our layers belongs: above the user's and above those of ours that come before it."""
        above = [self.layers[n] for n in OURS[OURS.index(name) + 1 :] if n in self.layers and n != TIME]
        places = [viewer.layers.index(layer) for layer in above if layer in viewer.layers]
        return min(places, default=len(viewer.layers))

    def _layer_inserted(self, event: Any) -> None:
        """An image that is opened later lies over the neurons: they have to come up again."""
        if not self.closed and not self._busy and event.value not in self.layers.values():
            self._covered = True
            self._changed()

    def _raise_ours(self) -> None:
        """Bring our layers above the user's; only after a layer was added, the order is the user's otherwise."""
        viewer, covered, self._covered = self.work.viewer, self._covered, False
        ours = [self.layers[n] for n in OURS if n != TIME and n in self.layers and self.layers[n] in viewer.layers]
        if covered and ours and list(viewer.layers)[-len(ours) :] != ours:
            viewer.layers.move_multiple([viewer.layers.index(layer) for layer in ours], len(viewer.layers))

    def _hide(self, name: str) -> None:
        layer = self.layers.get(name)
        if layer is not None and layer.visible:
            layer.visible = False

    def _show(self, layer: Any) -> None:
        # Setting it costs a refresh even if nothing changes.
        if not layer.visible:
            layer.visible = True

    def _remove(self, name: str) -> None:
        layer = self.layers.pop(name, None)
        work = self.work
        if layer is not None and work is not None and work.viewer is not None and layer in work.viewer.layers:
            work.viewer.layers.remove(layer)

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
                    self.dismissed.add(name)
        for recording, images in list(self.images.items()):
            self.images[recording] = [i for i in images if i is not layer]
        for recording, labels in list(self.labels.items()):
            if labels is layer:
                del self.labels[recording]
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
        work = self.work
        layer = self.labels.get(work.session.current or "")
        if layer is None or layer.ndim != 4 or layer.multiscale or layer not in work.viewer.layers:
            self._moving = None
            return
        labels = self.drawn.labels
        kept = self._moving
        if kept is None or kept[0] is not layer.data or not np.array_equal(kept[1].labels, labels):
            places = MovingPlaces(layer.data, labels, layer.scale[-3:], layer.translate[-3:])
            self._moving = (layer.data, places)
        frame = self._frame()
        places = self._moving[1]
        if frame in places.known:
            self.drawn = self._moved(places.known[frame])
        else:
            self._follower.ask(places, frame)

    def _frame(self) -> int:
        """Frame of the labels at the shown time."""
        recording, places = self.work.session.recording, self._moving[1]
        time_s = self.work.session.selection.time_s
        if len(places) == recording.n_times:
            return int(np.argmin(np.abs(recording.time_s - time_s)))
        layer = self.labels[recording.name]
        return int(np.clip(round((time_s - layer.translate[0]) / layer.scale[0]), 0, len(places) - 1))

    def _moved(self, found: np.ndarray) -> resolve.Drawn:
        """What is drawn, with these positions; a neuron that the frame lacks stays where it was."""
        seen = np.isfinite(found).all(axis=1)
        return replace(self.drawn, positions=np.where(seen[:, None], found, self.drawn.positions))

    def _follow(self) -> None:
        if self._moving is None or self.drawn is None:
            return
        places, frame = self._moving[1], self._frame()
        if frame in places.known:
            self._show_places(places.known[frame])
        else:
            self._follower.ask(places, frame)

    def follow_now(self) -> None:
        """Compute the positions of the shown frame at once; for pictures and movies."""
        if self._moving is not None and self.drawn is not None:
            self._show_places(self._moving[1].compute(self._frame()))

    def _arrived(self, places: MovingPlaces, frame: int) -> None:
        """Positions of a frame are there; another frame may be shown by now."""
        if not self.closed and self._moving is not None and self._moving[1] is places:
            self._follow()

    def _show_places(self, found: np.ndarray) -> None:
        layer = self.layers.get(NEURONS)
        if layer is None or self._busy:
            return
        drawn = self._moved(found)
        if np.array_equal(drawn.positions, self.drawn.positions):
            return
        self.drawn = drawn
        self._busy = True
        try:
            move_points(layer, drawn.positions[drawn.shown])
            layer.selected_data = set()
            self._draw_edges()
            self._draw_current()
        finally:
            self._busy = False
        self._names_timer.start()

    # --- time -------------------------------------------------------------------------------------------------------

    def _ensure_time_axis(self) -> None:
        """Give the viewer a time slider where no image brings one: two points far too small to be seen."""
        work = self.work
        viewer, recording, drawn = work.viewer, work.session.recording, self.drawn
        if recording is None:
            return  # closed since; what is drawn follows
        others = any(layer.ndim >= 4 and layer.visible for layer in viewer.layers if layer is not self.layers.get(TIME))
        if others or recording.n_times < 2:
            self._remove(TIME)
            return
        places = drawn.positions[drawn.shown] if drawn.shown.any() else np.zeros((1, 3))
        data, options, _ = time_layer(recording, places, self._units(viewer))
        layer = self.layers.get(TIME) or next((x for x in viewer.layers if x.metadata.get(TIME_KEY)), None)
        if layer is not None and layer in viewer.layers:
            self.layers[TIME] = layer
            if not np.array_equal(layer.data, data) or tuple(layer.scale) != options["scale"]:
                layer.data, layer.scale = data, options["scale"]
                layer.translate = options["translate"]
            if viewer.layers.index(layer):
                viewer.layers.move(viewer.layers.index(layer), 0)
            return
        from napari.layers import Points

        self.layers[TIME] = Points(data, **options)
        if viewer.layers.selection.active is not None:
            _insert_quietly(viewer, 0, self.layers[TIME])
        else:
            viewer.layers.insert(0, self.layers[TIME])

    def _name_axes(self) -> None:
        """Name axes that have only numbers."""
        dims = self.work.viewer.dims
        if dims.ndim == 4 and all(str(a).lstrip("-").isdigit() for a in dims.axis_labels):
            dims.axis_labels = ("t", "z", "y", "x")

    def _step_changed(self, *_: Any) -> None:
        work = self.work
        if work is None or self._stepping or self.closed or work.viewer is None:
            return
        time = self.slider_time()
        if time is None:
            return
        self._stepping = True
        try:
            work.session.select(time_s=time)
        finally:
            self._stepping = False

    def slider_time(self) -> float | None:
        """Time (s) of the viewer's slider; None if there is no time axis."""
        work = self.work
        viewer, recording = work.viewer, work.session.recording
        if viewer.dims.ndim < 4 or recording is None:
            return None
        times = recording.time_s
        axis = viewer.dims.ndim - 4
        if viewer.dims.nsteps[axis] == len(times):
            return float(times[min(viewer.dims.current_step[axis], len(times) - 1)])
        return float(viewer.dims.point[axis])

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
        work = self.work
        viewer, recording = work.viewer, work.session.recording
        if viewer is None or viewer.dims.ndim < 4 or recording is None:
            return
        axis = viewer.dims.ndim - 4
        self._stepping = True
        try:
            if viewer.dims.nsteps[axis] == recording.n_times:
                frame = int(np.argmin(np.abs(recording.time_s - time_s)))
                viewer.dims.set_current_step(axis, frame)
            else:
                viewer.dims.set_point(axis, time_s)
        finally:
            self._stepping = False

    # --- overlays of the canvas -------------------------------------------------------------------------------------

    def _draw_title(self) -> None:
        work = self.work
        self._set_title(resolve.title(work.session, self.drawn, work.view.color_by) if self.drawn else "")

    def _set_title(self, text: str) -> None:
        viewer = self.work.viewer
        overlay = viewer.canvas.overlays.text
        if not self._titled:
            if not text:
                return
            overlay.position = "top_left"
            overlay.font_size = 9
            overlay.box = False
            self._titled = True
        # Each of these costs napari an event, even where nothing changes.
        if self._title_colour != self.colours.text:
            overlay.color = np.append(rgb(self.colours.text), 1.0)
            self._title_colour = self.colours.text
        if overlay.text != text:
            overlay.text = text
        if overlay.visible != bool(text):
            overlay.visible = bool(text)

    def _draw_scale_bar(self) -> None:
        """Show the scale bar, once: from then on it is the user's."""
        if self._has_bar:
            return
        self._has_bar = True
        bar = self.work.viewer.canvas.overlays.scale_bar
        bar.box = False
        bar.ticks = True
        bar.font_size = 8
        bar.visible = True

    def _legend_lines(self) -> list[tuple[str, str]]:
        work = self.work
        if self.drawn is None or not work.view.legend:
            return []
        return resolve.legend(work.session, self.drawn, work.view.color_by, dark=self.colours.dark)

    def _draw_legend(self) -> None:
        if self._legend.show(self.work.viewer, self._legend_lines(), self.colours.secondary):
            self._stages.append(self._draw_legend)  # the rest of it in the next turn

    # --- pictures and clicks ----------------------------------------------------------------------------------------

    def home(self) -> None:
        """Nose left, turned a little so that the head comes forward, fitted to the canvas."""
        viewer, drawn = self.work.viewer, self.drawn
        if drawn is None or not drawn.shown.any():
            viewer.reset_view()
            return
        camera = viewer.scene.camera
        points = drawn.positions[drawn.shown]
        if viewer.dims.ndisplay == 3:
            camera.angles = (0.0, -18.0, 12.0)
            camera.center = tuple(points.mean(axis=0))
        right, up, _, _ = self._screen()
        across, along = points @ right, points @ up
        middle_x, middle_y = (across.min() + across.max()) / 2, (along.min() + along.max()) / 2
        depth = np.cross(right, up)
        centre = right * middle_x + up * middle_y + depth * float((points @ depth).mean())
        height, width = viewer.canvas.size
        margin = 6.0  # room for the spheres themselves
        key = LEGEND_PX if self._legend_lines() else 0.0
        zoom = 0.93 * min((width - key) / (np.ptp(across) + margin), height / (np.ptp(along) + margin))
        centre = centre + right * key / 2 / zoom
        camera.center = tuple(centre) if viewer.dims.ndisplay == 3 else (0.0, *centre[1:])
        camera.zoom = zoom

    def fly_to(self, neuron: str) -> None:
        """Bring a neuron to the centre of the canvas."""
        drawn, viewer = self.drawn, self.work.viewer
        if drawn is None or neuron not in drawn.ids:
            return
        place = drawn.ids.index(neuron)
        if not drawn.shown[place]:
            return
        point = drawn.positions[place]
        if viewer.dims.ndisplay == 3:
            viewer.scene.camera.center = tuple(point)
        else:
            viewer.dims.set_point(viewer.dims.ndim - 3, float(point[0]))
            viewer.scene.camera.center = (0.0, float(point[1]), float(point[2]))

    def pick(self, position: np.ndarray, direction: np.ndarray | None) -> str | None:
        """Neuron at a place in world coordinates; with a view direction, the nearest to the eye along it."""
        drawn = self.drawn
        if drawn is None or not drawn.shown.any():
            return None
        point = np.asarray(position, float)[-3:]
        radius = np.maximum(drawn.size / 2 * 1.15, 4.0 / float(self.work.viewer.scene.camera.zoom))
        gap = drawn.positions - point
        if direction is not None:
            way = np.asarray(direction, float)[-3:]
            along = gap @ way
            gap = gap - along[:, None] * way
            distance = np.linalg.norm(gap, axis=1)
        else:
            along = np.abs(gap[:, 0])
            distance = np.hypot(gap[:, 1], gap[:, 2])
            distance = np.where(along < np.maximum(radius * 1.6, 2.0), distance, np.inf)
        inside = np.flatnonzero((distance < radius) & drawn.shown)
        if not len(inside):
            return None
        # Inside a crowd, the neuron nearest to the click wins unless another one clearly covers it.
        best = inside[np.lexsort((along[inside], np.round(distance[inside] / radius[inside], 1)))[0]]
        return drawn.ids[int(best)]

    def neuron_of_label(self, label: int) -> str | None:
        """Neuron with a label id."""
        if self.drawn is None:
            return None
        found = np.flatnonzero(self.drawn.labels == label)
        return self.drawn.ids[int(found[0])] if len(found) else None

    def colour_of(self, neuron: str) -> str:
        """Colour that a neuron has without time, as "#rrggbb"."""
        return hex_color(self.drawn.base[self.drawn.ids.index(neuron)])


def move_points(layer: Any, data: np.ndarray) -> None:
    """Give a points layer other points, also while it is hidden: napari would go on drawing by the numbers of the old ones."""
    layer.data = data
    if not layer.visible:
        layer.set_view_slice()


def time_layer(
    recording: Any, places: np.ndarray | None = None, units: tuple[str, str, str] = ("um", "um", "um")
) -> tuple[np.ndarray, dict[str, Any], str]:
    """Layer data of two invisible points that give the viewer the recording's time as its slider."""
    if places is None:
        places, _ = resolve.positions(recording)
        places = places[np.isfinite(places).all(axis=1)] if np.isfinite(places).all(axis=1).any() else np.zeros((1, 3))
    data = np.array([[0.0, *places.min(axis=0)], [recording.n_times - 1.0, *places.max(axis=0)]])
    options = {
        "name": TIME,
        "size": 0.001,
        "opacity": 0.0,
        "visible": False,  # it gives the viewer its time axis all the same, and is not cut anew at every step
        "scale": (float(np.median(np.diff(recording.time_s))), 1.0, 1.0, 1.0),
        "translate": (float(recording.time_s[0]), 0.0, 0.0, 0.0),
        "units": ("s", *units),
        "canvas_size_limits": (0, 10000),
        "metadata": {TIME_KEY: True},
    }
    return data, options, "points"


class _Click:
    """Mouse callback: a click without a drag picks a neuron; with Shift or Control it is added to the selection."""

    def __init__(self, scene: SceneView) -> None:
        self._scene = weakref.ref(scene)

    def __call__(self, viewer: Any, event: Any) -> Any:
        scene = self._scene()
        if scene is None or scene.closed or event.button != 1:
            return
        active = viewer.layers.selection.active
        if active is not None and str(getattr(active, "mode", "pan_zoom")) not in ("pan_zoom", "select"):
            return
        start = np.asarray(event.pos, float)
        yield
        while event.type == "mouse_move":
            if np.hypot(*(np.asarray(event.pos, float) - start)) > 4:
                return
            yield
        neuron = scene.pick(event.position, event.view_direction if viewer.dims.ndisplay == 3 else None)
        session = scene.work.session
        if neuron is None:
            labels = scene.labels.get(session.current or "")
            if labels is not None and labels.visible:
                value = labels.get_value(
                    event.position, view_direction=event.view_direction, dims_displayed=event.dims_displayed, world=True
                )
                neuron = scene.neuron_of_label(int(value)) if isinstance(value, (int, np.integer)) and value else None
        if neuron is None:
            return
        more = {str(m).lower() for m in event.modifiers} & {"shift", "control"}
        session.select(neurons=(*session.selection.neurons, neuron) if more else (neuron,))


def _insert_quietly(viewer: Any, place: int, layer: Any) -> None:
    """Insert a layer and leave the active one active.

    napari makes a new layer the active one. That and going back cost it a third of the insertion, and it looks for a value under
    the cursor, which fails in 3D on Labels before the mouse has moved. As nothing changes in the end, nobody is told.
    """
    selection = viewer.layers.selection
    active = selection.active
    with selection.events.blocker_all():
        viewer.layers.insert(place, layer)
        selection.active = active


def _timer(scene: SceneView, method: str, milliseconds: int) -> QTimer:
    """Single-shot timer that calls a method of the scene without keeping it alive."""
    me = weakref.ref(scene)
    timer = QTimer()
    timer.setSingleShot(True)
    timer.setInterval(milliseconds)

    def call() -> None:
        found = me()
        if found is not None and not found.closed:
            getattr(found, method)()

    timer.timeout.connect(call)
    return timer
