"""
Scripting napari
================

The sample worm in 3D, its neurons coloured by community, brighter while their component is active. In the shell:
``python examples/scripting_napari.py [FOLDER] [--show]``.

Without ``--show`` the script saves a picture and ends. A picture needs an X server (xvfb-run will do); where there is none, the
layers are made all the same and only the picture is left out.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

import napari_dynamic_connectome as ndc
from napari_dynamic_connectome.display import colors_at, label_colors, resolve
from napari_dynamic_connectome.extraction import extract_recording
from napari_dynamic_connectome.io import open_labels, open_volume
from napari_dynamic_connectome.simulation import sample_worm


def analyzed() -> tuple[ndc.Session, object, object]:
    """Extract the sample worm and find groups of the component that is strongest.

    They are not compared with chance here (``ndc.analyze`` does that), so all of them are drawn as unsure, in pale colours.
    """
    image = sample_worm()
    volume, labels = open_volume(image), open_labels(image)
    recording = extract_recording(volume, labels, name="sample worm", names=labels.names, stimuli=volume.stimuli)
    cohort = ndc.Cohort([recording])
    components = ndc.factorize(ndc.compute_affinity(cohort), 4, starts=3, seed=0)
    session = ndc.Session()
    session.add(recording)
    session.set_cohort(cohort)
    session.set_components(components)
    found = ndc.find_communities(components, component=1, kind="core", samples=50, null_fits=0, seed=0)
    session.set_communities({(1, "core"): found})
    session.select(component=1, kind="core")
    return session, volume, labels


def add_layers(viewer, session: ndc.Session, volume, labels) -> None:
    """Add the volume, the labels and a Points layer whose colours follow the time slider."""
    from napari.utils.colormaps import DirectLabelColormap

    size = volume.voxel_size_um
    step = 1 / volume.reference.frame_rate_hz
    drawn = resolve(session, color_by="strength")
    # Layers with three axes hold for all frames; units belong to the layers.
    viewer.add_image(
        volume.data,
        scale=(step, *size),
        units=("s", "um", "um", "um"),
        name="GCaMP",
        colormap="gray",
        contrast_limits=(150, 3000),
        opacity=0.5,
    )
    still = resolve(session, color_by="community")
    viewer.add_labels(
        labels.data.compute().astype(np.uint16),
        scale=size,
        units=("um", "um", "um"),
        name="communities",
        colormap=DirectLabelColormap(color_dict=label_colors(still, 0.0)),
        visible=False,
    )
    points = viewer.add_points(
        drawn.positions, size=4, units=("um", "um", "um"), name="neurons", shading="spherical", border_width=0
    )

    def recolour() -> None:
        # Setting colours on a Points layer takes a few milliseconds; recolouring Labels in 3D takes half a second.
        points.face_color = colors_at(drawn, viewer.dims.point[0])

    viewer.dims.events.point.connect(recolour)
    recolour()


def main(folder: Path, show: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    session, volume, labels = analyzed()
    course = session.components.time_course(1, session.current)
    peak = float(course["time"][int(course.values.argmax())])
    screen = bool(os.environ.get("DISPLAY")) or sys.platform in ("win32", "darwin")
    if screen:
        import napari

        viewer = napari.Viewer(title="Dynamic connectome")
    else:
        from napari.components import ViewerModel

        viewer = ViewerModel()
    viewer.dims.ndisplay = 3
    add_layers(viewer, session, volume, labels)
    viewer.dims.set_point(0, peak)
    if not screen:
        print(f"made the layers {[layer.name for layer in viewer.layers]}; no picture, as there is no X server")
        return
    viewer.reset_view()
    viewer.scene.camera.angles = (0.0, 25.0, 75.0)
    viewer.scene.camera.zoom *= 2.6
    viewer.screenshot(folder / "scripting_napari.png", canvas_only=True, size=(700, 1000))
    print(f"wrote {folder / 'scripting_napari.png'}")
    if show:
        napari.run()
    viewer.close()


if __name__ == "__main__":
    given = [a for a in sys.argv[1:] if a != "--show"]
    main(Path(given[0]) if given else Path("example-output"), "--show" in sys.argv)
