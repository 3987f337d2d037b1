"""Switching brain states: a hidden Markov model over Gaussian GLMs with a connectome prior."""
