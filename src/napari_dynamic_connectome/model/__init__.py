"""Data model: recordings, cohorts, results, settings, errors. No input or output, no Qt."""
