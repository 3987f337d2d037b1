"""Readers and writers, one file a format; a registry chooses by content."""
