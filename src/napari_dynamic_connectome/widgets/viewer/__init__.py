"""The worm in napari: layers, camera, legend, time slider, movies."""
