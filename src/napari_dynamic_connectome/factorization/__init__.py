"""Non-negative components of affinities."""
