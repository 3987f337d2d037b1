"""Plots and tables that docks are made of."""
