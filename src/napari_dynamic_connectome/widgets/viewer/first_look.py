"""First look at a result: the worm in 3D, and the community that shows most, when its component is strongest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...display.highlights import telling
from .grey_levels import LEVELS, empty_and_bright

if TYPE_CHECKING:
    from ...model.results import CommunityKind
    from ...session.session import Session
    from ..workspace.workspace import Workspace

FAINT_DARK, FAINT_LIGHT = 0.34, 0.17
"""Opacity of a volume under the neurons."""
LIGHT_RANGE = 5
"""Contrast ranges by which a volume is washed out on white: its black halos would drown the colours."""


def show_worm(work: Workspace) -> None:
    """Switch to 3D, seen from the side, volume faint, labels off: they are slow to draw in 3D, the neurons are spheres."""
    viewer = work.viewer
    if viewer is None:
        return
    work.scene.catch_up()
    viewer.dims.ndisplay = 3
    for recording in {*work.scene.images, *work.scene.labels}:
        fade_images(work, recording)
    work.scene.home()


def fade_images(work: Workspace, recording: str) -> None:
    """Make the volume of a recording faint and hide its labels, so that they do not cover the neurons in 3D."""
    if recording in work.scene.labels:
        work.scene.labels[recording].visible = False
    dark = work.scene.colours.dark if hasattr(work.scene, "colours") else True
    for layer in work.scene.images.get(recording, ()):
        layer.rendering = "mip"
        layer.colormap = "gray" if dark else "gray_r"
        layer.blending = "translucent_no_depth" if dark else "minimum"
        layer.opacity = FAINT_DARK if dark else FAINT_LIGHT
        _dim_background(layer, dark)


def choose_telling(work: Workspace) -> bool:
    """Choose what shows most (see `display.highlights.telling`), at the time when its component is strongest.

    Where the current worm shows none of it (its neurons have no names, or it took no part), the worm that shows most neurons of the
    analysis becomes the current one.

    Returns
    -------
    bool
        False where nothing is to be shown, or a community is chosen already.
    """
    session = work.session
    if session.components is None or not session.communities or session.selection.community is not None:
        return False
    choice = telling(session) or _on_another_worm(session)
    if choice is None:
        return False
    component, kind, best = choice
    session.select(component=component, kind=kind)
    session.select(level=session.communities[component, kind].chosen_level)
    recording = session.recording
    time_s = 0.0
    if recording is not None:
        course = session.components.recording_course(session.selection.component, recording.name)
        if course.size:
            time_s = float(course["time"].values[int(np.argmax(np.nan_to_num(course.values)))])
            time_s = float(np.clip(time_s, recording.time_s[0], recording.time_s[-1]))
    session.select(community=int(best), time_s=time_s)
    return True


def _on_another_worm(session: Session) -> tuple[int, CommunityKind, int] | None:
    known = set(session.components.neurons) if session.components is not None else set()
    worms = sorted(session.recordings.values(), key=lambda r: -len(known & set(r.named)))
    for recording in worms:
        choice = telling(session, recording)
        if choice is not None:
            session.set_current(recording.name)
            return choice
    return None


def _dim_background(layer: Any, dark: bool) -> None:
    """Set the contrast by one frame, so that the empty part of the volume does not cover the canvas."""
    low, high = layer.metadata.get(LEVELS) or empty_and_bright(layer.data)
    if not dark:
        high = low + LIGHT_RANGE * (high - low)
    if high > low:
        layer.contrast_limits = (low, high)
