"""Robustness of components: other worms, worms left out, other seeds, other settings."""
