"""From a weighted graph or a component to nested communities."""
