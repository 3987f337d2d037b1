"""All steps' settings as one file; run and resume."""
