"""Recordings and tables, one file a format."""
