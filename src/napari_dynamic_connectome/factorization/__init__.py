"""From affinities to non-negative components."""
