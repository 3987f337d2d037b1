"""Workspace, one per viewer: the session, how it is shown, running jobs. Docks find it here and never talk to each other."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from psygnal import Signal
from qtpy.QtCore import QTimer

from ...display.features import CHOSEN
from ...display.scene import ColorBy
from ...session.session import Session
from ..qt.dialogs import real_viewer

if TYPE_CHECKING:
    from napari import Viewer

    from ..qt.background import BackgroundJobs
    from ..qt.scheduler import Scheduler
    from ..viewer.scene_view import SceneView
    from .hover import Hover
    from .recovery import Recovery
    from .up_to_date import UpToDate


IMPORT_MS = 1500
"""After which modules are imported beforehand: not while the first docks open."""


class ViewState:
    """How the session is shown in this viewer; nothing of it changes a result."""

    changed = Signal(str)
    """Emits the name of the field that changed."""

    def __init__(self) -> None:
        self.color_by: ColorBy = "community"
        self.state = 0
        """Switching state whose network is shown where neurons are coloured by "state"; 0: none."""
        self.state_group = -1
        """Community of its network that is chosen; -1: none."""
        self.column = CHOSEN
        """What neurons are coloured by where `color_by` is "column"; see `display.features.columns`."""
        self.limits: dict[str, tuple[float, float]] = {}
        """Values at which the colours of a column begin and end, where they were dragged."""
        self.names = True
        self.edges = True
        self.edge_count = 24
        self.legend = True
        self.network: Any = None
        """Network (`model.network.Network`) shown beside the components; None: none."""
        self.synapses = False
        """Lines on the worm are the network's connections instead of the strongest pairs."""
        self.affinity: Any = None
        """Affinity settings that the next analysis uses; None before a dock has any."""
        self.corrected = True

    @property
    def by_state(self) -> bool:
        """Whether neurons are coloured by the network of a state."""
        return self.color_by == "state" and self.state > 0

    @property
    def colouring(self) -> dict[str, Any]:
        """What colours depend on, as `display.scene.resolve` takes it."""
        return {"color_by": self.color_by, "state": self.state, "group": self.state_group}

    def set(self, **values: Any) -> None:
        """Change fields; emits once for each field that differs."""
        for name, value in values.items():
            if getattr(self, name) is not value and getattr(self, name) != value:
                setattr(self, name, value)
                self.changed.emit(name)


class Workspace:
    """What all docks of one viewer share.

    Nothing here holds the viewer: when the viewer goes, the workspace goes.
    """

    wanted = Signal(str)
    """Emits the title of the dock that shows what has just been made."""

    def __init__(self, viewer: Viewer) -> None:
        from ...io.answers import Answers, answers_path
        from ...model.log import start_log
        from ..qt.background import BackgroundJobs
        from ..qt.notify import describe_with
        from ..qt.scheduler import Scheduler
        from ..viewer.scene_view import SceneView
        from .hover import Hover
        from .preferences import load
        from .recovery import Recovery
        from .up_to_date import UpToDate

        self._viewer = weakref.ref(viewer)
        self.session = Session()
        self.view = ViewState()
        self.by_rank: dict[int, dict[Any, Any]] = {}
        """Communities that were found for other ranks of the same sweep."""
        self.arranging = False
        """The docks are just being laid out."""
        self.remembered: dict[str, Any] = load()
        self.answers = Answers(answers_path())
        """Answers that were given in the import sheet before."""
        self.reading: dict[str, Any] = {}
        """How files are read, as it was said on the command line."""
        session, remembered = self.session, self.remembered
        start_log(self.remembered)
        describe_with(viewer, lambda: {"session": session.settings, "docks": remembered})
        self.up_to_date: UpToDate = UpToDate(self)
        self.scheduler: Scheduler = Scheduler(_canvas_of(self._viewer))
        self.jobs: BackgroundJobs = BackgroundJobs(self)
        self.hover: Hover = Hover(self)
        self.scene: SceneView = SceneView(self)
        self.recovery: Recovery = Recovery(self)
        self.recovery.look_soon()
        self._soon = QTimer()
        self._soon.setSingleShot(True)
        self._soon.timeout.connect(_import_modules)
        self._soon.start(IMPORT_MS)

    @property
    def raw(self) -> dict[str, Any]:
        """Uncorrected traces (time, neuron in label order) by recording."""
        return self.session.raw

    @property
    def viewer(self) -> Viewer | None:
        """The viewer, or None if it was closed."""
        return self._viewer()

    def close(self) -> None:
        """Stop what runs and let go of the layers."""
        self._soon.stop()
        self.jobs.stop()
        try:
            self.recovery.close()
        finally:
            self.hover.close()
            self.scene.close()
            self.scheduler.close()
            viewer = self.viewer
            if viewer is not None:
                _workspaces.pop(viewer, None)


def _canvas_of(viewer: weakref.ref[Any]) -> Callable[[], Any]:
    """What finds the widget of the viewer's canvas: None for a viewer without a window, or one that is closed."""

    def find() -> Any:
        shown = _shown(viewer())
        return None if shown is None else shown.canvas.native

    return find


def _shown(viewer: Any) -> Any:
    """Return the widget that napari shows a viewer in; None without a window."""
    return getattr(getattr(viewer, "window", None), "_qt_viewer", None)


def _import_modules() -> None:
    from . import preload

    preload.import_modules()


_workspaces: weakref.WeakKeyDictionary[Any, Workspace] = weakref.WeakKeyDictionary()


def workspace_of(viewer: Any) -> Workspace:
    """Return the workspace of a viewer; made on first use."""
    viewer = real_viewer(viewer)
    if viewer not in _workspaces:
        _workspaces[viewer] = Workspace(viewer)
    return _workspaces[viewer]


def session_of(viewer: Any) -> Session:
    """Return the session of a viewer, for scripts: `session_of(napari.current_viewer())`."""
    return workspace_of(viewer).session
