"""The napari docks: the only folder that imports napari or Qt."""
