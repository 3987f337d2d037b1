"""Layer data and colours made from results; no Qt."""
