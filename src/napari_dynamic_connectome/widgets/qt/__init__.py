"""Toolkit below everything else: theme, forms, tables, plots, scheduler, worker threads, messages."""
