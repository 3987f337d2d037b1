"""Nested communities of a weighted graph or of a component."""
