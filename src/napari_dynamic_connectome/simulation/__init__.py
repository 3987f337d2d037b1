"""Synthetic worms with known truth: names, positions, traces, volumes."""
