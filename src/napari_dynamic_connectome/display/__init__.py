"""From results to napari layer data and colours; no Qt."""
